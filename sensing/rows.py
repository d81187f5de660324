"""Rows of the imagery tables from what the engines found; nothing here writes."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from geoalchemy2.shape import from_shape
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from schemas import tables
from schemas.ids import public_id
from schemas.refusals import LANGUAGES, Refusal
from schemas.tables import SRID
from sensing.grid import crs_name
from sensing.header import HeaderReport
from sensing.intake import Placed
from sensing.mask import Zone, zone_version
from sensing.placing import Unplaced
from sensing.quarantine import Arrival, Written

if TYPE_CHECKING:
    from sensing.commands import Analysis
    from sensing.context import Overlap
    from sensing.violations import Verdict

_POINTS_KEPT = ("gcps", "gcp_crs_wkt", "crs_wkt", "photo", "rpc")


def scene(
    placed: Placed, flight_id: uuid.UUID | None, authority_id: uuid.UUID | None, against: Sequence[Refusal]
) -> tables.Scene:
    """The row of an image as it came."""
    return tables.Scene(
        id=uuid.uuid4(),
        public_id=public_id("SC"),
        sha256=placed.sha256,
        size_bytes=sum(one.size_bytes for one in placed.arrivals),
        file_name=placed.name,
        sensor=placed.sensor,
        authority_id=authority_id,
        flight_id=flight_id,
        captured_at=placed.captured_at,
        captured_until=placed.captured_until,
        footprint=from_shape(_one_polygon(placed.shown), srid=SRID),
        crs=crs_name(placed.grid.crs_wkt),
        gsd_m=placed.gsd_m,
        position_error_m=placed.position_error_m,
        header=header(placed) | refusals(against),
        frame_hashes=[one.sha256 for one in placed.arrivals] if placed.plan or len(placed.arrivals) > 1 else [],
        quarantine=sorted({refusal.rule for refusal in against}) or None,
    )


def unplaced(image: Unplaced, flight_id: uuid.UUID | None, authority_id: uuid.UUID | None) -> tables.Scene:
    """The row of an image that is kept although nobody knows where it lies."""
    return tables.Scene(
        id=uuid.uuid4(),
        public_id=public_id("SC"),
        sha256=image.sha256,
        size_bytes=sum(one.size_bytes for one in image.arrivals),
        file_name=image.name,
        sensor=image.sensor,
        authority_id=authority_id,
        flight_id=flight_id,
        captured_at=image.captured_at,
        captured_until=image.captured_at,
        footprint=None,
        crs=None,
        gsd_m=None,
        position_error_m=None,
        header=_told_of(image.report, image.arrivals) | refusals(image.held),
        frame_hashes=[one.sha256 for one in image.arrivals] if len(image.arrivals) > 1 else [],
        quarantine=sorted({refusal.rule for refusal in image.held}),
    )


def refusals(against: Sequence[Refusal]) -> dict[str, Any]:
    """Why an image waits in quarantine, as its header keeps it, in every language."""
    told = [{lang: one.render(lang) for lang in LANGUAGES} for one in against]
    return {"refusals": told} if told else {}


def derivative(
    placed: Placed, scene: tables.Scene, zones: Sequence[Zone], stored: tuple[Written, int, str]
) -> tables.Derivative:
    """The row of a masked copy: what the child wrote, how many pixels of zones survive in it, its SHA-256."""
    copy, surviving, sha256 = stored
    return tables.Derivative(
        id=uuid.uuid4(),
        public_id=public_id("DR"),
        scene_id=scene.id,
        sha256=sha256,
        zone_hash=zone_version(zones),
        zone_ids=[zone.public_id for zone in zones],
        zone_versions={zone.public_id: zone.version for zone in zones},
        masked_pixels=copy.private,
        surviving_pixels=surviving,
        width=placed.grid.width,
        height=placed.grid.height,
        bands=len(placed.roles),
        band_roles=[role.value for role in placed.roles],
    )


def run(analysis: Analysis) -> tables.SegmentationRun:
    """The row of one pass of an engine."""
    found = analysis.segmentation
    return tables.SegmentationRun(
        id=uuid.uuid4(),
        public_id=public_id("RN"),
        derivative_id=analysis.derivative.id,
        before_derivative_id=analysis.before.id if analysis.before else None,
        engine=analysis.engine,
        engine_version=analysis.engine_version,
        parameters_sha256=found.parameters_sha256,
        rules_sha256=analysis.rules_sha256,
        labels_sha256=found.labels_sha256,
        coverage=dict(analysis.coverage),
        manifest_sha256=analysis.manifest_sha256,
        coverage_sha256=analysis.coverage_sha256,
        labels_file_sha256=analysis.labels_file_sha256,
        bands=found.bands,
        bands_failed=len(found.failed),
        coregistration=dict(found.fit) if found.fit is not None else None,
        clouds=dict(found.clouds) if found.clouds is not None else None,
        jurisdictions=dict(analysis.jurisdictions),
        refused_kinds={kind: reason.dump() for kind, reason in found.refused.items()},
        refinement=dict(found.refinement) if found.refinement is not None else None,
        stretch_sha256=found.stretch_sha256,
        features_sha256=analysis.features_sha256,
        pixel_model_id=analysis.models.pixel.id if analysis.models.pixel else None,
        object_model_id=analysis.models.object.id if analysis.models.object else None,
        compared=analysis.changes is not None,
        runtime_s=round(analysis.runtime_s, 3),
    )


def detection(
    run: tables.SegmentationRun, verdict: Verdict, ordinal: int, provenance: dict[str, Any]
) -> tables.Detection:
    """The row of a lead, without state: only the machine gives it one."""
    seen = verdict.candidate
    return tables.Detection(
        public_id=public_id("DT"),
        run_id=run.id,
        ordinal=ordinal,
        kind=seen.kind,
        score=round(seen.score, 4),
        area_m2=round(seen.area_m2, 1),
        geom=from_shape(seen.geom, srid=SRID),
        rule_trace=[sentence.dump() for sentence in verdict.trace],
        context={
            "violation": verdict.violation.code if verdict.violation else None,
            "measures": {name: round(value, 4) for name, value in seen.measures.items()},
            "alternative": mapping(seen.alternative) if seen.alternative is not None else None,
            "places": [
                {"layer": one.place.layer, "id": one.place.public_id, "share": round(one.share, 3)}
                for one in verdict.places
            ],
            "permits": [_permit(one) for one in verdict.permits],
        },
        provenance=provenance,
    )


def _permit(one: Overlap) -> dict[str, Any]:
    """A permit that reaches into a find: number, what it allows, the holder where the layer names one, until when."""
    place = one.place
    days = {"from": place.valid_from, "until": place.valid_to}
    plain = {"id": place.public_id, "number": place.number, "allows": place.kind, "holder": place.holder}
    told = {name: day.isoformat() if day else None for name, day in days.items()}
    return plain | told | {"share": round(one.share, 3)}


def _one_polygon(shape: BaseGeometry) -> BaseGeometry:
    return shape if shape.geom_type == "Polygon" else shape.convex_hull


def position(placed: Placed) -> dict[str, str]:
    """Whose word the position error of an image is; nothing where nobody gave one."""
    found = placed.position
    return {"basis": found.basis.value, "source": found.source} if found else {}


def header(placed: Placed) -> dict[str, Any]:
    """What a scene keeps of its first file's header, and whose word its place is."""
    told = _told_of(placed.reports[0], placed.arrivals)
    told |= {"position": position(placed), "about": dict(placed.about)}
    return told | ({"place": placed.stated.dump()} if placed.stated else {})


def _told_of(report: HeaderReport, arrivals: Sequence[Arrival]) -> dict[str, Any]:
    """A header without its long parts and without anything personal that a photo carries."""
    plain = report.model_dump(exclude=set(_POINTS_KEPT), mode="json")
    # JSON knows no NaN, and PostgreSQL takes none.
    plain["nodata"] = [str(value) if value is not None else None for value in plain["nodata"]]
    for name in ("transform", "scales", "offsets"):
        if plain[name] is not None:
            plain[name] = [value if isinstance(value, (int, float)) else str(value) for value in plain[name]]
    plain["files"] = [{"name": one.name, "sha256": one.sha256, "bytes": one.size_bytes} for one in arrivals]
    return plain
