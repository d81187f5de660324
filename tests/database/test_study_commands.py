"""`skywarden coverage new`, `list`, `run`, `show`, `export`, `remove`: a study on the command line."""

from __future__ import annotations

import csv
import io
import json

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from click.testing import CliRunner

from flights.ground import TERRAIN_FILE
from geo import measure
from tests.world import Z1
from web.cli.common import State
from web.cli.coverage import coverage

CAMERAS = """名称,经度,纬度,方位角,水平视场角,作用距离,设备类型,杆高
A,113.265,23.128,90,60,200,摄像头,8
B,113.268,23.131,,,300,噪声,
"""
GROUND = [[113.255, 23.120], [113.280, 23.120], [113.280, 23.140], [113.255, 23.140], [113.255, 23.120]]


@pytest.fixture(scope="module")
def database(server, world_template):
    """One database for all tests here: each keeps a study of its own."""
    name = server.clone(world_template)
    yield server.database(name)
    server.drop(name)


@pytest.fixture
def run(services, tmp_path):
    feature = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [GROUND]}}
    (tmp_path / "ground.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))

    def call(*words, lang="en"):
        state = State(lang)
        state._services = services
        return CliRunner().invoke(coverage, [str(word) for word in words], obj=state)

    return call


@pytest.fixture
def kept(run, tmp_path):
    """The public id of a study with two cameras of a GBK file."""

    def make(*more, cameras=CAMERAS):
        (tmp_path / "cameras.csv").write_text(cameras, encoding="gbk")
        files = ["--ground", tmp_path / "ground.geojson", "--cameras", tmp_path / "cameras.csv"]
        said = ["--crs", "EPSG:4326", "--encoding", "GBK", "--as", "N1", "--json"]
        answer = run("new", "Gaps (fictional)", *files, *said, *more)
        assert answer.exit_code == 0, answer.output
        return json.loads(answer.output)["study"]

    return make


def test_study__from_a_file_of_cameras__answered_listed_shown_and_removed(run, kept):
    name = kept("--own-only")
    assert "no answer yet (waiting" in run("show", name, "--as", "N1").output
    said = run("run", name, "--as", "N1").output
    assert said.startswith("2 devices and routes see 0.291 km² of 5.660 km²")
    told = json.loads(run("show", name, "--as", "N1", "--json").output)["result"]
    assert {row["kind"]: row["devices"] for row in told["by_kind"]} == {"video": 1, "noise": 1}
    assert name in run("list", "--as", "N1").output
    assert "平方公里" in run("show", name, "--as", "N1", lang="zh").output
    assert run("remove", name, "--as", "N1").exit_code == 0
    assert run("show", name, "--as", "N1").exception.status == 404


def test_study__of_another_authority__is_not_there(run, kept):
    name = kept()
    for command in ("show", "run", "remove"):
        assert run(command, name, "--as", "O4").exception.status == 404
    assert name not in run("list", "--as", "O4").output


def test_new__row_without_a_range__refused_unless_partly(run, kept, tmp_path):
    lacking = CAMERAS + "C,113.270,23.130,,,,,\n"
    (tmp_path / "c.csv").write_text(lacking, encoding="utf-8")
    words = ["new", "T", "--ground", tmp_path / "ground.geojson", "--cameras", tmp_path / "c.csv", "--as", "N1"]
    refused = run(*words, "--crs", "EPSG:4326")
    assert refused.exit_code == 1
    assert "1 of 3 rows cannot be read" in refused.output
    assert "2 devices of its own" in run(*words, "--crs", "EPSG:4326", "--partly").output


def test_new__no_row_that_can_be_read__refused_with_partly_too(run, tmp_path):
    (tmp_path / "c.csv").write_text(CAMERAS.splitlines()[0] + "\nC,113.270,23.130,,,,,\n", encoding="utf-8")
    words = ["new", "T", "--ground", tmp_path / "ground.geojson", "--cameras", tmp_path / "c.csv", "--as", "N1"]
    refused = run(*words, "--crs", "EPSG:4326", "--partly")
    assert refused.exit_code == 1
    assert "row 1" in refused.output
    assert "1 of 1 rows cannot be read" in refused.output


def test_run__buildings_where_the_map_has_none__told(run, kept, services):
    heights = np.full((60, 60), 12.0, np.float32)
    place = rasterio.Affine(0.002, 0, 113.21, 0, -0.002, 23.19)
    profile = {"driver": "GTiff", "width": 60, "height": 60, "count": 1, "dtype": "float32", "nodata": -9999}
    with rasterio.open(services.data_dir / TERRAIN_FILE, "w", crs="EPSG:4326", transform=place, **profile) as target:
        target.write(heights, 1)
    answer = run("run", kept("--own-only", "--over-terrain", "--buildings-m", "12"), "--as", "N1")
    assert "No building of this ground is on the base map" in answer.output
    (services.data_dir / TERRAIN_FILE).unlink()


def test_run__over_terrain_without_a_model__told_and_exit_status_1(run, kept):
    answer = run("run", kept("--over-terrain"), "--as", "N1")
    assert answer.exit_code == 1
    assert "no elevation model" in answer.output


def test_export__before_an_answer__refused_with_the_command(run, kept, tmp_path):
    name = kept()
    refused = run("export", name, "--out", tmp_path / "x.gpkg", "--as", "N1").exception.refusals[0]
    assert (refused.rule, name in refused.fix()) == ("coverage.not_done", True)
    assert not (tmp_path / "x.gpkg").exists()


def test_export__every_format__holds_the_figures_of_the_answer(run, kept, tmp_path):
    name = kept("--own-only")
    told = json.loads(run("run", name, "--as", "N1", "--json").output)["result"]
    for end in ("gpkg", "geojson", "tif", "csv"):
        answer = run("export", name, "--out", tmp_path / f"out.{end}", "--as", "N1")
        assert answer.exit_code == 0, answer.output
    gaps, seen, devices = (
        geopandas.read_file(tmp_path / "out.gpkg", layer=layer) for layer in ("gaps", "seen", "devices")
    )
    assert gaps.area_m2.sum() == pytest.approx(told["gap_m2"])
    assert seen[seen.times == 1].area_m2.sum() == pytest.approx(told["seen_m2"][0])
    assert not seen.union_all().intersects(Z1.buffer(-1e-7))
    assert devices.label.tolist() == ["A", "B"]
    plain = json.loads((tmp_path / "out.geojson").read_text())
    ones = [f for f in plain["features"] if f["properties"]["times" if "times" in f["properties"] else "kind"] == 1]
    assert sum(measure.area_m2(shapely.geometry.shape(f["geometry"])) for f in ones) == pytest.approx(
        told["seen_m2"][0], rel=1e-4
    )
    assert "fictional" in plain["about"]["note"]
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text(encoding="utf-8-sig"))))
    [gap] = [row["value"] for row in rows if (row["table"], row["figure"]) == ("answer", "gap_m2")]
    assert float(gap) == told["gap_m2"]
    check_raster(tmp_path / "out.tif", told)


def check_raster(path, told):
    with rasterio.open(path) as found:
        assert found.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert (found.crs.to_epsg(), found.nodata) == (6933, 255)
        cells, cell_m2 = found.read(1), found.res[0] * found.res[1]
    assert np.isin(cells, (0, 1, 2, 255)).all()
    assert (cells == 0).sum() * cell_m2 == pytest.approx(told["gap_m2"], rel=2e-3)
    seen = np.isin(cells, (1, 2)).sum() * cell_m2
    assert seen == pytest.approx(told["seen_m2"][0], rel=1e-2)


def test_export__cells_too_small_or_unknown_format__refused(run, kept, tmp_path):
    name = kept("--own-only")
    run("run", name, "--as", "N1")
    words = ["export", name, "--as", "N1", "--out"]
    assert run(*words, tmp_path / "x.tif", "--cell-m", "0.05").exception.refusals[0].rule == "coverage.export_size"
    assert run(*words, tmp_path / "x.dwg").exception.refusals[0].rule == "coverage.format"
    assert list(tmp_path.glob("*x.*")) == []
