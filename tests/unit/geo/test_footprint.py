import math

import numpy as np
import pytest
from shapely.geometry import Point

from geo import measure, zones
from geo.footprint import Camera, sector, swept_footprint
from geo.types import LonLat
from tests.unit.geo.shapes import PA1, R1, R2, R3, R4, Z1

CAMERA = Camera(hfov_deg=70.0)


def footprint(line, alt_agl_m=100.0, camera=CAMERA):
    lons, lats, _ = measure.densify(line, 10.0)
    return swept_footprint(lons, lats, alt_agl_m, camera)


def test_half_width__70_degrees_at_100_metres_is_70_metres():
    assert CAMERA.half_width_m(100.0) == pytest.approx(70.0, abs=0.05)
    assert Camera(70.0, roll_margin_deg=5.0).half_width_m(100.0) == pytest.approx(83.9, abs=0.05)


def test_GD_16_5__R1__footprint_stays_in_the_area_and_clear_of_the_zone():
    seen = footprint(R1)
    assert seen.within(PA1)
    assert not seen.intersects(Z1)
    assert zones.distance_m(R1, Z1) == pytest.approx(498, abs=1)


def test_GD_16_5__R2__line_itself_crosses_the_zone():
    assert R2.intersects(Z1)
    assert footprint(R2).intersects(Z1)


def test_GD_16_5__R3__line_misses_by_55_metres_but_the_footprint_hits():
    assert not R3.intersects(Z1)
    assert zones.distance_m(R3, Z1) == pytest.approx(55, abs=0.5)
    assert footprint(R3).intersects(Z1)


def test_GD_16_5__R3_lower__a_footprint_of_49_metres_is_clear():
    assert not footprint(R3, alt_agl_m=70.0).intersects(Z1)


def test_GD_16_3__R4__line_and_footprint_leave_the_area():
    assert not footprint(R4).within(PA1)


def test_footprint__its_width_is_the_camera_s_and_never_less():
    seen = footprint(R1)
    middle = LonLat(113.27, 23.125)
    reach = measure.WGS84.fwd
    for bearing in (0.0, 180.0):
        lon, lat, _ = reach(middle.lon, middle.lat, bearing, 70.0)
        assert seen.covers(Point(lon, lat))
        lon, lat, _ = reach(middle.lon, middle.lat, bearing, 70.1)
        assert not seen.covers(Point(lon, lat))


def test_footprint__rising_ground_narrows_it_between_points():
    lons, lats = np.array([113.26, 113.27]), np.array([23.125, 23.125])
    seen = swept_footprint(lons, lats, np.array([100.0, 50.0]), CAMERA)
    lon, lat, _ = measure.WGS84.fwd(113.265, 23.125, 0.0, 52.4)
    assert seen.covers(Point(lon, lat))
    lon, lat, _ = measure.WGS84.fwd(113.265, 23.125, 0.0, 53.0)
    assert not seen.covers(Point(lon, lat))


def test_footprint__a_single_point_is_a_disc():
    seen = swept_footprint(np.array([113.26]), np.array([23.13]), 100.0, CAMERA)
    assert measure.area_m2(seen) == pytest.approx(math.pi * 70.02**2, rel=0.002)


def test_footprint__frame_corners_reach_further_at_ends_and_turns_only():
    camera = Camera(hfov_deg=70.0, vfov_deg=55.0)
    seen = footprint(R1, camera=camera)
    corner_m = math.hypot(math.tan(math.radians(35)), math.tan(math.radians(27.5))) * 100
    lon, lat, _ = measure.WGS84.fwd(113.285, 23.125, 90.0, corner_m - 0.1)
    assert seen.covers(Point(lon, lat))
    lon, lat, _ = measure.WGS84.fwd(113.27, 23.125, 0.0, 70.2)
    assert not seen.covers(Point(lon, lat))


@pytest.mark.parametrize(
    "angles",
    [
        {"hfov_deg": 0.0},
        {"hfov_deg": 180.0},
        {"hfov_deg": float("nan")},
        {"hfov_deg": 70.0, "vfov_deg": -1.0},
        {"hfov_deg": 170.0, "roll_margin_deg": 5.0},
        {"hfov_deg": 70.0, "roll_margin_deg": -1.0},
    ],
)
def test_camera__angles_that_no_camera_has__refused(angles):
    with pytest.raises(ValueError, match="deg"):
        Camera(**angles)


@pytest.mark.parametrize("alt_agl_m", [float("nan"), float("inf"), -1.0])
def test_footprint__a_height_that_is_none__refused(alt_agl_m):
    with pytest.raises(ValueError, match="alt_agl_m"):
        footprint(R1, alt_agl_m=alt_agl_m)


def test_footprint__no_points__refused():
    with pytest.raises(ValueError, match="at least one"):
        swept_footprint(np.array([]), np.array([]), 100.0, CAMERA)


def test_sector__looks_where_it_points_and_as_far():
    seen = sector(LonLat(113.26, 23.13), azimuth_deg=90.0, hfov_deg=60.0, range_m=200.0)
    for bearing, metres, inside in ((90, 199.9, True), (62, 190, True), (90, 202, False), (270, 5, False)):
        lon, lat, _ = measure.WGS84.fwd(113.26, 23.13, bearing, metres)
        assert seen.covers(Point(lon, lat)) is inside


def test_sector__a_turning_camera_sees_a_disc():
    seen = sector(LonLat(113.26, 23.13), azimuth_deg=10.0, hfov_deg=360.0, range_m=100.0)
    assert measure.area_m2(seen) == pytest.approx(math.pi * 100**2, rel=0.01)
    assert seen.covers(Point(113.26, 23.13))


def test_sector__a_range_that_is_none__refused():
    with pytest.raises(ValueError, match="range_m"):
        sector(LonLat(113.26, 23.13), azimuth_deg=0.0, hfov_deg=60.0, range_m=0.0)
