"""Clocks: the time is an argument, and this is the only module that asks the machine for it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Anything that tells the time."""

    def now(self) -> datetime:
        """The present instant, timezone-aware, in UTC."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The present instant, timezone-aware, in UTC."""
        return datetime.now(UTC)


@dataclass
class FixedClock:
    """A clock that stands still until it is set; for tests and for `--at`."""

    at: datetime

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError("a clock needs an aware time")

    def now(self) -> datetime:
        """The instant at which the clock stands, in UTC."""
        return self.at.astimezone(UTC)

    def advance(self, step: timedelta) -> None:
        """Moves the clock on by `step`."""
        self.at += step


@dataclass
class ScaledClock:
    """A clock that starts at `start` and runs `factor` times faster; for flights of the simulator."""

    start: datetime
    factor: float = 1.0
    _origin_s: float = field(default_factory=time.monotonic)

    def now(self) -> datetime:
        """The simulated instant, in UTC."""
        elapsed_s = (time.monotonic() - self._origin_s) * self.factor
        return (self.start + timedelta(seconds=elapsed_s)).astimezone(UTC)
