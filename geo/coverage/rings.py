"""Stretches of outlines, chained into the rings of polygons."""

from __future__ import annotations

from typing import cast

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geo.compiled import compiled
from geo.coverage.outlines import Floats, Ints

Rings = NDArray[np.object_]


class BrokenChain(Exception):
    """Stretches that close no rings, or rings that touch: edges lie too close to say which crosses which."""


def polygons(begins: Ints, ends: Ints, x: Floats, y: Floats, more: Rings) -> BaseGeometry:
    """The area to the left of the stretches and of some more rings; raises BrokenChain where they close no rings."""
    if not len(begins):
        return shapely.MultiPolygon()
    order = np.argsort(begins, kind="stable")
    begins = begins[order]
    following = np.searchsorted(begins, ends[order])
    following[following == len(begins)] = 0
    if (begins[following] != ends[order]).any() or (np.diff(begins) == 0).any():
        raise BrokenChain
    ring, place = _chained(following)
    in_rings = np.lexsort((place, ring))
    ring, corners = ring[in_rings], np.stack([x[order], y[order]], axis=1)[in_rings]
    # What is left between two crossings a rounding error apart is no ring.
    sizes = np.bincount(ring)
    corners, ring = corners[sizes[ring] >= 3], ring[sizes[ring] >= 3]
    _, ring = np.unique(ring, return_inverse=True)
    rings = shapely.linearrings(corners, indices=ring)
    rings = np.concatenate([rings, more])
    is_shell = shapely.is_ccw(rings)
    return _filled(rings[is_shell], rings[~is_shell])


@compiled
def _chained(following: Ints) -> tuple[Ints, Ints]:
    """The number of the ring of each stretch, and its place in it."""
    ring, place = np.full(len(following), -1, np.int64), np.zeros(len(following), np.int64)
    number = 0
    for first in range(len(following)):
        if ring[first] < 0:
            at, step = first, 0
            while ring[at] < 0:
                ring[at], place[at] = number, step
                at, step = following[at], step + 1
            number += 1
    return ring, place


def _filled(shells: Rings, holes: Rings) -> BaseGeometry:
    """Shells with their holes, each hole in the smallest shell that holds it."""
    filled = cast(Rings, shapely.polygons(shells))
    if len(holes):
        hole, shell = shapely.STRtree(filled).query(shapely.get_point(holes, 0), predicate="within")
        order = np.lexsort((np.asarray(shapely.area(filled))[shell], hole))
        hole, nearest = np.unique(hole[order], return_index=True)
        if len(hole) != len(holes):
            raise BrokenChain
        shell = shell[order][nearest]
        by_shell = np.argsort(shell, kind="stable")
        pierced, firsts = np.unique(shell[by_shell], return_index=True)
        for number, within in zip(pierced, np.split(by_shell, firsts[1:]), strict=True):
            filled[number] = shapely.Polygon(shells[number], holes[within])
    drawn = cast(BaseGeometry, shapely.multipolygons(filled))
    if not drawn.is_valid:
        raise BrokenChain
    return drawn
