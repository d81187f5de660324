"""The clock of public notice: from when may something be used, given where and when it was published.

Pure. The day of publication is day 0, dates are local to the rule pack's time zone, and the clock starts
at the latest of the channels that the pack asks for (GD-14.2, GD-14.3, G-1).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Protocol

from schemas.rules import Days, RulePack


class Appearance(Protocol):
    """One appearance on one channel, such as a row of `publication`."""

    @property
    def channel(self) -> str:
        """The channel's code in the rule pack."""
        ...

    @property
    def published_at(self) -> datetime:
        """When it appeared, by the channel's receipt; timezone-aware."""
        ...

    @property
    def withdrawn_at(self) -> datetime | None:
        """When it was taken down, or None while it stands."""
        ...


@dataclass(frozen=True)
class Notice:
    """What a set of appearances amounts to under a rule pack.

    `started_on` is the local date of the last channel needed and `earliest` the first day of lawful use;
    both are None while channels are missing.
    """

    official_missing: int
    further_missing: int
    started_on: date | None
    earliest: date | None

    @property
    def complete(self) -> bool:
        """Whether every channel that the pack asks for carries the publication."""
        return self.earliest is not None

    def over_on(self, today: date) -> bool:
        """Whether use may begin on the local date `today`."""
        return self.earliest is not None and self.earliest <= today

    def days_left(self, today: date) -> int | None:
        """Days until use may begin, 0 when it already may, None while channels are missing."""
        return None if self.earliest is None else max((self.earliest - today).days, 0)


def lead_days(published_on: date, pack: RulePack) -> int:
    """Calendar days from the day of publication to the first day of use.

    `publication.lead_days` counted in the pack's kind of day, and one more where it asks for clear days.
    """
    period = Days(count=pack["publication.lead_days"], kind=pack["publication.day_kind"])
    clear = timedelta(days=1 if pack["publication.clear_days"] else 0)
    return (pack.calendar.after(published_on, period) + clear - published_on).days


def notice(appearances: Iterable[Appearance], pack: RulePack) -> Notice:
    """The notice that the standing appearances give; one channel counts once, from its first appearance."""
    first: dict[str, date] = {}
    for appearance in appearances:
        if appearance.withdrawn_at is None and appearance.channel in pack.channels:
            day = pack.local_date(appearance.published_at)
            first[appearance.channel] = min(day, first.get(appearance.channel, day))
    official = sorted(day for channel, day in first.items() if pack.channels[channel].official)
    further = sorted(day for channel, day in first.items() if not pack.channels[channel].official)
    need = pack["publication.min_channels"]
    official_missing = max(need.official - len(official), 0)
    further_missing = max(need.further - len(further), 0)
    counted = official[: need.official] + further[: need.further]
    if official_missing or further_missing or not counted:
        return Notice(official_missing, further_missing, None, None)
    started_on = max(counted)
    return Notice(0, 0, started_on, started_on + timedelta(days=lead_days(started_on, pack)))
