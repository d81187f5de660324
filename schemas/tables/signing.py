"""Which key signs an aircraft's link: its fingerprint alone. The key is a file that only the gateway's host has."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, func
from sqlalchemy.orm import Mapped, mapped_column

from schemas.tables.base import Base


class AircraftSigning(Base):
    """The key that was issued to an aircraft, and whether its link is refused without a signature."""

    __tablename__ = "aircraft_signing"
    drone_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.drone.device_id"), primary_key=True)
    fingerprint: Mapped[str]
    required: Mapped[bool] = mapped_column(default=False, server_default="false")
    issued_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    issued_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))
    provisioned_at: Mapped[datetime | None]
