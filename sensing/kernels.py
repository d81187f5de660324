"""Loops over pixels, compiled to machine code: the same arithmetic as numpy, without its passes over memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

P = ParamSpec("P")
R = TypeVar("R")
Ints = NDArray[np.int32]
Wide = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Flags = NDArray[np.bool_]


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """A function that is compiled when it is first called; kept on disk where there is a place to keep it.

    No arithmetic is reordered or fused, so results have the bits that the written order gives.
    """
    try:
        made: Callable[P, R] = njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:  # a read-only installation without a home
        made = njit(nogil=True, error_model="numpy")(function)
    return made


@compiled
def contrast(one: int, other: int) -> float:
    """(one - other) / (one + other) in [-1, 1]; 0 below a hundredth of full scale, where the sensor's noise decides."""
    total = float(one) + float(other)
    if total <= 100.0:
        return 0.0
    return min(max((one - other) / total, -1.0), 1.0)


@compiled
def excess_green(red: int, green: int, blue: int) -> float:
    """(2G - R - B) / (R + G + B)."""
    return (2.0 * green - red - blue) / max(float(red) + green + blue, 1.0)


@compiled
def saturation(red: int, green: int, blue: int) -> float:
    """(max - min) / max."""
    high = max(max(red, green, blue), 1.0)
    return (high - min(min(red, green, blue), high)) / high


@compiled
def box_sum(plane: Wide, radius: int) -> Wide:
    """The sum over a square of 2 * radius + 1 pixels; beyond the rim there are zeros."""
    rows, width = plane.shape
    out, column = np.empty((rows, width), np.int64), np.zeros(width, np.int64)
    for row in range(min(radius, rows)):
        column += plane[row]
    for row in range(rows):
        if row + radius < rows:
            column += plane[row + radius]
        if row - radius - 1 >= 0:
            column -= plane[row - radius - 1]
        total = np.int64(0)
        for x in range(min(radius, width)):
            total += column[x]
        for x in range(width):
            if x + radius < width:
                total += column[x + radius]
            if x - radius - 1 >= 0:
                total -= column[x - radius - 1]
            out[row, x] = total
    return out


@compiled
def crowded(mask: Bytes, radius: int, least: int) -> Flags:
    """Whether a square of 2 * radius + 1 pixels around each pixel holds at least so many that are set."""
    rows, width = mask.shape
    out, column = np.empty((rows, width), np.bool_), np.zeros(width, np.int32)
    # What lies left of each pixel, with nothing on either side.
    left_of = np.zeros(width + 2 * radius + 1, np.int32)
    for row in range(min(radius, rows)):
        _add(mask[row], np.int32(1), column)
    for row in range(rows):
        if row + radius < rows:
            _add(mask[row + radius], np.int32(1), column)
        if row - radius - 1 >= 0:
            _add(mask[row - radius - 1], np.int32(-1), column)
        total = np.int32(0)
        for x in range(width):
            total = np.int32(total + column[x])
            left_of[radius + 1 + x] = total
        left_of[radius + 1 + width :] = total
        _enough(left_of[:width], left_of[2 * radius + 1 :], np.int32(least), out[row])
    return out


@compiled
def _add(values: Bytes, sign: np.int32, column: Ints) -> None:
    for x in range(values.size):
        column[x] = np.int32(column[x] + sign * np.int32(values[x]))


@compiled
def _enough(first: Ints, last: Ints, least: np.int32, out: Flags) -> None:
    for x in range(out.size):
        out[x] = np.int32(last[x] - first[x]) >= least


# So many pixels of a row are looked at together: where all of them count, no count is needed.
_RUN_PX = 512


@compiled
def mean_of_nine(plane: Ints, valid: Bytes) -> Ints:
    """The mean of the valid pixels of a square of three to the nearest whole number (halves to even); 0 without any.

    Exact up to 100,000 on either side of zero: a ninth in single precision is wrong by less than what parts a mean of
    nine from a half.
    """
    rows, width = plane.shape
    out = np.empty((rows, width), np.int32)
    # One more on either side, where there is nothing.
    column, count = np.zeros(width + 2, np.int32), np.zeros(width + 2, np.int32)
    void = np.zeros(width, np.uint8)
    for row in range(rows):
        above, below = max(row - 1, 0), min(row + 1, rows - 1)
        over, under = valid[above] if row else void, valid[below] if row < rows - 1 else void
        _three(plane[above], over, plane[row], valid[row], plane[below], under, column[1:-1], count[1:-1])
        for first in range(0, width, _RUN_PX):
            end = min(first + _RUN_PX, width)
            left, here, right = column[first:end], column[first + 1 : end + 1], column[first + 2 : end + 2]
            if count[first : end + 2].sum() == 3 * (end + 2 - first):
                _ninths(left, here, right, out[row, first:end])
            else:
                counts = count[first:end], count[first + 1 : end + 1], count[first + 2 : end + 2]
                _shares(left, here, right, counts, out[row, first:end])
    return out


@compiled
def _three(  # noqa: PLR0913 - three rows with what counts in them, and what they come to
    a: Ints, of_a: Bytes, b: Ints, of_b: Bytes, c: Ints, of_c: Bytes, total: Ints, count: Ints
) -> None:
    for x in range(total.size):
        in_a, in_b, in_c = np.int32(of_a[x]), np.int32(of_b[x]), np.int32(of_c[x])
        total[x] = np.int32(a[x] * in_a + b[x] * in_b + c[x] * in_c)
        count[x] = np.int32(in_a + in_b + in_c)


@compiled
def _ninths(left: Ints, here: Ints, right: Ints, out: Ints) -> None:
    ninth = np.float32(1.0 / 9.0)
    for x in range(out.size):
        out[x] = np.int32(np.rint(np.float32(np.int32(left[x] + here[x] + right[x])) * ninth))


@compiled
def _shares(left: Ints, here: Ints, right: Ints, counts: tuple[Ints, Ints, Ints], out: Ints) -> None:
    before, among, after = counts
    for x in range(out.size):
        count = max(before[x] + among[x] + after[x], 1)
        out[x] = np.int32(np.rint(float(left[x] + here[x] + right[x]) / float(count)))


@compiled
def scale(raw: NDArray[np.generic], factor: float, most: int, out: Ints) -> None:
    """Raw numbers times a factor as the nearest whole numbers, held within -most and most; 0 for what is no number."""
    for y in range(raw.shape[0]):
        for x in range(raw.shape[1]):
            value = np.rint(raw[y, x] * factor)
            if value != value:
                value = 0.0
            out[y, x] = np.int32(min(max(value, -float(most)), float(most)))


@compiled
def toned(row: Ints, gain: float, offset: float) -> Ints:
    """Whole numbers times a gain plus an offset, as the nearest whole numbers."""
    out = np.empty(row.size, np.int32)
    for i in range(row.size):
        out[i] = np.int32(np.rint(row[i] * gain + offset))
    return out


@compiled
def present(codes: Bytes) -> Flags:
    """For every byte there can be, whether it occurs in a plane."""
    found = np.zeros(256, np.bool_)
    for row in range(codes.shape[0]):
        for column in range(codes.shape[1]):
            found[codes[row, column]] = True
    return found
