"""Where the next devices help most: asked on a study, followed, read site by site, and made a draft plan.

No field asks for money, and a form that brings one is refused by name (GD-13.1).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response, make_response, render_template, request
from geoalchemy2.shape import to_shape
from sqlalchemy import select
from sqlalchemy.orm import Session

from geo.commands import siting_runs as runs
from geo.commands.words import DEVICE_TYPES
from geo.coverage.asked import refuse_money
from geo.siting.asked import LEAST_COST, PATROL_HOURS, SOURCES, SitingAsked
from schemas.refusals import Refusal, RuleViolation
from schemas.store.work import Work
from schemas.tables import CoverageStudy, SitingPlan, SitingRun
from web import words as house_words
from web.i18n import gettext, ngettext
from web.identity.request_identity import current_actor, services
from web.permissions import Audience, Permission, Section
from web.planner import answers, scope, siting_words
from web.planner import coverage_words as words
from web.planner.coverage_report import vocabulary
from web.planner.forms import Faults, Form, faults_of
from web.planner.show import show
from web.planner.siting_front import Answer, answer_of
from web.planner.study_sheet import DONE, base_map, frame_of, may_open, opened_run, opened_study, sheet_of, sites_map

section = Section("planner_siting_runs", __name__, Audience.PLANNER)

_DRAFT = Permission.DRAFT_PLACES
_MOST_LISTED = 100
_OPEN = ("waiting", "working")
# What the form says of the parts of a question, by where that part stands in it.
_PLAIN = ("share", "limit_s", "most_burden")
_CANDIDATES = ("spacing_m", "apart_m", "directions")
_VIEW = ("range_m", "hfov_deg", "mast_m")
_WHOLE = ("count", "hours", "directions")
_EFFORT = tuple(f"effort_{source}" for source in SOURCES)
_FIELDS = ("model", "demand", "device_type", "sources", *_PLAIN, *_CANDIDATES, *_VIEW, *_WHOLE, *_EFFORT)
_FIELD_OF = {"view.device_type": "device_type", "candidates.from": "sources"}
_BEYOND_ANY = 1e12


# -- asking ----------------------------------------------------------------------------------------------------


@section.page("/planner/coverage/<public_id>/siting", GET=_DRAFT, POST=_DRAFT)
def ask(public_id: str) -> Response:
    """The question of siting on the ground of a study, and what was asked there before."""
    form = Form(request.form)
    if request.method == "GET":
        return _ask_page(public_id, form)

    def step(work: Work) -> str:
        study = opened_study(work.session, work.actor, public_id)
        return runs.ask_run(work, study, _asked(form)).public_id

    try:
        name = answers.do(step)
    except RuleViolation as error:
        return _ask_page(public_id, form, answers.refused(error, form.faults), error.status)
    return answers.go(f"/planner/siting/{name}", f"siting-{public_id}")


def _asked(form: Form) -> SitingAsked:
    """The question as typed; raises RuleViolation with every fault at once."""
    for refusal in refuse_money({name: "" for name in form.given if name not in _FIELDS}):
        form.faults.add(refusal)
    told = _document(form)
    try:
        form.faults.refuse()
        return SitingAsked.of_json(told)
    except RuleViolation as error:
        if not form.faults:
            for refusal in error.refusals:
                form.faults.add(refusal, *_field(refusal))
        raise


def _field(refusal: Refusal) -> tuple[str, ...]:
    what = str(refusal.params.get("what", "")).replace(" ", "_")
    name = _FIELD_OF.get(what, what)
    return (name,) if name in _FIELDS else ("sources",) if refusal.text == "siting.no_source" else ()


def _document(form: Form) -> dict[str, Any]:
    model = form.raw("model")
    said: dict[str, Any] = {"model": model, "demand": form.raw("demand")}
    said |= {name: value for name in _PLAIN if (value := _number(form, name)) is not None}
    count = _number(form, "hours" if model == PATROL_HOURS else "count")
    if count is not None:
        said["count"] = count
    sources: dict[str, Any] = {"from": [one[:40] for one in form.given.getlist("sources")]}
    view: dict[str, Any] = {"device_type": form.raw("device_type")}
    for part, names in ((sources, _CANDIDATES), (view, _VIEW)):
        part |= {name: value for name in names if (value := _number(form, name)) is not None}
    if model == LEAST_COST:
        efforts = {source: _number(form, f"effort_{source}") for source in SOURCES}
        sources["effort"] = {source: value for source, value in efforts.items() if value is not None}
    return said | {"candidates": sources, "view": view}


def _number(form: Form, name: str) -> float | int | None:
    value = form.number(name, -_BEYOND_ANY, _BEYOND_ANY, required=False)
    if value is None:
        return None
    if name == "share":
        return value / 100
    if name in _WHOLE and value == math.floor(value):
        return int(value)
    return value


def _ask_page(public_id: str, form: Form, faults: Faults | None = None, status: int = 200) -> Response:
    with services().session() as db:
        study = opened_study(db, current_actor(), public_id)
        found = [_row(run) for run in runs.runs_of(db, study)]
        done = study.stage == DONE
    typed = form.given if faults else siting_words.usual()
    chosen = set(form.given.getlist("sources")) if faults else {"roads"}
    return show(
        "planner/siting_ask.html",
        status,
        study=study,
        is_done=done,
        typed=typed,
        chosen=chosen,
        faults=faults or Faults(),
        rows=found,
        kinds={code: house_words.device_type(code) for code in DEVICE_TYPES},
        **_words(),
    )


def _words() -> dict[str, Any]:
    return siting_words.vocabulary() | vocabulary()


@dataclass(frozen=True)
class Row:
    """A run as lists show it."""

    public_id: str
    study: str
    title: str
    model: str
    count: int
    demand: str
    stage: str
    share: float
    who: Mapping[str, str]
    recorded_at: Any
    sites: int
    plan: str | None


def _row(run: SitingRun, plan: str | None = None) -> Row:
    question = run.question
    return Row(
        public_id=run.public_id,
        study=run.study.public_id,
        title=run.study.title,
        model=question.get("model", ""),
        count=question.get("count", 0),
        demand=question.get("demand", "area"),
        stage=siting_words.STOPPED if runs.was_stopped(run) else run.stage,
        share=run.share,
        who={"en": run.person.name_en, "zh": run.person.name_zh},
        recorded_at=run.recorded_at,
        sites=len((run.result or {}).get("sites", ())) if run.stage == DONE else 0,
        plan=plan,
    )


@section.page("/planner/siting", GET=_DRAFT)
def history() -> Response:
    """Every question of siting that the reader may open, the latest first, and what came of each."""
    actor = current_actor()
    with services().session() as db:
        own = [one.id for one in scope.authorities(db, actor, _DRAFT)]
        asked = (
            select(SitingRun, SitingPlan.public_id)
            .join(CoverageStudy, CoverageStudy.id == SitingRun.study_id)
            .outerjoin(SitingPlan, SitingPlan.id == SitingRun.plan_id)
            .where(CoverageStudy.authority_id.in_(own))
            .order_by(SitingRun.recorded_at.desc())
            .limit(_MOST_LISTED)
        )
        rows = [_row(run, plan) for run, plan in db.execute(asked) if may_open(actor, run.study)]
    waiting = sum(row.stage in _OPEN for row in rows)
    return show("planner/siting_runs.html", rows=rows, waiting=waiting, most=_MOST_LISTED, **_words())


# -- one run ---------------------------------------------------------------------------------------------------


@section.page("/planner/siting/<public_id>", GET=_DRAFT)
def run(public_id: str) -> Response:
    """One run: how far it is; then its sites on the map, each explained, and the way to a plan."""
    return _run_page(public_id)


@section.page("/planner/siting/<public_id>/progress", GET=_DRAFT)
def progress(public_id: str) -> Response:
    """How far a run is; when it is over, the page is loaded anew."""
    with services().session() as db:
        found = opened_run(db, current_actor(), public_id)
        row = _row(found)
    answer = make_response(render_template("planner/siting_run_progress.html", run=row, **_words()))
    if row.stage not in _OPEN:
        answer.headers["HX-Refresh"] = "true"
    return answer


def _run_page(public_id: str, form: Form | None = None, faults: Faults | None = None, status: int = 200) -> Response:
    actor = current_actor()
    with services().session() as db:
        found = opened_run(db, actor, public_id)
        plan = db.get(SitingPlan, found.plan_id) if found.plan_id else None
        row = _row(found, plan.public_id if plan else None)
        told = found.result or {}
        answer = answer_of(told, request.values.get("point", "")) if found.stage == DONE else Answer(told)
        drawn = _drawn(db, found, answer) if found.stage == DONE else {}
        items = scope.items(db)
        study, question = found.study, found.question
        ratio = _ratio(study)
    sites = answer.sites if row.stage == DONE and not answer.is_places_only else ()
    return show(
        "planner/siting_run.html",
        status,
        run=row,
        study=study,
        result=answer.result,
        front=answer.front,
        point=answer.point,
        places_only=answer.is_places_only,
        question=siting_words.question_in_words(question),
        headline=_headline(row, answer.result),
        sites=sites,
        to_answer=[site for site in sites if (site.get("duplicates_share") or 0) >= ratio],
        ratio=ratio,
        can_draft=row.stage == DONE and not row.plan and any(site["kind"] == "new" for site in sites),
        items=items,
        typed=form.given if form else _titles(study),
        faults=faults or Faults(),
        **({"picture": None, "weighed": (), "drawn_places": 0} | drawn),
        **_words(),
    )


def _drawn(db: Session, found: SitingRun, answer: Answer) -> dict[str, Any]:
    """The map of the sites that are shown, and what was weighed beside them."""
    frame = frame_of(found.study)
    sheet, base = sheet_of(db, found.study, frame), base_map(db, frame)
    places = {siting_words.PLACES[kind][0]: at for kind, at in answer.result.get("places", {}).items()}
    return {
        "picture": sites_map(sheet, base, answer.sites, places),
        "weighed": siting_words.weighed(answer.result),
        "drawn_places": sum(map(len, places.values())),
    }


def _ratio(study: CoverageStudy) -> float:
    """From which share on the duplicates of a site have to be answered, by the rules of the place (GD-17)."""
    pack = services().rulebook.at_place(to_shape(study.ground).representative_point(), services().clock.now())
    ratio: float = pack["duplicate.coverage_ratio"]
    return ratio


def _headline(row: Row, result: Mapping[str, Any]) -> str:
    if row.stage in _OPEN:
        return gettext("The best sites are being looked for")
    if row.stage == siting_words.STOPPED:
        return gettext("This question was stopped")
    if row.stage != DONE:
        return gettext("This question has no answer")
    total = result.get("total") or 0.0
    shares = [words.share(result[name] / total if total else 0.0) for name in ("seen_before", "seen_after")]
    told = {"before": shares[0], "after": shares[1], "kind": siting_words.demand(row.demand)}
    if shares[0] == shares[1]:
        # Over a wide ground a few sites are less than a hundredth of it.
        gained = words.amount(result["seen_after"] - result["seen_before"], result["unit"])
        return gettext("%(more)s more of the demand is seen: %(after)s in all (%(kind)s)", more=gained, **told)
    if row.model == PATROL_HOURS:
        return gettext("With these patrols, %(after)s of the demand is seen instead of %(before)s (%(kind)s)", **told)
    return ngettext(
        "With %(num)d site, %(after)s of the demand is seen instead of %(before)s (%(kind)s)",
        "With %(num)d sites, %(after)s of the demand is seen instead of %(before)s (%(kind)s)",
        len(result.get("sites", ())),
        **told,
    )


def _titles(study: CoverageStudy) -> dict[str, str]:
    titles = {"title_en": study.title[:200], "title_zh": study.title[:200]}
    return titles | {"item": study.question.get("item") or ""}


# -- from a run to a plan ---------------------------------------------------------------------------------------


@section.page("/planner/siting/<public_id>/plan", POST=_DRAFT)
def plan(public_id: str) -> Response:
    """The new sites of a run become a draft siting plan, with its case prepared and nothing justified by that."""
    form = Form(request.form)

    def step(work: Work) -> str:
        found = opened_run(work.session, work.actor, public_id)
        texts = {name: form.text(name) for name in ("title_en", "title_zh", "purpose_en", "purpose_zh")}
        codes = [one.code for one in scope.items(work.session)]
        item = scope.item_of(work.session, form.choice("item", codes))
        points = [str(number) for number, _ in enumerate((found.result or {}).get("front", ()), 1)]
        point = form.choice("point", points) if form.raw("point") else ""
        form.faults.refuse()
        new = runs.Draft(**texts, item=item, point=int(point) if point else None)
        return runs.draft_from(work, found, new).plan.public_id

    try:
        name = answers.do(step)
    except RuleViolation as error:
        return _run_page(public_id, form, answers.refused(error, form.faults), error.status)
    return answers.go(f"/planner/plans/{name}", f"siting-plan-{public_id}")


# -- stopped, asked again, thrown away ----------------------------------------------------------------------------


@section.page("/planner/siting/<public_id>/stop", POST=_DRAFT)
def stop(public_id: str) -> Response:
    """A question ends before it has an answer; the solver leaves it within a second or two."""
    return _ended(public_id, runs.stop_run)


@section.page("/planner/siting/<public_id>/again", POST=_DRAFT)
def again(public_id: str) -> Response:
    """A question that was stopped, or has no answer, waits for the worker once more."""
    return _ended(public_id, runs.ask_again)


def _ended(public_id: str, step: Callable[[Work, SitingRun], None]) -> Response:
    try:
        answers.do(lambda work: step(work, opened_run(work.session, work.actor, public_id)))
    except RuleViolation as error:
        return _run_page(public_id, None, answers.refused(error), error.status)
    return answers.go(f"/planner/siting/{public_id}", f"siting-turned-{public_id}")


@section.page("/planner/siting/<public_id>/remove", POST=_DRAFT)
def remove(public_id: str) -> Response:
    """A question is thrown away with its answer; a plan that came of it stays."""

    def step(work: Work) -> str:
        found = opened_run(work.session, work.actor, public_id)
        study = found.study.public_id
        runs.remove_run(work, found)
        return study

    try:
        study = answers.do(step)
    except RuleViolation as error:
        return _run_page(public_id, None, faults_of(error), error.status)
    return answers.go(f"/planner/coverage/{study}/siting", f"siting-removed-{public_id}")
