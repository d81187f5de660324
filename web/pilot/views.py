"""The pilot desk: check a plan, see every refusal at its place, file it, and what waits."""

from __future__ import annotations

import secrets
from typing import Any

from flask import Response, make_response, redirect, render_template, request

from schemas.limits import limit
from schemas.refusals import RuleViolation
from web.errors import wants_page
from web.i18n import gettext, ngettext
from web.identity.request_identity import current_actor, services
from web.page import today
from web.permissions import Audience, Permission, Section
from web.pilot import checking, papers, queries
from web.pilot.checking import Form, Result, Upload
from web.pilot.filing import file_from_desk
from web.pilot.watching import flight_to_watch
from web.public.database import public_connection
from web.public.overview import desk_map

section = Section("pilot", __name__, Audience.PILOT)
UPLOAD_BYTES = limit("upload.bytes")


@section.page("/pilot", GET=Permission.CHECK_PLAN)
def desk() -> Response:
    """What waits, the form, one's own flights."""
    return desk_page(checking.read_form(services().clock.now()), None)


@section.page("/pilot/check", POST=Permission.CHECK_PLAN, max_body_bytes=UPLOAD_BYTES)
def check() -> Response:
    """The verdict on an uploaded plan."""
    form = checking.read_form(services().clock.now())
    return desk_page(form, checking.check(checking.read_upload(), form))


@section.page("/pilot/file", POST=Permission.FILE_FLIGHT, max_body_bytes=UPLOAD_BYTES)
def file_plan() -> Response:
    """Files a flight; what stands against it comes back like the verdict of a check."""
    form = checking.read_form(services().clock.now())
    upload = checking.read_upload()
    try:
        public_id = file_from_desk(upload, form)
    except RuleViolation as refused:
        if not wants_page():
            raise
        return desk_page(form, checking.refusal_result(refused, upload.name), refused.status)
    target = f"/pilot/flight/{public_id}"
    if request.headers.get("HX-Request"):
        # A redirect would be swapped into the result; the page as a whole goes there instead.
        return Response(status=204, headers={"HX-Redirect": target})
    return make_response(redirect(target, 303))


@section.page("/pilot/flight/<public_id>", GET=Permission.READ_OWN_FLIGHTS)
def flight(public_id: str) -> str:
    """One's own flight: its state, what was checked, and how it was flown."""
    house = services()
    with house.session() as db:
        record = queries.flight_of(db, current_actor(), public_id, house.clock.now())
        sheet = papers.sheet_of(db, flight_to_watch(db, current_actor(), public_id))
    with public_connection() as public:
        config = desk_map(public) | {"bounds": record.bounds}
    return render_template("pilot/flight.html", flight=record, sheet=sheet, config=config | {"plan": _shapes(record)})


def _shapes(record: queries.FlightRecord) -> dict[str, Any]:
    shapes = [("line", record.route)] + ([("track", record.track)] if record.track else [])
    features = [{"type": "Feature", "geometry": shape, "properties": {"part": part}} for part, shape in shapes]
    return {"type": "FeatureCollection", "features": features}


def desk_page(form: Form, result: Result | None, status: int = 200, *, handed: Upload | None = None) -> Response:
    """The whole desk; `handed` is a plan file that another page made, for its form to hold as if chosen there."""
    house = services()
    actor = current_actor()
    with house.session() as db:
        own = queries.flights_of(db, actor, house.clock.now())
        waits = queries.waiting_for(db, actor, house.clock.now())
        offered = {
            "routes": queries.routes(db),
            "drones": queries.drones(db),
            "plans": queries.inspections(db, actor, today()),
        }
    with public_connection() as public:
        config = desk_map(public)
    page = render_template(
        "pilot/desk.html",
        flights=own,
        waits=waits,
        form=form,
        key=form.key or secrets.token_urlsafe(16),
        result=result,
        config=config,
        max_mb=limit("plan.bytes") >> 20,
        handed={"name": handed.name, "text": handed.data.decode()} if handed else None,
        **_headlines(waits),
        **offered,
    )
    return make_response(page, status)


def _headlines(waits: list[queries.FlightRow]) -> dict[str, str]:
    if not waits:
        return {
            "headline": gettext("No flight waits for you"),
            "subline": gettext("Check a plan below; what passes can be filed."),
        }
    head = ngettext("%(num)d flight waits for you", "%(num)d flights wait for you", len(waits))
    first = min(waits, key=lambda row: row.starts_at)
    return {
        "headline": head,
        "subline": gettext("Next: %(step)s (%(route)s).", step=first.next_step, route=first.route_code),
    }
