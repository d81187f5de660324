"""Which pixel of an image shows a place on the map grid, by the sensor's own geometry. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from rasterio.windows import Window

from sensing.grid import Grid
from sensing.mask import Mask
from sensing.relief import Floats, Relief
from sensing.rpc import Rpc

# Between nodes this many pixels apart, a sensor model is as good as a plane; the nodes belong to the whole grid, so
# that a pixel comes from the same place whatever window it is asked for in.
_LATTICE_PX = 8


def through_model(window: Window, grid: Grid, rpc: Rpc, relief: Relief) -> tuple[Floats, Floats]:
    """Columns and rows of the image for every pixel of a window of the grid; NaN where nothing is known."""
    columns, right, across = _nodes(int(window.col_off), int(window.width))
    rows, below, down = _nodes(int(window.row_off), int(window.height))
    heights_m = relief.at(grid.transform, columns + 0.5, rows + 0.5)
    place = grid.transform
    x, y = np.meshgrid(place.c + place.a * (columns + 0.5), place.f + place.e * (rows + 0.5))
    lons, lats = Transformer.from_crs(CRS.from_wkt(grid.crs_wkt), 4326, always_xy=True).transform(x, y)
    found = rpc.pixels(np.asarray(lons), np.asarray(lats), heights_m)
    return _between(found[0], right, across, below, down), _between(found[1], right, across, below, down)


def _nodes(first: int, count: int) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Nodes that hold pixels `first` and following; for each pixel the node before it and the share of the next."""
    start = first // _LATTICE_PX
    stop = math.ceil((first + count - 1) / _LATTICE_PX) + 1
    place = np.arange(first, first + count) / _LATTICE_PX - start
    before = np.floor(place).astype(np.int64)
    return np.arange(start, max(stop, start + 1) + 1, dtype=np.float64) * _LATTICE_PX, before, place - before


def _between(nodes: Floats, right: NDArray[np.int64], across: Floats, below: NDArray[np.int64], down: Floats) -> Floats:
    sides = nodes[:, right] * (1 - across) + nodes[:, right + 1] * across
    both: Floats = sides[below] * (1 - down[:, None]) + sides[below + 1] * down[:, None]
    return both


def picked(
    columns: Floats, rows: Floats, size: tuple[int, int], read: Callable[[Window], NDArray[Any]]
) -> tuple[NDArray[Any] | None, Mask]:
    """The nearest pixel of an image of `size` (width, height) for every place, and which places it shows.

    Measured values stay as they are: nothing is blended, least of all across the rim. None where nothing is shown.
    """
    width, height = size
    with np.errstate(invalid="ignore"):
        shown: Mask = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height)
    if not shown.any():
        return None, shown
    column, row = columns[shown].astype(np.int64), rows[shown].astype(np.int64)
    left, top = int(column.min()), int(row.min())
    held = read(Window(left, top, int(column.max()) - left + 1, int(row.max()) - top + 1))
    pixels = np.zeros((held.shape[0], *shown.shape), dtype=held.dtype)
    pixels[:, shown] = held[:, row - top, column - left]
    return pixels, shown
