"""How often each stretch of an outline is seen by others: exact unions, for every number of views at once.

The ground that is seen at least k times is bounded by those stretches of outlines that k - 1 others see. Walking
along each edge through the cells that it crosses, and counting others in and out where their edges cross it, finds
these stretches; their line integrals are areas (Green), their chains the outlines of unions. Each crossing is
judged from both of its edges by the same four products, so both see it or neither does.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from geo.compiled import compiled, inlined
from geo.coverage.cells import REFERENCE, Cells, column_span, row_span
from geo.coverage.outlines import GROUND, UNIT_M, Floats, Ints, Outlines

# The level of the ground that nobody sees; level k > 0 is what is seen at least k times.
GAP = 0


class Walk(NamedTuple):
    """Room for one walk along an edge: its cells, and its crossings in order: place, what each adds, other edge."""

    cells: Ints
    at: Floats
    step: Ints
    other: Ints


class Found(NamedTuple):
    """What a sweep writes: areas[footprint, k - 1] of ground seen at least k times; the stretches of one level.

    A stretch has the keys of the points where it begins and ends, and the place where it begins; fill[0] counts
    them. fill[1] counts the rings at whose end another number of views was counted than at their beginning: edges
    lie too close together there to say which crosses which.
    """

    areas: Floats
    fill: Ints
    begins: Ints
    ends: Ints
    x: Floats
    y: Floats


@inlined
def orient(ax: int, ay: int, bx: int, by: int, cx: int, cy: int) -> float:
    """Twice the area of the triangle a, b, c; above zero where c lies left of the way from a to b."""
    return float(bx - ax) * float(cy - ay) - float(by - ay) * float(cx - ax)


@compiled
def _sides(  # noqa: PLR0913 - two edges have four corners
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
            s, t = _sides(x[f], y[f], x[f + 1], y[f + 1], x0, y0, px, py)
            if (s > 0) != (t > 0):
                count += weight[p] if t > 0 else -weight[p]
    return count


@compiled
def sweep(  # noqa: PLR0913 - what is walked, what is asked, and where to write
    one: Outlines, cells: Cells, some: Ints, levels: int, level: int, walk: Walk, found: Found
) -> None:
    """Walks some edges: areas of every level up to `levels`, and the stretches of one."""
    x, y, footprint, full = one.x, one.y, one.footprint, cells.full
    along, frame, columns = walk.cells, cells.frame, cells.frame.columns
    known, count, at_first = -1, 0, -1
    ring = np.searchsorted(one.starts, some[0], side="right") - 1
    for e in some:
        while one.starts[ring + 1] <= e:
            ring += 1
        n, low = 0, GROUND
        x0, y0, x1, y1 = x[e] * UNIT_M, y[e] * UNIT_M, x[e + 1] * UNIT_M, y[e + 1] * UNIT_M
        r0, r1 = row_span(y0, y1, frame)
        for r in range(r0, r1 + 1):
            c0, c1 = column_span(x0, y0, x1, y1, r, frame)
            for c in range(c0, c1 + 1):
                along[n] = r * columns + c
                low = min(low, full[along[n]] & (GROUND - 1))
                n += 1
        if low >= levels:
            at_first = -1
            continue
        # What was counted to the end of one edge holds at the beginning of the next.
        if known != e:
            count = count_at(x[e], y[e], one, cells, footprint[e])
        if e == one.starts[ring]:
            at_first = count
        known = e + 1
        m = _crossings(one, cells, e, n, walk)
        count = _stretches(one, e, m, count, levels, level, walk, found)
        if e == one.starts[ring + 1] - 2 and at_first >= 0 and count != at_first:
            found.fill[1] += 1


@compiled
def _crossings(one: Outlines, cells: Cells, e: int, n: int, walk: Walk) -> int:
    """Lists the crossings of edge e with the edges of others in its n cells, in order along it."""
    x, y, footprint, weight = one.x, one.y, one.footprint, one.weight
    starts, edges, at, step, other = cells.edge_starts, cells.edges, walk.at, walk.step, walk.other
    x0, y0, x1, y1, p, m = x[e], y[e], x[e + 1], y[e + 1], footprint[e], 0
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
            s, t = _sides(x[f], y[f], x[f + 1], y[f + 1], x0, y0, x1, y1)
            if (s > 0) == (t > 0):
                continue
            # An edge that passes through several cells of e is met in each.
            j = 0
            while j < m and other[j] != f:
                j += 1
            if j < m:
                continue
            place = s / (s - t)
            while j > 0 and at[j - 1] > place:
                at[j], step[j], other[j] = at[j - 1], step[j - 1], other[j - 1]
                j -= 1
            at[j], other[j] = place, f
            step[j] = weight[footprint[f]] if t > 0 else -weight[footprint[f]]
            m += 1
    return m


@compiled
def _stretches(  # noqa: PLR0913
    one: Outlines, e: int, m: int, count: int, levels: int, level: int, walk: Walk, found: Found
) -> int:
    """Cuts edge e at its m crossings; adds up areas and lists stretches; the count at its end."""
    x0, y0, x1, y1 = one.x[e] * UNIT_M, one.y[e] * UNIT_M, one.x[e + 1] * UNIT_M, one.y[e + 1] * UNIT_M
    p, edges, areas = one.footprint[e], len(one.x), found.areas
    own = one.weight[p]
    xa, ya, begin = x0, y0, int(e)
    for j in range(m + 1):
        xb, yb, end = x1, y1, int(e + 1)
        if j < m:
            xb, yb = x0 + walk.at[j] * (x1 - x0), y0 + walk.at[j] * (y1 - y0)
            # A number for the point where two edges cross, the same from both; corners keep theirs below it.
            end = edges + min(e, walk.other[j]) * edges + max(e, walk.other[j])
        views = count & (GROUND - 1)
        # An edge of the ground bounds whatever is seen there; one of a footprint, what it adds, within the ground.
        low, high = views, views + own
        if own == GROUND:
            low, high = 0, views
        elif count < GROUND:
            high = low
        for k in range(low, min(high, levels)):
            areas[p, k] += 0.5 * (xa * yb - xb * ya)
        if low < level <= high or (level == GAP and own == GROUND and views == 0):
            _put(found, begin, end, xa, ya)
        elif level == GAP and low == 0 < high and own != GROUND:
            _put(found, end, begin, xb, yb)
        if j < m:
            count += walk.step[j]
        xa, ya, begin = xb, yb, end
    return count


@inlined
def _put(found: Found, begin: int, end: int, x: float, y: float) -> None:
    at = found.fill[0]
    if at < len(found.begins):
        found.begins[at], found.ends[at], found.x[at], found.y[at] = begin, end, x, y
    found.fill[0] = at + 1
