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
_GROWTH = 1e-10


_POLYGON, _MULTIPOLYGON = 3, 6
_WORTH_THREADS = 1000
_CURVE_BITS = 12

# The weight of the ground that is asked about, beside which the number of views in a sum can still be read.
GROUND = 1 << 24


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


def outlines(footprints: NDArray[np.object_], ground: BaseGeometry) -> Outlines:
    """The rings of valid polygons and multipolygons in metres, and last those of the ground that is asked about.

    Equal footprints become one of greater weight. Raises RuleViolation (`coverage.too_wide`) where all of it does
    not fit into 4,000 km.
    """
    boxes = shapely.bounds(np.concatenate([footprints, np.array([ground], dtype=object)]))
    (west, south), (east, north) = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    if max(east - west, north - south) > _WIDEST_M:
        raise invalid("coverage.too_wide", "coverage.too_wide", measured=round(max(east - west, north - south) / 1000))
    first, weight, group = _distinct(footprints, boxes[:-1])
    rings = corners_of(footprints[first]), corners_of(np.array([ground], dtype=object))
    corners, starts, owner, is_shell = (np.concatenate(pair) for pair in zip(*rings, strict=True))
    before = len(rings[0][0])
    starts[len(rings[0][1]) :] += before
    owner[before:] += len(first)
    origin = (float(west + east) / 2, float(south + north) / 2)
    # Neighbours in space become neighbours in memory.
    order = np.append(_along_a_curve(boxes[first, :2]), len(first))
    rank = np.argsort(order)
    made = _placed(
        corners, np.append(starts, len(corners)), owner, is_shell, rank, origin, *_growth(len(first), len(corners))
    )
    return Outlines(*made, np.append(weight, GROUND)[order], origin, rank[group])


def _along_a_curve(places: Floats) -> Ints:
    """An order in which places that are near one another mostly come soon after one another (Morton 1966)."""
    if not len(places):
        return np.zeros(0, np.int64)
    least, size = places.min(axis=0), np.ptp(places, axis=0).max()
    column, row = ((places - least) / max(size, 1.0) * ((1 << _CURVE_BITS) - 1)).astype(np.int64).T
    key = np.zeros(len(places), np.int64)
    for bit in range(_CURVE_BITS):
        key |= ((column >> bit & 1) << 2 * bit) | ((row >> bit & 1) << 2 * bit + 1)
    return np.argsort(key, kind="stable")


def _growth(footprints: int, corners: int) -> tuple[Floats, Floats]:
    """By how much each footprint grows, the ground last and not at all; how each corner pulls at its middle."""
    # Any numbers that differ from footprint to footprint serve, if they are the same in each run. The middle lies
    # within a convex footprint, on no line of symmetry.
    numbers = np.random.default_rng(0)
    return np.append(_GROWTH * (1 + numbers.random(footprints)), 0), 0.5 + numbers.random(corners)


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
    growth: Floats,
    pull: Floats,
) -> tuple[Ints, Ints, Ints, Ints]:
    """Corners as whole numbers in the footprints' new order, their rings and footprints.

    Each footprint is grown about its middle, and has its inside on the left.
    """
    first_ring, new_at, new_ring = _moved(starts, owner, rank)
    x, y, number = np.empty(len(corners), np.int64), np.empty(len(corners), np.int64), np.empty(len(corners), np.int64)
    new_starts = np.empty(len(starts), np.int64)
    new_starts[-1] = len(corners)
    for p in range(len(rank)):
        begin, end = starts[first_ring[p]], starts[first_ring[p + 1]]
        number[new_at[p] : new_at[p] + end - begin] = rank[p]
        u, v, pulls = 0.0, 0.0, 0.0
        for i in range(begin, end):
            u += pull[i] * (corners[i, 0] - origin[0])
            v += pull[i] * (corners[i, 1] - origin[1])
            pulls += pull[i]
        u, v = u / pulls, v / pulls
        for r in range(first_ring[p], first_ring[p + 1]):
            lo, hi = starts[r], starts[r + 1]
            at = new_at[p] + lo - begin
            new_starts[new_ring[p] + r - first_ring[p]] = at
            turned = (twice_area(corners, lo, hi) > 0) != is_shell[r]
            for i in range(lo, hi):
                j = at + (hi - 1 - i if turned else i - lo)
                dx, dy = corners[i, 0] - origin[0], corners[i, 1] - origin[1]
                x[j] = round(dx / UNIT_M) + round((dx - u) * growth[p] / UNIT_M)
                y[j] = round(dy / UNIT_M) + round((dy - v) * growth[p] / UNIT_M)
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
    order = np.lexsort((boxes[:, 1], boxes[:, 0]))
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
