"""Findings whose ground became private after they were made: kept as they are, and shown to nobody (GD-43).

The picture of such a place is masked anew by a job, but the outline of a find would go on telling what lies there. A
legal reviewer may release one (sensing/releasing.py): it is then handled by its outline, and its picture stays masked.
"""

from __future__ import annotations

from dataclasses import dataclass

from geoalchemy2 import Geography
from sqlalchemy import ColumnElement, Integer, and_, cast, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from geo.zones import MOST_BUFFER_M
from schemas.refusals import conflict
from schemas.tables import Derivative, Detection, PrivacyZone, Release, ReleaseFind, ReleaseZone, Scene, SegmentationRun
from sensing.copies import Moment, in_force

GRANTED = "granted"
# As far as a zone is burnt in around its edge: one pixel, and one that it touches.
_BURNT_PX, _SLACK_SHARE = 2.0, 1.005
_Copy, _Shown = aliased(Derivative), aliased(Scene)
_taken_until = func.coalesce(_Shown.captured_until, _Shown.captured_at)


@dataclass(frozen=True)
class Shutting:
    """A zone that shuts a finding; `lawful_capture` is whether it came after the image was taken."""

    zone: PrivacyZone
    lawful_capture: bool


def is_shut(at: Moment | None = None) -> ColumnElement[bool]:
    """Whether a privacy zone that the copy did not hide reaches the ground of a finding, selected as `Detection`.

    A zone counts that is in force at an instant, by the database's clock unless told, or was when the scene was taken,
    unless a legal reviewer released the finding from that zone as it stands.
    """
    return exists().where(*_reached(at), ~_released()).correlate(Detection)


def shutting(session: Session, detection: Detection, at: Moment | None = None) -> list[Shutting]:
    """The zones that shut a finding, the oldest first; those that it is released from are left out."""
    before = func.coalesce(in_force(_Shown.captured_at, _taken_until), True)
    zones = (
        select(PrivacyZone, before)
        .select_from(Detection)
        .where(Detection.id == detection.id, *_reached(at), ~_released())
        .order_by(PrivacyZone.valid_from, PrivacyZone.public_id)
    )
    return [Shutting(zone, not already) for zone, already in session.execute(zones)]


def _reached(at: Moment | None) -> tuple[ColumnElement[bool], ...]:
    """That a zone counts for a finding, reaches its ground, and is not in the copy that was looked at."""
    now = at if at is not None else func.now()
    counts = or_(in_force(now, now), in_force(_Shown.captured_at, _taken_until))
    slack_m = _BURNT_PX * func.coalesce(_Shown.gsd_m, 0.0) + func.coalesce(_Shown.position_error_m, 0.0)
    zone, found = cast(PrivacyZone.geom, Geography), cast(Detection.geom, Geography)
    # The widest reach of any zone finds those that may count by the index; each one's own reach decides.
    near = and_(
        func.ST_DWithin(zone, found, (MOST_BUFFER_M + slack_m) * _SLACK_SHARE),
        func.ST_DWithin(zone, found, (PrivacyZone.buffer_m + slack_m) * _SLACK_SHARE),
    )
    held = func.coalesce(cast(_Copy.zone_versions.op("->>")(PrivacyZone.public_id), Integer), 0)
    return (
        SegmentationRun.id == Detection.run_id,
        _Copy.id == SegmentationRun.derivative_id,
        _Shown.id == _Copy.scene_id,
        near,
        counts,
        held < PrivacyZone.zone_version,
    )


def _released() -> ColumnElement[bool]:
    """Whether a finding is released from a zone as that zone stands: another version or period of it shuts anew."""
    return (
        exists()
        .where(
            ReleaseFind.detection_id == Detection.id,
            Release.id == ReleaseFind.release_id,
            Release.state == GRANTED,
            ReleaseZone.release_id == Release.id,
            ReleaseZone.zone_id == PrivacyZone.id,
            ReleaseZone.zone_version == PrivacyZone.zone_version,
            ReleaseZone.valid_to.is_not_distinct_from(PrivacyZone.valid_to),
        )
        .correlate(Detection, PrivacyZone)
    )


def refuse_shut(session: Session, detection: Detection, at: Moment | None = None) -> None:
    """Raise RuleViolation GD-43 where the ground of a finding is private now."""
    if session.scalar(select(is_shut(at)).where(Detection.id == detection.id)):
        raise conflict("GD-43", "detection.private", measured=detection.public_id)
