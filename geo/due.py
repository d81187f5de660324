"""What is due for devices, and by when: tests, evaluations, upkeep, marks, stops, reviews; the annual report."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from geo.periods import months_after
from schemas.rules import RulePack
from schemas.tables import Authority, Device

# Every branch gives what is due of a device of one authority, and the day. `in_use` are the states that count. Devices
# are looked for anew in every branch: most branches have an index for those few that they concern. The evaluation and
# the upkeep concern all, in one look; what cannot be due by then is left out before its day is computed.
_ALL_DUE = """
    WITH d AS NOT MATERIALIZED (
        SELECT * FROM core.device
        WHERE authority_id = %(authority)s AND state NOT IN ('retired', 'discontinued') AND NOT secret
    ), in_use AS NOT MATERIALIZED (
        SELECT * FROM core.device
        WHERE authority_id = %(authority)s AND state IN ('active', 'maintenance', 'blocked') AND NOT secret
    ), due (what, device_id, due_on) AS (
        SELECT 'calibration', id, coalesce(calibration_valid_to, %(today)s) FROM d WHERE is_measuring_instrument
        UNION ALL
        SELECT last.what, u.id, (last.on_day + make_interval(months => last.months))::date
        FROM (SELECT d.id, greatest(e.on_day, d.activated_on) AS evaluated_on,
                     coalesce(k.on_day, d.activated_on) AS maintained_on
              FROM in_use d
              LEFT JOIN (SELECT device_id, max(evaluated_on) AS on_day FROM core.evaluation GROUP BY device_id) e
                  ON e.device_id = d.id
              LEFT JOIN (SELECT device_id, max(done_on) AS on_day FROM core.upkeep GROUP BY device_id) k
                  ON k.device_id = d.id
              WHERE greatest(e.on_day, d.activated_on) <= %(evaluated_by)s
                 OR coalesce(k.on_day, d.activated_on) <= %(maintained_by)s) u
        CROSS JOIN LATERAL (VALUES ('evaluation', u.evaluated_on, %(evaluation_months)s::int),
                                   ('maintenance', u.maintained_on, %(maintenance_months)s::int)
        ) AS last (what, on_day, months)
        UNION ALL
        SELECT 'mark', u.id, coalesce((max(s.verified_on) + make_interval(months => %(mark_months)s))::date, %(today)s)
        FROM in_use u LEFT JOIN core.signage s ON s.device_id = u.id
        WHERE u.category = 'mobile' AND %(marks)s GROUP BY u.id
        UNION ALL
        SELECT 'sign', u.id, l.evaluated_on + %(grace_days)s
        FROM (SELECT DISTINCT device_id FROM core.evaluation WHERE outcome = 'adjust_signage') told
        JOIN in_use u ON u.id = told.device_id
        JOIN LATERAL (SELECT e.outcome, e.evaluated_on, e.recorded_at FROM core.evaluation e WHERE e.device_id = u.id
                      ORDER BY e.evaluated_on DESC, e.recorded_at DESC LIMIT 1) l ON l.outcome = 'adjust_signage'
        WHERE NOT EXISTS (SELECT FROM core.signage s WHERE s.device_id = u.id AND s.verified_on >= l.evaluated_on
                          AND s.recorded_at > l.recorded_at)
        UNION ALL
        SELECT 'end_of_pause', id, pause_ends_on FROM d WHERE state = 'maintenance' AND pause_ends_on IS NOT NULL
        UNION ALL
        SELECT 'end_of_stop', id, (state_since AT TIME ZONE %(zone)s)::date
               + CASE state WHEN 'blocked' THEN %(block_days)s ELSE %(pause_days)s END
        FROM d WHERE state IN ('blocked', 'maintenance') AND state_since IS NOT NULL
        UNION ALL
        SELECT 'review', r.id, (min(r.day) + make_interval(months => %(review_months)s))::date
        FROM (SELECT d.id, v.kind, max(v.reviewed_on) AS day FROM d
              JOIN core.device_review v ON v.device_id = d.id AND v.device_version = d.device_version
              WHERE d.state IN ('registered', 'reviewed', 'published') GROUP BY d.id, v.kind) r GROUP BY r.id
    )
"""
_DUE = f"""{_ALL_DUE}
    SELECT due.what, d.public_id, d.name, d.state, due.due_on FROM due JOIN core.device d ON d.id = due.device_id
    WHERE due.due_on <= %(until)s AND (%(what)s::text IS NULL OR due.what = %(what)s)
    ORDER BY due.due_on, due.what, d.public_id LIMIT %(most)s
"""
# The same of one device alone.
_DUE_OF_ONE = _DUE.replace("authority_id = %(authority)s", "authority_id = %(authority)s AND id = %(device)s")
# The same as a condition on devices.
DUE_DEVICES = f"{_ALL_DUE} SELECT due.device_id FROM due WHERE due.due_on <= %(until)s"
_COUNT = f"{_ALL_DUE} SELECT count(*), min(due.due_on) FROM due WHERE due.due_on <= %(until)s"
MOST_TOLD = 1_000
# A day of a month that the next one does not have is told as its last: so much earlier a span of months may have begun.
_CLAMPED_DAYS = 3


@dataclass(frozen=True)
class Due:
    """Something that a device needs by a local date."""

    what: str
    public_id: str
    name: str
    state: str
    due_on: date
    overdue: bool


def due(  # noqa: PLR0913
    session: Session,
    authority_id: uuid.UUID,
    pack: RulePack,
    today: date,
    *,
    days: int | None = None,
    what: str | None = None,
    device_id: uuid.UUID | None = None,
) -> list[Due]:
    """What is due for an authority's devices within so many days, or those that the pack reminds; earliest first.

    Below zero days it is what is overdue; `what` and `device_id` narrow it. Secret devices are not on this list.
    """
    values = {**due_values(authority_id, pack, today, days=days), "most": MOST_TOLD, "what": what, "device": device_id}
    return [
        Due(row.what, row.public_id, row.name, row.state, row.due_on, row.due_on < today)
        for row in session.connection().exec_driver_sql(_DUE_OF_ONE if device_id else _DUE, values)
    ]


def count_due(session: Session, authority_id: uuid.UUID, pack: RulePack, today: date) -> tuple[int, date | None]:
    """How many things are due for an authority's devices within the days that the pack reminds, and the first day."""
    values = due_values(authority_id, pack, today)
    ((count, first),) = session.connection().exec_driver_sql(_COUNT, values)
    return int(count), first


def due_values(authority_id: uuid.UUID, pack: RulePack, today: date, *, days: int | None = None) -> Mapping[str, Any]:
    """What the statements on what is due within so many days, or those that the pack reminds, are asked with."""
    until = today + timedelta(days=pack["due.remind_days"] if days is None else days)
    return {
        "authority": authority_id,
        "today": today,
        "until": until,
        "evaluated_by": _begun_by(until, pack["evaluation.interval_months"]),
        "maintained_by": _begun_by(until, pack["maintenance.interval_months"]),
        "zone": pack.timezone,
        "evaluation_months": pack["evaluation.interval_months"],
        "maintenance_months": pack["maintenance.interval_months"],
        "mark_months": pack["uav.marking_valid_months"],
        "marks": pack["uav.marking_required"],
        "grace_days": pack["evaluation.grace_days"],
        "block_days": pack["block.max_days"],
        "pause_days": pack["maintenance.max_days"],
        "review_months": pack["review.max_age_months"],
    }


def _begun_by(until: date, months: int) -> date:
    """The last day on which a span of months can have begun that ends by `until`."""
    return months_after(until, -months) + timedelta(days=_CLAMPED_DAYS)


@dataclass(frozen=True)
class AnnualReport:
    """The devices that an authority put into use for the first time within a year, and to whom it tells (GD-13.3)."""

    year: int
    addressee: str
    due_on: date
    devices: tuple[tuple[str, str, date], ...]


def report_due_on(pack: RulePack, year: int) -> date:
    """The day by which the annual report of a year is handed in (GD-13.3)."""
    month, day = map(int, pack["annual_report.due"].split("-"))
    return date(year, month, day)


def annual_report(session: Session, authority: Authority, pack: RulePack, year: int) -> AnnualReport:
    """The annual report of newly added devices; the addressee follows from the level of the authority.

    The lowest level of the pack reports to the government above it, every other one to that of its own level. Secret
    devices are reported elsewhere (GD-14.6).
    """
    rows = session.execute(
        select(Device.public_id, Device.name, Device.first_used_on)
        .where(
            Device.authority_id == authority.id,
            Device.secret.is_(False),
            Device.first_used_on >= date(year, 1, 1),
            Device.first_used_on <= date(year, 12, 31),
        )
        .order_by(Device.first_used_on, Device.public_id)
    )
    lowest = len(pack.authority_levels) > 1 and authority.level == pack.authority_levels[-1]
    addressee = "government_above" if lowest else "government_of_the_same_level"
    devices = tuple((name, title, on) for name, title, on in rows if on is not None)
    return AnnualReport(year, addressee, report_due_on(pack, year), devices)
