"""How often each stretch of an outline is seen by others: exact unions, for every number of views at once.

The ground that is seen at least k times is bounded by those stretches of outlines that k - 1 others see. Walking
along each edge through the cells that it crosses, and counting others in and out where their edges cross it, finds
these stretches; their line integrals are areas (Green), their chains the outlines of unions. Each crossing is
judged from both of its edges by the same four products, so both see it or neither does.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geo.compiled import compiled, inlined
from geo.coverage.cells import REFERENCE, Cells, Counts, Frame, column_span, row_span
from geo.coverage.outlines import GROUND, UNIT_M, Floats, Ints, Outlines

# The level of the ground that nobody sees; level k > 0 is what is seen at least k times.
GAP = 0
# Instead of the number of views on its right: a stretch of the ground's border, and one of them where nobody sees.
_BORDER, _BARE_BORDER = -1, -2


class Walk(NamedTuple):
    """Room for one walk along an edge: its cells, and its crossings in order: place, what each adds, other edge."""

    cells: Ints
    at: Floats
    step: Ints
    other: Ints


class Found(NamedTuple):
    """Stretches of outlines: the keys of the points where each begins and ends, and the place where it begins.

    `low` and `high` are the number of views on its right and on its left. A stretch of the ground's border has
    _BORDER for `low`; where nobody sees it runs backwards, as what borders the gap from outside, with _BARE_BORDER.
    """

    begins: Ints
    ends: Ints
    x: Floats
    y: Floats
    low: Counts
    high: Counts

    def bounding(self, level: int) -> NDArray[np.bool_]:
        """The stretches that have the ground of a level on their left, or the gap (GAP) on their right."""
        if level == GAP:
            return np.isin(self.low, (0, _BARE_BORDER))
        return np.asarray((self.low < level) & (level <= self.high))


@inlined
def orient(ax: int, ay: int, bx: int, by: int, cx: int, cy: int) -> float:
    """Twice the area of the triangle a, b, c; above zero where c lies left of the way from a to b."""
    return float(bx - ax) * float(cy - ay) - float(by - ay) * float(cx - ax)


@compiled
def sides(  # noqa: PLR0913 - two edges have four corners
    ax: int, ay: int, bx: int, by: int, x0: int, y0: int, x1: int, y1: int
) -> tuple[float, float]:
    """On which side of the edge a-b two points lie; both positive where the way between them does not cross it."""
    s = orient(ax, ay, bx, by, x0, y0)
    t = orient(ax, ay, bx, by, x1, y1)
    if (s > 0) != (t > 0) and (orient(x0, y0, x1, y1, ax, ay) > 0) != (orient(x0, y0, x1, y1, bx, by) > 0):
        return s, t
    return 1.0, 1.0


@compiled
def count_at(px: int, py: int, one: Outlines, cells: Cells, but: int) -> int:
    """The weights of all footprints but one that hold a point, added up; the ground weighs GROUND."""
    x, y, footprint, weight, edges = one.x, one.y, one.footprint, one.weight, cells.edges
    frame = cells.frame
    row = min(max(int((py * UNIT_M - frame.bottom) / frame.side_m), 0), frame.rows - 1)
    column = min(max(int((px * UNIT_M - frame.left) / frame.side_m), 0), frame.columns - 1)
    k = row * frame.columns + column
    count = int(cells.full[k])
    for q in range(cells.touch_starts[k], cells.touch_starts[k + 1]):
        p = cells.touching[q] >> 1
        if p != but and cells.touching[q] & 1:
            count += weight[p]
    x0 = int((frame.left + (column + REFERENCE) * frame.side_m) / UNIT_M)
    y0 = int((frame.bottom + (row + REFERENCE) * frame.side_m) / UNIT_M)
    for q in range(cells.edge_starts[k], cells.edge_starts[k + 1]):
        f = edges[q]
        p = footprint[f]
        if p != but:
            s, t = sides(x[f], y[f], x[f + 1], y[f + 1], x0, y0, px, py)
            if (s > 0) != (t > 0):
                count += weight[p] if t > 0 else -weight[p]
    return count


@compiled
def sweep(one: Outlines, cells: Cells, begin: int, end: int, areas: Floats, walk: Walk) -> tuple[Found, int]:
    """Walks the edges of some rings: adds up areas[footprint, k - 1] of ground seen at least k times.

    Returns the stretches of all levels that `areas` has room for, and how many rings ended with another number of
    views than they began with: edges lie too close together there to say which crosses which.
    """
    footprint, full, levels = one.footprint, cells.full, areas.shape[1]
    found, fill, broken = _room(one.starts[end] - one.starts[begin] + 16), 0, 0
    for ring in range(begin, end):
        first, last = one.starts[ring], one.starts[ring + 1] - 1
        known, count, at_first = -1, 0, -1
        for e in range(first, last):
            n = cells_along(one.x[e], one.y[e], one.x[e + 1], one.y[e + 1], cells.frame, walk.cells)
            # Where enough others hold all that an edge passes, it bounds nothing; the ground's border always does.
            low = 0 if one.weight[footprint[e]] == GROUND else GROUND
            for i in range(n):
                low = min(low, full[walk.cells[i]] & (GROUND - 1))
            if low >= levels:
                at_first = -1
                continue
            # What was counted to the end of one edge holds at the beginning of the next.
            if known != e:
                count = count_at(one.x[e], one.y[e], one, cells, footprint[e])
            if e == first:
                at_first = count
            known = e + 1
            m = crossings(one, cells, one.x[e], one.y[e], one.x[e + 1], one.y[e + 1], footprint[e], n, walk)
            if fill + m >= len(found.begins):
                found = _longer(found, fill + m + 1)
            # The last corner of a ring is its first.
            count, fill = _stretches(one, e, first if known == last else known, m, count, areas, walk, found, fill)
            if known == last and at_first >= 0 and count != at_first:
                broken += 1
    return _cut(found, fill), broken


@compiled
def cells_along(ax: int, ay: int, bx: int, by: int, frame: Frame, along: Ints) -> int:
    """Lists the cells that the edge a-b touches; how many they are."""
    x0, y0, x1, y1 = ax * UNIT_M, ay * UNIT_M, bx * UNIT_M, by * UNIT_M
    r0, r1 = row_span(y0, y1, frame)
    n = 0
    for r in range(r0, r1 + 1):
        c0, c1 = column_span(x0, y0, x1, y1, r, frame)
        for c in range(c0, c1 + 1):
            along[n] = r * frame.columns + c
            n += 1
    return n


@compiled
def _room(size: int) -> Found:
    keys, places, views = np.empty((2, size), np.int64), np.empty((2, size)), np.empty((2, size), np.int32)
    return Found(keys[0], keys[1], places[0], places[1], views[0], views[1])


@compiled
def _longer(found: Found, least: int) -> Found:
    more, n = _room(max(2 * len(found.begins), least)), len(found.begins)
    more.begins[:n], more.ends[:n], more.x[:n] = found.begins, found.ends, found.x
    more.y[:n], more.low[:n], more.high[:n] = found.y, found.low, found.high
    return more


@compiled
def _cut(found: Found, n: int) -> Found:
    return Found(found.begins[:n], found.ends[:n], found.x[:n], found.y[:n], found.low[:n], found.high[:n])


@compiled
def crossings(  # noqa: PLR0913
    one: Outlines, cells: Cells, x0: int, y0: int, x1: int, y1: int, p: int, n: int, walk: Walk
) -> int:
    """Lists the crossings of an edge of footprint p with the edges of others in its n cells, in order along it."""
    x, y, footprint, weight = one.x, one.y, one.footprint, one.weight
    starts, edges, other = cells.edge_starts, cells.edges, walk.other
    m = 0
    west, east, south, north = min(x0, x1), max(x0, x1), min(y0, y1), max(y0, y1)
    for i in range(n):
        for q in range(starts[walk.cells[i]], starts[walk.cells[i] + 1]):
            f = edges[q]
            if (
                footprint[f] == p
                or max(x[f], x[f + 1]) < west
                or min(x[f], x[f + 1]) > east
                or max(y[f], y[f + 1]) < south
                or min(y[f], y[f + 1]) > north
            ):
                continue
            s, t = sides(x[f], y[f], x[f + 1], y[f + 1], x0, y0, x1, y1)
            if (s > 0) == (t > 0):
                continue
            # An edge that passes through several cells of e is met in each.
            j = 0
            while j < m and other[j] != f:
                j += 1
            if j < m:
                continue
            m = put_between(walk, m, s / (s - t), f, weight[footprint[f]] if t > 0 else -weight[footprint[f]])
    return m


@inlined
def put_between(walk: Walk, m: int, place: float, other: int, step: int) -> int:
    """Puts one more crossing in its place among m; how many there are then."""
    j = m
    while j > 0 and walk.at[j - 1] > place:
        walk.at[j], walk.step[j], walk.other[j] = walk.at[j - 1], walk.step[j - 1], walk.other[j - 1]
        j -= 1
    walk.at[j], walk.step[j], walk.other[j] = place, step, other
    return m + 1


@compiled
def _stretches(  # noqa: PLR0913
    one: Outlines, e: int, after: int, m: int, count: int, areas: Floats, walk: Walk, found: Found, fill: int
) -> tuple[int, int]:
    """Cuts edge e at its m crossings; adds up areas and lists stretches; the count at its end, and how many stand."""
    x0, y0, x1, y1 = one.x[e] * UNIT_M, one.y[e] * UNIT_M, one.x[e + 1] * UNIT_M, one.y[e + 1] * UNIT_M
    p, edges, levels = one.footprint[e], len(one.x), areas.shape[1]
    own = one.weight[p]
    xa, ya, begin = x0, y0, e
    for j in range(m + 1):
        xb, yb, end = x1, y1, after
        if j < m:
            xb, yb = _met(one, e, walk.other[j], walk.at[j])
            # A number for the point where two edges cross, the same from both; corners keep theirs below it.
            end = edges + min(e, walk.other[j]) * edges + max(e, walk.other[j])
        views = count & (GROUND - 1)
        # An edge of the ground bounds whatever is seen there; one of a footprint, what it adds, within the ground.
        if own == GROUND:
            for k in range(min(views, levels)):
                areas[p, k] += 0.5 * (xa * yb - xb * ya)
            if views == 0:
                _put(found, fill, end, begin, xb, yb, _BARE_BORDER, 0)
            else:
                _put(found, fill, begin, end, xa, ya, _BORDER, views)
            fill += 1
        elif count >= GROUND and views < levels:
            for k in range(views, min(views + own, levels)):
                areas[p, k] += 0.5 * (xa * yb - xb * ya)
            _put(found, fill, begin, end, xa, ya, views, views + own)
            fill += 1
        if j < m:
            count += walk.step[j]
        xa, ya, begin = xb, yb, end
    return count, fill


@inlined
def _met(one: Outlines, e: int, other: int, at: float) -> tuple[float, float]:
    """Where two edges cross, in the very same bits from both: what lies between them then encloses nothing.

    `at` is the place along e. Edges that all but coincide cross nowhere in particular; were it elsewhere from
    each, areas would be wrong by that much times the way to the origin.
    """
    k, share = e, at
    if other < e:
        k = other
        s, t = sides(one.x[e], one.y[e], one.x[e + 1], one.y[e + 1], one.x[k], one.y[k], one.x[k + 1], one.y[k + 1])
        share = s / (s - t)
    x0, y0, x1, y1 = one.x[k] * UNIT_M, one.y[k] * UNIT_M, one.x[k + 1] * UNIT_M, one.y[k + 1] * UNIT_M
    return x0 + share * (x1 - x0), y0 + share * (y1 - y0)


@inlined
def _put(  # noqa: PLR0913
    found: Found, at: int, begin: int, end: int, x: float, y: float, low: int, high: int
) -> None:
    found.begins[at], found.ends[at], found.x[at], found.y[at] = begin, end, x, y
    found.low[at], found.high[at] = low, high
