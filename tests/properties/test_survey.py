"""Surveys of random areas with random holes and zones, judged by points and distances of their own."""

import math
import uuid
from datetime import UTC, datetime

import numpy as np
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from shapely.geometry import LineString, MultiPoint, Point, Polygon, box

from flights.formats import write_plan
from flights.path.profile import profile
from flights.survey.camera import CameraModel
from flights.survey.generate import generate
from flights.survey.pattern import FIXED_ANGLES, lines_over
from flights.survey.room import Plane, room_for
from flights.survey.spec import Around, SurveySpec
from geo import crs
from geo.zones import Zone, hits
from schemas.refusals import RuleViolation
from tests.missions import FlatGround

EPSG = 32649
ORIGIN = np.array([730_000.0, 2_560_000.0])
CAMERA = CameraModel("test", (1.2, 0.8), (3000, 2000), 1.0)
ALT_M = 50.0  # 60 x 40 m on the ground
HALF_WIDTH_M, CORNER_M = 30.0, math.hypot(30.0, 20.0)
COVERED = 0.9


def globe(shape):
    return crs.to_wgs84(shape, EPSG)


@st.composite
def stars(draw, radius_m=(60.0, 350.0), centre=ORIGIN):
    """Polygons that are seen whole from their centre, convex or not."""
    count = draw(st.integers(3, 9))
    turns = sorted(draw(st.lists(st.floats(0, 2 * math.pi), min_size=count, max_size=count, unique=True)))
    radii = draw(st.lists(st.floats(*radius_m), min_size=count, max_size=count))
    corners = [centre + r * np.array([math.cos(t), math.sin(t)]) for t, r in zip(turns, radii, strict=True)]
    star = Polygon(corners)
    assume(star.is_valid and star.area > 10_000)
    return star


@st.composite
def boxes(draw):
    west, south = draw(st.floats(-250, 250)), draw(st.floats(-250, 250))
    size = st.floats(5, 120)
    x, y = ORIGIN + np.array([west, south])
    return box(x, y, x + draw(size), y + draw(size))


@st.composite
def areas(draw):
    """A star, perhaps with a hole strictly inside."""
    star = draw(stars())
    hole = draw(st.one_of(st.none(), boxes()))
    if hole is not None and star.contains(hole.buffer(1.0)):
        star = star.difference(hole)
    return star


def zone_of(shape, number, buffer_m=0.0):
    return Zone(uuid.UUID(int=number), f"PZ-{number}", "home", globe(shape), buffer_m, datetime(2025, 1, 1, tzinfo=UTC))


def spec_of(area, **asked):
    return SurveySpec(globe(area), CAMERA, ALT_M, speed_mps=5.0, **asked)


def generated(spec, around):
    """The survey, or None where the geometry itself allows none; every other refusal is a failure."""
    try:
        return generate(spec, around)
    except RuleViolation as violation:
        if {refusal.text for refusal in violation.refusals} - {"survey.nothing", "survey.no_way"}:
            raise
        return None


@settings(max_examples=40, deadline=None)
@given(areas(), st.lists(boxes(), max_size=3), st.sampled_from([0.0, 20.0]), st.sampled_from([0.0, 25.0]))
def test_GD_16_5__any_area__no_leg_enters_a_hole_and_no_footprint_a_zone(area, places, buffer_m, turnaround_m):
    zones = tuple(zone_of(place, number, buffer_m) for number, place in enumerate(places))
    survey = generated(spec_of(area, turnaround_m=turnaround_m), Around(FlatGround(), zones, 5.0))
    assume(survey is not None)
    path = profile(survey.plan, FlatGround())
    legs = crs.to_metric(path.line(), EPSG)
    for ring in area.interiors:
        assert legs.distance(Polygon(ring)) > HALF_WIDTH_M
    home = crs.to_metric(Point(survey.plan.home.at), EPSG)
    for place in places:
        assert not any(place.intersects(LineString([home, corner])) for corner in shapely.get_coordinates(legs))
    # By hand, in the plane: no leg is nearer than half the width of a photo and both buffers.
    for place in places:
        assert legs.distance(place) > HALF_WIDTH_M + buffer_m + 5.0
    seen = path.footprint(CAMERA.view())
    assert hits(path.line(), zones, extra_buffer_m=5.0) == hits(seen, zones, extra_buffer_m=5.0) == ()


def _shadow(place, home):
    """Where a way home leads through a convex place, or passes it by less than two metres."""
    wide = place.buffer(2.0)
    far = shapely.transform(wide, lambda xy: home.coords[0] + (xy - home.coords[0]) * 200)
    return MultiPoint([*wide.exterior.coords, *far.exterior.coords]).convex_hull


@settings(max_examples=30, deadline=None)
@given(areas(), st.lists(boxes(), max_size=2))
def test_survey__covers_what_may_be_seen(area, places):
    zones = tuple(zone_of(place, number) for number, place in enumerate(places))
    survey = generated(spec_of(area, side=0.7), Around(FlatGround(), zones))
    assume(survey is not None)
    strips = [crs.to_metric(line, EPSG) for line in survey.lines.geoms]
    private = shapely.union_all([*places, *(Polygon(ring) for ring in area.interiors)])
    # Where the aircraft may turn, and what it sees from there straight below: a margin of a metre and a half.
    home = crs.to_metric(Point(survey.plan.home.at), EPSG)
    shadows = [_shadow(place, home) for place in places]
    allowed = area.difference(shapely.union_all([private.buffer(CORNER_M * 1.08 + 1.5), *shadows]))
    assume(allowed.area > 2_000)
    open_ground = allowed.buffer(-12.0).buffer(12.0)
    photos = shapely.union_all([strip.buffer(HALF_WIDTH_M, cap_style="flat") for strip in strips])
    ends = shapely.union_all([strip.buffer(20.0) for strip in strips])
    seen = photos.union(ends).intersection(open_ground)
    assert open_ground.is_empty or seen.area >= COVERED * open_ground.area


@settings(max_examples=40, deadline=None)
@given(areas(), st.lists(boxes(), max_size=1))
def test_survey__fewest_turns__no_fixed_angle_has_fewer(area, places):
    spec = spec_of(area)
    around = Around(FlatGround(), tuple(zone_of(place, number) for number, place in enumerate(places)))
    plane = Plane.at(spec.area)
    room = room_for(spec, around, plane, ALT_M)
    best, _ = lines_over(room, plane, spec.spacing_m, None)
    for step in range(FIXED_ANGLES):
        fixed, _ = lines_over(room, plane, spec.spacing_m, 180.0 / FIXED_ANGLES * step)
        assert not fixed or len(best) <= len(fixed)


@settings(max_examples=15, deadline=None)
@given(areas(), st.lists(boxes(), max_size=2))
def test_survey__same_input__same_bytes(area, places):
    around = Around(FlatGround(), tuple(zone_of(place, number) for number, place in enumerate(places)))
    one, two = (generated(spec_of(area), around) for _ in range(2))
    assume(one is not None)
    assert write_plan(one.plan, ".plan") == write_plan(two.plan, ".plan")


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-400, 400), st.floats(-400, 400)), min_size=2, max_size=5, unique=True),
    st.floats(20, 200),
    st.lists(boxes(), max_size=2),
)
def test_GD_16_5__any_corridor__keeps_clear(corners, width_m, places):
    line = LineString([ORIGIN + corner for corner in corners])
    assume(line.is_simple and line.length > 100)
    zones = tuple(zone_of(place, number) for number, place in enumerate(places))
    survey = generated(spec_of(line, width_m=width_m), Around(FlatGround(), zones))
    assume(survey is not None)
    legs = crs.to_metric(profile(survey.plan, FlatGround()).line(), EPSG)
    assert all(legs.distance(place) > HALF_WIDTH_M for place in places)
