"""Everything that engines saw with what the law said of it, and the same things seen again on later dates."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from schemas.tables.base import Base, Shape, geometry
from schemas.tables.imagery import SegmentationRun


class CandidateRecord(Base):
    """One area that an engine saw in a run, a lead or not, as it was judged then; never changed.

    `seen` is what the engine said of it, `verdict` that and what the law said, both as sentences by key.
    """

    __tablename__ = "candidate"
    run_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.segmentation_run.id"), primary_key=True)
    ordinal: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    score: Mapped[float]
    area_m2: Mapped[float]
    geom: Mapped[Shape] = geometry("POLYGON")
    measures: Mapped[dict[str, Any]]
    seen: Mapped[list[dict[str, Any]]]
    verdict: Mapped[list[dict[str, Any]]]
    is_lead: Mapped[bool]
    violation: Mapped[str | None]

    run: Mapped[SegmentationRun] = relationship()


class Sighting(Base):
    """What a later look made of a find: new, grown, persists, or remedied, with how the outlines overlap.

    `earlier_share` and `later_share` are the shares of each outline that both cover, `area_ratio` is later over
    earlier; `analysed_share` is how much of a remedied find was looked at again.
    """

    __tablename__ = "sighting"
    __table_args__ = (UniqueConstraint("run_id", "earlier_id"),)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    run_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.segmentation_run.id"))
    detection_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.detection.id"), unique=True)
    earlier_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.detection.id"), index=True)
    relation: Mapped[str]  # new | grown | persists | remedied
    iou: Mapped[float | None]
    earlier_share: Mapped[float | None]
    later_share: Mapped[float | None]
    area_ratio: Mapped[float | None]
    analysed_share: Mapped[float | None]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
