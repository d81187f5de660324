"""What people may send as the area of a survey: nothing but a clean shape gets through."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import LineString, Polygon

from flights.survey.drawn import read_place, read_shape
from geo.types import LonLat
from schemas.refusals import RuleViolation

CORNERS = "113.25, 23.12\n113.26 23.12\n113.26;23.13\n"
HOLE = "113.255,23.122\n113.257,23.122\n113.257,23.124\n"


def test_shape__typed__polygon_that_closes_itself():
    assert read_shape(CORNERS, corridor=False).equals(Polygon([(113.25, 23.12), (113.26, 23.12), (113.26, 23.13)]))


def test_shape__typed_with_an_empty_line__hole():
    assert len(read_shape(f"{CORNERS}\n\n{HOLE}", corridor=False).interiors) == 1


def test_shape__typed_for_a_corridor__line():
    assert read_shape(CORNERS, corridor=True) == LineString([(113.25, 23.12), (113.26, 23.12), (113.26, 23.13)])


@pytest.mark.parametrize("wrapped", [True, False])
def test_shape__geojson__geometry_feature_or_collection_of_one(wrapped):
    geometry = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}
    feature = {"type": "Feature", "properties": {}, "geometry": geometry}
    document = {"type": "FeatureCollection", "features": [feature]} if wrapped else feature
    assert read_shape(json.dumps(document), corridor=False).area == 0.5


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "survey.no_area"),
        ("\n \n", "survey.no_area"),
        ("here", "survey.corner"),
        ("113.2, 23.1, 5, 6", "survey.corner"),
        ("nan, 23.1\n113.2, 23.1\n113.3, 23.2", "geometry.not_finite"),
        ("1e999, 23.1\n113.2, 23.1\n113.3, 23.2", "geometry.not_finite"),
        ("23.1, 113.2\n23.1, 113.3\n23.2, 113.3", "geometry.out_of_range"),
        ("113.2, 23.1\n113.3, 23.1", "geometry.ring_short"),
        ("113.2,23.1\n113.3,23.2\n113.3,23.1\n113.2,23.2", "geometry.invalid"),
        ("{", "json.syntax"),
        ('{"type": "Point", "coordinates": [1, 2]}', "geometry.type"),
        ('{"type": "LineString", "coordinates": [[1, 2], [2, 3]]}', "geometry.type"),
        ('{"type": "FeatureCollection", "features": [1]}', "geometry.type"),
        ('{"type": "Feature"}', "geometry.empty"),
        ('{"a":' * 50 + "1" + "}" * 50, "json.depth"),
        ("1,1\n" * 2_001, "survey.corners"),
        ("179,1\n-179,1\n-179,2", "geometry.antimeridian"),
    ],
)
def test_shape__anything_else__refused(text, rule):
    with pytest.raises(RuleViolation) as caught:
        read_shape(text, corridor=False)
    assert caught.value.refusals[0].rule == rule


@given(st.text(max_size=200), st.booleans())
def test_shape__any_text__read_or_refused(text, corridor):
    with suppress(RuleViolation):
        assert read_shape(text, corridor=corridor).is_valid


def test_place__typed__or_none():
    assert read_place("113.25, 23.12") == LonLat(113.25, 23.12)
    assert read_place("  ") is None


@pytest.mark.parametrize("text", ["home", "113.2", "113.2, 95", "inf, 1"])
def test_place__no_place__refused(text):
    with pytest.raises(RuleViolation):
        read_place(text)
