"""Jobs that wait as rows of a table: taken on, told how far they are, given back, ended, taken up again after a crash.

Whoever has such a table says only what one of its jobs means: it names the table as a `Jobs`, and hands `do_next`
what carries a job out. Bands of a segmentation are no such jobs: the process that asked for a scene deals them out to
hands of its own and waits for all of them, so nobody takes one, none waits for a worker, and what is done of them is
known by its content (sensing.segment.manifest).
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

import structlog
from sqlalchemy import func, or_, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from schemas.refusals import LANGUAGES, Refusal, RuleViolation, refuse
from schemas.tables import CoverageStudy, LearningJob, SitingRun

log = structlog.get_logger(__name__)
WAITING, WORKING, DONE, FAILED = "waiting", "working", "done", "failed"
OPEN = (WAITING, WORKING)
# Telling how far a job is costs a transaction; nobody looks more often.
_TELL_EVERY_S = 0.5

Sessions = Callable[[], AbstractContextManager[Session]]
Progress = Callable[[float], None]


class Interrupted(Exception):
    """The worker was told to stop; what it did not finish waits for the next one."""


class _Left(Exception):
    """Nobody waits for this work any more: it was stopped, removed with what it is about, or taken up by another."""


# The tables of jobs. Each says by `share` how much of a job is done, in [0, 1], by `beat_at` when whoever works on it
# last said so, and by `result` what came out, or by language what refused it.
Row = TypeVar("Row", CoverageStudy, SitingRun, LearningJob)


@dataclass(frozen=True)
class Claim:
    """One taking of a job: nobody speaks of the job under it when another has taken that up since."""

    job_id: uuid.UUID
    attempt: int


@dataclass(frozen=True)
class Jobs(Generic[Row]):
    """The jobs of one table, by the database's clock.

    Whoever works on a job says so more often than every `silent_s` seconds; then somebody else takes it up, and what
    the first one says of it later changes nothing. All `sessions` commit when they end.
    """

    table: type[Row]
    silent_s: int

    def do_next(
        self,
        sessions: Sessions,
        carry_out: Callable[[Claim, Progress], None],
        go_on: Progress,
        job_id: uuid.UUID | None = None,
    ) -> uuid.UUID | None:
        """Do the oldest job that is free, with `job_id` that one or none; the id of what was done.

        `carry_out` ends the job by `end`; what refuses it, or breaks, ends it too, and is kept in words. A job that is
        stopped, removed or taken up by another meanwhile is left as it is, soon after `carry_out` tells its next share.
        `go_on` hears every share, and raises Interrupted to stop. That, a pressed key and a database that is away give
        the job back to whoever comes next, and are raised.
        """
        taken = self.take_next(sessions, job_id)
        if taken is None:
            return None
        try:
            self._try(sessions, carry_out, taken, go_on)
        except (Interrupted, OperationalError, KeyboardInterrupt):
            self.give_back(sessions, taken)
            raise
        except Exception as error:
            # A job that breaks must not break the worker, which seals the ledger too.
            failed, job = f"{self.table.__tablename__}_failed", str(taken.job_id)
            log.exception(failed, job=job, error=type(error).__name__)
            self.fail(sessions, taken, [refuse("service.incident", "web.service_incident", incident=job[:8])])
        return taken.job_id

    def _try(
        self, sessions: Sessions, carry_out: Callable[[Claim, Progress], None], taken: Claim, go_on: Progress
    ) -> None:
        told_at = time.monotonic()

        def progress(share: float) -> None:
            nonlocal told_at
            go_on(share)
            if time.monotonic() >= told_at + _TELL_EVERY_S:
                if not self.tell(sessions, taken, share):
                    raise _Left
                told_at = time.monotonic()

        try:
            carry_out(taken, progress)
        except RuleViolation as refused:
            self.fail(sessions, taken, refused.refusals)
        except _Left:
            log.info(f"{self.table.__tablename__}_left", job=str(taken.job_id))

    def take_next(self, sessions: Sessions, job_id: uuid.UUID | None = None) -> Claim | None:
        """Take on the oldest job that waits, or that whoever worked on it left; with `job_id` that one or none."""
        table = self.table
        with sessions() as session:
            left = table.beat_at < func.clock_timestamp() - text(f"interval '{self.silent_s} seconds'")
            free = or_(table.stage == WAITING, (table.stage == WORKING) & left)
            oldest = select(table).where(free).order_by(table.recorded_at).limit(1)
            if job_id is not None:
                oldest = oldest.where(table.id == job_id)
            job = session.scalars(oldest.with_for_update(skip_locked=True)).one_or_none()
            if job is None:
                return None
            job.stage, job.share, job.beat_at, job.attempt = WORKING, 0.0, _now(session), job.attempt + 1
            return Claim(job.id, job.attempt)

    def tell(self, sessions: Sessions, taken: Claim, share: float) -> bool:
        """Write down how far a job is; False where nobody waits for it any more, or it is another's."""
        with sessions() as session:
            job = self._held(session, taken)
            if job is not None:
                job.share, job.beat_at = min(max(share, 0.0), 1.0), _now(session)
            return job is not None

    def give_back(self, sessions: Sessions, taken: Claim) -> None:
        """Leave a job to whoever comes next."""
        with sessions() as session:
            job = self._held(session, taken)
            if job is not None:
                job.stage, job.share, job.beat_at = WAITING, 0.0, None

    def fail(self, sessions: Sessions, taken: Claim, refusals: Sequence[Refusal]) -> None:
        """End a job with what refused it, in words."""
        told = {lang: [refusal.render(lang) for refusal in refusals] for lang in LANGUAGES}
        with sessions() as session:
            job = self._ended(session, taken, FAILED)
            if job is not None:
                job.result = told

    def end(self, session: Session, taken: Claim) -> Row | None:
        """The job, done, for whoever writes down what came out of it; None where it is no more the caller's to end."""
        return self._ended(session, taken, DONE)

    def _ended(self, session: Session, taken: Claim, stage: str) -> Row | None:
        job = self._held(session, taken)
        if job is not None:
            job.stage, job.share, job.ended_at = stage, 1.0, _now(session)
        return job

    def _held(self, session: Session, taken: Claim) -> Row | None:
        """The job, locked, where it is still worked on under this claim; it may have ended, or be another's by now."""
        table = self.table
        held = select(table).where(table.id == taken.job_id, table.stage == WORKING, table.attempt == taken.attempt)
        return session.scalars(held.with_for_update()).one_or_none()


def _now(session: Session) -> datetime | None:
    """The database's clock."""
    return session.scalar(select(func.clock_timestamp()))
