"""The public pages: map, list, records, rules, privacy. No login, and complete without scripts where they inform."""

from __future__ import annotations

from itertools import groupby
from typing import Any
from urllib.parse import urlencode

from flask import Response, make_response, render_template, request
from sqlalchemy import Connection

from schemas.limits import limit
from schemas.refusals import RuleViolation, conflict, invalid, not_found
from schemas.rules.registry import registry
from schemas.rules.values import KEYS
from web import words
from web.i18n import current_language, days_left, gettext, joined, ngettext
from web.identity.request_identity import EXPIRY, services
from web.page import today
from web.permissions import Audience, Permission, Section
from web.public import near, records
from web.public.database import public_connection
from web.public.layers import BY_BRANCH, DEVICES, LAYERS, PRIVACY_ZONES
from web.public.overview import Overview, map_config, overview_of, publishers
from web.public.records import Query
from web.public.symbols import OUTLINES

section = Section("public", __name__, Audience.PUBLIC)
LONGEST_SEARCH = 120
LAST_PAGE = 10_000


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
            state_key=[
                (words.look(code), words.state(code))
                for code in ("active", "in_notice_period", "maintenance", "out_of_use", "discontinued")
            ],
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
    if len(value) > most:
        raise invalid(
            "query.unknown",
            "web.query_unknown",
            name=key,
            measured=value[:40],
            required=f"1-{most}",
        )
    return value


def _headlines(overview: Overview) -> dict[str, str]:
    head = ngettext("%(num)d device watches here", "%(num)d devices watch here", overview.in_use)
    more = []
    if overview.soon:
        more.append(
            ngettext(
                "%(num)d more is announced and not yet in use.",
                "%(num)d more are announced and not yet in use.",
                overview.soon,
            )
        )
    if overview.paused:
        more.append(ngettext("%(num)d is paused.", "%(num)d are paused.", overview.paused))
    more.append(gettext("Click on anything to see who, why and under which law."))
    return {"headline": head, "subline": joined(*more)}


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
            raise invalid(
                "query.unknown",
                "web.query_unknown",
                name=key[:40],
                measured=request.args[key][:40],
                required=", ".join(sorted(known)),
            )
    layer = LAYERS[_choice("layer", list(LAYERS)) or DEVICES.name]
    kinds, states = (records.offered(public, layer, column) for column in ("kind", "state"))
    query = Query(layer, _word("q", 80), _choice("kind", kinds), _choice("state", states), page_number())
    return query, kinds, states


def _choice(key: str, offered: list[str]) -> str:
    value = _word(key)
    if value and value not in offered:
        raise invalid("query.unknown", "web.query_unknown", name=key, measured=value[:40], required=", ".join(offered))
    return value


def page_number() -> int:
    """Which page of several is asked for; raises RuleViolation 422."""
    value = _word("page", 8) or "1"
    if value.isascii() and value.isdigit() and 1 <= int(value) <= LAST_PAGE:
        return int(value)
    raise invalid("query.unknown", "web.query_unknown", name="page", measured=value, required=f"1-{LAST_PAGE}")


def _list_headline(query: Query, total: int) -> str:
    what = words.layer(query.layer.name)
    if query.words or query.kind or query.state:
        return gettext("%(what)s: %(n)s match", what=what, n=total)
    return gettext("%(what)s: %(n)s published", what=what, n=total)


@section.page("/<any(device, area, point, route, zone):branch>/<public_id>", GET=Permission.BROWSE)
def record(branch: str, public_id: str) -> str:
    """One published record in full; the map's popup shows its card."""
    layer = BY_BRANCH[branch]
    if len(public_id) > 64:
        raise not_found("record.unknown", "web.object_unknown", measured=public_id[:40])
    with public_connection() as public:
        found = records.one(public, layer, public_id)
        seen = records.appearances(public, public_id) if layer is not PRIVACY_ZONES else []
        said = records.announcements(public, public_id)
    days = records.notice_days(found, seen)
    return render_template("public/record.html", record=found, seen=seen, days=days, announcements=said)


@section.page("/rules", GET=Permission.BROWSE)
def rules() -> str:
    """The rule pack in force and everybody's rights, in plain words."""
    pack = services().rules
    if pack is None:
        raise conflict("GD-02.1", "rules.no_pack", measured=today().isoformat())
    with public_connection() as public:
        authorities = publishers(public)
    documents = [(dict(name), list(group)) for name, group in groupby(registry().values(), lambda rule: rule.document)]
    values = [(key, _shown(pack[key]), pack.source(key)) for key in sorted(KEYS)]
    return render_template("public/rules.html", pack=pack, documents=documents, authorities=authorities, values=values)


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
