"""Complaints, questions and reports of errors: the form, the receipt, what became of it, and the public figures."""

from __future__ import annotations

import re
import uuid
from typing import Any

from flask import Response, make_response, render_template, request
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from enforcement import commands, queries
from enforcement.checks_complaints import LONGEST
from enforcement.commands import NewComplaint
from enforcement.queries import Words
from schemas.actors import ANONYMOUS
from schemas.refusals import RuleViolation, invalid, not_found
from schemas.tables import Authority
from web.asking import links
from web.asking.forms import contact_line
from web.asking.places import offices
from web.asking.slow import slowly
from web.asking.subjects import KINDS as BRANCHES
from web.asking.subjects import Subject, subject, subject_if_any
from web.errors import wants_page
from web.i18n import current_language
from web.identity.request_identity import services
from web.permissions import Audience, Permission, Section
from web.planner.forms import Faults, Form
from web.public.database import public_connection
from web.words import N_

section = Section("asking", __name__, Audience.PUBLIC)

KINDS = {
    "complaint": N_("A complaint"),
    "question": N_("A question"),
    "error": N_("Something on the map is wrong"),
}
STATES = {
    "received": N_("Received, not yet looked into"),
    "handled": N_("Looked into, the reply is being written"),
    "replied": N_("Replied to"),
}
LOOKS = {"received": "soon", "handled": "pause", "replied": "on"}
OUTCOMES = {
    "justified": N_("You were right; it was put right"),
    "unjustified": N_("Looked into; not found to be wrong"),
    "answered": N_("Answered"),
}
_NAME = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_REGISTER = text("SELECT * FROM public_map.complaints ORDER BY received_in DESC, authority_en, kind LIMIT 300")
_CORRECTIONS = text("SELECT * FROM public_map.corrections ORDER BY corrected_on DESC, public_id LIMIT 100")


@section.page("/ask", GET=Permission.BROWSE, POST=Permission.ASK)
def ask() -> Response:
    """The form; once it is sent, the receipt with its number and its secret word."""
    if request.method == "GET":
        with public_connection() as public:
            about = subject(public, request.args.get("about", "").strip())
        kind = request.args.get("kind", "")
        return _form(about, {"kind": kind if kind in KINDS else "", "once": str(uuid.uuid4())}, Faults())
    slowly(("network", ""))
    form = Form(request.form)
    with public_connection() as public:
        about = subject_if_any(public, form.raw("about"))
        known = {one.public_id for one in offices(public)}
    kind = form.choice("kind", KINDS, called="what_is_it")
    said = form.text("said", most=LONGEST + 1)
    contact = contact_line(form, "contact")
    authority = about.authority if about and about.authority else form.choice("authority", sorted(known))
    try:
        form.faults.refuse()
        taken = _receive(kind, said, contact, authority, about)
    except RuleViolation as refused:
        if refused.status == 404 or not wants_page():
            raise
        faults = form.faults
        if not faults:
            faults.take(refused, "said")
        typed = dict(request.form.items())
        typed["once"] = typed.get("once", "") if _NAME.fullmatch(typed.get("once", "")) else str(uuid.uuid4())
        return _form(about, typed, faults, refused.status)
    return _receipt(taken)


def _receive(kind: str, said: str, contact: str, authority: str, about: Subject | None) -> Words:
    """What was taken in; a form that was sent twice was taken in once."""
    house, once = services(), _once()
    with house.session() as db:
        before = queries.words_sent(db, once)
    if before is not None:
        return before
    try:
        with house.work(ANONYMOUS) as work:
            owner = work.session.scalars(select(Authority).where(Authority.public_id == authority)).one_or_none()
            if owner is None:
                raise not_found("record.unknown", "web.object_unknown", measured=authority[:40])
            new = NewComplaint(
                authority=owner,
                kind=kind,
                said=said,
                lang=current_language(),
                once=once,
                about=(about.kind, about.public_id) if about else None,
                contact=contact,
            )
            commands.receive(work, new)
            work.commit()
    except IntegrityError:
        # The other of two that were sent at once was the first.
        pass
    with house.session() as db:
        taken = queries.words_sent(db, once)
    assert taken is not None
    return taken


def _once() -> uuid.UUID:
    once = request.form.get("once", "")
    if not _NAME.fullmatch(once):
        raise invalid("form.field", "ask.once")
    return uuid.UUID(once)


def _form(about: Subject | None, typed: dict[str, str], faults: Faults, status: int = 200) -> Response:
    with public_connection() as public:
        authorities = offices(public)
    page = render_template(
        "asking/ask.html",
        about=about,
        typed=typed,
        faults=faults,
        kinds=KINDS,
        authorities=authorities,
        longest=LONGEST,
    )
    return _private(make_response(page, status))


def _receipt(taken: Words) -> Response:
    word = links.word(services().data_dir, taken.public_id)
    if not wants_page():
        answer: dict[str, Any] = {"number": taken.public_id, "word": word, "due_on": taken.due_on.isoformat()}
        return _private(make_response(answer, 201))
    return _private(make_response(render_template("asking/receipt.html", taken=taken, word=word, kinds=KINDS), 201))


def _private(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


@section.page("/ask/status", GET=Permission.BROWSE, POST=Permission.ASK)
def status() -> Response:
    """What became of a message, for whoever has its number and its secret word."""
    if request.method == "GET":
        return _private(make_response(_status(None, None)))
    number, word = request.form.get("number", "").strip().upper()[:40], request.form.get("word", "")[:40]
    slowly(("tries", ""), ("number", number))
    house = services()
    # The word is looked at first and for every number, so that a number that does not exist takes as long.
    fits = links.is_word(house.data_dir, number, word)
    with house.session() as db:
        found = queries.words_of(db, number)
    if not fits or found is None:
        refused = not_found("ask.word", "ask.unknown_word")
        if not wants_page():
            raise refused
        return _private(make_response(_status(None, refused), refused.status))
    return _private(make_response(_status(found, None)))


def _status(found: Words | None, refused: RuleViolation | None) -> str:
    about = None
    if found is not None and found.about_kind is not None:
        with public_connection() as public:
            about = subject_if_any(public, _about(found))
    return render_template(
        "asking/status.html",
        found=found,
        about=about,
        typed={"number": request.form.get("number", request.args.get("number", ""))[:40]},
        refused=refused.refusals[0].render(current_language()) if refused else None,
        kinds=KINDS,
        states=STATES,
        looks=LOOKS,
        outcomes=OUTCOMES,
    )


def _about(found: Words) -> str:
    branch = next((branch for branch, kind in BRANCHES.items() if kind == found.about_kind), "")
    return f"{branch}/{found.about_id}"


@section.page("/ask/register", GET=Permission.BROWSE)
def register() -> str:
    """How many people spoke and were answered, month by month, and what was put right."""
    with public_connection() as public:
        rows = [dict(row) for row in public.execute(_REGISTER).mappings()]
        corrections = [dict(row) for row in public.execute(_CORRECTIONS).mappings()]
    return render_template("asking/register.html", rows=rows, corrections=corrections, kinds=KINDS)
