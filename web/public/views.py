"""The public pages: map, list, records, rules, privacy. No login, and complete without scripts where they inform."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from flask import Response, make_response, render_template, request
from flask_babel import gettext, ngettext
from sqlalchemy import Connection, text

from schemas.limits import limit
from schemas.refusals import RuleViolation, conflict, invalid, not_found
from schemas.rules import RulePack
from schemas.rules.registry import registry
from schemas.rules.values import KEYS
from web import words
from web.i18n import current_language, days_left
from web.identity.request_identity import EXPIRY, services
from web.page import today
from web.permissions import Audience, Permission, Section
from web.public import near, records
from web.public.database import public_connection, revision
from web.public.layers import BY_BRANCH, DEVICES, LAYERS, PRIVACY_ZONES
from web.public.records import Query, Words
from web.public.symbols import OUTLINES
from web.public.tiles import MAX_ZOOM

section = Section("public", __name__, Audience.PUBLIC)
LONGEST_SEARCH = 120
LAST_PAGE = 10_000


@dataclass(frozen=True)
class Overview:
    """What there is to see at all: counts and the box around it (EPSG:4326)."""

    kinds: list[tuple[str, int]]
    layers: list[tuple[str, int]]
    soon: int
    bounds: list[float]
    version: str


@dataclass(frozen=True)
class Publisher:
    """An authority, whom to ask there, and when it last published."""

    name: Words
    address: str
    contact: str
    last: date | None


@section.page("/", GET=Permission.BROWSE)
def home() -> Response:
    """The map, and what watches one address when one is asked for."""
    status = 200
    found, unknown = None, None
    with public_connection() as public:
        overview = overview_of(public)
        try:
            found = _asked(public)
        except RuleViolation as refused:
            if refused.status != 404:
                raise
            unknown, status = refused.refusals[0].render(current_language()), refused.status
        page = render_template(
            "public/home.html",
            overview=overview,
            places=near.place_names(public),
            publishers=publishers(public),
            config=map_config(overview),
            asked=request.args.get("q", "")[:LONGEST_SEARCH],
            found=found,
            unknown=unknown,
            state_key=[(words.look(code), words.state(code)) for code in ("active", "in_notice_period", "maintenance", "out_of_use", "discontinued")],
            **_headlines(overview),
        )
    return make_response(page, status)


def _asked(public: Connection) -> near.Answer | None:
    lon, lat, name = (_word(key) for key in ("lon", "lat", "q"))
    if lon or lat:
        return near.ask(public, *near.coordinates(lon, lat))
    return near.ask_by_name(public, name) if name else None


def _word(key: str, most: int = LONGEST_SEARCH) -> str:
    """A text of the query, trimmed; raises RuleViolation 422 when no text could mean anything."""
    value = request.args.get(key, "").strip()
    if "\x00" in value or len(value) > most:
        raise invalid("query.unknown", "web.query_unknown", name=key, measured=value[:40].replace("\x00", "\\0"), required=f"1-{most}")
    return value


def _headlines(overview: Overview) -> dict[str, str]:
    in_use = sum(count for _, count in overview.kinds) - overview.soon
    head = ngettext("%(num)d device watches here", "%(num)d devices watch here", in_use)
    if overview.soon:
        more = ngettext("%(num)d more is announced and not yet in use.", "%(num)d more are announced and not yet in use.", overview.soon)
    else:
        more = gettext("No further device is announced.")
    return {"headline": head, "subline": f"{more} {gettext('Click on anything to see who, why and under which law.')}"}


def overview_of(public: Connection) -> Overview:
    """Counts of what is in use or announced, and the box around all of it."""
    rows = public.execute(text(f"SELECT kind, state, count(*) FROM {DEVICES.select} GROUP BY 1, 2")).all()
    alive = [row for row in rows if row[1] not in ("retired", "discontinued")]
    kinds = [(kind, sum(n for k, _, n in alive if k == kind)) for kind in words.DEVICE_TYPES if any(k == kind for k, _, _ in rows)]
    counted = [
        (name, int(public.execute(text(f"SELECT count(*) FROM {layer.select} WHERE state <> 'retired'")).scalar_one()))
        for name, layer in LAYERS.items()
        if layer is not DEVICES
    ]
    soon = sum(n for _, state, n in rows if state == "in_notice_period")
    return Overview(kinds, counted, soon, _bounds(public), revision(public))


def _bounds(public: Connection) -> list[float]:
    row = public.execute(
        text(
            "SELECT ST_XMin(b), ST_YMin(b), ST_XMax(b), ST_YMax(b) FROM (SELECT coalesce("
            "(SELECT ST_Extent(geom) FROM public_map.patrol_areas), (SELECT ST_Extent(geom) FROM public_map.devices), "
            "(SELECT ST_Extent(geom) FROM public_map.authorities)) AS b) AS box"
        )
    ).one()
    return [float(value) for value in row] if row[0] is not None else [73.0, 18.0, 135.0, 54.0]


def publishers(public: Connection) -> list[Publisher]:
    """The authorities that have published, each with its latest publication."""
    rows = public.execute(
        text(
            "SELECT a.name_en, a.name_zh, a.contact_address, a.contact_channel, max(p.published_on) FROM public_map.authorities a "
            "JOIN (SELECT authority_id, public_id FROM public_map.devices UNION ALL SELECT authority_id, public_id "
            "FROM public_map.patrol_areas) s ON s.authority_id = a.public_id "
            "LEFT JOIN public_map.publications p ON p.subject_id = s.public_id GROUP BY 1, 2, 3, 4 ORDER BY 1"
        )
    )
    return [Publisher({"en": en, "zh": zh}, address, contact, last) for en, zh, address, contact, last in rows]


def map_config(overview: Overview) -> dict[str, Any]:
    """What the map script needs; nothing of it is a secret."""
    return {
        "bounds": overview.bounds,
        "version": overview.version,
        "tileMaxZoom": MAX_ZOOM,
        "themes": list(LAYERS),
        "lang": current_language(),
        "outlines": OUTLINES,
        "looks": dict(words.LOOKS),
        "paths": {name: layer.path for name, layer in LAYERS.items()},
        "words": {
            "kinds": {code: words.device_type(code) for code in words.DEVICE_TYPES}
            | {code: words.zone_kind(code) for code in words.ZONE_KINDS},
            "states": {code: words.state(code) for code in words.STATES},
            "layers": {name: words.layer(name) for name in LAYERS},
            "several": gettext("{n} things at this spot"),
            "inView": gettext("{n} in this view"),
        },
        "controls": {
            "NavigationControl.ZoomIn": gettext("Zoom in"),
            "NavigationControl.ZoomOut": gettext("Zoom out"),
            "Popup.Close": gettext("Close"),
            "ScaleControl.Meters": "m",
            "ScaleControl.Kilometers": "km",
            "CooperativeGesturesHandler.WindowsHelpText": gettext("Use Ctrl + scroll to zoom the map"),
            "CooperativeGesturesHandler.MacHelpText": gettext("Use ⌘ + scroll to zoom the map"),
            "CooperativeGesturesHandler.MobileHelpText": gettext("Use two fingers to move the map"),
        },
    }


@section.page("/list", GET=Permission.BROWSE)
def listing() -> str:
    """Everything that the map shows, in words; filters and pages are in the address."""
    with public_connection() as public:
        query, kinds, states = _query(public)
        total, found = records.page(public, query)
    return render_template(
        "public/list.html",
        headline=_list_headline(query, total),
        layers=list(LAYERS),
        asked={
            "layer": query.layer.name,
            "q": query.words,
            "kind": query.kind,
            "state": query.state,
            "page": query.page,
            "narrowed": bool(query.words or query.kind or query.state),
        },
        kinds=kinds,
        states=states,
        total=total,
        records=found,
        pages=-(-total // records.PAGE_SIZE),
        page_url=lambda number: f"/list?{urlencode({**request.args.to_dict(), 'page': number})}",
    )


def _query(public: Connection) -> tuple[Query, list[str], list[str]]:
    known = {"layer", "q", "kind", "state", "page", "lang"}
    for key in request.args:
        if key not in known:
            raise invalid("query.unknown", "web.query_unknown", name=key[:40], measured=request.args[key][:40], required=", ".join(sorted(known)))
    layer = LAYERS[_choice("layer", list(LAYERS)) or DEVICES.name]
    kinds, states = (records.offered(public, layer, column) for column in ("kind", "state"))
    query = Query(layer, _word("q", 80), _choice("kind", kinds), _choice("state", states), _page_number())
    return query, kinds, states


def _choice(key: str, offered: list[str]) -> str:
    value = _word(key)
    if value and value not in offered:
        raise invalid("query.unknown", "web.query_unknown", name=key, measured=value[:40], required=", ".join(offered))
    return value


def _page_number() -> int:
    value = _word("page", 8) or "1"
    if value.isascii() and value.isdigit() and 1 <= int(value) <= LAST_PAGE:
        return int(value)
    raise invalid("query.unknown", "web.query_unknown", name="page", measured=value, required=f"1-{LAST_PAGE}")


def _list_headline(query: Query, total: int) -> str:
    what = words.layer(query.layer.name)
    if query.words or query.kind or query.state:
        return gettext("%(what)s: %(n)s match", what=what, n=total)
    return gettext("%(what)s: %(n)s published", what=what, n=total)


@section.page("/<any(device, area, route, zone):branch>/<public_id>", GET=Permission.BROWSE)
def record(branch: str, public_id: str) -> str:
    """One published record in full; the map's popup shows its card."""
    layer = BY_BRANCH[branch]
    if "\x00" in public_id or len(public_id) > 64:
        raise not_found("record.unknown", "web.object_unknown", measured=public_id[:40].replace("\x00", "\\0"))
    with public_connection() as public:
        found = records.one(public, layer, public_id)
        seen = records.appearances(public, public_id) if layer is not PRIVACY_ZONES else []
        said = records.announcements(public, public_id)
    days = records.notice_days(found, seen)
    return render_template("public/record.html", record=found, seen=seen, days=days, announcements=said)


@section.page("/rules", GET=Permission.BROWSE)
def rules() -> str:
    """The rule pack in force and everybody's rights, in plain words."""
    with public_connection() as public:
        pack = _pack_in_force(overview_of(public).bounds)
        authorities = publishers(public)
    documents = [(dict(name), list(group)) for name, group in groupby(registry().values(), lambda rule: rule.document)]
    values = [(key, _shown(pack[key]), pack.source(key)) for key in sorted(KEYS)]
    return render_template("public/rules.html", pack=pack, documents=documents, authorities=authorities, values=values)


def _pack_in_force(bounds: list[float]) -> RulePack:
    west, south, east, north = bounds
    house = services()
    try:
        return house.rulebook.resolve((west + east) / 2, (south + north) / 2, today())
    except RuleViolation:
        if not house.rulebook.packs:
            raise conflict("GD-02.1", "rules.no_pack", measured=today().isoformat()) from None
        return house.rulebook.packs[0]


def _shown(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    dumped = value.model_dump(mode="json") if hasattr(value, "model_dump") else value
    return ", ".join(f"{k}: {v}" for k, v in dumped.items()) if isinstance(dumped, dict) else str(dumped)


@section.page("/privacy", GET=Permission.BROWSE)
def privacy() -> str:
    """What this site keeps about its readers."""
    return render_template(
        "public/privacy.html",
        idle_min=int(EXPIRY.idle.total_seconds() // 60),
        absolute_h=int(EXPIRY.absolute.total_seconds() // 3600),
        window_min=limit("login.window") // 60,
    )


@section.app_context_processor
def helpers() -> dict[str, Any]:
    """What all templates may use beside their own values."""
    return {"outlines": OUTLINES, "countdown": lambda until: days_left(until, today())}
