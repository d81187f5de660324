"""Reading for flights: the situation that a plan is judged in, the mission and the fence that are flown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from geoalchemy2 import functions as gis
from geoalchemy2.shape import to_shape
from shapely.geometry import MultiPoint, box
from shapely.geometry.base import BaseGeometry
from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from flights.canonical import items_of
from flights.formats import read_plan
from flights.link.fence import BuiltFence, FlownPath, build_fence
from flights.mission import Mission
from flights.model import Command, Fence, Frame, Home, Plan, PlanItem
from flights.precheck import LONGEST_FLIGHT, Verdict, check_plan
from flights.profile import Ground, profile
from flights.situation import (
    Aircraft,
    AirspaceArea,
    Clearance,
    Notice,
    Options,
    PublishedArea,
    PublishedRoute,
    Residential,
    Situation,
)
from geo import notices, shapes
from geo.queries import zones_near
from geo.types import LonLat
from geo.zones import SHORTEST_DEGREE_M
from schemas.refusals import RuleViolation, conflict, not_found
from schemas.rules import Rulebook, RulePack
from schemas.tables import (
    SRID,
    AirspaceClearance,
    ContextFeature,
    Device,
    Drone,
    Flight,
    PatrolArea,
    PatrolRoute,
    Signage,
)
from schemas.words import Coded

PUBLIC_STATES = ("published", "effective", "suspended")

_NEIGHBOURHOOD_M = 1_000.0  # zones this near belong to the proof even when nothing reaches them
_STEEPEST = math.tan(math.radians(75.0))  # of the widest camera that is checked, flights/precheck.py


@dataclass(frozen=True)
class Asked:
    """What is asked about a plan: when it takes off, with which aircraft, and the options beside the file."""

    at: datetime
    options: Options = field(default_factory=Options)
    drone: Drone | None = None


def judge(session: Session, pack: RulePack | None, ground: Ground, plan: Plan, asked: Asked) -> Verdict:
    """The verdict on `plan` against what the database holds; `pack` None where no rules are in force."""
    situation = situation_of(session, pack, ground, plan, asked)
    return check_plan(plan, situation, at=asked.at, options=asked.options)


def rules_for(rulebook: Rulebook, plan: Plan, at: datetime) -> RulePack | None:
    """The rule pack in force on all places of `plan` at that time, or None."""
    try:
        return rulebook.at_place(MultiPoint(_places(plan)), at)
    except RuleViolation:
        return None


def situation_of(session: Session, pack: RulePack | None, ground: Ground, plan: Plan, asked: Asked) -> Situation:
    """Everything near `plan` that it is judged against, found by the spatial indexes."""
    extent, reach_m = _extent(plan, ground, asked.options)
    until = max(asked.options.until or asked.at, asked.at + LONGEST_FLIGHT)
    near = box(*_grown(extent, reach_m))
    return Situation(
        pack=pack,
        ground=ground,
        areas=tuple(_area(session, row, pack) for row in _published(session, PatrolArea, near)),
        routes=tuple(_route(session, row, pack) for row in _routes(session, near, asked.options.route)),
        zones=zones_near(session, extent, asked.at, until, extra_buffer_m=reach_m),
        aircraft=_aircraft(session, asked.drone, pack, asked.at) if asked.drone else None,
        airspace=_airspace(session, near, pack, asked.at),
        clearances=_clearances(session, near, asked.at),
        residential=_residential(session, near),
    )


def _places(plan: Plan) -> list[LonLat]:
    return [item.at for item in plan.items if item.at] + ([plan.home.at] if plan.home else [])


def _extent(plan: Plan, ground: Ground, options: Options) -> tuple[BaseGeometry, float]:
    """A geometry with the bounds of the whole path, and how far around it anything could matter, in metres."""
    try:
        path = profile(plan, ground)
    except RuleViolation:
        # The plan is refused for its own sake; what lies around it is not looked at.
        return MultiPoint(_places(plan)), _NEIGHBOURHOOD_M
    heights_m = np.concatenate([track.alt_agl_m for track in path.tracks])
    highest_m = max(float(np.nanmax(heights_m, initial=0.0)), options.alt_agl_m or 0.0)
    return path.line(), _NEIGHBOURHOOD_M + highest_m * _STEEPEST


def _grown(extent: BaseGeometry, by_m: float) -> tuple[float, float, float, float]:
    west, south, east, north = extent.bounds
    margin_deg = by_m / SHORTEST_DEGREE_M
    margin_lon_deg = margin_deg / max(math.cos(math.radians(min(max(-south, north, 0.0), 89.0))), 1e-9)
    return west - margin_lon_deg, south - margin_deg, east + margin_lon_deg, north + margin_deg


def _meets(column: Any, near: BaseGeometry) -> ColumnElement[bool]:  # noqa: ANN401
    """Whether a geometry's bounding box meets that of `near`; answered by the GiST index."""
    window = gis.ST_MakeEnvelope(*near.bounds, SRID)
    return column.bool_op("&&")(window)  # type: ignore[no-any-return]


def _published(session: Session, kind: type[PatrolArea] | type[PatrolRoute], near: BaseGeometry) -> Sequence[Any]:
    statement = select(kind).where(kind.state.in_(PUBLIC_STATES), _meets(kind.geom, near))
    return session.scalars(statement.order_by(kind.public_id)).all()


def _routes(session: Session, near: BaseGeometry, named: str | None) -> Sequence[PatrolRoute]:
    """The published routes near the plan, and the one that was named, wherever it is."""
    found = list(_published(session, PatrolRoute, near))
    if named:
        is_named = or_(PatrolRoute.public_id == named, PatrolRoute.code == named)
        rows = session.scalars(select(PatrolRoute).where(PatrolRoute.state.in_(PUBLIC_STATES), is_named))
        found += [row for row in rows if row not in found]
    return found


def _notice(session: Session, row: PatrolArea | PatrolRoute, pack: RulePack | None) -> Notice:
    usable_from = row.effective_from
    if usable_from is None and pack is not None:
        usable_from = notices.current(session, row, pack).earliest
    return Notice(usable_from, row.suspended_on)


def _area(session: Session, row: PatrolArea, pack: RulePack | None) -> PublishedArea:
    return PublishedArea(row.public_id, row.code, to_shape(row.geom), _notice(session, row, pack))


def _route(session: Session, row: PatrolRoute, pack: RulePack | None) -> PublishedRoute:
    return PublishedRoute(
        row.public_id,
        row.code,
        shapes.line(row.geom),
        row.alt_agl_m,
        row.mission_digest,
        _notice(session, row, pack),
    )


def _aircraft(session: Session, drone: Drone, pack: RulePack | None, at: datetime) -> Aircraft:
    device = drone.device
    on = pack.local_date(at) if pack else at.date()
    usable_from = device.activated_on
    if usable_from is None and pack is not None:
        usable_from = notices.current(session, device, pack).earliest
    return Aircraft(
        public_id=device.public_id,
        hfov_deg=drone.camera_hfov_deg,
        image_width_px=drone.camera_image_width_px,
        image_height_px=drone.camera_image_height_px,
        cruise_speed_mps=drone.cruise_speed_m_s,
        marked_on=marked_on(session, device, on),
        state=device.state,
        notice=Notice(usable_from),
    )


def marked_on(session: Session, device: Device, on: date) -> date | None:
    """When the mark on an aircraft had last been checked on a day (GD-16.4), or None."""
    statement = select(Signage.verified_on).where(Signage.device_id == device.id, Signage.verified_on <= on)
    return session.scalars(statement.order_by(Signage.verified_on.desc()).limit(1)).first()


def _airspace(session: Session, near: BaseGeometry, pack: RulePack | None, at: datetime) -> tuple[AirspaceArea, ...]:
    if pack is None:
        return ()
    needs = {layer.code: layer.clearance for layer in pack.airspace_layers}
    today = pack.local_date(at)
    rows = session.scalars(
        select(ContextFeature)
        .where(
            ContextFeature.kind.in_(needs),
            _meets(ContextFeature.geom, near),
            or_(ContextFeature.valid_from.is_(None), ContextFeature.valid_from <= today),
            or_(ContextFeature.valid_to.is_(None), ContextFeature.valid_to >= today),
        )
        .order_by(ContextFeature.public_id)
    )
    return tuple(AirspaceArea(row.kind, row.name, needs[row.kind], to_shape(row.geom)) for row in rows if row.kind)


def _clearances(session: Session, near: BaseGeometry, at: datetime) -> tuple[Clearance, ...]:
    rows = session.scalars(
        select(AirspaceClearance)
        .where(_meets(AirspaceClearance.geom, near), AirspaceClearance.valid_to >= at)
        .order_by(AirspaceClearance.public_id)
    )
    return tuple(Clearance(r.kind, r.number, to_shape(r.geom), r.alt_max_agl_m, r.valid_from, r.valid_to) for r in rows)


def _residential(session: Session, near: BaseGeometry) -> tuple[Residential, ...]:
    rows = session.scalars(
        select(ContextFeature)
        .where(ContextFeature.layer == "residential", _meets(ContextFeature.geom, near))
        .order_by(ContextFeature.public_id)
    )
    return tuple(Residential(row.name, to_shape(row.geom)) for row in rows)


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
    return judge(session, pack, ground, mission_of(route).plan, Asked(start, options, drone))


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
    return judge(session, pack, ground, plan, Asked(start, options, flight.drone))


def window(flight: Flight) -> tuple[datetime, datetime]:
    """The planned take-off and landing; ValueError for a window without both ends."""
    start, end = flight.during.lower, flight.during.upper
    if start is None or end is None:
        raise ValueError("a flight has a planned start and end")
    return start, end
