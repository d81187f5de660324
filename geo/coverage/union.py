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
from geo.coverage.cells import Cells, cells_of, frame_around
from geo.coverage.deep import Corners, deep_cells, needed, raise_full
from geo.coverage.halves import by_halves
from geo.coverage.outlines import Floats, Outlines, check, origin_of, outlines
from geo.coverage.rings import BrokenChain, polygons
from geo.coverage.sweep import GAP, Found, Walk, sweep

# Where nothing is asked about, the ground is a box that reaches this far beyond all that is seen.
_BEYOND_M = 10.0
# More shares than threads: one that is done early takes another.
_SHARES = 4
_POLYGON = 3
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
        self._ground = box_around(footprints) if ground is None else ground
        boxes = shapely.bounds(footprints).reshape(-1, 4)
        alone = self._alone(footprints, boxes)
        self._apart, self._close, boxes = footprints[alone], footprints[~alone], boxes[~alone]
        origin = origin_of(boxes, self._ground)
        border = np.array([self._ground], dtype=object)
        corners, ground_corners = Corners.of(self._close, boxes), Corners.of(border, shapely.bounds(border))
        frame = frame_around(boxes, ground_corners.boxes, len(corners.xy), side_m)
        self._deep = deep_cells(corners, frame, levels, threads)
        some = needed(corners, ground_corners, frame, self._deep)
        self._outlines = outlines(self._close, self._ground, boxes=boxes, needed=some)
        self._frame = frame._replace(left=frame.left - origin[0], bottom=frame.bottom - origin[1])

    def _alone(self, footprints: NDArray[np.object_], boxes: Floats) -> NDArray[np.bool_]:
        """Footprints that touch no other, nor the border of the ground."""
        alone = apart(boxes)
        shapely.prepare(self._ground)
        alone[alone] = shapely.contains_properly(self._ground, footprints[alone])
        return alone

    @cached_property
    def areas_m2(self) -> Floats:
        """Square metres of the ground that are seen at least 1, 2, ... `levels` times."""
        areas, found = self._swept
        # One after another: footprints that were not needed, between others, change no bit.
        views = areas.cumsum(axis=0)[-1]
        if found is None:
            views = np.array([part.area for part in self._by_halves])
        views[0] += shapely.area(self._apart).sum()
        return np.asarray(views)

    @cached_property
    def gap_m2(self) -> float:
        """Square metres of the ground that nobody sees."""
        return float(self._ground.area - self.areas_m2[0])

    def shapes(self, *levels: int) -> list[BaseGeometry]:
        """The ground seen at least so many times, or the gap (GAP), for several levels side by side."""
        with ThreadPoolExecutor(self._threads) as pool:
            # All of them begin with the same sweep.
            _ = self._swept
            return list(pool.map(lambda level: self.gap() if level == GAP else self.seen(level), levels))

    def seen(self, times: int = 1) -> BaseGeometry:
        """The ground that is seen at least so many times, up to `levels`."""
        try:
            seen = self._drawn(times, _NO_RINGS)
        except BrokenChain:
            seen = polygons_of(self._by_halves[times - 1])
        return collected(np.concatenate([seen, polygons_of(self._apart)]) if times == 1 else seen)

    def gap(self) -> BaseGeometry:
        """The ground that nobody sees."""
        parts = polygons_of(self._apart)
        shells = shapely.get_exterior_ring(parts)
        try:
            gap = self._drawn(GAP, shells)
        except BrokenChain:
            return collected(polygons_of(self._ground.difference(self.seen())))
        # Nobody sees what lies in the holes of footprints.
        pierced = parts[shapely.get_num_interior_rings(parts) > 0]
        islands = [shapely.polygons(shape.interiors) for shape in pierced]
        return collected(np.concatenate([gap, *islands]))

    @cached_property
    def _by_halves(self) -> list[BaseGeometry]:
        return [part.intersection(self._ground) for part in by_halves(self._close, self._levels)]

    def _drawn(self, level: int, more: NDArray[np.object_]) -> NDArray[np.object_]:
        found = self._swept[1]
        if found is None:
            raise BrokenChain
        chosen = [one.bounding(level) for one in found]
        begins, ends, x, y = (
            np.concatenate([one[i][some] for one, some in zip(found, chosen, strict=True)]) for i in range(4)
        )
        x, y = x + self._outlines.origin[0], y + self._outlines.origin[1]
        return polygons(begins, ends, x, y, on_left=level != GAP, more=more)

    @cached_property
    def _swept(self) -> tuple[Floats, list[Found] | None]:
        """One sweep of all edges, footprints shared out between threads; None where their order cannot be told."""
        one = self._outlines
        cells = cells_of(one, self._frame, self._threads)
        raise_full(cells.full, self._deep, self._levels)
        areas = np.zeros((len(one.weight), self._levels))
        shares = 1 if self._threads == 1 else _SHARES * self._threads
        bounds = one.rings_of(np.linspace(0, len(one.weight), shares + 1).astype(np.int64))

        def go(begin: int, end: int) -> tuple[Found, int]:
            return sweep(one, cells, begin, end, areas, _room(one, cells))

        with ThreadPoolExecutor(self._threads) as pool:
            swept = list(pool.map(go, bounds[:-1], bounds[1:]))
        return areas, None if any(broken for _, broken in swept) else [found for found, _ in swept]


def _room(one: Outlines, cells: Cells) -> Walk:
    most, across = len(one.x), cells.frame.rows + cells.frame.columns
    return Walk(np.empty(4 * across, np.int64), np.empty(most), np.empty(most, np.int64), np.empty(most, np.int64))


def polygons_of(shape: BaseGeometry | NDArray[np.object_]) -> NDArray[np.object_]:
    """The polygons of a geometry or of several; GEOS leaves lines and points where areas only touch."""
    shapes = np.atleast_1d(np.asarray(shape, dtype=object))
    if not (shapely.get_type_id(shapes) == _POLYGON).all():
        shapes = shapely.get_parts(shapely.get_parts(shapes))
    return np.asarray(shapes[shapely.get_type_id(shapes) == _POLYGON])


def collected(polygons: NDArray[np.object_]) -> BaseGeometry:
    """Polygons as one multipolygon."""
    return cast(BaseGeometry, shapely.multipolygons(polygons))


def box_around(shapes: NDArray[np.object_]) -> BaseGeometry:
    """A box that reaches a little beyond all shapes."""
    west, south, east, north = shapely.total_bounds(shapes)
    return shapely.Polygon.from_bounds(west - _BEYOND_M, south - _BEYOND_M, east + _BEYOND_M, north + _BEYOND_M)
