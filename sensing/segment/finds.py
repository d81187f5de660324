"""Touches the disk: from the bands of a scene to what the connected areas in them turn out to be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.io import DatasetReader
from rasterio.windows import Window

from geo.measure import area_m2
from sensing.coverage import Cover, Tally, tally
from sensing.grid import BLOCK, WGS84, Grid, moved
from sensing.segment.areas import close_up, surroundings
from sensing.segment.bands_run import COVERAGE, LABELS, borders, large
from sensing.segment.components import Part, Stitcher
from sensing.segment.detectors import BUILDING, EXCAVATION, VEGETATION_LOSS, Detector, choose
from sensing.segment.examine import outline, to_ground
from sensing.segment.executors import Hands, all_done
from sensing.segment.looks import Closer, Find
from sensing.segment.manifest import Manifest, Outcome
from sensing.segment.model import Candidate
from sensing.segment.painting import profile
from sensing.segment.scenery import CACHE_BYTES, Scene, opened
from sensing.words import Sentence

_SIMPLIFY_PX = 0.8
# Enough parts that opening everything does not count, few enough that all hands have some.
_PARTS_PER_JOB = 24
# A find that lies mostly inside another one of a stronger kind is a part of it.
_PART = 0.5
# Cleaning an outline may take this share of the smallest area.
_SHRINKS = 0.5


@dataclass(frozen=True)
class Joined:
    """The coverage of the whole scene, what it adds up to, and the large enough parts that each detector saw."""

    coverage: Path
    tally: Tally
    parts: tuple[tuple[Part, ...], ...]


def join(
    manifest: Manifest, outcomes: Mapping[int, Outcome], scene: Scene, detectors: Sequence[Detector], folder: Path
) -> Joined:
    """Put the bands together in one pass from top to bottom. A band that nobody got done is failed, never clean."""
    grid, coverage = scene.after.grid, folder / "coverage.tif"
    stitchers = [Stitcher(large(one, scene.after.gsd_m)) for one in detectors]
    total = Tally()
    with rasterio.open(coverage, "w", count=1, **profile(grid)) as covered:
        for number in range(len(manifest)):
            top, height = manifest.span(number)
            done = outcomes[number].counters
            for row, codes in _covered(manifest.path(number) if done is not None else None, grid, height):
                covered.write(codes, 1, window=Window(0, top + row, grid.width, codes.shape[0]))
            if done is None:
                total += tally(grid, np.broadcast_to(np.uint8(Cover.FAILED), (height, grid.width)), top)
                for stitcher in stitchers:
                    stitcher.skip()
                continue
            total += Tally.load(done)
            for stitcher, border in zip(stitchers, borders(manifest.path(number)), strict=True):
                stitcher.take(border)
    return Joined(coverage, total, tuple(tuple(stitcher.end()) for stitcher in stitchers))


def _covered(band: Path | None, grid: Grid, height: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """The coverage of a band in stripes of whole blocks, each with its row in the band."""
    with ExitStack() as stack:
        planes = stack.enter_context(rasterio.open(band, driver="GTiff", sharing=False)) if band else None
        for row in range(0, height, BLOCK):
            window = Window(0, row, grid.width, min(BLOCK, height - row))
            shape = (int(window.height), grid.width)
            yield row, planes.read(COVERAGE, window=window) if planes else np.full(shape, Cover.FAILED, np.uint8)


@dataclass(frozen=True)
class Drawn:
    """A find with its outline on the scene's grid."""

    kind: str
    score: float
    measures: Mapping[str, float]
    words: tuple[Sentence, ...]
    rim: shapely.Polygon

    def dump(self) -> dict[str, Any]:
        """As plain JSON; floats keep every digit."""
        rings = [shapely.get_coordinates(ring).tolist() for ring in (self.rim.exterior, *self.rim.interiors)]
        words = [sentence.dump() for sentence in self.words]
        return {"kind": self.kind, "score": self.score, "measures": dict(self.measures), "words": words, "rim": rings}

    @classmethod
    def load(cls, plain: Mapping[str, Any]) -> Self:
        """From what `dump` gave."""
        words = tuple(Sentence(one["key"], one["params"]) for one in plain["words"])
        rim = shapely.Polygon(plain["rim"][0], plain["rim"][1:])
        return cls(plain["kind"], plain["score"], plain["measures"], words, rim)


def finds(joined: Joined, manifest: Manifest, outcomes: Mapping[int, Outcome], hands: Hands) -> list[Drawn]:
    """What the connected areas of the joined bands turn out to be, in the order of detectors and first pixels."""
    asked = [(number, part) for number, parts in enumerate(joined.parts) for part in parts]
    bands = [manifest.path(n).name if outcomes[n].sha256 else None for n in range(len(manifest))]
    jobs = [
        {**manifest.shared, "order": first, "parts": asked[first : first + _PARTS_PER_JOB], "bands": bands}
        | {"folder": str(manifest.folder), "band_px": manifest.band_px}
        for first in range(0, len(asked), _PARTS_PER_JOB)
    ]
    answers = {job["order"]: answer["finds"] for job, answer in all_done(hands, examine_parts, jobs)}
    return _without_parts([Drawn.load(plain) for order in sorted(answers) for plain in answers[order]])


def examine_parts(job: dict[str, Any]) -> dict[str, Any]:
    """Look closer at some parts of a scene; plain JSON in, plain JSON out, one entry for each find."""
    found = []
    with (
        rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES),
        opened(job["setting"]) as scene,
        Marks(job, scene.after.grid) as marks,
    ):
        detectors, _ = choose(scene.facts, job["parameters"])
        # Outlines are in units of the grid, which may be degrees.
        cell = abs(scene.after.grid.transform.determinant)
        for number, part in job["parts"]:
            detector = detectors[number]
            drawn = _looked_closer(Part(*part), 1 << number, marks, scene, detector)
            smallest = large(detector, scene.after.gsd_m).fewest_px * _SHRINKS * cell
            if drawn is not None and drawn.rim.area >= smallest:
                found.append(drawn.dump())
    return {"finds": found}


class Marks:
    """The labels of all bands as one plane; zeros where a band failed."""

    def __init__(self, job: Mapping[str, Any], grid: Grid) -> None:
        self.height, self.width = grid.height, grid.width
        self._folder, self._names, self._band_px = Path(job["folder"]), job["bands"], job["band_px"]
        self._open: dict[int, DatasetReader] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self._stack.close()

    def read(self, window: Window) -> NDArray[np.uint8]:
        """One window."""
        top, bottom = int(window.row_off), int(window.row_off + window.height)
        out = np.zeros((bottom - top, int(window.width)), np.uint8)
        for number in range(top // self._band_px, (bottom - 1) // self._band_px + 1):
            band = self._band(number)
            if band is not None:
                first = number * self._band_px
                rows = slice(max(top, first), min(bottom, first + band.height))
                inner = Window(window.col_off, rows.start - first, window.width, rows.stop - rows.start)
                out[rows.start - top : rows.stop - top] = band.read(LABELS, window=inner)
        return out

    def _band(self, number: int) -> DatasetReader | None:
        name = self._names[number]
        if name is not None and number not in self._open:
            opened_band = rasterio.open(self._folder / name, driver="GTiff", sharing=False)
            self._open[number] = self._stack.enter_context(opened_band)
        return self._open.get(number)


def _looked_closer(part: Part, bit: int, marks: Marks, scene: Scene, detector: Detector) -> Drawn | None:
    window = surroundings(part, (marks.height, marks.width))
    if window is None:
        return None
    area = close_up(part, marks.read(window) & np.uint8(bit), window)
    find = detector.examine(Closer(scene.view(area.window, 0), area), detector.numbers)
    return _drawn(find, area.window, scene) if find else None


def _drawn(find: Find, window: Window, scene: Scene) -> Drawn | None:
    rim = outline(find.mask, _SIMPLIFY_PX)
    place = scene.after.grid.transform @ Affine.translation(window.col_off, window.row_off)
    return Drawn(find.kind, find.score, find.measures, find.words, to_ground(rim, place)) if rim else None


def _without_parts(found: list[Drawn]) -> list[Drawn]:
    """Finds without those that another find explains: the grey floor of a pit, the plants that a pit took."""
    tree = shapely.STRtree([one.rim for one in found])
    near = {number: tree.query(one.rim, predicate="intersects") for number, one in enumerate(found)}
    return [
        one
        for number, one in enumerate(found)
        if not any(_explains(found[i], one) for i in near[number] if i != number)
    ]


def _explains(other: Drawn, one: Drawn) -> bool:
    if one.kind == VEGETATION_LOSS:
        return other.kind != VEGETATION_LOSS
    if one.kind != BUILDING or other.kind != EXCAVATION:
        return False
    return bool(shapely.intersection(other.rim, one.rim).area > _PART * one.rim.area)


def candidate(one: Drawn, scene: Scene) -> Candidate:
    """A find as the rest of the house sees it: on the ground, with its area on the ellipsoid."""
    ground = moved(one.rim, CRS.from_wkt(scene.after.grid.crs_wkt), WGS84)
    return Candidate(
        kind=one.kind,
        geom=ground,
        area_m2=area_m2(ground),
        score=one.score,
        measures=one.measures,
        trace=one.words,
    )
