"""Hours at which a place counts: read, written and asked about, over midnight and over the change of clocks."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from geo import hours
from schemas.refusals import RuleViolation

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
SCHOOL = hours.from_text("MON-FRI 08:00-18:00; SAT 09:00-12:00")
NIGHT = hours.from_text("FRI 22:00-06:00")


def at(day, hour, minute=0, zone=SHANGHAI):
    """A moment of a week of July 2025, which has its Monday on the 7th."""
    return datetime(2025, 7, 6 + day, hour, minute, tzinfo=zone)


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ((1, 7, 59), False),
        ((1, 8, 0), True),
        ((5, 17, 59), True),
        ((5, 18, 0), False),
        ((6, 11, 59), True),
        ((6, 12, 0), False),
        ((7, 10, 0), False),
    ],
)
def test_hours__hold_from_their_beginning_until_before_their_end(when, holds):
    assert hours.hold(SCHOOL, at(*when), at(*when), SHANGHAI) is holds


@pytest.mark.parametrize(
    ("when", "holds"),
    [((5, 21, 59), False), ((5, 22, 0), True), ((6, 5, 59), True), ((6, 6, 0), False), ((6, 22), False)],
)
def test_hours__over_midnight__belong_to_the_day_on_which_they_begin(when, holds):
    assert hours.hold(NIGHT, at(*when), at(*when), SHANGHAI) is holds


def test_hours__of_a_period__any_moment_of_it_counts():
    assert hours.hold(SCHOOL, at(1, 6), at(1, 8), SHANGHAI)
    assert hours.hold(SCHOOL, at(1, 6), at(1, 20), SHANGHAI)
    assert not hours.hold(SCHOOL, at(1, 18), at(2, 7, 59), SHANGHAI)
    assert hours.hold(NIGHT, at(1, 0), at(1, 0) + timedelta(days=7), SHANGHAI)


def test_hours__are_local__whatever_zone_the_time_is_said_in():
    assert hours.hold(SCHOOL, at(1, 8).astimezone(BERLIN), at(1, 8).astimezone(BERLIN), SHANGHAI)
    assert not hours.hold(SCHOOL, at(1, 8), at(1, 8), BERLIN)


def test_hours__where_clocks_go_back__both_hours_count():
    night = hours.from_text("SUN 02:00-03:00")
    second = datetime(2025, 10, 26, 2, 30, fold=1, tzinfo=BERLIN)
    assert hours.hold(night, second, second, BERLIN)


def test_hours__none__always():
    assert hours.hold(None, at(7, 3), at(7, 3), SHANGHAI)


def test_hours__round_trip():
    for schedule in (SCHOOL, NIGHT, hours.from_text("MON-SUN 00:00-24:00"), hours.from_text("周六至周一 08:30-09:30")):
        assert hours.from_stored(hours.stored(schedule)) == schedule
        assert hours.from_text(hours.words(schedule)) == schedule
        assert hours.from_text(hours.words(schedule, "zh")) == schedule


@pytest.mark.parametrize(
    "text",
    ["", ";", "always", "MON", "MON 8:00-18:00", "MON 08:00", "MON 08:00-08:00", "MON 24:00-08:00", "MON 08:60-09:00",
     "MON,MON 08:00-09:00", "FUN 08:00-09:00", "MON 08:00-25:00", "MON 08:00-18:00; x", "MON ０８:００-09:00",
     "; ".join(["MON 08:00-09:00"] * 51)],
)  # fmt: skip
def test_GD_15__text_that_says_no_hours__refused(text):
    with pytest.raises(RuleViolation) as caught:
        hours.from_text(text)
    assert caught.value.refusals[0].text == "zone.schedule"


@pytest.mark.parametrize(
    "value",
    [[], [1], ["MON"], {}, [{}], [{"days": [], "from": "08:00", "until": "09:00"}],
     [{"days": ["MON"], "from": "08:00"}],
     [{"days": ["MON"], "from": 8, "until": "09:00"}], [{"days": [1], "from": "08:00", "until": "09:00"}],
     [{"days": ["MON"], "from": "08:00", "until": "09:00", "or": 1}], "MON"],
)  # fmt: skip
def test_GD_15__stored_value_that_says_no_hours__refused(value):
    with pytest.raises(RuleViolation, match="GD-15: "):
        hours.from_stored(value)
