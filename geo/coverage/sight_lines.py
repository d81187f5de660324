"""Line of sight over an elevation model: which of its cells a device sees, from its mast down to a target's height.

Each cell is asked about along the straight line to its centre, as the reference algorithm does (R3, Franklin and Ray
1994); heights between cells are interpolated, and the earth's curvature with refraction lowers what is far away.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geo.compiled import compiled

Heights = NDArray[np.float32]
Seen = NDArray[np.bool_]

# The radius of a sphere over which light that is bent by air of normal pressure runs straight: 6,371 km * 7/6.
_BENT_RADIUS_M = 6_371_000.0 * 7 / 6


class Lookout(NamedTuple):
    """Where a device looks out: its cell (row and column, with fractions), the height of its mast above the ground,
    the height above the ground of what it must see, and how far it sees; in metres.
    """

    row: float
    column: float
    mast_m: float
    target_m: float
    range_m: float


def visible(heights: Heights, side_m: float, lookout: Lookout) -> Seen:
    """Whether each cell of a model of square cells is seen; NaN hides itself and all that lies behind it.

    Rows go south. A lookout outside the model, or on a cell of unknown height, sees nothing.
    """
    return visible_of(heights, side_m, lookout, np.ones(heights.shape, np.bool_))


@compiled
def visible_of(heights: Heights, side_m: float, lookout: Lookout, wanted: Seen) -> Seen:
    """The same for the cells that are wanted; the others are not looked at."""
    rows, columns = heights.shape
    seen = np.zeros((rows, columns), np.bool_)
    row, column, mast_m, target_m, range_m = lookout
    ground = _height(heights, row, column)
    if math.isnan(ground):
        return seen
    eye = ground + mast_m
    reach = range_m / side_m
    for r in range(max(int(row - reach), 0), min(int(row + reach) + 2, rows)):
        for c in range(max(int(column - reach), 0), min(int(column + reach) + 2, columns)):
            away = math.hypot(r - row, c - column)
            if wanted[r, c] and away <= reach:
                seen[r, c] = _clear(heights, side_m, row, column, eye, r, c, target_m)
    return seen


@compiled
def _clear(  # noqa: PLR0913 - a line has two ends
    heights: Heights, side_m: float, row: float, column: float, eye: float, r: int, c: int, target_m: float
) -> bool:
    """Whether nothing stands between the eye and a target above the centre of a cell."""
    if math.isnan(heights[r, c]):
        return False
    steps = int(max(abs(r - row), abs(c - column)))
    far_m = math.hypot(r - row, c - column) * side_m
    if far_m < side_m:
        return True
    slope = (heights[r, c] + target_m - _drop(far_m) - eye) / far_m
    for step in range(1, steps + 1):
        # Whole rows, or columns where the line runs more across: there two cells are enough to interpolate.
        share = step / max(abs(r - row), abs(c - column))
        if share >= 1:
            break
        height = _height(heights, row + (r - row) * share, column + (c - column) * share)
        if not (height - _drop(far_m * share) - eye) / (far_m * share) <= slope:
            return False
    return True


@compiled
def _drop(far_m: float) -> float:
    return far_m * far_m / (2 * _BENT_RADIUS_M)


@compiled
def _height(heights: Heights, row: float, column: float) -> float:
    """The height between four cells; NaN outside of the model and where one of them is not known."""
    rows, columns = heights.shape
    if not (0 <= row <= rows - 1 and 0 <= column <= columns - 1):
        return math.nan
    r, c = min(int(row), rows - 2) if rows > 1 else 0, min(int(column), columns - 2) if columns > 1 else 0
    down, right = row - r, column - c
    top, low = float(heights[r, c]), float(heights[min(r + 1, rows - 1), c])
    if right > 0:
        top = top * (1 - right) + heights[r, c + 1] * right
        low = low * (1 - right) + heights[min(r + 1, rows - 1), c + 1] * right
    if down == 0:
        return top
    return top * (1 - down) + low * down
