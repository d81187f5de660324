"""What is known of a flight before the first byte is sent: asked of the database and of every rule, sent to nobody."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from flights import commands, queries
from flights.canonical import fence_digest
from flights.conformance import Judge
from flights.gateway.nearby import Nearby
from flights.link.sequence import Orders
from flights.path.track import Ground
from flights.record import House
from flights.remote_id.register import Registered
from flights.vehicle_orders import RouteSpan, orders_of
from flights.verdicts import case_of
from geo.queries import zones_near
from geo.types import LonLat
from schemas.actors import SYSTEM, Actor
from schemas.store import judge
from schemas.store.work import Work, find
from schemas.tables import Flight, TelemetryPoint

RESUME = "resume"
"""Under this name the record of the vehicle keeps where a flight that was set down is to go on."""


@dataclass(frozen=True)
class Brief:
    """One flight as it is to be flown and judged. `resume_item` is where it goes on after a landing on the way."""

    flight_id: uuid.UUID
    public_id: str
    drone_id: uuid.UUID
    state: str
    orders: Orders
    mission_digest: str
    fence_digest: str
    judge: Judge
    span: RouteSpan
    home: LonLat
    system_id: int
    zones: Nearby
    resume_item: int | None
    was_flown: bool
    registered: Registered = field(default=Registered(""), repr=False)


def rehearse(house: House, flight_id: str, pilot: Actor, ground: Ground) -> Brief:
    """Asks the machine for every transition up to take-off, and takes it all back.

    So the flight is refused by the very guards that count, all at once and with an event in the ledger, before
    there is anything to call back.
    """
    with house.work(pilot) as work:
        flight = work.get(Flight, flight_id)
        brief = _brief(work, flight)
        if flight.state != "uploaded":
            promised = commands.ReadBack(
                mission_digest=brief.mission_digest, fence_digest=brief.fence_digest, vehicle={}
            )
            commands.mark_uploaded(work, flight, ground, promised)
            flush(work)
        commands.mark_airborne(work, flight, ground)
        flush(work)
    return brief


def recall(house: House, flight_id: str) -> Brief:
    """The brief of a flight that is in the air; nothing is asked, for nothing is started."""
    with house.work(SYSTEM) as work:
        return _brief(work, work.get(Flight, flight_id))


def airborne_flight(house: House, drone_id: uuid.UUID) -> str | None:
    """The public id of the flight that an aircraft is on by the record, None while it stands."""
    with house.session() as session:
        return session.scalar(select(Flight.public_id).where(Flight.drone_id == drone_id, Flight.state == "airborne"))


def drone_of(house: House, flight_id: str) -> uuid.UUID:
    """The aircraft of a flight."""
    with house.session() as session:
        return find(session, Flight, flight_id).drone_id


def _brief(work: Work, flight: Flight) -> Brief:
    start, end = queries.window(flight)
    mission = queries.mission_of(flight.route)
    pack = work.pack_for(flight)
    built = queries.built_fence(work.session, flight.route, start, end, pack.zone)
    case = case_of(flight, pack)
    area, line = case.judge.route.area, case.judge.route.line
    resume: dict[str, Any] = (flight.vehicle or {}).get(RESUME) or {}
    points = select(func.count()).select_from(TelemetryPoint).where(TelemetryPoint.flight_id == flight.id)
    return Brief(
        flight_id=flight.id,
        public_id=flight.public_id,
        drone_id=flight.drone_id,
        state=flight.state,
        orders=orders_of(
            mission,
            built,
            endurance_min=flight.drone.endurance_min,
            reserve_share=pack["uav.endurance"].reserve_share,
        ),
        mission_digest=mission.digest,
        fence_digest=fence_digest(built.fence.items),
        judge=case.judge,
        span=case.span,
        home=mission.home.at,
        system_id=flight.drone.mavlink_system_id,
        zones=Nearby(line, zones_near(work.session, area, start, end), pack.zone),
        resume_item=resume.get("item"),
        was_flown=bool(work.session.scalar(points)),
        registered=Registered(flight.drone.registration_no, flight.drone.device.serial_no),
    )


def flush(work: Work) -> None:
    """Lets the database judge before anything is done that cannot be taken back."""
    try:
        work.session.flush()
    except DBAPIError as error:
        raise judge.translate(error) or error from error
