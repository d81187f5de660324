"""Connected areas of a code raster, and what their outlines say about them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.windows import Window
from scipy import ndimage

from sensing.features import Floats
from sensing.mask import Mask
from sensing.segment.components import Part

# An area is looked at with its surroundings; one that is larger than this is no single thing on the ground.
PAD_PX = 12
_LARGEST_PX = 4096


@dataclass(frozen=True)
class Area:
    """A connected area: its window with surroundings, its pixels there, and how many of them are sure."""

    window: Window
    mask: Mask
    sure_px: int

    @property
    def pixels(self) -> int:
        """How many pixels it has."""
        return int(self.mask.sum())


def surroundings(part: Part, size: tuple[int, int]) -> Window | None:
    """The window of a part of a plane of (height, width) with what is around it; None for what is no single thing."""
    rows = slice(max(part.top - PAD_PX, 0), min(part.bottom + PAD_PX, size[0]))
    columns = slice(max(part.left - PAD_PX, 0), min(part.right + PAD_PX, size[1]))
    window = Window.from_slices(rows, columns)
    return window if max(window.width, window.height) <= _LARGEST_PX else None


def close_up(part: Part, marked: NDArray[np.uint8], window: Window) -> Area:
    """A part among all that is marked in its window."""
    numbers, _ = ndimage.label(marked)
    mask: Mask = numbers == numbers[part.seed[0] - window.row_off, part.seed[1] - window.col_off]
    return Area(window, mask, part.sure_px)


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
