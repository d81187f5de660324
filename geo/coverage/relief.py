"""An elevation model on the plane in which coverage is computed.

Cells of a plane lie where they lie, whatever piece of it is read: two pieces that overlap hold the same heights there,
so that no answer depends on the pieces in which work is done.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio import DatasetReader
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from geo.compiled import compiled
from geo.coverage.footprints import Relief
from geo.coverage.plane import Plane
from schemas.limits import limit
from schemas.refusals import too_large

Floats = NDArray[np.float64]

# Where the surface model of an installation lies in its data directory, beside its elevation model.
SURFACE_FILE = "surface.tif"
# Every so many cells a place is worked out in full; between them, within millimetres, it is a share of the way.
_STEP = 16


def relief_around(
    path: Path, plane: Plane, ground: BaseGeometry, beyond_m: float, *, side_m: float | None = None
) -> Relief:
    """The heights of a trusted model around some ground of the plane and as far beyond it as devices see.

    Cells keep the size that the model has there, unless `side_m` says another; NaN where it has no height. Raises
    RuleViolation (`coverage.relief_size`) where that would be too many cells at once.
    """
    west, south, east, north = ground.buffer(beyond_m).bounds
    with rasterio.open(path, driver="GTiff") as model:
        side_m = side_m or cell_m(model, plane)
        left, right = math.floor(west / side_m), math.ceil(east / side_m)
        low, high = math.floor(south / side_m), math.ceil(north / side_m)
        cells = (right - left) * (high - low)
        if cells > limit("coverage.cells"):
            raise too_large("coverage.relief_size", measured=cells, required=limit("coverage.cells"))
        # Rows count downwards from the equator of the plane: that of cell centres at (-row - 0.5) * side_m.
        heights = _heights(model, plane, side_m, (left, right, -high, -low))
    return Relief(heights, left * side_m, high * side_m, side_m)


def under_surface(relief: Relief, surface: Path, plane: Plane, ground: BaseGeometry, beyond_m: float) -> Relief:
    """The heights of `relief_around` the same ground, and of what stands on it, as a surface model tells them.

    A surface below the ground is not believed, and where it tells nothing the ground stands for itself. Of what the
    elevation model does not know nothing is known.
    """
    top = relief_around(surface, plane, ground, beyond_m, side_m=relief.side_m).heights
    return replace(relief, heights=np.where(np.isnan(relief.heights), relief.heights, np.fmax(relief.heights, top)))


@lru_cache(maxsize=16)
def _way(there: str, here: str) -> Transformer:
    """From one system to another, both as WKT: to find it takes longer than to look at what one device sees."""
    return Transformer.from_crs(there, here, always_xy=True)


def beyond(path: Path, lons: Floats, lats: Floats) -> NDArray[np.bool_]:
    """Which places of EPSG:4326 lie outside of a model altogether, and in no hole of it."""
    with rasterio.open(path, driver="GTiff") as model:
        there = Transformer.from_crs(4326, model.crs, always_xy=True).transform(lons, lats)
        column, row = (np.asarray(values, np.float64) for values in (~model.transform) @ there)
        return np.asarray(~((column >= 0) & (column <= model.width) & (row >= 0) & (row <= model.height)), np.bool_)


def cell_m(model: DatasetReader, plane: Plane) -> float:
    """How high a cell in the middle of the model is on the plane, to a millimetre."""
    column, row = model.width / 2, model.height / 2
    (x0, y0), (x1, y1) = (model.transform @ (column, row + step) for step in (0, 1))
    x, y = _way(model.crs.to_wkt(), plane.crs.to_wkt()).transform([x0, x1], [y0, y1])
    return round(math.hypot(x[1] - x[0], y[1] - y[0]), 3)


def _heights(
    model: DatasetReader, plane: Plane, side_m: float, cells: tuple[int, int, int, int]
) -> NDArray[np.float32]:
    """Bilinear heights at the centres of cells (first and last column and row, the last left out)."""
    left, right, top, bottom = cells
    out = np.full((bottom - top, right - left), np.nan, np.float32)
    columns, rows = _nodes(left, right), _nodes(top, bottom)
    x, y = np.meshgrid((columns + 0.5) * side_m, -(rows + 0.5) * side_m)
    back = _way(plane.crs.to_wkt(), model.crs.to_wkt())
    there = back.transform(x.ravel(), y.ravel())
    at = [np.asarray(values, np.float64).reshape(x.shape) for values in (~model.transform) @ there]
    # Nodes that the model's system does not reach are infinite; what lies beside them is not known.
    known = np.isfinite(at[0]) & np.isfinite(at[1])
    if not known.any():
        return out
    first_column, last_column = (int(value) for value in (at[0][known].min() - 2, at[0][known].max() + 3))
    first_row, last_row = (int(value) for value in (at[1][known].min() - 2, at[1][known].max() + 3))
    first_column, first_row = max(first_column, 0), max(first_row, 0)
    width, height = min(last_column, model.width) - first_column, min(last_row, model.height) - first_row
    if width <= 0 or height <= 0:
        return out
    band = model.read(1, window=Window(first_column, first_row, width, height), masked=True)
    source = np.ma.filled(band.astype(np.float32), np.nan)
    _sample(source, at[0], at[1], (first_column, first_row, model.width, model.height), (left, top), out)
    return out


def _nodes(first: int, end: int) -> Floats:
    return np.arange(first // _STEP, (end - 1) // _STEP + 2, dtype=np.float64) * _STEP


@compiled
def _sample(
    source: NDArray[np.float32],
    node_columns: Floats,
    node_rows: Floats,
    model: tuple[int, int, int, int],
    corner: tuple[int, int],
    out: NDArray[np.float32],
) -> None:
    """Fills `out` from a window of a model; places of cells lie between those of the nodes around them."""
    first_column, first_row, width, height = model
    left, top = corner
    for i in range(out.shape[0]):
        a, u = (top + i) // _STEP - top // _STEP, ((top + i) % _STEP) / _STEP
        for j in range(out.shape[1]):
            b, v = (left + j) // _STEP - left // _STEP, ((left + j) % _STEP) / _STEP
            column = _between(node_columns, a, b, u, v)
            row = _between(node_rows, a, b, u, v)
            if not (0 <= column <= width and 0 <= row <= height):
                continue
            # Values belong to the centres of the model's cells; its rim repeats its cells.
            column, row = min(max(column - 0.5, 0.0), width - 1.0), min(max(row - 0.5, 0.0), height - 1.0)
            c, r = int(column), int(row)
            right, down = min(c + 1, width - 1) - first_column, min(r + 1, height - 1) - first_row
            p, q = column - c, row - r
            c, r = c - first_column, r - first_row
            upper = source[r, c] if p == 0 else source[r, c] * (1 - p) + source[r, right] * p
            if q == 0:
                out[i, j] = upper
                continue
            lower = source[down, c] if p == 0 else source[down, c] * (1 - p) + source[down, right] * p
            out[i, j] = upper * (1 - q) + lower * q


@compiled
def _between(nodes: Floats, a: int, b: int, u: float, v: float) -> float:
    first: float = nodes[a, b] * (1 - v) + nodes[a, b + 1] * v
    second: float = nodes[a + 1, b] * (1 - v) + nodes[a + 1, b + 1] * v
    return first * (1 - u) + second * u
