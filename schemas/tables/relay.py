"""Who may carry an aircraft's frames to the gateway: certificates of relays, by their fingerprint alone."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, func
from sqlalchemy.orm import Mapped, mapped_column

from schemas.tables.base import Base


class RelayCredential(Base):
    """A certificate with which one relay may carry the frames of one aircraft, until it expires or is revoked."""

    __tablename__ = "relay_credential"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    public_id: Mapped[str] = mapped_column(unique=True)
    drone_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.drone.device_id"), index=True)
    certificate_sha256: Mapped[str] = mapped_column(unique=True)
    issued_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    last_seen_at: Mapped[datetime | None]
