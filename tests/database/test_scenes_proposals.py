"""Strong change that nothing explains is asked of people: ranked, answered once as a label, and never a finding."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlalchemy.exc
from click.testing import CliRunner
from geoalchemy2.shape import to_shape
from sqlalchemy import select, text

from schemas import tables as t
from schemas.refusals import RuleViolation
from sensing.intake import Shelf, Told
from sensing.proposals import answer_proposal, compared_km2, proposals
from tests.conftest import opened
from tests.database.digging import PIT, ground
from tests.unit.sensing.ground import blob
from web import scenes
from web.cli.common import State
from web.cli.scene import scene as scene_group

FIELD = blob((110, 90), 13, 5)
ALLOWED = ("none", "excavation")


@pytest.fixture(scope="module")
def harvested(server, dug, tmp_path_factory):
    """The pit was dug and a field was harvested; both dates were looked at."""
    folder = tmp_path_factory.mktemp("harvested")
    made = replace(dug, database=server.clone(dug.database), files=folder / "data")
    shutil.copytree(dug.files, made.files)
    later = ground(dug=True)
    later.paint(FIELD, "stubble")
    with opened(server, made) as services:
        told = Told(captured_at=datetime(2025, 6, 28, 3, tzinfo=UTC))
        after = scenes.ingest(services, [later.satellite(folder / "a.tif", seed=11)], told=told).scene.public_id
        scenes.segment(services, after, before=dug.before)
    yield replace(made, after=after)
    server.drop(made.database)


@pytest.fixture
def beginning(harvested):
    return harvested


@pytest.fixture
def scene(session, harvested):
    return session.scalars(select(t.Scene).where(t.Scene.public_id == harvested.after)).one()


@pytest.fixture
def answer(work, services):
    def run(proposal_id: str, word: str, by: str = "O1"):
        with work(by) as unit:
            answer_proposal(unit, Shelf(services.data_dir), proposal_id, word, ALLOWED)
            unit.commit()

    return run


def asked(session, scene, clock):
    return proposals(session, scene, clock.now())


def test_proposals__strong_change_without_a_rule__asked_about_and_the_pit_is_not(session, scene, clock):
    found = asked(session, scene, clock)
    field, pit = (ground(dug=False).to_map(one) for one in (FIELD, PIT))
    assert found[0].geom.intersection(field).area > 0.8 * field.area
    assert all(one.geom.intersection(pit).area < 0.05 * pit.area for one in found)
    assert [one.weight for one in found] == sorted((one.weight for one in found), reverse=True)
    assert all(one.times > 8 for one in found)


def test_proposals__are_no_findings(session, scene, clock):
    drawn = [to_shape(one) for one in session.scalars(select(t.Detection.geom).where(t.Detection.scene_id == scene.id))]
    assert drawn
    for one in asked(session, scene, clock):
        assert all(one.geom.intersection(finding).area < 0.05 * one.geom.area for finding in drawn)


def test_proposals__read_by_the_public__refused_by_the_database(services):
    with services.public() as connection, pytest.raises(sqlalchemy.exc.ProgrammingError, match="permission denied"):
        connection.execute(text("SELECT 1 FROM core.change_proposal"))


@pytest.mark.parametrize(("word", "kind"), [("none", "none"), ("excavation", "excavation")])
def test_answer__what_is_there__one_label_and_one_event(answer, session, scene, clock, word, kind):
    first = asked(session, scene, clock)[0]
    answer(first.public_id, word)
    session.expire_all()
    (label,) = session.scalars(select(t.Label)).all()
    assert (label.kind, label.of_class, label.detection_id) == ("polygon", kind, None)
    assert to_shape(label.geom).equals(first.geom)
    rows = session.execute(text("SELECT action, convert_from(body, 'UTF8') FROM ledger.event ORDER BY id DESC")).first()
    assert (rows[0], json.loads(rows[1])["proposal"]) == ("label.place", first.public_id)
    assert first.public_id not in [one.public_id for one in proposals(session, scene, clock.now(), is_open=True)]


def test_answer__nobody_can_tell__no_label(answer, session, scene, clock):
    answer(asked(session, scene, clock)[0].public_id, "skip")
    session.expire_all()
    assert asked(session, scene, clock)[0].answer == "skip"
    assert not session.scalars(select(t.Label)).all()


def test_answer__second_time__409_and_the_first_stays(answer, session, scene, clock):
    proposal_id = asked(session, scene, clock)[0].public_id
    answer(proposal_id, "none")
    with pytest.raises(RuleViolation) as caught:
        answer(proposal_id, "excavation")
    assert caught.value.status == 409
    session.expire_all()
    assert asked(session, scene, clock)[0].answer == "none"


@pytest.mark.parametrize(
    ("word", "by", "status"), [("castle", "O1", 422), ("none", "F1", 403), ("none", "SYSTEM", 403)]
)
def test_answer__by_whom_or_with_what_may_not_be__refused(answer, session, scene, clock, word, by, status):
    with pytest.raises(RuleViolation) as caught:
        answer(asked(session, scene, clock)[0].public_id, word, by)
    assert caught.value.status == status


def test_answer__unknown_place__404(answer):
    with pytest.raises(RuleViolation) as caught:
        answer("CP-NONE", "none")
    assert caught.value.status == 404


def test_GD_43__zone_over_the_place_since__no_longer_asked(session, scene, clock, answer, past_the_judge):
    first = asked(session, scene, clock)[0]
    with past_the_judge() as admin:
        admin.execute(
            text(
                "UPDATE core.privacy_zone SET geom = ST_Buffer(ST_GeomFromText(:place, 4326), 0.0002),"
                " zone_version = zone_version + 1"
            ),
            {"place": first.geom.centroid.wkt},
        )
    session.expire_all()
    assert first.public_id not in [one.public_id for one in asked(session, scene, clock)]
    with pytest.raises(RuleViolation) as caught:
        answer(first.public_id, "none")
    assert caught.value.status == 404


def test_segment__again__an_answered_place_is_not_asked_anew(answer, services, session, scene, clock, harvested):
    (first,) = asked(session, scene, clock)
    answer(first.public_id, "none")
    again = scenes.segment(services, harvested.after, before=harvested.before)
    session.expire_all()
    assert proposals(session, scene, clock.now(), is_open=True) == []
    assert again.changes == 0


def test_scene_proposals__cli__lists_answers_and_says_what_they_are_not(services, harvested, session, scene, clock):
    state = State("en")
    state._services = services

    def cli(*arguments: str):
        return CliRunner().invoke(scene_group, ["proposals", harvested.after, *arguments], obj=state)

    first = asked(session, scene, clock)[0].public_id
    told = cli().output
    assert first in told
    assert "questions, not findings" in told
    assert "answered: none" in cli("--answer", f"{first}=none", "--as", "O1").output
    plain = json.loads(cli("--json").output)
    assert plain["features"][0]["properties"]["answer"] == "none"
    assert {"none", "skip", "excavation"} <= set(plain["answers"])


def test_scene_proposals__scene_that_nobody_compared__never_called_unchanged(services, harvested):
    state = State("en")
    state._services = services
    with pytest.raises(RuleViolation) as caught:
        CliRunner().invoke(scene_group, ["proposals", harvested.before], obj=state, catch_exceptions=False)
    assert caught.value.refusals[0].rule == "scene.not_looked_at"
    scenes.segment(services, harvested.before)
    with pytest.raises(RuleViolation) as caught:
        CliRunner().invoke(scene_group, ["proposals", harvested.before], obj=state, catch_exceptions=False)
    assert caught.value.refusals[0].rule == "proposal.not_compared"


def test_compared_km2__no_ground_was_looked_at__refused(session, scene, past_the_judge):
    assert compared_km2(session, scene) > 1
    with past_the_judge() as admin:
        admin.execute(text("UPDATE core.segmentation_run SET coverage = coverage || '{\"analysed\": 0}'"))
    session.expire_all()
    with pytest.raises(RuleViolation) as caught:
        compared_km2(session, scene)
    assert caught.value.refusals[0].rule == "proposal.not_compared"
