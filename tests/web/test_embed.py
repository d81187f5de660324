"""The map in a frame of another site: only there, without cookies, read-only."""

import html
import json
import re

import pytest
from sqlalchemy import text

from tests.web.conftest import HTML
from web.public.overview import bounds_around
from web.security import FRAMED

FRAMES = ["/embed/map", "/embed/map?kind=video&lang=zh", "/embed/device/DV-DV1", "/embed/zone/PZ-Z1?lang=en"]


def policy(answer):
    said = (part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    return {part[0]: part[1] for part in said}


@pytest.mark.parametrize("path", FRAMES)
def test_frame__may_be_framed_by_anyone__and_sets_no_cookie(reader, path):
    answer = reader.get(path, headers=HTML)
    assert answer.status_code == 200
    assert policy(answer)["frame-ancestors"] == "*"
    assert policy(answer)["form-action"] == "'none'"
    assert "X-Frame-Options" not in answer.headers
    assert "Set-Cookie" not in answer.headers
    assert "<form" not in answer.text
    assert "sign-in" not in answer.text


def test_frame__language__is_said_by_the_address_alone(reader):
    assert 'lang="zh-CN"' in reader.get("/embed/map?lang=zh", headers=HTML).text
    # Elsewhere the language of an address is kept in a cookie; a frame leaves none behind.
    assert 'lang="en"' in reader.get("/embed/map", headers=HTML).text


def test_frame__unknown_record_or_word__is_refused_in_a_frame_too(reader):
    assert reader.get("/embed/device/DV-NONE", headers=HTML).status_code == 404
    answer = reader.get("/embed/map?kind=spy", headers=HTML)
    assert answer.status_code == 422
    assert "Set-Cookie" not in answer.headers


def test_every_other_route__refuses_frames(shared_app, reader):
    others = {rule.rule for rule in shared_app.url_map.iter_rules() if "GET" in rule.methods}
    others -= {rule for rule in others if rule.startswith(FRAMED)}
    assert len(others) > 40
    for rule in sorted(others):
        # What a rule takes does not matter here: its refusals are answers of the same branch.
        path = rule.replace("<", "").replace(">", "").replace(":", "-").split("(")[0]
        answer = reader.get(path, headers=HTML)
        assert answer.headers["X-Frame-Options"] == "DENY", rule
        assert policy(answer)["frame-ancestors"] == "'none'", rule


@pytest.mark.parametrize("path", ["/embed", "/embedded", "/Embed/map", "//embed/map", "/x/../embed/map"])
def test_what_only_looks_like_a_frame__refuses_frames(reader, path):
    assert reader.get(path, headers=HTML).headers["X-Frame-Options"] == "DENY"


def test_frame__device_just_outside_of_what_is_patrolled__is_taken_in__one_far_away_is_not(services):
    with services.public() as public:
        lon, lat = public.execute(
            text("SELECT ST_X(geom), ST_Y(geom) FROM public_map.device_points ORDER BY ST_X(geom), public_id LIMIT 1")
        ).one()
        beside = [lon + 0.001, lat - 0.01, lon + 0.021, lat + 0.01]
        far = [lon - 5.02, lat - 0.01, lon - 5.0, lat + 0.01]
        assert bounds_around(public, beside)[0] == pytest.approx(lon)
        assert bounds_around(public, far) == pytest.approx(far)


def test_frame__its_first_view__is_that_of_the_map_with_what_stands_around_it(reader, services):
    def bounds(path):
        told = re.search(r'data-config="([^"]*)"', reader.get(path, headers=HTML).text)
        return json.loads(html.unescape(told[1]))["bounds"]

    with services.public() as public:
        assert bounds("/embed/map") == pytest.approx(bounds_around(public, bounds("/")))


@pytest.mark.parametrize("layer", ["patrol_areas", "patrol_routes", "privacy_zones"])
def test_frame__what_a_click_lists__has_the_symbol_of_its_layer(reader, layer):
    text = reader.get("/embed/map", headers=HTML).text
    assert f'<span data-key="{layer}"><svg' in text
