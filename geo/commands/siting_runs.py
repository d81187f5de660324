"""Commands on questions of siting: asked on a study, stopped, asked again, thrown away, and made a draft siting plan.

Whoever calls opens the study through `geo.commands.studies.opened`: those of other authorities are not there (404).
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shapely.geometry import Point
from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from geo.commands.siting import Case, NewPlan, NewSite, draft_plan
from geo.commands.studies import STUDIERS, opened
from geo.siting.asked import PATROL_HOURS, SitingAsked
from geo.siting.drafting import Argument, case_of
from geo.siting.reading import turned
from schemas.actors import Actor
from schemas.ids import new_id, public_id
from schemas.refusals import LANGUAGES, conflict, forbidden, invalid, not_found, refuse
from schemas.store.jobs import FAILED, OPEN, WAITING, WORKING
from schemas.store.work import Work
from schemas.tables import CoverageStudy, SitingPlan, SitingRun, SupervisionItem
from schemas.words import Coded

STOPPED = "siting.run_stopped"
# Where the document of a run says which answer of its front became the plan.
DRAFTED_POINT = "drafted_point"
# Somebody who knows the place writes another name over this one.
_NEAREST_ROAD = text(
    "SELECT name_en, name_zh FROM core.base_feature WHERE kind IN ('road', 'place') AND name_en IS NOT NULL"
    " AND geom && ST_Expand(ST_SetSRID(ST_Point(:lon, :lat), 4326), 0.02)"
    " ORDER BY geom <-> ST_SetSRID(ST_Point(:lon, :lat), 4326), public_id LIMIT 1"
)


def ask_run(work: Work, study: CoverageStudy, asked: SitingAsked) -> SitingRun:
    """Asks where devices or patrols help most on the ground of a study; a worker computes the answer."""
    _require(work.actor, study.authority_id)
    run = SitingRun(
        id=new_id(),
        public_id=public_id("SR"),
        study_id=study.id,
        study=study,
        person_id=work.actor.person_id,
        question=asked.as_json(),
        stage="waiting",
        share=0.0,
    )
    work.session.add(run)
    return _recorded(work, run, "ask", study=study.public_id, model=asked.model, demand=asked.demand)


def remove_run(work: Work, run: SitingRun) -> None:
    """Throws a question with its answer away; a plan that came of it stays. Raises (409) while it is worked on."""
    _require(work.actor, run.study.authority_id)
    work.session.refresh(run, with_for_update=True)
    if run.stage == WORKING:
        raise conflict("siting.run_under_way", "siting.run_under_way", measured=run.public_id)
    _recorded(work, run, "remove")
    work.session.execute(delete(SitingRun).where(SitingRun.id == run.id))
    work.session.expunge(run)


def stop_run(work: Work, run: SitingRun) -> None:
    """Ends a question before it has an answer; whoever works on it leaves it soon. Raises (409) where it is over."""
    _require(work.actor, run.study.authority_id)
    work.session.refresh(run, with_for_update=True)
    if run.stage not in OPEN:
        raise conflict("siting.run_over", "siting.run_over", measured=run.public_id)
    why = refuse(STOPPED, STOPPED, measured=run.public_id)
    run.stage, run.ended_at = FAILED, work.session.scalar(select(func.clock_timestamp()))
    run.result = {lang: [why.render(lang)] for lang in LANGUAGES}
    _recorded(work, run, "stop")


def ask_again(work: Work, run: SitingRun) -> None:
    """A question that has no answer, or was stopped, waits for the worker anew. Raises (409) for any other."""
    _require(work.actor, run.study.authority_id)
    work.session.refresh(run, with_for_update=True)
    if run.stage != FAILED:
        raise conflict("siting.run_not_failed", "siting.run_not_failed", measured=run.public_id)
    run.stage, run.share, run.beat_at, run.ended_at, run.result = WAITING, 0.0, None, None, None
    _recorded(work, run, "ask_again")


def was_stopped(run: SitingRun) -> bool:
    """Whether somebody ended a question before it had an answer."""
    return run.stage == FAILED and any(told["rule"] == STOPPED for told in (run.result or {})["en"])


def opened_run(session: Session, actor: Actor, name: str, authority_ids: Collection[uuid.UUID]) -> SitingRun:
    """The run with a public id, on a study that may be opened; raises RuleViolation 404 for any other."""
    run = session.scalars(select(SitingRun).where(SitingRun.public_id == name)).one_or_none()
    if run is None:
        named = Coded("subject", ["siting_run"])
        raise not_found("store.unknown", "store.not_found", subject=named, measured=name[:40])
    opened(session, actor, run.study.public_id, authority_ids)
    return run


def runs_of(session: Session, study: CoverageStudy) -> Sequence[SitingRun]:
    """The questions asked on a study, the latest first."""
    asked = select(SitingRun).where(SitingRun.study_id == study.id)
    return session.scalars(asked.order_by(SitingRun.recorded_at.desc())).all()


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What a plan drafted from a run is called, for which item, and for what purpose its devices shall stand.

    `point` is the answer of the front that it takes, from 1; None takes the run's own answer.
    """

    title_en: str
    title_zh: str
    purpose_en: str
    purpose_zh: str
    item: SupervisionItem | None
    point: int | None = None


@dataclass(frozen=True)
class Drafted:
    """A plan in its first state, and the case for it as it was prepared: somebody reads, mends and gives it."""

    plan: SitingPlan
    case: Case


def draft_from(work: Work, run: SitingRun, new: Draft) -> Drafted:
    """Drafts a siting plan with the new sites of a run, and prepares its case; nothing is justified by that.

    Raises RuleViolation where the run is not done, found no new site, has no such point, was drafted from before, and
    whatever the rules for a draft refuse.
    """
    _require(work.actor, run.study.authority_id)
    work.session.refresh(run, with_for_update=True)
    result = _answer(work.session, run, new.point)
    sites = [site for site in result["sites"] if site["kind"] == "new"]
    if not sites:
        raise conflict("siting.run_no_sites", "siting.run_no_sites", measured=run.public_id)
    view = SitingAsked.of_json(run.question).view
    planned = NewPlan(
        title_en=new.title_en,
        title_zh=new.title_zh,
        authority=run.study.authority,
        item=new.item,
        sites=[_site(work.session, site, view.device_type, new) for site in sites],
    )
    plan = draft_plan(work, planned)
    run.plan_id = plan.id
    if new.point is not None:
        run.result = {**(run.result or {}), DRAFTED_POINT: new.point}
    case = _prepared(work, run, plan, result)
    # The form of the draft shows what was prepared; only a person justifies it.
    plan.justification, plan.need = dict(case.justification), dict(case.need)
    return Drafted(plan, case)


def _prepared(work: Work, run: SitingRun, plan: SitingPlan, result: Mapping[str, Any]) -> Case:
    """The case for a plan that was drafted from an answer: by the names of the rule pack, in Chinese and in English.

    The answer on duplicates is never prepared: where devices see most of a site already, a person has to give it.
    """
    pack = work.pack_for(plan)
    basis = plan.item_id and work.session.get_one(SupervisionItem, plan.item_id)
    argument = Argument(
        result=result,
        question=run.question,
        run=run.public_id,
        study={"title": run.study.title, "result": run.study.result or {}},
        item={"en": basis.name_en, "zh": basis.name_zh, "code": basis.code} if basis else None,
        law=_law(work.session, basis) if basis else None,
        notice_days=int(pack["publication.lead_days"]),
        reasons=tuple(pack["siting.reasons"]),
        need=tuple(pack["siting.need"]),
        history=_history(work.session, run),
    )
    return case_of(argument)


def run_of_plan(session: Session, plan: SitingPlan) -> SitingRun | None:
    """The run that a plan was drafted from, or None."""
    return session.scalars(select(SitingRun).where(SitingRun.plan_id == plan.id)).first()


def answer_at(result: Mapping[str, Any], point: int) -> Mapping[str, Any] | None:
    """The document of one answer of a front, from 1; None where there is none, or only its places were kept."""
    front = result.get("front") or ()
    answer = front[point - 1].get("answer") if 1 <= point <= len(front) else None
    return None if answer is None else {**result, **answer}


def _answer(session: Session, run: SitingRun, point: int | None) -> Mapping[str, Any]:
    if run.plan_id is not None:
        plan = session.get_one(SitingPlan, run.plan_id)
        raise conflict("siting.run_drafted", "siting.run_drafted", measured=run.public_id, plan=plan.public_id)
    if run.stage != "done" or run.result is None:
        raise conflict("siting.run_unready", "siting.run_unready", measured=run.public_id)
    if run.question["model"] == PATROL_HOURS:
        raise invalid("siting.run_no_sites", "siting.run_no_sites", measured=run.public_id)
    if point is None:
        return run.result
    answer = answer_at(run.result, point)
    if answer is None:
        raise invalid("siting.run_no_point", "siting.run_no_point", measured=run.public_id, point=point)
    return answer


def _site(session: Session, site: Mapping[str, Any], device_type: str, new: Draft) -> NewSite:
    lon, lat = site["at"]
    azimuth_deg, hfov_deg = turned(site["sector_azimuth_deg"], site["hfov_deg"])
    return NewSite(
        place=Point(lon, lat),
        place_text=_place_text(session, lon, lat),
        device_type=device_type,
        purpose_en=new.purpose_en,
        purpose_zh=new.purpose_zh,
        sector_azimuth_deg=azimuth_deg,
        hfov_deg=hfov_deg,
        range_m=site["range_m"],
    )


def _place_text(session: Session, lon: float, lat: float) -> str:
    named = session.execute(_NEAREST_ROAD, {"lon": lon, "lat": lat}).first()
    near = f"{named.name_zh or named.name_en} / {named.name_en} " if named else ""
    return f"{near}({lon:.5f}, {lat:.5f})"


_HISTORY = text("""
    SELECT (SELECT count(*) FROM core.detection d WHERE d.authority_id = s.authority_id
              AND ST_Intersects(d.geom, s.ground) AND d.state IN ('confirmed', 'notified', 'rectifying', 'rectified')),
           (SELECT count(*) FROM core.detection d WHERE d.authority_id = s.authority_id
              AND ST_Intersects(d.geom, s.ground) AND d.state IN ('new', 'assigned', 'inconclusive', 'transferred')),
           (SELECT count(*) FROM core.incident i JOIN core.device v ON v.id = i.device_id
              JOIN core.device_site p ON p.id = v.site_id
              WHERE v.authority_id = s.authority_id AND NOT v.secret AND ST_Intersects(p.geom, s.ground))
    FROM core.coverage_study s WHERE s.id = :study
""")


def _history(session: Session, run: SitingRun) -> Mapping[str, int]:
    """How much was found on the ground: decided findings, open leads, incidents of devices."""
    decided, leads, incidents = session.execute(_HISTORY, {"study": run.study_id}).one()
    return {"decided": decided, "leads": leads, "incidents": incidents}


def _law(session: Session, item: SupervisionItem) -> Mapping[str, str]:
    row = session.execute(
        text("SELECT title_en, title_zh, article FROM core.legal_basis WHERE id = :id"), {"id": item.legal_basis_id}
    ).one()
    return {"en": row.title_en, "zh": row.title_zh, "article": row.article}


def _require(actor: Actor, authority_id: uuid.UUID) -> None:
    if actor.person_id is None or not any(actor.has(role, authority_id) for role in STUDIERS):
        raise forbidden("state.role", "coverage.no_studier", required=Coded("role", STUDIERS))


def _recorded(work: Work, run: SitingRun, action: str, **facts: Any) -> SitingRun:  # noqa: ANN401
    work.record(f"siting_run.{action}", "siting_run", run.id, {"run": run.public_id} | facts)
    return run
