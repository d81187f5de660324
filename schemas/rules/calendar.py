"""Counting legal days: calendar days, and working days with public holidays and moved working days."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated

from pydantic import Field, model_validator

from schemas.rules.values import DayKind, Days, Strict

SATURDAY = 5


class WorkCalendar(Strict):
    """The public holidays and the working weekend days of the years for which they were announced."""

    years: Annotated[tuple[int, ...], Field(min_length=1)]
    holidays: frozenset[date]
    adjusted_workdays: frozenset[date]

    @model_validator(mode="after")
    def _consistent(self) -> WorkCalendar:
        stray = {d for d in self.holidays | self.adjusted_workdays if d.year not in self.years}
        if stray:
            raise ValueError(f"{min(stray)} lies outside the years of the calendar")
        if both := self.holidays & self.adjusted_workdays:
            raise ValueError(f"{min(both)} is both a holiday and a working day")
        return self

    def is_working_day(self, day: date) -> bool:
        """Whether offices work on `day`; LookupError for a year whose holidays are not announced here."""
        if day.year not in self.years:
            raise LookupError(f"the calendar of this rule pack does not cover {day.year}")
        if day in self.adjusted_workdays:
            return True
        return day.weekday() < SATURDAY and day not in self.holidays

    def after(self, start: date, period: Days) -> date:
        """The last day of `period` when `start` is day 0."""
        if period.kind is DayKind.CALENDAR:
            return start + timedelta(days=period.count)
        day = start
        for _ in range(period.count):
            day += timedelta(days=1)
            while not self.is_working_day(day):
                day += timedelta(days=1)
        return day
