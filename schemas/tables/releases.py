"""Findings that a legal reviewer released although their ground became private after the image was taken (GD-43)."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from schemas.tables.base import Base, Shape, Stated
from schemas.tables.imagery import Detection
from schemas.tables.people import Person
from schemas.tables.zones import PrivacyZone


class Release(Stated, Base):
    """That the outline and the facts of a finding may be handled again, while its picture stays masked.

    It counts for the zones as they stood when it was granted (`ReleaseZone`), and for what was cut or joined from the
    finding since (`ReleaseFind`).
    """

    __tablename__ = "release"
    __machine__ = "release"
    detection_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.detection.id"), index=True)
    authority_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.authority.id"), index=True)
    reviewer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.person.id"))
    granted_at: Mapped[datetime]
    reason: Mapped[str]
    withdrawn_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))
    withdrawn_at: Mapped[datetime | None]
    withdrawn_reason: Mapped[str | None]

    detection: Mapped[Detection] = relationship()
    reviewer: Mapped[Person] = relationship(foreign_keys=[reviewer_id])
    zones: Mapped[list[ReleaseZone]] = relationship(back_populates="release")

    @property
    def geom(self) -> Shape:
        """Where it is: the ground of its finding."""
        return self.detection.geom


class ReleaseZone(Base):
    """A zone that a release is about, as it was then: one that changed since, or came into force anew, is another."""

    __tablename__ = "release_zone"
    release_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.release.id"), primary_key=True)
    zone_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.privacy_zone.id"), primary_key=True, index=True)
    zone_version: Mapped[int]
    valid_to: Mapped[datetime | None]

    release: Mapped[Release] = relationship(back_populates="zones")
    zone: Mapped[PrivacyZone] = relationship()


class ReleaseFind(Base):
    """A finding that a release opens: the one that it was granted for, and what officers made of it."""

    __tablename__ = "release_find"
    detection_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.detection.id"), primary_key=True)
    release_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.release.id"), primary_key=True, index=True)
