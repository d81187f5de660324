"""Studies of coverage at the planner's desk: the list, one study with its map and figures, and what is done with it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Response, make_response, render_template, request
from geoalchemy2 import functions as gis
from geoalchemy2.shape import to_shape
from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from geo.commands import studies
from geo.coverage.asked import Asked
from geo.coverage.exports import FORMS
from schemas.refusals import RuleViolation
from schemas.store.work import Work
from schemas.tables import Authority, CoverageStudy, Person
from web.i18n import gettext, ngettext
from web.identity.request_identity import current_actor, services
from web.permissions import Audience, Permission, Section
from web.planner import answers, coverage_scope, scope, surroundings
from web.planner import coverage_words as said_of
from web.planner.coverage_exports import NAMES
from web.planner.coverage_map import config_of
from web.planner.forms import Faults, Form
from web.planner.show import show
from web.planner.words import said

section = Section("planner_coverage", __name__, Audience.PLANNER)

_DRAFT = Permission.DRAFT_PLACES
MOST_LISTED = 200
# An outline for the map needs no more corners than a screen has dots.
_BEND_DEG = 0.0001


@dataclass(frozen=True)
class StudyFile:
    """A study as its page and the list read it; `result` is the answer, or the refusal in both languages."""

    public_id: str
    title: str
    stage: str
    share: float
    who: Mapping[str, str]
    authority: Mapping[str, str]
    recorded_at: datetime
    ended_at: datetime | None
    based_on: str | None
    based_on_id: str | None
    seen: float | None
    gap_m2: float | None
    result: Mapping[str, Any] | None = None


def _file(study: CoverageStudy, person: Person, authority: Authority, base: CoverageStudy | None) -> StudyFile:
    done = study.result if study.stage == coverage_scope.DONE else None
    return StudyFile(
        public_id=study.public_id,
        title=study.title,
        stage=study.stage,
        share=study.share,
        who={"en": person.name_en, "zh": person.name_zh},
        authority={"en": authority.name_en, "zh": authority.name_zh},
        recorded_at=study.recorded_at,
        ended_at=study.ended_at,
        based_on=base.title if base else None,
        based_on_id=base.public_id if base else None,
        seen=done["share"] if done else None,
        gap_m2=done["gap_m2"] if done else None,
        result=study.result,
    )


def study_files(db: Session, authority_ids: Iterable[uuid.UUID], *, with_secret: bool) -> list[StudyFile]:
    """The studies of some authorities, the latest first; those that show secret devices for the cleared alone."""
    base = aliased(CoverageStudy)
    rows = (
        select(CoverageStudy, Person, Authority, base)
        .join(Person, Person.id == CoverageStudy.person_id)
        .join(Authority, Authority.id == CoverageStudy.authority_id)
        .outerjoin(base, base.id == CoverageStudy.based_on_id)
        .where(CoverageStudy.authority_id.in_(set(authority_ids)))
        .order_by(CoverageStudy.recorded_at.desc(), CoverageStudy.public_id)
        .limit(MOST_LISTED)
    )
    if not with_secret:
        rows = rows.where(func.coalesce(CoverageStudy.question["secret"].as_boolean(), False).is_(False))
    return [_file(*row) for row in db.execute(rows).all()]


@section.page("/planner/coverage", GET=_DRAFT)
def listing() -> Response:
    """All studies of the reader's authorities."""
    actor = current_actor()
    with services().session() as db:
        own = [one.id for one in scope.authorities(db, actor, _DRAFT)]
        rows = study_files(db, own, with_secret=studies.is_cleared(actor))
    num = len(rows)
    return show_coverage(
        "planner/coverage.html",
        rows=rows,
        most=MOST_LISTED,
        is_open=any(row.stage in coverage_scope.OPEN for row in rows),
        headline=ngettext("%(num)d study of what is seen", "%(num)d studies of what is seen", num)
        if num
        else gettext("What do your devices see, and what does nobody see?"),
    )


def show_coverage(template: str, status: int = 200, **context: Any) -> Response:  # noqa: ANN401
    """A page of planning with the words of coverage."""
    common = {
        "area": said_of.area,
        "share": said_of.share,
        "amount": said_of.amount,
        "stages": said_of.STAGES,
        "stage_looks": said_of.STAGE_LOOKS,
        "demands": said_of.DEMANDS,
        "demands_short": said_of.DEMANDS_SHORT,
        "statuses": said_of.STATUSES,
    }
    return show(template, status, **common | context)


# -- one study ---------------------------------------------------------------------------------------------------


@section.page("/planner/coverage/<public_id>", GET=_DRAFT)
def study(public_id: str) -> Response:
    """One study: its answer in a sentence, on the map and in numbers."""
    return study_page(public_id)


def study_page(public_id: str, faults: Faults | None = None, status: int = 200) -> Response:
    """The page of a study, with what stands against the last step."""
    with services().session() as db:
        found = coverage_scope.opened(db, current_actor(), public_id)
        file = _opened_file(db, found)
        question, items = _question(db, found), scope.item_names(db)
        outline = to_shape(
            db.scalar(
                select(gis.ST_SimplifyPreserveTopology(CoverageStudy.ground, _BEND_DEG)).where(
                    CoverageStudy.id == found.id
                )
            )
        )
        before = _before(db, found)
    done = file.result if file.stage == coverage_scope.DONE else None
    ground = surroundings.feature(outline)
    config = surroundings.base_map() | config_of(found, ground, _script_words()) | {"bounds": list(outline.bounds)}
    return show_coverage(
        "planner/coverage_study.html",
        status,
        study=file,
        headline=_headline(file),
        faults=faults or Faults(),
        typed=request.form if faults else _typed(file),
        question=question,
        before=before,
        config=config,
        times=_times(done) if done else [],
        tables=_tables(done, items) if done else [],
        hours=[(one["hour"], said_of.hour(one["hour"]), one["devices"], one["seen_m2"]) for one in done["by_hour"]]
        if done
        else [],
        exports=[(form, gettext(NAMES[form])) for form in FORMS],
    )


def _opened_file(db: Session, found: CoverageStudy) -> StudyFile:
    base = db.get(CoverageStudy, found.based_on_id) if found.based_on_id else None
    return _file(found, found.person, found.authority, base)


def _before(db: Session, found: CoverageStudy) -> int:
    """How many studies the worker takes on before this one."""
    earlier = select(func.count()).select_from(CoverageStudy)
    earlier = earlier.where(CoverageStudy.stage == "waiting", CoverageStudy.recorded_at < found.recorded_at)
    return db.scalar(earlier) or 0


def _headline(file: StudyFile) -> str:
    if file.stage == "failed":
        return gettext("This study has no answer: something stands against it")
    if file.seen is None or file.gap_m2 is None:
        return gettext("%(title)s: the answer is on its way", title=file.title)
    return said_of.headline(file.seen, file.gap_m2)


def _typed(file: StudyFile) -> dict[str, str]:
    return {"title": file.title, "copy_title": gettext("%(title)s, changed", title=file.title)}


def _question(db: Session, found: CoverageStudy) -> list[tuple[str, str]]:
    """What was asked, as lines of a list of facts."""
    asked = Asked.of_json(found.question)
    lines = [
        (gettext("Devices"), ", ".join(said(said_of.STATUSES, code) for code in asked.statuses)),
        (gettext("What counts"), ", ".join(said(said_of.DEMANDS_SHORT, code) for code in asked.demand)),
        (gettext("Terrain"), gettext("hills hide what lies behind") if asked.over_terrain else gettext("as if flat")),
    ]
    if asked.own_only:
        lines[0] = (gettext("Devices"), gettext("those of the study alone"))
    if asked.shared:
        lines.append((gettext("Of others"), gettext("shared devices and such as could be shared count")))
    if asked.item:
        lines.append((gettext("Supervision item"), scope.item_names(db).get(asked.item, asked.item)))
    if asked.hour is not None:
        lines.append((gettext("Hour"), said_of.hour(asked.hour)))
    if asked.device_types:
        lines.append((gettext("Kinds"), ", ".join(said_of.kind(code) for code in asked.device_types)))
    lines += said_of.finer_points(found.question)
    own = len(found.devices)
    if own:
        lines.append((gettext("Own devices"), ngettext("%(num)d added or changed", "%(num)d added or changed", own)))
    return lines


def _times(done: Mapping[str, Any]) -> list[tuple[str, float, str]]:
    """The ground by how often it is seen."""
    words = (gettext("seen at all"), gettext("seen by two or more"), gettext("seen by three or more"))
    seen = [
        (told, m2, f"seen-{number}") for number, (told, m2) in enumerate(zip(words, done["seen_m2"], strict=False), 1)
    ]
    return [*seen, (gettext("nobody sees it"), done["gap_m2"], "gap")]


Figures = list[tuple[str, int, float, float | None]]


def _tables(done: Mapping[str, Any], items: Mapping[str, str]) -> list[tuple[str, str, str, Figures, str]]:
    """The tables that are all made alike: by status, kind and item."""
    by_status = [
        (said(said_of.STATUSES, one["status"]), one["devices"], one["seen_m2"], one.get("adds_m2"))
        for one in done["by_status"]
    ]
    by_kind = [(said_of.kind(one["kind"]), one["devices"], one["seen_m2"], None) for one in done["by_kind"]]
    unnamed = gettext("no item named")
    by_item = [
        (items.get(one["item"], one["item"]) if one["item"] else unnamed, one["devices"], one["seen_m2"], None)
        for one in done["by_item"]
    ]
    adds = gettext("“Adds” is what is seen by none of those before it.")
    tables = [
        ("by-status", gettext("By state of the devices"), gettext("State"), by_status, adds),
        ("by-kind", gettext("By what sees"), gettext("Kind"), by_kind, ""),
        ("by-item", gettext("By supervision item"), gettext("Item"), by_item, ""),
    ]
    return [table for table in tables if table[3]]


def _script_words() -> dict[str, str]:
    """What the script of the page says."""
    return {
        "loading": gettext("The devices are being fetched."),
        "loaded": gettext("{n} devices can be changed."),
        "failed": gettext("The devices could not be fetched: {why}"),
        "none": gettext("No device is called so."),
        "fixed": gettext("{label} is not of the kind that a study can move."),
        "added": gettext("New device {n}"),
        "changes": gettext("{n} changed: {names}"),
        "gone": gettext("{label} (taken away)"),
        "computing": gettext("The latest change is being computed …"),
        "unreachable": gettext("The server did not answer; the last change is not computed."),
        "handle": gettext("Drag to turn it and to set its range"),
    }


# -- what is done with it ------------------------------------------------------------------------------------------


@section.page("/planner/coverage/<public_id>/progress", GET=_DRAFT)
def progress(public_id: str) -> Response:
    """How far the work is, as the piece of the page that asks for itself again."""
    with services().session() as db:
        found = coverage_scope.opened(db, current_actor(), public_id)
        file, before = _opened_file(db, found), _before(db, found)
    response = make_response(render_template("planner/coverage_progress.html", study=file, before=before))
    if file.stage not in coverage_scope.OPEN:
        response.headers["HX-Refresh"] = "true"
    return response


def _stepped(public_id: str, step: Any, goal: str = "") -> Response:  # noqa: ANN401 - a step of a work
    try:
        made = answers.do(step)
    except RuleViolation as error:
        return study_page(public_id, answers.refused(error), error.status)
    return answers.go(goal or f"/planner/coverage/{made}", "coverage")


@section.page("/planner/coverage/<public_id>/rename", POST=_DRAFT)
def rename(public_id: str) -> Response:
    """Another title."""
    title = Form(request.form).raw("title")

    def step(work: Work) -> str:
        found = coverage_scope.opened(work.session, work.actor, public_id)
        return studies.change_study(work, found, title=title).public_id

    return _stepped(public_id, step)


@section.page("/planner/coverage/<public_id>/copy", POST=_DRAFT)
def copy(public_id: str) -> Response:
    """A scenario: the same question, to be changed and compared with this one."""
    title = Form(request.form).raw("copy_title")

    def step(work: Work) -> str:
        found = coverage_scope.opened(work.session, work.actor, public_id)
        return studies.copy_study(work, found, title).public_id

    return _stepped(public_id, step)


@section.page("/planner/coverage/<public_id>/again", POST=_DRAFT)
def again(public_id: str) -> Response:
    """The study is computed anew, with the devices as they are now."""

    def step(work: Work) -> str:
        found = coverage_scope.opened(work.session, work.actor, public_id)
        return studies.recompute(work, found).public_id

    return _stepped(public_id, step)


@section.page("/planner/coverage/<public_id>/remove", POST=_DRAFT)
def remove(public_id: str) -> Response:
    """The study is thrown away."""

    def step(work: Work) -> str:
        studies.remove_study(work, coverage_scope.opened(work.session, work.actor, public_id))
        return ""

    return _stepped(public_id, step, "/planner/coverage")
