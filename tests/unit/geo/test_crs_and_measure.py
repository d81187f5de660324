import numpy as np
import pyproj
import pytest
from shapely.geometry import GeometryCollection, LineString, MultiPolygon, Point, Polygon, box

from geo import crs, measure
from geo.types import LonLat
from tests.unit.geo.shapes import PA1, R1


@pytest.mark.parametrize(
    ("at", "epsg"),
    [
        (LonLat(113.26, 23.13), 32649),
        (LonLat(114.0, 23.13), 32650),
        (LonLat(113.26, -23.13), 32749),
        (LonLat(-180.0, 10.0), 32601),
        (LonLat(180.0, 10.0), 32660),
        (LonLat(0.0, 0.0), 32631),
    ],
)
def test_utm_zone__edges_of_zones_and_hemispheres(at, epsg):
    assert crs.utm_epsg(at) == epsg


def test_to_metric__a_place_the_grid_cannot_hold_is_an_error():
    with pytest.raises(pyproj.exceptions.ProjError):
        crs.to_metric(Point(113.26, 91.0), 32649)


def test_to_metric__heights_are_dropped():
    assert not crs.to_metric(Point(113.26, 23.13, 50.0), 32649).has_z


def test_length__R1_is_3073_metres():
    # requirements.md 3.0 gives 3,074 m from the metric grid; the ellipsoid says 3,072.8 m.
    assert measure.length_m(R1) == pytest.approx(3073, abs=1)


def test_area__PA1_is_9_08_square_kilometres():
    assert measure.area_m2(PA1) / 1e6 == pytest.approx(9.08, abs=0.01)


@pytest.mark.parametrize("turned", [False, True])
def test_area__a_hole_is_taken_off_whichever_way_its_ring_turns(turned):
    hole = [(113.26, 23.125), (113.27, 23.125), (113.27, 23.13), (113.26, 23.13)]
    pierced = Polygon(PA1.exterior, [hole[::-1] if turned else hole])
    assert measure.area_m2(pierced) == pytest.approx(measure.area_m2(PA1) - measure.area_m2(Polygon(hole)))


def test_area__parts_add_up_and_lines_have_none():
    parts = [box(113.0, 23.0, 113.1, 23.1), box(114.0, 23.0, 114.1, 23.1)]
    assert measure.area_m2(MultiPolygon(parts)) == pytest.approx(sum(map(measure.area_m2, parts)))
    assert measure.area_m2(GeometryCollection([R1, Point(113, 23)])) == 0
    assert measure.area_m2(Polygon()) == 0


def test_densify__every_vertex_is_kept_and_no_step_is_longer():
    line = LineString([(113.255, 23.125), (113.2561, 23.1252), (113.285, 23.13), (113.285, 23.13001)])
    lons, lats, along_m = measure.densify(line, 10.0)
    points = set(zip(lons, lats, strict=True))
    assert points >= set(line.coords)
    assert np.diff(along_m).max() <= 10.0
    assert along_m[0] == 0
    assert along_m[-1] == pytest.approx(measure.length_m(line))


@pytest.mark.parametrize("step_m", [0.0, -1.0, float("nan")])
def test_densify__a_step_that_is_none__refused(step_m):
    with pytest.raises(ValueError, match="step_m"):
        measure.densify(R1, step_m)
