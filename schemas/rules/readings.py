"""What readings of instruments may suggest as a violation, as data: the value, over which time, on how much of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.rules.values import Strict
from schemas.rules.violations import Code, LegalGround, Share, Text, Words

MINUTES_PER_DAY = 1440


class ReadingLimit(Strict):
    """A limit on windows of readings of one observed property, known by its definition (SensorThings).

    A window is `window_min` long and begins at local midnight or a whole number of windows after it. It is cut into
    slots of `slot_min`; the value of a slot is the mean of its valid readings, that of the window the average of its
    slots. A window of which less than `least_valid` of the slots have a reading says nothing. `energy` averages
    levels in decibels. `units` are the symbols that readings may come in, each with what it is of the limit's own.
    """

    code: Code
    kind: Literal["air_exceedance", "water_exceedance", "noise_exceedance"]
    title: Text
    definition: Words
    unit: Words
    units: Annotated[Mapping[str, Annotated[float, Field(gt=0)]], Field(min_length=1)]
    least: float | None = None
    most: float | None = None
    window_min: Annotated[int, Field(ge=1, le=MINUTES_PER_DAY)]
    slot_min: Annotated[int, Field(ge=1)]
    average: Literal["mean", "energy"] = "mean"
    least_valid: Share
    wait_min: Annotated[int, Field(ge=0, le=7 * MINUTES_PER_DAY)]
    legal_basis: LegalGround

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.least is None and self.most is None:
            raise ValueError(f"{self.code} has neither a least nor a most")
        if self.least is not None and self.most is not None and self.least >= self.most:
            raise ValueError(f"the least of {self.code} is not below the most")
        if MINUTES_PER_DAY % self.window_min or self.window_min % self.slot_min:
            raise ValueError(f"windows of {self.code} do not fill a day, or its slots no window")
        return self


def reading_contradictions(limits: tuple[ReadingLimit, ...], reviewed: bool) -> list[str]:
    """What the limits of one pack say against each other; `reviewed` says that no lawyer needs to look at them."""
    problems = []
    codes = [one.code for one in limits]
    if len(set(codes)) < len(codes):
        problems.append("one code names two limits on readings")
    if reviewed and any(one.legal_basis.placeholder for one in limits):
        problems.append("a legal basis is a placeholder, and reading_limits is not among needs_legal_review")
    return problems
