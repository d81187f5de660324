"""Commands on areas in force that change a little, and on deployment points (GD-16.3, G-6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from geoalchemy2.shape import to_shape
from shapely.geometry import Point, Polygon
from sqlalchemy import func, select

from geo import notices, queries, shapes
from geo.commands.common import local_today, move, require
from geo.commands.patrols import NewArea, NewPlace, area_of, refuse_taken
from geo.commands.publications import record_content
from geo.content import area_content_sha256, content_sha256
from geo.measure import overlap
from schemas.ids import new_id, public_id
from schemas.machine import label
from schemas.refusals import conflict, invalid
from schemas.roles import Role
from schemas.store.many import Many, Outcome
from schemas.store.work import Work
from schemas.tables import (
    AreaChange,
    DeploymentPoint,
    PatrolArea,
    Publication,
)


@dataclass(frozen=True, kw_only=True)
class NewPoint(NewPlace):
    """A deployment point as drafted; `place` in EPSG:4326."""

    place: Point
    place_text: str


def draft_point(work: Work, new: NewPoint) -> DeploymentPoint:
    """Drafts a deployment point; it is checked, approved and published like a patrol area (GD-16.3)."""
    refuse_taken(work, DeploymentPoint, new.code)
    point = point_of(work, new)
    work.apply(point, "draft")
    return point


def point_of(work: Work, new: NewPoint) -> DeploymentPoint:
    """The point that is asked for; nothing is written of it."""
    return DeploymentPoint(
        **new.columns(work),
        public_id=public_id("DP"),
        geom=shapes.element(new.place),
        place_text=new.place_text,
    )


def draft_many(work: Work, new: Sequence[NewArea | NewPoint]) -> tuple[Outcome, ...]:
    """Drafts areas, or points, all of them or none; an event for each. Their codes are free, as the caller has seen.

    The outcomes, in their order, tell every rule that stands against one.
    """
    places = [area_of(work, one) if isinstance(one, NewArea) else point_of(work, one) for one in new]
    return work.apply_many(places, Many(transition="draft", is_strict=True))


def draft_change(work: Work, area: PatrolArea, shape: Polygon, *, reason: str) -> AreaChange:
    """Draws another shape for an area in force; the area stays as it is until then.

    A change that waits already is given up for this one.
    """
    require(work, area, Role.PLANNER, Role.OFFICER, action="revise")
    if not reason.strip():
        raise invalid("state.reason", "machine.reason")
    if area.state != "effective":
        raise conflict("GD-16.3", "patrol.change_of_what", subject=label(area))
    last = work.session.scalar(select(func.max(AreaChange.area_version)).where(AreaChange.area_id == area.id))
    change = AreaChange(
        id=new_id(),
        public_id=public_id("AC"),
        area_id=area.id,
        area_version=max(last or 0, area.area_version) + 1,
        geom=shapes.element(shape),
        earlier_geom=area.geom,
        iou=overlap(to_shape(area.geom), shape),
        reason=reason,
        author_id=work.actor.person_id,
    )
    work.session.add(change)
    body = {"change": change.public_id, "area_version": change.area_version, "iou": round(change.iou, 4)}
    work.record("patrol_area.draft_change", "patrol_area", area.id, body | {"reason": reason})
    return change


def approve_change(work: Work, area: PatrolArea) -> AreaChange:
    """The unit head approves the change that somebody else drew (GD-16.1)."""
    require(work, area, Role.UNIT_HEAD, action="approve")
    change = waiting_change(work, area)
    if change.author_id == work.actor.person_id:
        raise conflict("GD-16.1", "site.own_draft", subject=label(area))
    change.approver_id, change.approved_on = work.actor.person_id, local_today(work, area)
    work.record("patrol_area.approve_change", "patrol_area", area.id, {"change": change.public_id})
    return change


def waiting_change(work: Work, area: PatrolArea) -> AreaChange:
    """The change that waits for an area; raises RuleViolation 409 where none does."""
    change = queries.change_of(work.session, area)
    if change is None:
        raise conflict("GD-16.3", "patrol.no_change", subject=label(area))
    return change


def record_change_publication(
    work: Work, area: PatrolArea, *, channel: str, receipt_id: str = "", published_at: datetime | None = None
) -> Publication:
    """Records that a channel carries the area as it is going to be, beside what it carries of it as it is."""
    change = waiting_change(work, area)
    if change.approver_id is None:
        raise conflict("GD-16.1", "patrol.change_unapproved", subject=label(area))
    content = area_content_sha256(work.session, area, change.geom)
    return record_content(work, area, content, channel=channel, receipt_id=receipt_id, published_at=published_at)


def apply_change(work: Work, area: PatrolArea, *, seen_version: int | None = None) -> None:
    """Puts the approved and published shape in the place of the old one, without a new notice where it is small."""
    change = waiting_change(work, area)
    pack = work.pack_for(area)
    shown_before = list(notices.appearances(work.session, area, pack))
    record = {"change": change.public_id, "area_version": change.area_version, "iou": round(change.iou, 4)}
    move(work, area, "revise", seen_version, record=record)
    area.geom, area.area_version = change.geom, change.area_version
    work.session.flush()
    change.applied_on = local_today(work, area)
    content = content_sha256(work.session, area)
    for row in shown_before:
        if row.content_sha256 != content:
            row.withdrawn_at = work.now  # what it says is no longer so
