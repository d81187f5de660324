"""A generated scene with a fixed codec and fixed blocks: fields, woods, roofs, pits, char and a river with a plume."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.transform import from_origin
from scipy import ndimage
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from bench.places import SEED
from geo.crs import to_wgs84

SIDE_PX = 4096
PIXEL_M = 0.5
EPSG = 32649
LEFT, TOP = 730_000.0, 2_560_000.0
BLOCK = 512
# Reflectance in ten-thousandths: red, green, blue, near infrared.
WOOD, CROP, SOIL = (450, 700, 400, 3200), (900, 1200, 800, 2600), (1900, 1500, 1100, 2300)
ROOF, PIT, CHAR = (2700, 2750, 2700, 2800), (3000, 2500, 1900, 3100), (900, 850, 850, 950)
WATER, PLUME = (500, 700, 600, 300), (1300, 1000, 600, 500)
NOISE = 60
RIVER = slice(1800, 2000)
ROOFS, PITS, FIRES = 200, 20, 10

Scene = NDArray[np.int32]


@dataclass(frozen=True)
class Layers:
    """What is known about the scene's ground, EPSG:4326: the river, and the zone in which no building may be."""

    water: BaseGeometry
    protected: BaseGeometry


def write_scene(path: Path) -> Layers:
    """A GeoTIFF of 4096 x 4096 pixels of 0.5 m, four bands of uint16, ZSTD with predictor 2, blocks of 512."""
    profile = {
        "driver": "GTiff",
        "width": SIDE_PX,
        "height": SIDE_PX,
        "count": 4,
        "dtype": "uint16",
        "crs": f"EPSG:{EPSG}",
        "transform": from_origin(LEFT, TOP, PIXEL_M, PIXEL_M),
        "nodata": 0,
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "compress": "zstd",
        "predictor": 2,
        "interleave": "band",
    }
    with rasterio.open(path, "w", **profile) as target:
        target.write(_pixels())
    side_m = SIDE_PX * PIXEL_M
    river = box(LEFT, TOP - RIVER.stop * PIXEL_M, LEFT + side_m, TOP - RIVER.start * PIXEL_M)
    return Layers(to_wgs84(river, EPSG), to_wgs84(box(LEFT, TOP - side_m, LEFT + side_m, TOP), EPSG))


def _pixels() -> NDArray[np.uint16]:
    rng = np.random.default_rng(SEED)
    cover = ndimage.zoom(rng.normal(size=(33, 33)), SIDE_PX / 33, order=1)
    scene = np.empty((4, SIDE_PX, SIDE_PX), dtype=np.int32)
    kinds = np.digitize(cover, (-0.4, 0.3))
    for band in range(4):
        scene[band] = np.array([WOOD[band], CROP[band], SOIL[band]])[kinds]
    _scatter(scene, rng, ROOF, ROOFS, (20, 60))
    _scatter(scene, rng, PIT, PITS, (60, 160))
    _scatter(scene, rng, CHAR, FIRES, (80, 200))
    _fill(scene, (RIVER, slice(None)), WATER)
    _fill(scene, (slice(RIVER.start, RIVER.start + 80), slice(1000, 1300)), PLUME)
    noise = rng.normal(0.0, NOISE, (4, SIDE_PX, SIDE_PX)).astype(np.int32)
    pixels: NDArray[np.uint16] = np.clip(scene + noise, 1, 10_000).astype(np.uint16)
    return pixels


def _scatter(
    scene: Scene, rng: np.random.Generator, colour: tuple[int, ...], count: int, side_px: tuple[int, int]
) -> None:
    """Rectangles of one colour at random places."""
    tops, lefts = rng.integers(0, SIDE_PX - side_px[1], (2, count))
    heights, widths = rng.integers(*side_px, (2, count))
    for top, left, height, width in zip(tops, lefts, heights, widths, strict=True):
        _fill(scene, (slice(top, top + height), slice(left, left + width)), colour)


def _fill(scene: Scene, where: tuple[slice, slice], colour: tuple[int, ...]) -> None:
    scene[:, *where] = np.array(colour)[:, None, None]
