"""What real ArduCopter 4.5 and 4.6 did on its socket, statement by statement, and the simulated one doing the same.

A station made of pymavlink alone asks, so that none of our own line's manners hide a fault of the simulator's.
"""

from __future__ import annotations

import random
import struct

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.simulator.autopilot import Mode
from flights.simulator.options import Faults
from flights.simulator.params import DEFAULTS
from tests.simulated import changed
from tests.station import (
    ACCEPTED,
    CIRCLE_OUT,
    DENIED,
    FAILED,
    FENCE,
    GLOBAL,
    HOME_ITEM,
    INCLUSION,
    LOCAL_NED,
    MISSION,
    RELATIVE,
    SHORT,
    TAKEOFF,
    TERRAIN,
    WAYPOINT,
    Station,
    at,
    placed,
    settled,
    slowed,
    square,
    stamped,
    take_off,
    wait,
)

# -- settling -------------------------------------------------------------------------------------------


def test_settling__gps_10_s__origin_20_s__checks_23_5_s__position_41_3_s(station):
    vehicle, asks = station(speed_up=1.0)
    for message_id in (24, 1, 193):
        assert asks.commands(511, message_id, 200_000) == ACCEPTED
    said = stamped(vehicle)
    slowed(vehicle, 50.0)
    settled(vehicle, 45.0)
    seen: dict[str, float] = {}
    for now_s, message in list(said):
        kind = message.get_type()
        if kind == "GPS_RAW_INT" and message.fix_type >= 3:
            seen.setdefault("gps", now_s)
        elif kind == "SYS_STATUS" and message.onboard_control_sensors_health & 0x10000000:
            seen.setdefault("checks", now_s)
        elif kind == "EKF_STATUS_REPORT" and message.flags & mavlink.EKF_POS_HORIZ_ABS:
            seen.setdefault("position", now_s)
        elif kind == "STATUSTEXT":
            seen.setdefault(message.text, now_s)
    expected = {"gps": 10.0, "EKF3 IMU0 origin set": 20.0, "checks": 23.5, "position": 41.3}
    for name, at_s in (expected | {"EKF3 IMU0 is using GPS": 41.3}).items():
        assert at_s - 0.1 <= seen[name] < at_s + 0.5, (name, seen)
    # What it says is heard.
    heard = asks.drains()
    assert {"GPS_RAW_INT", "SYS_STATUS", "EKF_STATUS_REPORT", "STATUSTEXT"} <= {m.get_type() for m in heard}


def test_streams__off_until_asked_for(station):
    _, asks = station(speed_up=20.0)
    asks.hears("HEARTBEAT")
    assert {m.get_type() for m in asks.listens(0.5)} <= {"HEARTBEAT", "STATUSTEXT"}
    assert asks.commands(511, 33, 500_000) == ACCEPTED
    asks.hears("GLOBAL_POSITION_INT")
    assert asks.commands(511, 33, -1) == ACCEPTED
    asks.drains()
    assert "GLOBAL_POSITION_INT" not in {m.get_type() for m in asks.listens(0.3)}


def test_arming__in_guided_before_the_position_is_known__need_position_estimate(station):
    vehicle, asks = station(speed_up=0.1)
    changed(vehicle, vehicle.autopilot, now_s=25.0)
    assert asks.commands(176, 1, Mode.GUIDED) == ACCEPTED
    asks.send(mavlink.MAVLink_command_long_message(1, 1, 400, 0, 1, 0, 0, 0, 0, 0, 0))
    asks.is_told("Need Position Estimate")


def test_arming__in_auto__refused_unless_auto_options_allow_it(station):
    vehicle, asks = station()
    asks.puts(MISSION, SHORT)
    settled(vehicle)
    assert asks.commands(176, 1, Mode.AUTO) == ACCEPTED
    assert asks.commands(400, 1) == FAILED
    asks.sets("AUTO_OPTIONS", 1)
    assert asks.commands(400, 1) == ACCEPTED


def test_mission_start__from_guided__switches_to_auto_itself(station):
    vehicle, asks = station()
    take_off(vehicle, asks)
    assert vehicle.autopilot.mode is Mode.AUTO


@pytest.mark.parametrize(
    ("name", "value"),
    {
        "FENCE_ENABLE": 0,
        "FENCE_TYPE": 7,
        "FENCE_ACTION": 1,
        "FS_GCS_ENABLE": 0,
        "SYSID_MYGCS": 255,
        "ARMING_CHECK": 1,
        "FENCE_RADIUS": 300,
    }.items(),
)
def test_parameters__defaults(name, value):
    assert DEFAULTS[name] == value


# -- the mission protocol ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("ask_int", "asked"), [(False, "MISSION_REQUEST"), (True, "MISSION_REQUEST_INT")])
def test_upload__asked_for_as_ardupilot_does__and_the_other_way_with_a_switch(station, ask_int, asked):
    _, asks = station(faults=Faults(ask_int=ask_int))
    assert asks.puts(MISSION, SHORT, asked) == ACCEPTED
    assert asks.puts(FENCE, square(100), asked) == ACCEPTED


def test_upload__home_is_its_own_and_a_return_reads_back_in_frame_0(station):
    _, asks = station()
    wrong_home = placed(WAYPOINT, 5_000, 5_000, 99.0)
    assert asks.puts(MISSION, [wrong_home, *SHORT[1:]]) == ACCEPTED
    read = asks.gets(MISSION)
    assert (read[0].x, read[0].y, read[0].frame) == (*at(0, 0), GLOBAL)
    assert [m.frame for m in read[1:]] == [RELATIVE, RELATIVE, GLOBAL]


X, Y = at(10, 10)
HUGE = 910_000_000
BAD_ITEMS = {
    "latitude": ((WAYPOINT, RELATIVE, HUGE, Y, 20.0), mavlink.MAV_MISSION_INVALID_PARAM5_X),
    "local frame": ((WAYPOINT, LOCAL_NED, X, Y, 20.0), mavlink.MAV_MISSION_UNSUPPORTED_FRAME),
    "unknown command": ((31_000, RELATIVE, X, Y, 20.0), mavlink.MAV_MISSION_UNSUPPORTED),
    "NaN altitude": ((WAYPOINT, RELATIVE, X, Y, float("nan")), mavlink.MAV_MISSION_INVALID_PARAM7),
}


@pytest.mark.parametrize(("item", "result"), BAD_ITEMS.values(), ids=BAD_ITEMS)
def test_upload__bad_item__refused_with_its_code(station, item, result):
    _, asks = station()
    assert asks.puts(MISSION, [HOME_ITEM, item, item]) == result


def test_upload__wrong_sequence__said_and_waited_on(station):
    _, asks = station(speed_up=1.0)
    asks.send(mavlink.MAVLink_mission_count_message(1, 1, 2, MISSION))
    asks.hears("MISSION_REQUEST", seq=0)
    asks.send(asks.item(MISSION, 1, *SHORT[1]))
    assert asks.hears("MISSION_ACK").type == mavlink.MAV_MISSION_INVALID_SEQUENCE
    asks.send(asks.item(MISSION, 0, *SHORT[0]))
    asks.hears("MISSION_REQUEST", seq=1)


def test_upload__more_than_650_items__no_space(station):
    _, asks = station()
    asks.send(mavlink.MAVLink_mission_count_message(1, 1, 651, MISSION))
    assert asks.hears("MISSION_ACK").type == mavlink.MAV_MISSION_NO_SPACE


def test_upload__no_answer__cancelled_after_8_seconds(station, monkeypatch):
    monkeypatch.setattr("flights.simulator.transfer.GIVE_UP_REAL_S", 0.1)
    vehicle, asks = station(speed_up=20.0)
    said = stamped(vehicle)
    asks.send(mavlink.MAVLink_mission_count_message(1, 1, 5, MISSION))
    asks.hears("MISSION_REQUEST", seq=0)
    assert asks.hears("MISSION_ACK").type == mavlink.MAV_MISSION_OPERATION_CANCELLED
    at_s = {message.get_type(): now_s for now_s, message in reversed(said)}
    # A tenth of a second of the wall, in which nothing was heard either, is two of its own.
    assert 7.5 < at_s["MISSION_ACK"] - at_s["MISSION_REQUEST"] < 12


def test_upload__degrees_instead_of_1e7__accepted_silently(station):
    _, asks = station()
    assert asks.puts(MISSION, [HOME_ITEM, (WAYPOINT, RELATIVE, 23, 113, 20.0)]) == ACCEPTED


def test_upload__terrain_frame_without_terrain__accepted_and_arming_waits_for_the_data(station):
    vehicle, asks = station()
    terrain = (WAYPOINT, TERRAIN, X, Y, 20.0)
    assert asks.puts(MISSION, [HOME_ITEM, SHORT[1], terrain]) == ACCEPTED
    settled(vehicle)
    asks.commands(176, 1, Mode.GUIDED)
    asks.send(mavlink.MAVLink_command_long_message(1, 1, 400, 0, 1, 0, 0, 0, 0, 0, 0))
    asks.is_told("waiting for terrain data")


def test_upload__mission_that_leaves_the_fence__accepted_silently(station):
    _, asks = station()
    assert asks.puts(FENCE, square(60)) == ACCEPTED
    assert asks.puts(MISSION, SHORT) == ACCEPTED


def test_upload__interrupted__leaves_a_mixed_mission(station):
    """It writes item by item into the old mission, so an upload that breaks off leaves neither."""
    vehicle, asks = station(speed_up=1.0)
    asks.puts(MISSION, SHORT)
    asks.send(mavlink.MAVLink_mission_count_message(1, 1, 4, MISSION))
    for seq, item in enumerate([HOME_ITEM, placed(TAKEOFF, 0, 0, 77)]):
        asks.hears("MISSION_REQUEST", seq=seq)
        asks.send(asks.item(MISSION, seq, *item))
    asks.hears("MISSION_REQUEST", seq=2)
    assert [item.z for item in vehicle._mission.items[1:3]] == [77.0, 20.0]


def test_clear_all__type_255__unsupported(station):
    _, asks = station()
    asks.send(mavlink.MAVLink_mission_clear_all_message(1, 1, 255))
    assert asks.hears("MISSION_ACK").type == mavlink.MAV_MISSION_UNSUPPORTED


def test_two_stations__the_second_is_denied_while_the_first_writes__and_served_afterwards(station):
    vehicle, first = station(speed_up=1.0)
    second = Station(vehicle.options.listen, system=245)
    first.send(mavlink.MAVLink_mission_count_message(1, 1, 2, MISSION))
    first.hears("MISSION_REQUEST", seq=0)
    for question in (
        mavlink.MAVLink_mission_count_message(1, 1, 3, MISSION),
        mavlink.MAVLink_mission_request_list_message(1, 1, MISSION),
    ):
        second.send(question)
        assert second.hears("MISSION_ACK", target_system=245).type == mavlink.MAV_MISSION_DENIED
    for seq in (0, 1):
        first.send(first.item(MISSION, seq, *SHORT[seq]))
    first.hears("MISSION_ACK", type=ACCEPTED)
    second.told.clear()
    assert len(second.gets(MISSION)) == 2
    second.socket.close()


# -- the fence ----------------------------------------------------------------------------------------------


def test_fence__total__counts_slots_and_the_protocol_items(station):
    _, asks = station(speed_up=20.0)
    circle = placed(CIRCLE_OUT, 400, 400, 0.0, 30.0, GLOBAL)
    assert asks.puts(FENCE, [*square(100), circle]) == ACCEPTED
    assert asks.parameter("FENCE_TOTAL") == 7
    assert len(asks.gets(FENCE)) == 5
    assert asks.puts(FENCE, []) == ACCEPTED
    assert (asks.parameter("FENCE_TOTAL"), asks.gets(FENCE)) == (0, [])


BAD_FENCES = {
    "two vertices": [placed(INCLUSION, n, 0, 0.0, 2.0, GLOBAL) for n in (0, 50)],
    "count that does not match": [*square(50)[:3], placed(INCLUSION, 50, -50, 0.0, 5.0, GLOBAL)],
    "zero radius": [placed(CIRCLE_OUT, 100, 100, 0.0, 0.0, GLOBAL)],
}


@pytest.mark.parametrize("items", BAD_FENCES.values(), ids=BAD_FENCES)
def test_fence__not_a_shape__an_error_and_the_reason_in_a_text_after_it(station, items):
    vehicle, asks = station()
    assert asks.puts(FENCE, square(100)) == ACCEPTED
    assert asks.puts(FENCE, items) == mavlink.MAV_MISSION_ERROR
    asks.is_told("Fence: ")
    # A fence takes effect whole or not at all.
    assert len(vehicle._fence.items) == 4


def test_fence__waypoint_in_it__unsupported(station):
    _, asks = station()
    assert asks.puts(FENCE, [placed(WAYPOINT, 0, 0)]) == mavlink.MAV_MISSION_UNSUPPORTED


def test_fence__home_outside__arming_fails(station):
    vehicle, asks = station()
    asks.puts(FENCE, square(50, north_m=500))
    asks.sets("FENCE_TYPE", 4)
    asks.sets("FENCE_ENABLE", 1)
    settled(vehicle)
    asks.commands(176, 1, Mode.GUIDED)
    asks.send(mavlink.MAVLink_command_long_message(1, 1, 400, 0, 1, 0, 0, 0, 0, 0, 0))
    asks.is_told("Vehicle breaching Polygon fence")


def test_fence__crossed_in_flight__reported_at_the_line_then_returns_lands_and_disarms(station):
    vehicle, asks = station()
    asks.puts(FENCE, square(60))
    asks.sets("FENCE_TYPE", 4)
    asks.sets("FENCE_ENABLE", 1)
    take_off(vehicle, asks)
    asks.hears("STATUSTEXT", text="Polygon fence breached")
    wait(lambda: vehicle.autopilot.mode is Mode.RTL)
    wait(lambda: not vehicle.autopilot.armed)
    assert vehicle.autopilot.airframe.place.distance_m(vehicle.autopilot.home) < 2


def test_return_item__mode_stays_auto_to_the_end(station):
    vehicle, asks = station()
    take_off(vehicle, asks)
    modes = set()
    while vehicle.autopilot.armed:
        modes |= {m.custom_mode for m in asks.listens(0.05) if m.get_type() == "HEARTBEAT"}
    assert modes - {int(Mode.GUIDED)} == {int(Mode.AUTO)}


# -- a restart ------------------------------------------------------------------------------------------


def test_restart__lists_and_parameters_survive__the_fence_count_is_late(station):
    vehicle, asks = station(speed_up=4.0, key=bytes(range(32)))
    asks.puts(MISSION, SHORT)
    asks.puts(FENCE, square(60))
    asks.sets("FENCE_ALT_MAX", 77)
    asks.commands(511, 33, 100_000)
    slowed(vehicle, 0.2)
    assert asks.commands(246, 1) == ACCEPTED
    with pytest.raises(ConnectionResetError):
        asks.listens(60)
    again = Station(vehicle.options.listen, key=bytes(range(32)))
    assert again.gets(FENCE) == []
    assert {m.get_type() for m in again.listens(0.3)} <= {"HEARTBEAT", "STATUSTEXT"}
    slowed(vehicle, 20.0)
    settled(vehicle, 3.5)
    assert len(again.gets(FENCE)) == 4
    assert len(again.gets(MISSION)) == 4
    assert again.parameter("FENCE_ALT_MAX") == 77
    again.socket.close()


def test_restart__armed__denied(station):
    vehicle, asks = station()
    take_off(vehicle, asks)
    assert asks.commands(246, 1) == DENIED


# -- any bytes ------------------------------------------------------------------------------------------


def test_any_bytes__it_goes_on(station):
    vehicle, asks = station()
    noise = random.Random(3)
    for _ in range(200):
        asks.socket.sendall(noise.randbytes(noise.randrange(1, 200)))
        asks.socket.sendall(struct.pack("<BBBB", 0xFD, noise.randrange(256), 0, 0) + noise.randbytes(20))
    fresh = Station(vehicle.options.listen, system=245)
    assert fresh.parameter("FENCE_TYPE") == 7
    fresh.socket.close()
