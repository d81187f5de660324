"""Touches the disk: areas that were marked in bands, looked at closely, and drawn where they are something."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window

from sensing.mask import Mask
from sensing.segment.areas import close_up, surroundings
from sensing.segment.components import Large, Part
from sensing.segment.detectors import Detector
from sensing.segment.examine import outline, to_ground
from sensing.segment.looks import Closer, View
from sensing.segment.model import CHANGE_RANK
from sensing.segment.scenery import Scene
from sensing.words import Sentence, say

# The planes of a band's file: labels and confidences of the first eight detectors, coverage, then labels and
# confidences of eight more, and so on.
LABELS, CONFIDENCE, COVERAGE = 1, 2, 3
_PLANES, _BITS = 3, 8
ALTERED = "seen.altered"
_SIMPLIFY_PX = 0.8
# Cleaning an outline may take this share of the smallest area.
_SHRINKS = 0.5


class Place(NamedTuple):
    """Where the marks of a detector lie in a band's file.

    The bit of a label says that a pixel may show what is looked for, the same bit of a confidence that it surely does.
    """

    labels: int
    confidence: int
    bit: int


def place_of(number: int) -> Place:
    """Where the marks of the detector of that number lie."""
    group, bit = divmod(number, _BITS)
    first = LABELS if group == 0 else _PLANES + 2 * group - 1
    return Place(first, first + 1, 1 << bit)


def planes_for(detectors: int) -> int:
    """How many planes the file of a band has for so many detectors."""
    return max([_PLANES, *(place_of(number).confidence for number in range(detectors))])


@dataclass(frozen=True)
class Drawn:
    """A find with its outline on the scene's grid; `order` is its detector and its first pixel, which no other has."""

    order: tuple[int, int, int]
    kind: str
    score: float
    measures: Mapping[str, float]
    words: tuple[Sentence, ...]
    rim: shapely.Polygon

    def dump(self) -> dict[str, Any]:
        """As plain JSON; floats keep every digit."""
        rings = [shapely.get_coordinates(ring).tolist() for ring in (self.rim.exterior, *self.rim.interiors)]
        words = [sentence.dump() for sentence in self.words]
        return {
            "order": list(self.order),
            "kind": self.kind,
            "score": self.score,
            "measures": dict(self.measures),
            "words": words,
            "rim": rings,
        }

    @classmethod
    def load(cls, plain: Mapping[str, Any]) -> Self:
        """From what `dump` gave."""
        words = tuple(Sentence(one["key"], one["params"]) for one in plain["words"])
        rim = shapely.Polygon(plain["rim"][0], plain["rim"][1:])
        return cls(tuple(plain["order"]), plain["kind"], plain["score"], plain["measures"], words, rim)


class Marks:
    """The labels of all bands as one plane; zeros where a band failed."""

    def __init__(self, paths: Sequence[Path | None], band_px: int) -> None:
        """`paths` are the files of the bands from the top; None for one that failed, or is not asked for."""
        self._paths, self._band_px = paths, band_px
        self._open: dict[int, DatasetReader] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._stack.close()

    def read(self, window: Window, number: int) -> NDArray[np.uint8]:
        """What the detector of that number marked in one window; zero for nothing."""
        place = place_of(number)
        top, bottom = int(window.row_off), int(window.row_off + window.height)
        out = np.zeros((bottom - top, int(window.width)), np.uint8)
        for number in range(top // self._band_px, (bottom - 1) // self._band_px + 1):
            band = self._band(number)
            if band is not None:
                first = number * self._band_px
                rows = slice(max(top, first), min(bottom, first + band.height))
                inner = Window(window.col_off, rows.start - first, window.width, rows.stop - rows.start)
                out[rows.start - top : rows.stop - top] = band.read(place.labels, window=inner)
        return out & np.uint8(place.bit)

    def _band(self, number: int) -> DatasetReader | None:
        path = self._paths[number] if number < len(self._paths) else None
        if path is not None and number not in self._open:
            self._open[number] = self._stack.enter_context(rasterio.open(path, driver="GTiff", sharing=False))
        return self._open.get(number)


def large(detector: Detector, gsd_m: float) -> Large:
    """How large an area must be that a detector looks at."""
    pixel_m2 = gsd_m**2
    return Large(detector.numbers["min_m2"] / pixel_m2, max(detector.numbers["min_sure_m2"] / pixel_m2, 1))


def look_closer(
    asked: Sequence[tuple[int, Part]], marks: Marks, scene: Scene, detectors: Sequence[Detector]
) -> list[Drawn]:
    """What parts, each with the number of its detector, turn out to be."""
    found = (_looked_closer(part, number, (marks, scene), detectors[number]) for number, part in asked)
    return [one for one in found if one is not None]


def _looked_closer(part: Part, number: int, where: tuple[Marks, Scene], detector: Detector) -> Drawn | None:
    marks, scene = where
    grid = scene.after.grid
    window = surroundings(part, (grid.height, grid.width))
    if window is None or part.pixels * scene.after.gsd_m**2 > detector.largest_m2:
        return None
    area = close_up(part, marks.read(window, number), window)
    view = scene.view(window, 0)
    find = detector.examine(Closer(view, area), detector.numbers)
    rim = outline(find.mask, _SIMPLIFY_PX) if find else None
    if find is None or rim is None:
        return None
    ground = to_ground(rim, grid.transform @ Affine.translation(window.col_off, window.row_off))
    # Outlines are in units of the grid, which may be degrees.
    smallest = large(detector, scene.after.gsd_m).fewest_px * _SHRINKS * abs(grid.transform.determinant)
    if ground.area < smallest:
        return None
    measures, words = _altered(view, find.mask)
    return Drawn((number, *part.seed), find.kind, find.score, {**find.measures, **measures}, find.words + words, ground)


def _altered(view: View, mask: Mask) -> tuple[dict[str, float], tuple[Sentence, ...]]:
    """How much of the scene changed less than a find did; it ranks finds and never makes one."""
    altered, before = view.survey.altered, view.raw_before
    if altered is None or before is None or not (mask & view.valid).any():
        return {}, ()
    where = mask & view.valid
    scores = altered.score(*({role: date[role][where] for role in altered.roles} for date in (before, view.raw)))
    share = float(altered.rank(scores).mean())
    return {CHANGE_RANK: share}, (say(ALTERED, share=share),)
