"""What devices see of the ground."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely

from geo import measure
from geo.coverage.footprints import DENSITIES_PX_PER_M, Device, Relief, footprints, range_at
from geo.coverage.plane import Plane
from geo.types import LonLat
from schemas.refusals import RuleViolation

AT = LonLat(113.3, 23.1)
PLANE = Plane(AT)


def relief(heights, side_m=10.0):
    rows, columns = heights.shape
    return Relief(heights.astype(np.float32), -columns * side_m / 2, rows * side_m / 2, side_m)


@pytest.mark.parametrize(("width", "part"), [(60.0, 1 / 6), (200.0, 200 / 360), (360.0, 1.0), (None, 1.0)])
def test_footprint__any_width__area_of_the_sector(width, part):
    [seen] = footprints([Device(AT, 300.0, 45.0, width)], PLANE)
    assert seen.is_valid
    assert seen.area == pytest.approx(math.pi * 300**2 * part, rel=1e-4)
    assert measure.area_m2(PLANE.to_wgs84(np.array([seen]))[0]) == pytest.approx(seen.area, abs=1.0)


def test_footprint__azimuth__clockwise_from_true_north_far_from_the_centre_of_the_plane():
    far = LonLat(117.0, 26.0)
    [seen] = footprints([Device(far, 300.0, 90.0, 10.0)], PLANE)
    middle = PLANE.to_wgs84(np.array([seen]))[0].centroid
    bearing, _, _ = measure.WGS84.inv(far.lon, far.lat, middle.x, middle.y)
    assert bearing == pytest.approx(90.0, abs=0.1)


def test_footprint__wall__nothing_behind_it_and_all_before_it():
    heights = np.zeros((100, 100))
    heights[:, 65] = 30.0  # 150 m to the east
    [plain] = footprints([Device(AT, 400.0, 90.0, 60.0)], PLANE)
    [seen] = footprints([Device(AT, 400.0, 90.0, 60.0)], PLANE, relief(heights))
    assert not seen.intersects(shapely.box(161, -500, 500, 500))
    before = shapely.box(0, -500, 150, 500)
    assert seen.intersection(before).area == pytest.approx(plain.intersection(before).area, rel=1e-3)


def test_footprint__in_a_shaft__sees_its_own_cell_and_the_walls_alone():
    heights = np.full((60, 60), 50.0)
    heights[30, 30] = 0.0
    [seen] = footprints([Device(LonLat(AT.lon + 0.00005, AT.lat - 0.00005), 200.0)], PLANE, relief(heights))
    assert seen.area < 16 * 100


def test_range_at__identification__a_tenth_of_what_is_detected():
    assert range_at(DENSITIES_PX_PER_M["identify"], 1920, 90.0) == pytest.approx(3.84)
    assert range_at(DENSITIES_PX_PER_M["detect"], 1920, 90.0) == pytest.approx(38.4)


@pytest.mark.parametrize(
    ("device", "rules"),
    [
        (Device(AT, 0.0), ["coverage.range"]),
        (Device(AT, math.inf), ["coverage.range"]),
        (Device(AT, 100.0, 0.0, 361.0), ["coverage.view"]),
        (Device(AT, 100.0, math.nan, 60.0), ["coverage.azimuth"]),
        (Device(AT, 100.0, None, 60.0), ["coverage.azimuth"]),
        (Device(AT, -5.0, 0.0, 0.0, mast_m=-1.0), ["coverage.range", "coverage.view", "coverage.height"]),
    ],
)
def test_footprint__impossible_device__every_fault_is_told(device, rules):
    with pytest.raises(RuleViolation) as refused:
        footprints([Device(AT, 100.0), device], PLANE)
    assert [refusal.rule for refusal in refused.value.refusals] == rules
    assert {refusal.params["number"] for refusal in refused.value.refusals} == {2}


def test_footprint__outside_the_model_or_in_its_hole__told_of_each_device():
    heights = np.zeros((10, 10))
    heights[5, 5] = np.nan
    devices = [Device(LonLat(114.0, 23.1), 100.0), Device(LonLat(AT.lon + 0.00005, AT.lat - 0.00005), 100.0)]
    with pytest.raises(RuleViolation) as refused:
        footprints(devices, PLANE, relief(heights))
    assert [refusal.rule for refusal in refused.value.refusals] == ["coverage.off_relief", "coverage.no_height"]


def test_plane__corner_a_hair_beside_an_edge__area_is_valid_in_degrees_too():
    plane = Plane(LonLat(113.3, 23.1))
    west = np.random.default_rng(1).uniform(-5e4, 5e4, 400)
    # Dents that all but touch the edge beyond them, on either side.
    dented = [
        shapely.Polygon([(x, 0), (x + 100, 7 * n), (x + 100, 90 * n), (x + 37.7, (2.639 + 1e-9) * n), (x, 90 * n)])
        for x in west
        for n in (1, -1)
    ]
    areas = np.array([one for one in dented if one.is_valid], dtype=object)
    assert not shapely.is_valid(plane.to_wgs84(areas)).all()
    drawn = plane.areas_to_wgs84(areas)
    assert shapely.is_valid(drawn).all()
    assert shapely.area(drawn) == pytest.approx(shapely.area(plane.to_wgs84(areas)), rel=1e-4)
