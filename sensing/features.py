"""Numbers per pixel that mean something on the ground: indices, brightness, colour, texture; exact for any window.

Sums over neighbourhoods are sums of whole numbers, so they do not depend on where a window begins.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from sensing import kernels
from sensing.bands import Role
from sensing.kernels import compiled
from sensing.mask import Mask
from sensing.picture import Ints, Tile

Floats = NDArray[np.float64]
Wide = NDArray[np.int64]
N = TypeVar("N", bound=np.generic)

VISIBLE = (Role.RED, Role.GREEN, Role.BLUE)


def contrast(one: Ints, other: Ints) -> Floats:
    """The normalised difference (one - other) / (one + other) in [-1, 1]; 0 where both are dark."""
    return _plane(_contrasts(row(one), row(other)), one)


def greenness(tile: Tile) -> Floats:
    """NDVI: living plants are above some 0.3, soil near 0.1, water below 0."""
    return tile.once("greenness", lambda: contrast(tile[Role.NIR], tile[Role.RED]))


def wetness(tile: Tile) -> Floats:
    """NDWI of green and near infrared: open water is above 0."""
    return tile.once("wetness", lambda: contrast(tile[Role.GREEN], tile[Role.NIR]))


def brightness(tile: Tile) -> Ints:
    """The mean of red, green and blue, in ten-thousandths."""
    return tile.once("brightness", lambda: _plane(_brightnesses(*visible(tile)), tile[Role.RED]))


def excess_green(tile: Tile) -> Floats:
    """(2G - R - B) / (R + G + B): plants in plain colour pictures; greys are 0."""
    return tile.once("excess_green", lambda: _plane(_greens(*visible(tile)), tile[Role.RED]))


def warmth(tile: Tile) -> Floats:
    """(R - B) / (R + B): soils and rust are above 0, greys 0, water and blue roofs below."""
    return tile.once("warmth", lambda: contrast(tile[Role.RED], tile[Role.BLUE]))


def saturation(tile: Tile) -> Floats:
    """(max - min) / max of red, green and blue, in [0, 1]."""
    return tile.once("saturation", lambda: _plane(_saturations(*visible(tile)), tile[Role.RED]))


def box_sum(plane: NDArray[np.integer], radius: int) -> Wide:
    """The sum over a square of 2 * radius + 1 pixels around each pixel; beyond the rim there are zeros."""
    return kernels.box_sum(np.ascontiguousarray(plane, dtype=np.int64), radius)


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


def near(mask: Mask, radius: int) -> Mask:
    """Whether anything in a square around each pixel is set."""
    return kernels.crowded(_bytes(mask), radius, 1)


def inside(mask: Mask, radius: int) -> Mask:
    """The pixels of a mask that are further than `radius` pixels from its rim."""
    return kernels.crowded(_bytes(mask), radius, (2 * radius + 1) ** 2)


def majority(mask: Mask, radius: int) -> Mask:
    """Whether more than half of a square around each pixel is set."""
    return kernels.crowded(_bytes(mask), radius, (2 * radius + 1) ** 2 // 2 + 1)


def smooth(plane: Ints, valid: Mask) -> Ints:
    """The mean over the valid pixels of a square of three, as the nearest whole number; 0 where there are none."""
    return kernels.mean_of_nine(np.ascontiguousarray(plane), _bytes(valid))


def _bytes(mask: Mask) -> NDArray[np.uint8]:
    return np.ascontiguousarray(mask).view(np.uint8)


def visible(tile: Tile) -> tuple[Ints, Ints, Ints]:
    """Red, green and blue, each as one row of pixels."""
    red, green, blue = (row(tile[role]) for role in VISIBLE)
    return red, green, blue


def row(plane: NDArray[N]) -> NDArray[N]:
    """A plane as one row of pixels."""
    return np.ascontiguousarray(plane).reshape(-1)


def _plane(pixels: NDArray[N], like: NDArray[Any]) -> NDArray[N]:
    return pixels.reshape(like.shape)


@compiled
def _contrasts(one: Ints, other: Ints) -> Floats:
    out = np.empty(one.size, np.float64)
    for i in range(one.size):
        out[i] = kernels.contrast(one[i], other[i])
    return out


@compiled
def _brightnesses(red: Ints, green: Ints, blue: Ints) -> Ints:
    out = np.empty(red.size, np.int32)
    for i in range(red.size):
        out[i] = (red[i] + green[i] + blue[i]) // 3
    return out


@compiled
def _greens(red: Ints, green: Ints, blue: Ints) -> Floats:
    out = np.empty(red.size, np.float64)
    for i in range(red.size):
        out[i] = kernels.excess_green(red[i], green[i], blue[i])
    return out


@compiled
def _saturations(red: Ints, green: Ints, blue: Ints) -> Floats:
    out = np.empty(red.size, np.float64)
    for i in range(red.size):
        out[i] = kernels.saturation(red[i], green[i], blue[i])
    return out
