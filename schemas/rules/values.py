"""The values of a rule pack: every legal number, period and list, typed and named by its dotted key.

A field `publication__lead_days` is the key `publication.lead_days` of a pack (requirements.md 7.2).
A pack gives every key, and no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Strict(BaseModel):
    """A part of a rule pack: frozen, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DayKind(StrEnum):
    """How days are counted: every day of the calendar, or working days with their holidays (G-2)."""

    CALENDAR = "calendar"
    WORKING = "working"


class Days(Strict):
    """A period of whole days."""

    count: Annotated[int, Field(ge=0)]
    kind: DayKind


class MinChannels(Strict):
    """How many channels a publication needs: official ones, and further ones convenient to the public."""

    official: Annotated[int, Field(ge=0)]
    further: Annotated[int, Field(ge=0)]


class QuietHours(Strict):
    """Local times between which no drone patrols; the period may run over midnight."""

    start: time
    end: time

    def covers(self, local: time) -> bool:
        """Whether `local` lies in [start, end)."""
        if self.start <= self.end:
            return self.start <= local < self.end
        return local >= self.start or local < self.end


class Cutoff(Strict):
    """A clock time some days before the day itself, in local time."""

    days_before: Annotated[int, Field(ge=0)]
    at: time


class Separation(Strict):
    """How much air a flight holds beyond the tolerance within which it conforms, and how exactly its times are known.

    `speed_share` is how much faster or slower than planned it may fly, `clock_s` by how much clocks may differ.
    """

    lateral_m: Annotated[float, Field(ge=0, le=10_000)]
    height_m: Annotated[float, Field(ge=0, le=1_000)]
    speed_share: Annotated[float, Field(ge=0, lt=1)]
    clock_s: Annotated[float, Field(ge=0, le=600)]


class CameraLimits(Strict):
    """How a drone's camera may look: tilted so far from straight down, and at ground no further away than `look_m`.

    `roll_margin_deg` is added to either side of its view, for what the gimbal does not take out.
    """

    max_tilt_deg: Annotated[float, Field(ge=0, lt=90)]
    look_m: Annotated[float, Field(gt=0, le=10_000)]
    roll_margin_deg: Annotated[float, Field(ge=0, le=30)]


class Endurance(Strict):
    """What is kept of a drone's endurance when it lands, and whether a drone without a known one may fly."""

    reserve_share: Annotated[float, Field(ge=0, lt=1)]
    must_be_known: bool


class Emergency(Strict):
    """How many minutes before an emergency flight it is applied for, and decided about."""

    apply_min: Annotated[int, Field(ge=0)]
    decide_min: Annotated[int, Field(ge=0)]


class EntityThreshold(Strict):
    """So many events within so many days."""

    count: Annotated[int, Field(gt=0)]
    days: Annotated[int, Field(gt=0)]


def _distinct(items: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(items)) != len(items):
        raise ValueError("an entry is listed twice")
    return items


Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(gt=0)]
Metres = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Names = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], AfterValidator(_distinct)]
MonthDay = Annotated[str, Field(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")]


def dotted(field: str) -> str:
    """The key of a pack for a field of `Values`: `publication__lead_days` is `publication.lead_days`."""
    return field.replace("__", ".")


class Values(Strict):
    """Every value of a pack. Periods without a unit in their name are `Days`."""

    model_config = ConfigDict(alias_generator=dotted)

    publication__lead_days: Count
    publication__day_kind: DayKind
    publication__clear_days: bool
    publication__min_channels: MinChannels
    publication__resume_requires_republish: bool
    publication__maintenance_exempt: bool
    maintenance__max_days: Count
    block__max_days: Count
    siting__approver_level: str | None
    siting__reasons: Names
    siting__need: Names
    siting__revenue_words: Names
    signage__photo_required: bool
    device__moved_tolerance_m: Metres
    maintenance__interval_months: Positive
    calibration__max_months: Positive
    due__remind_days: Count
    review__legal__items: Names
    review__technical__items: Names
    review__attachments: Mapping[str, str]
    review__max_age_months: Positive
    review__decide_within: Days
    evaluation__interval_months: Positive
    evaluation__grace_days: Count
    privacy__prohibited_place_types: Names
    privacy__buffer_m: Metres
    uav__unit_head_approval: bool
    uav__marking_required: bool
    uav__area_iou_min: Share
    uav__max_changes_per_year: Count
    uav__quiet_hours: QuietHours
    uav__residential_min_agl_m: Metres
    uav__marking_valid_months: Positive
    uav__emergency_enabled: bool
    uav__siting_plan_required: bool
    uav__controlled_above_agl_m: Metres
    uav__filing__decided_by: Cutoff
    uav__filing__readiness_min: Count
    uav__filing__emergency: Emergency
    uav__filing__late: Literal["refuse", "tell"]
    uav__camera: CameraLimits
    uav__endurance: Endurance
    uav__terrain_clearance_m: Metres
    flight__deviation_tolerance_m: Metres
    flight__separation: Separation
    inspection_plan__max_months: Positive
    airspace__application_cutoff: Cutoff
    officers__online_inspection_min: Positive
    officers__penalty_min: Positive
    officers__content_review_min: Positive
    correction__max: Count
    correction__override: Literal["unit_head_with_reason", "none"]
    recusal__decide_within: Days
    notice__suspected_due: Days
    item__catalogue_only: bool
    item__offsite_list_only: bool
    entity__written_notice: bool
    entity__risk_plan: bool
    patrol__daily_record: bool
    view__faults: Names
    data__databases: Names
    case__leniency_step: bool
    case__stages: Names
    alert__yellow_after_days: Count
    alert__performance_after_days: Count
    alert__day_kind: DayKind
    alert__entity_threshold: EntityThreshold
    hotspot__count: Positive
    hotspot__days: Positive
    hotspot__radius_m: Metres
    annual_report__due: MonthDay
    publish__updates_per_month: Count
    publish__exposure_per_month: Count
    publish__flight_log_delay_hours: Count
    behaviour__export_due: Days | None
    complaint__reply_due: Days
    sharing__reply_due: Days
    edelivery__consent_required: bool
    edelivery__service_date: Literal["arrived_at", "sent_at"]
    evidence__require_lawful_device: Literal["strict", "propose"]
    objection__no_heavier: bool
    duplicate__coverage_ratio: Share
    retention__footage_days: Positive
    retention__telemetry_days: Positive
    retention__case_years: Positive

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401
        """The value of the dotted key `key`; KeyError when there is no such key."""
        if key not in KEYS:
            raise KeyError(key)
        return getattr(self, key.replace(".", "__"))


KEYS = frozenset(map(dotted, Values.model_fields))
