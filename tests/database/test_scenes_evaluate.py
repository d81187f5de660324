"""`skywarden scene evaluate`: findings of a stored scene against the truth of others."""

from __future__ import annotations

import json
from dataclasses import replace

import geopandas
import pytest
import rasterio
import shapely
from click.testing import CliRunner
from shapely.affinity import translate
from sqlalchemy import select, text

from schemas.refusals import RuleViolation
from schemas.tables import SegmentationRun
from sensing.coverage import Cover
from sensing.runs import rasters
from tests.database.digging import PIT, ground
from web import scenes
from web.cli.main import skywarden

FAR = translate(PIT, 40, 40)


@pytest.fixture
def cli(services, monkeypatch):
    # A command closes the connections of its services; those of the test stay open.
    monkeypatch.setattr("web.cli.common.build", lambda: replace(services))
    return lambda *words: CliRunner().invoke(skywarden, words, catch_exceptions=False)


@pytest.fixture
def beginning(found):
    """Both scenes of a pit, and the later one was looked at."""
    return found


@pytest.fixture
def before(found):
    return found.before


@pytest.fixture
def analysed(found):
    return found.after


def truth(path, *shapes, names=("DIG", "DIG"), epsg=3857):
    on_map = [ground(dug=True).to_map(shape) for shape in shapes]
    frame = geopandas.GeoDataFrame({"class": names[: len(shapes)]}, geometry=on_map, crs=4326)
    frame.to_crs(epsg).to_file(path)
    return str(path)


def test_evaluate__third_party_truth_in_its_own_system__pixels_borders_and_things(cli, analysed, tmp_path):
    file = truth(tmp_path / "theirs.gpkg", PIT, FAR)
    told = cli("scene", "evaluate", analysed, "--truth", file, "--map", "DIG=excavation", "--json")
    assert told.exit_code == 0, told.output
    found = json.loads(told.output)
    kind = found["kinds"]["excavation"]
    assert (kind["matched"], kind["missed"], kind["invented"]) == (1, 1, 0)
    assert 0.3 < kind["pixel_iou"] < 0.6
    assert kind["pq"] == pytest.approx(kind["sq"] * kind["rq"], abs=1e-3)
    assert kind["rq"] == pytest.approx(2 / 3, abs=1e-3)
    assert 0.4 < kind["boundary_f1"] < 0.8
    assert found["reliability"]["count"] == 1
    assert found["coverage"]["looked_at_km2"] == pytest.approx(2.4, rel=0.02)
    assert len(found["truth"]["sha256"]) == 64


def test_evaluate__the_same_truth_in_every_format__the_same_answer(cli, analysed, tmp_path):
    told = []
    for name, epsg in (("a.gpkg", 32649), ("b.shp", 32649), ("c.geojson", 4326)):
        file = truth(tmp_path / name, PIT, FAR, epsg=epsg)
        answer = json.loads(
            cli("scene", "evaluate", analysed, "--truth", file, "--map", "DIG=excavation", "--json").output
        )
        told.append({key: answer[key] for key in ("kinds", "reliability", "coverage", "misses")})
    assert told[0]["kinds"]["excavation"]["matched"] == 1
    assert told[0] == told[1] == told[2]


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_evaluate__in_words(cli, analysed, tmp_path, lang):
    file = truth(tmp_path / "theirs.shp", PIT, FAR, names=("DIG", "LAKE"))
    words = ("--map", "DIG=excavation", "--map", "LAKE=none")
    told = cli("--lang", lang, "scene", "evaluate", analysed, "--truth", file, *words).output
    assert "PQ" in told
    assert "IoU" in told
    assert {"en": "none of 1 look-alikes", "zh": "1 处相似地物"}[lang] in told


def test_evaluate__truth_in_a_privacy_zone__does_not_count(cli, analysed, services, tmp_path):
    shapes = [shapely.box(113.2697, 23.1297, 113.2703, 23.1303), ground(dug=True).to_map(PIT)]
    geopandas.GeoDataFrame({"kind": ["excavation"] * 2}, geometry=shapes, crs=4326).to_file(tmp_path / "in_zone.gpkg")
    told = cli("scene", "evaluate", analysed, "--truth", str(tmp_path / "in_zone.gpkg"), "--json")
    found = json.loads(told.output)
    assert found["coverage"]["truth_left_out"] == 1
    assert found["coverage"]["truth_not_looked_at_km2"] > 0
    assert found["misses"] == []


def test_evaluate__bands_that_failed__were_not_looked_at(cli, analysed, services, session, database, tmp_path):
    shelf, run = scenes.shelf_of(services), session.scalars(select(SegmentationRun)).one()
    with rasterio.open(rasters(shelf.root).get(run.coverage_sha256)) as cover:
        codes, profile = cover.read(), cover.profile | {"driver": "GTiff"}
    codes[:, 75:] = Cover.FAILED
    with rasterio.open(tmp_path / "failed.tif", "w", **profile) as target:
        target.write(codes)
    engine = database.admin_engine()
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        change = text("UPDATE core.segmentation_run SET coverage_sha256 = :sha256")
        connection.execute(change, {"sha256": rasters(shelf.root).put(tmp_path / "failed.tif")})
    engine.dispose()
    far = truth(tmp_path / "far.gpkg", PIT, translate(PIT, 0, 60))
    told = json.loads(cli("scene", "evaluate", analysed, "--truth", far, "--map", "DIG=excavation", "--json").output)
    assert told["coverage"]["looked_at_km2"] == pytest.approx(75 * 160 * 1e-4, rel=0.03)
    assert told["coverage"]["truth_left_out"] == 1
    assert told["misses"] == []


def test_evaluate__scene_that_nobody_looked_at__refused(cli, before, tmp_path):
    with pytest.raises(RuleViolation) as caught:
        cli("scene", "evaluate", before, "--truth", truth(tmp_path / "a.gpkg", PIT), "--map", "DIG=excavation")
    assert caught.value.refusals[0].rule == "scene.not_analysed"


def test_evaluate__truth_of_another_place__refused_and_nothing_is_called_a_false_alarm(cli, analysed, tmp_path):
    far = geopandas.GeoDataFrame({"kind": ["excavation"]}, geometry=[shapely.box(-99.1, 47, -99, 47.1)], crs=4326)
    far.to_file(tmp_path / "dakota.gpkg")
    with pytest.raises(RuleViolation) as caught:
        cli("scene", "evaluate", analysed, "--truth", str(tmp_path / "dakota.gpkg"))
    (refusal,) = caught.value.refusals
    assert refusal.rule == "truth.elsewhere"
    assert analysed in refusal.render("en")["message"]


def test_evaluate__nothing_of_the_scene_was_looked_at__refused(cli, analysed, services, session, database, tmp_path):
    shelf, run = scenes.shelf_of(services), session.scalars(select(SegmentationRun)).one()
    with rasterio.open(rasters(shelf.root).get(run.coverage_sha256)) as cover:
        codes, profile = cover.read(), cover.profile | {"driver": "GTiff"}
    with rasterio.open(tmp_path / "nowhere.tif", "w", **profile) as target:
        target.write(codes * 0)
    changed(database, "coverage_sha256 = :value", rasters(shelf.root).put(tmp_path / "nowhere.tif"))
    with pytest.raises(RuleViolation) as caught:
        cli("scene", "evaluate", analysed, "--truth", truth(tmp_path / "a.gpkg", PIT), "--map", "DIG=excavation")
    assert caught.value.refusals[0].rule == "scene.not_analysed"
    assert "Nothing of the ground" in caught.value.refusals[0].render("en")["message"]


def changed(database, what: str, value: str) -> None:
    engine = database.admin_engine()
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text(f"UPDATE core.segmentation_run SET {what}"), {"value": value})
    engine.dispose()


@pytest.mark.parametrize(("lang", "words"), [("en", "not judged, 1 true left out"), ("zh", "未判别，真值 1 处不计入")])
def test_evaluate__kind_that_could_not_be_judged__is_told_and_not_missed(cli, analysed, tmp_path, lang, words):
    file = truth(tmp_path / "theirs.gpkg", PIT, FAR, names=("DIG", "HOUSE"))
    names = ("--map", "DIG=excavation", "--map", "HOUSE=building")
    told = json.loads(cli("scene", "evaluate", analysed, "--truth", file, *names, "--json").output)
    assert (told["not_judged"]["building"]["count"], told["misses"]) == (1, [])
    assert "building" not in told["kinds"]
    assert words in cli("--lang", lang, "scene", "evaluate", analysed, "--truth", file, *names).output


def test_evaluate__only_kinds_that_could_not_be_judged__refused(cli, analysed, tmp_path):
    file = truth(tmp_path / "theirs.gpkg", FAR, names=("HOUSE",))
    with pytest.raises(RuleViolation) as caught:
        cli("scene", "evaluate", analysed, "--truth", file, "--map", "HOUSE=building")
    assert caught.value.refusals[0].rule == "truth.elsewhere"
    assert "building" in caught.value.refusals[0].render("en")["message"]


def test_evaluate__no_rules_in_force__what_the_engine_saw_is_compared(cli, analysed, database, tmp_path):
    """Outside of every rule pack nothing can become a finding, and yet an engine may be right or wrong."""
    file, names = truth(tmp_path / "theirs.gpkg", PIT), ("--map", "DIG=excavation")
    by_law = json.loads(cli("scene", "evaluate", analysed, "--truth", file, *names, "--json").output)
    changed(database, "rules_sha256 = :value", "0" * 64)
    told = json.loads(cli("scene", "evaluate", analysed, "--truth", file, *names, "--json").output)
    assert (by_law["compared"], told["compared"]) == ("findings", "candidates")
    assert told["kinds"]["excavation"]["matched"] == 1
    assert "before the law" in cli("scene", "evaluate", analysed, "--truth", file, *names).output


def test_evaluate__candidates_asked_for__all_that_the_engine_saw(cli, analysed, session, tmp_path):
    file, names = truth(tmp_path / "theirs.gpkg", PIT), ("--map", "DIG=excavation", "--candidates")
    told = json.loads(cli("scene", "evaluate", analysed, "--truth", file, *names, "--json").output)
    seen = session.execute(text("SELECT count(*) FROM core.candidate")).scalar_one()
    assert told["reliability"]["count"] == seen


@pytest.mark.parametrize(
    "words", [("--map", "DIG"), ("--map", "=pit"), ("--tolerance-m", "nan"), ("--tolerance-m", "-1")]
)
def test_evaluate__wrong_usage__refused(cli, before, tmp_path, words):
    assert cli("scene", "evaluate", before, "--truth", truth(tmp_path / "a.gpkg", PIT), *words).exit_code == 2
