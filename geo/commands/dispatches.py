"""Commands on channels that answer later: a notice is sent, and its receipt taken (GD-14.2, GD-14.3)."""

from __future__ import annotations

from sqlalchemy import select

from geo.channels import Receipt, document_for
from geo.commands.common import require
from geo.commands.publications import OWN_CHANNEL, record_publication, refuse_unready
from geo.content import content_sha256
from geo.notices import Published
from schemas.ids import new_id, public_id
from schemas.refusals import conflict, invalid, not_found
from schemas.roles import Role
from schemas.store.work import Work
from schemas.tables import DeploymentPoint, Device, Dispatch, PatrolArea, PatrolRoute, Publication
from schemas.words import Coded

_PUBLISHERS = (Role.OFFICER, Role.PLANNER, Role.UNIT_HEAD)
KINDS: dict[str, type[Published]] = {
    kind.__tablename__: kind for kind in (Device, PatrolArea, PatrolRoute, DeploymentPoint)
}


def send_notice(work: Work, subject: Published, *, channel: str) -> Dispatch:
    """Writes down what a channel is asked to publish; whoever calls hands it over once that is committed."""
    require(work, subject, *_PUBLISHERS, action="send")
    refuse_unready(subject)
    pack = work.pack_for(subject)
    if channel not in pack.channels or channel == OWN_CHANNEL:
        required = ", ".join(name for name in pack.channels if name != OWN_CHANNEL)
        raise invalid("GD-14.3", "notice.channel", measured=channel, required=required)
    name = public_id("DC")
    row = Dispatch(
        id=new_id(),
        public_id=name,
        subject_kind=subject.__tablename__,
        subject_id=subject.id,
        channel=channel,
        content_sha256=content_sha256(work.session, subject),
        document=document_for(work.session, subject, pack, name, channel).decode(),
        sent_at=work.now,
        sent_by=work.actor.person_id,
        next_try_at=work.now,
    )
    work.session.add(row)
    body = {"dispatch": name, "channel": channel, "content_sha256": row.content_sha256}
    work.record("publication.send", subject.__tablename__, subject.id, body)
    return row


def send_again(work: Work, dispatch: Dispatch) -> None:
    """Has what was given up tried again from the start; the channel takes it for the same dispatch (GD-14.2)."""
    subject: Published = work.session.get_one(KINDS[dispatch.subject_kind], dispatch.subject_id)  # type: ignore[assignment]
    require(work, subject, *_PUBLISHERS, action="send")
    if dispatch.answered_at is not None:
        raise conflict("GD-14.2", "notice.answered", measured=dispatch.public_id)
    if content_sha256(work.session, subject) != dispatch.content_sha256:
        raise conflict("GD-14.4", "notice.sent_otherwise", measured=dispatch.public_id)
    dispatch.tries, dispatch.failure, dispatch.next_try_at = 0, None, work.now
    dispatch.sent_by = work.actor.person_id
    body = {"dispatch": dispatch.public_id, "channel": dispatch.channel}
    work.record("publication.send_again", dispatch.subject_kind, dispatch.subject_id, body)


def take_receipt(work: Work, receipt: Receipt) -> Publication | None:
    """Takes a channel's answer: a publication by its receipt, or None and the reason why there is none.

    A receipt counts for what was sent and for nothing else; one for what is no longer true is refused (GD-14.4).
    """
    dispatch = work.session.scalars(select(Dispatch).where(Dispatch.public_id == receipt.dispatch)).first()
    if dispatch is None:
        named = Coded("subject", ["dispatch"])
        raise not_found("store.unknown", "store.not_found", subject=named, measured=receipt.dispatch)
    subject: Published = work.session.get_one(KINDS[dispatch.subject_kind], dispatch.subject_id)  # type: ignore[assignment]
    require(work, subject, *_PUBLISHERS, action="publish")
    if dispatch.answered_at is not None:
        raise conflict("GD-14.2", "notice.answered", measured=dispatch.public_id)
    if receipt.content_sha256 != dispatch.content_sha256:
        raise conflict("GD-14.2", "notice.receipt_of_other", measured=receipt.content_sha256[:12])
    if receipt.rejected_because:
        dispatch.answered_at = work.now
        dispatch.rejected_because = receipt.rejected_because
        body = {"dispatch": dispatch.public_id, "channel": dispatch.channel, "because": receipt.rejected_because}
        work.record("publication.reject", dispatch.subject_kind, dispatch.subject_id, body)
        return None
    if content_sha256(work.session, subject) != dispatch.content_sha256:
        raise conflict("GD-14.4", "notice.other_content", channel=dispatch.channel, receipt=receipt.receipt_id)
    made = record_publication(
        work, subject, channel=dispatch.channel, receipt_id=receipt.receipt_id, published_at=receipt.published_at
    )
    work.session.flush()  # an answer names a publication that is there
    dispatch.publication_id, dispatch.answered_at = made.id, work.now
    return made
