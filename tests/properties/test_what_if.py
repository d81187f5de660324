"""What one change does to coverage is the difference of two whole computations."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.coverage.union import Union
from geo.coverage.what_if import Standing

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
