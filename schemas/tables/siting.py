"""Siting plans with the sites that they name, and the files that prove things (GD-09 to GD-13)."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from schemas.tables.base import Base, Identified, Recorded, Shape, Stated, geometry
from schemas.tables.places import Authority


class SitingPlan(Stated, Base):
    """One version of a siting plan, from draft to approval (machine `siting_plan`).

    Imported ones may hold nothing but their approval; those drafted here name their sites.
    """

    __tablename__ = "siting_plan"
    __machine__ = "siting_plan"
    plan_version: Mapped[int] = mapped_column(default=1)
    authority_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.authority.id"))
    title_en: Mapped[str | None]
    title_zh: Mapped[str | None]
    author_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))
    item_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.supervision_item.id"))
    justification: Mapped[dict[str, Any]] = mapped_column(default=dict)  # GD-09.1; the fields stand in the rule pack
    need: Mapped[dict[str, Any]] = mapped_column(default=dict)  # GD-13.1
    duplicates_answer: Mapped[str | None]  # why what is there already does not do (GD-17)
    legal_reviewer_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))
    technical_reviewer_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))
    previous_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.siting_plan.id"))
    approval_no: Mapped[str | None]
    approved_on: Mapped[date | None]
    approver_authority_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.authority.id"))
    decided_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))
    revoked_on: Mapped[date | None]
    state_reason: Mapped[str | None]

    authority: Mapped[Authority] = relationship(foreign_keys=[authority_id])
    sites: Mapped[list[PlannedSite]] = relationship(back_populates="plan", order_by="PlannedSite.ordinal")


class PlannedSite(Identified, Recorded, Base):
    """A place that a plan asks for, with what shall stand there; another place is another row."""

    __tablename__ = "planned_site"
    __table_args__ = (UniqueConstraint("plan_id", "ordinal"),)
    plan_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.siting_plan.id"))
    ordinal: Mapped[int]
    geom: Mapped[Shape] = geometry("POINT")
    place_text: Mapped[str]
    place_type: Mapped[str] = mapped_column(default="open_air")
    indoor: Mapped[bool] = mapped_column(default=False)
    platform: Mapped[str] = mapped_column(default="fixed")
    device_type: Mapped[str]
    purpose_en: Mapped[str]
    purpose_zh: Mapped[str]
    sector_azimuth_deg: Mapped[float | None]  # restricted
    hfov_deg: Mapped[float | None]  # restricted
    range_m: Mapped[float | None]  # restricted
    carried_from_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.planned_site.id"))
    dropped_in: Mapped[int | None]  # the draft, by the plan's row version, that took it out
    decision: Mapped[str | None]  # approved | rejected
    decision_text: Mapped[str | None]

    plan: Mapped[SitingPlan] = relationship(back_populates="sites")


class Attachment(Identified, Recorded, Base):
    """A file that proves something about a subject, named by the SHA-256 of its content."""

    __tablename__ = "attachment"
    __table_args__ = (UniqueConstraint("subject_kind", "subject_id", "purpose", "sha256"),)
    sha256: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    media_type: Mapped[str]
    file_name: Mapped[str]
    subject_kind: Mapped[str]  # the table of what it proves: device_review, signage, evaluation ...
    subject_id: Mapped[uuid.UUID]
    purpose: Mapped[str]  # the item of the check-list, or `photo`, `certificate`, `document`
    given_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))


class OverlaySwitch(Identified, Recorded, Base):
    """An authority puts an overlay of rules into force for itself, or takes it out; the latest word counts (G-42)."""

    __tablename__ = "overlay_switch"
    authority_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.authority.id"), index=True)
    overlay: Mapped[str]
    is_on: Mapped[bool]
    reason: Mapped[str]
    decided_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))
