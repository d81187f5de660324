"""Findings whose ground became private later: what shuts them, and their release by a legal reviewer (GD-43).

No outline and no picture is here: the reviewer judges by the record.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Response, make_response, redirect, render_template, request
from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from schemas.actors import Actor
from schemas.refusals import Refusal, RuleViolation, invalid, not_found
from schemas.roles import Role
from schemas.store.work import Work
from schemas.tables import Detection, Person, Release, Scene
from sensing.releasing import hindrances, release_finding, withdraw_release
from sensing.shut import is_shut, shutting
from web.desk.amounts import area_words
from web.errors import wants_page
from web.i18n import current_language, gettext, ngettext
from web.identity.request_identity import current_actor, services
from web.permissions import Audience, Permission, Section, may

section = Section("desk_private", __name__, Audience.DESK)

LONGEST_REASON = 500
MOST = 200
_MAY_SEE = (Role.LEGAL_REVIEWER, Role.SUPERVISOR)
# What was cut, joined or taken back goes on as something else.
_GONE = ("split", "merged", "withdrawn", "closed")


@dataclass(frozen=True)
class Zone:
    """A zone that shuts a finding, as everybody may know it; `kind` is `other` where that would tell too much."""

    public_id: str
    kind: str
    since: datetime
    until: datetime | None


@dataclass(frozen=True)
class Shut:
    """A finding that nobody is shown; `against` is why this reader may not release it."""

    public_id: str
    kind: str
    state: str
    area_m2: float
    taken: datetime | None
    formed_at: datetime
    officer: Mapping[str, str] | None
    zones: tuple[Zone, ...]
    against: tuple[Refusal, ...]


@dataclass(frozen=True)
class Opened:
    """A release: of which finding, by whom, why, and how it ended."""

    public_id: str
    finding: str
    kind: str
    state: str
    granted_at: datetime
    reviewer: Mapping[str, str]
    reason: str
    zones: tuple[str, ...]
    withdrawn_at: datetime | None
    withdrawn_by: Mapping[str, str] | None
    withdrawn_reason: str | None


def authorities_of(actor: Actor) -> frozenset[uuid.UUID]:
    """The authorities whose shut findings the actor may know of."""
    return frozenset(grant.authority_id for grant in actor.grants if grant.role in _MAY_SEE)


def shut_findings(db: Session, actor: Actor, at: datetime) -> list[Shut]:
    """The findings that a privacy zone shuts, what was due first first."""
    officer = aliased(Person)
    rows = (
        select(Detection, Scene, officer)
        .join(Scene, Scene.id == Detection.scene_id)
        .outerjoin(officer, officer.id == Detection.assigned_to)
        .where(Detection.authority_id.in_(authorities_of(actor)), Detection.state.not_in(_GONE), is_shut(at))
        .order_by(Detection.turn, Detection.public_id)
        .limit(MOST)
    )
    return [_shut(db, actor, detection, scene.captured_at, who, at) for detection, scene, who in db.execute(rows)]


def _shut(
    db: Session, actor: Actor, row: Detection, taken: datetime | None, officer: Person | None, at: datetime
) -> Shut:
    zones = shutting(db, row, at)
    return Shut(
        public_id=row.public_id,
        kind=row.kind,
        state=row.state,
        area_m2=row.area_m2,
        taken=taken,
        formed_at=row.formed_at,
        officer=_named(officer),
        zones=tuple(
            Zone(one.public_id, "other" if one.sensitive else one.kind, one.valid_from, one.valid_to)
            for one in (shuts.zone for shuts in zones)
        ),
        against=tuple(hindrances(db, row, zones, actor.person_id)),
    )


def _named(person: Person | None) -> Mapping[str, str] | None:
    return {"en": person.name_en, "zh": person.name_zh} if person else None


def releases(db: Session, actor: Actor) -> list[Opened]:
    """What was released, the last first."""
    withdrawer = aliased(Person)
    rows = (
        select(Release, Detection, Person, withdrawer)
        .join(Detection, Detection.id == Release.detection_id)
        .join(Person, Person.id == Release.reviewer_id)
        .outerjoin(withdrawer, withdrawer.id == Release.withdrawn_by)
        .where(Release.authority_id.in_(authorities_of(actor)))
        .order_by(Release.granted_at.desc(), Release.public_id)
        .limit(MOST)
    )
    return [
        Opened(
            public_id=row.public_id,
            finding=found.public_id,
            kind=found.kind,
            state=row.state,
            granted_at=row.granted_at,
            reviewer={"en": reviewer.name_en, "zh": reviewer.name_zh},
            reason=row.reason,
            zones=tuple(sorted(one.zone.public_id for one in row.zones)),
            withdrawn_at=row.withdrawn_at,
            withdrawn_by=_named(ended_by),
            withdrawn_reason=row.withdrawn_reason,
        )
        for row, found, reviewer, ended_by in db.execute(rows)
    ]


def release(work: Work, public_id: str, reason: str) -> Release:
    """Releases a finding of an authority of the actor; any other is unknown (404)."""
    _of_the_actor(work, Detection, public_id)
    return release_finding(work, public_id, reason)


def withdraw(work: Work, public_id: str, reason: str) -> Release:
    """Takes a release of an authority of the actor back; any other is unknown (404)."""
    _of_the_actor(work, Release, public_id)
    return withdraw_release(work, public_id, reason)


def _of_the_actor(work: Work, kind: type[Detection | Release], public_id: str) -> None:
    own = select(kind.id).where(kind.public_id == public_id, kind.authority_id.in_(authorities_of(work.actor)))
    if work.session.scalar(own) is None:
        raise not_found("finding.unknown", measured=public_id[:40])


DECISIONS: dict[str, Callable[[Work, str, str], Release]] = {"release": release, "withdraw": withdraw}


@section.page("/review/private", GET=Permission.READ_RELEASES)
def listed() -> Response:
    """What is shut, why, and what was released."""
    return _page()


@section.page("/review/private/<public_id>", POST=Permission.RELEASE_FINDING)
def decided(public_id: str) -> Response:
    """Release the finding of that id, or take the release of that id back, with a reason."""
    decision, reason = request.form.get("decision", ""), request.form.get("reason", "").strip()
    house, actor = services(), current_actor()
    try:
        if decision not in DECISIONS or len(reason) > LONGEST_REASON:
            told = {"name": "decision", "measured": decision[:40], "required": ", ".join(DECISIONS)}
            raise invalid("query.unknown", "web.query_unknown", **told)
        with house.work(actor) as work:
            DECISIONS[decision](work, public_id, reason)
            work.commit()
    except RuleViolation as refused:
        if refused.status == 404 or not wants_page():
            raise
        return _page(refused, {"id": public_id, "reason": reason[:LONGEST_REASON]})
    return make_response(redirect("/review/private", 303))


def _page(refused: RuleViolation | None = None, typed: Mapping[str, str] | None = None) -> Response:
    house, actor, lang = services(), current_actor(), current_language()
    with house.session() as db:
        shut, opened = shut_findings(db, actor, house.clock.now()), releases(db, actor)
    page = render_template(
        "desk/private.html",
        headline=_headline(shut),
        shut=shut,
        opened=opened,
        told={one.public_id: [refusal.render(lang) for refusal in one.against] for one in shut},
        releases_them=may(actor, Permission.RELEASE_FINDING),
        typed=typed or {},
        refusals=refused.render(lang) if refused else [],
        area=area_words,
    )
    return make_response(page, refused.status if refused else 200)


def _headline(shut: list[Shut]) -> str:
    if not shut:
        return gettext("No finding is shut")
    return ngettext(
        "%(num)d finding is shut because its ground became private",
        "%(num)d findings are shut because their ground became private",
        len(shut),
    )


def plain(one: Shut, lang: str) -> dict[str, Any]:
    """A shut finding as JSON, for the command line."""
    zones = [{"id": zone.public_id, "kind": zone.kind, "since": zone.since, "until": zone.until} for zone in one.zones]
    facts = {"id": one.public_id, "kind": one.kind, "state": one.state, "area_m2": one.area_m2, "taken": one.taken}
    return facts | {"zones": zones, "against": [refusal.render(lang) for refusal in one.against]}
