"""Flights over a relay: the simulated aircraft, `skywarden relay` beside it and the gateway, as they run in life."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
import time
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from click.testing import CliRunner

from flights.relay.certificates import GATEWAY_NAME
from schemas.clock import ScaledClock
from schemas.tables import RelayCredential
from tests.conftest import TEN_ON_THE_FIRST_FLYING_DAY
from tests.process.conftest import free_port, simulator
from tests.process.flying import Seen, prompt_s, until
from tests.process.led import gateway_process, led
from web.cli.common import State
from web.cli.relay import relay as relay_command

SPEED = 45.0
HIGH_M = 80.0
LINK_LOSS_S = 5.0
LINE = ("stale", "loss", "lost", "back")


@pytest.fixture
def living(under_clock):
    return under_clock(ScaledClock(TEN_ON_THE_FIRST_FLYING_DAY, SPEED))


@pytest.fixture
def cli(living):
    """`skywarden relay ...` at the gateway."""

    def run(*arguments):
        state = State("en")
        state._services = living
        done = CliRunner().invoke(relay_command, [str(each) for each in arguments], obj=state, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.output

    return run


@pytest.fixture
def credential(cli, tmp_path):
    """`credential(drone)` issues one and gives its name and its file."""

    def issue(drone="DR1", days=30):
        out = tmp_path / f"{drone}-{time.monotonic_ns()}.pem"
        return cli("issue", drone, "--out", out, "--days", days).split(" ", 1)[0], out

    return issue


@pytest.fixture
def port():
    return free_port()


@contextlib.contextmanager
def relay_process(vehicle, port, credential):
    """The relay as a pilot starts it: no database, no account, nothing of this checkout's data."""
    nothing = {"SKYWARDEN_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "SKYWARDEN_DATA_DIR": "/nonexistent"}
    command = ["relay", "run", "--vehicle", vehicle, "--to", f"127.0.0.1:{port}", "--credential", str(credential)]
    with led(["-m", "web.cli", *command], os.environ | nothing) as running:
        yield running


def listening(port):
    return f"relay:127.0.0.1:{port}"


# Of the aircraft's time: in this test as many seconds of the wall as in life.
LOST = {"lost_s": 15.0 * SPEED}


def wall_s(after, before):
    return (after - before).total_seconds() / SPEED


def test_flight__relay_killed_in_the_air_and_started_again__flown_to_its_end_and_judged_with_the_gap(
    living, cleared, credential, port, cli
):
    name, file = credential()
    seen = Seen(living, cleared)
    with (
        simulator(speed_up=SPEED, start_time=living.clock.now()) as (running, url),
        gateway_process(living, listening(port), **LOST) as gateway,
    ):
        gateway.await_line("Serves")
        with relay_process(url, port, file) as first:
            first.await_line("Connected")
            order = seen.order("fly")
            until(lambda: running.autopilot.height_m > HIGH_M)
            assert seen.answer(order).outcome == "done"
            held = running._mission.version, running._fence.version
            first.kill()
        cut_at = living.clock.now()
        until(lambda: "loss" in seen.stages())
        assert running.autopilot.armed
        with relay_process(url, port, file) as second:
            second.await_line("Connected")
            until(lambda: "back" in seen.stages())
            assert seen.flight().state == "airborne"
            until(lambda: seen.flight().state == "landed")
            gateway.await_line(f"{cleared}: landed")
            assert len(second.said) == 1
    # A busy machine may hold a position back for two seconds more often; it is lost once.
    said = [stage for stage in seen.stages() if stage in LINE]
    assert (said.count("loss"), said.count("lost")) == (1, 0)
    at = said.index("loss")
    assert said[at - 1 : at + 2] == ["stale", "loss", "back"]
    assert seen.steps().count("connected") == 1
    assert (running._mission.version, running._fence.version) == held
    (gap,) = seen.events("gap")
    assert gap["why"] == "link"
    assert abs(wall_s(datetime.fromisoformat(gap["from"]), cut_at)) < prompt_s()
    assert gap["silence_s"] > LINK_LOSS_S
    check_record(seen, gap)
    assert name in cli("list")
    assert seen_lately(living, name)


def check_record(seen, gap):
    """Nothing else is missing, nothing was torn on the way, and the flight has its verdict."""
    vehicle = seen.flight().vehicle
    assert vehicle["gaps"] == [gap]
    assert set(vehicle["link"]) == {"accepted"}
    report = vehicle["report"]
    assert report["fixes"] == len(seen.points())
    assert report["gap_count"] == 1
    assert report["within"]
    missing = [
        (before.received_at, after.received_at)
        for before, after in pairwise(seen.points())
        if wall_s(after.received_at, before.received_at) > LINK_LOSS_S
    ]
    assert len(missing) == 1
    for at, said in zip(missing[0], ("from", "until"), strict=True):
        assert abs(wall_s(at, datetime.fromisoformat(gap[said]))) < prompt_s()


def seen_lately(house, name):
    with house.session() as session:
        row = session.query(RelayCredential).filter_by(public_id=name).one()
    return row.last_seen_at is not None and datetime.now(UTC) - row.last_seen_at < timedelta(minutes=2)


def test_gateway__port_of_another_aircraft__refused_in_one_line(living, port, other_aircraft):
    with gateway_process(living, listening(port)) as first:
        first.await_line("Serves")
        with gateway_process(living, listening(port), other_aircraft) as second:
            assert second.end() == 1
        told = f"  ✗ link.unreachable  Nothing can be listened for at {listening(port)}: Address already in use"
        assert second.said[0] == "Refused:\n"
        assert second.said[1].startswith(told)
        assert not any("Serves" in line or "Traceback" in line for line in second.said)
        assert first.process.poll() is None


class Nobody:
    """An aircraft that says nothing, and what was said to it."""

    def __init__(self):
        self.heard = bytearray()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"tcp:127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        with contextlib.suppress(OSError), self._listener.accept()[0] as line:
            while data := line.recv(4096):
                self.heard += data

    def close(self):
        self._listener.close()


@pytest.fixture
def nobody():
    with contextlib.closing(Nobody()) as made:
        yield made


@pytest.fixture
def other_aircraft(admin):
    """DR9, of the same unit: DR1 once more, under another number."""
    admin.execute("SET session_replication_role = replica")
    for table, changed, key in (
        ("device", {"id": "gen_random_uuid()", "public_id": "'DV-DR9'", "name": "'DR9'"}, "name = 'DR1'"),
        (
            "drone",
            {
                "device_id": "(SELECT id FROM core.device WHERE name = 'DR9')",
                "registration_no": "'UAS-SAMPLE-9'",
            },
            "registration_no = 'UAS-SAMPLE-1'",
        ),
    ):
        columns = [
            row[0]
            for row in admin.execute(
                "SELECT column_name FROM information_schema.columns"
                " WHERE table_schema = 'core' AND table_name = %s AND is_generated = 'NEVER'",
                (table,),
            )
        ]
        values = ", ".join(changed.get(column, column) for column in columns)
        admin.execute(f"INSERT INTO core.{table} ({', '.join(columns)}) SELECT {values} FROM core.{table} WHERE {key}")
    admin.execute("SET session_replication_role = origin")
    return "DR9"


def expire(admin, name):
    """Ages the row, as if its last day had come; the certificate itself is good for a month yet."""
    admin.execute("SET session_replication_role = replica")
    admin.execute(
        "UPDATE core.relay_credential SET issued_at = now() - interval '2 days', expires_at = now() - interval '1 day'"
        " WHERE public_id = %s",
        (name,),
    )
    admin.execute("SET session_replication_role = origin")


def plain_caller(port):
    """Somebody who speaks MAVLink and no TLS."""
    with socket.create_connection(("127.0.0.1", port), 60) as line:
        line.sendall(bytes([0xFD, 9, 0, 0, 0, 1, 1, 0, 0, 0]) + bytes(11))
        line.settimeout(60)
        with contextlib.suppress(ConnectionError):
            return b"".join(iter(lambda: line.recv(4096), b""))
    return b""


def nameless_caller(port):
    """Somebody who speaks TLS and shows no certificate; what the gateway says to that."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(("127.0.0.1", port), 60) as plain,
        context.wrap_socket(plain, server_hostname=GATEWAY_NAME) as line,
    ):
        line.settimeout(60)
        return line.recv(1)


def test_relay__not_let_in__reaches_neither_gateway_nor_vehicle_and_the_right_one_flies(
    living, cleared, credential, port, cli, admin, other_aircraft, nobody
):
    """While an order to fly waits for its aircraft: whoever got in now would be spoken to.

    The right one stands beside an aircraft that sends datagrams, as a radio on a network does.
    """
    right = credential()[1]
    wrong = [credential(other_aircraft)[1]]
    for end in (lambda name: cli("revoke", name, "--reason", "laptop lost"), lambda name: expire(admin, name)):
        name, file = credential()
        end(name)
        wrong.append(file)
    seen, radio = Seen(living, cleared), free_port(socket.SOCK_DGRAM)
    with (
        simulator(speed_up=SPEED, start_time=living.clock.now(), listen=f"udpout:127.0.0.1:{radio}") as (running, _),
        gateway_process(living, listening(port), **LOST) as gateway,
        contextlib.ExitStack() as callers,
    ):
        gateway.await_line("Serves")
        order = seen.order("fly")
        gateway.await_line("  Every rule allows it")
        refused = [callers.enter_context(relay_process(nobody.url, port, file)) for file in wrong]
        for _ in range(100):
            callers.enter_context(socket.create_connection(("127.0.0.1", port), 60))
        assert b"\xfd" not in plain_caller(port)
        with pytest.raises(ssl.SSLError, match=r"(?i)certificate"):
            nameless_caller(port)
        for relay in refused:
            relay.await_line("The gateway let this relay go at once")
        assert nobody.heard == b""
        assert seen.steps() == ["permitted"]
        with relay_process(f"udp:127.0.0.1:{radio}", port, right) as relay:
            relay.await_line("Connected")
            assert seen.answer(order).outcome == "done"
            assert running.autopilot.armed
            assert nobody.heard == b""
            assert gateway.process.poll() is None
            assert [line for line in relay.said if "Connected" not in line] == []
