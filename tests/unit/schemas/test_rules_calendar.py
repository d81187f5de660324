"""Counting legal days, with the public holidays and moved working days of the pack."""

from datetime import date, time

import pytest
from pydantic import ValidationError

from schemas.rules import DayKind, Days, QuietHours, Rulebook
from schemas.rules.calendar import WorkCalendar


@pytest.fixture(scope="module")
def calendar():
    return Rulebook.load()["cn-gd-2025"].calendar


@pytest.mark.parametrize(
    ("applied", "deadline"),
    [(date(2025, 4, 30), date(2025, 5, 8)), (date(2025, 10, 10), date(2025, 10, 14))],
    ids=["over the May holiday", "over a working Saturday"],
)
def test_GD_42_3__three_working_days(calendar, applied, deadline):
    assert calendar.after(applied, Days(count=3, kind=DayKind.WORKING)) == deadline


def test_GD_14_2__thirty_calendar_days(calendar):
    assert calendar.after(date(2025, 6, 1), Days(count=30, kind=DayKind.CALENDAR)) == date(2025, 7, 1)


def test_calendar__no_days__same_day(calendar):
    assert calendar.after(date(2025, 5, 1), Days(count=0, kind=DayKind.WORKING)) == date(2025, 5, 1)


def test_calendar__year_without_announced_holidays__error(calendar):
    with pytest.raises(LookupError, match="2031"):
        calendar.is_working_day(date(2031, 1, 6))


@pytest.mark.parametrize(
    ("holidays", "workdays", "words"),
    [
        ([date(2024, 1, 1)], [], "outside the years"),
        ([date(2025, 1, 1)], [date(2025, 1, 1)], "both a holiday and a working day"),
    ],
)
def test_calendar__contradiction__refused(holidays, workdays, words):
    with pytest.raises(ValidationError, match=words):
        WorkCalendar(years=(2025,), holidays=frozenset(holidays), adjusted_workdays=frozenset(workdays))


@pytest.mark.parametrize(
    ("local", "quiet"),
    [(time(21, 59), False), (time(22), True), (time(0), True), (time(6, 59), True), (time(7), False)],
)
def test_GD_16_5__quiet_hours_run_over_midnight(local, quiet):
    assert QuietHours(start=time(22), end=time(7)).covers(local) is quiet


def test_GD_16_5__quiet_hours_within_a_day():
    siesta = QuietHours(start=time(13), end=time(15))
    assert siesta.covers(time(14))
    assert not siesta.covers(time(15))
    assert not siesta.covers(time(3))
