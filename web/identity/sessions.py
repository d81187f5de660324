"""Server-side sessions: the cookie holds a random number, the table its hash, and logging out deletes the row."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from schemas.tables import WebSession

TOKEN_BYTES = 32
# A session that was seen this recently is not written again: pages load several files at once.
TOUCH_EVERY = timedelta(seconds=60)


@dataclass(frozen=True)
class Expiry:
    """When a session ends by itself: after `idle` without a request, and `absolute` after login in any case."""

    idle: timedelta = timedelta(minutes=30)
    absolute: timedelta = timedelta(hours=12)


def digest(token: str) -> str:
    """What the table knows of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def start(db: Session, person_id: UUID, now: datetime, expiry: Expiry) -> str:
    """A new session for the person; returns the token for the cookie. Expired sessions are swept here."""
    db.execute(delete(WebSession).where(WebSession.expires_at <= now))
    token = secrets.token_urlsafe(TOKEN_BYTES)
    row = WebSession(
        id_hash=digest(token),
        person_id=person_id,
        created_at=now,
        seen_at=now,
        expires_at=now + expiry.absolute,
        data={},
    )
    db.add(row)
    db.flush()
    return token


def find(db: Session, token: str, now: datetime, expiry: Expiry) -> UUID | None:
    """The person whose living session this is; a session past its idle or absolute time is none."""
    row = db.scalar(select(WebSession).where(WebSession.id_hash == digest(token)))
    if row is None or now >= row.expires_at or now - row.seen_at >= expiry.idle:
        return None
    if now - row.seen_at >= TOUCH_EVERY:
        # A statement of its own: a row that was signed out meanwhile is no error, it is gone.
        db.execute(update(WebSession).where(WebSession.id_hash == row.id_hash).values(seen_at=now))
    return row.person_id


def end(db: Session, token: str) -> None:
    """Ends a session for good: the token never works again."""
    db.execute(delete(WebSession).where(WebSession.id_hash == digest(token)))
