"""Overlays: what a work plan asks for beyond the law of its place, merged over a rule pack (G-42).

Where both set a value the stricter one holds; an overlay that means to replace a value says so, with its source.
Each authority switches its overlays on and off by its own decision.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from schemas.rules.pack import LegalAct, Override, RulePack
from schemas.rules.values import KEYS, Days, Names, Strict, Values
from schemas.rules.violations import Text, Words


class Stricter(StrEnum):
    """Which of two values of a key asks for more."""

    MORE = "more"
    LESS = "less"
    TRUE = "true"
    ALL = "all"


_MORE = """
    publication.lead_days officers.online_inspection_min officers.penalty_min officers.content_review_min
    uav.residential_min_agl_m uav.area_iou_min uav.terrain_clearance_m privacy.buffer_m retention.case_years
    publish.updates_per_month publish.exposure_per_month due.remind_days
"""
_LESS = """
    maintenance.max_days block.max_days review.max_age_months review.decide_within evaluation.interval_months
    evaluation.grace_days uav.max_changes_per_year uav.marking_valid_months uav.controlled_above_agl_m
    flight.deviation_tolerance_m device.moved_tolerance_m maintenance.interval_months inspection_plan.max_months
    alert.yellow_after_days alert.performance_after_days recusal.decide_within notice.suspected_due
    behaviour.export_due complaint.reply_due sharing.reply_due correction.max retention.footage_days
    retention.telemetry_days calibration.max_months
"""
_TRUE = """
    publication.clear_days publication.resume_requires_republish uav.unit_head_approval uav.marking_required
    uav.siting_plan_required signage.photo_required objection.no_heavier edelivery.consent_required
    item.catalogue_only item.offsite_list_only entity.written_notice entity.risk_plan patrol.daily_record
    case.leniency_step
"""
_ALL = """
    privacy.prohibited_place_types review.legal.items review.technical.items siting.reasons siting.need
    siting.revenue_words view.faults data.databases case.stages
"""
DIRECTIONS: Mapping[str, Stricter] = {
    key: direction
    for direction, keys in zip(Stricter, (_MORE, _LESS, _TRUE, _ALL), strict=True)
    for key in keys.split()
}


class Replacement(Override):
    """A value that an overlay sets whatever the pack says, and the source that lets it."""


class Overlay(Strict):
    """A partial rule pack; overlays are merged in ascending `order`."""

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*$")]
    version: Annotated[int, Field(gt=0)]
    order: int
    title: Text
    legal_basis: Annotated[tuple[LegalAct, ...], Field(min_length=1)]
    effective_from: date
    values: Mapping[str, Any]
    sources: Mapping[str, Words]
    replace: tuple[Replacement, ...] = ()
    needs_legal_review: Names = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        replaced = {entry.key for entry in self.replace}
        problems = [f"unknown key {key!r}" for key in sorted((set(self.values) | replaced) - KEYS)]
        if missing := sorted(set(self.values) - set(self.sources)):
            problems.append(f"no source is given for {missing}")
        if unknown := sorted(set(self.sources) - set(self.values)):
            problems.append(f"sources names keys without a value: {unknown}")
        if both := sorted(set(self.values) & replaced):
            problems.append(f"both merged and replaced: {both}")
        if problems:
            raise ValueError("; ".join(problems))
        return self


def merged(pack: RulePack, overlays: Iterable[Overlay]) -> RulePack:
    """The pack with the overlays over it; raises ValueError where a conflict has no stricter side.

    What other laws set differently (`overrides`) prevails over overlays too.
    """
    chosen = sorted(overlays, key=lambda overlay: (overlay.order, overlay.id))
    if not chosen:
        return pack
    document = pack.document()
    values = pack.values
    sources = {key: pack.source(key) for key in KEYS}
    for overlay in chosen:
        for key, given in overlay.values.items():
            held = _stricter(key, values[key], _with(values, key, given)[key])
            if held != values[key]:
                values, sources[key] = _with(values, key, held), overlay.sources[key]
        for entry in overlay.replace:
            values, sources[entry.key] = _with(values, entry.key, entry.value), entry.source
    document["values"] = values.model_dump(mode="json", by_alias=True)
    document["sources"] = sources
    document["overlays"] = [overlay.id for overlay in chosen]
    document["legal_basis"] += [act.model_dump(mode="json") for overlay in chosen for act in overlay.legal_basis]
    return RulePack.model_validate(document)


def _with(values: Values, key: str, value: Any) -> Values:  # noqa: ANN401
    """The values with another one of a key, which is held to the type of that key."""
    return Values.model_validate({known: values[known] for known in KEYS} | {key: value})


def _stricter(key: str, current: Any, given: Any) -> Any:  # noqa: ANN401
    if current is None or given == current:
        return given
    direction = DIRECTIONS.get(key)
    if direction is Stricter.ALL:
        return tuple(dict.fromkeys((*current, *given)))
    if direction is Stricter.TRUE:
        return current or given
    if direction is None or (isinstance(current, Days) and current.kind is not given.kind):
        raise ValueError(f"{key} has no stricter side of {current!r} and {given!r}; say replace, with a source")
    rank = (lambda value: value.count) if isinstance(current, Days) else (lambda value: value)
    return (max if direction is Stricter.MORE else min)(current, given, key=rank)
