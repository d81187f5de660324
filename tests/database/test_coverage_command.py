"""`skywarden coverage find`: from a list of cameras and a boundary to the gaps, without an administrator."""

import json

import geopandas
import pytest
from click.testing import CliRunner

from geo.measure import area_m2
from tests.world import Z1
from web.cli.common import State
from web.cli.coverage import coverage

CAMERAS = "名称,经度,纬度,方位角,水平视场角,作用距离\nA,113.265,23.128,90,60,200\nB,113.268,23.131,,,300\n"
GROUND = [[113.255, 23.120], [113.280, 23.120], [113.280, 23.140], [113.255, 23.140], [113.255, 23.120]]


@pytest.fixture
def run(services, tmp_path):
    feature = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [GROUND]}}
    (tmp_path / "ground.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))

    def call(*more, cameras=CAMERAS, lang="en"):
        (tmp_path / "cameras.csv").write_text(cameras, encoding="utf-8")
        state = State(lang)
        state._services = services
        words = ["find", str(tmp_path / "cameras.csv"), "--ground", str(tmp_path / "ground.geojson")]
        return CliRunner().invoke(coverage, [*words, "--crs", "EPSG:4326", *map(str, more)], obj=state)

    return call


def test_find__two_cameras__areas_gaps_and_the_privacy_zone_left_out(run, tmp_path):
    out = tmp_path / "found.gpkg"
    answer = run("--out", out, "--json")
    assert answer.exit_code == 0, answer.output
    told = json.loads(answer.output)
    assert told["private_m2"] == pytest.approx(area_m2(Z1), rel=1e-5)
    assert told["seen_m2"][0] + told["gap_m2"] == pytest.approx(told["ground_m2"])
    gaps, seen = (geopandas.read_file(out, layer=name) for name in ("gaps", "seen"))
    assert gaps.area_m2.sum() == pytest.approx(told["gap_m2"])
    assert seen.area_m2.tolist() == told["seen_m2"][:2]
    assert not gaps.union_all().intersects(Z1.buffer(-1e-7))


def test_find__in_words__the_answer_first_in_both_languages(run):
    assert run().output.splitlines()[0].startswith("2 devices see 0.")
    assert "2 台设备覆盖" in run(lang="zh").output


def test_find__row_without_a_range__refused_with_its_row_unless_partly_or_given(run):
    lacking = CAMERAS + "C,113.270,23.130,,,\n"
    refused = run(cameras=lacking)
    assert refused.exit_code == 1
    assert "1 of 3 rows cannot be read" in refused.output
    assert run("--partly", cameras=lacking).output.count("2 devices see") == 1
    assert run("--range-m", 50, cameras=lacking).output.count("3 devices see") == 1


def test_find__over_terrain_without_a_model__refused_with_the_way_to_one(run):
    answer = run("--over-terrain")
    assert answer.exception.refusals[0].rule == "coverage.no_terrain"


@pytest.mark.usefixtures("ground")
def test_find__over_terrain__no_more_is_seen_than_without(run):
    over = run("--json", "--over-terrain")
    assert over.exit_code == 0, over.output
    plain, over = json.loads(run("--json").output), json.loads(over.output)
    assert 0 < over["seen_m2"][0] <= plain["seen_m2"][0] * (1 + 1e-9)


@pytest.mark.usefixtures("ground")
def test_find__surface_model__hides_more_than_hills_do(run, wall):
    camera = "name,longitude,latitude,sector_azimuth_deg,hfov_deg,range_m\nA,113.261,23.127,90,40,250\n"
    bare = json.loads(run("--json", "--over-terrain", cameras=camera).output)
    wall()
    walled = json.loads(run("--json", "--over-terrain", cameras=camera).output)
    assert 0 < walled["seen_m2"][0] < 0.6 * bare["seen_m2"][0]


def test_find__rows_that_repeat__told_to_count_each(run):
    again = CAMERAS + "C,113.265,23.128,90,60,200\nD,113.265,23.128,90,60,150\n"
    assert "Rows that repeat another one, at the same place with the same view: 1;" in run(cameras=again).output
    assert "与另一行位置和视野完全相同的行：1" in run(cameras=again, lang="zh").output
    assert json.loads(run("--json", cameras=again).output)["repeated"] == 1
    assert "repeat" not in run().output
