"""Touches the disk: everything that is open while a scene is looked at; made once, opened by every worker."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.io import DatasetReader
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from sensing.bands import Role
from sensing.change import align
from sensing.coregister import Fit, coregister, still
from sensing.coverage import Codes, Cover, visible
from sensing.grid import BLOCK
from sensing.picture import Picture, Sample, Tile, open_again, open_picture
from sensing.segment import hiding
from sensing.segment.detectors import PAIR, SINGLE, Facts, way_of
from sensing.segment.executors import all_done
from sensing.segment.looks import BUILDING_PERMITS, LAYERS, SITES, View
from sensing.segment.manifest import file_sha256
from sensing.segment.model import Job
from sensing.segment.painting import on_grid, paint_shapes, read
from sensing.segment.survey import Survey, survey

_MOST_FEATURES = 254
# Every worker has a cache of its own, which holds a band with the rows of blocks above and below it, and some more:
# what neighbouring bands share is still there when the next one is looked at. Of wider scenes it is decoded again.
_ROWS_AROUND = 2.2
_CACHE_RANGE = (64 << 20, 320 << 20)
BEFORE, LAYERS_FILE, SAID, _SETTING = "before.tif", "layers.tif", "said.tif", "setting.json"


@dataclass(frozen=True)
class Scene:
    """Everything open that a pass needs: both dates on one grid, the layers on it, the yardsticks.

    `said` holds what is known of pixels beforehand, as codes of `sensing.coverage` that are kept so that where nothing
    was written (ANALYSED) there is nothing in the file; without it nothing is known.
    """

    after: Picture
    before: Picture | None
    layers: DatasetReader
    said: DatasetReader | None
    facts: Facts

    @property
    def survey(self) -> Survey:
        """The scene's yardsticks."""
        return self.facts.survey

    def codes(self, window: Window, halo: int) -> Codes:
        """What is known of a window's pixels beforehand."""
        if self.said is None:
            return np.full((int(window.height) + 2 * halo, int(window.width) + 2 * halo), Cover.ANALYSED, np.uint8)
        codes: Codes = read(self.said, window, halo)[0] ^ np.uint8(Cover.ANALYSED)
        return codes

    def view(self, window: Window, halo: int, said: Codes | None = None) -> View:
        """A window with `halo` pixels around it; `said` is what `codes` gives for it, if somebody asked already."""
        after = self.after.tile(window, halo)
        if self.said is not None:
            after = replace(after, valid=visible(after.valid, self.codes(window, halo) if said is None else said))
        before = self.before.tile(window, halo) if self.before else None
        layers = dict(zip(LAYERS, read(self.layers, window, halo), strict=True))
        return View(after, before, layers, self.survey, self.after.gsd_m)


Setting = Mapping[str, Any]


def prepare(job: Job, colours: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Make in the job's directory whatever does not hang on single windows; plain JSON, from which `opened` opens it.

    `colours` are the numbers of surfaces by the way of looking.
    """
    way = way_of(job.after.roles, job.before.roles if job.before else None)
    cache_bytes = _cache_bytes(job)
    with rasterio.Env(GDAL_CACHEMAX=cache_bytes), ExitStack() as stack:
        before, fit = None, None
        if job.before is not None and way == PAIR:
            fit = _aligned(job, job.before)
        if job.before is not None and fit is not None and fit.holds:
            before = stack.enter_context(open_picture(job.workdir / BEFORE, job.before.roles))
        else:
            way = SINGLE
        _draw_layers(job)
        drawn, sky = hiding.draw(job, fit, job.workdir / SAID)
        seen = {
            "cache_bytes": cache_bytes,
            "after": job.after.dump(),
            "before": before.dump() if before else None,
            "layers": str(job.workdir / LAYERS_FILE),
            "said": str(job.workdir / SAID) if drawn else None,
        }
        facts = Facts(
            roles=frozenset(job.after.roles),
            way=way,
            gsd_m=job.after.gsd_m,
            layers=frozenset(name for name in LAYERS if _known(job, name)),
            survey=survey(_sampled(job, seen), colours[way]),
            shown=job.after.shown,
            apart=fit is not None and not fit.holds,
        )
        shift_px = fit.shift_px if before and fit else (0.0, 0.0)
        told = {"fit": fit.dump() | {"gsd_m": job.after.gsd_m} if fit else None, "clouds": sky}
        return {**seen, "facts": facts.dump(), "shift_px": shift_px, **told}


def _cache_bytes(job: Job) -> int:
    pictures = [one for one in (job.after, job.before) if one is not None]
    # Of every scene its mask, and what is known of its ground beforehand.
    masks = len(pictures) + len(LAYERS) + 1
    pixel_bytes = masks + sum(np.dtype(name).itemsize for one in pictures for name in one.dataset.dtypes)
    rows = job.band_px + round(_ROWS_AROUND * BLOCK)
    return int(np.clip(rows * job.after.grid.width * pixel_bytes, *_CACHE_RANGE))


def caching(setting: Setting) -> rasterio.Env:
    """What GDAL may keep of the files of a setting."""
    return rasterio.Env(GDAL_CACHEMAX=setting["cache_bytes"])


def _sampled(job: Job, seen: Setting) -> Sample:
    """The sample of the whole scene, taken by whoever does the work: for it, every block is decoded once."""
    rows, high = job.after.grid.height, job.band_px
    asked = [
        {**seen, "span": [top, min(top + high, rows)], "output": str(job.workdir / f"sample_{top}.npy")}
        for top in range(0, rows, high)
    ]
    done = {one["span"][0]: one["output"] for one, _ in all_done(job.hands, sample_span, asked)}
    found = np.concatenate([np.load(done[top], allow_pickle=False) for top in sorted(done)], axis=1)
    after, found = _planes(job.after.roles, found)
    before = None
    if job.before is not None and seen["before"]:
        before, found = _planes(job.before.roles, found)
    return Sample(after, before, found[0].astype(np.uint8), found[1] > 0)


def _planes(roles_of_bands: Sequence[Role], rows: NDArray[np.int32]) -> tuple[Tile, NDArray[np.int32]]:
    roles = [role for role in roles_of_bands if role is not Role.OTHER]
    bands: dict[Role, NDArray[np.int32]] = {role: rows[number] for number, role in enumerate(roles)}
    count = rows.shape[1]
    return Tile(Window(0, 0, count, 1), bands, np.ones(count, dtype=np.bool_)), rows[len(roles) :]


def sample_span(job: dict[str, Any]) -> dict[str, Any]:
    """Write the sample of some rows of a scene: bands of the later date, of the earlier one, numbers of water."""
    with caching(job), ExitStack() as stack:
        after = stack.enter_context(open_again(job["after"]))
        before = stack.enter_context(open_again(job["before"])) if job["before"] else None
        layers, said = _rasters(stack, job)
        after = hiding.without_hidden(after, said)
        first, end = job["span"]
        seen = after.sample(before, layers, (first, end))
        tiles = [tile for tile in (seen.after, seen.before) if tile is not None]
        planes = [plane for tile in tiles for plane in tile.bands.values()]
        np.save(job["output"], np.stack([*planes, seen.numbers.astype(np.int32), seen.spare.astype(np.int32)]))
    return {"output": job["output"]}


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
        layers, said = _rasters(stack, setting)
        yield Scene(after, before, layers, said, Facts.load(setting["facts"]))


def _rasters(stack: ExitStack, setting: Setting) -> tuple[DatasetReader, DatasetReader | None]:
    """The layers, and what is known of pixels beforehand where there is anything to know."""
    layers, said = (
        stack.enter_context(rasterio.open(setting[name], driver="GTiff", sharing=False)) if setting[name] else None
        for name in ("layers", "said")
    )
    return layers, said


def _aligned(job: Job, before: Picture) -> Fit:
    """Put the earlier scene on the later one's grid, moved by what the files do not say; what then remains.

    The residual is measured again after the move, on the very pixels that will be compared.
    """
    grid, target = job.after.grid, job.workdir / BEFORE
    align(before, grid, (0.0, 0.0), target)
    with open_picture(target, before.roles) as placed:
        fit = coregister(placed, job.after)
    if not fit.holds or still(fit):
        return fit
    align(before, grid, fit.shift_px, target)
    with open_picture(target, before.roles) as placed:
        again = coregister(placed, job.after)
    return replace(again, shift_px=fit.shift_px)


def _shapes(job: Job, name: str) -> list[BaseGeometry]:
    """The shapes of a layer on the day of the scene."""
    layer, kind = BUILDING_PERMITS if name == SITES else (name, None)
    return job.context.shapes(layer, job.on, kind)


def _known(job: Job, name: str) -> bool:
    """Whether a layer is known here; one that is made of permits, whether there is any."""
    return bool(_shapes(job, name)) if name == SITES else job.context.has(name)


def _draw_layers(job: Job) -> None:
    """Draw the layers on the grid of the scene, each feature with its number."""
    drawn = []
    for name in LAYERS:
        shapes = on_grid(_shapes(job, name), job.after.grid)
        drawn.append([(shape, min(number, _MOST_FEATURES)) for number, shape in enumerate(shapes, start=1)])
    paint_shapes(job.workdir / LAYERS_FILE, job.after.grid, drawn)
