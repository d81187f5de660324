"""Hostile plan files: every one is answered with refusals in bounded time, never with another exception."""

import json
import random
from dataclasses import replace

import pytest

from flights.check.precheck import check_plan
from flights.check.situation import Options
from flights.formats import read_plan
from flights.model import RallyPoint
from geo.types import LonLat
from schemas.limits import limit
from schemas.refusals import RuleViolation
from tests.situations import drawn, local, situation
from tests.timing import processor_s

ITEM = {"type": "SimpleItem", "command": 16, "frame": 3, "params": [0, 0, 0, 0, 23.1, 113.2, 50]}


def qgc(items="[]", home="[23.1,113.2,5]", fence="null"):
    return (
        f'{{"fileType":"Plan","version":1,"geoFence":{fence},'
        f'"mission":{{"version":2,"items":{items},"plannedHomePosition":{home}}}}}'
    ).encode()


def many(count):
    return qgc("[" + ",".join([json.dumps(ITEM)] * count) + "]")


HOSTILE = {
    "too large": (b"{" + b" " * limit("plan.bytes"), 413),
    "deep arrays": (qgc("[" * 100_000 + "]" * 100_000), 422),
    "deep objects": (b'{"fileType":"Plan","a":' + b'{"a":' * 5_000 + b"1" + b"}" * 5_001, 422),
    "too many items": (many(limit("plan.items") + 1), 422),
    "NaN": (qgc('[{"type":"SimpleItem","command":16,"frame":3,"params":[0,0,0,0,NaN,113,50]}]'), 422),
    "1e999": (qgc('[{"type":"SimpleItem","command":16,"frame":3,"params":[0,0,0,0,1e999,113,50]}]'), 422),
    "huge integer": (qgc('[{"type":"SimpleItem","command":' + "9" * 5_000 + ',"frame":3,"params":[]}]'), 422),
    "duplicate keys": (b'{"fileType":"Plan","version":1,"version":1}', 422),
    "truncated": (many(3)[:-40], 400),
    "not UTF-8": (b'{"fileType":"\xff\xfe"}', 400),
    "UTF-16": (many(3).decode().encode("utf-16"), 400),
    "1e400 as a waypoint": (b"QGC WPL 110\n0 1 0 16 0 0 0 0 1e400 113 5 1\n", 422),
    "not UTF-8 waypoints": (b"QGC WPL 110\n\xff\xfe", 400),
    "lone surrogate": (b'{"fileType":"Plan","version":1,"mission":"\\ud800"}', 422),
    "strings for numbers": (qgc('[{"type":"SimpleItem","command":"16","frame":"3","params":["0"]}]'), 422),
    "booleans for numbers": (
        qgc('[{"type":"SimpleItem","command":true,"frame":3,"params":[0,0,0,0,23,113,5]}]'),
        422,
    ),
    "items as object": (qgc("{}"), 422),
    "item as null": (qgc("[null]"), 422),
    "home as text": (qgc(json.dumps([ITEM]), '"here"'), 422),
    "fence as text": (qgc(json.dumps([ITEM]), fence='"none"'), 422),
    "fence of nulls": (
        qgc(json.dumps([ITEM]), fence='{"version":2,"circles":[null],"polygons":[{"version":1}]}'),
        422,
    ),
    "rally points without end": (
        f'{{"fileType":"Plan","version":1,"mission":{{"version":2,"items":[{json.dumps(ITEM)}]}},'
        f'"rallyPoints":{{"version":2,"points":{json.dumps([[23.1, 113.2, 30]] * 2_000)}}}}}'.encode(),
        422,
    ),
    "type as array": (b'{"type":["LineString"]}', 415),
    "line of 10001": (
        json.dumps({"type": "LineString", "coordinates": [[i / 1e4, 1] for i in range(10_001)]}).encode(),
        422,
    ),
    "WKT": (b'{"type":"Feature","properties":{},"geometry":"LINESTRING(0 0,1 1)"}', 422),
    "foreign CRS": (
        b'{"type":"LineString","coordinates":[[1,1],[2,2]],"crs":{"type":"name","properties":{"name":"EPSG:4490"}}}',
        422,
    ),
    "antimeridian": (b'{"type":"LineString","coordinates":[[179,1],[-179,1]]}', 422),
    "endless line": (b"QGC WPL 110\n" + b"9 " * 1_000_000, 422),
    "endless waypoints": (b"QGC WPL 110\n" + b"0 1 0 16 0 0 0 0 23 113 5 1\n" * 100_000, 422),
    "non-ASCII digits": ("QGC WPL 110\n٠ ١ 0 16 0 0 0 0 23 113 5 1".encode(), 422),
    "jump to infinity": (
        b"QGC WPL 110\n0 1 0 16 0 0 0 0 23 113 5 1\n1 0 3 16 0 0 0 0 23 113 5 1\n2 0 3 177 1e8 0 0 0 0 0 0 1",
        422,
    ),
    "billion laughs": (b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY lol "lol">]><kml>&lol;</kml>', 422),
    "zip": (b"PK\x03\x04" + b"\x00" * 1_000, 422),
    "empty": (b"", 415),
    "BOM only": (b"\xef\xbb\xbf", 415),
    "NUL bytes": (b"\x00" * 10_000, 415),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_plan__refused_quickly(case):
    data, status = HOSTILE[case]

    def ask():
        with pytest.raises(RuleViolation) as caught:
            read_plan(data, "hostile")
        assert caught.value.status == status
        assert len(caught.value.render("en")) == len(caught.value.render("zh")) <= 50

    assert processor_s(ask, tries=1) < 2


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e400"])
@pytest.mark.parametrize(
    "document",
    [
        '{{"fileType":"Plan","mission":{{"items":[{{"params":[0,0,0,0,{},113,50]}}]}}}}',
        '{{"fileType":"Plan","mission":{{"plannedHomePosition":[{},113,5]}}}}',
        '{{"fileType":"Plan","geoFence":{{"polygons":[{{"polygon":[[{},113]]}}]}}}}',
        '{{"fileType":"Plan","geoFence":{{"circles":[{{"circle":{{"center":[{},113]}}}}]}}}}',
        '{{"fileType":"Plan","rallyPoints":{{"points":[[{},113,5]]}}}}',
        '{{"type":"LineString","coordinates":[[{},23],[113,23]]}}',
        "QGC WPL 110\n0 1 0 16 0 0 0 0 {} 113 5 1\n",
    ],
)
def test_place_that_is_no_number__refused_as_one_with_its_path(document, number):
    with pytest.raises(RuleViolation) as caught:
        read_plan(document.format(number).encode())
    refusal = caught.value.refusals[0]
    assert refusal.rule == "geometry.not_finite"
    assert refusal.params["path"]


def test_largest_plan__read():
    assert len(read_plan(many(limit("plan.items"))).items) == limit("plan.items")


def test_plan_with_as_many_rally_points_as_are_read__judged_in_seconds():
    dice = random.Random(1)
    line = [(113.25 + 0.04 * (n % 2), 23.12 + 0.0005 * n) for n in range(40)]
    points = [LonLat(113.25 + 0.04 * dice.random(), 23.12 + 0.02 * dice.random()) for _ in range(limit("plan.rally"))]
    plan = replace(drawn(line), rally=tuple(RallyPoint(at, 50.0) for at in points))
    assert processor_s(lambda: check_plan(plan, situation(), at=local(), options=Options()), tries=1) < 10


def test_plan_that_crosses_itself_a_million_times__judged_in_seconds():
    dice = random.Random(1)
    line = [(113.2500 + dice.random() * 0.0012, 23.1200 + dice.random() * 0.0012) for _ in range(limit("plan.items"))]

    def ask():
        refusals = check_plan(drawn(line), situation(), at=local(), options=Options()).refusals
        assert {refusal.text for refusal in refusals} == {"flight.route_unmatched", "flight.footprint_outside"}

    assert processor_s(ask, tries=1) < 10
