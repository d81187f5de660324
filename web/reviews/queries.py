"""What waits for reviewers, unit heads and approvers, with its last day; frozen rows, oldest due first."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from geoalchemy2.shape import to_shape
from sqlalchemy import ColumnElement, DateTime, exists, func, literal_column, select
from sqlalchemy.orm import Session

from geo.checklists import REVIEW_KINDS
from geo.checks_siting import live_sites
from geo.queries import latest_review
from schemas.actors import Actor
from schemas.roles import Role
from schemas.rules import RulePack
from schemas.store.overlays import switched_on
from schemas.store.work import Work
from schemas.tables import Authority, DeploymentPoint, Device, DeviceReview, PatrolArea, SitingPlan
from web.i18n import gettext, ngettext
from web.permissions import Permission
from web.planner import scope
from web.planner.words import said
from web.words import REVIEWS

MOST = 200
Kind = type[SitingPlan] | type[Device] | type[PatrolArea] | type[DeploymentPoint]
_ROLE_OF = {"legal": Role.LEGAL_REVIEWER, "technical": Role.TECHNICAL_REVIEWER}


@dataclass(frozen=True)
class Row:
    """One thing that waits for the reader: what is to be done with it, and by which local date."""

    kind: str
    public_id: str
    name: Mapping[str, str]
    task: str
    what: str
    since: datetime
    due: date
    url: str


def queue(work: Work) -> list[Row]:
    """Everything that waits for the actor at these desks, what is due first first."""
    rows = [*_reviews_of_plans(work), *_reviews_of_devices(work), *_to_submit(work), *_places(work), *_to_decide(work)]
    return sorted(rows, key=lambda row: (row.due, row.since, row.public_id))


def _row(work: Work, found: tuple[Any, datetime], kind: str, task: str, what: str, url: str) -> Row:
    subject, at = found
    pack = _rules(work, subject.authority)
    due = pack.calendar.after(pack.local_date(at), pack["review.decide_within"])
    return Row(kind, subject.public_id, _name(subject), task, what, at, due, url)


def _name(subject: Any) -> Mapping[str, str]:  # noqa: ANN401
    if isinstance(subject, SitingPlan):
        return {"en": subject.title_en or subject.public_id, "zh": subject.title_zh or subject.public_id}
    if isinstance(subject, Device):
        return {"en": subject.name, "zh": subject.name}
    return {"en": subject.name_en, "zh": subject.name_zh}


def _held(actor: Actor, role: Role) -> set[uuid.UUID]:
    return {grant.authority_id for grant in actor.grants if grant.role == role}


def _rules(work: Work, authority: Authority) -> RulePack:
    """The rules where an authority acts: the period within which its things are decided is the same everywhere."""
    known: dict[uuid.UUID, RulePack] = work.session.info.setdefault("rules", {})
    if authority.id not in known:
        pack = work.rulebook.at_place(to_shape(authority.jurisdiction), work.now)
        on = switched_on(work.session, authority.id)
        known[authority.id] = work.rulebook.with_overlays(pack, on, pack.local_date(work.now))
    return known[authority.id]


def _since(kind: Kind) -> ColumnElement[datetime]:
    """When a row came into its state, as `web.planner.history.since` tells it of one."""
    made = literal_column(
        f"(SELECT max(e.recorded_at) FROM ledger.event e WHERE e.subject_kind = '{kind.__machine__}'"
        f" AND e.subject_id = core.{kind.__tablename__}.id::text"
        " AND e.action <> 'refused' AND e.action NOT LIKE '%.record\\_review')",
        type_=DateTime(timezone=True),
    )
    return func.coalesce(made, kind.recorded_at)


def _of(
    db: Session, kind: Kind, state: str, authority_ids: set[uuid.UUID], *more: ColumnElement[bool]
) -> list[tuple[Any, datetime]]:
    if not authority_ids:
        return []
    mine = kind.authority_id.in_(authority_ids)
    waiting = select(kind, _since(kind)).where(kind.state == state, mine, *more)
    return [(row, at) for row, at in db.execute(waiting.order_by(kind.recorded_at).limit(MOST))]


def _reviews_of_plans(work: Work) -> Iterator[Row]:
    """Plans whose sites this person reviews, and those that it must give back because a review of it failed."""
    for kind, role in _ROLE_OF.items():
        assigned = SitingPlan.legal_reviewer_id if kind == "legal" else SitingPlan.technical_reviewer_id
        held = _held(work.actor, role)
        for plan, at in _of(work.session, SitingPlan, "in_review", held, assigned == work.actor.person_id):
            made = [latest_review(work.session, site, kind) for site in live_sites(plan)]
            left = made.count(None)
            url = f"/reviews/plans/{plan.public_id}"
            if left:
                what = ngettext("%(kind)s of %(num)d site", "%(kind)s of %(num)d sites", left, kind=said(REVIEWS, kind))
                yield _row(work, (plan, at), "plan", "review", what, url)
            elif any(one is not None and not one.passed for one in made):
                yield _row(
                    work, (plan, at), "plan", "return", gettext("Return it with your text: a review failed"), url
                )


def _reviews_of_devices(work: Work) -> Iterator[Row]:
    """Devices whose present version lacks this person's review, but for those it drafted or reviewed the other way."""
    me = work.actor.person_id
    for kind, role in _ROLE_OF.items():
        made = exists().where(DeviceReview.device_id == Device.id, DeviceReview.device_version == Device.device_version)
        mine = made.where(DeviceReview.kind != kind, DeviceReview.reviewer_id == me)
        open_to_me = (~made.where(DeviceReview.kind == kind), ~mine, Device.author_id.is_distinct_from(me))
        for device, at in _of(work.session, Device, "registered", _held(work.actor, role), *open_to_me):
            url = f"/reviews/devices/{device.public_id}/{kind}"
            yield _row(work, (device, at), "device", "review", said(REVIEWS, kind), url)


def _to_submit(work: Work) -> Iterator[Row]:
    """Plans whose sites all passed both reviews."""
    for plan, at in _of(work.session, SitingPlan, "in_review", _held(work.actor, Role.UNIT_HEAD)):
        made = [latest_review(work.session, site, kind) for site in live_sites(plan) for kind in REVIEW_KINDS]
        if all(one is not None and one.passed for one in made):
            what = gettext("Submit it to the approver, or return it")
            yield _row(work, (plan, at), "plan", "submit", what, f"/reviews/plans/{plan.public_id}")


def _places(work: Work) -> Iterator[Row]:
    """Areas and points that were checked and are not drafted by this unit head."""
    for kind, path, table in (("area", "areas", PatrolArea), ("point", "points", DeploymentPoint)):
        for place, at in _of(work.session, table, "checked", _held(work.actor, Role.UNIT_HEAD)):
            what = gettext("Approve it, or return it")
            yield _row(work, (place, at), kind, "approve", what, f"/reviews/{path}/{place.public_id}")


def _to_decide(work: Work) -> Iterator[Row]:
    """Plans that were submitted to this approver's department."""
    own = _held(work.actor, Role.PROVINCIAL_APPROVER)
    if not own:
        return
    fields = set(work.session.scalars(select(Authority.field).where(Authority.id.in_(own))))
    everywhere = {one.id for one in scope.authorities(work.session, work.actor, Permission.DECIDE_PLAN)}
    for plan, at in _of(work.session, SitingPlan, "submitted", everywhere):
        if plan.authority.field in fields:
            what = gettext("Approve it, refuse it, or return it")
            yield _row(work, (plan, at), "plan", "decide", what, f"/reviews/plans/{plan.public_id}")
