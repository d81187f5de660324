"""What a finding of images was made from, as recorded: files, window, fit of the dates, and hashes of the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from schemas.tables import Derivative, Detection, Scene, SegmentationRun
from sensing.coregister import Fit
from sensing.words import Sentence


@dataclass(frozen=True)
class Origin:
    """The chain from the originals to a finding.

    `window` is where it lies in the masked copy (column, row, width, height, in pixels), `fit` how the earlier date lay
    on the later one; both are None where there is none on record, as is the earlier pair for a scene by itself.
    """

    run: SegmentationRun
    scene: Scene
    copy: Derivative
    before: tuple[Scene, Derivative] | None
    window: tuple[int, int, int, int] | None
    fit: Fit | None
    fit_gsd_m: float | None
    models: Mapping[str, str]

    @property
    def fit_in_words(self) -> Sentence | None:
        """How far the earlier date was moved, and what remained."""
        return self.fit.in_words(self.fit_gsd_m) if self.fit is not None and self.fit_gsd_m is not None else None


def origin_of(session: Session, row: Detection) -> Origin:
    """What a finding of images was made from."""
    run = session.get_one(SegmentationRun, row.run_id)
    window, fit = row.provenance.get("window"), run.coregistration
    return Origin(
        run=run,
        scene=session.get_one(Scene, row.scene_id),
        copy=session.get_one(Derivative, run.derivative_id),
        before=_earlier(session, run),
        window=(window[0], window[1], window[2], window[3]) if window else None,
        fit=Fit.load(fit) if fit is not None else None,
        fit_gsd_m=fit["gsd_m"] if fit is not None else None,
        models=row.provenance.get("models") or {},
    )


def _earlier(session: Session, run: SegmentationRun) -> tuple[Scene, Derivative] | None:
    if run.before_derivative_id is None:
        return None
    copy = session.get_one(Derivative, run.before_derivative_id)
    return session.get_one(Scene, copy.scene_id), copy
