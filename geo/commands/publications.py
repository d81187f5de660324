"""Commands on publication: recorded on a channel, notice begun, use ended and announced (GD-14)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from geo import notices
from geo.commands.common import local_today, move, require
from geo.content import content_sha256
from geo.notices import Published
from geo.publication import lead_days, notice
from schemas.ids import new_id, public_id
from schemas.machine import label
from schemas.refusals import conflict, invalid
from schemas.roles import Role
from schemas.rules import RulePack
from schemas.store.work import Work
from schemas.tables import Announcement, DeploymentPoint, Device, PatrolArea, PatrolRoute, Publication
from schemas.words import Coded

# The channel that is the platform's own: its time is ours, and its receipt too.
OWN_CHANNEL = "platform_map"
_IN_USE = ("active", "maintenance", "blocked", "effective")
# What no channel takes: not reviewed or approved yet, or given up for good.
_UNREADY = ("registered", "draft", "checked", "retired")


def record_publication(
    work: Work,
    subject: Published,
    *,
    channel: str,
    receipt_id: str = "",
    published_at: datetime | None = None,
) -> Publication:
    """Records that a channel carries the subject as it is now (GD-14.2, GD-14.3); never a secret one (GD-14.6).

    On the platform's own map the time is the present one; any other channel gives its receipt, with the
    receipt's number and (aware) time. What the channel carried of the subject before ends with that.
    """
    content = content_sha256(work.session, subject)
    row, standing = _recorded(work, subject, content, channel, _Receipt(receipt_id, published_at))
    for other in standing:
        if other.channel == channel and other.content_sha256 != content:
            other.withdrawn_at = work.now  # what it says is no longer so
    return row


def record_content(
    work: Work,
    subject: Published,
    content: str,
    *,
    channel: str,
    receipt_id: str = "",
    published_at: datetime | None = None,
) -> Publication:
    """Records that a channel carries a content of a subject that is reviewed or approved, by its hash."""
    return _recorded(work, subject, content, channel, _Receipt(receipt_id, published_at))[0]


@dataclass(frozen=True)
class _Receipt:
    """What another channel gave for what it carries."""

    number: str
    published_at: datetime | None


def _recorded(
    work: Work, subject: Published, content: str, channel: str, receipt: _Receipt
) -> tuple[Publication, Sequence[Publication]]:
    """The new publication, and those of its round that stood before."""
    require(work, subject, Role.OFFICER, Role.PLANNER, Role.UNIT_HEAD, action="publish")
    refuse_unready(subject)
    pack = work.pack_for(subject)
    row = _publication(work, subject, content, pack, channel)
    if channel != OWN_CHANNEL:
        row.receipt_id, row.published_at = _receipt(receipt, work.now)
        row.published_on = pack.local_date(row.published_at)
        row.lead_days = lead_days(row.published_on, pack)
    standing = notices.appearances(work.session, subject, pack)
    for other in standing:
        if other.channel == channel and other.content_sha256 == content:
            measured = other.published_at.isoformat()
            raise conflict("GD-14.2", "notice.twice", channel=channel, measured=measured)
    same = notices.counted(r for r in [*standing, row] if r.content_sha256 == content)
    earliest = notice(same, pack).earliest
    work.session.add(row)
    body = {
        "channel": channel,
        "receipt": row.receipt_id,
        "content_sha256": content,
        "earliest": earliest.isoformat() if earliest else None,
    }
    work.record("publication.record", subject.__tablename__, subject.id, body, effective_at=row.published_at)
    return row, standing


def refuse_unready(subject: Published) -> None:
    """Raise RuleViolation 409 for a secret, and for what is not reviewed or approved: its clock would run unseen."""
    if getattr(subject, "secret", False):
        raise conflict("GD-14.6", "device.secret")
    if subject.state in _UNREADY:
        required = Coded("state", ["reviewed" if isinstance(subject, Device) else "approved"])
        measured = Coded("state", [subject.state])
        raise conflict("GD-14.2", "notice.not_ready", subject=label(subject), measured=measured, required=required)


def _publication(work: Work, subject: Published, content: str, pack: RulePack, channel: str) -> Publication:
    """A publication on our own map at this moment; other channels overwrite time and receipt."""
    if channel not in pack.channels:
        required = ", ".join(pack.channels)
        raise invalid("GD-14.3", "notice.channel", measured=channel, required=required)
    made_id = public_id("PB")
    published_on = pack.local_date(work.now)
    return Publication(
        id=new_id(),
        public_id=made_id,
        subject_kind=subject.__tablename__,
        subject_id=subject.id,
        round_no=notices.round_no(work.session, subject, pack),
        channel=channel,
        published_at=work.now,
        published_on=published_on,
        lead_days=lead_days(published_on, pack),
        receipt_id=made_id,
        content_sha256=content,
    )


def _receipt(given: _Receipt, now: datetime) -> tuple[str, datetime]:
    number = given.number.strip()
    if not number:
        raise invalid("GD-14.2", "notice.receipt")
    if given.published_at is None or given.published_at.tzinfo is None:
        raise invalid("GD-14.2", "notice.receipt_undated", measured=number[:80])
    if given.published_at > now:
        raise invalid("GD-14.2", "notice.receipt_time", measured=given.published_at.isoformat())
    return number, given.published_at


def publish(work: Work, subject: Published, *, seen_version: int | None = None) -> None:
    """Moves a subject into its notice period once all channels carry it (GD-14.2, GD-14.3, GD-16.3)."""
    earliest = notices.current(work.session, subject, work.pack_for(subject)).earliest
    record = {
        "content_sha256": content_sha256(work.session, subject),
        "earliest": earliest.isoformat() if earliest else None,
    }
    move(work, subject, "publish", seen_version, record=record)


def withdraw_publication(work: Work, subject: Published, *, channel: str, reason: str) -> Publication:
    """Takes down what a channel carries of a subject (GD-14.2); what is in use ends its use instead (GD-14.4).

    A subject in its notice period stays there, and its clock stands still until the channel carries it again.
    """
    require(work, subject, Role.OFFICER, Role.PLANNER, Role.UNIT_HEAD, action="withdraw_publication")
    if not reason.strip():
        raise invalid("state.reason", "machine.reason")
    if subject.state in _IN_USE:
        raise conflict("GD-14.4", "notice.in_use", subject=label(subject))
    shown = [
        row for row in notices.appearances(work.session, subject, work.pack_for(subject)) if row.channel == channel
    ]
    if not shown:
        raise conflict("GD-14.2", "notice.not_carried", subject=label(subject), channel=channel)
    for row in shown:
        row.withdrawn_at = work.now
    body = {"channel": channel, "reason": reason, "publications": [row.public_id for row in shown]}
    work.record("publication.withdraw", subject.__tablename__, subject.id, body, effective_at=work.now)
    return shown[-1]


def suspend(
    work: Work, subject: PatrolArea | PatrolRoute | DeploymentPoint, *, reason: str, text_en: str, text_zh: str
) -> None:
    """Takes an area, a point or a route out of use and announces it (GD-14.4)."""
    stop(work, subject, "suspend", "suspended", reason=reason, texts=(text_en, text_zh))
    subject.suspended_on = local_today(work, subject)


def retire(work: Work, subject: Published, *, reason: str, text_en: str, text_zh: str) -> None:
    """Ends the life of a subject for good; its history stays public (GD-14.4)."""
    stop(work, subject, "retire", "retired", reason=reason, texts=(text_en, text_zh))


def stop(  # noqa: PLR0913
    work: Work,
    subject: Published,
    transition: str,
    kind: str,
    *,
    reason: str,
    texts: tuple[str, str],
    record: Mapping[str, Any] | None = None,
) -> None:
    """Announce the end of use of a subject in both languages (`texts`), and make the transition."""
    announcement = Announcement(
        id=new_id(),
        public_id=public_id("AN"),
        subject_kind=subject.__tablename__,
        subject_id=subject.id,
        kind=kind,
        announced_at=work.now,
        text_en=texts[0],
        text_zh=texts[1],
    )
    if not getattr(subject, "secret", False):
        if not all(text.strip() for text in texts):
            raise invalid("GD-14.4", "notice.not_announced", subject=label(subject))
        work.session.add(announcement)
        work.session.flush()
    told = {"announcement": announcement.public_id} | dict(record or {})
    move(work, subject, transition, record=told, reason=reason, announcement_id=announcement.id)
