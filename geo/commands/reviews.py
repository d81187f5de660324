"""Legal and technical reviews: of a version of a device, and of each site of a plan (GD-10.3, GD-11, GD-12)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from geo import checklists
from geo.attachments import attach
from geo.checklists import Answers
from geo.checks_device import place_of_device
from geo.checks_siting import authors_of, place_of_site
from geo.commands.common import local_today, role_missing
from geo.commands.words import refuse_unknown
from geo.private_places import private_place_refusals
from geo.queries import latest_review
from schemas.ids import new_id, public_id
from schemas.machine import label
from schemas.refusals import Kind, Refusal, RuleViolation, refuse
from schemas.roles import Role
from schemas.store.work import Work
from schemas.tables import Device, DeviceReview, PlannedSite, SitingPlan
from schemas.words import Coded

REVIEWERS = {"legal": Role.LEGAL_REVIEWER, "technical": Role.TECHNICAL_REVIEWER}


def record_review(work: Work, subject: Device | PlannedSite, *, kind: str, answers: Answers) -> DeviceReview:
    """Records a review; it passes when every item of the rule pack does, and says why where it does not.

    The reviewer belongs to the authority, drafted nothing of it and did not make the other review (GD-11.1).
    """
    refuse_unknown([("kind", kind, tuple(REVIEWERS))])
    owner = _owner(subject)
    if not work.actor.has(REVIEWERS[kind], owner.authority_id):
        raise role_missing(label(owner), "review", (REVIEWERS[kind],))
    if isinstance(owner, SitingPlan):
        # A plan that is submitted meanwhile is reviewed no more: its head has read what the reviews say by then.
        work.session.refresh(owner, with_for_update=True)
    pack, today = work.pack_for(owner), local_today(work, owner)
    found = [
        *reviewer_refusals(work, subject, kind),
        *checklists.refusals(kind, answers, pack, today),
        *_prohibited(work, subject, answers),
    ]
    if found:
        raise RuleViolation(Kind.CONFLICT, found)
    review = DeviceReview(
        id=new_id(),
        public_id=public_id("RV"),
        device_id=subject.id if isinstance(subject, Device) else None,
        planned_site_id=None if isinstance(subject, Device) else subject.id,
        device_version=subject.device_version if isinstance(subject, Device) else 1,
        kind=kind,
        reviewer_id=work.actor.person_id,
        passed=answers.passed,
        items={"answers": dict(answers.items), "texts": dict(answers.texts), "note": answers.note},
        reviewed_on=today,
        sole_basis_id=answers.sole_basis.id if answers.sole_basis else None,
        corroboration_required=answers.sole_basis is None,
        institution=answers.institution.name if answers.institution else None,
        qualification_no=answers.institution.qualification_no if answers.institution else None,
        qualification_valid_to=answers.institution.valid_to if answers.institution else None,
        standards=list(answers.standards),
    )
    work.session.add(review)
    _tell(work, subject, owner, review, answers)
    return review


def _tell(
    work: Work, subject: Device | PlannedSite, owner: Device | SitingPlan, review: DeviceReview, answers: Answers
) -> None:
    files = {
        item: attach(work, "device_review", review.id, item, given) for item, given in answers.files.items() if given
    }
    body = {"kind": review.kind, "passed": review.passed, "review": review.public_id, "files": files}
    if isinstance(subject, PlannedSite):
        body["site"] = subject.public_id
    work.record(f"{owner.__machine__}.record_review", owner.__tablename__, owner.id, body)


def reviewer_refusals(work: Work, subject: Device | PlannedSite, kind: str) -> Iterator[Refusal]:
    """Why the actor is not the one to make a review of that kind now; asked before its work is begun (GD-11.1)."""
    me, owner = work.actor.person_id, _owner(subject)
    if isinstance(owner, SitingPlan):
        if owner.state != "in_review":
            yield refuse(
                "GD-10.3", "siting.not_in_review", measured=Coded("state", [owner.state]), number=owner.public_id
            )
            return
        assigned = owner.legal_reviewer_id if kind == "legal" else owner.technical_reviewer_id
        if assigned != me:
            yield refuse("GD-11.1", "siting.other_reviewer", reviewer=checklists.reviewer(kind))
    authors = authors_of(work.session, owner) if isinstance(owner, SitingPlan) else {owner.author_id}
    if me is not None and me in authors:
        yield refuse("GD-11.1", "device.review_own")
    for other in (other for other in checklists.REVIEW_KINDS if other != kind):
        made = latest_review(work.session, subject, other)
        if made is not None and made.reviewer_id == me:
            yield refuse("GD-11.1", "device.review_both", reviewer=checklists.reviewer(other))


def _owner(subject: Device | PlannedSite) -> Device | SitingPlan:
    return subject if isinstance(subject, Device) else subject.plan


def _prohibited(work: Work, subject: Device | PlannedSite, answers: Answers) -> Iterable[Refusal]:
    if answers.denies_prohibition:
        yield from prohibitions(work, subject)


def prohibitions(work: Work, subject: Device | PlannedSite) -> Iterator[Refusal]:
    """GD-11.2: nobody says that no prohibition stands against a place where one does; what the machine finds there."""
    if isinstance(subject, Device):
        place, pack = place_of_device(work.session, subject), work.pack_for(subject)
    else:
        place, pack = place_of_site(subject), work.pack_for(subject.plan)
    for refusal in private_place_refusals(work.session, place, pack, work.now):
        yield refuse("GD-11.2", refusal.text, measured=refusal.measured, place=refusal.place, **dict(refusal.params))
