"""Stretches of outlines, chained into the rings of polygons."""

from __future__ import annotations

from typing import cast

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.compiled import compiled
from geo.coverage.outlines import Floats, Ints, begins_of

Rings = NDArray[np.object_]

# Scatters keys over a table: two to the 64th over the golden ratio.
_SCATTER = np.uint64(0x9E3779B97F4A7C15)
_FEWEST_CORNERS = 3


class BrokenChain(Exception):
    """Stretches that close no rings, or rings that touch: edges lie too close to say which crosses which."""


def polygons(begins: Ints, ends: Ints, x: Floats, y: Floats, *, on_left: bool, more: Rings) -> Rings:
    """The areas to the left of the stretches, or to their right; raises BrokenChain where they close no rings.

    `more` are rings that touch nothing: holes in what lies right of the stretches. Each polygon is valid, and
    together they make a valid multipolygon.
    """
    if not len(begins):
        return np.empty(0, dtype=object)
    following = _following(begins, ends, max(2 * len(begins) - 1, 1).bit_length())
    if (following < 0).any():
        raise BrokenChain
    ring, corners = _chained(following, x, y)
    rings = cast(Rings, shapely.linearrings(corners, indices=ring))
    is_shell = shapely.is_ccw(rings) == on_left
    return _filled(rings[is_shell], rings[~is_shell], more)


@compiled
def _following(begins: Ints, ends: Ints, bits: int) -> Ints:
    """The stretch that begins where each ends: -1 for none; -1 for all where two begin at one point."""
    table, held = np.full(1 << bits, -1, np.int64), (1 << bits) - 1
    shift, following = np.uint64(64 - bits), np.full(len(begins), -1, np.int64)
    for i in range(len(begins)):
        at = np.int64((np.uint64(begins[i]) * _SCATTER) >> shift)
        while table[at] >= 0:
            if begins[table[at]] == begins[i]:
                return np.full(len(begins), -1, np.int64)
            at = (at + 1) & held
        table[at] = i
    for i in range(len(ends)):
        at = np.int64((np.uint64(ends[i]) * _SCATTER) >> shift)
        while table[at] >= 0 and begins[table[at]] != ends[i]:
            at = (at + 1) & held
        following[i] = table[at]
    return following


@compiled
def _chained(following: Ints, x: Floats, y: Floats) -> tuple[Ints, Floats]:
    """The corners of each ring in order, and the number of the ring of each corner."""
    ring, corners = np.empty(len(following), np.int64), np.empty((len(following), 2))
    done = np.zeros(len(following), np.bool_)
    number, n = 0, 0
    for first in range(len(following)):
        begin, at = n, first
        while not done[at]:
            done[at] = True
            ring[n], corners[n, 0], corners[n, 1] = number, x[at], y[at]
            at, n = following[at], n + 1
        # What is left between two crossings a rounding error apart is no ring.
        if n - begin >= _FEWEST_CORNERS:
            number += 1
        else:
            n = begin
    return ring[:n], corners[:n]


def _filled(shells: Rings, holes: Rings, more: Rings) -> Rings:
    """Shells with their holes, each hole in the smallest shell that holds it."""
    plain = cast(Rings, shapely.polygons(shells))
    owner = _owners(plain, holes)
    drawn = _with_holes(plain, shells, holes, owner)
    if not shapely.is_valid(shapely.multipolygons(drawn)):
        raise BrokenChain
    if not len(more):
        return drawn
    # Rings that touch nothing make no polygon invalid.
    return _with_holes(plain, shells, np.concatenate([holes, more]), np.concatenate([owner, _owners(plain, more)]))


def _owners(plain: Rings, holes: Rings) -> Ints:
    """The number of the smallest polygon that holds each ring."""
    if not len(holes):
        return np.zeros(0, np.int64)
    corners, ring = shapely.get_coordinates(holes, return_index=True)
    at = corners[begins_of(ring)]
    hole, shell = shapely.STRtree(plain).query(shapely.points(at))
    shapely.prepare(plain[np.unique(shell)])
    within = shapely.contains_xy(plain[shell], at[hole, 0], at[hole, 1])
    hole, shell = hole[within], shell[within]
    order = np.lexsort((shapely.area(plain)[shell], hole))
    hole, nearest = np.unique(hole[order], return_index=True)
    if len(hole) != len(holes):
        raise BrokenChain
    return np.asarray(shell[order][nearest], np.int64)


def _with_holes(plain: Rings, shells: Rings, holes: Rings, owner: Ints) -> Rings:
    if not len(holes):
        return plain
    owner = np.concatenate([np.arange(len(shells)), owner])
    # The first ring of a polygon is its shell.
    by_owner = np.argsort(owner, kind="stable")
    return cast(Rings, shapely.polygons(np.concatenate([shells, holes])[by_owner], indices=owner[by_owner]))
