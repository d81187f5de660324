"""Uploads on a bad line and beside another ground station: the read-back alone decides."""

from __future__ import annotations

import socket
import threading
import time

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.link.errors import VehicleRefused
from flights.link.items import ListKind, item_message
from flights.link.vehicle import VehicleLink
from flights.simulator.options import Faults
from schemas.clock import SystemClock
from tests.process.test_line import fence, mission


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Nudges are paced for radios; on a loopback nothing is gained by waiting so long."""
    monkeypatch.setattr("flights.link.mission.NUDGE_S", 0.05)
    monkeypatch.setattr("flights.link.mission.LEAST_NUDGE_S", 0.03)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_DC_1__a_fifth_lost_each_way__hundred_items_always_verified(connected, seed):
    """The vehicle asks again after a second of its own time, which is short here; all waiting but that is ours."""
    running, link = connected(faults=Faults(loss=0.2), seed=seed)
    items = mission(100)
    begun = time.monotonic()
    assert link.missions.put(ListKind.MISSION, items).digest == ListKind.MISSION.digest(items)
    assert time.monotonic() - begun < 200
    assert len(running._mission.items) == 101


@pytest.mark.parametrize("seed", [4, 5])
def test_DC_1__a_fifth_lost_each_way__fence_and_rally_verified(connected, seed):
    from tests.process.test_gate import RALLY

    _, link = connected(faults=Faults(loss=0.2), seed=seed)
    for kind, items in ((ListKind.FENCE, fence()), (ListKind.RALLY, RALLY * 5), (ListKind.FENCE, [])):
        assert link.missions.put(kind, items).digest == kind.digest(items)


def test_DC_1__a_fifth_lost_and_one_item_moved__refused_all_the_same(connected):
    _, link = connected(faults=Faults(loss=0.2, tamper_item=17), seed=6)
    with pytest.raises(VehicleRefused) as refused:
        link.missions.put(ListKind.MISSION, mission(30))
    assert refused.value.refusals[0].rule == "mission.mismatch"


class OtherStation:
    """A ground station of somebody else's making: its own socket, its own system id, the older item requests."""

    def __init__(self, url: str) -> None:
        _, host, port = url.split(":")
        self._socket = socket.create_connection((host, int(port)))
        self._socket.settimeout(0.05)
        self._codec = mavlink.MAVLink(None, srcSystem=255, srcComponent=190)
        self._codec.robust_parsing = True
        self.answers: list[int] = []

    def send(self, message) -> None:
        self._socket.sendall(message.pack(self._codec))

    def hear(self, wanted, within_s=60.0):
        """The next message for this station for which `wanted` holds."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            try:
                data = self._socket.recv(65_536)
            except TimeoutError:
                continue
            for message in self._codec.parse_buffer(data) or ():
                if getattr(message, "target_system", None) == 255 and wanted(message):
                    return message
        return None

    def begin(self, count: int):
        """Announces an upload; the vehicle's first word about it."""
        self.send(mavlink.MAVLink_mission_count_message(1, 1, count, 0))
        return self.hear(lambda m: m.get_type() in ("MISSION_ACK", "MISSION_REQUEST"))

    def upload(self, items, between=lambda: None) -> int | None:
        """Writes a mission, with `between` before each item; the final acknowledgement."""
        answer = self.begin(len(items))
        while answer is not None and answer.get_type() == "MISSION_REQUEST":
            between()
            item = item_message(items[answer.seq], answer.seq, ListKind.MISSION)
            item.target_system = item.target_component = 1
            self.send(item)
            after = answer.seq
            answer = self.hear(lambda m, after=after: m.get_type() == "MISSION_ACK" or getattr(m, "seq", -1) > after)
        return None if answer is None else answer.type

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def beside(simulated):
    """A vehicle, our line to it, and another station on a socket of its own."""
    running, url = simulated(faults=Faults(loss=0.0), speed_up=20.0)
    other = OtherStation(url)
    with VehicleLink.connect(url, SystemClock()) as link:
        yield running, link, other
    other.close()


def test_DC_1__other_station_begins_while_ours_writes__denied_to_it_and_ours_verified(beside, monkeypatch):
    running, link, other = beside
    words, items, begun = [], mission(60), threading.Event()
    heard = running._mission._item

    def slowly(message, station):
        begun.set()
        # The last item is not heard before the other one was answered.
        if message.seq < len(items) or words:
            heard(message, station)

    monkeypatch.setattr(running._mission, "_item", slowly)

    def interfere():
        assert begun.wait(100)
        words.append(other.begin(5))

    thread = threading.Thread(target=interfere)
    thread.start()
    read = link.missions.put(ListKind.MISSION, items)
    thread.join()
    assert read.digest == ListKind.MISSION.digest(items)
    assert words[0].get_type() == "MISSION_ACK"
    assert words[0].type == mavlink.MAV_MISSION_DENIED


def test_DC_1__other_station_writes_first__denied_to_ours_which_tries_again_and_wins(beside):
    _, link, other = beside
    theirs, ours, ended = [*mission(9), mission(9)[0]], mission(12), []
    begun, denied = threading.Event(), threading.Event()

    def told(message):
        if message.get_type() == "MISSION_ACK" and message.type == mavlink.MAV_MISSION_DENIED:
            denied.set()

    link.connection.forward(told)
    thread = threading.Thread(target=lambda: ended.append(other.upload(theirs, lambda: begun.set() or denied.wait(60))))
    thread.start()
    assert begun.wait(100)
    read = link.missions.put(ListKind.MISSION, ours)
    thread.join()
    assert ended == [mavlink.MAV_MISSION_ACCEPTED]
    assert read.digest == ListKind.MISSION.digest(ours)
    assert link.missions.get(ListKind.MISSION) == read.items


def test_DC_1__other_station_writes_right_after_ours__found_by_whoever_asks_before_arming(beside):
    _, link, other = beside
    digest = link.missions.put(ListKind.MISSION, mission(12)).digest
    assert other.upload([*mission(9), mission(9)[0]]) == mavlink.MAV_MISSION_ACCEPTED
    with pytest.raises(VehicleRefused) as refused:
        link.missions.confirm(ListKind.MISSION, digest)
    assert refused.value.refusals[0].rule == "mission.mismatch"


def test_mission__clear_all_of_every_kind__unsupported_and_never_needed(beside):
    _, link, other = beside
    link.missions.put(ListKind.FENCE, fence())
    other.send(mavlink.MAVLink_mission_clear_all_message(1, 1, mavlink.MAV_MISSION_TYPE_ALL))
    assert other.hear(lambda m: m.get_type() == "MISSION_ACK").type == mavlink.MAV_MISSION_UNSUPPORTED
    assert link.missions.put(ListKind.FENCE, []).items == ()


@pytest.mark.parametrize("kind", ["MISSION_REQUEST", "MISSION_REQUEST_INT"])
def test_mission__asked_for_either_way__answered_with_integers(beside, monkeypatch, kind):
    """ArduCopter asks with the older request, others with the newer one."""
    running, link, _ = beside
    asked = getattr(mavlink, f"MAVLink_{kind.lower()}_message")

    def ask(upload):
        upload.asked_s = running._mission._now_s
        running._mission._send(asked(*upload.station, upload.next_seq, 0))

    monkeypatch.setattr(running._mission, "_ask", ask)
    assert len(link.missions.put(ListKind.MISSION, mission(10)).items) == 10


def test_mission__home_at_place_0__the_vehicles_own_and_in_no_digest(beside):
    running, link, _ = beside
    link.missions.put(ListKind.MISSION, mission(5))
    assert (running._mission.items[0].x, running._mission.items[0].y) == (231_250_000, 1_132_545_000)


def test_mission__nothing_heard_for_eight_seconds__cancelled_and_begun_again(beside, monkeypatch):
    """The vehicle gives an upload up after 8 s of silence; the next try is a whole new one."""
    monkeypatch.setattr("flights.simulator.transfer.GIVE_UP_REAL_S", 0.1)
    running, link, _ = beside
    heard, results = running._mission._item, []
    link.connection.forward(lambda m: results.append(m.type) if m.get_type() == "MISSION_ACK" else None)

    def deaf(message, station):
        if message.seq != 3 or mavlink.MAV_MISSION_OPERATION_CANCELLED in results:
            heard(message, station)

    monkeypatch.setattr(running._mission, "_item", deaf)
    assert len(link.missions.put(ListKind.MISSION, mission(8)).items) == 8
    assert mavlink.MAV_MISSION_OPERATION_CANCELLED in results


@pytest.mark.parametrize(
    ("result", "word"),
    [
        (mavlink.MAV_MISSION_NO_SPACE, "memory"),
        (mavlink.MAV_MISSION_UNSUPPORTED_FRAME, "frame of item 2"),
        (mavlink.MAV_MISSION_INVALID_PARAM2, "parameter of item 2"),
        (mavlink.MAV_MISSION_INVALID_PARAM6_Y, "place of item 2"),
        (mavlink.MAV_MISSION_INVALID_PARAM7, "height of item 2"),
        (mavlink.MAV_MISSION_UNSUPPORTED, "command of item 2"),
    ],
)
def test_mission__refusal_codes__become_sentences_with_the_vehicles_words(beside, monkeypatch, result, word):
    from flights.simulator.storage import ItemRefused

    running, link, _ = beside
    keep = running._mission._keep

    def refuse(message, upload):
        if message.seq == 2:
            raise ItemRefused(result, "the reason in a text")
        keep(message, upload)

    monkeypatch.setattr(running._mission, "_keep", refuse)
    with pytest.raises(VehicleRefused) as refused:
        link.missions.put(ListKind.MISSION, mission(5))
    (refusal,) = refused.value.refusals
    assert refusal.rule == "mission.refused"
    assert word in refusal.message()
    assert "the reason in a text" in refusal.message()
    assert refusal.message("zh")
    assert refusal.fix("zh")
