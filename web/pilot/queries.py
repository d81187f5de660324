"""What the pilot desk shows: one's own flights and what waits, and what a plan can be filed with. Frozen rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from geoalchemy2.shape import to_shape
from shapely.geometry import mapping
from sqlalchemy import select
from sqlalchemy.orm import Session

from flights.check.surroundings import PUBLIC_STATES
from flights.queries import window
from schemas.actors import Actor
from schemas.refusals import not_found
from schemas.tables import Device, Drone, Flight, InspectionPlan, PatrolRoute
from web.i18n import current_language, gettext, in_words, local_date
from web.words import N_

MOST_FLIGHTS = 50
# What the pilot does next, by state; a state without a word waits for somebody else.
NEXT_STEPS: Mapping[str, str] = {
    "precheck_failed": N_("change the plan and file again"),
    "cleared": N_("upload the mission and fly"),
    "uploaded": N_("take off within the window"),
    "landed": N_("hand in the imagery"),
    "ingested": N_("look at the deviations and close"),
}
OTHERS_STEPS: Mapping[str, str] = {
    "filed": N_("the check is running"),
    "precheck_passed": N_("waits for the unit head"),
    "airspace_pending": N_("waits for the airspace clearance"),
    "airborne": N_("in the air"),
}


@dataclass(frozen=True)
class FlightRow:
    """A flight in a list."""

    public_id: str
    state: str
    route_code: str
    route_name: Mapping[str, str]
    drone: str
    starts_at: datetime
    ends_at: datetime
    late: bool

    @property
    def starts_on(self) -> date:
        """The local date of take-off."""
        return local_date(self.starts_at)

    @property
    def next_step(self) -> str:
        """What happens next, in words."""
        known = NEXT_STEPS.get(self.state) or OTHERS_STEPS.get(self.state)
        return gettext(known) if known else ""


@dataclass(frozen=True)
class FlightRecord:
    """One flight in full; shapes are GeoJSON in EPSG:4326."""

    row: FlightRow
    plan_name: str
    inspection: str
    refusals: tuple[Mapping[str, Any], ...]
    plan_digest: str
    mission_digest: str
    vehicle_digest: str | None
    airborne_at: datetime | None
    landed_at: datetime | None
    deviation_lateral_m: float | None
    deviation_vertical_m: float | None
    stayed_inside: bool | None
    note: str | None
    approved: bool
    route: Mapping[str, Any]
    track: Mapping[str, Any] | None
    bounds: tuple[float, float, float, float]


@dataclass(frozen=True)
class Choice:
    """Something that a form offers."""

    code: str
    name: Mapping[str, str]


def flights_of(db: Session, actor: Actor, now: datetime) -> list[FlightRow]:
    """The pilot's own flights, the newest first."""
    rows = db.scalars(
        select(Flight).where(Flight.pilot_id == actor.person_id).order_by(Flight.during.desc()).limit(MOST_FLIGHTS)
    )
    return [_row(flight, now) for flight in rows]


def waiting_for(db: Session, actor: Actor, now: datetime) -> list[FlightRow]:
    """Every flight with which the pilot is the one who goes on, however long ago it was filed."""
    mine = select(Flight).where(Flight.pilot_id == actor.person_id, Flight.state.in_(NEXT_STEPS))
    return [_row(flight, now) for flight in db.scalars(mine.order_by(Flight.during.desc()))]


def flight_of(db: Session, actor: Actor, public_id: str, now: datetime) -> FlightRecord:
    """One's own flight; raises RuleViolation 404 for any other."""
    flight = db.scalar(select(Flight).where(Flight.public_id == public_id, Flight.pilot_id == actor.person_id))
    if flight is None:
        raise not_found("flight.unknown", "web.object_unknown", measured=public_id[:40])
    line = to_shape(flight.route.geom)
    return FlightRecord(
        row=_row(flight, now),
        plan_name=flight.plan_name,
        inspection=flight.plan.number,
        refusals=tuple(flight.precheck.get("refusals_zh" if current_language() == "zh" else "refusals", ())),
        plan_digest=flight.plan_digest,
        mission_digest=flight.mission_digest,
        vehicle_digest=flight.vehicle_mission_digest,
        airborne_at=flight.airborne_at,
        landed_at=flight.landed_at,
        deviation_lateral_m=flight.deviation_lateral_m,
        deviation_vertical_m=flight.deviation_vertical_m,
        stayed_inside=flight.stayed_inside,
        note=flight.deviation_note or flight.state_reason,
        approved=flight.approval is not None,
        route=mapping(line),
        track=mapping(to_shape(flight.flown_track)) if flight.flown_track is not None else None,
        bounds=line.bounds,
    )


def _row(flight: Flight, now: datetime) -> FlightRow:
    start, end = window(flight)
    return FlightRow(
        public_id=flight.public_id,
        state=flight.state,
        route_code=flight.route.code,
        route_name={
            "en": f"{flight.route.code} · {flight.route.name_en}",
            "zh": f"{flight.route.code} · {flight.route.name_zh}",
        },
        drone=flight.drone.registration_no,
        starts_at=start,
        ends_at=end,
        late=flight.state in ("cleared", "uploaded") and end < now,
    )


def routes(db: Session) -> list[Choice]:
    """The published routes."""
    rows = db.scalars(select(PatrolRoute).where(PatrolRoute.state.in_(PUBLIC_STATES)).order_by(PatrolRoute.code))
    return [Choice(row.code, {"en": row.name_en, "zh": row.name_zh}) for row in rows]


def route_label(db: Session, public_id: str | None) -> str:
    """A route as people name it: its code and its name in the reader's language; empty for none."""
    row = db.scalar(select(PatrolRoute).where(PatrolRoute.public_id == public_id)) if public_id else None
    return f"{row.code} · {in_words({'en': row.name_en, 'zh': row.name_zh})}" if row else ""


def drones(db: Session) -> list[Choice]:
    """The aircraft in use, by registration."""
    rows = db.execute(
        select(Device.public_id, Drone.registration_no)
        .join(Drone, Drone.device_id == Device.id)
        .where(Device.state == "active")
        .order_by(Device.public_id)
    )
    return [Choice(public_id, {"en": mark, "zh": mark}) for public_id, mark in rows]


def inspections(db: Session, actor: Actor, today: date) -> list[Choice]:
    """The approved inspection plans of the pilot's authorities that are in force."""
    authorities = {grant.authority_id for grant in actor.grants}
    rows = db.scalars(
        select(InspectionPlan)
        .where(
            InspectionPlan.state == "approved",
            InspectionPlan.authority_id.in_(authorities),
            InspectionPlan.valid_from <= today,
            InspectionPlan.valid_to >= today,
        )
        .order_by(InspectionPlan.number)
    )
    return [Choice(row.number, {"en": row.title_en, "zh": row.title_zh}) for row in rows]
