"""Reading for surveys: the published areas, and what surrounds a place where one is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import shapely
from geoalchemy2 import functions as gis
from shapely.geometry import Point
from shapely.geometry.base import BaseGeometry
from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from flights.check.surroundings import PUBLIC_STATES
from flights.path.track import Ground
from flights.survey.camera import CameraModel
from flights.survey.spec import Around, SurveySpec, refuse_large
from geo import shapes
from geo.queries import zones_near
from schemas.refusals import not_found
from schemas.rules import Rulebook
from schemas.tables import SRID, Drone, PatrolArea
from schemas.words import Coded

ZONES_AHEAD = timedelta(days=365)
"""A survey is laid out for a day that is not known yet: it keeps clear of every zone of the coming year."""

_NEIGHBOURHOOD_M = 1_000.0


def published_areas(session: Session) -> Sequence[PatrolArea]:
    """The published patrol areas, by code."""
    return session.scalars(
        select(PatrolArea).where(PatrolArea.state.in_(PUBLIC_STATES)).order_by(PatrolArea.code)
    ).all()


def area_named(session: Session, name: str) -> PatrolArea:
    """The published patrol area of a code or public id; RuleViolation 404 where there is none."""
    named = or_(PatrolArea.code == name, PatrolArea.public_id == name)
    area = session.scalars(select(PatrolArea).where(named, PatrolArea.state.in_(PUBLIC_STATES))).one_or_none()
    if area is None:
        raise not_found(
            "store.unknown", "store.not_found", subject=Coded("subject", ["patrol_area"]), measured=name[:40]
        )
    return area


def camera_of(drone: Drone) -> CameraModel:
    """The camera that an aircraft is registered with."""
    return CameraModel.of_angle(drone.camera_hfov_deg, (drone.camera_image_width_px, drone.camera_image_height_px))


def surroundings(session: Session, rulebook: Rulebook, ground: Ground, spec: SurveySpec, at: datetime) -> Around:
    """What a survey asked for at `at` (aware) must respect.

    The zones that hold now or within a year, as they are displayed, with the buffer of the rules; and the
    published area that covers the whole of it, the smallest where there are several. Raises RuleViolation
    GD-02.1 where no rules are in force, and 422 for what is too large before anything is looked up.
    """
    refuse_large(spec)
    extent = _extent(spec)
    pack = rulebook.at_place(extent, at)
    roll_margin_deg = pack["uav.camera"].roll_margin_deg
    reach_m = _NEIGHBOURHOOD_M + spec.camera.view(roll_margin_deg).corner_m(spec.alt_agl_m)
    buffer_m = pack["privacy.buffer_m"]
    zones = zones_near(session, extent, at, at + ZONES_AHEAD, extra_buffer_m=reach_m + buffer_m)
    return Around(ground, zones, buffer_m, _area_around(session, spec.area), roll_margin_deg)


def _extent(spec: SurveySpec) -> BaseGeometry:
    places = [spec.area, *([Point(spec.home)] if spec.home else [])]
    return shapely.box(*shapely.total_bounds(np.array(places, dtype=object)))


def _area_around(session: Session, area: BaseGeometry) -> BaseGeometry | None:
    window = gis.ST_MakeEnvelope(*area.bounds, SRID)
    rows = session.scalars(
        select(PatrolArea)
        .where(PatrolArea.state.in_(PUBLIC_STATES), PatrolArea.geom.bool_op("&&")(window))
        .order_by(PatrolArea.public_id)
    )
    covering = [shape for shape in (shapes.polygon(row.geom) for row in rows) if shape.covers(area)]
    return min(covering, key=lambda shape: shape.area, default=None)
