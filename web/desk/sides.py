"""The two images of a finding: the one that it is of, and the one before it, compared by the engine or only shown."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from schemas.refusals import not_found
from schemas.tables import Derivative, Detection, Scene, SegmentationRun
from sensing.copies import current_copy, is_current

BEFORE, AFTER = "before", "after"


@dataclass(frozen=True)
class Side:
    """One of the two images: which masked copy, when it was taken, by what.

    `compared` is false for an earlier image that the engine did not look at: it stands there for the eye alone.
    """

    name: str
    copy_id: uuid.UUID
    sha256: str
    roles: tuple[str, ...]
    taken: datetime | None
    sensor: str
    gsd_m: float | None
    compared: bool = True


def sides_of(db: Session, row: Detection) -> tuple[Side | None, Side | None]:
    """Before and after, from the copies that count now: the ones that the run looked at may show too much today.

    Where the run had one date alone, the image before is the last one of the place that the authority has.
    """
    if row.run_id is None:
        return None, None
    run = db.get_one(SegmentationRun, row.run_id)
    after = _side(db, AFTER, _scene_of(db, run.derivative_id))
    if run.before_derivative_id is not None:
        return _side(db, BEFORE, _scene_of(db, run.before_derivative_id)), after
    earlier = _earlier(db, row)
    return (_side(db, BEFORE, earlier, compared=False) if earlier else None), after


def _scene_of(db: Session, derivative_id: uuid.UUID) -> Scene:
    return db.get_one(Scene, db.get_one(Derivative, derivative_id).scene_id)


def _earlier(db: Session, row: Detection) -> Scene | None:
    """The last usable scene over all of a finding's ground that was taken before its own."""
    own = db.get_one(Scene, row.scene_id)
    rows = (
        select(Scene)
        .join(Derivative, Derivative.scene_id == Scene.id)
        .where(
            is_current(),
            Scene.captured_at < own.captured_at,
            func.ST_Covers(Scene.footprint, row.geom),
            # What a colleague of another authority has flown is not this one's to show.
            or_(Scene.authority_id == row.authority_id, Scene.authority_id == own.authority_id),
        )
    )
    return db.scalars(rows.order_by(Scene.captured_at.desc(), Scene.public_id).limit(1)).one_or_none()


def _side(db: Session, name: str, scene: Scene, *, compared: bool = True) -> Side:
    copy = current_copy(db, scene.id)
    if copy is None:
        raise not_found("scene.unknown", measured=scene.public_id)
    return Side(
        name=name,
        copy_id=copy.id,
        sha256=copy.sha256,
        roles=tuple(copy.band_roles),
        taken=scene.captured_at,
        sensor=scene.sensor,
        gsd_m=scene.gsd_m,
        compared=compared,
    )
