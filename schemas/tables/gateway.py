"""The contract between the web and the gateways: orders one way, events the other (docs/adr/0006)."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, func, text
from sqlalchemy.orm import Mapped, mapped_column

from schemas.tables.base import Base

ORDER_CHANNEL = "skywarden_order"
FLIGHT_CHANNEL = "skywarden_flight"
_OPEN = text("ended_at IS NULL")


class Gateway(Base):
    """One process on one link to one aircraft, with the flight that it leads; `beat_at` tells that it still runs."""

    __tablename__ = "gateway"
    __table_args__ = (
        Index(
            "rule__DC-1__one_gateway_per_aircraft", "drone_id", unique=True, postgresql_where=text("ended_at IS NULL")
        ),
        Index(
            "rule__DC-1__one_gateway_per_flight", "flight_id", unique=True, postgresql_where=text("ended_at IS NULL")
        ),
    )
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    drone_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.drone.device_id"))
    flight_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.flight.id"), index=True)
    link_url: Mapped[str]
    process: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    beat_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    ended_at: Mapped[datetime | None]


class FlightOrder(Base):
    """What somebody wants of a flight in progress; the gateway that leads it takes it and says what came of it."""

    __tablename__ = "flight_order"
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    flight_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.flight.id"), index=True)
    kind: Mapped[str]
    params: Mapped[dict[str, Any]] = mapped_column(default=dict)
    ordered_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))
    ordered_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    taken_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)


class FlightEvent(Base):
    """Something that happened during a flight, in the order in which the gateway learnt of it."""

    __tablename__ = "flight_event"
    __table_args__ = (Index("ix_flight_event_flight_id", "flight_id", "id"),)
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    flight_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.flight.id"))
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    kind: Mapped[str]
    body: Mapped[dict[str, Any]] = mapped_column(default=dict)
