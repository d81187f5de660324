"""How often the ground within one area is seen by those who stand: a walk of that neighbourhood alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geo.compiled import compiled, inlined
from geo.coverage.cells import Cells, Frame, span
from geo.coverage.outlines import GROUND, UNIT_M, Floats, Ints, Outlines, corners_of, twice_area
from geo.coverage.sweep import Walk, cells_along, count_at, crossings, put_between, sides

# The weight of the area, beside that of the ground and the number of views.
_AREA = GROUND << 1
_VIEWS = GROUND - 1
_NO_FOOTPRINT = -1
# How far beside an area a place lies that is surely outside of it; more than rounding, on no round number.
_BESIDE = int(1.4142135 / UNIT_M)


class Room(NamedTuple):
    """Room for walks through one set of outlines, and for the edges met on them: none is between two walks."""

    walk: Walk
    met: NDArray[np.bool_]


def room_in(one: Outlines, cells: Cells, corners: int = 1000) -> Room:
    """Room for walks along areas of up to so many corners, one after another."""
    most, across = len(one.x) + corners, cells.frame.rows + cells.frame.columns
    walk = Walk(np.empty(4 * across, np.int64), np.empty(most), np.empty(most, np.int64), np.empty(most, np.int64))
    return Room(walk, np.zeros(len(one.x), np.bool_))


def seen_within(
    one: Outlines, cells: Cells, area: BaseGeometry, levels: int, room: Room | None = None
) -> Floats | None:
    """Square metres of a valid area that are seen at least 1, 2, ... `levels` times; None where it cannot be told.

    The area is in metres of the outlines' projection, and lies within their ground.
    """
    corners, starts, is_shell = _corners_of(area)
    if room is None or len(one.x) + len(corners) > len(room.walk.at):
        room = room_in(one, cells, len(corners))
    areas = np.zeros(levels)
    return areas if _walk(one, cells, corners, starts, is_shell, room, areas) else None


def _corners_of(area: BaseGeometry) -> tuple[Floats, Ints, NDArray[np.bool_]]:
    """Corners, where each ring begins and the last one ends, and whether a ring is a shell."""
    if isinstance(area, shapely.Polygon) and not shapely.get_num_interior_rings(area):
        corners = shapely.get_coordinates(area)
        return corners, np.array([0, len(corners)]), np.ones(1, np.bool_)
    corners, starts, _, is_shell = corners_of(np.array([area], dtype=object))
    return corners, np.append(starts, len(corners)), is_shell


def held_by(one: Outlines, cells: Cells, p: int) -> Ints:
    """The numbers of the cells that footprint p holds altogether."""
    return _held(one, cells, p)


@compiled
def _whole(
    corners: Floats, starts: Ints, is_shell: NDArray[np.bool_], origin: tuple[float, float]
) -> tuple[Ints, Ints]:
    """Corners as whole numbers, the inside on the left; not grown, so that a footprint's twin lies within it."""
    x, y = np.empty(len(corners), np.int64), np.empty(len(corners), np.int64)
    for r in range(len(starts) - 1):
        lo, hi = starts[r], starts[r + 1]
        turned = (twice_area(corners, lo, hi) > 0) != is_shell[r]
        for i in range(lo, hi):
            j = lo + hi - 1 - i if turned else i
            x[j] = round((corners[i, 0] - origin[0]) / UNIT_M)
            y[j] = round((corners[i, 1] - origin[1]) / UNIT_M)
    return x, y


@compiled
def _held(one: Outlines, cells: Cells, p: int) -> Ints:
    frame = cells.frame
    first = np.searchsorted(one.starts, np.searchsorted(one.footprint, p))
    after = np.searchsorted(one.starts, np.searchsorted(one.footprint, p + 1))
    begin, end = one.starts[first], one.starts[after]
    r0, r1, c0, c1 = _box_of(one.x[begin:end], one.y[begin:end], frame)
    held, n = np.empty((r1 - r0 + 1) * (c1 - c0 + 1), np.int64), 0
    for row in range(r0, r1 + 1):
        known, inside = False, False
        for column in range(c0, c1 + 1):
            k = row * frame.columns + column
            touched = False
            for q in range(cells.touch_starts[k], cells.touch_starts[k + 1]):
                touched |= cells.touching[q] >> 1 == p
            if touched:
                known = False
                continue
            # Of cells beside one another that no edge of p comes near, all lie on the same side, wherever asked.
            if not known:
                px = int((frame.left + (column + 0.5) * frame.side_m) / UNIT_M)
                py = int((frame.bottom + (row + 0.5) * frame.side_m) / UNIT_M)
                known, inside = True, _holds(one.x, one.y, one.starts[first : after + 1], px, py)
            if inside:
                held[n] = k
                n += 1
    return held[:n]


@inlined
def _box_of(x: Ints, y: Ints, frame: Frame) -> tuple[int, int, int, int]:
    """First and last row, first and last column of corners."""
    r0, r1 = span(y.min() * UNIT_M, y.max() * UNIT_M, frame.bottom, frame.per_m, frame.rows)
    c0, c1 = span(x.min() * UNIT_M, x.max() * UNIT_M, frame.left, frame.per_m, frame.columns)
    return r0, r1, c0, c1


@compiled
def _holds(x: Ints, y: Ints, starts: Ints, px: int, py: int) -> bool:
    """Whether a place lies within rings, judged from a place beside them as all crossings are."""
    lo, hi = starts[0], starts[-1]
    fx, fy = x[lo:hi].min() - _BESIDE, y[lo:hi].min() - _BESIDE
    inside = False
    for r in range(len(starts) - 1):
        for i in range(starts[r], starts[r + 1] - 1):
            s, t = sides(x[i], y[i], x[i + 1], y[i + 1], fx, fy, px, py)
            inside ^= (s > 0) != (t > 0)
    return inside


@compiled
def _walk(  # noqa: PLR0913
    one: Outlines, cells: Cells, corners: Floats, starts: Ints, is_shell: NDArray[np.bool_], rooms: Room, areas: Floats
) -> bool:
    """Adds up areas[k - 1] of what is seen at least k times; whether each count comes back to where it began."""
    x, y = _whole(corners, starts, is_shell, one.origin)
    frame, room = cells.frame, rooms.walk
    for r in range(len(starts) - 1):
        at_first = count_at(x[starts[r]], y[starts[r]], one, cells, _NO_FOOTPRINT)
        count = at_first
        for i in range(starts[r], starts[r + 1] - 1):
            n = cells_along(x[i], y[i], x[i + 1], y[i + 1], frame, room.cells)
            m = crossings(one, cells, x[i], y[i], x[i + 1], y[i + 1], _NO_FOOTPRINT, n, room)
            count = _along_border(x, y, i, m, count, room, areas)
        if count != at_first:
            return False
    count, known = 0, -1
    for e in _edges_near(one, cells, x, y, len(areas), rooms.met):
        if known != e:
            if known >= 0 and count != _count(one, cells, x, y, starts, known, one.footprint[known]):
                return False
            count = _count(one, cells, x, y, starts, e, one.footprint[e])
        n = cells_along(one.x[e], one.y[e], one.x[e + 1], one.y[e + 1], frame, room.cells)
        m = crossings(one, cells, one.x[e], one.y[e], one.x[e + 1], one.y[e + 1], one.footprint[e], n, room)
        m = _entries(one, e, x, y, starts, m, room)
        count = _along_edge(one, e, x[0], y[0], m, count, room, areas)
        known = e + 1
    return known < 0 or count == _count(one, cells, x, y, starts, known, one.footprint[known])


@compiled
def _count(  # noqa: PLR0913
    one: Outlines, cells: Cells, x: Ints, y: Ints, starts: Ints, corner: int, but: int
) -> int:
    """The views of all but one at a corner of an outline, and whether it lies within the area."""
    px, py = one.x[corner], one.y[corner]
    count = count_at(px, py, one, cells, but)
    return count + _AREA if _holds(x, y, starts, px, py) else count


@compiled
def _edges_near(one: Outlines, cells: Cells, x: Ints, y: Ints, levels: int, met: NDArray[np.bool_]) -> Ints:
    """The edges in cells of the area's box that not enough footprints hold, in rising order."""
    frame = cells.frame
    r0, r1, c0, c1 = _box_of(x, y, frame)
    west, east, south, north = x.min(), x.max(), y.min(), y.max()
    near, n = np.empty(1024, np.int64), 0
    for row in range(r0, r1 + 1):
        for k in range(row * frame.columns + c0, row * frame.columns + c1 + 1):
            if cells.full[k] & _VIEWS >= levels:
                continue
            for q in range(cells.edge_starts[k], cells.edge_starts[k + 1]):
                e = cells.edges[q]
                if (
                    met[e]
                    or one.weight[one.footprint[e]] in (0, GROUND)
                    or max(one.x[e], one.x[e + 1]) < west
                    or min(one.x[e], one.x[e + 1]) > east
                    or max(one.y[e], one.y[e + 1]) < south
                    or min(one.y[e], one.y[e + 1]) > north
                ):
                    continue
                met[e] = True
                if n == len(near):
                    near = np.concatenate((near, np.empty(n, np.int64)))
                near[n] = e
                n += 1
    met[near[:n]] = False
    return np.sort(near[:n])


@compiled
def _entries(one: Outlines, e: int, x: Ints, y: Ints, starts: Ints, m: int, room: Walk) -> int:  # noqa: PLR0913
    """Adds to the m crossings of edge e those with the area's border."""
    x0, y0, x1, y1 = one.x[e], one.y[e], one.x[e + 1], one.y[e + 1]
    for r in range(len(starts) - 1):
        for i in range(starts[r], starts[r + 1] - 1):
            s, t = sides(x[i], y[i], x[i + 1], y[i + 1], x0, y0, x1, y1)
            if (s > 0) != (t > 0):
                m = put_between(room, m, s / (s - t), len(one.x) + i, _AREA if t > 0 else -_AREA)
    return m


@compiled
def _along_border(x: Ints, y: Ints, i: int, m: int, count: int, room: Walk, areas: Floats) -> int:  # noqa: PLR0913
    """What the border of the area bounds, cut at m crossings; the count at the end."""
    # About a corner of the area: far from it the terms would cancel their last figures away.
    x0, y0 = (x[i] - x[0]) * UNIT_M, (y[i] - y[0]) * UNIT_M
    x1, y1 = (x[i + 1] - x[0]) * UNIT_M, (y[i + 1] - y[0]) * UNIT_M
    xa, ya = x0, y0
    for j in range(m + 1):
        xb, yb = x1, y1
        if j < m:
            xb, yb = x0 + room.at[j] * (x1 - x0), y0 + room.at[j] * (y1 - y0)
        for k in range(min(count & _VIEWS, len(areas))):
            areas[k] += 0.5 * (xa * yb - xb * ya)
        if j < m:
            count += room.step[j]
        xa, ya = xb, yb
    return count


@compiled
def _along_edge(  # noqa: PLR0913
    one: Outlines, e: int, ox: int, oy: int, m: int, count: int, room: Walk, areas: Floats
) -> int:
    """What a footprint adds along one of its edges within the area, cut at m crossings; the count at the end."""
    x0, y0 = (one.x[e] - ox) * UNIT_M, (one.y[e] - oy) * UNIT_M
    x1, y1 = (one.x[e + 1] - ox) * UNIT_M, (one.y[e + 1] - oy) * UNIT_M
    own = one.weight[one.footprint[e]]
    xa, ya = x0, y0
    for j in range(m + 1):
        xb, yb = x1, y1
        if j < m:
            xb, yb = x0 + room.at[j] * (x1 - x0), y0 + room.at[j] * (y1 - y0)
        views = count & _VIEWS
        if count >= _AREA:
            for k in range(views, min(views + own, len(areas))):
                areas[k] += 0.5 * (xa * yb - xb * ya)
        if j < m:
            count += room.step[j]
        xa, ya = xb, yb
    return count
