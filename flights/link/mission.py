"""The mission protocol: one client that writes and reads lists of items: missions, fences and rally points.

The acknowledgement of an upload proves nothing: it may be lost, stale or wrong. What was written is what
reads back, and `put` returns only when the digest of the read-back is the digest of what was sent. Nothing rests
on a count that the vehicle tells elsewhere: FENCE_TOTAL counts storage slots, not items. A list is emptied by
uploading an empty one, for ArduPilot does not know how to clear everything (MISSION_CLEAR_ALL of type 255).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.link.connection import Connection
from flights.link.errors import LinkLost, VehicleRefused
from flights.link.inbox import Inbox
from flights.link.items import MISSION_RESULTS, ListKind, differences, item_message, item_of, unsendable
from flights.link.texts import add_text
from flights.model import WireItem

# A step that brings nothing is repeated after this time; ArduPilot itself asks again only every second.
NUDGE_S = 0.25
LEAST_NUDGE_S = 0.1
MAX_NUDGE_S = 2.0
MAX_NUDGES = 40
TRANSFER_TRIES = 4
RETRY_PAUSE_S = 1.0
SHOWN_DIFFERENCES = 5
ACCEPTED = mavlink.MAV_MISSION_ACCEPTED
# Right after it was connected or started, an autopilot may say that it has no fence, and have it seconds later.
SETTLE_TRIES = 4
SETTLE_PAUSE_S = 1.0
# Another station is writing, the vehicle gave an earlier transfer up, or a late duplicate of one was
# answered: worth another try. Every other refusal is about the items and would only come again.
PASSING = (
    mavlink.MAV_MISSION_DENIED,
    mavlink.MAV_MISSION_OPERATION_CANCELLED,
    mavlink.MAV_MISSION_ERROR,
)


@dataclass(frozen=True)
class ReadBack:
    """What the vehicle says that it holds (home left out), and the canonical digest of that."""

    items: tuple[WireItem, ...]
    digest: str


@dataclass
class _Upload:
    """How far one upload has come; `result` is what the vehicle said last, None when it said nothing."""

    kind: ListKind
    items: Sequence[WireItem]
    asked: int = -1
    sent_last: bool = False
    result: int | None = None
    texts: list[str] = field(default_factory=list)

    @property
    def step(self) -> Any:  # noqa: ANN401
        """The message that is due: the count while nothing was asked for, else the item asked for."""
        if self.asked < 0:
            return mavlink.MAVLink_mission_count_message(0, 0, len(self.items), int(self.kind))
        self.sent_last = self.sent_last or self.asked == len(self.items) - 1
        return item_message(self.items[self.asked], self.asked, self.kind)

    @property
    def item(self) -> str:
        """The item that the vehicle asked for last, for a refusal; home is in no count."""
        return str(self.asked + 1 - len(self.kind.leading)) if self.asked >= 0 else "-"

    @property
    def is_rejected(self) -> bool:
        """Whether the vehicle refused the items themselves."""
        return self.result is not None and self.result != ACCEPTED and self.result not in PASSING


class MissionClient:
    """Writes, reads and verifies the mission, the fence and the rally points of the vehicle on a connection.

    Nudges are paced by the round-trip time seen, so that a slow radio is not flooded.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._nudge_s = NUDGE_S

    def put(self, kind: ListKind, items: Sequence[WireItem]) -> ReadBack:
        """Uploads `items` (home left out), reads them back and compares canonical digests.

        Raises VehicleRefused `mission.unsendable` before anything is sent, `mission.refused` when the vehicle
        rejects an item, `mission.mismatch` when it holds something else than was sent, `mission.timeout` when no
        transfer completes; LinkLost.
        """
        if wrong := unsendable(items):
            measured = "; ".join(wrong[:SHOWN_DIFFERENCES])
            raise VehicleRefused.because("mission.unsendable", kind=kind.label, measured=measured)
        wanted = kind.digest(items)
        for attempt in range(TRANSFER_TRIES):
            if attempt:
                time.sleep(RETRY_PAUSE_S)
            upload = self._upload(kind, (*kind.leading, *items))
            read: tuple[WireItem, ...] | None = None
            if upload.sent_last or upload.result in (None, ACCEPTED):
                read = self.get(kind)
                if kind.digest(read) == wanted:
                    return ReadBack(read, wanted)
            if upload.is_rejected or (upload.result == ACCEPTED and attempt):
                break
        raise _refusal(upload, [] if read is None else differences(items, read))

    def confirm(self, kind: ListKind, digest: str) -> ReadBack:
        """Reads a list and refuses one whose canonical digest is not `digest` (`mission.mismatch`); writes nothing.

        A list that is said to be empty is asked for again a few times: a vehicle that was connected just now may
        not have loaded it.
        """
        for tries_left in reversed(range(SETTLE_TRIES)):
            read = self.get(kind)
            found = kind.digest(read)
            if found == digest:
                return ReadBack(read, digest)
            if read or not tries_left:
                break
            time.sleep(SETTLE_PAUSE_S)
        measured = f"{len(read)} items, {found[:12]}"
        raise VehicleRefused.because(
            "mission.mismatch", text="mission.changed", kind=kind.label, measured=measured, required=digest[:12]
        )

    def get(self, kind: ListKind) -> tuple[WireItem, ...]:
        """What the vehicle holds, home left out; raises VehicleRefused `mission.timeout`, LinkLost."""
        for _ in range(TRANSFER_TRIES):
            read = self._download(kind)
            if read is not None:
                return read[len(kind.leading) :]
            time.sleep(RETRY_PAUSE_S)
        raise VehicleRefused.because("mission.timeout", kind=kind.label)

    # -- writing ------------------------------------------------------------------------------------

    def _upload(self, kind: ListKind, items: Sequence[WireItem]) -> _Upload:
        state, quiet = _Upload(kind, items), 0
        types = ("MISSION_REQUEST", "MISSION_REQUEST_INT", "MISSION_ACK", "STATUSTEXT")
        with self._connection.listen(*types) as inbox:
            sent_at = self._send(state.step)
            while state.result is None and quiet < MAX_NUDGES:
                message = inbox.get(self._nudge_s)
                if message is None:
                    quiet += 1
                    self._check_line()
                    sent_at = self._send(state.step)
                elif self._concerns(message, kind):
                    self._pace(sent_at)
                    if _advance(state, message):
                        quiet, sent_at = 0, self._send(state.step)
            if state.result not in (None, ACCEPTED):
                # ArduPilot gives the reason of a refusal in a text that follows the acknowledgement.
                time.sleep(self._nudge_s)
                for message in inbox.drain():
                    if message.get_type() == "STATUSTEXT":
                        add_text(state.texts, message)
        return state

    # -- reading ------------------------------------------------------------------------------------

    def _download(self, kind: ListKind) -> tuple[WireItem, ...] | None:
        with self._connection.listen("MISSION_COUNT", "MISSION_ITEM_INT", "MISSION_ACK") as inbox:
            listed = mavlink.MAVLink_mission_request_list_message(0, 0, int(kind))
            counted = self._ask(inbox, kind, listed, lambda m: m.get_type() == "MISSION_COUNT")
            if counted is None:
                return None
            items = []
            for seq in range(counted.count):
                request = mavlink.MAVLink_mission_request_int_message(0, 0, seq, int(kind))
                item = self._ask(inbox, kind, request, partial(_is_item, seq))
                if item is None:
                    return None
                items.append(item_of(item))
        self._send(mavlink.MAVLink_mission_ack_message(0, 0, ACCEPTED, int(kind)))
        return tuple(items)

    def _ask(
        self,
        inbox: Inbox,
        kind: ListKind,
        request: Any,  # noqa: ANN401
        wanted: Callable[[Any], bool],
    ) -> Any | None:  # noqa: ANN401
        """Repeats `request` until the wanted answer comes; None when refused or never answered."""
        for _ in range(MAX_NUDGES):
            sent_at = self._send(request)
            while (left_s := sent_at + self._nudge_s - time.monotonic()) > 0:
                message = inbox.get(left_s)
                if message is None or not self._concerns(message, kind):
                    continue
                if wanted(message):
                    self._pace(sent_at)
                    return message
                if message.get_type() == "MISSION_ACK" and message.type != ACCEPTED:
                    return None
            self._check_line()
        return None

    # -- shared -------------------------------------------------------------------------------------

    def _send(self, message: Any) -> float:  # noqa: ANN401
        self._connection.codec.send(message)
        return time.monotonic()

    def _concerns(self, message: Any, kind: ListKind) -> bool:  # noqa: ANN401
        if message.get_type() == "STATUSTEXT":
            return True
        return bool(self._connection.is_for_us(message) and message.mission_type == int(kind))

    def _pace(self, sent_at: float) -> None:
        smoothed_s = 0.8 * self._nudge_s + 0.2 * 3 * (time.monotonic() - sent_at)
        self._nudge_s = min(max(smoothed_s, LEAST_NUDGE_S), MAX_NUDGE_S)

    def _check_line(self) -> None:
        if self._connection.silence_s > MAX_NUDGES * NUDGE_S:
            raise LinkLost.silent(self._connection.silence_s)


def _advance(state: _Upload, message: Any) -> bool:  # noqa: ANN401
    """Takes one message of the vehicle into `state`; True when the next step is to be sent at once."""
    if message.get_type() == "STATUSTEXT":
        add_text(state.texts, message)
    elif message.get_type() != "MISSION_ACK":
        known = 0 <= message.seq < len(state.items)
        if known and message.seq != state.asked:
            # What the vehicle said until here was not about the item that it asks for now.
            state.asked, state.texts = message.seq, []
        return bool(known)
    elif message.type == mavlink.MAV_MISSION_INVALID_SEQUENCE:
        # The vehicle has this item already and its request for the next was lost. The next nudge sends
        # that one; answering at once could start a duel of duplicates.
        state.asked = min(state.asked + 1, len(state.items) - 1)
    elif message.type != ACCEPTED or state.sent_last or not state.items:
        state.result = message.type
    return False


# What the codes of a refusal mean, as sentences; what is not here is told by its name.
_REFUSED: dict[int, str] = {
    mavlink.MAV_MISSION_UNSUPPORTED_FRAME: "mission.refused_frame",
    mavlink.MAV_MISSION_UNSUPPORTED: "mission.refused_command",
    mavlink.MAV_MISSION_NO_SPACE: "mission.refused_space",
    mavlink.MAV_MISSION_INVALID_PARAM5_X: "mission.refused_place",
    mavlink.MAV_MISSION_INVALID_PARAM6_Y: "mission.refused_place",
    mavlink.MAV_MISSION_INVALID_PARAM7: "mission.refused_height",
    mavlink.MAV_MISSION_DENIED: "mission.refused_busy",
    mavlink.MAV_MISSION_OPERATION_CANCELLED: "mission.refused_cancelled",
} | dict.fromkeys(
    range(mavlink.MAV_MISSION_INVALID_PARAM1, mavlink.MAV_MISSION_INVALID_PARAM4 + 1), "mission.refused_parameter"
)


def _is_item(seq: int, message: Any) -> bool:  # noqa: ANN401
    return bool(message.get_type() == "MISSION_ITEM_INT" and message.seq == seq)


def _refusal(upload: _Upload, found: list[str]) -> VehicleRefused:
    kind = upload.kind.label
    if upload.result is None:
        return VehicleRefused.because("mission.timeout", kind=kind)
    if upload.result == ACCEPTED:
        measured = "; ".join(found[:SHOWN_DIFFERENCES]) or "another digest"
        return VehicleRefused.because("mission.mismatch", kind=kind, measured=measured)
    result = MISSION_RESULTS.get(upload.result, str(upload.result))
    reason = "; ".join(upload.texts) or "no reason given"
    text = _REFUSED.get(upload.result, "mission.refused")
    return VehicleRefused.because(
        "mission.refused", text=text, kind=kind, item=upload.item, measured=result, reason=reason
    )
