"""What a run rests on is kept and told: the fit of two dates, how clouds were looked for, whose ground it was."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from shapely.geometry import box
from sqlalchemy import select

from geo.crs import to_wgs84
from schemas import tables as t
from tests.database.digging import add_item, ingest_pair
from web import scenes
from web.cli.common import State
from web.cli.scene import scene as scene_group

CORNER = (731_400.0, 2_560_000.0)


@pytest.fixture
def pair(services, tmp_path, database):
    add_item(database)
    return ingest_pair(services, tmp_path)


def printed(services, *arguments, lang="en"):
    state = State(lang)
    state._services = services
    return CliRunner().invoke(scene_group, arguments, obj=state)


def test_run__keeps_the_fit_the_clouds_and_whose_ground(services, session, pair):
    run_id = scenes.segment(services, pair[1], before=pair[0]).run.id
    run = session.get_one(t.SegmentationRun, run_id)
    assert run.coregistration["residual_px"] < 1.0
    assert run.coregistration["agreeing"] >= 3
    assert run.coregistration["gsd_m"] == pytest.approx(10.0, rel=0.01)
    assert run.clouds["after"]["how"]["key"] == "cloud.by_nir"
    assert set(run.jurisdictions) == set(session.scalars(select(t.Authority.code)))
    share = run.jurisdictions["A1"]
    assert share["km2"]["analysed"] == pytest.approx(run.coverage["analysed"], rel=1e-3)
    assert 90 < share["analysed_percent"] < 100


@pytest.mark.parametrize(("lang", "words"), [("en", "what remains is"), ("zh", "残差")])
def test_cli__tells_the_residual_the_clouds_and_the_share(services, pair, lang, words):
    told = printed(services, "segment", pair[1], "--before", pair[0], lang=lang).output
    assert words in told
    assert {"en": "snow", "zh": "积雪"}[lang] in told
    assert "A1" in told


def test_single_date__has_no_fit(services, session, pair):
    run = scenes.segment(services, pair[1]).run
    assert run.coregistration is None
    assert set(run.clouds) == {"after"}


def move_jurisdictions(admin, shape):
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.authority SET jurisdiction = ST_Multi(ST_GeomFromText(%s, 4326))", [shape.wkt])


def test_ground_of_nobody__is_not_looked_at(services, pair, admin):
    move_jurisdictions(admin, box(100.0, 40.0, 101.0, 41.0))
    run = scenes.segment(services, pair[1], before=pair[0]).run
    assert (run.coverage["analysed"], run.jurisdictions) == (0.0, {})
    assert run.coverage["outside"] == pytest.approx(160 * 150 * 1e-4, rel=0.02)


def test_ground_of_others__is_not_looked_at_and_the_share_is_of_ones_own(services, pair, admin):
    west, north = CORNER
    move_jurisdictions(admin, to_wgs84(box(west - 100, north - 1600, west + 800, north + 100), 32649))
    run = scenes.segment(services, pair[1], before=pair[0]).run
    assert run.coverage["outside"] == pytest.approx(80 * 150 * 1e-4, rel=0.02)
    assert run.jurisdictions["A1"]["km2"]["outside"] == 0.0
    assert run.jurisdictions["A1"]["analysed_percent"] > 90
