"""5.3, GD-44: the public sees nothing of a finding of readings or of imagery, waiting or taken by an officer.

An officer's acceptance makes a finding a lead and no decision on a case; what is public is a decision that was served.
"""

from __future__ import annotations

import re
from datetime import datetime

import pytest
from shapely.geometry import Point
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from sensing.sensors.judging import judge_due
from tests.conftest import Start, opened
from tests.stations import Pusher, add_station, hours, issue_token
from tests.web.conftest import HTML, SAME_ORIGIN
from tests.web.crawling import crawled
from tests.web.findings import make_findings
from web.app import create_app

MIDNIGHT = datetime.fromisoformat("2025-07-01T00:00:00+08:00")


@pytest.fixture(scope="module")
def found(server, world_template, tmp_path_factory):
    """A finding of a day of readings, and two of imagery."""
    made = Start(server.clone(world_template), tmp_path_factory.mktemp("found"))
    engine = server.database(made.database).admin_engine()
    with Session(engine) as session:
        add_station(session, "A", Point(113.26, 23.131))
        session.commit()
    engine.dispose()
    with opened(server, made) as services:
        pusher = Pusher(create_app(services).test_client(), issue_token(services, "A"))
        assert pusher.batch(pusher.stream(), hours(24, 101.625, MIDNIGHT)).status_code == 201
        (one,) = judge_due(services.work)
        pictured = make_findings(services, tmp_path_factory.mktemp("scenes"), count=2)
    yield made, [one.finding, *pictured]
    server.drop(made.database)


@pytest.fixture
def beginning(found):
    return found[0]


def shown(app):
    """Every public answer, without the number by which tiles are kept: it tells that anything at all was recorded."""
    with app.extensions["services"].public() as public:
        number = str(public.execute(text("SELECT revision FROM public_map.revision")).scalar_one())
    # A form is told from the next one, and a document says when it was made.
    once = re.compile(r'name="once" value="[^"]*"|"timeStamp": "[^"]*"')
    return {path: once.sub("", body.replace(number, "")) for path, body in crawled(app.test_client())}


def test_5_3__findings_of_readings_and_of_imagery__in_no_answer_before_and_after_they_are_taken(app, found, signed_in):
    findings = found[1]
    assert len(findings) == 3
    before = shown(app)
    officer = signed_in("O1")
    for name in findings:
        sent = {"decision": "confirm", "code": "other", "reason": "the plant was running", "version": "1"}
        answer = officer.post(f"/review/{name}", data=sent, headers=SAME_ORIGIN | HTML)
        assert answer.status_code == 303, answer.text[:300]
    after = shown(app)
    assert len(before) > 40
    assert after == before
    for path, body in after.items():
        for canary in (*findings, "101.625", "101.6 ", "beyond a limit", "the plant was running"):
            assert canary not in body, (path, canary)


@pytest.mark.parametrize("table", ["detection", "exceedance", "decision", "observation"])
def test_5_3__findings_and_what_they_rest_on__closed_to_the_public_role(services, table):
    with services.public() as public, pytest.raises(DBAPIError, match="permission denied"):
        public.execute(text(f"SELECT FROM core.{table}"))


@pytest.mark.parametrize("path", ["/finding/{}", "/detection/{}", "/review/{}", "/review/{}/sheet.html"])
def test_5_3__finding_by_its_number__not_there_for_the_public(client, found, path):
    for name in found[1]:
        assert client.get(path.format(name), headers=HTML).status_code in (401, 404)
