"""Vehicles' clocks that are ahead, behind, go back or tell no time of day (reliability.md 57)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.link.clocks import ClockWatch, Doubt
from schemas.clock import FixedClock

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


class Vehicle:
    def __init__(self) -> None:
        self.clock = FixedClock(NOW)
        self.watch = ClockWatch(self.clock)

    def passes(self, seconds: float) -> None:
        self.clock.at += timedelta(seconds=seconds)

    def tells(self, off_s: float | None, boot_s: float) -> None:
        usec = 0 if off_s is None else int((self.clock.at + timedelta(seconds=off_s)).timestamp() * 1e6)
        self.watch.take(mavlink.MAVLink_system_time_message(usec, int(boot_s * 1000)))

    def is_at(self, boot_s: float) -> None:
        self.watch.take(mavlink.MAVLink_global_position_int_message(int(boot_s * 1000), 1, 1, 0, 0, 0, 0, 0, 0))


@pytest.fixture
def vehicle() -> Vehicle:
    return Vehicle()


def test_57__clock_that_is_right__believed_with_its_offset(vehicle):
    for second in range(20):
        vehicle.tells(0.25, 60 + second)
        vehicle.passes(1)
    assert vehicle.watch.standing.believed
    assert vehicle.watch.standing.render() == {"offset_s": 0.25, "doubts": []}


@pytest.mark.parametrize(("off_s", "doubt"), [(600, Doubt.AHEAD), (-600, Doubt.BEHIND)])
def test_57__ten_minutes_off__flagged_and_the_offset_kept(vehicle, off_s, doubt):
    vehicle.tells(off_s, 60)
    standing = vehicle.watch.standing
    assert (standing.offset_s, standing.doubts, standing.believed) == (off_s, {doubt}, False)


def test_57__back_by_a_minute__flagged_for_good(vehicle):
    vehicle.tells(0, 60)
    vehicle.passes(1)
    vehicle.tells(-60, 61)
    vehicle.passes(1)
    vehicle.tells(0, 62)
    assert vehicle.watch.standing.doubts == {Doubt.BACKWARDS, Doubt.JUMPED}


def test_57__time_since_boot_goes_back__flagged(vehicle):
    vehicle.is_at(100)
    vehicle.is_at(99)
    assert not vehicle.watch.standing.doubts
    vehicle.is_at(3)
    assert vehicle.watch.standing.doubts == {Doubt.BACKWARDS}


def test_57__no_time_of_day__boot_only_until_one_comes(vehicle):
    for n in range(60):
        vehicle.is_at(n / 10)
        vehicle.tells(None, n / 10)
    assert vehicle.watch.standing.doubts == {Doubt.BOOT_ONLY}
    assert not vehicle.watch.standing.believed
    vehicle.tells(1, 7)
    assert vehicle.watch.standing.believed


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1))
def test_57__any_numbers__never_raise(usec, boot_ms):
    watch = ClockWatch(FixedClock(NOW))
    watch.take(mavlink.MAVLink_system_time_message(usec, boot_ms))
    watch.take(mavlink.MAVLink_heartbeat_message(2, 3, 0, 0, 3, 3))
    assert watch.standing.offset_s is None or watch.standing.render()["offset_s"] is not None
