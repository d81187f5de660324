"""Studies that wait for their answer: how one is carried out; what all jobs share is in schemas.store.jobs."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import delete
from sqlalchemy.orm import Session

from geo.coverage.gathering import Held, KeptViews, asking_of
from geo.coverage.study import Result, Shape, answer
from schemas.store.copying import Record, copy_in
from schemas.store.jobs import Claim, Jobs, Progress, Sessions
from schemas.tables import CoverageStudy, StudyShape

# Whoever works on a study says so more often than this; then somebody else takes it up.
SILENT_S = 60
STUDIES = Jobs(CoverageStudy, SILENT_S)


@dataclass(frozen=True)
class House:
    """What a study is answered with: reading and committing sessions, models of height, and the local time."""

    reading: Sessions
    housekeeping: Sessions
    terrain: Path | None = None
    zone: str = "UTC"
    surface: Path | None = None


def carry_out(house: House, taken: Claim, progress: Progress) -> None:
    """Answer a study that was taken on, and write down what came out; raises RuleViolation where it has no answer."""
    kept = KeptViews(house.housekeeping)
    with house.reading() as session:
        study = session.get(CoverageStudy, taken.job_id)
        if study is None:
            return
        held = Held(house.terrain, house.surface, kept)
        asking = asking_of(session, study, zone=house.zone, held=held)
    result = answer(asking, progress)
    with house.housekeeping() as session:
        study = STUDIES.end(session, taken)
        if study is not None:
            study.result = result.told
            _keep(session, taken.job_id, result)
    kept.forget()


def _keep(session: Session, study_id: uuid.UUID, result: Result) -> None:
    """The shapes of an answer, in the place of those before."""
    session.flush()
    session.execute(delete(StudyShape).where(StudyShape.study_id == study_id))
    copy_in(session, _rows(study_id, result.shapes))


def _rows(study_id: uuid.UUID, shapes: Iterable[Shape]) -> Iterable[Record]:
    for ordinal, one in enumerate(shapes, 1):
        values = {"kind": one.kind, "times": one.times, "area_m2": one.area_m2, "weight": one.weight, "geom": one.geom}
        yield Record(StudyShape, {"study_id": study_id, "ordinal": ordinal, **values})
