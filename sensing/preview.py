"""Touches the disk: pictures of masked scenes for people to look at; never of originals."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from pyproj import Transformer
from rasterio.crs import CRS as RasterCRS
from rasterio.enums import Resampling
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT

from schemas.refusals import invalid
from sensing.bands import Role
from sensing.derivative import open_derivative

_RGB = (Role.RED, Role.GREEN, Role.BLUE)
_MERCATOR_EPSG = 3857
_MERCATOR_HALF_M = math.pi * 6_378_137.0
_TILE_PX = 256
_THUMB_PX = 512
# The same cut at both ends for the whole scene and all its colours: two windows of one scene are comparable by
# eye, and grass stays green. Photos are shown as they were taken.
_LOW, _HIGH = 0.5, 99.7
# Reflectance is linear in light, the eye is not.
_GAMMA = 1.8
_LARGEST_PX = 2048
_MAX_ZOOM = 24


@dataclass(frozen=True)
class Box:
    """A window of the map in EPSG:4326, degrees."""

    west: float
    south: float
    east: float
    north: float


def render(path: Path, roles: Sequence[Role], box: Box, size: tuple[int, int]) -> bytes:
    """A window of a masked scene as PNG with transparency, (width, height) pixels in Web Mercator.

    Two scenes rendered with one box and one size lie on the same grid. Raises RuleViolation `preview.window`.
    """
    width, height = size
    if not (0 < width <= _LARGEST_PX and 0 < height <= _LARGEST_PX and box.west < box.east and box.south < box.north):
        raise invalid("preview.window", "preview.window", required=_LARGEST_PX)
    change = Transformer.from_crs(4326, _MERCATOR_EPSG, always_xy=True)
    left, bottom = change.transform(box.west, box.south)
    right, top = change.transform(box.east, box.north)
    if not all(map(math.isfinite, (left, bottom, right, top))):
        raise invalid("preview.window", "preview.window", required=_LARGEST_PX)
    pixel = Affine.scale((right - left) / width, -(top - bottom) / height)
    return _draw(path, roles, Affine.translation(left, top) @ pixel, size)


def tile(path: Path, roles: Sequence[Role], zoom: int, column: int, row: int) -> bytes:
    """One 256-pixel map tile (XYZ) of a masked scene as PNG. Raises RuleViolation `preview.window`."""
    if not (0 <= zoom <= _MAX_ZOOM and 0 <= column < 2**zoom and 0 <= row < 2**zoom):
        raise invalid("preview.window", "preview.window", required=_LARGEST_PX)
    span = 2 * _MERCATOR_HALF_M / 2**zoom
    corner = Affine.translation(-_MERCATOR_HALF_M + column * span, _MERCATOR_HALF_M - row * span)
    return _draw(path, roles, corner @ Affine.scale(span / _TILE_PX, -span / _TILE_PX), (_TILE_PX, _TILE_PX))


def _draw(path: Path, roles: Sequence[Role], transform: Affine, size: tuple[int, int]) -> bytes:
    bands, tone = _look(path, tuple(roles))
    width, height = size
    with (
        open_derivative(path) as source,
        WarpedVRT(
            source,
            crs=RasterCRS.from_epsg(_MERCATOR_EPSG),
            transform=transform,
            width=width,
            height=height,
            resampling=Resampling.bilinear,
            add_alpha=True,
        ) as warped,
    ):
        planes = warped.read([*bands, warped.count])
    return _png(planes[:-1], planes[-1] > 0, tone)


@dataclass(frozen=True)
class _Tone:
    """Which values are shown black and white, and how bright the ones between."""

    low: float
    high: float
    gamma: float = 1.0

    def shown(self, plane: NDArray[np.generic]) -> NDArray[np.float64]:
        share = np.clip((plane.astype(np.float64) - self.low) / (self.high - self.low), 0.0, 1.0)
        return np.asarray(255.0 * share ** (1.0 / self.gamma))


def _png(planes: NDArray[np.generic], shown: NDArray[np.bool_], tone: _Tone) -> bytes:
    colours = [tone.shown(plane) for plane in planes]
    rgb = colours if len(colours) == len(_RGB) else colours[:1] * len(_RGB)
    pixels = np.stack([*(np.where(shown, plane, 0) for plane in rgb), shown * 255.0], axis=-1)
    out = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8), "RGBA").save(out, "PNG")
    return out.getvalue()


@lru_cache(maxsize=64)
def _look(path: Path, roles: tuple[Role, ...]) -> tuple[tuple[int, ...], _Tone]:
    """Which bands to show, and in which tones; a stored copy never changes, so this is kept."""
    with open_derivative(path) as source:
        known = set(_RGB) <= set(roles)
        bands = tuple(roles.index(role) + 1 for role in _RGB) if known else (1,)
        if known and source.dtypes[0] == "uint8":
            return bands, _Tone(0.0, 255.0)
        return bands, _tone(source, bands, _GAMMA if known else 1.0)


def _tone(source: DatasetReader, bands: tuple[int, ...], gamma: float) -> _Tone:
    shape = (min(source.height, _THUMB_PX), min(source.width, _THUMB_PX))
    planes = source.read(list(bands), out_shape=(len(bands), *shape))
    shown = source.dataset_mask(out_shape=shape) > 0
    if not shown.any():
        return _Tone(0.0, 1.0)
    low, high = (float(value) for value in np.percentile(planes[:, shown], (_LOW, _HIGH)))
    return _Tone(low, high if high > low else low + 1.0, gamma)
