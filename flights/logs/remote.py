"""The Remote ID in a telemetry log: every OPEN_DRONE_ID_* frame of every component on the link. Touches the disk."""

from __future__ import annotations

import contextlib
import math
import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.link.clocks import utc_of
from flights.link.connection import REMOTE_ID, REMOTE_ID_MODULES
from flights.logs.open import mapped
from flights.logs.record import Found
from flights.logs.tlog import AUTOPILOT, MAGIC_1, MAGIC_2, Frame, frames
from flights.remote_id import messages as remote_id
from flights.remote_id.messages import Message
from flights.remote_id.register import Identification, Registered, notes_of
from geo.types import LonLat
from schemas.refusals import Refusal, RuleViolation

KINDS = frozenset(number for number, kind in mavlink.mavlink_map.items() if kind.msgname.startswith(REMOTE_ID))
_SIGNATURE_BYTES = 13
# So often at most a place of the telemetry is looked at, by its own time; between two it is a straight line.
_PLACE_EVERY_MS = 200


@dataclass(frozen=True, slots=True)
class Received:
    """One frame: when it was received, from which system and component, and what it said or why it says nothing."""

    received_at: datetime
    source: str
    messages: tuple[Message, ...]
    refused: Refusal | None = None


def remote_ids_in(path: Path, found: Found) -> Iterator[Received]:
    """What a telemetry log has of Remote ID, in its order; `found` is told what else the log is worth.

    Raises RuleViolation 422 for a file that is no telemetry log, 413 for one that is too large.
    """
    codec = mavlink.MAVLink(None)
    with mapped(path) as data:
        for frame in frames(data, found):
            if frame.message not in KINDS:
                continue
            received_at = datetime.fromtimestamp(frame.received_us / 1e6, UTC)
            source = f"{frame.system}/{frame.component}"
            try:
                message = codec.decode(_bytes_of(data, frame))
                yield Received(received_at, source, remote_id.from_mavlink(message))
            except mavlink.MAVError:
                found.bad_checksums += 1
            except RuleViolation as refused:
                yield Received(received_at, source, (), refused.refusals[0])


def notes_in(path: Path, system_id: int, registered: Registered) -> dict[str, Any]:
    """What a verdict says of the Remote ID in the log of a flight, by the arithmetic that judged it live.

    Raises what `remote_ids_in` raises.
    """
    watch = _Watch(Identification(registered))
    with mapped(path) as data:
        for frame in frames(data, Found()):
            if frame.system == system_id:
                watch.take(data, frame)
    return notes_of(watch.end())


class _Watch:
    """Feeds an identification with the frames of one vehicle, and keeps what it says whenever that is new."""

    def __init__(self, known: Identification) -> None:
        self._told: list[dict[str, Any]] = []
        self._known = known
        self._codec = mavlink.MAVLink(None)
        self._boot_at_s: float | None = None
        self._placed_ms = 0
        self._fixed: tuple[object, ...] | None = None

    def take(self, data: mmap.mmap, frame: Frame) -> None:
        """Takes a frame of the vehicle's autopilot or of its Remote ID module; all others say nothing here."""
        is_autopilot = frame.component == AUTOPILOT
        if frame.message in KINDS and (is_autopilot or frame.component in REMOTE_ID_MODULES):
            self._hear(data, frame)
        elif is_autopilot and frame.message == mavlink.MAVLINK_MSG_ID_SYSTEM_TIME:
            self._set_clock(data, frame)
        elif is_autopilot and frame.message == mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT:
            self._see(data, frame)

    def end(self) -> list[dict[str, Any]]:
        """All that was told, with how it stood at the end."""
        return [*self._told, self._known.render()]

    def _hear(self, data: mmap.mmap, frame: Frame) -> None:
        with contextlib.suppress(mavlink.MAVError, RuleViolation):
            for said in remote_id.from_mavlink(self._codec.decode(_bytes_of(data, frame))):
                self._known.hear(said, datetime.fromtimestamp(frame.received_us / 1e6, UTC))
            self._tell()

    def _set_clock(self, data: mmap.mmap, frame: Frame) -> None:
        with contextlib.suppress(mavlink.MAVError):
            message = self._codec.decode(_bytes_of(data, frame))
            utc = utc_of(message.time_unix_usec)
            if utc is not None:
                self._boot_at_s = utc.timestamp() - message.time_boot_ms / 1000

    def _see(self, data: mmap.mmap, frame: Frame) -> None:
        boot_ms = int.from_bytes(data[frame.payload : frame.payload + min(4, frame.length)], "little")
        if self._boot_at_s is None or 0 <= boot_ms - self._placed_ms < _PLACE_EVERY_MS:
            return
        with contextlib.suppress(mavlink.MAVError):
            message = self._codec.decode(_bytes_of(data, frame))
            self._placed_ms = message.time_boot_ms
            utc = datetime.fromtimestamp(self._boot_at_s + message.time_boot_ms / 1000, UTC)
            speed_m_s = math.hypot(message.vx, message.vy) / 100
            if message.lat or message.lon:
                self._known.see(utc, LonLat(message.lon / 1e7, message.lat / 1e7), speed_m_s)
            self._tell()

    def _tell(self) -> None:
        if self._known.is_worth_telling and self._known.fixed != self._fixed:
            self._fixed = self._known.fixed
            self._told.append(self._known.render())


def _bytes_of(data: mmap.mmap, frame: Frame) -> bytearray:
    end = frame.payload + frame.length + 2 + (_SIGNATURE_BYTES if frame.signed else 0)
    return bytearray(data[frame.start : end])


def is_tlog(path: Path) -> bool:
    """Whether a file is a telemetry log: by its name, or because it begins with the time and the mark of a frame."""
    if path.suffix.lower() == ".tlog":
        return True
    with path.open("rb") as file:
        head = file.read(9)
    return len(head) == 9 and head[8] in (MAGIC_1, MAGIC_2) and head[0] == 0 and any(head[1:3])
