"""One pass of the engine over a generated scene with everything that work consists of, and the memory that it takes."""

from __future__ import annotations

import multiprocessing
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

from bench.raster import Layers, Written
from sensing.bands import Role
from sensing.context import Context, Place
from sensing.picture import open_picture
from sensing.segment.executors import PROCESSES, Answer, Hands, Run, hands
from sensing.segment.learned import Learned
from sensing.segment.manifest import Outcome
from sensing.segment.model import Job, Segmentation
from sensing.segment.spectral import Spectral

WORKERS = 2
BANDS = (Role.RED, Role.GREEN, Role.BLUE, Role.NIR)
DAY = date(2025, 7, 1)
KEY = "b" * 64
_PEAK = "peak_bytes"


@dataclass
class Notes:
    """What of a run is done, as the database keeps it; with `half`, what was done when half of it was."""

    half: bool = False
    held: list[Outcome] = field(default_factory=list)

    def recall(self, key: str) -> Sequence[Outcome]:
        """The bands that are done."""
        return self.held[: len(self.held) // 2] if self.half else self.held

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


def from_the_beginning(
    scene: Written, crew: Hands, engine: Spectral | None = None, learned: Learned | None = None
) -> Segmentation:
    """A whole pass, of which nothing stays on the disk."""
    folder = Path(tempfile.mkdtemp(dir=scene.path.parent))
    try:
        return segmented(scene, crew, folder, Notes(), engine=engine, learned=learned)
    finally:
        shutil.rmtree(folder)


def segmented(
    scene: Written,
    crew: Hands,
    folder: Path,
    notes: Notes,
    *,
    engine: Spectral | None = None,
    learned: Learned | None = None,
) -> Segmentation:
    """A pass in a folder that may hold some of it already; raises RuntimeError where some of it failed."""
    with open_picture(scene.path, BANDS) as picture:
        job = Job(
            picture,
            None,
            _context(scene.layers),
            DAY,
            folder,
            KEY,
            zones=scene.layers.homes,
            jurisdiction=[scene.layers.jurisdiction],
            learned=learned,
            hands=crew,
            memory=notes,
        )
        found = (engine or Spectral()).segment(job, lambda _share: None)
    if found.failed:
        raise RuntimeError(f"bands failed: {dict(found.failed)}")
    return found


def _context(layers: Layers) -> Context:
    return Context(
        [
            Place("water", "CF-1", "River", layers.water),
            Place("protected", "CF-2", "Protected zone", layers.protected),
            Place("farmland", "CF-3", "Fields", layers.farmland),
            Place("permits", "CF-4", "Building site", layers.sites, kind="construction"),
        ]
    )


@dataclass(frozen=True)
class Memory:
    """The most memory that the processes of one pass ever had, in bytes: whoever leads, and the largest worker."""

    leader: int
    worker: int

    @property
    def together(self) -> int:
        """No more than this was ever taken at once."""
        return self.leader + WORKERS * self.worker


def memory_of(scene: Written, engine: Spectral | None = None, learned: Learned | None = None) -> Memory:
    """The memory that a pass takes, in processes that do nothing else."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as apart:
        return apart.submit(_measured, scene, engine, learned).result()


def _measured(scene: Written, engine: Spectral | None, learned: Learned | None) -> Memory:
    with hands(PROCESSES, workers=WORKERS) as crew:
        watched = _Watched(crew)
        from_the_beginning(scene, watched, engine, learned)
    return Memory(peak_bytes(), watched.peak)


class _Watched:
    """Hands of which it is known how much memory they took (implements `Hands`)."""

    def __init__(self, crew: Hands) -> None:
        self._crew = crew
        self.peak = 0

    def map(self, run: Run, jobs: Iterable[Mapping[str, Any]]) -> Iterator[Answer]:
        """As `Hands.map`."""
        for job, answer in self._crew.map(partial(_telling, run), jobs):
            if not isinstance(answer, Exception):
                self.peak = max(self.peak, answer[_PEAK])
            yield job, answer


def _telling(run: Run, job: dict[str, Any]) -> dict[str, Any]:
    return {**run(job), _PEAK: peak_bytes()}


def peak_bytes() -> int:
    """The most memory that this process ever had. What it began as, before it loaded its program, does not count."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM:"))
