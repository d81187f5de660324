"""Patrol areas and routes, the inspection plans that flights belong to, and airspace clearances (GD-16)."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from schemas.tables.base import Base, Identified, Recorded, Shape, Stated, geometry, mercator
from schemas.tables.places import Authority, SupervisionItem


class PatrolArea(Stated, Base):
    """A relatively fixed, published polygon in which drones may patrol (machine `patrol_area`)."""

    __tablename__ = "patrol_area"
    __machine__ = "patrol_area"
    code: Mapped[str] = mapped_column(unique=True)
    name_en: Mapped[str]
    name_zh: Mapped[str]
    purpose_en: Mapped[str]
    purpose_zh: Mapped[str]
    authority_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.authority.id"))
    author_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))
    item_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.supervision_item.id"))
    siting_plan_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.siting_plan.id"))
    geom: Mapped[Shape] = geometry("POLYGON")
    geom_3857: Mapped[Shape] = mercator("POLYGON")
    alt_min_agl_m: Mapped[float]
    alt_max_agl_m: Mapped[float]
    effective_from: Mapped[date | None]
    suspended_on: Mapped[date | None]
    area_version: Mapped[int] = mapped_column(default=1)

    authority: Mapped[Authority] = relationship()
    item: Mapped[SupervisionItem | None] = relationship()


class AreaChange(Identified, Recorded, Base):
    """Another shape for an area in force: drawn, approved by somebody else, shown, applied (GD-16.3, G-6)."""

    __tablename__ = "area_change"
    __table_args__ = (UniqueConstraint("area_id", "area_version"),)
    area_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.patrol_area.id"))
    area_version: Mapped[int]
    geom: Mapped[Shape] = geometry("POLYGON")
    earlier_geom: Mapped[Shape] = geometry("POLYGON")
    iou: Mapped[float]
    reason: Mapped[str]
    author_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.person.id"))
    approver_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))
    approved_on: Mapped[date | None]
    applied_on: Mapped[date | None]


class DeploymentPoint(Stated, Base):
    """A relatively fixed, published place from which a mobile unit works (machine `deployment_point`)."""

    __tablename__ = "deployment_point"
    __machine__ = "deployment_point"
    code: Mapped[str] = mapped_column(unique=True)
    name_en: Mapped[str]
    name_zh: Mapped[str]
    purpose_en: Mapped[str]
    purpose_zh: Mapped[str]
    authority_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.authority.id"))
    author_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))
    item_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.supervision_item.id"))
    siting_plan_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.siting_plan.id"))
    geom: Mapped[Shape] = geometry("POINT")
    geom_3857: Mapped[Shape] = mercator("POINT")
    place_text: Mapped[str]
    effective_from: Mapped[date | None]
    suspended_on: Mapped[date | None]

    authority: Mapped[Authority] = relationship()
    item: Mapped[SupervisionItem | None] = relationship()


class PatrolRoute(Stated, Base):
    """A published line inside a patrol area, with the mission that flies it (machine `route`).

    `mission` holds the canonical items and `mission_digest` their SHA-256 (flights/canonical.py): the
    digest is part of the publication, and nothing else may be uploaded for this route.
    """

    __tablename__ = "patrol_route"
    __machine__ = "route"
    code: Mapped[str] = mapped_column(unique=True)
    name_en: Mapped[str]
    name_zh: Mapped[str]
    area_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.patrol_area.id"))
    authority_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.authority.id"))
    author_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))
    route_version: Mapped[int] = mapped_column(default=1)
    geom: Mapped[Shape] = geometry("LINESTRING")
    geom_3857: Mapped[Shape] = mercator("LINESTRING")
    alt_agl_m: Mapped[float]
    camera_hfov_deg: Mapped[float]
    home: Mapped[Shape] = geometry("POINT")
    home_amsl_m: Mapped[float]
    speed_m_s: Mapped[float] = mapped_column(default=10.0)
    trigger_distance_m: Mapped[float] = mapped_column(default=60.0)
    mission: Mapped[dict[str, Any]] = mapped_column(default=dict)
    mission_digest: Mapped[str]
    effective_from: Mapped[date | None]
    suspended_on: Mapped[date | None]

    area: Mapped[PatrolArea] = relationship()
    authority: Mapped[Authority] = relationship()


class InspectionPlan(Stated, Base):
    """The plan, approved by the unit head, to which every flight belongs (machine `inspection_plan`)."""

    __tablename__ = "inspection_plan"
    __machine__ = "inspection_plan"
    number: Mapped[str] = mapped_column(unique=True)
    title_en: Mapped[str]
    title_zh: Mapped[str]
    authority_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.authority.id"))
    item_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.supervision_item.id"))
    area_ids: Mapped[list[str]] = mapped_column(default=list)
    entity_ids: Mapped[list[str]] = mapped_column(default=list)
    author_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.person.id"))
    approver_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))
    approved_at: Mapped[datetime | None]
    valid_from: Mapped[date]
    valid_to: Mapped[date]

    authority: Mapped[Authority] = relationship()


class AirspaceClearance(Identified, Recorded, Base):
    """A filing with, or approval by, the airspace authority for a place, height and time (GD-16.2)."""

    __tablename__ = "airspace_clearance"
    kind: Mapped[str]  # filing | approval
    number: Mapped[str]
    issuing_body: Mapped[str]
    authority_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.authority.id"))
    geom: Mapped[Shape] = geometry("POLYGON")
    alt_max_agl_m: Mapped[float]
    valid_from: Mapped[datetime]
    valid_to: Mapped[datetime]
