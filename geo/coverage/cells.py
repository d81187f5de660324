"""A grid over footprints: which edges pass through a cell, and how many footprints hold all of it.

Every question about a point or an edge is then asked of the few edges of its own cells. The size of the cells
decides how long that takes, and nothing else.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geo.compiled import compiled, inlined
from geo.coverage.outlines import UNIT_M, Ints, Outlines

Counts = NDArray[np.int32]

# Where in its cell the point of reference lies: at no place where round coordinates put a corner.
REFERENCE = 0.41421356
# An edge counts for the cells that it passes this near to; far more than rounding moves it, in metres.
SLACK_M = 1e-5
_EDGES_PER_CELL = 2.0
_ACROSS = 8
_MOST_CELLS = 1 << 22
_SMALLEST_CELL_M = 1.0
_RIM_M = 1.0


class Frame(NamedTuple):
    """A grid of square cells: its lower left corner, the side of a cell in metres, and its size."""

    left: float
    bottom: float
    side_m: float
    rows: int
    columns: int


class Cells(NamedTuple):
    """What each cell of a frame holds; cell number = row * columns + column.

    `full` counts the footprints that hold the whole cell. The edges that pass through cell c are
    edges[edge_starts[c]:edge_starts[c + 1]]; the footprints whose outline does, as footprint * 2 + (1 where
    it holds the point of reference), are touching[touch_starts[c]:touch_starts[c + 1]].
    """

    frame: Frame
    full: Counts
    edge_starts: Ints
    edges: Ints
    touch_starts: Ints
    touching: Ints


class _Lists(NamedTuple):
    """Where the next edge and the next footprint of each cell are written."""

    full: Counts
    edge_at: Ints
    edges: Ints
    touch_at: Ints
    touching: Ints


def frame_of(one: Outlines, side_m: float | None = None) -> Frame:
    """A frame around all; where footprints lie, its cells hold about two of their edges."""
    ring_footprint = one.footprint[one.starts[:-1]]
    seen = one.starts[np.searchsorted(ring_footprint, len(one.weight) - 1)]
    cells = max(seen / _EDGES_PER_CELL, 1)
    seen = seen or len(one.x)
    widths = np.maximum.reduceat(one.x, one.starts[:-1]) - np.minimum.reduceat(one.x, one.starts[:-1])
    spread = float(np.ptp(one.x[:seen])) * float(np.ptp(one.y[:seen])) * UNIT_M**2
    fitting = max(math.sqrt(spread / cells), float(np.median(widths)) * UNIT_M / _ACROSS)
    left, bottom = float(one.x.min()) * UNIT_M - _RIM_M, float(one.y.min()) * UNIT_M - _RIM_M
    width, height = float(one.x.max()) * UNIT_M + _RIM_M - left, float(one.y.max()) * UNIT_M + _RIM_M - bottom
    side = max(side_m or fitting, _SMALLEST_CELL_M, math.sqrt(width * height / _MOST_CELLS))
    return Frame(left, bottom, side, int(height / side) + 1, int(width / side) + 1)


def cells_of(one: Outlines, frame: Frame) -> Cells:
    """Sorts edges and footprints into the cells of a frame around them."""
    size = frame.rows * frame.columns
    nothing, full = np.empty(0, np.int64), np.zeros(size, np.int32)
    counts = _Lists(full, np.zeros(size, np.int64), nothing, np.zeros(size, np.int64), nothing)
    _sort_in(one, frame, counts, False)
    edge_starts, touch_starts = _starts(counts.edge_at), _starts(counts.touch_at)
    edges, touching = np.empty(edge_starts[-1], np.int64), np.empty(touch_starts[-1], np.int64)
    _sort_in(one, frame, _Lists(full, edge_starts[:-1].copy(), edges, touch_starts[:-1].copy(), touching), True)
    return Cells(frame, full, edge_starts, edges, touch_starts, touching)


def _starts(counts: Ints) -> Ints:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])


@inlined
def span(low: float, high: float, origin: float, side: float, most: int) -> tuple[int, int]:
    """First and last of `most` cells from `origin` on that touch [low, high] or come within SLACK_M of it."""
    first = math.floor((low - SLACK_M - origin) / side)
    last = math.floor((high + SLACK_M - origin) / side)
    return min(max(first, 0), most - 1), min(max(last, 0), most - 1)


@inlined
def row_span(y0: float, y1: float, frame: Frame) -> tuple[int, int]:
    """First and last row that an edge touches."""
    return span(min(y0, y1), max(y0, y1), frame.bottom, frame.side_m, frame.rows)


@inlined
def column_span(x0: float, y0: float, x1: float, y1: float, row: int, frame: Frame) -> tuple[int, int]:
    """First and last column that an edge touches within a row."""
    a, b = x0, x1
    if y0 != y1:
        low = frame.bottom + row * frame.side_m - SLACK_M
        high = low + frame.side_m + 2 * SLACK_M
        down, up = min(y0, y1), max(y0, y1)
        a = x0 + (min(max(low, down), up) - y0) / (y1 - y0) * (x1 - x0)
        b = x0 + (min(max(high, down), up) - y0) / (y1 - y0) * (x1 - x0)
    return span(min(a, b), max(a, b), frame.left, frame.side_m, frame.columns)


@compiled
def _sort_in(one: Outlines, frame: Frame, lists: _Lists, fill: bool) -> None:
    """Counts what falls into each cell, or (`fill`) lists it."""
    x, y, starts, footprint = one.x, one.y, one.starts, one.footprint
    ring = 0
    for p in range(len(one.weight)):
        first = ring
        while ring < len(starts) - 1 and footprint[starts[ring]] == p:
            ring += 1
        lo, hi = starts[first], starts[ring]
        c0, c1 = span(x[lo:hi].min() * UNIT_M, x[lo:hi].max() * UNIT_M, frame.left, frame.side_m, frame.columns)
        r0, r1 = span(y[lo:hi].min() * UNIT_M, y[lo:hi].max() * UNIT_M, frame.bottom, frame.side_m, frame.rows)
        # How the number of crossings changes from column to column, twice; the last bit marks touched cells.
        marks = np.zeros((r1 - r0 + 1, c1 - c0 + 1), np.int32)
        for r in range(first, ring):
            _trace(x, y, starts[r], starts[r + 1] - 1, frame, r0, c0, marks, lists, fill)
        _read(p, one.weight[p], frame, r0, c0, marks, lists, fill)


@compiled
def _trace(  # noqa: PLR0913 - what a call hands over as plain arrays costs nothing
    x: Ints,
    y: Ints,
    first: int,
    last: int,
    frame: Frame,
    r0: int,
    c0: int,
    marks: Counts,
    lists: _Lists,
    fill: bool,
) -> None:
    """Marks the cells of a ring's edges, and where to the east of each the points of reference lie inside."""
    edge_at, edges = lists.edge_at, lists.edges
    for e in range(first, last):
        x0, y0, x1, y1 = x[e] * UNIT_M, y[e] * UNIT_M, x[e + 1] * UNIT_M, y[e + 1] * UNIT_M
        a, b = row_span(y0, y1, frame)
        for r in range(a, b + 1):
            f, t = column_span(x0, y0, x1, y1, r, frame)
            for c in range(f, t + 1):
                marks[r - r0, c - c0] |= 1
                k = r * frame.columns + c
                if fill:
                    edges[edge_at[k]] = e
                edge_at[k] += 1
            level = frame.bottom + (r + REFERENCE) * frame.side_m
            if (y0 > level) != (y1 > level):
                # The inside is on the left of an edge: east of one that goes down.
                east = (x0 + (level - y0) / (y1 - y0) * (x1 - x0) - frame.left) / frame.side_m
                c = max(math.ceil(east - REFERENCE) - c0, 0)
                if c < marks.shape[1]:
                    marks[r - r0, c] += 2 if y1 < y0 else -2


@compiled
def _read(  # noqa: PLR0913
    p: int, weight: int, frame: Frame, r0: int, c0: int, marks: Counts, lists: _Lists, fill: bool
) -> None:
    """Lists footprint p for the cells that its outline touches; counts it for those that it holds."""
    full, touch_at, touching = lists.full, lists.touch_at, lists.touching
    for r in range(marks.shape[0]):
        inside = 0
        for c in range(marks.shape[1]):
            inside += marks[r, c] >> 1
            k = (r + r0) * frame.columns + c + c0
            if marks[r, c] & 1:
                if fill:
                    touching[touch_at[k]] = p * 2 + (1 if inside > 0 else 0)
                touch_at[k] += 1
            elif inside > 0 and fill:
                full[k] += weight
