"""Findings against ground truth: what was found, how well it is drawn, what was missed, what was invented."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import shapely
from shapely.geometry.base import BaseGeometry

from geo.crs import to_metric, utm_epsg_of
from geo.geojson import parse_document, parse_geometry
from schemas.refusals import invalid

# Below this overlap two drawings do not mean the same thing on the ground.
_SAME_THING_IOU = 0.1


@dataclass(frozen=True)
class Outline:
    """A thing on the ground: kind, shape in EPSG:4326, and a word on why it is (or must not be) a finding."""

    kind: str
    geom: BaseGeometry
    reason: str = ""


@dataclass(frozen=True)
class Match:
    """A true thing and the best finding of its kind; `iou` is 0 when there is none."""

    truth: Outline
    iou: float


@dataclass(frozen=True)
class Evaluation:
    """The outcome for one scene.

    `hits` are findings on things that must stay silent; `false_alarms` are findings that meet nothing true.
    """

    matches: tuple[Match, ...]
    hits: tuple[tuple[Outline, Outline], ...]
    false_alarms: tuple[Outline, ...]

    @property
    def misses(self) -> tuple[Outline, ...]:
        """True things that no finding of their kind meets."""
        return tuple(match.truth for match in self.matches if match.iou == 0)

    def median_iou(self) -> dict[str, float]:
        """The median intersection over union per kind; a miss counts as zero."""
        kinds = sorted({match.truth.kind for match in self.matches})
        return {kind: median(m.iou for m in self.matches if m.truth.kind == kind) for kind in kinds}


def read_truth(data: bytes, name: str) -> tuple[list[Outline], list[Outline]]:
    """Things that must be found and things that must stay silent, from a GeoJSON file (EPSG:4326).

    Raises RuleViolation `truth.unreadable`, and those of `geo.geojson` for documents and shapes that are none.
    """
    document = parse_document(data)
    features = document.get("features")
    if not isinstance(features, list):
        raise invalid("truth.unreadable", "truth.unreadable", name=name, measured="no list of features")
    wanted: list[Outline] = []
    silent: list[Outline] = []
    for number, feature in enumerate(features, start=1):
        facts = feature.get("properties") if isinstance(feature, dict) else None
        if not isinstance(facts, dict) or facts.get("expect") not in ("finding", "none") or "kind" not in facts:
            raise invalid("truth.unreadable", "truth.unreadable", name=name, measured=f"feature {number}")
        geom = parse_geometry(feature.get("geometry"), allow={"Polygon", "MultiPolygon"})
        thing = Outline(str(facts["kind"]), geom, str(facts.get("reason", "")))
        (wanted if facts["expect"] == "finding" else silent).append(thing)
    return wanted, silent


def evaluate(findings: Sequence[Outline], truth: Sequence[Outline], silent: Sequence[Outline]) -> Evaluation:
    """Match findings with what is true (`truth`) and with what looks like a violation but is none (`silent`)."""
    matches = []
    met: set[int] = set()
    for thing in truth:
        overlaps = [(iou(thing.geom, found.geom), i) for i, found in enumerate(findings) if found.kind == thing.kind]
        best, _ = max(overlaps, default=(0.0, -1))
        matches.append(Match(thing, best if best >= _SAME_THING_IOU else 0.0))
        # A thing may be found in several parts; each of them is right even though only the best one counts.
        met |= {i for _, i in overlaps if shapely.intersects(thing.geom, findings[i].geom)}
    rest = [found for i, found in enumerate(findings) if i not in met]
    hits = [(found, quiet) for found in rest for quiet in silent if shapely.intersects(found.geom, quiet.geom)]
    hit = [found for found, _ in hits]
    return Evaluation(tuple(matches), tuple(hits), tuple(found for found in rest if found not in hit))


def iou(one: BaseGeometry, other: BaseGeometry) -> float:
    """Intersection over union of two shapes of EPSG:4326, measured on a metric grid."""
    if not shapely.intersects(one, other):
        return 0.0
    epsg = utm_epsg_of(one)
    a, b = to_metric(one, epsg), to_metric(other, epsg)
    joined = float(shapely.union(a, b).area)
    return float(shapely.intersection(a, b).area) / joined if joined else 0.0
