"""Privacy exclusion zones, the requests for them, and what they touched (GD-15, GD-16.5)."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from schemas.tables.base import Base, Identified, Recorded, Shape, Stated, geometry, mercator
from schemas.tables.places import Authority


class PrivacyZone(Identified, Recorded, Base):
    """A place that no device may watch.

    `geom` is what the public sees. A sensitive zone also has an `exact_geom` inside it, read by the
    checks only; they use the union of both, and every answer to a role without clearance uses
    `geom` alone (design.md 6). `floor_agl_m` and `ceiling_agl_m` are true heights, null where the zone has no end;
    `schedule` holds the hours as `geo.hours` reads them, null where it always counts. A sensitive zone has
    neither.
    """

    __tablename__ = "privacy_zone"
    __table_args__ = (
        Index("ix_privacy_zone_valid_from", "valid_from"),
        Index("ix_privacy_zone_valid_to", "valid_to", postgresql_where=text("valid_to IS NOT NULL")),
    )
    kind: Mapped[str]  # hotel_room | dormitory | public_bathhouse | changing_room | toilet | ...
    name_en: Mapped[str]
    name_zh: Mapped[str]
    geom: Mapped[Shape] = geometry("POLYGON")
    geom_3857: Mapped[Shape] = mercator("POLYGON")
    exact_geom: Mapped[Shape | None] = geometry("POLYGON", nullable=True)
    sensitive: Mapped[bool] = mapped_column(default=False)
    buffer_m: Mapped[float] = mapped_column(default=0.0, index=True)  # every search asks for the largest
    source: Mapped[str]  # legal | request | survey
    valid_from: Mapped[datetime]
    valid_to: Mapped[datetime | None]
    zone_version: Mapped[int] = mapped_column(default=1)
    floor_agl_m: Mapped[float | None]
    ceiling_agl_m: Mapped[float | None]
    schedule: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB(none_as_null=True))


class ZoneRequest(Stated, Base):
    """A privacy zone that somebody asks an authority for; restricted, because it tells who lives where and why.

    `reasons` are for whoever asked; `reasons_en` and `reasons_zh` are for the public register. Of a `sensitive` one
    neither the place nor the result is told to the public.
    """

    __tablename__ = "zone_request"
    __machine__ = "zone_request"
    __table_args__ = (Index("ix_zone_request_authority_id_state", "authority_id", "state"),)
    authority_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.authority.id"))
    geom: Mapped[Shape] = geometry("POLYGON")  # the place that is asked for
    sensitive: Mapped[bool] = mapped_column(default=False)
    kind: Mapped[str]
    place_text: Mapped[str]
    reason: Mapped[str]
    asked_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))
    asked_by: Mapped[str]
    contact: Mapped[str]
    asked_at: Mapped[datetime]
    due_on: Mapped[date]
    decided_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))
    decided_at: Mapped[datetime | None]
    reasons: Mapped[str | None]
    reasons_en: Mapped[str | None]
    reasons_zh: Mapped[str | None]
    zone_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.privacy_zone.id"), index=True)

    authority: Mapped[Authority] = relationship()
    zone: Mapped[PrivacyZone | None] = relationship()


class ZoneTouch(Identified, Recorded, Base):
    """What a zone reached when it was added: stopped by it, or flagged to be looked at; restricted."""

    __tablename__ = "zone_touch"
    __table_args__ = (
        UniqueConstraint("zone_id", "subject_kind", "subject_id"),
        Index("ix_zone_touch_subject_kind_subject_id", "subject_kind", "subject_id"),
    )
    zone_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.privacy_zone.id"))
    subject_kind: Mapped[str]  # device | patrol_area | patrol_route | deployment_point | planned_site
    subject_id: Mapped[uuid.UUID]
    outcome: Mapped[str]  # blocked | flagged
