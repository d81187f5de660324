"""A finding of readings in the same queue as imagery, and what cannot be done to it."""

from datetime import datetime, timedelta

import pytest
from shapely.geometry import Point, Polygon
from sqlalchemy.orm import Session

from schemas.refusals import RuleViolation
from sensing.decisions import redraw_detection
from sensing.sensors.judging import judge_due
from tests.conftest import Start, opened
from tests.stations import Pusher, add_station, hours, issue_token
from tests.web.conftest import HTML, SAME_ORIGIN
from web.app import create_app

MIDNIGHT = datetime.fromisoformat("2025-07-01T00:00:00+08:00")


@pytest.fixture(scope="module")
def exceeded(server, world_template, tmp_path_factory):
    """A day of a station at 100 µg/m³, of which a finding came."""
    made = Start(server.clone(world_template), tmp_path_factory.mktemp("exceeded"))
    engine = server.database(made.database).admin_engine()
    with Session(engine) as session:
        add_station(session, "A", Point(113.26, 23.131))
        session.commit()
    engine.dispose()
    with opened(server, made) as services:
        pusher = Pusher(create_app(services).test_client(), issue_token(services, "A"))
        assert pusher.batch(pusher.stream(), hours(24, 100.0, MIDNIGHT)).status_code == 201
        (one,) = judge_due(services.work)
    yield made, one.finding
    server.drop(made.database)


@pytest.fixture
def beginning(exceeded):
    return exceeded[0]


@pytest.fixture
def finding(exceeded):
    return exceeded[1]


def test_queue__holds_it_and_opens_it_with_all_that_it_rests_on(signed_in, finding):
    page = signed_in("O1").get("/review", headers=HTML)
    assert page.status_code == 200
    for told in (finding, "Air beyond a limit", "100 µg/m³", "75 µg/m³", "C-A", "DV-A", "24 readings"):
        assert told in page.text
    assert 'id="map"' not in page.text
    assert f"/review/{finding}/sheet.html" in page.text


def test_filter__by_what_took_it__stations_alone(signed_in, finding):
    officer = signed_in("O1")
    assert finding in officer.get("/review?sensor=station", headers=HTML).text
    assert finding not in officer.get("/review?sensor=uav", headers=HTML).text


def test_decision__accepted_and_taken_back(signed_in, finding, services):
    officer = signed_in("O1")
    sent = {"decision": "confirm", "code": "other", "reason": "the plant was running", "version": "1"}
    answer = officer.post(f"/review/{finding}", data=sent, headers=SAME_ORIGIN | HTML)
    assert answer.status_code == 303, answer.text
    assert "Accepted as a lead" in officer.get(f"/review/{finding}", headers=HTML).text
    undo = {"decision": "undo", "code": "mistake", "reason": "", "version": "3"}
    assert officer.post(f"/review/{finding}", data=undo, headers=SAME_ORIGIN | HTML).status_code == 303


def test_outline__of_readings__is_not_redrawn(finding, work):
    with work("O1") as unit, pytest.raises(RuleViolation) as refused:
        redraw_detection(unit, finding, Polygon([(0, 0), (1, 0), (1, 1)]), "larger")
    assert refused.value.refusals[0].rule == "detection.of_readings"


@pytest.mark.parametrize("part", ["after.png", "before.png", "tiles/after/true_colour/1/1/1.png"])
def test_pictures__of_readings__404(signed_in, finding, part):
    assert signed_in("O1").get(f"/review/{finding}/{part}").status_code == 404


@pytest.mark.parametrize(("lang", "words"), [("en", ("Measured", "limit 75")), ("zh", ("测值", "限值 75"))])
def test_sheet__of_readings__says_what_was_measured_by_what_and_stands_by_itself(signed_in, finding, lang, words):
    page = signed_in("O1").get(f"/review/{finding}/sheet.html?lang={lang}").text
    for told in (finding, "100 µg/m³", "C-A", "DV-A", "polyline", *words):
        assert told in page
    assert "<script" not in page
    assert "http" not in page
    assert signed_in("O4").get(f"/review/{finding}/sheet.html").status_code == 404


def test_finding__of_another_authority__404(signed_in, finding):
    assert signed_in("O4").get(f"/review/{finding}").status_code == 404


def test_public__hears_nothing_of_it(client, finding):
    for path in ("/", "/list", "/device/DV-A", "/data/devices.geojson"):
        answer = client.get(path, headers=HTML)
        assert answer.status_code == 200
        assert finding not in answer.text
        assert "100.0" not in answer.text


def test_export__carries_it_beside_those_of_images(signed_in, finding):
    answer = signed_in("O1").get("/review/export?format=gpkg")
    assert answer.status_code == 200
    assert finding.encode() in answer.data


def test_next_day__of_another_value__is_a_finding_of_its_own(services, exceeded, clock):

    client = create_app(services).test_client()
    pusher = Pusher(client, issue_token(services, "A"))
    stream = pusher.read("/Datastreams")["value"][0]["@iot.id"]
    clock.advance(timedelta(days=2))
    assert pusher.batch(stream, hours(24, 200.0, MIDNIGHT + timedelta(days=1))).status_code == 201
    (one,) = judge_due(services.work)
    assert one.finding not in (None, exceeded[1])
