"""The default segmentation of a whole scene in two processes, end to end, against reading it in two processes.

Ours surveys the scene, looks at every pixel for all kinds, finds and examines every area, draws the findings and
writes labels, confidence and coverage; homes were burnt out, a border is kept, and from above clouds are left out.
The peer reads the same windows of the same file and does nothing with them: the least that any answer about the
pixels costs. Both have their two processes running before they are timed.

Resuming is measured against the same run from the beginning: half of the bands are done and remembered, as they are
after a kill, and their files are verified before they are believed. Memory is that of processes of their own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path

import rasterio
from rasterio.windows import Window

from bench.measure import FEWEST_ROUNDS, Result, compare, limited
from bench.raster import FROM_ABOVE_M, PIXEL_M, Written, scene
from bench.segmenting import WORKERS, Notes, Recorder, from_the_beginning, memory_of, segmented
from sensing.segment.executors import PROCESSES, Hands, hands
from sensing.segment.model import Segmentation

SIDE_PX = 8192
NAMES = {PIXEL_M: "default segmentation 8192, from the air", FROM_ABOVE_M: "default segmentation 8192, with clouds"}
PEER = "plain windowed read of the same file, two processes"
TARGET = 0.13
RESUMED = "resume after kill at 50 %"
WHOLE = "the same run from the beginning"
# A resumed run costs at most 0.6 of a whole one.
RESUMED_TARGET = round(1 / 0.6, 4)
SIDES_PX = (4096, 8192, 16384)
MOST_BYTES = 1 << 30
TILE_PX, CACHE_BYTES = 2048, 256 << 20
# The scene is of one date, from above its pixels are large, and nothing burns in bands like these: what cannot be seen
# so is not looked for.
CANNOT = {"cannot.one_date", "cannot.coarse", "cannot.not_shown", "cannot.no_heat"}


def rows(rounds: int) -> list[Result]:
    """Speed, resuming, memory; a scene takes long enough for the fewest rounds that the rule allows."""
    few = min(rounds, FEWEST_ROUNDS)
    with ExitStack() as stack:
        crew = stack.enter_context(hands(PROCESSES, workers=WORKERS))
        readers = stack.enter_context(ProcessPoolExecutor(WORKERS, get_context("spawn")))
        speed = [_speed(scene(SIDE_PX, pixel_m), name, (crew, readers), few) for pixel_m, name in NAMES.items()]
        resumed = _resumed(scene(SIDE_PX), crew, few)
    return [*speed, resumed, *map(_memory, SIDES_PX)]


def _speed(shown: Written, name: str, workers: tuple[Hands, ProcessPoolExecutor], rounds: int) -> Result:
    crew, readers = workers
    return compare(
        name,
        PEER,
        lambda: _looked_at(from_the_beginning(shown, crew)),
        lambda: _read(shown.path, readers),
        # The peer finds nothing; what both can say is of how many pixels they know.
        same=lambda ours, peer: ours == peer == SIDE_PX**2,
        target=TARGET,
        rounds=rounds,
    )


def _looked_at(found: Segmentation) -> int:
    """Of how many pixels a pass says something; raises RuntimeError unless it looked for every kind."""
    if {why.key for why in found.refused.values()} - CANNOT or not found.candidates:
        raise RuntimeError(f"the engine did not look for everything: {dict(found.refused)}")
    return sum(found.tally.pixels.values())


def _resumed(shown: Written, crew: Hands, rounds: int) -> Result:
    done = Recorder()
    with tempfile.TemporaryDirectory(dir=shown.path.parent) as folder:
        kept = Path(folder)
        segmented(shown, crew, kept, done)
        half = Notes(half=True, held=done.held)
        return compare(
            RESUMED,
            WHOLE,
            lambda: segmented(shown, crew, kept, half).labels_sha256,
            lambda: from_the_beginning(shown, crew).labels_sha256,
            same=lambda ours, peer: ours == peer,
            target=RESUMED_TARGET,
            rounds=rounds,
        )


def _memory(side_px: int) -> Result:
    taken = memory_of(scene(side_px)).worker
    return limited(f"peak memory of a worker, {side_px} px square", "a limit of 1 GiB", taken / 1e6, MOST_BYTES / 1e6)


def _read(path: Path, readers: ProcessPoolExecutor) -> int:
    tops = [range(first, SIDE_PX, WORKERS * TILE_PX) for first in range(0, WORKERS * TILE_PX, TILE_PX)]
    task: Callable[[str, list[int]], int] = read_rows
    return sum(readers.map(task, [str(path)] * WORKERS, [list(one) for one in tops]))


def read_rows(path: str, tops: list[int]) -> int:
    """Read all windows of some rows of windows; how many pixels they held."""
    seen = 0
    with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES), rasterio.open(path) as source:
        for top in tops:
            for left in range(0, source.width, TILE_PX):
                seen += source.read(window=Window(left, top, TILE_PX, TILE_PX))[0].size
    return seen
