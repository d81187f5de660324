"""The first picture: what the map shows when it opens, drawn by the server, for those who wait or have no script."""

import re
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from tests.web import test_clusters
from web.public.picture import LOOKS, NARROW_PX, WIDE_PX, Frame, Group, _ring, picture_of

crowd = test_clusters.crowd
CITY = (113.2, 23.0, 113.5, 23.3)


def picture(client, path="/"):
    found = re.search(r'<div class="still">(<svg.*?</svg>)</div>', client.get(path).get_data(as_text=True), re.DOTALL)
    return found[1] if found else ""


def devices(drawn, element):
    """How many devices the picture tells of in an element of that width."""
    wide, narrow = drawn.split('<g class="at-wide">')[1].split('<g class="at-narrow">')
    return sum(int(n) for n in re.findall(r'data-n="(\d+)"', wide if element == "wide" else narrow))


def test_picture__of_the_district__holds_its_two_devices_zone_area_and_routes(reader):
    drawn = picture(reader)
    assert devices(drawn, "wide") == devices(drawn, "narrow") == 2
    assert drawn.count('class="sym-on" data-n="1"') >= 1
    assert drawn.count('class="sym-soon" data-n="1"') >= 1
    for shown_as in ("area", "zone", "route"):
        assert f'<path class="{shown_as}" d="M' in drawn


def test_picture__in_the_page__needs_nothing_that_the_policy_forbids(reader):
    drawn = picture(reader)
    assert not re.search(r"<script|<style|<image|<foreignObject| style=| on\w+=|href=", drawn)


def test_picture__in_either_language__is_the_same(reader):
    assert picture(reader, "/?lang=zh") == picture(reader, "/?lang=en") != ""


@pytest.mark.parametrize(
    "query", ["on=2025-06-10", "kind=radar", "layer=none", "q=DV-DV1", "lon=113.26&lat=23.13", "sel=device/DV-DV1"]
)
def test_picture__where_the_address_asks_for_something_else__is_left_out(reader, query):
    assert picture(reader, f"/?{query}") == ""


def test_picture__of_many_devices__groups_hold_each_of_them_once(crowd):
    with crowd.application.extensions["services"].public_engine.connect() as public:
        drawn = picture_of(public, CITY, own_base=True)
        box = "ST_MakeEnvelope(:west, :south, :east, :north, 3857)"
        inside = f"SELECT count(*) FROM public_map.device_points WHERE state <> 'retired' AND geom_3857 && {box}"
        count = public.execute(text(inside), Frame.of(CITY, WIDE_PX).values).scalar_one()
    assert count > test_clusters.CROWD / 2
    assert devices(drawn, "wide") == devices(drawn, "narrow") == count
    assert len(drawn) < 100_000


def test_picture__that_a_narrow_map_cannot_hold__is_for_a_wide_one_alone(crowd):
    with crowd.application.extensions["services"].public_engine.connect() as public:
        drawn = picture_of(public, (112.8, 22.7, 113.8, 23.7), own_base=True)
    assert 'class="only-wide"' in drawn
    assert devices(drawn, "narrow") == 0 < devices(drawn, "wide")


def test_picture__of_a_province__is_none_for_the_map_opens_nearer_than_that(crowd):
    with crowd.application.extensions["services"].public_engine.connect() as public:
        assert picture_of(public, (110, 20.5, 117, 25), own_base=True) == ""
        assert picture_of(public, (113.2, 23.1, 113.2, 23.1), own_base=True) == ""


@settings(max_examples=30)
@given(
    st.floats(-179, 178),
    st.floats(-80, 79),
    st.floats(0.01, 1),
    st.floats(0.01, 1),
    st.sampled_from([WIDE_PX, NARROW_PX]),
)
def test_frame__of_any_bounds__fills_its_space_in_one_direction_and_overflows_in_none(lon, lat, across, up, space):
    frame = Frame.of((lon, lat, lon + across, lat + up), space)
    width, height = frame.size_px
    assert width <= space[0] * 1.0001
    assert height <= space[1] * 1.0001
    assert width == pytest.approx(space[0]) or height == pytest.approx(space[1])
    assert frame.place(frame.left, frame.top) == "0.0 0.0"


def test_home__asks_at_once_for_what_its_script_needs__and_all_of_that_is_there(reader):
    page = reader.get("/").get_data(as_text=True)
    asked = re.findall(r'<link rel="preload" as="(?:script" crossorigin|style" id="map-style") href="([^"]+)"', page)
    assert len(asked) > 4
    assert {reader.get(address).status_code for address in asked} == {200}


def test_home__before_its_words_and_its_picture__asks_for_nothing_but_their_own_style(reader):
    head, body = reader.get("/").get_data(as_text=True).split("</head>")
    asked = re.findall(r'<(script|link rel="[^"]*")(?: (?:href|src)="/static/([^?"]+))?', head)
    assert asked == [('link rel="icon"', "mark.svg"), ('link rel="stylesheet"', "dist/app.css")]
    before, after = body.split('<div class="still">')
    assert "<script" not in before
    assert "preload" not in before
    assert "preload" in after


@pytest.mark.parametrize("look", LOOKS)
def test_ring__of_one_look__is_one_circle_whose_strokes_are_not_written_out(look):
    drawn = _ring(Group(Counter({look: 5000})), "0 0", 1)
    assert drawn.count("<circle") == 2
    assert len(drawn) < 320


def test_ring__of_two_looks__has_an_arc_for_each_and_gaps_between_them():
    drawn = _ring(Group(Counter({"on": 6, "soon": 6})), "0 0", 1)
    on, soon = re.findall(r'class="(?:on|soon)".*?rotate\((\S+)\)" stroke-dasharray="([^"]+)"', drawn)
    assert (on[0], soon[0]) == ("-90", "90")
    assert on[1] == "0 0.13 5.74 12"
    # Each of its strokes and spaces, the gap before them and the rest of the circle, which is none of it.
    assert soon[1].split()[:2] == ["0", "0.13"]
    assert sum(map(float, soon[1].split()[1:-1])) <= 6
    assert float(soon[1].split()[-1]) == 12
