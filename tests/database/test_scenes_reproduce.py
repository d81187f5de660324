"""A finding made again from what was recorded: the same bit for bit, or told what is not what it was."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta

import pytest
from click.testing import CliRunner
from geoalchemy2.shape import from_shape, to_shape
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from schemas import tables as t
from schemas.refusals import RuleViolation
from sensing.reproduce import GONE, What, recorded, reproduce
from sensing.segment import spectral
from sensing.segment.spectral import Spectral
from tests.database.digging import PIT, ground
from web import scenes
from web.cli.common import State
from web.cli.scene import scene as scene_group


@pytest.fixture
def beginning(found):
    """Both scenes of a pit, and the later one was looked at."""
    return found


@pytest.fixture
def finding(found):
    """The public id of the detection in the later one."""
    return found.detection


@pytest.fixture
def again(services):
    """Makes a finding again: what came out, and what differs."""

    def make(detection: str, engine: Spectral | None = None):
        with services.session() as session:
            about = recorded(session, services.rulebook, scenes.shelf_of(services), detection)
        outcome = reproduce(about, scenes.shelf_of(services), engine or Spectral(), lambda _: None)
        return outcome, {check.what for check in outcome.checks if not check.same}

    return make


def test_finding__made_again__bit_for_bit_the_same(services, finding, again, session):
    outcome, differs = again(finding)
    assert (outcome.same, differs) == (True, set())
    assert {check.what for check in outcome.checks} == set(What) - {What.MACHINE, What.ALTERNATIVE}


def test_finding__carries_every_hash_and_its_window(finding, session):
    chain = session.scalars(select(t.Detection)).one().provenance
    for name in ("scene", "derivative", "inputs", "stretch", "features", "parameters", "rules", "labels"):
        assert len(chain[f"{name}_sha256"]) == 64, name
    column, row, width, height = chain["window"]
    assert 0 < column < column + width <= 160
    assert 0 < row < row + height <= 150
    assert chain["models"] == {}


def test_layers_of_another_day__looked_at_as_they_were_then(services, finding, again, database):
    """A permit that came later changes nothing about what was seen; the run keeps the layers that it used."""
    engine = database.admin_engine()
    with Session(engine) as admin:
        shape = from_shape(ground(dug=True).to_map(PIT.buffer(9)), srid=4326)
        admin.add(t.ContextFeature(public_id="CF-W", layer="water", name="Lake (fictional)", geom=shape))
        admin.commit()
    engine.dispose()
    assert again(finding)[0].same


def test_other_numbers__made_again__and_told(finding, again):
    values = json.loads(json.dumps(Spectral().parameters.values))
    values["pair"]["excavation"]["sure_soil_gain"] = 1.61
    outcome, differs = again(finding, Spectral(spectral.Parameters(values)))
    assert outcome.polygon is not None
    assert not outcome.same
    assert What.PARAMETERS in differs


def changed_code(database) -> None:
    """The run was made by code that is another one now, as after an upgrade."""
    engine = database.admin_engine()
    with engine.begin() as admin:
        admin.execute(text("SET LOCAL session_replication_role = replica"))
        admin.execute(text("UPDATE core.segmentation_run SET features_sha256 = repeat('7', 64)"))
    engine.dispose()


def test_made_by_other_code__the_same_and_told(finding, again, database):
    changed_code(database)
    outcome, differs = again(finding)
    assert differs == {What.CODE}
    assert outcome.same
    assert not outcome.same_code


def test_made_by_other_code_and_drawn_otherwise__not_the_same(finding, again, database):
    """Labels, outline and score decide: code that draws another line is a difference."""
    changed_code(database)
    engine = database.admin_engine()
    with engine.begin() as admin:
        admin.execute(text("SET LOCAL session_replication_role = replica"))
        admin.execute(text("UPDATE core.segmentation_run SET labels_sha256 = repeat('7', 64)"))
    engine.dispose()
    outcome, differs = again(finding)
    assert differs == {What.CODE, What.LABELS}
    assert not outcome.same


@pytest.mark.parametrize(("lang", "words"), [("en", "by other code, and the same"), ("zh", "以不同版本的代码")])
def test_cli__made_by_other_code__says_so_and_ends_well(services, finding, database, lang, words):
    changed_code(database)
    state = State(lang)
    state._services = services
    told = CliRunner().invoke(scene_group, ["reproduce", finding], obj=state, catch_exceptions=False)
    assert told.exit_code == 0
    assert words in told.output


def test_other_version_of_the_engine__told(finding, again):
    newer = Spectral()
    newer.version = "2"
    outcome, differs = again(finding, newer)
    assert differs == {What.ENGINE}
    assert not outcome.same


def test_changed_masked_copy__not_looked_at(services, finding, again, session):
    shelf = scenes.shelf_of(services)
    path = shelf.derivatives.path(session.scalars(select(t.Detection)).one().provenance["derivative_sha256"])
    path.chmod(0o600)
    path.write_bytes(path.read_bytes() + b"\0")
    outcome, differs = again(finding)
    assert outcome.polygon is None
    assert differs == {What.COPY}


def test_original_that_is_gone__told__and_made_again_from_the_copy(services, finding, again, session):
    scenes.shelf_of(services).originals.path(session.scalars(select(t.Scene.sha256)).first()).unlink()
    outcome, differs = again(finding)
    assert outcome.polygon is not None
    assert differs == {What.ORIGINAL}


def test_run_that_kept_no_inputs__not_made_again(finding, again, database):
    engine = database.admin_engine()
    with engine.begin() as admin:
        admin.execute(text("SET LOCAL session_replication_role = replica"))
        admin.execute(text("UPDATE core.segmentation_run SET manifest_sha256 = NULL"))
    engine.dispose()
    outcome, differs = again(finding)
    assert outcome.polygon is None
    assert What.INPUTS in differs


def test_GD_43__zone_came_later__not_made_again_and_told_why(services, finding, session, admin, clock):
    ground_of_it = to_shape(session.scalars(select(t.Detection)).one().geom).representative_point().buffer(1e-4)
    admin.execute(
        "INSERT INTO core.privacy_zone (id, public_id, kind, name_en, name_zh, geom, sensitive, buffer_m, source,"
        " valid_from, zone_version, origin) VALUES (%s, 'PZ-LATE', 'dormitory', 'New', '新',"
        " ST_GeomFromText(%s, 4326), false, 0, 'request', %s, 1, 'sample')",
        [uuid.uuid4(), ground_of_it.wkt, clock.now() - timedelta(hours=1)],
    )
    state = State("en")
    state._services = services
    assert CliRunner().invoke(scene_group, ["remask"], obj=state, catch_exceptions=False).exit_code == 0
    told = CliRunner().invoke(scene_group, ["reproduce", finding], obj=state, catch_exceptions=False)
    assert told.exit_code == 1
    assert "a privacy zone came later" in told.output


def test_masked_copy_is_lost__no_zone_is_blamed(services, finding, again, session):
    shelf = scenes.shelf_of(services)
    shelf.derivatives.path(session.scalars(select(t.Detection)).one().provenance["derivative_sha256"]).unlink()
    outcome, differs = again(finding)
    assert (outcome.polygon, differs) == (None, {What.COPY})
    assert [check.now for check in outcome.checks if not check.same] == [GONE]


def test_unknown_finding__refused(again):
    with pytest.raises(RuleViolation) as caught:
        again("DT-NONE")
    assert caught.value.status == 404


@pytest.mark.parametrize(("lang", "words"), [("en", "the same bit for bit"), ("zh", "逐位一致")])
def test_cli__says_so_in_both_languages(services, finding, lang, words):
    state = State(lang)
    state._services = services
    told = CliRunner().invoke(scene_group, ["reproduce", finding], obj=state, catch_exceptions=False)
    assert told.exit_code == 0
    assert words in told.output


def test_cli__something_differs__status_1_and_json_names_it(services, finding, session):
    state = State("en")
    state._services = services
    scenes.shelf_of(services).originals.path(session.scalars(select(t.Scene.sha256)).first()).unlink()
    told = CliRunner().invoke(scene_group, ["reproduce", finding, "--json"], obj=state, catch_exceptions=False)
    assert told.exit_code == 1
    answer = json.loads(told.output)
    assert [check["what"] for check in answer["checks"] if not check["same"]] == ["original"]
    assert answer["geometry"]["type"] == "Polygon"
