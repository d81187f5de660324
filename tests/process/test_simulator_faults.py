"""Every switch of `skywarden simulator run` that makes something go wrong, seen from the socket."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from click.testing import CliRunner
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.link.signing import Signature
from flights.link.vehicle import VehicleLink
from flights.simulator.autopilot import Mode
from flights.simulator.options import Faults, Options, read_key
from schemas.clock import SystemClock
from schemas.refusals import RuleViolation
from tests.simulated import changed, free_port, in_its_thread, simulator
from tests.station import (
    ACCEPTED,
    FENCE,
    HOME_ITEM,
    MISSION,
    SHORT,
    TAKEOFF,
    WAYPOINT,
    Station,
    placed,
    slowed,
    take_off,
    wait,
)
from web.cli import simulator as command

ROOT = Path(__file__).resolve().parents[2]
KEY = bytes(range(32))
POSITION, SYS_STATUS = 33, 1
LONG = [HOME_ITEM, placed(TAKEOFF, 0, 0, 20), placed(WAYPOINT, 0, 3_000, 20), placed(WAYPOINT, 0, 3_100, 20)]


def airborne(vehicle, asks, mission=LONG) -> None:
    take_off(vehicle, asks, mission)
    assert asks.commands(511, POSITION, 100_000) == ACCEPTED
    wait(lambda: vehicle.autopilot.airframe.speed_m_s > 8)


def test_loss__frames_missing_each_way(station):
    _, asks = station(faults=Faults(loss=0.5), speed_up=20.0)
    heard: list[int] = []
    until = time.monotonic() + 60
    # Half of what it is asked is lost as well, so that it is asked until it speaks.
    while len(heard) < 300 and time.monotonic() < until:
        asks.send(mavlink.MAVLink_command_long_message(1, 1, 511, 0, POSITION, 20_000, 0, 0, 0, 0, 0))
        heard += [m.get_seq() for m in asks.listens(0.2)]
    sent = sum((after - before) % 256 for before, after in pairwise(heard))
    assert 0.3 < len(heard) / sent < 0.7


def test_latency__answer_comes_two_delays_later(station):
    _, asks = station(faults=Faults(latency_ms=200.0))
    began = time.monotonic()
    assert asks.commands(512, 148) == ACCEPTED
    assert 0.4 <= time.monotonic() - began < 5


def test_slow__one_message_after_the_other(station):
    _, asks = station(faults=Faults(slow_s=0.1))
    began = time.monotonic()
    for index in range(6):
        asks.send(mavlink.MAVLink_param_request_read_message(1, 1, b"", index))
    asks.hears("PARAM_VALUE", param_index=5)
    assert 0.5 <= time.monotonic() - began < 5


def test_mute_ack__command_is_obeyed_and_never_acknowledged(station):
    vehicle, asks = station(faults=Faults(mute_ack=True))
    asks.send(mavlink.MAVLink_command_long_message(1, 1, 176, 0, 1, Mode.GUIDED, 0, 0, 0, 0, 0))
    wait(lambda: vehicle.autopilot.mode is Mode.GUIDED)
    assert "COMMAND_ACK" not in {m.get_type() for m in asks.listens(0.3)}


def test_deny__every_transfer(station):
    _, asks = station(faults=Faults(deny_mission=True))
    for kind in (MISSION, FENCE):
        asks.send(mavlink.MAVLink_mission_count_message(1, 1, 2, kind))
        assert asks.hears("MISSION_ACK", mission_type=kind).type == mavlink.MAV_MISSION_DENIED


@pytest.mark.parametrize("moved_m", [0.5, -25.0])
def test_tamper__item_kept_elsewhere_and_acknowledged(station, moved_m):
    _, asks = station(faults=Faults(tamper_item=2, tamper_m=moved_m))
    assert asks.puts(MISSION, SHORT) == ACCEPTED
    read = asks.gets(MISSION)
    assert (read[2].y - SHORT[2][3]) * 0.010248 == pytest.approx(moved_m, rel=0.002, abs=0.02)
    assert read[1].y == SHORT[1][3]


def test_wind__empties_the_battery_sooner(station):
    left = []
    for wind_m_s in (0.0, 12.0):
        vehicle, asks = station(wind_m_s=wind_m_s, endurance_s=300.0)
        airborne(vehicle, asks)
        slowed(vehicle, 0.1)
        armed_s = vehicle.autopilot.flight_s
        left.append((100 - vehicle.autopilot.battery.percent) / armed_s)
    assert left[1] > 1.2 * left[0]


def test_battery_sag__failsafe_comes_while_the_charge_is_there(station):
    vehicle, asks = station(faults=Faults(battery_sag_pct=30.0), battery_pct=48.0, endurance_s=1e5)
    asks.commands(511, SYS_STATUS, 100_000)
    assert asks.hears("SYS_STATUS").battery_remaining == 48
    take_off(vehicle, asks, LONG)
    wait(lambda: vehicle.autopilot.mode is Mode.RTL)
    asks.hears("SYS_STATUS", battery_remaining=18)
    assert vehicle.autopilot.battery.percent > 47


def test_gps_glitch__reported_place_jumps_and_comes_back(station):
    vehicle, asks = station(faults=Faults(gps_glitch_at_s=30.0, gps_glitch_m=500.0), speed_up=40.0)
    take_off(vehicle, asks, [HOME_ITEM, placed(TAKEOFF, 0, 0, 20), placed(17, 0, 0, 20)])
    asks.commands(511, POSITION, 200_000)
    wait(lambda: vehicle.autopilot.flight_s >= 40)
    places = [m for m in asks.drains() if m.get_type() == "GLOBAL_POSITION_INT"]
    east_m = [(m.lon / 1e7 - 113.2545) * 102_480 for m in places]
    assert max(east_m) == pytest.approx(500, abs=3)
    assert abs(east_m[-1]) < 3
    assert sum(1 for a, b in pairwise(east_m) if abs(b - a) > 100) == 2
    assert vehicle.autopilot.airframe.place.distance_m(vehicle.autopilot.home) < 3


def test_drift__leaves_the_corridor_and_the_fence_brings_it_home(station):
    vehicle, asks = station(faults=Faults(drift_m=120.0, drift_to_deg=0.0, drift_at_s=30.0), speed_up=50.0)
    corridor = [placed(5001, n, e, 0.0, 4.0, 0) for n, e in ((-80, -80), (-80, 3_300), (80, 3_300), (80, -80))]
    asks.puts(FENCE, corridor)
    asks.sets("FENCE_TYPE", 4)
    asks.sets("FENCE_ENABLE", 1)
    at_m, said = [], vehicle._say

    def noted(severity, text):
        at_m.append(((vehicle.autopilot.airframe.place.lat - 23.1250) * 110_750, text))
        said(severity, text)

    vehicle.autopilot._say = noted
    airborne(vehicle, asks)
    asks.hears("STATUSTEXT", text="Polygon fence breached")
    assert next(north for north, text in at_m if text == "Polygon fence breached") == pytest.approx(80, abs=15)
    wait(lambda: vehicle.autopilot.mode is Mode.RTL)
    wait(lambda: not vehicle.autopilot.armed)


def test_reboot__in_flight__time_and_streams_start_anew_and_it_lies_on_the_ground(station):
    vehicle, asks = station(faults=Faults(reboot_at_s=25.0))
    restart = vehicle.restart
    # What it says of its time is read a while after.
    vehicle.restart = lambda: (restart(), slowed(vehicle))
    take_off(vehicle, asks, LONG)
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        asks.listens(60)
    again = Station(vehicle.options.listen)
    assert not vehicle.autopilot.armed
    assert vehicle.autopilot.airframe.on_ground
    assert again.commands(511, POSITION, 100_000) == ACCEPTED
    assert again.hears("GLOBAL_POSITION_INT").time_boot_ms < 60_000
    assert len(again.gets(MISSION)) == 4
    again.socket.close()


def test_ground_station_lost__returns_where_the_failsafe_is_on(station, monkeypatch):
    monkeypatch.setattr("flights.simulator.station.PATIENCE_REAL_S", 0.3)
    vehicle, asks = station(speed_up=20.0)
    asks.sets("FS_GCS_ENABLE", 1)
    asks.sets("FS_OPTIONS", 0)
    airborne(vehicle, asks)
    asks.send(mavlink.MAVLink_heartbeat_message(6, 8, 0, 0, 3, 3))
    asks.hears("STATUSTEXT", text="GCS Failsafe")
    wait(lambda: vehicle.autopilot.mode is Mode.RTL)


def test_other_station_lost__nothing_happens(station, monkeypatch):
    """The gateway is not the pilot's station: that it falls silent must not turn an aircraft around."""
    monkeypatch.setattr("flights.simulator.station.PATIENCE_REAL_S", 0.3)
    vehicle, asks = station(speed_up=20.0)
    asks.sets("FS_GCS_ENABLE", 1)
    gateway = Station(vehicle.options.listen, system=245)
    airborne(vehicle, asks)
    gateway.send(mavlink.MAVLink_heartbeat_message(6, 8, 0, 0, 3, 3))
    gateway.socket.close()
    time.sleep(0.6)
    assert vehicle.autopilot.mode is Mode.AUTO


# -- signing ------------------------------------------------------------------------------------------


def test_key__vehicle_signs_and_hears_only_who_signs(station):
    vehicle, asks = station(key=KEY)
    assert asks.parameter("FENCE_TYPE") == 7
    plain = Station(vehicle.options.listen, system=245)
    plain.send(mavlink.MAVLink_command_long_message(1, 1, 176, 0, 1, Mode.GUIDED, 0, 0, 0, 0, 0))
    plain.hears("HEARTBEAT")
    heartbeats = [m for m in plain.listens(0.3) if m.get_type() == "HEARTBEAT"]
    assert all(m.get_header().incompat_flags == 1 for m in heartbeats)
    assert vehicle.autopilot.mode is Mode.STABILIZE
    plain.socket.close()


def test_unsigned__has_a_key_and_does_not_use_it__our_line_says_so(monkeypatch):
    monkeypatch.setattr("flights.link.vehicle.HEARTBEAT_WAIT_S", 1.5)
    with simulator(key=KEY, faults=Faults(unsigned=True)) as (_, url), pytest.raises(RuleViolation) as refused:
        VehicleLink.connect(url, SystemClock(), signature=Signature(KEY, 1))
    assert refused.value.refusals[0].rule == "link.unsigned"


def test_key__lossy_signed_link__parameters_and_modes_still_arrive():
    with (
        simulator(key=KEY, faults=Faults(loss=0.1)) as (vehicle, url),
        VehicleLink.connect(url, SystemClock(), signature=Signature(KEY, 1)) as link,
    ):
        assert link.set_parameter("FENCE_ALT_MAX", 88.0) == 88.0
        link.commands.run(mavlink.MAV_CMD_DO_SET_MODE, 1.0, float(Mode.GUIDED))
        assert vehicle.autopilot.mode is Mode.GUIDED
        assert link.connection.counts["link.signature"] == 0


def test_key__connection_lost_and_found_again__still_signed(monkeypatch):
    monkeypatch.setattr("flights.link.connection.REOPEN_EVERY_S", 0.05)
    with (
        simulator(key=KEY) as (vehicle, url),
        VehicleLink.connect(url, SystemClock(), signature=Signature(KEY, 1)) as link,
    ):
        in_its_thread(vehicle, vehicle._wire.hang_up)
        wait(lambda: link.connection.counts["link.closed"] == 1)
        assert link.read_parameter("FENCE_TYPE") == 7
        assert link.connection.signature.strict


# -- the fleet ------------------------------------------------------------------------------------------


def test_fleet__twenty_signed_vehicles__no_message_lost(tmp_path):
    """Twenty aircraft, each with a key of its own, stream to twenty signed links at once."""
    keys = [bytes((n,)) * 32 for n in range(1, 21)]
    with ExitStack() as stack:
        fleet = [
            stack.enter_context(simulator(key=key, system_id=n, home_lon=113.2545 + 0.0003 * n, speed_up=1.0, seed=n))
            for n, key in enumerate(keys, start=1)
        ]
        pool = stack.enter_context(ThreadPoolExecutor(20))
        made = pool.map(
            lambda n: VehicleLink.connect(fleet[n][1], SystemClock(), signature=Signature(keys[n], 1)), range(20)
        )
        links = [stack.enter_context(link) for link in made]
        heard: list[list[int]] = [[] for _ in links]
        for link, seqs in zip(links, heard, strict=True):
            link.connection.forward(lambda message, seqs=seqs: seqs.append(message.get_seq()))
        for link in links:
            for message_id in (33, 30, 74, 1, 193):
                link.commands.run(mavlink.MAV_CMD_SET_MESSAGE_INTERVAL, float(message_id), 100_000.0)
        wait(lambda: min(map(len, heard)) > 5 * 10 * 2)
        for number, (link, seqs) in enumerate(zip(links, list(map(list, heard)), strict=True), start=1):
            steps = [(after - before) % 256 for before, after in pairwise(seqs)]
            assert set(steps) == {1}, (number, steps)
            assert link.connection.target_system == number
            dropped = {reason: count for reason, count in link.connection.counts.items() if reason != "accepted"}
            assert dropped == {}


# -- the command line -------------------------------------------------------------------------------------


@pytest.fixture
def flown(monkeypatch):
    """What `skywarden simulator` would fly, instead of flying it."""
    asked: list[list[Options]] = []
    monkeypatch.setattr(command, "_fly", lambda fleet, _text: asked.append(fleet))

    def run(*arguments: str) -> Options:
        result = CliRunner().invoke(command.simulator, list(arguments), catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return asked[-1]

    return run


SWITCHES = {
    "--loss 0.2": {"loss": 0.2},
    "--latency-ms 300": {"latency_ms": 300.0},
    "--slow 0.5": {"slow_s": 0.5},
    "--tamper-item 3 --tamper-m 1.5": {"tamper_item": 3, "tamper_m": 1.5},
    "--deny": {"deny_mission": True},
    "--deny-mission": {"deny_mission": True},
    "--ask-int": {"ask_int": True},
    "--mute-ack": {"mute_ack": True},
    "--mute-final-ack": {"mute_final_ack": True},
    "--reboot-at-s 60": {"reboot_at_s": 60.0},
    "--battery-sag 25": {"battery_sag_pct": 25.0},
    "--gps-glitch-at-s 40 --gps-glitch-m 900": {"gps_glitch_at_s": 40.0, "gps_glitch_m": 900.0},
    "--drift 60,90 --drift-at-s 5": {"drift_m": 60.0, "drift_to_deg": 90.0, "drift_at_s": 5.0},
    "--unsigned": {"unsigned": True},
}


@pytest.mark.parametrize(("switches", "faults"), SWITCHES.items())
@pytest.mark.parametrize("words", [["run"], []])
def test_command__switch__taken(flown, switches, faults, words):
    (options,) = flown(*words, "--home", "113.2,23.1,8", *switches.split())
    assert options.faults == Faults(**faults)


def test_command__fleet__counts_up(flown, tmp_path):
    for number in (1, 2, 3):
        (tmp_path / f"{number}.key").write_bytes(bytes((number,)) * 32)
    words = ["fleet", "--home", "113.2,23.1,8", "--count", "3", "--base-port", "5770"]
    fleet = flown(*words, "--keys", str(tmp_path))
    assert [each.listen for each in fleet] == [f"tcp:127.0.0.1:{port}" for port in (5770, 5771, 5772)]
    assert [each.system_id for each in fleet] == [1, 2, 3]
    assert [each.key for each in fleet] == [bytes((n,)) * 32 for n in (1, 2, 3)]
    assert len({each.home_lon for each in fleet}) == 3
    assert "1, 1, 1" not in repr(fleet)
    assert str(bytes((1,)) * 32) not in repr(fleet)


@pytest.mark.parametrize(("content", "good"), [(KEY, True), (KEY.hex().encode() + b"\n", True), (b"short", False)])
def test_command__key_file__bytes_or_hex(flown, tmp_path, content, good):
    path = tmp_path / "one.key"
    path.write_bytes(content)
    if good:
        (options,) = flown("run", "--home", "113.2,23.1,8", "--key-file", str(path))
        assert options.key == KEY
    else:
        with pytest.raises(RuleViolation, match=r"simulator\.option: "):
            read_key(path)


@pytest.mark.parametrize(
    "faults",
    [
        {"loss": 1.0},
        {"latency_ms": -1.0},
        {"slow_s": float("nan")},
        {"tamper_m": 0.0},
        {"battery_sag_pct": 101.0},
        {"gps_glitch_m": float("inf")},
        {"drift_m": -1.0},
        {"reboot_at_s": -1.0},
    ],
)
def test_options__fault_out_of_range__refused(faults):
    with pytest.raises(RuleViolation, match=r"simulator\.option: "), simulator(faults=Faults(**faults)):
        pass


# -- clocks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("off_s", "doubts"), [(0, []), (600, ["ahead"]), (-600, ["behind"])])
def test_57__vehicles_clock__offset_is_known_and_flagged(off_s, doubts):
    start = SystemClock().now() + timedelta(seconds=off_s)
    with simulator(start_time=start, speed_up=1.0) as (vehicle, url), VehicleLink.connect(url, SystemClock()) as link:
        # It knows the time of day from its tenth second on.
        changed(vehicle, vehicle.autopilot, now_s=12.0)
        link.commands.run(mavlink.MAV_CMD_SET_MESSAGE_INTERVAL, 2.0, 1e6)
        wait(lambda: link.clock.standing.offset_s is not None)
        assert link.clock.standing.offset_s == pytest.approx(off_s, abs=30)
        assert link.clock.standing.render()["doubts"] == doubts


def test_57__no_time_of_day_before_the_fix__boot_only():
    with simulator(speed_up=1.0) as (_, url), VehicleLink.connect(url, SystemClock()) as link:
        for message_id in (2.0, 33.0):
            link.commands.run(mavlink.MAV_CMD_SET_MESSAGE_INTERVAL, message_id, 20_000.0)
        wait(lambda: link.clock.standing.doubts)
        assert link.clock.standing.render() == {"offset_s": None, "doubts": ["boot_only"]}


# -- the fleet as a process -----------------------------------------------------------------------------------


def fleet_process(base_port: int, *options: str) -> subprocess.Popen[str]:
    words = ["fleet", "--home", "113.2545,23.1250,12", "--count", "3", "--base-port", str(base_port), *options]
    command = [sys.executable, "-m", "web.cli", "simulator", *words]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def three_free_ports() -> int:
    """The first of three in a row; others on this machine take ports as well."""
    while True:
        base = free_port()
        with ExitStack() as stack:
            try:
                for port in range(base, base + 3):
                    stack.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                continue
        return base


def test_command__fleet__three_vehicles_until_sigterm(tmp_path):
    for number in (1, 2, 3):
        (tmp_path / f"{number}.key").write_text(bytes((number,) * 32).hex())
    base = three_free_ports()
    with fleet_process(base, "--keys", str(tmp_path)) as process:
        try:
            assert process.stdout.readline() == f"3 simulated ArduCopters on tcp:127.0.0.1:{base} to {base + 2}\n"
            for number in (1, 2, 3):
                url = f"tcp:127.0.0.1:{base + number - 1}"
                signature = Signature(bytes((number,) * 32), 1)
                with VehicleLink.connect(url, SystemClock(), signature=signature) as link:
                    assert link.connection.target_system == number
        finally:
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "")


def test_command__fleet__port_taken__said_and_the_others_end():
    base = three_free_ports()
    with socket.create_server(("127.0.0.1", base + 1)), fleet_process(base) as process:
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "Address already in use" in errors
