"""What the gateway tells a vehicle, and how it reads what the vehicle says; values only."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink
from shapely.geometry import LineString

from flights.gateway.told import Step, harmless
from flights.link.telemetry import Sample, Telemetry
from flights.mission import Mission, RouteSpec, compile_route
from flights.model import Command, Fence, FencePolygon
from flights.path.ways import RTL_ALT_M
from flights.vehicle_orders import Fixes, RouteSpan, orders_of, way_home_pct
from geo.types import LonLat
from schemas.clock import FixedClock
from tests.missions import FlatGround
from tests.situations import HOME, R1
from web.cli.flight import WORDS

HERE = LonLat(HOME.x, HOME.y)
RING = (LonLat(113.25, 23.12), LonLat(113.29, 23.12), LonLat(113.29, 23.14))


class Hill(FlatGround):
    """A hill of 50 m in the middle of R1."""

    def heights_m(self, lons, lats):
        return 12.0 + 50.0 * np.exp(-(((np.asarray(lons) - 113.27) / 0.004) ** 2))


@pytest.fixture(scope="module")
def mission() -> Mission:
    return compile_route(RouteSpec(LineString(R1), 100.0, HERE, 10.0, 60.0), Hill())


def test_DC_1__orders__hold_the_published_items_and_a_fence_above_the_highest(mission):
    orders = orders_of(mission, Fence((FencePolygon(RING, inclusion=True),)))
    highest_m = max(item.alt_m or 0.0 for item in mission.items)
    assert highest_m > 140
    assert orders.fence_alt_max_m == pytest.approx(highest_m + 20)
    assert orders.parameters["FENCE_TYPE"] == 5
    assert orders.parameters["FENCE_ACTION"] == 1
    assert orders.parameters["FENCE_ENABLE"] == 1
    assert orders.fence_radius_m > 3_100
    assert len(orders.fence) == 3
    assert 1_200 < orders.longest_s < 3_600


@pytest.mark.parametrize(("endurance_min", "needed_pct"), [(None, 30.0), (1_000.0, 30.0), (25.0, 66.0), (5.0, 100.0)])
def test_DC_1__battery_for_the_mission__time_in_the_air_and_the_reserve(mission, endurance_min, needed_pct):
    """6.2 km at 10 m/s take 620 s, or 41 % of 25 minutes."""
    fence = Fence((FencePolygon(RING, inclusion=True),))
    orders = orders_of(mission, fence, endurance_min=endurance_min, reserve_share=0.25)
    assert orders.battery_pct == pytest.approx(needed_pct, abs=1.0)
    assert orders.wanted().battery_pct == orders.battery_pct
    assert orders.home == mission.home.at


@pytest.mark.parametrize(
    ("endurance_min", "away_m", "height_m", "pct"),
    [(None, 3_000.0, 100.0, 0.0), (25.0, 3_000.0, 100.0, 26.7), (25.0, 0.0, 100.0, 6.7), (25.0, 0.0, -3.0, 0.0)],
)
def test_way_home__from_far_and_high__takes_more_of_the_battery(mission, endurance_min, away_m, height_m, pct):
    """300 s home and 100 s down are 27 % of 25 minutes; where the endurance is not known, nothing is."""
    fence = Fence((FencePolygon(RING, inclusion=True),))
    orders = orders_of(mission, fence, endurance_min=endurance_min)
    assert way_home_pct(orders, away_m, height_m) == pytest.approx(pct, abs=0.1)


def test_ways_home__climb_on_board_as_high_as_they_were_judged_for(mission):
    orders = orders_of(mission, Fence((FencePolygon(RING, inclusion=True),)))
    assert orders.parameters["RTL_ALT"] == RTL_ALT_M * 100


def test_route_span__between_the_two_camera_orders__is_on_route(mission):
    span = RouteSpan.of(mission.items)
    flown = [n for n, item in enumerate(mission.items, 1) if item.command is Command.NAV_WAYPOINT and span.covers(n)]
    first, last = mission.items[span.after - 1].at, mission.items[flown[-1] - 1].at
    assert (first.lon, last.lon) == pytest.approx((R1[0][0], R1[1][0]), abs=1e-7)
    assert not span.covers(1)
    assert not span.covers(len(mission.items))


def sample(lon: float, lat: float, alt_rel_home_m: float, seq: int = 0) -> Sample:
    at = datetime(2025, 7, 2, 2, 0, tzinfo=UTC)
    return Sample(at, 60_000, lon, lat, alt_rel_home_m, 999.0, 90.0, 10.0, 80, seq)


def test_fix__height_above_ground__from_the_height_above_home_and_the_terrain(mission):
    fixes = Fixes(RouteSpan.of(mission.items), HERE, Hill())
    over_hill = fixes.of(sample(113.27, 23.125, 150.0, seq=6))
    assert over_hill.alt_agl_m == pytest.approx(100.0, abs=0.1)
    assert over_hill.at_s == 60.0
    assert over_hill.on_route
    assert not fixes.of(sample(113.27, 23.125, 150.0, seq=1)).on_route


def position(**values):
    base = {"time_boot_ms": 1_000, "lat": 231_250_000, "lon": 1_132_545_000, "alt": 112_000, "relative_alt": 100_000}
    return mavlink.MAVLink_global_position_int_message(
        **(base | {"vx": 300, "vy": 400, "vz": 0, "hdg": 9_000} | values)
    )


def test_telemetry__position__in_the_units_of_the_house():
    telemetry = Telemetry(FixedClock(datetime(2025, 7, 2, 2, 0, tzinfo=UTC)))
    telemetry.take(position())
    telemetry.take(position(hdg=65_535, time_boot_ms=2_000))
    first, second = telemetry.samples.get(), telemetry.samples.get()
    assert (first.lon, first.lat) == (113.2545, 23.125)
    assert (first.alt_rel_home_m, first.alt_amsl_m) == (100.0, 112.0)
    assert first.ground_speed_m_s == pytest.approx(5.0)
    assert (first.heading_deg, second.heading_deg) == (90.0, None)
    assert telemetry.vehicle_s == 2.0


def test_telemetry__boot_time_alone__no_time_of_day():
    """Before a fix SYSTEM_TIME counts from 1970; that is not a time to believe."""
    telemetry = Telemetry(FixedClock(datetime(2025, 7, 2, 2, 0, tzinfo=UTC)))
    telemetry.take(mavlink.MAVLink_system_time_message(0, 5_000))
    telemetry.take(mavlink.MAVLink_system_time_message(90_000_000, 6_000))
    assert telemetry.utc(6_000) is None
    believed = datetime(2025, 7, 2, 2, 0, 7, tzinfo=UTC)
    telemetry.take(mavlink.MAVLink_system_time_message(int(believed.timestamp() * 1e6), 7_000))
    assert telemetry.utc(8_000) == datetime(2025, 7, 2, 2, 0, 8, tzinfo=UTC)


def test_telemetry__time_runs_backwards__a_reboot():
    telemetry = Telemetry(FixedClock(datetime(2025, 7, 2, tzinfo=UTC)))
    telemetry.take(position(time_boot_ms=100_000))
    telemetry.take(position(time_boot_ms=99_900))
    assert not telemetry.rebooted
    telemetry.take(position(time_boot_ms=500))
    assert telemetry.rebooted


def test_telemetry__flood__keeps_the_newest(monkeypatch):
    monkeypatch.setattr("flights.link.telemetry.FEED_SIZE", 3)
    telemetry = Telemetry(FixedClock(datetime(2025, 7, 2, tzinfo=UTC)))
    for n in range(10):
        telemetry.take(position(time_boot_ms=n))
    assert [telemetry.samples.get().boot_ms for _ in range(3)] == [7, 8, 9]


def test_tell__listener_fails__nobody_else_hears_of_it():
    """A closed terminal or a sentence that lacks a word is no reason to call an aircraft back."""

    def broken(_step, _facts):
        raise BrokenPipeError

    harmless(broken)(Step.POSITION, {})


def test_words__both_languages__say_the_same_things():
    import string

    def fields(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    assert WORDS["en"].keys() == WORDS["zh"].keys()
    assert all(fields(WORDS["en"][word]) == fields(WORDS["zh"][word]) for word in WORDS["en"])


def test_fix__unknown_ground__height_unknown():
    class Unknown(FlatGround):
        def heights_m(self, lons, lats):
            return np.full(np.shape(lons), np.nan)

    fixes = Fixes(RouteSpan(1, 5), HERE, Unknown())
    assert math.isnan(fixes.of(sample(113.27, 23.125, 100.0)).alt_agl_m)
