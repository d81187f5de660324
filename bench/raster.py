"""A generated scene with a fixed codec and fixed blocks: fields, woods, roofs, pits, char and a river with a plume.

It has all that makes work: homes that were burnt out, a border beyond which nobody looks, layers, and clouds where a
sensor flies above them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.transform import from_origin
from rasterio.windows import Window
from shapely.geometry import MultiPolygon, Polygon, box
from shapely.geometry.base import BaseGeometry

from bench.places import SEED
from geo.crs import to_wgs84

PIXEL_M = 0.5
# Clouds are looked for where pixels are at least 1.5 m; without a second date, buildings up to 1.6 m.
FROM_ABOVE_M = 1.55
EPSG = 32649
LEFT, TOP = 730_000.0, 2_560_000.0
BLOCK = 512
# Reflectance in ten-thousandths: red, green, blue, near infrared.
WOOD, CROP, SOIL = (450, 700, 400, 3200), (900, 1200, 800, 2600), (1900, 1530, 1100, 2300)
ROOF, PIT, CHAR = (2700, 2750, 2700, 2800), (3000, 2500, 1900, 3100), (900, 850, 850, 950)
WATER, PLUME = (500, 700, 600, 300), (1300, 1000, 600, 500)
CLOUD, SHADE = (6000, 6200, 6600, 5800), (250, 350, 300, 900)
NOISE = 60
RIVER = slice(1800, 2000)
ROOFS, PITS, FIRES, HOMES, CLOUDS = 200, 20, 10, 24, 6
# How far a cloud's shadow lies from it, in pixels down and to the right.
_SHADOW_PX = 300

_KNOTS = 33
_WELL_PACKED_PX = 8192

Thing = tuple[slice, slice, tuple[int, ...]]


@dataclass(frozen=True)
class Layers:
    """What is known about the scene's ground, EPSG:4326.

    The river; the zone in which no building may be; fields; where building is licensed; homes that were burnt out of
    the pixels; the ground that may be looked at.
    """

    water: BaseGeometry
    protected: BaseGeometry
    farmland: BaseGeometry
    sites: BaseGeometry
    homes: tuple[BaseGeometry, ...]
    jurisdiction: BaseGeometry


@dataclass(frozen=True)
class Written:
    """A scene on the disk, and what is known about its ground."""

    path: Path
    layers: Layers


@cache
def _shelf() -> tempfile.TemporaryDirectory[str]:
    """Where scenes lie until this process ends."""
    return tempfile.TemporaryDirectory(prefix="skywarden-bench-")


@cache
def scene(side_px: int, pixel_m: float = PIXEL_M) -> Written:
    """A scene of so many pixels a side, written when it is first asked for; with clouds where pixels are large."""
    path = Path(_shelf().name) / f"scene_{side_px}_{pixel_m}.tif"
    return Written(path, write_scene(path, side_px, pixel_m))


def write_scene(path: Path, side_px: int, pixel_m: float = PIXEL_M) -> Layers:
    """A GeoTIFF of so many pixels a side, four bands of uint16, ZSTD with predictor 2, blocks of 512.

    It has a mask and overviews, as every analysis copy has. Written strip by strip, so its size costs no memory.
    """
    profile = {
        "driver": "GTiff",
        "width": side_px,
        "height": side_px,
        "count": 4,
        "dtype": "uint16",
        "crs": f"EPSG:{EPSG}",
        "transform": from_origin(LEFT, TOP, pixel_m, pixel_m),
        "tiled": True,
        "blockxsize": BLOCK,
        "blockysize": BLOCK,
        "compress": "zstd",
        # What is not timed need not be packed well.
        "zstd_level": 9 if side_px <= _WELL_PACKED_PX else 1,
        "predictor": 2,
        "interleave": "band",
        "bigtiff": "if_safer",
    }
    ground = _Ground(side_px, clouded=pixel_m >= FROM_ABOVE_M)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "w+", **profile) as target:
        for top in range(0, side_px, BLOCK):
            rows = Window(0, top, side_px, min(BLOCK, side_px - top))
            shown = ground.shown(top, int(rows.height))
            target.write(ground.strip(top, int(rows.height)) * shown, window=rows)
            target.write_mask(shown, window=rows)
        target.build_overviews([2**n for n in range(1, 6)], Resampling.nearest)
    return _layers(side_px, pixel_m, ground.homes)


def _layers(side_px: int, pixel_m: float, homes: list[tuple[slice, slice]]) -> Layers:
    def placed(shape: BaseGeometry) -> BaseGeometry:
        return to_wgs84(shape, EPSG)

    def square(rows: slice, columns: slice) -> Polygon:
        left, right = (LEFT + column * pixel_m for column in (columns.start, columns.stop))
        return box(left, TOP - rows.stop * pixel_m, right, TOP - rows.start * pixel_m)

    everything = square(slice(0, side_px), slice(0, side_px))
    half, tenth = side_px // 2, side_px // 10
    right, wedge = LEFT + side_px * pixel_m, tenth * pixel_m
    corner = Polygon([(right - wedge, TOP), (right, TOP), (right, TOP - half * pixel_m)])
    fields = [square(slice(tenth * n, tenth * n + tenth // 2), slice(0, half)) for n in range(5, 10)]
    return Layers(
        water=placed(square(RIVER, slice(0, side_px))),
        protected=placed(everything),
        farmland=placed(MultiPolygon(fields)),
        sites=placed(square(slice(half, half + tenth), slice(half, half + tenth))),
        homes=tuple(placed(square(*home)) for home in homes),
        jurisdiction=placed(everything.difference(corner)),
    )


class _Ground:
    """What lies where: the cover, things of one colour on it, the river with its plume, and a sensor's noise."""

    def __init__(self, side_px: int, *, clouded: bool) -> None:
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
        self.homes = [(rows, columns) for rows, columns, _ in _scattered(rng, side_px, WOOD, HOMES, (60, 100))]
        if clouded:
            clouds = _scattered(rng, side_px - _SHADOW_PX, CLOUD, CLOUDS, (250, 400))
            self._things += [*_shades(clouds), *clouds]

    def shown(self, top: int, rows: int) -> NDArray[np.bool_]:
        """Some rows, without the homes."""
        shown = np.ones((rows, self._side_px), np.bool_)
        for here, along in _within(self.homes, top, rows):
            shown[here, along] = False
        return shown

    def strip(self, top: int, rows: int) -> NDArray[np.uint16]:
        """Some rows, all bands."""
        across = _weights(np.arange(self._side_px), self._side_px)
        cover = _weights(np.arange(top, top + rows), self._side_px) @ self._cover @ across.T
        kinds = np.digitize(cover, (-0.4, 0.3))
        scene = np.stack([np.array([WOOD[n], CROP[n], SOIL[n]], np.int32)[kinds] for n in range(4)])
        for number, (here, along) in enumerate(_within([thing[:2] for thing in self._things], top, rows)):
            scene[:, here, along] = np.array(self._things[number][2])[:, None, None]
        rng = np.random.default_rng((SEED, top))
        noise = (rng.standard_normal(scene.shape, np.float32) * NOISE).astype(np.int32)
        pixels: NDArray[np.uint16] = np.clip(scene + noise, 1, 10_000).astype(np.uint16)
        return pixels


def _within(places: list[tuple[slice, slice]], top: int, rows: int) -> Iterator[tuple[slice, slice]]:
    """What of each place lies in some rows, counted from the first of them."""
    for down, along in places:
        yield slice(max(down.start - top, 0), max(min(down.stop - top, rows), 0)), along


def _shades(clouds: list[Thing]) -> list[Thing]:
    """The shadows of clouds."""
    far = _SHADOW_PX
    return [
        (slice(down.start + far, down.stop + far), slice(along.start + far, along.stop + far), SHADE)
        for down, along, _ in clouds
    ]


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
