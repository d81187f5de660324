"""Which zones are near: found by boxes and grids, held against distances on the ellipsoid."""

import uuid
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from shapely.geometry import LineString, Point, box

from geo import measure, zones
from geo.types import LonLat
from geo.zones import Zone

NOW = datetime(2025, 7, 2, 2, 0, tzinfo=UTC)
HALF_DEG = 1e-5  # zones of about two metres

# Where boxes in degrees are most easily wrong: the 180th meridian, both sides of Greenwich, high latitudes.
lons = st.one_of(st.floats(-180, 180), st.floats(179.95, 180), st.floats(-180, -179.95), st.floats(-0.05, 0.05))
lats = st.one_of(st.floats(-70, 70), st.floats(79, 83), st.floats(-0.02, 0.02))
bearings_deg = st.floats(0, 360)


def small_zone(lon, lat, buffer_m):
    geom = box(lon - HALF_DEG, lat - HALF_DEG, lon + HALF_DEG, lat + HALF_DEG)
    return Zone(uuid.uuid4(), "PZ-1", "other", geom, buffer_m, NOW)


@given(lons, lats, bearings_deg, st.floats(5, 1_000), st.floats(0.2, 3.0))
@settings(max_examples=300, deadline=None)
def test_GD_16_5__a_zone_is_hit_within_its_buffer_and_not_beyond(lon, lat, bearing_deg, buffer_m, share):
    assume(abs(share - 1) * buffer_m > 5)  # the zone has a size of its own
    away_lon, away_lat, _ = measure.WGS84.fwd(lon, lat, bearing_deg, buffer_m * share)
    assume(abs(away_lon) < 180 - HALF_DEG)
    hits = zones.hits(Point(lon, lat), [small_zone(away_lon, away_lat, buffer_m)])
    assert len(hits) == (1 if share < 1 else 0)
    for hit in hits:
        assert hit.distance_m == pytest.approx(buffer_m * share, abs=5)


@given(lons, lats, bearings_deg, st.floats(0, 2_000))
@settings(max_examples=200, deadline=None)
def test_distance__is_the_same_from_either_side_and_that_of_the_ellipsoid(lon, lat, bearing_deg, apart_m):
    away_lon, away_lat, _ = measure.WGS84.fwd(lon, lat, bearing_deg, apart_m)
    there, back = Point(away_lon, away_lat), Point(lon, lat)
    true_m = measure.distance_m(LonLat(lon, lat), LonLat(away_lon, away_lat))
    assert zones.distance_m(back, there) == pytest.approx(true_m, abs=1e-3)
    assert zones.distance_m(there, back) == pytest.approx(true_m, abs=1e-3)


@given(
    st.integers(-178, 178), st.integers(-70, 70), st.lists(st.integers(-900, 900), min_size=2, max_size=8, unique=True)
)
@settings(max_examples=100, deadline=None)
def test_hits__of_a_line__are_those_of_its_points(lon, lat, steps):
    line = LineString([(lon + step * 1e-5, lat + index * 1e-3) for index, step in enumerate(steps)])
    around = [small_zone(lon + dx * 3e-3, lat + dy * 3e-3, 150.0) for dx in range(-4, 5) for dy in range(-4, 5)]
    found = {hit.zone.id for hit in zones.hits(line, around)}
    lons_on, lats_on, _ = measure.densify(line, 2.0)
    for zone in around:
        middle = zone.geom.centroid
        _, _, apart_m = measure.WGS84.inv(
            np.full_like(lons_on, middle.x), np.full_like(lats_on, middle.y), lons_on, lats_on
        )
        if abs(apart_m.min() - 150.0) > 6:  # the zone has a size of its own
            assert (zone.id in found) == (apart_m.min() < 150.0)


@pytest.mark.parametrize("lat", [89.9, 89.9999, -89.9999])
def test_margins__near_a_pole__the_whole_circle(lat):
    lon_deg, _ = zones.margins_deg(lat, lat, np.array([20_000.0]))
    assert lon_deg.tolist() == [360.0]
