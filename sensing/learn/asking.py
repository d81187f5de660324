"""Where a click would teach most: doubt summed over the area that it stands for, not the single worst pixel."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.windows import Window
from scipy import ndimage
from shapely.geometry.base import BaseGeometry

from geo.crs import to_metric, utm_epsg_of
from sensing.grid import WGS84, moved
from sensing.learn import features as looks
from sensing.learn.deciding import CERTAIN
from sensing.learn.pixel import Bytes, PixelModel
from sensing.learn.sampling import Ground
from sensing.mask import Mask

Progress = Callable[[float], None]

# A pixel is in doubt when the margin between the best class and the next one is less than one half.
DOUBTFUL = CERTAIN // 2
_TILE = 1024
# Enough ground to find what is worth asking; larger scenes are looked at in windows spread evenly over them.
_MOST_TILES = 24
# Questions of one scene are at least so far apart: what one click answers is not asked twice.
_APART_PX = 24


@dataclass(frozen=True)
class Segment:
    """A connected area of doubt: the pixel deepest inside it, how many pixels it has, and its doubt summed up.

    `doubt` counts a draw as one: it is the sum over pixels of one less the margin.
    """

    row: int
    column: int
    pixels: int
    doubt: float


@dataclass(frozen=True)
class Question:
    """A place to click (EPSG:4326), what the model would say there, and how much the answer would settle."""

    lon: float
    lat: float
    guess: str
    confidence: float
    pixels: int
    score: float

    def feature(self) -> dict[str, Any]:
        """As a GeoJSON feature; whoever answers writes the `class` and hands it in."""
        facts = {name: value for name, value in vars(self).items() if name not in ("lon", "lat")}
        place = {"type": "Point", "coordinates": [self.lon, self.lat]}
        return {"type": "Feature", "geometry": place, "properties": {"class": None, **facts}}


def segments(doubt: Bytes, valid: Mask, *, doubtful: int = DOUBTFUL) -> list[Segment]:
    """The connected areas (through sides) of pixels in doubt, the greatest sum of doubt first; pure.

    `doubt` is in two-hundredths, as `PixelModel.doubt` gives it. Of equally deep pixels the first one stands for its
    area, of equal sums the area that begins first comes first.
    """
    unsure = valid & (doubt >= doubtful)
    areas, count = ndimage.label(unsure)
    if not count:
        return []
    numbers = np.arange(1, count + 1)
    # Beyond the rim nobody knows, so an area that reaches it is not deeper there.
    depth = ndimage.distance_transform_cdt(np.pad(unsure, 1), metric="taxicab")[1:-1, 1:-1]
    deepest = _first_of_deepest(areas, depth, count)
    total = ndimage.sum_labels(doubt.astype(np.int64), areas, numbers)
    pixels = np.bincount(areas.ravel(), minlength=count + 1)[1:]
    rows, columns = np.unravel_index(deepest, areas.shape)
    order = np.lexsort((numbers, -total))
    return [Segment(int(rows[n]), int(columns[n]), int(pixels[n]), float(total[n]) / CERTAIN) for n in order]


def _first_of_deepest(areas: NDArray[np.int32], depth: NDArray[np.int32], count: int) -> NDArray[np.int64]:
    """The flat index of the deepest pixel of each area."""
    inside = np.flatnonzero(areas)
    order = inside[np.lexsort((inside, -depth.ravel()[inside], areas.ravel()[inside]))]
    starts = np.searchsorted(areas.ravel()[order], np.arange(1, count + 1))
    return order[starts].astype(np.int64)


def ask(
    ground: Ground,
    model: PixelModel,
    known: Sequence[BaseGeometry] = (),
    *,
    count: int = 10,
    progress: Progress = lambda _: None,
) -> list[Question]:
    """The places of a scene where a click would settle most, apart from each other and from what is `known`."""
    found: list[tuple[Segment, str, float]] = []
    tiles = _spread(list(_tiles(ground)))
    for done, window in enumerate(tiles, start=1):
        found += _in(ground, model, window, count)
        progress(done / len(tiles))
    # A sum cannot tell which of two windows came first; their order can.
    found.sort(key=lambda one: -one[0].doubt)
    places = [_place(ground, one) for one, _, _ in found]
    kept: list[Question] = []
    taken = [shape for shape in known if not shape.is_empty]
    apart_m = _APART_PX * ground.picture.gsd_m
    for (segment, guess, confidence), place in zip(found, places, strict=True):
        if len(kept) == count:
            break
        if not _is_near(place, taken, apart_m):
            taken.append(place)
            kept.append(Question(place.x, place.y, guess, confidence, segment.pixels, round(segment.doubt, 2)))
    return kept


def _tiles(ground: Ground) -> Iterator[Window]:
    grid = ground.picture.grid
    for row in range(0, grid.height, _TILE):
        for column in range(0, grid.width, _TILE):
            yield Window(column, row, min(_TILE, grid.width - column), min(_TILE, grid.height - row))


def _spread(tiles: Sequence[Window]) -> list[Window]:
    chosen = np.unique(np.linspace(0, len(tiles) - 1, min(len(tiles), _MOST_TILES)).astype(int))
    return [tiles[n] for n in chosen]


def _in(ground: Ground, model: PixelModel, window: Window, count: int) -> list[tuple[Segment, str, float]]:
    tile = ground.picture.tile(window, looks.HALO_PX)
    inner = slice(looks.HALO_PX, -looks.HALO_PX)
    valid = tile.valid[inner, inner]
    if not valid.any():
        return []
    made = looks.stack(tile, model.features)
    flat = made.reshape(len(made), -1)
    doubt = model.doubt(flat).reshape(valid.shape)
    best = segments(doubt, valid)[: 4 * count]
    spots = np.array([one.row * valid.shape[1] + one.column for one in best], dtype=np.int64)
    labels, confidence = model.predict(np.ascontiguousarray(flat[:, spots]))
    return [
        (
            Segment(one.row + int(window.row_off), one.column + int(window.col_off), one.pixels, one.doubt),
            model.classes[label],
            round(int(sure) / CERTAIN, 3),
        )
        for one, label, sure in zip(best, labels, confidence, strict=True)
    ]


def _place(ground: Ground, segment: Segment) -> shapely.Point:
    grid = ground.picture.grid
    centre = shapely.Point(grid.transform @ (segment.column + 0.5, segment.row + 0.5))
    return moved(centre, CRS.from_wkt(grid.crs_wkt), WGS84)


def _is_near(place: shapely.Point, taken: Sequence[BaseGeometry], apart_m: float) -> bool:
    epsg = utm_epsg_of(place)
    here = to_metric(place, epsg)
    # A tenth of a degree is further than any question reaches, and keeps far shapes off the local grid.
    near = [shape for shape in taken if shape.distance(place) < 0.1]
    return any(to_metric(shape, epsg).distance(here) < apart_m for shape in near)
