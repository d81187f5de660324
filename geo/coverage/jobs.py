"""Studies that wait for their answer: taken on, carried out, told how far they are, taken up again after a crash."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import delete, func, or_, select, text
from sqlalchemy.orm import Session

from geo.coverage.gathering import KeptViews, asking_of
from geo.coverage.study import Result, Shape, answer
from schemas.refusals import LANGUAGES, Refusal, RuleViolation
from schemas.store.copying import Record, copy_in
from schemas.tables import CoverageStudy, StudyShape

WAITING, WORKING, DONE, FAILED = "waiting", "working", "done", "failed"
# Whoever works on a study says so more often than this; then somebody else takes it up.
SILENT_S = 60

Sessions = Callable[[], AbstractContextManager[Session]]
Progress = Callable[[float], None]


def take_next(sessions: Sessions, study_id: uuid.UUID | None = None) -> uuid.UUID | None:
    """Take on the oldest study that waits, or that whoever worked on it left; with `study_id` that one or none."""
    with sessions() as session:
        left = CoverageStudy.beat_at < func.clock_timestamp() - text(f"interval '{SILENT_S} seconds'")
        free = or_(CoverageStudy.stage == WAITING, (CoverageStudy.stage == WORKING) & left)
        oldest = select(CoverageStudy).where(free).order_by(CoverageStudy.recorded_at).limit(1)
        if study_id is not None:
            oldest = oldest.where(CoverageStudy.id == study_id)
        study = session.scalars(oldest.with_for_update(skip_locked=True)).one_or_none()
        if study is None:
            return None
        study.stage, study.share, study.beat_at = WORKING, 0.0, _now(session)
        return study.id


@dataclass(frozen=True)
class House:
    """What a study is answered with: reading and committing sessions, the elevation model, and the local time."""

    reading: Sessions
    housekeeping: Sessions
    terrain: Path | None = None
    zone: str = "UTC"


def carry_out(house: House, study_id: uuid.UUID, progress: Progress) -> None:
    """Answer a study that was taken on, and write down what came out; a refusal ends it and is kept."""
    kept = KeptViews(house.housekeeping)
    try:
        with house.reading() as session:
            study = session.get(CoverageStudy, study_id)
            if study is None:
                return
            asking = asking_of(session, study, zone=house.zone, terrain=house.terrain, kept=kept)
        result = answer(asking, progress)
    except RuleViolation as refused:
        fail(house.housekeeping, study_id, refused.refusals)
        return
    with house.housekeeping() as session:
        if end(session, study_id, DONE, result.told):
            _keep(session, study_id, result)
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


def tell(sessions: Sessions, study_id: uuid.UUID, share: float) -> None:
    """Write down how far a study is."""
    with sessions() as session:
        study = _held(session, study_id)
        if study is not None:
            study.share, study.beat_at = min(max(share, 0.0), 1.0), _now(session)


def give_back(sessions: Sessions, study_id: uuid.UUID) -> None:
    """Leave a study to whoever comes next."""
    with sessions() as session:
        study = _held(session, study_id)
        if study is not None:
            study.stage, study.share, study.beat_at = WAITING, 0.0, None


def fail(sessions: Sessions, study_id: uuid.UUID, refusals: Sequence[Refusal]) -> None:
    """End a study with what refused it, in words."""
    told = {lang: [refusal.render(lang) for refusal in refusals] for lang in LANGUAGES}
    with sessions() as session:
        end(session, study_id, FAILED, told)


def end(session: Session, study_id: uuid.UUID, stage: str, result: dict[str, Any]) -> bool:
    """Write down the answer, or the refusal; False where nobody waits for it any more."""
    study = _held(session, study_id)
    if study is None:
        return False
    study.stage, study.share, study.ended_at, study.result = stage, 1.0, _now(session), result
    return True


def _held(session: Session, study_id: uuid.UUID) -> CoverageStudy | None:
    """The study, locked, where it is being worked on; it may have been removed meanwhile."""
    held = select(CoverageStudy).where(CoverageStudy.id == study_id, CoverageStudy.stage == WORKING)
    return session.scalars(held.with_for_update()).one_or_none()


def _now(session: Session) -> datetime | None:
    """The database's clock."""
    return session.scalar(select(func.clock_timestamp()))
