"""A grid over footprints: which edges pass through a cell, and how many footprints hold all of it.

Every question about a point or an edge is then asked of the few edges of its own cells. The size of the cells
decides how long that takes, and nothing else.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geo.compiled import compiled, inlined
from geo.coverage.outlines import UNIT_M, Floats, Ints, Outlines, extent

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
# A pair is a cell and what it holds in one number.
_HALF = 32
_HELD = (1 << _HALF) - 1


class Frame(NamedTuple):
    """A grid of square cells: its lower left corner, the side of a cell in metres and one over it, and its size."""

    left: float
    bottom: float
    side_m: float
    per_m: float
    rows: int
    columns: int


class Cells(NamedTuple):
    """What each cell of a frame holds; cell number = row * columns + column.

    `full` counts the footprints that hold the whole cell. The edges that pass through cell c are
    edges[edge_starts[c]:edge_starts[c + 1]]; the footprints whose outline does, as footprint * 2 + (1 where
    it holds the point of reference), are touching[touch_starts[c]:touch_starts[c + 1]]; both in rising order.
    """

    frame: Frame
    full: Counts
    edge_starts: Ints
    edges: Counts
    touch_starts: Ints
    touching: Counts


class _Part(NamedTuple):
    """What some footprints bring into the cells: per cell, and as pairs in rising order of what is held."""

    full: Counts
    edge_counts: Counts
    touch_counts: Counts
    edges: Ints
    touching: Ints


def frame_of(one: Outlines) -> Frame:
    """A frame around outlines."""
    x, y, rings = one.x, one.y, one.starts[:-1]
    least, most = np.minimum.reduceat, np.maximum.reduceat
    boxes = np.column_stack([least(x, rings), least(y, rings), most(x, rings), most(y, rings)]) * UNIT_M
    seen = int(one.rings_of(np.array([len(one.weight) - 1]))[0])
    return frame_around(boxes[:seen], boxes[seen:], int(one.starts[seen]))


def frame_around(boxes: Floats, ground: Floats, corners: int, side_m: float | None = None) -> Frame:
    """A frame around boxes, of so many corners, and the ground's; where boxes lie, its cells hold about two edges."""
    seen, cells = boxes if len(boxes) else ground, max(corners / _EDGES_PER_CELL, 1)
    west, south, east, north = extent(seen)
    fitting = max(
        math.sqrt((east - west) * (north - south) / cells), float(np.median(seen[:, 2] - seen[:, 0])) / _ACROSS
    )
    west, south, east, north = extent(np.array([extent(seen), extent(ground)]))
    left, bottom = west - _RIM_M, south - _RIM_M
    width, height = east + _RIM_M - left, north + _RIM_M - bottom
    side = max(side_m or fitting, _SMALLEST_CELL_M, math.sqrt(width * height / _MOST_CELLS))
    return Frame(left, bottom, side, 1 / side, int(height / side) + 1, int(width / side) + 1)


def cells_of(one: Outlines, frame: Frame, threads: int = 1) -> Cells:
    """Sorts edges and footprints into the cells of a frame around them, footprints shared out between threads."""
    size = frame.rows * frame.columns
    bounds = one.rings_of(np.linspace(0, len(one.weight), threads + 1).astype(np.int64))

    def taken(number: int) -> _Part:
        full, edge_counts, touch_counts = (np.zeros(size, np.int32) for _ in range(3))
        pairs = _sort_in(one, frame, bounds[number], bounds[number + 1], full, edge_counts, touch_counts)
        return _Part(full, edge_counts, touch_counts, *pairs)

    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(taken, range(threads)))
        edge_starts, edge_at = _starts([part.edge_counts for part in parts])
        touch_starts, touch_at = _starts([part.touch_counts for part in parts])
        edges, touching = np.empty(edge_starts[-1], np.int32), np.empty(touch_starts[-1], np.int32)
        jobs = [pool.submit(_put_in, part.edges, at, edges) for part, at in zip(parts, edge_at, strict=True)]
        jobs += [pool.submit(_put_in, part.touching, at, touching) for part, at in zip(parts, touch_at, strict=True)]
        for job in jobs:
            job.result()
    full = parts[0].full
    for part in parts[1:]:
        full += part.full
    return Cells(frame, full, edge_starts, edges, touch_starts, touching)


def _starts(counts: list[Counts]) -> tuple[Ints, list[Ints]]:
    """Where the list of each cell begins, and where in it each part writes."""
    starts = np.zeros(len(counts[0]) + 1, np.int64)
    np.cumsum(sum(counts[1:], counts[0]), out=starts[1:])
    at = [starts[:-1].copy()]
    for before in counts[:-1]:
        at.append(at[-1] + before)
    return starts, at


@inlined
def span(low: float, high: float, origin: float, per_m: float, most: int) -> tuple[int, int]:
    """First and last of `most` cells from `origin` on that touch [low, high] or come within SLACK_M of it."""
    first = int((low - SLACK_M - origin) * per_m)
    last = int((high + SLACK_M - origin) * per_m)
    return min(max(first, 0), most - 1), min(max(last, 0), most - 1)


@inlined
def row_span(y0: float, y1: float, frame: Frame) -> tuple[int, int]:
    """First and last row that an edge touches."""
    return span(min(y0, y1), max(y0, y1), frame.bottom, frame.per_m, frame.rows)


@inlined
def column_span(x0: float, y0: float, x1: float, y1: float, row: int, frame: Frame) -> tuple[int, int]:
    """First and last column that an edge touches within a row."""
    a, b = x0, x1
    if y0 != y1:
        low = frame.bottom + row * frame.side_m - SLACK_M
        high = low + frame.side_m + 2 * SLACK_M
        down, up = min(y0, y1), max(y0, y1)
        if low > down or high < up:
            slope = (x1 - x0) / (y1 - y0)
            a = x0 + (max(low, down) - y0) * slope
            b = x0 + (min(high, up) - y0) * slope
    return span(min(a, b), max(a, b), frame.left, frame.per_m, frame.columns)


@compiled
def _longer(pairs: Ints) -> Ints:
    more = np.empty(2 * len(pairs), np.int64)
    more[: len(pairs)] = pairs
    return more


@compiled
def _put_in(pairs: Ints, at: Ints, lists: Counts) -> None:
    """Writes what each pair holds to its cell's next place."""
    for pair in pairs:
        k = pair >> _HALF
        lists[at[k]] = pair & _HELD
        at[k] += 1


@compiled
def _sort_in(  # noqa: PLR0913 - what a call hands over as plain arrays costs nothing
    one: Outlines, frame: Frame, begin: int, end: int, full: Counts, edge_counts: Counts, touch_counts: Counts
) -> tuple[Ints, Ints]:
    """Pairs of cells and edges, and of cells and footprints, for the footprints of some rings."""
    x, y, starts, footprint = one.x, one.y, one.starts, one.footprint
    edges, touching = np.empty(3 * (starts[end] - starts[begin]) + 16, np.int64), np.empty(1024, np.int64)
    n, m, ring = 0, 0, begin
    while ring < end:
        first, p = ring, footprint[starts[ring]]
        while ring < end and footprint[starts[ring]] == p:
            ring += 1
        lo, hi = starts[first], starts[ring]
        c0, c1 = span(x[lo:hi].min() * UNIT_M, x[lo:hi].max() * UNIT_M, frame.left, frame.per_m, frame.columns)
        r0, r1 = span(y[lo:hi].min() * UNIT_M, y[lo:hi].max() * UNIT_M, frame.bottom, frame.per_m, frame.rows)
        # How the number of crossings changes from column to column, twice; the last bit marks touched cells.
        marks = np.zeros((r1 - r0 + 1, c1 - c0 + 1), np.int32)
        for r in range(first, ring):
            edges, n = _trace(x, y, starts[r], starts[r + 1] - 1, frame, r0, c0, marks, edge_counts, edges, n)
        while m + marks.size > len(touching):
            touching = _longer(touching)
        m = _read(p, one.weight[p], frame, r0, c0, marks, full, touch_counts, touching, m)
    return edges[:n], touching[:m]


@compiled
def _trace(  # noqa: PLR0913
    x: Ints,
    y: Ints,
    first: int,
    last: int,
    frame: Frame,
    r0: int,
    c0: int,
    marks: Counts,
    counts: Counts,
    pairs: Ints,
    n: int,
) -> tuple[Ints, int]:
    """Marks the cells of a ring's edges, and where to the east of each the points of reference lie inside."""
    for e in range(first, last):
        x0, y0, x1, y1 = x[e] * UNIT_M, y[e] * UNIT_M, x[e + 1] * UNIT_M, y[e + 1] * UNIT_M
        a, b = row_span(y0, y1, frame)
        for r in range(a, b + 1):
            f, t = column_span(x0, y0, x1, y1, r, frame)
            while n + t - f >= len(pairs):
                pairs = _longer(pairs)
            for c in range(f, t + 1):
                marks[r - r0, c - c0] |= 1
                k = r * frame.columns + c
                pairs[n] = (k << _HALF) | e
                counts[k] += 1
                n += 1
            level = frame.bottom + (r + REFERENCE) * frame.side_m
            if (y0 > level) != (y1 > level):
                # The inside is on the left of an edge: east of one that goes down.
                east = (x0 + (level - y0) / (y1 - y0) * (x1 - x0) - frame.left) / frame.side_m
                c = max(math.ceil(east - REFERENCE) - c0, 0)
                if c < marks.shape[1]:
                    marks[r - r0, c] += 2 if y1 < y0 else -2
    return pairs, n


@compiled
def _read(  # noqa: PLR0913
    p: int,
    weight: int,
    frame: Frame,
    r0: int,
    c0: int,
    marks: Counts,
    full: Counts,
    counts: Counts,
    touching: Ints,
    m: int,
) -> int:
    """Lists footprint p for the cells that its outline touches; counts it for those that it holds."""
    for r in range(marks.shape[0]):
        inside = 0
        for c in range(marks.shape[1]):
            inside += marks[r, c] >> 1
            k = (r + r0) * frame.columns + c + c0
            if marks[r, c] & 1:
                touching[m] = (k << _HALF) | (p * 2 + (1 if inside > 0 else 0))
                counts[k] += 1
                m += 1
            elif inside > 0:
                full[k] += weight
    return m
