"""Touches the disk: heights of the ground from an elevation model."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import rasterio
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.io import DatasetReader
from rasterio.windows import Window

Floats = NDArray[np.float64]

# One read of the model stays below this many cells; points further apart are read in groups.
_MAX_CELLS_PER_READ = 4_000_000
# Cells around a small window that are read with it and kept: an aircraft asks for the next place beside the last.
_AROUND = 64
_SMALL = 64


class Terrain:
    """Ground heights above the model's own datum, read from a single-band GeoTIFF in any CRS.

    Not for use from two threads at once: the open dataset is one handle.
    """

    def __init__(self, dataset: DatasetReader) -> None:
        """Take over an open dataset; `close` closes it."""
        if dataset.crs is None:
            raise ValueError("an elevation model without a CRS cannot be placed")
        self._dataset = dataset
        self._to_model = Transformer.from_crs(4326, dataset.crs, always_xy=True)
        self._to_cell = ~dataset.transform
        self._kept = (0, 0, np.empty((0, 0)))

    @classmethod
    def open(cls, path: Path | str) -> Self:
        """Open an elevation model from a trusted place; user uploads never come here."""
        return cls(rasterio.open(path, driver="GTiff"))

    def close(self) -> None:
        """Close the file; heights can no longer be asked."""
        self._dataset.close()

    def __enter__(self) -> Self:
        """Return the terrain itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()

    def heights_m(self, lons: Floats, lats: Floats) -> Floats:
        """Bilinear ground height at each place (EPSG:4326), NaN where the model has none.

        A place is unknown when it lies outside the model or when one of its four cells is nodata.
        """
        if len(lons) == 1:
            return np.array([self._height_m(float(lons[0]), float(lats[0]))])
        x, y = self._to_model.transform(np.asarray(lons, np.float64), np.asarray(lats, np.float64))
        to_cell = self._to_cell
        columns = to_cell.a * x + to_cell.b * y + to_cell.c
        rows = to_cell.d * x + to_cell.e * y + to_cell.f
        heights = np.full(len(columns), np.nan)
        with np.errstate(invalid="ignore"):
            inside = (columns >= 0) & (columns <= self._dataset.width) & (rows >= 0) & (rows <= self._dataset.height)
        known = np.flatnonzero(inside)
        if known.size:
            # Cell values belong to cell centres, half a cell from the corner the transform counts from.
            heights[known] = _in_groups(columns[known] - 0.5, rows[known] - 0.5, self._interpolate)
        return heights

    def _height_m(self, lon: float, lat: float) -> float:
        """The same for one place, which an aircraft asks for ten times a second, without arrays."""
        x, y = self._to_model.transform(lon, lat)
        to_cell, width, height = self._to_cell, self._dataset.width, self._dataset.height
        column = to_cell.a * x + to_cell.b * y + to_cell.c
        row = to_cell.d * x + to_cell.e * y + to_cell.f
        if not (0 <= column <= width and 0 <= row <= height):
            return math.nan
        left, right, right_share = _between(column - 0.5, width)
        upper, lower, lower_share = _between(row - 0.5, height)
        first_column, first_row, cells = self._cells(left, upper, right + 1, lower + 1)
        left, right, upper, lower = left - first_column, right - first_column, upper - first_row, lower - first_row
        top = cells[upper, left] * (1 - right_share) + cells[upper, right] * right_share
        bottom = cells[lower, left] * (1 - right_share) + cells[lower, right] * right_share
        return float(top * (1 - lower_share) + bottom * lower_share)

    def _interpolate(self, columns: Floats, rows: Floats) -> Floats:
        left, right, right_share = _neighbours(columns, self._dataset.width)
        upper, lower, lower_share = _neighbours(rows, self._dataset.height)
        first_column, first_row, cells = self._cells(
            int(left.min()), int(upper.min()), int(right.max()) + 1, int(lower.max()) + 1
        )
        left, right = left - first_column, right - first_column
        upper, lower = upper - first_row, lower - first_row
        top = cells[upper, left] * (1 - right_share) + cells[upper, right] * right_share
        bottom = cells[lower, left] * (1 - right_share) + cells[lower, right] * right_share
        heights: Floats = top * (1 - lower_share) + bottom * lower_share
        return heights

    def _cells(self, left: int, upper: int, right: int, lower: int) -> tuple[int, int, Floats]:
        """Cells that hold a window (its last column and row excluded), NaN for nodata, and where they begin."""
        first_column, first_row, kept = self._kept
        lines, columns = kept.shape
        if (
            first_column <= left
            and first_row <= upper
            and right <= first_column + columns
            and lower <= first_row + lines
        ):
            return self._kept
        is_small = right - left <= _SMALL and lower - upper <= _SMALL
        if is_small:
            left, upper = max(left - _AROUND, 0), max(upper - _AROUND, 0)
            right, lower = min(right + _AROUND, self._dataset.width), min(lower + _AROUND, self._dataset.height)
        band = self._dataset.read(1, window=Window(left, upper, right - left, lower - upper), masked=True)
        read = left, upper, np.ma.filled(band.astype(np.float64), np.nan)
        if is_small:
            self._kept = read
        return read


def _neighbours(position: Floats, size: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """The two cells on either side of each position and the share of the second; the rim repeats its cell."""
    held = np.clip(position, 0, size - 1)
    first = np.floor(held).astype(np.int64)
    return first, np.minimum(first + 1, size - 1), held - first


def _between(position: float, size: int) -> tuple[int, int, float]:
    """`_neighbours` of one position."""
    held = min(max(position, 0), size - 1)
    first = math.floor(held)
    return first, min(first + 1, size - 1), held - first


def _in_groups(columns: Floats, rows: Floats, read: Callable[[Floats, Floats], Floats]) -> Floats:
    """Apply `read` to points in groups whose bounding window is small enough to hold in memory."""
    width, height = np.ptp(columns) + 2, np.ptp(rows) + 2
    if width * height <= _MAX_CELLS_PER_READ or len(columns) == 1:
        return read(columns, rows)
    axis = columns if width >= height else rows
    order = np.argsort(axis, kind="stable")
    result = np.empty(len(columns))
    for half in np.array_split(order, 2):
        result[half] = _in_groups(columns[half], rows[half], read)
    return result
