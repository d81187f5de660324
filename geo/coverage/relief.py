"""An elevation model on the plane in which coverage is computed."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import rasterio
from pyproj import Transformer
from rasterio import DatasetReader
from rasterio.enums import Resampling
from rasterio.transform import Affine
from rasterio.warp import reproject
from shapely.geometry.base import BaseGeometry

from geo.coverage.footprints import Relief
from geo.coverage.plane import Plane
from schemas.limits import limit
from schemas.refusals import too_large


def relief_around(path: Path, plane: Plane, ground: BaseGeometry, beyond_m: float) -> Relief:
    """The heights of a trusted model around some ground of the plane and as far beyond it as devices see.

    Cells keep the size that the model has there; NaN where it has no height. Raises RuleViolation
    (`coverage.relief_size`) where that would be too many cells at once.
    """
    west, south, east, north = ground.buffer(beyond_m).bounds
    with rasterio.open(path, driver="GTiff") as model:
        side_m = _side_m(model, plane)
        columns, rows = math.ceil((east - west) / side_m), math.ceil((north - south) / side_m)
        if columns * rows > limit("coverage.cells"):
            raise too_large("coverage.relief_size", measured=columns * rows, required=limit("coverage.cells"))
        place = Affine(side_m, 0, west, 0, -side_m, north)
        heights = np.full((rows, columns), np.nan, np.float32)
        there = {"dst_transform": place, "dst_crs": plane.crs.to_wkt(), "dst_nodata": math.nan}
        reproject(rasterio.band(model, 1), heights, resampling=Resampling.bilinear, **there)
    return Relief(heights, west, north, side_m)


def _side_m(model: DatasetReader, plane: Plane) -> float:
    """How high a cell in the middle of the model is on the plane."""
    column, row = model.width / 2, model.height / 2
    (x0, y0), (x1, y1) = (model.transform @ (column, row + step) for step in (0, 1))
    x, y = Transformer.from_crs(model.crs, plane.crs, always_xy=True).transform([x0, x1], [y0, y1])
    return math.hypot(x[1] - x[0], y[1] - y[0])
