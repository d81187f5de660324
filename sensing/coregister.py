"""How far the earlier of two scenes lies from the later one, and how far from it the parts of a scene disagree.

Edges say it, by their strength and direction: tone and season change what they enclose, seldom where they run. A shift
is measured in windows all over the scene; what remains between the windows is the residual, and pairs whose residual
would pass for change are not compared at all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window
from scipy import fft, ndimage
from skimage.registration import phase_cross_correlation

from sensing.bands import Role
from sensing.grid import Grid
from sensing.mask import Mask
from sensing.picture import Ints, Tile
from sensing.words import Sentence, say

Spectrum = NDArray[np.complex128]

# Windows are a third of a small scene and no larger than is quick; four by four of them are enough to tell a turn
# or a stretch from a shift.
_LEAST_WINDOW_PX, _MOST_WINDOW_PX, _WINDOWS = 64, 512, 4
# Sizes of small factors are transformed quickly.
_QUICK_PX = 32
_LEAST_VALID = 0.5
# The share of a window by which a scene may be off.
_REACH = 0.25
# A window that disagrees by more than this shows something else: a field ploughed differently, water, cloud.
_AGREES_PX = 1.5
_FEWEST_AGREEING, _LEAST_AGREEING = 3, 0.4
# The share of agreeing windows whose shift lies within the residual.
_RESIDUAL_SHARE = 68.0
_STEPS_PER_PX = 100
# Edges weaker than this share of all are not stretched to full strength: they are noise.
_WEAK = 70.0
# What moves by more than a pixel looks changed along every edge; a building of the least size is two pixels wide.
MOST_RESIDUAL_PX = 1.0
LEAST_SHIFT_PX = 0.1
_ROLES, _MOST_ROLES = (Role.NIR, Role.RED, Role.GREEN, Role.BLUE), 2


class Windowed(Protocol):
    """What can be read window by window: an open picture."""

    @property
    def grid(self) -> Grid:
        """Its grid."""
        ...

    def tile(self, window: Window, halo: int = 0) -> Tile:
        """One window."""
        ...


@dataclass(frozen=True)
class Fit:
    """How far (columns, rows) an earlier scene must move to lie on the later one, and how well it then lies there.

    `residual_px` is the radius within which two thirds of the windows agree; None where too few agree to tell.
    """

    shift_px: tuple[float, float] = (0.0, 0.0)
    residual_px: float | None = None
    windows: int = 0
    agreeing: int = 0

    @property
    def holds(self) -> bool:
        """Whether the pair can be compared pixel by pixel."""
        return self.residual_px is not None and self.residual_px <= MOST_RESIDUAL_PX

    def dump(self) -> dict[str, Any]:
        """As plain JSON."""
        columns, rows = self.shift_px
        counted = {"windows": self.windows, "agreeing": self.agreeing}
        return {"shift_columns_px": columns, "shift_rows_px": rows, "residual_px": self.residual_px, **counted}

    @classmethod
    def load(cls, plain: Mapping[str, Any]) -> Self:
        """From what `dump` gave."""
        shift_px = (plain["shift_columns_px"], plain["shift_rows_px"])
        return cls(shift_px, plain["residual_px"], plain["windows"], plain["agreeing"])

    def in_words(self, gsd_m: float) -> Sentence:
        """What was found, with pixels of so many metres."""
        if self.residual_px is None:
            return say("fit.unclear", windows=self.windows, agreeing=self.agreeing)
        columns, rows = self.shift_px
        told = {"columns": columns, "rows": rows, "residual_px": self.residual_px, "agreeing": self.agreeing}
        key = "fit.holds" if self.holds else "fit.apart"
        return say(key, **told, windows=self.windows, residual_m=self.residual_px * gsd_m, most_px=MOST_RESIDUAL_PX)


def coregister(before: Windowed, after: Windowed) -> Fit:
    """Measure how the earlier scene, which is on the grid of the later one, lies on it.

    A first shift is what the edges of all windows together say; around it, every window is asked alone, and those that
    agree say it together once more.
    """
    size = _window_px(after.grid)
    windows = _windows(after.grid, size)
    products = [found for window in windows if (found := _product(before, after, window)) is not None]
    if not products:
        return Fit()
    coarse = _peak(sum(products, start=np.zeros((size, size), np.complex128)))
    if max(map(abs, coarse)) > _REACH * size:
        return Fit(windows=len(products))
    shifts = np.array([_peak(product) for product in products])
    agreeing = _agreeing(shifts, np.array(coarse))
    count = int(agreeing.sum())
    if count < max(_FEWEST_AGREEING, _LEAST_AGREEING * len(products)):
        return Fit(windows=len(products), agreeing=count)
    middle = np.array(_peak(sum((products[i] for i in np.flatnonzero(agreeing)), start=np.zeros_like(products[0]))))
    residual = float(np.percentile(np.hypot(*(shifts[agreeing] - middle).T), _RESIDUAL_SHARE))
    rows, columns = (round(float(one), 3) for one in middle)
    return Fit((columns, rows), round(residual, 3), len(products), count)


def _agreeing(shifts: NDArray[np.float64], middle: NDArray[np.float64]) -> Mask:
    """Which windows lie near the middle of those that are near to each other."""
    near: Mask = np.hypot(*(shifts - middle).T) <= _AGREES_PX
    if near.sum() >= _FEWEST_AGREEING:
        near = np.hypot(*(shifts - np.median(shifts[near], axis=0)).T) <= _AGREES_PX
    return near


def _window_px(grid: Grid) -> int:
    third = min(grid.width, grid.height) // 3
    return int(np.clip(third - third % _QUICK_PX, _LEAST_WINDOW_PX, _MOST_WINDOW_PX))


def _windows(grid: Grid, size: int) -> Iterator[Window]:
    """Windows of one size, evenly over the scene, overlapping where it is small."""
    for top in _starts(grid.height, size):
        for left in _starts(grid.width, size):
            yield Window(left, top, size, size)


def _starts(length: int, size: int) -> list[int]:
    if length < size:
        return []
    count = min(_WINDOWS, 1 + (length - size) // (size // 2))
    return [round(number * (length - size) / max(count - 1, 1)) for number in range(count)]


def _product(before: Windowed, after: Windowed, window: Window) -> Spectrum | None:
    """The cross spectrum of both dates in a window; None where too little is shown or has no edges.

    Every band is laid on itself and the spectra are added. Edges of bands must not be added: where plants end, near
    infrared falls and red rises, and what says most of all where the ground lies would cancel itself out.
    """
    one, other = before.tile(window), after.tile(window)
    both = one.valid & other.valid
    if both.mean() < _LEAST_VALID:
        return None
    roles = [role for role in _ROLES if role in one.bands and role in other.bands][:_MOST_ROLES]
    total = np.zeros(both.shape, np.complex128)
    for role in roles:
        total += np.conj(fft.fft2(_edges(one[role], both))) * fft.fft2(_edges(other[role], both))
    return total if np.any(total) else None


def _edges(plane: Ints, valid: Mask) -> Spectrum:
    """Strength and direction of the edges in a band, as complex numbers; faded out towards the rim."""
    inner = ndimage.binary_erosion(valid, np.ones((3, 3)), border_value=1)
    level = np.median(plane[valid])
    shown = np.where(valid, plane, level).astype(np.float64)
    edge = ndimage.sobel(shown, 1) + 1j * ndimage.sobel(shown, 0)
    strength = np.abs(edge)
    weak = float(np.percentile(strength[inner], _WEAK)) if inner.any() else 0.0
    height, width = valid.shape
    faded: Spectrum = np.where(inner, edge / np.maximum(strength, max(weak, 1.0)), 0.0)
    return faded * np.outer(np.hanning(height), np.hanning(width))


def _peak(product: Spectrum) -> tuple[float, float]:
    """The shift (rows, columns) at which a cross spectrum is highest, to the hundredth of a pixel."""
    shift, _, _ = phase_cross_correlation(  # type: ignore[no-untyped-call]
        product, np.ones_like(product), space="fourier", upsample_factor=_STEPS_PER_PX, normalization=None
    )
    return float(shift[0]), float(shift[1])


def still(fit: Fit) -> bool:
    """Whether a shift is too small to be worth the blur of moving a picture."""
    return math.hypot(*fit.shift_px) < LEAST_SHIFT_PX
