"""Connected areas of a code raster, and what their outlines say about them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import shapely
from affine import Affine
from rasterio.features import rasterize
from rasterio.io import DatasetReader
from rasterio.windows import Window
from scipy import ndimage

from sensing.features import Floats
from sensing.mask import Mask
from sensing.vectorize import outlines

# An area is looked at with its surroundings; one that is larger than this is no single thing on the ground.
PAD_PX = 12
_LARGEST_PX = 4096


@dataclass(frozen=True)
class Area:
    """A connected area: outline in the grid's CRS, its window with surroundings, and its pixels there."""

    polygon: shapely.Polygon
    window: Window
    mask: Mask
    sure_px: int

    @property
    def pixels(self) -> int:
        """How many pixels it has."""
        return int(self.mask.sum())


def areas(planes: DatasetReader, member: int, sure: int, *, fewest_px: int, fewest_sure_px: int) -> Iterator[Area]:
    """The areas of the plane `member` that are large enough and hold enough pixels of the plane `sure`."""
    pixel_area = abs(planes.transform.determinant)
    for polygon in outlines(planes, member):
        if polygon.area < fewest_px * pixel_area:
            continue
        window = _window(polygon, planes)
        if max(window.width, window.height) > _LARGEST_PX:
            continue
        mask = _inside(polygon, window, planes)
        sure_px = int((planes.read(sure, window=window)[mask] > 0).sum())
        if sure_px >= fewest_sure_px:
            yield Area(polygon, window, mask, sure_px)


def _window(polygon: shapely.Polygon, codes: DatasetReader) -> Window:
    back = ~codes.transform
    corners = np.array([back @ (x, y) for x, y in shapely.box(*polygon.bounds).exterior.coords])
    left, top = np.floor(corners.min(axis=0)).astype(int) - PAD_PX
    right, bottom = np.ceil(corners.max(axis=0)).astype(int) + PAD_PX
    rows = slice(max(int(top), 0), min(int(bottom), codes.height))
    columns = slice(max(int(left), 0), min(int(right), codes.width))
    return Window.from_slices(rows, columns)


def _inside(polygon: shapely.Polygon, window: Window, codes: DatasetReader) -> Mask:
    place = codes.transform @ Affine.translation(window.col_off, window.row_off)
    shape = (int(window.height), int(window.width))
    inside: Mask = rasterize([polygon], out_shape=shape, transform=place, dtype="uint8") > 0
    return inside


def ring(mask: Mask, inner_px: int, outer_px: int) -> Mask:
    """The surroundings of an area, from `inner_px` to `outer_px` away from it."""
    distance = ndimage.distance_transform_edt(~mask)
    around: Mask = (distance > inner_px) & (distance <= outer_px)
    return around


def rectangularity(polygon: shapely.Polygon) -> float:
    """The share of its smallest enclosing rectangle that a shape fills; 1 for rectangles, 0.79 for discs."""
    box = shapely.minimum_rotated_rectangle(polygon)
    return float(polygon.area / box.area) if box.area else 0.0


def elongation(polygon: shapely.Polygon) -> float:
    """Length over width of the smallest enclosing rectangle; 1 for squares and discs."""
    corners = shapely.get_coordinates(shapely.minimum_rotated_rectangle(polygon))
    if len(corners) < 4:
        return math.inf
    sides = np.hypot(*np.diff(corners[:3], axis=0).T)
    return float(sides.max() / sides.min()) if sides.min() > 0 else math.inf


def solidity(polygon: shapely.Polygon) -> float:
    """The share of its convex hull that a shape fills."""
    hull = polygon.convex_hull.area
    return float(polygon.area / hull) if hull else 0.0


def median(plane: Floats, where: Mask) -> float:
    """The median over a mask; 0 where it is empty."""
    return float(np.median(plane[where])) if where.any() else 0.0
