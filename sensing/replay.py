"""Touches the disk: other rules over what runs saw before, without writing anything to the record."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Any

from geoalchemy2.shape import to_shape
from shapely.geometry import Polygon, mapping
from sqlalchemy import select
from sqlalchemy.orm import Session

from schemas.refusals import LANGUAGES, not_found
from schemas.rules import RulePack
from schemas.rules.violations import ViolationType
from schemas.tables import Authority, CandidateRecord, Derivative, Scene, SegmentationRun
from sensing.authorities import authority_at
from sensing.bands import Role
from sensing.context import Context
from sensing.runs import rasters
from sensing.segment.detectors import KINDS, SEARCHED
from sensing.segment.looks import BUILDING_PERMITS, SITES, Searched
from sensing.segment.model import Candidate
from sensing.violations import Seen, Verdict, judge, unjudged
from sensing.words import Sentence, in_words, say

# What a rule pack refused may be judged under another one; what the engine could not look for stays unknown.
_OF_THE_PACK = ("cannot.no_detector", "cannot.bands", "cannot.observed")
# What a trace says of every lead of a rule is no step that decides.
_NO_STEPS = frozenset(
    {"law.rule", "law.corroboration", "law.basis", "law.basis_placeholder"}
    | {f"law.trust_{trust}" for trust in ("low", "medium", "high")}
)
# A rule pack, the inputs of the run, and the kinds that cannot be judged.
Law = tuple[RulePack, dict[str, Any], dict[str, Sentence]]


class Change(StrEnum):
    """What becomes of a candidate under other rules."""

    BECOMES = "becomes_a_lead"
    STOPS = "stops_being_a_lead"
    STAYS = "stays_a_lead"
    NEVER = "is_no_lead"


@dataclass(frozen=True)
class Replayed:
    """One candidate as it was judged and as other rules would judge it; `before` and `after` are violation types.

    `told` is the trace of the verdict that stands.
    """

    scene: str
    run: str
    authority: str | None
    change: Change
    before: str | None
    after: str | None
    verdict: Verdict
    told: tuple[Sentence, ...] = ()

    def reasons(self) -> tuple[Sentence, ...]:
        """Why it is judged otherwise: what stopped it, or each step of the law that it did not come to before."""
        if self.change is not Change.BECOMES:
            return self.verdict.trace[-1:]
        known = [sentence.dump() for sentence in self.told]
        steps = (one for one in self.verdict.trace if one.key.startswith("law.") and one.key not in _NO_STEPS)
        return tuple(one for one in steps if one.dump() not in known)

    def feature(self) -> dict[str, Any]:
        """As a GeoJSON feature in EPSG:4326, with the trace in every language."""
        told = [in_words(sentence.dump()) for sentence in self.verdict.trace]
        place = self.verdict.candidate.geom.representative_point()
        properties = {
            "scene": self.scene,
            "run": self.run,
            "authority": self.authority,
            "change": self.change.value,
            "kind": self.verdict.candidate.kind,
            "before": self.before,
            "after": self.after,
            "area_m2": round(self.verdict.candidate.area_m2, 1),
            "lon": round(place.x, 6),
            "lat": round(place.y, 6),
            **{f"was_{lang}": in_words(self.told[-1].dump())[lang] if self.told else None for lang in LANGUAGES},
            "trace_en": [one["en"] for one in told],
            "trace_zh": [one["zh"] for one in told],
        }
        return {"type": "Feature", "geometry": mapping(self.verdict.candidate.geom), "properties": properties}


@dataclass(frozen=True)
class Outcome:
    """What other rules make of the stored scenes; `elsewhere` are scenes where they do not apply.

    `unknown` are scenes whose last run kept no candidates or no inputs; `refused` are the kinds of each scene that
    could not be judged under the other rules, `unsearched` those that the rules ask for where nobody looked for them.
    """

    rows: tuple[Replayed, ...]
    scenes: int
    elsewhere: tuple[str, ...]
    unknown: tuple[str, ...]
    refused: dict[str, dict[str, Sentence]]
    unsearched: dict[str, dict[str, Sentence]]


def replay(
    session: Session, root: Path, pack: RulePack, scenes: Sequence[str], progress: Callable[[float], None]
) -> Outcome:
    """Judge the candidates of the last run over each scene anew; all scenes where none is named.

    The layers are those that the run used, so that nothing but the rules differs. Raises RuleViolation 404 for a
    scene that nobody knows.
    """
    rows: list[Replayed] = []
    elsewhere: list[str] = []
    unknown: list[str] = []
    refused: dict[str, dict[str, Sentence]] = {}
    unsearched: dict[str, dict[str, Sentence]] = {}
    last = list(_last_runs(session, scenes))
    for number, (scene, copy, run) in enumerate(last, start=1):
        inputs = _inputs(root, run)
        if scene.footprint is None or not pack.jurisdiction.covers(to_shape(scene.footprint)):
            elsewhere.append(scene.public_id)
        elif inputs is None or (before := _roles(session, run)) is None:
            unknown.append(scene.public_id)
        else:
            learned = _learned(inputs)
            detected = {*KINDS, *learned}
            refused[scene.public_id] = _refused(pack, run, (scene, copy), (before, detected))
            law = (pack, inputs, refused[scene.public_id])
            unsearched[scene.public_id] = _unsearched(law, learned)
            rows += _judged(session, scene, run, law)
        progress(number / len(last))
    return Outcome(tuple(rows), len(refused), tuple(elsewhere), tuple(unknown), refused, unsearched)


def _last_runs(session: Session, scenes: Sequence[str]) -> Iterator[tuple[Scene, Derivative, SegmentationRun]]:
    query = (
        select(Scene, Derivative, SegmentationRun)
        .join(Derivative, Derivative.scene_id == Scene.id)
        .join(SegmentationRun, SegmentationRun.derivative_id == Derivative.id)
        .order_by(SegmentationRun.recorded_at)
    )
    if scenes:
        known = set(session.scalars(select(Scene.public_id).where(Scene.public_id.in_(scenes))))
        for one in scenes:
            if one not in known:
                raise not_found("scene.unknown", measured=one)
        query = query.where(Scene.public_id.in_(scenes))
    # The last run of a scene comes last and stands.
    last = {row[0].public_id: (row[0], row[1], row[2]) for row in session.execute(query)}
    yield from (last[scene] for scene in sorted(last))


def _inputs(root: Path, run: SegmentationRun) -> dict[str, Any] | None:
    """What a run used, where it was kept and still is what it was."""
    store, key = rasters(root), run.manifest_sha256
    if key is None or not store.path(key).is_file() or not store.verify(key):
        return None
    document: dict[str, Any] = json.loads(store.get(key).read_bytes())
    return document


def _roles(session: Session, run: SegmentationRun) -> frozenset[Role] | tuple[()] | None:
    """The bands of the earlier date; nothing where there was none, None where the run kept no candidates at all."""
    kept = session.scalar(select(CandidateRecord.ordinal).where(CandidateRecord.run_id == run.id).limit(1))
    if kept is None and run.features_sha256 is None:
        return None
    if run.before_derivative_id is None:
        return ()
    return frozenset(Role(name) for name in session.get_one(Derivative, run.before_derivative_id).band_roles)


def _learned(inputs: dict[str, Any]) -> list[str]:
    """The kinds for which a pixel model of officers' labels looked."""
    asked = inputs.get("models", {}).get("pixel")
    return list(asked["kinds"]) if asked else []


def _refused(
    pack: RulePack,
    run: SegmentationRun,
    about: tuple[Scene, Derivative],
    had: tuple[frozenset[Role] | tuple[()], set[str]],
) -> dict[str, Sentence]:
    (scene, copy), (before, detected) = about, had
    engines = {
        kind: Sentence(reason["key"], reason["params"])
        for kind, reason in run.refused_kinds.items()
        if reason["key"] not in _OF_THE_PACK
    }
    roles = frozenset(Role(name) for name in copy.band_roles)
    seen = Seen(roles, frozenset(before) if before else None, scene.gsd_m or 0.0, engines)
    return unjudged(pack, seen, detected)


def _unsearched(law: Law, learned: Sequence[str]) -> dict[str, Sentence]:
    """The kinds for which the rules ask where the engine does not look: there, no candidate means nothing.

    A model of officers' labels looks everywhere.
    """
    pack, inputs, refused = law
    context = Context.load(inputs["layers"])
    found: dict[str, Sentence] = {}
    for entry in pack.violation_catalogue:
        for kind in set(entry.kinds) & SEARCHED.keys() - refused.keys() - set(learned):
            reason = _beyond(entry, SEARCHED[kind], context)
            if reason is not None:
                found[kind] = reason
    return found


def _beyond(entry: ViolationType, looked: Searched, context: Context) -> Sentence | None:
    """What of the ground of a rule an engine leaves out."""
    if looked.within == SITES:
        return None if set(entry.only_permitted) == {BUILDING_PERMITS[1]} else say("cannot.only_there", layer=SITES)
    if looked.within is not None and set(entry.only_within) != {looked.within}:
        return say("cannot.only_there", layer=looked.within)
    left = [one for one in looked.without if one not in entry.never_within and context.has(one)]
    return say("cannot.not_there", layers=left) if left else None


def _judged(session: Session, scene: Scene, run: SegmentationRun, law: Law) -> Iterator[Replayed]:
    pack, inputs, refused = law
    records = session.scalars(
        select(CandidateRecord).where(CandidateRecord.run_id == run.id).order_by(CandidateRecord.ordinal)
    ).all()
    context, on = Context.load(inputs["layers"]), date.fromisoformat(inputs["on"])
    verdicts = judge([_candidate(record) for record in records], pack, context, on, refused)
    for record, verdict in zip(records, verdicts, strict=True):
        yield Replayed(
            scene=scene.public_id,
            run=run.public_id,
            authority=_authority(session, scene, verdict.candidate),
            change=_change(record.is_lead, verdict.is_lead),
            before=record.violation,
            after=verdict.violation.code if verdict.violation else None,
            verdict=verdict,
            told=tuple(Sentence(one["key"], one["params"]) for one in record.verdict),
        )


def _candidate(record: CandidateRecord) -> Candidate:
    shape = to_shape(record.geom)
    if not isinstance(shape, Polygon):
        raise TypeError(f"a candidate's outline is a {shape.geom_type}")
    return Candidate(
        kind=record.kind,
        geom=shape,
        area_m2=record.area_m2,
        score=record.score,
        measures=record.measures,
        trace=tuple(Sentence(one["key"], one["params"]) for one in record.seen),
    )


def _authority(session: Session, scene: Scene, candidate: Candidate) -> str | None:
    found = authority_at(session, candidate.geom.centroid) or scene.authority_id
    return session.get_one(Authority, found).code if found else None


def _change(before: bool, after: bool) -> Change:
    if before:
        return Change.STAYS if after else Change.STOPS
    return Change.BECOMES if after else Change.NEVER
