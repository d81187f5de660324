"""What planners hand in by mistake: each is answered by a rule with its fix, and breaks nothing."""

from __future__ import annotations

import json
import math

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from click.testing import CliRunner

from flights.ground import TERRAIN_FILE
from geo.coverage.asked import Asked
from schemas.refusals import LANGUAGES, RuleViolation
from web.cli.common import State
from web.cli.coverage import coverage

SQUARE = [[113.255, 23.120], [113.280, 23.120], [113.280, 23.140], [113.255, 23.140], [113.255, 23.120]]
HEAD = "name,lon,lat,azimuth,hfov,range\n"


@pytest.fixture(scope="module")
def database(server, world_template):
    """One database for all tests here: nothing that they hand in is kept."""
    name = server.clone(world_template)
    yield server.database(name)
    server.drop(name)


@pytest.fixture
def find(services, tmp_path):
    """Runs `coverage find` with a list of cameras and a boundary; gives the result."""

    def call(cameras, *more, ground=SQUARE, name="cameras.csv"):
        feature = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ground]}}
        (tmp_path / "ground.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
        if isinstance(cameras, str):
            (tmp_path / name).write_text(cameras, encoding="utf-8")
        state = State("en")
        state._services = services
        words = ["find", str(tmp_path / name), "--ground", str(tmp_path / "ground.geojson"), "--crs", "EPSG:4326"]
        return CliRunner().invoke(coverage, [*words, *more], obj=state)

    return call


@pytest.mark.parametrize(
    ("cells", "field"),
    [
        ("A,113.265,23.128,90,60,0", "range"),
        ("A,113.265,23.128,90,60,-5", "range"),
        ("A,113.265,23.128,90,400,100", "hfov"),
        ("A,113.265,23.128,90,0,100", "hfov"),
        ("A,113.265,23.128,NaN,60,100", "azimuth"),
        ("A,113.265,23.128,inf,60,100", "azimuth"),
        ("A,113.265,23.128,,60,100", "azimuth"),
        ("A,113.265,23.128,90,,100", "hfov"),
        ("A,NaN,23.128,90,60,100", "lon"),
        ("A,113.265,99,90,60,100", "lat"),
    ],
)
def test_row__view_that_cannot_be__told_with_its_row_and_nothing_computed(find, cells, field):
    answer = find(HEAD + cells + "\n")
    assert answer.exit_code == 1, answer.output
    assert "row 1" in answer.output
    assert "1 of 1 rows cannot be read; nothing was computed" in answer.output
    assert field[:3] in answer.output


@pytest.mark.parametrize("more", [(), ("--partly",)])
def test_file__no_row_that_can_be_read__refused_with_each_row_and_its_fix(find, more):
    answer = find(HEAD + "A,113.265,23.128,90,60,0\nB,113.266,23.128,90,400,100\n", *more)
    assert answer.exit_code == 1, answer.output
    assert "row 1" in answer.output
    assert "row 2" in answer.output
    assert "2 of 2 rows cannot be read; nothing was computed" in answer.output
    assert "devices see" not in answer.output


def test_file__numbers_with_their_units__told_to_be_written_plain_and_not_as_another_number(find):
    answer = find(HEAD + "A,113.265,23.128,90°,60,200m\n")
    assert answer.output.count("is no number") == 2
    assert "Write it as 1.5" not in answer.output


@pytest.mark.parametrize(("out", "said"), [("found.csv", "ends in .gpkg"), ("no/found.gpkg", "No such file")])
def test_out__of_another_kind_or_no_folder__refused_before_anything_is_computed(find, tmp_path, out, said):
    answer = find(HEAD + "A,113.265,23.128,90,60,100\n", "--out", str(tmp_path / out))
    refused = answer.exception
    told = refused.refusals[0].fix() if isinstance(refused, RuleViolation) else str(refused)
    assert said in told
    assert not (tmp_path / out).exists()


def test_out__file_that_was_there__replaced_whole(find, tmp_path):
    (tmp_path / "found.gpkg").write_text("of yesterday")
    assert find(HEAD + "A,113.265,23.128,90,60,100\n", "--out", str(tmp_path / "found.gpkg")).exit_code == 0
    assert len(geopandas.read_file(tmp_path / "found.gpkg", layer="gaps")) == 1
    assert not [name for name in tmp_path.iterdir() if "part" in name.name]


def test_file__refused_rows__told_to_programs_too(find):
    rows = HEAD + "A,113.265,23.128,90,60,0\nB,113.266,23.128,90,60,100\n"
    refused = find(rows, "--json")
    assert refused.exit_code == 1
    told = json.loads(refused.stdout)
    assert (told["ok"], told["refused"], told["refused_rows"][0]["row"]) == (False, 1, 1)
    partly = json.loads(find(rows, "--json", "--partly").stdout)
    assert (partly["devices"], partly["refused"], partly["refused_rows"][0]["row"]) == (1, 1, 1)


def test_ground__declares_a_system_of_its_own__that_of_the_list_is_not_taken_for_it(find, tmp_path):
    rows = HEAD + "A,113.265,23.128,90,60,100\n"
    plain = json.loads(find(rows, "--json").stdout)
    frame = geopandas.GeoDataFrame(geometry=[shapely.Polygon(SQUARE)], crs=4326)
    frame.to_crs(4547).to_file(tmp_path / "ground.gpkg", driver="GPKG", engine="pyogrio")
    moved = find(rows, "--json", "--ground", str(tmp_path / "ground.gpkg"))
    assert moved.exit_code == 0, moved.exception
    assert json.loads(moved.stdout)["ground_m2"] == pytest.approx(plain["ground_m2"], rel=1e-5)
    named = find(rows, "--json", "--ground", str(tmp_path / "ground.gpkg"), "--ground-crs", "EPSG:4326")
    assert named.exception.refusals


def test_file__numbers_that_are_none_in_a_geopackage__told_or_read_as_blank(find, tmp_path):
    rows = {"azimuth": [math.nan], "hfov": [60.0], "range": [100.0]}
    frame = geopandas.GeoDataFrame(rows, geometry=[shapely.Point(113.265, 23.128)], crs=4326)
    frame.to_file(tmp_path / "cameras.gpkg", driver="GPKG", engine="pyogrio")
    answer = find(None, name="cameras.gpkg")
    assert answer.exit_code == 1
    assert "sector_azimuth_deg" in answer.output


def test_file__empty_list_of_cameras__refused_with_words(find):
    answer = find(HEAD)
    assert answer.exit_code != 0
    assert answer.exception is not None
    assert isinstance(answer.exception, (RuleViolation, SystemExit))


def test_ground__bow_tie__refused(find):
    crossed = [[113.2, 23.1], [113.3, 23.2], [113.3, 23.1], [113.2, 23.2], [113.2, 23.1]]
    answer = find(HEAD + "A,113.265,23.128,90,60,100\n", ground=crossed)
    assert isinstance(answer.exception, RuleViolation)


def test_ground__all_of_it_private__refused_as_no_demand(find):
    inside = [[113.2698, 23.1298], [113.2702, 23.1298], [113.2702, 23.1302], [113.2698, 23.1302], [113.2698, 23.1298]]
    answer = find(HEAD + "A,113.265,23.128,90,60,100\n", ground=inside)
    assert answer.exception.refusals[0].rule == "coverage.no_ground"


def test_terrain__camera_in_a_hole_below_a_bad_row__told_with_the_number_of_its_row(find, services):
    model(services)
    rows = HEAD + "A,113.265,23.128,90,60,0\nB,113.265,23.128,90,60,100\n"
    answer = find(rows, "--over-terrain", "--partly")
    assert [(one.rule, one.params["number"]) for one in answer.exception.refusals] == [("coverage.no_height", 2)]


def model(services):
    """An elevation model with a hole in its middle."""
    heights = np.full((40, 40), 12.0, np.float32)
    heights[10:30, 10:30] = -9999
    place = Affine(0.002, 0, 113.225, 0, -0.002, 23.168)
    profile = {"driver": "GTiff", "width": 40, "height": 40, "count": 1, "dtype": "float32", "nodata": -9999}
    with rasterio.open(services.data_dir / TERRAIN_FILE, "w", crs="EPSG:4326", transform=place, **profile) as target:
        target.write(heights, 1)


@pytest.mark.parametrize(("lon", "rule"), [(113.19, "coverage.off_relief"), (113.265, "coverage.no_height")])
def test_terrain__camera_outside_of_the_model_or_in_its_hole__told_with_its_number(find, services, lon, rule):
    model(services)
    answer = find(HEAD + f"A,{lon},23.128,90,60,100\n", "--over-terrain")
    assert [(one.rule, one.params["number"]) for one in answer.exception.refusals] == [(rule, 1)]


@pytest.mark.parametrize(
    "told",
    [
        {"revenue": 1},
        {"demand": ["fines"]},
        {"罚款": 1},
        {"hour": 24},
        {"hour": True},
        {"hour": "3"},
        {"levels": 0},
        {"levels": 9},
        {"buildings_m": math.inf},
        {"buildings_m": math.nan},
        {"statuses": []},
        {"statuses": "active"},
        {"statuses": [1]},
        {"device_types": ["telescope"]},
        {"density": "everything"},
        {"days": 10**9},
        {"image_width_px": 0},
        {"unheard_of": None},
        {"demand": []},
    ],
)
def test_question__that_cannot_be_asked__refused_with_a_fix_in_both_languages(told):
    with pytest.raises(RuleViolation) as caught:
        Asked.of_json(told)
    for lang in LANGUAGES:
        for refusal in caught.value.render(lang):
            assert refusal["message"]
            assert refusal["fix"]


def test_GD_13_1__question_that_speaks_of_money__refused_under_that_rule():
    for told in ({"revenue": 1}, {"fine_income": 2}, {"demand": ["penalties"]}, {"创收": 1}, {"cost": 1}):
        with pytest.raises(RuleViolation) as caught:
            Asked.of_json(told)
        assert "GD-13.1" in {refusal.rule for refusal in caught.value.refusals}


def test_question__as_it_was_written__read_again():
    asked = Asked(statuses=("active", "planned"), hour=5, demand=("risk", "area"), density="detect", buildings_m=9.0)
    assert Asked.of_json(asked.as_json()) == asked
    assert Asked.of_json(json.loads(json.dumps(asked.as_json()))) == asked
