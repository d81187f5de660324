"""Rows 1 to 26 of reliability.md section 5, by the number of the row."""

import json
import re

import pytest

from geo.geojson import parse_document, parse_geometry
from schemas.limits import LIMITS
from schemas.refusals import RuleViolation
from tests.timing import processor_s

ALL = {"Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon"}
SQUARE = [[113.0, 23.0], [113.1, 23.0], [113.1, 23.1], [113.0, 23.1], [113.0, 23.0]]


def polygon(*rings):
    return {"type": "Polygon", "coordinates": list(rings)}


def line(*positions):
    return {"type": "LineString", "coordinates": list(positions)}


def zigzag(count):
    """A closed line that crosses itself at every step: valid answers fast, repairing takes minutes."""
    teeth = [[113.0 + i * 1e-4, 23.0 + (i % 2) * 0.1] for i in range(count)]
    back = [[x + 5e-5, 23.1 - (y - 23.0)] for x, y in reversed(teeth)]
    return polygon([*teeth, *back, teeth[0]])


def nested_collections(count):
    made = {"type": "Point", "coordinates": [113.0, 23.0]}
    for _ in range(count):
        made = {"type": "GeometryCollection", "geometries": [made]}
    return made


def nested_collections_text(count):
    opening = '{"type":"GeometryCollection","geometries":['
    return opening * count + '{"type":"Point","coordinates":[1,2]}' + "]}" * count


SLIVER = [[113.0, 23.0], [113.1, 23.0], [113.2, 23.0], [113.0, 23.0]]
NARROW = [[113.0, 23.0], [113.000001, 23.0], [113.000001, 23.000001], [113.0, 23.0]]
TWICE = [SQUARE[0], *SQUARE]
BOW_TIE = [[113.0, 23.0], [113.1, 23.1], [113.1, 23.0], [113.0, 23.1], [113.0, 23.0]]
OUTSIDE = [[114.0, 24.0], [114.1, 24.0], [114.1, 24.1], [114.0, 24.0]]
ACROSS = [[170.0, 10.0], [-170.0, 10.0], [-170.0, 20.0], [170.0, 20.0], [170.0, 10.0]]
TINY = [[[[113 + i * 1e-3, 23.0 + dy] for dy in (0, 1e-4)] for i in range(2)]]

GEOMETRIES = [
    (1, line([113.0, float("nan")], [113.1, 23.0]), "geometry.not_finite"),
    (2, line([113.0, 23.0], [float("inf"), 23.0]), "geometry.not_finite"),
    (2, line([113.0, 23.0], [113.1, float("-inf")]), "geometry.not_finite"),
    (3, {"type": "Point", "coordinates": [113.0, 95.0]}, "geometry.out_of_range"),
    (3, {"type": "Point", "coordinates": [200.0, 23.0]}, "geometry.out_of_range"),
    (3, {"type": "Point", "coordinates": [10**400, 23]}, "geometry.out_of_range"),
    (4, {"type": "Point", "coordinates": [23.13, 113.26]}, "geometry.out_of_range"),
    (5, {"type": "Point", "coordinates": ["113.2", 23.0]}, "geometry.not_a_number"),
    (5, {"type": "Point", "coordinates": [None, 23.0]}, "geometry.not_a_number"),
    (5, {"type": "Point", "coordinates": [True, 23.0]}, "geometry.not_a_number"),
    (5, {"type": "Point", "coordinates": [[113.0], 23.0]}, "geometry.not_a_number"),
    (6, polygon(SQUARE[:-1]), "geometry.ring_open"),
    (7, polygon(SQUARE[:3]), "geometry.ring_short"),
    (7, polygon([SQUARE[0], SQUARE[1]]), "geometry.ring_short"),
    (7, line([113.0, 23.0]), "geometry.line_short"),
    (8, polygon(BOW_TIE), "geometry.invalid"),
    (10, polygon(SQUARE, OUTSIDE), "geometry.invalid"),
    (10, {"type": "MultiPolygon", "coordinates": [[SQUARE], [SQUARE]]}, "geometry.invalid"),
    (11, line(*[[113.0 + i * 1e-5, 23.0] for i in range(10_001)]), "geometry.too_many_vertices"),
    (13, nested_collections(2), "geometry.depth"),
    (13, nested_collections(1_000), "geometry.depth"),
    (15, nested_collections(1), "geometry.type"),
    (15, {"type": "Circle", "coordinates": [113.0, 23.0]}, "geometry.type"),
    (15, {"coordinates": [113.0, 23.0]}, "geometry.type"),
    (15, {"type": ["Point"], "coordinates": [113.0, 23.0]}, "geometry.type"),
    (16, line([113.0, 23.0], [113.1, 23.0, 5.0]), "geometry.dimension"),
    (17, line([113.0, 23.0, 5.0, 1.0], [113.1, 23.0, 5.0, 1.0]), "geometry.dimension"),
    (17, {"type": "Point", "coordinates": [113.0]}, "geometry.dimension"),
    (18, None, "geometry.empty"),
    (18, {"type": "Point", "coordinates": []}, "geometry.empty"),
    (18, {"type": "Point"}, "geometry.empty"),
    (18, {"type": "Polygon", "coordinates": []}, "geometry.empty"),
    (18, {"type": "Polygon", "coordinates": [[]]}, "geometry.empty"),
    (18, {"type": "MultiPolygon", "coordinates": [[]]}, "geometry.empty"),
    (18, {"type": "LineString", "coordinates": None}, "geometry.empty"),
    (19, polygon(ACROSS), "geometry.antimeridian"),
    (19, line([179.9, 10.0], [-179.9, 10.0]), "geometry.antimeridian"),
    (20, polygon(SLIVER), "geometry.degenerate"),
    (20, polygon(NARROW), "geometry.degenerate"),
    (20, polygon(TWICE), "geometry.degenerate"),
    (20, line([113.0, 23.0], [113.0, 23.0]), "geometry.degenerate"),
    (
        20,
        {"type": "MultiPolygon", "coordinates": [[SQUARE], [[[x + 1, y] for x, y in NARROW]]]},
        "geometry.degenerate",
    ),
    (21, polygon(SQUARE) | {"crs": {"type": "name", "properties": {"name": "EPSG:4490"}}}, "geometry.crs"),
    (21, polygon(SQUARE) | {"crs": {"type": "link"}}, "geometry.crs"),
    (21, polygon(SQUARE) | {"crs": "GCJ-02"}, "geometry.crs"),
    (22, "POLYGON((0 0,1 0,1 1,0 0))", "geometry.format"),
    (22, "GEOMETRYCOLLECTION(" * 50_000, "geometry.format"),
    (22, b"\x01\x07\x00\x00\x00" * 50_000, "geometry.format"),
    (22, [113.0, 23.0], "geometry.format"),
    (22, {"type": "Polygon", "coordinates": "POLYGON((0 0,1 0,1 1,0 0))"}, "geometry.format"),
    (22, {"type": "Polygon", "coordinates": {"0": SQUARE}}, "geometry.format"),
    (22, {"type": "LineString", "coordinates": [113.0, 23.0]}, "geometry.format"),
    (24, {"type": "MultiPolygon", "coordinates": TINY * 5_000}, "geometry.too_many_parts"),
]


@pytest.mark.parametrize(("row", "geometry", "rule"), GEOMETRIES)
def test_geometry__refused_with_its_code_and_quickly(row, geometry, rule):
    def ask():
        with pytest.raises(RuleViolation) as caught:
            parse_geometry(geometry, allow=ALL)
        return caught

    caught = ask()
    assert caught.value.status == 422
    assert [refusal.rule for refusal in caught.value.refusals] == [rule]
    for lang in ("en", "zh"):
        json.dumps(caught.value.render(lang), allow_nan=False)
    assert processor_s(ask) < 0.5


def test_row_1__the_path_says_where():
    with pytest.raises(RuleViolation, match=r"features\[2\]\.geometry\.coordinates\[1\]\[0\]"):
        parse_geometry(line([113.0, 23.0], [float("nan"), 1.0]), allow=ALL, path="features[2].geometry")


def test_row_4__exchanged_latitude__the_fix_says_longitude_first():
    with pytest.raises(RuleViolation) as caught:
        parse_geometry({"type": "Point", "coordinates": [23.13, 113.26]}, allow=ALL)
    assert "ongitude first" in caught.value.refusals[0].fix()


def test_row_8__bow_tie__the_place_of_the_crossing_is_given():
    with pytest.raises(RuleViolation) as caught:
        parse_geometry(polygon(BOW_TIE), allow=ALL)
    (refusal,) = caught.value.refusals
    assert refusal.place["coordinates"] == pytest.approx([113.05, 23.05])
    assert "轮廓相交或重叠 [113.05 23.05]" in refusal.message("zh")
    assert "outlines cross" in refusal.message("en")


def test_row_19__split_at_the_180th_meridian_as_the_fix_says__is_taken():
    halves = [
        [[[west, 10.0], [east, 10.0], [east, 20.0], [west, 20.0], [west, 10.0]]]
        for west, east in ((170.0, 180.0), (-180.0, -170.0))
    ]
    made = parse_geometry({"type": "MultiPolygon", "coordinates": halves}, allow=ALL)
    assert [part.bounds[::2] for part in made.geoms] == [(170.0, 180.0), (-180.0, -170.0)]


OVERLAPS = [[113.05, 23.05], [113.2, 23.05], [113.2, 23.2], [113.05, 23.2], [113.05, 23.05]]
INSIDE = [[113.02, 23.02], [113.08, 23.02], [113.08, 23.08], [113.02, 23.08], [113.02, 23.02]]
DEEPER = [[113.04, 23.04], [113.06, 23.04], [113.06, 23.06], [113.04, 23.06], [113.04, 23.04]]


@pytest.mark.parametrize(
    "shape",
    [
        polygon(SQUARE, OUTSIDE),
        polygon(SQUARE, INSIDE, DEEPER),
        {"type": "MultiPolygon", "coordinates": [[SQUARE], [INSIDE]]},
        {"type": "MultiPolygon", "coordinates": [[SQUARE], [OVERLAPS]]},
        polygon([*SQUARE[:3], [113.05, 23.0], SQUARE[3], SQUARE[0]]),
    ],
)
def test_row_10__whatever_is_wrong_with_a_shape__is_told_in_chinese(shape):
    with pytest.raises(RuleViolation) as caught:
        parse_geometry(shape, allow=ALL)
    assert not re.search("[A-Za-z]", caught.value.refusals[0].params["reason"].tell("zh"))


@pytest.mark.parametrize("count", [40, 200, 2_000])
def test_row_9__zigzag__refused_under_50_ms(count):
    bomb = zigzag(count)

    def ask():
        with pytest.raises(RuleViolation, match="not valid"):
            parse_geometry(bomb, allow=ALL)

    # The promise is 50 ms for 200 vertices; ten times as many may take ten times as long.
    assert processor_s(ask) < (0.05 if count <= 200 else 0.5)


DOCUMENTS = [
    (1, b'{"type":"Point","coordinates":[NaN,1]}', 422, "geometry.not_finite"),
    (2, b'{"type":"Point","coordinates":[1e999,1]}', 422, "geometry.not_finite"),
    (2, b'{"type":"Point","coordinates":[1,-Infinity]}', 422, "geometry.not_finite"),
    (2, b'{"properties":{"depth_m":1e999}}', 422, "json.not_finite"),
    (13, nested_collections_text(1_000).encode(), 422, "geometry.depth"),
    (14, b"[" * 100_000 + b"]" * 100_000, 422, "json.depth"),
    (14, b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 422, "json.depth"),
    (14, b"[" * 5_000_000, 422, "json.depth"),
    (25, b'{"state":"draft","state":"approved"}', 422, "json.duplicate_key"),
    (25, b'{"a":[{"b":{"state":1,"state":2}}]}', 422, "json.duplicate_key"),
    (26, b'{"n":' + b"9" * 5_000 + b"}", 422, "json.number"),
    (26, b'{"n":0.' + b"9" * 5_000 + b"}", 422, "json.number"),
    (26, b'{"n":9007199254740993}', 422, "json.number"),
    (0, b'{"name":"\\u0000"}', 422, "json.text"),
    (0, b'{"name":"\\ud800"}', 422, "json.text"),
    (0, b'{"\\ud800":1}', 422, "json.text"),
    (0, b'{"a":["\\uDFFF x"]}', 422, "json.text"),
    (0, b"[1,2]", 422, "json.object"),
    (0, b"null", 422, "json.object"),
    (0, b"", 400, "json.syntax"),
    (0, b'{"a":1', 400, "json.syntax"),
    (0, b'{"a":"' + b'\\"' * 500_000, 400, "json.syntax"),
    (0, b'{"a":1} {"b":2}', 400, "json.syntax"),
    (0, b'{"a":"\x01"}', 400, "json.syntax"),
    (0, b"\xff\xfe{\x00}\x00", 400, "json.encoding"),
    (0, '{"名称":1}'.encode("gbk"), 400, "json.encoding"),
]


@pytest.mark.parametrize(("row", "data", "status", "rule"), DOCUMENTS)
def test_document__refused_with_its_code_and_quickly(row, data, status, rule):
    def ask():
        with pytest.raises(RuleViolation) as caught:
            parse_document(data)
        assert (caught.value.status, caught.value.refusals[0].rule) == (status, rule)
        for lang in ("en", "zh"):
            json.dumps(caught.value.render(lang), allow_nan=False).encode()

    assert processor_s(ask, tries=1) < 2


@pytest.mark.parametrize(
    ("value", "kind"),
    [("null", "null"), ("true", "boolean"), ("7", "number"), ("7.5", "number"), ('"x"', "string"), ("[]", "array")],
)
def test_document__that_is_no_object__told_in_the_words_of_json(value, kind):
    with pytest.raises(RuleViolation) as caught:
        parse_document(value.encode())
    assert caught.value.refusals[0].measured == kind


def test_row_12__a_document_above_the_limit__413_without_reading_it():
    document = b"[" * (LIMITS["json.bytes"].value + 1)

    def ask():
        with pytest.raises(RuleViolation) as caught:
            parse_document(document)
        assert (caught.value.status, caught.value.refusals[0].rule) == (413, "json.bytes")

    assert processor_s(ask) < 0.1


def test_document__what_is_lawful__read_as_it_is():
    text = '\ufeff{"name":"清河 \\ud83d\\ude81","n":[1,-2.5e3,true,null],"s":"[[[{{{ \\\\u0000"}'
    read = parse_document(text.encode())
    assert read == {"name": "清河 🚁", "n": [1, -2500.0, True, None], "s": "[[[{{{ \\u0000"}


@pytest.mark.parametrize("crs", [None, {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}])
def test_geometry__wgs_84_said_aloud__taken(crs):
    made = parse_geometry(polygon(SQUARE) | {"crs": crs}, allow={"Polygon"})
    assert made.geom_type == "Polygon"


def test_geometry__heights__checked_and_dropped():
    made = parse_geometry(line([113.0, 23.0, 10.0], [113.1, 23.0, 12.0]), allow=ALL)
    assert not made.has_z
    with pytest.raises(RuleViolation, match="finite"):
        parse_geometry(line([113.0, 23.0, float("nan")], [113.1, 23.0, 12.0]), allow=ALL)


def test_geometry__a_type_that_is_not_asked_for__refused():
    with pytest.raises(RuleViolation, match="LineString"):
        parse_geometry(line([113.0, 23.0], [113.1, 23.0]), allow={"Polygon"})


def test_geometry__ten_thousand_vertices__taken():
    made = parse_geometry(line(*[[113.0 + i * 1e-5, 23.0] for i in range(10_000)]), allow=ALL)
    assert len(made.coords) == 10_000
