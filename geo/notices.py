"""Publications of a subject as the database holds them, and the notice that they give.

A round is one run of the clock: every announcement that a subject was taken out of use starts a new one,
and what was published before it counts no more (GD-14.4).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, func, literal, select
from sqlalchemy.orm import Session

from geo.content import content_sha256
from geo.publication import Notice, notice
from schemas.rules import RulePack
from schemas.tables import Announcement, DeploymentPoint, Device, Origin, PatrolArea, PatrolRoute, Publication

Published = Device | PatrolArea | PatrolRoute | DeploymentPoint

# Kinds of announcement after which use may begin again only with a new notice.
STOPS = ("discontinued", "suspended")


def stopped_at(session: Session, subject: Published) -> datetime | None:
    """When the subject was last announced to be out of use, or None."""
    return session.scalar(select(func.max(Announcement.announced_at)).where(*_stops_of(subject)))


def round_no(session: Session, subject: Published, pack: RulePack) -> int:
    """The round to which a publication made now belongs; the first is 1."""
    return session.scalars(select(_round_no(subject, pack))).one()


def appearances(session: Session, subject: Published, pack: RulePack) -> Sequence[Publication]:
    """The standing appearances of the present round, whatever they say."""
    return session.scalars(
        select(Publication)
        .where(
            Publication.subject_kind == subject.__tablename__,
            Publication.subject_id == subject.id,
            Publication.round_no == _round_no(subject, pack),
            Publication.withdrawn_at.is_(None),
        )
        .order_by(Publication.published_at)
    ).all()


@dataclass(frozen=True)
class Counted:
    """An appearance with the time from which it counts."""

    channel: str
    published_at: datetime
    withdrawn_at: datetime | None


def counted(rows: Iterable[Publication]) -> list[Counted]:
    """The appearances as the notice counts them: live ones not from before they were recorded, whatever a receipt says.

    So says the database too, which lets nothing be used any sooner.
    """
    return [
        Counted(
            row.channel,
            max(row.published_at, row.recorded_at) if _is_witnessed(row) else row.published_at,
            row.withdrawn_at,
        )
        for row in rows
    ]


def _is_witnessed(row: Publication) -> bool:
    return row.origin == Origin.LIVE.value and row.recorded_at is not None


def current(session: Session, subject: Published, pack: RulePack) -> Notice:
    """The notice given by those appearances of the present round that say what is true now."""
    content = content_sha256(session, subject)
    standing = appearances(session, subject, pack)
    return notice(counted(row for row in standing if row.content_sha256 == content), pack)


def _round_no(subject: Published, pack: RulePack) -> ColumnElement[int]:
    if not pack["publication.resume_requires_republish"]:
        return literal(1)
    return 1 + select(func.count()).where(*_stops_of(subject)).scalar_subquery()


def _stops_of(subject: Published) -> tuple[ColumnElement[bool], ...]:
    return (
        Announcement.subject_kind == subject.__tablename__,
        Announcement.subject_id == subject.id,
        Announcement.kind.in_(STOPS),
    )
