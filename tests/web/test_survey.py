"""The survey page: a flight laid out from a form, shown, refused, taken away, and handed to the check."""

import html
import io
import json
import re
import zipfile

import pytest

from flights.formats import read_plan
from flights.path.profile import profile
from flights.survey.queries import camera_of
from geo.zones import distance_m
from tests.missions import FlatGround
from tests.web.conftest import HTML, SAME_ORIGIN
from tests.web.plans import flat_ground
from tests.world import PA1, Z1

JSON = {"Accept": "application/json"}
AREA = "113.262, 23.125\n113.274, 23.125\n113.274, 23.133\n113.262, 23.133"
ASKED = {
    "kind": "area",
    "shape": AREA,
    "camera": "drone:DV-DR1",
    "by": "alt",
    "value": "60",
    "home": "113.2645, 23.1262",
}


@pytest.fixture
def pilot(reading_as, shared_app):
    flat_ground(shared_app.extensions["services"].data_dir)
    return reading_as("F1")


def send(client, where="", headers=HTML, **form):
    return client.post(f"/pilot/survey{where}", data={**ASKED, **form}, headers={**SAME_ORIGIN, **headers})


def drawn(client, **form):
    return send(client, "/draw", JSON, **form).get_json()


def rules(body):
    return [refusal["rule"] for refusal in body["refusals"]]


def parts(geo):
    return [feature["properties"]["part"] for feature in geo["plan"]["features"]]


def test_page__empty__form_cameras_and_areas(pilot):
    page = html.unescape(pilot.get("/pilot/survey", headers=HTML).text)
    assert "Draw an area or a line, or choose a patrol area" in page
    assert "DJI Phantom 4 Pro" in page
    assert "PA1 ·" in page
    assert '<a href="/pilot/survey">' in pilot.get("/pilot", headers=HTML).text


def test_draw__area__figures_and_shapes(pilot):
    body = drawn(pilot)
    assert body["ok"]
    assert body["stats"]["lines"] > 10
    assert parts(body["geo"]) == ["swath", "area", "way", "line", "home"]
    assert "minutes in the air" in body["html"]
    assert "nor beyond" not in body["html"]


def test_draw__nothing_yet__said(pilot):
    body = drawn(pilot, shape=" ")
    assert (body["ok"], body["stats"]) == (False, {})
    assert "appear here" in body["html"]


def test_draw__patrol_area__corridor_and_distance__all_laid_out(pilot):
    assert drawn(pilot, area="PA1", shape="", value="100")["ok"]
    line = "113.255, 23.123\n113.27, 23.1245\n113.28, 23.1235"
    assert drawn(pilot, kind="corridor", shape=line, width_m="90", home="")["stats"]["angle_deg"] is None
    body = drawn(pilot, camera="dji-phantom-4-pro", by="gsd", value="2", speed_mps="5", portrait="1", cross="1")
    assert body["stats"]["gsd_cm"] == 2.0


@pytest.mark.parametrize(
    ("form", "rule"),
    [
        ({"shape": "somewhere"}, "survey.corner"),
        ({"shape": "{"}, "json.syntax"),
        ({"shape": '{"a":' * 60 + "1" + "}" * 60}, "json.depth"),
        ({"shape": "nan,nan\n1,1\n2,2"}, "geometry.not_finite"),
        ({"area": "PA9"}, "store.unknown"),
        ({"area": "' OR 1=1"}, "store.unknown"),
        ({"camera": "Brownie"}, "survey.camera_unknown"),
        ({"camera": "drone:DV-NONE"}, "store.unknown"),
        ({"value": "high"}, "survey.number"),
        ({"value": "nan"}, "survey.number"),
        ({"value": "1e308"}, "survey.range"),
        ({"front": "100"}, "survey.range"),
        ({"home": "here"}, "survey.corner"),
        ({"home": "113.2700, 23.1293"}, "GD-16.5"),
        ({"side": "95", "value": "10"}, "survey.lines"),
        ({"shape": "113.0,23.0\n113.3,23.0\n113.3,23.3\n113.0,23.3"}, "survey.area"),
        ({"shape": "3.0,50.0\n3.01,50.0\n3.01,50.01", "home": ""}, "GD-02.1"),
        ({"camera": "dji-phantom-4-pro", "front": "90"}, "survey.trigger"),
    ],
)
def test_draw__refused__by_rule_and_in_words(pilot, form, rule):
    answer = send(pilot, "/draw", JSON, **form)
    assert answer.status_code == 200
    body = answer.get_json()
    assert rule in rules(body)
    assert not body["ok"]
    assert 'class="refusal"' in body["html"]


def test_draw__several_numbers_wrong__all_told(pilot):
    assert rules(drawn(pilot, value="x", front="y", side="")) == ["survey.number"] * 3


def test_GD_16_5__home_refused__with_its_place_on_the_map(pilot):
    (place,) = drawn(pilot, home="113.2700, 23.1293")["geo"]["places"]["features"]
    assert place["geometry"] == {"type": "Point", "coordinates": [113.27, 23.1293]}


def test_GD_16_2__no_elevation_model__refused(reading_as, shared_app):
    model = shared_app.extensions["services"].data_dir / "terrain.tif"
    model.unlink(missing_ok=True)
    assert rules(drawn(reading_as("F1"))) == ["GD-16.2"]


def test_draw__hostile_text__is_only_text(pilot):
    body = drawn(pilot, shape="<script>alert(1)</script>")
    assert "<script>alert" not in body["html"]


def test_draw__body_above_the_limit__413(pilot):
    assert send(pilot, "/draw", JSON, shape="1,1\n" * 40_000).status_code == 413


def test_page__posted_without_scripts__result_and_form_kept(pilot):
    page = send(pilot, cross="1")
    said = html.unescape(page.text)
    assert page.status_code == 200
    assert "minutes in the air" in said
    assert AREA in said
    assert re.search(r'name="cross" value="1" checked', page.text)
    assert parts(json.loads(html.unescape(re.search(r'data-geo="([^"]+)"', page.text)[1])))


def test_page__in_chinese__no_english_left(pilot):
    page = pilot.post("/pilot/survey", data=ASKED, headers={**SAME_ORIGIN, **HTML, "Accept-Language": "zh-CN"})
    for english in ("lines", "Direction", "Take-off", "Camera of", "photos"):
        assert f">{english}" not in page.text
    assert "条航线" in page.text


def test_GD_16_5__downloaded_plan__clear_of_the_zone(pilot, shared_app):
    answer = send(pilot, "/file", format=".plan")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="survey.plan"'
    plan = read_plan(answer.data, "survey.plan")
    with shared_app.extensions["services"].session() as db:
        from flights.queries import drone_named

        camera = camera_of(drone_named(db, "DV-DR1"))
    seen = profile(plan, FlatGround()).footprint(camera.view())
    assert distance_m(seen, Z1) > 0
    assert PA1.covers(seen)


def test_download__waypoints_and_kmz__in_their_formats(pilot):
    assert send(pilot, "/file", format=".waypoints").data.startswith(b"QGC WPL 110")
    with zipfile.ZipFile(io.BytesIO(send(pilot, "/file", format=".kmz").data)) as archive:
        assert archive.testzip() is None


def test_download__refused__page_or_problem_document(pilot):
    assert send(pilot, "/file", format=".exe").status_code == 415
    page = send(pilot, "/file", value="0")
    assert page.status_code == 422
    assert "No survey" in page.text
    answer = send(pilot, "/file", JSON, value="0")
    assert answer.mimetype == "application/problem+json"


def test_check__handed_over__verdict_and_the_plan_in_the_form(pilot):
    page = send(pilot, "/check")
    said = html.unescape(page.text)
    assert page.status_code == 200
    # It is no published route, and that is all that stands against it.
    assert re.findall(r'class="mono(?: quiet)?">([A-Z]+-[\d.]+)</', page.text) == ["DC-2"]
    handed = json.loads(html.unescape(re.search(r'data-handed="([^"]+)"', page.text)[1]))
    assert read_plan(handed["text"].encode(), handed["name"]).items
    assert 'option value="DV-DR1" selected' in said


def test_check__refused__stays_on_the_survey_page(pilot):
    assert send(pilot, "/check", value="0").status_code == 422


@pytest.mark.parametrize("code", ["X1", "D1", "S1", "L1"])
def test_survey__other_roles__403(reading_as, code):
    assert reading_as(code).get("/pilot/survey", headers=HTML).status_code == 403
    assert send(reading_as(code), "/draw", JSON).status_code == 403
