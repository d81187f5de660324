"""The annual report as the database keeps it: once a year, as it was submitted, received once (GD-13.3)."""

from __future__ import annotations

import json
from contextlib import contextmanager
from datetime import date

import pytest
from geoalchemy2.shape import to_shape
from sqlalchemy import select

from geo import commands
from geo.commands.reports import reports_of, reports_waiting
from schemas.refusals import RuleViolation
from schemas.tables import Authority, Device
from tests.database.plain import connect

CHANGES = (
    "UPDATE core.annual_report SET document = '{}'",
    "UPDATE core.annual_report SET year = 2024",
    "UPDATE core.annual_report SET part = 2",
    "UPDATE core.annual_report SET submitted_on = '2025-07-01'",
)


@pytest.fixture
def reporting(work):
    """A unit of work of the unit head, with the authority and its rules."""

    @contextmanager
    def at_work():
        with work("H1") as doing:
            authority = doing.session.scalars(select(Authority).where(Authority.code == "A1")).one()
            yield doing, authority, doing.rulebook.at_place(to_shape(authority.jurisdiction), doing.now)

    return at_work


@pytest.fixture
def submit(reporting):
    def report(year=2025):
        with reporting() as (doing, authority, pack):
            row = commands.submit_report(doing, authority, pack, year)
            doing.commit()
            return row.part, [device["id"] for device in json.loads(row.document)["devices"]]

    return report


@pytest.fixture
def submitted(submit):
    return submit()


@pytest.fixture
def use(work):
    """Puts the device that waits for it into use."""

    def activate():
        with work("H1") as doing:
            commands.activate_device(doing, doing.get(Device, "DV-DV1"))
            doing.commit()

    return activate


@pytest.fixture
def plainly(database):
    """Plain SQL as the application."""
    with connect(database) as connection:
        yield connection


@pytest.mark.parametrize("change", CHANGES)
def test_GD_13_3__submitted_report__not_rewritten_by_plain_sql(submitted, plainly, refused_by, change):
    with refused_by("GD-13.3"):
        plainly.execute(change)


def test_GD_13_3__receipt__recorded_once(submitted, plainly, refused_by):
    receipt = "UPDATE core.annual_report SET received_on = '2025-07-02', receipt_no = %s"
    plainly.execute(receipt, ["R-1"])
    with refused_by("GD-13.3"):
        plainly.execute(receipt, ["R-2"])


def test_GD_13_3__second_report_of_a_year__refused_by_the_database(submitted, plainly):
    with pytest.raises(Exception, match="uq_annual_report_authority_id_year_part"):
        plainly.execute(
            "INSERT INTO core.annual_report (authority_id, year, part, addressee, due_on, document, content_sha256,"
            " submitted_on, id, public_id, origin) SELECT authority_id, year, part, addressee, due_on, document,"
            " content_sha256, submitted_on, gen_random_uuid(), 'AR-TWICE', 'live' FROM core.annual_report"
        )


def test_GD_13_3__device_first_used_after_the_report__stands_in_a_supplement(submit, use):
    assert submit() == (1, ["DV-DR1"])
    use()
    assert submit() == (2, ["DV-DV1"])


def test_GD_13_3__supplement_without_a_new_device__refused(submit, submitted, use):
    with pytest.raises(RuleViolation) as caught:
        submit()
    assert caught.value.refusals[0].text == "report.twice"
    use()
    submit()
    with pytest.raises(RuleViolation, match=r"GD-13\.3: "):
        submit()


def test_GD_13_3__supplement__received_by_itself(submit, submitted, use, reporting):
    use()
    submit()
    with reporting() as (doing, authority, pack):
        told = {"receipt_no": "R-2", "received_on": pack.local_date(doing.now)}
        assert commands.record_report_receipt(doing, authority, pack, 2025, part=2, **told).part == 2
        doing.commit()
    with reporting() as (doing, authority, pack):
        with pytest.raises(RuleViolation) as caught:
            commands.record_report_receipt(doing, authority, pack, 2025, part=3, **told)
        received = [report.receipt_no for report in reports_of(doing.session, authority, 2025)]
    assert caught.value.refusals[0].text == "report.none"
    assert received == [None, "R-2"]


def test_GD_13_3__supplement__waits_until_the_year_ends_and_is_overdue_after(submitted, use, reporting):
    use()
    with reporting() as (doing, authority, pack):
        waits = [
            [(one.part, one.draft.due_on) for one in reports_waiting(doing.session, authority, pack, day)]
            for day in (date(2025, 7, 2), date(2025, 12, 20), date(2026, 1, 5))
        ]
    assert waits == [[], [(2, date(2025, 12, 31))], [(2, date(2025, 12, 31))]]
