"""Questions go where doubt covers ground, not to the single worst pixel."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sensing.learn.asking import DOUBTFUL, segments
from sensing.learn.deciding import CERTAIN


def plane(height: int = 40, width: int = 50) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((height, width), np.uint8), np.ones((height, width), np.bool_)


def test_segments__known_answer__sum_of_doubt_and_the_deepest_pixel():
    doubt, valid = plane()
    doubt[10:15, 20:29] = 150
    doubt[30, 30] = CERTAIN
    first, second = segments(doubt, valid)
    assert (first.row, first.pixels, first.doubt) == (12, 45, 45 * 0.75)
    assert 22 <= first.column <= 26
    assert (second.row, second.column, second.pixels, second.doubt) == (30, 30, 1, 1.0)


def test_segments__settled_or_void__nothing_is_asked():
    doubt, valid = plane()
    doubt[:] = DOUBTFUL - 1
    assert segments(doubt, valid) == []
    doubt[:] = CERTAIN
    assert segments(doubt, np.zeros_like(valid)) == []


def test_segments__corners_do_not_connect():
    doubt, valid = plane(4, 4)
    doubt[:2, :2] = doubt[2:, 2:] = 160
    assert [one.pixels for one in segments(doubt, valid)] == [4, 4]


def test_segments__equal_sums__the_first_comes_first():
    doubt, valid = plane(9, 9)
    doubt[1, 1] = doubt[7, 7] = 160
    assert [(one.row, one.column) for one in segments(doubt, valid)] == [(1, 1), (7, 7)]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 25), st.integers(1, 25))
def test_segments__cover_all_doubt_once_and_stand_inside_it(seed, height, width):
    rng = np.random.default_rng(seed)
    doubt = rng.integers(0, CERTAIN + 1, (height, width)).astype(np.uint8)
    valid = rng.random((height, width)) < 0.8
    unsure = valid & (doubt >= DOUBTFUL)
    found = segments(doubt, valid)
    assert sum(one.pixels for one in found) == unsure.sum()
    assert np.isclose(sum(one.doubt for one in found), doubt[unsure].sum() / CERTAIN)
    assert all(unsure[one.row, one.column] for one in found)
    assert [one.doubt for one in found] == sorted((one.doubt for one in found), reverse=True)
