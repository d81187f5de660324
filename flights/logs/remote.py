"""The Remote ID in a telemetry log: every OPEN_DRONE_ID_* frame of every component on the link. Touches the disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights import remote_id
from flights.logs.open import mapped
from flights.logs.record import Found
from flights.logs.tlog import MAGIC_1, MAGIC_2, frames
from flights.remote_id import Message
from schemas.refusals import Refusal, RuleViolation

KINDS = frozenset(number for number, kind in mavlink.mavlink_map.items() if kind.msgname.startswith("OPEN_DRONE_ID_"))
_SIGNATURE_BYTES = 13


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
            end = frame.payload + frame.length + 2 + (_SIGNATURE_BYTES if frame.signed else 0)
            received_at = datetime.fromtimestamp(frame.received_us / 1e6, UTC)
            source = f"{frame.system}/{frame.component}"
            try:
                message = codec.decode(bytearray(data[frame.start : end]))
                yield Received(received_at, source, remote_id.from_mavlink(message))
            except mavlink.MAVError:
                found.bad_checksums += 1
            except RuleViolation as refused:
                yield Received(received_at, source, (), refused.refusals[0])


def is_tlog(path: Path) -> bool:
    """Whether a file is a telemetry log: by its name, or because it begins with the time and the mark of a frame."""
    if path.suffix.lower() == ".tlog":
        return True
    with path.open("rb") as file:
        head = file.read(9)
    return len(head) == 9 and head[8] in (MAGIC_1, MAGIC_2) and head[0] == 0 and any(head[1:3])
