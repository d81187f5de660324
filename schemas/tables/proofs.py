"""What the system wrote down about publications, so that anybody can prove when they stood in the ledger."""

from __future__ import annotations

import uuid
from datetime import date, datetime

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from schemas.tables.base import Base


class Witnessing(Base):
    """One event of the ledger that holds the Merkle root over some statements.

    What stands below `recorded_at` is known once the event is sealed: its canonical line, its place among the events
    of the seal, the sibling hashes (32 bytes each, nearest first) up to the seal's root, and the seal's own line.
    """

    __tablename__ = "witnessing"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    statements: Mapped[int]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    event_line: Mapped[str | None]
    leaf_index: Mapped[int | None]
    leaf_count: Mapped[int | None]
    leaf_path: Mapped[bytes | None] = mapped_column(LargeBinary)
    seal_n: Mapped[int | None] = mapped_column(BigInteger, index=True)
    seal_line: Mapped[str | None]


class Witnessed(Base):
    """A statement (RFC 8785 JSON) about one publication or one beginning of use, and its path to the event's root.

    `content` is what was published, where the public may read all of it.
    """

    __tablename__ = "witnessed"
    __table_args__ = (
        UniqueConstraint("subject_kind", "subject_id", "began_on"),
        Index("ix_witnessed_subject", "subject_kind", "subject_id"),
    )
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    witnessing_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.witnessing.id"), index=True)
    position: Mapped[int]
    path: Mapped[bytes] = mapped_column(LargeBinary)
    statement: Mapped[str]
    subject_kind: Mapped[str]
    subject_id: Mapped[uuid.UUID]
    round_no: Mapped[int]
    publication_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.publication.id"), unique=True)
    began_on: Mapped[date | None]
    content: Mapped[str | None]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Checkpoint(Base):
    """A seal as the platform signed it: a signed note after C2SP over its number and digest."""

    __tablename__ = "checkpoint"
    n: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    signer: Mapped[str] = mapped_column(primary_key=True)  # the key to verify with: name, hash, key
    note: Mapped[str]
    signed_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), index=True)
