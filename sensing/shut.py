"""Findings whose ground became private after they were made: kept as they are, and shown to nobody (GD-43).

The picture of such a place is masked anew by a job, but the outline of a find would go on telling what lies there.
"""

from __future__ import annotations

from geoalchemy2 import Geography
from sqlalchemy import ColumnElement, Integer, and_, cast, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from geo.zones import MOST_BUFFER_M
from schemas.refusals import conflict
from schemas.tables import Derivative, Detection, PrivacyZone, Scene, SegmentationRun
from sensing.copies import Moment, in_force

# As far as a zone is burnt in around its edge: one pixel, and one that it touches.
_BURNT_PX, _SLACK_SHARE = 2.0, 1.005
_Copy, _Shown = aliased(Derivative), aliased(Scene)


def is_shut(at: Moment | None = None) -> ColumnElement[bool]:
    """Whether a privacy zone that the copy did not hide reaches the ground of a finding, selected as `Detection`.

    A zone counts that is in force at an instant, by the database's clock unless told, or was when the scene was taken.
    """
    now = at if at is not None else func.now()
    taken_until = func.coalesce(_Shown.captured_until, _Shown.captured_at)
    counts = or_(in_force(now, now), in_force(_Shown.captured_at, taken_until))
    slack_m = _BURNT_PX * func.coalesce(_Shown.gsd_m, 0.0) + func.coalesce(_Shown.position_error_m, 0.0)
    zone, found = cast(PrivacyZone.geom, Geography), cast(Detection.geom, Geography)
    # The widest reach of any zone finds those that may count by the index; each one's own reach decides.
    near = and_(
        func.ST_DWithin(zone, found, (MOST_BUFFER_M + slack_m) * _SLACK_SHARE),
        func.ST_DWithin(zone, found, (PrivacyZone.buffer_m + slack_m) * _SLACK_SHARE),
    )
    held = func.coalesce(cast(_Copy.zone_versions.op("->>")(PrivacyZone.public_id), Integer), 0)
    return (
        exists()
        .where(
            SegmentationRun.id == Detection.run_id,
            _Copy.id == SegmentationRun.derivative_id,
            _Shown.id == _Copy.scene_id,
            near,
            counts,
            held < PrivacyZone.zone_version,
        )
        .correlate(Detection)
    )


def refuse_shut(session: Session, detection: Detection, at: Moment | None = None) -> None:
    """Raise RuleViolation GD-43 where the ground of a finding is private now."""
    if session.scalar(select(is_shut(at)).where(Detection.id == detection.id)):
        raise conflict("GD-43", "detection.private", measured=detection.public_id)
