"""The ground that devices see, at least once, twice, k times; and the ground that none sees: areas and polygons."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import cast

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geo.coverage.apart import apart
from geo.coverage.cells import cells_of, frame_of
from geo.coverage.halves import by_halves
from geo.coverage.outlines import Floats, Ints, Outlines, check, outlines
from geo.coverage.rings import BrokenChain, polygons
from geo.coverage.sweep import GAP, Found, Walk, sweep

# Where nothing is asked about, the ground is a box that reaches this far beyond all that is seen.
_BEYOND_M = 10.0
_NO_LEVEL = -1
_NO_RINGS = np.empty(0, dtype=object)


class Union:
    """An exact union of footprints over a piece of ground, in metres of one equal-area projection.

    `levels` is the largest number of views that is told apart. Areas and shapes do not depend on `side_m`, the
    side of the cells that the work is cut into, nor on the number of threads.
    """

    def __init__(
        self,
        footprints: NDArray[np.object_],
        ground: BaseGeometry | None = None,
        *,
        levels: int = 3,
        side_m: float | None = None,
        threads: int = 2,
        made_here: bool = False,
    ) -> None:
        """Raises RuleViolation for a footprint that is no area; see `outlines`."""
        footprints = np.asarray(footprints, dtype=object)
        if not made_here:
            check(footprints)
        self._levels, self._threads = levels, threads
        self._ground = _box_around(footprints) if ground is None else ground
        alone = self._alone(footprints)
        self._apart, self._close = footprints[alone], footprints[~alone]
        self._outlines = outlines(self._close, self._ground)
        self._cells = cells_of(self._outlines, frame_of(self._outlines, side_m))

    def _alone(self, footprints: NDArray[np.object_]) -> NDArray[np.bool_]:
        """Footprints that touch no other, nor the border of the ground."""
        boxes = shapely.bounds(footprints).reshape(-1, 4)
        alone = apart(boxes)
        shapely.prepare(self._ground)
        alone[alone] = shapely.contains_properly(self._ground, shapely.box(*boxes[alone].T))
        return alone

    @cached_property
    def areas_m2(self) -> Floats:
        """Square metres of the ground that are seen at least 1, 2, ... `levels` times."""
        areas, found = self._swept(_NO_LEVEL)
        views = areas.sum(axis=0)
        if any(one.fill[1] for one in found):
            views = np.array([part.area for part in self._by_halves])
        views[0] += shapely.area(self._apart).sum()
        return np.asarray(views)

    @cached_property
    def gap_m2(self) -> float:
        """Square metres of the ground that nobody sees."""
        return float(self._ground.area - self.areas_m2[0])

    def seen(self, times: int = 1) -> BaseGeometry:
        """The ground that is seen at least so many times, up to `levels`."""
        try:
            seen = _polygons(self._drawn(times, _NO_RINGS))
        except BrokenChain:
            seen = _polygons(self._by_halves[times - 1])
        return _collected(np.concatenate([seen, _polygons(self._apart)]) if times == 1 else seen)

    def gap(self) -> BaseGeometry:
        """The ground that nobody sees."""
        rings = shapely.get_rings(shapely.get_parts(shapely.orient_polygons(self._apart)))
        try:
            return self._drawn(GAP, shapely.reverse(rings))
        except BrokenChain:
            return _collected(_polygons(self._ground.difference(self.seen())))

    @cached_property
    def _by_halves(self) -> list[BaseGeometry]:
        return [part.intersection(self._ground) for part in by_halves(self._close, self._levels)]

    def _drawn(self, level: int, more: NDArray[np.object_]) -> BaseGeometry:
        _, found = self._swept(level)
        begins, ends, x, y = (np.concatenate([one[i] for one in found]) for i in range(2, 6))
        x, y = x + self._outlines.origin[0], y + self._outlines.origin[1]
        return polygons(self._round(begins), self._round(ends), x, y, more)

    def _swept(self, level: int) -> tuple[Floats, list[Found]]:
        """One sweep of all edges, footprints shared out between threads."""
        one = self._outlines
        areas = np.zeros((len(one.weight), self._levels))

        def go(some: Ints) -> Found:
            walk, found = self._room(), _found(areas, 0)
            sweep(one, self._cells, some, self._levels, level, walk, found)
            if found.fill[0]:
                found = _found(np.zeros_like(areas), int(found.fill[0]))
                sweep(one, self._cells, some, self._levels, level, walk, found)
            return found

        shares = _shares(one, self._threads)
        if self._threads == 1:
            return areas, [go(share) for share in shares]
        with ThreadPoolExecutor(self._threads) as pool:
            return areas, list(pool.map(go, shares))

    def _room(self) -> Walk:
        frame, most = self._cells.frame, len(self._outlines.x)
        numbers = [np.empty(most, np.int64) for _ in range(2)]
        return Walk(np.empty(4 * (frame.rows + frame.columns), np.int64), np.empty(most), *numbers)

    def _round(self, keys: Ints) -> Ints:
        """Keys of corners, the last of a ring as its first."""
        starts = self._outlines.starts
        number = np.arange(len(self._outlines.x))
        number[starts[1:] - 1] = starts[:-1]
        corners = keys < len(number)
        keys[corners] = number[keys[corners]]
        return keys


def _found(areas: Floats, stretches: int) -> Found:
    keys, places = [np.empty(stretches, np.int64) for _ in "be"], [np.empty(stretches) for _ in "xy"]
    return Found(areas, np.zeros(2, np.int64), keys[0], keys[1], places[0], places[1])


def _shares(one: Outlines, parts: int) -> list[Ints]:
    """The edges in runs of whole footprints: no two threads write into one row."""
    begins = np.ones(len(one.x), dtype=bool)
    # The last corner of a ring begins no edge.
    begins[one.starts[1:] - 1] = False
    edges = np.flatnonzero(begins).astype(np.int64)
    cuts = np.searchsorted(
        one.footprint[edges], np.linspace(0, len(one.weight), (4 * parts if parts > 1 else 1) + 1)[1:-1]
    )
    return [share for share in np.split(edges, cuts) if len(share)]


def _polygons(shape: BaseGeometry | NDArray[np.object_]) -> NDArray[np.object_]:
    """The polygons of a geometry; GEOS leaves lines and points where areas only touch."""
    parts = shapely.get_parts(shapely.get_parts(shape))
    return np.asarray(parts[shapely.get_type_id(parts) == 3])


def _collected(polygons: NDArray[np.object_]) -> BaseGeometry:
    return cast(BaseGeometry, shapely.multipolygons(polygons))


def _box_around(footprints: NDArray[np.object_]) -> BaseGeometry:
    west, south, east, north = shapely.total_bounds(footprints)
    return shapely.Polygon.from_bounds(west - _BEYOND_M, south - _BEYOND_M, east + _BEYOND_M, north + _BEYOND_M)
