"""Who wants to know what changes in a place, and the mail that tells them; personal, and deleted when it is over."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from schemas.tables.base import Base, Identified, Recorded, Shape, geometry


class Subscription(Identified, Recorded, Base):
    """An address, and the place (EPSG:4326) whose changes are mailed to it; ending it deletes the row.

    Changes up to `told_seq` of the publication sequence are told, or are older than the subscription.
    """

    __tablename__ = "subscription"
    address: Mapped[str] = mapped_column(index=True)
    geom: Mapped[Shape] = geometry("POLYGON")
    place_text: Mapped[str]
    lang: Mapped[str]
    asked_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    told_seq: Mapped[int] = mapped_column(BigInteger)
    told_at: Mapped[datetime | None]


class Mail(Base):
    """One mail: the changes after `after_seq` up to `up_to_seq`, or the question whether they are wanted."""

    __tablename__ = "mail"
    __table_args__ = (
        UniqueConstraint("subscription_id", "kind", "up_to_seq"),
        Index("ix_mail_next_try_at", "next_try_at", postgresql_where=text("next_try_at IS NOT NULL")),
    )
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    subscription_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.subscription.id", ondelete="CASCADE"))
    kind: Mapped[str]  # confirm | changes
    after_seq: Mapped[int] = mapped_column(BigInteger)
    up_to_seq: Mapped[int] = mapped_column(BigInteger)
    tries: Mapped[int] = mapped_column(server_default=text("0"))
    next_try_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    failure: Mapped[str | None]
