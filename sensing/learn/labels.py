"""Labels as rows: what an officer says of a place or of a find, ready to be written; nothing here writes."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from geoalchemy2.shape import from_shape, to_shape
from shapely.geometry.base import BaseGeometry

from geo.geojson import parse_document, parse_geometry
from schemas.ids import public_id
from schemas.refusals import Kind, Refusal, RuleViolation, invalid
from schemas.tables import SRID, Detection, Label
from sensing.learn.pixel import NONE

CLICK, POLYGON = "click", "polygon"
ACCEPT, REJECT, EDIT = "accept", "reject", "edit"
_WORD = re.compile(r"[a-z][a-z0-9_]{0,39}")
_MOST = 5_000


@dataclass(frozen=True)
class Mark:
    """A place (point or polygon, EPSG:4326) and what somebody calls it."""

    of_class: str
    geom: BaseGeometry
    reason: str | None = None

    @property
    def kind(self) -> str:
        """`click` or `polygon`."""
        return CLICK if self.geom.geom_type == "Point" else POLYGON


def read_marks(data: bytes) -> list[Mark]:
    """Marks from a GeoJSON FeatureCollection of points and polygons with the property `class`, and perhaps `reason`.

    Raises RuleViolation with every feature that is none.
    """
    features = parse_document(data).get("features")
    if not isinstance(features, list) or not 1 <= len(features) <= _MOST:
        measured = len(features) if isinstance(features, list) else "—"
        raise invalid("label.file", measured=measured, required=_MOST)
    marks: list[Mark] = []
    refusals: list[Refusal] = []
    for number, feature in enumerate(features, start=1):
        try:
            marks.append(_mark(feature, f"features[{number - 1}]"))
        except RuleViolation as error:
            refusals += error.refusals
    if refusals:
        raise RuleViolation(Kind.INVALID, refusals)
    return marks


def _mark(feature: Any, path: str) -> Mark:  # noqa: ANN401 - decoded JSON
    facts = feature.get("properties") if isinstance(feature, dict) else None
    name = facts.get("class") if isinstance(facts, dict) else None
    if not isinstance(facts, dict) or not isinstance(name, str) or not _WORD.fullmatch(name):
        raise invalid("label.word", path=path, measured=str(name)[:40])
    geom = parse_geometry(feature.get("geometry"), allow={"Point", "Polygon"}, path=path)
    reason = facts.get("reason")
    return Mark(name, geom, str(reason)[:500] if reason else None)


def of_mark(mark: Mark, scene_id: uuid.UUID, authority_id: uuid.UUID, person_id: uuid.UUID) -> Label:
    """The row of a click or a polygon."""
    return Label(
        public_id=public_id("TL"),
        kind=mark.kind,
        of_class=mark.of_class,
        geom=from_shape(mark.geom, srid=SRID),
        scene_id=scene_id,
        authority_id=authority_id,
        person_id=person_id,
        reason=mark.reason,
    )


def of_decision(
    detection: Detection, kind: str, who: tuple[uuid.UUID, str], redrawn: BaseGeometry | None = None
) -> Label:
    """The row of a find that was accepted, rejected or redrawn; `who` is the person and the reason.

    A rejection teaches that its place is nothing of interest, however much it looks like it.
    """
    person_id, reason = who
    shape = to_shape(detection.geom) if redrawn is None else redrawn
    return Label(
        public_id=public_id("TL"),
        kind=kind,
        of_class=NONE if kind == REJECT else detection.kind,
        geom=from_shape(shape, srid=SRID),
        scene_id=detection.scene_id,
        authority_id=detection.authority_id,
        person_id=person_id,
        detection_id=detection.id,
        reason=reason.strip(),
    )


def newest(labels: Sequence[Label]) -> list[Label]:
    """The labels, in their order, of which only the last decision and the last outline count for each find.

    The outline of a find that was rejected afterwards is none.
    """
    decided: dict[uuid.UUID | None, Label] = {}
    drawn: dict[uuid.UUID | None, Label] = {}
    for label in labels:
        (drawn if label.kind == EDIT else decided)[label.detection_id] = label
    return [
        label
        for label in labels
        if label.detection_id is None
        or (label is decided.get(label.detection_id))
        or (label is drawn.get(label.detection_id) and not _rejected(decided.get(label.detection_id)))
    ]


def _rejected(decision: Label | None) -> bool:
    return decision is not None and decision.kind == REJECT
