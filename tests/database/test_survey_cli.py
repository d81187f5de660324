"""`skywarden plan survey` as people type it, on a real database."""

import json

import pytest
from click.testing import CliRunner
from shapely.geometry import LineString, box, mapping

from flights.formats import read_plan
from flights.path.profile import profile
from flights.survey.camera import camera_named
from geo.zones import distance_m
from tests.missions import FlatGround
from tests.world import PA1, Z1
from web.cli.common import State
from web.cli.plan import plan

AREA = box(113.262, 23.125, 113.274, 23.133)
CAMERA = ("--camera", "dji-phantom-4-pro", "--alt-agl-m", 60, "--speed-m-s", 6)


@pytest.fixture
def run(services, tmp_path):
    def call(*arguments, lang="en", out="survey.plan"):
        state = State(lang)
        state._services = services
        words = ["survey", *map(str, arguments), "--out", str(tmp_path / out)]
        return CliRunner().invoke(plan, words, obj=state, catch_exceptions=True)

    return call


@pytest.fixture
def file(tmp_path):
    def write(shape):
        path = tmp_path / "area.geojson"
        path.write_text(json.dumps(mapping(shape)))
        return path

    return write


def seen(path):
    plan_read = read_plan(path.read_bytes(), path.name)
    return profile(plan_read, FlatGround()).footprint(camera_named("dji-phantom-4-pro").view())


@pytest.mark.usefixtures("ground")
def test_GD_16_5__survey_of_a_file__clear_of_the_zone_in_the_database(run, file, tmp_path):
    answer = run("--area", file(AREA), *CAMERA, "--home", "113.2645,23.1262")
    assert answer.exit_code == 0, answer.output
    assert "km in all" in answer.output
    footprint = seen(tmp_path / "survey.plan")
    assert distance_m(footprint, Z1) > 0
    assert PA1.covers(footprint)


@pytest.mark.usefixtures("ground")
@pytest.mark.parametrize("name", ["PA1", "PA-PA1"])
def test_survey__of_a_patrol_area__stays_inside(run, tmp_path, name):
    answer = run("--area", name, "--hfov-deg", 70, "--image", "1400x1050", "--gsd-cm", 10, "--json", out="s.waypoints")
    assert answer.exit_code == 0, answer.output
    told = json.loads(answer.output)
    assert told["gsd_cm"] == pytest.approx(10.0)
    assert told["covered"] > 0.9
    assert (tmp_path / "s.waypoints").read_bytes().startswith(b"QGC WPL 110")


@pytest.mark.usefixtures("ground")
def test_survey__corridor_in_chinese__passes(run, file):
    river = LineString([(113.255, 23.123), (113.27, 23.1245), (113.28, 23.1235)])
    answer = run("--area", file(river), "--corridor", "--width-m", 90, *CAMERA, lang="zh")
    assert answer.exit_code == 0, answer.output
    assert "条航带" in answer.output


def test_GD_16_2__no_elevation_model__refused_and_nothing_written(run, file, tmp_path):
    answer = run("--area", file(AREA), *CAMERA)
    assert "GD-16.2" in str(answer.exception)
    assert not (tmp_path / "survey.plan").exists()


@pytest.mark.usefixtures("ground")
def test_GD_02_1__outside_every_jurisdiction__refused(run, file):
    assert "GD-02.1" in str(run("--area", file(box(3.0, 50.0, 3.01, 50.01)), *CAMERA).exception)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--area", "PA1", "--alt-agl-m", 60), "--camera"),
        (("--area", "PA1", "--camera", "dji-phantom-4-pro", "--hfov-deg", 70, "--image", "10x10"), "--camera"),
        (("--area", "PA1", "--camera", "dji-phantom-4-pro"), "--gsd-cm"),
        (("--area", "PA1", "--camera", "dji-phantom-4-pro", "--gsd-cm", 2, "--alt-agl-m", 60), "--gsd-cm"),
        (("--area", "PA1", "--hfov-deg", 70, "--image", "wide", "--alt-agl-m", 60), "image size"),
        (("--area", "none.geojson", *CAMERA), "no such file"),
        (("--area", "PA1", "--camera", "dji-phantom-4-pro", "--alt-agl-m", "nan"), "not a number"),
    ],
)
def test_survey__wrong_usage__said(run, arguments, said):
    answer = run(*arguments)
    assert answer.exit_code == 2
    assert said in answer.output


@pytest.mark.parametrize(
    ("arguments", "rule"),
    [
        (("--area", "PA9", *CAMERA), "store.unknown"),
        (("--area", "PA1", *CAMERA[2:], "--camera", "Brownie"), "survey.camera_unknown"),
        (("--area", "PA1", *CAMERA, "--home", "north"), "survey.corner"),
        (("--area", "PA1", *CAMERA, "--front", 100), "survey.range"),
    ],
)
def test_survey__refused__by_rule(run, arguments, rule):
    assert rule in str(run(*arguments).exception)


def test_survey__file_there_already__kept(run, tmp_path):
    (tmp_path / "survey.plan").write_text("mine")
    assert run("--area", "PA1", *CAMERA).exit_code == 2
    assert (tmp_path / "survey.plan").read_text() == "mine"
