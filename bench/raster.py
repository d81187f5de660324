"""A generated scene with a fixed codec and fixed blocks: fields, woods, roofs, pits, char and a river with a plume."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.transform import from_origin
from rasterio.windows import Window
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

_KNOTS = 33

Thing = tuple[slice, slice, tuple[int, ...]]


@dataclass(frozen=True)
class Layers:
    """What is known about the scene's ground, EPSG:4326: the river, and the zone in which no building may be."""

    water: BaseGeometry
    protected: BaseGeometry


def write_scene(path: Path, side_px: int = SIDE_PX) -> Layers:
    """A GeoTIFF of so many pixels of 0.5 m a side, four bands of uint16, ZSTD with predictor 2, blocks of 512.

    It has a mask and overviews, as every analysis copy has. Written strip by strip, so its size costs no memory.
    """
    profile = {
        "driver": "GTiff",
        "width": side_px,
        "height": side_px,
        "count": 4,
        "dtype": "uint16",
        "crs": f"EPSG:{EPSG}",
        "transform": from_origin(LEFT, TOP, PIXEL_M, PIXEL_M),
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "compress": "zstd",
        "predictor": 2,
        "interleave": "band",
        "bigtiff": "if_safer",
    }
    ground = _Ground(side_px)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "w+", **profile) as target:
        for top in range(0, side_px, BLOCK):
            rows = Window(0, top, side_px, min(BLOCK, side_px - top))
            target.write(ground.strip(top, int(rows.height)), window=rows)
            target.write_mask(np.ones((int(rows.height), side_px), np.bool_), window=rows)
        target.build_overviews([2**n for n in range(1, 6)], Resampling.nearest)
    side_m = side_px * PIXEL_M
    river = box(LEFT, TOP - RIVER.stop * PIXEL_M, LEFT + side_m, TOP - RIVER.start * PIXEL_M)
    return Layers(to_wgs84(river, EPSG), to_wgs84(box(LEFT, TOP - side_m, LEFT + side_m, TOP), EPSG))


class _Ground:
    """What lies where: the cover, things of one colour on it, the river with its plume, and a sensor's noise."""

    def __init__(self, side_px: int) -> None:
        rng = np.random.default_rng(SEED)
        self._side_px = side_px
        self._cover = rng.normal(size=(_KNOTS, _KNOTS))
        self._things = [
            *_scattered(rng, side_px, ROOF, ROOFS, (20, 60)),
            *_scattered(rng, side_px, PIT, PITS, (60, 160)),
            *_scattered(rng, side_px, CHAR, FIRES, (80, 200)),
            (RIVER, slice(0, side_px), WATER),
            (slice(RIVER.start, RIVER.start + 80), slice(1000, 1300), PLUME),
        ]

    def strip(self, top: int, rows: int) -> NDArray[np.uint16]:
        """Some rows, all bands."""
        across = _weights(np.arange(self._side_px), self._side_px)
        cover = _weights(np.arange(top, top + rows), self._side_px) @ self._cover @ across.T
        kinds = np.digitize(cover, (-0.4, 0.3))
        scene = np.stack([np.array([WOOD[n], CROP[n], SOIL[n]], np.int32)[kinds] for n in range(4)])
        for down, along, colour in self._things:
            here = slice(max(down.start - top, 0), max(min(down.stop - top, rows), 0))
            scene[:, here, along] = np.array(colour)[:, None, None]
        rng = np.random.default_rng((SEED, top))
        noise = (rng.standard_normal(scene.shape, np.float32) * NOISE).astype(np.int32)
        pixels: NDArray[np.uint16] = np.clip(scene + noise, 1, 10_000).astype(np.uint16)
        return pixels


def _weights(places: NDArray[np.intp], side_px: int) -> NDArray[np.float64]:
    """What each knot of the cover counts at pixels along one side: linear between the nearest two."""
    away = np.abs(places[:, None] * (_KNOTS - 1) / max(side_px - 1, 1) - np.arange(_KNOTS)[None])
    return np.maximum(1.0 - away, 0.0)


def _scattered(
    rng: np.random.Generator, side_px: int, colour: tuple[int, ...], count: int, sides_px: tuple[int, int]
) -> list[Thing]:
    """Rectangles of one colour at random places."""
    tops, lefts = rng.integers(0, side_px - sides_px[1], (2, count)).tolist()
    heights, widths = rng.integers(*sides_px, (2, count)).tolist()
    return [
        (slice(top, top + height), slice(left, left + width), colour)
        for top, left, height, width in zip(tops, lefts, heights, widths, strict=True)
    ]
