"""The gate before arming, and going on after a landing: what changed since the upload is found, and all at once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.link import gate, sequence
from flights.link.errors import VehicleRefused
from flights.link.items import ListKind
from flights.link.ladder import Ladder
from flights.link.resume import corner_before
from flights.model import Command, Frame, PlanItem
from geo.types import LonLat
from tests.process import followed
from tests.process.test_flights import HOME, WAY, orders
from tests.simulated import changed

RALLY = [PlanItem(Command.RALLY_POINT, Frame.GLOBAL_RELATIVE_ALT, at=LonLat(113.2560, 23.1255), alt_m=30.6).wire()]


def ready(link, **more):
    prepared = sequence.prepare(link, replace(orders(*WAY), home=HOME, system_id=1, **more))
    sequence.wait_ready(link)
    return prepared


def rules(refused):
    return [refusal.rule for refusal in refused.value.refusals]


def test_DC_1__everything_holds__passes_and_arms(connected):
    running, link = connected()
    prepared = ready(link, rally=RALLY, battery_pct=60.0)
    followed.verify(link, prepared)
    sequence.arm(link)
    assert running.autopilot.armed
    assert prepared.record["rally_points"] == 1
    assert prepared.rally.digest == ListKind.RALLY.digest(RALLY)


def test_rally__read_back_in_whole_metres_with_the_same_digest(connected):
    running, link = connected()
    assert link.missions.put(ListKind.RALLY, RALLY).items[0].z == 30.0
    assert running.autopilot.params["RALLY_TOTAL"] == 1


def test_rally__points_of_an_earlier_flight__gone_before_this_one(connected):
    """An aircraft returns to the nearest rally point instead of its home: to a place that nobody checked."""
    running, link = connected()
    link.missions.put(ListKind.RALLY, RALLY)
    ready(link)
    assert running._rally.items == []


def test_rally__moved_after_the_upload__not_armed(connected):
    running, link = connected()
    prepared = ready(link, rally=RALLY)
    running._rally.items[0] = running._rally.items[0].moved(0.5)
    with pytest.raises(VehicleRefused) as refused:
        followed.verify(link, prepared)
    assert rules(refused) == ["mission.mismatch"]
    assert "rally" in refused.value.refusals[0].message()


def test_DC_1__mission_and_fence_written_as_files_after_the_upload__not_armed(connected):
    """MAVFTP writes `@MISSION/mission.dat` past the mission protocol: no acknowledgement, no denial, no count.

    It is a known second door; the re-read before arming is what closes it.
    """
    running, link = connected()
    prepared = ready(link)
    mission, fence = running._mission, running._fence
    mission.items[4] = mission.items[4].moved(0.5)
    changed(running, fence, items=[item.moved(0.5) for item in fence.items])
    with pytest.raises(VehicleRefused) as refused:
        followed.verify(link, prepared)
    assert rules(refused) == ["mission.mismatch", "mission.mismatch"]
    assert not running.autopilot.armed


def test_DC_1__whole_aircraft_in_disorder__told_all_at_once_with_fixes(connected):
    running, link = connected()
    prepared = ready(link, battery_pct=90.0)
    running._mission.items[4] = running._mission.items[4].moved(0.5)
    running.autopilot.params.store("FENCE_ACTION", 0)
    changed(running, running.autopilot.battery, percent=50.0)
    changed(running, running.autopilot.airframe, place=running.autopilot.airframe.place.moved(0.0, 80.0))
    with pytest.raises(VehicleRefused) as refused:
        followed.verify(link, prepared)
    assert sorted(rules(refused)) == ["link.not_at_home", "link.parameter", "mission.mismatch", "vehicle.battery"]
    assert all(refusal.fix("en") and refusal.fix("zh") for refusal in refused.value.refusals)
    assert refused.value.status == 409


@pytest.mark.parametrize(
    ("name", "value"),
    [("FENCE_ENABLE", 0), ("FENCE_TYPE", 7), ("FENCE_ALT_MAX", 400), ("MIS_RESTART", 1), ("RTL_ALT", 15_000)],
)
def test_DC_1__parameter_of_the_flight_changed_after_the_upload__not_armed(connected, name, value):
    running, link = connected()
    prepared = ready(link)
    running.autopilot.params.store(name, value)
    with pytest.raises(VehicleRefused) as refused:
        followed.verify(link, prepared)
    assert "link.parameter" in rules(refused)
    assert any(name in refusal.message() for refusal in refused.value.refusals)


def test_fence__switched_on_after_everything_about_it_is_set(connected):
    names = list(replace(orders(*WAY), fence_alt_min_m=20.0).parameters)
    assert names[-1] == "FENCE_ENABLE"
    assert replace(orders(*WAY), fence_alt_min_m=20.0).parameters["FENCE_TYPE"] == 13
    assert "FENCE_ALT_MIN" not in orders(*WAY).parameters
    asked, (running, link) = [], connected()
    request = running.autopilot.params.request
    running.autopilot.params.request = lambda name, value: asked.append(name) or request(name, value)
    ready(link)
    assert asked == list(orders(*WAY).parameters)


def test_identity__another_aircraft_on_the_line__not_armed(connected):
    _, link = connected(system_id=7)
    prepared = ready(link)
    with pytest.raises(VehicleRefused) as refused:
        followed.verify(link, prepared)
    assert "link.identity" in rules(refused)


def test_identity__autopilot_exchanged_after_the_upload__not_armed(connected, monkeypatch):
    _, link = connected()
    prepared = ready(link)
    monkeypatch.setattr("flights.simulator.telemetry.UNIQUE_ID", 0xBAD)
    with pytest.raises(VehicleRefused) as refused:
        followed.verify(link, prepared)
    assert rules(refused) == ["vehicle.exchanged"]


def test_position__filter_not_yet_on_gps__not_armed_although_the_pre_arm_bit_is_set(connected):
    running, link = connected()
    prepared = ready(link)
    changed(running, running, options=replace(running.options, speed_up=0.5))
    changed(running, running.autopilot, now_s=30.0)
    with pytest.raises(VehicleRefused) as refused:
        followed.verify(link, prepared)
    assert "vehicle.no_position" in rules(refused)


def test_fence__said_to_be_empty_right_after_connecting__asked_again(connected, monkeypatch):
    monkeypatch.setattr("flights.link.mission.SETTLE_PAUSE_S", 0.1)
    running, link = connected()
    prepared = ready(link)
    changed(running, running._fence, late_until_s=running.autopilot.now_s + 20.0)
    followed.verify(link, prepared)


def test_fence__stays_empty__not_armed(connected, monkeypatch):
    monkeypatch.setattr("flights.link.mission.SETTLE_PAUSE_S", 0.01)
    running, link = connected()
    prepared = ready(link)
    changed(running, running._fence, items=[])
    with pytest.raises(VehicleRefused) as refused:
        followed.verify(link, prepared)
    assert rules(refused) == ["mission.mismatch"]


# -- readings, without a vehicle ------------------------------------------------------------------------

BITS = sum(gate.NEEDED_SENSORS.values()) | mavlink.MAV_SYS_STATUS_PREARM_CHECK
COMPASS = mavlink.MAV_SYS_STATUS_SENSOR_3D_MAG


def status(present=BITS, enabled=BITS, healthy=BITS, left=80):
    return mavlink.MAVLink_sys_status_message(present, enabled, healthy, 0, 0, 0, left, 0, 0, 0, 0, 0, 0)


def good(**more):
    ekf = mavlink.MAVLink_ekf_status_report_message(mavlink.EKF_POS_HORIZ_ABS, 0, 0, 0, 0, 0)
    gps = mavlink.MAVLink_gps_raw_int_message(0, 3, 0, 0, 0, 0, 0, 0, 0, 9)
    at = (round(HOME.lat * 1e7), round(HOME.lon * 1e7))
    home = mavlink.MAVLink_home_position_message(*at, 0, 0, 0, 0, [1, 0, 0, 0], 0, 0, 0)
    position = mavlink.MAVLink_global_position_int_message(0, *at, 0, 0, 0, 0, 0, 0)
    return gate.Readings(**({"status": status(), "ekf": ekf, "gps": gps, "home": home, "position": position} | more))


WANTED = gate.Wanted({}, home=HOME, battery_pct=50.0)


def found(readings, wanted=WANTED):
    return [refusal.rule for refusal in gate.failures(readings, wanted)]


def test_readings__all_good__nothing_stands_against_it():
    assert found(good()) == []


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ({"status": status(present=BITS & ~mavlink.MAV_SYS_STATUS_SENSOR_GPS)}, "vehicle.sensor_missing"),
        ({"status": status(enabled=BITS & ~mavlink.MAV_SYS_STATUS_GEOFENCE)}, "vehicle.sensor_missing"),
        ({"status": status(BITS | COMPASS, BITS | COMPASS)}, "vehicle.sensor_ill"),
        ({"status": status(healthy=BITS & ~mavlink.MAV_SYS_STATUS_PREARM_CHECK)}, "vehicle.prearm"),
        ({"status": status(left=-1)}, "vehicle.battery_unknown"),
        ({"status": status(left=49)}, "vehicle.battery"),
        ({"ekf": mavlink.MAVLink_ekf_status_report_message(0, 0, 0, 0, 0, 0)}, "vehicle.no_position"),
        (
            {"ekf": mavlink.MAVLink_ekf_status_report_message(mavlink.EKF_POS_HORIZ_ABS | 1 << 15, 0, 0, 0, 0, 0)},
            "vehicle.gps_glitch",
        ),
        ({"gps": mavlink.MAVLink_gps_raw_int_message(0, 2, 0, 0, 0, 0, 0, 0, 0, 9)}, "vehicle.no_fix"),
        (
            {"home": mavlink.MAVLink_home_position_message(0, 0, 0, 0, 0, 0, [1, 0, 0, 0], 0, 0, 0)},
            "vehicle.home_elsewhere",
        ),
        ({"position": None}, "vehicle.silent"),
    ],
)
def test_readings__one_thing_wrong__named(more, rule):
    assert found(good(**more)) == [rule]


def test_readings__compass_there_but_not_switched_on__no_fault():
    assert found(good(status=status(present=BITS | COMPASS))) == []


def test_readings__nothing_was_answered__refused():
    assert found(gate.Readings()) == ["vehicle.silent"]


@pytest.mark.parametrize(("pending", "loaded", "fine"), [(0, 40, True), (5, 40, False), (0, 0, False)])
def test_readings__heights_over_terrain__data_must_be_there(pending, loaded, fine):
    wanted = replace(WANTED, uses_terrain=True)
    report = mavlink.MAVLink_terrain_report_message(0, 0, 100, 0.0, 0.0, pending, loaded)
    assert found(good(terrain=report), wanted) == ([] if fine else ["vehicle.terrain"])


def test_orders__terrain_frame_in_the_mission__terrain_is_asked_for():
    asked = orders(*WAY)
    over = replace(asked, mission=[asked.mission[0]._replace(frame=Frame.GLOBAL_TERRAIN_ALT_INT)])
    assert over.wanted().uses_terrain
    assert not asked.wanted().uses_terrain


# -- going on after a landing ---------------------------------------------------------------------------


def set_down(running, link):
    """Brings the aircraft home on its way and puts a fresh battery in."""
    Ladder(link).return_home()
    link.wait(lambda: not link.vehicle.armed, 600, "link.not_ready")
    changed(running, running.autopilot.battery, percent=100.0)


def test_resume__battery_changed_half_way__the_rest_is_flown_on_the_same_digest(connected):
    running, link = connected()
    asked = replace(orders(*WAY), home=HOME, battery_pct=50.0)
    prepared = sequence.prepare(link, asked)
    sequence.wait_ready(link)
    followed.verify(link, prepared)
    sequence.arm(link)
    sequence.start(link)
    link.wait(lambda: 5 in link.telemetry.reached and link.telemetry.mission_seq > 5, 600, "link.not_ready")
    left_at = link.telemetry.mission_seq
    set_down(running, link)
    pictures, uploads = running.pictures, running._mission.version
    link.telemetry.forget_samples()
    link.telemetry.reached.clear()

    resumed = followed.resume(link, prepared, left_at)
    assert resumed.item == 5
    on_the_way = running.pictures
    end = followed.follow(link, asked, lambda _sample: None, lambda: None)
    assert end.outcome is followed.Outcome.LANDED
    assert {5, 6} <= link.telemetry.reached
    assert {4} & link.telemetry.reached == set()
    assert running._mission.version == uploads
    assert link.missions.confirm(ListKind.MISSION, prepared.mission.digest)
    assert on_the_way == pictures, "the way there was not published to be photographed"
    assert running.pictures > pictures + 2


def test_resume__mission_changed_meanwhile__not_armed(connected):
    running, link = connected()
    prepared = ready(link)
    running._mission.items[4] = running._mission.items[4].moved(0.5)
    with pytest.raises(VehicleRefused, match=r"mission\.mismatch: "):
        followed.resume(link, prepared, 5)
    assert not running.autopilot.armed


def test_resume__vehicle_shows_another_item__not_started(connected):
    running, link = connected()
    prepared = ready(link)
    running.autopilot.mission.rewind = lambda seq=1: True
    with pytest.raises(VehicleRefused) as refused:
        followed.resume(link, prepared, 6)
    assert rules(refused) == ["vehicle.item_not_set"]
    assert running.autopilot.mode.name == "GUIDED"


@pytest.mark.parametrize("seq", [0, 9, -1])
def test_resume__item_that_is_not_there__refused(connected, seq):
    with pytest.raises(VehicleRefused) as refused:
        corner_before(orders(*WAY).mission, seq)
    assert rules(refused) == ["vehicle.no_such_item"]


def test_resume__corner_before_the_leg_that_was_left():
    """Items: take-off, speed, camera on, three corners, camera off, return."""
    assert [corner_before(orders(*WAY).mission, seq) for seq in range(1, 9)] == [1, 1, 1, 1, 4, 5, 6, 6]


def test_auto__from_the_ground_without_a_take_off__refused_by_the_vehicle_itself(connected):
    """ArduCopter does; going on has to climb first."""
    _, link = connected()
    followed.verify(link, ready(link))
    sequence.arm(link)
    link.commands.run(mavlink.MAV_CMD_DO_SET_MISSION_CURRENT, 5.0)
    with pytest.raises(VehicleRefused) as refused:
        sequence.start(link)
    assert "Missing Takeoff" in refused.value.refusals[0].message()
