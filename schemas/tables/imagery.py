"""Scenes, their masked derivatives, segmentation runs and the detections they propose."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, Computed, FetchedValue, ForeignKey, Index, SmallInteger, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from schemas.tables.base import Base, Identified, Recorded, Shape, Stated, geometry
from schemas.tables.flights import Flight
from schemas.tables.places import Authority, SupervisionItem
from schemas.tables.things import Exceedance

# As the migration has them; the queue of the review desk is read along these.
_WAITS = text("state IN ('new', 'assigned')")
_TAKEN = text("state = 'assigned'")
_PLACE = ("turn", "risk_short_of_most", "public_id")


class Scene(Identified, Recorded, Base):
    """An original as it came: content-addressed, write-once, never shown (GD-20.2).

    `quarantine` holds the refusals for which a scene is kept but not used (GD-36.1); null means usable. One of which
    nobody knows where it lies has neither CRS nor footprint, and perhaps no known sensor.
    """

    __tablename__ = "scene"
    sha256: Mapped[str] = mapped_column(unique=True)
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    file_name: Mapped[str]
    sensor: Mapped[str]  # uav | satellite | aerial; unknown in quarantine alone
    authority_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.authority.id"))
    flight_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.flight.id"), index=True)
    captured_at: Mapped[datetime | None]
    captured_until: Mapped[datetime | None]
    footprint: Mapped[Shape | None] = geometry("POLYGON", nullable=True)
    crs: Mapped[str | None]
    gsd_m: Mapped[float | None]
    position_error_m: Mapped[float | None]
    header: Mapped[dict[str, Any]] = mapped_column(default=dict)
    frame_hashes: Mapped[list[str]] = mapped_column(default=list)  # of a mosaic made from photos
    quarantine: Mapped[list[str] | None] = mapped_column(default=None)

    flight: Mapped[Flight | None] = relationship()


class Derivative(Identified, Recorded, Base):
    """A masked copy for analysis and display: zones are burnt in before it exists (GD-43, P14).

    `zone_versions` holds the version of every zone that is burnt in, by its public id. A copy that hides more takes
    the place of another one (`supersedes_id`), whose file is then removed and whose row stays.
    """

    __tablename__ = "derivative"
    scene_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.scene.id"), index=True)
    sha256: Mapped[str]
    zone_hash: Mapped[str]
    zone_ids: Mapped[list[str]] = mapped_column(default=list)
    zone_versions: Mapped[dict[str, Any]] = mapped_column(default=dict)
    supersedes_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.derivative.id"), unique=True)
    masked_pixels: Mapped[int] = mapped_column(BigInteger)
    surviving_pixels: Mapped[int] = mapped_column(BigInteger)  # always 0; a CHECK refuses anything else
    width: Mapped[int]
    height: Mapped[int]
    bands: Mapped[int]
    band_roles: Mapped[list[str]] = mapped_column(default=list)

    scene: Mapped[Scene] = relationship()


class SegmentationRun(Identified, Recorded, Base):
    """One pass of the engine over a derivative, with everything that decides its outcome.

    `coverage` is in square kilometres by code; the rasters of coverage and labels lie in the store under their hashes.
    `coregistration` says how well the earlier date lay on the later one, `clouds` how they were looked for and how many
    there were, `jurisdictions` how much of whose ground was looked at, by the code of the authority, `refinement` which
    SAM model drew outlines beside those of the engine, and on what machine.
    """

    __tablename__ = "segmentation_run"
    derivative_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.derivative.id"), index=True)
    before_derivative_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.derivative.id"))
    engine: Mapped[str]
    engine_version: Mapped[str]
    parameters_sha256: Mapped[str]
    rules_sha256: Mapped[str]
    labels_sha256: Mapped[str]
    coverage: Mapped[dict[str, Any]] = mapped_column(default=dict)
    manifest_sha256: Mapped[str | None]
    coverage_sha256: Mapped[str | None]
    labels_file_sha256: Mapped[str | None]
    bands: Mapped[int] = mapped_column(default=1)
    bands_failed: Mapped[int] = mapped_column(default=0)
    refused_kinds: Mapped[dict[str, Any]] = mapped_column(default=dict)
    coregistration: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    clouds: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    jurisdictions: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    refinement: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    stretch_sha256: Mapped[str | None]
    features_sha256: Mapped[str | None]
    # Whether all bands of two dates were compared, so that it is known what changed; earlier runs do not say.
    compared: Mapped[bool | None]
    runtime_s: Mapped[float]
    # Models that were applied; the database takes approved ones alone.
    pixel_model_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.model_version.id"))
    object_model_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.model_version.id"))

    derivative: Mapped[Derivative] = relationship(foreign_keys=[derivative_id])


class SegmentationBand(Base):
    """What became of one row band of a manifest the last time that somebody worked on it."""

    __tablename__ = "segmentation_band"
    manifest_sha256: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    derivative_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.derivative.id"), index=True)
    state: Mapped[str]  # done | failed
    attempts: Mapped[int]
    sha256: Mapped[str | None]
    counters: Mapped[dict[str, Any]] = mapped_column(default=dict)
    reason: Mapped[str | None]
    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())


class Detection(Stated, Base):
    """A candidate finding: a lead, never a fact and never public (machine `detection`)."""

    __tablename__ = "detection"
    __machine__ = "detection"
    __table_args__ = (
        UniqueConstraint("run_id", "ordinal"),
        Index("ix_detection_waiting", "authority_id", *_PLACE, postgresql_where=_WAITS),
        Index("ix_detection_waiting_of_kind", "authority_id", "kind", *_PLACE, postgresql_where=_WAITS),
        Index("ix_detection_waiting_for", "assigned_to", *_PLACE, postgresql_where=_TAKEN),
    )
    # A find of an image has its run and its scene; one of readings has neither, and is never asked for them.
    run_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.segmentation_run.id"), index=True, nullable=True)
    ordinal: Mapped[int]
    scene_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.scene.id"), index=True, nullable=True)
    exceedance_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.exceedance.id"), unique=True)
    authority_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("core.authority.id"), index=True)
    item_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.supervision_item.id"))
    kind: Mapped[str]
    score: Mapped[float]
    area_m2: Mapped[float]
    geom: Mapped[Shape] = geometry("POLYGON")
    rule_trace: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    context: Mapped[dict[str, Any]] = mapped_column(default=dict)
    provenance: Mapped[dict[str, Any]] = mapped_column(default=dict)
    formed_at: Mapped[datetime]
    # The place in the queue, fixed when the find is formed (sensing/risk.py).
    risk: Mapped[int] = mapped_column(SmallInteger, default=0)
    risk_trace: Mapped[list[dict[str, Any]]] = mapped_column(default=list)
    due: Mapped[date | None]
    turn: Mapped[date] = mapped_column(server_default=FetchedValue())
    risk_short_of_most: Mapped[int] = mapped_column(SmallInteger, Computed("100 - risk", persisted=True))
    assigned_to: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))
    decided_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("core.person.id"))
    decided_at: Mapped[datetime | None]
    reason: Mapped[str | None]

    run: Mapped[SegmentationRun] = relationship()
    scene: Mapped[Scene] = relationship()
    exceedance: Mapped[Exceedance | None] = relationship()
    authority: Mapped[Authority] = relationship()
    item: Mapped[SupervisionItem | None] = relationship()
