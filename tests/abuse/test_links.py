"""Hostile links (reliability.md 52-60), on real sockets: forged, replayed, downgraded, flooded and random bytes."""

from __future__ import annotations

import gc
import random
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.link import connection as line
from flights.link.connection import Alarm, Connection
from flights.link.errors import VehicleRefused
from flights.link.signing import LAST_STAMP, Signature, stamp_of
from flights.link.transport import open_pipe
from schemas.clock import SystemClock
from tests.simulated import free_port

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))


class Peer:
    """A UDP socket that plays the aircraft, or whoever would like to be taken for it, with pymavlink's own codec."""

    def __init__(self, port: int, key: bytes | None, system: int = 1, stamp: int | None = None) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(30)
        self.to = ("127.0.0.1", port)
        self.codec = mavlink.MAVLink(None, srcSystem=system, srcComponent=1)
        self.codec.signing.secret_key = key
        self.codec.signing.sign_outgoing = key is not None
        self.codec.signing.timestamp = stamp_of(SystemClock().now()) if stamp is None else stamp

    def frame(self, message: mavlink.MAVLink_message | None = None, **options: bool) -> bytes:
        message = message or mavlink.MAVLink_heartbeat_message(2, mavlink.MAV_AUTOPILOT_ARDUPILOTMEGA, 0, 0, 3, 3)
        return message.pack(self.codec, **options)

    def send(self, data: bytes) -> None:
        self.socket.sendto(data, self.to)

    def beat(self, count: int = 1) -> None:
        for _ in range(count):
            self.send(self.frame())

    def heard(self) -> list[mavlink.MAVLink_message]:
        reader = mavlink.MAVLink(None)
        reader.robust_parsing = True
        return reader.parse_buffer(self.socket.recv(65_536)) or []


class Line:
    """A connection on a listening port, with what it heard and alarmed."""

    def __init__(self, key: bytes | None) -> None:
        self.port = free_port(socket.SOCK_DGRAM)
        signature = None if key is None else Signature(key)
        self.connection = Connection(open_pipe(f"udpin:127.0.0.1:{self.port}"), signature=signature)
        self.heard: list[mavlink.MAVLink_message] = []
        self.alarms: list[Alarm] = []
        self.connection.forward(self.heard.append)
        self.connection.on_alarm(self.alarms.append)
        self.connection.start()
        self.peers: list[Peer] = []

    def peer(self, key: bytes | None, **options: int) -> Peer:
        self.peers.append(Peer(self.port, key, **options))
        return self.peers[-1]

    def vehicle(self, key: bytes | None) -> Peer:
        """The aircraft itself, heard and pinned."""
        made = self.peer(key)
        made.beat()
        self.connection.wait_identified(60)
        self.heard.clear()
        return made

    def counts(self, reason: str, count: int) -> bool:
        deadline = time.monotonic() + 30
        while self.connection.counts[reason] < count and time.monotonic() < deadline:
            time.sleep(0.005)
        return self.connection.counts[reason] == count

    def close(self) -> None:
        self.connection.close()
        for peer in self.peers:
            peer.socket.close()


@pytest.fixture
def signed() -> Iterator[Line]:
    made = Line(KEY)
    yield made
    made.close()


@pytest.fixture
def plain() -> Iterator[Line]:
    made = Line(None)
    yield made
    made.close()


def test_52__unsigned_frame_where_a_key_is_set__dropped_counted_and_alarmed_at_the_third(signed):
    aircraft = signed.vehicle(KEY)
    aircraft.codec.signing.sign_outgoing = False
    aircraft.beat(2)
    assert signed.counts("link.unsigned", 2)
    assert signed.alarms == []
    aircraft.beat()
    assert signed.counts("link.unsigned", 3)
    assert signed.alarms == [Alarm("link.unsigned", 3, 1, 1)]
    assert signed.heard == []


def test_52__flood_of_unsigned_frames__few_alarms(signed):
    aircraft = signed.vehicle(KEY)
    aircraft.codec.signing.sign_outgoing = False
    for count in range(50, 351, 50):
        # No more at once than a socket keeps for somebody who has not got his turn yet.
        aircraft.beat(50)
        assert signed.counts("link.unsigned", count)
    assert [alarm.count for alarm in signed.alarms] == [3, 30, 300]


def test_52__modem_and_other_stations__no_alarm(signed):
    aircraft = signed.vehicle(KEY)
    modem, station = Peer(signed.port, None, system=51), Peer(signed.port, None, system=255)
    for _ in range(5):
        aircraft.send(modem.frame(mavlink.MAVLink_radio_status_message(200, 190, 100, 40, 40, 0, 0)))
        aircraft.send(station.frame(mavlink.MAVLink_heartbeat_message(6, 8, 0, 0, 3, 3)))
    assert signed.counts("link.modem", 5)
    assert signed.counts("link.unsigned", 5)
    assert (signed.alarms, signed.heard) == ([], [])
    modem.socket.close()
    station.socket.close()


def test_53__wrong_key_replay_and_old_stamp__dropped_and_counted_by_reason(signed):
    aircraft = signed.vehicle(KEY)
    once = aircraft.frame()
    aircraft.send(once)
    assert signed.counts("accepted", 2)
    aircraft.send(once)
    assert signed.counts("link.replay", 1)
    stale = Peer(signed.port, KEY, stamp=stamp_of(SystemClock().now() - timedelta(minutes=5)))
    stale.codec.signing.link_id = 7
    aircraft.send(stale.frame())
    assert signed.counts("link.replay", 2)
    forger = Peer(signed.port, OTHER)
    for _ in range(3):
        aircraft.send(forger.frame())
    assert signed.counts("link.signature", 3)
    assert signed.alarms == [Alarm("link.signature", 3, 1, 1)]
    assert len(signed.heard) == 1
    stale.socket.close()
    forger.socket.close()


def test_53__forged_stamp_of_the_far_future__aircraft_is_still_heard(signed):
    aircraft = signed.vehicle(KEY)
    forger = Peer(signed.port, OTHER, stamp=LAST_STAMP - 5)
    aircraft.send(forger.frame())
    assert signed.counts("link.signature", 1)
    aircraft.beat(3)
    assert signed.counts("accepted", 4)
    forger.socket.close()


def test_53__signature_cut_off__dropped_and_the_line_goes_on(signed):
    aircraft = signed.vehicle(KEY)
    aircraft.send(aircraft.frame()[:-7])
    aircraft.beat(3)
    assert signed.counts("link.signature", 1)
    # The torn frame took seven bytes of the next one with it, and a byte of what is left of that may look like the
    # beginning of another: the line goes on with one of those that follow.
    deadline = time.monotonic() + 30
    while signed.connection.counts["accepted"] < 3 and time.monotonic() < deadline:
        aircraft.beat()
        time.sleep(0.05)
    assert signed.connection.counts["accepted"] >= 3


def test_53__key_of_another_aircraft__never_identified(signed, monkeypatch):
    signed.peer(OTHER).beat(4)
    assert signed.counts("link.signature", 4)
    with pytest.raises(VehicleRefused) as refused:
        signed.connection.wait_identified(0.05)
    assert refused.value.refusals[0].rule == "link.signature"
    assert "another key" in refused.value.refusals[0].message()


def test_54__mavlink_1__dropped_before_it_is_read(plain, signed):
    for each, key in ((plain, None), (signed, KEY)):
        aircraft = each.vehicle(key)
        for _ in range(3):
            aircraft.send(aircraft.frame(force_mavlink1=True))
        assert each.counts("link.mavlink1", 3)
        assert each.alarms == [Alarm("link.mavlink1", 3, 1, 1)]
        assert each.heard == []


def test_54__unknown_kind__refused_signed_or_not(plain, signed):
    unknown = bytearray(b"\xfd\x04\x00\x00\x00\x01\x01\x77\x77\x77abcd\x00\x00")
    aircraft = plain.vehicle(None)
    aircraft.send(bytes(unknown))
    assert plain.counts("link.garbage", 1)
    aircraft = signed.vehicle(KEY)
    aircraft.send(bytes(unknown))
    assert signed.counts("link.unsigned", 1)
    aircraft.send(Signature(KEY, 9).sign(bytes(unknown), 0))
    assert signed.counts("link.garbage", 1)
    assert (plain.heard, signed.heard) == ([], [])


def test_55__right_key_other_system__dropped_and_alarmed_at_once(signed):
    aircraft = signed.vehicle(KEY)
    other = Peer(signed.port, KEY, system=66)
    aircraft.send(other.frame())
    assert signed.counts("link.identity", 1)
    assert signed.alarms == [Alarm("link.identity", 1, 66, 1)]
    assert (signed.connection.target_system, signed.heard) == (1, [])
    other.socket.close()


def test_52__remote_id_of_a_module_without_the_key__not_believed(signed):
    aircraft = signed.vehicle(KEY)
    name = mavlink.MAVLink_open_drone_id_basic_id_message(0, 0, [0] * 20, 1, 2, b"SN".ljust(20, b"\0"))
    module = Peer(signed.port, None)
    module.codec.srcComponent = mavlink.MAV_COMP_ID_ODID_TXRX_1
    aircraft.send(module.frame(name))
    assert signed.counts("link.unsigned", 1)
    assert signed.heard == []
    module.codec.signing = aircraft.codec.signing
    aircraft.send(module.frame(name))
    assert signed.counts("accepted", 2)
    assert [message.get_srcComponent() for message in signed.heard] == [mavlink.MAV_COMP_ID_ODID_TXRX_1]
    module.socket.close()


def test_58__flood_from_the_aircraft__cut_off_and_heartbeat_and_abort_go_out(plain, monkeypatch):
    monkeypatch.setattr(plain.connection, "_bucket", line.Bucket(100_000))
    aircraft = plain.vehicle(None)
    over = threading.Event()
    packet = b"".join(aircraft.frame(mavlink.MAVLink_attitude_message(n, 1, 1, 1, 1, 1, 1)) for n in range(30))

    def flood() -> None:
        while not over.is_set():
            aircraft.send(packet)
            time.sleep(0.0002)

    flooding, started = threading.Thread(target=flood), time.monotonic()
    flooding.start()
    try:
        beats, aborted = [], False
        while len(beats) < 3 and time.monotonic() - started < 60:
            if not aborted:
                plain.connection.codec.command_long_send(1, 1, mavlink.MAV_CMD_NAV_RETURN_TO_LAUNCH, 0, *[0] * 7)
                sent_at, aborted = time.monotonic(), True
            for message in aircraft.heard():
                if message.get_type() == "COMMAND_LONG":
                    # At once, were nobody else at work on this machine; behind the flood it would never come.
                    assert time.monotonic() - sent_at < 5
                else:
                    beats.append(time.monotonic())
        assert len(beats) == 3
        assert max(b - a for a, b in pairwise(beats)) < 5
    finally:
        over.set()
        flooding.join()
        lasted_s = time.monotonic() - started
    assert plain.connection.counts["link.flood"] > 100
    assert [alarm.reason for alarm in plain.alarms][:1] == ["link.flood"]
    assert plain.connection.counts["accepted"] * len(packet) / 30 < 100_000 * (lasted_s + 5)


def test_59__ten_thousand_source_ports__one_peer_and_flat_memory(plain):
    aircraft = plain.vehicle(None)
    data = aircraft.frame()

    def strangers(count: int) -> None:
        for _ in range(count):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
                one.sendto(data, aircraft.to)

    strangers(500)
    gc.collect()
    tracemalloc.start()
    try:
        strangers(10_000)
        gc.collect()
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 200_000
    assert plain.connection.counts["accepted"] == 1
    # What strangers sent may still fill the socket: it speaks until it is heard again.
    deadline = time.monotonic() + 30
    while plain.connection.counts["accepted"] < 3 and time.monotonic() < deadline:
        aircraft.beat()
        time.sleep(0.01)
    assert plain.connection.counts["accepted"] >= 3


@pytest.mark.parametrize("seed", [1, 2])
def test_60__random_and_mangled_bytes__no_exception_leaves_the_link(plain, signed, seed):
    noise = random.Random(seed)
    for each, key in ((plain, None), (signed, KEY)):
        aircraft = each.vehicle(key)
        for _ in range(1_500):
            whole = bytearray(aircraft.frame(mavlink.MAVLink_statustext_message(1, b"nothing")))
            for _ in range(noise.randrange(1, 6)):
                whole[noise.randrange(len(whole))] = noise.randrange(256)
            aircraft.send(noise.choice((bytes(whole), noise.randbytes(noise.randrange(1, 300)))))
        deadline = time.monotonic() + 30
        before = each.connection.counts["accepted"]
        while each.connection.counts["accepted"] < before + 3 and time.monotonic() < deadline:
            aircraft.beat()
            time.sleep(0.01)
        assert each.connection.counts["accepted"] >= before + 3
        assert each.connection._thread.is_alive()
        assert each.connection.counts["listener.error"] == 0
        # Of a signed link nothing mangled is ever heard; a byte may have been replaced by itself.
        texts = [message for message in each.heard if key and message.get_type() != "HEARTBEAT"]
        assert {(message.get_type(), message.text) for message in texts} <= {("STATUSTEXT", "nothing")}


def test_52__alarm_before_anybody_listened__told_when_somebody_does(signed):
    signed.peer(OTHER).beat(3)
    assert signed.counts("link.signature", 3)
    late: list[Alarm] = []
    signed.connection.on_alarm(late.append)
    assert late == signed.alarms == [Alarm("link.signature", 3, 1, 1)]


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(line, "LOOK_AROUND_AFTER_S", 0.8)
    monkeypatch.setattr(line, "HEARTBEAT_EVERY_S", 0.05)


def moved(aircraft: Peer) -> Peer:
    """The same aircraft behind another source port, as after its modem dialled in again."""
    other = Peer(aircraft.to[1], None)
    other.codec = aircraft.codec
    return other


def test_59__signed_aircraft_with_a_new_address__heard_again_and_pinned_there(signed, impatient):
    aircraft = signed.vehicle(KEY)
    there, stranger = moved(aircraft), Peer(signed.port, OTHER)
    there.beat()
    time.sleep(1.0)
    stranger.beat(2)
    assert signed.counts("link.signature", 2)
    # Nothing is said to the stranger; whoever was pinned is still spoken to.
    assert aircraft.heard()
    with pytest.raises(TimeoutError):
        stranger.socket.settimeout(0.2)
        stranger.heard()
    there.beat()
    assert signed.counts("accepted", 2)
    assert there.heard()
    there.socket.close()
    stranger.socket.close()


def test_59__aircraft_without_a_key__stays_pinned_where_it_was(plain, impatient):
    aircraft = plain.vehicle(None)
    there = moved(aircraft)
    time.sleep(1.0)
    there.beat(3)
    # What comes behind them from where it was pinned is heard, and it alone.
    aircraft.beat()
    assert plain.counts("accepted", 2)
    there.socket.close()
