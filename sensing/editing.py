"""Touches the disk: an officer's clicks on a masked copy become an outline; what is hidden cannot be clicked on.

Only the masked copy is ever read. With a SAM model the outline is SAM's, on the embedding of the crop that candidates
nearby share; without one it is grown along the edges of the picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import shapely
from affine import Affine
from pyproj import CRS, Transformer
from rasterio.features import rasterize
from rasterio.windows import Window

from geo.measure import area_m2
from schemas.refusals import Kind, Refusal, RuleViolation, invalid, refuse
from sensing.bands import CLASSIFIED, Role
from sensing.grid import WGS84, moved
from sensing.growing import Place, clicked, grow_by_edges, parts_of
from sensing.mask import Mask
from sensing.picture import Picture
from sensing.segment.crops import Box, Crop, Shown, around, holding, stretch_of
from sensing.segment.embeddings import Embedding
from sensing.segment.examine import largest, outline, to_ground
from sensing.segment.sam import POINTS_A_SIDE, Redrawn, Sam

RULE = "grow"
WATERSHED, SAM = "watershed", "sam"
# What can be grown in one go, in pixels of the analysis resolution, and the most that SAM is shown at once.
WINDOW_PX, TILE_PX = 512, 1024
# Clicks this near to the rim of the window would leave no room around the area.
_ROOM_PX = 32
_MOST_CLICKS = 64
_SIMPLIFY_PX = 0.8
_LEAST_PX = 4
# Of all that SAM sees, what lies so far inside the box; outlines that share more than this are of one thing.
_INSIDE_SHARE, _SAME_SHARE = 0.9, 0.7


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
    drawn = _pixels(picture, box) if box is not None else None
    found = _by_sam(picture, placed, drawn, sam) if sam is not None and picture.colour_known else None
    return found or _by_edges(picture, placed, drawn)


def everything_in(
    picture: Picture, box: Bounds4326, sam: Sam | None, *, side: int = POINTS_A_SIDE, **thresholds: float
) -> tuple[Grown, ...]:
    """The outlines of all that SAM sees inside a drawn box, the surest first; it is asked at `side` squared points.

    Raises RuleViolation `grow`: without a model, for a box larger than one tile, beside the image, or on nothing that
    the image shows.
    """
    if sam is None:
        raise invalid(RULE, "grow.no_sam")
    if not picture.colour_known:
        raise invalid(RULE, "grow.no_bands")
    drawn = _pixels(picture, box)
    wanted = _bounds(picture, drawn)
    if wanted.length > TILE_PX:
        raise invalid(
            RULE, "grow.box_too_large", measured=_metres(wanted.length, picture), required=_metres(TILE_PX, picture)
        )
    size, stretch = (picture.grid.height, picture.grid.width), stretch_of(picture)
    crop = next(iter(holding(wanted, size, (WINDOW_PX, TILE_PX))), around(wanted, size))
    looked = sam.embedding(picture, crop, stretch)
    if looked is None:
        raise invalid(RULE, "grow.hidden")
    embedding, shown = looked
    allowed = shown.valid & _allowed(shown.valid.shape, drawn, crop.window)
    found = []
    for one in sam.everything(shown, embedding, _inner(crop, drawn), side=side, **thresholds):
        mask = one.mask & allowed
        if mask.sum() >= max(_LEAST_PX, _INSIDE_SHARE * one.mask.sum()):
            found.append(grown_from(picture, crop.window, mask, SAM, one.predicted_iou))
    return _distinct(found)


def _distinct(found: Sequence[Grown]) -> tuple[Grown, ...]:
    """Each thing once, by the outline that SAM is surest of."""
    kept: list[Grown] = []
    for one in sorted(found, key=lambda one: (-(one.quality or 0.0), shapely.to_wkb(one.shape))):
        if all(_overlap(one.shape, other.shape) <= _SAME_SHARE for other in kept):
            kept.append(one)
    return tuple(kept)


def _overlap(one: shapely.Polygon, other: shapely.Polygon) -> float:
    """What two outlines share, of what they cover together."""
    if not one.intersects(other):
        return 0.0
    return float(one.intersection(other).area / one.union(other).area)


def _by_sam(picture: Picture, placed: _Placed, drawn: shapely.Polygon | None, sam: Sam) -> Grown | None:
    """What SAM takes the clicks to mean; None where that is not what was clicked on: then the edges are asked."""
    stretch = stretch_of(picture)
    for crop in _crops(picture, placed, drawn, lambda crop: sam.known(picture, crop, stretch) is not None):
        looked = sam.embedding(picture, crop, stretch)
        found = _clicked_in(crop, looked, placed, drawn, sam) if looked else None
        if found is None:
            return None
        # A thing that reaches beyond its crop is looked at in a larger one, if there is one.
        if not (found.mask & open_rim(picture, crop.window)).any():
            return grown_from(picture, crop.window, found.mask, SAM, found.predicted_iou)
    return None


def _crops(
    picture: Picture, placed: _Placed, drawn: shapely.Polygon | None, is_known: Callable[[Crop], bool]
) -> Iterator[Crop]:
    """Where to look for what was clicked on: first where somebody has looked before, then in ever larger crops."""
    rows, columns = zip(*placed.all, strict=True)
    wanted = Box(min(columns), min(rows), max(columns) + 1, max(rows) + 1)
    if drawn is not None:
        left, top, right, bottom = _bounds(picture, drawn)
        wanted = Box(min(left, wanted[0]), min(top, wanted[1]), max(right, wanted[2]), max(bottom, wanted[3]))
    crops = holding(wanted, (picture.grid.height, picture.grid.width))
    first = next((crop for crop in crops if is_known(crop)), crops[0] if crops else None)
    width = 0
    for crop in [first, *crops] if first else []:
        if crop.width > width:
            width = crop.width
            yield crop


def _clicked_in(
    crop: Crop, looked: tuple[Embedding, Shown], placed: _Placed, drawn: shapely.Polygon | None, sam: Sam
) -> Redrawn | None:
    """The surest mask of a crop that holds all that was clicked on inside, in one piece, and nothing outside."""
    embedding, shown = looked
    inside = [(row - crop.top, column - crop.left) for row, column in placed.inside]
    outside = [(row - crop.top, column - crop.left) for row, column in placed.outside]
    allowed = shown.valid & _allowed(shown.valid.shape, drawn, crop.window)
    points = np.array([(column, row) for row, column in inside + outside], dtype=np.float64)
    labels = np.array([1] * len(inside) + [0] * len(outside), dtype=np.int64)
    for one in sam.masks(embedding, points, labels, _inner(crop, drawn) if drawn is not None else None):
        mask = one.mask & allowed
        fits = all(mask[place] for place in inside) and not any(mask[place] for place in outside)
        if fits and parts_of(mask, inside) == 1:
            return Redrawn(clicked(mask, inside), one.predicted_iou)
    return None


def _inner(crop: Crop, drawn: shapely.Polygon) -> Box:
    """The bounds of a shape in the pixels of a crop."""
    west, north, east, south = drawn.bounds
    left, top = math.floor(west) - crop.left, math.floor(north) - crop.top
    right, bottom = math.ceil(east) - crop.left, math.ceil(south) - crop.top
    return Box(max(left, 0), max(top, 0), min(right, crop.width), min(bottom, crop.height))


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
    return any(role is not Role.OTHER and role not in CLASSIFIED for role in picture.roles)


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
    allowed = _allowed(tile.valid.shape, box, window)
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


def _allowed(shape: tuple[int, ...], box: shapely.Polygon | None, window: Window) -> Mask:
    """Which pixels of a window an area may hold."""
    if box is None:
        return np.ones(shape, np.bool_)
    place = Affine.translation(window.col_off, window.row_off)
    # A box may be so small that it holds the middle of no pixel.
    drawn = rasterize([box], out_shape=shape, transform=place, all_touched=True, dtype="uint8")
    allowed: Mask = drawn > 0
    return allowed


def _bounds(picture: Picture, drawn: shapely.Polygon) -> Box:
    """The pixels of the image that a drawn box reaches into."""
    return _inner(Crop(0, 0, picture.grid.width, picture.grid.height), drawn)


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
