"""What the public sees: as it is now, what changed under which number, and what was there on which day.

The database alone writes these tables, from the subjects themselves (migration 0008): the application may read them.
"""

from __future__ import annotations

import uuid
from datetime import date, datetime

from geoalchemy2 import Geometry
from sqlalchemy import BigInteger, Identity, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from schemas.tables.base import SRID, WEB_MERCATOR, Base, Shape


def _shape(srid: int) -> Geometry:
    return Geometry("GEOMETRY", srid=srid, spatial_index=False)


class Shown(Base):
    """A subject that the public map shows, with what is dear to compute; `n` is its number as a feature of tiles."""

    __tablename__ = "shown"
    __table_args__ = (
        UniqueConstraint("n"),
        Index("ix_shown_public_id", "public_id"),
        Index("ix_shown_authority_id_published_on", "authority_id", "published_on"),
        Index("ix_shown_good_until", "good_until", postgresql_where=text("good_until IS NOT NULL")),
        Index(
            "ix_shown_device_order",
            text("(status = ANY (ARRAY['retired'::text, 'discontinued'::text]))"),
            text(r"""("left"(regexp_replace(title_en, '\d+$'::text, ''::text), 200))"""),
            text(r"""length("substring"(title_en, '\d+$'::text))"""),
            text(r"""("left"("substring"(title_en, '\d+$'::text), 200))"""),
            "public_id",
            postgresql_where=text("kind = 'device'"),
        ),
        Index("ix_shown_beginning", "earliest_on", "public_id", postgresql_where=text("status = 'in_notice_period'")),
    )
    n: Mapped[int] = mapped_column(BigInteger, Identity())
    kind: Mapped[str] = mapped_column(primary_key=True)  # the table of the subject
    subject_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    public_id: Mapped[str]
    look: Mapped[str | None]  # which symbol it has
    status: Mapped[str]
    title_en: Mapped[str | None]
    title_zh: Mapped[str | None]
    authority_id: Mapped[uuid.UUID | None]
    published_on: Mapped[date | None]
    earliest_on: Mapped[date | None]
    begun_on: Mapped[date | None]
    ended_on: Mapped[date | None]  # of a zone the first day on which it counts no more
    good_until: Mapped[date | None]  # the day on which other rules count the notice
    origin: Mapped[str] = mapped_column(String(6))
    told: Mapped[str]  # stands for everything that the public reads of it
    geom: Mapped[Shape] = mapped_column(_shape(SRID))
    geom_3857: Mapped[Shape] = mapped_column(_shape(WEB_MERCATOR))


class PublicTouch(Base):
    """What a transaction touched of what the public may see; empty for everybody else."""

    __tablename__ = "public_touch"
    xid: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(primary_key=True)
    subject_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)


class PublicTurn(Base):
    """That a transaction touched something; at its end it takes its turn for a number."""

    __tablename__ = "public_turn"
    xid: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)


class PublicBatch(Base):
    """A number of the publication sequence, and when it was given."""

    __tablename__ = "public_batch"
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime]


class PublicChange(Base):
    """One thing that changed under a number, as the public saw it then; without a subject where many pages change."""

    __tablename__ = "public_change"
    __table_args__ = (
        Index("ix_public_change_seq", "seq"),
        Index("ix_public_change_kind_subject_id", "kind", "subject_id"),
    )
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger)
    kind: Mapped[str]
    subject_id: Mapped[uuid.UUID | None]
    change: Mapped[str]  # announced | in_use | paused | resumed | stopped ...: the words of 0008_sequence.sql
    on_day: Mapped[date | None]  # local date of the place
    status: Mapped[str | None]
    public_id: Mapped[str | None]
    look: Mapped[str | None]
    title_en: Mapped[str | None]
    title_zh: Mapped[str | None]
    authority_id: Mapped[uuid.UUID | None]
    origin: Mapped[str | None] = mapped_column(String(6))
    geom: Mapped[Shape | None] = mapped_column(_shape(SRID))
    geom_3857: Mapped[Shape | None] = mapped_column(_shape(WEB_MERCATOR))
    was_geom_3857: Mapped[Shape | None] = mapped_column(_shape(WEB_MERCATOR))


class PublicSpan(Base):
    """A status and place of a subject from `valid_from` until before `valid_to`; local dates of the place."""

    __tablename__ = "public_span"
    __table_args__ = (
        Index("ix_public_span_valid_from", "valid_from"),
        Index("ix_public_span_public_id", "public_id"),
    )
    kind: Mapped[str] = mapped_column(primary_key=True)
    subject_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    valid_from: Mapped[date] = mapped_column(primary_key=True)
    valid_to: Mapped[date | None]
    status: Mapped[str]
    public_id: Mapped[str]
    look: Mapped[str | None]
    title_en: Mapped[str | None]
    title_zh: Mapped[str | None]
    authority_id: Mapped[uuid.UUID | None]
    asserted: Mapped[bool]  # said by an import or a sample, witnessed by nobody
    geom: Mapped[Shape] = mapped_column(_shape(SRID))
    geom_3857: Mapped[Shape] = mapped_column(_shape(WEB_MERCATOR))
