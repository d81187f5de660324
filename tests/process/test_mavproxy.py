"""A ground station of others beside ours: MAVProxy, as a process of its own, on the same simulated aircraft.

It is what many pilots use. Its packages are installed on first use into an environment of their own, as the bench's
peers are; nothing of it is imported here.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.environments import PeerMissing, environment
from flights.link import sequence
from flights.link.errors import VehicleRefused
from flights.link.items import ListKind
from flights.link.ladder import Ladder
from flights.link.signing import Signature
from flights.link.vehicle import VehicleLink
from flights.simulator.autopilot import Mode
from flights.simulator.options import Faults
from geo.types import LonLat
from schemas.clock import SystemClock
from tests.process.test_flights import orders

PASSPHRASE = "not-a-real-secret"
KEY = hashlib.sha256(PASSPHRASE.encode()).digest()
MODULES = "wp,mode,param,cmdlong,fence,signing"
FAR = LonLat(113.2880, 23.1250)


class MavProxy:
    """MAVProxy without a window: commands go in as typed lines, and what it prints is kept."""

    def __init__(self, python: Path, url: str, home: Path) -> None:
        home.mkdir()
        self.home = home
        # Its own defaults read settings from the home of whoever runs it.
        environ = {"HOME": str(home), "PATH": os.environ.get("PATH", ""), "PYTHONUNBUFFERED": "1"}
        command = [str(python), str(python.with_name("mavproxy.py")), "--master", url, "--mav20"]
        command += ["--state-basedir", str(home), "--default-modules", "", "--load-module", MODULES]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environ, text=True
        )
        self.said = ""
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        while part := os.read(self._process.stdout.fileno(), 4096):
            self.said += part.decode("utf-8", "replace")

    def types(self, line: str) -> None:
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def hears(self, text: str, within_s: float = 120.0) -> None:
        deadline = time.monotonic() + within_s
        while text not in self.said:
            assert time.monotonic() < deadline, self.said
            time.sleep(0.05)

    def close(self) -> None:
        # It ends at the end of its input, after taking leave of every module; there is nothing to wait for.
        self._process.kill()
        self._process.wait(60)
        self._reading.join(60)
        self._process.stdin.close()
        self._process.stdout.close()


@pytest.fixture(scope="module")
def python() -> Path:
    try:
        return environment("mavproxy")
    except PeerMissing as missing:
        pytest.skip(f"MAVProxy cannot be installed here: {missing}")


@pytest.fixture
def mavproxy(python, tmp_path) -> Iterator:
    """`mavproxy(url)` starts one on a vehicle."""
    made: list[MavProxy] = []

    def start(url: str) -> MavProxy:
        made.append(MavProxy(python, url, tmp_path / f"station{len(made)}"))
        return made[-1]

    yield start
    for each in made:
        each.close()


def airborne(link: VehicleLink) -> sequence.Prepared:
    prepared = sequence.prepare(link, orders(LonLat(113.2550, 23.1250), FAR))
    sequence.wait_ready(link)
    sequence.arm(link)
    sequence.start(link)
    link.wait(lambda: link.telemetry.ground_speed_m_s > 8, 300, "link.not_ready")
    return prepared


def until(true, within_s: float = 120.0) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_third_party_station__downloads_the_mission_and_commands_a_return__obeyed_and_respected(connected, mavproxy):
    """Our gateway uploads and flies; the pilot's MAVProxy reads the same mission back and takes the aircraft home."""
    running, link = connected(speed_up=20.0)
    pilot = mavproxy(running.options.listen)
    prepared = airborne(link)
    pilot.hears("online system 1")
    pilot.types("wp list")
    pilot.hears(f"Saved {len(prepared.mission.items) + 1} waypoints")
    rows = [line.split("\t") for line in (pilot.home / "way.txt").read_text().splitlines()[1:]]
    assert [int(row[3]) for row in rows[1:]] == [item.command for item in prepared.mission.items]
    for row, item in zip(rows[1:], prepared.mission.items, strict=True):
        # It writes six decimals, which is a tenth of a metre.
        assert abs(float(row[8]) - item.x / 1e7) < 6e-7
        assert abs(float(row[9]) - item.y / 1e7) < 6e-7
        assert float(row[10]) == pytest.approx(item.z, abs=0.01)
    assert not link.modes.pilot_took_over
    pilot.types("rtl")
    until(lambda: running.autopilot.mode is Mode.RTL)
    until(lambda: link.modes.pilot_took_over)
    with pytest.raises(VehicleRefused) as refused:
        Ladder(link).go_on()
    assert refused.value.refusals[0].rule == "vehicle.pilot_has_control"
    assert running.autopilot.mode is Mode.RTL
    until(lambda: not running.autopilot.armed)
    home = running.autopilot.home
    assert running.autopilot.airframe.place.distance_m(home) < 3


def test_third_party_station__asks_while_ours_writes__denied_and_ours_arrives_whole(connected, mavproxy):
    running, link = connected(speed_up=5.0, faults=Faults(slow_s=0.01))
    pilot = mavproxy(running.options.listen)
    pilot.hears("online system 1")
    sent = orders(*[LonLat(113.2550 + 0.0001 * n, 23.1250) for n in range(40)]).mission
    stop = threading.Event()

    def ask() -> None:
        while not stop.wait(0.05):
            pilot.types("wp list")

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        read = link.missions.put(ListKind.MISSION, sent)
    finally:
        stop.set()
        asking.join()
    assert [item.command for item in read.items] == [item.command for item in sent]
    pilot.hears("MISSION_ACK: TYPE_MISSION: DENIED")


def test_third_party_station__without_the_key__heard_by_nobody__and_with_it_obeyed(simulated, mavproxy):
    running, url = simulated(speed_up=5.0, key=KEY)
    with VehicleLink.connect(url, SystemClock(), signature=Signature(KEY, 1)) as link:
        pilot = mavproxy(url)
        pilot.hears("online system 1")
        pilot.types("mode GUIDED")
        time.sleep(1.0)
        assert running.autopilot.mode is Mode.STABILIZE
        pilot.types(f"signing key {PASSPHRASE}")
        until(lambda: (pilot.types("mode GUIDED"), time.sleep(0.3), running.autopilot.mode is Mode.GUIDED)[-1])
        # Both sign with the one key; each is a stream of its own to the aircraft, and neither shuts the other out.
        assert link.read_parameter("FENCE_ACTION") == 1
        assert link.connection.counts["link.signature"] == 0
        assert PASSPHRASE not in repr(running.options)
