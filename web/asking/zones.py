"""Asking for a privacy zone: drawn, as corners, or as an address and a distance; decided at the zone desk (GD-15)."""

from __future__ import annotations

import re

from flask import Response, make_response, redirect, render_template, request
from shapely.geometry import Polygon
from sqlalchemy import Connection, select

from geo import commands
from geo.commands.zones import ZONE_KINDS
from schemas.actors import ANONYMOUS, ActorKind
from schemas.refusals import RuleViolation, refuse
from schemas.tables import Authority, ZoneRequest
from web.asking.forms import contact_line
from web.asking.places import PROTECTED, offices, read_place, supervising
from web.asking.slow import slowly
from web.errors import wants_page
from web.identity.request_identity import current_actor, services
from web.permissions import Audience, Permission, Section
from web.planner.forms import Faults, Form
from web.public.database import public_connection
from web.public.overview import desk_map
from web.words import ZONE_KINDS as ZONE_NAMES

section = Section("zone_asking", __name__, Audience.PUBLIC)

_NUMBER = re.compile(r"ZR-[A-Z0-9]{4,12}")


@section.page("/zone-requests/new", GET=Permission.BROWSE, POST=Permission.ASK)
def new() -> Response:
    """The form for a zone; once it is sent, the number under which the register tells what was decided."""
    if request.method == "GET":
        return _page(request.args.to_dict(), Faults(), done=request.args.get("done", ""))
    slowly(("network", ""))
    form = Form(request.form)
    with public_connection() as public:
        place = read_place(form, public, PROTECTED)
        authority = _authority(form, public, place.shape) if place else ""
    said = {
        "kind": form.choice("kind", ZONE_KINDS),
        "place_text": contact_line(form, "where", required=True),
        "reason": form.text("reason", most=4_000),
        "asked_by": contact_line(form, "asked_by", required=True),
        "contact": contact_line(form, "contact", required=True),
    }
    try:
        form.faults.refuse()
        assert place is not None
        number = _ask(authority, place.shape, said)
    except RuleViolation as refused:
        if not wants_page():
            raise
        if not form.faults:
            form.faults.take(refused, "place")
        return _page(dict(request.form.items()), form.faults, refused.status)
    return make_response(redirect(f"/zone-requests/new?done={number}", 303))


def _authority(form: Form, public: Connection, shape: Polygon) -> str:
    """The authority that decides: the one that was chosen, or the only one that supervises the place."""
    found, chosen = supervising(public, shape), form.raw("authority")
    if chosen in found:
        return chosen
    if len(found) == 1 and not chosen:
        return found[0]
    if found:
        form.faults.add(refuse("form.field", "ask.several_authorities", measured=len(found)), "authority")
    else:
        form.faults.add(refuse("form.field", "ask.no_authority"), "place")
    return ""


def _ask(authority: str, shape: Polygon, said: dict[str, str]) -> str:
    # Whoever is signed in asks in the own name, so that nobody decides about an own request.
    actor = current_actor() if current_actor().kind is ActorKind.PERSON else ANONYMOUS
    with services().work(actor) as work:
        owner = work.session.scalars(select(Authority).where(Authority.public_id == authority)).one()
        sensitive = bool(request.form.get("sensitive"))
        asked = commands.ask_zone(work, commands.NewRequest(authority=owner, shape=shape, sensitive=sensitive, **said))
        work.commit()
        return asked.public_id


def _page(typed: dict[str, str], faults: Faults, status: int = 200, done: str = "") -> Response:
    with public_connection() as public:
        config, authorities = desk_map(public), offices(public)
    due_on = None
    if _NUMBER.fullmatch(done):
        with services().session() as db:
            asked = db.scalars(select(ZoneRequest).where(ZoneRequest.public_id == done)).one_or_none()
        due_on = asked.due_on if asked else None
    page = render_template(
        "asking/zone.html",
        typed={"radius": "50"} | typed,
        faults=faults,
        authorities=authorities,
        kinds=ZONE_NAMES,
        config=config | {"themes": ["privacy_zones"], "cooperative": True},
        bounds=PROTECTED,
        done=done if due_on else "",
        due_on=due_on,
    )
    response = make_response(page, status)
    response.headers["Cache-Control"] = "no-store"
    return response
