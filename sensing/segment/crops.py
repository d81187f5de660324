"""Touches the disk: the crops of a scene that SAM is shown. They lie on a lattice, so that neighbours share them."""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from sensing.bands import Role
from sensing.mask import Mask
from sensing.picture import UNIT, Picture

Rgb = NDArray[np.uint8]

_RGB = (Role.RED, Role.GREEN, Role.BLUE)
# SAM looks at 1024 pixels a side. Small things are shown twice as large as they are, large ones at a fraction.
CROP_PX = 1024
SIDES_PX = (512, 1024, 2048, 4096)
# Around a thing, this share of its length is seen on every side, and never less than so many pixels.
_AROUND, _AROUND_PX = 0.125, 8
# Crops lie half a side apart: whatever fits into half of one lies in one of them with all that is around it.
_STEP = 2
# The tones of a scene are taken from so many pixels a side, spread over all of it.
_SAMPLE_PX = 1024
_DARK, _BRIGHT = 2, 98


class Box(NamedTuple):
    """A rectangle in pixels of the analysis grid; `right` and `bottom` are the first ones beyond it."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def length(self) -> int:
        """The longer side."""
        return max(self.right - self.left, self.bottom - self.top)


class Crop(NamedTuple):
    """A window of the analysis grid, all of it inside the scene."""

    left: int
    top: int
    width: int
    height: int

    @property
    def window(self) -> Window:
        """For rasterio."""
        return Window(self.left, self.top, self.width, self.height)

    def holds(self, box: Box) -> bool:
        """Whether a rectangle lies within."""
        across = self.left <= box.left and box.right <= self.left + self.width
        return across and self.top <= box.top and box.bottom <= self.top + self.height


class Stretch(NamedTuple):
    """The values (ten-thousandths of reflectance) that are shown black and white: one pair for the whole scene."""

    dark: float
    bright: float


def stretch_of(picture: Picture) -> Stretch:
    """The tones of a scene, from pixels all over it."""
    shape = (min(picture.grid.height, _SAMPLE_PX), min(picture.grid.width, _SAMPLE_PX))
    bands = [picture.roles.index(role) + 1 for role in _RGB]
    planes = picture.dataset.read(bands, out_shape=(len(bands), *shape))
    shown = picture.dataset.dataset_mask(out_shape=shape) > 0
    if not shown.any():
        return Stretch(0.0, float(UNIT))
    values = planes[:, shown].astype(np.float64) * (UNIT / picture.full_scale)
    dark, bright = (round(float(value), 3) for value in np.percentile(values, (_DARK, _BRIGHT)))
    return Stretch(dark, max(bright, dark + 1))


@dataclass(frozen=True)
class Shown:
    """What SAM is shown of a crop, HWC, and which of its pixels are real."""

    pixels: Rgb
    valid: Mask


def show(picture: Picture, crop: Crop, stretch: Stretch) -> Shown:
    """A crop in red, green and blue; what is void or hidden has the mean colour, so that no edge is drawn around it."""
    tile = picture.tile(crop.window)
    planes = np.stack([tile[role] for role in _RGB], axis=-1).astype(np.float64)
    pixels = np.clip((planes - stretch.dark) / (stretch.bright - stretch.dark) * 255, 0, 255)
    if tile.valid.any():
        pixels[~tile.valid] = pixels[tile.valid].mean(axis=0)
    return Shown(pixels.astype(np.uint8), tile.valid)


def assign(boxes: Sequence[Box], size: tuple[int, int]) -> Iterator[tuple[Crop, list[int]]]:
    """Crops from the top left on, each with the numbers of the boxes that are looked at in it; as few as seem enough.

    `size` is that of the scene (height, width). Boxes that are too large for any crop are in none. The same boxes
    always get the same crops, in whatever order they come.
    """
    held: dict[Crop, set[int]] = defaultdict(set)
    for number, box in enumerate(boxes):
        for crop in _fitting(box, size):
            held[crop].add(number)
    chosen = _cover(held)
    for crop in sorted(chosen, key=lambda one: (one.top, one.left, one.width)):
        yield crop, sorted(chosen[crop])


def _cover(held: Mapping[Crop, set[int]]) -> dict[Crop, set[int]]:
    """The crop that holds most, then the one that holds most of the rest, until nothing is left."""
    waiting = [(-len(numbers), crop) for crop, numbers in held.items()]
    heapq.heapify(waiting)
    done: set[int] = set()
    chosen: dict[Crop, set[int]] = {}
    while waiting:
        promised, crop = heapq.heappop(waiting)
        left = held[crop] - done
        if len(left) < -promised:
            # Others took some of it since; it waits for its turn with what is left.
            if left:
                heapq.heappush(waiting, (-len(left), crop))
            continue
        chosen[crop] = left
        done |= left
    return chosen


def _fitting(box: Box, size: tuple[int, int], sides: Sequence[int] = SIDES_PX) -> Iterator[Crop]:
    """The crops of the lattice that hold a rectangle with what is around it, of the smallest side that suits."""
    height, width = size
    rim = max(_AROUND_PX, math.ceil(_AROUND * box.length))
    seen = Box(
        max(box.left - rim, 0),
        max(box.top - rim, 0),
        min(box.right + rim, width),
        min(box.bottom + rim, height),
    )
    side = next((side for side in sides if seen.length * _STEP <= side), None)
    if side is None:
        return
    for top in _starts(seen.top, seen.bottom, side, height):
        for left in _starts(seen.left, seen.right, side, width):
            yield Crop(left, top, min(side, width), min(side, height))


def _starts(first: int, end: int, side: int, limit: int) -> list[int]:
    """Where crops begin along an axis that hold all of `first` to `end`; the last one ends where the scene does."""
    last = max(limit - side, 0)
    step = side // _STEP
    nearby = range(max(first - side, 0) // step, first // step + 1)
    starts = sorted({min(number * step, last) for number in (*nearby, first // step + 1)})
    return [start for start in starts if start <= first and end <= start + side]


def holding(box: Box, size: tuple[int, int], sides: Sequence[int] = SIDES_PX) -> list[Crop]:
    """All crops of some sides that hold a rectangle with what is around it, those in whose middle it lies first."""

    def away(crop: Crop) -> tuple[int, int, Crop]:
        across = abs(2 * crop.left + crop.width - box.left - box.right)
        return crop.width, max(across, abs(2 * crop.top + crop.height - box.top - box.bottom)), crop

    return sorted({crop for side in sides for crop in _fitting(box, size, [side])}, key=away)


def around(box: Box, size: tuple[int, int], side: int = CROP_PX) -> Crop:
    """A crop with a rectangle that is no larger in its middle, moved inwards at the rim of the scene."""
    height, width = (min(side, length) for length in size)
    top = min(max((box.top + box.bottom - height) // 2, 0), size[0] - height)
    left = min(max((box.left + box.right - width) // 2, 0), size[1] - width)
    return Crop(left, top, width, height)
