"""An area grown from clicks by the edges of the picture itself: a watershed over its gradient, no model needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.filters import sobel, threshold_otsu
from skimage.segmentation import watershed

from sensing.features import Floats
from sensing.mask import Mask
from sensing.picture import Tile

# A pixel of a picture: row and column.
Place = tuple[int, int]
_CALM_PX = 1.0
_CROSS = ndimage.generate_binary_structure(2, 1)
_INSIDE, _OUTSIDE = 1, 2
# A click stands for the pixels next to it.
_CLICK_PX = 1
# Colours are compared within these shares of all values in the window.
_LOW, _HIGH = 2, 98
# What lies this near to a click tells how much colours vary inside; so many times that is another colour.
_NEAR_PX, _UNLIKE, _SAME = 3, 6.0, 1e-3
# So many pixels around an area are what it is told apart from, beyond those that blur has mixed.
_RING_PX, _BLUR_PX = 6, 2
# By how many of their own scatters an area and what lies around it differ at least.
_LEAST_CONTRAST = 1.5
# Thin arms are cut off areas that are not thin themselves.
_THIN_PX = 60


def grow_by_edges(tile: Tile, inside: Sequence[Place], outside: Sequence[Place], *, allowed: Mask) -> Mask | None:
    """The area around the places `inside`, up to the edges that part it from its surroundings; None where none do.

    It leaves out the places `outside` and everything that is not `allowed`; pixels along the rim of the window count
    as outside unless they look like the inside.
    """
    planes = _calm(tile)
    apart = _apart(planes, inside)
    markers = np.zeros(tile.valid.shape, np.int32)
    markers[_rim(tile.valid.shape) & tile.valid & _unlike(apart, tile.valid, inside)] = _OUTSIDE
    markers[~allowed & tile.valid] = _OUTSIDE
    # Whoever clicks knows better than the colours do.
    for number, places in ((_OUTSIDE, outside), (_INSIDE, inside)):
        for row, column in places:
            markers[_around(row, column)] = number
    for row, column in outside:
        markers[row, column] = _OUTSIDE
    if not (markers == _OUTSIDE).any():
        return None
    edges = np.sqrt(sum(sobel(plane) ** 2 for plane in planes))  # type: ignore[no-untyped-call]
    flooded = watershed(edges, markers, mask=tile.valid, connectivity=_CROSS)  # type: ignore[no-untyped-call]
    grown = _tidy(flooded == _INSIDE, (inside, outside), allowed & tile.valid)
    return grown if _differs(planes, grown, tile.valid) else None


def _rim(shape: tuple[int, ...]) -> Mask:
    rim = np.ones(shape, np.bool_)
    rim[1:-1, 1:-1] = False
    return rim


def _around(row: int, column: int) -> tuple[slice, slice]:
    rows = slice(max(row - _CLICK_PX, 0), row + _CLICK_PX + 1)
    return rows, slice(max(column - _CLICK_PX, 0), column + _CLICK_PX + 1)


def _calm(tile: Tile) -> Floats:
    """Every band without grain, in units of how much it varies in the window; void pixels take no part."""
    weight = ndimage.gaussian_filter(tile.valid.astype(np.float64), _CALM_PX)
    planes = []
    for band in tile.bands.values():
        calm = ndimage.gaussian_filter(np.where(tile.valid, band, 0).astype(np.float64), _CALM_PX)
        calm /= np.maximum(weight, 1e-9)
        low, high = np.percentile(calm[tile.valid], (_LOW, _HIGH))
        # What is void looks like its surroundings do on average, so that no edge is drawn along it.
        planes.append(np.where(tile.valid, calm, calm[tile.valid].mean()) / max(float(high - low), 1.0))
    stacked: Floats = np.stack(planes)
    return stacked


def _apart(planes: Floats, places: Sequence[Place]) -> Floats:
    """How far each pixel's colour lies from that of the clicked place that is nearest to it in colour."""
    colours = [planes[:, row, column] for row, column in places]
    apart: Floats = np.min([np.linalg.norm(planes - colour[:, None, None], axis=0) for colour in colours], axis=0)
    return apart


def _unlike(apart: Floats, valid: Mask, places: Sequence[Place]) -> Mask:
    """Pixels whose colour is not that of the clicked places, judged by how much it varies right around these."""
    near = np.zeros_like(valid)
    for row, column in places:
        near[max(row - _NEAR_PX, 0) : row + _NEAR_PX + 1, max(column - _NEAR_PX, 0) : column + _NEAR_PX + 1] = True
    values = apart[valid]
    usual = float(np.median(apart[near & valid]))
    # Where colours vary as much around the click as anywhere, the two heaps that all colours fall into decide.
    level = _UNLIKE * usual
    if np.ptp(values) > 0:
        level = min(level, float(threshold_otsu(values)))  # type: ignore[no-untyped-call]
    unlike: Mask = apart > max(level, _SAME)
    return unlike


def _tidy(mask: Mask, clicks: tuple[Sequence[Place], Sequence[Place]], allowed: Mask) -> Mask:
    """A mask without holes (unless somebody clicked into one) and thin arms; the parts that were clicked into."""
    inside, outside = clicks
    holes, count = ndimage.label(~mask, _CROSS)
    rims = set(np.unique(np.concatenate([holes[0], holes[-1], holes[:, 0], holes[:, -1]])))
    kept = rims | {int(holes[place]) for place in outside}
    filled = mask | np.isin(holes, [number for number in range(1, count + 1) if number not in kept])
    filled &= allowed
    if filled.sum() > _THIN_PX:
        opened = ndimage.binary_opening(filled, _CROSS)
        filled = opened if all(opened[place] for place in inside) else filled
    return clicked(filled, inside)


def clicked(mask: Mask, inside: Sequence[Place]) -> Mask:
    """Those parts of a mask that some of the places lie in."""
    parts, _ = ndimage.label(mask, _CROSS)
    kept: Mask = np.isin(parts, [number for number in {int(parts[place]) for place in inside} if number])
    return kept


def _differs(planes: Floats, mask: Mask, valid: Mask) -> bool:
    """Whether an area has another colour than what lies around it, measured along the line between both."""
    spread = ndimage.binary_dilation(mask, _CROSS, iterations=_BLUR_PX)
    around = ndimage.binary_dilation(spread, _CROSS, iterations=_RING_PX) & ~spread & valid
    core = ndimage.binary_erosion(mask, _CROSS, iterations=_BLUR_PX)
    core = core if core.any() else mask
    if not around.any() or not mask.any():
        return False
    within, beyond = planes[:, core], planes[:, around]
    way = np.median(within, axis=1) - np.median(beyond, axis=1)
    length = float(np.linalg.norm(way))
    scatter = max(_scatter(way @ within), _scatter(way @ beyond)) / max(length, 1e-12)
    return length > _LEAST_CONTRAST * max(scatter, 1e-12)


def _scatter(values: NDArray[Any]) -> float:
    """The half-width of the middle two thirds, which a few strangers do not move."""
    low, high = np.percentile(values, (16, 84))
    return float(high - low) / 2


def parts_of(mask: Mask, places: Sequence[Place]) -> int:
    """In how many separate parts of a mask the places lie."""
    parts, _ = ndimage.label(mask, _CROSS)
    return len({int(parts[place]) for place in places} - {0})
