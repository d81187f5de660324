"""What the conformance engine found of flights: append only, one row for every log and every time it was judged."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from schemas.tables.base import Base


class FlightVerdict(Base):
    """One verdict on one flight from one source: live, tlog or bin. The newest of every source counts."""

    __tablename__ = "flight_verdict"
    __table_args__ = (Index("ix_flight_verdict_flight_id", "flight_id", "id"),)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    flight_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.flight.id"))
    source: Mapped[str]
    log_sha256: Mapped[str | None]
    log_name: Mapped[str | None]
    engine: Mapped[str]
    as_published: Mapped[bool]
    thresholds: Mapped[list[dict[str, Any]]]
    report: Mapped[dict[str, Any]]
    judged_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))
    judged_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
