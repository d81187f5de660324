"""The ground seen at least k times, by GEOS: two halves of the footprints, and then what both see together."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

Shapes = NDArray[np.object_]

_NOTHING = shapely.Polygon()


def by_halves(footprints: Shapes, levels: int) -> list[BaseGeometry]:
    """What is seen at least 1, 2, ... `levels` times; slow beside the sweep, and sure of any valid footprints.

    Seen at least k times is what one half sees i times and the other k - i times, for any i. A cascaded union
    is the case of one level.
    """
    if not len(footprints):
        return [_NOTHING] * levels
    # Neighbours first: what overlaps is then put together while it is small.
    order = np.concatenate(_leaves(shapely.bounds(footprints), np.arange(len(footprints))))
    return _together([[shape, *[_NOTHING] * (levels - 1)] for shape in footprints[order]])


def _leaves(boxes: NDArray[np.float64], some: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    if len(some) <= 1:
        return [some]
    middles = (boxes[some, :2] + boxes[some, 2:]) / 2
    axis = int(np.argmax(np.ptp(middles, axis=0)))
    order = some[np.argsort(middles[:, axis], kind="stable")]
    half = len(order) // 2
    return [*_leaves(boxes, order[:half]), *_leaves(boxes, order[half:])]


def _together(parts: list[list[BaseGeometry]]) -> list[BaseGeometry]:
    while len(parts) > 1:
        pairs = [_both(one, other) for one, other in zip(parts[::2], parts[1::2], strict=False)]
        parts = pairs + parts[2 * len(pairs) :]
    return parts[0]


def _both(one: list[BaseGeometry], other: list[BaseGeometry]) -> list[BaseGeometry]:
    levels = []
    for k in range(1, len(one) + 1):
        terms = [one[k - 1], other[k - 1], *(one[i - 1].intersection(other[k - i - 1]) for i in range(1, k))]
        levels.append(shapely.union_all([term for term in terms if not term.is_empty]))
    return levels
