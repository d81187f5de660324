"""From a login name or a session to a person who may act."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from schemas.tables import Person


def login_name(typed: str) -> str:
    """The one spelling of a login name, whatever the case and the spaces around it."""
    return typed.strip().lower()


def by_login(db: Session, name: str) -> Person | None:
    """The person with this `login_name`; None when there is none or it is disabled."""
    return db.scalar(select(Person).where(func.lower(Person.code) == name, Person.disabled_at.is_(None)))


def enabled(db: Session, person_id: UUID) -> Person | None:
    """The person with this id; None when gone or disabled."""
    return db.scalar(select(Person).where(Person.id == person_id, Person.disabled_at.is_(None)))
