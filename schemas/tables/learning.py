"""What officers teach: their labels, and the versions of the models that learned from them (GD-05.2)."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from schemas.tables.base import Base, Identified, Recorded, Shape, Stated, geometry
from schemas.tables.imagery import Detection, Scene
from schemas.tables.people import Person
from schemas.tables.places import Authority


class Label(Identified, Recorded, Base):
    """What a person said of a place in a scene: click, polygon, or accept, reject, edit of a detection; never changed.

    `of_class` is a word of the bureau's own or a kind of finding; `none` is nothing of interest.
    """

    __tablename__ = "label"
    kind: Mapped[str]
    of_class: Mapped[str]
    geom: Mapped[Shape] = geometry("GEOMETRY")
    scene_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.scene.id"), index=True)
    authority_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.authority.id"))
    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.person.id"))
    detection_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.detection.id"), index=True)
    reason: Mapped[str | None]

    scene: Mapped[Scene] = relationship()
    authority: Mapped[Authority] = relationship()
    detection: Mapped[Detection | None] = relationship()


class ModelVersion(Stated, Base):
    """One trained model, pixel or object: a file by its hash, and everything that decides whether it may be used."""

    __tablename__ = "model_version"
    __machine__ = "model"
    kind: Mapped[str]
    authority_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.authority.id"), index=True)
    author_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))
    purpose: Mapped[str]
    licence: Mapped[str]  # of the training data
    sources: Mapped[list[dict[str, Any]]]
    banned_uses: Mapped[list[str]]
    sha256: Mapped[str]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    classes: Mapped[list[str]]
    features: Mapped[list[str]]
    label_ids: Mapped[list[str]]  # public ids
    scene_ids: Mapped[list[str]]  # public ids
    metrics: Mapped[dict[str, Any]]
    approved_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))
    approved_at: Mapped[datetime | None]
    closed_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))
    closed_at: Mapped[datetime | None]
    reason: Mapped[str | None]

    authority: Mapped[Authority] = relationship()
    author: Mapped[Person | None] = relationship(foreign_keys=[author_id])
    approver: Mapped[Person | None] = relationship(foreign_keys=[approved_by])


class LearningJob(Identified, Recorded, Base):
    """Work that somebody asked the worker for: a model of a kind to train, or the `questions` of a scene.

    `share` is how much of it is done, `beat_at` when whoever works on it last said so, `attempt` how often it was taken
    on. `result` holds questions, or what refused the work.
    """

    __tablename__ = "learning_job"
    kind: Mapped[str]
    authority_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.authority.id"), index=True)
    person_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.person.id"))
    scene_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.scene.id"))
    wish: Mapped[dict[str, Any]]
    stage: Mapped[str] = mapped_column(default="waiting")
    share: Mapped[float] = mapped_column(default=0.0)
    attempt: Mapped[int] = mapped_column(default=0)
    beat_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    model_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.model_version.id"))
    result: Mapped[dict[str, Any] | None]

    authority: Mapped[Authority] = relationship()
    person: Mapped[Person] = relationship()
    scene: Mapped[Scene | None] = relationship()
    model: Mapped[ModelVersion | None] = relationship()
