"""What a water sensor watches: the reach of river above and below it, along the network of waters. Pure."""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from rasterio.features import shapes as outlines_of
from rasterio.transform import Affine
from scipy.ndimage import label
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from shapely.geometry.base import BaseGeometry
from shapely.ops import nearest_points, substring

Shapes = NDArray[np.object_]
Floats = NDArray[np.float64]
Node = tuple[int, int]

# Further from any water no sensor measures it.
NEAR_M = 200.0
# What a sensor measures has come down to it; below it, it tells of no more than what mixes back.
BELOW_M = 200.0
# Half of the width of a river that is drawn as a line.
_HALF_WIDTH_M = 15.0
# Ends of lines this near are one place: neighbouring tiles of a base map are cut apart.
_SNAP_M = 0.5
_ACROSS, _FINEST_M, _COARSEST_M = 300, 2.0, 25.0


@dataclass(frozen=True)
class Waters:
    """Rivers of a plane, in metres: `lines` drawn downstream, and `areas` of water whose flow nobody drew."""

    lines: Shapes = field(default_factory=lambda: np.empty(0, dtype=object))
    areas: Shapes = field(default_factory=lambda: np.empty(0, dtype=object))

    def reach(self, place: shapely.Point, above_m: float, below_m: float) -> BaseGeometry:
        """The water up to so far above and below a place, along its network; empty where no water is near.

        On lines the directions are told apart. On areas they are not known: then it is the water within `above_m`,
        as one swims, to either side.
        """
        line, away_m = _nearest(self._line_tree, place)
        area, aside_m = _nearest(self._area_tree, place)
        if min(away_m, aside_m) > NEAR_M:
            return shapely.Polygon()
        if away_m <= NEAR_M:
            return self._wet(self._along(line, place, above_m, below_m))
        return self._swum(area, place, above_m)

    @cached_property
    def _line_tree(self) -> shapely.STRtree:
        return shapely.STRtree(self.lines)

    @cached_property
    def _area_tree(self) -> shapely.STRtree:
        return shapely.STRtree(self.areas)

    @cached_property
    def _network(self) -> tuple[dict[Node, list[int]], dict[Node, list[int]]]:
        """Lines by the node at which they begin, and by that at which they end."""
        begins: dict[Node, list[int]] = defaultdict(list)
        ends: dict[Node, list[int]] = defaultdict(list)
        for number, one in enumerate(self.lines):
            begins[_node(one.coords[0])].append(number)
            ends[_node(one.coords[-1])].append(number)
        return begins, ends

    def _along(self, line: int, place: shapely.Point, above_m: float, below_m: float) -> BaseGeometry:
        at = float(self.lines[line].project(place))
        stretches = [*self._walk(line, at, above_m, down=False), *self._walk(line, at, below_m, down=True)]
        return shapely.union_all(np.array(stretches, dtype=object))

    def _walk(self, line: int, at: float, most_m: float, *, down: bool) -> list[BaseGeometry]:
        """The stretches of lines within a distance downstream, or upstream into every tributary."""
        begins, ends = self._network
        found: list[BaseGeometry] = []
        left_at: dict[int, float] = {}
        waiting = [(-most_m, line, at)]
        while waiting:
            negative, number, start = heapq.heappop(waiting)
            left, one = -negative, self.lines[number]
            # The queue gives the longest way left first: a line that is met again has been walked further.
            if left <= left_at.get(number, 0.0):
                continue
            left_at[number] = left
            stop = min(start + left, one.length) if down else max(start - left, 0.0)
            found.append(substring(one, min(start, stop), max(start, stop)))
            rest = left - abs(stop - start)
            if rest > 0:
                following = begins[_node(one.coords[-1])] if down else ends[_node(one.coords[0])]
                waiting.extend((-rest, other, 0.0 if down else self.lines[other].length) for other in following)
                heapq.heapify(waiting)
        return [one for one in found if one.length > 0]

    def _wet(self, along: BaseGeometry) -> BaseGeometry:
        """A stretch of line as wide as a river that is drawn as a line, or as its bed where that is drawn too."""
        strip = along.buffer(_HALF_WIDTH_M, cap_style="flat")
        near = self._area_tree.query(along, predicate="intersects")
        if not len(near):
            return strip
        banks = shapely.union_all(self.areas[near])
        # A ribbon's width is its area over half of its outline; a bend may be twice as wide.
        widest_m = 2 * max(float(banks.area) / (float(banks.length) / 2), _HALF_WIDTH_M)
        return shapely.union_all([along.buffer(widest_m, cap_style="flat").intersection(banks), strip])

    def _swum(self, area: int, place: shapely.Point, reach_m: float) -> BaseGeometry:
        side_m = min(max(reach_m / _ACROSS, _FINEST_M), _COARSEST_M)
        around = place.buffer(reach_m + NEAR_M)
        west, south, east, north = (math.floor(value / side_m) for value in around.bounds)
        transform = Affine(side_m, 0, west * side_m, 0, -side_m, (north + 1) * side_m)
        near = self._area_tree.query(around, predicate="intersects")
        water = shapely.union_all(self.areas[near])
        wet = rasterize([water], (north + 1 - south, east + 1 - west), transform=transform, all_touched=True) > 0
        on = nearest_points(self.areas[area], place)[0]
        column, row = ~transform @ (on.x, on.y)
        seen = _swimming(wet, (int(row), int(column)), reach_m / side_m)
        cells = [
            shapely.geometry.shape(one) for one, _ in outlines_of(seen.astype(np.uint8), seen, transform=transform)
        ]
        return shapely.union_all(cells).intersection(water) if cells else shapely.Polygon()


def _swimming(wet: NDArray[np.bool_], start: tuple[int, int], reach: float) -> NDArray[np.bool_]:
    """Which wet cells lie within so many cells of a start, without leaving the water."""
    rows, columns = wet.shape
    if not wet.any():
        return wet
    # A place on a bank may fall into the cell beside the water.
    there = np.argwhere(wet)
    row, column = there[np.argmin(np.hypot(*(there - np.array(start)).T))].tolist()
    # What no water leads to needs no search.
    parts, _ = label(wet, structure=np.ones((3, 3), dtype=int))
    wet = parts == parts[row, column]
    number = np.full(wet.shape, -1, np.int64)
    number[wet] = np.arange(int(wet.sum()))
    pairs, lengths = [], []
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        a = number[: rows - down, max(-right, 0) : columns - max(right, 0)]
        b = number[down:, max(right, 0) : columns + min(right, 0)]
        both = (a >= 0) & (b >= 0)
        pairs.append(np.stack([a[both], b[both]]))
        lengths.append(np.full(int(both.sum()), math.hypot(down, right)))
    (i, j), weight = np.concatenate(pairs, axis=1), np.concatenate(lengths)
    count = int(wet.sum())
    graph = coo_array((weight, (i, j)), shape=(count, count)).tocsr()
    away = dijkstra(graph, directed=False, indices=int(number[row, column]), limit=reach)
    seen = np.zeros_like(wet)
    seen[wet] = np.isfinite(away)
    return seen


def _nearest(tree: shapely.STRtree, place: shapely.Point) -> tuple[int, float]:
    if not len(tree):
        return -1, math.inf
    number = int(tree.nearest(place))
    return number, float(shapely.distance(tree.geometries[number], place))


def _node(corner: tuple[float, ...]) -> Node:
    return round(corner[0] / _SNAP_M), round(corner[1] / _SNAP_M)
