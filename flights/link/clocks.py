"""The vehicle's clock, watched: how far it is off from ours, and what about it is not to be believed.

Nothing is timed by it here. What is stored is stored under the time at which it was received; the offset stands
beside it, so that a camera or a log that runs on the vehicle's time can be set right afterwards.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from schemas.clock import Clock

# A receiver with a fix is right to a second; what is off by more than this has no fix, or another's.
MOST_OFFSET_S = 300.0
# Reports may overtake each other on the way by this much.
OVERTAKING_S = 2.0
# So much may the offset change from one report to the next; the way through a radio is never that long.
MOST_STEP_S = 10.0
# An autopilot that has told its place this often, and no time of day, has none.
PLACES_WITHOUT_TIME = 50
# Before a fix the time of day counts from 1970 or from the day the firmware was made.
EARLIEST_UTC = datetime(2020, 1, 1, tzinfo=UTC)
_UNIX = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_USEC = int((datetime(2100, 1, 1, tzinfo=UTC) - _UNIX) / timedelta(microseconds=1))


def utc_of(unix_usec: int) -> datetime | None:
    """The time of day that a vehicle tells, None for one that is none: it has no fix, or the number is no time."""
    if not 0 < unix_usec < _MOST_USEC:
        return None
    utc = _UNIX + timedelta(microseconds=unix_usec)
    return utc if utc > EARLIEST_UTC else None


class Doubt(StrEnum):
    """What is wrong with a vehicle's clock."""

    AHEAD = "ahead"
    BEHIND = "behind"
    BACKWARDS = "backwards"
    JUMPED = "jumped"
    BOOT_ONLY = "boot_only"


@dataclass(frozen=True)
class Standing:
    """The clock as it stands: `offset_s` is what it is ahead of ours (None: it told no time of day)."""

    offset_s: float | None
    doubts: frozenset[Doubt]

    @property
    def believed(self) -> bool:
        """Whether the vehicle's time of day may be used at all."""
        return self.offset_s is not None and not self.doubts

    def render(self) -> dict[str, Any]:
        """For the record of a flight."""
        offset_s = None if self.offset_s is None else round(self.offset_s, 3)
        return {"offset_s": offset_s, "doubts": sorted(self.doubts)}


class ClockWatch:
    """Listens to one vehicle; written by the reading thread, read by any other. A doubt stays for good."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._offset_s: float | None = None
        self._doubts: set[Doubt] = set()
        self._boot_ms: int | None = None
        self._places = 0

    @property
    def standing(self) -> Standing:
        """What is known of the clock by now."""
        with self._lock:
            return Standing(self._offset_s, frozenset(self._doubts))

    def take(self, message: Any) -> None:  # noqa: ANN401
        """Takes one message of the vehicle."""
        boot_ms = getattr(message, "time_boot_ms", None)
        if boot_ms is None:
            return
        kind = message.get_type()
        with self._lock:
            self._take_boot(int(boot_ms))
            if kind == "SYSTEM_TIME":
                self._take_utc(int(message.time_unix_usec))
            elif kind == "GLOBAL_POSITION_INT":
                self._places += 1
                if self._places >= PLACES_WITHOUT_TIME and self._offset_s is None:
                    self._doubts.add(Doubt.BOOT_ONLY)

    def _take_boot(self, boot_ms: int) -> None:
        if self._boot_ms is not None and boot_ms < self._boot_ms - OVERTAKING_S * 1000:
            self._doubts.add(Doubt.BACKWARDS)
        self._boot_ms = boot_ms

    def _take_utc(self, unix_usec: int) -> None:
        utc = utc_of(unix_usec)
        if utc is None:
            return
        offset_s = (utc - self._clock.now()).total_seconds()
        if self._offset_s is not None and abs(offset_s - self._offset_s) > MOST_STEP_S:
            self._doubts.add(Doubt.BACKWARDS if offset_s < self._offset_s else Doubt.JUMPED)
        if abs(offset_s) > MOST_OFFSET_S:
            self._doubts.add(Doubt.AHEAD if offset_s > 0 else Doubt.BEHIND)
        self._offset_s = offset_s
        self._doubts.discard(Doubt.BOOT_ONLY)
