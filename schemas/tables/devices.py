"""Monitoring devices, their sites, reviews, signs and calibrations (GD-09 to GD-22)."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from schemas.tables.base import Base, Identified, Recorded, Shape, Stated, geometry, mercator
from schemas.tables.places import Authority, SupervisionItem


class DeviceSite(Identified, Recorded, Base):
    """The place of a device: the thing that is published. A moved device gets a new site."""

    __tablename__ = "device_site"
    geom: Mapped[Shape] = geometry("POINT")
    geom_3857: Mapped[Shape] = mercator("POINT")
    place_text: Mapped[str]
    place_type: Mapped[str] = mapped_column(default="open_air")  # or one of the prohibited kinds of GD-15
    indoor: Mapped[bool] = mapped_column(default=False)
    siting_plan_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.siting_plan.id"), index=True)
    planned_site_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.planned_site.id"), index=True)


class Device(Stated, Base):
    """An electronic monitoring device; a drone is one too (machine `device`)."""

    __tablename__ = "device"
    __machine__ = "device"
    __table_args__ = (
        Index("ix_device_authority_id_state", "authority_id", "state"),
        Index(
            "ix_device_calibration_valid_to",
            "calibration_valid_to",
            postgresql_where=text("is_measuring_instrument AND state = 'active'"),
        ),
        Index("ix_device_instrument", "authority_id", postgresql_where=text("is_measuring_instrument")),
        Index("ix_device_mobile", "authority_id", postgresql_where=text("category = 'mobile'")),
        Index(
            "ix_device_first_used_on",
            "authority_id",
            "first_used_on",
            postgresql_where=text("first_used_on IS NOT NULL"),
        ),
        Index("ix_device_secret", "id", postgresql_where=text("secret")),
        Index("ix_device_range_m", "range_m", postgresql_where=text("range_m IS NOT NULL")),
        Index("ix_device_listed", "name", "public_id", postgresql_where=text("NOT secret")),
        Index("ix_device_listed_authority", "authority_id", "name", "public_id", postgresql_where=text("NOT secret")),
    )
    name: Mapped[str]
    platform: Mapped[str]  # fixed | uav | ugv | usv
    category: Mapped[str]  # fixed | mobile
    device_type: Mapped[str]  # video | radar | water_quality | air | noise | satellite_ref
    purpose_en: Mapped[str]
    purpose_zh: Mapped[str]
    authority_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.authority.id"))
    item_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.supervision_item.id"))
    site_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.device_site.id"), index=True)
    owner_type: Mapped[str] = mapped_column(default="authority")  # authority | department | enterprise
    model: Mapped[str | None]
    serial_no: Mapped[str | None]  # restricted
    quality_certificate_no: Mapped[str | None]  # GD-12.2
    is_measuring_instrument: Mapped[bool] = mapped_column(default=False)
    calibration_valid_to: Mapped[date | None]
    sector_azimuth_deg: Mapped[float | None]  # restricted
    hfov_deg: Mapped[float | None]  # restricted
    range_m: Mapped[float | None]  # restricted
    secret: Mapped[bool] = mapped_column(default=False)
    secret_document: Mapped[str | None]
    secret_authority: Mapped[str | None]  # who classified it, how highly, until when (GD-14.6)
    secret_level: Mapped[str | None]
    secret_until: Mapped[date | None]
    code: Mapped[str | None] = mapped_column(unique=True)  # the device's own, such as its GB/T 28181 number
    device_version: Mapped[int] = mapped_column(default=1)  # reviews are of one version
    author_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))
    activated_on: Mapped[date | None]  # local date of the rule pack's time zone
    first_used_on: Mapped[date | None]  # the database's own (GD-13.3)
    discontinued_on: Mapped[date | None]
    state_reason: Mapped[str | None]
    state_since: Mapped[datetime | None]  # the last change of state; blocks and pauses count from it
    pause_ends_on: Mapped[date | None]  # the expected end of maintenance (GD-14.5)
    active_sha256: Mapped[str | None]  # place, direction and purpose at activation; a pause may not move them
    import_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.import_batch.id"))

    authority: Mapped[Authority] = relationship()
    site: Mapped[DeviceSite] = relationship()
    item: Mapped[SupervisionItem | None] = relationship()


class DeviceShare(Identified, Recorded, Base):
    """A department in whose lists a device of another stands too (S01)."""

    __tablename__ = "device_share"
    __table_args__ = (UniqueConstraint("device_id", "authority_id"),)
    device_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.device.id"))
    authority_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.authority.id"))
    name: Mapped[str]  # what that department calls it
    import_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.import_batch.id"))

    device: Mapped[Device] = relationship()


class DeviceReview(Identified, Recorded, Base):
    """A legal or technical review of one version of a device, or of a site of a plan (GD-10.3, GD-11, GD-12)."""

    __tablename__ = "device_review"
    device_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.device.id"), index=True)
    planned_site_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.planned_site.id"), index=True)
    device_version: Mapped[int] = mapped_column(default=1)
    kind: Mapped[str]  # legal | technical
    reviewer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.person.id"))
    passed: Mapped[bool]
    items: Mapped[dict[str, Any]] = mapped_column(default=dict)
    reviewed_on: Mapped[date]
    sole_basis_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.legal_basis.id"))  # GD-11.4
    corroboration_required: Mapped[bool] = mapped_column(default=True)  # GD-11.6
    institution: Mapped[str | None]  # who reviewed on the authority's behalf, with its qualification (GD-12.1)
    qualification_no: Mapped[str | None]
    qualification_valid_to: Mapped[date | None]
    standards: Mapped[list[str]] = mapped_column(default=list)  # GD-12.4


class Signage(Identified, Recorded, Base):
    """A sign at a site, or the mark on an aircraft, as last checked (GD-14.1, GD-16.4)."""

    __tablename__ = "signage"
    device_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.device.id"), index=True)
    text: Mapped[str]
    photo_sha256: Mapped[str | None]
    verified_on: Mapped[date]
    verified_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))


class Drone(Base):
    """What an aircraft has beyond a device: its mark, its camera and its limits."""

    __tablename__ = "drone"
    device_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.device.id"), primary_key=True)
    registration_no: Mapped[str] = mapped_column(unique=True)
    mavlink_system_id: Mapped[int] = mapped_column(default=1)
    camera_hfov_deg: Mapped[float]
    camera_image_width_px: Mapped[int]
    camera_image_height_px: Mapped[int]
    cruise_speed_m_s: Mapped[float] = mapped_column(default=10.0)
    default_alt_agl_m: Mapped[float] = mapped_column(default=100.0)
    max_takeoff_mass_kg: Mapped[float]
    endurance_min: Mapped[float | None]  # in still air, from full to empty; null where it is not known

    device: Mapped[Device] = relationship()
