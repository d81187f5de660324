"""Which approved models a run applies: the newest of the authority whose ground it is that fits the scene."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.refusals import RuleViolation
from schemas.tables import Authority, ModelVersion, Scene
from sensing.bands import Role
from sensing.intake import Shelf
from sensing.learn import features
from sensing.learn.objects import ObjectModel
from sensing.learn.store import APPROVED, OBJECT, PIXEL, files, read

# A model that learned from pixels of one size says little of pixels several times as large or small.
_SIZE_RATIO = 1.6


@dataclass(frozen=True)
class Used:
    """One version of a model as a run applies it."""

    id: uuid.UUID
    public_id: str
    sha256: str
    path: Path
    classes: tuple[str, ...]

    def dump(self) -> dict[str, Any]:
        """What decides a result, as plain JSON."""
        return {"model": self.public_id, "sha256": self.sha256}


@dataclass(frozen=True)
class Models:
    """The models of a run; either may be none."""

    pixel: Used | None = None
    object: Used | None = None

    @property
    def names(self) -> dict[str, str]:
        """The public ids of those that there are, by kind."""
        held = {PIXEL: self.pixel, OBJECT: self.object}
        return {kind: one.public_id for kind, one in held.items() if one is not None}

    def ranker(self) -> ObjectModel | None:
        """The re-ranker, read from its file. Raises RuleViolation `model.corrupt` for one that was changed."""
        return ObjectModel.from_bytes(read(self.object.path, self.object.sha256)) if self.object else None


NO_MODELS = Models()


def newest(session: Session, shelf: Shelf, scene: Scene, roles: tuple[str, ...]) -> Models:
    """The models that a run over a scene applies; `roles` are what the bands of its masked copy measure."""
    chosen = [_newest(session, shelf, kind, (scene, roles)) for kind in (PIXEL, OBJECT)]
    return Models(*chosen)


def of_run(session: Session, shelf: Shelf, pixel_id: uuid.UUID | None, object_id: uuid.UUID | None) -> Models:
    """The models that a run applied, whatever became of them since."""
    rows = [session.get_one(ModelVersion, one) if one else None for one in (pixel_id, object_id)]
    return Models(*(used(shelf, row) if row else None for row in rows))


def used(shelf: Shelf, row: ModelVersion) -> Used:
    """A version with the file that it should be; nobody has looked whether it still is."""
    return Used(row.id, row.public_id, row.sha256, files(shelf).path(row.sha256), tuple(row.classes))


def _newest(session: Session, shelf: Shelf, kind: str, about: tuple[Scene, tuple[str, ...]]) -> Used | None:
    scene, roles = about
    for authority_id in _upwards(session, scene.authority_id):
        wanted = (
            select(ModelVersion)
            .where(ModelVersion.kind == kind, ModelVersion.state == APPROVED, ModelVersion.authority_id == authority_id)
            .order_by(ModelVersion.approved_at.desc(), ModelVersion.recorded_at.desc())
        )
        for row in session.scalars(wanted):
            if fits(row, scene.gsd_m, roles):
                return used(shelf, row)
    return None


def _upwards(session: Session, authority_id: uuid.UUID | None) -> Iterator[uuid.UUID]:
    """An authority, then the one above it, and so on."""
    seen: set[uuid.UUID] = set()
    while authority_id is not None and authority_id not in seen:
        yield authority_id
        seen.add(authority_id)
        authority_id = session.get_one(Authority, authority_id).parent_id


def fits(model: ModelVersion, gsd_m: float | None, roles: tuple[str, ...]) -> bool:
    """Whether a scene has the bands that a model needs, and pixels of the size that it learned from."""
    try:
        held = features.names([Role(name) for name in roles])
    except RuleViolation:
        return False
    sizes = [float(source["gsd_m"]) for source in model.sources if source.get("gsd_m")]
    if gsd_m is not None and sizes and not min(sizes) / _SIZE_RATIO <= gsd_m <= max(sizes) * _SIZE_RATIO:
        return False
    return set(model.features) <= set(held)
