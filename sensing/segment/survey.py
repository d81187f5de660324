"""What a scene is like as a whole: the yardstick against which single pixels are judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sensing.bands import Role
from sensing.change import Tones, common_tone
from sensing.features import Floats, brightness, excess_green, greenness, warmth
from sensing.mad import Alteration, alteration
from sensing.mask import Mask
from sensing.picture import Sample, Tile
from sensing.tint import white_balance

_BINS = 128
_FEWEST_PIXELS = 200
_ROUNDS = 6
# Ordinary soil is no more than this many times as bright as the middle of a scene.
_PALEST_SOIL = 2.5
# Colours up to some three deviations from the middle are usual; the median square of four bands is about 3.4.
_USUAL_RANGE = 3.0
# A sensor's own noise over water, in ten-thousandths: no water varies less.
_LEAST_WATER_SPREAD = 20.0
_NUMBERS = ("count", "green_cut", "light", "soil_light", "green_excess", "clear", "clear_spread")


@dataclass(frozen=True)
class Water:
    """The colour of one body of water, or its change between two dates: what is usual, and how it varies.

    `level` is the median of each band of `roles`; `precision` the inverse of the covariance of what is usual,
    so that haze and glitter, which move all bands together, count little and another hue counts much.
    """

    roles: tuple[Role, ...]
    level: tuple[float, ...]
    precision: tuple[tuple[float, ...], ...]

    def dump(self) -> dict[str, Any]:
        """As plain JSON; floats keep every digit."""
        return {"roles": [role.value for role in self.roles], "level": self.level, "precision": self.precision}

    @classmethod
    def load(cls, plain: Mapping[str, Any]) -> Self:
        """From what `dump` gave."""
        roles = tuple(Role(name) for name in plain["roles"])
        return cls(roles, tuple(plain["level"]), tuple(tuple(row) for row in plain["precision"]))

    def distance(self, planes: Mapping[Role, Floats]) -> Floats:
        """How far colours are from the usual, in deviations of this water (Mahalanobis)."""
        away = [planes[role] - level for role, level in zip(self.roles, self.level, strict=True)]
        # Sums of products one by one: a matrix product may round differently for another window.
        square = sum(
            (
                p * one * other
                for row, one in zip(self.precision, away, strict=True)
                for p, other in zip(row, away, strict=True)
            ),
            start=np.zeros_like(away[0]),
        )
        distance: Floats = np.sqrt(np.maximum(square / len(self.roles), 0.0))
        return distance


@dataclass(frozen=True)
class Survey:
    """Facts of one scene, or of a pair, from a fixed sample of its pixels.

    `green_cut` parts plants from bare ground by NDVI; `light` is the median brightness, `soil_light` that of
    ordinary bare soil, `green_excess` how much more green than red and blue there is. `clear` is the median of twice
    the blue less the red, which haze and smoke add to, and `clear_spread` how it varies. `waters` is the colour of each
    body of water by its number in the layer, 0 for all together. `tones` brings both dates into one tone, or
    takes the tint off a single one. For pairs, `change` says how much brightness and near infrared differ between
    the dates where nothing has happened (robust standard deviations), and `altered` ranks places by how much all bands
    of the stored dates changed together.
    """

    count: int
    green_cut: float
    light: float
    soil_light: float
    green_excess: float
    clear: float
    clear_spread: float
    waters: Mapping[int, Water]
    tones: Tones = field(default_factory=Tones)
    change: Mapping[str, float] | None = None
    altered: Alteration | None = None

    def dump(self) -> dict[str, Any]:
        """As plain JSON; floats keep every digit."""
        plain = {name: getattr(self, name) for name in _NUMBERS}
        waters = {str(number): water.dump() for number, water in self.waters.items()}
        change = dict(self.change) if self.change is not None else None
        altered = self.altered.dump() if self.altered else None
        return plain | {"waters": waters, "tones": self.tones.dump(), "change": change, "altered": altered}

    @classmethod
    def load(cls, plain: Mapping[str, Any]) -> Self:
        """From what `dump` gave: `Survey.load(survey.dump()) == survey`."""
        waters = {int(number): Water.load(water) for number, water in plain["waters"].items()}
        numbers = {name: plain[name] for name in _NUMBERS}
        altered = Alteration.load(plain["altered"]) if plain["altered"] else None
        return cls(**numbers, waters=waters, tones=Tones.load(plain["tones"]), change=plain["change"], altered=altered)

    def water(self, number: int) -> Water | None:
        """The yardstick of one body of water; that of all together where it is too small to have its own."""
        return self.waters.get(number) or self.waters.get(0)


def survey(seen: Sample, numbers: Mapping[str, Any]) -> Survey:
    """The facts of a scene from a sample of its pixels, whose numbers are those of bodies of water."""
    sample, earlier, bodies, spare = seen
    if not {Role.RED, Role.GREEN, Role.BLUE} <= set(sample.bands):
        nothing: dict[str, Any] = dict.fromkeys(_NUMBERS, 0.0) | {"count": int(np.count_nonzero(~spare))}
        return Survey(**nothing, waters={})
    if earlier is None:
        tones = Tones(after=white_balance(_only(sample, ~spare)))
        sample = tones.later(sample)
        waters = _waters(_floats(sample), bodies)
        return Survey(**_facts(_only(sample, ~spare), bodies[~spare], numbers), waters=waters, tones=tones)
    dates = _floats(_only(earlier, ~spare)), _floats(_only(sample, ~spare))
    tones, altered = common_tone(*dates), alteration(*dates)
    sample, toned = tones.later(sample), tones.earlier(earlier)
    change = {role: (sample[role] - plane).astype(np.float64) for role, plane in toned.bands.items()}
    waters = _waters(change, bodies)
    sample, toned = _only(sample, ~spare), _only(toned, ~spare)
    spread = {"light": _spread(brightness(sample) - brightness(toned))}
    if Role.NIR in change:
        spread["nir"] = _spread(change[Role.NIR][~spare])
    facts = _facts(sample, bodies[~spare], numbers)
    return Survey(**facts, waters=waters, tones=tones, change=spread, altered=altered)


def _only(sample: Tile, kept: Mask) -> Tile:
    """Some of the pixels of a sample."""
    return Tile(sample.window, {role: plane[kept] for role, plane in sample.bands.items()}, sample.valid[kept])


def _facts(sample: Tile, bodies: NDArray[np.uint8], numbers: Mapping[str, Any]) -> dict[str, Any]:
    light = brightness(sample).astype(np.float64)
    bare = (excess_green(sample) < numbers["soil_green"]) & (warmth(sample) > numbers["soil_warmth"])
    cut = 0.0
    if Role.NIR in sample.bands:
        cut = threshold(greenness(sample), numbers["green_cut"])
        bare &= greenness(sample) < cut
    soil = light[bare & (bodies == 0)]
    middle = float(np.median(light)) if light.size else 0.0
    veil = 2 * sample[Role.BLUE] - sample[Role.RED]
    # Where there is no ordinary bare soil, what is bare may be the very digging that is looked for.
    usual = min(float(np.median(soil)), _PALEST_SOIL * middle) if soil.size >= _FEWEST_PIXELS else middle
    return {
        "count": int(light.size),
        "green_cut": cut,
        "light": middle,
        "green_excess": _ratio(sample),
        "soil_light": usual,
        "clear": float(np.median(veil)) if veil.size else 0.0,
        "clear_spread": _spread(veil),
    }


def _waters(planes: Mapping[Role, Floats], bodies: NDArray[np.uint8]) -> dict[int, Water]:
    """The yardstick of every body of water that is large enough in the sample, and of all together (0)."""
    found = {}
    for number in [0, *np.unique(bodies[bodies > 0]).tolist()]:
        here = bodies == number if number else bodies > 0
        if here.sum() >= _FEWEST_PIXELS:
            found[int(number)] = _usual({role: plane[here] for role, plane in planes.items()})
    return found


def _usual(planes: Mapping[Role, Floats]) -> Water:
    """Median and covariance of colours, of those that are not far off: a plume must not excuse itself."""
    roles = tuple(planes)
    rows = np.stack([planes[role] for role in roles])
    level = np.median(rows, axis=1)
    floor = np.eye(len(roles)) * _LEAST_WATER_SPREAD**2
    away = rows - level[:, None]
    covariance = np.diag([max(_spread(row), _LEAST_WATER_SPREAD) ** 2 for row in rows])
    for _ in range(_ROUNDS):
        square = np.einsum("in,ij,jn->n", away, np.linalg.inv(covariance), away)
        usual = away[:, square <= _USUAL_RANGE * np.median(square)]
        covariance = usual @ usual.T / max(usual.shape[1], 1) + floor
    precision = np.linalg.inv(covariance)
    return Water(roles, tuple(level.tolist()), tuple(tuple(row) for row in precision.tolist()))


def _ratio(sample: Tile) -> float:
    """Median green over the larger of median red and blue."""
    if not sample.valid.any():
        return 0.0
    red, green, blue = (float(np.median(sample[role])) for role in (Role.RED, Role.GREEN, Role.BLUE))
    return green / max(red, blue, 1.0)


def _floats(tile: Tile) -> dict[Role, Floats]:
    return {role: plane.astype(np.float64) for role, plane in tile.bands.items()}


def _spread(values: NDArray[np.generic]) -> float:
    """The robust standard deviation of values about their median."""
    if not values.size:
        return 0.0
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
