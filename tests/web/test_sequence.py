"""Conditional answers, and tiles that are as new as what was committed last."""

from datetime import UTC, datetime, timedelta

import pytest
from flask import Response
from sqlalchemy import text
from werkzeug.http import http_date

from schemas.clock import FixedClock
from tests.database.plain import Plain, connect
from web.public.sequence import conditional, current

LONG_AGO = datetime(2026, 1, 1, 12, 0, 0, 700_000, tzinfo=UTC)
TILE = "/tiles/devices/12/3336/1777.mvt"


@pytest.fixture
def answer(shared_app):
    def make(at=LONG_AGO, method="GET", **headers):
        with shared_app.test_request_context("/", method=method, headers=headers):
            return conditional(Response("words"), "tag-7", at, fresh_s=30)

    return make


def test_conditional__first_time__whole_with_what_to_ask_by(answer):
    given = answer()
    assert (given.status_code, given.data) == (200, b"words")
    assert given.headers["ETag"] == 'W/"tag-7"'
    assert given.headers["Last-Modified"] == http_date(LONG_AGO)
    assert given.headers["Cache-Control"] == "public, max-age=30"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"If-None-Match": 'W/"tag-7"'}, 304),
        ({"If-None-Match": '"tag-7"'}, 304),
        ({"If-None-Match": "*"}, 304),
        ({"If-None-Match": '"tag-6", W/"tag-7"'}, 304),
        ({"If-None-Match": '"tag-6"'}, 200),
        ({"If-None-Match": "nonsense"}, 200),
        ({"If-Modified-Since": http_date(LONG_AGO)}, 304),
        ({"If-Modified-Since": http_date(LONG_AGO - timedelta(seconds=1))}, 200),
        ({"If-Modified-Since": "nonsense"}, 200),
        # Who names contents is not answered by a date (RFC 9110, 13.1.3).
        ({"If-None-Match": '"tag-6"', "If-Modified-Since": http_date(LONG_AGO)}, 200),
    ],
)
def test_conditional__reader_that_holds_something__304_for_the_same_alone(answer, headers, status):
    given = answer(**headers)
    assert given.status_code == status
    assert given.headers["ETag"] == 'W/"tag-7"'


@pytest.mark.parametrize("ahead_s", [0, 3600])
def test_conditional__changed_in_this_second_or_by_a_clock_ahead__no_date(answer, monkeypatch, ahead_s):
    # The clock stands still: this second would be over now and then before the answer is made.
    now = datetime.now(UTC)
    monkeypatch.setattr("web.public.sequence.SystemClock", lambda: FixedClock(now))
    assert "Last-Modified" not in answer(now + timedelta(seconds=ahead_s)).headers


def test_conditional__post__never_304(answer):
    assert answer(method="POST", **{"If-None-Match": "*"}).status_code == 200


def test_current__is_what_the_views_say(shared_app):
    with shared_app.extensions["services"].public() as public:
        found = current(public)
        assert public.execute(text("SELECT revision FROM public_map.revision")).scalar_one() == found.revision
        assert found.seq == public.execute(text("SELECT max(seq) FROM public_map.changes")).scalar_one()
    assert found.at.tzinfo is not None


def test_tile__earlier_change_that_is_committed_last__is_drawn_anew(client, services):
    """The number of an event is taken when it is written, and what it tells is seen when it is committed."""
    with connect(services.database) as first, connect(services.database) as second:
        slow, quick = Plain(first), Plain(second)
        before = client.get(TILE)
        with first.transaction():
            slow.run("SELECT ledger.append('a', 'b', 'c', 'd', '{}', NULL, NULL, 'live')")
            slow.publish(slow.device("published", public_id="DV-SLOW"))
            quick.run("SELECT ledger.append('a', 'b', 'c', 'd', '{}', NULL, NULL, 'live')")
            between = client.get(TILE)
        after = client.get(TILE, headers={"If-None-Match": between.headers["ETag"]})
    assert between.headers["ETag"] == before.headers["ETag"]
    assert after.status_code == 200
    assert after.data != between.data
