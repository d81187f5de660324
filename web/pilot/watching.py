"""What the page of a flight shows while it flies and again afterwards: places, judgements, events. Frozen values.

Some of it is data of persons: where the operator stands by Remote ID. It leaves the house through these functions
alone, to whoever has the permission WATCH_FLIGHT and may watch this very flight (`flight_to_watch`); the public log and
the verdict of a flight have none of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shapely.geometry import Point, mapping
from shapely.geometry.base import BaseGeometry
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from flights.queries import window
from geo import crs, shapes
from geo.types import LonLat
from schemas.actors import Actor
from schemas.refusals import not_found
from schemas.roles import Role
from schemas.tables import Flight, FlightEvent, TelemetryPoint

LOOKS_ON = (Role.UNIT_HEAD, Role.COMMAND_CENTRE)
"""Whoever holds one of these in the authority of a flight watches it beside its pilot."""

UNDER_WAY = ("uploaded", "airborne")
OVER = ("landed", "ingested", "closed", "aborted")
MOST_EVENTS = 300
MOST_POINTS = 6_000
_CORRIDOR_CORNERS = 8


@dataclass(frozen=True)
class Watched:
    """A flight as its page begins: what does not change while it is watched. Shapes are GeoJSON in EPSG:4326."""

    public_id: str
    state: str
    route_name: Mapping[str, str]
    drone: str
    pilot: Mapping[str, str]
    starts_at: datetime
    ends_at: datetime
    alt_agl_m: float
    length_m: float
    tolerance_m: float
    route: Mapping[str, Any]
    corridor: Mapping[str, Any]
    home: LonLat
    bounds: tuple[float, float, float, float]
    own: bool
    approved: bool

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to come."""
        return self.state in OVER


@dataclass(frozen=True)
class InTheAir:
    """One line of the board: a flight under way, or about to be, and where it was last seen."""

    public_id: str
    state: str
    route_code: str
    route_name: Mapping[str, str]
    drone: str
    starts_at: datetime
    ends_at: datetime
    conformance: str | None
    seen_at: datetime | None
    lon: float | None
    lat: float | None


def flight_to_watch(db: Session, actor: Actor, public_id: str) -> Flight:
    """One's own flight, or one of an authority where one is unit head or in the command centre; else 404."""
    flight = db.scalar(select(Flight).where(Flight.public_id == public_id, _may_watch(actor)))
    if flight is None:
        raise not_found("flight.unknown", "web.object_unknown", measured=public_id[:40])
    return flight


def watched(flight: Flight, actor: Actor, tolerance_m: float, length_m: float) -> Watched:
    """What the page of `flight` begins with; lengths in metres."""
    start, end = window(flight)
    route, line = flight.route, shapes.line(flight.route.geom)
    corridor, home = _corridor(line, tolerance_m), shapes.lon_lat(route.home)
    return Watched(
        public_id=flight.public_id,
        state=flight.state,
        route_name={"en": f"{route.code} · {route.name_en}", "zh": f"{route.code} · {route.name_zh}"},
        drone=flight.drone.registration_no,
        pilot={"en": flight.pilot.name_en, "zh": flight.pilot.name_zh},
        starts_at=start,
        ends_at=end,
        alt_agl_m=route.alt_agl_m,
        length_m=length_m,
        tolerance_m=tolerance_m,
        route=mapping(line),
        corridor=mapping(corridor),
        home=home,
        bounds=corridor.union(Point(home)).bounds,
        own=flight.pilot_id == actor.person_id,
        approved=flight.approval is not None,
    )


def events_after(db: Session, flight: Flight, event_id: int) -> list[dict[str, Any]]:
    """The events of a flight after the one with that id, oldest first."""
    rows = select(FlightEvent).where(FlightEvent.flight_id == flight.id, FlightEvent.id > event_id)
    return [_event(row) for row in db.scalars(rows.order_by(FlightEvent.id).limit(MOST_EVENTS))]


def history(db: Session, flight: Flight) -> list[dict[str, Any]]:
    """The latest events that are no positions, oldest first: what stands in the list beside the map.

    Of what the aircraft says of itself only what was new.
    """
    is_new = or_(FlightEvent.kind != "remote_id", FlightEvent.body["changed"].as_boolean())
    rows = select(FlightEvent).where(FlightEvent.flight_id == flight.id, FlightEvent.kind != "position", is_new)
    newest = db.scalars(rows.order_by(FlightEvent.id.desc()).limit(MOST_EVENTS)).all()
    return [_event(row) for row in reversed(newest)]


def identities(db: Session, flight: Flight) -> list[dict[str, Any]]:
    """What the aircraft said of itself, oldest first: the latest `MOST_EVENTS`, and before them what was new."""
    rows = select(FlightEvent).where(FlightEvent.flight_id == flight.id, FlightEvent.kind == "remote_id")
    newest_first = db.scalars(rows.order_by(FlightEvent.id.desc()).limit(MOST_POINTS)).all()
    kept = [row for n, row in enumerate(newest_first) if n < MOST_EVENTS or row.body.get("changed")]
    return [_event(row) for row in reversed(kept)]


def last_event_id(db: Session, flight: Flight) -> int:
    """The id of the newest event; 0 before the first."""
    newest = select(func.max(FlightEvent.id)).where(FlightEvent.flight_id == flight.id)
    return db.scalar(newest) or 0


def track(db: Session, flight: Flight) -> dict[str, list[Any]]:
    """The plausible positions of a flight as columns, in order; time in milliseconds since 1970.

    At most `MOST_POINTS`: of a longer flight every nth, and each at which the judgement changed.
    """
    point = TelemetryPoint
    rows = db.execute(
        select(
            point.received_at,
            func.ST_X(point.geom),
            func.ST_Y(point.geom),
            func.coalesce(point.alt_agl_m, point.alt_rel_home_m),
            point.conformance,
            point.along_m,
            point.cross_track_m,
            point.heading_deg,
            point.ground_speed_m_s,
            point.battery_pct,
        )
        .where(point.flight_id == flight.id, ~point.implausible)
        .order_by(point.received_at, point.id)
    ).all()
    kept = _thinned([tuple(row) for row in rows])
    names = ("t", "lon", "lat", "alt_m", "state", "along_m", "cross_m", "heading_deg", "speed_m_s", "battery_pct")
    columns = {name: [_short(row[index]) for row in kept] for index, name in enumerate(names)}
    return columns | {"t": [round(row[0].timestamp() * 1000) for row in kept]}


def board(db: Session, actor: Actor, now: datetime) -> list[InTheAir]:
    """The flights that the actor may watch and that are under way or may start today, the airborne first."""
    rows = db.scalars(
        select(Flight)
        .where(_may_watch(actor), or_(Flight.state.in_(UNDER_WAY), Flight.state == "cleared"))
        .where(or_(Flight.state.in_(UNDER_WAY), func.upper(Flight.during) >= now))
        .order_by((Flight.state == "airborne").desc(), func.lower(Flight.during), Flight.public_id)
        .limit(100)
    )
    return [_on_board(db, flight) for flight in rows]


def to_clear(db: Session, actor: Actor, now: datetime) -> list[InTheAir]:
    """The flights that passed their check and wait for this unit head; those whose window is over left out."""
    heads = {grant.authority_id for grant in actor.grants if grant.role is Role.UNIT_HEAD}
    rows = db.scalars(
        select(Flight)
        .where(Flight.authority_id.in_(heads), Flight.state.in_(("precheck_passed", "airspace_pending")))
        .where(func.upper(Flight.during) >= now)
        .order_by(func.lower(Flight.during))
        .limit(100)
    )
    return [_on_board(db, flight) for flight in rows]


def _may_watch(actor: Actor) -> Any:  # noqa: ANN401
    places = {grant.authority_id for grant in actor.grants if grant.role in LOOKS_ON}
    return or_(Flight.pilot_id == actor.person_id, Flight.authority_id.in_(places))


def _on_board(db: Session, flight: Flight) -> InTheAir:
    start, end = window(flight)
    point = TelemetryPoint
    last = db.execute(
        select(point.received_at, func.ST_X(point.geom), func.ST_Y(point.geom), point.conformance)
        .where(point.flight_id == flight.id, ~point.implausible)
        .order_by(point.received_at.desc())
        .limit(1)
    ).first()
    seen_at, lon, lat, conformance = last or (None, None, None, None)
    return InTheAir(
        public_id=flight.public_id,
        state=flight.state,
        route_code=flight.route.code,
        route_name={"en": flight.route.name_en, "zh": flight.route.name_zh},
        drone=flight.drone.registration_no,
        starts_at=start,
        ends_at=end,
        conformance=conformance,
        seen_at=seen_at,
        lon=lon,
        lat=lat,
    )


def _event(row: FlightEvent) -> dict[str, Any]:
    return {"id": row.id, "t": round(row.at.timestamp() * 1000), "kind": row.kind, "body": row.body}


def _corridor(line: BaseGeometry, half_width_m: float) -> BaseGeometry:
    epsg = crs.utm_epsg_of(line)
    return crs.to_wgs84(crs.to_metric(line, epsg).buffer(half_width_m, quad_segs=_CORRIDOR_CORNERS), epsg)


def _thinned(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    every = -(-len(rows) // MOST_POINTS) or 1
    if every == 1:
        return rows
    states = [row[4] for row in rows]
    changed = {i for i in range(1, len(rows)) if states[i] != states[i - 1]}
    return [row for i, row in enumerate(rows) if i % every == 0 or i in changed or i == len(rows) - 1]


def _short(value: Any) -> Any:  # noqa: ANN401
    """Seven decimals are a centimetre, and enough for every column."""
    return round(value, 7) if isinstance(value, float) else value
