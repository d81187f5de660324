"""Whose ground a scene shows: only there is it looked at, and for each authority it is said how much of it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.features import rasterize
from rasterio.windows import Window
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from sensing.coverage import Cover, Tally, tally
from sensing.grid import BLOCK, WGS84, Grid, moved
from sensing.mask import Mask

# No code of `Cover`: pixels of somebody else are not counted.
_OTHERS = 255
_EDGE_STEP_DEG = 0.001


@dataclass(frozen=True)
class Jurisdiction:
    """The ground of one authority, EPSG:4326, and the code of the authority."""

    code: str
    geom: BaseGeometry


def dump(jurisdictions: Sequence[Jurisdiction]) -> list[dict[str, Any]]:
    """As plain JSON; coordinates keep every digit."""
    return [{"code": one.code, "geom": mapping(one.geom)} for one in jurisdictions]


def load(plain: Sequence[Mapping[str, Any]]) -> list[Jurisdiction]:
    """From what `dump` gave."""
    return [Jurisdiction(one["code"], shape(one["geom"])) for one in plain]


class Bounds:
    """Jurisdictions on the grid of a raster; a pixel is inside with its middle, whatever window it is asked for in."""

    def __init__(self, shapes: Sequence[BaseGeometry], grid: Grid) -> None:
        crs = CRS.from_wkt(grid.crs_wkt)
        placed = [moved(shapely.segmentize(one, _EDGE_STEP_DEG), WGS84, crs) for one in shapes]
        if not all(np.isfinite(shapely.get_coordinates(one)).all() for one in placed):
            raise ValueError("a jurisdiction cannot be placed on the grid of the image")
        self._grid = grid
        self._union = shapely.union_all(placed)
        shapely.prepare(self._union)

    def outside(self, window: Window) -> Mask:
        """The pixels of a window that lie in none of them, cut out of windows of one size."""
        out = np.empty((int(window.height), int(window.width)), np.bool_)
        top, left = int(window.row_off), int(window.col_off)
        for row in range(top - top % BLOCK, top + out.shape[0], BLOCK):
            for column in range(left - left % BLOCK, left + out.shape[1], BLOCK):
                block = self._block(row, column)
                rows, columns = max(row, top), max(column, left)
                cut = block[rows - row : top + out.shape[0] - row, columns - column : left + out.shape[1] - column]
                out[rows - top : rows - top + cut.shape[0], columns - left : columns - left + cut.shape[1]] = cut
        return out

    def _block(self, row: int, column: int) -> Mask:
        # Always of one size, because whether a middle lies inside may hang on the last digit of an offset.
        place = self._grid.transform @ Affine.translation(column, row)
        corners = shapely.Polygon([place @ corner for corner in ((0, 0), (BLOCK, 0), (BLOCK, BLOCK), (0, BLOCK))])
        if shapely.contains_properly(self._union, corners):
            return np.zeros((BLOCK, BLOCK), np.bool_)
        if not shapely.intersects(self._union, corners):
            return np.ones((BLOCK, BLOCK), np.bool_)
        inside = rasterize([self._union], out_shape=(BLOCK, BLOCK), transform=place, dtype="uint8")
        outside: Mask = inside == 0
        return outside


def shares(coverage: Path, jurisdictions: Sequence[Jurisdiction]) -> dict[str, dict[str, Any]]:
    """For every authority, the square kilometres of its ground in a scene by code, and the per cent of it looked at."""
    with rasterio.open(coverage, driver="GTiff", sharing=False) as dataset:
        grid = Grid(dataset.crs.to_wkt(), dataset.transform, dataset.width, dataset.height)
        return {one.code: _told(_of(one, dataset, grid)) for one in jurisdictions}


def _of(one: Jurisdiction, dataset: rasterio.io.DatasetReader, grid: Grid) -> Tally:
    bounds = Bounds([one.geom], grid)
    found = Tally()
    for top in range(0, grid.height, BLOCK):
        window = Window(0, top, grid.width, min(BLOCK, grid.height - top))
        outside = bounds.outside(window)
        if outside.all():
            continue
        codes: NDArray[np.uint8] = dataset.read(1, window=window)
        found += tally(grid, np.where(outside, np.uint8(_OTHERS), codes), top)
    return found


def _told(found: Tally) -> dict[str, Any]:
    km2: Mapping[str, float] = found.km2()
    ground = sum(found.cm2.values())
    looked = found.cm2.get(Cover.ANALYSED, 0)
    return {"km2": dict(km2), "analysed_percent": round(100 * looked / ground, 2) if ground else 0.0}
