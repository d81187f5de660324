"""The hours at which a place counts: weekly periods in local time, that may run over midnight. Pure.

Stored as `[{"days": ["MON", "TUE"], "from": "22:00", "until": "06:00"}]`; written by people as
`MON-FRI 08:00-18:00; SAT 09:00-12:00`. The days are those on which a period begins.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from schemas.refusals import RuleViolation, invalid

DAYS = ("MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN")
MOST_PERIODS = 50

_MIDNIGHT = "24:00"
_CLOCK = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d", re.ASCII)
_DAY_NAMES = {name: number for number, name in enumerate(DAYS)} | {
    f"{week}{name}": number for week in ("周", "星期") for number, name in enumerate("一二三四五六日")
}
_PERIOD = re.compile(r"(\S+)\s+(\d\d:\d\d)\s*[-–—至~]\s*(\d\d:\d\d)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Period:
    """One period of the week: `days` from 0 for Monday, from `begin` until before `end`; midnight as `end` is None."""

    days: frozenset[int]
    begin: time
    end: time | None

    def meets(self, start: datetime, end: datetime) -> bool:
        """Whether it holds at any moment from `start` to `end` inclusive; both in local time."""
        day = start.date() - timedelta(days=1)
        while day <= end.date():
            if day.weekday() in self.days and self._on(day, start, end):
                return True
            day += timedelta(days=1)
        return False

    def _on(self, day: date, start: datetime, end: datetime) -> bool:
        over_midnight = self.end is None or self.end <= self.begin
        last = day + timedelta(days=1) if over_midnight else day
        begins = datetime.combine(day, self.begin, start.tzinfo)
        ends = datetime.combine(last, self.end or time(), start.tzinfo)
        # As instants: on the night when clocks change, local times do not say how long it is.
        return begins.timestamp() <= end.timestamp() and start.timestamp() < ends.timestamp()

    def stored(self) -> dict[str, Any]:
        """The period as the database keeps it."""
        end = f"{self.end:%H:%M}" if self.end else _MIDNIGHT
        return {"days": [DAYS[day] for day in sorted(self.days)], "from": f"{self.begin:%H:%M}", "until": end}


Hours = tuple[Period, ...]


def hold(hours: Hours | None, start: datetime, end: datetime, zone: ZoneInfo) -> bool:
    """Whether hours hold at any moment from `start` to `end` inclusive (aware); None holds always."""
    if hours is None or end - start >= timedelta(days=7):
        return True
    first, last = start.astimezone(zone), end.astimezone(zone)
    return any(period.meets(first, last) for period in hours)


def stored(hours: Hours | None) -> list[dict[str, Any]] | None:
    """Hours as the database keeps them."""
    return None if hours is None else [period.stored() for period in hours]


def from_stored(value: Sequence[Any] | None) -> Hours | None:
    """Hours from the database, or from JSON that says them the same way; raises RuleViolation for anything else."""
    if value is None:
        return None
    try:
        return _bounded(
            [_period(item["days"], item["from"], item["until"]) for item in value if _is_period(item)], value
        )
    except (KeyError, TypeError, ValueError) as wrong:
        raise _unreadable(str(value)) from wrong


def from_text(text: str) -> Hours:
    """Hours as people write them, in English or Chinese names of days; raises RuleViolation for anything else."""
    parts = [part.strip() for part in re.split(r"[;；]", text) if part.strip()]
    try:
        found = [_PERIOD.fullmatch(part) for part in parts]
        return _bounded([_period(_days(m[1]), m[2], m[3]) for m in found if m], parts)
    except (KeyError, ValueError) as wrong:
        raise _unreadable(text) from wrong


def _is_period(item: Any) -> bool:  # noqa: ANN401
    return isinstance(item, dict) and item.keys() == {"days", "from", "until"} and isinstance(item["days"], list)


def _bounded(periods: Sequence[Period], given: Sequence[Any]) -> Hours:
    if len(periods) != len(given) or not 0 < len(periods) <= MOST_PERIODS:
        raise ValueError("some part is not a period, or there are none or too many")
    return tuple(periods)


def _period(days: Sequence[str], begin: str, end: str) -> Period:
    if not days or len(set(days)) != len(days) or begin == end:
        raise ValueError("a day twice, or no time at all")
    numbers = frozenset(DAYS.index(day) for day in days)
    return Period(numbers, _clock(begin), None if end == _MIDNIGHT else _clock(end))


def _clock(text: str) -> time:
    if not _CLOCK.fullmatch(text):
        raise ValueError("a time of day has the form 08:30")
    return time.fromisoformat(text)


def _days(text: str) -> list[str]:
    """`MON-FRI` or `MON,WED`, or one in Chinese, as names of days."""
    found: list[str] = []
    for part in re.split(r"[,，、]", text.upper()):
        first, _, last = part.replace("–", "-").replace("至", "-").partition("-")
        begin, end = _DAY_NAMES[first], _DAY_NAMES[last or first]
        found += [DAYS[(begin + step) % 7] for step in range((end - begin) % 7 + 1)]
    return found


def _unreadable(text: str) -> RuleViolation:
    return invalid("GD-15", "zone.schedule", measured=text[:60], required="MON-FRI 08:00-18:00; SAT 09:00-12:00")


def words(hours: Hours | None, lang: str = "en") -> str:
    """Hours for a sentence, as people write them; empty where they hold always."""
    return "; ".join(_spoken(period, lang) for period in hours or ())


def _spoken(period: Period, lang: str) -> str:
    names = DAYS if lang == "en" else tuple(f"周{name}" for name in "一二三四五六日")
    days = sorted(period.days)
    run = len(days) > 2 and days == list(range(days[0], days[-1] + 1))
    spoken = (
        f"{names[days[0]]}-{names[days[-1]]}" if run else ("," if lang == "en" else "、").join(names[d] for d in days)
    )
    end = f"{period.end:%H:%M}" if period.end else _MIDNIGHT
    return f"{spoken} {period.begin:%H:%M}-{end}"
