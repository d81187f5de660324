"""The air that cleared flights hold; the database lets no two of them share any (docs/adr/0007)."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Identity, UniqueConstraint
from sqlalchemy.dialects.postgresql import TSTZRANGE, Range
from sqlalchemy.orm import Mapped, mapped_column

from schemas.tables.base import Base, Shape, geometry


class FlightVolume(Base):
    """One volume of a flight: a polygon, a band of true heights, a time; held until `freed_at`."""

    __tablename__ = "flight_volume"
    __table_args__ = (UniqueConstraint("flight_id", "ordinal"),)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    flight_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.flight.id"))
    ordinal: Mapped[int]
    part: Mapped[str]  # column | transit | route | return
    geom: Mapped[Shape] = geometry("POLYGON")
    alt_agl_min_m: Mapped[float]
    alt_agl_max_m: Mapped[float]
    during: Mapped[Range[datetime]] = mapped_column(TSTZRANGE)
    freed_at: Mapped[datetime | None]
