"""Touches the disk: what hides ground in a picture, drawn over it: private, clouded, or not looked at, and why."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rasterio.enums import Resampling

from sensing.coverage import Cover
from sensing.derivative import open_derivative
from sensing.preview import tile_grid, warped

_TILE_PX = 256
# Patterns repeat in steps that divide a tile, so that they go on across its edges.
_STEP_PX = 8
_OPAQUE = 235
_PURPLE, _WHITE, _GREY, _ORANGE = (176, 87, 140), (255, 255, 255), (120, 126, 132), (213, 94, 0)


def tile(copy: Path, coverage: Path, place: tuple[int, int, int]) -> bytes:
    """One 256-pixel map tile (XYZ) as PNG, transparent where the picture shows ground that was looked at.

    Private ground is hatched on a light field, cloud dotted, shadow and haze dotted sparsely, a failed band crossed. A
    pixel is private where the coverage says so, and where the copy, masked later than it, holds nothing any more.
    """
    grid, size = tile_grid(place), (_TILE_PX, _TILE_PX)
    with open_derivative(copy) as source, warped(source, grid, size, Resampling.nearest) as drawn:
        shown = drawn.read(drawn.count) > 0
    with open_derivative(coverage) as source, warped(source, grid, size, Resampling.nearest) as drawn:
        codes, inside = drawn.read([1, drawn.count])
    seen = (inside > 0) & np.isin(codes, (Cover.ANALYSED, Cover.CLOUD, Cover.SHADOW, Cover.HAZE, Cover.OUTSIDE))
    private = ((inside > 0) & (codes == Cover.PRIVACY)) | (seen & ~shown)
    out = io.BytesIO()
    Image.fromarray(_painted(codes, private, (inside > 0) & shown), "RGBA").save(out, "PNG", compress_level=1)
    return out.getvalue()


def _painted(codes: NDArray[np.uint8], private: NDArray[np.bool_], known: NDArray[np.bool_]) -> NDArray[np.uint8]:
    row, column = np.indices(codes.shape)
    rising, falling = (row + column) % _STEP_PX < 2, (row - column) % _STEP_PX < 2
    dots = ((row % _STEP_PX < 2) & (column % _STEP_PX < 2)) | (
        ((row + _STEP_PX // 2) % _STEP_PX < 2) & ((column + _STEP_PX // 2) % _STEP_PX < 2)
    )
    sparse = (row % _STEP_PX < 2) & (column % _STEP_PX < 2)
    pixels = np.zeros((*codes.shape, 4), np.uint8)
    for where, pattern, ink in (
        (known & (codes == Cover.CLOUD), dots, _WHITE),
        (known & np.isin(codes, (Cover.SHADOW, Cover.HAZE)), sparse, _WHITE),
        (known & (codes == Cover.OUTSIDE), rising & ~falling, _GREY),
        (codes == Cover.FAILED, rising | falling, _ORANGE),
        (private, np.ones_like(rising), _WHITE),
        (private, rising, _PURPLE),
    ):
        pixels[where & pattern] = (*ink, _OPAQUE)
    return pixels
