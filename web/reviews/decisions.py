"""The whole file on one page, and what reviewers, unit heads and approvers decide about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Response, request
from geoalchemy2.shape import to_shape

from geo import commands
from geo.checks_siting import approver_is_competent, may_take_back
from schemas.machine import Context
from schemas.refusals import RuleViolation
from schemas.roles import Role
from schemas.store.work import Work
from schemas.tables import SitingPlan
from web.attachments import MOST_BYTES
from web.identity.request_identity import services
from web.permissions import Audience, Permission, Section
from web.planner import answers, dossier, scope, surroundings
from web.planner.forms import LONGEST_TEXT, Faults, Form
from web.planner.places import KINDS, place_file
from web.planner.show import show

section = Section("review_decisions", __name__, Audience.REVIEWS)

_READ = Permission.READ_FILES
_ONE = {"areas": "area", "points": "point"}


@section.page("/reviews/plans/<public_id>", GET=_READ)
def plan(public_id: str) -> Response:
    """A plan with its case, both reviews of every site, the map and its history."""
    return _plan_page(public_id)


def _plan_page(public_id: str, faults: Faults | None = None, status: int = 200) -> Response:
    with answers.reading() as work:
        found = scope.opened(work.session, work.actor, _READ, SitingPlan, public_id)
        file = dossier.plan_file(work.session, found, work.pack_for(found))
        steps = _steps(work, found)
        standing = Faults()
        if "submit" in steps:
            for refusal in work.check(found, work.machine.tables["siting_plan"].find("submit", found.state).guards):  # type: ignore[union-attr]
                standing.add(refusal)
        config = surroundings.base_map() | {"places": (faults or Faults()).places()}
        if file.sites:
            kinds = {site.device_type for site in file.sites}
            config |= surroundings.around(work.session, dossier.places_of(file.sites), kinds)
        mine = _my_sheets(work, found)
    return show(
        "reviews/plan.html",
        status,
        file=file,
        steps=steps,
        mine=mine,
        standing=standing,
        faults=faults or Faults(),
        typed=request.form,
        config=config,
    )


def _steps(work: Work, found: SitingPlan) -> list[str]:
    """What the reader may do with a plan in its state; a refusal of competence is told before anything is written."""
    actor, state = work.actor, found.state
    steps = []
    if state == "in_review":
        if actor.person_id in (found.legal_reviewer_id, found.technical_reviewer_id):
            steps += ["return"]
        if actor.has(Role.UNIT_HEAD, found.authority_id):
            steps += ["submit", "return"]
    context = Context(work.session, found, actor, work.now, work.pack_for(found))
    competent = actor.has(Role.PROVINCIAL_APPROVER) and not list(approver_is_competent(context))
    if state == "submitted" and competent:
        steps += ["decide", "return"]
    takes_back = actor.has(Role.PROVINCIAL_APPROVER) or actor.has(Role.SUPERVISOR)
    if state == "approved" and takes_back and not list(may_take_back(context)):
        steps += ["revoke"]
    return list(dict.fromkeys(steps))


def _my_sheets(work: Work, found: SitingPlan) -> list[str]:
    """The kinds of review that this plan awaits of the reader."""
    if found.state != "in_review":
        return []
    assigned = {"legal": found.legal_reviewer_id, "technical": found.technical_reviewer_id}
    return [kind for kind, person_id in assigned.items() if person_id == work.actor.person_id]


def _step(public_id: str, step: Callable[[Work, SitingPlan, Form], Any]) -> Response:
    form = Form(request.form)

    def made(work: Work) -> None:
        step(work, scope.opened(work.session, work.actor, _READ, SitingPlan, public_id), form)

    try:
        answers.do(made)
    except RuleViolation as error:
        return _plan_page(public_id, answers.refused(error, form.faults), error.status)
    return answers.go(f"/reviews/plans/{public_id}", f"plan-decision-{public_id}")


@section.page("/reviews/plans/<public_id>/submit", POST=Permission.SUBMIT_PLAN)
def submit(public_id: str) -> Response:
    """The unit head submits a plan whose sites all passed."""
    return _step(
        public_id, lambda work, found, _form: commands.submit_plan(work, found, seen_version=answers.seen_version())
    )


@section.page("/reviews/plans/<public_id>/return", POST=Permission.RETURN_PLAN)
def send_back(public_id: str) -> Response:
    """A plan goes back to its planner, with text."""

    def step(work: Work, found: SitingPlan, form: Form) -> None:
        reason = form.text("reason", required=False, most=LONGEST_TEXT)
        heads = work.actor.has(Role.UNIT_HEAD, found.authority_id)
        back = commands.send_back_plan if heads and found.state == "in_review" else commands.return_plan
        back(work, found, reason=reason, seen_version=answers.seen_version())

    return _step(public_id, step)


@section.page(
    "/reviews/plans/<public_id>/decide", POST=Permission.DECIDE_PLAN, max_body_bytes=MOST_BYTES, long_form=True
)
def decide(public_id: str) -> Response:
    """The approver grants a plan, but for the sites that are rejected, or refuses it."""

    def step(work: Work, found: SitingPlan, form: Form) -> None:
        if form.choice("decision", ("approve", "reject")) == "reject":
            form.faults.refuse()
            reason = form.text("reason", required=False, most=LONGEST_TEXT)
            commands.reject_plan(work, found, reason=reason, seen_version=answers.seen_version())
            return
        form.faults.refuse()
        rejected = {name: form.raw(f"because.{name}") for name in request.form.getlist("reject")}
        document = answers.uploads("document")
        commands.approve_plan(
            work,
            found,
            approval_no=form.raw("approval_no"),
            rejected=rejected,
            document=document[0] if document else None,
            seen_version=answers.seen_version(),
        )

    return _step(public_id, step)


@section.page("/reviews/plans/<public_id>/revoke", POST=Permission.REVOKE_PLAN)
def revoke(public_id: str) -> Response:
    """An approval is taken back; what leans on it is stopped at once."""

    def step(work: Work, found: SitingPlan, form: Form) -> None:
        reason = form.text("reason", required=False, most=LONGEST_TEXT)
        commands.revoke_plan(work, found, reason=reason, seen_version=answers.seen_version())

    response = _step(public_id, step)
    if response.status_code == 303:
        for _device in commands.block_where_due(services().work):
            pass
    return response


# -- areas and points ------------------------------------------------------------------------------------------


@section.page("/reviews/<any(areas, points):kind>/<public_id>", GET=_READ, POST=Permission.APPROVE_PLACES)
def place(kind: str, public_id: str) -> Response:
    """An area or a point; the unit head approves it or gives it back."""
    if request.method == "GET":
        return _place_page(kind, public_id)
    form = Form(request.form)

    def step(work: Work) -> None:
        found = scope.opened(work.session, work.actor, _READ, KINDS[kind], public_id)
        chosen = form.choice("decision", ("approve", "return"))
        form.faults.refuse()
        if chosen == "approve":
            commands.approve(work, found, seen_version=answers.seen_version())
        else:
            reason = form.text("reason", required=False, most=LONGEST_TEXT)
            commands.return_draft(work, found, reason=reason, seen_version=answers.seen_version())

    try:
        answers.do(step)
    except RuleViolation as error:
        return _place_page(kind, public_id, answers.refused(error, form.faults), error.status)
    return answers.go(f"/reviews/{kind}/{public_id}", f"place-decision-{public_id}")


def _place_page(kind: str, public_id: str, faults: Faults | None = None, status: int = 200) -> Response:
    with answers.reading() as work:
        found = scope.opened(work.session, work.actor, _READ, KINDS[kind], public_id)
        file = place_file(work.session, _ONE[kind], found)
        decides = found.state == "checked" and work.actor.has(Role.UNIT_HEAD, found.authority_id)
        standing = Faults()
        for refusal in work.check(found, ["GD-16.1:approver_is_not_author"]) if decides else []:
            standing.add(refusal)
        shown = surroundings.around_shape(work.session, to_shape(found.geom))
    config = surroundings.base_map("patrol_areas") | shown | {"places": (faults or Faults()).places()}
    return show(
        "reviews/place.html",
        status,
        file=file,
        kind=kind,
        decides=decides,
        standing=standing,
        faults=faults or Faults(),
        typed=request.form,
        config=config,
    )
