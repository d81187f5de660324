"""Which masked copy of a scene may be looked at: the one that nothing supersedes, while it hides every zone."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from geoalchemy2 import Geography
from geoalchemy2.shape import to_shape
from sqlalchemy import ColumnElement, Integer, Select, and_, cast, exists, func, or_, select
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.elements import SQLCoreOperations

from geo.zones import MOST_BUFFER_M
from schemas.refusals import conflict
from schemas.tables import Derivative, PrivacyZone, Scene
from sensing.mask import Zone

# How far beyond its edge a zone may reach by rounding, and by the pixels that are burnt around it.
_SLACK_M, _SLACK_SHARE, _SLACK_PX = 1.0, 1.005, 3.0
_Newer = aliased(Derivative)

# An instant, or a column that holds one.
Moment = datetime | SQLCoreOperations[datetime] | SQLCoreOperations[datetime | None]


def is_current() -> ColumnElement[bool]:
    """Whether no copy took the place of this one."""
    return ~exists().where(_Newer.supersedes_id == Derivative.id)


def current_copy(session: Session, scene_id: uuid.UUID) -> Derivative | None:
    """The copy of a scene that counts; None for a scene in quarantine."""
    return session.scalars(select(Derivative).where(Derivative.scene_id == scene_id, is_current())).one_or_none()


def in_force(start: Moment, end: Moment) -> ColumnElement[bool]:
    """Whether a zone is in force at any moment of a period."""
    return and_(PrivacyZone.valid_from <= end, or_(PrivacyZone.valid_to.is_(None), PrivacyZone.valid_to > start))


def _reached(at: datetime | None) -> ColumnElement[bool]:
    """Whether a zone reaches into a scene, and was in force when it was taken or is at an instant.

    All zones count, past and future, where nobody knows when it was taken.
    """
    now = at if at is not None else func.now()
    counts = or_(
        Scene.captured_at.is_(None),
        in_force(Scene.captured_at, func.coalesce(Scene.captured_until, Scene.captured_at)),
        in_force(now, now),
    )
    slack_m = _SLACK_M + _SLACK_PX * func.coalesce(Scene.gsd_m, 0.0) + func.coalesce(Scene.position_error_m, 0.0)
    zone, shown = cast(PrivacyZone.geom, Geography), cast(Scene.footprint, Geography)
    # The widest reach of any zone finds those that may count by the index; each one's own reach decides.
    near = func.ST_DWithin(zone, shown, (MOST_BUFFER_M + slack_m) * _SLACK_SHARE)
    return and_(near, func.ST_DWithin(zone, shown, (PrivacyZone.buffer_m + slack_m) * _SLACK_SHARE), counts)


def _shown(at: datetime | None) -> ColumnElement[bool]:
    """Whether a copy shows what a zone hides."""
    held = func.coalesce(cast(Derivative.zone_versions.op("->>")(PrivacyZone.public_id), Integer), 0)
    return and_(_reached(at), held < PrivacyZone.zone_version)


def may_be_shown(at: datetime | None = None) -> ColumnElement[bool]:
    """Whether a copy, selected together with its scene, is the one that counts and hides every zone there is."""
    return and_(is_current(), ~exists().where(_shown(at)).correlate(Derivative, Scene))


def overdue(at: datetime | None = None) -> Select[Derivative, Scene]:
    """The copies that show what a privacy zone hides, the oldest first; by the database's clock unless told."""
    late = exists().where(_shown(at)).correlate(Derivative, Scene)
    copies = select(Derivative, Scene).join(Scene, Scene.id == Derivative.scene_id)
    return copies.where(is_current(), late).order_by(Derivative.recorded_at, Derivative.id)


def refuse_overdue(session: Session, copies: Sequence[Derivative], at: datetime | None = None) -> None:
    """One query: raises RuleViolation GD-43 unless all copies hide every zone there is, and nothing superseded them."""
    ids = {copy.id for copy in copies}
    usable = select(Derivative.id).join(Scene, Scene.id == Derivative.scene_id)
    kept = set(session.scalars(usable.where(Derivative.id.in_(ids), may_be_shown(at))))
    if kept != ids:
        late_ids = sorted(copy.public_id for copy in copies if copy.id not in kept)
        raise conflict("GD-43", "scene.remask_due", measured=", ".join(late_ids))


def zones_to_burn(session: Session, copy: Derivative, at: datetime | None = None) -> list[Zone]:
    """Every zone that the copy hides already, in force or not, and every other one that reaches into it."""
    rows = (
        select(PrivacyZone)
        .join(Scene, Scene.id == copy.scene_id)
        .where(or_(PrivacyZone.public_id.in_(copy.zone_ids), _reached(at)))
        .order_by(PrivacyZone.public_id)
    )
    return [Zone(row.public_id, row.zone_version, to_shape(row.geom), row.buffer_m) for row in session.scalars(rows)]
