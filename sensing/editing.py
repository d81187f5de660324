"""Touches the disk: an officer's clicks on a masked copy become an outline; what is hidden cannot be clicked on.

Only the masked copy is ever read. With a SAM model the outline is SAM's, on the embedding of the crop that candidates
nearby share; without one it is grown along the edges of the picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import shapely
from affine import Affine
from pyproj import CRS, Transformer
from rasterio.features import rasterize
from rasterio.windows import Window

from geo.measure import area_m2
from schemas.refusals import Kind, Refusal, RuleViolation, invalid, refuse
from sensing.bands import Role
from sensing.grid import WGS84, moved
from sensing.growing import Place, grow_by_edges, parts_of
from sensing.mask import Mask
from sensing.picture import Picture, Tile
from sensing.segment.examine import largest, outline, to_ground

if TYPE_CHECKING:
    from sensing.segment.sam import Sam

RULE = "grow"
WATERSHED, SAM = "watershed", "sam"
# What can be grown in one go, in pixels of the analysis resolution, and the most that SAM is shown at once.
WINDOW_PX, TILE_PX = 512, 1024
# Clicks this near to the rim of the window would leave no room around the area.
_ROOM_PX = 32
_MOST_CLICKS = 64
_SIMPLIFY_PX = 0.8
_LEAST_PX = 4


class Click(NamedTuple):
    """A place that somebody says lies inside an area, or outside of it; EPSG:4326, degrees."""

    lon: float
    lat: float
    inside: bool


class Bounds4326(NamedTuple):
    """A box that somebody drew on the map; EPSG:4326, degrees."""

    west: float
    south: float
    east: float
    north: float


@dataclass(frozen=True)
class Grown:
    """An outline in EPSG:4326, its area on the ellipsoid, and how it came about.

    `quality` is SAM's own estimate of how well the outline fits; edges make no such estimate.
    """

    shape: shapely.Polygon
    area_m2: float
    method: str
    quality: float | None = None


def grow(picture: Picture, clicks: Sequence[Click], *, sam: Sam | None = None, box: Bounds4326 | None = None) -> Grown:
    """The outline of what was clicked on, inside a box where one was drawn.

    Raises RuleViolation `grow` with every reason: no click inside, a click beside the image or on what it does not
    show, clicks too far apart or against each other, no edge around what was clicked on.
    """
    placed = _placed(picture, clicks)
    allowed_box = _pixels(picture, box) if box is not None else None
    return _by_edges(picture, placed, allowed_box)


@dataclass(frozen=True)
class _Placed:
    """Clicks as pixels of the analysis grid."""

    inside: tuple[Place, ...]
    outside: tuple[Place, ...]

    @property
    def all(self) -> tuple[Place, ...]:
        return self.inside + self.outside


def _placed(picture: Picture, clicks: Sequence[Click]) -> _Placed:
    if len(clicks) > _MOST_CLICKS:
        raise invalid(RULE, "grow.too_many", measured=len(clicks), required=_MOST_CLICKS)
    if not picture_has_bands(picture):
        raise invalid(RULE, "grow.no_bands")
    pixels = [_pixel(picture, click.lon, click.lat) for click in clicks]
    refusals = list(_refusals(picture, clicks, pixels))
    if refusals:
        raise RuleViolation(Kind.INVALID, refusals)
    known = [(click.inside, pixel) for click, pixel in zip(clicks, pixels, strict=True) if pixel is not None]
    inside = tuple(dict.fromkeys(pixel for said, pixel in known if said))
    outside = tuple(dict.fromkeys(pixel for said, pixel in known if not said))
    return _Placed(inside, outside)


def picture_has_bands(picture: Picture) -> bool:
    """Whether it is known of any band what it measures."""
    return any(role not in (Role.OTHER, Role.CLASSES) for role in picture.roles)


def _refusals(picture: Picture, clicks: Sequence[Click], pixels: Sequence[Place | None]) -> Iterator[Refusal]:
    if not any(click.inside for click in clicks):
        yield refuse(RULE, "grow.no_click")
    said: dict[Place, bool] = {}
    for click, pixel in zip(clicks, pixels, strict=True):
        if pixel is None:
            yield refuse(RULE, "grow.beside", place=_point(click))
        elif not _shown(picture, pixel):
            yield refuse(RULE, "grow.hidden", place=_point(click))
        elif said.setdefault(pixel, click.inside) is not click.inside:
            yield refuse(RULE, "grow.contradiction", place=_point(click))
    known = [pixel for pixel in pixels if pixel is not None]
    apart = max((max(axis) - min(axis) for axis in zip(*known, strict=True)), default=0)
    if apart > TILE_PX - 2 * _ROOM_PX:
        yield refuse(RULE, "grow.too_far", measured=_metres(apart, picture), required=_metres(TILE_PX, picture))


def _point(click: Click) -> dict[str, Any] | None:
    """The place on the map; none where it is no number that JSON knows."""
    finite = math.isfinite(click.lon) and math.isfinite(click.lat)
    return {"type": "Point", "coordinates": [click.lon, click.lat]} if finite else None


def _metres(pixels: float, picture: Picture) -> float:
    return round(pixels * picture.gsd_m, 1)


def _pixel(picture: Picture, lon: float, lat: float) -> Place | None:
    """The pixel that holds a place; None beside the image."""
    change = Transformer.from_crs(WGS84, CRS.from_wkt(picture.grid.crs_wkt), always_xy=True)
    x, y = change.transform(lon, lat)
    if not (math.isfinite(x) and math.isfinite(y)):
        return None
    column, row = ~picture.grid.transform @ (x, y)
    held = 0 <= column < picture.grid.width and 0 <= row < picture.grid.height
    return (int(row), int(column)) if held else None


def _shown(picture: Picture, pixel: Place) -> bool:
    row, column = pixel
    return bool(picture.tile(Window(column, row, 1, 1)).valid[0, 0])


def _pixels(picture: Picture, box: Bounds4326) -> shapely.Polygon:
    """A drawn box in pixels of the analysis grid. Raises RuleViolation where it is none, or beside the image."""
    if not all(map(math.isfinite, box)) or box.west >= box.east or box.south >= box.north:
        raise invalid(RULE, "grow.box")
    # The edge of a box bends in most grids, by less than a pixel on the few kilometres that are looked at here.
    placed = moved(shapely.box(*box), WGS84, CRS.from_wkt(picture.grid.crs_wkt))
    back = ~picture.grid.transform
    a, b, c, d, e, f = tuple(back)[:6]
    pixels = shapely.affinity.affine_transform(placed, [a, b, d, e, c, f])
    image = shapely.box(0, 0, picture.grid.width, picture.grid.height)
    if not np.isfinite(shapely.get_coordinates(pixels)).all() or not pixels.intersects(image):
        raise invalid(RULE, "grow.beside")
    return pixels


def _by_edges(picture: Picture, placed: _Placed, box: shapely.Polygon | None) -> Grown:
    window = _window(picture, placed.all)
    tile = picture.tile(window)
    top, left = int(window.row_off), int(window.col_off)
    inside = [(row - top, column - left) for row, column in placed.inside]
    outside = [(row - top, column - left) for row, column in placed.outside]
    allowed = _allowed(tile, box, window)
    if not all(allowed[place] for place in inside):
        raise invalid(RULE, "grow.outside_box")
    rim = open_rim(picture, window)
    mask = grow_by_edges(tile, inside, outside, allowed=allowed)
    if mask is None or mask.sum() < _LEAST_PX:
        raise invalid(RULE, "grow.nothing")
    if (mask & rim).any():
        raise invalid(RULE, "grow.too_large", required=_metres(max(tile.valid.shape), picture))
    if parts_of(mask, inside) > 1:
        raise invalid(RULE, "grow.apart")
    return grown_from(picture, window, mask, WATERSHED)


def _window(picture: Picture, places: Sequence[Place]) -> Window:
    """The window around some clicks, moved inwards at the rim of the image."""
    rows, columns = zip(*places, strict=True)
    wide = max(max(rows) - min(rows), max(columns) - min(columns))
    side = WINDOW_PX if wide <= WINDOW_PX // 2 else TILE_PX
    sides = (min(side, picture.grid.height), min(side, picture.grid.width))
    middles = ((min(rows) + max(rows)) // 2, (min(columns) + max(columns)) // 2)
    limits = (picture.grid.height, picture.grid.width)
    top, left = (
        min(max(middle - length // 2, 0), limit - length)
        for middle, length, limit in zip(middles, sides, limits, strict=True)
    )
    return Window(left, top, sides[1], sides[0])


def _allowed(tile: Tile, box: shapely.Polygon | None, window: Window) -> Mask:
    """Which pixels of a window an area may hold."""
    if box is None:
        return np.ones_like(tile.valid)
    place = Affine.translation(window.col_off, window.row_off)
    # A box may be so small that it holds the middle of no pixel.
    drawn = rasterize([box], out_shape=tile.valid.shape, transform=place, all_touched=True, dtype="uint8")
    allowed: Mask = drawn > 0
    return allowed


def open_rim(picture: Picture, window: Window) -> Mask:
    """The pixels along those sides of a window beyond which the image goes on."""
    rim = np.zeros((int(window.height), int(window.width)), np.bool_)
    rim[0] = window.row_off > 0
    rim[:, 0] |= window.col_off > 0
    rim[-1] |= window.row_off + window.height < picture.grid.height
    rim[:, -1] |= window.col_off + window.width < picture.grid.width
    return rim


def grown_from(picture: Picture, window: Window, mask: Mask, method: str, quality: float | None = None) -> Grown:
    """The largest part of a mask as an outline on the ground. Raises RuleViolation where it has none."""
    rim = outline(largest(mask), _SIMPLIFY_PX)
    if rim is None:
        raise invalid(RULE, "grow.nothing")
    place = picture.grid.transform @ Affine.translation(window.col_off, window.row_off)
    shape = moved(to_ground(rim, place), CRS.from_wkt(picture.grid.crs_wkt), WGS84)
    return Grown(shape, area_m2(shape), method, quality)
