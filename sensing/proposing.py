"""Touches the disk: where two dates differ strongly as a whole and nothing that the engine knows explains it.

Such places are questions to people: they are ranked, and never findings. Method of the score: `sensing/mad.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.features import geometry_mask
from rasterio.io import DatasetReader
from rasterio.windows import Window

from geo.measure import area_m2
from sensing.coverage import Cover
from sensing.features import majority, near
from sensing.grid import BLOCK, WGS84, Grid, moved
from sensing.mad import Alteration
from sensing.mask import Mask
from sensing.segment.looks import View
from sensing.segment.painting import profile, read
from sensing.segment.scenery import Scene, Setting, caching, opened
from sensing.vectorize import outlines

MOST = 20
# Where nothing changed, one pixel in some hundred thousand is eight times as far off as the usual one.
_TIMES_USUAL = 8.0
_FEWEST_PX = 12
# The rim of what the engine found is part of it.
_EXPLAINED_PX = 3
_SPECK_PX = 1
_HALO_PX = _EXPLAINED_PX + _SPECK_PX
_WIDE_PX = 4 * BLOCK
# So many of the largest are weighed for each that is asked about.
_WEIGHED = 10
_RASTER = "changed.tif"


@dataclass(frozen=True)
class Change:
    """A place that changed strongly (EPSG:4326): how many times the usual, how many pixels, what an answer weighs.

    The weight is the pixels times the doublings of the usual difference: large and clear places come first.
    """

    geom: shapely.Polygon
    area_m2: float
    pixels: int
    times: float

    @property
    def weight(self) -> float:
        """How far in front it stands."""
        return self.pixels * math.log2(self.times)


def changes(setting: Setting, found: tuple[Path, Path], folder: Path) -> list[Change] | None:
    """The places of a pair to ask people about, the weightiest first; `found` are the coverage and the labels.

    Only ground that was looked at is compared, and none of it where a label lies. None where no two dates were compared
    as a whole: the pair did not fit, or its bands say nothing together.
    """
    with caching(setting), opened(setting) as scene:
        altered = scene.survey.altered
        if scene.before is None or altered is None:
            return None
        coverage, labels = found
        with rasterio.open(coverage) as covered, rasterio.open(labels) as labelled:
            _draw(scene, altered, (covered, labelled), folder / _RASTER)
        with rasterio.open(folder / _RASTER, driver="GTiff") as plane:
            drawn = outlines(plane, smooth=True).polygons
        return _weighed(scene, altered, list(drawn))


def _draw(scene: Scene, altered: Alteration, found: tuple[DatasetReader, DatasetReader], target: Path) -> None:
    grid = scene.after.grid
    with rasterio.open(target, "w", count=1, **profile(grid)) as plane:
        for window in _windows(grid):
            codes, labels = (read(one, window, _HALO_PX)[0] for one in found)
            shown, scores = _scores(altered, scene.view(window, _HALO_PX))
            free = shown & (codes == Cover.ANALYSED) & ~near(labels > 0, _EXPLAINED_PX)
            strong = free & (scores > _TIMES_USUAL * _usual(altered))
            kept = majority(strong, _SPECK_PX) & free
            inner = slice(_HALO_PX, -_HALO_PX)
            plane.write(kept[inner, inner].astype(np.uint8), 1, window=window)


def _windows(grid: Grid) -> Iterator[Window]:
    for top in range(0, grid.height, BLOCK):
        for left in range(0, grid.width, _WIDE_PX):
            yield Window(left, top, min(_WIDE_PX, grid.width - left), min(BLOCK, grid.height - top))


def _usual(altered: Alteration) -> float:
    """The score below which half of the scene lies."""
    return altered.steps[len(altered.steps) // 2 - 1]


def _scores(altered: Alteration, view: View) -> tuple[Mask, NDArray[np.float64]]:
    """Which pixels both dates show, and the score of those."""
    shown, scores = view.valid, np.zeros(view.valid.shape)
    if view.raw_before is not None and shown.any():
        dates = ({role: date[role][shown] for role in altered.roles} for date in (view.raw_before, view.raw))
        scores[shown] = altered.score(*dates)
    return shown, scores


def _weighed(scene: Scene, altered: Alteration, drawn: list[shapely.Polygon]) -> list[Change]:
    grid = scene.after.grid
    pixel = abs(grid.transform.determinant)
    large = [one for one in drawn if one.area >= _FEWEST_PX * pixel]
    large.sort(key=lambda one: (-one.area, one.bounds))
    known = [_weigh(scene, altered, one) for one in large[: MOST * _WEIGHED]]
    return sorted(known, key=lambda one: -one.weight)[:MOST]


def _weigh(scene: Scene, altered: Alteration, drawn: shapely.Polygon) -> Change:
    grid = scene.after.grid
    corners = [~grid.transform @ place for place in drawn.exterior.coords]
    columns, rows = zip(*corners, strict=True)
    left, top = max(math.floor(min(columns)), 0), max(math.floor(min(rows)), 0)
    width, height = min(math.ceil(max(columns)), grid.width) - left, min(math.ceil(max(rows)), grid.height) - top
    window = Window(left, top, width, height)
    shown, scores = _scores(altered, scene.view(window, 0))
    place = grid.transform @ Affine.translation(left, top)
    inside = geometry_mask([drawn], (height, width), place, invert=True) & shown
    shape = moved(drawn, CRS.from_wkt(grid.crs_wkt), WGS84)
    times = float(scores[inside].mean()) / _usual(altered) if inside.any() else 1.0
    return Change(shape, area_m2(shape), int(np.count_nonzero(inside)), max(times, 1.0))
