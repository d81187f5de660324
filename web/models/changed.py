"""Places that changed strongly and that nothing explains, as they are asked about: outline, before and after."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

import shapely
from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.actors import Actor
from schemas.refusals import not_found
from schemas.tables import ChangeProposal, Derivative, Scene
from sensing import preview
from sensing.copies import is_current, refuse_overdue
from sensing.proposals import Proposed, proposals
from web.models import queries

BEFORE, AFTER = "before", "after"
SIZE_PX = 512
# The window is so many times as wide as the place, and never narrower than so many of its pixels.
_AROUND, _LEAST_PX = 2.5, 64
_METRES_PER_DEGREE = 111_320.0


@dataclass(frozen=True)
class Changed:
    """A place of change to ask about: its outline as an SVG path in the pictures, and when they were taken."""

    public_id: str
    path: str
    area_m2: float
    times: float
    left: int
    taken: tuple[datetime | None, datetime | None]


def first(db: Session, scene: Scene, at: datetime) -> Changed | None:
    """The weightiest place of a scene that nobody has answered; None where there is none."""
    waiting = proposals(db, scene, at, is_open=True)
    if not waiting:
        return None
    one, box = waiting[0], _box(waiting[0], scene)
    taken = (_earlier(db, one.public_id).captured_at, scene.captured_at)
    return Changed(one.public_id, _path(one, box), one.area_m2, one.times, len(waiting), taken)


@dataclass(frozen=True)
class Pictured:
    """What a picture is drawn from: the masked copy that counts now, and the ground that is shown."""

    sha256: str
    roles: tuple[str, ...]
    box: preview.Box


def pictured(db: Session, actor: Actor, scene_id: str, place: tuple[str, str], at: datetime) -> Pictured:
    """What a side of a place (its id, before or after) is drawn from.

    Raises RuleViolation 404 for what may not be seen here, GD-43 while a copy shows what a privacy zone hides.
    """
    proposal_id, side = place
    after = queries.copy_of(db, actor, scene_id, at)
    one = next((one for one in proposals(db, after.scene, at) if one.public_id == proposal_id), None)
    if one is None:
        raise not_found("proposal.unknown", "web.object_unknown", measured=proposal_id[:40])
    box = _box(one, after.scene)
    if side == AFTER:
        return Pictured(after.sha256, after.roles, box)
    earlier = _earlier(db, proposal_id)
    copy = db.scalars(select(Derivative).where(Derivative.scene_id == earlier.id, is_current())).one()
    refuse_overdue(db, [copy], at)
    return Pictured(copy.sha256, tuple(copy.band_roles), box)


def _earlier(db: Session, proposal_id: str) -> Scene:
    """The scene that a place was compared with."""
    row = db.scalars(select(ChangeProposal).where(ChangeProposal.public_id == proposal_id)).one()
    return db.get_one(Derivative, row.run.before_derivative_id).scene


def _box(one: Proposed, scene: Scene) -> preview.Box:
    west, south, east, north = one.geom.bounds
    lon, lat = (west + east) / 2, (south + north) / 2
    shrunk = max(math.cos(math.radians(lat)), 0.01)
    least = _LEAST_PX * (scene.gsd_m or 1.0) / _METRES_PER_DEGREE
    half = max(_AROUND * max((east - west) * shrunk, north - south), least) / 2
    return preview.Box(lon - half / shrunk, lat - half, lon + half / shrunk, lat + half)


def _path(one: Proposed, box: preview.Box) -> str:
    wide, high = SIZE_PX / (box.east - box.west), SIZE_PX / (box.north - box.south)
    shape = one.geom
    rings = [shape.exterior, *shape.interiors] if isinstance(shape, shapely.Polygon) else []
    return " ".join(
        "M" + " ".join(f"{(x - box.west) * wide:.1f} {(box.north - y) * high:.1f}" for x, y in ring.coords) + "Z"
        for ring in rings
    )
