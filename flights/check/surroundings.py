"""Everything around a plan that it is judged against, read from the database by its spatial indexes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

import numpy as np
import shapely
from geoalchemy2 import functions as gis
from geoalchemy2.shape import to_shape
from shapely.geometry import GeometryCollection, MultiPoint, box
from shapely.geometry.base import BaseGeometry
from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from flights.air.held import traffic_near
from flights.check.precheck import LONGEST_FLIGHT
from flights.check.situation import (
    Aircraft,
    AirspaceArea,
    Clearance,
    Notice,
    Options,
    Pilot,
    PublishedArea,
    PublishedRoute,
    Residential,
    Situation,
)
from flights.model import Plan
from flights.path.profile import profile
from flights.path.track import Ground, Profile
from flights.path.ways import fans
from geo import notices, shapes
from geo.queries import zones_near
from geo.types import LonLat
from geo.zones import SHORTEST_DEGREE_M
from schemas.refusals import RuleViolation
from schemas.rules import RulePack
from schemas.tables import (
    SRID,
    AirspaceClearance,
    ContextFeature,
    Device,
    Drone,
    PatrolArea,
    PatrolRoute,
    Person,
    Qualification,
    Signage,
)

PUBLIC_STATES = ("published", "effective", "suspended")
LICENCE = "uas_licence"

_NEIGHBOURHOOD_M = 1_000.0  # zones this near belong to the proof even when nothing reaches them
_STEEPEST = math.tan(math.radians(75.0))  # of the widest camera that is checked, flights/check/precheck.py
_HULLS = 8  # boxes around the ways home


@dataclass(frozen=True)
class Asked:
    """What is asked about a plan: when it takes off, with which aircraft, and the options beside the file.

    `pilot_id` is who would fly it, where that is known; `flight_id` the flight that asks, which is not in its own way.
    """

    at: datetime
    options: Options = field(default_factory=Options)
    drone: Drone | None = None
    pilot_id: UUID | None = None
    flight_id: UUID | None = None


def situation_of(session: Session, pack: RulePack | None, ground: Ground, plan: Plan, asked: Asked) -> Situation:
    """Everything near `plan` that it is judged against, found by the spatial indexes."""
    path = _path(plan, ground)
    extent, reach_m = _extent(plan, path, asked.options, pack)
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
        traffic=traffic_near(session, near, asked.at, until, without=asked.flight_id),
        pilot=_pilot(session, asked.pilot_id) if asked.pilot_id else None,
        looked_at=(plan, path) if path else None,
    )


def places_of(plan: Plan) -> list[LonLat]:
    """The places that a plan names."""
    places = [item.at for item in plan.items if item.at] + [point.at for point in plan.rally]
    return places + ([plan.home.at] if plan.home else [])


def _path(plan: Plan, ground: Ground) -> Profile | None:
    try:
        return profile(plan, ground)
    except RuleViolation:
        return None


def _extent(plan: Plan, path: Profile | None, options: Options, pack: RulePack | None) -> tuple[BaseGeometry, float]:
    """The path and the ways home, and how far around them anything could matter, in metres; EPSG:4326."""
    if path is None:
        # The plan is refused for its own sake; what lies around it is not looked at.
        return MultiPoint(places_of(plan)), _NEIGHBOURHOOD_M
    heights_m = np.concatenate([track.alt_agl_m for track in path.tracks])
    highest_m = max(float(np.nanmax(heights_m, initial=0.0)), options.alt_agl_m or 0.0)
    looked_m = pack["uav.camera"].look_m if pack else 0.0
    ways = [hull for fan in fans(path, plan.rally) for hull in fan.hulls(_HULLS)]
    lines = path.line()
    return GeometryCollection([*shapely.get_parts(lines), *ways]), _NEIGHBOURHOOD_M + max(
        highest_m * _STEEPEST, looked_m
    )


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
        endurance_min=drone.endurance_min,
    )


def _pilot(session: Session, person_id: UUID) -> Pilot:
    person = session.get_one(Person, person_id)
    held = select(Qualification.valid_from, Qualification.valid_to).where(
        Qualification.person_id == person_id, Qualification.kind == LICENCE
    )
    return Pilot(person.public_id, tuple((first, last) for first, last in session.execute(held)))


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
