"""Changes of state around imagery: a scene is taken in, analysed, its findings proposed, assigned, decided.

Every function takes a unit of work and leaves the commit to the edge.
"""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import shapely
from geoalchemy2.shape import from_shape, to_shape
from sqlalchemy import ColumnElement, and_, func, or_, select

from geo.zones import MOST_BUFFER_M
from schemas.refusals import Kind, Refusal, RuleViolation, conflict, invalid, refuse
from schemas.rules import RulePack
from schemas.store.work import Work
from schemas.tables import (
    SRID,
    Derivative,
    Detection,
    Flight,
    FlightFrame,
    Label,
    ModelVersion,
    Person,
    PrivacyZone,
    Scene,
    SegmentationRun,
)
from sensing import rows
from sensing.copies import current_copy, in_force, refuse_overdue
from sensing.evaluate import iou
from sensing.intake import Placed, Shelf, Told, receive
from sensing.learn.choosing import NO_MODELS, Models
from sensing.learn.labels import ACCEPT, EDIT, REJECT, of_decision
from sensing.learn.store import approved
from sensing.mask import Zone, grown, within_reach, zone_version
from sensing.places import authority_at, item_for
from sensing.quarantine import Progress, Written, quarantine
from sensing.segment.model import Candidate, Segmentation
from sensing.violations import Verdict

# From landing on, the times between which an aircraft was in the air are known.
_FLOWN = ("landed", "ingested", "closed")
# Rounding of corners between grids, not ground.
_SLACK_SHARE = 1e-6
# The clock of a camera, or the zone that it forgot, may be a day off; more is a mistake.
_CLOCK_ERROR = timedelta(days=2)
# Two passes over one scene, even of different engines, drew the same thing when they share more than half of it.
_SAME_FINDING_IOU = 0.5
# What a decision about a find teaches; one that is left open teaches nothing.
_TEACHES = {"confirm": ACCEPT, "reject": REJECT}


@dataclass(frozen=True)
class Ingested:
    """The outcome of taking a scene in.

    `known` says that the same bytes were there before: nothing was written and nothing is to be committed.
    `quarantined` holds the refusals for which the scene is kept but never used, `left_out` those of photos of a set
    that have no place.
    """

    scene: Scene
    derivative: Derivative | None
    known: bool
    quarantined: tuple[Refusal, ...] = ()
    left_out: Mapping[str, tuple[Refusal, ...]] = field(default_factory=dict)


def ingest_scene(
    work: Work,
    shelf: Shelf,
    files: Sequence[Path],
    *,
    told: Told,
    flight_id: str | None = None,
    progress: Progress = lambda _: None,
) -> Ingested:
    """Take one georeferenced image, or the photos of one flight, into the house.

    Privacy zones in force at capture or now are burnt into the pixels of the copy before anything but the write-once
    original is stored. With a flight, capture must lie within its time in the air and its published area,
    else the scene is kept in quarantine (GD-36.1). The same bytes are one scene: they are taken in again only
    to say what the bands measure. Raises RuleViolation with every reason for a refusal.
    """
    flight = work.get(Flight, flight_id) if flight_id else None
    if flight is not None and told.hfov_deg is None:
        told = replace(told, hfov_deg=flight.drone.camera_hfov_deg)
    drawn: tuple[str, Written, int] | None = None
    _let_go(work)
    with quarantine(shelf.quarantine) as room:
        placed = receive(room, files, told)
        left_out = placed.left_out
        while True:
            known = _found_alone(work, placed)
            if known is not None and not _bands_corrected(work, known, placed, told):
                return replace(_known(work, known), left_out=left_out)
            if placed.captured_until is not None and placed.captured_until > work.now + _CLOCK_ERROR:
                raise invalid("scene.future", measured=f"{placed.captured_until:%Y-%m-%d %H:%M}Z")
            against = tuple(_unlawful(work, placed, flight)) if flight else ()
            if against and known is None:
                return replace(_quarantined(work, shelf, placed, flight, against), left_out=left_out)
            earlier = _newest_copy(work, known) if known else None
            zones = _zones(work, placed, earlier.zone_ids if earlier else ())
            if drawn is not None and drawn[0] == zone_version(zones):
                scene = known or _new_scene(work, placed, flight)
                copy = _masked(work, shelf, (placed, scene, earlier), zones, drawn[1:])
                return Ingested(scene, copy, known=False, left_out=left_out)
            # Everything is asked again afterwards: a zone may have come, or another may have been faster.
            _let_go(work)
            shapes = [grown(zone, placed.position_error_m) for zone in zones]
            drawn = (zone_version(zones), *placed.written(room, shapes, progress))


def _let_go(work: Work) -> None:
    """End the transaction, in which nothing was written yet, before pixels are worked on for minutes.

    What idles in a transaction is cut off, and holds up the seal of the ledger meanwhile.
    """
    work.session.rollback()


def _found_alone(work: Work, placed: Placed) -> Scene | None:
    """The scene of the same bytes, if there is one; whoever hands them in at the same moment waits here."""
    work.session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(placed.sha256, 0))))
    return work.session.scalars(select(Scene).where(Scene.sha256 == placed.sha256)).one_or_none()


def _new_scene(work: Work, placed: Placed, flight: Flight | None, against: Sequence[Refusal] = ()) -> Scene:
    authority_id = flight.authority_id if flight else authority_at(work.session, placed.shown.centroid)
    return rows.scene(placed, flight.id if flight else None, authority_id, [refusal.rule for refusal in against])


def _quarantined(
    work: Work, shelf: Shelf, placed: Placed, flight: Flight | None, against: tuple[Refusal, ...]
) -> Ingested:
    """The scene kept as it came, without a copy: never shown and never used (GD-36.1)."""
    scene = _new_scene(work, placed, flight, against)
    _keep_originals(shelf, placed)
    work.session.add(scene)
    _record(work, scene, {"quarantined": sorted({refusal.rule for refusal in against})})
    return Ingested(scene, None, known=False, quarantined=against)


def _bands_corrected(work: Work, scene: Scene, placed: Placed, told: Told) -> bool:
    """Whether somebody says of a known scene that its bands are others than was thought: then it is masked anew."""
    newest = _newest_copy(work, scene)
    return bool(told.bands) and newest is not None and newest.band_roles != [role.value for role in placed.roles]


def _newest_copy(work: Work, scene: Scene) -> Derivative | None:
    return current_copy(work.session, scene.id)


def _known(work: Work, scene: Scene) -> Ingested:
    derivative = _newest_copy(work, scene)
    # The caller leaves without a commit, and rolling back would empty what still belongs to the session.
    work.session.expunge_all()
    return Ingested(scene, derivative, known=True)


def _keep_originals(shelf: Shelf, placed: Placed) -> None:
    for arrival in placed.arrivals:
        shelf.originals.put(arrival.path)


def _masked(
    work: Work,
    shelf: Shelf,
    about: tuple[Placed, Scene, Derivative | None],
    zones: Sequence[Zone],
    drawn: tuple[Written, int],
) -> Derivative:
    """The rows of a masked copy that was drawn with these zones, and its file; `about` ends with the copy before it."""
    placed, scene, earlier = about
    copy, surviving = drawn
    if surviving:
        raise conflict("GD-43", "scene.masking", measured=surviving)
    if copy.valid == 0:
        raise invalid("raster.empty", "raster.empty", name=scene.file_name)
    # Files first, rows after: what is interrupted in between leaves a file that nobody refers to.
    _keep_originals(shelf, placed)
    derivative = rows.derivative(placed, scene, zones, (copy, surviving, shelf.derivatives.put(copy.path)))
    derivative.supersedes_id = earlier.id if earlier else None
    work.session.add(scene)
    work.session.flush()
    work.session.add(derivative)
    _record(
        work,
        scene,
        {
            "derivative_sha256": derivative.sha256,
            "zone_hash": derivative.zone_hash,
            "masked_pixels": derivative.masked_pixels,
            "band_roles": derivative.band_roles,
        },
    )
    return derivative


def _zones(work: Work, placed: Placed, held: Sequence[str] = ()) -> list[Zone]:
    """The privacy zones that may reach into the image and were in force at capture, or are in force now; and `held`.

    Now as well, because whoever is protected today may not be shown today, whatever time an image claims; and all
    of them, past and future, where its time is unknown. Held are those of an earlier copy: what was hidden stays so.
    """
    near = within_reach(placed.shown, MOST_BUFFER_M + placed.position_error_m)
    reached: ColumnElement[bool] = func.ST_Intersects(PrivacyZone.geom, from_shape(near, srid=SRID))
    if placed.captured_at is not None:
        times = ((placed.captured_at, placed.captured_until or placed.captured_at), (work.now, work.now))
        reached = and_(reached, or_(*(in_force(start, end) for start, end in times)))
    query = select(PrivacyZone).where(or_(reached, PrivacyZone.public_id.in_(held)))
    found = work.session.scalars(query.order_by(PrivacyZone.public_id))
    return [Zone(row.public_id, row.zone_version, to_shape(row.geom), row.buffer_m) for row in found]


def _unlawful(work: Work, placed: Placed, flight: Flight) -> Iterable[Refusal]:
    """GD-36.1: why a capture does not belong to the flight that it claims."""
    name = flight.public_id
    if flight.state not in _FLOWN or flight.airborne_at is None or flight.landed_at is None:
        yield refuse("GD-36.1", "scene.not_flown", name=name, measured=flight.state)
    elif placed.captured_at is None or placed.captured_until is None:
        yield refuse("GD-36.1", "scene.no_time")
    elif placed.captured_at < flight.airborne_at or placed.captured_until > flight.landed_at:
        yield refuse(
            "GD-36.1",
            "scene.outside_time",
            name=name,
            measured=f"{placed.captured_at.isoformat()} – {placed.captured_until.isoformat()}",
            required=f"{flight.airborne_at.isoformat()} – {flight.landed_at.isoformat()}",
        )
    area = to_shape(flight.route.area.geom)
    outside = shapely.difference(placed.shown, area)
    if outside.area > _SLACK_SHARE * placed.shown.area:
        yield refuse(
            "GD-36.1",
            "scene.outside_area",
            name=name,
            measured=f"{100 * outside.area / placed.shown.area:.1f} %",
            place=shapely.geometry.mapping(outside),
        )
    frames = select(FlightFrame.sha256, FlightFrame.quarantined).where(FlightFrame.flight_id == flight.id)
    # A photo that saw a privacy zone is no photo of the flight for anybody who wants to look at it.
    held = {row.sha256: row.quarantined for row in work.session.execute(frames)}
    strangers = [guest.name for guest in placed.guests if held.get(guest.sha256, True)]
    if held and strangers:
        yield refuse("GD-36.1", "scene.not_taken", name=name, measured=len(strangers), required=strangers[0])


def _record(work: Work, scene: Scene, body: dict[str, object]) -> None:
    about = {
        "scene": scene.public_id,
        "sha256": scene.sha256,
        "flight_id": scene.flight_id and str(scene.flight_id),
    }
    work.record("scene.ingest", "scene", scene.id, about | body, effective_at=scene.captured_at)


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
            "labels_sha256": run.labels_sha256,
            "coverage_sha256": run.coverage_sha256,
            "coverage": run.coverage,
            "coregistration": run.coregistration,
            "jurisdictions": {code: one["analysed_percent"] for code, one in analysis.jurisdictions.items()},
            "bands": run.bands,
            "bands_failed": run.bands_failed,
            "leads": dict(sorted(kinds.items())),
            "candidates": len(analysis.verdicts),
            "refused_kinds": sorted(run.refused_kinds),
        },
    )
    return run


def _hashes(models: Models) -> dict[str, str]:
    held = {"pixel": models.pixel, "object": models.object}
    return {kind: one.sha256 for kind, one in held.items() if one is not None}


def propose(work: Work, run: SegmentationRun, verdict: Verdict, ordinal: int) -> Detection:
    """Make a lead a detection in state `new`; raises RuleViolation with every guard that fails."""
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
    return detection


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


def same_finding(work: Work, scene_id: uuid.UUID, candidate: Candidate) -> Detection | None:
    """A finding of the same kind on the same ground of a scene, whatever became of it: it is not proposed again."""
    known = work.session.scalars(
        select(Detection).where(
            Detection.scene_id == scene_id,
            Detection.kind == candidate.kind,
            func.ST_Intersects(Detection.geom, from_shape(candidate.geom, srid=SRID)),
        )
    )
    return next((one for one in known if iou(to_shape(one.geom), candidate.geom) >= _SAME_FINDING_IOU), None)


def assign_detection(work: Work, detection_id: str, assignee_code: str) -> Detection:
    """Give a detection to a qualified officer (GD-30.1)."""
    detection = work.get(Detection, detection_id)
    person = work.session.scalars(select(Person).where(Person.code == assignee_code)).one_or_none()
    assignee_id = person.id if person else None
    work.apply(detection, "assign", assignee_id=assignee_id, record={"assignee_id": str(assignee_id)})
    # After the transition, which reads the row anew under its lock.
    detection.assigned_to = assignee_id
    return detection


def confirm_detection(work: Work, detection_id: str, reason: str, *, seen: int | None = None) -> Detection:
    """Accept a detection, as triage on the masked copy: evidence review comes later (GD-30.1, GD-30.3)."""
    return _decide(work, detection_id, ("confirm", reason), seen)


def reject_detection(work: Work, detection_id: str, reason: str, *, seen: int | None = None) -> Detection:
    """Call a detection a false alarm, with the reason."""
    return _decide(work, detection_id, ("reject", reason), seen)


def leave_detection_open(work: Work, detection_id: str, reason: str, *, seen: int | None = None) -> Detection:
    """Say that the image does not settle it, with the reason."""
    return _decide(work, detection_id, ("leave_open", reason), seen)


def _decide(work: Work, detection_id: str, what: tuple[str, str], seen: int | None) -> Detection:
    """Apply a decision; `seen` is the version that the officer looked at, and an older one is refused (409)."""
    transition, reason = what
    detection = work.get(Detection, detection_id)
    work.apply(detection, transition, reason=reason, expected_version=seen)
    detection.decided_by = work.actor.person_id
    detection.decided_at = work.now
    detection.reason = reason.strip()
    if transition in _TEACHES and work.actor.person_id is not None:
        work.session.add(of_decision(detection, _TEACHES[transition], (work.actor.person_id, reason)))
    return detection


def redraw_detection(work: Work, detection_id: str, shape: shapely.Polygon, reason: str) -> Label:
    """An officer's own outline of a find, kept beside the engine's, which stays as it was recorded (GD-30.1)."""
    detection = work.get(Detection, detection_id)
    refusals = work.check(detection, ["GD-30.1:officer_qualified", "state.reason:given"], reason=reason)
    if not shapely.intersects(shape, to_shape(detection.geom)):
        elsewhere = "detection.redrawn_elsewhere"
        refusals.append(refuse(elsewhere, elsewhere, measured=detection.public_id))
    if refusals or work.actor.person_id is None:
        raise RuleViolation(Kind.CONFLICT, refusals)
    label = of_decision(detection, EDIT, (work.actor.person_id, reason), shape)
    work.session.add(label)
    outline = hashlib.sha256(shapely.to_wkb(shape)).hexdigest()
    work.record("detection.redraw", "detection", detection.id, {"label": label.public_id, "outline_sha256": outline})
    return label
