"""The ground cut into tiles, and what of each is seen so often or not at all: pieces small enough for a map.

A tile is halved until few footprints lie on it, always in its middle, so that a device that moves changes the tiles
that it leaves and comes to, and no other. Areas are those of the whole, whatever the tiles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from shapely.geometry.base import BaseGeometry

from geo.coverage.halves import by_halves
from geo.coverage.plane import Floats, Shapes
from geo.coverage.union import Union

Progress = Callable[[float], None]
Ints = NDArray[np.int64]

_MOST_IN_A_TILE = 500
_SMALLEST_TILE_M = 200.0
# Pieces that nobody could see on a map, left by rounding along the borders of tiles.
_SLIVER_M2 = 1e-4
# Pieces that meet along less than this meet in a point.
_MEETING_M = 1e-3
_SAME_M = 1e-6
# By how much the ground may differ from what is seen of it and what is not, together.
_UNSURE_M2, _UNSURE = 0.01, 1e-7
_NOTHING = shapely.Polygon()


class Tile(NamedTuple):
    """A rectangle of the plane, the ground in it, and which footprints come near to it."""

    box: tuple[float, float, float, float]
    ground: BaseGeometry
    near: Ints


@dataclass(frozen=True)
class Pieces:
    """All pieces of an answer, polygons of the plane: `times` is 0 for what nobody sees.

    `seen_m2` holds what is seen at least 1, 2, ... times.
    """

    shapes: Shapes
    times: Ints
    seen_m2: Floats
    ground_m2: float
    tiles: tuple[Tile, ...]

    def of(self, times: int) -> Shapes:
        """The pieces of one level, 0 for the gaps."""
        return np.asarray(self.shapes[self.times == times])


def tiles_of(views: Shapes, ground: BaseGeometry) -> list[Tile]:
    """The ground in tiles, with the numbers of the views (none of them empty) whose boxes reach into each."""
    boxes = shapely.bounds(views).reshape(-1, 4)
    west, south, east, north = ground.bounds
    return list(_halved(boxes, np.arange(len(views)), ground, (west, south, east, north)))


def _halved(boxes: Floats, some: Ints, ground: BaseGeometry, box: tuple[float, float, float, float]) -> Iterator[Tile]:
    west, south, east, north = box
    here = boxes[some]
    some = some[(here[:, 0] <= east) & (here[:, 2] >= west) & (here[:, 1] <= north) & (here[:, 3] >= south)]
    width, height = east - west, north - south
    if len(some) <= _MOST_IN_A_TILE or max(width, height) <= _SMALLEST_TILE_M:
        yield Tile(box, ground, some)
        return
    middle = (west + east) / 2 if width >= height else (south + north) / 2
    first = (west, south, middle, north) if width >= height else (west, south, east, middle)
    second = (middle, south, east, north) if width >= height else (west, middle, east, north)
    for half in (first, second):
        part = _areas(shapely.clip_by_rect(ground, *half))
        if not part.is_empty:
            yield from _halved(boxes, some, part, half)


def _areas(shape: BaseGeometry) -> BaseGeometry:
    """A shape without the lines and points that cutting leaves."""
    parts = shapely.get_parts(shapely.get_parts(shape))
    parts = parts[(shapely.get_type_id(parts) == 3) & (shapely.area(parts) > 0)]
    whole = shapely.multipolygons(parts)
    return whole if whole.is_valid else shapely.union_all(parts)


def cut(views: Shapes, ground: BaseGeometry, levels: int, progress: Progress) -> Pieces:
    """How often each place of the ground is seen by the views, none of them empty; tile by tile."""
    tiles = tiles_of(views, ground)
    shapes, times, seen_m2 = [], [], np.zeros(levels)
    for number, tile in enumerate(tiles, 1):
        areas, found = seen_of(views[tile.near], tile.ground, levels)
        seen_m2 += areas
        for level, some in enumerate(found):
            shapes.append(some)
            times.append(np.full(len(some), level, np.int64))
        progress(number / len(tiles))
    together = np.concatenate(shapes) if shapes else np.empty(0, dtype=object)
    kept = shapely.area(together) > _SLIVER_M2
    counted = np.concatenate(times) if times else np.empty(0, np.int64)
    return Pieces(together[kept], counted[kept], seen_m2, float(ground.area), tuple(tiles))


def seen_of(views: Shapes, ground: BaseGeometry, levels: int) -> tuple[Floats, list[Shapes]]:
    """Square metres of the ground that the views, none of them empty, see at least 1, 2, ... times, and the polygons.

    The first of the polygons are those of the gap, then those of each level.
    """
    if not len(views):
        return np.zeros(levels), [_polygons(ground), *[_polygons(_NOTHING)] * levels]
    union = Union(views, ground, levels=levels)
    areas = union.areas_m2
    found = [_polygons(union.gap())]
    found += [_polygons(union.seen(level) if areas[level - 1] > 0 else _NOTHING) for level in range(1, levels + 1)]
    return (areas, found) if _makes_up(ground, areas, found) else _by_geos(views, ground, levels)


def areas_seen(views: Shapes, ground: BaseGeometry, levels: int = 1) -> Floats:
    """Square metres of the ground that the views, none of them empty, see at least 1, 2, ... times."""
    if not len(views):
        return np.zeros(levels)
    union = Union(views, ground, levels=levels)
    areas = union.areas_m2
    return areas if _makes_up(ground, areas, [_polygons(union.gap())]) else _by_geos(views, ground, levels)[0]


def _makes_up(ground: BaseGeometry, areas: Floats, found: Sequence[Shapes]) -> bool:
    """Whether what is seen and the gap, `found` first, make up the ground, and each level is as large as is told."""
    drawn = np.array([shapely.area(some).sum() for some in found])
    told = np.concatenate([[ground.area - areas[0]], areas[: len(found) - 1]])
    return bool((np.abs(drawn - told) <= _UNSURE_M2 + _UNSURE * ground.area).all())


def _by_geos(views: Shapes, ground: BaseGeometry, levels: int) -> tuple[Floats, list[Shapes]]:
    """The same, slowly: what is seen and what is not must make up the ground, or the fast way is not believed."""
    seen = [part.intersection(ground) for part in by_halves(views, levels)]
    found = [_polygons(part) for part in (ground.difference(seen[0]), *seen)]
    return np.array([part.area for part in seen]), found


def _polygons(shape: BaseGeometry) -> Shapes:
    parts = shapely.get_parts(shapely.get_parts(shape))
    return np.asarray(parts[shapely.get_type_id(parts) == 3])


def joined(pieces: Shapes, tiles: Sequence[Tile]) -> Ints:
    """The number of the whole that each piece belongs to: pieces that tiles cut apart meet along their borders."""
    count = len(pieces)
    if not count:
        return np.empty(0, np.int64)
    pairs = [_meeting(pieces, tiles, axis) for axis in (0, 1)]
    one, other = np.concatenate(pairs, axis=1)
    graph = coo_array((np.ones(len(one)), (one, other)), shape=(count, count))
    return np.asarray(connected_components(graph, directed=False)[1], np.int64)


def _meeting(pieces: Shapes, tiles: Sequence[Tile], axis: int) -> Ints:
    """Pairs of pieces that share a stretch of a border of tiles at which `axis` (0 east, 1 north) is constant."""
    borders = np.unique([tile.box[end] for tile in tiles for end in (axis, axis + 2)])
    corners, owner = shapely.get_coordinates(pieces, return_index=True)
    level, along = corners[:, axis], corners[:, 1 - axis]
    nearest = np.clip(np.searchsorted(borders, level), 1, len(borders) - 1)
    nearest -= level - borders[nearest - 1] < borders[nearest] - level
    # Two tiles write a corner on their border down each from its own origin.
    on = np.abs(level - borders[nearest]) < _SAME_M
    edges = np.flatnonzero(on[:-1] & on[1:] & (nearest[:-1] == nearest[1:]) & (owner[:-1] == owner[1:]))
    low, high = np.minimum(along[edges], along[edges + 1]), np.maximum(along[edges], along[edges + 1])
    order = np.lexsort((low, nearest[edges]))
    low, high, border, piece = low[order], high[order], nearest[edges][order], owner[edges][order]
    pairs: list[tuple[int, int]] = []
    waiting: list[int] = []
    for i in range(len(low)):
        # On either side of a border pieces lie beside each other: few reach past the beginning of the next.
        waiting = [j for j in waiting if border[j] == border[i] and high[j] - low[i] > _MEETING_M]
        pairs += [(piece[j], piece[i]) for j in waiting if high[i] - low[i] > _MEETING_M]
        waiting.append(i)
    return np.array(pairs, np.int64).reshape(-1, 2).T
