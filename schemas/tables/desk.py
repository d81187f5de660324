"""What officers decided about finds, and what they cut, joined and took back; append-only."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from schemas.tables.base import Base, Identified, Recorded
from schemas.tables.imagery import Detection
from schemas.tables.learning import Label
from schemas.tables.people import Person


class Decision(Identified, Recorded, Base):
    """What a person decided about one find: from which state to which, at which version, and why.

    A decision about several finds at once is one row for each, with one `act`. `code` is a reason of the list
    (sensing/rules/reasons.yaml), `details` says where a find was cut or how finds were joined.
    """

    __tablename__ = "decision"
    __table_args__ = (UniqueConstraint("detection_id", "version"),)
    act: Mapped[uuid.UUID] = mapped_column(index=True)
    detection_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.detection.id"))
    kind: Mapped[str]  # confirm | reject | leave_open | redraw | split | merge | undo
    source: Mapped[str]
    target: Mapped[str]
    version: Mapped[int]
    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.person.id"))
    decided_at: Mapped[datetime]
    code: Mapped[str]
    reason: Mapped[str]
    label_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.label.id"), index=True)
    undoes_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.decision.id"), unique=True)
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)

    detection: Mapped[Detection] = relationship()
    person: Mapped[Person] = relationship()
    label: Mapped[Label | None] = relationship()


class Derivation(Base):
    """That a find was cut from another one, or joined from several."""

    __tablename__ = "derivation"
    detection_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.detection.id"), primary_key=True)
    source_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.detection.id"), primary_key=True, index=True)
    decision_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.decision.id"), index=True)

    detection: Mapped[Detection] = relationship(foreign_keys=[detection_id])
    source: Mapped[Detection] = relationship(foreign_keys=[source_id])
    decision: Mapped[Decision] = relationship()


class LabelWithdrawal(Base):
    """That a label teaches nothing any more, because the decision that left it was undone."""

    __tablename__ = "label_withdrawal"
    label_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.label.id"), primary_key=True)
    decision_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.decision.id"))

    label: Mapped[Label] = relationship()
    decision: Mapped[Decision] = relationship()
