"""What the publisher's desk shows: what waits to be announced, what is being sent, which clocks run. Frozen rows."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from geo import notices
from geo.commands.dispatches import KINDS
from geo.commands.publications import OWN_CHANNEL
from geo.content import content_sha256
from geo.notices import Published
from geo.publication import Notice
from geo.wording import facts, notice_text
from schemas.refusals import not_found
from schemas.rules import RulePack
from schemas.store.work import Work
from schemas.tables import AreaChange, Device, Dispatch, PatrolArea, Publication
from web.identity.request_identity import current_actor
from web.permissions import Permission
from web.registry.reach import own

# The states in which something waits for a publisher, by what it waits for.
TO_ANNOUNCE = {"device": "reviewed"}
NOTICE = "published"
STOPPED = {"device": "discontinued"}
IN_USE = ("active", "maintenance", "blocked", "effective")
MOST_ROWS = 50


@dataclass(frozen=True)
class Row:
    """Something that is announced or waits for it; `name` is `{"en", "zh"}`."""

    public_id: str
    kind: str
    name: dict[str, str]
    state: str
    place: str
    carried: tuple[str, ...]
    notice: Notice
    lead_days: int

    @property
    def url(self) -> str:
        """Its page at this desk."""
        return f"/registry/publication/{self.public_id}"


@dataclass(frozen=True)
class Section:
    """The first rows of those in a state, and how many there are."""

    total: int
    rows: tuple[Row, ...]


def section(work: Work, states: dict[str, str], default: str) -> Section:
    """The subjects of the reader's authorities that are in a state, by kind; the oldest first."""
    mine = own(current_actor(), Permission.PUBLISH)
    total, rows = 0, []
    for name, kind in KINDS.items():
        wanted = [kind.authority_id.in_(mine), kind.state == states.get(name, default)]
        if kind is Device:
            wanted.append(Device.secret.is_(False))
        total += work.session.scalar(select(func.count()).select_from(kind).where(*wanted)) or 0
        found: Any = select(kind).where(*wanted).order_by(kind.recorded_at, kind.public_id).limit(MOST_ROWS)
        rows += [row_of(work, subject) for subject in work.session.scalars(found)]
    return Section(total, tuple(rows[:MOST_ROWS]))


def reshaped(work: Work) -> list[Row]:
    """Areas in force for which another shape was approved and waits to be shown (G-6)."""
    mine = own(current_actor(), Permission.PUBLISH)
    wanted = (
        select(PatrolArea)
        .join(AreaChange, AreaChange.area_id == PatrolArea.id)
        .where(AreaChange.area_version > PatrolArea.area_version, AreaChange.approved_on.is_not(None))
        .where(PatrolArea.authority_id.in_(mine), PatrolArea.state == "effective")
        .order_by(PatrolArea.code)
        .limit(MOST_ROWS)
    )
    return [row_of(work, area) for area in dict.fromkeys(work.session.scalars(wanted))]


def row_of(work: Work, subject: Published) -> Row:
    """A subject as lists show it."""
    pack = work.pack_for(subject)
    said = facts(work.session, subject, pack)
    content = content_sha256(work.session, subject)
    standing = [row for row in notices.appearances(work.session, subject, pack) if row.content_sha256 == content]
    return Row(
        public_id=subject.public_id,
        kind=subject.__tablename__,
        name=said["name"],
        state=subject.state,
        place=_place(subject),
        carried=tuple(dict.fromkeys(row.channel for row in standing)),
        notice=notices.current(work.session, subject, pack),
        lead_days=pack["publication.lead_days"],
    )


def _place(subject: Published) -> str:
    if isinstance(subject, Device):
        return subject.site.place_text
    return str(getattr(subject, "place_text", "") or subject.code)


@dataclass(frozen=True)
class Sending:
    """A dispatch that has no answer yet, or was rejected."""

    public_id: str
    subject: str
    subject_name: dict[str, str]
    channel: str
    sent_at: datetime
    tries: int
    next_try_at: datetime | None
    handed_over_at: datetime | None
    failure: str | None
    rejected_because: str | None
    stands: bool

    @property
    def stuck(self) -> bool:
        """Whether nothing will happen by itself."""
        return self.rejected_because is not None or (self.next_try_at is None and self.failure is not None)


def sendings(work: Work, subject: Published) -> list[Sending]:
    """What was sent of a subject and has not become a publication, the latest of each channel."""
    wanted = select(Dispatch).where(
        Dispatch.subject_kind == subject.__tablename__,
        Dispatch.subject_id == subject.id,
    )
    latest: dict[str, Dispatch] = {}
    for row in work.session.scalars(wanted.order_by(Dispatch.sent_at, Dispatch.recorded_at)):
        latest[row.channel] = row
    content = content_sha256(work.session, subject)
    name = facts(work.session, subject, work.pack_for(subject))["name"]
    return [
        Sending(
            public_id=row.public_id,
            subject=subject.public_id,
            subject_name=name,
            channel=row.channel,
            sent_at=row.sent_at,
            tries=row.tries,
            next_try_at=row.next_try_at,
            handed_over_at=row.handed_over_at,
            failure=row.failure,
            rejected_because=row.rejected_because,
            stands=row.content_sha256 == content,
        )
        for row in latest.values()
        if row.publication_id is None
    ]


def under_way(work: Work) -> list[Sending]:
    """What the reader's authorities have sent and what no channel carries yet; what is stuck first."""
    mine = own(current_actor(), Permission.PUBLISH)
    found = []
    for name, kind in KINDS.items():
        open_ones = (
            select(Dispatch.subject_id)
            .where(Dispatch.subject_kind == name, Dispatch.publication_id.is_(None))
            .distinct()
            .scalar_subquery()
        )
        subjects: Any = select(kind).where(kind.id.in_(open_ones), kind.authority_id.in_(mine)).limit(MOST_ROWS)
        for subject in work.session.scalars(subjects):
            carried = row_of(work, subject).carried
            found += [one for one in sendings(work, subject) if one.channel not in carried]
    return sorted(found, key=lambda one: (not one.stuck, one.sent_at))


def subject_of(work: Work, public_id: str) -> Published:
    """A subject of the reader's authorities; raises RuleViolation 404 for every other, and for secret ones."""
    mine = own(current_actor(), Permission.PUBLISH)
    for kind in KINDS.values():
        found: Any = select(kind).where(kind.public_id == public_id, kind.authority_id.in_(mine))
        if kind is Device:
            found = found.where(Device.secret.is_(False))
        subject: Published | None = work.session.scalars(found).one_or_none()
        if subject is not None:
            return subject
    raise not_found("record.unknown", "registry.unknown", measured=public_id[:40])


@dataclass(frozen=True)
class ChannelLine:
    """One channel of the rule pack and how it stands with a subject."""

    code: str
    title: dict[str, str]
    official: bool
    own: bool
    reached: bool
    carries: Publication | None
    other: tuple[Publication, ...]
    sending: Sending | None


def channels_of(work: Work, subject: Published, reached: Collection[str]) -> list[ChannelLine]:
    """The channels in their order in the pack; `reached` are those that have an adapter."""
    pack = work.pack_for(subject)
    content = content_sha256(work.session, subject)
    standing = notices.appearances(work.session, subject, pack)
    sent = {one.channel: one for one in sendings(work, subject)}
    lines = []
    for code, channel in pack.channels.items():
        shown = [row for row in standing if row.channel == code]
        carries = next((row for row in shown if row.content_sha256 == content), None)
        lines.append(
            ChannelLine(
                code=code,
                title={"en": channel.title.en, "zh": channel.title.zh},
                official=channel.official,
                own=code == OWN_CHANNEL,
                reached=code in reached,
                carries=carries,
                other=tuple(row for row in shown if row.content_sha256 != content),
                sending=None if carries else sent.get(code),
            )
        )
    return lines


@dataclass(frozen=True)
class Preview:
    """What the public will read, in both languages: the notice, and its facts."""

    text: dict[str, str]
    facts: dict[str, dict[str, str]]


def preview(session: Session, subject: Published, pack: RulePack) -> Preview:
    """The notice of a subject as it will stand on the channels."""
    return Preview(notice_text(session, subject, pack), facts(session, subject, pack))


def to_announce(session: Session, mine: Collection[uuid.UUID]) -> int:
    """How many of these authorities' subjects wait to be announced; for the top of every desk."""
    total = 0
    for name, kind in KINDS.items():
        wanted = [kind.authority_id.in_(mine), kind.state == TO_ANNOUNCE.get(name, "approved")]
        if kind is Device:
            wanted.append(Device.secret.is_(False))
        total += session.scalar(select(func.count()).select_from(kind).where(*wanted)) or 0
    return total
