"""The worker's part of publication: what was sent is handed over, tried again where that failed, and answered.

How often and when stands in the database, so that a publisher sees it and a worker that dies takes nothing along.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import select, update

from geo.channels import Channel, ChannelFailed, read_receipt
from geo.commands.dispatches import take_receipt
from schemas.refusals import RuleViolation
from schemas.tables import Dispatch
from web.wiring import Services

# How long after the n-th try the next one is made; after the last of them a person has to look.
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 15, 60, 180, 360, 720, 1_440))
# How often a channel is asked for the answer to what it has taken.
ASK_EVERY = timedelta(minutes=5)
log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Delivered:
    """What became of one try; `outcome` is published, rejected, handed_over, no_answer, failed or given_up."""

    dispatch: str
    channel: str
    outcome: str
    failure: str = ""


@dataclass(frozen=True)
class _Errand:
    public_id: str
    channel: str
    document: str
    tries: int
    handed_over: bool


def deliver(services: Services, channels: Mapping[str, Channel]) -> Iterator[Delivered]:
    """Tries everything that is due, each in a transaction of its own; what others try at this moment is left alone."""
    while (errand := _next(services, channels)) is not None:
        yield _try(services, channels[errand.channel], errand)


def _next(services: Services, channels: Mapping[str, Channel]) -> _Errand | None:
    """The errand that is due first; it is put off at once, so that a worker that dies with it leaves it to another."""
    now = services.clock.now()
    with services.housekeeping() as db:
        due = (
            select(Dispatch)
            .where(Dispatch.answered_at.is_(None), Dispatch.next_try_at <= now, Dispatch.channel.in_(sorted(channels)))
            .order_by(Dispatch.next_try_at, Dispatch.public_id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        row = db.scalars(due).one_or_none()
        if row is None:
            return None
        handed_over = row.handed_over_at is not None
        row.tried_at = now
        if handed_over:
            row.next_try_at = now + ASK_EVERY
        else:
            row.tries += 1
            row.next_try_at = now + PAUSES[min(row.tries, len(PAUSES)) - 1]
        return _Errand(row.public_id, row.channel, row.document, row.tries, handed_over)


def _try(services: Services, channel: Channel, errand: _Errand) -> Delivered:
    try:
        if errand.handed_over:
            answer = channel.ask(errand.public_id)
        else:
            answer = channel.send(errand.public_id, errand.document.encode())
            _note(services, errand, handed_over_at=services.clock.now(), next_try_at=_soon(services), failure=None)
    except ChannelFailed as failed:
        return _failed(services, errand, failed)
    if answer is None:
        return Delivered(errand.public_id, errand.channel, "no_answer" if errand.handed_over else "handed_over")
    return _answered(services, channel, errand, answer)


def _soon(services: Services) -> datetime:
    return services.clock.now() + PAUSES[0]


def _failed(services: Services, errand: _Errand, failed: ChannelFailed) -> Delivered:
    over = failed.lasting or (errand.tries >= len(PAUSES) and not errand.handed_over)
    changed: dict[str, object] = {"failure": str(failed)}
    if over:
        changed["next_try_at"] = None
    elif failed.wait_s:
        changed["next_try_at"] = services.clock.now() + timedelta(seconds=failed.wait_s)
    _note(services, errand, **changed)
    return Delivered(errand.public_id, errand.channel, "given_up" if over else "failed", str(failed))


def _answered(services: Services, channel: Channel, errand: _Errand, answer: bytes) -> Delivered:
    """Takes the receipt on behalf of whoever sent it; one that cannot be taken waits for a person."""
    try:
        receipt = read_receipt(answer)
        if receipt.dispatch != errand.public_id:
            raise ChannelFailed("receipt_of_other", receipt.dispatch[:20], lasting=True)
        with services.session() as db:
            sent_by = db.scalars(select(Dispatch.sent_by).where(Dispatch.public_id == errand.public_id)).one()
        if sent_by is None:
            raise ChannelFailed("nobody", lasting=True)
        with services.work(services.acting(sent_by)) as work:
            made = take_receipt(work, receipt)
            work.commit()
    except RuleViolation as refused:
        rules = ", ".join(dict.fromkeys(refusal.rule for refusal in refused.refusals))
        return _failed(services, errand, ChannelFailed("receipt", rules, lasting=True))
    except ChannelFailed as failed:
        return _failed(services, errand, failed)
    channel.put_away(errand.public_id)
    return Delivered(errand.public_id, errand.channel, "rejected" if made is None else "published")


def _note(services: Services, errand: _Errand, **changed: object) -> None:
    """Writes down how it stands, unless somebody else has taken the answer meanwhile."""
    with services.housekeeping() as db:
        open_still = (Dispatch.public_id == errand.public_id) & Dispatch.answered_at.is_(None)
        db.execute(update(Dispatch).where(open_still).values(**changed))
