"""Who decides how the vehicle flies: this gateway, the vehicle itself, or the pilot with another control.

A heartbeat names the mode and nobody names who chose it. A mode that was ordered here is ours; a return or a
landing beside a breach or a failsafe is the vehicle's own; every other change in flight is the pilot's, and
then nothing is ordered from here until the pilot gives the aircraft back by choosing our last mode again.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

NAMES: dict[int, str] = {
    number: entry.name.removeprefix("COPTER_MODE_") for number, entry in mavlink.enums["COPTER_MODE"].items()
}
MODES: dict[str, int] = {name: number for number, name in NAMES.items()}
# The modes by which ArduCopter brings itself home or down.
HOMEWARD = frozenset(MODES[name] for name in ("RTL", "LAND", "SMART_RTL", "AUTO_RTL"))
_OWN_CHOICE = HOMEWARD | {MODES["BRAKE"]}
# The modes in which a gateway before this one may have left an aircraft that it led.
_LED = frozenset(MODES[name] for name in ("AUTO", "GUIDED"))
_ALARMS = ("failsafe", "breach", "battery")
# The text or the status that explains a mode may come a little before or after the heartbeat that shows it.
ALARM_HOLDS_S = 5.0
UNEXPLAINED_AFTER_S = 1.5
# A heartbeat comes every second, so that one may still show the mode before the last that was ordered.
ORDER_SHOWS_S = 5.0
KEPT = 100


class Hand(StrEnum):
    """Who chose a mode."""

    GATEWAY = "gateway"
    VEHICLE = "vehicle"
    PILOT = "pilot"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class ModeChange:
    """A mode that a heartbeat showed for the first time; `at` is the monotonic clock of this process."""

    mode: str
    before: str
    at: float
    hand: Hand


class ModeWatch:
    """Listens to one vehicle; written by the reading thread, read by any other."""

    def __init__(self) -> None:
        self.current: int | None = None
        self.armed = False
        self._lock = threading.Lock()
        self._ordered: deque[tuple[int, float]] = deque(maxlen=4)
        self._changes: deque[ModeChange] = deque(maxlen=KEPT)
        self._alarm_at = -ALARM_HOLDS_S * 2

    def ordered(self, command: int, params: tuple[float, ...]) -> None:
        """Notes that a command which changes the mode is about to be sent from here."""
        mode = _mode_of(command, params)
        if mode is not None:
            with self._lock:
                self._ordered.append((mode, time.monotonic()))

    def take(self, message: Any) -> None:  # noqa: ANN401
        """Takes one message of the vehicle."""
        kind = message.get_type()
        if kind == "HEARTBEAT":
            self._heartbeat(message)
        elif (kind == "FENCE_STATUS" and message.breach_status) or (
            kind == "STATUSTEXT" and any(word in message.text.lower() for word in _ALARMS)
        ):
            self._alarm_at = time.monotonic()

    @property
    def name(self) -> str:
        """The present mode."""
        return _name(self.current)

    @property
    def changes(self) -> tuple[ModeChange, ...]:
        """The changes of mode so far, as far as it is known who made them."""
        with self._lock:
            return tuple(self._explained(change) for change in self._changes)

    @property
    def hand(self) -> Hand:
        """Who chose the present mode."""
        with self._lock:
            return self._explained(self._changes[-1]).hand if self._changes else Hand.GATEWAY

    @property
    def pilot_took_over(self) -> bool:
        """Whether an armed vehicle flies in a mode that the pilot chose."""
        return self.armed and self.hand is Hand.PILOT

    @property
    def homeward(self) -> bool:
        """Whether the vehicle brings itself home or down."""
        return self.current in HOMEWARD

    def _heartbeat(self, message: Any) -> None:  # noqa: ANN401
        self.armed = bool(message.base_mode & mavlink.MAV_MODE_FLAG_SAFETY_ARMED)
        if message.system_status in (mavlink.MAV_STATE_CRITICAL, mavlink.MAV_STATE_EMERGENCY):
            self._alarm_at = time.monotonic()
        mode = int(message.custom_mode)
        if mode == self.current:
            return
        with self._lock:
            before, self.current = self.current, mode
            hand = self._hand_of(mode)
            # Whoever comes to an aircraft that flies already knows of no change; by hand it is flown by its pilot.
            if before is not None or (hand is Hand.PILOT and mode not in _LED):
                self._changes.append(ModeChange(_name(mode), _name(before), time.monotonic(), hand))

    def _hand_of(self, mode: int) -> Hand:
        if mode in self._ours() or not self.armed:
            return Hand.GATEWAY
        return Hand.UNKNOWN if mode in _OWN_CHOICE else Hand.PILOT

    def _ours(self) -> set[int]:
        """The mode that was ordered last, and those whose heartbeat may only come now.

        Where nothing was ordered from here the aircraft flies the mission that an earlier gateway started.
        """
        if not self._ordered:
            return {MODES["AUTO"]}
        since = time.monotonic() - ORDER_SHOWS_S
        return {mode for mode, at in self._ordered if at >= since} | {mode for mode, _ in list(self._ordered)[-1:]}

    def _explained(self, change: ModeChange) -> ModeChange:
        """The change with the hand that is known by now; a return without any alarm was the pilot's."""
        if change.hand is not Hand.UNKNOWN:
            return change
        if abs(self._alarm_at - change.at) <= ALARM_HOLDS_S:
            return ModeChange(change.mode, change.before, change.at, Hand.VEHICLE)
        late = time.monotonic() - change.at > UNEXPLAINED_AFTER_S
        return ModeChange(change.mode, change.before, change.at, Hand.PILOT if late else Hand.UNKNOWN)


def _mode_of(command: int, params: tuple[float, ...]) -> int | None:
    """The mode that a command brings about, None for one that changes none."""
    if command == mavlink.MAV_CMD_DO_SET_MODE:
        return int(params[1])
    name = {
        mavlink.MAV_CMD_MISSION_START: "AUTO",
        mavlink.MAV_CMD_NAV_RETURN_TO_LAUNCH: "RTL",
        mavlink.MAV_CMD_NAV_LAND: "LAND",
    }.get(command)
    return None if name is None else MODES[name]


def _name(mode: int | None) -> str:
    return "none" if mode is None else NAMES.get(mode, str(mode))
