"""Touches the disk: rasters that an engine makes on a scene's grid, window by window."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.crs import CRS as RasterCRS
from rasterio.features import rasterize
from rasterio.io import DatasetReader
from rasterio.windows import Window
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry
from shapely.strtree import STRtree

from sensing.grid import BLOCK, WGS84, Grid, moved, windows

Painter = Callable[[Window], NDArray[np.uint8] | None]


def paint(path: Path, grid: Grid, bands: int, painter: Painter, *, tile_px: int) -> Iterator[float]:
    """Write a raster of `bands` planes of bytes from windows of `tile_px`; yields the share done.

    Where the painter has nothing, nothing is written, and zeros are read.
    """
    with rasterio.open(path, "w", count=bands, sparse_ok=True, **profile(grid)) as target:
        for window, done in windows(grid, 0, tile=tile_px):
            planes = painter(window)
            if planes is not None:
                target.write(planes, window=window)
            yield done


def paint_shapes(path: Path, grid: Grid, layers: Sequence[Sequence[tuple[BaseGeometry, int]]]) -> None:
    """Write one plane per layer with the values of its shapes, which lie in the CRS of the grid.

    Always in windows of one size: whether a pixel's centre lies inside may hang on the last digit of an offset.
    """
    trees = [STRtree([shape for shape, _ in layer]) for layer in layers]
    for tree in trees:
        shapely.prepare(tree.geometries)

    def painter(window: Window) -> NDArray[np.uint8] | None:
        place = grid.transform @ Affine.translation(window.col_off, window.row_off)
        corners = [place @ c for c in ((0, 0), (window.width, 0), (window.width, window.height), (0, window.height))]
        xs, ys = zip(*corners, strict=True)
        here = box(min(xs), min(ys), max(xs), max(ys))
        near = [[layer[i] for i in sorted(tree.query(here))] for layer, tree in zip(layers, trees, strict=True)]
        if not any(near):
            return None
        out = np.zeros((len(layers), int(window.height), int(window.width)), dtype=np.uint8)
        for plane, shapes in zip(out, near, strict=True):
            # What lies under a shape that fills the window is not seen.
            whole = next((n for n in reversed(range(len(shapes))) if shapely.contains_properly(shapes[n][0], here)), -1)
            plane[:] = shapes[whole][1] if whole >= 0 else 0
            if shapes[whole + 1 :]:
                rasterize(shapes[whole + 1 :], out=plane, transform=place)
        return out

    for _ in paint(path, grid, len(layers), painter, tile_px=BLOCK):
        pass


def on_grid(shapes: Sequence[BaseGeometry], grid: Grid) -> list[BaseGeometry]:
    """Shapes of EPSG:4326 in the CRS of a grid; those that it cannot hold are left out."""
    placed = (moved(shape, WGS84, CRS.from_wkt(grid.crs_wkt)) for shape in shapes)
    return [shape for shape in placed if np.isfinite(shape.bounds).all()]


def read(dataset: DatasetReader, window: Window, halo: int) -> NDArray[np.uint8]:
    """All planes of a window of a byte raster with `halo` pixels around it; beyond the rim there are zeros."""
    top, left = int(window.row_off) - halo, int(window.col_off) - halo
    high, wide = int(window.height) + 2 * halo, int(window.width) + 2 * halo
    rows = slice(max(top, 0), min(top + high, dataset.height))
    columns = slice(max(left, 0), min(left + wide, dataset.width))
    out = np.zeros((dataset.count, high, wide), dtype=np.uint8)
    out[:, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] = dataset.read(
        window=Window.from_slices(rows, columns)
    )
    return out


def content_sha256(path: Path) -> str:
    """SHA-256 over the pixels of a byte raster, row block by row block, whatever the file's compression."""
    digest = hashlib.sha256()
    with rasterio.open(path, driver="GTiff") as dataset:
        digest.update(f"{dataset.count}x{dataset.height}x{dataset.width}".encode())
        for top in range(0, dataset.height, BLOCK):
            window = Window(0, top, dataset.width, min(BLOCK, dataset.height - top))
            digest.update(dataset.read(window=window).tobytes())
    return digest.hexdigest()


def profile(grid: Grid) -> dict[str, Any]:
    """How a raster of bytes that we work with is written: tiled, quickly compressed."""
    return {
        "driver": "GTiff",
        "width": grid.width,
        "height": grid.height,
        "dtype": "uint8",
        "crs": RasterCRS.from_wkt(grid.crs_wkt),
        "transform": grid.transform,
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "compress": "zstd",
        "zstd_level": 1,
        "interleave": "band",
    }
