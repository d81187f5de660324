"""Borders of areas in a raster as a graph of corners, found row by row; compiled loops, no pixels kept.

Directions are numbered clockwise: north, east, south, west. Around a corner lie four pixels: north-west, north-east,
south-east, south-west; so the pixel on the left of whoever leaves a corner in a direction has that direction's number.
"""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from sensing.kernels import compiled

N = TypeVar("N", bound=np.generic)
Bytes = NDArray[np.uint8]
Ints = NDArray[np.int32]
Wide = NDArray[np.int64]


class Graph(NamedTuple):
    """Corners of borders.

    `places` are (column, row) of each corner, `next` its neighbours by direction (-1 for none), `around` the areas of
    the four pixels around it (-1 beyond the raster), `parent` leads from an area to the one that it is a part of,
    `values` are the values of areas.
    """

    places: Ints
    next: Ints
    around: Ints
    parent: Ints
    values: Bytes


class Tracer:
    """Takes a plane of bytes from the top, stripe by stripe."""

    def __init__(self, width: int) -> None:
        self._above = np.zeros(width, np.uint8)
        self._areas = np.full(width, -1, np.int32)
        self._open = np.full(width + 1, -1, np.int32)
        self._row = 0
        self._graph = Graph(
            np.empty((1024, 2), np.int32),
            np.empty((1024, 4), np.int32),
            np.empty((1024, 4), np.int32),
            np.empty(1024, np.int32),
            np.empty(1024, np.uint8),
        )
        self._counts = np.zeros(2, np.int64)

    def take(self, stripe: Bytes) -> None:
        """The next rows."""
        for row in stripe:
            self._line(row)

    def _line(self, below: Bytes) -> None:
        self._make_room(below.size)
        areas = np.empty(below.size, np.int32)
        _number(self._above, self._areas, below, areas, (self._graph, self._counts))
        _corners(self._above, self._areas, below, areas, self._row, (self._open, self._graph, self._counts))
        self._above, self._areas, self._row = below.copy(), areas, self._row + 1

    def _make_room(self, width: int) -> None:
        corners, areas = self._counts.tolist()
        old, more = self._graph, corners + width + 1
        self._graph = Graph(
            _grown(old.places, more),
            _grown(old.next, more),
            _grown(old.around, more),
            _grown(old.parent, areas + width),
            _grown(old.values, areas + width),
        )

    def end(self) -> Graph:
        """The graph of the whole plane."""
        void = np.zeros(self._above.size, np.uint8)
        nothing = np.full(self._above.size, -1, np.int32)
        self._make_room(void.size)
        _corners(self._above, self._areas, void, nothing, self._row, (self._open, self._graph, self._counts))
        corners, areas = self._counts.tolist()
        made = self._graph
        at_corners = made.places[:corners], made.next[:corners], made.around[:corners]
        return Graph(*at_corners, made.parent[:areas], made.values[:areas])


def _grown(table: NDArray[N], rows: int) -> NDArray[N]:
    if table.shape[0] >= rows:
        return table
    larger = np.empty((2 * rows, *table.shape[1:]), table.dtype)
    larger[: table.shape[0]] = table
    return larger


@compiled
def root(parent: Ints, area: int) -> int:
    """The area that an area is a part of in the end."""
    while parent[area] != area:
        parent[area] = parent[parent[area]]
        area = int(parent[area])
    return area


@compiled
def _number(above: Bytes, areas_above: Ints, below: Bytes, areas: Ints, known: tuple[Graph, Wide]) -> None:
    """Give each pixel of a row its area: that of its left or its upper neighbour of equal value, or a new one."""
    graph, counts = known
    parent, values = graph.parent, graph.values
    for x in range(below.size):
        value, area = below[x], -1
        if x > 0 and below[x - 1] == value:
            area = areas[x - 1]
        if areas_above[x] >= 0 and above[x] == value and areas_above[x] != area:
            upper = root(parent, areas_above[x])
            if area < 0:
                area = upper
            else:
                mine = root(parent, area)
                area = min(mine, upper)
                parent[max(mine, upper)] = area
        if area < 0:
            area = counts[1]
            parent[area] = area
            values[area] = value
            counts[1] += 1
        areas[x] = area


@compiled
def _corners(
    above: Bytes, areas_above: Ints, below: Bytes, areas: Ints, row: int, known: tuple[Ints, Graph, Wide]
) -> None:
    """Find the corners between two rows of pixels and tie them to the ones before; straight borders have none."""
    column_open, graph, counts = known
    width, row_open = below.size, -1
    a, c = np.uint8(0), np.uint8(0)
    for x in range(width + 1):
        b = above[x] if x < width else np.uint8(0)
        d = below[x] if x < width else np.uint8(0)
        north, east, south, west = a != b, b != d, c != d, a != c
        a, c = b, d
        degree = int(north) + int(east) + int(south) + int(west)
        if degree == 0 or (degree == 2 and (north == south)):
            continue
        corner = counts[0]
        counts[0] += 1
        graph.places[corner, 0], graph.places[corner, 1] = x, row
        for side in range(4):
            graph.next[corner, side] = -1
        if north:
            graph.next[corner, 0] = column_open[x]
            graph.next[column_open[x], 2] = corner
        if west:
            graph.next[corner, 3] = row_open
            graph.next[row_open, 1] = corner
        if south:
            column_open[x] = corner
        if east:
            row_open = corner
        graph.around[corner, 0] = areas_above[x - 1] if x > 0 else -1
        graph.around[corner, 1] = areas_above[x] if x < width else -1
        graph.around[corner, 2] = areas[x] if x < width else -1
        graph.around[corner, 3] = areas[x - 1] if x > 0 else -1
