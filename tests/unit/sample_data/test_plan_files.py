"""The plan files hold the routes of the fixtures, to the last digit, as ground stations write them."""

import json
import re

import pytest

from flights.formats import read_plan

POINTS = {
    "R1": [(113.2550, 23.1250), (113.2850, 23.1250)],
    "R2": [(113.2550, 23.1300), (113.2850, 23.1300)],
    "R3": [(113.2550, 23.1290), (113.2850, 23.1290)],
    "R4": [(113.2550, 23.1250), (113.2950, 23.1250)],
}
CODES = sorted(POINTS)
TRUE_HEIGHT_M = 100.0
NAV_WAYPOINT = 16


@pytest.mark.parametrize("code", CODES)
def test_plan__flies_the_points_of_the_fixture_at_a_hundred_metres(made, code):
    document = json.loads((made / "plans" / f"{code}.plan").read_text(encoding="utf-8"))
    assert (document["fileType"], document["mission"]["version"]) == ("Plan", 2)
    flown = [item["params"][4:] for item in document["mission"]["items"] if item["command"] == NAV_WAYPOINT]
    assert flown == [[lat, lon, TRUE_HEIGHT_M] for lon, lat in POINTS[code]]


@pytest.mark.parametrize("code", CODES)
def test_waypoints__are_wpl_110_with_eight_decimals_and_the_same_points(made, code):
    text = (made / "plans" / f"{code}.waypoints").read_bytes().decode("ascii")
    header, *lines = text.removesuffix("\r\n").split("\r\n")
    assert header == "QGC WPL 110"
    rows = [line.split("\t") for line in lines]
    assert [row[0] for row in rows] == [str(number) for number in range(len(rows))]
    assert {len(row) for row in rows} == {12}
    assert all(re.fullmatch(r"\d+\.\d{8}", place) for row in rows for place in row[8:10])
    flown = [(row[9], row[8], float(row[10])) for row in rows[1:] if row[3] == str(NAV_WAYPOINT)]
    assert flown == [(f"{lon:.8f}", f"{lat:.8f}", TRUE_HEIGHT_M) for lon, lat in POINTS[code]]


@pytest.mark.parametrize("code", CODES)
def test_geojson__is_the_line_of_the_fixture(made, code):
    document = json.loads((made / "plans" / f"{code}.geojson").read_text(encoding="utf-8"))
    assert document["geometry"] == {"type": "LineString", "coordinates": [list(point) for point in POINTS[code]]}
    assert document["properties"]["alt_agl_m"] == TRUE_HEIGHT_M


@pytest.mark.parametrize("code", CODES)
def test_the_three_files_of_a_route__read_as_the_same_places(made, code):
    lines = [
        [tuple(item.at) for item in read_plan(path.read_bytes(), path.name).items if item.command == NAV_WAYPOINT]
        for path in sorted((made / "plans").glob(f"{code}.*"))
    ]
    assert lines == [POINTS[code]] * 3


def test_plan_files__are_there_for_the_four_routes_and_no_other(made):
    names = sorted(path.name for path in (made / "plans").iterdir())
    assert names == sorted(f"{code}.{kind}" for code in CODES for kind in ("geojson", "plan", "waypoints"))
