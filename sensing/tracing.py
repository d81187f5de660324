"""The rings of the areas in a raster, from the graph of the corners of their borders; compiled loops.

Directions are numbered as in `sensing.corners`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sensing.corners import Bytes, Graph, Ints, Wide, root
from sensing.kernels import compiled

Floats = NDArray[np.float64]

# A corner between two runs of at least so many pixels is a corner of the thing and no step of a slope.
_LONG_PX = 3
# Corners of a ring, its first one counted twice.
_SMALL_RING = 9


class Rings(NamedTuple):
    """Polygons as rows of rings: places (column, row), where rings begin, which rings are of which polygon, values."""

    places: Floats
    ring_offsets: Wide
    polygon_offsets: Wide
    values: Bytes


def rings(graph: Graph, within_px: float) -> Rings:
    """The rings of all areas whose value is not 0, borders drawn within a distance of what they are; 0 for exactly."""
    roots = _resolved(graph.parent)
    around = np.where(graph.around >= 0, roots[graph.around], -1).astype(np.int32)
    stops = _stops(graph.next)
    lines = _lines(graph.places, graph.next, stops, within_px)
    drawn = _walked(graph.next, around, graph.values, lines)
    return _sorted(*drawn, graph.values)


@compiled
def _resolved(parent: Ints) -> Ints:
    out = np.empty_like(parent)
    for area in range(parent.size):
        out[area] = root(parent, area)
    return out


@compiled
def _follow(following: Ints, stops: Bytes, corner: int, side: int, found: Ints) -> tuple[int, int]:
    """The corners from one stop to the next; how many they are, and the direction in which the last is reached."""
    count = 1
    found[0] = corner
    while True:
        corner = following[corner, side]
        found[count] = corner
        count += 1
        if stops[corner]:
            return count, side
        back = (side + 2) % 4
        for turn in range(4):
            if turn != back and following[corner, turn] >= 0:
                side = turn
                break


@compiled
def _stops(following: Ints) -> Bytes:
    """Corners at which borders meet; and of every border that meets none, its first corner."""
    stops, seen = np.zeros(following.shape[0], np.uint8), np.zeros(following.shape[0], np.uint8)
    for corner in range(following.shape[0]):
        degree = 0
        for side in range(4):
            degree += following[corner, side] >= 0
        stops[corner] = degree > 2
    for start in range(following.shape[0]):
        for side in range(4 if stops[start] else 0):
            _see(following, stops, seen, start, side)
    for start in range(following.shape[0]):
        if not stops[start] and not seen[start]:
            stops[start] = 1
            _see(following, stops, seen, start, 1)
    return stops


@compiled
def _see(following: Ints, stops: Bytes, seen: Bytes, corner: int, side: int) -> None:
    """Mark what lies between one stop and the next."""
    while following[corner, side] >= 0:
        corner = following[corner, side]
        if stops[corner] or seen[corner]:
            return
        seen[corner] = 1
        side = _onward(following, corner, side)


@compiled
def _onward(following: Ints, corner: int, side: int) -> int:
    """The other direction of a corner that has two, reached in direction `side`."""
    for turn in range(4):
        if turn != (side + 2) % 4 and following[corner, turn] >= 0:
            return turn
    return side


class Lines(NamedTuple):
    """Borders between stops as drawn: their points, where each begins, and by 4 * corner + direction which one leaves.

    One that leaves in the direction in which it was drawn is its number, the other way round -2 less its number.
    """

    points: Floats
    offsets: Wide
    leaving: Ints


def _lines(places: Ints, following: Ints, stops: Bytes, within_px: float) -> Lines:
    points, offsets, leaving = _drawn(places, following, stops, within_px)
    return Lines(points, offsets, leaving)


@compiled
def _drawn(places: Ints, following: Ints, stops: Bytes, within_px: float) -> tuple[Floats, Wide, Ints]:
    corners = places.shape[0]
    leaving = np.full(4 * corners, -1, np.int32)
    points, offsets = np.empty((4 * corners + 16, 2), np.float64), np.empty(2 * corners + 2, np.int64)
    chain = np.empty(corners + 2, np.int32)
    total, count = 0, 0
    offsets[0] = 0
    for start in range(corners):
        if not stops[start]:
            continue
        for side in range(4):
            if following[start, side] < 0 or leaving[4 * start + side] != -1:
                continue
            length, last = _follow(following, stops, start, side, chain)
            leaving[4 * start + side] = count
            leaving[4 * chain[length - 1] + (last + 2) % 4] = -2 - count
            total += _draw(places, chain[:length], within_px, points[total:])
            count += 1
            offsets[count] = total
    return points[:total].copy(), offsets[: count + 1].copy(), leaving


@compiled
def _draw(places: Ints, chain: Ints, within_px: float, out: Floats) -> int:
    """Draw one border into `out`; how many points it has."""
    # A ring of few corners is as it is: smoothed, a lone pixel would lose half of itself.
    is_small = chain[0] == chain[-1] and chain.size <= _SMALL_RING
    within_px = 0.0 if is_small else within_px
    points, can_stay = _candidates(places, chain, within_px)
    if within_px <= 0.0:
        out[: points.shape[0]] = points
        return int(points.shape[0])
    kept = np.zeros(points.shape[0], np.bool_)
    kept[0] = kept[-1] = True
    stack = np.empty((points.shape[0] + 1, 2), np.int64)
    stack[0, 0], stack[0, 1] = 0, points.shape[0] - 1
    height = 1
    while height:
        height -= 1
        first, last = stack[height]
        worst, split = _worst(points, can_stay, first, last)
        if worst > within_px and split > 0:
            kept[split] = True
            stack[height, 0], stack[height, 1] = first, split
            stack[height + 1, 0], stack[height + 1, 1] = split, last
            height += 2
    count = 0
    for n in range(points.shape[0]):
        if kept[n]:
            out[count] = points[n]
            count += 1
    return count


@compiled
def _worst(points: Floats, can_stay: NDArray[np.bool_], first: int, last: int) -> tuple[float, int]:
    """How far points between two are from the line through these; the furthest that can stay, else the furthest."""
    x, y = points[first]
    along_x, along_y = points[last, 0] - x, points[last, 1] - y
    square = along_x * along_x + along_y * along_y
    worst, furthest, split, corner = 0.0, -1.0, 0, 0
    for n in range(first + 1, last):
        dx, dy = points[n, 0] - x, points[n, 1] - y
        share = 0.0
        if square > 0.0:
            share = min(max((dx * along_x + dy * along_y) / square, 0.0), 1.0)
        away = np.sqrt((dx - share * along_x) ** 2 + (dy - share * along_y) ** 2)
        if away > worst:
            worst, corner = away, n
        if can_stay[n] and away > furthest:
            furthest, split = away, n
    return worst, split if split else corner


@compiled
def _candidates(places: Ints, chain: Ints, within_px: float) -> tuple[Floats, NDArray[np.bool_]]:
    """The points that a drawn border is measured by, and which of them it goes through where it can choose.

    Those are its ends, the corners between two long runs, and the middles of short runs, which are steps.
    """
    points, can_stay = np.empty((2 * chain.size, 2), np.float64), np.zeros(2 * chain.size, np.bool_)
    count = 0
    long_before = True
    for n in range(chain.size):
        x, y = places[chain[n], 0], places[chain[n], 1]
        step_x = step_y = 0
        if n < chain.size - 1:
            step_x, step_y = places[chain[n + 1], 0] - x, places[chain[n + 1], 1] - y
        is_end = n == 0 or n == chain.size - 1
        long_after = abs(step_x) + abs(step_y) >= _LONG_PX
        points[count, 0], points[count, 1] = x, y
        can_stay[count] = is_end or within_px <= 0.0 or (long_before and long_after)
        count += 1
        if within_px > 0.0 and not long_after and n < chain.size - 1:
            points[count, 0], points[count, 1], can_stay[count] = x + 0.5 * step_x, y + 0.5 * step_y, True
            count += 1
        long_before = long_after
    return points[:count], can_stay[:count]


def _walked(following: Ints, around: Ints, values: Bytes, lines: Lines) -> tuple[Floats, Wide, Ints, Floats]:
    return _walk(following, around, values, lines.points, (lines.offsets, lines.leaving))


@compiled
def _walk(
    following: Ints, around: Ints, values: Bytes, points: Floats, lines: tuple[Wide, Ints]
) -> tuple[Floats, Wide, Ints, Floats]:
    """Every ring: its places, where it ends, its area (the number), and how much it encloses (negative for holes)."""
    offsets, leaving = lines
    number = offsets.size - 1
    out = np.empty((2 * points.shape[0] + 2 * number + 2, 2), np.float64)
    ends, areas = np.empty(2 * number + 1, np.int64), np.empty(2 * number + 1, np.int32)
    sizes, done = np.empty(2 * number + 1, np.float64), np.zeros(leaving.size, np.uint8)
    total, count = 0, 0
    for start in range(leaving.size):
        area = around[start // 4, start % 4]
        if leaving[start] == -1 or done[start] or area < 0 or values[area] == 0:
            continue
        first, here = total, start
        while not done[here]:
            done[here] = 1
            total = _copied(points, offsets, leaving[here], out, total)
            here = _next(following, around, leaving, here, area)
        out[total] = out[first]
        total += 1
        ends[count], areas[count], sizes[count] = total, area, _enclosed(out[first:total])
        count += 1
    return out[:total], ends[:count], areas[:count], sizes[:count]


@compiled
def _copied(points: Floats, offsets: Wide, line: int, out: Floats, total: int) -> int:
    """Add all points of a border but its last one."""
    backwards = line < 0
    number = -2 - line if backwards else line
    first, last = offsets[number], offsets[number + 1] - 1
    for n in range(last - first):
        out[total] = points[last - n] if backwards else points[first + n]
        total += 1
    return total


@compiled
def _next(following: Ints, around: Ints, leaving: Ints, here: int, area: int) -> int:
    """Where the ring of an area goes on when a border ends: the area stays on the left, and in one piece."""
    corner, side = _arrival(following, leaving, here)
    ahead_right = around[corner, (side + 1) % 4]
    ahead_left = around[corner, side]
    if following[corner, (side + 1) % 4] >= 0 and ahead_right == area and ahead_left != area:
        return 4 * corner + (side + 1) % 4
    for turn in (side + 3, side, side + 1):
        if following[corner, turn % 4] >= 0:
            return 4 * corner + turn % 4
    return here


@compiled
def _arrival(following: Ints, leaving: Ints, here: int) -> tuple[int, int]:
    """The corner at which the border that leaves at `here` ends, and the direction in which it is reached."""
    corner: int = here // 4
    side: int = here % 4
    while True:
        corner = following[corner, side]
        if leaving[4 * corner + (side + 2) % 4] != -1:
            return int(corner), side
        side = _onward(following, corner, side)


@compiled
def _enclosed(ring: Floats) -> float:
    total = 0.0
    for n in range(ring.shape[0] - 1):
        total += ring[n, 0] * ring[n + 1, 1] - ring[n + 1, 0] * ring[n, 1]
    return float(-0.5 * total)


def _sorted(places: Floats, ends: Wide, areas: Ints, sizes: Floats, values: Bytes) -> Rings:
    """The rings by areas, the outer one of each first."""
    order = np.lexsort((np.arange(ends.size), sizes < 0, areas))
    starts = np.concatenate([[0], ends[:-1]]).astype(np.int64)
    lengths = (ends - starts)[order]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    taken = np.repeat(starts[order] - offsets[:-1], lengths) + np.arange(offsets[-1])
    owners, first = np.unique(areas[order], return_index=True)
    polygons = np.concatenate([first, [ends.size]]).astype(np.int64)
    return Rings(places[taken], offsets, polygons, values[owners])
