"""The papers of a flight, put together from the database: its filing sheet."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from flights import queries
from flights.check.situation import Options
from flights.check.surroundings import Asked, situation_of
from flights.papers.filing_sheet import Sheet, deadlines_of, emergency_of, legs_of
from flights.path.profile import profile
from flights.path.track import Ground
from geo import shapes
from schemas.rules import RulePack
from schemas.tables import Flight

_HEIGHT_NOT_KNOWN = "flight.terrain_missing"


def sheet_of(session: Session, pack: RulePack, ground: Ground, flight: Flight, now: datetime) -> Sheet:
    """The filing sheet of a flight as it looks at `now`, by the airspace and the clearances of its window."""
    start, end = (at.astimezone(pack.zone) for at in queries.window(flight))
    route, device = flight.route, flight.drone.device
    plan = queries.mission_of(route).plan
    asked = Asked(start, Options(route=route.public_id, until=end), flight.drone)
    situation = situation_of(session, pack, ground, plan, asked)
    against = queries.judge_flight(session, pack, ground, flight).refusals
    open_airspace = [r for r in against if r.rule == "GD-16.2" and r.text != _HEIGHT_NOT_KNOWN]
    return Sheet(
        about={
            "flight": flight.public_id,
            "state": flight.state,
            "route": {"id": route.public_id, "code": route.code, "version": route.route_version},
            "aircraft": device.public_id,
            "registration": flight.drone.registration_no,
            "max_takeoff_mass_kg": flight.drone.max_takeoff_mass_kg,
            "pilot": flight.pilot.code,
            "inspection_plan": flight.plan.number,
            "rules": pack.reference,
        },
        window=(start, end),
        home=shapes.lon_lat(route.home),
        home_amsl_m=route.home_amsl_m,
        legs=legs_of(profile(plan, ground), situation.airspace, pack),
        deadlines=deadlines_of(pack, start),
        emergency=emergency_of(pack, start),
        emergency_enabled=pack["uav.emergency_enabled"],
        held=not open_airspace,
        now=now.astimezone(pack.zone),
        clearances=tuple((held.kind, held.number) for held in situation.clearances),
    )
