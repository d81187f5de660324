"""Flights in progress: the board of what is in the air, one flight live and afterwards, orders to it, clearing."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify, make_response, redirect, render_template, request, stream_with_context

from flights import commands
from flights.ground import open_ground
from geo import measure, shapes
from schemas.limits import limit
from schemas.refusals import invalid
from schemas.tables import Flight
from web import words
from web.i18n import gettext, ngettext
from web.identity.request_identity import current_actor, services
from web.permissions import Audience, Permission, Section, may
from web.pilot import watching
from web.pilot.stream import stream
from web.public.database import public_connection
from web.public.overview import desk_map

section = Section("flights_live", __name__, Audience.PILOT)

ORDERS = ("pause", "continue", "return", "land", "abort")
ASKED_TWICE = ("land", "abort")


@section.page("/pilot/air", GET=Permission.WATCH_FLIGHT)
def air() -> Response:
    """What is in the air or about to be, and for unit heads what waits to be cleared."""
    house, actor = services(), current_actor()
    with house.session() as db:
        flights = watching.board(db, actor, house.clock.now())
        waits = watching.to_clear(db, actor, house.clock.now())
    with public_connection() as public:
        config = desk_map(public)
    flying = sum(row.state == "airborne" for row in flights)
    headline = ngettext("%(num)d flight is in the air", "%(num)d flights are in the air", flying)
    page = render_template(
        "pilot/air.html",
        flights=flights,
        waits=waits,
        headline=headline if flying else gettext("Nothing is in the air"),
        config=config | {"flights": [_dot(row) for row in flights], "said": _said()},
    )
    return make_response(page)


@section.page("/pilot/air.json", GET=Permission.WATCH_FLIGHT)
def air_now() -> Response:
    """Where the flights of the board are now; the page asks every two seconds."""
    house = services()
    with house.session() as db:
        flights = watching.board(db, current_actor(), house.clock.now())
    return jsonify(flights=[_dot(row) for row in flights])


@section.page("/pilot/flight/<public_id>/watch", GET=Permission.WATCH_FLIGHT)
def watch(public_id: str) -> str:
    """One flight on the map: live while it flies, with a time slider then and afterwards."""
    house, actor = services(), current_actor()
    with house.session() as db:
        row = watching.flight_to_watch(db, actor, public_id)
        line = shapes.line(row.route.geom)
        pack = house.rulebook.at_place(line, row.recorded_at)
        flight = watching.watched(row, actor, pack["flight.deviation_tolerance_m"], measure.length_m(line))
        events = watching.history(db, row)
        last = watching.last_event_id(db, row)
        track = watching.track(db, row)
        identities = watching.identities(db, row)
    with public_connection() as public:
        config = desk_map(public)
    return render_template(
        "pilot/watch.html",
        flight=flight,
        events=events,
        orders=ORDERS if may(actor, Permission.ORDER_FLIGHT) and not flight.is_over else (),
        asked_twice=ASKED_TWICE,
        config=config | _config(flight, events, last) | {"track": track, "identities": identities},
    )


@section.page("/pilot/flight/<public_id>/track.json", GET=Permission.WATCH_FLIGHT)
def track(public_id: str) -> Response:
    """The positions of a flight so far, as columns."""
    with services().session() as db:
        return jsonify(watching.track(db, watching.flight_to_watch(db, current_actor(), public_id)))


@section.page("/pilot/flight/<public_id>/events", GET=Permission.WATCH_FLIGHT)
def events(public_id: str) -> Response:
    """What happens to a flight, as server-sent events; `Last-Event-ID` or `since` says from where on."""
    house = services()
    since = request.headers.get("Last-Event-ID") or request.args.get("since", "0")
    if not since.isdecimal() or len(since) > 18:
        raise invalid("query.unknown", "web.query_unknown", name="since", measured=since[:40], required="0")
    with house.session() as db:
        flight = watching.flight_to_watch(db, current_actor(), public_id)

    def events_after(event_id: int) -> list[dict[str, Any]]:
        with house.session() as db:
            return watching.events_after(db, flight, event_id)

    told = stream(house.engine, public_id, int(since), events_after)
    response = Response(stream_with_context(told), mimetype="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    # A proxy in front of us would wait for the whole answer.
    response.headers["X-Accel-Buffering"] = "no"
    return response


@section.page("/pilot/flight/<public_id>/order", POST=Permission.ORDER_FLIGHT, max_body_bytes=limit("form.bytes"))
def order(public_id: str) -> Response:
    """Orders a flight to pause, go on, return, land or end; the gateway that leads it answers with an event."""
    kind, reason = request.form.get("kind", ""), request.form.get("reason", "").strip()
    if kind not in ORDERS:
        raise invalid("query.unknown", "web.query_unknown", name="kind", measured=kind[:40], required=", ".join(ORDERS))
    house, actor = services(), current_actor()
    with house.session() as db:
        watching.flight_to_watch(db, actor, public_id)
    with house.work(actor) as work:
        flight = work.get(Flight, public_id)
        commands.order_flight(work, flight, kind, params={"reason": reason} if reason else {})
        work.commit()
    return make_response(redirect(f"/pilot/flight/{public_id}/watch", 303))


@section.page("/pilot/flight/<public_id>/clear", POST=Permission.CLEAR_FLIGHT, max_body_bytes=limit("form.bytes"))
def clear(public_id: str) -> Response:
    """The unit head clears a flight that passed its check."""
    house, actor = services(), current_actor()
    with house.session() as db:
        watching.flight_to_watch(db, actor, public_id)
    with open_ground(house.data_dir) as ground, house.work(actor) as work:
        commands.clear(work, work.get(Flight, public_id), ground)
        work.commit()
    return make_response(redirect("/pilot/air", 303))


def _config(flight: watching.Watched, events: list[dict[str, Any]], last: int) -> dict[str, Any]:
    return {
        "bounds": flight.bounds,
        "flight": {
            "id": flight.public_id,
            "live": not flight.is_over,
            "route": flight.route,
            "corridor": flight.corridor,
            "home": flight.home,
            "tolerance_m": flight.tolerance_m,
            "alt_agl_m": flight.alt_agl_m,
            "length_m": flight.length_m,
        },
        "events": events,
        "last": last,
        "said": _said(),
    }


def _said() -> dict[str, Any]:
    """What the script says, in the reader's language."""
    return {
        "conformance": {code: words.conformance(code) for code in words.CONFORMANCE},
        "kinds": {code: words.flight_event(code) for code in words.FLIGHT_EVENTS},
        "steps": {code: gettext(text) for code, text in words.FLIGHT_STEPS.items()},
        "orders": {code: words.order(code) for code in words.ORDERS},
        "ladder": {code: gettext(text) for code, text in words.LADDER.items()},
        "causes": {code: gettext(text) for code, text in words.CAUSES.items()},
        "outcomes": {code: gettext(text) for code, text in words.ORDER_OUTCOMES.items()},
        "hands": {code: gettext(text) for code, text in words.HANDS.items()},
        "lines": {code: gettext(text, n="{n}") for code, text in words.LINES.items()},
        "states": {code: words.state(code) for code in (*watching.UNDER_WAY, *watching.OVER)},
        "fresh": gettext("%(n)s s ago", n="{n}"),
        "silent": gettext("no word for %(n)s s", n="{n}"),
        "over": gettext("recorded"),
        "never": gettext("nothing yet"),
        "gap": gettext("gap of %(n)s s", n="{n}"),
        "remote_id": _said_of_identity(),
        "sure": gettext("%(order)s: are you sure? The aircraft will not finish its route.", order="{order}"),
    }


def _said_of_identity() -> dict[str, Any]:
    tables = {
        "states": words.REMOTE_ID_STATES,
        "details": words.REMOTE_ID_DETAILS,
        "reasons": words.REMOTE_ID_REASONS,
        "kinds": words.REMOTE_ID_KINDS,
        "statuses": words.REMOTE_ID_STATUSES,
    }
    said: dict[str, Any] = {
        name: {code: gettext(text) for code, text in table.items()} for name, table in tables.items()
    }
    return said | {
        "other_id": gettext("It names %(said)s; the register has %(known)s.", said="{said}", known="{known}"),
        "other_place": gettext("The place that it tells is %(n)s m from where the aircraft is.", n="{n}"),
        "other_time": gettext("The time that it tells is not that of the aircraft."),
        "unfit": gettext("Its module cannot identify the aircraft: %(reason)s.", reason="{reason}"),
        "allowed": gettext("allowed %(n)s m", n="{n}"),
        "ago": gettext("%(n)s s ago", n="{n}"),
    }


def _dot(row: watching.InTheAir) -> dict[str, Any]:
    return {
        "id": row.public_id,
        "state": row.state,
        "conformance": row.conformance,
        "label": f"{row.route_code} · {row.drone}",
        "lon": row.lon,
        "lat": row.lat,
        "t": round(row.seen_at.timestamp() * 1000) if row.seen_at else None,
    }
