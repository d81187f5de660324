"""What one change does to coverage is the difference of two whole computations."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from geo.coverage import what_if
from geo.coverage.cells import cells_of, frame_of
from geo.coverage.footprints import Device, Relief, footprints
from geo.coverage.halves import by_halves
from geo.coverage.outlines import outlines
from geo.coverage.plane import Plane
from geo.coverage.union import Union
from geo.coverage.what_if import Standing
from geo.coverage.within import seen_within
from geo.types import LonLat

GROUND = shapely.box(0, 0, 1000, 1000)


def circles(seed, count):
    numbers = np.random.default_rng(seed)
    x, y = numbers.random((2, count)) * 1100 - 50
    return shapely.buffer(shapely.points(x, y), numbers.random(count) * 100 + 20, quad_segs=4)


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.sampled_from(["move", "add", "take"]))
def test_replaced__any_change__as_computing_all_anew(seed, kind):
    standing, extra = circles(seed, 40), circles(seed + 1, 1)[0]
    number, footprint = {"move": (7, extra), "add": (None, extra), "take": (7, None)}[kind]
    changed = standing if number is None else np.delete(standing, number)
    after = changed if footprint is None else np.append(changed, footprint)
    change = Standing(standing, GROUND).replaced(number, footprint)
    expected = Union(after, GROUND).areas_m2 - Union(standing, GROUND).areas_m2
    assert change.areas_m2 == pytest.approx(expected, abs=1e-3)


def test_replaced__twin_beside_a_device__adds_nothing_but_duplicates():
    standing = circles(1, 1)
    change = Standing(standing, GROUND).replaced(None, standing[0])
    assert change.gained_m2 == pytest.approx(0, abs=1e-6)
    assert change.duplicated_m2 == pytest.approx(standing[0].intersection(GROUND).area, rel=1e-9)


def test_replaced__hidden_view_or_far_outside__changes_nothing():
    asked = Standing(np.append(circles(1, 3), shapely.Polygon()), GROUND)
    assert asked.replaced(3, None).areas_m2.tolist() == [0, 0, 0]
    assert asked.replaced(None, shapely.Point(5000, 5000).buffer(10)).areas_m2.tolist() == [0, 0, 0]


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_changed__several_at_once__as_computing_all_anew(seed):
    standing, put = circles(seed, 40), circles(seed + 1, 3)
    change = Standing(standing, GROUND).changed([3, 11], list(put))
    after = np.concatenate([np.delete(standing, [3, 11]), put])
    expected = Union(after, GROUND).areas_m2 - Union(standing, GROUND).areas_m2
    assert change.areas_m2 == pytest.approx(expected, abs=1e-3)


# Edges and corners that fall on one another, as those of cameras on one pole and of cells of one terrain model do.
steps = st.integers(0, 6).map(lambda n: n * 10.0)
PIERCED = shapely.box(5, 0, 60, 55).difference(shapely.box(20, 20, 25, 30))


@st.composite
def lattice_shapes(draw):
    x, y, wide = draw(steps), draw(steps), draw(st.sampled_from([10.0, 20.0, 40.0]))
    box = shapely.box(x, y, x + wide, y + wide)
    holed = box.difference(shapely.box(x + 4, y + 4, x + 6, y + 6))
    pair = shapely.MultiPolygon([box, shapely.box(x + wide + 10, y, x + wide + 20, y + 10)])
    triangle = shapely.Polygon([(x, y), (x + wide, y), (x, y + wide)])
    return draw(st.sampled_from([box, holed, pair, triangle]))


@settings(max_examples=80)
@given(st.lists(lattice_shapes(), min_size=1, max_size=12), lattice_shapes(), st.booleans())
def test_replaced__shapes_that_share_edges_and_twins__as_computing_all_anew(standing, put, is_added):
    shapes = np.array(standing, dtype=object)
    asked = Standing(shapes, PIERCED)
    change = asked.replaced(None if is_added else 0, put)
    after = np.append(shapes if is_added else shapes[1:], put)
    expected = Union(after, PIERCED).areas_m2 - Union(shapes, PIERCED).areas_m2
    assert change.areas_m2 == pytest.approx(expected, abs=1e-5)
    # What was asked leaves no trace in what stands.
    assert asked.replaced(None if is_added else 0, put).areas_m2.tobytes() == change.areas_m2.tobytes()


@settings(max_examples=25)
@given(st.lists(lattice_shapes(), min_size=1, max_size=9), lattice_shapes())
def test_seen_within__any_area__what_geos_finds(standing, area):
    shapes = np.array(standing, dtype=object)
    one = outlines(shapes, shapely.box(-50, -50, 150, 150))
    found = seen_within(one, cells_of(one, frame_of(one)), area, 3)
    expected = [area.area, *(part.intersection(area).area for part in by_halves(shapes, 3))]
    assert found is None or found == pytest.approx(expected, abs=1e-5)


def test_seen_within__crowd_of_circles__is_told_and_right():
    shapes = circles(5, 300)
    one = outlines(shapes, shapely.box(-500, -500, 1500, 1500))
    area = shapely.Point(500, 500).buffer(150)
    found = seen_within(one, cells_of(one, frame_of(one)), area, 3)
    expected = [area.area, *(part.intersection(area).area for part in by_halves(shapes, 3))]
    assert found == pytest.approx(expected, rel=1e-8)


@pytest.fixture(scope="module")
def over_hills():
    """What sixty cameras see of rough ground, then what one sees all round from a high mast; in metres of a plane.

    All follow the borders of the same cells.
    """
    numbers = np.random.default_rng(3)
    heights = (gaussian_filter(numbers.normal(size=(200, 200)), 2) * 60).astype(np.float32)
    plane, relief = Plane(LonLat(113.3, 23.1)), Relief(heights, -2000.0, 2000.0, 20.0)
    lons, lats = numbers.uniform(113.29, 113.31, 60), numbers.uniform(23.09, 23.11, 60)
    ranges = numbers.uniform(80, 500, 60)
    devices = [Device(LonLat(lon, lat), reach) for lon, lat, reach in zip(lons, lats, ranges, strict=True)]
    seen = footprints([*devices, Device(LonLat(113.3, 23.1), 1500.0, mast_m=40.0)], plane, relief)
    assert shapely.get_num_coordinates(seen[-1]) > 1000
    return seen[:-1][~shapely.is_empty(seen[:-1])], seen[-1]


HILLS = shapely.box(-1200, -1300, 1100, 1000)


@pytest.mark.parametrize("number", [None, 5])
def test_replaced__view_of_a_thousand_corners_over_hills__as_computing_all_anew(over_hills, number):
    standing, large = over_hills
    change = Standing(standing, HILLS).replaced(number, large)
    after = np.append(standing if number is None else np.delete(standing, number), large)
    expected = Union(after, HILLS).areas_m2 - Union(standing, HILLS).areas_m2
    assert change.areas_m2 == pytest.approx(expected, abs=1e-3)
    back = Standing(after, HILLS).replaced(len(after) - 1, None if number is None else standing[number])
    assert back.areas_m2 == pytest.approx(-expected, abs=1e-3)


def test_replaced__outlines_that_cannot_be_told_apart_in_one_place__answered_from_shapes_there(over_hills, monkeypatch):
    standing, large = over_hills
    spot, asked = large.representative_point(), []

    def blind(one, cells, area, levels, *room):
        if area.distance(spot) < 1:
            asked.append(area)
            return None
        return seen_within(one, cells, area, levels, *room)

    expected = Standing(standing, HILLS).replaced(5, large).areas_m2
    monkeypatch.setattr(what_if, "seen_within", blind)
    assert Standing(standing, HILLS).replaced(5, large).areas_m2 == pytest.approx(expected, abs=1e-3)
    assert asked
