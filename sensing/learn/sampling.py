"""Touches the disk: what labels say of the pixels of masked copies, as samples; no original is ever opened here."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely
from affine import Affine
from geoalchemy2.shape import to_shape
from pyproj import CRS
from rasterio.features import rasterize
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry
from shapely.strtree import STRtree

from geo.crs import to_metric, utm_epsg_of
from schemas.tables import Label
from sensing.grid import WGS84, moved
from sensing.intake import Shelf
from sensing.learn import features as looks
from sensing.learn.features import Singles
from sensing.learn.fit import Numbers, Samples
from sensing.learn.labels import ACCEPT, EDIT, newest
from sensing.learn.pixel import NONE
from sensing.picture import Picture, open_picture

if TYPE_CHECKING:
    from sensing.pipeline import Source

Progress = Callable[[float], None]

# A large area says little more than a smaller one, and must not drown out the others.
MOST_PER_LABEL = 300
# Labels nearer to each other than this are of one area: a field, a lake, a works. Held out whole or not at all.
APART_M = 150.0
_APART_PX = 15
_TILE, _NEAR_PX = 1024, 64


@dataclass(frozen=True)
class Pixels:
    """Places in a grid: places x (row, column)."""

    places: Numbers

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.places)


@dataclass(frozen=True)
class Ground:
    """A masked copy that is open: which of its pixels show a shape, and what they look like."""

    picture: Picture

    def pixels(self, shape: BaseGeometry, *, most: int = MOST_PER_LABEL) -> Pixels:
        """The valid pixels of a point or whose centres a polygon holds (EPSG:4326), evenly chosen where there are more.

        A polygon that is smaller than a pixel is the pixel that it lies in.
        """
        placed = moved(shape, WGS84, CRS.from_wkt(self.picture.grid.crs_wkt))
        if not np.isfinite(shapely.get_coordinates(placed)).all():
            return Pixels(np.empty((0, 2), np.int64))
        nothing = np.empty((0, 2), np.int64)
        found = np.concatenate([nothing, *(self._inside(placed, window) for window in self._around(placed))])
        if not len(found) and shape.geom_type != "Point":
            return self.pixels(shapely.point_on_surface(shape), most=most)
        kept = np.unique(np.linspace(0, len(found) - 1, min(most, len(found))).astype(np.int64))
        return Pixels(found[kept])

    def _around(self, placed: BaseGeometry) -> Iterator[Window]:
        """The windows in which a shape of the grid's CRS lies."""
        back = ~self.picture.grid.transform
        corners = np.array([back @ corner for corner in shapely.get_coordinates(shapely.envelope(placed))])
        grid = self.picture.grid
        (left, top), (right, bottom) = np.floor(corners.min(axis=0)), np.floor(corners.max(axis=0)) + 1
        for row in range(max(int(top), 0), min(int(bottom), grid.height), _TILE):
            for column in range(max(int(left), 0), min(int(right), grid.width), _TILE):
                yield Window(
                    column,
                    row,
                    min(_TILE, min(int(right), grid.width) - column),
                    min(_TILE, min(int(bottom), grid.height) - row),
                )

    def _inside(self, placed: BaseGeometry, window: Window) -> Numbers:
        place = self.picture.grid.transform @ Affine.translation(window.col_off, window.row_off)
        if placed.geom_type == "Point":
            inside = np.ones((1, 1), np.uint8)
        else:
            inside = rasterize([placed], out_shape=(window.height, window.width), transform=place, dtype="uint8")
        found: Numbers = np.argwhere((inside > 0) & self.picture.tile(window).valid)
        found += np.array([window.row_off, window.col_off])
        return found

    def features(self, pixels: Pixels, names: Sequence[str]) -> Singles:
        """The features of places: features x places."""
        out = np.empty((len(names), pixels.count), np.float32)
        tiles: dict[tuple[int, int], list[int]] = defaultdict(list)
        for number, (row, column) in enumerate(pixels.places // _NEAR_PX):
            tiles[int(row), int(column)].append(number)
        for numbers in tiles.values():
            rows, columns = pixels.places[numbers].T
            top, left = int(rows.min()), int(columns.min())
            window = Window(left, top, int(columns.max()) - left + 1, int(rows.max()) - top + 1)
            made = looks.stack(self.picture.tile(window, looks.HALO_PX), names)
            out[:, numbers] = made[:, rows - top, columns - left]
        return out


@contextmanager
def opened(shelf: Shelf, source: Source) -> Iterator[Ground]:
    """The masked copy of a scene, open."""
    with open_picture(shelf.derivatives.get(source.derivative.sha256), source.roles) as picture:
        yield Ground(picture)


@dataclass(frozen=True, eq=False)
class Lesson:
    """A label as the pixel model learns from it: a shape, its class, and which label (by its number) said so."""

    of_class: str
    geom: BaseGeometry
    label: int


def lessons(labels: Sequence[Label]) -> list[Lesson]:
    """What labels teach about pixels; of a find that was redrawn, what the officer left out is nothing of interest."""
    kept = {label.public_id for label in newest(labels)}
    redrawn = {label.detection_id for label in labels if label.kind == EDIT}
    found: list[Lesson] = []
    for number, label in enumerate(labels):
        if label.public_id not in kept:
            continue
        shape = to_shape(label.geom)
        if label.kind == EDIT and label.detection is not None:
            outside = shapely.difference(to_shape(label.detection.geom), shape)
            found += [Lesson(NONE, part, number) for part in shapely.get_parts(outside) if part.area > 0]
        # Whoever redrew a find and accepted it means the outline of his own.
        if label.kind != ACCEPT or label.detection_id not in redrawn:
            found.append(Lesson(label.of_class, shape, number))
    return found


def areas_of(shapes: Sequence[BaseGeometry], apart_m: float) -> Numbers:
    """The number of the area of each shape (EPSG:4326): shapes within `apart_m` of each other are of one area."""
    epsg = utm_epsg_of(shapely.union_all([shape.centroid for shape in shapes]))
    placed = [to_metric(shape, epsg) for shape in shapes]
    tree = STRtree(placed)
    area = np.arange(len(placed))
    for one, other in zip(*tree.query(placed, predicate="dwithin", distance=apart_m), strict=True):
        mine, its = area[one], area[other]
        if mine != its:
            area[area == max(mine, its)] = min(mine, its)
    return np.unique(area, return_inverse=True)[1].astype(np.int64)


@dataclass(frozen=True, eq=False)
class Drawn:
    """Samples of labels, and how many labels gave none because their place is hidden or void by now."""

    samples: Samples
    unseen: int


def draw(
    shelf: Shelf,
    sources: Mapping[uuid.UUID, Source],
    labels: Sequence[Label],
    *,
    progress: Progress = lambda _: None,
) -> Drawn:
    """The pixels that labels speak of, with the features that all of their scenes have.

    `sources` are the scenes by their id. Raises RuleViolation `model.bands` for a scene without colour.
    """
    taught = lessons(labels)
    names = shared_names([sources[label.scene_id] for label in labels])
    classes = tuple(sorted({lesson.of_class for lesson in taught}))
    districts = tuple(sorted({label.authority.code for label in labels}))
    by_scene: dict[uuid.UUID, list[int]] = defaultdict(list)
    for number, lesson in enumerate(taught):
        by_scene[labels[lesson.label].scene_id].append(number)
    parts: list[Singles] = []
    whose: list[Numbers] = []
    coarsest_m = 0.0
    for done, (scene_id, numbers) in enumerate(by_scene.items(), start=1):
        with opened(shelf, sources[scene_id]) as ground:
            coarsest_m = max(coarsest_m, ground.picture.gsd_m)
            for number in numbers:
                pixels = ground.pixels(taught[number].geom)
                parts.append(ground.features(pixels, names))
                whose.append(np.full(pixels.count, number))
        progress(done / len(by_scene))
    owner = np.concatenate([np.empty(0, np.int64), *whose])
    area = areas_of([lesson.geom for lesson in taught], max(APART_M, _APART_PX * coarsest_m))
    of_class = np.array([classes.index(lesson.of_class) for lesson in taught], np.int64)
    of_label = np.array([lesson.label for lesson in taught], np.int64)
    district = np.array([districts.index(labels[lesson.label].authority.code) for lesson in taught], np.int64)
    samples = Samples(
        names=names,
        classes=classes,
        features=np.concatenate([np.empty((len(names), 0), np.float32), *parts], axis=1),
        of_class=of_class[owner],
        of_label=of_label[owner],
        of_area=area[owner],
        of_district=district[owner],
        districts=districts,
    )
    return Drawn(samples, unseen=len(labels) - len(np.unique(of_label[owner])))


def shared_names(sources: Sequence[Source]) -> tuple[str, ...]:
    """The features that the bands of all scenes allow, in their usual order."""
    shared = [looks.names(source.roles) for source in sources]
    return tuple(name for name in max(shared, key=len) if all(name in one for one in shared))
