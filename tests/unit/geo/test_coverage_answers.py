"""What a planner is told of their own cameras and boundary."""

from __future__ import annotations

import math

import pytest
import shapely

from geo import measure
from geo.coverage.answers import coverage_of
from geo.coverage.footprints import Device
from geo.coverage.reading import read_area, read_devices
from geo.coverage.saying import area_in_words, sentences
from geo.intake.report import Options
from geo.types import LonLat
from schemas.refusals import RuleViolation

GROUND = shapely.box(113.20, 23.10, 113.24, 23.13)
MIDDLE = LonLat(113.22, 23.115)


def test_coverage__one_disc__its_area_is_seen_and_the_rest_is_one_gap():
    answer = coverage_of([Device(MIDDLE, 300.0)], GROUND)
    assert answer.ground_m2 == pytest.approx(measure.area_m2(GROUND), rel=1e-6)
    assert answer.seen_m2[0] == pytest.approx(math.pi * 300**2, rel=1e-4)
    assert answer.gap_m2 == pytest.approx(answer.ground_m2 - answer.seen_m2[0])
    assert len(answer.gaps) == 1
    assert answer.gaps_m2[0] == pytest.approx(answer.gap_m2)
    assert not answer.gaps[0].contains(shapely.Point(MIDDLE))


def test_coverage__overlap__counted_once_and_told_as_seen_twice():
    twins = [Device(MIDDLE, 300.0), Device(LonLat(MIDDLE.lon + 0.002, MIDDLE.lat), 300.0)]
    answer = coverage_of(twins, GROUND)
    assert sum(answer.seen_m2) == pytest.approx(2 * math.pi * 300**2, rel=1e-4)
    assert 0 < answer.seen_m2[1] < answer.seen_m2[0]
    assert measure.area_m2(answer.twice) == pytest.approx(answer.seen_m2[1], rel=1e-5)


def test_GD_15__privacy_zone__is_no_demand_and_never_seen():
    zone = shapely.Point(MIDDLE).buffer(0.001)
    answer = coverage_of([Device(MIDDLE, 300.0)], GROUND, zone)
    assert answer.private_m2 == pytest.approx(measure.area_m2(zone), rel=1e-5)
    assert not answer.seen.intersects(zone.buffer(-1e-7))
    assert answer.ground_m2 + answer.private_m2 == pytest.approx(measure.area_m2(GROUND), rel=1e-6)


def test_coverage__no_devices__all_of_it_is_gap():
    answer = coverage_of([], GROUND)
    assert answer.share == 0
    assert answer.gap_m2 == answer.ground_m2


def test_coverage__ground_that_zones_cover__refused():
    with pytest.raises(RuleViolation) as refused:
        coverage_of([Device(MIDDLE, 300.0)], GROUND, GROUND.buffer(0.01))
    assert refused.value.refusals[0].rule == "coverage.no_ground"


def test_read__csv_of_cameras__rows_with_what_is_wrong_and_ranges_that_are_not_said(tmp_path):
    path = tmp_path / "cameras.csv"
    path.write_text(
        "名称,经度,纬度,方位角,水平视场角,作用距离\n"
        "A,113.22,23.115,90,60,200\n"
        "B,113.21,23.115,,,\n"
        "C,113.21,23.115,400,60,100\n"
        "D,113.21,23.115,,60,100\n",
        encoding="utf-8",
    )
    read = read_devices(path, Options(layer="devices", crs="EPSG:4326"), range_m=150.0)
    assert list(read.drafts.values()) == [
        Device(LonLat(113.22, 23.115), 200.0, 90.0, 60.0),
        Device(LonLat(113.21, 23.115), 150.0),
    ]
    assert [row.number for row in read.rows if row.refusals] == [3, 4]
    without = read_devices(path, Options(layer="devices", crs="EPSG:4326"))
    assert [row.number for row in without.rows if row.refusals] == [2, 3, 4]


ODD = (
    "A,113.22,23.115,90,60,200",
    "B,213.22,23.115,90,60,200",
    "C,113.22,95,,,150",
    "D,23.115,113.22,90,60,200",
    "E,0,0,,,150",
    "F,nan,23.1,,,150",
    "G,113.22,23.115,400,60,",
    "=H(),113.22,23.115,,,150",
    "I,1e308,1e308,,,150",
    "J,-180,90,,,150",
    "K,,,,,150",
    "L,113.22,23.115,90",
)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:4490"])
def test_read__many_rows_at_once__each_is_told_as_it_is_alone(tmp_path, crs):
    def read(*rows):
        path = tmp_path / "cameras.csv"
        path.write_text("\n".join(("名称,经度,纬度,方位角,水平视场角,作用距离", *rows)), encoding="utf-8")
        return read_devices(path, Options(layer="devices", crs=crs))

    def rules(row):
        return [(refusal.rule, refusal.text, str(refusal.measured)) for refusal in row.refusals]

    together, alone = read(*ODD), [read(row) for row in ODD]
    assert [rules(row) for row in together.rows] == [rules(one.rows[0]) for one in alone]
    assert list(together.drafts.values()) == [device for one in alone for device in one.drafts.values()]
    assert sum(bool(row.refusals) for row in together.rows) >= 8


def test_read__boundary__one_area_and_a_bow_tie_is_refused(tmp_path):
    path = tmp_path / "ground.geojson"
    written = '{"type":"FeatureCollection","features":[{"type":"Feature","properties":{},"geometry":%s}]}'
    path.write_text(written % shapely.to_geojson(GROUND), encoding="utf-8")
    assert read_area(path, Options(layer="ground")).equals(GROUND)
    bow_tie = '{"type":"Polygon","coordinates":[[[113.2,23.1],[113.3,23.2],[113.3,23.1],[113.2,23.2],[113.2,23.1]]]}'
    path.write_text(written % bow_tie, encoding="utf-8")
    with pytest.raises(RuleViolation, match=r"geometry\.invalid: "):
        read_area(path, Options(layer="ground"))


def told_of(**changes):
    """An answer of coverage as sentences need it."""
    told = {
        "ground_m2": 2e6,
        "gap_m2": 1e6,
        "private_m2": 0.0,
        "seen_m2": [1e6, 0.0, 0.0],
        "share": 0.5,
        "devices": 1,
        "before": None,
        "gaps": [{"ordinal": 1, "area_m2": 1e6, "at": [113.2, 23.1]}],
        "gap_count": 1,
        "burden": [],
        "entities": [{}],
        "by_kind": [],
        "assumed": 1,
        "no_buildings": True,
        "surface": False,
        "left_out": [{"reason": reason} for reason in ("hidden", "no_height", "no_water", "unusable")],
    }
    return told | changes


def test_sentences__of_a_single_one__speak_of_one_in_both_languages():
    told = told_of()
    said = sentences(told)
    assert said["en"][0].startswith("1 device or route sees 1.000 km² of 2.000 km²")
    assert said["en"][1].startswith("It is one gap")
    assert not [one for one in said["en"] if one.startswith("1 ") and (" see " in one or " stand " in one)]
    assert len(said["zh"]) == len(said["en"]) == 9
    assert "仅有一处空白" in said["zh"][1]
    many = sentences(told | {"devices": 2, "assumed": 3})
    assert many["en"][0].startswith("2 devices and routes see")


@pytest.mark.parametrize(
    ("area_m2", "en", "zh"),
    [
        (0.0, "0.000 km²", "0.000 平方公里"),
        (0.4, "0 m²", "0 平方米"),
        (9_999.0, "9,999 m²", "9,999 平方米"),
        (10_000.0, "0.010 km²", "0.010 平方公里"),
        (5e6, "5.000 km²", "5.000 平方公里"),
    ],
)
def test_sentences__small_ground__told_in_square_metres(area_m2, en, zh):
    said = sentences(told_of(private_m2=area_m2 or 1.0, seen_m2=[1e6, area_m2, 0.0]))
    assert any(f"{en} is seen by two or more" in one for one in said["en"]) is (area_m2 > 0)
    assert (area_in_words(area_m2, "en"), area_in_words(area_m2, "zh")) == (en, zh)


def test_sentences__change_of_some_square_metres__has_its_sign():
    said = sentences(told_of(before={"gap_m2": 1e6 + 250}))
    assert any("a change of -250 m²" in one for one in said["en"])


def test_sentences__devices_that_stand_and_look_alike__told_to_count_each():
    assert any(one.startswith("1 of them stands where another one does") for one in sentences(told_of(twins=1))["en"])
    said = sentences(told_of(twins=3))
    assert any(one.startswith("3 of them stand where another one does") for one in said["en"])
    assert any("3 台与另一台位置、视野完全相同" in one for one in said["zh"])
