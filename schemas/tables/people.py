"""People, the roles and qualifications they hold, and their sessions."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from schemas.tables.base import Base, Identified, Recorded


class Person(Identified, Recorded, Base):
    """Somebody who may act; restricted."""

    __tablename__ = "person"
    code: Mapped[str] = mapped_column(unique=True)  # login name, and the `--as` of sample data
    name_en: Mapped[str]
    name_zh: Mapped[str]
    authority_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.authority.id"))
    password_hash: Mapped[str | None]
    disabled_at: Mapped[datetime | None]


class RoleAssignment(Identified, Recorded, Base):
    """A role held in an authority for a period (requirements.md 6)."""

    __tablename__ = "role_assignment"
    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.person.id"), index=True)
    role: Mapped[str]
    authority_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.authority.id"))
    valid_from: Mapped[date]
    valid_to: Mapped[date | None]


class Qualification(Identified, Recorded, Base):
    """An enforcement certificate (GD-30.1) or a pilot's licence, valid for a period."""

    __tablename__ = "qualification"
    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.person.id"), index=True)
    kind: Mapped[str]  # enforcement | uas_licence
    certificate_no: Mapped[str]
    field: Mapped[str]
    authority_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.authority.id"))
    valid_from: Mapped[date]
    valid_to: Mapped[date]


class WebSession(Base):
    """A signed-in browser; the cookie holds a random id and the table only its hash (ASVS 7.4.1)."""

    __tablename__ = "web_session"
    id_hash: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"), index=True)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)


class LoginAttempt(Base):
    """A failed login, counted per account and per network; addresses are stored as salted hashes."""

    __tablename__ = "login_attempt"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    bucket: Mapped[str] = mapped_column(index=True)
    attempted_at: Mapped[datetime]
