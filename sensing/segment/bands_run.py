"""Touches the disk: the job of one band. Plain JSON in, plain JSON out; the same job gives the same file."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window

from sensing.coverage import Cover, Tally, cover, tally
from sensing.grid import BLOCK, Grid
from sensing.segment.closer import COVERAGE, Drawn, Marks, large, look_closer, place_of, planes_for
from sensing.segment.components import Border, Sweeper, parts_of
from sensing.segment.detectors import Detector, choose
from sensing.segment.executors import kept
from sensing.segment.manifest import file_sha256
from sensing.segment.painting import profile
from sensing.segment.scenery import Scene, Setting, caching, opened


def run_band(job: dict[str, Any]) -> dict[str, Any]:
    """Look at one band of a scene and write what it shows; the hash of its files, and the counters of its coverage."""
    with caching(job["setting"]), at_hand(job["setting"]) as scene:
        detectors, _ = choose(scene.facts, job["parameters"])
        target = Path(job["output"])
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        _look(part, scene, detectors, job)
        counted, swept = _read_over(part, scene, detectors, job)
        _keep_borders(part, swept)
        _keep_finds(part, _within(part, scene, detectors, (job, swept)))
        # Not flushed to the disk: what a loss of power tears does not have the hash that was remembered.
        for written, name in zip(_files(part), _files(target), strict=True):
            written.replace(name)
    return {"number": job["number"], "sha256": band_sha256(target), "counters": counted.dump()}


def at_hand(setting: Setting) -> AbstractContextManager[Scene]:
    """The open scene of a setting; the one that the worker had for its last job, where that is the same."""
    files = [setting["after"]["path"], setting["layers"], setting["said"], (setting["before"] or {}).get("path")]
    states = [(file, stat.st_ino, stat.st_mtime_ns) for file in files if file and (stat := Path(file).stat())]
    return kept(json.dumps([states, setting], sort_keys=True), lambda: opened(setting))


def _files(band: Path) -> tuple[Path, Path, Path]:
    """What belongs to a band: parts that touch its borders, what was found between them, and its planes."""
    return band.with_suffix(".npy"), band.with_suffix(".json"), band


def band_sha256(band: Path) -> str | None:
    """SHA-256 over the hashes of the files of a band; None where one is missing."""
    if not all(file.is_file() for file in _files(band)):
        return None
    return hashlib.sha256("".join(map(file_sha256, _files(band))).encode()).hexdigest()


def borders(band: Path) -> Iterator[Border]:
    """What a band leaves to its neighbours, for one detector after the other."""
    flat = np.load(_files(band)[0], allow_pickle=False)
    while flat.size:
        border, flat = Border.load(flat)
        yield border


def _keep_borders(band: Path, swept: Sequence[Border]) -> None:
    left = [border._replace(ended=border.ended[:0]).dump() for border in swept]
    with _files(band)[0].open("wb") as file:
        np.save(file, np.concatenate([np.zeros(0, np.int64), *left]))


def drawn_within(band: Path) -> list[Drawn]:
    """What was found within a band."""
    return [Drawn.load(plain) for plain in json.loads(_files(band)[1].read_text(encoding="utf-8"))]


def _keep_finds(band: Path, found: Sequence[Drawn]) -> None:
    _files(band)[1].write_text(json.dumps([one.dump() for one in found]), encoding="utf-8")


def _within(
    band: Path, scene: Scene, detectors: list[Detector], work: tuple[dict[str, Any], Sequence[Border]]
) -> list[Drawn]:
    """What the parts that touch no border of the band turn out to be; the pixels around them are still at hand."""
    job, swept = work
    asked = [(number, part) for number, border in enumerate(swept) for part in parts_of(border.ended)]
    asked.sort(key=lambda one: one[1].seed)
    here = job["top"] // job["band_px"]
    with Marks([*[None] * here, band], job["band_px"]) as marks:
        return look_closer(asked, marks, scene, detectors)


def _look(part: Path, scene: Scene, detectors: list[Detector], job: dict[str, Any]) -> None:
    grid, top, height = scene.after.grid, job["top"], job["height"]
    strip = Grid(grid.crs_wkt, grid.transform @ Affine.translation(0, top), grid.width, height)
    with rasterio.open(part, "w", count=planes_for(len(detectors)), **profile(strip)) as out:
        for window in _windows(grid, (top, height), job["tile_px"]):
            moved = Window(window.col_off, window.row_off - top, window.width, window.height)
            out.write(looked_at(scene, detectors, window), window=moved)


def _read_over(part: Path, scene: Scene, detectors: list[Detector], job: dict[str, Any]) -> tuple[Tally, list[Border]]:
    """What the planes of a band add up to, and their connected parts."""
    grid, top, height = scene.after.grid, job["top"], job["height"]
    places = [place_of(number) for number in range(len(detectors))]
    wanted = [large(one, scene.after.gsd_m) for one in detectors]
    sweepers = [Sweeper(place.bit, one, top) for place, one in zip(places, wanted, strict=True)]
    counted = Tally()
    with rasterio.open(part, driver="GTiff", sharing=False) as written:
        for row in range(0, height, BLOCK):
            planes = written.read(window=Window(0, row, grid.width, min(BLOCK, height - row)))
            counted += tally(grid, planes[COVERAGE - 1], top + row)
            for sweeper, place in zip(sweepers, places, strict=True):
                sweeper.take(planes[place.labels - 1], planes[place.confidence - 1])
    return counted, [sweeper.border() for sweeper in sweepers]


def looked_at(scene: Scene, detectors: list[Detector], window: Window) -> NDArray[np.uint8]:
    """The planes of one window."""
    halo = max((one.halo_px(scene.after.gsd_m) for one in detectors), default=0)
    out = np.zeros((planes_for(len(detectors)), int(window.height), int(window.width)), np.uint8)
    inner = (slice(halo, halo + out.shape[1]), slice(halo, halo + out.shape[2]))
    said = scene.codes(window, halo)
    view = scene.view(window, halo, said)
    # Where no kind can be judged, nobody looks.
    out[COVERAGE - 1] = cover(view.valid[inner], said[inner]) if detectors else Cover.OUTSIDE
    for number, detector in enumerate(detectors):
        planes, place = detector.planes(view), place_of(number)
        if not planes.member.any():
            continue
        out[place.labels - 1] |= planes.member[inner].astype(np.uint8) * np.uint8(place.bit)
        out[place.confidence - 1] |= planes.sure[inner].astype(np.uint8) * np.uint8(place.bit)
    return out


def _windows(grid: Grid, span: tuple[int, int], tile_px: int) -> Iterator[Window]:
    top, height = span
    for row in range(top, top + height, tile_px):
        for column in range(0, grid.width, tile_px):
            yield Window(column, row, min(tile_px, grid.width - column), min(tile_px, top + height - row))
