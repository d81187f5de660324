"""Contracts of places that hold for any input."""

import math

import numpy as np
import pytest
import shapely
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from shapely.geometry import LineString, Point, Polygon

from geo import crs, measure
from geo.footprint import Camera, swept_footprint
from geo.types import LonLat

lons = st.floats(-179.0, 179.0, allow_nan=False)
lats = st.floats(-80.0, 80.0, allow_nan=False)
ten_microdegrees = st.integers(-1_000, 1_000).map(lambda count: count * 1e-5)
steps = st.tuples(ten_microdegrees, ten_microdegrees)
heights_m = st.floats(10.0, 150.0)
cameras = st.builds(Camera, st.floats(20.0, 110.0), st.none() | st.floats(20.0, 90.0), st.floats(0.0, 5.0))


@st.composite
def lines(draw, most=6):
    """Lines of some kilometres anywhere between the polar circles, without repeated positions."""
    position = np.array([draw(st.integers(-178, 178)), draw(st.integers(-70, 70))], dtype=float)
    positions = [tuple(position)]
    for step in draw(st.lists(steps, min_size=1, max_size=most)):
        position = position + step
        positions.append(tuple(position))
    made = LineString(positions)
    assume(measure.length_m(made) > 1.0)
    return made


@given(lons, lats)
def test_metric_and_back__is_the_same_place(lon, lat):
    point = Point(lon, lat)
    epsg = crs.utm_epsg(LonLat(lon, lat))
    assert crs.to_wgs84(crs.to_metric(point, epsg), epsg).distance(point) < 1e-9


@given(lons, lats)
def test_utm_zone__its_middle_is_at_most_three_degrees_away(lon, lat):
    epsg = crs.utm_epsg(LonLat(lon, lat))
    assert 32601 <= epsg <= 32760
    middle_deg = (epsg % 100) * 6 - 183
    assert abs(lon - middle_deg) <= 3.0 + 1e-9


@given(lons, lats, lons, lats)
def test_distance__is_the_same_both_ways(lon_a, lat_a, lon_b, lat_b):
    a, b = LonLat(lon_a, lat_a), LonLat(lon_b, lat_b)
    assert measure.distance_m(a, b) == pytest.approx(measure.distance_m(b, a), abs=1e-6)


@given(lines(), st.floats(1.0, 500.0))
def test_densify__keeps_the_line_its_vertices_and_its_length(line, step_m):
    lons_out, lats_out, along_m = measure.densify(line, step_m)
    assert len(lons_out) == len(lats_out) == len(along_m)
    assert along_m[0] == 0
    assert math.isclose(along_m[-1], measure.length_m(line), rel_tol=1e-9)
    assert (np.diff(along_m) >= 0).all()
    assert np.diff(along_m).max() <= step_m * (1 + 1e-9)
    positions = np.column_stack([lons_out, lats_out])
    for vertex in line.coords:
        assert (positions == vertex).all(axis=1).any()
    assert shapely.distance(shapely.points(positions), line).max() < 1e-9


@given(lines(), st.floats(0.001, 0.05))
def test_area__does_not_depend_on_where_the_ring_starts_or_turns(line, size_deg):
    lon, lat = line.coords[0]
    ring = [(lon, lat), (lon + size_deg, lat), (lon + size_deg, lat + size_deg / 2), (lon, lat + size_deg)]
    areas = [measure.area_m2(Polygon(r)) for r in (ring, ring[::-1], ring[2:] + ring[:2])]
    assert areas[0] > 0
    assert areas[1:] == pytest.approx([areas[0]] * 2, rel=1e-6)


@given(lines(), heights_m, cameras)
@settings(max_examples=25, deadline=None)
def test_footprint__holds_the_line_and_every_point_within_its_half_width(line, alt_agl_m, camera):
    lons_in, lats_in, _ = measure.densify(line, 50.0)
    seen = swept_footprint(lons_in, lats_in, alt_agl_m, camera)
    assert seen.is_valid
    grown = seen.buffer(1e-9)
    assert grown.covers(line)
    half_width_m = camera.half_width_m(alt_agl_m)
    bearings = np.linspace(0, 360, 16, endpoint=False)
    for lon, lat in zip(lons_in[::7], lats_in[::7], strict=True):
        rim_lons, rim_lats, _ = measure.WGS84.fwd(
            np.full(16, lon), np.full(16, lat), bearings, np.full(16, half_width_m)
        )
        assert shapely.covers(grown, shapely.points(rim_lons, rim_lats)).all()


@given(lines(), heights_m, cameras)
@settings(max_examples=25, deadline=None)
def test_footprint__reaches_no_further_than_the_frame_s_corner(line, alt_agl_m, camera):
    lons_in, lats_in, _ = measure.densify(line, 50.0)
    seen = swept_footprint(lons_in, lats_in, alt_agl_m, camera)
    epsg = crs.utm_epsg_of(line)
    scale = crs.grid_scale(lons_in, lats_in, epsg).max()
    reach_m = (camera.corner_m(alt_agl_m) * 1.002 + 0.1) * scale
    assert crs.to_metric(seen, epsg).within(crs.to_metric(line, epsg).buffer(reach_m, quad_segs=64))


@given(lines(), heights_m, st.floats(1.0, 50.0), cameras)
@settings(max_examples=25, deadline=None)
def test_footprint__higher_sees_all_that_lower_sees(line, alt_agl_m, more_m, camera):
    lons_in, lats_in, _ = measure.densify(line, 50.0)
    low = swept_footprint(lons_in, lats_in, alt_agl_m, camera)
    high = swept_footprint(lons_in, lats_in, alt_agl_m + more_m, camera)
    assert high.buffer(1e-9).covers(low)


@given(st.floats(-170.0, 170.0), lats, st.floats(5.0, 20_000.0))
def test_circle__every_corner_is_as_far_and_the_middle_is_inside(lon, lat, radius_m):
    centre = LonLat(lon, lat)
    drawn = measure.circle(centre, radius_m)
    far_m = [measure.distance_m(centre, LonLat(*corner)) for corner in drawn.exterior.coords]
    assert far_m == pytest.approx([radius_m] * 65)
    assert drawn.is_valid
    assert drawn.exterior.is_ccw
    assert drawn.covers(Point(lon, lat))
    # Sixty-four corners are within a five-hundredth of the round.
    assert measure.area_m2(drawn) == pytest.approx(math.pi * radius_m**2, rel=2e-3)
