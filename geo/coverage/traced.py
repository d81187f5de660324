"""Outlines of seen cells: traced along their sides, made straight, and drawn apart by a hair's breadth."""

from __future__ import annotations

import math
from typing import NamedTuple, cast

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.ndimage import label

from geo.compiled import compiled, inlined
from geo.coverage.outlines import begins_of, twice_area

Shapes = NDArray[np.object_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

# A single step of cells cuts a triangle off whose area is half a cell's; its root is what is given up (Visvalingam).
_STEP = 0.75
_HAIR_M = 0.01
# However sharp a corner is, it moves by no more than five hair's breadths: the root of two over this.
_SHARPEST = 0.08


class Grid(NamedTuple):
    """Where cells lie: the west and north of the first, and their side, in metres of a plane; rows go south."""

    west: float
    north: float
    side_m: float


def polygons_of_cells(seen: Flags, grid: Grid) -> Shapes:
    """Polygons around seen cells, each as far as one goes from cell to cell over their sides; no two of them meet.

    Their borders lie within about half a cell of the cells' sides.
    """
    cells = sides_of_cells(seen, grid)
    # The steps of cells are no border of what is seen: a straight line as near to them is as true, and much shorter.
    return apart_by_a_hair(shapely.coverage_simplify(cells, _STEP * grid.side_m)) if len(cells) else cells


def sides_of_cells(seen: Flags, grid: Grid) -> Shapes:
    """The same, by the sides of the cells themselves; outlines touch where cells meet in a corner."""
    labels, count = label(seen)
    if not count:
        return np.empty(0, dtype=object)
    rows, columns, starts, owner = _trace(seen, labels)
    corners = np.column_stack([grid.west + columns * grid.side_m, grid.north - rows * grid.side_m])
    return _assembled(corners, starts, owner)


def _assembled(corners: Floats, starts: Ints, owner: Ints) -> Shapes:
    """Polygons of rings: of each owner's, the one that turns left is the shell."""
    ring = np.repeat(np.arange(len(owner)), np.diff(starts))
    rings = cast(Shapes, shapely.linearrings(corners, indices=ring))
    order = np.lexsort((~shapely.is_ccw(rings), owner))
    return cast(Shapes, shapely.polygons(rings[order], indices=owner[order]))


def apart_by_a_hair(polygons: Shapes) -> Shapes:
    """Polygons (shells turn left or right, holes the other way) whose borders moved inwards by a hair's breadth.

    Cells that meet in a corner make outlines that touch themselves; a hair's breadth less, and they do not.
    """
    rings, owner = shapely.get_rings(polygons, return_index=True)
    corners, ring = shapely.get_coordinates(rings, return_index=True)
    starts = np.append(begins_of(ring), len(corners))
    is_shell = np.diff(owner, prepend=-1) > 0
    drawn = cast(Shapes, shapely.linearrings(_moved(corners, starts, is_shell), indices=ring))
    moved = cast(Shapes, shapely.polygons(drawn, indices=owner))
    # Where a neck is narrower than two hairs its sides pass through each other: there GEOS cuts it.
    broken: Flags = ~np.asarray(shapely.is_valid(moved))
    broken[owner[shapely.is_ccw(drawn) != shapely.is_ccw(rings)]] = True
    moved[broken] = shapely.buffer(polygons[broken], -_HAIR_M, join_style="mitre")
    return moved


@compiled
def _trace(seen: Flags, labels: NDArray[np.int32]) -> tuple[Ints, Ints, Ints, Ints]:
    """Rows and columns of the corners of all rings, where rings begin and the last one ends, and their owners.

    Seen cells lie on the left. Where two meet in a corner, a ring stays with its own.
    """
    deep, wide = seen.shape
    most = 0
    for r in range(deep):
        for c in range(wide):
            most += seen[r, c] and (r == 0 or not seen[r - 1, c])
    # As many sides lead west as east, and corners alternate with runs of them.
    rows, columns = np.empty(5 * most, np.int64), np.empty(5 * most, np.int64)
    starts, owner = np.zeros(most + 1, np.int64), np.empty(most, np.int64)
    done, n, ring = np.zeros(seen.shape, np.bool_), 0, 0
    for first_row in range(deep):
        for first_column in range(wide):
            r, c = first_row, first_column
            if done[r, c] or not seen[r, c] or (r > 0 and seen[r - 1, c]):
                continue
            # Along the north side of a cell, to the west: a way down and east by (down, east), the cell on its left.
            down, east = 0, -1
            while east >= 0 or not done[r, c]:
                if east < 0:
                    done[r, c] = True
                if not _is_seen(seen, r + down, c + east):
                    turn, r1, c1 = 1, r, c
                elif not _is_seen(seen, r + down + east, c + east - down):
                    r, c = r + down, c + east
                    continue
                else:
                    turn, r1, c1 = -1, r + down + east, c + east - down
                rows[n] = r + (1 if down > 0 or east > 0 else 0)
                columns[n] = c + (1 if east > 0 or down < 0 else 0)
                n += 1
                r, c, down, east = r1, c1, -turn * east, turn * down
            rows[n], columns[n] = rows[starts[ring]], columns[starts[ring]]
            owner[ring] = labels[first_row, first_column] - 1
            n, ring = n + 1, ring + 1
            starts[ring] = n
    return rows[:n], columns[:n], starts[: ring + 1], owner[:ring]


@inlined
def _is_seen(seen: Flags, r: int, c: int) -> bool:
    return 0 <= r < seen.shape[0] and 0 <= c < seen.shape[1] and bool(seen[r, c])


@compiled
def _moved(corners: Floats, starts: Ints, is_shell: Flags) -> Floats:
    """Each corner to where its two sides meet once both have moved inwards by a hair's breadth."""
    moved = np.empty_like(corners)
    for ring in range(len(starts) - 1):
        lo, hi = starts[ring], starts[ring + 1]
        inwards = _HAIR_M if (twice_area(corners, lo, hi) > 0) == is_shell[ring] else -_HAIR_M
        before = hi - 2
        for i in range(lo, hi - 1):
            ux, uy = corners[i, 0] - corners[before, 0], corners[i, 1] - corners[before, 1]
            vx, vy = corners[i + 1, 0] - corners[i, 0], corners[i + 1, 1] - corners[i, 1]
            u, v = math.hypot(ux, uy), math.hypot(vx, vy)
            ux, uy, vx, vy = ux / u, uy / u, vx / v, vy / v
            by = inwards / max(1 + ux * vx + uy * vy, _SHARPEST)
            moved[i, 0], moved[i, 1] = corners[i, 0] - (uy + vy) * by, corners[i, 1] + (ux + vx) * by
            before = i
        moved[hi - 1] = moved[lo]
    return moved
