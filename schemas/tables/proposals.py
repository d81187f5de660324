"""Places that people are asked about because two dates differ there and nothing explains it; never findings."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from schemas.tables.base import Base, Identified, Recorded, Shape, geometry
from schemas.tables.imagery import SegmentationRun


class ChangeProposal(Identified, Recorded, Base):
    """A place that changed strongly in a run: `times` the usual difference, with the `weight` by which it is ranked.

    `answer` is what a person said is there, `none` for nothing of interest, `skip` for nothing known; but for the last
    it is a label too. Answered once, it stays as it is.
    """

    __tablename__ = "change_proposal"
    __table_args__ = (UniqueConstraint("run_id", "ordinal"),)
    run_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.segmentation_run.id"))
    ordinal: Mapped[int]
    scene_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.scene.id"), index=True)
    authority_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.authority.id"))
    geom: Mapped[Shape] = geometry("POLYGON")
    area_m2: Mapped[float]
    times: Mapped[float]
    weight: Mapped[float]
    answer: Mapped[str | None]
    answered_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))
    answered_at: Mapped[datetime | None]
    label_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.label.id"))

    run: Mapped[SegmentationRun] = relationship()
