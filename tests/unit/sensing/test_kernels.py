"""Loops over pixels say what the plain arithmetic says."""

from __future__ import annotations

import numpy as np
import pytest

from sensing import kernels

SHAPES = [(1, 1), (2, 3), (5, 1), (40, 700)]


def summed(plane: np.ndarray, radius: int) -> np.ndarray:
    """Sums over squares, beyond whose rim there are zeros."""
    padded = np.pad(plane.astype(np.int64), radius)
    rows, columns = plane.shape
    reach = range(2 * radius + 1)
    return sum(padded[down : down + rows, along : along + columns] for down in reach for along in reach)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("void_share", [0.0, 0.001, 0.5, 1.0])
def test_mean_of_nine__is_the_mean_of_valid_neighbours(shape, void_share):
    rng = np.random.default_rng(3)
    plane = rng.integers(-100_000, 100_001, shape).astype(np.int32)
    valid = (rng.random(shape) >= void_share).astype(np.uint8)
    expected = np.rint(summed(plane * valid, 1) / np.maximum(summed(valid, 1), 1))
    assert (kernels.mean_of_nine(plane, valid) == expected).all()


def test_mean_of_nine__every_remainder_of_nine__rounds_to_the_nearest():
    totals = np.array([9 * 99_999 + rest for rest in range(-9, 10)] + [9 * -99_999 + rest for rest in range(-9, 10)])
    for total in totals.tolist():
        plane = np.full((3, 3), total // 9, np.int32)
        plane.reshape(-1)[: total % 9] += 1
        assert kernels.mean_of_nine(plane, np.ones((3, 3), np.uint8))[1, 1] == round(total / 9)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("radius", [0, 1, 2, 24])
def test_crowded__counts_the_square(shape, radius):
    mask = (np.random.default_rng(4).random(shape) < 0.5).astype(np.uint8)
    for least in (1, (2 * radius + 1) ** 2 // 2 + 1, (2 * radius + 1) ** 2):
        assert (kernels.crowded(mask, radius, least) == (summed(mask, radius) >= least)).all()


def test_present__every_byte_that_occurs_and_no_other():
    codes = np.array([[0, 7, 7], [255, 0, 7]], np.uint8)
    assert np.flatnonzero(kernels.present(codes)).tolist() == [0, 7, 255]
