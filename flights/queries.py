"""Reading for flights: the situation that a plan is judged in, the mission and the fence that are flown."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from shapely.geometry import MultiPoint
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from flights.canonical import items_of
from flights.check.precheck import Verdict, check_plan
from flights.check.situation import Options
from flights.check.surroundings import LICENCE as LICENCE
from flights.check.surroundings import PUBLIC_STATES, Asked, places_of, situation_of
from flights.check.surroundings import marked_on as marked_on
from flights.formats import read_plan
from flights.link.fence import BuiltFence, FlownPath, build_fence
from flights.mission import Mission
from flights.model import Command, Fence, Frame, Home, Plan, PlanItem
from flights.path.track import Ground
from geo import shapes
from geo.queries import zones_near
from geo.types import LonLat
from schemas.refusals import RuleViolation, conflict, not_found
from schemas.rules import Rulebook, RulePack
from schemas.tables import Device, Drone, Flight, PatrolRoute
from schemas.words import Coded


def judge(session: Session, pack: RulePack | None, ground: Ground, plan: Plan, asked: Asked) -> Verdict:
    """The verdict on `plan` against what the database holds; `pack` None where no rules are in force."""
    situation = situation_of(session, pack, ground, plan, asked)
    return check_plan(plan, situation, at=asked.at, options=asked.options)


def rules_for(rulebook: Rulebook, plan: Plan, at: datetime) -> RulePack | None:
    """The rule pack in force on all places of `plan` at that time, or None."""
    try:
        return rulebook.at_place(MultiPoint(places_of(plan)), at)
    except RuleViolation:
        return None


def drone_named(session: Session, name: str) -> Drone:
    """The drone with that public id, registration or device name.

    Raises RuleViolation 404 when there is none, 409 when several devices share the name.
    """
    statement = select(Drone).join(Device, Drone.device_id == Device.id)
    named = or_(Device.public_id == name, Device.name == name, Drone.registration_no == name)
    drones = session.scalars(statement.where(named).order_by(Device.public_id)).all()
    exact = [drone for drone in drones if name in (drone.device.public_id, drone.registration_no)]
    found = exact or drones
    if not found:
        raise not_found("store.unknown", "store.not_found", subject=Coded("subject", ["drone"]), measured=name)
    if len(found) > 1:
        raise conflict("flight.drone_ambiguous", name=name, measured=", ".join(d.device.public_id for d in found))
    return found[0]


def usual_drone(session: Session) -> Drone | None:
    """The drone that is meant where none is named: the first that is in use, by public id."""
    statement = select(Drone).join(Device, Drone.device_id == Device.id).where(Device.state == "active")
    return session.scalars(statement.order_by(Device.public_id).limit(1)).first()


def mission_of(route: PatrolRoute) -> Mission:
    """The published mission of a route, the only one that may be uploaded for it."""
    home = Home(shapes.lon_lat(route.home), route.home_amsl_m)
    return Mission(home, items_of(route.mission), route.speed_m_s)


def built_fence(
    session: Session, route: PatrolRoute, at: datetime, until: datetime, hours_of: ZoneInfo | None = None
) -> BuiltFence:
    """The fence of a flight along `route` with its proof: its corridor, without the displayed zones of that time.

    Zones whose hours (of the time zone `hours_of`) do not meet the flight are left out; where no time zone is given,
    every zone of those days counts. Raises RuleViolation 409 where no fence can hold the route.
    """
    area = shapes.polygon(route.area.geom)
    near = zones_near(session, area, at, until)
    zones = [zone for zone in near if hours_of is None or zone.holds(at, until, hours_of)]
    return build_fence(area, zones, FlownPath.of(mission_of(route).plan))


def fence_of(
    session: Session, route: PatrolRoute, at: datetime, until: datetime, hours_of: ZoneInfo | None = None
) -> Fence:
    """The fence of a flight along `route`, as `built_fence` proves it."""
    return built_fence(session, route, at, until, hours_of).fence


def exported_plan(session: Session, route: PatrolRoute, suffix: str, at: datetime, until: datetime) -> Plan:
    """What a file of that kind holds of a published route: its mission and fence, or only its line.

    Raises RuleViolation DC-2 for a route that is not published.
    """
    if route.state not in PUBLIC_STATES:
        raise conflict("DC-2", "flight.route_unknown", route=route.code)
    mission = mission_of(route)
    if suffix in (".geojson", ".json"):
        line = [LonLat(*position[:2]) for position in shapes.line(route.geom).coords]
        waypoint = PlanItem(Command.NAV_WAYPOINT, Frame.GLOBAL_TERRAIN_ALT, alt_m=route.alt_agl_m)
        return replace(
            mission.plan,
            items=tuple(replace(waypoint, at=corner) for corner in line),
            hfov_deg=route.camera_hfov_deg,
        )
    if suffix == ".plan":
        return replace(mission.plan, fence=fence_of(session, route, at, until))
    return mission.plan


def judge_flight(session: Session, pack: RulePack, ground: Ground, flight: Flight) -> Verdict:
    """The verdict on the published mission of a flight in its planned window, with its own aircraft."""
    start, end = window(flight)
    route, drone = flight.route, flight.drone
    widest_deg = max(route.camera_hfov_deg, drone.camera_hfov_deg)
    options = Options(route=route.public_id, hfov_deg=widest_deg, until=end)
    return judge(session, pack, ground, mission_of(route).plan, _asked(flight, start, options))


def judge_filed(session: Session, pack: RulePack, ground: Ground, flight: Flight) -> Verdict:
    """The verdict on the plan in a flight's file, with the options that were given beside it."""
    start, end = window(flight)
    given = flight.precheck.get("options", {})
    options = Options(
        route=flight.route.public_id,
        until=end,
        alt_agl_m=given.get("alt_agl_m"),
        hfov_deg=given.get("hfov_deg"),
    )
    plan = read_plan(flight.plan_bytes, flight.plan_name)
    return judge(session, pack, ground, plan, _asked(flight, start, options))


def _asked(flight: Flight, start: datetime, options: Options) -> Asked:
    return Asked(start, options, flight.drone, pilot_id=flight.pilot_id, flight_id=flight.id)


def window(flight: Flight) -> tuple[datetime, datetime]:
    """The planned take-off and landing; ValueError for a window without both ends."""
    start, end = flight.during.lower, flight.during.upper
    if start is None or end is None:
        raise ValueError("a flight has a planned start and end")
    return start, end
