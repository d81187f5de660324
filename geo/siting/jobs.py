"""Runs of siting that wait for their answer: how one is carried out; what all jobs share is in schemas.store.jobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from geoalchemy2.shape import to_shape
from sqlalchemy.orm import Session

from geo.coverage.gathering import Held, KeptViews
from geo.coverage.jobs import SILENT_S
from geo.siting.asked import SitingAsked
from geo.siting.child import solve_apart
from geo.siting.found import Found, Site
from geo.siting.inputs import Inputs
from geo.siting.patrols import PatrolInputs
from geo.siting.reading import Asking, authority_names, check_site, item_names, read_question
from geo.siting.telling import Checked, Facts, Laws, told
from schemas.rules import Rulebook
from schemas.store.jobs import Claim, Jobs, Progress, Sessions
from schemas.store.overlays import switched_on
from schemas.tables import SitingRun

RUNS = Jobs(SitingRun, SILENT_S)
_READ = 0.2
Solver = Callable[[Inputs | PatrolInputs, Progress], Found]


@dataclass(frozen=True)
class House:
    """What a run is carried out with: reading and committing sessions, the law, the time, and models of height."""

    reading: Sessions
    housekeeping: Sessions
    rulebook: Rulebook
    now: Callable[[], datetime]
    terrain: Path | None
    solver: Solver = solve_apart
    surface: Path | None = None


def carry_out(house: House, taken: Claim, progress: Progress = lambda _: None) -> None:
    """Answer a run that was taken on; raises RuleViolation where it has no answer, and whatever `progress` raises."""
    with house.reading() as session:
        run = session.get(SitingRun, taken.job_id)
        if run is None:
            return
        asked, asking = SitingAsked.of_json(run.question), _asking(session, run, house)
        given = read_question(session, run, asking, lambda share: progress(_READ * share))
        study = dict(run.study.result or {}, hour=run.study.question.get("hour"))
    # No transaction stays open while the solver works.
    found = house.solver(given, lambda share: progress(_READ + (1 - _READ) * share))
    with house.reading() as session:
        result = _told(session, asked, found, asking, study)
    with house.housekeeping() as session:
        ended = RUNS.end(session, taken)
        if ended is not None:
            ended.result = result


def _told(
    session: Session, asked: SitingAsked, found: Found, asking: Asking, study: Mapping[str, Any]
) -> dict[str, Any]:
    """The document of an answer; `study` is the answer of the study whose devices it counts with, and its hour."""
    assumed, masts = (int(study.get(name) or 0) for name in ("assumed", "masts_assumed"))
    known: dict[Site, Checked] = {}

    def check(site: Site) -> Checked:
        # Answers of a front share most of their sites; what each adds says nothing about the registry.
        alone = replace(site, adds=0.0)
        if alone not in known:
            known[alone] = check_site(session, site, asked.view.device_type, asking)
        return known[alone]

    answers = [found.sites, *(point.sites for point in found.front)]
    checked, *front = [[check(site) for site in sites] for sites in answers]
    names = authority_names(session, sorted({site.authority for sites in answers for site in sites if site.authority}))
    item = item_names(session, found.item) if found.item else {}
    laws = Laws(asking.pack["duplicate.coverage_ratio"])
    return told(asked, found, Facts(checked, laws, names, front, item, assumed, masts, study.get("hour")))


def _asking(session: Session, run: SitingRun, house: House) -> Asking:
    """The rules are those under which a plan of the authority would be judged now."""
    now, authority = house.now(), run.study.authority
    pack = house.rulebook.at_place(to_shape(authority.jurisdiction), now)
    pack = house.rulebook.with_overlays(pack, switched_on(session, authority.id), pack.local_date(now))
    return Asking(pack, now, Held(house.terrain, house.surface, KeptViews(house.housekeeping)))
