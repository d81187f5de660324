"""What is known about scenes and findings, as frozen rows."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from geoalchemy2.shape import to_shape
from shapely.geometry.base import BaseGeometry
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from schemas.refusals import not_found
from schemas.tables import Derivation, Derivative, Detection, Flight, Scene, SegmentationRun
from sensing.evaluate import Outline
from sensing.placing import PLACE_RULES
from sensing.shut import is_shut


@dataclass(frozen=True)
class SceneRow:
    """One scene: what it is, from where and when, and what became of it."""

    public_id: str
    file_name: str
    sensor: str
    captured_at: datetime | None
    gsd_m: float | None
    crs: str | None
    flight: str | None
    quarantine: tuple[str, ...]
    band_roles: tuple[str, ...]
    masked_pixels: int | None
    runs: int
    detections: int


def scenes(session: Session) -> list[SceneRow]:
    """All scenes, the newest first."""
    runs = dict(
        session.execute(
            select(Derivative.scene_id, func.count(SegmentationRun.id))
            .join(SegmentationRun, SegmentationRun.derivative_id == Derivative.id)
            .group_by(Derivative.scene_id)
        ).all()
    )
    found = dict(session.execute(select(Detection.scene_id, func.count()).group_by(Detection.scene_id)).all())
    rows = session.execute(
        select(Scene, Derivative, Flight.public_id)
        .outerjoin(Derivative, Derivative.scene_id == Scene.id)
        .outerjoin(Flight, Flight.id == Scene.flight_id)
        .order_by(Scene.recorded_at.desc(), Derivative.recorded_at.desc())
    )
    seen: dict[uuid.UUID, SceneRow] = {}
    for scene, copy, flight in rows:
        # The newest masked copy comes first and stands for the scene.
        seen.setdefault(scene.id, _row(scene, copy, flight, (runs.get(scene.id, 0), found.get(scene.id, 0))))
    return list(seen.values())


@dataclass(frozen=True)
class Quarantined:
    """An image that is kept and not used: since when, by which rules, and why in every language.

    `reasons` are empty where an earlier version kept the rules alone.
    """

    public_id: str
    file_name: str
    recorded_at: datetime
    rules: tuple[str, ...]
    reasons: tuple[Mapping[str, Mapping[str, Any]], ...]

    @property
    def waits_for_place(self) -> bool:
        """Whether nothing else is against it than that nobody knows where its pixels lie."""
        return set(self.rules) <= PLACE_RULES

    def plain(self, lang: str) -> dict[str, Any]:
        """As JSON in a language."""
        told = {"scene": self.public_id, "name": self.file_name, "recorded_at": self.recorded_at.isoformat()}
        return told | {"rules": list(self.rules), "refusals": [dict(one[lang]) for one in self.reasons]}


def quarantined(session: Session, authority_ids: Collection[uuid.UUID] | None = None) -> list[Quarantined]:
    """The images in quarantine, the newest first: all, or those of some authorities and of ground that nobody knows."""
    rows = select(Scene).where(func.jsonb_typeof(Scene.quarantine) == "array").order_by(Scene.recorded_at.desc())
    if authority_ids is not None:
        rows = rows.where(or_(Scene.authority_id.in_(authority_ids), Scene.authority_id.is_(None)))
    return [
        Quarantined(
            scene.public_id,
            scene.file_name,
            scene.recorded_at,
            tuple(scene.quarantine or ()),
            tuple(scene.header.get("refusals", ())),
        )
        for scene in session.scalars(rows)
    ]


def _row(scene: Scene, copy: Derivative | None, flight: str | None, counts: tuple[int, int]) -> SceneRow:
    return SceneRow(
        public_id=scene.public_id,
        file_name=scene.file_name,
        sensor=scene.sensor,
        captured_at=scene.captured_at,
        gsd_m=scene.gsd_m,
        crs=scene.crs,
        flight=flight,
        quarantine=tuple(scene.quarantine or ()),
        band_roles=tuple(copy.band_roles) if copy else (),
        masked_pixels=copy.masked_pixels if copy else None,
        runs=counts[0],
        detections=counts[1],
    )


def findings(session: Session, scene_id: str) -> list[Outline]:
    """The detections of all passes over a scene as engines drew them, whatever was decided; no thing is there twice.

    Those whose ground became private since are left out.
    """
    scene = session.scalars(select(Scene).where(Scene.public_id == scene_id)).one_or_none()
    if scene is None:
        raise not_found("scene.unknown", measured=scene_id)
    rows = session.scalars(
        select(Detection)
        .where(
            Detection.scene_id == scene.id,
            ~is_shut(),
            ~select(Derivation).where(Derivation.detection_id == Detection.id).exists(),
        )
        .order_by(Detection.formed_at, Detection.ordinal)
    )
    return [Outline(row.kind, _shape(row), row.public_id, row.score) for row in rows]


def _shape(row: Detection) -> BaseGeometry:
    return to_shape(row.geom)


@dataclass(frozen=True)
class Covered:
    """What the newest pass over a scene looked at: square kilometres by code, and the raster of the codes."""

    public_id: str
    coverage: dict[str, Any]
    coverage_sha256: str


def newest_run(session: Session, scene_id: str) -> Covered:
    """The newest pass over a scene that kept its coverage. Raises RuleViolation 404 where there is none."""
    scene = session.scalars(select(Scene).where(Scene.public_id == scene_id)).one_or_none()
    if scene is None:
        raise not_found("scene.unknown", measured=scene_id)
    runs = (
        select(SegmentationRun)
        .join(Derivative, Derivative.id == SegmentationRun.derivative_id)
        .where(Derivative.scene_id == scene.id, SegmentationRun.coverage_sha256.is_not(None))
    )
    run = session.scalars(runs.order_by(SegmentationRun.recorded_at.desc()).limit(1)).one_or_none()
    if run is None or run.coverage_sha256 is None:
        raise not_found("scene.not_looked_at", measured=scene_id)
    return Covered(run.public_id, run.coverage, run.coverage_sha256)
