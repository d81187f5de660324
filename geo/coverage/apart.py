"""Footprints that no other comes near: they need no sweep."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from geo.compiled import compiled
from geo.coverage.outlines import Floats

# Cells to a footprint of middling width: with fewer, neighbours that do not touch share one more often.
_ACROSS = 3
_MOST_CELLS = 1 << 22


def apart(boxes: Floats) -> NDArray[np.bool_]:
    """Whether a box (west, south, east, north) has the cells that it touches to itself."""
    if not len(boxes):
        return np.zeros(0, dtype=bool)
    origin, size = boxes[:, :2].min(axis=0), np.ptp(boxes.reshape(-1, 2), axis=0)
    side = max(float(np.median(boxes[:, 2] - boxes[:, 0])) / _ACROSS, math.sqrt(size.prod() / _MOST_CELLS), 1e-3)
    cells = np.floor((boxes - np.tile(origin, 2)) / side).astype(np.int64)
    counts = np.zeros(cells[:, 2:].max(axis=0) + 1, np.int32)
    return _apart(cells, counts)


@compiled
def _apart(cells: NDArray[np.int64], counts: NDArray[np.int32]) -> NDArray[np.bool_]:
    for i in range(len(cells)):
        counts[cells[i, 0] : cells[i, 2] + 1, cells[i, 1] : cells[i, 3] + 1] += 1
    alone = np.ones(len(cells), np.bool_)
    for i in range(len(cells)):
        for column in range(cells[i, 0], cells[i, 2] + 1):
            for row in range(cells[i, 1], cells[i, 3] + 1):
                if counts[column, row] > 1:
                    alone[i] = False
    return alone
