"""Touches the disk: the default engine. Needs no weights, no GPU and no training; works on day one.

A scene is surveyed once; every window is then painted by itself, in whole numbers, so the size of a window
changes nothing; connected areas are looked at one by one; what remains becomes candidates.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import rfc8785
import shapely
import yaml
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.io import DatasetReader
from rasterio.windows import Window

from geo.measure import area_m2
from sensing.bands import Role
from sensing.change import align, middle, shift_between
from sensing.grid import WGS84, moved
from sensing.picture import Picture, open_picture
from sensing.segment import surfaces
from sensing.segment.areas import areas
from sensing.segment.detectors import (
    BUILDING,
    EXCAVATION,
    PAIR,
    SINGLE,
    VEGETATION_LOSS,
    Detector,
    Facts,
    choose,
    way_of,
)
from sensing.segment.examine import outline, to_ground
from sensing.segment.looks import LAYERS, Closer, Find, View
from sensing.segment.model import Candidate, Job, Progress, Segmentation
from sensing.segment.painting import content_sha256, on_grid, paint, paint_shapes, read
from sensing.segment.survey import Survey, survey

# Share of the work that painting windows is, as far as progress tells.
_PAINTING_SHARE = 0.8
_MOST_FEATURES = 254
_SIMPLIFY_PX = 0.8
# A find that lies mostly inside another one of a stronger kind is a part of it.
_PART = 0.5
# Cleaning an outline may take this share of the smallest area.
_SHRINKS = 0.5
_LEAST_SHIFT_PX = 0.25
_SHIFT_ROLES = (Role.NIR, Role.GREEN, Role.RED)
_BEFORE, _LAYERS = "before.tif", "layers.tif"


@dataclass(frozen=True)
class Parameters:
    """The numbers of the engine, from `sensing/rules/spectral.yaml`."""

    values: Mapping[str, Any]

    @classmethod
    def load(cls) -> Parameters:
        """Read the file that comes with the engine."""
        text = resources.files("sensing").joinpath("rules", "spectral.yaml").read_text(encoding="utf-8")
        return cls(yaml.safe_load(text))

    @cached_property
    def sha256(self) -> str:
        """SHA-256 of the numbers in canonical JSON."""
        return hashlib.sha256(rfc8785.dumps(dict(self.values))).hexdigest()


@dataclass(frozen=True)
class Scene:
    """Everything open that a pass needs: both dates on one grid, the layers on it, the yardsticks."""

    after: Picture
    before: Picture | None
    layers: DatasetReader
    facts: Facts
    shift_px: tuple[float, float]

    @property
    def survey(self) -> Survey:
        """The scene's yardsticks."""
        return self.facts.survey

    def view(self, window: Window, halo: int) -> View:
        """A window with `halo` pixels around it, both dates in one tone, or a single one without its tint."""
        tones = self.survey.tones
        after = tones.later(self.after.tile(window, halo))
        before = tones.earlier(self.before.tile(window, halo)) if self.before else None
        if self.facts.way == SINGLE:
            # A camera's grain is finer than anything on the ground that is looked for.
            after = surfaces.smooth(after, 1)
        layers = {name: read(self.layers, band, window, halo) for band, name in enumerate(LAYERS, start=1)}
        return View(after, before, layers, self.survey, self.after.gsd_m)


class Spectral:
    """Indices, brightness, colour, texture and change, relative to the scene (implements `Segmenter`)."""

    name = "spectral"
    version = "1"

    def __init__(self, parameters: Parameters | None = None) -> None:
        self.parameters = parameters or Parameters.load()

    def segment(self, job: Job, progress: Progress) -> Segmentation:
        """Look for every kind that the scene allows to be judged; implements `Segmenter.segment`."""
        with _opened(job, self.parameters) as scene:
            detectors, refused = choose(scene.facts, self.parameters.values)
            planes, labels = job.workdir / "planes.tif", job.workdir / "labels.tif"
            painter = _Painter(scene, detectors)
            for done in paint(planes, scene.after.grid, painter.count, painter, tile_px=job.tile_px):
                progress(done * _PAINTING_SHARE)
            found = _finds(planes, scene, detectors)
            numbers = {detector.kind: number for number, detector in enumerate(detectors, start=1)}
            paint_shapes(labels, scene.after.grid, [[(one.rim, numbers[one.find.kind]) for one in found]])
            progress(1.0)
            return Segmentation(
                candidates=tuple(_candidate(one, scene) for one in found),
                refused=refused,
                labels=labels,
                labels_sha256=content_sha256(labels),
                parameters_sha256=self.parameters.sha256,
                analysed_px=painter.valid_px,
                pixel_m=scene.after.gsd_m,
                shift_px=scene.shift_px,
            )


@contextmanager
def _opened(job: Job, parameters: Parameters) -> Iterator[Scene]:
    """The scene with everything that a pass needs, made in the job's directory."""
    way = way_of(job.after.roles, job.before.roles if job.before else None)
    with ExitStack() as stack:
        before, shift_px = None, (0.0, 0.0)
        if job.before is not None and way == PAIR:
            shift_px = _aligned(job, job.before)
            before = stack.enter_context(open_picture(job.workdir / _BEFORE, job.before.roles))
        _layers(job)
        layers = stack.enter_context(rasterio.open(job.workdir / _LAYERS, driver="GTiff"))
        colours = {**parameters.values["surface"], **parameters.values[way]["colours"]}
        facts = Facts(
            roles=frozenset(job.after.roles),
            way=way,
            gsd_m=job.after.gsd_m,
            layers=frozenset(name for name in LAYERS if job.context.has(name)),
            survey=survey(job.after, before, layers, colours),
        )
        yield Scene(job.after, before, layers, facts, shift_px)


def _aligned(job: Job, before: Picture) -> tuple[float, float]:
    """Put the earlier scene on the later one's grid; how far it had to be moved beyond what the files say."""
    grid, target = job.after.grid, job.workdir / _BEFORE
    align(before, grid, (0.0, 0.0), target)
    shared = [role for role in _SHIFT_ROLES if role in job.after.roles and role in before.roles]
    if not shared:
        return (0.0, 0.0)
    with open_picture(target, before.roles) as placed:
        shift_px = shift_between(middle(placed), middle(job.after), shared[0])
    if max(map(abs, shift_px)) < _LEAST_SHIFT_PX:
        return (0.0, 0.0)
    align(before, grid, shift_px, target)
    return shift_px


def _layers(job: Job) -> None:
    """Draw the layers on the grid of the scene, each feature with its number."""
    drawn = []
    for name in LAYERS:
        shapes = on_grid(job.context.shapes(name, job.on), job.after.grid)
        drawn.append([(shape, min(number, _MOST_FEATURES)) for number, shape in enumerate(shapes, start=1)])
    paint_shapes(job.workdir / _LAYERS, job.after.grid, drawn)


class _Painter:
    """Paints all detectors into one window, and counts the pixels that were looked at."""

    def __init__(self, scene: Scene, detectors: Sequence[Detector]) -> None:
        self._scene = scene
        self._detectors = detectors
        self._halo = max((one.halo_px(scene.after.gsd_m) for one in detectors), default=0)
        self.count = max(2 * len(detectors), 1)
        self.valid_px = 0

    def __call__(self, window: Window) -> NDArray[np.uint8]:
        shape = (int(window.height), int(window.width))
        out = np.zeros((self.count, *shape), dtype=np.uint8)
        if not self._detectors:
            return out
        view = self._scene.view(window, self._halo)
        inner = (slice(self._halo, self._halo + shape[0]), slice(self._halo, self._halo + shape[1]))
        self.valid_px += int(view.valid[inner].sum())
        for number, detector in enumerate(self._detectors):
            planes = detector.planes(view)
            out[2 * number], out[2 * number + 1] = planes.member[inner], planes.sure[inner]
        return out


@dataclass(frozen=True)
class _Drawn:
    """A find with its outline on the scene's grid."""

    find: Find
    rim: shapely.Polygon


def _finds(path: Path, scene: Scene, detectors: Sequence[Detector]) -> list[_Drawn]:
    """What the connected areas of the painted planes turn out to be."""
    found: list[_Drawn] = []
    pixel_m2 = scene.after.gsd_m**2
    # Outlines are in units of the grid, which may be degrees.
    cell = abs(scene.after.grid.transform.determinant)
    with rasterio.open(path, driver="GTiff") as planes:
        for number, detector in enumerate(detectors):
            fewest_px = detector.numbers["min_m2"] / pixel_m2
            sure_px = max(detector.numbers["min_sure_m2"] / pixel_m2, 1)
            for area in areas(planes, 2 * number + 1, 2 * number + 2, fewest_px=fewest_px, fewest_sure_px=sure_px):
                find = detector.examine(Closer(scene.view(area.window, 0), area), detector.numbers)
                drawn = find and _drawn(find, area.window, scene)
                if drawn and drawn.rim.area >= fewest_px * _SHRINKS * cell:
                    found.append(drawn)
    return _without_parts(found)


def _drawn(find: Find, window: Window, scene: Scene) -> _Drawn | None:
    rim = outline(find.mask, _SIMPLIFY_PX)
    place = scene.after.grid.transform @ Affine.translation(window.col_off, window.row_off)
    return _Drawn(find, to_ground(rim, place)) if rim else None


def _without_parts(found: list[_Drawn]) -> list[_Drawn]:
    """Finds without those that another find explains: the grey floor of a pit, the plants that a pit took."""
    tree = shapely.STRtree([one.rim for one in found])
    near = {number: tree.query(one.rim, predicate="intersects") for number, one in enumerate(found)}
    return [
        one
        for number, one in enumerate(found)
        if not any(_explains(found[i], one) for i in near[number] if i != number)
    ]


def _explains(other: _Drawn, one: _Drawn) -> bool:
    if one.find.kind == VEGETATION_LOSS:
        return other.find.kind != VEGETATION_LOSS
    if one.find.kind != BUILDING or other.find.kind != EXCAVATION:
        return False
    return bool(shapely.intersection(other.rim, one.rim).area > _PART * one.rim.area)


def _candidate(one: _Drawn, scene: Scene) -> Candidate:
    ground = moved(one.rim, CRS.from_wkt(scene.after.grid.crs_wkt), WGS84)
    return Candidate(
        kind=one.find.kind,
        geom=ground,
        area_m2=area_m2(ground),
        score=one.find.score,
        measures=one.find.measures,
        trace=one.find.words,
    )
