"""Whatever several changes do at once is the difference of two whole computations, in whatever order they are told."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from geo.coverage.footprints import Device, Relief, footprints
from geo.coverage.plane import Plane
from geo.coverage.union import Union
from geo.coverage.what_if import Standing
from geo.types import LonLat

PLANE = Plane(LonLat(113.3, 23.1))
STAND, CELL_M, HALF_M = 60, 20.0, 2000.0
SQUARE = shapely.box(-1200, -1300, 1100, 1000)
# Ground in many pieces, as homes are, one with a zone in its middle that is not looked at.
HOMES = shapely.multipolygons(
    [
        shapely.box(x, y, x + 130, y + 90).difference(shapely.box(x + 40, y + 30, x + 60, y + 55))
        for x in range(-1100, 1000, 260)
        for y in range(-1100, 900, 210)
    ]
)
# Of the whole ground's area, as it is promised.
PART = 1e-9


def devices(numbers, count):
    lons, lats = numbers.uniform(113.29, 113.31, count), numbers.uniform(23.09, 23.11, count)
    reach, wide = numbers.uniform(80, 600, count), numbers.uniform(30, 200, count)
    return [
        Device(LonLat(*at), float(far), float(numbers.uniform(0, 360)), float(angle) if angle < 150 else 360.0)
        for at, far, angle in zip(zip(lons, lats, strict=True), reach, wide, strict=True)
    ]


def hills():
    """Rough ground with holes where no height is known, none of them below a device."""
    numbers = np.random.default_rng(11)
    heights = (gaussian_filter(numbers.normal(size=(200, 200)), 2) * 60).astype(np.float32)
    for row, column in numbers.integers(20, 180, (25, 2)):
        heights[row : row + 3, column : column + 5] = np.nan
    return Relief(heights, -HALF_M, HALF_M, CELL_M)


def placed(numbers, count, relief):
    found = []
    while len(found) < count:
        for one in devices(numbers, count):
            x, y = PLANE.metres(np.array([one.at.lon]), np.array([one.at.lat]))
            row, column = int((HALF_M - y[0]) / CELL_M), int((x[0] + HALF_M) / CELL_M)
            if relief is None or np.isfinite(relief.heights[row, column]):
                found.append(one)
    return found[:count]


def raised(one):
    return Device(one.at, one.range_m, one.azimuth_deg, one.hfov_deg, one.mast_m + 30.0)


@pytest.fixture(scope="module", params=["flat", "hills"])
def scene(request):
    """Views that stand, those of the same devices on higher masts, and those at other places, some of them far."""
    relief = hills() if request.param == "hills" else None
    some = placed(np.random.default_rng(3), STAND, relief)
    far = Device(LonLat(113.3005, 23.1003), 1500.0, mast_m=40.0)
    elsewhere = [*placed(np.random.default_rng(4), STAND - 1, relief), far]
    sets = [footprints(those, PLANE, relief) for those in (some, [raised(one) for one in some], elsewhere)]
    return sets, {name: Standing(sets[0], ground) for name, ground in (("square", SQUARE), ("homes", HOMES))}


changes = st.dictionaries(
    st.integers(0, STAND - 1), st.sampled_from(["move", "take", "raise", "add"]), min_size=1, max_size=8
)


def told(sets, wishes):
    """Numbers that are taken away, and what is put there."""
    _, higher, elsewhere = sets
    taken = [number for number, kind in wishes if kind != "add"]
    put = [(higher if kind == "raise" else elsewhere)[number] for number, kind in wishes if kind != "take"]
    return taken, put


@settings(max_examples=60)
@given(changes=changes, turn=st.randoms(use_true_random=False), name=st.sampled_from(["square", "homes"]))
def test_changed__any_scenario_in_any_order__as_computing_all_anew(scene, changes, turn, name):
    sets, asked = scene
    ground = {"square": SQUARE, "homes": HOMES}[name]
    wishes = list(changes.items())
    taken, put = told(sets, wishes)
    found = asked[name].changed(taken, put).areas_m2
    after = np.array([*np.delete(sets[0], taken), *put], dtype=object)
    whole = [Union(those[~shapely.is_empty(those)], ground).areas_m2 for those in (after, sets[0])]
    assert found == pytest.approx(whole[0] - whole[1], abs=PART * ground.area)
    turn.shuffle(wishes)
    assert asked[name].changed(*told(sets, wishes)).areas_m2.tobytes() == found.tobytes()


@settings(max_examples=30)
@given(changes=changes)
def test_changed__one_after_another__adds_up_to_all_at_once(scene, changes):
    sets, asked = scene
    taken, put = told(sets, list(changes.items()))
    at_once = asked["square"].changed(taken, put).areas_m2
    standing, step_by_step = sets[0], np.zeros(3)
    for number in sorted(taken, reverse=True):
        step_by_step += Standing(standing, SQUARE).replaced(number, None).areas_m2
        standing = np.delete(standing, number)
    for shape in put:
        step_by_step += Standing(standing, SQUARE).replaced(None, shape).areas_m2
        standing = np.append(standing, shape)
    assert at_once == pytest.approx(step_by_step, abs=PART * SQUARE.area)


def test_changed__many_on_one_pole__each_counts_once(scene):
    sets, asked = scene
    pole = [sets[2][-1]] * 4 + [sets[1][0], sets[1][0]]
    found = asked["square"].changed([0], pole).areas_m2
    after = np.array([*sets[0][1:], *pole], dtype=object)
    whole = [Union(those[~shapely.is_empty(those)], SQUARE).areas_m2 for those in (after, sets[0])]
    assert found == pytest.approx(whole[0] - whole[1], abs=PART * SQUARE.area)


def test_changed__number_told_twice__is_taken_once(scene):
    asked = scene[1]["square"]
    assert asked.changed([7, 7], []).areas_m2.tobytes() == asked.changed([7], []).areas_m2.tobytes()


def test_changed__device_far_from_all_ground__changes_nothing(scene):
    far = shapely.Point(9_000, 9_000).buffer(50)
    assert scene[1]["homes"].changed([], [far]).areas_m2.tolist() == [0, 0, 0]
