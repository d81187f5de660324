"""What was here on a day of the past: counts, lists, and the days on which something changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from flask import Response, json, request
from sqlalchemy import Connection, RowMapping, text

from web import words
from web.page import today
from web.permissions import Audience, Permission, Section
from web.public.asked import refuse_others
from web.public.database import public_connection
from web.public.layers import DEVICES, LAYERS, Layer
from web.public.records import Query, Record, literal

section = Section("history", __name__, Audience.PUBLIC)
# Past days do not change; what they say may be asked for again when the day is over, or something was put right.
FRESH_S = 300
_THEN = "h.layer = :layer AND h.valid_from <= :on AND (h.valid_to IS NULL OR h.valid_to > :on)"
_FROM = "FROM public_map.history h LEFT JOIN public_map.authorities a ON a.public_id = h.authority_id"
_DAYS = text("""
    SELECT day, sum(changes)::int AS changes, (sum(sum(used)) OVER (ORDER BY day))::int AS in_use FROM (
        SELECT valid_from AS day, 1 AS changes, (layer = 'devices' AND status = 'active')::int AS used
        FROM public_map.history
        UNION ALL
        SELECT valid_to, 0, -(layer = 'devices' AND status = 'active')::int FROM public_map.history
        WHERE valid_to IS NOT NULL
    ) AS moves WHERE day <= :today GROUP BY day ORDER BY day
""")


@section.page("/changes/days.json", GET=Permission.BROWSE)
def days() -> Response:
    """The days on which anything shown changed: [day, number of changes, devices in use from then on]."""
    refuse_others(("lang",))
    with public_connection() as public:
        rows = public.execute(_DAYS, {"today": today()}).all()
    body = {
        "today": today().isoformat(),
        "days": [[day.isoformat(), changes, in_use] for day, changes, in_use in rows],
    }
    response = Response(json.dumps(body), mimetype="application/json")
    response.headers["Cache-Control"] = f"public, max-age={FRESH_S}"
    response.add_etag()
    return response.make_conditional(request)  # type: ignore[return-value]


def counts_by_kind(public: Connection, on: date) -> dict[tuple[str, str], int]:
    """How many devices of each kind were in each state on that day."""
    rows = public.execute(
        text(f"SELECT h.kind, h.status, count(*) FROM public_map.history h WHERE {_THEN} GROUP BY 1, 2"),
        {"layer": DEVICES.name, "on": on},
    )
    return {(kind, status): int(n) for kind, status, n in rows}


def counts_by_layer(public: Connection, on: date) -> list[tuple[str, int]]:
    """How many areas, points, routes and zones there were on that day."""
    rows = public.execute(
        text(
            "SELECT h.layer, count(*) FROM public_map.history h WHERE h.valid_from <= :on "
            "AND (h.valid_to IS NULL OR h.valid_to > :on) AND h.status <> 'retired' GROUP BY 1"
        ),
        {"on": on},
    ).all()
    found = {layer: int(n) for layer, n in rows}
    return [(name, found.get(name, 0)) for name, layer in LAYERS.items() if layer is not DEVICES]


def page(public: Connection, query: Query) -> tuple[int, list[Record]]:
    """How many records of a layer match on that day, and those of the page, as they were then."""
    where, values = _conditions(query)
    total = public.execute(text(f"SELECT count(*) FROM public_map.history h WHERE {where}"), values).scalar_one()
    rows = public.execute(
        text(
            "SELECT h.public_id, h.kind, h.status, h.title_en, h.title_zh, h.valid_from, h.valid_to, h.authority_id, "
            "a.name_en, a.name_zh, ST_AsGeoJSON(h.geom, 6) AS shape, ST_X(ST_PointOnSurface(h.geom)) AS lon, "
            f"ST_Y(ST_PointOnSurface(h.geom)) AS lat {_FROM} WHERE {where} "
            "ORDER BY length(h.title_en), h.title_en, h.public_id LIMIT :size OFFSET :skip"
        ),
        {**values, "size": query.size, "skip": (query.page - 1) * query.size},
    )
    return total, [_record(query.layer, row) for row in rows.mappings()]


def states_of(public: Connection, layer: Layer, public_id: str) -> Sequence[RowMapping]:
    """The states that a record has been in, the first one first."""
    return (
        public.execute(
            text(
                "SELECT status, valid_from, valid_to, asserted FROM public_map.history "
                "WHERE layer = :layer AND public_id = :id ORDER BY valid_from, valid_to"
            ),
            {"layer": layer.name, "id": public_id},
        )
        .mappings()
        .all()
    )


def _conditions(query: Query) -> tuple[str, dict[str, Any]]:
    parts, values = [_THEN], dict[str, Any](layer=query.layer.name, on=query.on)
    for column, name in (("kind", "kind"), ("status", "state")):
        chosen = getattr(query, name)
        if chosen:
            parts.append(f"h.{column} = ANY(:{name})")
            values[name] = list(chosen)
    if query.authority:
        parts.append("h.authority_id = :authority")
        values["authority"] = query.authority
    if query.words:
        values["words"] = f"%{literal(query.words)}%"
        parts.append("(h.public_id ILIKE :words OR h.title_en ILIKE :words OR h.title_zh ILIKE :words)")
    return " AND ".join(parts), values


def _record(layer: Layer, row: RowMapping) -> Record:
    title = {"en": row["title_en"], "zh": row["title_zh"] or row["title_en"]} if row["title_en"] else None
    return Record(
        layer=layer.name,
        public_id=row["public_id"],
        kind=row["kind"] or layer.name,
        state=row["status"],
        title=title or words.in_both(words.ZONE_KINDS, row["kind"] or "other"),
        lon=row["lon"],
        lat=row["lat"],
        shape=json.loads(row["shape"]),
        path=f"{layer.path}/{row['public_id']}",
        authority={"en": row["name_en"], "zh": row["name_zh"]} if row["name_en"] else None,
        authority_id=row["authority_id"],
        since=row["valid_from"],
        until=row["valid_to"],
    )
