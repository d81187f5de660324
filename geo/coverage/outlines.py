"""Footprints as plain arrays of corners: what the sweep of coverage works on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

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


# The weight of the ground that is asked about, beside which the number of views in a sum can still be read.
GROUND = 1 << 24


class Outlines(NamedTuple):
    """Rings of footprints with the inside on the left, in units of UNIT_M from `origin`, metres of one projection.

    `x` and `y` hold the corners of ring r at starts[r] to starts[r + 1], the last corner equal to the first;
    `footprint` is the footprint of each corner, in rising order, and `weight` how many equal ones each stands for.
    Edge e runs from corner e to corner e + 1.
    """

    x: Ints
    y: Ints
    starts: Ints
    footprint: Ints
    weight: Ints
    origin: tuple[float, float]


def outlines(footprints: NDArray[np.object_], ground: BaseGeometry) -> Outlines:
    """The rings of valid polygons and multipolygons in metres, and last those of the ground that is asked about.

    Equal footprints become one of greater weight. Raises RuleViolation (`coverage.too_wide`) where all of it does
    not fit into 4,000 km.
    """
    first, weight = _distinct(footprints, shapely.bounds(footprints).reshape(-1, 4))
    x, y, starts, owner = _rings(np.concatenate([footprints[first], np.array([ground], dtype=object)]))
    if max(np.ptp(x), np.ptp(y)) > _WIDEST_M:
        raise invalid("coverage.too_wide", "coverage.too_wide", measured=round(max(np.ptp(x), np.ptp(y)) / 1000))
    origin = (float(x.min() + x.max()) / 2, float(y.min() + y.max()) / 2)
    growth = _growth(len(first), len(x))
    whole_x, whole_y = (_whole(values - middle, owner, *growth) for values, middle in zip((x, y), origin, strict=True))
    return Outlines(whole_x, whole_y, starts, owner, np.append(weight, GROUND), origin)


def _growth(footprints: int, corners: int) -> tuple[Floats, Floats]:
    """By how much each footprint grows, the ground last and not at all; how each corner pulls at its middle."""
    # Any numbers that differ from footprint to footprint serve, if they are the same in each run. The middle lies
    # within a convex footprint, on no line of symmetry.
    numbers = np.random.default_rng(0)
    return np.append(_GROWTH * (1 + numbers.random(footprints)), 0), 0.5 + numbers.random(corners)


def _whole(values: Floats, owner: Ints, part: Floats, pull: Floats) -> Ints:
    begins = np.flatnonzero(np.diff(owner, prepend=-1))
    middle = np.add.reduceat(pull * values, begins) / np.add.reduceat(pull, begins)
    growth = (values - middle[owner]) * part[owner]
    return np.rint(values / UNIT_M).astype(np.int64) + np.rint(growth / UNIT_M).astype(np.int64)


def _rings(shapes: NDArray[np.object_]) -> tuple[Floats, Floats, Ints, Ints]:
    parts, shape_of_part = shapely.get_parts(shapes, return_index=True)
    rings, part_of_ring = shapely.get_rings(parts, return_index=True)
    corners, ring_of_corner = shapely.get_coordinates(rings, return_index=True)
    x, y = np.ascontiguousarray(corners[:, 0]), np.ascontiguousarray(corners[:, 1])
    starts = np.searchsorted(ring_of_corner, np.arange(len(rings) + 1)).astype(np.int64)
    # The first ring of a part is its shell and turns left; the others are holes and turn right.
    is_shell = np.diff(part_of_ring, prepend=-1) > 0
    turned = (_twice_areas(x, y, starts) > 0) != is_shell
    if turned.any():
        within = turned[ring_of_corner]
        at = np.arange(len(x))
        at[within] = (starts[:-1] + starts[1:] - 1)[ring_of_corner[within]] - at[within]
        x, y = x[at], y[at]
    return x, y, starts, shape_of_part[part_of_ring][ring_of_corner].astype(np.int64)


def _twice_areas(x: Floats, y: Floats, starts: Ints) -> Floats:
    if len(starts) < 2:
        return np.zeros(0)
    # About each ring's first corner: far from the origin the terms would cancel their last figures away.
    lengths = np.diff(starts)
    u, v = x - np.repeat(x[starts[:-1]], lengths), y - np.repeat(y[starts[:-1]], lengths)
    terms = np.zeros(len(x))
    terms[:-1] = u[:-1] * v[1:] - u[1:] * v[:-1]
    terms[starts[1:] - 1] = 0
    return np.asarray(np.add.reduceat(terms, starts[:-1]), np.float64)


def check(footprints: NDArray[np.object_]) -> None:
    """Raises RuleViolation (`coverage.footprint_unusable`) for one that is empty, invalid or no area."""
    area = np.isin(shapely.get_type_id(footprints), (3, 6))
    usable = area & ~shapely.is_empty(footprints) & shapely.is_valid(footprints)
    if not usable.all():
        at = int(np.flatnonzero(~usable)[0])
        raise invalid(
            "coverage.footprint_unusable", "coverage.footprint_unusable", number=at + 1, measured=_wrong(footprints[at])
        )


def _wrong(footprint: BaseGeometry | None) -> str:
    return "null" if footprint is None else str(shapely.is_valid_reason(footprint))


def _distinct(footprints: NDArray[np.object_], boxes: Floats) -> tuple[Ints, Ints]:
    """Where each different footprint stands first, and how often it stands there in all."""
    order = np.lexsort(boxes.T)
    alike = np.zeros(len(order), dtype=bool)
    alike[1:] = (boxes[order[1:]] == boxes[order[:-1]]).all(axis=1)
    pairs = np.flatnonzero(alike)
    alike[pairs] = shapely.equals_identical(footprints[order[pairs]], footprints[order[pairs - 1]])
    group = np.cumsum(~alike) - 1
    weight = np.bincount(group).astype(np.int64)
    first = np.full(len(weight), len(order), np.int64)
    np.minimum.at(first, group, order)
    by_place = np.argsort(first)
    return first[by_place], weight[by_place]
