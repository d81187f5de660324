"""Published records as pages show them: read through the public role, frozen, in both languages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from flask import json
from sqlalchemy import Connection, RowMapping, text

from geo import hours
from geo.wording import placed
from schemas.refusals import LANGUAGES, not_found
from web import words
from web.i18n import local_date
from web.public.layers import BY_NAME, LAYERS, WORDS, Layer

PAGE_SIZE = 25
SEARCHED = (
    "public_id",
    "title_en",
    "title_zh",
    "place_text",
    "authority_en",
    "authority_zh",
    "purpose_en",
    "purpose_zh",
)
Words = Mapping[str, str]
_SHAPE = "ST_AsGeoJSON(geom, 6) AS shape, ST_X(ST_PointOnSurface(geom)) AS lon, ST_Y(ST_PointOnSurface(geom)) AS lat"
_COLUMNS = ", ".join(name for name in WORDS if not name.startswith("geom"))


@dataclass(frozen=True)
class Record:
    """One published device, patrol area, deployment point, patrol route or privacy zone; texts are `{"en", "zh"}`."""

    layer: str
    public_id: str
    kind: str
    state: str
    title: Words
    lon: float
    lat: float
    shape: Mapping[str, Any]
    path: str
    authority: Words | None = None
    authority_id: str | None = None
    contact: Words | None = None
    place: Words | None = None
    purpose: Words | None = None
    item: Words | None = None
    basis: Words | None = None
    published_on: date | None = None
    earliest: date | None = None
    since: date | None = None
    until: date | None = None
    height: str = ""
    hours: Words | None = None
    mark: str | None = None
    approval: str | None = None
    area_id: str | None = None
    area_title: Words | None = None
    asserted_on: date | None = None


@dataclass(frozen=True)
class Appearance:
    """One publication of a record on one channel, and when this platform itself saw it."""

    channel: str
    published_on: date
    receipt: str
    witnessed_on: date | None


@dataclass(frozen=True)
class Announcement:
    """A public word about a change of a record."""

    on: date
    text: Words


@dataclass(frozen=True)
class Share:
    """Another authority that uses a device."""

    authority: Words
    purpose: Words
    until: date


@dataclass(frozen=True)
class Query:
    """What a list asks for; every value was checked against what the layer offers. `on` is a day of the past."""

    layer: Layer
    words: str = ""
    kind: tuple[str, ...] = ()
    state: tuple[str, ...] = ()
    authority: str = ""
    on: date | None = None
    page: int = 1
    size: int = PAGE_SIZE

    @property
    def is_narrowed(self) -> bool:
        """Whether less than the whole layer is asked for."""
        return bool(self.words or self.kind or self.state or self.authority)


def one(public: Connection, layer: Layer, public_id: str) -> Record:
    """The record with that public id; raises RuleViolation 404 when nothing of that id is published."""
    found = public.execute(
        text(f"SELECT {_COLUMNS}, {_SHAPE} FROM {layer.select} WHERE public_id = :id"), {"id": public_id}
    )
    row = found.mappings().one_or_none()
    if row is None:
        raise not_found("record.unknown", "web.object_unknown", measured=public_id[:40])
    return _record(layer, row)


def page(public: Connection, query: Query) -> tuple[int, list[Record]]:
    """How many records match, and those of the page asked for, in the order of their names."""
    where, values = _conditions(query)
    counted = query.layer.select if query.words else query.layer.countable
    total = public.execute(text(f"SELECT count(*) FROM {counted} WHERE {where}"), values).scalar_one()
    # Which ones first, with no other column worked out: of a hundred thousand devices a page shows 25.
    source, order = (query.layer.select, BY_NAME) if query.words else query.layer.by_name
    ids = public.execute(
        text(f"SELECT public_id FROM {source} WHERE {where} ORDER BY {order} LIMIT :size OFFSET :skip"),
        {**values, "size": query.size, "skip": (query.page - 1) * query.size},
    ).scalars()
    return total, some(public, query.layer, list(ids))


def some(public: Connection, layer: Layer, ids: Sequence[str]) -> list[Record]:
    """The records with those public ids, in their order; what is not published is left out."""
    if not ids:
        return []
    rows = public.execute(
        text(f"SELECT {_COLUMNS}, {_SHAPE} FROM {layer.select} WHERE public_id = ANY(:ids)"), {"ids": list(ids)}
    )
    found = {row["public_id"]: _record(layer, row) for row in rows.mappings()}
    return [found[public_id] for public_id in ids if public_id in found]


def every(public: Connection, layer: Layer) -> Iterator[Record]:
    """All records of a layer, in the order of their ids; for downloads."""
    rows = public.execute(text(f"SELECT {_COLUMNS}, {_SHAPE} FROM {layer.select} ORDER BY public_id"))
    return (_record(layer, row) for row in rows.mappings())


def offered(public: Connection, layer: Layer, column: str) -> list[str]:
    """The values by which a list of this layer can be filtered."""
    if column not in layer.filters:
        return []
    rows = public.execute(
        text(f"SELECT DISTINCT {column} FROM {layer.countable} WHERE {column} IS NOT NULL ORDER BY 1")
    )
    return list(rows.scalars())


def within(public: Connection, layer: Layer, lon: float, lat: float, radius_m: float) -> list[tuple[Record, float]]:
    """The records of a layer in use or announced within `radius_m` of a place, nearest first, with metres."""
    rows = public.execute(
        text(
            f"SELECT {_COLUMNS}, {_SHAPE}, "
            "ST_Distance(geom::geography, ST_Point(:lon, :lat, 4326)::geography) AS far_m "
            f"FROM {layer.select} "
            # The box first, by the index; the exact distance on the ellipsoid decides.
            "WHERE geom && ST_Envelope(ST_Buffer(ST_Point(:lon, :lat, 4326)::geography, :radius + 1)::geometry) "
            "AND ST_DWithin(geom::geography, ST_Point(:lon, :lat, 4326)::geography, :radius) "
            "AND state NOT IN ('retired', 'discontinued') ORDER BY far_m, public_id"
        ),
        {"lon": lon, "lat": lat, "radius": radius_m},
    )
    return [(_record(layer, row), float(row["far_m"])) for row in rows.mappings()]


def starting(public: Connection, most: int) -> list[Record]:
    """What is announced and not yet in use, the earliest first."""
    rows = public.execute(
        text("SELECT layer, public_id FROM public_map.beginning ORDER BY earliest, public_id LIMIT :most"),
        {"most": most},
    ).all()
    found = [
        record
        for name, layer in LAYERS.items()
        for record in some(public, layer, [public_id for of, public_id in rows if of == name])
    ]
    return sorted(found, key=lambda record: (record.earliest or date.max, record.public_id))


def shares(public: Connection, public_id: str) -> list[Share]:
    """Which other authorities use a device, for what, and until when."""
    rows = public.execute(
        text(
            "SELECT authority_en, authority_zh, purpose_en, purpose_zh, valid_to FROM public_map.device_grants "
            "WHERE device_id = :id ORDER BY authority_en, valid_to"
        ),
        {"id": public_id},
    ).mappings()
    return [Share(_pair(row, "authority") or {}, _pair(row, "purpose") or {}, row["valid_to"]) for row in rows]


def flown(public: Connection, public_id: str, most: int = 10) -> Sequence[RowMapping]:
    """The last flights along a route: day, minutes, and whether it was flown as published."""
    rows = public.execute(
        text(
            "SELECT public_id, flown_on, duration_min, flown FROM public_map.flight_log "
            "WHERE route_id = :id ORDER BY flown_on DESC, public_id LIMIT :most"
        ),
        {"id": public_id, "most": most},
    )
    return rows.mappings().all()


def appearances(public: Connection, public_id: str) -> list[Appearance]:
    """The publications of a record in its present round, the oldest first."""
    rows = public.execute(
        text(
            "SELECT channel, published_on, receipt_id, "
            "CASE WHEN origin = 'live' THEN recorded_at END AS witnessed_at "
            "FROM public_map.publications p WHERE subject_id = :id AND withdrawn_at IS NULL AND round_no = "
            "(SELECT max(round_no) FROM public_map.publications q WHERE q.subject_id = :id) "
            "ORDER BY published_on, channel"
        ),
        {"id": public_id},
    )
    return [Appearance(channel, on, receipt, _local_date(at)) for channel, on, receipt, at in rows]


def announcements(public: Connection, public_id: str) -> list[Announcement]:
    """What was announced about a record, the newest first."""
    rows = public.execute(
        text(
            "SELECT announced_at, text_en, text_zh FROM public_map.announcements "
            "WHERE subject_id = :id ORDER BY announced_at DESC"
        ),
        {"id": public_id},
    )
    return [Announcement(local_date(at), {"en": english, "zh": chinese}) for at, english, chinese in rows]


def notice_days(record: Record, seen: list[Appearance]) -> int | None:
    """How many days before use the record was on every channel, where this platform witnessed it; else None."""
    if not seen or record.since is None or any(a.witnessed_on is None for a in seen):
        return None
    # Whichever is later counts: what a receipt says, or when the record of it was made.
    last = max(max(a.published_on, a.witnessed_on or a.published_on) for a in seen)
    return (record.since - last).days if last <= record.since else None


def _conditions(query: Query) -> tuple[str, dict[str, Any]]:
    parts, values = ["true"], dict[str, Any]()
    for column in ("kind", "state"):
        chosen = getattr(query, column)
        if chosen:
            parts.append(f"{column} = ANY(:{column})")
            values[column] = list(chosen)
    if query.authority:
        parts.append("authority_id = :authority")
        values["authority"] = query.authority
    if query.words:
        values["words"] = f"%{literal(query.words)}%"
        parts.append("(" + " OR ".join(f"{column} ILIKE :words" for column in SEARCHED) + ")")
    return " AND ".join(parts), values


def literal(words: str) -> str:
    """Words of a reader for LIKE, where they mean themselves."""
    return words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _contact(row: RowMapping) -> Words:
    told = [placed(row[column]) for column in ("contact_person", "contact_address") if row[column]]
    # A number is the same in every language, and of several none is left out.
    return {
        lang: " · ".join([*(part[lang] for part in told), *filter(None, [row["contact_channel"]])])
        for lang in LANGUAGES
    }


def _record(layer: Layer, row: RowMapping) -> Record:
    return Record(
        layer=layer.name,
        public_id=row["public_id"],
        kind=row["kind"] or layer.name,
        state=row["state"],
        title=_pair(row, "title") or _kind_as_title(row),
        lon=row["lon"],
        lat=row["lat"],
        shape=json.loads(row["shape"]),
        path=f"{layer.path}/{row['public_id']}",
        authority=_pair(row, "authority"),
        authority_id=row["authority_id"],
        contact=_contact(row),
        place=placed(row["place_text"]) if row["place_text"] else None,
        purpose=_pair(row, "purpose"),
        item=_pair(row, "item_name"),
        basis=_basis(row),
        published_on=row["published_on"],
        earliest=row["earliest"],
        since=_local_date(row["since"]),
        until=_local_date(row["ended"]),
        height=_height(row),
        hours=_hours(row),
        mark=row["mark"],
        approval=row["approval"],
        area_id=row["area_id"],
        area_title=_pair(row, "area"),
        asserted_on=None if row["origin"] == "live" else row["recorded_on"],
    )


def _local_date(value: date | datetime | None) -> date | None:
    return local_date(value) if value else None


def _pair(row: RowMapping, name: str) -> Words | None:
    english = row[f"{name}_en"]
    return {"en": english, "zh": row[f"{name}_zh"] or english} if english else None


def _kind_as_title(row: RowMapping) -> Words:
    # A sensitive zone has no name that the public may read.
    return words.in_both(words.ZONE_KINDS, row["kind"] or "other")


def _basis(row: RowMapping) -> Words | None:
    title, article = _pair(row, "basis_title"), row["basis_article"]
    if title is None:
        return None
    return {"en": f"{title['en']}, art. {article}", "zh": f"{title['zh']} 第{article}条"}


def _height(row: RowMapping) -> str:
    low, high = row["alt_min_agl_m"], row["alt_max_agl_m"]
    if high is None:
        return f"> {low:g} m AGL" if low is not None else ""
    return f"{low or 0:g}–{high:g} m AGL"


def _hours(row: RowMapping) -> Words | None:
    if row["schedule"] is None:
        return None
    held = hours.from_stored(row["schedule"])
    return {lang: hours.words(held, lang) for lang in LANGUAGES}
