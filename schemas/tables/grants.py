"""What one authority lets another see of a device (GD-18.1, S03)."""

from __future__ import annotations

import uuid
from datetime import date, datetime

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from schemas.tables.base import Base, Stated
from schemas.tables.devices import Device
from schemas.tables.places import Authority, LegalBasis, SupervisionItem


class DeviceGrant(Stated, Base):
    """The use of a device of another authority: for one item and purpose, of some fields, within a period.

    `authority_id` is who uses it; the owner is the authority of the device. The period ends with its last day, a local
    date of the rule pack at the device.
    """

    __tablename__ = "device_grant"
    __machine__ = "device_grant"
    __table_args__ = (
        Index("ix_device_grant_device_id_state", "device_id", "state"),
        Index("ix_device_grant_authority_id_state", "authority_id", "state"),
        Index("ix_device_grant_valid_to", "valid_to", postgresql_where=text("state = 'granted'")),
    )
    device_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.device.id"))
    authority_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.authority.id"))
    item_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.supervision_item.id"))
    legal_basis_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.legal_basis.id"))
    fields: Mapped[list[str]]  # live | records | readings
    purpose_en: Mapped[str]
    purpose_zh: Mapped[str]
    valid_from: Mapped[date]
    valid_to: Mapped[date]
    asked_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))
    asked_at: Mapped[datetime]
    decided_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))
    decided_at: Mapped[datetime | None]
    state_reason: Mapped[str | None]

    device: Mapped[Device] = relationship()
    authority: Mapped[Authority] = relationship()
    item: Mapped[SupervisionItem] = relationship()
    legal_basis: Mapped[LegalBasis] = relationship()
