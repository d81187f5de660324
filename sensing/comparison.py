"""Touches the disk: the findings of a stored scene against a file of ground truth, on the ground that was looked at."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.io import DatasetReader
from rasterio.windows import Window
from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.refusals import conflict
from schemas.tables import Derivative, Scene, SegmentationRun
from sensing import queries
from sensing.coverage import Cover
from sensing.evaluate import TOLERANCE_PX, Assessment, assess
from sensing.intake import Shelf
from sensing.mask import Mask
from sensing.metrics import Field
from sensing.picture import Picture, open_picture
from sensing.pipeline import source_of
from sensing.runs import rasters
from sensing.segment.detectors import KINDS
from sensing.truth import Reading, Truth, read_truth_file


@dataclass(frozen=True)
class Compared:
    """What a scene was compared with, and the outcome."""

    truth: Truth
    assessment: Assessment


def compare(
    session: Session,
    shelf: Shelf,
    scene_id: str,
    path: Path,
    *,
    reading: Reading | None = None,
    tolerance_m: float | None = None,
) -> Compared:
    """Compare all findings of a scene with ground truth; borders count as near within two pixels, or as asked.

    Raises RuleViolation `scene.not_analysed` for a scene that nobody looked at, and those of the truth file.
    """
    source = source_of(session, scene_id)
    runs = _runs(session, source.scene)
    if not runs:
        raise conflict("scene.not_analysed", measured=scene_id)
    findings = queries.findings(session, scene_id)
    truth = read_truth_file(path, shelf.quarantine, {*KINDS, *(one.kind for one in findings)}, reading)
    with ExitStack() as stack:
        picture = stack.enter_context(open_picture(shelf.derivatives.get(source.derivative.sha256), source.roles))
        covers = [stack.enter_context(_coverage(shelf, run)) for run in runs if run.coverage_sha256]
        # Runs from before there were coverage maps looked at everything that was measured.
        kept = covers if len(covers) == len(runs) else []
        ground = Field(picture.grid, _Looked(picture, [one for one in kept if one.shape == picture.dataset.shape]))
        near_m = TOLERANCE_PX * picture.gsd_m if tolerance_m is None else tolerance_m
        return Compared(truth, assess(ground, findings, truth.wanted, truth.silent, tolerance_m=near_m))


def _runs(session: Session, scene: Scene) -> Sequence[SegmentationRun]:
    runs = select(SegmentationRun).join(Derivative, Derivative.id == SegmentationRun.derivative_id)
    return session.scalars(runs.where(Derivative.scene_id == scene.id)).all()


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
