"""What citizens say, what they are answered, and what was put right (GD-45.1)."""

from __future__ import annotations

import uuid
from datetime import date, datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from schemas.tables.base import Base, Identified, Recorded, Stated
from schemas.tables.places import Authority


class Complaint(Stated, Base):
    """A complaint, a question or a report of an error; restricted, and its words are a stranger's.

    `about_kind` and `about_id` name what is public already. `once` is the form that was sent, so that sending it twice
    is one complaint. `note` is for the file, `reply` for whoever asked. `contact` is forgotten after the reply.
    """

    __tablename__ = "complaint"
    __machine__ = "complaint"
    __table_args__ = (Index("ix_complaint_authority_id_state", "authority_id", "state"),)
    authority_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.authority.id"))
    kind: Mapped[str]  # complaint | question | error
    about_kind: Mapped[str | None]  # device | patrol_area | deployment_point | patrol_route | privacy_zone | flight
    about_id: Mapped[str | None] = mapped_column(index=True)
    said: Mapped[str]
    contact: Mapped[str | None]
    lang: Mapped[str]
    once: Mapped[uuid.UUID] = mapped_column(unique=True)
    received_at: Mapped[datetime]
    due_on: Mapped[date]
    handled_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))
    handled_at: Mapped[datetime | None]
    outcome: Mapped[str | None]  # justified | unjustified | answered
    note: Mapped[str | None]
    replied_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))
    replied_at: Mapped[datetime | None]
    reply: Mapped[str | None]

    authority: Mapped[Authority] = relationship()


class Correction(Identified, Recorded, Base):
    """What an authority put right, after a complaint or on its own motion; public and final."""

    __tablename__ = "correction"
    authority_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.authority.id"), index=True)
    complaint_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.complaint.id"), unique=True)
    about_kind: Mapped[str | None]
    about_id: Mapped[str | None]
    corrected_at: Mapped[datetime]
    corrected_by_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.person.id"))
    text_en: Mapped[str]
    text_zh: Mapped[str]
