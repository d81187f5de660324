"""What was looked at, pixel by pixel: "nothing was found" is never said of a place that nobody looked at. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Self

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from geo.measure import area_m2
from sensing.grid import BLOCK, WGS84, Grid, moved
from sensing.kernels import compiled
from sensing.mask import Mask
from sensing.words import Sentence, say

Codes = NDArray[np.uint8]

# Edges of a cell are followed in steps of at most so many pixels: a straight edge of a grid is none on the ellipsoid.
_EDGE_STEP_PX = 64
_CM2 = 10_000
_KM2_CM2 = 1e10


class Cover(IntEnum):
    """What became of one pixel of a scene; OUTSIDE is where nobody meant to look, or nothing could be judged."""

    OUTSIDE = 0
    ANALYSED = 1
    NODATA = 2
    PRIVACY = 3
    CLOUD = 4
    SHADOW = 5
    HAZE = 6
    FAILED = 7


# What keeps pixels from being looked at although the file has numbers there.
HIDING = (Cover.OUTSIDE, Cover.NODATA, Cover.CLOUD, Cover.SHADOW, Cover.HAZE)
_HIDES = np.isin(np.arange(256), HIDING)


def visible(valid: Mask, said: Codes) -> Mask:
    """The valid pixels but for those that a plane of codes, made before the analysis, keeps from being looked at."""
    return _visible(np.ravel(valid), np.ravel(said), _HIDES).reshape(said.shape)


@compiled
def _visible(valid: Mask, said: Codes, hides: Mask) -> Mask:
    shown = np.empty(said.size, np.bool_)
    for i in range(said.size):
        shown[i] = valid[i] and not hides[said[i]]
    return shown


def cover(looked: Mask, said: Codes) -> Codes:
    """The codes of pixels that were looked at or not, where `said` holds what was known beforehand.

    Beforehand everything is ANALYSED but for what hides it; a pixel without data is PRIVACY where a zone lies, else
    NODATA.
    """
    codes = _covered(np.ravel(looked), np.ravel(said), Cover.ANALYSED, Cover.NODATA)
    return codes.reshape(said.shape)


@compiled
def _covered(looked: Mask, said: Codes, analysed: int, nodata: int) -> Codes:
    codes = np.empty(said.size, np.uint8)
    for i in range(said.size):
        known = said[i]
        unseen = np.uint8(nodata) if known == np.uint8(analysed) else known
        codes[i] = np.uint8(analysed) if looked[i] else unseen
    return codes


@dataclass(frozen=True)
class Tally:
    """Pixels and square centimetres of ground by code; sums of whole numbers, so that no order of adding matters."""

    pixels: Mapping[Cover, int] = field(default_factory=dict)
    cm2: Mapping[Cover, int] = field(default_factory=dict)

    def __add__(self, other: Tally) -> Tally:
        return Tally(Counter(self.pixels) + Counter(other.pixels), Counter(self.cm2) + Counter(other.cm2))

    def km2(self) -> dict[str, float]:
        """Square kilometres of every code, those of which there is nothing too."""
        return {code.name.lower(): round(self.cm2.get(code, 0) / _KM2_CM2, 6) for code in Cover}

    def dump(self) -> dict[str, Any]:
        """As plain JSON: [pixels, square centimetres] by the name of the code."""
        return {code.name.lower(): [count, self.cm2[code]] for code, count in sorted(self.pixels.items())}

    @classmethod
    def load(cls, plain: Mapping[str, Any]) -> Self:
        """From what `dump` gave."""
        found = {Cover[name.upper()]: both for name, both in plain.items()}
        return cls({code: both[0] for code, both in found.items()}, {code: both[1] for code, both in found.items()})


def account(km2: Mapping[str, float]) -> tuple[Sentence, ...]:
    """In words, what was looked at and what was not, each with its square kilometres."""
    unseen = [code for code in Cover if code is not Cover.ANALYSED and _of(km2, code)]
    first = say("covered.analysed", km2=_of(km2, Cover.ANALYSED))
    return (first, *(say(f"covered.{code.name.lower()}", km2=_of(km2, code)) for code in unseen))


def nothing_found(km2: Mapping[str, float], kinds: Collection[str]) -> Sentence:
    """In words, that nothing was found: of which kinds and which ground that is said, and of how much it is not.

    `kinds` are those that could become a finding here; where there are none, nobody could have found anything.
    """
    looked, unseen = _of(km2, Cover.ANALYSED), sum(_of(km2, code) for code in Cover if code is not Cover.ANALYSED)
    if not looked:
        return say("covered.nowhere")
    if not kinds:
        return say("covered.no_kind", km2=looked)
    told = sorted(kinds)
    if unseen:
        return say("covered.nothing_but", kinds=told, km2=looked, unseen_km2=unseen)
    return say("covered.nothing", kinds=told, km2=looked)


def _of(km2: Mapping[str, float], code: Cover) -> float:
    return km2.get(code.name.lower(), 0.0)


def tally(grid: Grid, codes: Codes, top: int) -> Tally:
    """Count the codes of whole rows of a grid from row `top` on, which is a multiple of the block size.

    Areas are geodesic, cell by cell of one block: within a cell, pixels differ by less than one in a hundred thousand.
    """
    total = Tally()
    for row in range(0, codes.shape[0], BLOCK):
        stripe = codes[row : row + BLOCK]
        counts, size = _counts(np.ascontiguousarray(stripe), BLOCK), stripe.shape[0]
        for number, cell_m2 in enumerate(_ground_m2(grid, top + row, size)):
            pixel_cm2 = cell_m2 * _CM2 / (size * min(BLOCK, grid.width - number * BLOCK))
            present = {code: int(counts[number, code]) for code in Cover if counts[number, code]}
            total += Tally(present, {code: round(count * pixel_cm2) for code, count in present.items()})
    return total


@compiled
def _counts(stripe: Codes, wide: int) -> NDArray[np.int64]:
    """How many pixels of each code there are in each cell of so many columns; a place for every byte there can be."""
    rows, width = stripe.shape
    counts = np.zeros((-(-width // wide), 256), np.int64)
    for first in range(0, width, wide):
        mine = counts[first // wide]
        for row in range(rows):
            for column in range(first, min(first + wide, width)):
                mine[stripe[row, column]] += 1
    return counts


def _ground_m2(grid: Grid, top: int, height: int) -> list[float]:
    """The ground that each cell of a row of cells shows, in square metres on the ellipsoid."""
    boxes = [shapely.box(x, top, min(x + BLOCK, grid.width), top + height) for x in range(0, grid.width, BLOCK)]
    a, b, c, d, e, f = tuple(grid.transform)[:6]
    cells = shapely.MultiPolygon([box.segmentize(_EDGE_STEP_PX) for box in boxes])
    placed = shapely.affinity.affine_transform(cells, [a, b, d, e, c, f])
    return [area_m2(cell) for cell in moved(placed, CRS.from_wkt(grid.crs_wkt), WGS84).geoms]
