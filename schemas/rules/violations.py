"""What imagery may suggest as a violation, as data: how it shows, where the law looks, and how far it is trusted."""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from schemas.rules.values import Names, Strict

Code = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Words = Annotated[str, Field(min_length=1)]
Share = Annotated[float, Field(gt=0, le=1)]
# What bands of an image measure, as far as a rule may ask for them.
Band = Literal["blue", "green", "red", "red_edge", "nir", "swir1", "swir2"]
# A year that has every day of every year.
_LEAP_YEAR = 2024


class Text(Strict):
    """A text in the two languages of the house."""

    en: Words
    zh: Words


class LegalGround(Text):
    """The law on which a violation rests; a placeholder until the authority has named it, and told as one."""

    placeholder: bool


def _day_of_year(day: str) -> str:
    month, number = int(day[:2]), int(day[3:])
    if not 1 <= month <= 12 or not 1 <= number <= calendar.monthrange(_LEAP_YEAR, month)[1]:
        raise ValueError(f"{day!r} is no day of a year")
    return day


YearDay = Annotated[str, Field(pattern=r"^\d\d-\d\d$"), AfterValidator(_day_of_year)]


class Season(Strict):
    """Days of every year from `first` to `last`, both included (MM-DD); it may run over New Year."""

    first: YearDay
    last: YearDay

    def covers(self, day: date) -> bool:
        """Whether a local date lies in the season."""
        today = f"{day:%m-%d}"
        if self.first <= self.last:
            return self.first <= today <= self.last
        return today >= self.first or today <= self.last


class Observation(Strict):
    """One way in which a violation shows: on how many dates, in which bands of each, at which size of pixels."""

    dates: Literal[1, 2]
    bands: Annotated[tuple[Band, ...], Field(min_length=1)]
    coarsest_m: Annotated[float, Field(gt=0)]


class Range(Strict):
    """Values from `least` to `most`, both included; one of them may be open."""

    least: float | None = None
    most: float | None = None

    def holds(self, value: float) -> bool:
        """Whether a value lies in the range."""
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.least is None and self.most is None:
            raise ValueError("a range has a least or a most")
        if self.least is not None and self.most is not None and self.least > self.most:
            raise ValueError("the least is above the most")
        return self


class LandCover(Strict):
    """What of the land cover counts: which classes, how sure at least, and what their measures must be."""

    kinds: Annotated[Names, Field(min_length=1)]
    least_score: Annotated[float, Field(ge=0, le=1)] = 0.0
    measures: Mapping[Code, Range] = Field(default_factory=dict)


class SamePlace(Strict):
    """When two finds of different dates are one thing, and from when on it has grown.

    `least_share` is the share of the smaller outline that both cover; `grown_ratio` is later over earlier area.
    """

    least_share: Share
    grown_ratio: Annotated[float, Field(gt=1)]


class ViolationType(Strict):
    """A violation that imagery may suggest, and when the law looks away (G-35).

    `trust` says how far the way of finding it was tried: `low` never, or only on made imagery that says little of the
    real; `medium` on made imagery whose truth is known, `high` on real imagery whose truth is known. Places are
    layers, permits are named by what they allow.
    """

    code: Code
    title: Text
    legal_basis: LegalGround
    land_cover: LandCover
    observed: Annotated[tuple[Observation, ...], Field(min_length=1)]
    min_area_m2: Annotated[float, Field(gt=0)]
    trust: Literal["low", "medium", "high"]
    corroboration_required: bool
    same_place: SamePlace
    only_within: Names = ()
    never_within: Names = ()
    unless_permitted: Names = ()
    only_permitted: Names = ()
    seasons: tuple[Season, ...] = ()

    @property
    def kinds(self) -> tuple[str, ...]:
        """The segment classes that may be this violation."""
        return tuple(self.land_cover.kinds)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if both := set(self.only_within) & set(self.never_within):
            raise ValueError(f"{self.code} lies only and never within {sorted(both)}")
        if both := set(self.unless_permitted) & set(self.only_permitted):
            raise ValueError(f"{self.code} needs and forbids permits for {sorted(both)}")
        if self.trust == "low" and not self.corroboration_required:
            raise ValueError(f"{self.code} is trusted little and asks for no corroboration")
        return self


def contradictions(catalogue: tuple[ViolationType, ...], reviewed: bool) -> list[str]:
    """What the entries of one catalogue say against each other; `reviewed` says that no lawyer needs to look at it."""
    problems = []
    for what, names in (
        ("a segment class belongs to", [kind for entry in catalogue for kind in entry.kinds]),
        ("one code names", [entry.code for entry in catalogue]),
    ):
        if len(set(names)) != len(names):
            problems.append(f"{what} two violation types")
    if reviewed and any(entry.legal_basis.placeholder for entry in catalogue):
        problems.append("a legal basis is a placeholder, and violation_catalogue is not among needs_legal_review")
    return problems
