"""Pure: readings laid into the windows of a limit, averaged as the limit says, and compared with it."""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from schemas.rules.readings import ReadingLimit


class Sample(NamedTuple):
    """One reading: its time (aware), its value in the unit of its series, and how far it is trusted."""

    at: datetime
    value: float
    quality: str = "valid"


@dataclass(frozen=True)
class Window:
    """What the readings of one window say; `value` is in the limit's unit, None where no slot has a reading.

    `valid_share` is the share of the slots that have a valid reading; `sha256` is over all readings in their order.
    """

    start: datetime
    end: datetime
    value: float | None
    valid_share: float
    readings: int
    sha256: str

    def beyond(self, limit: ReadingLimit) -> bool:
        """Whether the window holds enough to say so, and lies beyond the limit."""
        if self.value is None or self.valid_share < limit.least_valid:
            return False
        above = limit.most is not None and self.value > limit.most
        return above or (limit.least is not None and self.value < limit.least)


def window_of(at: datetime, limit: ReadingLimit, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The window of an instant, both ends in UTC: counted from local midnight, the end not included."""
    local = at.astimezone(zone)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    number = (local.hour * 60 + local.minute) // limit.window_min
    start = midnight + timedelta(minutes=number * limit.window_min)
    end = start + timedelta(minutes=limit.window_min)
    return start.astimezone(UTC), end.astimezone(UTC)


def windows(samples: Iterable[Sample], limit: ReadingLimit, zone: ZoneInfo, factor: float = 1.0) -> Iterator[Window]:
    """The windows in which there are readings, in their order; `factor` turns the series' unit into the limit's."""
    held: dict[tuple[datetime, datetime], list[Sample]] = defaultdict(list)
    for sample in sorted(samples):
        held[window_of(sample.at, limit, zone)].append(sample)
    for (start, end), inside in sorted(held.items()):
        yield _window(start, end, inside, limit, factor)


def _window(start: datetime, end: datetime, inside: Sequence[Sample], limit: ReadingLimit, factor: float) -> Window:
    slots: dict[int, list[float]] = defaultdict(list)
    for one in inside:
        if one.quality == "valid":
            slots[int((one.at - start).total_seconds() // (limit.slot_min * 60))].append(one.value * factor)
    count = limit.window_min // limit.slot_min
    average = _energy if limit.average == "energy" else _mean
    value = average([average(values) for values in slots.values()]) if slots else None
    return Window(start, end, value, min(len(slots) / count, 1.0), len(inside), digest(inside))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(value / len(values) for value in values)


def _energy(levels: Sequence[float]) -> float:
    """The level of the mean energy; counted from the highest, so that no level is too high for it."""
    highest = max(levels)
    return highest + 10 * math.log10(_mean([10 ** ((level - highest) / 10) for level in levels]))


def digest(samples: Iterable[Sample]) -> str:
    """SHA-256 (hex) over readings, a line each: time in UTC, value as its shortest text, quality."""
    lines = (f"{one.at.astimezone(UTC).isoformat()} {one.value!r} {one.quality}\n" for one in samples)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
