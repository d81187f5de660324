"""Footprints that no other comes near: they need no sweep."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from geo.compiled import compiled, inlined
from geo.coverage.outlines import Floats, Ints, extent

_MOST_CELLS = 1 << 21
# Boxes nearer than this count as touching: footprints grow by less than a thousandth of it.
_NEAR_M = 1e-3


def apart(boxes: Floats) -> NDArray[np.bool_]:
    """Whether a box (west, south, east, north) touches no other."""
    if not len(boxes):
        return np.zeros(0, dtype=bool)
    west, south, east, north = extent(boxes)
    width, height, cells = east - west, north - south, min(len(boxes), _MOST_CELLS)
    side = max(
        float(np.median(boxes[:, 2] - boxes[:, 0])), math.sqrt(width * height / cells), max(width, height) / cells, 1e-3
    )
    within = np.floor((boxes - (west, south, west, south)) / side).astype(np.int64)
    return _apart(boxes, within, int(within[:, 2].max()) + 1, int(within[:, 3].max()) + 1)


@compiled
def _apart(boxes: Floats, within: Ints, columns: int, rows: int) -> NDArray[np.bool_]:
    starts = np.zeros(columns * rows + 1, np.int64)
    for i in range(len(boxes)):
        for column in range(within[i, 0], within[i, 2] + 1):
            for row in range(within[i, 1], within[i, 3] + 1):
                starts[column * rows + row + 1] += 1
    starts = np.cumsum(starts)
    held, alone = np.empty(starts[-1], np.int64), np.ones(len(boxes), np.bool_)
    # In each cell those first that touch another, then, from `single` on, those that may still be alone.
    at, single = starts[:-1].copy(), starts[:-1].copy()
    # Each is held against those before it: who touches whom is found once, and of many that touch one is enough.
    for i in range(len(boxes)):
        for column in range(within[i, 0], within[i, 2] + 1):
            for row in range(within[i, 1], within[i, 3] + 1):
                k = column * rows + row
                # Whoever has met one needs to be held against those alone that have not.
                q = starts[k] if alone[i] else single[k]
                while q < at[k]:
                    j = held[q]
                    if (alone[i] or alone[j]) and _touch(boxes, i, j):
                        alone[i] = alone[j] = False
                        q = max(q, single[k] - 1)
                    if q >= single[k] and not alone[j]:
                        held[q], held[single[k]] = held[single[k]], j
                        single[k] += 1
                    q += 1
                held[at[k]] = i
                at[k] += 1
    return alone


@inlined
def _touch(boxes: Floats, i: int, j: int) -> bool:
    """Whether two boxes touch, or come nearer than _NEAR_M."""
    return not (
        boxes[j, 0] > boxes[i, 2] + _NEAR_M
        or boxes[j, 2] < boxes[i, 0] - _NEAR_M
        or boxes[j, 1] > boxes[i, 3] + _NEAR_M
        or boxes[j, 3] < boxes[i, 1] - _NEAR_M
    )
