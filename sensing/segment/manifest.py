"""Touches the disk: the work on a scene as a list of row bands; each is done, checked and remembered by itself.

A band is the unit of work, of retry and of what survives a kill. Its file is believed only when its hash is the one
that was remembered, and a band that nobody gets done is failed in the coverage map, never clean.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sensing.grid import BLOCK
from sensing.segment.executors import Done, Hands, Run

MOST_ATTEMPTS = 3
_REASON_LENGTH = 200
_CHUNK = 1 << 20


@dataclass(frozen=True)
class Outcome:
    """What became of a band: the hash of its file and its counters, or why there is none."""

    number: int
    attempts: int
    sha256: str | None = None
    counters: Mapping[str, Any] | None = None
    reason: str | None = None


class Memory(Protocol):
    """What keeps the outcomes of bands over the end of a process."""

    def recall(self, key: str) -> Sequence[Outcome]:
        """The outcomes of the bands of a manifest so far."""
        ...

    def keep(self, key: str, outcome: Outcome) -> None:
        """Write down one outcome; it is safe when this returns."""
        ...


class Forgetful:
    """Remembers nothing."""

    def recall(self, key: str) -> Sequence[Outcome]:
        """Nothing."""
        return ()

    def keep(self, key: str, outcome: Outcome) -> None:
        """Nothing is kept."""


@dataclass(frozen=True)
class Manifest:
    """All bands of one pass, as jobs for `run_band`: what they share, and how the rows are parted.

    `key` is the hash of everything that decides what is in the files of the bands, `sha256_of` the hash of those of
    one band, None where they are not there.
    """

    key: str
    folder: Path
    rows: int
    band_px: int
    shared: Mapping[str, Any]
    sha256_of: Callable[[Path], str | None]

    def __post_init__(self) -> None:
        if self.band_px <= 0 or self.band_px % BLOCK:
            raise ValueError(f"a band is whole blocks of {BLOCK} rows high, not {self.band_px}")

    def __len__(self) -> int:
        return -(-self.rows // self.band_px)

    def path(self, number: int) -> Path:
        """Where the file of a band lies once it is done."""
        return self.folder / f"band_{number:04d}.tif"

    def span(self, number: int) -> tuple[int, int]:
        """The first row of a band and its height."""
        top = number * self.band_px
        return top, min(self.band_px, self.rows - top)

    def job(self, number: int) -> dict[str, Any]:
        """The job of one band."""
        top, height = self.span(number)
        return {
            **self.shared,
            "number": number,
            "top": top,
            "height": height,
            "band_px": self.band_px,
            "output": str(self.path(number)),
        }


def work_through(
    manifest: Manifest, run: Run, hands: Hands, memory: Memory, progress: Callable[[float], None]
) -> dict[int, Outcome]:
    """Get all bands done that are not done yet; the outcome of every band by its number.

    What fails is tried again by itself, so that a band that kills its worker takes no other with it.
    """
    outcomes = {one.number: one for one in memory.recall(manifest.key) if _is_there(manifest, one)}
    left = [number for number in range(len(manifest)) if number not in outcomes]
    progress(len(outcomes) / len(manifest))
    for outcome in _attempts(manifest, left, run, hands):
        memory.keep(manifest.key, outcome)
        outcomes[outcome.number] = outcome
        progress(len(outcomes) / len(manifest))
    return outcomes


def _attempts(manifest: Manifest, left: Sequence[int], run: Run, hands: Hands) -> Iterator[Outcome]:
    again: list[int] = []
    for job, answer in hands.map(run, [manifest.job(number) for number in left]):
        if isinstance(answer, Exception):
            again.append(job["number"])
        else:
            yield _done(job["number"], 1, answer)
    for number in sorted(again):
        yield _alone(manifest, number, run, hands)


def _alone(manifest: Manifest, number: int, run: Run, hands: Hands) -> Outcome:
    reason = ""
    for attempt in range(2, MOST_ATTEMPTS + 1):
        for _, answer in hands.map(run, [manifest.job(number)]):
            if not isinstance(answer, Exception):
                return _done(number, attempt, answer)
            reason = f"{type(answer).__name__}: {answer}"[:_REASON_LENGTH]
    return Outcome(number, MOST_ATTEMPTS, reason=reason)


def _done(number: int, attempts: int, answer: Done) -> Outcome:
    return Outcome(number, attempts, answer["sha256"], answer["counters"])


def _is_there(manifest: Manifest, outcome: Outcome) -> bool:
    known = outcome.sha256 is not None and 0 <= outcome.number < len(manifest)
    return known and manifest.sha256_of(manifest.path(outcome.number)) == outcome.sha256


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as reader:
        while chunk := reader.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
