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

PERMITS = "permits"
# A candidate belongs to a place when most of it lies there; a border drawn some pixels off does not matter.
MOST = 0.5


@dataclass(frozen=True)
class Verdict:
    """What the law's layers say about a candidate: a lead or not, with every step in words."""

    candidate: Candidate
    violation: ViolationType | None
    is_lead: bool
    trace: tuple[str, ...]
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
        return Verdict(candidate, None, False, (*candidate.trace, f"no rule names {candidate.kind}"))
    trace = list(candidate.trace)
    if candidate.area_m2 < entry.min_area_m2:
        trace.append(f"{candidate.area_m2:.0f} m2 is below the {entry.min_area_m2:.0f} m2 of {entry.code}")
        return Verdict(candidate, entry, False, tuple(trace))
    trace.append(f"{candidate.area_m2:.0f} m2, at least {entry.min_area_m2:.0f} m2 ({entry.code})")
    inside, places, word = _where(candidate, entry, context, on)
    trace.append(word)
    if not inside:
        return Verdict(candidate, entry, False, tuple(trace))
    permit = _permit(candidate, entry, context, on)
    if permit is not None:
        number = permit.place.number or permit.place.public_id
        trace.append(f"{permit.share:.0%} lies under permit {number} ({permit.place.kind}): no finding")
        return Verdict(candidate, entry, False, tuple(trace), (*places, permit))
    trace.append("no permit covers it" if context.has(PERMITS) else "no permits are known here")
    if entry.corroboration_required:
        trace.append("an image alone decides nothing: corroboration required (GD-11.6)")
    return Verdict(candidate, entry, True, tuple(trace), places)


def _where(
    candidate: Candidate, entry: ViolationType, context: Context, on: date
) -> tuple[bool, tuple[Overlap, ...], str]:
    """Whether the candidate lies where the rule applies, the places that say so, and a sentence."""
    if not entry.only_within:
        return True, (), "the rule applies everywhere"
    for layer in entry.only_within:
        share = context.covered(layer, candidate.geom, on)
        if share >= MOST:
            places = tuple(context.overlaps(layer, candidate.geom, on))
            names = ", ".join(overlap.place.name for overlap in places[:3])
            return True, places, f"{share:.0%} lies in {layer}: {names}"
    return False, (), f"lies outside {' and '.join(entry.only_within)}, where the rule applies"


def _permit(candidate: Candidate, entry: ViolationType, context: Context, on: date) -> Overlap | None:
    for overlap in context.overlaps(PERMITS, candidate.geom, on):
        if overlap.share >= MOST and overlap.place.kind in entry.unless_permitted:
            return overlap
    return None
