"""What planners ask: how some ground is seen, what changes there would do, and where the next devices help most."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import BYTEA, JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from schemas.tables.base import Base, Identified, Recorded, Shape, geometry, mercator
from schemas.tables.devices import Device
from schemas.tables.people import Person
from schemas.tables.places import Authority
from schemas.tables.siting import PlannedSite, SitingPlan


class CoverageStudy(Identified, Recorded, Base):
    """A planner's own question of how some ground is seen, and its answer; it changes nothing of the registry.

    `question` is what geo.coverage.asked writes, `result` what geo.coverage.study found or what refused it; `share`
    is how much of the work is done, `beat_at` when whoever works on it last said so, `attempt` how often it was taken
    on.
    """

    __tablename__ = "coverage_study"
    authority_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.authority.id"), index=True)
    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.person.id"))
    based_on_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.coverage_study.id", ondelete="SET NULL"))
    title: Mapped[str]
    ground: Mapped[Shape] = geometry("MULTIPOLYGON")
    question: Mapped[dict[str, Any]]
    stage: Mapped[str] = mapped_column(default="waiting")  # waiting | working | done | failed
    share: Mapped[float] = mapped_column(default=0.0)
    attempt: Mapped[int] = mapped_column(default=0)
    beat_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))

    authority: Mapped[Authority] = relationship()
    person: Mapped[Person] = relationship()
    devices: Mapped[list[StudyDevice]] = relationship(
        order_by="StudyDevice.ordinal", cascade="all, delete-orphan", passive_deletes=True
    )


class StudyDevice(Base):
    """A device that a study adds, or one that it moves, turns, raises or takes away (`gone`).

    That one is registered, or the site of a plan, which is changed for this study alone.
    """

    __tablename__ = "study_device"
    __table_args__ = (UniqueConstraint("study_id", "device_id"), UniqueConstraint("study_id", "planned_site_id"))
    study_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("core.coverage_study.id", ondelete="CASCADE"), primary_key=True
    )
    ordinal: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    device_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.device.id"))
    planned_site_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.planned_site.id"))
    gone: Mapped[bool] = mapped_column(default=False)
    label: Mapped[str] = mapped_column(default="")
    device_type: Mapped[str] = mapped_column(default="video")
    geom: Mapped[Shape] = geometry("POINT")
    sector_azimuth_deg: Mapped[float | None]
    hfov_deg: Mapped[float | None]
    range_m: Mapped[float]
    mast_m: Mapped[float]
    target_m: Mapped[float]

    device: Mapped[Device | None] = relationship()
    planned_site: Mapped[PlannedSite | None] = relationship()

    @property
    def changes(self) -> str | None:
        """The public id of what it moves or takes away; None for what the study adds."""
        changed = self.device or self.planned_site
        return changed.public_id if changed is not None else None


class StudyShape(Base):
    """A piece of the answer of a study: what nobody sees (`gap`), or what is seen `times` times and more (`seen`)."""

    __tablename__ = "study_shape"
    study_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("core.coverage_study.id", ondelete="CASCADE"), primary_key=True
    )
    kind: Mapped[str] = mapped_column(primary_key=True)
    times: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    ordinal: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    area_m2: Mapped[float]
    weight: Mapped[float]
    geom: Mapped[Shape] = geometry("POLYGON")
    geom_3857: Mapped[Shape] = mercator("POLYGON")


class KeptView(Base):
    """What a device sees over the elevation model: WKB of a plane, under a hash of everything that it depends on."""

    __tablename__ = "kept_view"
    key: Mapped[bytes] = mapped_column(BYTEA, primary_key=True)
    view: Mapped[bytes] = mapped_column(BYTEA)
    used_on: Mapped[date] = mapped_column(server_default=func.current_date(), index=True)


class SitingRun(Identified, Recorded, Base):
    """A question of siting on the ground of a study, what the solver found, and the plan that was drafted from it."""

    __tablename__ = "siting_run"
    study_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.coverage_study.id", ondelete="CASCADE"), index=True)
    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.person.id"))
    question: Mapped[dict[str, Any]]
    stage: Mapped[str] = mapped_column(default="waiting")  # waiting | working | done | failed
    share: Mapped[float] = mapped_column(default=0.0)
    attempt: Mapped[int] = mapped_column(default=0)
    beat_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    result: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    plan_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.siting_plan.id"))

    study: Mapped[CoverageStudy] = relationship()
    person: Mapped[Person] = relationship()
    plan: Mapped[SitingPlan | None] = relationship()
