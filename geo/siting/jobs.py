"""Runs of siting that wait for their answer: taken on, carried out, told, and taken up again after a crash."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from geoalchemy2.shape import to_shape
from sqlalchemy import func, or_, select, text
from sqlalchemy.orm import Session

from geo.coverage.gathering import KeptViews
from geo.coverage.jobs import DONE, FAILED, SILENT_S, WAITING, WORKING, Progress, Sessions
from geo.siting.asked import SitingAsked
from geo.siting.child import solve_apart
from geo.siting.patrols import PatrolInputs
from geo.siting.reading import Asking, authority_names, check_site, read_question
from geo.siting.solve import Found, Inputs
from geo.siting.telling import Facts, Laws, told
from schemas.refusals import LANGUAGES, Refusal, RuleViolation
from schemas.rules import Rulebook
from schemas.store.overlays import switched_on
from schemas.tables import SitingRun

_READ = 0.2
Solver = Callable[[Inputs | PatrolInputs, Progress], Found]


@dataclass(frozen=True)
class House:
    """What a run is carried out with: reading and committing sessions, the law, the time, and the elevation model."""

    reading: Sessions
    housekeeping: Sessions
    rulebook: Rulebook
    now: Callable[[], datetime]
    terrain: Path | None
    solver: Solver = solve_apart


def take_next(sessions: Sessions, run_id: uuid.UUID | None = None) -> uuid.UUID | None:
    """Take on the oldest run that waits, or that whoever worked on it left; with `run_id` that one or none."""
    with sessions() as session:
        left = SitingRun.beat_at < func.clock_timestamp() - text(f"interval '{SILENT_S} seconds'")
        free = or_(SitingRun.stage == WAITING, (SitingRun.stage == WORKING) & left)
        oldest = select(SitingRun).where(free).order_by(SitingRun.recorded_at).limit(1)
        if run_id is not None:
            oldest = oldest.where(SitingRun.id == run_id)
        run = session.scalars(oldest.with_for_update(skip_locked=True)).one_or_none()
        if run is None:
            return None
        run.stage, run.share, run.beat_at = WORKING, 0.0, _now(session)
        return run.id


def tell(sessions: Sessions, run_id: uuid.UUID, share: float) -> None:
    """Write down how far a run is."""
    with sessions() as session:
        run = _held(session, run_id)
        if run is not None:
            run.share, run.beat_at = min(max(share, 0.0), 1.0), _now(session)


def give_back(sessions: Sessions, run_id: uuid.UUID) -> None:
    """Leave a run to whoever comes next."""
    with sessions() as session:
        run = _held(session, run_id)
        if run is not None:
            run.stage, run.share, run.beat_at = WAITING, 0.0, None


def fail(sessions: Sessions, run_id: uuid.UUID, refusals: Sequence[Refusal]) -> None:
    """End a run with what refused it, in words."""
    _end(sessions, run_id, FAILED, {lang: [refusal.render(lang) for refusal in refusals] for lang in LANGUAGES})


def carry_out(house: House, run_id: uuid.UUID, progress: Progress = lambda _: None) -> None:
    """Answer a run that was taken on; a refusal ends it and is kept. What `progress` raises ends the work."""
    try:
        with house.reading() as session:
            run = session.get_one(SitingRun, run_id)
            asked, asking = SitingAsked.of_json(run.question), _asking(session, run, house)
            given = read_question(session, run, asking, lambda share: progress(_READ * share))
        # No transaction stays open while the solver works.
        found = house.solver(given, lambda share: progress(_READ + (1 - _READ) * share))
        with house.reading() as session:
            result = _told(session, asked, found, asking)
    except RuleViolation as refused:
        fail(house.housekeeping, run_id, refused.refusals)
    else:
        _end(house.housekeeping, run_id, DONE, result)


def _told(session: Session, asked: SitingAsked, found: Found, asking: Asking) -> dict[str, Any]:
    checked = [check_site(session, site, asked.view.device_type, asking) for site in found.sites]
    names = authority_names(session, sorted({site.authority for site in found.sites if site.authority}))
    return told(asked, found, Facts(checked, Laws(asking.pack["duplicate.coverage_ratio"]), names))


def _asking(session: Session, run: SitingRun, house: House) -> Asking:
    """The rules are those under which a plan of the authority would be judged now."""
    now, authority = house.now(), run.study.authority
    pack = house.rulebook.at_place(to_shape(authority.jurisdiction), now)
    pack = house.rulebook.with_overlays(pack, switched_on(session, authority.id), pack.local_date(now))
    return Asking(pack, now, house.terrain, KeptViews(house.housekeeping))


def _end(sessions: Sessions, run_id: uuid.UUID, stage: str, result: dict[str, Any]) -> None:
    with sessions() as session:
        run = _held(session, run_id)
        if run is not None:
            run.stage, run.share, run.ended_at, run.result = stage, 1.0, _now(session), result


def _held(session: Session, run_id: uuid.UUID) -> SitingRun | None:
    """The run, locked, where it is being worked on; it may have been removed meanwhile."""
    held = select(SitingRun).where(SitingRun.id == run_id, SitingRun.stage == WORKING)
    return session.scalars(held.with_for_update()).one_or_none()


def _now(session: Session) -> datetime | None:
    return session.scalar(select(func.clock_timestamp()))
