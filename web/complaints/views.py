"""The desk of complaints: what waits for an answer and until when, each of them with its steps, and own corrections."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

from flask import Response, make_response, redirect, render_template, request
from sqlalchemy import select

from enforcement import commands, queries
from enforcement.checks_complaints import OUTCOMES
from enforcement.commands import NewCorrection
from enforcement.queries import Words
from schemas.refusals import RuleViolation, not_found
from schemas.tables import Authority
from web.asking.subjects import KINDS as BRANCHES
from web.asking.subjects import Subject, subject_if_any
from web.asking.views import KINDS, LOOKS, STATES
from web.errors import wants_page
from web.i18n import current_language, days_left, gettext, ngettext, weekday
from web.identity.request_identity import current_actor, services
from web.page import today
from web.permissions import Audience, Permission, Section
from web.public.database import public_connection
from web.registry.reach import Office, below, offices, own
from web.registry.steps import one_of, text_of, typed, unreadable
from web.waiting import Asking, Waiting
from web.words import N_

section = Section("complaints", __name__, Audience.COMPLAINTS)

RESULTS = {
    "justified": N_("Justified: something is to be put right"),
    "unjustified": N_("Not justified"),
    "answered": N_("Answered"),
}


def complaints_wait(asking: Asking) -> Iterator[Waiting]:
    """What people said and nobody has answered yet, for those who answer."""
    mine = own(asking.actor, Permission.ANSWER_COMPLAINT)
    if mine:
        found = queries.waiting(asking.db, mine)
        said = ngettext("%(num)d message to answer", "%(num)d messages to answer", len(found))
        yield Waiting(len(found), said, found[0].due_on if found else None, "/complaints")


@section.page("/complaints", GET=Permission.READ_COMPLAINTS)
def desk() -> str:
    """What waits, what is due first first; and what was answered lately."""
    return _desk(None)


@section.page("/complaints/correction", POST=Permission.ANSWER_COMPLAINT)
def correction() -> Response:
    """Tells in public what an authority has put right on its own motion."""
    try:
        code = one_of("authority", tuple(office.code for office in _answering()))
        with public_connection() as public:
            about = subject_if_any(public, text_of("about", 80))
            if about is None and text_of("about", 80):
                raise unreadable("about", text_of("about", 80), "device/DV-…")
        told = NewCorrection(text_of("text_en"), text_of("text_zh"))
        with services().work(current_actor()) as work:
            owner = work.session.scalars(select(Authority).where(Authority.code == code)).one()
            commands.correct(work, owner, told, about=(about.kind, about.public_id) if about else None)
            work.commit()
    except RuleViolation as refused:
        if not wants_page():
            raise
        return make_response(_desk(refused), refused.status)
    return make_response(redirect("/complaints?done=corrected", 303))


def _answering() -> list[Office]:
    with services().session() as db:
        return offices(db, own(current_actor(), Permission.ANSWER_COMPLAINT))


def _desk(refused: RuleViolation | None) -> str:
    with services().session() as db:
        reach = _reach()
        waiting, answered = queries.waiting(db, reach), queries.answered(db, reach, limit=20)
    return render_template(
        "complaints/desk.html",
        headline=_headline(waiting),
        waiting_words=waiting,
        answered=answered,
        authorities=_answering(),
        kinds=KINDS,
        states=STATES,
        looks=LOOKS,
        refusals=refused.render(current_language()) if refused else [],
        typed=typed() if refused else {},
    )


def _headline(waiting: tuple[Words, ...]) -> str:
    if not waiting:
        return gettext("Nobody waits for an answer")
    late = sum(one.is_late(today()) for one in waiting)
    if late:
        return ngettext(
            "%(num)d message is late to be answered",
            "%(num)d messages are late to be answered",
            late,
        )
    head = ngettext("%(num)d message waits for an answer", "%(num)d messages wait for an answer", len(waiting))
    told = {"now": head, "day": weekday(waiting[0].due_on), "left": days_left(waiting[0].due_on, today())}
    return gettext("%(now)s, the first until %(day)s, %(left)s", **told)


def _reach() -> set[uuid.UUID]:
    """The authorities whose messages the reader reads: the own ones, and those below, which a supervisor supervises."""
    with services().session() as db:
        return below(db, own(current_actor(), Permission.READ_COMPLAINTS))


@section.page("/complaints/<public_id>", GET=Permission.READ_COMPLAINTS, POST=Permission.ANSWER_COMPLAINT)
def one(public_id: str) -> Response:
    """One message, and the step that comes next: what came of it, then the reply."""
    if request.method == "GET":
        return _page(public_id)
    try:
        found = _mine(public_id)
        step = one_of("step", ("handle", "reply"))
        with services().work(current_actor()) as work:
            if step == "handle":
                outcome = one_of("outcome", OUTCOMES[found.kind])
                commands.handle(work, public_id, outcome=outcome, note=text_of("note"), seen_version=_seen_version())
            else:
                told = NewCorrection(text_of("text_en"), text_of("text_zh")) if found.outcome == "justified" else None
                words = text_of("reply")
                commands.reply(work, public_id, words, correction=told, seen_version=_seen_version())
            work.commit()
    except RuleViolation as refused:
        if refused.status == 404 or not wants_page():
            raise
        return _page(public_id, refused)
    return make_response(redirect(f"/complaints/{public_id}?done={step}", 303))


def _seen_version() -> int:
    value = request.form.get("version", "")
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise unreadable("version", value, "1")
    return int(value)


def _mine(public_id: str) -> Words:
    """A message that the reader reads; raises RuleViolation 404 for every other."""
    with services().session() as db:
        found = queries.words_of(db, public_id)
    if found is None or found.authority_id not in _reach():
        raise not_found("record.unknown", "registry.unknown", measured=public_id[:40])
    return found


def _page(public_id: str, refused: RuleViolation | None = None) -> Response:
    found = _mine(public_id)
    answers = found.authority_id in own(current_actor(), Permission.ANSWER_COMPLAINT)
    page = render_template(
        "complaints/one.html",
        found=found,
        about=_about(found),
        answers=answers,
        late=found.is_late(today()),
        kinds=KINDS,
        states=STATES,
        looks=LOOKS,
        results={code: RESULTS[code] for code in OUTCOMES[found.kind]},
        all_results=RESULTS,
        refusals=refused.render(current_language()) if refused else [],
        typed=typed() if refused else {},
    )
    response = make_response(page, refused.status if refused else 200)
    response.headers["Cache-Control"] = "no-store"
    return response


def _about(found: Words) -> Subject | None:
    branch = next((branch for branch, kind in BRANCHES.items() if kind == found.about_kind), None)
    if branch is None:
        return None
    with public_connection() as public:
        return subject_if_any(public, f"{branch}/{found.about_id}")
