"""Spans of time that law counts in months, and days by which somebody answers."""

from __future__ import annotations

import calendar
from datetime import date, datetime, timedelta

from schemas.rules import RulePack


def months_after(day: date, months: int) -> date:
    """The same day so many months later, or the last day of a month that is too short."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def answer_due(pack: RulePack, key: str, asked_at: datetime) -> date:
    """The local day by which something is answered, so many days after it was asked as the pack's `key` says.

    Where holidays are not announced yet, every day counts.
    """
    asked_on, period = pack.local_date(asked_at), pack[key]
    try:
        return pack.calendar.after(asked_on, period)
    except LookupError:
        return asked_on + timedelta(days=period.count)
