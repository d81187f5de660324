"""Places of change that people are asked about: written down with a run, listed by weight, answered once.

An answer is a label like any other; nothing here makes a finding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from geoalchemy2 import Geography
from geoalchemy2.shape import from_shape, to_shape
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry
from sqlalchemy import ColumnElement, Integer, cast, exists, func, select
from sqlalchemy.orm import Session

from geo.zones import MOST_BUFFER_M
from schemas.ids import public_id
from schemas.refusals import conflict, forbidden, invalid, not_found
from schemas.store.work import Work
from schemas.tables import SRID, ChangeProposal, Derivative, PrivacyZone, Scene, SegmentationRun
from sensing.authorities import authority_at
from sensing.commands import Analysis
from sensing.copies import in_force
from sensing.coverage import Cover
from sensing.identity import overlap
from sensing.intake import Shelf
from sensing.learn.commands import LABELLERS, label_places
from sensing.learn.labels import Mark

SKIP = "skip"
# Two passes over a scene ask about one place when their outlines share more than half.
_SAME_IOU = 0.5


@dataclass(frozen=True)
class Proposed:
    """A place of change as people read it; `geom` in EPSG:4326, `times` the usual difference of the two dates."""

    public_id: str
    geom: BaseGeometry
    area_m2: float
    times: float
    weight: float
    answer: str | None

    def feature(self) -> dict[str, Any]:
        """As a GeoJSON feature."""
        facts = {name: value for name, value in vars(self).items() if name not in ("geom", "public_id")}
        return {"type": "Feature", "id": self.public_id, "geometry": mapping(self.geom), "properties": facts}


def write_changes(session: Session, run: SegmentationRun, analysis: Analysis) -> None:
    """The rows of the places of change of a run, in their order; what was answered on an earlier pass is not asked."""
    scene = session.get_one(Scene, analysis.derivative.scene_id)
    answered = select(ChangeProposal).where(ChangeProposal.scene_id == scene.id, ChangeProposal.answer.is_not(None))
    known = [to_shape(row.geom) for row in session.scalars(answered)]
    for ordinal, change in enumerate(analysis.changes or (), start=1):
        authority_id = authority_at(session, change.geom.centroid) or scene.authority_id
        if authority_id is None or any(overlap(one, change.geom).iou > _SAME_IOU for one in known):
            continue
        session.add(
            ChangeProposal(
                public_id=public_id("CP"),
                run_id=run.id,
                ordinal=ordinal,
                scene_id=scene.id,
                authority_id=authority_id,
                geom=from_shape(change.geom, srid=SRID),
                area_m2=round(change.area_m2, 1),
                times=round(change.times, 2),
                weight=round(change.weight, 2),
            )
        )


def proposals(session: Session, scene: Scene, at: datetime, *, is_open: bool = False) -> list[Proposed]:
    """What the newest pass over a scene asks about, the weightiest first; nothing of ground that is private now."""
    run = _newest_run(session, scene)
    if run is None:
        return []
    rows = (
        select(ChangeProposal)
        .where(ChangeProposal.run_id == run.id, ~_is_private(at))
        .order_by(ChangeProposal.weight.desc(), ChangeProposal.ordinal)
    )
    if is_open:
        rows = rows.where(ChangeProposal.answer.is_(None))
    return [_proposed(row) for row in session.scalars(rows)]


def compared_km2(session: Session, scene: Scene) -> float:
    """How much ground the newest pass over a scene compared with an earlier date.

    Raises RuleViolation 404 where nobody looked yet, 409 where that pass compared no ground of two dates.
    """
    run = _newest_run(session, scene)
    if run is None:
        raise not_found("scene.not_looked_at", measured=scene.public_id)
    km2 = float(run.coverage.get(Cover.ANALYSED.name.lower(), 0.0))
    if not run.compared or not km2:
        raise conflict("proposal.not_compared", measured=scene.public_id)
    return km2


def _newest_run(session: Session, scene: Scene) -> SegmentationRun | None:
    runs = (
        select(SegmentationRun)
        .join(Derivative, Derivative.id == SegmentationRun.derivative_id)
        .where(Derivative.scene_id == scene.id)
    )
    return session.scalars(runs.order_by(SegmentationRun.recorded_at.desc()).limit(1)).one_or_none()


def _proposed(row: ChangeProposal) -> Proposed:
    return Proposed(row.public_id, to_shape(row.geom), row.area_m2, row.times, row.weight, row.answer)


def _is_private(at: datetime) -> ColumnElement[bool]:
    """Whether a zone that the copy of the run did not hide reaches the ground of a proposal now (GD-43)."""
    zone, place = cast(PrivacyZone.geom, Geography), cast(ChangeProposal.geom, Geography)
    slack_m = 2.0 * func.coalesce(Scene.gsd_m, 0.0) + func.coalesce(Scene.position_error_m, 0.0)
    held = func.coalesce(cast(Derivative.zone_versions.op("->>")(PrivacyZone.public_id), Integer), 0)
    return (
        exists()
        .where(
            SegmentationRun.id == ChangeProposal.run_id,
            Derivative.id == SegmentationRun.derivative_id,
            Scene.id == Derivative.scene_id,
            # The widest reach of any zone finds those that may count by the index; each one's own reach decides.
            func.ST_DWithin(zone, place, MOST_BUFFER_M + slack_m),
            func.ST_DWithin(zone, place, PrivacyZone.buffer_m + slack_m),
            in_force(at, at),
            held < PrivacyZone.zone_version,
        )
        .correlate(ChangeProposal)
    )


def answer_proposal(work: Work, shelf: Shelf, proposal_id: str, word: str, allowed: Sequence[str]) -> ChangeProposal:
    """Keep what a person says is at a place of change: a label, or nothing where nobody can tell (`skip`).

    Raises RuleViolation 403 for whoever may not label there, 404 for an unknown or private place, 409 where it was
    answered, 422 for a word that is not `allowed`.
    """
    found = work.session.scalars(
        select(ChangeProposal)
        .where(ChangeProposal.public_id == proposal_id, ~_is_private(work.now))
        .with_for_update(of=ChangeProposal)
    ).one_or_none()
    if found is None:
        raise not_found("proposal.unknown", measured=proposal_id[:40])
    person_id = work.actor.person_id
    if person_id is None or not any(work.actor.has(role, found.authority_id) for role in LABELLERS):
        raise forbidden("label.role")
    if word not in (SKIP, *allowed):
        raise invalid("proposal.word", measured=word[:40], required=", ".join((*allowed, SKIP)))
    if found.answer is not None:
        raise conflict("model.answered", measured=found.answer)
    if word == SKIP:
        work.record("proposal.skip", "change_proposal", found.id, {"proposal": found.public_id})
    else:
        scene = work.session.get_one(Scene, found.scene_id)
        marks = [Mark(word, to_shape(found.geom))]
        (label,) = label_places(work, shelf, scene.public_id, marks, about={"proposal": found.public_id})
        found.label_id = label.id
    found.answer, found.answered_by, found.answered_at = word, person_id, work.now
    return found
