"""How much is due and by when, as the top of a desk tells it: the same as the list, to the day, whatever the month."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from geo import due
from geo.periods import months_after
from schemas.tables import Authority, Device
from tests.classified import make_secret


@pytest.fixture
def pack(services):
    return services.rulebook["cn-gd-2025"]


@pytest.fixture
def owner(services):
    with services.session() as session:
        return session.scalars(select(Authority.id).where(Authority.code == "A1")).one()


def since(admin, used, evaluated=None):
    """DV1 in use since a day, and evaluated on another; everything else is out of use, and DV1 was always kept up."""
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.device SET state = 'discontinued' WHERE public_id <> 'DV-DV1'")
    admin.execute("UPDATE core.device SET state = 'active', activated_on = %s WHERE public_id = 'DV-DV1'", [used])
    paper = "gen_random_uuid(), 'X-' || gen_random_uuid(), d.id, 'live' FROM core.device d WHERE d.public_id = 'DV-DV1'"
    admin.execute(
        "INSERT INTO core.upkeep (kind, done_on, done_by, text, id, public_id, device_id, origin)"
        f" SELECT 'maintenance', date '2039-01-01', 'x', 'x', {paper}"
    )
    if evaluated:
        admin.execute(
            "INSERT INTO core.evaluation (outcome, evaluated_on, text, id, public_id, device_id, origin)"
            f" SELECT 'keep', %s, 'x', {paper}",
            [evaluated],
        )
    admin.execute("RESET session_replication_role")


@pytest.mark.parametrize(
    ("used", "evaluated"),
    [
        (date(2024, 2, 29), None),
        (date(2023, 8, 31), date(2024, 2, 29)),
        (date(2024, 1, 31), None),
        (date(2025, 7, 1), date(2024, 6, 30)),  # in use once more since: a year from that day
        (date(2024, 12, 31), None),
    ],
)
def test_GD_10_1__counted_from_its_first_day_on_and_not_the_day_before(services, admin, owner, pack, used, evaluated):
    since(admin, used, evaluated)
    day = months_after(max(used, evaluated or used), pack["evaluation.interval_months"])
    remind = timedelta(days=pack["due.remind_days"])
    with services.session() as session:
        assert due.count_due(session, owner, pack, day - remind) == (1, day)
        assert due.count_due(session, owner, pack, day - remind - timedelta(days=1)) == (0, None)
        (told,) = due.due(session, owner, pack, day - remind)
        device = session.scalars(select(Device).where(Device.public_id == "DV-DV1")).one()
        assert due.due(session, owner, pack, day - remind, device_id=device.id) == [told]
    assert (told.what, told.due_on, told.overdue) == ("evaluation", day, False)


def test_GD_14_6__secret_device__is_not_counted(services, admin, owner, pack):
    since(admin, date(2024, 2, 29))
    make_secret(admin, "DV-DV1")
    with services.session() as session:
        assert due.count_due(session, owner, pack, date(2025, 7, 2)) == (0, None)


def test_count__of_the_world__is_that_of_the_list(services, owner, pack):
    with services.session() as session:
        for day in (date(2025, 7, 2), date(2026, 7, 2), date(2030, 1, 31)):
            listed = due.due(session, owner, pack, day)
            assert due.count_due(session, owner, pack, day) == (len(listed), listed[0].due_on if listed else None)
