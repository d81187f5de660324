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
    few = np.int32(least)
    for row in range(min(radius, rows)):
        column += mask[row]
    for row in range(rows):
        if row + radius < rows:
            column += mask[row + radius]
        if row - radius - 1 >= 0:
            column -= mask[row - radius - 1]
        _slide(column, radius, few, out[row])
    return out


@compiled
def _slide(column: Ints, radius: int, least: np.int32, out: Flags) -> None:
    width, total = column.size, np.int32(0)
    for x in range(min(radius, width)):
        total += column[x]
    for x in range(width):
        if x + radius < width:
            total += column[x + radius]
        if x - radius - 1 >= 0:
            total -= column[x - radius - 1]
        out[x] = total >= least


@compiled
def box_mean(plane: Ints, valid: Bytes, radius: int) -> Ints:
    """The mean of the valid pixels of a square to the nearest whole number (halves to even); 0 where there are none."""
    rows, width = plane.shape
    out = np.empty((rows, width), np.int32)
    column, count = np.zeros(width, np.int64), np.zeros(width, np.int64)
    for row in range(min(radius, rows)):
        _add(plane[row], valid[row], 1, column, count)
    for row in range(rows):
        if row + radius < rows:
            _add(plane[row + radius], valid[row + radius], 1, column, count)
        if row - radius - 1 >= 0:
            _add(plane[row - radius - 1], valid[row - radius - 1], -1, column, count)
        _means(column, count, radius, out[row])
    return out


@compiled
def _add(values: Ints, valid: Bytes, sign: int, column: Wide, count: Wide) -> None:
    for x in range(values.size):
        column[x] += sign * (values[x] if valid[x] else 0)
        count[x] += sign * valid[x]


@compiled
def _means(column: Wide, count: Wide, radius: int, out: Ints) -> None:
    width, total, number = column.size, np.int64(0), np.int64(0)
    for x in range(min(radius, width)):
        total += column[x]
        number += count[x]
    for x in range(width):
        if x + radius < width:
            total += column[x + radius]
            number += count[x + radius]
        if x - radius - 1 >= 0:
            total -= column[x - radius - 1]
            number -= count[x - radius - 1]
        out[x] = np.int32(np.rint(float(total) / float(max(number, np.int64(1)))))


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
