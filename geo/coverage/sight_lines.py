"""Line of sight over an elevation model: which of its cells a device sees, from its mast down to a target's height.

Each cell is asked about along the straight line to its centre, as the reference algorithm does (R3, Franklin and Ray
1994); heights between cells are interpolated, and the earth's curvature with refraction lowers what is far away.

Few lines are walked for that. Lines that leave in nearly one direction run over nearly the same ground: the highest and
the lowest that any of them meets is gathered on the way out, and what rises above the one is seen, what stays below the
other is not. The line to a cell between both is walked as the reference algorithm walks all of them, and so the answer
is that of the reference algorithm for each cell.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geo.compiled import compiled, inlined

Heights = NDArray[np.float32]
Floats = NDArray[np.float64]
Seen = NDArray[np.bool_]

# The radius of a sphere over which light that is bent by air of normal pressure runs straight: 6,371 km * 7/6.
_BENT_RADIUS_M = 6_371_000.0 * 7 / 6
# Rounding moves places by less than the first, in cells. So near to whole cells it is not told which cells a place lies
# between; and so near to a slope that hides, in metres for each cell, it is not told what is seen.
_ROUNDING, _BESIDE, _TIE_M = 1e-11, 1e-6, 1e-7
# Below so many cells a second thread costs more than it gives.
_WORTH_THREADS = 20_000


class Lookout(NamedTuple):
    """Where a device looks out: its cell (row and column, with fractions), the height of its mast above the ground,
    the height above the ground of what it must see, and how far it sees; in metres.
    """

    row: float
    column: float
    mast_m: float
    target_m: float
    range_m: float


class _Scene(NamedTuple):
    """What all lines of one lookout have in common; `eye` in metres above mean sea level."""

    heights: Heights
    side_m: float
    lookout: Lookout
    eye: float


class _Fan(NamedTuple):
    """Lanes of lines, side by side across one quarter of the view, from the lane `first` to `last`.

    `highest` and `lowest` are the least slope to what each line of the lane sees beyond, and the greatest to what none
    does: metres of height above the eye for each step of a cell along the axis of the quarter.
    """

    first: int
    last: int
    highest: Floats
    lowest: Floats


def visible(heights: Heights, side_m: float, lookout: Lookout) -> Seen:
    """Whether each cell of a model of square cells is seen; NaN hides itself and all that lies behind it.

    Rows go south. A lookout outside the model, or on a cell of unknown height, sees nothing.
    """
    return visible_of(heights, side_m, lookout, np.ones(heights.shape, np.bool_))


def visible_of(heights: Heights, side_m: float, lookout: Lookout, wanted: Seen) -> Seen:
    """The same for the cells that are wanted; the others are not looked at."""
    ground = height_at(heights, lookout.row, lookout.column)
    if math.isnan(ground):
        return np.zeros(heights.shape, np.bool_)
    scene = _Scene(heights, side_m, lookout, ground + lookout.mast_m)
    if heights.size < _WORTH_THREADS:
        return _along(scene, heights, wanted, False) | _across(scene, wanted)
    with ThreadPoolExecutor(1) as pool:
        across = pool.submit(_across, scene, wanted)
        return _along(scene, heights, wanted, False) | across.result()


def _across(scene: _Scene, wanted: Seen) -> Seen:
    """What is seen to the east and to the west: rows and columns change their parts."""
    return _along(scene, np.ascontiguousarray(scene.heights.T), np.ascontiguousarray(wanted.T), True).T


@compiled
def _along(scene: _Scene, lines: Heights, wanted: Seen, is_turned: bool) -> Seen:
    """What is seen within 45 degrees of the first axis of `lines`, either way; they are turned where that is east."""
    seen = np.zeros(lines.shape, np.bool_)
    for away in (-1, 1):
        _quarter(scene, lines, wanted, seen, is_turned, away)
    return seen


@compiled
def _quarter(scene: _Scene, lines: Heights, wanted: Seen, seen: Seen, is_turned: bool, away: int) -> None:
    """Line by line of cells away from the eye: first what the ground before a line hides, then what is seen of it."""
    at, middle, reach = _place(scene, is_turned)
    first = math.ceil(at) if away > 0 else math.floor(at)
    last = min(int(at + reach) + 1, len(lines) - 1) if away > 0 else max(int(at - reach), 0)
    count = max((last - first) * away + 1, 0)
    fan = _fan(wanted, first, count, away, at, middle, reach)
    if fan.first > fan.last:
        return
    high, low = np.empty(lines.shape[1]), np.empty(lines.shape[1])
    # Samples lie at whole steps; that on the cell itself, or beside it, is no part of the bounds.
    before = math.ceil(abs(first - at) - _BESIDE) - 1
    for n in range(count):
        step = before + n
        if step > 0:
            if _profile(lines, at + away * step, middle, step, high, low):
                _gather(fan, high, middle, step, scene)
            else:
                _gather_partly(fan, high, low, middle, step, scene)
        _look(scene, fan, lines, wanted, seen, is_turned, first + n * away, step)


@inlined
def _place(scene: _Scene, is_turned: bool) -> tuple[float, float, float]:
    """Where the eye is along the lines and across them, and how far it sees, in cells."""
    row, column, _, _, range_m = scene.lookout
    reach = range_m / scene.side_m
    return (column, row, reach) if is_turned else (row, column, reach)


@inlined
def _span(away: float, middle: float, reach: float, wide: int) -> tuple[int, int]:
    """The first and last cell within range, and within 45 degrees, of a line of cells so far away."""
    half = -1.0
    if away <= reach + _ROUNDING:
        half = min(away, math.sqrt(max(reach * reach - away * away, 0.0))) + _ROUNDING
    return max(math.ceil(middle - half), 0), min(math.floor(middle + half), wide - 1)


@inlined
def _lane(aside: float, away: float, lanes: int) -> int:
    return min(max(int((aside / away + 1) * (lanes / 2)), 0), lanes - 1)


@compiled
def _fan(wanted: Seen, first: int, count: int, away: int, at: float, middle: float, reach: float) -> _Fan:  # noqa: PLR0913
    """Two lanes for each line of cells, so that at the furthest each is a cell wide; and which of them are wanted."""
    lanes = 2 * (count + 1)
    least, most = lanes, -1
    for n in range(count):
        a = first + n * away
        far = max(abs(a - at), _ROUNDING)
        begin, end = _span(far, middle, reach, wanted.shape[1])
        while begin <= end and not wanted[a, begin]:
            begin += 1
        while begin <= end and not wanted[a, end]:
            end -= 1
        if begin <= end:
            least = min(least, _lane(begin - middle, far, lanes))
            most = max(most, _lane(end - middle, far, lanes))
    return _Fan(least, most, np.full(lanes, -np.inf), np.full(lanes, -np.inf))


@compiled
def _profile(lines: Heights, at: float, middle: float, step: int, high: Floats, low: Floats) -> bool:
    """Heights along a line between two lines of cells, as far as lanes go there; whether all of them are known.

    Where one is not, `high` is infinite; `low` is so where every sample beside it is not known.
    """
    deep, wide = lines.shape
    i = min(max(math.floor(at), 0), deep - 1)
    n, share = min(i + 1, deep - 1), at - i
    beside = max(i - 1, 0) if share < _BESIDE else min(i + 2, deep - 1) if share > 1 - _BESIDE else i
    is_known = True
    for b in range(max(int(middle) - step - 2, 0), min(int(middle) + step + 3, wide - 1) + 1):
        near, far = lines[i, b], lines[n, b]
        high[b] = low[b] = near * (1 - share) + far * share
        if math.isnan(high[b]) or math.isnan(lines[beside, b]):
            is_known = False
            surely = (math.isnan(near) and share < 1 - _BESIDE) or (math.isnan(far) and share > _BESIDE)
            high[b], low[b] = np.inf, np.inf if surely else -np.inf
    return is_known


@inlined
def _between(profile: Floats, cell: int, place: float) -> float:
    height: float = profile[cell] + (profile[min(cell + 1, len(profile) - 1)] - profile[cell]) * (place - cell)
    return height


@compiled
def _gather(fan: _Fan, profile: Floats, middle: float, step: int, scene: _Scene) -> None:
    """Holds a profile of known heights against what the lanes know."""
    lanes, wide, per_step = len(fan.highest), len(profile), 1.0 / step
    drop = _drop(step * scene.side_m)
    aside = 2.0 * fan.first / lanes - 1
    place = min(max(middle + step * aside, 0.0), wide - 1.0)
    cell = max(min(int(place), wide - 2), 0)
    height = _between(profile, cell, place)
    for lane in range(fan.first, fan.last + 1):
        beyond = 2.0 * (lane + 1) / lanes - 1
        place = min(max(middle + step * beyond, 0.0), wide - 1.0)
        top = low = height
        while cell < place - 1:
            cell += 1
            top, low = max(top, profile[cell]), min(low, profile[cell])
        height = _between(profile, cell, place)
        top, low = max(top, height), min(low, height)
        near, far = min(aside * aside, beyond * beyond), max(aside * aside, beyond * beyond)
        fan.highest[lane] = max(fan.highest[lane], (top - drop * (1 + near) - scene.eye) * per_step)
        fan.lowest[lane] = max(fan.lowest[lane], (low - drop * (1 + far) - scene.eye) * per_step)
        aside = beyond


@compiled
def _gather_partly(fan: _Fan, high: Floats, low: Floats, middle: float, step: int, scene: _Scene) -> None:
    """The same where some heights are not known; by cells, which is less close."""
    lanes, wide = len(fan.highest), len(high)
    drop = _drop(step * scene.side_m)
    for lane in range(fan.first, fan.last + 1):
        begin = middle + step * (2.0 * lane / lanes - 1)
        end = middle + step * (2.0 * (lane + 1) / lanes - 1)
        top, bottom = -np.inf, np.inf
        for b in range(max(int(begin - _BESIDE), 0), min(int(end + _BESIDE) + 1, wide - 1) + 1):
            top, bottom = max(top, high[b]), min(bottom, low[b])
        fan.highest[lane] = max(fan.highest[lane], (top - drop - scene.eye) / step)
        # Within 45 degrees the earth falls away by no more than twice as much.
        fan.lowest[lane] = max(fan.lowest[lane], (bottom - 2 * drop - scene.eye) / step)


@compiled
def _look(  # noqa: PLR0913
    scene: _Scene, fan: _Fan, lines: Heights, wanted: Seen, seen: Seen, is_turned: bool, a: int, step: int
) -> None:
    """Which wanted cells of one line are seen."""
    at, middle, reach = _place(scene, is_turned)
    row, column, _, target_m, _ = scene.lookout
    away = abs(a - at)
    # Whether a sample beside the cell counts is rounding's to say: then the line itself is asked.
    is_told = step > 0 and not step < int(away) < away
    begin, end = _span(away, middle, reach, lines.shape[1])
    for b in range(begin, end + 1):
        if not wanted[a, b] or math.isnan(lines[a, b]):
            continue
        aside = b - middle
        if is_told:
            far2 = (aside * aside + away * away) * scene.side_m * scene.side_m
            slope = (lines[a, b] + target_m - far2 / (2 * _BENT_RADIUS_M) - scene.eye) / away
            lane = _lane(aside, away, len(fan.highest))
            if slope >= fan.highest[lane] + _TIE_M:
                seen[a, b] = True
                continue
            if slope < fan.lowest[lane] - _TIE_M:
                continue
        r, c = (b, a) if is_turned else (a, b)
        seen[a, b] = is_clear(scene.heights, scene.side_m, row, column, scene.eye, r, c, target_m)


@compiled
def is_clear(  # noqa: PLR0913 - a line has two ends
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
        height = height_at(heights, row + (r - row) * share, column + (c - column) * share)
        if not (height - _drop(far_m * share) - eye) / (far_m * share) <= slope:
            return False
    return True


@compiled
def _drop(far_m: float) -> float:
    return far_m * far_m / (2 * _BENT_RADIUS_M)


@compiled
def height_at(heights: Heights, row: float, column: float) -> float:
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
