"""Who is told by mail what changes in a place: asked for, confirmed, ended, and forgotten where it is over.

No ledger event is written: nobody else is to know who wants to know what. What is kept is an address and a place.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from shapely.geometry import Polygon
from sqlalchemy import delete, func, select, text
from sqlalchemy.orm import Session

from geo import shapes
from schemas.ids import new_id, public_id
from schemas.limits import limit
from schemas.tables import Mail, Subscription

# Who does not confirm in this time did not want it.
UNCONFIRMED_KEPT = timedelta(hours=48)
# What changes in a place is gathered for so long, after a first word at once.
GATHERED = timedelta(days=1)
SENT_KEPT = timedelta(days=30)
_AT_ONCE = 1_000
_SEQ = text("SELECT coalesce(max(seq), 0) FROM public_map.sequence")
# Every change up to the number that is read here can be seen: numbers are given in the order of commit.
_GATHER = text("""
    WITH up_to AS MATERIALIZED (SELECT coalesce(max(seq), 0) AS seq FROM public_map.sequence),
    due AS MATERIALIZED (
        SELECT s.id, s.geom, s.told_seq FROM core.subscription s, up_to
        WHERE s.confirmed_at IS NOT NULL AND s.told_seq < up_to.seq AND (s.told_at IS NULL OR s.told_at <= :before)
        ORDER BY s.told_seq LIMIT :most FOR UPDATE OF s SKIP LOCKED),
    seen AS MATERIALIZED (
        SELECT d.id, d.told_seq, u.seq AS up_to_seq, EXISTS (
            SELECT FROM public_map.changes c
            WHERE c.seq > d.told_seq AND c.seq <= u.seq AND ST_Intersects(c.geom, d.geom)) AS touched
        FROM due d, up_to u),
    noted AS (
        UPDATE core.subscription s
        SET told_seq = n.up_to_seq, told_at = CASE WHEN n.touched THEN :now ELSE s.told_at END
        FROM seen n WHERE s.id = n.id)
    INSERT INTO core.mail (id, subscription_id, kind, after_seq, up_to_seq, tries, next_try_at)
    SELECT gen_random_uuid(), id, 'changes', told_seq, up_to_seq, 0, :now FROM seen WHERE touched
""")


@dataclass(frozen=True)
class NewSubscription:
    """An address that asks to be told what changes in a place (EPSG:4326)."""

    address: str
    shape: Polygon
    place_text: str
    lang: str


def ask(db: Session, new: NewSubscription, now: datetime) -> None:
    """Keeps the wish and lets a mail ask whether it is meant; an address that has enough of them gets no more.

    Nobody is told which: the answer on the page is the same, so that it tells nothing of an address.
    """
    same = func.lower(Subscription.address) == new.address.lower()
    db.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"subscription:{new.address.lower()}", 0))))
    pending = db.scalar(select(func.count()).where(same, Subscription.confirmed_at.is_(None))) or 0
    all_of_it = db.scalar(select(func.count()).where(same)) or 0
    if pending >= limit("ask.pending") or all_of_it >= limit("ask.subscriptions"):
        return
    seq = int(db.execute(_SEQ).scalar_one())
    wish = Subscription(
        id=new_id(),
        public_id=public_id("SB"),
        address=new.address,
        geom=shapes.element(new.shape),
        place_text=new.place_text,
        lang=new.lang,
        asked_at=now,
        told_seq=seq,
    )
    db.add(wish)
    db.flush()
    db.add(Mail(id=new_id(), subscription_id=wish.id, kind="confirm", after_seq=seq, up_to_seq=seq, next_try_at=now))


def named(db: Session, name: str) -> Subscription | None:
    """The subscription of that public id, or None."""
    found = select(Subscription).where(Subscription.public_id == name)
    return None if "\0" in name else db.scalars(found).one_or_none()


def confirm(db: Session, name: str, now: datetime) -> bool:
    """From now on the address is told; whether there is such a subscription. Confirming twice is confirming once."""
    wish = db.scalars(select(Subscription).where(Subscription.public_id == name).with_for_update()).one_or_none()
    if wish is None:
        return False
    if wish.confirmed_at is None:
        wish.confirmed_at, wish.told_seq = now, int(db.execute(_SEQ).scalar_one())
    return True


def end(db: Session, name: str) -> None:
    """Deletes address, place and every mail that still waits; ending twice is ending once."""
    db.execute(delete(Subscription).where(Subscription.public_id == name))


def end_by_id(db: Session, subscription_id: uuid.UUID) -> None:
    """The same, where the mail server says that there is no such address."""
    db.execute(delete(Subscription).where(Subscription.id == subscription_id))


def gather(db: Session, now: datetime) -> int:
    """Queues a mail for each place in which something changed; how many. Two workers at once queue each one once."""
    made = db.execute(_GATHER, {"now": now, "before": now - GATHERED, "most": _AT_ONCE})
    return int(made.rowcount)  # type: ignore[attr-defined]


def forget(db: Session, now: datetime) -> int:
    """Deletes wishes that nobody confirmed, and the traces of mails that went out long ago; how many wishes."""
    over = Subscription.confirmed_at.is_(None) & (Subscription.asked_at <= now - UNCONFIRMED_KEPT)
    gone = db.scalars(delete(Subscription).where(over).returning(Subscription.id)).all()
    db.execute(delete(Mail).where(Mail.sent_at <= now - SENT_KEPT))
    return len(gone)
