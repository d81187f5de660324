"""Touches the disk: our own masked copy of a scene, the only raster that analysis, display and caches ever read.

It is a Cloud Optimized GeoTIFF: tiles, overviews from coarse to fine before the full image, an internal mask.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.io import DatasetReader
from rasterio.windows import Window

from sensing.grid import BLOCK, Grid, windows
from sensing.mask import Mask, ZoneBurner

_SMALLEST_OVERVIEW_PX = 256


class DerivativeWriter:
    """Writes a Cloud Optimized GeoTIFF with an internal mask; zones are burnt in on the way.

    Pixels go to a draft beside `path` first, because the overviews have to lie before the pixels they are made from.
    """

    def __init__(self, path: Path, grid: Grid, kind: tuple[int, str], zones: ZoneBurner) -> None:
        """`kind` is (bands, dtype)."""
        bands, dtype = kind
        self._path = path
        self._draft = path.with_name(f"{path.name}.draft")
        self._grid = grid
        self._zones = zones
        self._stack = ExitStack()
        self._counts = {"valid": 0, "void": 0, "private": 0}
        self.row_bytes = grid.width * bands * np.dtype(dtype).itemsize
        tiles = {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "BIGTIFF": "IF_SAFER"}
        colours = {"photometric": "rgb" if bands == 3 and dtype == "uint8" else "minisblack"}
        predictor = 3 if dtype == "float32" else 2
        self._kept = tiles | colours | {"compress": "deflate", "zlevel": 3, "predictor": predictor}
        self._profile = {
            "driver": "GTiff",
            "width": grid.width,
            "height": grid.height,
            "count": bands,
            "dtype": dtype,
            "crs": rasterio.crs.CRS.from_wkt(grid.crs_wkt),
            "transform": grid.transform,
            "compress": "zstd",
            "zstd_level": 1,
            **tiles,
            **colours,
        }

    def __enter__(self) -> Self:
        """Create the file."""
        self._stack.enter_context(rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True))
        self._target = self._stack.enter_context(rasterio.open(self._draft, "w+", **self._profile))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Build the overviews from what is already masked, put everything in its order, and close."""
        self._stack.callback(self._draft.unlink, missing_ok=True)
        with self._stack:
            if kind is None:
                self._target.build_overviews(_factors(self._grid), Resampling.average)
                self._target.close()
                rasterio.shutil.copy(self._draft, self._path, driver="GTiff", copy_src_overviews=True, **self._kept)

    def write(self, window: Window, data: NDArray[Any], valid: Mask) -> None:
        """Store one window: void pixels and pixels of privacy zones become zero and are marked in the mask."""
        private = self._zones.burn(window)
        kept = valid & ~private
        self._counts["private"] += int(private.sum())
        self._counts["valid"] += int(kept.sum())
        self._counts["void"] += int((~valid & ~private).sum())
        self._target.write(np.where(kept, data, 0).astype(data.dtype, copy=False), window=window)
        self._target.write_mask(kept, window=window)

    def counts(self) -> dict[str, int]:
        """How many pixels are valid, void, and hidden by a privacy zone."""
        return dict(self._counts)


def _factors(grid: Grid) -> list[int]:
    size, factors = max(grid.width, grid.height), list[int]()
    while size > _SMALLEST_OVERVIEW_PX:
        size //= 2
        factors.append(2 ** (len(factors) + 1))
    return factors


def open_derivative(path: Path, *, overview: int | None = None) -> DatasetReader:
    """Open one of our own files for reading; never an original and never what a stranger named.

    `overview` is the index of a smaller stored size, from 0.
    """
    smaller = {} if overview is None else {"overview_level": overview}
    return rasterio.open(path, driver="GTiff", sharing=False, **smaller)


def surviving_pixels(path: Path, zones: ZoneBurner) -> int:
    """How many pixels of privacy zones still hold anything; must be zero.

    Reads the stored file again from the disk, so it proves the artefact and not the intention. Overviews are
    averages over what the mask leaves.
    """
    alive = 0
    with open_derivative(path) as dataset:
        grid = Grid(dataset.crs.to_wkt(), dataset.transform, dataset.width, dataset.height)
        row_bytes = dataset.width * dataset.count * np.dtype(dataset.dtypes[0]).itemsize
        for window, _ in windows(grid, row_bytes):
            private = zones.burn(window)
            if private.any():
                shown = (dataset.read(window=window) != 0).any(axis=0) | (dataset.dataset_mask(window=window) != 0)
                alive += int((shown & private).sum())
    return alive
