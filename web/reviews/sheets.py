"""The check-list of a legal or technical review: every item passed or failed, with its text and its files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from geo import commands
from geo.checklists import SOLE_EVIDENCE_LEVELS, Answers, Institution
from geo.commands.common import role_missing
from geo.commands.reviews import REVIEWERS, prohibitions, reviewer_refusals
from schemas.machine import label
from schemas.refusals import RuleViolation, not_found
from schemas.store.work import Work
from schemas.tables import Device, LegalBasis, PlannedSite, SitingPlan
from schemas.words import Coded
from web.attachments import MOST_BYTES
from web.identity.request_identity import services
from web.permissions import Audience, Permission, Section
from web.planner import answers, dossier, scope, surroundings
from web.planner.forms import LONGEST_TEXT, Faults, Form
from web.planner.show import show
from web.planner.words import ITEMS, asked, said
from web.words import REVIEWS

section = Section("review_sheets", __name__, Audience.REVIEWS)

_REVIEW = Permission.REVIEW_SITES
Subject = Device | PlannedSite
Find = Callable[[Work], Subject]


@section.page(
    "/reviews/sites/<public_id>/<any(legal, technical):kind>",
    GET=_REVIEW,
    POST=_REVIEW,
    max_body_bytes=4 * MOST_BYTES,
    long_form=True,
)
def site(public_id: str, kind: str) -> Response:
    """A review of one site of a plan."""
    return _sheet(lambda work: _site(work, public_id), kind)


@section.page(
    "/reviews/devices/<public_id>/<any(legal, technical):kind>",
    GET=_REVIEW,
    POST=_REVIEW,
    max_body_bytes=4 * MOST_BYTES,
    long_form=True,
)
def device(public_id: str, kind: str) -> Response:
    """A review of the present version of a device; once both have passed it moves on by itself."""
    return _sheet(lambda work: scope.opened(work.session, work.actor, _REVIEW, Device, public_id), kind)


def _site(work: Work, public_id: str) -> PlannedSite:
    found = work.session.scalars(select(PlannedSite).where(PlannedSite.public_id == public_id)).first()
    if found is None:
        raise not_found("store.unknown", "store.not_found", subject=_NAMED, measured=public_id[:40])
    scope.opened(work.session, work.actor, _REVIEW, SitingPlan, found.plan.public_id)
    return found


_NAMED = Coded("subject", ["planned_site"])


def _sheet(find: Find, kind: str) -> Response:
    if request.method == "GET":
        return _page(find, kind)
    form = Form(request.form)
    try:
        goal = answers.do(lambda work: _recorded(work, find(work), kind, form))
    except RuleViolation as error:
        return _page(find, kind, answers.refused(error, form.faults), error.status)
    if goal.startswith("DV-"):
        commands.review_where_ready(services().work, goal)
        return answers.go("/reviews", f"review-{goal}-{kind}")
    return answers.go(_next_site(goal, kind), f"review-{goal}-{kind}")


def _recorded(work: Work, subject: Subject, kind: str, form: Form) -> str:
    required = work.pack_for(subject if isinstance(subject, Device) else subject.plan)[f"review.{kind}.items"]
    given = _answers(work.session, form, kind, required)
    form.faults.refuse()
    commands.record_review(work, subject, kind=kind, answers=given)
    return subject.public_id


def _answers(db: Session, form: Form, kind: str, required: list[str]) -> Answers:
    said_of = {item: form.raw(f"item.{item}") for item in required}
    institution, number = form.raw("institution"), form.raw("qualification_no")
    valid_to = form.day("valid_to")
    if (institution or number) and valid_to is None:
        form.text("valid_to")
    files = {item: answers.uploads(f"file.{item}") for item in required}
    return Answers(
        items={item: word == "pass" for item, word in said_of.items() if word in ("pass", "fail")},
        texts={item: form.text(f"text.{item}", required=False, most=LONGEST_TEXT) for item in required},
        files={item: found for item, found in files.items() if found},
        note=form.text("note", required=False, most=LONGEST_TEXT),
        sole_basis=_basis(db, form.raw("basis")) if kind == "legal" else None,
        institution=Institution(institution, number, valid_to) if valid_to and kind == "technical" else None,
        standards=form.given.getlist("standard") if kind == "technical" else (),
    )


def _basis(db: Session, code: str) -> LegalBasis | None:
    return db.scalars(select(LegalBasis).where(LegalBasis.code == code)).first() if code else None


def _next_site(public_id: str, kind: str) -> str:
    """The next site of the plan that lacks this review; the plan itself where none does."""
    with answers.reading() as work:
        plan = _site(work, public_id).plan
        file = dossier.plan_file(work.session, plan, work.pack_for(plan))
    left = [one.public_id for one in file.sites if one.reviews.get(kind) is None]
    return f"/reviews/sites/{left[0]}/{kind}" if left else f"/reviews/plans/{plan.public_id}"


def _page(find: Find, kind: str, faults: Faults | None = None, status: int = 200) -> Response:
    with answers.reading() as work:
        subject = find(work)
        owner = subject if isinstance(subject, Device) else subject.plan
        if not work.actor.has(REVIEWERS[kind], owner.authority_id):
            raise role_missing(label(owner), "review", (REVIEWERS[kind],))
        pack = work.pack_for(owner)
        standing, machine = Faults(), Faults()
        for refusal in reviewer_refusals(work, subject, kind):
            standing.add(refusal)
        for refusal in prohibitions(work, subject):
            machine.add(refusal)
        context = {
            "items": asked(ITEMS, pack[f"review.{kind}.items"]),
            "needs_file": pack["review.attachments"],
            "standards": [(one.id, one.title.model_dump()) for one in pack.standards],
            "bases": _bases(work.session),
            "standing": standing,
            "machine": machine,
            **_subject(work, subject),
        }
        shown = surroundings.around(
            work.session,
            dossier.places_of(context["shown"]),
            [context["site"].device_type],
            apart_from=owner.public_id,
        )
    places = (faults or machine).places()
    return show(
        "reviews/sheet.html",
        status,
        kind=kind,
        title=said(REVIEWS, kind),
        faults=faults or Faults(),
        typed=request.form,
        config=surroundings.base_map() | shown | {"places": places},
        **context,
    )


def _subject(work: Work, subject: Subject) -> dict[str, Any]:
    """What is reviewed: a site among those of its plan, or a device."""
    if isinstance(subject, Device):
        file = dossier.device_file(work.session, subject)
        return {"device": file, "plan": None, "site": file.site, "shown": [file.site]}
    plan = dossier.plan_file(work.session, subject.plan, work.pack_for(subject.plan))
    found = next(one for one in (*plan.sites, *plan.dropped) if one.public_id == subject.public_id)
    return {"device": None, "plan": plan, "site": found, "shown": list(plan.sites)}


def _bases(db: Session) -> list[LegalBasis]:
    """The articles that may carry a penalty on a device's evidence alone (GD-11.4)."""
    able = select(LegalBasis).where(
        LegalBasis.allows_sole_device_evidence.is_(True), LegalBasis.level.in_(SOLE_EVIDENCE_LEVELS)
    )
    return list(db.scalars(able.order_by(LegalBasis.code)))
