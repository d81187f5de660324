"""Siting plans at the planner's desk: drafted on the map or from a file, justified, handed over, drafted anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import Response, request
from sqlalchemy import select

from geo import commands
from geo.checks_siting import authors_of
from geo.commands import Changes, NewPlan, NewSite
from geo.intake import Options
from geo.intake.drafts import Read
from geo.intake.sites import in_rows, read_sites
from schemas.limits import limit
from schemas.refusals import RuleViolation, refuse
from schemas.store.work import Work
from schemas.tables import Person, RoleAssignment, SitingPlan
from web.attachments import MOST_BYTES
from web.identity.request_identity import current_actor, services
from web.permissions import Audience, Permission, Section
from web.planner import answers, dossier, scope, sites, surroundings
from web.planner.forms import LONGEST_TEXT, Faults, Form, faults_of
from web.planner.show import show
from web.planner.words import NEEDS, REASONS, asked

section = Section("planner_plans", __name__, Audience.PLANNER)

_DRAFT = Permission.DRAFT_PLACES
# A step before its time is told as what the machine says of it.
_STEP_GUARDS = ("GD-15:sites_outside_private_places", "GD-17:duplicates_answered")


@section.page("/planner/plans/new", GET=_DRAFT, POST=_DRAFT, long_form=True)
def new() -> Response:
    """A new plan with its sites."""
    form = Form(request.form)
    if request.method == "GET":
        return _new_page(form, [sites.blank("1")])
    wanted = sites.numbers(form)
    if form.raw("step") == "add":
        fieldsets = [sites.typed(form, number) for number in wanted]
        return _new_page(form, [*fieldsets, sites.blank(_next(wanted), fieldsets[-1] if fieldsets else None)])
    filled = [number for number in wanted if not sites.is_blank(form, number)] or wanted[:1]
    try:
        public_id = answers.do(lambda work: _drafted(work, form, lambda: sites.read(form, filled)).public_id)
    except RuleViolation as error:
        faults = sites.at_fieldsets(form, answers.refused(error, form.faults))
        return _new_page(form, [sites.typed(form, number) for number in wanted], faults, error.status)
    return answers.go(f"/planner/plans/{public_id}", "plan-new")


def _next(wanted: list[str]) -> str:
    return str(max(map(int, wanted), default=0) + 1)


def _drafted(work: Work, form: Form, read: Callable[[], list[NewSite]]) -> SitingPlan:
    own = scope.authorities(work.session, work.actor, _DRAFT)
    form.choice("authority", [one.code for one in own])
    authority = scope.authority_of(own, form.raw("authority"))
    title_en, title_zh = form.text("title_en"), form.text("title_zh")
    found = read()
    form.faults.refuse()
    assert authority is not None
    new = NewPlan(
        title_en=title_en,
        title_zh=title_zh,
        authority=authority,
        item=scope.item_of(work.session, form.raw("item")),
        sites=found,
    )
    return commands.draft_plan(work, new)


def _new_page(form: Form, fieldsets: list[dict[str, str]], faults: Faults | None = None, status: int = 200) -> Response:
    with services().session() as db:
        context = {
            "authorities": scope.authorities(db, current_actor(), _DRAFT),
            "items": scope.items(db),
        }
    return show(
        "planner/plan_new.html",
        status,
        typed=form.given,
        fieldsets=fieldsets,
        empty_site=sites.blank("__n__"),
        faults=faults or Faults(),
        config=surroundings.base_map() | {"draw": "sites", "places": (faults or Faults()).places()},
        **context,
    )


# -- from a file ---------------------------------------------------------------------------------------------


@section.page("/planner/plans/import", GET=_DRAFT, POST=_DRAFT, max_body_bytes=MOST_BYTES)
def from_file() -> Response:
    """A new plan with the sites of a file: all of them, or none and a report of every row."""
    form = Form(request.form)
    if request.method == "GET":
        return _import_page(form)
    read: list[Read[NewSite]] = []
    try:
        public_id = answers.do(lambda work: _imported(work, form, read).public_id)
    except RuleViolation as error:
        faults = answers.refused(error, form.faults)
        told, faults = _in_rows(read[0], faults) if read else (None, faults)
        return _import_page(form, told, faults, error.status)
    return answers.go(f"/planner/plans/{public_id}", "plan-import")


def _in_rows(read: Read[NewSite], faults: Faults) -> tuple[Read[NewSite], Faults]:
    """The report with what the rules say of single sites in their rows, and what is left to say of the whole."""
    told, rest = in_rows(read, [fault.refusal for fault in faults.found])
    left = Faults()
    left.found += [fault for fault in faults.found if fault.refusal in rest]
    if told.refused > read.refused:
        left.add(refuse("form.field", "planner.rows_refused", refused=told.refused, rows=len(read.rows)), "file")
    return told, left


def _imported(work: Work, form: Form, told: list[Read[NewSite]]) -> SitingPlan:
    found: list[NewSite] = []
    try:
        told.append(_read_upload(form))
        found = list(told[0].drafts.values())
    except RuleViolation as error:
        form.faults.found += faults_of(error, "file").found
    if told and told[0].refused:
        refused, read = told[0].refused, len(told[0].rows)
        form.faults.add(refuse("form.field", "planner.rows_refused", refused=refused, rows=read), "file")
    return _drafted(work, form, lambda: found)


def _read_upload(form: Form) -> Read[NewSite]:
    options = Options(layer="sites", crs=form.raw("crs") or None, encoding=form.raw("encoding") or None)
    with answers.layer_upload() as path:
        return read_sites(path, options)


def _import_page(
    form: Form, read: Read[NewSite] | None = None, faults: Faults | None = None, status: int = 200
) -> Response:
    with services().session() as db:
        return show(
            "planner/plan_import.html",
            status,
            typed=form.given,
            read=read,
            faults=faults or Faults(),
            authorities=scope.authorities(db, current_actor(), _DRAFT),
            items=scope.items(db),
            most=limit("siting.sites"),
        )


# -- one plan --------------------------------------------------------------------------------------------------


@section.page("/planner/plans/<public_id>", GET=_DRAFT)
def plan(public_id: str) -> Response:
    """One plan: its state, its sites, what its reviewers say, and the step that comes next."""
    return _page(public_id)


def _page(public_id: str, faults: Faults | None = None, status: int = 200) -> Response:
    actor = current_actor()
    with answers.reading() as work:
        found = scope.opened(work.session, actor, _DRAFT, SitingPlan, public_id)
        pack = work.pack_for(found)
        file = dossier.plan_file(work.session, found, pack)
        standing = Faults()
        if found.state == "draft":
            for refusal in work.check(found, _STEP_GUARDS):
                standing.add(refusal)
        context = {
            "file": file,
            "standing": standing,
            "reasons": asked(REASONS, pack["siting.reasons"]),
            "needs": asked(NEEDS, pack["siting.need"]),
            "reviewers": {kind: reviewers(work, found, kind) for kind in ("legal", "technical")},
            "config": _map(work, file, found, (faults or standing).places()),
        }
    return show(
        "planner/plan.html",
        status,
        faults=faults or Faults(),
        typed=request.form if faults else _stored(file),
        **context,
    )


def _stored(file: dossier.PlanFile) -> Mapping[str, str]:
    """What the forms of the page hold when it is opened: what stands in the plan."""
    told = {f"reason.{code}": text for code, _, text in file.justification}
    return told | {f"need.{code}": text for code, _, text in file.need} | {"duplicates": file.duplicates}


def _map(work: Work, file: dossier.PlanFile, found: SitingPlan, places: dict[str, Any]) -> dict[str, Any]:
    if not file.sites:
        return surroundings.base_map() | {"places": places}
    kinds = {site.device_type for site in file.sites}
    shown = surroundings.around(work.session, dossier.places_of(file.sites), kinds)
    return surroundings.base_map() | shown | {"places": places}


def reviewers(work: Work, found: SitingPlan, kind: str) -> list[Person]:
    """Who may make a review of that kind: holders of the role in the authority today, but for the plan's authors."""
    today = work.pack_for(found).local_date(work.now)
    held = select(Person).join(RoleAssignment, RoleAssignment.person_id == Person.id)
    held = held.where(
        RoleAssignment.role == f"{kind}_reviewer",
        RoleAssignment.authority_id == found.authority_id,
        RoleAssignment.valid_from <= today,
        (RoleAssignment.valid_to.is_(None)) | (RoleAssignment.valid_to >= today),
        Person.disabled_at.is_(None),
        Person.id.not_in(authors_of(work.session, found)),
    )
    return list(work.session.scalars(held.distinct().order_by(Person.code)))


@section.page("/planner/plans/<public_id>/justify", POST=_DRAFT, max_body_bytes=4 * MOST_BYTES, long_form=True)
def justify(public_id: str) -> Response:
    """The case for a draft."""
    form = Form(request.form)

    def step(work: Work) -> None:
        found = scope.opened(work.session, work.actor, _DRAFT, SitingPlan, public_id)
        pack = work.pack_for(found)
        case = commands.Case(
            justification={code: _long(form, f"reason.{code}") for code in pack["siting.reasons"]},
            need={code: _long(form, f"need.{code}") for code in pack["siting.need"]},
            duplicates_answer=_long(form, "duplicates") or None,
            files=answers.uploads("files"),
        )
        commands.justify_plan(work, found, case, seen_version=answers.seen_version())

    return _stepped(public_id, step, "plan-case")


def _long(form: Form, name: str) -> str:
    return form.text(name, required=False, most=LONGEST_TEXT)


def _stepped(public_id: str, step: Any, done: str) -> Response:  # noqa: ANN401
    try:
        answers.do(step)
    except RuleViolation as error:
        return _page(public_id, answers.refused(error), error.status)
    return answers.go(f"/planner/plans/{public_id}", done)


@section.page("/planner/plans/<public_id>/hand-over", POST=_DRAFT)
def hand_over(public_id: str) -> Response:
    """A justified plan goes to its two reviewers."""
    form = Form(request.form)

    def step(work: Work) -> None:
        found = scope.opened(work.session, work.actor, _DRAFT, SitingPlan, public_id)
        chosen = {kind: _person(work, found, kind, form) for kind in ("legal", "technical")}
        form.faults.refuse()
        commands.start_review(work, found, **chosen, seen_version=answers.seen_version())

    try:
        answers.do(step)
    except RuleViolation as error:
        return _page(public_id, answers.refused(error, form.faults), error.status)
    return answers.go(f"/planner/plans/{public_id}", "plan-hand-over")


def _person(work: Work, found: SitingPlan, kind: str, form: Form) -> Any:  # noqa: ANN401
    able = {person.code: person for person in reviewers(work, found, kind)}
    form.choice(kind, able.keys())
    return able.get(form.raw(kind))


# -- anew --------------------------------------------------------------------------------------------------------

_ANEW = ("returned", "justified")


@section.page("/planner/plans/<public_id>/change", GET=_DRAFT, POST=_DRAFT, long_form=True)
def change(public_id: str) -> Response:
    """Sites are taken out of a plan, and others added: its next draft, or the next version of an approved one."""
    form = Form(request.form)
    if request.method == "GET":
        return _change_page(public_id, form, [])
    wanted = sites.numbers(form)
    fieldsets = [sites.typed(form, number) for number in wanted]
    if form.raw("step") == "add":
        return _change_page(
            public_id, form, [*fieldsets, sites.blank(_next(wanted), fieldsets[-1] if wanted else None)]
        )
    if form.raw("step").startswith("instead:"):
        return _change_page(public_id, form, fieldsets, instead=form.raw("step").removeprefix("instead:"))
    filled = [number for number in wanted if not sites.is_blank(form, number)]
    added = sites.read(form, filled)
    try:
        goal = answers.do(lambda work: _changed(work, public_id, form, added).public_id)
    except RuleViolation as error:
        return _change_page(public_id, form, fieldsets, answers.refused(error, form.faults), status=error.status)
    return answers.go(f"/planner/plans/{goal}", f"plan-change-{public_id}")


def _changed(work: Work, public_id: str, form: Form, added: list[NewSite]) -> SitingPlan:
    found = scope.opened(work.session, work.actor, _DRAFT, SitingPlan, public_id)
    reason = form.text("reason", most=LONGEST_TEXT)
    form.faults.refuse()
    changes = Changes(drop=request.form.getlist("drop"), add=added, reason=reason)
    if found.state in _ANEW:
        commands.redraft_plan(work, found, changes, seen_version=answers.seen_version())
        return found
    return commands.amend_plan(work, found, changes)


def _change_page(
    public_id: str,
    form: Form,
    fieldsets: list[dict[str, str]],
    faults: Faults | None = None,
    *,
    instead: str = "",
    status: int = 200,
) -> Response:
    actor = current_actor()
    with answers.reading() as work:
        found = scope.opened(work.session, actor, _DRAFT, SitingPlan, public_id)
        file = dossier.plan_file(work.session, found, work.pack_for(found))
        config = _map(work, file, found, (faults or Faults()).places())
    drop = set(form.given.getlist("drop"))
    for site in file.sites:
        if site.public_id == instead:
            # Whoever draws a site differently takes the old one out and begins with what it said.
            drop.add(instead)
            fieldsets.append(sites.typed_of(site, _next([one["number"] for one in fieldsets])))
    return show(
        "planner/plan_change.html",
        status,
        file=file,
        typed=form.given,
        drop=drop,
        fieldsets=fieldsets,
        empty_site=sites.blank("__n__"),
        faults=faults or Faults(),
        config=config | {"draw": "sites"},
        anew=file.state in _ANEW,
    )
