"""The parts of the simulated vehicle by themselves: options, fence, battery, motion, the mission."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyproj import Geod

from flights.simulator.airframe import Airframe, Place, Wish
from flights.simulator.autopilot import Autopilot, Mode
from flights.simulator.battery import Battery
from flights.simulator.options import (
    CameraModel,
    Faults,
    Options,
    parse_home,
    parse_image,
    parse_listen,
    parse_wind,
)
from flights.simulator.params import Parameters
from flights.simulator.process import FlatGround
from flights.simulator.storage import Stored
from schemas.refusals import RuleViolation

HOME = Place(23.1250, 113.2545, 12.0)


def options(**values):
    base = {"listen": "tcp:127.0.0.1:5760", "home_lon": HOME.lon, "home_lat": HOME.lat, "home_amsl_m": 12.0}
    return Options(**(base | {"start_time": datetime(2025, 7, 2, tzinfo=UTC)} | values))


class Told:
    """An autopilot with what it said and shot."""

    def __init__(self, **values):
        self.texts, self.shots = [], []
        ground = values.pop("ground", FlatGround(12.0))
        self.autopilot = Autopilot(
            options(**values), ground, lambda _, text: self.texts.append(text), lambda: self.shots.append(1)
        )

    def load(self, *items):
        self.autopilot.mission.load([self.autopilot.home_item(), *items])

    def run(self, seconds):
        for _ in range(round(seconds / 0.05)):
            self.autopilot.step(0.05)

    def take_off(self):
        self.run(45)
        self.autopilot.set_mode(Mode.GUIDED)
        assert self.autopilot.arm() == 0, self.texts
        assert self.autopilot.start_mission() == 0


def item(command, *params, lat=0.0, lon=0.0, z=0.0, frame=3):
    four = (*params, *([0.0] * (4 - len(params))))
    return Stored(command, frame, four, round(lat * 1e7), round(lon * 1e7), z)


def test_options__out_of_range__all_named():
    with pytest.raises(RuleViolation) as refused:
        options(speed_up=0.0, wind_m_s=90.0, frames=Path("x"), faults=Faults(loss=1.0))
    assert refused.value.refusals[0].measured == "speed-up, wind, frames, loss"


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"endurance_s": 0.0}, "endurance"),
        ({"endurance_s": math.nan}, "endurance"),
        ({"faults": Faults(tamper_item=0)}, "tamper-item"),
        ({"start_time": datetime(9999, 12, 31, tzinfo=UTC)}, "start-time"),
    ],
)
def test_options__what_would_end_it_in_flight__refused_at_the_start(change, name):
    with pytest.raises(RuleViolation) as refused:
        options(**change)
    assert refused.value.refusals[0].measured == name


@pytest.mark.parametrize("text", ["", "1", "a,b", "1,2,3,4", "nan,2"])
def test_options__bad_home__refused(text):
    with pytest.raises(RuleViolation, match=r"simulator\.option: "):
        parse_home(text)


def test_options__texts__parsed():
    assert parse_home("113.2,23.1") == (113.2, 23.1, None)
    assert parse_home("113.2,23.1,8") == (113.2, 23.1, 8.0)
    assert parse_wind("5") == (5.0, 0.0)
    assert parse_wind("5,270") == (5.0, 270.0)
    assert parse_image("640x480") == (640, 480)
    assert parse_listen("udp:127.0.0.1:14550") == ("udp", "127.0.0.1", 14550)
    for wrong in (lambda: parse_image("640"), lambda: parse_wind("1,2,3"), lambda: parse_listen("tcp:5760")):
        with pytest.raises(RuleViolation):
            wrong()


def test_camera__70_degrees_at_100_m__sees_140_m():
    assert CameraModel(70.0).ground_width_m(100.0) == pytest.approx(140.04, abs=0.01)


def test_place__offsets__agree_with_the_ellipsoid():
    there = Place(23.1400, 113.2900, 12.0)
    azimuth, _, distance_m = Geod(ellps="WGS84").inv(HOME.lon, HOME.lat, there.lon, there.lat)
    north, east = HOME.offset_m(there)
    assert math.hypot(north, east) == pytest.approx(distance_m, abs=0.05)
    assert math.degrees(math.atan2(east, north)) == pytest.approx(azimuth, abs=0.02)


def test_airframe__wished_speed__reached_with_limited_acceleration():
    frame = Airframe(HOME, 0.0, 0.0)
    for n in range(20):
        frame.step(Wish(10.0, 0.0, 0.0), 0.05, n * 0.05, 2.5)
    assert frame.speed_m_s == pytest.approx(2.5, abs=0.1)
    assert frame.yaw_deg == 0.0


def test_battery__wind__empties_it_sooner():
    still, windy = Battery(100.0, 1000.0, 0.0), Battery(100.0, 1000.0, 10.0)
    still.drain(100.0)
    windy.drain(100.0)
    assert still.percent == pytest.approx(90.0)
    assert windy.percent < still.percent
    params = Parameters()
    assert Battery(21.0, 1000.0, 0.0).action(params) == 0
    assert Battery(19.0, 1000.0, 0.0).action(params) == 2
    assert Battery(9.0, 1000.0, 0.0).action(params) == 1


def test_arming__settling_as_measured__refused_with_reasons():
    told = Told()
    told.autopilot.set_mode(Mode.GUIDED)
    assert told.autopilot.arm() != 0
    assert "Arm: GPS 1: Bad fix" in told.texts
    told.run(30)
    told.texts.clear()
    assert told.autopilot.failed_checks() == []
    assert told.autopilot.arm() != 0
    assert told.texts == ["Arm: Need Position Estimate"]
    told.run(12)
    assert told.autopilot.arm() == 0


def test_arming__in_auto__refused():
    told = Told()
    told.load(item(22, z=10.0), item(20))
    told.run(45)
    assert told.autopilot.set_mode(Mode.AUTO) == 0
    assert told.autopilot.arm() != 0
    assert told.texts[-1] == "Arm: AUTO mode not armable"


def test_mode__auto_without_a_mission__refused():
    assert Told().autopilot.set_mode(Mode.AUTO) != 0
    assert Told().autopilot.set_mode(99) != 0


def test_mission__orders_between_waypoints__obeyed():
    told = Told()
    told.load(
        item(22, z=20.0),
        item(178, 1.0, 6.0),
        item(16, 5.0, lat=23.1255, lon=113.2545, z=20.0),
        item(206, 10.0, 0.0, 1.0),
        item(16, lat=23.1255, lon=113.2555, z=20.0),
        item(206, 0.0),
        item(177, 3.0, 1.0),
        item(20),
    )
    told.take_off()
    speeds = []
    for _ in range(4000):
        told.run(0.05)
        speeds.append(told.autopilot.airframe.speed_m_s)
    assert not told.autopilot.armed
    assert max(speeds) < 10.2
    # The pictures of the second leg, flown once more because of the jump.
    assert 20 <= len(told.shots) <= 24
    assert told.autopilot.reached == [1, 3, 5, 3, 5]


def test_mission__terrain_frame__height_over_ground():
    class Slope:
        has_terrain = True

        def ground_m(self, lat, lon):
            return 12.0 + max(0.0, (lon - 113.2545) * 10_000)

    told = Told(ground=Slope())
    told.load(item(22, z=20.0), item(16, lat=23.125, lon=113.2565, z=20.0, frame=10), item(17, z=40.0))
    told.take_off()
    told.run(60)
    assert told.autopilot.airframe.place.amsl_m == pytest.approx(12 + 20 + 20, abs=0.5)


def test_mission__land_item__lands_there():
    told = Told()
    told.load(item(22, z=15.0), item(21, lat=23.1252, lon=113.2545))
    told.take_off()
    told.run(90)
    assert not told.autopilot.armed
    assert told.autopilot.airframe.place.lat == pytest.approx(23.1252, abs=2e-5)


def test_disarm__in_the_air__refused():
    told = Told()
    told.load(item(22, z=15.0), item(17, z=15.0))
    told.take_off()
    told.run(10)
    assert told.autopilot.disarm() != 0
    assert told.autopilot.armed


def test_idle_after_arming__in_fast_time__leaves_the_ground_its_ten_real_seconds():
    told = Told(speed_up=8.0)
    told.run(45)
    told.autopilot.set_mode(Mode.GUIDED)
    told.autopilot.arm()
    told.run(70)
    assert told.autopilot.armed
    told.run(15)
    assert not told.autopilot.armed


def test_idle_after_arming__disarms_by_itself():
    told = Told()
    told.run(45)
    told.autopilot.set_mode(Mode.GUIDED)
    told.autopilot.arm()
    told.run(11)
    assert not told.autopilot.armed
