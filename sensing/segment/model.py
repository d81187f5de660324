"""What goes into an engine and what comes out, whichever engine it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol

import shapely

from sensing.context import Context
from sensing.picture import Picture
from sensing.words import Sentence

Progress = Callable[[float], None]


@dataclass(frozen=True)
class Job:
    """One scene to look at, perhaps with an earlier one of the same place, and what is known about the place.

    `workdir` is private to the job and emptied by its owner; `tile_px` is the size of a window and changes no
    result.
    """

    after: Picture
    before: Picture | None
    context: Context
    on: date | None
    workdir: Path
    tile_px: int = 1024


@dataclass(frozen=True)
class Candidate:
    """An area of the ground that looks like `kind`; EPSG:4326.

    `measures` are the numbers that decided, `trace` says in words what was seen, `alternative` is another
    engine's outline of the same thing.
    """

    kind: str
    geom: shapely.Polygon
    area_m2: float
    score: float
    measures: Mapping[str, float]
    trace: tuple[Sentence, ...]
    alternative: shapely.Polygon | None = None


@dataclass(frozen=True)
class Segmentation:
    """Everything that an engine saw in one scene, and what it could not look for.

    `labels` is a raster of the numbers of kinds on the scene's analysis grid; `refused` names the kinds that
    could not be judged, each with the reason; `analysed_px` pixels of `pixel_m` metres were looked at;
    `shift_px` is how far (columns, rows) the earlier scene had to be moved.
    """

    candidates: tuple[Candidate, ...]
    refused: Mapping[str, Sentence]
    labels: Path
    labels_sha256: str
    parameters_sha256: str
    analysed_px: int
    pixel_m: float
    shift_px: tuple[float, float] = (0.0, 0.0)


class Segmenter(Protocol):
    """An engine: pixels in, candidates out. It proposes; it never decides."""

    name: str
    version: str

    def segment(self, job: Job, progress: Progress) -> Segmentation:
        """Look for every kind that the scene allows to be judged."""
        ...
