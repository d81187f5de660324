"""Law over land cover: what of the candidates the rule pack calls a violation, and why not the others."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date

import rfc8785

from schemas.rules import RulePack
from schemas.rules.violations import Observation, ViolationType
from sensing.bands import Role
from sensing.context import Context, Overlap
from sensing.segment.model import ENGINE, NEEDED, RANKED, Candidate
from sensing.words import Sentence, say

PERMITS = "permits"
# What a run keeps instead of the hash of its rules where none were in force.
NO_RULES = "0" * 64
# A candidate belongs to a place when most of it lies there; a border drawn some pixels off does not matter.
MOST = 0.5
# Less of a find than this under a permit is the permit's neighbour.
_TOUCHES = 0.01


@dataclass(frozen=True)
class Verdict:
    """What the law's layers say about a candidate: a lead or not, with every step as a sentence.

    `places` are those that decided, `permits` all that reach into it, whatever they allow and whenever.
    """

    candidate: Candidate
    violation: ViolationType | None
    is_lead: bool
    trace: tuple[Sentence, ...]
    places: tuple[Overlap, ...] = ()
    permits: tuple[Overlap, ...] = ()


@dataclass(frozen=True)
class Seen:
    """What an analysis had before it: the bands of each date, the size of pixels, and the kinds that it refused."""

    roles: frozenset[Role]
    before_roles: frozenset[Role] | None
    gsd_m: float
    refused: Mapping[str, Sentence] = field(default_factory=dict)


@dataclass(frozen=True)
class Law:
    """What a candidate is judged by: a rule pack, the layers, a local date, and the kinds that cannot be judged."""

    pack: RulePack
    context: Context
    on: date
    refused: Mapping[str, Sentence]


def judged_kinds(pack: RulePack | None, refused: Collection[str]) -> tuple[str, ...]:
    """The kinds that could become a finding: rules name them, and nothing kept them from being judged."""
    catalogue = pack.violation_catalogue if pack else ()
    return tuple(sorted({kind for entry in catalogue for kind in entry.kinds} - set(refused)))


def rules_sha256(pack: RulePack) -> str:
    """SHA-256 of the catalogue that decides, in canonical JSON."""
    catalogue = [entry.model_dump(mode="json") for entry in pack.violation_catalogue]
    return hashlib.sha256(rfc8785.dumps(catalogue)).hexdigest()


def unjudged(pack: RulePack, seen: Seen, detected: Collection[str]) -> dict[str, Sentence]:
    """The kinds of a catalogue that nothing can be said about here, each with the reason; `seen.refused` among them.

    `detected` are the kinds for which the engine has a detector.
    """
    refused = dict(seen.refused)
    for entry in pack.violation_catalogue:
        for kind in entry.kinds:
            if kind not in detected:
                refused.setdefault(kind, say("cannot.no_detector"))
            elif not any(_shows(one, seen) for one in entry.observed):
                refused.setdefault(kind, _not_shown(entry, seen))
    return refused


def shows_alone(entry: ViolationType, roles: frozenset[Role], gsd_m: float) -> bool:
    """Whether one date of these bands, with pixels of this size, shows a violation."""
    return any(one.dates == 1 and _shows(one, Seen(roles, None, gsd_m)) for one in entry.observed)


def _shows(way: Observation, seen: Seen) -> bool:
    needed = {Role(band) for band in way.bands}
    dates = [seen.roles, seen.before_roles] if way.dates == 2 else [seen.roles]
    return seen.gsd_m <= way.coarsest_m and all(roles is not None and needed <= roles for roles in dates)


def _not_shown(entry: ViolationType, seen: Seen) -> Sentence:
    """What the rule would need, in the way of looking that lacks the fewest bands."""
    have = seen.roles if seen.before_roles is None else seen.roles & seen.before_roles
    closest = min(entry.observed, key=lambda way: (way.dates == 2 and seen.before_roles is None, way.coarsest_m))
    missing: list[str] = [band for band in closest.bands if Role(band) not in have]
    needs = {"code": entry.code, "dates": closest.dates, "coarsest_m": closest.coarsest_m}
    if missing:
        return say("cannot.bands", bands=missing, **needs)
    return say("cannot.observed", gsd_m=seen.gsd_m, **needs)


def judge(
    candidates: Iterable[Candidate],
    pack: RulePack,
    context: Context,
    on: date,
    refused: Mapping[str, Sentence] | None = None,
) -> list[Verdict]:
    """Each candidate against the pack's catalogue and the layers in force on a local date."""
    law = Law(pack, context, on, refused or {})
    return [_judge(candidate, law) for candidate in candidates]


def _judge(candidate: Candidate, law: Law) -> Verdict:
    entry = next((one for one in law.pack.violation_catalogue if candidate.kind in one.kinds), None)
    if entry is None:
        words = (*candidate.trace, say("law.no_rule", kind=candidate.kind))
        return Verdict(candidate, None, False, words)
    verdict = Verdict(candidate, entry, True, (*candidate.trace, _heading(entry, law)))
    for step in (_can_be_judged, _likely, _land_cover, _size, _where, _season, _permits):
        verdict = step(verdict, entry, law)
        if not verdict.is_lead:
            return verdict
    return _with(verdict, *_consequences(entry))


def _heading(entry: ViolationType, law: Law) -> Sentence:
    title = {"en": entry.title.en, "zh": entry.title.zh}
    return say("law.rule", title=title, code=entry.code, pack=law.pack.reference)


def _with(verdict: Verdict, *sentences: Sentence, is_lead: bool = True) -> Verdict:
    return replace(verdict, trace=(*verdict.trace, *sentences), is_lead=verdict.is_lead and is_lead)


def _can_be_judged(verdict: Verdict, entry: ViolationType, law: Law) -> Verdict:
    reason = law.refused.get(verdict.candidate.kind)
    return verdict if reason is None else _with(verdict, reason, is_lead=False)


def _likely(verdict: Verdict, entry: ViolationType, law: Law) -> Verdict:
    """What officers decided of finds like it, where an approved model ranked it."""
    measures = verdict.candidate.measures
    score, least = measures.get(RANKED, 1.0), measures.get(NEEDED, 0.0)
    return verdict if score >= least else _with(verdict, say("law.unlikely", score=score, least=least), is_lead=False)


def _land_cover(verdict: Verdict, entry: ViolationType, law: Law) -> Verdict:
    """How sure the engine was, and what it measured; what was not measured speaks for nobody's guilt."""
    seen, rule = verdict.candidate, entry.land_cover
    score = seen.measures.get(ENGINE, seen.score)
    if score < rule.least_score:
        return _with(verdict, say("law.unsure", score=score, least=rule.least_score), is_lead=False)
    for name, wanted in sorted(rule.measures.items()):
        if name not in seen.measures:
            return _with(verdict, say("law.unmeasured", name=name), is_lead=False)
        value = seen.measures[name]
        least = "-∞" if wanted.least is None else f"{wanted.least:g}"
        most = "∞" if wanted.most is None else f"{wanted.most:g}"
        key = "law.measured" if wanted.holds(value) else "law.measured_outside"
        verdict = _with(verdict, say(key, name=name, value=value, least=least, most=most), is_lead=wanted.holds(value))
        if not verdict.is_lead:
            break
    return verdict


def _size(verdict: Verdict, entry: ViolationType, law: Law) -> Verdict:
    area_m2, least_m2 = verdict.candidate.area_m2, entry.min_area_m2
    key = "law.large_enough" if area_m2 >= least_m2 else "law.too_small"
    return _with(verdict, say(key, code=entry.code, area_m2=area_m2, least_m2=least_m2), is_lead=area_m2 >= least_m2)


def _where(verdict: Verdict, entry: ViolationType, law: Law) -> Verdict:
    shape = verdict.candidate.geom
    for layer in entry.never_within:
        share = law.context.covered(layer, shape, law.on)
        if share >= MOST:
            return _with(verdict, say("law.never_within", share=share, layer=layer), is_lead=False)
    if not entry.only_within:
        return _with(verdict, say("law.everywhere"))
    for layer in entry.only_within:
        share = law.context.covered(layer, shape, law.on)
        if share >= MOST:
            places = tuple(law.context.overlaps(layer, shape, law.on))
            names = ", ".join(overlap.place.name for overlap in places[:3])
            inside = say("law.within", share=share, layer=layer, places=names)
            return replace(_with(verdict, inside), places=places)
    return _with(verdict, say("law.outside", layers=list(entry.only_within)), is_lead=False)


def _season(verdict: Verdict, entry: ViolationType, law: Law) -> Verdict:
    if not entry.seasons:
        return verdict
    spans = ", ".join(f"{one.first} – {one.last}" for one in entry.seasons)
    within = any(one.covers(law.on) for one in entry.seasons)
    key = "law.in_season" if within else "law.out_of_season"
    return _with(verdict, say(key, day=law.on.isoformat(), seasons=spans), is_lead=within)


def _permits(verdict: Verdict, entry: ViolationType, law: Law) -> Verdict:
    """Whether a permit excuses it, or has to be there for it; every permit that reaches into it is told."""
    near = [one for one in law.context.overlaps(PERMITS, verdict.candidate.geom) if one.share >= _TOUCHES]
    verdict = replace(verdict, permits=tuple(near))
    covering = [one for one in near if one.share >= MOST and one.place.counts_on(law.on)]
    excuse = next((one for one in covering if one.place.kind in entry.unless_permitted), None)
    if excuse is not None:
        told = _with(verdict, say("law.permitted", **_about(excuse)), is_lead=False)
        return replace(told, places=(*verdict.places, excuse))
    site = next((one for one in covering if one.place.kind in entry.only_permitted), None)
    if entry.only_permitted and site is None:
        return _with(verdict, say("law.no_site", kinds=list(entry.only_permitted)), is_lead=False)
    if site is not None:
        verdict = replace(_with(verdict, say("law.site", **_about(site))), places=(*verdict.places, site))
    else:
        verdict = _with(verdict, say("law.no_permit" if law.context.has(PERMITS) else "law.permits_unknown"))
    return _with(verdict, *(_beside(one, law.on) for one in near if one is not site))


def _beside(one: Overlap, on: date) -> Sentence:
    """A permit that reaches into a find and does not excuse it, with the first reason."""
    if not one.place.counts_on(on):
        return say("law.permit_not_in_force", day=on.isoformat(), **_about(one))
    return say("law.permit_elsewhere" if one.share < MOST else "law.permit_for_other", **_about(one))


def _about(permit: Overlap) -> dict[str, str | float]:
    """What is said of a permit: number, what it allows, holder where the layer names one, until when."""
    place = permit.place
    return {
        "share": permit.share,
        "number": place.number or place.public_id,
        "kind": place.kind or PERMITS,
        "holder": place.holder or "–",
        "until": place.valid_to.isoformat() if place.valid_to else "–",
    }


def _consequences(entry: ViolationType) -> Iterator[Sentence]:
    if entry.corroboration_required:
        yield say("law.corroboration")
    yield say(f"law.trust_{entry.trust}")
    basis = {"en": entry.legal_basis.en, "zh": entry.legal_basis.zh}
    yield say("law.basis_placeholder" if entry.legal_basis.placeholder else "law.basis", basis=basis)
