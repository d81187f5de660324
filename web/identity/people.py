"""From a login name or a session to a person who may act."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from schemas.tables import Person


def by_login(db: Session, login: str) -> Person | None:
    """The person with this login name, whatever its case; None when there is none or it is disabled."""
    wanted = login.strip().lower()
    return db.scalar(select(Person).where(func.lower(Person.code) == wanted, Person.disabled_at.is_(None)))


def enabled(db: Session, person_id: UUID) -> Person | None:
    """The person with this id; None when gone or disabled."""
    return db.scalar(select(Person).where(Person.id == person_id, Person.disabled_at.is_(None)))
