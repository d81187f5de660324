"""The public log of flights: that one was flown, and whether as published; late, and never where."""

import html
from datetime import timedelta

import pytest

from tests.database.flying import START, airborne
from tests.web.conftest import HTML


def seen(client, lang="en"):
    answer = client.get(f"/flights?lang={lang}", headers=HTML)
    assert answer.status_code == 200
    return html.unescape(answer.text)


@pytest.fixture
def flight(work):
    return airborne(work)


def end(admin, number, *, as_published=True, state="closed"):
    """The flight is over, and judged."""
    admin.execute("SET session_replication_role = replica")
    admin.execute(
        "UPDATE core.flight SET state = %s, airborne_at = %s, landed_at = %s, stayed_inside = true,"
        " deviation_lateral_m = 4, flown_track = 'SRID=4326;LINESTRING(113.2661 23.125,113.2772 23.125)'"
        " WHERE public_id = %s",
        (state, START, START + timedelta(minutes=12), number),
    )
    admin.execute(
        "INSERT INTO core.flight_verdict (flight_id, source, engine, as_published, thresholds, report)"
        " SELECT id, 'live', 'conformance-3', %s, '[]', '{}' FROM core.flight WHERE public_id = %s",
        (as_published, number),
    )


@pytest.mark.parametrize(("as_published", "word"), [(True, "Yes"), (False, "No")])
def test_flights__closed__says_whether_it_was_flown_as_published_and_not_where(
    client, admin, flight, as_published, word
):
    end(admin, flight, as_published=as_published)
    text = seen(client)
    assert "1 flight is over and on record" in text
    assert flight in text
    assert f">{word}</span>" in text
    assert "about 15 min" in text
    assert "113.2661" not in text


def test_flights__in_chinese(client, admin, flight):
    end(admin, flight)
    assert "1 次飞行已结束并存档" in seen(client, "zh")


@pytest.mark.parametrize("state", ["airborne", "landed", "ingested"])
def test_G_8__not_closed__nobody_reads_of_it(client, admin, flight, state):
    end(admin, flight, state=state)
    assert flight not in seen(client)


@pytest.mark.parametrize("page", ["0", "2", "x", "-1", "1e3"])
def test_flights__page_that_is_not_there__422(client, page):
    assert client.get(f"/flights?page={page}").status_code == 422
