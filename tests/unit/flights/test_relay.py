"""Relays by themselves, on real sockets: who is let in, what is carried, and what is not."""

from __future__ import annotations

import contextlib
import fcntl
import select
import socket
import ssl
import sys
import termios
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flights.link.connection import mavlink
from flights.link.transport import open_pipe
from flights.relay import client, pump, server
from flights.relay.certificates import GATEWAY_NAME, Authority, relay_context, write_private
from flights.relay.client import Relay, whole_frames
from flights.relay.server import RelayPipe
from schemas.refusals import RuleViolation
from tests.simulated import free_port

HOST = "127.0.0.1"
KEEPALIVE = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)


def soon(condition, seconds=30.0):
    """Waits until something holds; the last answer."""
    until = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < until:
        time.sleep(0.01)
    return found


@pytest.fixture
def now():
    return datetime.now(UTC)


@pytest.fixture
def authority(tmp_path, now):
    return Authority.of(tmp_path / "gateway", now)


@pytest.fixture
def credential(tmp_path, authority, now):
    path = tmp_path / "relay.pem"
    write_private(path, authority.issue_relay("RL-1", now, now + timedelta(days=1)).pem)
    return path


@pytest.fixture
def pipe(authority, now):
    opened = RelayPipe("relay:test", (HOST, 0), authority.gateway_context(now), lambda _der: True)
    yield opened
    opened.close()


class Aircraft:
    """An aircraft's TCP port: what came to it, and a way to say something."""

    def __init__(self):
        self.listener = socket.create_server((HOST, 0))
        self.came = bytearray()
        self.line = None
        self.listens()

    def listens(self):
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        with contextlib.suppress(OSError):
            self.line, _ = self.listener.accept()
            while data := self.line.recv(4096):
                self.came += data

    def hangs_up(self):
        # Closed only when nobody reads it any more: its number may be another socket's at once.
        self.line.shutdown(socket.SHUT_RDWR)
        self.thread.join(60)
        self.line.close()
        self.line = None

    @property
    def url(self):
        return f"tcp:{HOST}:{self.listener.getsockname()[1]}"

    def say(self, data):
        assert soon(lambda: self.line)
        self.line.sendall(data)

    def close(self):
        self.listener.close()
        if self.line:
            self.line.close()


@pytest.fixture
def aircraft():
    made = Aircraft()
    yield made
    made.close()


@pytest.fixture
def relay(aircraft, credential, monkeypatch):
    """`relay(port)` runs one until the test ends; what it told is in `relay.told`."""
    monkeypatch.setattr(client, "AT_ONCE_S", 0.0)
    ended, threads, told = threading.Event(), [], []

    def start(port, url=None):
        run = Relay(url or aircraft.url, HOST, port, credential)
        thread = threading.Thread(target=client.run, args=(run, lambda *said: told.append(said), ended.is_set))
        thread.start()
        threads.append(thread)

    start.told = told
    yield start
    ended.set()
    for thread in threads:
        thread.join()


def waiting_bytes(pipe):
    """How much has come and was not read."""
    told = fcntl.ioctl(pipe.fileno(), termios.FIONREAD, bytes(4))
    return int.from_bytes(told, sys.byteorder)


def words(relay):
    return [word for word, _ in relay.told]


def call(context, port):
    """A TLS connection to the gateway, or the error with which it was refused."""
    with socket.create_connection((HOST, port), 60) as plain:
        line = context.wrap_socket(plain, server_hostname=GATEWAY_NAME)
        with line:
            # A refusal of our certificate arrives with the first read (TLS 1.3).
            line.recv(1)


def test_relay__bytes__are_carried_both_ways(pipe, relay, aircraft):
    relay(pipe.port)
    assert soon(lambda: "connected" in words(relay))
    came = bytearray()

    def up():
        came.extend(pipe.read())
        return came == b"from the aircraft"

    aircraft.say(b"from the aircraft")
    assert soon(up)

    def down():
        pipe.write(b"x")
        return aircraft.came

    assert soon(down)


def test_relay__gateway_gone__calls_again(authority, now, relay, monkeypatch):
    monkeypatch.setattr(client, "FIRST_PAUSE_S", 0.05)
    first = RelayPipe("relay:test", (HOST, 0), authority.gateway_context(now), lambda _der: True)
    port = first.port
    relay(port)
    assert soon(lambda: "connected" in words(relay))
    first.close()
    assert soon(lambda: "lost" in words(relay))
    second = RelayPipe("relay:test", (HOST, port), authority.gateway_context(now), lambda _der: True)
    try:
        assert soon(lambda: words(relay).count("connected") == 2)
    finally:
        second.close()


def test_relay__what_was_said_while_it_was_away__is_not_carried_late(pipe, relay, aircraft):
    pipe.write(b"return to launch, said ten minutes ago")
    relay(pipe.port)
    assert soon(lambda: "connected" in words(relay))

    def carried():
        pipe.write(b"now")
        return aircraft.came

    assert soon(carried)
    assert b"ten minutes" not in aircraft.came


def test_gateway__no_relay__is_silent_and_takes_everything(pipe):
    assert pipe.read() == b""
    for _ in range(10_000):
        pipe.write(b"heartbeat" * 10)
    assert pipe.read() == b""


def test_gateway__certificate_not_admitted__is_refused(authority, now, credential):
    opened = RelayPipe("relay:test", (HOST, 0), authority.gateway_context(now), lambda _der: False)
    try:
        with pytest.raises((ssl.SSLError, OSError)):
            call(relay_context(credential), opened.port)
            raise OSError("closed without a word")
    finally:
        opened.close()


def test_gateway__no_certificate__is_refused(pipe):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with pytest.raises((ssl.SSLError, ConnectionError)):
        call(context, pipe.port)


def test_gateway__certificate_of_another_authority__is_refused(pipe, tmp_path, authority, now):
    other = Authority.of(tmp_path / "other", now)
    path = tmp_path / "foreign.pem"
    write_private(path, other.issue_relay("RL-9", now, now + timedelta(days=1)).pem)
    context = relay_context(path)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with pytest.raises((ssl.SSLError, ConnectionError)):
        call(context, pipe.port)


def test_gateway__expired_certificate__is_refused(pipe, tmp_path, authority, now):
    path = tmp_path / "old.pem"
    write_private(path, authority.issue_relay("RL-2", now - timedelta(days=2), now - timedelta(days=1)).pem)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        call(relay_context(path), pipe.port)


def test_relay__gateway_of_another_authority__is_not_believed(tmp_path, credential, now):
    other = Authority.of(tmp_path / "other", now)
    foreign = RelayPipe("relay:test", (HOST, 0), other.gateway_context(now), lambda _der: True)
    try:
        with pytest.raises(ssl.SSLCertVerificationError):
            call(relay_context(credential), foreign.port)
    finally:
        foreign.close()


def test_relay__another_relay_as_gateway__is_not_believed(tmp_path, authority, credential, now):
    """A relay's certificate is for calling: whoever holds one cannot pose as the gateway."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(credential)
    impostor = RelayPipe("relay:test", (HOST, 0), context, lambda _der: True)
    try:
        with pytest.raises(ssl.SSLCertVerificationError):
            call(relay_context(credential), impostor.port)
    finally:
        impostor.close()


def test_gateway__revoked_while_connected__is_cut(authority, now, relay, monkeypatch):
    monkeypatch.setattr(server, "ASK_AGAIN_S", 0.05)
    good = threading.Event()
    good.set()
    opened = RelayPipe("relay:test", (HOST, 0), authority.gateway_context(now), lambda _der: good.is_set())
    try:
        relay(opened.port)
        assert soon(lambda: "connected" in words(relay))
        good.clear()
        assert soon(lambda: "lost" in words(relay))
    finally:
        opened.close()


def test_gateway__second_call__takes_the_place_of_the_first(pipe, relay):
    relay(pipe.port, "udpout:127.0.0.1:9")
    assert soon(lambda: "connected" in words(relay))
    relay(pipe.port, "udpout:127.0.0.1:9")
    assert soon(lambda: words(relay).count("connected") >= 2)
    assert soon(lambda: "lost" in words(relay))


def test_gateway__silent_callers__keep_nobody_out(pipe, relay, monkeypatch):
    # Longer than the test may take: they are in nobody's way, and not gone.
    monkeypatch.setattr(server, "HANDSHAKE_S", 120.0)
    with contextlib.ExitStack() as idle:
        for _ in range(3 * server.MOST_UNKNOWN):
            idle.enter_context(socket.create_connection((HOST, pipe.port)))
        relay(pipe.port)
        assert soon(lambda: "connected" in words(relay), 60)


def test_gateway__more_silent_callers_than_it_bears__the_oldest_is_ended(pipe):
    with contextlib.ExitStack() as idle:
        callers = [
            idle.enter_context(socket.create_connection((HOST, pipe.port), 60)) for _ in range(server.MOST_UNKNOWN + 1)
        ]
        with contextlib.suppress(ConnectionError):
            assert callers[0].recv(1) == b""
        callers[-1].settimeout(0.2)
        with pytest.raises(TimeoutError):
            callers[-1].recv(1)


def test_gateway__admission_that_takes_long__holds_no_frame_back(authority, now, relay, aircraft, monkeypatch):
    """The database may be slow or restarting; an order to the aircraft does not wait for it."""
    monkeypatch.setattr(server, "ASK_AGAIN_S", 0.05)
    asked, answer = [], threading.Event()

    def admits(_der):
        asked.append(1)
        return len(asked) == 1 or answer.wait(120)

    opened = RelayPipe("relay:test", (HOST, 0), authority.gateway_context(now), admits)
    try:
        relay(opened.port)
        assert soon(lambda: len(asked) == 2)
        opened.write(b"return to launch")
        assert soon(lambda: b"return to launch" in aircraft.came)
        assert not answer.is_set()
    finally:
        answer.set()
        opened.close()


def test_gateway__lent_for_a_flight__begins_with_nothing_old_and_leaves_the_relay_connected(pipe, relay, aircraft):
    relay(pipe.port)
    assert soon(lambda: "connected" in words(relay))
    said = b"said between two flights" * 1000
    aircraft.say(said)
    # All of it: the rest of what came too late would be taken for what was said in the flight.
    assert soon(lambda: waiting_bytes(pipe) == len(said))
    first = pipe.lend()
    assert first.read() == b""
    first.close()
    second = pipe.lend()
    aircraft.say(b"said in the flight")
    assert soon(lambda: select.select([second.fileno()], [], [], 0)[0])
    assert second.read() == b"said in the flight"
    assert words(relay) == ["connected"]


def test_line__silent_for_an_hour__is_kept__and_a_dead_one_is_noticed_by_the_kernel(pipe, relay, aircraft, monkeypatch):
    """No flight is led, or the aircraft is off for a new battery: that is no dead line."""
    lines = []
    watch_over = pump.watch_over
    monkeypatch.setattr(pump, "watch_over", lambda line: (watch_over(line), lines.append(line)))
    relay(pipe.port)
    assert soon(lambda: len(lines) == 2)
    for line in lines:
        assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
        asks_s = pump.ASK_AFTER_S + pump.ASK_EVERY_S * pump.ASK_TIMES
        told = [line.getsockopt(socket.IPPROTO_TCP, option) for option in KEEPALIVE]
        assert told == [pump.ASK_AFTER_S, pump.ASK_EVERY_S, pump.ASK_TIMES, 1000 * pump.DEAD_AFTER_S]
        assert asks_s <= pump.DEAD_AFTER_S


def test_relay__not_let_in__is_told_so_and_never_called_connected(authority, now, relay, monkeypatch):
    monkeypatch.setattr(client, "AT_ONCE_S", 60.0)
    opened = RelayPipe("relay:test", (HOST, 0), authority.gateway_context(now), lambda _der: False)
    try:
        relay(opened.port)
        assert soon(lambda: words(relay) == ["refused"])
    finally:
        opened.close()


def test_relay__something_else_answers__is_told_so_and_carries_nothing(tmp_path, now, relay, aircraft):
    other = Authority.of(tmp_path / "other", now)
    foreign = RelayPipe("relay:test", (HOST, 0), other.gateway_context(now), lambda _der: True)
    try:
        relay(foreign.port)
        assert soon(lambda: "stranger" in words(relay))
        foreign.write(b"x" * 100)
        assert not aircraft.came
        assert "connected" not in words(relay)
    finally:
        foreign.close()


def test_relay__aircraft_gone_and_back__is_found_again(pipe, relay, aircraft, monkeypatch):
    monkeypatch.setattr(client, "FIRST_PAUSE_S", 0.05)
    relay(pipe.port)
    assert soon(lambda: aircraft.line and "connected" in words(relay))
    aircraft.hangs_up()
    aircraft.listens()
    assert soon(lambda: "vehicle_lost" in words(relay))
    assert soon(lambda: words(relay).count("connected") == 2 and aircraft.line)
    heard = bytearray()

    def came():
        # Said again: what is said while a line is being replaced may be lost with the old one.
        aircraft.say(b"here again")
        heard.extend(pipe.read())
        return b"here again" in heard

    assert soon(came)


def test_relay__udp_aircraft__gets_whole_frames(pipe, relay):
    heard = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    heard.bind((HOST, 0))
    heard.settimeout(0.05)
    port = heard.getsockname()[1]
    relay(pipe.port, f"udpout:127.0.0.1:{port}")
    assert soon(lambda: "connected" in words(relay))
    codec = mavlink.MAVLink(None, srcSystem=245, srcComponent=190)
    frame = mavlink.MAVLink_heartbeat_message(6, 8, 0, 0, 0, 3).pack(codec, force_mavlink1=False)
    received = []

    def came():
        # In two pieces, as a stream may cut it.
        pipe.write(frame[:7])
        pipe.write(frame[7:])
        with contextlib.suppress(TimeoutError):
            received.append(heard.recv(4096))
        return received

    assert soon(came)
    assert set(received) == {frame}
    heard.close()


def heartbeat(system=1):
    codec = mavlink.MAVLink(None, srcSystem=system, srcComponent=1)
    return mavlink.MAVLink_heartbeat_message(2, 3, 0, 0, 3, 3).pack(codec, force_mavlink1=False)


@pytest.fixture
def datagrams():
    """`datagrams()` is a UDP socket with a port of its own, closed at the end."""
    with contextlib.ExitStack() as stack:

        def make():
            made = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            made.bind((HOST, 0))
            made.settimeout(30)
            return made

        yield make


@pytest.fixture
def listening(datagrams):
    """An aircraft that is listened for on a UDP port, and that port."""
    port = free_port(socket.SOCK_DGRAM)
    made = client.Aircraft(open_pipe(f"udp:{HOST}:{port}"))
    yield made, (HOST, port)
    made.close()


def test_relay__udp__strangers_are_neither_heard_nor_spoken_to(listening, datagrams):
    aircraft, port = listening
    stranger, genuine, late = datagrams(), datagrams(), datagrams()
    stranger.sendto(b"no MAVLink", port)
    assert soon(lambda: select.select([aircraft.fileno()], [], [], 0)[0])
    assert aircraft.read() == b""
    genuine.sendto(heartbeat(), port)
    assert soon(aircraft.read) == heartbeat()
    late.sendto(heartbeat(7), port)
    genuine.sendto(heartbeat(8), port)
    assert soon(aircraft.read) == heartbeat(8)
    aircraft.write(heartbeat(245))
    assert genuine.recv(100) == heartbeat(245)
    for other in (stranger, late):
        other.settimeout(0.3)
        with pytest.raises(TimeoutError):
            other.recv(100)


def test_relay__udp__aircraft_with_another_address__is_heard_once_the_old_one_is_silent(
    listening, datagrams, monkeypatch
):
    monkeypatch.setattr(client, "LOOK_AROUND_AFTER_S", 0.2)
    aircraft, port = listening
    before, after = datagrams(), datagrams()
    before.sendto(heartbeat(), port)
    assert soon(aircraft.read)

    def heard():
        after.sendto(heartbeat(), port)
        return aircraft.read()

    assert soon(heard) == heartbeat()
    aircraft.write(heartbeat(245))
    assert after.recv(100) == heartbeat(245)


def test_relay__udp__half_a_frame_of_a_lost_line__is_forgotten(listening, datagrams):
    aircraft, port = listening
    vehicle = datagrams()
    vehicle.sendto(heartbeat(), port)
    assert soon(aircraft.read)
    aircraft.write(heartbeat(245)[:9])
    aircraft.begin()
    aircraft.write(heartbeat(245))
    assert vehicle.recv(100) == heartbeat(245)


@given(st.lists(st.integers(0, 200), min_size=1, max_size=6), st.binary(max_size=5), st.integers(1, 40))
def test_whole_frames__any_cut__gives_the_frames(sizes, noise, cut):
    frames = [bytes([0xFD, size, 0]) + bytes(9 + size) for size in sizes]
    stream = noise.replace(b"\xfd", b"").replace(b"\xfe", b"") + b"".join(frames)
    waiting, found = bytearray(), []
    for at in range(0, len(stream), cut):
        waiting += stream[at : at + cut]
        found += whole_frames(waiting)
    assert found == frames
    assert not waiting


@pytest.mark.parametrize("content", [b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_credential__not_one__refused(tmp_path, content):
    path = tmp_path / "x.pem"
    path.write_bytes(content)
    with pytest.raises(RuleViolation) as caught:
        relay_context(path)
    assert {refusal.rule for refusal in caught.value.refusals} == {"relay.credential"}


@pytest.mark.parametrize("text", ["", "host", ":5790", "host:0", "host:70000", "host:x"])
def test_address__not_one__refused(text):
    with pytest.raises(RuleViolation, match=r"relay\.address: "):
        client.parse_gateway(text)


def test_keys__are_read_by_this_account_alone(authority, credential, now):
    authority.gateway_context(now)
    files = [*authority.folder.iterdir(), credential]
    assert {path.stat().st_mode & 0o077 for path in files} == {0}
    assert authority.folder.stat().st_mode & 0o077 == 0


def test_authority__founded_by_two_at_once__the_first_one_counts(tmp_path, now):
    """Gateways of several aircraft start together on a new installation."""
    authority, relay = Authority.of(tmp_path / "new", now), tmp_path / "relay.pem"
    write_private(relay, authority.issue_relay("RL-4", now, now + timedelta(days=1)).pem)
    # Another one, which had looked before there was any.
    authority._found(now)
    with (
        contextlib.closing(RelayPipe("x", (HOST, 0), authority.gateway_context(now), lambda _der: True)) as opened,
        socket.create_connection((HOST, opened.port), 60) as plain,
        relay_context(relay).wrap_socket(plain, server_hostname=GATEWAY_NAME) as line,
    ):
        assert line.version() == "TLSv1.3"
    assert {path.name for path in authority.folder.iterdir()} == {"authority.pem", "gateway.pem"}


def test_issued__shows_no_key(authority, now):
    made = authority.issue_relay("RL-3", now, now + timedelta(days=1))
    assert "PRIVATE" not in repr(made)
