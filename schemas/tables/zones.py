"""Privacy exclusion zones (GD-15, GD-16.5)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from schemas.tables.base import Base, Identified, Recorded, Shape, geometry, mercator


class PrivacyZone(Identified, Recorded, Base):
    """A place that no device may watch.

    `geom` is what the public sees. A sensitive zone also has an `exact_geom` inside it, read by the
    checks only; they use the union of both, and every answer to a role without clearance uses
    `geom` alone (design.md 6). `floor_agl_m` and `ceiling_agl_m` are true heights, null where the zone has no end;
    `schedule` holds the hours as `geo.hours` reads them, null where it always counts. A sensitive zone has
    neither.
    """

    __tablename__ = "privacy_zone"
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
