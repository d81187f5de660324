"""Touches the disk: the findings of a stored scene against a file of ground truth, on the ground that was looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from geoalchemy2.shape import to_shape
from rasterio.io import DatasetReader
from rasterio.windows import Window
from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.refusals import conflict
from schemas.tables import CandidateRecord, Derivative, Scene, SegmentationRun
from sensing import queries
from sensing.coverage import Cover
from sensing.evaluate import TOLERANCE_PX, Assessment, Outline, assess
from sensing.intake import Shelf
from sensing.mask import Mask
from sensing.metrics import Field
from sensing.picture import Picture, open_picture
from sensing.pipeline import source_of
from sensing.runs import rasters
from sensing.segment.detectors import KINDS
from sensing.truth import Reading, Truth, read_truth_file
from sensing.violations import NO_RULES

# What the law does not see in such a scene the engine may have looked for all the same.
_OF_THE_LAW = ("cannot.bands", "cannot.observed")


@dataclass(frozen=True)
class Unjudged:
    """True things of a kind that no pass over the scene could judge: how many, and why as a stored sentence."""

    count: int
    why: Any


@dataclass(frozen=True)
class Compared:
    """What a scene was compared with, and the outcome.

    `candidates` says that all that the engine saw was compared and not what the law made of it; `unjudged` are the
    kinds whose true things were left out.
    """

    truth: Truth
    assessment: Assessment
    candidates: bool = False
    unjudged: dict[str, Unjudged] = field(default_factory=dict)


def compare(  # noqa: PLR0913 - a comparison is asked for in many ways
    session: Session,
    shelf: Shelf,
    scene_id: str,
    path: Path,
    *,
    reading: Reading | None = None,
    tolerance_m: float | None = None,
    candidates: bool = False,
) -> Compared:
    """Compare all findings of a scene with ground truth; borders count as near within two pixels, or as asked.

    Where no rules were in force nothing could become a finding: then, or with `candidates`, all that the engine saw in
    the last pass is compared. Raises RuleViolation `scene.not_analysed` for a scene that nobody looked at,
    `truth.elsewhere` for truth that touches nothing that was looked at, and those of the truth file.
    """
    source = source_of(session, scene_id)
    runs = _runs(session, source.scene)
    if not runs:
        raise conflict("scene.not_analysed", measured=scene_id)
    if candidates or all(run.rules_sha256 == NO_RULES for run in runs):
        candidates, runs = True, runs[-1:]
    findings = _candidates(session, runs[-1]) if candidates else queries.findings(session, scene_id)
    truth = read_truth_file(path, shelf.quarantine, {*KINDS, *(one.kind for one in findings)}, reading)
    unjudged = _unjudged(runs, truth, candidates=candidates)
    wanted = [one for one in truth.wanted if one.kind not in unjudged]
    if not wanted and not truth.silent:
        raise conflict("truth.elsewhere", "truth.not_judged", measured=", ".join(sorted(unjudged)))
    with ExitStack() as stack:
        picture = stack.enter_context(open_picture(shelf.derivatives.get(source.derivative.sha256), source.roles))
        covers = [stack.enter_context(_coverage(shelf, run)) for run in runs if run.coverage_sha256]
        # Runs from before there were coverage maps looked at everything that was measured.
        kept = covers if len(covers) == len(runs) else []
        ground = Field(picture.grid, _Looked(picture, [one for one in kept if one.shape == picture.dataset.shape]))
        near_m = TOLERANCE_PX * picture.gsd_m if tolerance_m is None else tolerance_m
        found = assess(ground, findings, wanted, truth.silent, tolerance_m=near_m)
    _refuse_elsewhere(found, scene_id, truth.name)
    return Compared(truth, found, candidates, unjudged)


def _candidates(session: Session, run: SegmentationRun) -> list[Outline]:
    """All that the engine saw in a pass, whatever the law made of it."""
    query = select(CandidateRecord).where(CandidateRecord.run_id == run.id).order_by(CandidateRecord.ordinal)
    return [
        Outline(row.kind, to_shape(row.geom), f"{run.public_id}/{row.ordinal}", row.score)
        for row in session.scalars(query)
    ]


def _unjudged(runs: Sequence[SegmentationRun], truth: Truth, *, candidates: bool) -> dict[str, Unjudged]:
    """The kinds of the truth that every pass refused: what nobody could find was not missed."""
    counts = Counter(one.kind for one in truth.wanted)
    refused = {kind: run.refused_kinds[kind] for run in runs for kind in counts if kind in run.refused_kinds}
    never = {kind: why for kind, why in refused.items() if all(kind in run.refused_kinds for run in runs)}
    return {
        kind: Unjudged(counts[kind], why)
        for kind, why in never.items()
        if not (candidates and why["key"] in _OF_THE_LAW)
    }


def _refuse_elsewhere(found: Assessment, scene_id: str, name: str) -> None:
    """Raise RuleViolation where the truth says nothing of ground that was looked at: then nothing is a mistake."""
    if not found.tally.looked_m2:
        raise conflict("scene.not_analysed", "truth.no_ground", measured=scene_id)
    if not any(area_m2 > 0 for area_m2 in found.tally.area_m2[1].values()):
        raise conflict("truth.elsewhere", measured=name, required=scene_id)


def _runs(session: Session, scene: Scene) -> Sequence[SegmentationRun]:
    runs = select(SegmentationRun).join(Derivative, Derivative.id == SegmentationRun.derivative_id)
    return session.scalars(runs.where(Derivative.scene_id == scene.id).order_by(SegmentationRun.recorded_at)).all()


def _coverage(shelf: Shelf, run: SegmentationRun) -> DatasetReader:
    return rasterio.open(rasters(shelf.root).get(str(run.coverage_sha256)), driver="GTiff", sharing=False)


class _Looked:
    """Where any run looked: pixels of its coverage map that say so; all that was measured, where there is no map."""

    def __init__(self, picture: Picture, covers: Sequence[DatasetReader]) -> None:
        self._picture = picture
        self._covers = covers

    def __call__(self, window: Window) -> Mask:
        valid: Mask = np.asarray(self._picture.dataset.dataset_mask(window=window)) > 0
        if not self._covers:
            return valid
        looked = np.zeros_like(valid)
        for cover in self._covers:
            looked |= cover.read(1, window=window) == Cover.ANALYSED
        return valid & looked
