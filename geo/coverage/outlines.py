"""Footprints as plain arrays of corners: what the sweep of coverage works on."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geo.compiled import compiled, inlined
from schemas.refusals import invalid

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Corners are kept as whole numbers of 2^-40 m (about 10^-12 m): differences of neighbours are exact.
UNIT_M = 2.0**-40
# The widest region; what is further apart than this does not fit into 64 bits.
_WIDEST_M = 4e6
# Footprints grow about their middle by one to two parts of 10^10, each by a part of its own: 0.03 to 0.06
# micrometres at 300 m. So no corner lies exactly on another's edge, and sectors that share an edge leave no crack
# between them. Areas grow by at most four parts of 10^10 (controlled perturbation, Halperin and Shelton 1998).
GROWTH = 1e-10


_POLYGON, _MULTIPOLYGON = 3, 6
_WORTH_THREADS = 1000
_CURVE_BITS = 12

# The weight of the ground that is asked about, beside which the number of views in a sum can still be read.
GROUND = 1 << 24
# The ground is no footprint that was given: it has no number among them.
_NO_NUMBER = -1
# Odd numbers that spread whole numbers over all bits (Steele, Lea and Flood 2014).
_MIX, _MIX_AGAIN = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_MIDDLE_BITS = np.uint64(31)
_UNUSED_BITS = np.uint64(11)
_MIX_BOX = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93], np.uint64)


class Outlines(NamedTuple):
    """Rings of footprints with the inside on the left, in units of UNIT_M from `origin`, metres of one projection.

    `x` and `y` hold the corners of ring r at starts[r] to starts[r + 1], the last corner equal to the first;
    `footprint` is the footprint of each corner, in rising order, and `weight` how many equal ones each stands for.
    Edge e runs from corner e to corner e + 1. `standing` is the number that each footprint as given has here.
    """

    x: Ints
    y: Ints
    starts: Ints
    footprint: Ints
    weight: Ints
    origin: tuple[float, float]
    standing: Ints

    def rings_of(self, footprints: Ints) -> Ints:
        """The first ring of each footprint; the number of all rings for the number of all footprints."""
        return np.searchsorted(self.footprint[self.starts[:-1]], footprints).astype(np.int64)


def outlines(
    footprints: NDArray[np.object_],
    ground: BaseGeometry,
    *,
    boxes: Floats | None = None,
    needed: NDArray[np.bool_] | None = None,
) -> Outlines:
    """The rings of valid polygons and multipolygons in metres, and last those of the ground that is asked about.

    Equal footprints become one of greater weight. Of those that are not `needed` none stands there; the others stand
    as they would beside them. `boxes` are the footprints' bounds, if they are known. Raises RuleViolation
    (`coverage.too_wide`) where all of it does not fit into 4,000 km.
    """
    boxes = shapely.bounds(footprints).reshape(-1, 4) if boxes is None else boxes
    origin = origin_of(boxes, ground)
    some = np.arange(len(footprints)) if needed is None else np.flatnonzero(needed)
    first, weight, group = _distinct(footprints[some], boxes[some])
    first = some[first]
    rings = corners_of(footprints[first]), corners_of(np.array([ground], dtype=object))
    corners, starts, owner, is_shell = (np.concatenate(pair) for pair in zip(*rings, strict=True))
    before = len(rings[0][0])
    starts[len(rings[0][1]) :] += before
    owner[before:] += len(first)
    # Neighbours in space become neighbours in memory.
    order = np.append(_along_a_curve(boxes, first), len(first))
    rank = np.argsort(order)
    made = _placed(
        corners, np.append(starts, len(corners)), owner, is_shell, rank, origin, np.append(first, _NO_NUMBER)
    )
    return Outlines(*made, np.append(weight, GROUND)[order], origin, rank[group])


def origin_of(boxes: Floats, ground: BaseGeometry) -> tuple[float, float]:
    """The middle of the footprints' boxes and the ground; raises RuleViolation (`coverage.too_wide`)."""
    west, south, east, north = extent(np.array([extent(boxes), ground.bounds] if len(boxes) else [ground.bounds]))
    if max(east - west, north - south) > _WIDEST_M:
        raise invalid("coverage.too_wide", "coverage.too_wide", measured=round(max(east - west, north - south) / 1000))
    return (west + east) / 2, (south + north) / 2


def extent(boxes: Floats) -> tuple[float, float, float, float]:
    """The westernmost, southernmost, easternmost and northernmost of boxes, of which there is one at least."""
    # One column after another: numpy takes ten times as long over the rows of both.
    return float(boxes[:, 0].min()), float(boxes[:, 1].min()), float(boxes[:, 2].max()), float(boxes[:, 3].max())


def _along_a_curve(boxes: Floats, some: Ints) -> Ints:
    """An order of some boxes in which those near one another mostly come soon after one another (Morton 1966)."""
    if not len(some):
        return np.zeros(0, np.int64)
    west, south, east, north = extent(boxes)
    per_m = ((1 << _CURVE_BITS) - 1) / max(east - west, north - south, 1.0)
    column, row = (((boxes[some, i] - least) * per_m).astype(np.int64) for i, least in enumerate((west, south)))
    key = np.zeros(len(some), np.int64)
    for bit in range(_CURVE_BITS):
        key |= ((column >> bit & 1) << 2 * bit) | ((row >> bit & 1) << 2 * bit + 1)
    return np.argsort(key, kind="stable")


def begins_of(numbers: Ints) -> Ints:
    """Where each run of one number begins."""
    if not len(numbers):
        return np.zeros(0, np.int64)
    return np.concatenate([np.zeros(1, np.int64), np.flatnonzero(numbers[1:] != numbers[:-1]) + 1])


@compiled
def _placed(  # noqa: PLR0913 - what a call hands over as plain arrays costs nothing
    corners: Floats,
    starts: Ints,
    owner: Ints,
    is_shell: NDArray[np.bool_],
    rank: Ints,
    origin: tuple[float, float],
    given: Ints,
) -> tuple[Ints, Ints, Ints, Ints]:
    """Corners as whole numbers in the footprints' new order, their rings and footprints.

    Each footprint is grown about its middle, by a part that follows from its number as `given`, and has its inside on
    the left. The middle lies within a convex footprint, on no line of symmetry.
    """
    first_ring, new_at, new_ring = _moved(starts, owner, rank)
    x, y, number = np.empty(len(corners), np.int64), np.empty(len(corners), np.int64), np.empty(len(corners), np.int64)
    new_starts = np.empty(len(starts), np.int64)
    new_starts[-1] = len(corners)
    for p in range(len(rank)):
        begin, end = starts[first_ring[p]], starts[first_ring[p + 1]]
        number[new_at[p] : new_at[p] + end - begin] = rank[p]
        growth = 0.0 if given[p] == _NO_NUMBER else GROWTH * (1 + scattered(given[p], 0))
        u, v, pulls = 0.0, 0.0, 0.0
        for i in range(begin, end):
            pull = 0.5 + scattered(given[p], i - begin + 1)
            u += pull * (corners[i, 0] - origin[0])
            v += pull * (corners[i, 1] - origin[1])
            pulls += pull
        u, v = u / pulls, v / pulls
        for r in range(first_ring[p], first_ring[p + 1]):
            lo, hi = starts[r], starts[r + 1]
            at = new_at[p] + lo - begin
            new_starts[new_ring[p] + r - first_ring[p]] = at
            turned = (twice_area(corners, lo, hi) > 0) != is_shell[r]
            for i in range(lo, hi):
                j = at + (hi - 1 - i if turned else i - lo)
                dx, dy = corners[i, 0] - origin[0], corners[i, 1] - origin[1]
                x[j] = round(dx / UNIT_M) + round((dx - u) * growth / UNIT_M)
                y[j] = round(dy / UNIT_M) + round((dy - v) * growth / UNIT_M)
    return x, y, new_starts, number


@compiled
def _moved(starts: Ints, owner: Ints, rank: Ints) -> tuple[Ints, Ints, Ints]:
    """The first ring of each footprint, and where its corners and its rings begin in the new order."""
    most = len(rank)
    first_ring = np.full(most + 1, len(starts) - 1, np.int64)
    for r in range(len(starts) - 2, -1, -1):
        first_ring[owner[starts[r]]] = r
    at, ring = np.empty(most, np.int64), np.empty(most, np.int64)
    corners, rings = 0, 0
    for p in np.argsort(rank):
        at[p], ring[p] = corners, rings
        corners += starts[first_ring[p + 1]] - starts[first_ring[p]]
        rings += first_ring[p + 1] - first_ring[p]
    return first_ring, at, ring


@inlined
def scattered(number: int, part: int) -> float:
    """Any number from 0 to 1, the same for one number and part in each run."""
    mixed = (np.uint64(number) << np.uint64(32)) + np.uint64(part)
    mixed = (mixed ^ (mixed >> _MIDDLE_BITS)) * _MIX
    mixed = (mixed ^ (mixed >> _MIDDLE_BITS)) * _MIX_AGAIN
    return float((mixed ^ (mixed >> _MIDDLE_BITS)) >> _UNUSED_BITS) * 2.0**-53


@inlined
def twice_area(corners: Floats, begin: int, end: int) -> float:
    """Twice the area of a ring, above zero where it turns left."""
    # About the ring's first corner: far from the origin the terms would cancel their last figures away.
    area, u, v = 0.0, corners[begin, 0], corners[begin, 1]
    for i in range(begin, end - 1):
        area += (corners[i, 0] - u) * (corners[i + 1, 1] - v) - (corners[i + 1, 0] - u) * (corners[i, 1] - v)
    return area


def corners_of(shapes: NDArray[np.object_]) -> tuple[Floats, Ints, Ints, NDArray[np.bool_]]:
    """Corners, where each ring begins, the shape of each corner, and whether a ring is a shell."""
    if (shapely.get_type_id(shapes) == _POLYGON).all() and not shapely.get_num_interior_rings(shapes).any():
        corners, owner = shapely.get_coordinates(shapes, return_index=True)
        starts = begins_of(owner)
        return corners, starts, owner, np.ones(len(starts), np.bool_)
    parts, shape_of_part = shapely.get_parts(shapes, return_index=True)
    rings, part_of_ring = shapely.get_rings(parts, return_index=True)
    corners, ring_of_corner = shapely.get_coordinates(rings, return_index=True)
    starts = begins_of(ring_of_corner)
    # The first ring of a part is its shell and turns left; the others are holes and turn right.
    is_shell = np.diff(part_of_ring, prepend=-1) > 0
    return corners, starts, shape_of_part[part_of_ring][ring_of_corner], is_shell


def check(footprints: NDArray[np.object_]) -> None:
    """Raises RuleViolation (`coverage.footprint_unusable`) for one that is empty, invalid or no area."""
    kind = shapely.get_type_id(footprints)
    usable = (
        ((kind == _POLYGON) | (kind == _MULTIPOLYGON))
        & ~shapely.is_empty(footprints)
        & in_threads(shapely.is_valid, footprints)
    )
    if not usable.all():
        at = int(np.flatnonzero(~usable)[0])
        raise invalid(
            "coverage.footprint_unusable", "coverage.footprint_unusable", number=at + 1, measured=_wrong(footprints[at])
        )


def _wrong(footprint: BaseGeometry | None) -> str:
    return "null" if footprint is None else str(shapely.is_valid_reason(footprint))


def _distinct(footprints: NDArray[np.object_], boxes: Floats) -> tuple[Ints, Ints, Ints]:
    """Where each different footprint stands first, how often it stands there in all, and which each one is."""
    # Equal boxes come together, and no zero has a sign.
    order = np.argsort(((boxes + 0.0).view(np.uint64) * _MIX_BOX).sum(axis=1), kind="stable")
    alike = np.zeros(len(order), dtype=bool)
    alike[1:] = (boxes[order[1:]] == boxes[order[:-1]]).all(axis=1)
    pairs = np.flatnonzero(alike)
    alike[pairs] = shapely.equals_identical(footprints[order[pairs]], footprints[order[pairs - 1]])
    group = np.cumsum(~alike) - 1
    weight = np.bincount(group).astype(np.int64)
    first = np.full(len(weight), len(order), np.int64)
    np.minimum.at(first, group, order)
    by_place = np.argsort(first)
    number = np.empty(len(order), np.int64)
    number[order] = np.argsort(by_place)[group]
    return first[by_place], weight[by_place], number


def in_threads(
    function: Callable[[NDArray[np.object_]], NDArray[Any]], shapes: NDArray[np.object_], threads: int = 2
) -> NDArray[Any]:
    """A function of shapely over an array, its parts side by side: GEOS needs no lock of Python's."""
    if threads == 1 or len(shapes) < _WORTH_THREADS:
        return function(shapes)
    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(function, np.array_split(shapes, threads))))
