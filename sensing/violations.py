"""Law over land cover: what of the candidates the rule pack calls a violation, and why not the others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import rfc8785

from schemas.rules import RulePack
from schemas.rules.pack import ViolationType
from sensing.context import Context, Overlap
from sensing.segment.model import Candidate
from sensing.words import Sentence, say

PERMITS = "permits"
# A candidate belongs to a place when most of it lies there; a border drawn some pixels off does not matter.
MOST = 0.5


@dataclass(frozen=True)
class Verdict:
    """What the law's layers say about a candidate: a lead or not, with every step as a sentence."""

    candidate: Candidate
    violation: ViolationType | None
    is_lead: bool
    trace: tuple[Sentence, ...]
    places: tuple[Overlap, ...] = ()


def rules_sha256(pack: RulePack) -> str:
    """SHA-256 of the catalogue that decides, in canonical JSON."""
    catalogue = [entry.model_dump(mode="json") for entry in pack.violation_catalogue]
    return hashlib.sha256(rfc8785.dumps(catalogue)).hexdigest()


def judge(candidates: Iterable[Candidate], pack: RulePack, context: Context, on: date) -> list[Verdict]:
    """Each candidate against the pack's catalogue and the layers in force on a local date."""
    return [_judge(candidate, pack.violation_catalogue, context, on) for candidate in candidates]


def _judge(candidate: Candidate, catalogue: Sequence[ViolationType], context: Context, on: date) -> Verdict:
    entry = next((one for one in catalogue if candidate.kind in one.kinds), None)
    if entry is None:
        return Verdict(candidate, None, False, (*candidate.trace, say("law.no_rule", kind=candidate.kind)))
    trace = list(candidate.trace)
    size = {"area_m2": candidate.area_m2, "least_m2": entry.min_area_m2}
    if candidate.area_m2 < entry.min_area_m2:
        trace.append(say("law.too_small", code=entry.code, **size))
        return Verdict(candidate, entry, False, tuple(trace))
    trace.append(say("law.large_enough", code=entry.code, **size))
    inside, places, sentence = _where(candidate, entry, context, on)
    trace.append(sentence)
    if not inside:
        return Verdict(candidate, entry, False, tuple(trace))
    permit = _permit(candidate, entry, context, on)
    if permit is not None:
        number = permit.place.number or permit.place.public_id
        trace.append(say("law.permitted", share=permit.share, number=number, kind=permit.place.kind or PERMITS))
        return Verdict(candidate, entry, False, tuple(trace), (*places, permit))
    trace.append(say("law.no_permit" if context.has(PERMITS) else "law.permits_unknown"))
    if entry.corroboration_required:
        trace.append(say("law.corroboration"))
    return Verdict(candidate, entry, True, tuple(trace), places)


def _where(
    candidate: Candidate, entry: ViolationType, context: Context, on: date
) -> tuple[bool, tuple[Overlap, ...], Sentence]:
    """Whether the candidate lies where the rule applies, the places that say so, and a sentence."""
    if not entry.only_within:
        return True, (), say("law.everywhere")
    for layer in entry.only_within:
        share = context.covered(layer, candidate.geom, on)
        if share >= MOST:
            places = tuple(context.overlaps(layer, candidate.geom, on))
            names = ", ".join(overlap.place.name for overlap in places[:3])
            return True, places, say("law.within", share=share, layer=layer, places=names)
    return False, (), say("law.outside", layers=list(entry.only_within))


def _permit(candidate: Candidate, entry: ViolationType, context: Context, on: date) -> Overlap | None:
    for overlap in context.overlaps(PERMITS, candidate.geom, on):
        if overlap.share >= MOST and overlap.place.kind in entry.unless_permitted:
            return overlap
    return None
