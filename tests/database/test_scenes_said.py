"""What is said where nothing is reported: of which kinds, of whose ground, and what could not be found at all."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from schemas.refusals import RuleViolation
from sensing.intake import Told
from tests.database.digging import ground
from web import scenes
from web.cli.common import State
from web.cli.scene import scene as scene_group


@pytest.fixture
def beginning(dug):
    """Both scenes of a pit; nobody looked at them yet."""
    return dug


@pytest.fixture
def cli(services):
    def run(*arguments: str, lang: str = "en"):
        state = State(lang)
        state._services = services
        return CliRunner().invoke(scene_group, list(arguments), obj=state, catch_exceptions=False)

    return run


@pytest.fixture
def before_the_rules(services, tmp_path):
    """The pit was dug in a year in which no rule pack was in force; the ids of both scenes."""
    ids = []
    for number, dug in enumerate((False, True)):
        path = ground(dug=dug).satellite(tmp_path / f"{number}.tif", seed=number + 7)
        told = Told(captured_at=datetime(2015, 6, 1 + 20 * number, 3, tzinfo=UTC))
        ids.append(scenes.ingest(services, [path], told=told).scene.public_id)
    return ids


def test_segment__no_rules_in_force__says_that_nothing_was_judged_and_never_that_nothing_was_found(
    cli, before_the_rules
):
    earlier, later = before_the_rules
    told = cli("segment", later, "--before", earlier).output
    assert "no rules are in force here" in told
    assert "no finding of" not in told
    assert "x excavation is no finding: no rule pack was in force here on 2015-06-21" in told
    plain = json.loads(cli("segment", later, "--before", earlier, "--json").output)
    assert (plain["rules_in_force"], plain["judged_kinds"]) == (False, [])
    assert "没有生效的规则" in cli("segment", later, lang="zh").output


def test_segment__nothing_found__names_the_kinds_of_which_that_is_said(cli, dug, services, tmp_path):
    """What the refused kinds would have shown stays open, so they are not among those that were not found."""
    path = ground(dug=False).satellite(tmp_path / "still.tif", seed=9)
    told = Told(captured_at=datetime(2025, 6, 28, 3, tzinfo=UTC))
    still = scenes.ingest(services, [path], told=told).scene.public_id
    said = cli("segment", still, "--before", dug.before).output
    plain = json.loads(cli("segment", still, "--before", dug.before, "--json").output)
    assert plain["judged_kinds"] == ["burn_scar", "excavation", "smoke_plume"]
    assert set(plain["judged_kinds"]).isdisjoint(plain["refused_kinds"])
    assert "no finding of burn scar, excavation and smoke on the" in said
    assert "nothing is said of other kinds" in said


def test_segment__ground_of_no_authority__one_refusal_that_says_what_to_do(cli, dug, past_the_judge):
    with past_the_judge() as admin:
        admin.execute(text("UPDATE core.authority SET jurisdiction = ST_Translate(jurisdiction, 20, 10)"))
    with pytest.raises(RuleViolation) as caught:
        cli("segment", dug.after, "--before", dug.before)
    (refusal,) = caught.value.refusals
    assert refusal.rule == "scene.jurisdiction"
    assert "layer import FILE --layer authorities" in refusal.render("en")["fix"]
    assert refusal.render("zh")["message"]


def test_segment__scheduler_beside_an_engine_that_uses_none__wrong_usage(cli, dug):
    told = cli("segment", dug.after, "--engine", "serial", "--scheduler", "tcp://127.0.0.1:9")
    assert told.exit_code == 2
    assert "--engine serial uses none" in told.output
