"""Opens a log for reading: mapped, never read whole, and no larger than a flight can make it. Touches the disk."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flights.logs.record import Logged
from schemas.limits import limit
from schemas.refusals import Kind, RuleViolation, invalid, refuse

SUFFIXES = (".tlog", ".bin")


@contextmanager
def mapped(path: Path) -> Iterator[mmap.mmap]:
    """The bytes of a log. Raises RuleViolation 422 for an empty file, 413 for one above `log.bytes`."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if size > limit("log.bytes"):
            raise RuleViolation(
                Kind.TOO_LARGE, [refuse("log.bytes", "log.bytes", measured=size, required=limit("log.bytes"))]
            )
        if size == 0:
            raise unreadable(path, "empty")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data


def unreadable(path: Path | None, why: str) -> RuleViolation:
    """The refusal of a log that cannot be read, or does not tell of this flight."""
    return invalid("log.unreadable", name=path.name if path else "log", measured=why)


def read_log(path: Path, system_id: int) -> Logged:
    """What a log says of a vehicle, by its content: a DataFlash log begins with its own format.

    Raises RuleViolation 422 where the file is neither kind or does not tell of the vehicle.
    """
    from flights.logs.dataflash import HEAD, read_bin
    from flights.logs.tlog import read_tlog

    with path.open("rb") as file:
        start = file.read(2)
    return read_bin(path) if start == HEAD else read_tlog(path, system_id)
