"""Which windows of a series are to be judged: those that have ended since, and those to which readings came late."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import BigInteger, DateTime, Select, Text, cast, delete, func, select
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from schemas.rules.readings import ReadingLimit
from schemas.tables import Exceedance, LateReading, Observation, ReadingCursor
from sensing.sensors.windows import Sample, Window, window_of, windows

# At most so many readings of a series at a time; what is left is judged the next time.
AT_ONCE = 100_000


@dataclass(frozen=True)
class Measured:
    """A limit, as it is held against one series: where its days begin, and what a unit of the series is in its own."""

    series: int
    limit: ReadingLimit
    zone: ZoneInfo
    factor: float

    def window_of(self, at: datetime) -> tuple[datetime, datetime]:
        """The window of an instant, both ends in UTC."""
        return window_of(at, self.limit, self.zone)

    def beyond(self, samples: Iterable[Sample]) -> list[Window]:
        """The windows of these readings that lie beyond the limit."""
        return [one for one in windows(samples, self.limit, self.zone, self.factor) if one.beyond(self.limit)]


@dataclass(frozen=True)
class Ended:
    """Windows beyond the limit among those that ended, until when they were looked at, and by which readings."""

    beyond: list[Window]
    until: datetime
    seen: list[int]


def newly_ended(session: Session, measured: Measured, now: datetime) -> Ended | None:
    """What ended and was waited for since the last time; None where there is no reading of it."""
    last, _ = measured.window_of(now - timedelta(minutes=measured.limit.wait_min))
    cursor = _cursor(session, measured)
    rows = _readings(measured).where(Observation.phenomenon_time < last)
    if cursor is not None:
        rows = rows.where(Observation.phenomenon_time >= cursor)
    found = session.execute(rows.limit(AT_ONCE)).all()
    if not found:
        return None
    if len(found) == AT_ONCE:
        # The last window may go on behind what was read; where it is the only one, all of it is read.
        last, end = measured.window_of(found[-1].phenomenon_time)
        if found[0].phenomenon_time >= last:
            last, found = end, _inside(session, measured, last, end)
        found = [row for row in found if row.phenomenon_time < last]
    return Ended(measured.beyond(Sample(*row[1:]) for row in found), last, [row.id for row in found])


def go_on(session: Session, measured: Measured, ended: Ended) -> None:
    """Writes that those windows were judged; what was stored meanwhile and not seen becomes late. Commits."""
    told = (
        cast(measured.series, BigInteger),
        cast(measured.limit.code, Text),
        cast(ended.until, DateTime(timezone=True)),
        cast(ended.seen, ARRAY(BigInteger)),
    )
    session.execute(select(func.core.go_on_judging(*told)))
    session.commit()


def late_readings(session: Session, series: int) -> dict[int, datetime]:
    """Readings that came after their window was judged, by their ids, with their times."""
    joined = select(LateReading.observation_id, Observation.phenomenon_time).join(
        Observation, Observation.id == LateReading.observation_id
    )
    rows = joined.where(LateReading.datastream_id == series).order_by(LateReading.observation_id).limit(AT_ONCE)
    return {row.observation_id: row.phenomenon_time for row in session.execute(rows)}


def ended_before(session: Session, measured: Measured, late: Iterable[datetime]) -> list[Window]:
    """Windows beyond the limit among those of late readings that were judged before and became no finding."""
    cursor = _cursor(session, measured)
    if cursor is None:
        return []
    known = select(Exceedance.window_from).where(
        Exceedance.datastream_id == measured.series, Exceedance.limit_code == measured.limit.code
    )
    found = set(session.scalars(known))
    asked = sorted({measured.window_of(at) for at in late})
    again = [(start, end) for start, end in asked if end <= cursor and start not in found]
    return [
        window
        for start, end in again
        for window in measured.beyond(Sample(*row[1:]) for row in _inside(session, measured, start, end))
    ]


def forget(session: Session, series: int, late: Iterable[int]) -> None:
    """Writes that those late readings were judged with their windows. Commits."""
    session.execute(
        delete(LateReading).where(LateReading.datastream_id == series, LateReading.observation_id.in_(list(late)))
    )
    session.commit()


def _cursor(session: Session, measured: Measured) -> datetime | None:
    row = session.get(ReadingCursor, (measured.series, measured.limit.code))
    return row.judged_until if row is not None else None


def _readings(measured: Measured) -> Select[int, datetime, float, str]:
    rows = select(Observation.id, Observation.phenomenon_time, Observation.result, Observation.quality)
    return rows.where(Observation.datastream_id == measured.series).order_by(
        Observation.phenomenon_time, Observation.id
    )


def _inside(session: Session, measured: Measured, start: datetime, end: datetime) -> Any:  # noqa: ANN401 - rows
    rows = _readings(measured).where(Observation.phenomenon_time >= start, Observation.phenomenon_time < end)
    return session.execute(rows).all()
