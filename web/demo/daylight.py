"""The clock of the demo: the latest lawful daylight that already lies in the past (docs/adr/0002)."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

# Long enough for the flight, so that nothing that it stores lies ahead of the real clock.
LONGEST_FLIGHT = timedelta(minutes=25)
EARLIEST, LATEST = time(8, 0), time(20, 30)
TEN = time(10, 0)


def latest_daylight(now: datetime, zone: ZoneInfo) -> datetime:
    """When a flight of the demo may have begun: shortly before `now`, or at ten on the last day with daylight.

    `now` is aware; the answer is in UTC, at least `LONGEST_FLIGHT` before `now`, and between eight in the morning and
    half past eight in the evening in `zone`.
    """
    start = (now - LONGEST_FLIGHT).astimezone(zone).replace(microsecond=0)
    if EARLIEST <= start.time() <= LATEST:
        return start.astimezone(UTC)
    day = start.date() if start.time() > LATEST else start.date() - timedelta(days=1)
    return datetime.combine(day, TEN, zone).astimezone(UTC)
