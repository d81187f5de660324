"""Touches the disk: pictures of masked scenes for people to look at; never of originals."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from pyproj import Transformer
from rasterio.crs import CRS as RasterCRS
from rasterio.enums import Resampling
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform_bounds

from schemas.refusals import invalid
from sensing.bands import Role
from sensing.derivative import open_derivative

_RGB = (Role.RED, Role.GREEN, Role.BLUE)
_MERCATOR_EPSG = 3857
_MERCATOR = RasterCRS.from_epsg(_MERCATOR_EPSG)
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
# From bare ground over nothing in particular to dense leaves; brown and teal differ for every eye.
_NDVI_LOW, _NDVI_HIGH = -0.2, 0.9
_NDVI_COLOURS = ((84, 48, 5), (191, 129, 45), (245, 245, 245), (128, 205, 193), (53, 151, 143), (0, 60, 48))
# Pictures are looked at once or twice: quick to pack matters more than small.
_PACKING = 1


class Combination(StrEnum):
    """Which bands are shown as which colours; a scene has those for which it has the bands."""

    TRUE_COLOUR = "true_colour"
    FALSE_COLOUR = "false_colour"
    NDVI = "ndvi"
    SWIR = "swir"
    GREY = "grey"


def combinations(roles: Sequence[Role]) -> tuple[Combination, ...]:
    """The combinations that bands of these roles allow, the most natural first; never empty."""
    known = {name: found for name in Combination if (found := _bands(roles, name))}
    return tuple(name for name in known if name is not Combination.GREY or len(known) == 1)


def _bands(roles: Sequence[Role], combination: Combination) -> tuple[int, ...]:
    """The numbers of the bands of a combination, from 1; empty where one is missing."""
    short = Role.SWIR2 if Role.SWIR2 in roles else Role.SWIR1
    wanted: dict[Combination, tuple[Role, ...]] = {
        Combination.TRUE_COLOUR: _RGB,
        Combination.FALSE_COLOUR: (Role.NIR, Role.RED, Role.GREEN),
        Combination.NDVI: (Role.NIR, Role.RED),
        Combination.SWIR: (short, Role.NIR, Role.RED),
        Combination.GREY: (roles[0],) if roles else (),
    }
    names = wanted[combination]
    return tuple(roles.index(role) + 1 for role in names) if set(names) <= set(roles) else ()


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


def tile(
    path: Path,
    roles: Sequence[Role],
    place: tuple[int, int, int],
    combination: Combination | None = None,
) -> bytes:
    """One 256-pixel map tile (XYZ: zoom, column, row) of a masked scene as PNG.

    Without a combination the most natural one is drawn. Raises RuleViolation `preview.window`, or
    `preview.combination` where the scene lacks a band of it.
    """
    return _draw(path, roles, tile_grid(place), (_TILE_PX, _TILE_PX), combination)


@dataclass(frozen=True)
class Reach:
    """Where a stored raster lies, and the zoom level of the map at which its own pixels are drawn."""

    box: Box
    zoom: int


@lru_cache(maxsize=256)
def reach(path: Path) -> Reach:
    """Where a masked scene lies on the map; a stored copy never changes, so this is kept."""
    with open_derivative(path) as source:
        box = Box(*transform_bounds(source.crs, RasterCRS.from_epsg(4326), *_bounds(source)))
        zoom = math.ceil(math.log2(2 * _MERCATOR_HALF_M / _TILE_PX / _pixel_m(source)))
    return Reach(box, min(max(zoom, 0), _MAX_ZOOM))


def tile_grid(place: tuple[int, int, int]) -> Affine:
    """The grid in Web Mercator of a tile (zoom, column, row). Raises RuleViolation `preview.window`."""
    zoom, column, row = place
    if not (0 <= zoom <= _MAX_ZOOM and 0 <= column < 2**zoom and 0 <= row < 2**zoom):
        raise invalid("preview.window", "preview.window", required=_LARGEST_PX)
    span = 2 * _MERCATOR_HALF_M / 2**zoom
    corner = Affine.translation(-_MERCATOR_HALF_M + column * span, _MERCATOR_HALF_M - row * span)
    return corner @ Affine.scale(span / _TILE_PX, -span / _TILE_PX)


def warped(source: DatasetReader, transform: Affine, size: tuple[int, int], resampling: Resampling) -> WarpedVRT:
    """A raster as it lies on a grid in Web Mercator, with transparency as its last band."""
    width, height = size
    grid = {"crs": _MERCATOR, "transform": transform, "width": width, "height": height}
    return WarpedVRT(source, **grid, resampling=resampling, add_alpha=True)


def _draw(
    path: Path,
    roles: Sequence[Role],
    transform: Affine,
    size: tuple[int, int],
    combination: Combination | None = None,
) -> bytes:
    offered = combinations(roles)
    chosen = combination or offered[0]
    if chosen not in offered:
        raise invalid("preview.combination", measured=chosen, required=", ".join(offered))
    look = _look(path, tuple(roles), chosen)
    with (
        open_derivative(path, overview=look.overview(transform.a)) as source,
        warped(source, transform, size, Resampling.bilinear) as drawn,
    ):
        planes = drawn.read([*look.bands, drawn.count])
    shown = planes[-1] > 0
    colours = look.ramp(planes[:-1]) if chosen is Combination.NDVI else look.colours(planes[:-1])
    return _png(colours, shown)


@dataclass(frozen=True)
class _Tone:
    """Which values are shown black and white, and how bright the ones between."""

    low: float
    high: float
    gamma: float = 1.0

    def shown(self, plane: NDArray[np.generic]) -> NDArray[np.float32]:
        share = np.clip((plane.astype(np.float32) - self.low) / (self.high - self.low), 0.0, 1.0)
        return np.asarray(255.0 * (share if self.gamma == 1.0 else share ** (1.0 / self.gamma)), np.float32)


@dataclass(frozen=True)
class _Look:
    """How a combination of a scene is drawn: its bands, a tone for each, and the sizes in which the scene is stored."""

    bands: tuple[int, ...]
    tones: tuple[_Tone, ...]
    pixel_m: float
    factors: tuple[int, ...]

    def overview(self, pixel_m: float) -> int | None:
        """The coarsest stored size that still has pixels of `pixel_m` (Web Mercator); None is the full one."""
        fitting = [index for index, factor in enumerate(self.factors) if factor * self.pixel_m <= pixel_m]
        return fitting[-1] if fitting else None

    def colours(self, planes: NDArray[np.generic]) -> NDArray[np.float32]:
        """Red, green and blue, 0 to 255; one plane is grey."""
        shown = [tone.shown(plane) for tone, plane in zip(self.tones, planes, strict=True)]
        return np.stack(shown if len(shown) == len(_RGB) else shown * len(_RGB))

    def ramp(self, planes: NDArray[np.generic]) -> NDArray[np.float32]:
        """The vegetation index of two planes in colours, on one scale for every scene and date."""
        near, red = planes.astype(np.float32)
        total = near + red
        index = np.divide(near - red, total, out=np.zeros_like(total), where=total > 0)
        places = np.linspace(_NDVI_LOW, _NDVI_HIGH, len(_NDVI_COLOURS))
        return np.stack([np.interp(index, places, shades) for shades in zip(*_NDVI_COLOURS, strict=True)])


def _png(colours: NDArray[np.float32], shown: NDArray[np.bool_]) -> bytes:
    pixels = np.zeros((*shown.shape, len(_RGB) + 1), np.uint8)
    pixels[shown, : len(_RGB)] = np.moveaxis(colours, 0, -1)[shown]
    pixels[..., -1] = shown * np.uint8(255)
    out = io.BytesIO()
    Image.fromarray(pixels, "RGBA").save(out, "PNG", compress_level=_PACKING)
    return out.getvalue()


@lru_cache(maxsize=256)
def _look(path: Path, roles: tuple[Role, ...], combination: Combination) -> _Look:
    """How a combination is drawn; a stored copy never changes, so this is kept."""
    bands = _bands(roles, combination)
    with open_derivative(path) as source:
        return _Look(bands, _tones(source, bands, combination), _pixel_m(source), tuple(source.overviews(1)))


def _pixel_m(source: DatasetReader) -> float:
    """About how wide a pixel is in metres of Web Mercator."""
    left, bottom, right, top = _bounds(source)
    new_left, new_bottom, new_right, new_top = transform_bounds(source.crs, _MERCATOR, left, bottom, right, top)
    stretch = math.sqrt((new_right - new_left) * (new_top - new_bottom) / ((right - left) * (top - bottom)))
    return stretch * math.sqrt(abs(source.transform.determinant))


def _bounds(source: DatasetReader) -> tuple[float, float, float, float]:
    """The box around a raster in its own coordinates, also where its rows do not run from west to east."""
    width, height = source.width, source.height
    corners = [source.transform @ corner for corner in ((0, 0), (width, 0), (0, height), (width, height))]
    across, along = zip(*corners, strict=True)
    return min(across), min(along), max(across), max(along)


def _tones(source: DatasetReader, bands: tuple[int, ...], combination: Combination) -> tuple[_Tone, ...]:
    """One cut for all colours of a true picture, so that they stay true; each band its own in the others."""
    if combination is Combination.NDVI:
        return ()
    if source.dtypes[0] == "uint8" and combination is not Combination.GREY:
        return (_Tone(0.0, 255.0),) * len(bands)
    shape = (min(source.height, _THUMB_PX), min(source.width, _THUMB_PX))
    planes = source.read(list(bands), out_shape=(len(bands), *shape))
    shown = source.dataset_mask(out_shape=shape) > 0
    if not shown.any():
        return (_Tone(0.0, 1.0),) * len(bands)
    gamma = 1.0 if combination is Combination.GREY else _GAMMA
    if combination is Combination.TRUE_COLOUR:
        return (_cut(planes[:, shown], gamma),) * len(bands)
    return tuple(_cut(plane[shown], gamma) for plane in planes)


def _cut(values: NDArray[Any], gamma: float) -> _Tone:
    low, high = (float(value) for value in np.percentile(values, (_LOW, _HIGH)))
    return _Tone(low, high if high > low else low + 1.0, gamma)
