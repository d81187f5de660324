"""Footprints that no other comes near: they need no sweep."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from geo.compiled import compiled
from geo.coverage.outlines import Floats, Ints

_MOST_CELLS = 1 << 21
# Boxes nearer than this count as touching: footprints grow by less than a thousandth of it.
_NEAR_M = 1e-3


def apart(boxes: Floats) -> NDArray[np.bool_]:
    """Whether a box (west, south, east, north) touches no other."""
    if not len(boxes):
        return np.zeros(0, dtype=bool)
    origin, size = boxes[:, :2].min(axis=0), np.ptp(boxes.reshape(-1, 2), axis=0)
    cells = min(len(boxes), _MOST_CELLS)
    side = max(float(np.median(boxes[:, 2] - boxes[:, 0])), math.sqrt(size.prod() / cells), size.max() / cells, 1e-3)
    within = np.floor((boxes - np.tile(origin, 2)) / side).astype(np.int64)
    columns, rows = within[:, 2:].max(axis=0) + 1
    return _apart(boxes, within, int(columns), int(rows))


@compiled
def _apart(boxes: Floats, within: Ints, columns: int, rows: int) -> NDArray[np.bool_]:
    starts = np.zeros(columns * rows + 1, np.int64)
    for i in range(len(boxes)):
        for column in range(within[i, 0], within[i, 2] + 1):
            for row in range(within[i, 1], within[i, 3] + 1):
                starts[column * rows + row + 1] += 1
    starts = np.cumsum(starts)
    held, at, alone = np.empty(starts[-1], np.int64), starts[:-1].copy(), np.ones(len(boxes), np.bool_)
    # Each is held against those before it: who touches whom is found once, and of many that touch one is enough.
    for i in range(len(boxes)):
        west, south, east, north = boxes[i]
        for column in range(within[i, 0], within[i, 2] + 1):
            for row in range(within[i, 1], within[i, 3] + 1):
                k = column * rows + row
                for q in range(starts[k], at[k]):
                    j = held[q]
                    if (alone[i] or alone[j]) and not (
                        boxes[j, 0] > east + _NEAR_M
                        or boxes[j, 2] < west - _NEAR_M
                        or boxes[j, 1] > north + _NEAR_M
                        or boxes[j, 3] < south - _NEAR_M
                    ):
                        alone[i] = alone[j] = False
                held[at[k]] = i
                at[k] += 1
    return alone
