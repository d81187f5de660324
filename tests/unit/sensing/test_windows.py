"""Readings in the windows of a limit: where they begin, what they average to, and when they say nothing."""

import math
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas.rules import Rulebook
from schemas.rules.readings import ReadingLimit
from sensing.sensors.windows import Sample, digest, window_of, windows

SHANGHAI = ZoneInfo("Asia/Shanghai")
LIMITS = {one.code: one for one in Rulebook.load()["cn-gd-2025"].reading_limits}
DAY, NOISE, PH = LIMITS["pm25_day"], LIMITS["noise_hour"], LIMITS["water_ph"]
MIDNIGHT = datetime(2025, 6, 30, 16, tzinfo=UTC)  # in Shanghai
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def hourly(values, start=MIDNIGHT):
    return [Sample(start + n * HOUR, float(value)) for n, value in enumerate(values)]


def test_window__of_a_day__from_local_midnight_to_the_next():
    assert window_of(MIDNIGHT, DAY, SHANGHAI) == (MIDNIGHT, MIDNIGHT + 24 * HOUR)
    assert window_of(MIDNIGHT - timedelta(microseconds=1), DAY, SHANGHAI)[1] == MIDNIGHT


def test_window__of_an_hour__clock_hour():
    assert window_of(MIDNIGHT + 61 * MINUTE, NOISE, SHANGHAI) == (MIDNIGHT + HOUR, MIDNIGHT + 2 * HOUR)


def test_GD_36_1__twenty_hours_of_a_day__enough_and_nineteen_are_not():
    (enough,) = windows(hourly([100] * 20), DAY, SHANGHAI)
    (few,) = windows(hourly([100] * 19), DAY, SHANGHAI)
    assert (enough.beyond(DAY), few.beyond(DAY)) == (True, False)
    assert few.value == pytest.approx(100)


def test_limit__exactly_reached__not_beyond():
    (window,) = windows(hourly([75] * 24), DAY, SHANGHAI)
    assert not window.beyond(DAY)


def test_limit__least__below_it_is_beyond():
    (low,) = windows([Sample(MIDNIGHT + n * 10 * MINUTE, 5.5) for n in range(6)], PH, SHANGHAI)
    (fine,) = windows([Sample(MIDNIGHT + n * 10 * MINUTE, 7.5) for n in range(6)], PH, SHANGHAI)
    assert (low.beyond(PH), fine.beyond(PH)) == (True, False)


def test_slot__many_readings_in_one__weigh_as_one():
    crowded = [Sample(MIDNIGHT + n * MINUTE, 1000.0) for n in range(59)]
    (window,) = windows([*crowded, *hourly([0] * 23, MIDNIGHT + HOUR)], DAY, SHANGHAI)
    assert window.value == pytest.approx(1000 / 24)
    assert window.readings == 82


def test_reading__marked_invalid_or_suspect__counts_for_nothing():
    bad = [
        Sample(one.at, 10_000.0, quality)
        for one, quality in zip(hourly([0] * 4), ["invalid", "suspect"] * 2, strict=True)
    ]
    (window,) = windows([*bad, *hourly([10] * 20, MIDNIGHT + 4 * HOUR)], DAY, SHANGHAI)
    assert window.value == pytest.approx(10)
    assert window.valid_share == pytest.approx(20 / 24)


def test_noise__energy_mean__not_that_of_the_numbers():
    levels = [Sample(MIDNIGHT + n * MINUTE, 90.0 if n < 6 else 40.0) for n in range(60)]
    (window,) = windows(levels, NOISE, SHANGHAI)
    assert window.value == pytest.approx(80.0, abs=0.01)
    assert window.beyond(NOISE)


def test_unit__thousand_times_larger__converted():
    (window,) = windows(hourly([0.1] * 24), DAY, SHANGHAI, factor=DAY.units["mg/m3"])
    assert window.value == pytest.approx(100)


@given(st.lists(st.tuples(st.integers(0, 3 * 1440 - 1), st.floats(-1e9, 1e9)), max_size=80), st.randoms())
def test_windows__any_order__same_windows_that_hold_every_reading_once(drawn, random):
    samples = [Sample(MIDNIGHT + minute * MINUTE, value) for minute, value in drawn]
    made = list(windows(samples, DAY, SHANGHAI))
    random.shuffle(samples)
    assert list(windows(samples, DAY, SHANGHAI)) == made
    assert sum(one.readings for one in made) == len(samples)
    assert all(0 < one.valid_share <= 1 and one.end - one.start == 24 * HOUR for one in made)
    assert all(a.end <= b.start for a, b in pairwise(made))


@given(st.lists(st.floats(-200, 5_000), min_size=1, max_size=30))
def test_energy__lies_between_the_mean_and_the_highest(levels):
    (window,) = windows([Sample(MIDNIGHT + n * MINUTE, one) for n, one in enumerate(levels)], NOISE, SHANGHAI)
    assert math.fsum(levels) / len(levels) - 1e-6 <= window.value <= max(levels) + 1e-9


def test_digest__one_reading_changed__another():
    samples = hourly([1, 2, 3])
    assert digest(samples) != digest([*samples[:2], samples[2]._replace(value=3.0000000001)])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"most": None}, "neither a least nor a most"),
        ({"least": 80.0}, "not below the most"),
        ({"window_min": 77}, "do not fill a day"),
        ({"slot_min": 7}, "do not fill a day"),
        ({"units": {}}, "at least 1 item"),
        ({"units": {"x": 0}}, "greater than 0"),
        ({"least_valid": 0}, "greater than 0"),
    ],
)
def test_limit__that_contradicts_itself__refused(change, words):
    with pytest.raises(ValidationError, match=words):
        ReadingLimit.model_validate(DAY.model_dump() | change)
