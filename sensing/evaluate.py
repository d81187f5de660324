"""Findings against ground truth: what was found, how well it is drawn, what was missed, what was invented.

The one evaluator: the command, the demo and the cards of models say what it says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from geo.crs import to_metric, utm_epsg_of
from geo.geojson import parse_document, parse_geometry
from schemas.refusals import invalid
from sensing.metrics import Cover, Field, Panoptic, Tally, count, panoptic
from sensing.reliability import Reliability, reliability

# Below this overlap two drawings do not mean the same thing on the ground.
_SAME_THING_IOU = 0.1
# A part of a thing is right when at least half of it lies on true ground.
_RIGHT_SHARE = 0.5
# No kind of finding is called so.
_SILENT = "(silent)"
# A border is drawn well when it is no further off than this many pixels, where nothing else is asked for.
TOLERANCE_PX = 2.0


@dataclass(frozen=True)
class Outline:
    """A thing on the ground: kind, shape in EPSG:4326, and a word on why it is (or must not be) a finding.

    `score` is how sure a finding is, in [0, 1].
    """

    kind: str
    geom: BaseGeometry
    reason: str = ""
    score: float | None = None


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


@dataclass(frozen=True)
class Assessment:
    """Findings of a scene against the truth, on the ground that was looked at.

    `unseen` are the findings and the true and silent things that were left out because nobody looked there.
    """

    evaluation: Evaluation
    tally: Tally
    covers: dict[str, Cover]
    things: dict[str, Panoptic]
    reliability: Reliability | None
    tolerance_m: float
    unseen: tuple[int, int, int]

    def dump(self) -> dict[str, Any]:
        """As plain JSON; what cannot be said is null."""
        tally, done = self.tally, self.evaluation
        return {
            "median_iou": done.median_iou(),
            "misses": [_told(one) for one in done.misses],
            "reported_by_mistake": [_told(quiet) for _, quiet in done.hits],
            "false_alarms": [_told(one) for one in done.false_alarms],
            "kinds": {kind: self._kind(kind) for kind in sorted(self.covers.keys() | self.things.keys())},
            "boundary_tolerance_m": round(self.tolerance_m, 3),
            "reliability": self.reliability.dump() if self.reliability else None,
            "coverage": {
                "looked_at_km2": round(tally.looked_m2 / 1e6, 6),
                "not_looked_at_km2": round(tally.unlooked_m2 / 1e6, 6),
                "truth_not_looked_at_km2": round(sum(one.true_unlooked_m2 for one in self.covers.values()) / 1e6, 6),
                "findings_left_out": self.unseen[0],
                "truth_left_out": self.unseen[1],
                "silent_left_out": self.unseen[2],
            },
        }

    def _kind(self, kind: str) -> dict[str, Any]:
        cover, thing = self.covers.get(kind, Cover()), self.things.get(kind, Panoptic(0, 0, 0, 0.0))
        numbers = {
            "pixel_iou": cover.iou,
            "pixel_precision": cover.precision,
            "pixel_recall": cover.recall,
            "boundary_f1": cover.boundary_f1,
            "pq": thing.pq,
            "sq": thing.sq if thing.matched else None,
            "rq": thing.rq,
        }
        counts = {"matched": thing.matched, "invented": thing.invented, "missed": thing.missed}
        return {name: None if value is None else round(value, 4) for name, value in numbers.items()} | counts


def _told(one: Outline) -> dict[str, str]:
    return {"kind": one.kind, "reason": one.reason}


def assess(
    ground: Field,
    findings: Sequence[Outline],
    truth: Sequence[Outline],
    silent: Sequence[Outline],
    *,
    tolerance_m: float,
) -> Assessment:
    """Everything that can be said of findings, from one walk over the scene; what nobody looked at does not count."""
    # Of things that must stay silent only this is asked: whether anybody looked there.
    quiet_things = [(_SILENT, one.geom) for one in silent]
    tally = count(ground, _things(findings), [*_things(truth), *quiet_things], tolerance_m=tolerance_m)
    found = [one for n, one in enumerate(findings) if tally.seen(0, n)]
    wanted = [one for n, one in enumerate(truth) if tally.seen(1, n)]
    quiet = [one for n, one in enumerate(silent, start=len(truth)) if tally.seen(1, n)]
    return Assessment(
        evaluation=evaluate(found, wanted, quiet),
        tally=tally,
        covers={kind: cover for kind, cover in tally.covers.items() if kind != _SILENT},
        things=panoptic(tally, [one.kind for one in findings], [one.kind for one in truth]),
        reliability=_reliability(tally, findings, truth),
        tolerance_m=tolerance_m,
        unseen=(len(findings) - len(found), len(truth) - len(wanted), len(silent) - len(quiet)),
    )


def _things(outlines: Sequence[Outline]) -> list[tuple[str, BaseGeometry]]:
    return [(one.kind, one.geom) for one in outlines]


def _reliability(tally: Tally, findings: Sequence[Outline], truth: Sequence[Outline]) -> Reliability | None:
    """Scores against how many findings were right: the same thing as a true one, or a part of one."""
    right = {
        a
        for (a, b), shared_m2 in tally.shared_m2.items()
        if b < len(truth) and (tally.iou(a, b) >= _SAME_THING_IOU or shared_m2 >= _RIGHT_SHARE * tally.area_m2[0][a])
    }
    scored = [(n, one.score) for n, one in enumerate(findings) if one.score is not None and tally.seen(0, n)]
    return reliability([score for _, score in scored], [n in right for n, _ in scored])
