"""What goes into an engine and what comes out, whichever engine it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Protocol

import shapely
from shapely.geometry.base import BaseGeometry

from sensing.classified import Classified
from sensing.context import Context
from sensing.coverage import Cover, Tally
from sensing.picture import Picture
from sensing.segment.executors import Hands, Serial
from sensing.segment.learned import Learned
from sensing.segment.manifest import Forgetful, Memory
from sensing.words import Sentence

Progress = Callable[[float], None]

# Measures of a candidate that a model of officers' decisions ranked: the score that the engine gave, the one that the
# model gives, and the one that it would need to be a lead.
ENGINE, RANKED, NEEDED = "engine_score", "ranked_score", "ranked_least"
# The measure that says which share of a pair of scenes changed less than a candidate did.
CHANGE_RANK = "change_rank"


@dataclass(frozen=True)
class Job:
    """One scene to look at, perhaps with an earlier one of the same place, and what is known about the place.

    `workdir` is the job's alone, and what lies there from an earlier attempt at the same job, whose hash is `key`,
    is used. `zones` are the privacy zones that were burnt into the later scene, EPSG:4326, with everything around
    them; `jurisdiction` is the ground that may be looked at, all of it where it is None. `classes` are the bands of
    both scenes that hold their provider's own classes; `learned` is a pixel model that proposes too. Nothing below
    changes a result: the size of a window, the height of a band (whole blocks), who does the work, and what remembers
    what is done.
    """

    after: Picture
    before: Picture | None
    context: Context
    on: date | None
    workdir: Path
    key: str = ""
    zones: Sequence[BaseGeometry] = ()
    jurisdiction: Sequence[BaseGeometry] | None = None
    classes: tuple[Classified | None, Classified | None] = (None, None)
    learned: Learned | None = None
    tile_px: int = 1024
    band_px: int = 512
    hands: Hands = field(default_factory=Serial)
    memory: Memory = field(default_factory=Forgetful)


@dataclass(frozen=True)
class Candidate:
    """An area of the ground that looks like `kind`; EPSG:4326.

    `measures` are the numbers that decided, `trace` says in words what was seen, `alternative` is another
    engine's outline of the same thing, `window` where it lies in the masked copy (column, row, width, height).
    """

    kind: str
    geom: shapely.Polygon
    area_m2: float
    score: float
    measures: Mapping[str, float]
    trace: tuple[Sentence, ...]
    alternative: shapely.Polygon | None = None
    window: tuple[int, int, int, int] | None = None


@dataclass(frozen=True)
class Segmentation:
    """Everything that an engine saw in one scene, and what it could not look for.

    `labels` is a raster of the numbers of kinds on the scene's analysis grid, `coverage` one of the codes of what was
    looked at, and `tally` adds these up; `refused` names the kinds that could not be judged, each with the reason;
    `failed` are the bands that nobody got done, with what kept them; `shift_px` is how far (columns, rows) the earlier
    scene had to be moved, `fit` how well it then lay, `clouds` how they were looked for; `stretch_sha256` is the
    hash of the scene's yardsticks, by which its tones were levelled, `refinement` the SAM model that drew alternatives.
    """

    candidates: tuple[Candidate, ...]
    refused: Mapping[str, Sentence]
    labels: Path
    labels_sha256: str
    coverage: Path
    tally: Tally
    parameters_sha256: str
    bands: int
    failed: Mapping[int, str]
    shift_px: tuple[float, float] = (0.0, 0.0)
    fit: Mapping[str, Any] | None = None
    clouds: Mapping[str, Any] | None = None
    stretch_sha256: str | None = None
    refinement: Mapping[str, Any] | None = None

    @property
    def analysed_px(self) -> int:
        """How many pixels were looked at."""
        return self.tally.pixels.get(Cover.ANALYSED, 0)


class Segmenter(Protocol):
    """An engine: pixels in, candidates out. It proposes; it never decides."""

    name: str
    version: str

    @property
    def parameters_sha256(self) -> str:
        """SHA-256 of the numbers that decide, and of the models."""
        ...

    def segment(self, job: Job, progress: Progress) -> Segmentation:
        """Look for every kind that the scene allows to be judged."""
        ...
