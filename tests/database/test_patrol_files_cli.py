"""Patrol areas and deployment points from files on the command line, in both languages."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from shapely.geometry import box, mapping
from sqlalchemy import select

from schemas.refusals import RuleViolation
from schemas.tables import DeploymentPoint, PatrolArea
from web.cli.common import State
from web.cli.patrol import patrol

FOR_ALL = ("--authority", "A1", "--item", "ECO-01", "--siting-plan", "SP-1", "--as", "N1")
POINTS = "代码,名称,用途,设置地点,经度,纬度\n"


@pytest.fixture
def run(services):
    def call(*words, lang="en"):
        state = State(lang)
        state._services = services
        result = CliRunner().invoke(patrol, list(words), obj=state)
        if isinstance(result.exception, RuleViolation):
            raise result.exception
        return result.exit_code, result.output

    return call


@pytest.fixture
def areas(tmp_path):
    def write(*codes):
        told = {"name": "Fields", "purpose": "Patrol", "alt_min_agl_m": 60, "alt_max_agl_m": 110}
        features = [
            {
                "type": "Feature",
                "properties": told | {"code": code},
                "geometry": mapping(box(113.3, 23.12, 113.31, 23.13)),
            }
            for code in codes
        ]
        path = tmp_path / "areas.geojson"
        path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
        return str(path)

    return write


@pytest.fixture
def points(tmp_path):
    def write(*rows):
        path = tmp_path / "points.csv"
        path.write_text(POINTS + "\n".join(rows), encoding="gbk")
        return str(path), "--crs", "EPSG:4490", "--encoding", "GBK"

    return write


def codes(session, kind):
    return set(session.scalars(select(kind.code)))


def test_import_areas__good_rows__drafted_with_item_and_plan(run, areas, session):
    status, told = run("import-areas", areas("C1", "C2"), *FOR_ALL, "--json")
    body = json.loads(told)
    assert (status, body["ok"], body["drafted"], body["refused"]) == (0, True, 2, 0)
    made = session.scalars(select(PatrolArea).where(PatrolArea.code.in_(["C1", "C2"]))).all()
    assert {row.public_id for row in made} == {name for row in body["rows"] for name in row["ids"]}
    assert all(row.state == "draft" and row.item_id and row.siting_plan_id for row in made)


@pytest.mark.parametrize(("lang", "done"), [("en", "drafted 1: DP-"), ("zh", "已起草 1 个：DP-")])
def test_import_points__gbk_table__drafted(run, points, session, lang, done):
    status, told = run("import-points", *points("甲1,堰,巡查,桥,113.2545,23.1250"), *FOR_ALL, lang=lang)
    assert status == 0
    assert done in told
    assert "甲1" in codes(session, DeploymentPoint)


@pytest.mark.parametrize(("lang", "none"), [("en", "nothing was drafted; refused 2 of 3"), ("zh", "3 行中拒绝 2 行")])
def test_import_points__bad_rows__each_told_and_none_drafted(run, points, session, lang, none):
    rows = ("甲2,堰,巡查,桥,113.2545,23.1250", "甲2,堰,巡查,,113.2545,23.1250", "甲3,堰,巡查,桥,23.1250,113.2545")
    status, told = run("import-points", *points(*rows), *FOR_ALL, lang=lang)
    assert status == 1
    assert none in told
    for words in ("place_text", "甲2", "113.2545"):
        assert words in told
    assert not {"甲2", "甲3"} & codes(session, DeploymentPoint)


def test_import_areas__code_that_is_taken__refused_as_json(run, areas, session):
    before = codes(session, PatrolArea)
    status, told = run("import-areas", areas("C3", "PA1", "C3"), *FOR_ALL, "--json")
    body = json.loads(told)
    assert (status, body["ok"], body["drafted"], body["refused"]) == (1, False, 0, 2)
    assert [[refusal["rule"] for refusal in row.get("refusals", ())] for row in body["rows"]] == [
        [],
        ["layer.duplicate"],
        ["layer.duplicate"],
    ]
    session.rollback()
    assert codes(session, PatrolArea) == before


@pytest.mark.parametrize("person", [("--as", "L1"), ()], ids=["reviewer", "host"])
def test_import_areas__without_the_role__refused(run, areas, person):
    status, told = run("import-areas", areas("C4"), *FOR_ALL[:-2], *person)
    assert status == 1
    assert "state.role" in told


def test_import_points__name_says_gcj__refused_whole(run, points, tmp_path):
    path, *options = points("甲4,堰,巡查,桥,113.2545,23.1250")
    other = Path(path).rename(tmp_path / "points_gcj02.csv")
    with pytest.raises(RuleViolation, match=r"geometry\.crs: "):
        run("import-points", str(other), *options, *FOR_ALL)
