"""Touches the disk: the job of one band. Plain JSON in, plain JSON out; the same job gives the same file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window

from sensing.coverage import Cover, Tally, cover, tally
from sensing.grid import BLOCK, Grid
from sensing.originals import flush_directory
from sensing.segment.detectors import Detector, choose
from sensing.segment.manifest import file_sha256
from sensing.segment.painting import profile
from sensing.segment.scenery import Scene, opened

# The planes of a band's file. Bit n of a label says that a pixel may show the n-th kind that is looked for, the same
# bit of its confidence that it surely does.
LABELS, CONFIDENCE, COVERAGE = 1, 2, 3
PLANES = 3
# A row of blocks of the widest scene in its raw bytes fits several times; every worker has a cache of its own.
CACHE_BYTES = 256 << 20


def run_band(job: dict[str, Any]) -> dict[str, Any]:
    """Look at one band of a scene and write what it shows; the hash of the file, and the counters of its coverage."""
    with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES), opened(job["setting"]) as scene:
        detectors, _ = choose(scene.facts, job["parameters"])
        target = Path(job["output"])
        counted = _write(target, scene, detectors, job)
    return {"number": job["number"], "sha256": file_sha256(target), "counters": counted.dump()}


def _write(target: Path, scene: Scene, detectors: list[Detector], job: dict[str, Any]) -> Tally:
    grid, top, height = scene.after.grid, job["top"], job["height"]
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    counted = Tally()
    with rasterio.open(part, "w", count=PLANES, **profile(_strip(grid, top, height))) as out:
        for window in _windows(grid, (top, height), job["tile_px"]):
            out.write(looked_at(scene, detectors, window), window=_moved(window, -top))
    with rasterio.open(part, driver="GTiff", sharing=False) as written:
        for row in range(0, height, BLOCK):
            rows = Window(0, row, grid.width, min(BLOCK, height - row))
            codes = written.read(COVERAGE, window=rows)
            counted += tally(grid, codes, top + row)
    _settle(part, target)
    return counted


def looked_at(scene: Scene, detectors: list[Detector], window: Window) -> NDArray[np.uint8]:
    """The three planes of one window."""
    halo = max((one.halo_px(scene.after.gsd_m) for one in detectors), default=0)
    out = np.zeros((PLANES, int(window.height), int(window.width)), np.uint8)
    inner = (slice(halo, halo + out.shape[1]), slice(halo, halo + out.shape[2]))
    said = scene.codes(window, 0)
    view = scene.view(window, halo)
    # Where no kind can be judged, nobody looks.
    out[COVERAGE - 1] = cover(view.valid[inner], said) if detectors else Cover.OUTSIDE
    for number, detector in enumerate(detectors):
        planes = detector.planes(view)
        out[LABELS - 1] |= planes.member[inner].astype(np.uint8) << number
        out[CONFIDENCE - 1] |= planes.sure[inner].astype(np.uint8) << number
    return out


def _windows(grid: Grid, span: tuple[int, int], tile_px: int) -> Iterator[Window]:
    top, height = span
    for row in range(top, top + height, tile_px):
        for column in range(0, grid.width, tile_px):
            yield Window(column, row, min(tile_px, grid.width - column), min(tile_px, top + height - row))


def _moved(window: Window, rows: int) -> Window:
    return Window(window.col_off, window.row_off + rows, window.width, window.height)


def _strip(grid: Grid, top: int, height: int) -> Grid:
    return Grid(grid.crs_wkt, grid.transform @ Affine.translation(0, top), grid.width, height)


def _settle(part: Path, target: Path) -> None:
    """Give a finished file its name: it is there whole, and on the disk, or not at all."""
    with part.open("rb") as handle:
        os.fsync(handle.fileno())
    part.replace(target)
    flush_directory(target.parent)
