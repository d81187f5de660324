"""Finds that officers made from others: rows of parts and wholes, and the same outlines made once more."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import shapely
from geoalchemy2.shape import from_shape, to_shape
from shapely.geometry import LineString, Polygon, mapping, shape
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from geo.measure import area_m2
from schemas.ids import public_id
from schemas.refusals import not_found
from schemas.rules import RulePack
from schemas.tables import SRID, ContextFeature, Detection, Label, LabelWithdrawal, SegmentationRun
from sensing.cutting import cut, join
from sensing.learn.labels import EDIT
from sensing.words import Sentence, say

MADE_FROM = "made_from"
SPLIT, MERGE = "split", "merge"
_TOUCHES = 0.01


def outline_of(session: Session, detection: Detection) -> Polygon:
    """The outline that counts: the last one that an officer drew and did not take back, else the engine's."""
    drawn = session.scalars(
        _drawn(detection).where(~select(LabelWithdrawal).where(LabelWithdrawal.label_id == Label.id).exists()).limit(1)
    ).one_or_none()
    return _polygon(to_shape(drawn.geom if drawn is not None else detection.geom))


def _drawn(detection: Detection) -> Select[Label]:
    labels = select(Label).where(Label.detection_id == detection.id, Label.kind == EDIT)
    return labels.order_by(Label.recorded_at.desc())


def _polygon(geom: object) -> Polygon:
    if not isinstance(geom, Polygon):
        raise TypeError("the outline of a find is one polygon")
    return geom


def outline_sha256(outline: Polygon) -> str:
    """The name of an outline: the SHA-256 of every bit of it."""
    return hashlib.sha256(shapely.to_wkb(outline)).hexdigest()


def parts_of(
    session: Session, whole: Detection, pieces: Sequence[Polygon], line: LineString, *, decision: str, pack: RulePack
) -> list[Detection]:
    """A find for each piece that was cut from `whole`, not yet in any state."""
    outline = outline_of(session, whole)
    facts = {"how": SPLIT, "decision": decision, "line": mapping(line), "from": [_named(whole, outline)]}
    first, total = next_ordinal(session, whole.run_id), area_m2(outline)
    made = []
    for number, piece in enumerate(pieces):
        part = _like(session, whole, piece, {**facts, "part": number, "of": len(pieces)})
        part.ordinal = first + number
        told = [say("desk.part", source=whole.public_id, share=part.area_m2 / total), *_smallness(part, pack)]
        part.rule_trace = [*(one.dump() for one in told), *whole.rule_trace]
        part.risk_trace = [say("risk.inherited", source=whole.public_id).dump(), *whole.risk_trace]
        made.append(part)
    return made


def whole_of(session: Session, sources: Sequence[Detection], width_m: float, *, decision: str) -> Detection:
    """The find that several were joined to, not yet in any state; its clock is that of the oldest of them."""
    outlines = [outline_of(session, one) for one in sources]
    joined = join(outlines, width_m)
    chief = max(sources, key=lambda one: (one.area_m2, one.public_id))
    named = [_named(one, outline) for one, outline in zip(sources, outlines, strict=True)]
    facts = {"how": MERGE, "decision": decision, "width_m": width_m, "from": named}
    whole = _like(session, chief, joined.shape, facts)
    whole.ordinal = next_ordinal(session, chief.run_id)
    whole.score = max(one.score for one in sources)
    whole.formed_at = min(one.formed_at for one in sources)
    names = ", ".join(one.public_id for one in sources)
    first = min(sources, key=lambda one: (one.turn, -one.risk, one.public_id))
    whole.risk, whole.due, whole.turn = first.risk, first.due, first.turn
    whole.risk_trace = [say("risk.inherited", source=first.public_id).dump(), *first.risk_trace]
    told = say("desk.joined", sources=names, gaps_m=joined.gaps_m)
    whole.rule_trace = [told.dump(), say("desk.joined_chief", source=chief.public_id).dump(), *chief.rule_trace]
    whole.provenance = whole.provenance | _window([one.provenance for one in sources if one.run_id == chief.run_id])
    return whole


def _named(one: Detection, outline: Polygon) -> dict[str, str]:
    return {"id": one.public_id, "outline_sha256": outline_sha256(outline)}


def _like(session: Session, source: Detection, outline: Polygon, facts: Mapping[str, Any]) -> Detection:
    """A find that shares with `source` everything but the ground that it covers."""
    return Detection(
        id=uuid.uuid4(),
        public_id=public_id("DT"),
        run_id=source.run_id,
        scene_id=source.scene_id,
        authority_id=source.authority_id,
        item_id=source.item_id,
        kind=source.kind,
        score=source.score,
        area_m2=area_m2(outline),
        geom=from_shape(outline, srid=SRID),
        context=_context(session, source.context, outline),
        provenance=source.provenance | {MADE_FROM: dict(facts)},
        formed_at=source.formed_at,
        risk=source.risk,
        due=source.due,
        turn=source.turn,
        assigned_to=source.assigned_to,
    )


def _context(session: Session, context: Mapping[str, Any], outline: Polygon) -> dict[str, Any]:
    """The places and permits of a find, as far as they reach into an outline, with their shares of it."""
    named = [one["id"] for name in ("places", "permits") for one in context.get(name, [])]
    rows = session.scalars(select(ContextFeature).where(ContextFeature.public_id.in_(named)))
    shares = {row.public_id: shapely.intersection(to_shape(row.geom), outline).area / outline.area for row in rows}
    kept = {
        name: [
            one | {"share": round(shares[one["id"]], 3)}
            for one in context.get(name, [])
            if shares.get(one["id"], 0.0) >= _TOUCHES
        ]
        for name in ("places", "permits")
        if name in context
    }
    return {**context, **kept, "alternative": None}


def _smallness(part: Detection, pack: RulePack) -> list[Sentence]:
    """That a part is smaller than what the rule takes for a violation, where it is."""
    code = part.context.get("violation")
    entry = next((one for one in pack.violation_catalogue if one.code == code), None)
    if entry is None or part.area_m2 >= entry.min_area_m2:
        return []
    return [say("desk.part_small", area_m2=part.area_m2, least_m2=entry.min_area_m2)]


def _window(chains: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The window (column, row, width, height) around those of several finds of one run."""
    windows = [chain["window"] for chain in chains if chain.get("window")]
    if not windows:
        return {}
    left, top = (min(one[axis] for one in windows) for axis in (0, 1))
    right, bottom = (max(one[axis] + one[axis + 2] for one in windows) for axis in (0, 1))
    return {"window": [left, top, right - left, bottom - top]}


def next_ordinal(session: Session, run_id: uuid.UUID) -> int:
    """The next free number of a run; whoever asks at the same moment waits here."""
    session.execute(select(SegmentationRun.id).where(SegmentationRun.id == run_id).with_for_update())
    highest = session.scalar(select(func.max(Detection.ordinal)).where(Detection.run_id == run_id))
    return (highest or 0) + 1


def remade(session: Session, detection: Detection) -> Polygon | None:
    """The outline of a part or a whole, made once more from what it was made from.

    None where it was made from nothing else, or where an outline that it was made from is no more.
    """
    facts = detection.provenance.get(MADE_FROM)
    if facts is None:
        return None
    sources = [_source(session, one) for one in facts["from"]]
    outlines = [one for one in sources if one is not None]
    if len(outlines) < len(sources):
        return None
    if facts["how"] == SPLIT:
        line = shape(facts["line"])
        assert isinstance(line, LineString)
        return cut(outlines[0], line)[int(facts["part"])]
    return join(outlines, float(facts["width_m"])).shape


def _source(session: Session, named: Mapping[str, str]) -> Polygon | None:
    row = session.scalars(select(Detection).where(Detection.public_id == named["id"])).one_or_none()
    if row is None:
        return None
    shapes = [row.geom, *(label.geom for label in session.scalars(_drawn(row)))]
    known = (_polygon(to_shape(one)) for one in shapes)
    return next((one for one in known if outline_sha256(one) == named["outline_sha256"]), None)


@dataclass(frozen=True)
class Lineage:
    """The finds of engines that a find was made from, itself where an engine found it; and whether its outline is
    made again from theirs bit for bit (None where there is nothing to make).
    """

    roots: tuple[str, ...]
    same: bool | None


def lineage(session: Session, detection_id: str) -> Lineage:
    """What a find was made from, all the way back. Raises RuleViolation 404 when there is none of that id."""
    row = session.scalars(select(Detection).where(Detection.public_id == detection_id)).one_or_none()
    if row is None:
        raise not_found("finding.unknown", measured=detection_id[:40])
    facts = row.provenance.get(MADE_FROM)
    if facts is None:
        return Lineage((row.public_id,), None)
    before = [lineage(session, one["id"]) for one in facts["from"]]
    again = remade(session, row)
    same = again is not None and shapely.to_wkb(again) == shapely.to_wkb(to_shape(row.geom))
    roots = dict.fromkeys(root for one in before for root in one.roots)
    return Lineage(tuple(roots), same and all(one.same is not False for one in before))
