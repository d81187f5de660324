"""The vehicle's side of the mission protocol, as ArduPilot runs it.

It asks with MISSION_REQUEST and again after a second, gives up after eight, writes a mission and rally points
item by item into the old ones (cut off at the announced count) and a fence only when it is whole, keeps its own
home at place 0 of a mission, and denies a second ground station while the first one writes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.simulator.options import Faults
from flights.simulator.storage import (
    ItemRefused,
    Stored,
    check_fence,
    store_fence_item,
    store_mission_item,
    store_rally_item,
)

ASK_AGAIN_S = 1.0
GIVE_UP_S = 8.0
# A ground station lives in real time even when the simulated time runs a hundred times faster.
GIVE_UP_REAL_S = 3.0
MAX_MISSION_ITEMS = 650
MAX_FENCE_ITEMS = 200
MAX_RALLY_POINTS = 40
_MOST_ITEMS = {
    mavlink.MAV_MISSION_TYPE_MISSION: MAX_MISSION_ITEMS,
    mavlink.MAV_MISSION_TYPE_FENCE: MAX_FENCE_ITEMS,
    mavlink.MAV_MISSION_TYPE_RALLY: MAX_RALLY_POINTS,
}

Send = Callable[[Any], None]


@dataclass
class _Receiving:
    """An upload under way."""

    station: tuple[int, int]
    count: int
    next_seq: int
    asked_s: float
    heard_s: float
    heard_real_s: float
    fence: list[Stored] = field(default_factory=list)


class ItemStore:
    """One list of items (mission, fence or rally points) and the protocol to write and read it.

    `items` of a mission includes the home at place 0. Times are the simulated ones of `tick`. Until `late_until_s`
    the list is said to be empty, as a fence is by an autopilot that has not loaded it yet.
    """

    def __init__(self, kind: int, send: Send, faults: Faults, real_s: Callable[[], float]) -> None:
        self.items: list[Stored] = []
        self.version = 0
        self._kind = kind
        self._is_fence = kind == mavlink.MAV_MISSION_TYPE_FENCE
        self._first = 1 if kind == mavlink.MAV_MISSION_TYPE_MISSION else 0
        self.late_until_s = 0.0
        self._send = send
        self._faults = faults
        self._real_s = real_s
        self._now_s = 0.0
        self._receiving: _Receiving | None = None

    def set_home(self, home: Stored) -> None:
        """Puts the autopilot's own home at place 0 of a mission."""
        self.items[:1] = [home]

    def restart(self, late_until_s: float) -> None:
        """Forgets an upload under way, as an autopilot that starts anew; what was stored stays."""
        self._receiving, self._now_s, self.late_until_s = None, 0.0, late_until_s

    # -- messages -----------------------------------------------------------------------------------

    def handle(self, message: Any) -> None:  # noqa: ANN401
        """Takes one message of the protocol that concerns this list."""
        station = (message.get_srcSystem(), message.get_srcComponent())
        if self._faults.deny_mission:
            self._ack(station, mavlink.MAV_MISSION_DENIED)
            return
        handler = {
            "MISSION_COUNT": self._count,
            "MISSION_ITEM_INT": self._item,
            "MISSION_REQUEST_LIST": self._list,
            "MISSION_REQUEST_INT": self._give,
            "MISSION_REQUEST": self._give,
            "MISSION_CLEAR_ALL": self._clear,
        }.get(message.get_type())
        if handler is not None:
            handler(message, station)

    def tick(self, now_s: float) -> None:
        """Lets time pass: asks again, or gives an upload up."""
        self._now_s, upload = now_s, self._receiving
        if upload is None:
            return
        quiet_real_s = self._real_s() - upload.heard_real_s
        if now_s - upload.heard_s > GIVE_UP_S and quiet_real_s > GIVE_UP_REAL_S:
            self._receiving = None
            self._ack(upload.station, mavlink.MAV_MISSION_OPERATION_CANCELLED)
        elif now_s - upload.asked_s > ASK_AGAIN_S:
            self._ask(upload)

    # -- writing ------------------------------------------------------------------------------------

    def _count(self, message: Any, station: tuple[int, int]) -> None:  # noqa: ANN401
        if self._receiving is not None and self._receiving.station != station:
            self._ack(station, mavlink.MAV_MISSION_DENIED)
            return
        if message.count > _MOST_ITEMS[self._kind]:
            self._ack(station, mavlink.MAV_MISSION_NO_SPACE)
            return
        if not self._is_fence:
            del self.items[max(self._first, message.count) :]
        upload = _Receiving(station, message.count, 0, self._now_s, self._now_s, self._real_s())
        if message.count == 0:
            self._finish(upload)
            return
        self._receiving = upload
        self._ask(upload)

    def _ask(self, upload: _Receiving) -> None:
        upload.asked_s = self._now_s
        kind = mavlink.MAVLink_mission_request_message
        if self._faults.ask_int:
            kind = mavlink.MAVLink_mission_request_int_message
        self._send(kind(*upload.station, upload.next_seq, self._kind))

    def _item(self, message: Any, station: tuple[int, int]) -> None:  # noqa: ANN401
        upload = self._receiving
        if upload is None:
            self._ack(station, mavlink.MAV_MISSION_ERROR)
        elif upload.station != station:
            self._ack(station, mavlink.MAV_MISSION_DENIED)
        elif message.seq != upload.next_seq:
            self._ack(station, mavlink.MAV_MISSION_INVALID_SEQUENCE)
        else:
            self._take(message, upload)

    def _take(self, message: Any, upload: _Receiving) -> None:  # noqa: ANN401
        try:
            self._keep(message, upload)
        except ItemRefused as refused:
            self._receiving = None
            self._refuse(upload.station, refused)
            return
        upload.heard_s, upload.heard_real_s = self._now_s, self._real_s()
        upload.next_seq += 1
        if upload.next_seq < upload.count:
            self._ask(upload)
        else:
            self._finish(upload)

    def _keep(self, message: Any, upload: _Receiving) -> None:  # noqa: ANN401
        if self._is_fence:
            upload.fence.append(store_fence_item(message))
            return
        stored = store_mission_item(message) if self._first else store_rally_item(message)
        if message.seq < self._first:
            return
        if message.seq == self._faults.tamper_item:
            stored = stored.moved(self._faults.tamper_m)
        self.items[message.seq : message.seq + 1] = [stored]

    def _finish(self, upload: _Receiving) -> None:
        self._receiving = None
        if self._is_fence:
            try:
                check_fence(upload.fence)
            except ItemRefused as refused:
                self._refuse(upload.station, refused)
                return
            self.items = upload.fence
        self.version += 1
        if not self._faults.mute_final_ack:
            self._ack(upload.station, mavlink.MAV_MISSION_ACCEPTED)

    def _clear(self, _message: Any, station: tuple[int, int]) -> None:  # noqa: ANN401
        if self._receiving is not None:
            self._ack(station, mavlink.MAV_MISSION_ERROR)
            return
        del self.items[self._first :]
        self.version += 1
        self._ack(station, mavlink.MAV_MISSION_ACCEPTED)

    # -- reading ------------------------------------------------------------------------------------

    def _list(self, _message: Any, station: tuple[int, int]) -> None:  # noqa: ANN401
        if self._receiving is not None:
            self._ack(station, mavlink.MAV_MISSION_DENIED)
            return
        count = len(self.items) if self._now_s >= self.late_until_s else 0
        self._send(mavlink.MAVLink_mission_count_message(*station, count, self._kind))

    def _give(self, message: Any, station: tuple[int, int]) -> None:  # noqa: ANN401
        if self._receiving is not None:
            self._ack(station, mavlink.MAV_MISSION_DENIED)
        elif message.seq >= len(self.items):
            self._ack(station, mavlink.MAV_MISSION_ERROR)
        else:
            self._send(self.items[message.seq].message(message.seq, self._kind, station))

    # -- answers ------------------------------------------------------------------------------------

    def _ack(self, station: tuple[int, int], result: int) -> None:
        self._send(mavlink.MAVLink_mission_ack_message(*station, result, self._kind))

    def _refuse(self, station: tuple[int, int], refused: ItemRefused) -> None:
        self._ack(station, refused.result)
        if refused.text:
            text = refused.text.encode("ascii")[:50]
            self._send(mavlink.MAVLink_statustext_message(mavlink.MAV_SEVERITY_WARNING, text))
