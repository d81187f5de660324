"""Ground that lies deep within views, where no outline bounds anything: most footprints of a dense set need no sweep.

A footprint is dropped where it reaches into no cell that the sweep looks at. What the sweep finds is then the same in
every bit, as all that it asks of a cell is still there.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geo.compiled import compiled, inlined
from geo.coverage.cells import REFERENCE, SLACK_M, Counts, Frame
from geo.coverage.outlines import GROUND, GROWTH, Floats, Ints, corners_of

Flags = NDArray[np.bool_]
Bytes = NDArray[np.uint8]

# Counting stops there: more levels than are ever told apart.
_MOST_VIEWS = 255
# What is marked of a cell: that an edge touches it, and that the inside begins or ends there.
_TOUCHED, _TURNED = 1, 2


class Corners(NamedTuple):
    """Shapes as they were given: corners in metres, where their rings begin and end, the shape of each ring.

    `boxes` are west, south, east and north of each shape.
    """

    xy: Floats
    starts: Ints
    owner: Ints
    boxes: Floats

    @classmethod
    def of(cls, shapes: NDArray[np.object_], boxes: Floats) -> Corners:
        """The corners of valid polygons and multipolygons in metres."""
        xy, starts, owner, _ = corners_of(shapes)
        return cls(xy, np.append(starts, len(xy)), owner[starts], boxes)


def deep_cells(corners: Corners, frame: Frame, levels: int, threads: int) -> Flags:
    """The cells that at least `levels` footprints surely hold altogether."""
    bounds = np.linspace(0, len(corners.boxes), threads + 1).astype(np.int64)
    rings = np.searchsorted(corners.owner, bounds)

    def counted(number: int) -> Bytes:
        views = np.zeros(frame.rows * frame.columns, np.uint8)
        _count(corners, rings[number], rings[number + 1], frame, views)
        return views

    with ThreadPoolExecutor(threads) as pool:
        counts = list(pool.map(counted, range(threads)))
    return np.asarray(sum(counts[1:], counts[0].astype(np.int32)) >= levels)


def needed(corners: Corners, ground: Corners, frame: Frame, deep: Flags) -> Flags:
    """The footprints that come into the cells of edges that leave the deep ones, or of the ground's border."""
    looked_at, none = np.zeros(len(deep), np.bool_), np.zeros(len(deep), np.bool_)
    _look(corners, frame, deep, _summed(~deep, frame), looked_at)
    _look(ground, frame, none, _summed(~none, frame), looked_at)
    return _reaching(corners.boxes, frame, _summed(looked_at, frame))


def raise_full(full: Counts, deep: Flags, levels: int) -> None:
    """Tells those who read how many hold a cell that it is deep, where only some of its footprints were needed."""
    full[deep & ((full & (GROUND - 1)) < levels)] += levels


def _summed(cells: Flags, frame: Frame) -> Counts:
    """At each lattice point, how many of the cells below and to the left of it are marked (Crow 1984)."""
    sums: Counts = np.zeros((frame.rows + 1, frame.columns + 1), np.int32)
    np.cumsum(cells.reshape(frame.rows, frame.columns), axis=0, out=sums[1:, 1:])
    np.cumsum(sums[1:, 1:], axis=1, out=sums[1:, 1:])
    return sums


@inlined
def _slack(box: Floats, frame: Frame) -> float:
    """How far beside an edge the sweep may see it, in cells: its corners are moved before, and it has a slack too."""
    return float((2 * SLACK_M + 4 * GROWTH * max(box[2] - box[0], box[3] - box[1])) * frame.per_m)


@inlined
def _place(xy: Floats, corner: int, frame: Frame) -> tuple[float, float]:
    """Where a corner lies, in columns and rows."""
    return (xy[corner, 0] - frame.left) * frame.per_m, (xy[corner, 1] - frame.bottom) * frame.per_m


@inlined
def _span(low: float, high: float, slack: float, most: int) -> tuple[int, int]:
    return min(max(int(low - slack), 0), most - 1), min(max(int(high + slack), 0), most - 1)


@inlined
def _columns(  # noqa: PLR0913 - an edge has two corners
    u0: float, v0: float, u1: float, v1: float, slope: float, row: int, slack: float, most: int
) -> tuple[int, int]:
    """First and last column that an edge touches within a row; `slope` is how far east it leads per row."""
    a, b = u0, u1
    low, high, down, up = row - slack, row + 1 + slack, min(v0, v1), max(v0, v1)
    if low > down or high < up:
        a = u0 + (max(low, down) - v0) * slope
        b = u0 + (min(high, up) - v0) * slope
    return _span(min(a, b), max(a, b), slack, most)


@inlined
def _box_of(box: Floats, frame: Frame) -> tuple[int, int, int, int]:
    """First and last column, first and last row of a footprint."""
    x, y, slack = frame.left, frame.bottom, _slack(box, frame)
    c0, c1 = _span((box[0] - frame.left) * frame.per_m, (box[2] - x) * frame.per_m, slack, frame.columns)
    r0, r1 = _span((box[1] - frame.bottom) * frame.per_m, (box[3] - y) * frame.per_m, slack, frame.rows)
    return c0, c1, r0, r1


@compiled
def _count(corners: Corners, begin: int, end: int, frame: Frame, views: Bytes) -> None:
    """Counts for each cell the footprints of some rings that hold it altogether."""
    marks, ring = np.zeros(1024, np.uint8), begin
    while ring < end:
        p = corners.owner[ring]
        c0, c1, r0, r1 = _box_of(corners.boxes[p], frame)
        across = c1 - c0 + 1
        if across * (r1 - r0 + 1) > len(marks):
            marks = np.zeros(2 * across * (r1 - r0 + 1), np.uint8)
        while ring < end and corners.owner[ring] == p:
            _mark(corners, ring, frame, c0, c1, r0, marks)
            ring += 1
        for r in range(r0, r1 + 1):
            inside, at, k = 0, (r - r0) * across, r * frame.columns + c0
            for c in range(across):
                mark = marks[at + c]
                marks[at + c] = 0
                inside ^= mark & _TURNED
                # Twos that are left where nothing is touched, as ones.
                views[k + c] += (inside >> 1) & ~mark & (views[k + c] != _MOST_VIEWS)


@compiled
def _mark(  # noqa: PLR0913
    corners: Corners, ring: int, frame: Frame, c0: int, c1: int, r0: int, marks: Bytes
) -> None:
    """Marks the cells of a ring's edges, and where to the east of each the points of reference change sides."""
    across, slack = c1 - c0 + 1, _slack(corners.boxes[corners.owner[ring]], frame)
    first, last = corners.starts[ring], corners.starts[ring + 1] - 1
    u1, v1 = _place(corners.xy, first, frame)
    for i in range(first, last):
        u0, v0 = u1, v1
        u1, v1 = _place(corners.xy, i + 1, frame)
        a, b = _span(min(v0, v1), max(v0, v1), slack, frame.rows)
        slope = 0.0 if v0 == v1 else (u1 - u0) / (v1 - v0)
        for r in range(a, b + 1):
            at = (r - r0) * across - c0
            f, t = _columns(u0, v0, u1, v1, slope, r, slack, frame.columns)
            for c in range(f, t + 1):
                marks[at + c] |= _TOUCHED
            level = r + REFERENCE
            if (v0 > level) != (v1 > level):
                # The first point of reference that lies to the east of it.
                c = max(int(u0 + (level - v0) * slope - REFERENCE + 1), c0)
                if c <= c1:
                    marks[at + c] ^= _TURNED


@compiled
def _look(corners: Corners, frame: Frame, deep: Flags, others: Counts, looked_at: Flags) -> None:
    """Marks all cells of each edge that touches one that is not deep; `others` are the sums of those."""
    for ring in range(len(corners.owner)):
        box = corners.boxes[corners.owner[ring]]
        c0, c1, r0, r1 = _box_of(box, frame)
        if _within(others, c0, c1, r0, r1) == 0:
            continue
        slack = _slack(box, frame)
        for i in range(corners.starts[ring], corners.starts[ring + 1] - 1):
            (u0, v0), (u1, v1) = _place(corners.xy, i, frame), _place(corners.xy, i + 1, frame)
            slope = 0.0 if v0 == v1 else (u1 - u0) / (v1 - v0)
            a, b = _span(min(v0, v1), max(v0, v1), slack, frame.rows)
            walked = False
            for r in range(a, b + 1):
                f, t = _columns(u0, v0, u1, v1, slope, r, slack, frame.columns)
                for k in range(r * frame.columns + f, r * frame.columns + t + 1):
                    walked |= not deep[k]
            for r in range(a, b + 1 if walked else a):
                f, t = _columns(u0, v0, u1, v1, slope, r, slack, frame.columns)
                looked_at[r * frame.columns + f : r * frame.columns + t + 1] = True


@inlined
def _within(sums: Counts, c0: int, c1: int, r0: int, r1: int) -> int:
    return int(sums[r1 + 1, c1 + 1] - sums[r0, c1 + 1] - sums[r1 + 1, c0] + sums[r0, c0])


@compiled
def _reaching(boxes: Floats, frame: Frame, sums: Counts) -> Flags:
    """Whether each box has one of the marked cells."""
    reaching = np.zeros(len(boxes), np.bool_)
    for p in range(len(boxes)):
        c0, c1, r0, r1 = _box_of(boxes[p], frame)
        reaching[p] = _within(sums, c0, c1, r0, r1) > 0
    return reaching
