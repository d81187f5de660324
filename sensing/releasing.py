"""What a legal reviewer does with findings whose ground became private later: release, and take that back (GD-43).

The reviewer judges by the record: neither picture nor outline is shown to anybody before the release. What lies in a
zone stays masked in every picture after it as well.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.ids import public_id
from schemas.machine import Context, Guard
from schemas.refusals import Refusal, conflict, refuse
from schemas.store.work import Work
from schemas.tables import Decision, Derivation, Detection, Release, ReleaseFind, ReleaseZone
from sensing.shut import GRANTED, Shutting, shutting


def release_finding(work: Work, detection_id: str, reason: str) -> Release:
    """Open a finding again although its ground became private; every reason against it is told at once."""
    detection = work.get(Detection, detection_id)
    if work.actor.person_id is None:
        raise conflict("GD-43", "detection.nobody")
    zones = shutting(work.session, detection, work.now)
    row = Release(
        id=uuid.uuid4(),
        public_id=public_id("RL"),
        detection=detection,
        detection_id=detection.id,
        authority_id=detection.authority_id,
        reviewer_id=work.actor.person_id,
        granted_at=work.now,
        reason=reason.strip(),
    )
    named = [{"zone": one.zone.public_id, "version": one.zone.zone_version} for one in zones]
    work.apply(row, "grant", reason=reason, zones=zones, record={"finding": detection.public_id, "zones": named})
    work.session.flush()
    work.session.add(ReleaseFind(detection_id=detection.id, release_id=row.id))
    for one in zones:
        facts = {"zone_version": one.zone.zone_version, "valid_to": one.zone.valid_to}
        work.session.add(ReleaseZone(release_id=row.id, zone_id=one.zone.id, **facts))
    return row


def withdraw_release(work: Work, release_id: str, reason: str) -> Release:
    """Shut a finding again that was released; what officers did with it meanwhile stays."""
    row = work.get(Release, release_id)
    work.apply(row, "withdraw", reason=reason, record={"finding": row.detection.public_id})
    row.withdrawn_by, row.withdrawn_at, row.withdrawn_reason = work.actor.person_id, work.now, reason.strip()
    return row


def inherit_releases(session: Session, made: Iterable[Detection], sources: Sequence[Detection]) -> None:
    """What is cut or joined from released findings is as open as they are."""
    of_the_sources = (
        select(ReleaseFind.release_id)
        .join(Release)
        .where(ReleaseFind.detection_id.in_([one.id for one in sources]), Release.state == GRANTED)
    )
    releases = list(session.scalars(of_the_sources.distinct()))
    session.add_all(ReleaseFind(detection_id=one.id, release_id=release) for one in made for release in releases)


def hindrances(
    session: Session, detection: Detection, zones: Sequence[Shutting], person_id: uuid.UUID | None
) -> list[Refusal]:
    """Why a person may not release a finding from the zones that shut it; empty where only a reason is lacking."""
    return [
        *_private(detection, zones),
        *_another_person(session, detection, person_id),
        *_nameable(zones),
        *_since_capture(detection, zones),
    ]


def _private(detection: Detection, zones: Sequence[Shutting]) -> Iterable[Refusal]:
    if not zones:
        yield refuse("GD-43", "release.nothing_private", measured=detection.public_id)


def _another_person(session: Session, detection: Detection, person_id: uuid.UUID | None) -> Iterable[Refusal]:
    if person_id is None or person_id in officers_of(session, detection):
        yield refuse("GD-43", "release.own_finding", measured=detection.public_id)


def _nameable(zones: Sequence[Shutting]) -> Iterable[Refusal]:
    for one in zones:
        if one.zone.sensitive:
            yield refuse("GD-43", "release.sensitive", measured=one.zone.public_id)


def _since_capture(detection: Detection, zones: Sequence[Shutting]) -> Iterable[Refusal]:
    for one in zones:
        if not one.lawful_capture:
            yield refuse("GD-36.1", "release.private_at_capture", measured=one.zone.public_id, name=detection.public_id)


def officers_of(session: Session, detection: Detection) -> set[uuid.UUID]:
    """Whoever has taken a finding on, or decided anything about it or about what it was made from."""
    people = {detection.assigned_to} if detection.assigned_to else set()
    ids = {detection.id}
    while ids:
        people |= set(session.scalars(select(Decision.person_id).where(Decision.detection_id.in_(ids))))
        ids = set(session.scalars(select(Derivation.source_id).where(Derivation.detection_id.in_(ids))))
    return people


def _of_the_subject(context: Context) -> tuple[Detection, Sequence[Shutting]]:
    return context.subject.detection, context.params["zones"]


def ground_is_private(context: Context) -> Iterable[Refusal]:
    """GD-43: there is something to be released from."""
    yield from _private(*_of_the_subject(context))


def reviewer_is_not_the_officer(context: Context) -> Iterable[Refusal]:
    """GD-43: whoever releases a finding has neither taken it on nor decided about it."""
    yield from _another_person(context.session, context.subject.detection, context.actor.person_id)


def zones_may_be_named(context: Context) -> Iterable[Refusal]:
    """GD-43: nothing is released from a sensitive zone, for what was found would tell of the place that it hides."""
    yield from _nameable(context.params["zones"])


def private_only_since_capture(context: Context) -> Iterable[Refusal]:
    """GD-36.1: what was private when the image was taken was taken unlawfully, and stays shut."""
    yield from _since_capture(*_of_the_subject(context))


def did_not_release_it(context: Context) -> Iterable[Refusal]:
    """GD-43: whoever released a finding decides nothing about it."""
    released = (
        select(Release.id)
        .join(ReleaseFind)
        .where(ReleaseFind.detection_id == context.subject.id, Release.reviewer_id == context.actor.person_id)
    )
    if context.session.scalar(released.limit(1)) is not None:
        yield refuse("GD-43", "release.own_release", measured=context.subject.public_id)


GUARDS: dict[str, Guard] = {
    "GD-43:ground_is_private": ground_is_private,
    "GD-43:reviewer_is_not_the_officer": reviewer_is_not_the_officer,
    "GD-43:zones_may_be_named": zones_may_be_named,
    "GD-36.1:private_only_since_capture": private_only_since_capture,
    "GD-43:did_not_release_it": did_not_release_it,
}
