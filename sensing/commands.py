"""Changes of state around imagery: a scene is analysed, its findings proposed.

Every function takes a unit of work and leaves the commit to the edge.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from geoalchemy2.shape import from_shape, to_shape
from sqlalchemy import func, select

from schemas.refusals import conflict
from schemas.rules import RulePack
from schemas.rules.violations import SamePlace
from schemas.store.work import Work
from schemas.tables import (
    SRID,
    Derivative,
    Detection,
    Flight,
    ModelVersion,
    Scene,
    SegmentationRun,
)
from sensing import rows
from sensing.authorities import authority_at
from sensing.copies import refuse_overdue
from sensing.identity import Figures, overlap
from sensing.learn.choosing import NO_MODELS, Models
from sensing.learn.store import approved
from sensing.places import item_for, shares_within
from sensing.proposing import Change
from sensing.risk import Facts, assess, protected_layers
from sensing.segment.model import CHANGE_RANK, Candidate, Segmentation
from sensing.violations import Verdict

# Two passes over one scene, even of different engines, drew the same thing when they share more than half of it.
_SAME_FINDING_IOU = 0.5


@dataclass(frozen=True)
class Analysis:
    """What an engine made of a scene and the law of it, ready to be written down."""

    derivative: Derivative
    before: Derivative | None
    engine: str
    engine_version: str
    segmentation: Segmentation
    verdicts: tuple[Verdict, ...]
    rules_sha256: str
    runtime_s: float
    coverage: Mapping[str, float]
    manifest_sha256: str
    labels_file_sha256: str
    coverage_sha256: str
    jurisdictions: Mapping[str, Any]
    features_sha256: str
    pack: RulePack | None = None
    models: Models = NO_MODELS
    # None where no two dates were compared as a whole.
    changes: tuple[Change, ...] | None = None


def record_run(work: Work, analysis: Analysis) -> SegmentationRun:
    """Write down one pass of an engine, found something or not: `nothing found` differs from `not looked at`.

    Raises RuleViolation GD-43 where a privacy zone came while the engine worked, GD-05.2 where a model was withdrawn.
    """
    refuse_overdue(work.session, [copy for copy in (analysis.derivative, analysis.before) if copy], work.now)
    for model_id in analysis.models.names.values():
        approved(work.session, model_id)
    run = rows.run(analysis)
    work.session.add(run)
    work.session.flush()
    kinds = Counter(verdict.candidate.kind for verdict in analysis.verdicts if verdict.is_lead)
    work.record(
        "scene.segment",
        "segmentation_run",
        run.id,
        {
            "run": run.public_id,
            "derivative_sha256": analysis.derivative.sha256,
            "engine": f"{run.engine} {run.engine_version}",
            "parameters_sha256": run.parameters_sha256,
            "rules_sha256": run.rules_sha256,
            "models": _hashes(analysis.models),
            "refinement": run.refinement,
            "labels_sha256": run.labels_sha256,
            "coverage_sha256": run.coverage_sha256,
            "coverage": run.coverage,
            "coregistration": run.coregistration,
            "jurisdictions": {code: one["analysed_percent"] for code, one in analysis.jurisdictions.items()},
            "bands": run.bands,
            "bands_failed": run.bands_failed,
            "leads": dict(sorted(kinds.items())),
            "candidates": len(analysis.verdicts),
            "proposed_changes": len(analysis.changes) if analysis.changes is not None else None,
            "refused_kinds": sorted(run.refused_kinds),
        },
    )
    return run


def _hashes(models: Models) -> dict[str, str]:
    held = {"pixel": models.pixel, "object": models.object}
    return {kind: one.sha256 for kind, one in held.items() if one is not None}


def propose(
    work: Work, run: SegmentationRun, verdict: Verdict, ordinal: int, *, growth: float | None = None
) -> Detection:
    """Make a lead a detection in state `new`; raises RuleViolation with every guard that fails.

    `growth` is its area over the one of the date before, where the thing was seen before.
    """
    derivative = work.session.get_one(Derivative, run.derivative_id)
    scene = work.session.get_one(Scene, derivative.scene_id)
    flight = work.session.get(Flight, scene.flight_id) if scene.flight_id else None
    authority_id = authority_at(work.session, verdict.candidate.geom.centroid) or scene.authority_id
    if authority_id is None:
        raise conflict("GD-02.2", "detection.no_authority", measured=verdict.candidate.kind)
    chain = provenance(run, (derivative, scene, flight)) | _looked_with(work, run, verdict.candidate)
    detection = rows.detection(run, verdict, ordinal, chain)
    detection.authority_id = authority_id
    detection.scene_id = scene.id
    detection.item_id = item_for(work.session, verdict, flight)
    detection.formed_at = work.now
    work.apply(detection, "propose", record={"kind": detection.kind, "run": run.public_id})
    with work.session.no_autoflush:
        # Before it is written for the first time: its place is final.
        _queue(work, detection, verdict, growth)
    return detection


def _queue(work: Work, detection: Detection, verdict: Verdict, growth: float | None) -> None:
    """Give a new detection its place in the queue of the review desk, by the law of the day on which it is formed."""
    pack, seen = work.pack_for(detection), verdict.candidate
    due = pack.local_date(work.now) + timedelta(days=pack["alert.yellow_after_days"])
    facts = Facts(
        violation=verdict.violation.code if verdict.violation else None,
        area_m2=seen.area_m2,
        least_m2=verdict.violation.min_area_m2 if verdict.violation else seen.area_m2,
        score=seen.score,
        protected=shares_within(work.session, protected_layers(), seen.geom),
        growth=growth,
        change=seen.measures.get(CHANGE_RANK),
    )
    risk = assess(facts, due)
    detection.risk, detection.due, detection.turn = risk.points, risk.due, risk.turn
    detection.risk_trace = [sentence.dump() for sentence in risk.trace]


def provenance(run: SegmentationRun, source: tuple[Derivative, Scene, Flight | None]) -> dict[str, Any]:
    """The chain from the sensor to the finding, as ids and hashes."""
    derivative, scene, flight = source
    chain: dict[str, Any] = {
        "scene": scene.public_id,
        "scene_sha256": scene.sha256,
        "files": max(len(scene.frame_hashes), 1),
        "derivative_sha256": derivative.sha256,
        "zone_hash": derivative.zone_hash,
        "run": run.public_id,
        "engine": f"{run.engine} {run.engine_version}",
        "parameters_sha256": run.parameters_sha256,
        "rules_sha256": run.rules_sha256,
        "labels_sha256": run.labels_sha256,
        "inputs_sha256": run.manifest_sha256,
        "stretch_sha256": run.stretch_sha256,
        "features_sha256": run.features_sha256,
        "refinement": run.refinement,
        "position_error_m": scene.position_error_m,
    }
    if flight is not None:
        chain |= {
            "flight": flight.public_id,
            "route": flight.route.code,
            "route_version": flight.route_version,
            "mission_digest": flight.mission_digest,
        }
    return chain


def _looked_with(work: Work, run: SegmentationRun, candidate: Candidate) -> dict[str, Any]:
    """Where in the masked copy a finding lies (column, row, width, height), and the models that were applied."""
    held = {"pixel": run.pixel_model_id, "object": run.object_model_id}
    models = {name: work.session.get_one(ModelVersion, model_id).sha256 for name, model_id in held.items() if model_id}
    return {"window": candidate.window, "models": models}


def same_finding(
    work: Work, scene_id: uuid.UUID, candidate: Candidate, same_place: SamePlace | None
) -> Detection | None:
    """A finding of the same kind on the same ground of a scene, whatever became of it: it is not proposed again.

    `same_place` is what the law in force there calls one place; what a zone of a later day has left of a finding is
    that finding still, and only what has grown beyond it is another one.
    """
    known = work.session.scalars(
        select(Detection).where(
            Detection.scene_id == scene_id,
            Detection.kind == candidate.kind,
            func.ST_Intersects(Detection.geom, from_shape(candidate.geom, srid=SRID)),
            # What an officer made of others and took back was never there.
            Detection.state != "withdrawn",
        )
    )
    compared = [(overlap(to_shape(one.geom), candidate.geom), one) for one in known]
    same = [(figures.iou, one.public_id, one) for figures, one in compared if _is_one(figures, same_place)]
    return max(same, key=lambda found: found[:2])[2] if same else None


def _is_one(figures: Figures, same_place: SamePlace | None) -> bool:
    if figures.iou >= _SAME_FINDING_IOU:
        return True
    if same_place is None:
        return False
    # The share of the later outline: a small find of old does not swallow a large one that covers it.
    return figures.second_share >= same_place.least_share and figures.area_ratio < same_place.grown_ratio
