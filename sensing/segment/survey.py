"""What a scene is like as a whole: the yardstick against which single pixels are judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sensing.bands import Role
from sensing.change import Toning, tone
from sensing.features import Floats, brightness, greenness
from sensing.picture import Picture, Tile

_BINS = 128
_FEWEST_PIXELS = 200


@dataclass(frozen=True)
class Survey:
    """Facts of one scene, or of a pair, from a fixed sample of its pixels.

    `green_cut` parts plants from bare ground by NDVI; `bright` are percentiles of brightness over land;
    `toning` and `spread` exist for pairs: how the earlier scene is toned, and how much NDVI, brightness and
    near infrared differ between the dates where nothing has happened (robust standard deviations).
    """

    count: int
    green_cut: float
    bright: Mapping[int, float]
    toning: Toning | None = None
    spread: Mapping[str, float] | None = None


def survey(after: Picture, before: Picture | None, bounds: Mapping[str, tuple[float, float]]) -> Survey:
    """The facts of a scene; `before` is already on the grid of `after`."""
    sample, earlier = after.sample(before)
    light = brightness(sample)
    percentiles = {p: float(np.percentile(light, p)) if light.size else 0.0 for p in (2, 10, 25, 50, 75, 90, 98)}
    has_nir = Role.NIR in sample.bands
    cut = threshold(greenness(sample), bounds["green_cut"]) if has_nir else 0.0
    if earlier is None or light.size < _FEWEST_PIXELS:
        return Survey(int(light.size), cut, percentiles)
    toning = tone(_floats(earlier), _floats(sample))
    toned = toning.apply(earlier)
    spread = {"light": _spread(light - brightness(toned))}
    if has_nir:
        spread |= {
            "green": _spread(greenness(sample) - greenness(toned)),
            "nir": _spread(sample[Role.NIR] - toned[Role.NIR]),
        }
    return Survey(int(light.size), cut, percentiles, toning, spread)


def _floats(tile: Tile) -> dict[Role, Floats]:
    return {role: plane.astype(np.float64) for role, plane in tile.bands.items()}


def _spread(values: NDArray[np.generic]) -> float:
    """The robust standard deviation of values about their median."""
    numbers = values.astype(np.float64)
    return float(1.4826 * np.median(np.abs(numbers - np.median(numbers))))


def threshold(values: Floats, bounds: tuple[float, float]) -> float:
    """Otsu's cut between two populations, held within bounds that physics allows."""
    if values.size < _FEWEST_PIXELS:
        return sum(bounds) / 2
    counts, edges = np.histogram(values, bins=_BINS)
    centres = (edges[:-1] + edges[1:]) / 2
    below, total = np.cumsum(counts), counts.sum()
    mass = np.cumsum(counts * centres)
    above = total - below
    usable = (below > 0) & (above > 0)
    low = mass[usable] / below[usable]
    high = (mass[-1] - mass[usable]) / above[usable]
    between = below[usable] * above[usable] * (high - low) ** 2
    if not between.size:
        return sum(bounds) / 2
    return float(np.clip(centres[usable][int(np.argmax(between))], *bounds))
