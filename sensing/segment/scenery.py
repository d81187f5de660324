"""Touches the disk: everything that is open while a scene is looked at; made once, opened by every worker."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from pyproj import CRS
from rasterio.io import DatasetReader
from rasterio.windows import Window

from sensing.bands import Role
from sensing.change import align, middle, shift_between
from sensing.coverage import Codes, Cover, hidden
from sensing.grid import BLOCK
from sensing.mask import ZoneBurner
from sensing.picture import Picture, Tile, open_again, open_picture
from sensing.segment import surfaces
from sensing.segment.detectors import PAIR, SINGLE, Facts, way_of
from sensing.segment.looks import LAYERS, View
from sensing.segment.manifest import file_sha256
from sensing.segment.model import Job
from sensing.segment.painting import on_grid, paint, paint_shapes, read
from sensing.segment.survey import Survey, survey

_MOST_FEATURES = 254
_LEAST_SHIFT_PX = 0.25
_SHIFT_ROLES = (Role.NIR, Role.GREEN, Role.RED)
BEFORE, LAYERS_FILE, SAID, _SETTING = "before.tif", "layers.tif", "said.tif", "setting.json"


@dataclass(frozen=True)
class Scene:
    """Everything open that a pass needs: both dates on one grid, the layers on it, the yardsticks.

    `said` holds what is known of pixels beforehand, as codes of `sensing.coverage`.
    """

    after: Picture
    before: Picture | None
    layers: DatasetReader
    said: DatasetReader
    facts: Facts

    @property
    def survey(self) -> Survey:
        """The scene's yardsticks."""
        return self.facts.survey

    def codes(self, window: Window, halo: int) -> Codes:
        """What is known of a window's pixels beforehand."""
        return read(self.said, 1, window, halo)

    def view(self, window: Window, halo: int) -> View:
        """A window with `halo` pixels around it, both dates in one tone, or a single one without its tint."""
        tones = self.survey.tones
        after = tones.later(self._seen(self.after.tile(window, halo), halo))
        before = tones.earlier(self.before.tile(window, halo)) if self.before else None
        if self.facts.way == SINGLE:
            # A camera's grain is finer than anything on the ground that is looked for.
            after = surfaces.smooth(after, 1)
        layers = {name: read(self.layers, band, window, halo) for band, name in enumerate(LAYERS, start=1)}
        return View(after, before, layers, self.survey, self.after.gsd_m)

    def _seen(self, tile: Tile, halo: int) -> Tile:
        hiding = hidden(self.codes(tile.window, halo))
        return replace(tile, valid=tile.valid & ~hiding) if hiding.any() else tile


Setting = Mapping[str, Any]


def prepare(job: Job, colours: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Make in the job's directory whatever does not hang on single windows; plain JSON, from which `opened` opens it.

    `colours` are the numbers of surfaces by the way of looking.
    """
    way = way_of(job.after.roles, job.before.roles if job.before else None)
    with ExitStack() as stack:
        before, shift_px = None, (0.0, 0.0)
        if job.before is not None and way == PAIR:
            shift_px = _aligned(job, job.before)
            before = stack.enter_context(open_picture(job.workdir / BEFORE, job.before.roles))
        _draw_layers(job)
        _draw_said(job)
        layers = stack.enter_context(rasterio.open(job.workdir / LAYERS_FILE, driver="GTiff"))
        facts = Facts(
            roles=frozenset(job.after.roles),
            way=way,
            gsd_m=job.after.gsd_m,
            layers=frozenset(name for name in LAYERS if job.context.has(name)),
            survey=survey(job.after, before, layers, colours[way]),
        )
        return {
            "after": job.after.dump(),
            "before": before.dump() if before else None,
            "layers": str(job.workdir / LAYERS_FILE),
            "said": str(job.workdir / SAID),
            "facts": facts.dump(),
            "shift_px": shift_px,
        }


def remember(folder: Path, key: str, setting: Setting) -> None:
    """Write down what was made, with the hashes of its files, for whoever takes the job up again."""
    files = {name: file_sha256(folder / name) for name in (BEFORE, LAYERS_FILE, SAID) if (folder / name).exists()}
    part = folder / f".{_SETTING}.part"
    part.write_text(json.dumps({"key": key, "files": files, "setting": setting}), encoding="utf-8")
    part.replace(folder / _SETTING)


def recall(folder: Path, key: str) -> dict[str, Any] | None:
    """What `remember` wrote for the same job; None unless every file still is what it was."""
    path = folder / _SETTING
    if not key or not path.is_file():
        return None
    kept = json.loads(path.read_text(encoding="utf-8"))
    whole = all((folder / name).is_file() and file_sha256(folder / name) == sha for name, sha in kept["files"].items())
    setting: dict[str, Any] = kept["setting"]
    return setting if kept["key"] == key and whole else None


@contextmanager
def opened(setting: Setting) -> Iterator[Scene]:
    """Open what `prepare` made."""
    with ExitStack() as stack:
        after = stack.enter_context(open_again(setting["after"]))
        before = stack.enter_context(open_again(setting["before"])) if setting["before"] else None
        layers, said = (
            stack.enter_context(rasterio.open(setting[name], driver="GTiff", sharing=False))
            for name in ("layers", "said")
        )
        yield Scene(after, before, layers, said, Facts.load(setting["facts"]))


def _aligned(job: Job, before: Picture) -> tuple[float, float]:
    """Put the earlier scene on the later one's grid; how far it had to be moved beyond what the files say."""
    grid, target = job.after.grid, job.workdir / BEFORE
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


def _draw_layers(job: Job) -> None:
    """Draw the layers on the grid of the scene, each feature with its number."""
    drawn = []
    for name in LAYERS:
        shapes = on_grid(job.context.shapes(name, job.on), job.after.grid)
        drawn.append([(shape, min(number, _MOST_FEATURES)) for number, shape in enumerate(shapes, start=1)])
    paint_shapes(job.workdir / LAYERS_FILE, job.after.grid, drawn)


def _draw_said(job: Job) -> None:
    """Draw what is known beforehand about which pixels can be looked at: privacy zones, as they were burnt in."""
    grid = job.after.grid
    zones = ZoneBurner(job.zones, CRS.from_wkt(grid.crs_wkt), grid.transform)

    def painter(window: Window) -> Codes:
        codes: Codes = np.where(zones.burn(window), np.uint8(Cover.PRIVACY), np.uint8(Cover.ANALYSED))
        return codes[None]

    for _ in paint(job.workdir / SAID, grid, 1, painter, tile_px=BLOCK):
        pass
