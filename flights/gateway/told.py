"""What is told of a flight while it goes on, and what is left of it afterwards; values only."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from flights.conformance import Report
from schemas.refusals import RuleViolation


class Outcome(StrEnum):
    """How a flight, or a part of one, ended."""

    LANDED = "landed"
    SET_DOWN = "set_down"
    ABORTED = "aborted"


class Step(StrEnum):
    """What is told while a flight goes on."""

    PERMITTED = "permitted"
    CONNECTED = "connected"
    PREPARED = "prepared"
    READY = "ready"
    AIRBORNE = "airborne"
    RESUMED = "resumed"
    POSITION = "position"
    DEVIATING = "deviating"
    LINK = "link"
    ORDER = "order"
    REMOTE_ID = "remote_id"
    ENDED = "ended"


class EventKind(StrEnum):
    """The kinds of rows in core.flight_event."""

    STEP = "step"
    POSITION = "position"
    CONFORMANCE = "conformance"
    GAP = "gap"
    ORDER = "order"
    ACK = "ack"
    TEXT = "text"
    LINK = "link"
    OVERRIDE = "override"
    REMOTE_ID = "remote_id"


class Why(StrEnum):
    """Why a stretch of a flight is not in its record."""

    GATEWAY = "gateway"
    DATABASE = "database"
    DISK = "disk"
    LINK = "link"
    SET_DOWN = "set_down"


log = logging.getLogger(__name__)

Tell = Callable[[Step, dict[str, Any]], None]
Stop = Callable[[], str | None]


class Superseded(Exception):
    """Another gateway leads the aircraft now; this one sends nothing more."""


class LetGo(Exception):
    """This gateway was told to end while the aircraft flies: it flies on, and the next gateway follows it."""


@dataclass(frozen=True)
class Ending:
    """How the flying ended: as planned, on the way and to be continued, or otherwise; `item` is where it stopped."""

    outcome: Outcome
    reason: str | None
    pictures: int
    item: int = 0


@dataclass(frozen=True)
class Flown:
    """How a flight went: its end, the deviation report, and what proves it."""

    flight: str
    outcome: Outcome
    reason: str | None
    report: Report
    pictures: int
    mission_digest: str
    fence_digest: str
    tlog: Path
    tlog_sha256: str


def harmless(tell: Tell) -> Tell:
    """The same, but a listener's own fault (a closed terminal, a sentence that lacks a word) stays the listener's."""

    def told(step: Step, facts: dict[str, Any]) -> None:
        try:
            tell(step, facts)
        except Exception:
            log.warning("%s could not be told", step, exc_info=True)

    return told


def plain(value: Any) -> Any:  # noqa: ANN401
    """A value as JSON can hold it: numbers that are none become null, everything unknown its text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(one) for one in value]
    if value is None or isinstance(value, bool | int):
        return value
    # PostgreSQL has no text with a NUL in it, and a vehicle may send one.
    return str(value).replace("\0", "")


def rules_of(refused: RuleViolation) -> dict[str, Any]:
    """A refusal as an order's answer holds it, in both languages."""
    return {"refusals": refused.render("en"), "refusals_zh": refused.render("zh")}
