"""Numbers per pixel that mean something on the ground: indices, brightness, colour, texture; exact for any window.

Sums over neighbourhoods are sums of whole numbers, so they do not depend on where a window begins.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sensing.bands import Role
from sensing.mask import Mask
from sensing.picture import Ints, Tile

Floats = NDArray[np.float64]
Wide = NDArray[np.int64]

VISIBLE = (Role.RED, Role.GREEN, Role.BLUE)


def contrast(one: Ints, other: Ints) -> Floats:
    """The normalised difference (one - other) / (one + other) in [-1, 1]; 0 where both are dark."""
    total = one.astype(np.float64) + other
    # Below a hundredth of full scale in sum, the sensor's own noise would decide.
    share: Floats = np.where(total > 100, (one - other) / np.maximum(total, 100), 0.0)
    return np.clip(share, -1.0, 1.0)


def greenness(tile: Tile) -> Floats:
    """NDVI: living plants are above some 0.3, soil near 0.1, water below 0."""
    return contrast(tile[Role.NIR], tile[Role.RED])


def wetness(tile: Tile) -> Floats:
    """NDWI of green and near infrared: open water is above 0."""
    return contrast(tile[Role.GREEN], tile[Role.NIR])


def brightness(tile: Tile) -> Ints:
    """The mean of red, green and blue, in ten-thousandths."""
    total: Ints = (tile[Role.RED] + tile[Role.GREEN] + tile[Role.BLUE]) // 3
    return total


def excess_green(tile: Tile) -> Floats:
    """(2G - R - B) / (R + G + B): plants in plain colour pictures; greys are 0."""
    red, green, blue = (tile[role].astype(np.float64) for role in VISIBLE)
    excess: Floats = (2 * green - red - blue) / np.maximum(red + green + blue, 1.0)
    return excess


def warmth(tile: Tile) -> Floats:
    """(R - B) / (R + B): soils and rust are above 0, greys 0, water and blue roofs below."""
    return contrast(tile[Role.RED], tile[Role.BLUE])


def saturation(tile: Tile) -> Floats:
    """(max - min) / max of red, green and blue, in [0, 1]."""
    stack = np.stack([tile[role] for role in VISIBLE]).astype(np.float64)
    high = np.maximum(stack.max(axis=0), 1.0)
    share: Floats = (high - np.minimum(stack.min(axis=0), high)) / high
    return share


def box_sum(plane: NDArray[np.integer], radius: int) -> Wide:
    """The sum over a square of 2 * radius + 1 pixels around each pixel; beyond the rim there are zeros."""
    padded = np.pad(plane.astype(np.int64), radius + 1)
    total = padded.cumsum(axis=0).cumsum(axis=1)
    side = 2 * radius + 1
    high, wide = plane.shape
    square: Wide = (
        total[side : side + high, side : side + wide]
        - total[:high, side : side + wide]
        - total[side : side + high, :wide]
        + total[:high, :wide]
    )
    return square


def local_mean(plane: Ints, valid: Mask, radius: int) -> Floats:
    """The mean over the valid pixels of a square; 0 where there are none."""
    counted = box_sum(valid.astype(np.int64), radius)
    return box_sum(np.where(valid, plane, 0), radius) / np.maximum(counted, 1)


def local_deviation(plane: Ints, valid: Mask, radius: int) -> Floats:
    """The standard deviation over the valid pixels of a square; 0 where there are none."""
    counted = np.maximum(box_sum(valid.astype(np.int64), radius), 1)
    held = np.where(valid, plane, 0).astype(np.int64)
    mean = box_sum(held, radius) / counted
    square = box_sum(held * held, radius) / counted
    return np.sqrt(np.maximum(square - mean * mean, 0.0))


def majority(mask: Mask, radius: int) -> Mask:
    """Whether more than half of a square around each pixel is set."""
    area = (2 * radius + 1) ** 2
    return box_sum(mask.astype(np.int64), radius) * 2 > area
