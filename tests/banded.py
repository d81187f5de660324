"""A scene of several bands for tests of how it is worked through, and jobs that go wrong on purpose."""

from __future__ import annotations

import hashlib
import os
import signal
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rasterio
import shapely

from sensing.bands import Role
from sensing.picture import open_picture
from sensing.segment.bands_run import run_band
from sensing.segment.model import Job, Segmentation
from sensing.segment.spectral import Spectral
from tests.unit.sensing.ground import DAY, Ground, blob, rectangle

RGBN = (Role.RED, Role.GREEN, Role.BLUE, Role.NIR)
WIDTH, HEIGHT, BAND = 620, 1300, 512
BANDS = 3
# Across the border of the first two bands.
PIT = blob((200, 512), 25, 3)


def grounds() -> tuple[Ground, Ground]:
    """A valley before and after; something lies across every border of bands and of windows."""
    before, after = (Ground(width=WIDTH, height=HEIGHT, seed=5) for _ in range(2))
    river = shapely.LineString([(0, 700), (300, 720), (620, 690)]).buffer(14)
    for ground in (before, after):
        ground.paint(river, "water")
        ground.place("water", river)
    after.paint(PIT, "pit")
    after.paint(blob((508, 300), 18, 7), "char")
    after.paint(rectangle((420, 1024), (16, 12)), "roof")
    after.paint(shapely.intersection(blob((300, 716), 22, 8), river), "outfall")
    after.place("protected", blob((420, 1024), 60, 3))
    return before, after


class Pair(NamedTuple):
    before: Path
    after: Path
    ground: Ground


def write_pair(folder: Path) -> Pair:
    """Two dates with a corner without data; what a satellite of 10 m would deliver."""
    before, after = grounds()
    pair = Pair(before.satellite(folder / "before.tif", seed=4), after.satellite(folder / "after.tif", seed=3), after)
    with rasterio.open(pair.after, "r+") as scene:
        for band in range(1, 5):
            plane = scene.read(band)
            plane[1200:, :200] = 0
            scene.write(plane, band)
    return pair


def look(pair: Pair, folder: Path, *, single: bool = False, **options: Any) -> Segmentation:
    """One pass over the pair, or over its later date alone."""
    folder.mkdir(exist_ok=True)
    with open_picture(pair.after, RGBN) as after, open_picture(pair.before, RGBN) as before:
        job = Job(after, None if single else before, pair.ground.context, DAY, folder, **options)
        return Spectral().segment(job, lambda _: None)


def exactly(found: Segmentation) -> dict[str, Any]:
    """Everything whose bytes count: rasters pixel by pixel, outlines coordinate by coordinate."""
    with rasterio.open(found.coverage) as coverage:
        codes = hashlib.sha256(coverage.read(1).tobytes()).hexdigest()
    return {
        "labels": found.labels_sha256,
        "coverage": codes,
        "tally": found.tally,
        "outlines": [shapely.to_wkb(one.geom, hex=True) for one in found.candidates],
        "measures": [dict(one.measures) for one in found.candidates],
    }


def failing_second_band(job: dict[str, Any]) -> dict[str, Any]:
    """As `run_band`, but the second band cannot be done."""
    if job["number"] == 1:
        raise OSError("no space left on the device")
    return run_band(job)


def killing_second_band(job: dict[str, Any]) -> dict[str, Any]:
    """As `run_band`, but the second band ends whoever works on it."""
    if job["number"] == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return run_band(job)


def killing_once(job: dict[str, Any]) -> dict[str, Any]:
    """As `run_band`, but the first one to try the second band does not live to tell."""
    mark = Path(job["output"]).with_suffix(".tried")
    if job["number"] == 1 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return run_band(job)


def rows_of(band: int) -> slice:
    """The rows of a band."""
    return slice(band * BAND, min((band + 1) * BAND, HEIGHT))


def codes_of(found: Segmentation) -> np.ndarray:
    with rasterio.open(found.coverage) as coverage:
        return coverage.read(1)
