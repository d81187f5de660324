"""The pilot desk reads what pilots have: KML, KMZ and DJI missions, and refuses what hides in them."""

import pytest

from tests.files_kml import kml, kmz, line, mission
from tests.web.conftest import HTML
from tests.web.test_pilot import reader, rules, said, send  # noqa: F401

R1 = line("113.255,23.125,100 113.285,23.125,100")


def test_form__offers_every_format_that_is_read(reader):  # noqa: F811
    page = reader.get("/pilot", headers=HTML).text
    assert all(suffix in page for suffix in (".plan", ".waypoints", ".geojson", ".kml", ".kmz"))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("r1.kml", kml(R1)),
        ("r1.kmz", kmz({"doc.kml": kml(R1)})),
        ("r1.dji.kmz", mission(mode="realTimeFollowSurface", height=100)),
    ],
)
def test_check__kml_and_kmz__judged_like_any_plan(reader, name, data):  # noqa: F811
    answer = send(reader, data, name)
    assert answer.status_code == 200
    assert "may be flown, 2025-07-03 10:00" in said(answer)
    assert rules(answer) == []


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (kml(R1, head='<!DOCTYPE kml [<!ENTITY e SYSTEM "file:///etc/passwd">]>'), "kml.dtd"),
        (kml(R1 + "<NetworkLink/>"), "kml.network_link"),
        (kmz({"doc.kml": kml(R1)}) + b"more", "archive.framing"),
    ],
)
def test_check__hostile_kml__refused_in_place(reader, data, rule):  # noqa: F811
    answer = send(reader, data, "hostile.kmz")
    assert rule in rules(answer)
