"""What an engine looks at: windows with their layers and yardsticks, and areas looked at closely."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sensing import features
from sensing.mask import Mask
from sensing.picture import Tile
from sensing.segment.areas import Area
from sensing.segment.survey import Survey
from sensing.words import Sentence

WATER, FARMLAND, PROTECTED = "water", "farmland", "protected"
# Where building is licensed: permits of that kind, of which the layer is made.
SITES, BUILDING_PERMITS = "sites", ("permits", "construction")
LAYERS = (WATER, FARMLAND, PROTECTED, SITES)

Numbers = Mapping[str, Any]


@dataclass(frozen=True)
class Searched:
    """Where a kind is looked for: within a layer, or everywhere, but for the ground of other layers."""

    within: str | None = None
    without: tuple[str, ...] = (WATER,)


class Planes(NamedTuple):
    """Where a detector sees something: pixels that may belong to it, and pixels that surely show it."""

    member: Mask
    sure: Mask


@dataclass(frozen=True)
class View:
    """A window of the scene: its dates as they are stored, the layers on it, the scene's yardsticks, metres per pixel.

    Layers hold 0 where there is nothing, else the number of the feature. What learned from stored pixels looks at
    `raw` and `raw_before`; `after` and `before` are both dates in one tone, made when somebody asks for them.
    """

    raw: Tile
    raw_before: Tile | None
    layers: Mapping[str, NDArray[np.uint8]]
    survey: Survey
    gsd_m: float

    @cached_property
    def after(self) -> Tile:
        """The later date in the common tone, or the only one without its tint and its grain."""
        toned = self.survey.tones.later(self.raw)
        # A camera's grain is finer than anything on the ground that is looked for.
        return toned if self.raw_before else _smooth(toned)

    @cached_property
    def before(self) -> Tile | None:
        """The earlier date in the common tone."""
        return self.survey.tones.earlier(self.raw_before) if self.raw_before else None

    @cached_property
    def valid(self) -> Mask:
        """Pixels that all dates show."""
        return self.raw.valid & self.raw_before.valid if self.raw_before else self.raw.valid

    def px(self, metres: float) -> int:
        """A length in whole pixels, at least one."""
        return max(1, round(metres / self.gsd_m))

    def ground(self, searched: Searched) -> Mask:
        """The pixels that all dates show of the ground where a kind is looked for; computed once for all such kinds."""

        def make() -> Mask:
            here: Mask = self.valid & self.within(searched.within) if searched.within else self.valid.copy()
            for layer in searched.without:
                here &= ~self.within(layer)
            return here

        return self.raw.once(f"ground {searched}", make)

    def within(self, layer: str) -> Mask:
        """Where a layer has a feature."""
        return self.layers[layer] > 0


def _smooth(tile: Tile) -> Tile:
    """A tile without grain: the mean over valid neighbours, in whole numbers."""
    bands = {role: features.smooth(plane, tile.valid) for role, plane in tile.bands.items()}
    return Tile(tile.window, bands, tile.valid)


@dataclass(frozen=True)
class Closer:
    """One connected area, looked at with its surroundings."""

    view: View
    area: Area

    @property
    def mask(self) -> Mask:
        """Its pixels in the window."""
        return self.area.mask


@dataclass(frozen=True)
class Find:
    """What an area turned out to be, with the pixels that belong to it, the numbers that decided, and words."""

    kind: str
    mask: Mask
    score: float
    measures: Mapping[str, float]
    words: tuple[Sentence, ...]
