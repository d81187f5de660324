"""Items of missions, fences and rally points as MISSION_ITEM_INT messages, and how two lists differ."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from enum import IntEnum
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.canonical import fence_digest, mission_digest, rally_digest
from flights.model import E7, Frame, WireItem

MISSION_RESULTS: dict[int, str] = {
    number: entry.name.removeprefix("MAV_MISSION_") for number, entry in mavlink.enums["MAV_MISSION_RESULT"].items()
}

# ArduPilot keeps its own home at place 0 of a mission, whatever is sent there; it is in no digest.
HOME_PLACEHOLDER = WireItem(mavlink.MAV_CMD_NAV_WAYPOINT, Frame.GLOBAL, 0.0, 0.0, 0.0, 0.0, 0, 0, 0.0)


class ListKind(IntEnum):
    """Which list of items a transfer is about (MAV_MISSION_TYPE)."""

    MISSION = mavlink.MAV_MISSION_TYPE_MISSION
    FENCE = mavlink.MAV_MISSION_TYPE_FENCE
    RALLY = mavlink.MAV_MISSION_TYPE_RALLY

    @property
    def label(self) -> str:
        """The name in refusals."""
        return self.name.lower()

    @property
    def leading(self) -> tuple[WireItem, ...]:
        """What precedes the items proper on the wire."""
        return (HOME_PLACEHOLDER,) if self is ListKind.MISSION else ()

    @property
    def digest(self) -> Callable[[Iterable[WireItem]], str]:
        """The canonical digest for this kind of list."""
        return _DIGESTS[self]


_DIGESTS: dict[ListKind, Callable[[Iterable[WireItem]], str]] = {
    ListKind.MISSION: mission_digest,
    ListKind.FENCE: fence_digest,
    ListKind.RALLY: rally_digest,
}
# A place given in degrees where 1e-7 degrees are meant lies within 40 mm of the middle of the Gulf of Guinea, and
# an autopilot takes it without a word.
_DEGREES = (90, 180)
_LIMITS = (90 * E7, 180 * E7)


def unsendable(items: Sequence[WireItem]) -> list[str]:
    """What must never be sent, for an autopilot might take it silently; places count from 1."""
    found = []
    for seq, item in enumerate(items, start=1):
        if abs(item.x) > _LIMITS[0] or abs(item.y) > _LIMITS[1]:
            found.append(f"item {seq}: {item.x}, {item.y} is no place on earth")
        elif (item.x or item.y) and abs(item.x) <= _DEGREES[0] and abs(item.y) <= _DEGREES[1]:
            found.append(f"item {seq}: {item.x}, {item.y} are degrees, not their ten-millionths")
        if not math.isfinite(item.z):
            found.append(f"item {seq}: the height is not a number")
        if item.frame not in _FRAMES:
            found.append(f"item {seq}: frame {item.frame} is not a global one")
    return found


_FRAMES = frozenset(Frame)


def item_message(item: WireItem, seq: int, kind: ListKind) -> Any:  # noqa: ANN401
    """The item as a message; `current` is 0, for 2 and 3 would be orders to fly there at once."""
    return mavlink.MAVLink_mission_item_int_message(
        0, 0, seq, item.frame, item.command, 0, 1, *item[2:6], item.x, item.y, item.z, int(kind)
    )


def item_of(message: Any) -> WireItem:  # noqa: ANN401
    """The item in a MISSION_ITEM_INT that a vehicle sent."""
    params = (message.param1, message.param2, message.param3, message.param4)
    return WireItem(message.command, message.frame, *params, message.x, message.y, message.z)


def differences(sent: Sequence[WireItem], read: Sequence[WireItem]) -> list[str]:
    """Where two lists differ, in words for a person; places count from 1, as ArduPilot numbers them."""
    found = [] if len(sent) == len(read) else [f"{len(sent)} items sent, {len(read)} read back"]
    for seq, (ours, theirs) in enumerate(zip(sent, read, strict=False), start=1):
        if ours.command != theirs.command:
            found.append(f"item {seq}: command {ours.command} reads back as {theirs.command}")
        elif (ours.x, ours.y) != (theirs.x, theirs.y):
            found.append(f"item {seq}: place {_place(ours)} reads back as {_place(theirs)}")
        elif round(ours.z * 100) != round(theirs.z * 100):
            found.append(f"item {seq}: height {ours.z:.2f} m reads back as {theirs.z:.2f} m")
        elif ours[2:6] != theirs[2:6]:
            found.append(f"item {seq}: parameters {ours[2:6]} read back as {theirs[2:6]}")
    return found


def _place(item: WireItem) -> str:
    return f"{item.x / 1e7:.7f},{item.y / 1e7:.7f}"
