"""The zone desk: zones by where they come from, and the requests that wait for a decision with reasons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

from flask import Response, make_response, redirect, render_template, request
from shapely.geometry import mapping
from sqlalchemy import text

from geo import commands
from geo.commands.zone_requests import DECISIONS, Request
from geo.commands.zone_touches import Touched, touched_by
from geo.commands.zones import ZONE_KINDS, ZONE_SOURCES
from geo.zones import MOST_BUFFER_M
from schemas.refusals import RuleViolation, not_found
from web.errors import wants_page
from web.i18n import current_language, days_left, gettext, local_zone, ngettext, weekday
from web.identity.request_identity import current_actor, services
from web.page import today
from web.permissions import Audience, Permission, Section
from web.public.database import public_connection
from web.public.overview import desk_map
from web.registry import words as registry_words
from web.registry.reach import own
from web.registry.steps import day_of, number_of, one_of, text_of, typed, unreadable
from web.waiting import Asking, Waiting
from web.words import N_, in_both
from web.words import ZONE_KINDS as ZONE_NAMES
from web.zones.reached import Reached, reached

section = Section("zones", __name__, Audience.ZONES)

PAGE_SIZE = 50
SOURCES = {"legal": N_("By law"), "survey": N_("Surveyed"), "request": N_("Requested")}
STATES = {"asked": N_("Waits for a decision"), "granted": N_("Granted"), "refused": N_("Refused")}
_ZONES = text("""
    SELECT public_id, kind, name_en, name_zh, source, buffer_m, valid_from, valid_to, floor_agl_m, ceiling_agl_m,
           schedule IS NOT NULL AS has_hours
    FROM public_map.privacy_zones
    WHERE (:source = '' OR source = :source) AND (:kind = '' OR kind = :kind) AND public_id > :after
    ORDER BY public_id LIMIT :most
""")
_COUNTS = text("SELECT source, count(*) FROM public_map.privacy_zones GROUP BY source")


def zone_waits(asking: Asking) -> Iterator[Waiting]:
    """The requests that the reader decides."""
    mine = own(asking.actor, Permission.DECIDE_ZONE)
    if mine:
        waiting = commands.requests_waiting(asking.db, mine)
        said = ngettext("%(num)d request for a privacy zone", "%(num)d requests for privacy zones", len(waiting))
        yield Waiting(len(waiting), said, waiting[0].due_on if waiting else None, "/zones#requests")


@dataclass(frozen=True)
class _Asked:
    source: str
    kind: str
    after: str

    def url(self, **changed: str) -> str:
        told = {"source": self.source, "kind": self.kind} | changed
        return "/zones?" + "&".join(f"{name}={value}" for name, value in told.items() if value)


def _asked() -> _Asked:
    source, kind, after = (request.args.get(name, "") for name in ("source", "kind", "after"))
    if source and source not in ZONE_SOURCES:
        raise unreadable("source", source, ", ".join(ZONE_SOURCES))
    if kind and kind not in ZONE_KINDS:
        raise unreadable("kind", kind, ", ".join(ZONE_KINDS))
    return _Asked(source, kind, after)


@section.page("/zones", GET=Permission.READ_ZONES)
def desk() -> str:
    """Zones by where they come from; requests for whoever decides them."""
    wanted, actor = _asked(), current_actor()
    mine = own(actor, Permission.DECIDE_ZONE)
    with public_connection() as public:
        config = desk_map(public)
        values = {"source": wanted.source, "kind": wanted.kind, "after": wanted.after, "most": PAGE_SIZE + 1}
        found = [dict(row) for row in public.execute(_ZONES, values).mappings()]
        counts = {source: count for source, count in public.execute(_COUNTS)}  # noqa: C416 - a row is no pair
    with services().session() as db:
        waiting = commands.requests_waiting(db, mine) if mine else ()
        decided = commands.requests_decided(db, mine, limit=10) if mine else ()
    rows = found[:PAGE_SIZE]
    return render_template(
        "zones/desk.html",
        headline=_headline(waiting, sum(counts.values())),
        waiting_requests=waiting,
        decided=decided,
        decides=bool(mine),
        rows=rows,
        counts=counts,
        asked=wanted,
        next_url=wanted.url(after=rows[-1]["public_id"]) if len(found) > PAGE_SIZE else "",
        kinds=ZONE_KINDS,
        says=registry_words,
        sources=SOURCES,
        states=STATES,
        config=config | {"themes": ["patrol_areas", "patrol_routes", "privacy_zones", "devices"]} | _places(waiting),
    )


def _places(waiting: tuple[Request, ...]) -> dict[str, Any]:
    """The places that are asked for, on the map of whoever decides."""
    features = [
        {"type": "Feature", "id": number, "geometry": mapping(one.shape), "properties": {"part": "asked"}}
        for number, one in enumerate(waiting)
    ]
    return {"asked": {"type": "FeatureCollection", "features": features}}


def _headline(waiting: tuple[Request, ...], total: int) -> str:
    if waiting:
        head = ngettext("%(num)d request waits for a decision", "%(num)d requests wait for a decision", len(waiting))
        told = {"now": head, "day": weekday(waiting[0].due_on), "left": days_left(waiting[0].due_on, today())}
        return gettext("%(now)s, the first until %(day)s, %(left)s", **told)
    return ngettext("%(num)d privacy zone is protected", "%(num)d privacy zones are protected", total)


@section.page("/zones/request/<public_id>", GET=Permission.DECIDE_ZONE, POST=Permission.DECIDE_ZONE)
def one(public_id: str) -> Response:
    """One request: what is asked, what it would reach, and the decision."""
    if request.method == "GET":
        return _page(public_id)
    try:
        _mine(public_id)
        decision = one_of("decision", DECISIONS)
        with services().work(current_actor()) as work:
            commands.decide_request(
                work,
                public_id,
                decision,
                text_of("reasons"),
                told_en=text_of("told_en"),
                told_zh=text_of("told_zh"),
                grant=_grant() if decision == "granted" else None,
                hide=bool(request.form.get("hide")),
                seen_version=_seen_version(),
            )
            work.commit()
    except RuleViolation as refused:
        if refused.status == 404 or not wants_page():
            raise
        return _page(public_id, refused)
    return make_response(redirect(f"/zones/request/{public_id}?done={decision}", 303))


def _seen_version() -> int:
    value = request.form.get("version", "")
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise unreadable("version", value, "1")
    return int(value)


def _grant() -> commands.GrantedZone:
    until: date | None = day_of("valid_to", required=False)
    return commands.GrantedZone(
        name_en=text_of("name_en", 200),
        name_zh=text_of("name_zh", 200),
        kind=one_of("kind", ZONE_KINDS),
        buffer_m=number_of("buffer_m", 0, MOST_BUFFER_M) or 0.0,
        valid_to=datetime.combine(until, time(0), local_zone()).astimezone(UTC) if until else None,
    )


def _mine(public_id: str) -> Request:
    """A request to one of the reader's authorities; raises RuleViolation 404 for every other."""
    with services().session() as db:
        found = commands.request_of(db, public_id)
    if found is None or found.authority_id not in own(current_actor(), Permission.DECIDE_ZONE):
        raise not_found("record.unknown", "registry.unknown", measured=public_id[:40])
    return found


def _page(public_id: str, refused: RuleViolation | None = None) -> Response:
    house, asked = services(), _mine(public_id)
    said = typed() if refused else {}
    zone_name = in_both(ZONE_NAMES, asked.kind)
    with public_connection() as public:
        config = desk_map(public)
    touched: tuple[Touched, ...] = ()
    with house.session() as db:
        if asked.zone:
            touched = touched_by(db, asked.zone)
        would = reached(db, asked.shape, _buffer(said), house.rulebook) if asked.state == "asked" else []
    page = render_template(
        "zones/request.html",
        asked=asked,
        headline=_request_headline(asked, would),
        would=would,
        touched=touched,
        kinds=ZONE_KINDS,
        states=STATES,
        config=config | _map(asked, would),
        refusals=refused.render(current_language()) if refused else [],
        typed=said,
        says=registry_words,
        words_zh=zone_name["zh"],
        words_en=zone_name["en"],
        own=asked.asked_by_id is not None and asked.asked_by_id == current_actor().person_id,
    )
    return make_response(page, refused.status if refused else 200)


def _buffer(said: dict[str, str]) -> float:
    try:
        return min(max(float(said.get("buffer_m") or 0), 0.0), MOST_BUFFER_M)
    except ValueError:
        return 0.0


def _request_headline(asked: Request, would: list[Reached]) -> str:
    if asked.state == "granted":
        return gettext("The zone was granted on %(day)s", day=weekday(asked.decided_at))
    if asked.state == "refused":
        return gettext("The request was refused on %(day)s", day=weekday(asked.decided_at))
    stops = sum(one.stops for one in would)
    if stops:
        return ngettext(
            "This zone would stop %(num)d thing that is in use",
            "This zone would stop %(num)d things that are in use",
            stops,
        )
    if would:
        return gettext("This zone would stop nothing, and touch what is drawn there")
    return gettext("This zone would touch nothing")


def _map(asked: Request, would: list[Reached]) -> dict[str, Any]:
    """The place that is asked for, and what it would reach."""
    west, south, east, north = asked.shape.bounds
    wide = max(east - west, north - south, 0.003)
    features = [{"type": "Feature", "id": 0, "geometry": mapping(asked.shape), "properties": {"part": "asked"}}]
    for number, one in enumerate(would, 1):
        about = {"part": "reached", "stops": one.stops, "kind": one.kind}
        features.append({"type": "Feature", "id": number, "geometry": one.shape, "properties": about})
    return {
        "themes": ["privacy_zones", "patrol_areas", "patrol_routes", "devices"],
        "bounds": [west - wide, south - wide, east + wide, north + wide],
        "asked": {"type": "FeatureCollection", "features": features},
    }
