"""The default segmentation of a whole scene in two processes, end to end, against reading it in two processes.

Ours surveys the scene, looks at every pixel for all kinds, finds and examines every area, draws the findings and
writes labels, confidence and coverage. The peer reads the same windows of the same file and does nothing with them:
the least that any answer about the pixels costs. Both have their two processes running before they are timed.

Resuming is measured against the same run from the beginning: half of the bands are done and remembered, as they are
after a kill, and their files are verified before they are believed.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import rasterio
from rasterio.windows import Window

from bench.measure import FEWEST_ROUNDS, Result, compare
from bench.raster import Layers, write_scene
from sensing.bands import Role
from sensing.context import Context, Place
from sensing.picture import open_picture
from sensing.segment.executors import PROCESSES, Hands, hands
from sensing.segment.manifest import Outcome
from sensing.segment.model import Job, Segmentation
from sensing.segment.spectral import Spectral

SIDE_PX = 8192
WORKERS = 2
NAME = "default segmentation 8192"
PEER = "plain windowed read of the same file, two processes"
TARGET = 0.13
RESUMED = "resume after kill at 50 %"
WHOLE = "the same run from the beginning"
# A resumed run costs at most 0.6 of a whole one.
RESUMED_TARGET = round(1 / 0.6, 4)
TILE_PX = 2048
CACHE_BYTES = 256 << 20
BANDS = (Role.RED, Role.GREEN, Role.BLUE, Role.NIR)
# The scene is of one date; what only a change can show is not looked for.
NEEDS_A_PAIR = {"vegetation_loss"}
KEY = "b" * 64


@dataclass
class Notes:
    """What of a run is done, as the database keeps it; `half` gives only every other band."""

    half: bool = False
    held: list[Outcome] = field(default_factory=list)

    def recall(self, key: str) -> Sequence[Outcome]:
        """The bands that are done."""
        return [one for one in self.held if not self.half or one.number % 2 == 0]

    def keep(self, key: str, outcome: Outcome) -> None:
        """Nothing: each run of the bench begins where it is told to."""


class Recorder(Notes):
    """Keeps what a run does."""

    def recall(self, key: str) -> Sequence[Outcome]:
        """Nothing is done yet."""
        return ()

    def keep(self, key: str, outcome: Outcome) -> None:
        """One more band."""
        self.held.append(outcome)


def rows(rounds: int) -> list[Result]:
    """Two rows; a scene takes long enough for the fewest rounds that the rule allows."""
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        scene = Path(directory) / "scene.tif"
        context = _context(write_scene(scene, SIDE_PX))
        crew = stack.enter_context(hands(PROCESSES, workers=WORKERS))
        readers = stack.enter_context(ProcessPoolExecutor(WORKERS, get_context("spawn")))
        few = min(rounds, FEWEST_ROUNDS)
        whole = compare(
            NAME,
            PEER,
            lambda: _from_the_beginning(scene, context, crew).analysed_px,
            lambda: _read(scene, readers),
            # The peer finds nothing; what both can say is how many pixels they looked at.
            same=lambda ours, peer: ours == peer == SIDE_PX**2,
            target=TARGET,
            rounds=few,
        )
        return [whole, _resumed(scene, context, crew, few)]


def _resumed(scene: Path, context: Context, crew: Hands, rounds: int) -> Result:
    done = Recorder()
    kept = Path(tempfile.mkdtemp(dir=scene.parent))
    _segmented(scene, context, crew, kept, done)
    half = Notes(half=True, held=done.held)
    return compare(
        RESUMED,
        WHOLE,
        lambda: _segmented(scene, context, crew, kept, half).labels_sha256,
        lambda: _from_the_beginning(scene, context, crew).labels_sha256,
        same=lambda ours, peer: ours == peer,
        target=RESUMED_TARGET,
        rounds=rounds,
    )


def _context(layers: Layers) -> Context:
    return Context(
        [
            Place("water", "CF-1", "River", layers.water),
            Place("protected", "CF-2", "Protected zone", layers.protected),
        ]
    )


def _from_the_beginning(scene: Path, context: Context, crew: Hands) -> Segmentation:
    folder = Path(tempfile.mkdtemp(dir=scene.parent))
    try:
        return _segmented(scene, context, crew, folder, Notes())
    finally:
        shutil.rmtree(folder)


def _segmented(scene: Path, context: Context, crew: Hands, folder: Path, notes: Notes) -> Segmentation:
    with open_picture(scene, BANDS) as picture:
        job = Job(picture, None, context, None, folder, KEY, tile_px=TILE_PX, hands=crew, memory=notes)
        found = Spectral().segment(job, lambda _share: None)
    if found.refused.keys() - NEEDS_A_PAIR or found.failed or not found.candidates:
        raise RuntimeError(f"the engine did not look for everything: {dict(found.refused)}, {dict(found.failed)}")
    return found


def _read(scene: Path, readers: ProcessPoolExecutor) -> int:
    tops = [range(first, SIDE_PX, WORKERS * TILE_PX) for first in range(0, WORKERS * TILE_PX, TILE_PX)]
    task: Callable[[str, list[int]], int] = read_rows
    return sum(readers.map(task, [str(scene)] * WORKERS, [list(one) for one in tops]))


def read_rows(path: str, tops: list[int]) -> int:
    """Read all windows of some rows of windows; how many pixels they held."""
    seen = 0
    with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES), rasterio.open(path) as source:
        for top in tops:
            for left in range(0, source.width, TILE_PX):
                seen += source.read(window=Window(left, top, TILE_PX, TILE_PX))[0].size
    return seen
