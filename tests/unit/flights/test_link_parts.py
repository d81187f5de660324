"""The line's parts that need no vehicle: addresses, the dronekit shim, the record."""

from __future__ import annotations

import collections
import os
import pty
import select
import subprocess
import sys

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.link import _dronekit_compat
from flights.link.errors import VehicleRefused
from flights.link.modes import MODES, ModeWatch
from flights.link.provisioning import wire_of
from flights.link.texts import add_text
from flights.link.transport import Address, PipeClosed, open_pipe, parse_url
from flights.link.vehicle import VehicleLink
from schemas.clock import SystemClock
from schemas.refusals import RuleViolation


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("tcp:127.0.0.1:5760", Address("tcp", "127.0.0.1", 5760)),
        ("udp:0.0.0.0:14550", Address("udpin", "0.0.0.0", 14550)),
        ("udpin:0.0.0.0:14550", Address("udpin", "0.0.0.0", 14550)),
        ("udpout:drone.example:14550", Address("udpout", "drone.example", 14550)),
        ("tcp:[::1]:5760", Address("tcp", "::1", 5760)),
        ("/dev/ttyACM0", Address("serial", "/dev/ttyACM0", 57_600)),
        ("/dev/ttyUSB0,115200", Address("serial", "/dev/ttyUSB0", 115_200)),
        ("serial:/dev/ttyUSB0:921600", Address("serial", "/dev/ttyUSB0", 921_600)),
        ("relay:0.0.0.0:5790", Address("relay", "0.0.0.0", 5790)),
        ("relay:[::]:5790", Address("relay", "::", 5790)),
    ],
)
def test_url__as_pymavlink_writes_it__understood(url, address):
    assert parse_url(url) == address


def test_url__relay__is_no_vehicle_to_connect_to():
    with pytest.raises(RuleViolation) as refused:
        VehicleLink.connect("relay:127.0.0.1:5790", SystemClock())
    (refusal,) = refused.value.refusals
    assert refusal.rule == "link.url"
    assert "gateway" in refusal.render()["message"]


def test_key__is_never_handed_over_through_a_relay():
    with pytest.raises(VehicleRefused) as refused:
        wire_of("relay:127.0.0.1:5790")
    assert refused.value.refusals[0].rule == "key.not_local"


@pytest.mark.parametrize(
    "url", ["tcp::5760", "relay:5790", "relay:x:0", "ws:x:1", "/tmp/x", "tcp:a:70000", "tcp:a:-1", "udp:14550"]
)
def test_url__anything_else__refused(url):
    with pytest.raises(RuleViolation) as refused:
        parse_url(url)
    assert refused.value.status == 422


@pytest.mark.parametrize("url", [f"tcp:{'a' * 300}:5760", "udpout:a..b:5760", "/dev/tty\0", "/dev/null"])
def test_connect__name_that_nothing_can_look_up__refused(url):
    with pytest.raises(VehicleRefused) as refused:
        VehicleLink.connect(url, SystemClock())
    assert refused.value.refusals[0].rule == "link.unreachable"


def test_serial__cable_pulled__closes_its_own_file_and_no_other(monkeypatch, tmp_path):
    ours, theirs = pty.openpty()
    pipe = open_pipe(f"{os.ttyname(theirs)},57600")
    freed = pipe.fileno()
    monkeypatch.setattr(pipe, "_open", lambda: (_ for _ in ()).throw(OSError("no such port")))
    with pytest.raises(OSError, match="no such port"):
        pipe.reopen()
    spare = os.open(tmp_path / "database", os.O_CREAT | os.O_RDWR)
    os.dup2(spare, freed)
    with pytest.raises(OSError, match="no such port"):
        pipe.reopen()
    pipe.close()
    assert os.write(freed, b"still open") == 10
    for fd in {spare, freed, ours, theirs}:
        os.close(fd)


def test_serial__pseudo_terminal__carries_bytes_both_ways():
    ours, theirs = pty.openpty()
    pipe = open_pipe(f"{os.ttyname(theirs)},57600")
    try:
        os.write(ours, b"\xfd\x00\x11")
        got = b""
        while len(got) < 3 and select.select([pipe], [], [], 60)[0]:
            got += pipe.read()
        assert got == b"\xfd\x00\x11"
        assert pipe.read() == b""
        pipe.write(b"\xfe\x13\r\n")
        assert os.read(ours, 10) == b"\xfe\x13\r\n"
        pipe.reopen()
    finally:
        pipe.close()
        os.close(ours)
        os.close(theirs)


def test_serial__unknown_speed__refused():
    ours, theirs = pty.openpty()
    try:
        with pytest.raises(RuleViolation, match=r"link\.url: "):
            open_pipe(f"{os.ttyname(theirs)},12345")
    finally:
        os.close(ours)
        os.close(theirs)


def test_serial__no_terminal__an_os_error():
    with pytest.raises(OSError, match="not a serial port"):
        open_pipe("/dev/null")


def test_tcp__peer_ends__pipe_closed():
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        pipe = open_pipe(f"tcp:127.0.0.1:{server.getsockname()[1]}")
        peer, _ = server.accept()
        assert pipe.read() == b""
        peer.close()
        select.select([pipe], [], [], 60)
        with pytest.raises(PipeClosed):
            pipe.read()
        pipe.write(b"lost")
        pipe.close()


def test_shim__dronekit__imported_and_nothing_left_behind():
    dronekit = _dronekit_compat.load()
    assert _dronekit_compat.load() is dronekit
    assert hasattr(dronekit, "Vehicle")
    assert not hasattr(collections, "MutableMapping")


def test_shim__pymavlink_imported_for_mavlink_1_before__switched_to_2():
    code = (
        "import os; os.environ.pop('MAVLINK20', None); from pymavlink import mavutil;"
        "assert mavutil.mavlink.WIRE_PROTOCOL_VERSION == '1.0';"
        "from flights.link import _dronekit_compat; _dronekit_compat.load();"
        "assert mavutil.mavlink.WIRE_PROTOCOL_VERSION == '2.0'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_shim__many_threads_one_after_the_other__each_gets_the_whole_module():
    """A gateway opens several links; some of them come while the first still imports dronekit."""
    code = (
        "import time; from concurrent.futures import ThreadPoolExecutor; from flights.link import _dronekit_compat;"
        "load = lambda n: (time.sleep(n / 200), _dronekit_compat.load().Vehicle.__name__)[1];"
        "assert set(ThreadPoolExecutor(100).map(load, range(100))) == {'Vehicle'}"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_texts__longer_than_fifty_letters__put_together_again():
    """ArduPilot sends a long text in pieces; in halves nobody finds the word that matters."""
    pieces = [(0, 0, "Arm: short"), (7, 0, "PreArm: " + "x" * 42), (7, 1, " battery"), (8, 0, "EKF3 is using GPS")]
    texts: list[str] = []
    for number, seq, text in pieces:
        message = mavlink.MAVLink_statustext_message(2, text.encode(), number, seq)
        add_text(texts, mavlink.MAVLink(None).decode(bytearray(message.pack(mavlink.MAVLink(None)))))
    assert texts == ["Arm: short", "PreArm: " + "x" * 42 + " battery", "EKF3 is using GPS"]


def heartbeat(mode: str, *, armed: bool = True):
    base = mavlink.MAV_MODE_FLAG_CUSTOM_MODE_ENABLED | (mavlink.MAV_MODE_FLAG_SAFETY_ARMED if armed else 0)
    return mavlink.MAVLink_heartbeat_message(2, 3, base, MODES[mode], mavlink.MAV_STATE_ACTIVE, 3)


@pytest.mark.parametrize(
    ("mode", "armed", "pilots"),
    [("LOITER", True, True), ("STABILIZE", True, True), ("AUTO", True, False), ("GUIDED", True, False),
     ("RTL", True, False), ("LOITER", False, False)],
)  # fmt: skip
def test_modes__first_heartbeat_of_an_aircraft_in_the_air__flown_by_hand_is_the_pilots(mode, armed, pilots):
    """A gateway that is started again while the pilot flies must not take the aircraft out of the pilot's hands."""
    watch = ModeWatch()
    watch.take(heartbeat(mode, armed=armed))
    assert watch.pilot_took_over is pilots
    assert watch.name == mode


def test_modes__pilot_gives_it_back_to_the_mission__led_again():
    """Also where the gateway that started the mission was another one."""
    watch = ModeWatch()
    for mode in ("LOITER", "AUTO"):
        watch.take(heartbeat(mode))
    assert not watch.pilot_took_over
