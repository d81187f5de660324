"""Publications: when, where and with which content something was shown to the public (GD-14)."""

from __future__ import annotations

import uuid
from datetime import date, datetime

from sqlalchemy import Computed, Date, Index
from sqlalchemy.orm import Mapped, mapped_column

from schemas.tables.base import Base, Identified, Recorded


class Publication(Identified, Recorded, Base):
    """One appearance on one channel; the notice period runs from the later of the channels.

    `published_at` is the receipt's time (effective), `published_on` the same as a local date of the
    rule pack's zone; `lead_days` is the pack's value at that time, so that the database can judge.
    """

    __tablename__ = "publication"
    __table_args__ = (Index("ix_publication_subject", "subject_kind", "subject_id"),)
    subject_kind: Mapped[str]  # device | patrol_area | patrol_route
    subject_id: Mapped[uuid.UUID]
    round_no: Mapped[int] = mapped_column(default=1)  # a resumption starts a new round and a new clock
    channel: Mapped[str]  # official_disclosure | platform_map | feed | notice_board | media
    published_at: Mapped[datetime]
    published_on: Mapped[date]
    lead_days: Mapped[int]
    earliest_activation: Mapped[date] = mapped_column(Date, Computed("published_on + lead_days", persisted=True))
    receipt_id: Mapped[str]
    content_sha256: Mapped[str]
    withdrawn_at: Mapped[datetime | None]


class Announcement(Identified, Recorded, Base):
    """A public word about a change: discontinuation, resumption, suspension (GD-14.4)."""

    __tablename__ = "announcement"
    subject_kind: Mapped[str]
    subject_id: Mapped[uuid.UUID]
    kind: Mapped[str]
    announced_at: Mapped[datetime]
    text_en: Mapped[str]
    text_zh: Mapped[str]
