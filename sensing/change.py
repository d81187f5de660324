"""Touches the disk: the earlier scene on the later one's grid, shifted and toned so that only real change differs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS as RasterCRS
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from sensing.bands import Role
from sensing.grid import BLOCK, Grid, windows
from sensing.kernels import toned
from sensing.picture import Picture, Tile

Floats = NDArray[np.float64]

_TOLERANCE_PX = 0.01
_ROUNDS = 12
_FEWEST_PIXELS = 200
# A correlation from which on a line through the means is that of the tones.
_ALIKE = 0.9
_VISIBLE = (Role.RED, Role.GREEN, Role.BLUE)


@dataclass(frozen=True)
class Toning:
    """What turns one scene's numbers into another's: per band gain and offset."""

    gain: Mapping[Role, float]
    offset: Mapping[Role, float]

    def dump(self) -> dict[str, Any]:
        """As plain JSON; floats keep every digit."""
        return {"gain": {role.value: x for role, x in self.gain.items()}, "offset": dict(self.offset)}

    @classmethod
    def load(cls, plain: Mapping[str, Any]) -> Self:
        """From what `dump` gave."""
        return cls(*({Role(name): x for name, x in plain[part].items()} for part in ("gain", "offset")))

    def apply(self, tile: Tile) -> Tile:
        """The tile in the other scene's tone; bands that only one scene has are left out."""
        bands = {
            role: toned(plane.reshape(-1), self.gain[role], self.offset[role]).reshape(plane.shape)
            for role, plane in tile.bands.items()
            if role in self.gain
        }
        return Tile(tile.window, bands, tile.valid)


@dataclass(frozen=True)
class Tones:
    """How two dates come into one tone: that of the clearer one, because haze hides what colours mean.

    For a single date, `after` takes off the tint of its camera.
    """

    after: Toning | None = None
    before: Toning | None = None

    def dump(self) -> dict[str, Any]:
        """As plain JSON."""
        return {name: one.dump() if one else None for name, one in (("after", self.after), ("before", self.before))}

    @classmethod
    def load(cls, plain: Mapping[str, Any]) -> Self:
        """From what `dump` gave."""
        return cls(*(Toning.load(plain[name]) if plain[name] else None for name in ("after", "before")))

    def line(self, role: Role) -> tuple[float, float]:
        """Gain and offset that bring a band of the later or only date into the common tone."""
        return (self.after.gain[role], self.after.offset[role]) if self.after else (1.0, 0.0)

    def later(self, tile: Tile) -> Tile:
        """A tile of the later or only date in the common tone."""
        return self.after.apply(tile) if self.after else tile

    def earlier(self, tile: Tile) -> Tile:
        """A tile of the earlier date in the common tone."""
        return self.before.apply(tile) if self.before else tile


def align(before: Picture, grid: Grid, shift_px: tuple[float, float], target: Path) -> None:
    """Write the earlier scene on the later one's grid, moved by (columns, rows) of that grid.

    Written once in fixed windows, because a resampler's last digit may depend on the window it is asked for.
    """
    columns, rows = shift_px
    place = grid.transform @ Affine.translation(-columns, -rows)
    source = before.dataset
    options = {
        "crs": RasterCRS.from_wkt(grid.crs_wkt),
        "transform": place,
        "width": grid.width,
        "height": grid.height,
        "resampling": Resampling.bilinear if before.gsd_m > 0.5 * _pixel(grid) else Resampling.average,
        "add_alpha": True,
        "tolerance": _TOLERANCE_PX,
    }
    profile = {"driver": "GTiff", "width": grid.width, "height": grid.height, "count": source.count}
    profile |= {"dtype": source.dtypes[0], "crs": options["crs"], "transform": grid.transform}
    profile |= {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "compress": "deflate", "zlevel": 1}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        WarpedVRT(source, **options) as warped,
        rasterio.open(target, "w", **profile) as written,
    ):
        for window, _ in windows(grid, 0, tile=BLOCK):
            planes = warped.read(window=window)
            shown = planes[-1] > 0
            written.write(np.where(shown, planes[:-1], 0).astype(source.dtypes[0]), window=window)
            written.write_mask(shown, window=window)


def _pixel(grid: Grid) -> float:
    return math.sqrt(abs(grid.transform.determinant))


def common_tone(before: dict[Role, Floats], after: dict[Role, Floats]) -> Tones:
    """The tone that brings two dates together, fitted on the same pixels in the same order.

    Of two dates, the one in which dark ground is darker is the clearer one.
    """
    onto_after = tone(before, after)
    added = sum(onto_after.offset[role] for role in _VISIBLE if role in onto_after.offset)
    return Tones(after=tone(after, before), before=None) if added > 0 else Tones(after=None, before=onto_after)


def tone(source: dict[Role, Floats], target: dict[Role, Floats]) -> Toning:
    """Fit one date's bands to the other's on what did not change.

    Iteratively reweighted least squares: a pixel counts the less the worse any of its bands fits. With too few
    pixels, nothing is changed.
    """
    roles = [role for role in target if role in source]
    count = len(next(iter(target.values()))) if target else 0
    if count < _FEWEST_PIXELS:
        return Toning(dict.fromkeys(roles, 1.0), dict.fromkeys(roles, 0.0))
    weight = np.ones(count)
    fitted = dict.fromkeys(roles, (1.0, 0.0))
    for _ in range(_ROUNDS):
        badness = np.zeros(count)
        for role in roles:
            fitted[role] = _line(source[role], target[role], weight)
            residual = np.abs(target[role] - fitted[role][0] * source[role] - fitted[role][1])
            badness = np.maximum(badness, residual / max(1.4826 * float(np.median(residual)), 1.0))
        weight = 1.0 / (1.0 + (badness / 2.0) ** 4)
    gain = {role: line[0] for role, line in fitted.items()}
    return Toning(gain, {role: line[1] for role, line in fitted.items()})


def _line(x: Floats, y: Floats, weight: Floats) -> tuple[float, float]:
    total = weight.sum()
    mean_x, mean_y = (weight * x).sum() / total, (weight * y).sum() / total
    spread, other = (weight * (x - mean_x) ** 2).sum(), (weight * (y - mean_y) ** 2).sum()
    slope = (weight * (x - mean_x) * (y - mean_y)).sum() / spread if spread > 0 else 1.0
    if spread > 0 and slope**2 * spread < _ALIKE**2 * other:
        # Where ground is all alike, as in a wood, its own grain flattens the line; the ratio of spreads does not fall.
        slope = math.sqrt(other / spread)
    # A slope outside this range means that the scenes have nothing in common; then tones are left as they are.
    slope = float(np.clip(slope, 0.3, 3.0))
    return slope, float(mean_y - slope * mean_x)
