"""Touches the disk: from the bands of a scene to what the connected areas in them turn out to be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

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
from sensing.segment.areas import close_up
from sensing.segment.bands_run import CONFIDENCE, COVERAGE, LABELS
from sensing.segment.components import Part, Sweeper
from sensing.segment.detectors import BUILDING, EXCAVATION, VEGETATION_LOSS, Detector
from sensing.segment.examine import outline, to_ground
from sensing.segment.looks import Closer, Find
from sensing.segment.manifest import Manifest, Outcome
from sensing.segment.model import Candidate
from sensing.segment.painting import profile
from sensing.segment.scenery import Scene

_SIMPLIFY_PX = 0.8
# A find that lies mostly inside another one of a stronger kind is a part of it.
_PART = 0.5
# Cleaning an outline may take this share of the smallest area.
_SHRINKS = 0.5


@dataclass(frozen=True)
class Joined:
    """All bands as rasters of the whole scene, what they add up to, and the large enough parts of each detector."""

    marks: Path
    coverage: Path
    tally: Tally
    parts: tuple[tuple[Part, ...], ...]


def join(
    manifest: Manifest, outcomes: Mapping[int, Outcome], scene: Scene, detectors: Sequence[Detector], folder: Path
) -> Joined:
    """Put the bands together in one pass from top to bottom. A band that nobody got done is failed, never clean."""
    grid, marks, coverage = scene.after.grid, folder / "marks.tif", folder / "coverage.tif"
    sweepers = [Sweeper(1 << n, *_fewest(one, scene)) for n, one in enumerate(detectors)]
    parts: list[list[Part]] = [[] for _ in detectors]
    total = Tally()
    with ExitStack() as stack:
        marked = stack.enter_context(rasterio.open(marks, "w", count=2, **profile(grid)))
        covered = stack.enter_context(rasterio.open(coverage, "w", count=1, **profile(grid)))
        for number in range(len(manifest)):
            for top, planes in _stripes(manifest, outcomes.get(number), number, grid):
                rows = Window(0, top, grid.width, planes.shape[1])
                marked.write(planes[[LABELS - 1, CONFIDENCE - 1]], window=rows)
                covered.write(planes[COVERAGE - 1], 1, window=rows)
                for sweeper, found in zip(sweepers, parts, strict=True):
                    found += sweeper.take(planes[LABELS - 1], planes[CONFIDENCE - 1])
            total += _counted(manifest, outcomes.get(number), number, grid)
    for sweeper, found in zip(sweepers, parts, strict=True):
        found += sweeper.end()
    return Joined(marks, coverage, total, tuple(tuple(sorted(found, key=lambda one: one.seed)) for found in parts))


def _fewest(detector: Detector, scene: Scene) -> tuple[float, float]:
    """The fewest pixels of an area, and the fewest sure ones."""
    pixel_m2 = scene.after.gsd_m**2
    return detector.numbers["min_m2"] / pixel_m2, max(detector.numbers["min_sure_m2"] / pixel_m2, 1)


def _stripes(
    manifest: Manifest, outcome: Outcome | None, number: int, grid: Grid
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """The planes of a band in stripes of whole blocks, each with its first row."""
    top, height = manifest.span(number)
    spans = [(row, min(BLOCK, height - row)) for row in range(0, height, BLOCK)]
    if outcome is None or outcome.sha256 is None:
        for row, high in spans:
            void = np.zeros((3, high, grid.width), np.uint8)
            void[COVERAGE - 1] = Cover.FAILED
            yield top + row, void
        return
    with rasterio.open(manifest.path(number), driver="GTiff", sharing=False) as band:
        for row, high in spans:
            yield top + row, band.read(window=Window(0, row, grid.width, high))


def _counted(manifest: Manifest, outcome: Outcome | None, number: int, grid: Grid) -> Tally:
    if outcome is not None and outcome.counters is not None:
        return Tally.load(outcome.counters)
    top, height = manifest.span(number)
    return tally(grid, np.broadcast_to(np.uint8(Cover.FAILED), (height, grid.width)), top)


@dataclass(frozen=True)
class Drawn:
    """A find with its outline on the scene's grid."""

    find: Find
    rim: shapely.Polygon


def finds(joined: Joined, scene: Scene, detectors: Sequence[Detector]) -> list[Drawn]:
    """What the connected areas of the joined bands turn out to be."""
    found: list[Drawn] = []
    # Outlines are in units of the grid, which may be degrees.
    cell = abs(scene.after.grid.transform.determinant)
    with rasterio.open(joined.marks, driver="GTiff", sharing=False) as marks:
        for number, detector in enumerate(detectors):
            smallest = _fewest(detector, scene)[0] * _SHRINKS * cell
            drawn = (_looked_closer(part, 1 << number, marks, scene, detector) for part in joined.parts[number])
            found += [one for one in drawn if one is not None and one.rim.area >= smallest]
    return _without_parts(found)


def _looked_closer(part: Part, bit: int, marks: DatasetReader, scene: Scene, detector: Detector) -> Drawn | None:
    area = close_up(part, bit, marks)
    if area is None:
        return None
    find = detector.examine(Closer(scene.view(area.window, 0), area), detector.numbers)
    return _drawn(find, area.window, scene) if find else None


def _drawn(find: Find, window: Window, scene: Scene) -> Drawn | None:
    rim = outline(find.mask, _SIMPLIFY_PX)
    place = scene.after.grid.transform @ Affine.translation(window.col_off, window.row_off)
    return Drawn(find, to_ground(rim, place)) if rim else None


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
    if one.find.kind == VEGETATION_LOSS:
        return other.find.kind != VEGETATION_LOSS
    if one.find.kind != BUILDING or other.find.kind != EXCAVATION:
        return False
    return bool(shapely.intersection(other.rim, one.rim).area > _PART * one.rim.area)


def candidate(one: Drawn, scene: Scene) -> Candidate:
    """A find as the rest of the house sees it: on the ground, with its area on the ellipsoid."""
    ground = moved(one.rim, CRS.from_wkt(scene.after.grid.crs_wkt), WGS84)
    return Candidate(
        kind=one.find.kind,
        geom=ground,
        area_m2=area_m2(ground),
        score=one.find.score,
        measures=one.find.measures,
        trace=one.find.words,
    )
