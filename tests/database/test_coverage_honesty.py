"""What rounds to nothing is no gap; what is assumed, and what is not looked at, is said with every answer."""

from __future__ import annotations

import csv
import json

import pytest
import shapely
from click.testing import CliRunner
from sqlalchemy import select

from geo.commands import studies
from geo.commands.studies import NewStudy
from geo.coverage.asked import Asked
from geo.coverage.exports import export_of, write
from schemas.tables import Authority, CoverageStudy
from tests.world import PA1
from web import planning_jobs
from web.cli.common import State
from web.cli.coverage import coverage

CAMERA = "经度,纬度,作用距离\n113.301,23.151,400\n"
# A square whose corners reach some decimetres beyond what the camera sees all round, and one that nobody sees.
HALF_LON, HALF_LAT = 283.09 / 102_408, 283.09 / 110_746
ROUND = shapely.box(113.301 - HALF_LON, 23.151 - HALF_LAT, 113.301 + HALF_LON, 23.151 + HALF_LAT)
MISSED = shapely.box(113.310, 23.150, 113.312, 23.152)
SPECKS = [shapely.box(lon, 23.155, lon + 2e-6, 23.155 + 1e-6) for lon in (113.310, 113.311)]


@pytest.fixture
def find(services, tmp_path):
    def call(*more, ground, lang="en"):
        (tmp_path / "cameras.csv").write_text(CAMERA, encoding="utf-8")
        (tmp_path / "ground.geojson").write_text(shapely.to_geojson(shapely.MultiPolygon(ground)), encoding="utf-8")
        state = State(lang)
        state._services = services
        words = ["find", str(tmp_path / "cameras.csv"), "--ground", str(tmp_path / "ground.geojson")]
        answer = CliRunner().invoke(coverage, [*words, "--crs", "EPSG:4326", *more], obj=state)
        assert answer.exit_code == 0, (answer.output, answer.exception)
        return answer

    return call


def test_find__gaps_that_round_to_nothing__not_named_told_and_in_the_sum(find):
    told = json.loads(find("--json", ground=[ROUND, MISSED]).output)
    assert (told["gap_count"], told["slivers"], len(told["gaps"])) == (1, 4, 1)
    assert 0 < told["gap_m2"] - told["gaps"][0]["area_m2"] < 4 * 0.5
    said = find(ground=[ROUND, MISSED]).output
    assert " 0 m² around" not in said
    assert "Not named: 4 smaller than half a square metre each" in said
    assert "未列出：4 处" in find(ground=[ROUND, MISSED], lang="zh").output


def test_find__nothing_but_slivers_unseen__no_gap_is_named(find):
    said = find(ground=[ROUND]).output
    assert "The largest gaps" not in said
    assert "Privacy zones" not in said
    assert "Not named: 4" in said


def test_find__more_gaps_than_are_listed__the_rest_is_told(find):
    missed = [shapely.affinity.translate(MISSED, 0.003 * n) for n in range(7)]
    assert "  and 2 more, " in find(ground=[ROUND, *missed]).output


@pytest.mark.usefixtures("ground")
def test_find__over_terrain__rows_without_a_height_are_told(find):
    said = find("--over-terrain", ground=[ROUND]).output
    assert "Rows that do not say how high the lens stands: 1; 6 m is counted for each." in said
    assert "Rows that do not say" not in find(ground=[ROUND]).output


@pytest.fixture
def answered(work, services):
    def make(ground=PA1, **asked):
        with work("N1") as doing:
            owner = doing.session.scalars(select(Authority).where(Authority.code == "A1")).one()
            new = NewStudy(title="T", authority=owner, ground=ground, asked=Asked(**asked))
            study = studies.draft_study(doing, new)
            doing.commit()
        assert planning_jobs.do_next(services, study_id=study.id) == study.id
        with services.session() as session:
            return session.get_one(CoverageStudy, study.id)

    return make


def test_study__gaps_that_round_to_nothing__not_named_and_in_the_sum(answered):
    told = answered(ground=shapely.MultiPolygon([MISSED, *SPECKS]), own_only=True).result
    assert (told["gap_count"], len(told["gaps"]), told["slivers"]) == (1, 1, 2)
    assert told["slivers_m2"] == pytest.approx(told["gap_m2"] - told["gaps"][0]["area_m2"], abs=1e-6)
    assert any("2 more are smaller than half a square metre" in one for one in told["sentences"]["en"])


def test_study__at_an_hour__darkness_is_said_not_to_be_modelled_in_every_file(answered, services, tmp_path):
    study = answered(hour=2)
    assert any("Darkness is not modelled" in one for one in study.result["sentences"]["en"])
    with services.session() as session:
        made = export_of(session, session.get_one(CoverageStudy, study.id), is_sample=False)
    rows = list(csv.reader(write(made, tmp_path / "s.csv", "csv").read_text(encoding="utf-8-sig").splitlines()))
    (said,) = [row[4] for row in rows if row[3] == "told_zh"]
    assert "未考虑夜间光线" in said


@pytest.mark.usefixtures("ground")
@pytest.mark.parametrize("over_terrain", [True, False])
def test_study__registered_devices__masts_are_assumed_and_counted_where_they_matter(answered, services, over_terrain):
    told = answered(over_terrain=over_terrain, statuses=("active", "published", "planned", "blocked")).result
    watching = [row for row in told["by_kind"] if row["kind"] != "patrol_route"]
    assert told["masts_assumed"] == (sum(row["devices"] for row in watching) if over_terrain else 0)
    assert any("how high" in one for one in told["sentences"]["en"]) is over_terrain
