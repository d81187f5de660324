"""The annual report as the database keeps it: once a year, as it was submitted, received once (GD-13.3)."""

from __future__ import annotations

import pytest
from geoalchemy2.shape import to_shape
from sqlalchemy import select

from geo import commands
from schemas.tables import Authority
from tests.database.plain import connect

CHANGES = (
    "UPDATE core.annual_report SET document = '{}'",
    "UPDATE core.annual_report SET year = 2024",
    "UPDATE core.annual_report SET submitted_on = '2025-07-01'",
)


@pytest.fixture
def submitted(work, services):
    with work("H1") as doing:
        authority = doing.session.scalars(select(Authority).where(Authority.code == "A1")).one()
        pack = doing.rulebook.at_place(to_shape(authority.jurisdiction), doing.now)
        commands.submit_report(doing, authority, pack, 2025)
        doing.commit()


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
    with pytest.raises(Exception, match="uq_annual_report_authority_id_year"):
        plainly.execute(
            "INSERT INTO core.annual_report (authority_id, year, addressee, due_on, document, content_sha256,"
            " submitted_on, id, public_id, origin) SELECT authority_id, year, addressee, due_on, document,"
            " content_sha256, submitted_on, gen_random_uuid(), 'AR-TWICE', 'live' FROM core.annual_report"
        )
