"""How often the ground within one area is seen by those who stand: a walk of that neighbourhood alone."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geo.compiled import compiled, inlined
from geo.coverage.cells import REFERENCE, Cells, Frame, column_span, row_span, span
from geo.coverage.outlines import GROUND, GROWTH, UNIT_M, Floats, Ints, Outlines, corners_of, scattered, twice_area
from geo.coverage.sweep import Walk, cells_along, count_at, crossings, put_between, sides

# The weight of the area, beside that of the ground and the number of views.
_AREA = GROUND << 1
_VIEWS = GROUND - 1
_NO_FOOTPRINT = -1
# How far beside an area a place lies that is surely outside of it; more than rounding, on no round number.
_BESIDE = int(1.4142135 / UNIT_M)


# By how much an area shrinks, so that none of its corners lies on an edge.
_SHRINKAGE, _ANY_NUMBER = GROWTH / 2, 1
# Where a cell lies: outside of the area, within it, or on its border.
_OUTSIDE, _INSIDE, _TOUCHED = 0, 1, 2


class _Area(NamedTuple):
    """An area as whole numbers, and the cells of its box from row r0 and column c0 on, `wide` to a row.

    Edge i runs from corner i to corner i + 1. Those that touch cell k are edges[starts[k]:starts[k + 1]], those that
    touch row r are row_edges[row_starts[r - r0]:row_starts[r - r0 + 1]]. `lies` says where each cell lies.
    """

    x: Ints
    y: Ints
    rings: Ints
    r0: int
    c0: int
    wide: int
    starts: Ints
    edges: Ints
    row_starts: Ints
    row_edges: Ints
    lies: NDArray[np.uint8]


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
    """Square metres of the ground in a valid area that are seen at least 0, 1, ... `levels` times; None if untellable.

    The area is in metres of the outlines' projection, and lies where their cells do; their ground is what is told of.
    """
    corners, starts, is_shell = _corners_of(area)
    if room is None or len(one.x) + len(corners) > len(room.walk.at):
        room = room_in(one, cells, len(corners))
    areas = np.zeros(levels + 1)
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
    """Corners as whole numbers, the inside on the left.

    While those that stand are grown, the area shrinks about a middle on no line of symmetry: so it lies within a
    footprint's twin, and has no edge on the ground's border.
    """
    x, y = np.empty(len(corners), np.int64), np.empty(len(corners), np.int64)
    u, v, pulls = 0.0, 0.0, 0.0
    for i in range(len(corners)):
        pull = 0.5 + scattered(_ANY_NUMBER, i)
        u += pull * (corners[i, 0] - origin[0])
        v += pull * (corners[i, 1] - origin[1])
        pulls += pull
    u, v = u / pulls, v / pulls
    for r in range(len(starts) - 1):
        lo, hi = starts[r], starts[r + 1]
        turned = (twice_area(corners, lo, hi) > 0) != is_shell[r]
        for i in range(lo, hi):
            j = lo + hi - 1 - i if turned else i
            dx, dy = corners[i, 0] - origin[0], corners[i, 1] - origin[1]
            x[j] = round(dx / UNIT_M) - round((dx - u) * _SHRINKAGE / UNIT_M)
            y[j] = round(dy / UNIT_M) - round((dy - v) * _SHRINKAGE / UNIT_M)
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
def _area_of(x: Ints, y: Ints, rings: Ints, frame: Frame) -> _Area:
    """Sorts the edges of an area into the cells and the rows of its box."""
    r0, r1, c0, c1 = _box_of(x, y, frame)
    wide = c1 - c0 + 1
    starts, row_starts = np.zeros((r1 - r0 + 1) * wide + 1, np.int64), np.zeros(r1 - r0 + 2, np.int64)
    none = np.empty(0, np.int64)
    _list_edges(x, y, rings, frame, (r0, c0, wide), starts, none, row_starts, none)
    starts, row_starts = np.cumsum(starts), np.cumsum(row_starts)
    edges, row_edges = np.empty(starts[-1], np.int64), np.empty(row_starts[-1], np.int64)
    _list_edges(x, y, rings, frame, (r0, c0, wide), starts[:-1].copy(), edges, row_starts[:-1].copy(), row_edges)
    lies = np.zeros(len(starts) - 1, np.uint8)
    area = _Area(x, y, rings, r0, c0, wide, starts, edges, row_starts, row_edges, lies)
    for row in range(r0, r1 + 1):
        known, lying = False, _OUTSIDE
        for column in range(c0, c1 + 1):
            k = (row - r0) * wide + column - c0
            if starts[k + 1] > starts[k]:
                known, lies[k] = False, _TOUCHED
                continue
            # Of cells beside one another that no edge comes near, all lie on the same side, wherever asked.
            if not known:
                px = int((frame.left + (column + 0.5) * frame.side_m) / UNIT_M)
                py = int((frame.bottom + (row + 0.5) * frame.side_m) / UNIT_M)
                known, lying = True, _INSIDE if _is_in(area, frame, px, py) else _OUTSIDE
            lies[k] = lying
    return area


@compiled
def _list_edges(  # noqa: PLR0913
    x: Ints,
    y: Ints,
    rings: Ints,
    frame: Frame,
    box: tuple[int, int, int],
    at: Ints,
    edges: Ints,
    row_at: Ints,
    row_edges: Ints,
) -> None:
    """Counts the edges of each cell and row one place further on; or, where there is room, lists them from `at` on."""
    r0, c0, wide = box
    is_counting = not len(edges)
    for ring in range(len(rings) - 1):
        for i in range(rings[ring], rings[ring + 1] - 1):
            x0, y0, x1, y1 = x[i] * UNIT_M, y[i] * UNIT_M, x[i + 1] * UNIT_M, y[i + 1] * UNIT_M
            a, b = row_span(y0, y1, frame)
            for row in range(a, b + 1):
                f, t = column_span(x0, y0, x1, y1, row, frame)
                if is_counting:
                    row_at[row - r0 + 1] += 1
                else:
                    row_edges[row_at[row - r0]] = i
                    row_at[row - r0] += 1
                for k in range((row - r0) * wide + f - c0, (row - r0) * wide + t - c0 + 1):
                    if is_counting:
                        at[k + 1] += 1
                    else:
                        edges[at[k]] = i
                        at[k] += 1


@compiled
def _is_in(area: _Area, frame: Frame, px: int, py: int) -> bool:
    """Whether a place lies within the area: its row is walked, from a place beside the area, as all crossings are."""
    row = int((py * UNIT_M - frame.bottom) / frame.side_m)
    if not 0 <= row - area.r0 < len(area.row_starts) - 1:
        return False
    fx = int((frame.left + (area.c0 - REFERENCE) * frame.side_m) / UNIT_M) - _BESIDE
    fy = int((frame.bottom + (row + REFERENCE) * frame.side_m) / UNIT_M)
    inside = False
    for q in range(area.row_starts[row - area.r0], area.row_starts[row - area.r0 + 1]):
        i = area.row_edges[q]
        s, t = sides(area.x[i], area.y[i], area.x[i + 1], area.y[i + 1], fx, fy, px, py)
        inside ^= (s > 0) != (t > 0)
    return inside


@compiled
def _walk(  # noqa: PLR0913
    one: Outlines, cells: Cells, corners: Floats, starts: Ints, is_shell: NDArray[np.bool_], rooms: Room, areas: Floats
) -> bool:
    """Adds up areas[k] of what is seen at least k times; whether each count comes back to where it began."""
    x, y = _whole(corners, starts, is_shell, one.origin)
    frame, room = cells.frame, rooms.walk
    for r in range(len(starts) - 1):
        known, count = -1, 0
        for i in range(starts[r], starts[r + 1] - 1):
            n = cells_along(x[i], y[i], x[i + 1], y[i + 1], frame, room.cells)
            # Off the ground nothing is told of.
            if not _comes_to_ground(one, cells, n, room):
                continue
            if known != i:
                if known >= 0 and count != count_at(x[known], y[known], one, cells, _NO_FOOTPRINT):
                    return False
                count = count_at(x[i], y[i], one, cells, _NO_FOOTPRINT)
            m = crossings(one, cells, x[i], y[i], x[i + 1], y[i + 1], _NO_FOOTPRINT, n, room)
            count = _along_border(x, y, i, m, count, room, areas)
            known = i + 1
        if known >= 0 and count != count_at(x[known], y[known], one, cells, _NO_FOOTPRINT):
            return False
    area = _area_of(x, y, starts, frame)
    count, known = 0, -1
    for e in _edges_near(one, cells, area, len(areas) - 1, rooms.met):
        if known != e:
            if known >= 0 and count != _count(one, cells, area, known, one.footprint[known]):
                return False
            count = _count(one, cells, area, e, one.footprint[e])
        n = cells_along(one.x[e], one.y[e], one.x[e + 1], one.y[e + 1], frame, room.cells)
        m = crossings(one, cells, one.x[e], one.y[e], one.x[e + 1], one.y[e + 1], one.footprint[e], n, room)
        m = _entries(one, e, area, frame, n, m, room)
        count = _along_edge(one, e, x[0], y[0], m, count, room, areas)
        known = e + 1
    return known < 0 or count == _count(one, cells, area, known, one.footprint[known])


@inlined
def _has_ground(one: Outlines, cells: Cells, k: int) -> bool:
    """Whether the ground holds a cell, or its border passes there: of all that touch it the ground comes last."""
    last = cells.touch_starts[k + 1] - 1
    touched = last >= cells.touch_starts[k] and one.weight[cells.touching[last] >> 1] == GROUND
    return bool(touched or cells.full[k] >= GROUND)


@compiled
def _comes_to_ground(one: Outlines, cells: Cells, n: int, room: Walk) -> bool:
    c = 0
    while c < n and not _has_ground(one, cells, room.cells[c]):
        c += 1
    return c < n


@compiled
def _count(one: Outlines, cells: Cells, area: _Area, corner: int, but: int) -> int:
    """The views of all but one at a corner of an outline, and whether it lies within the area."""
    px, py = one.x[corner], one.y[corner]
    count = count_at(px, py, one, cells, but)
    return count + _AREA if _is_in(area, cells.frame, px, py) else count


@compiled
def _edges_near(one: Outlines, cells: Cells, area: _Area, levels: int, met: NDArray[np.bool_]) -> Ints:
    """The ground's edges in cells of the area, others' where not enough hold a cell with ground, in rising order."""
    columns, wide = cells.frame.columns, area.wide
    near, n = np.empty(1024, np.int64), 0
    for here in range(len(area.lies)):
        k = (here // wide + area.r0) * columns + here % wide + area.c0
        if area.lies[here] == _OUTSIDE or not _has_ground(one, cells, k):
            continue
        is_full = cells.full[k] & _VIEWS >= levels
        for q in range(cells.edge_starts[k], cells.edge_starts[k + 1]):
            e = cells.edges[q]
            weight = one.weight[one.footprint[e]]
            if met[e] or weight == 0 or (is_full and weight != GROUND):
                continue
            met[e] = True
            if n == len(near):
                near = np.concatenate((near, np.empty(n, np.int64)))
            near[n] = e
            n += 1
    met[near[:n]] = False
    return np.sort(near[:n])


@compiled
def _entries(one: Outlines, e: int, area: _Area, frame: Frame, n: int, m: int, room: Walk) -> int:  # noqa: PLR0913
    """Adds to the m crossings of edge e those with the area's border in the n cells of the edge."""
    x0, y0, x1, y1 = one.x[e], one.y[e], one.x[e + 1], one.y[e + 1]
    of_others, deep = m, len(area.row_starts) - 1
    for c in range(n):
        row, column = room.cells[c] // frame.columns - area.r0, room.cells[c] % frame.columns - area.c0
        if not (0 <= row < deep and 0 <= column < area.wide):
            continue
        k = row * area.wide + column
        for q in range(area.starts[k], area.starts[k + 1]):
            i = area.edges[q]
            s, t = sides(area.x[i], area.y[i], area.x[i + 1], area.y[i + 1], x0, y0, x1, y1)
            if (s > 0) == (t > 0):
                continue
            # An edge that passes through several cells of e is met in each.
            j = 0 if m > of_others else m
            while j < m and room.other[j] != len(one.x) + i:
                j += 1
            if j == m:
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
        if count & GROUND:
            for k in range(min(count & _VIEWS, len(areas) - 1) + 1):
                areas[k] += 0.5 * (xa * yb - xb * ya)
        if j < m:
            count += room.step[j]
        xa, ya = xb, yb
    return count


@compiled
def _along_edge(  # noqa: PLR0913
    one: Outlines, e: int, ox: int, oy: int, m: int, count: int, room: Walk, areas: Floats
) -> int:
    """What a footprint or the ground bounds along one of its edges within the area; the count at the end."""
    x0, y0 = (one.x[e] - ox) * UNIT_M, (one.y[e] - oy) * UNIT_M
    x1, y1 = (one.x[e + 1] - ox) * UNIT_M, (one.y[e + 1] - oy) * UNIT_M
    own = one.weight[one.footprint[e]]
    xa, ya = x0, y0
    for j in range(m + 1):
        xb, yb = x1, y1
        if j < m:
            xb, yb = x0 + room.at[j] * (x1 - x0), y0 + room.at[j] * (y1 - y0)
        views, least, most = count & _VIEWS, 0, -1
        # An edge of the ground bounds whatever is seen there; one of a footprint, what it adds, within the ground.
        if own == GROUND:
            most = min(views, len(areas) - 1)
        elif count & GROUND:
            least, most = views + 1, min(views + own, len(areas) - 1)
        if count >= _AREA:
            for k in range(least, most + 1):
                areas[k] += 0.5 * (xa * yb - xb * ya)
        if j < m:
            count += room.step[j]
        xa, ya = xb, yb
    return count
