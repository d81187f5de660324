"""From a scene to a decision: proposed with provenance, assigned, confirmed or rejected by a qualified officer."""

from __future__ import annotations

import json
from datetime import date

import pytest
from click.testing import CliRunner
from geoalchemy2.shape import from_shape, to_shape
from shapely.affinity import translate
from shapely.geometry import box
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from geo.measure import area_m2
from schemas import tables as t
from schemas.refusals import RuleViolation
from schemas.rules.violations import SamePlace
from sensing.commands import propose, record_run, same_finding
from sensing.identity import overlap
from sensing.pipeline import Source, source_of
from sensing.segment.model import Candidate
from tests.database.digging import PIT, add_item, ground, ingest_pair
from web import scenes
from web.cli.common import State
from web.cli.scene import scene as scene_group


@pytest.fixture
def item(database):
    """The supervision item under which excavations fall."""
    add_item(database)


@pytest.fixture
def pair(services, tmp_path):
    """Two scenes over the area of A1, between which a pit was dug; their public ids."""
    return ingest_pair(services, tmp_path)


@pytest.fixture
def found(services, pair, item):
    return scenes.segment(services, pair[1], before=pair[0])


def test_segment__new_pit__one_detection_with_its_whole_provenance(found, services, session, pair):
    assert found.refusals == ()
    (detection_id,) = found.detections
    row = session.scalars(select(t.Detection).where(t.Detection.public_id == detection_id)).one()
    scene = session.scalars(select(t.Scene).where(t.Scene.public_id == pair[1])).one()
    assert (row.kind, row.state, row.ordinal) == ("excavation", "new", 1)
    assert row.item.code == "illegal_excavation"
    assert row.authority.code == "A1"
    assert to_shape(row.geom).intersects(ground(dug=True).to_map(PIT))
    assert row.provenance["scene_sha256"] == scene.sha256
    for name in ("derivative_sha256", "zone_hash", "parameters_sha256", "rules_sha256", "labels_sha256"):
        assert len(row.provenance[name]) == 64, name
    assert row.rule_trace
    assert row.context["violation"] == "illegal_excavation"


def test_segment__run__says_what_was_looked_at_and_what_could_not_be_judged(found):
    covered = found.run.coverage
    assert covered["analysed"] + covered["privacy"] == pytest.approx(160 * 150 * 1e-4, rel=0.02)
    assert covered["privacy"] == pytest.approx(0.0256, rel=0.1)
    unseen = {kind: reason["key"] for kind, reason in found.run.refused_kinds.items()}
    assert {kind for kind, key in unseen.items() if key == "cannot.no_layer"} == {
        *("building", "discoloured_water", "vegetation_loss", "land_conversion", "algal_bloom", "black_water")
    }
    # What cannot be looked for here is told by name, never left out in silence.
    assert {unseen["solid_waste"], unseen["bare_soil"]} == {"cannot.coarse", "cannot.no_site"}


def test_segment__one_ledger_event_for_the_run_and_one_for_each_detection(found, session):
    actions = [row[0] for row in session.execute(text("SELECT action FROM ledger.event ORDER BY id"))]
    assert actions == ["scene.ingest", "scene.ingest", "scene.segment", "detection.propose"]


def test_segment__again__same_labels_and_nothing_proposed_twice(found, services, pair, session):
    again = scenes.segment(services, pair[1], before=pair[0])
    assert again.run.labels_sha256 == found.run.labels_sha256
    assert (again.detections, again.known) == ((), found.detections)
    assert session.scalars(select(t.Detection.public_id)).all() == list(found.detections)


def test_segment__again_after_a_rejection__stays_rejected(found, services, pair, database, session):
    engine = database.admin_engine()
    with Session(engine) as admin:
        admin.execute(text("SET session_replication_role = replica"))
        admin.execute(text("UPDATE core.detection SET state = 'false_alarm'"))
        admin.commit()
    engine.dispose()
    assert scenes.segment(services, pair[1], before=pair[0]).known == found.detections
    assert session.scalars(select(t.Detection.state)).all() == ["false_alarm"]


def lead_on(ground_of, name="excavation"):
    """A lead of a kind on some ground, as an engine hands it to what judges it."""
    return Candidate(name, ground_of, area_m2(ground_of), 0.8, {}, ())


def test_segment__what_a_late_zone_left_of_a_finding__is_that_finding_and_not_a_new_one(found, services, session, work):
    row = session.scalars(select(t.Detection)).one()
    whole = to_shape(row.geom)
    west, _, east, _ = whole.bounds
    # Its eastern part is hidden since, and the engine follows it further to the west.
    left = lead_on(translate(whole, -0.4 * (east - west)))
    figures = overlap(whole, left.geom)
    assert figures.iou < 0.5
    place = SamePlace(least_share=figures.second_share - 0.01, grown_ratio=1.25)
    with work("O1") as unit:
        assert same_finding(unit, row.scene_id, left, place).public_id == row.public_id
        assert same_finding(unit, row.scene_id, left, None) is None
        assert same_finding(unit, row.scene_id, lead_on(left.geom, "building"), place) is None


def test_segment__small_finding_of_old_under_a_large_one__does_not_swallow_it(found, services, session, work):
    row = session.scalars(select(t.Detection)).one()
    west, south, east, north = to_shape(row.geom).bounds
    large = lead_on(box(west - 3 * (east - west), south, east + 3 * (east - west), north))
    with work("O1") as unit:
        assert same_finding(unit, row.scene_id, large, SamePlace(least_share=0.1, grown_ratio=1.25)) is None


def test_segment__permit_in_force__no_detection(services, pair, item, database):
    engine = database.admin_engine()
    with Session(engine) as session:
        session.add(
            t.ContextFeature(
                public_id="CF-P1",
                layer="permits",
                name="Quarry (fictional)",
                kind="quarry",
                number="P-1",
                valid_from=date(2025, 1, 1),
                geom=from_shape(ground(dug=True).to_map(PIT.buffer(4)), srid=4326),
            )
        )
        session.commit()
    engine.dispose()
    outcome = scenes.segment(services, pair[1], before=pair[0])
    assert outcome.detections == ()
    assert "P-1" in outcome.verdicts[0].trace[-1].render("zh")
    assert [permit.place.number for permit in outcome.verdicts[0].permits] == ["P-1"]


def test_segment__later_scene_as_before__refused(services, pair):
    with pytest.raises(RuleViolation) as caught:
        scenes.segment(services, pair[0], before=pair[1])
    assert caught.value.refusals[0].rule == "scene.pair"


def test_segment__unknown_scene__refused(services):
    with pytest.raises(RuleViolation) as caught:
        scenes.segment(services, "SC-NONE")
    assert caught.value.status == 404


def test_GD_36_1__quarantined_scene__is_never_segmented(services, pair, database):
    engine = database.admin_engine()
    with Session(engine) as session:
        session.execute(text("UPDATE core.scene SET quarantine = '[\"GD-36.1\"]'"))
        session.commit()
    engine.dispose()
    with services.session() as session, pytest.raises(RuleViolation) as caught:
        source_of(session, pair[1])
    assert caught.value.refusals[0].rule == "GD-36.1"


# -- what must hold before a detection exists -----------------------------------------------------


@pytest.fixture
def proposing(services, pair, work, monkeypatch):
    """An analysis whose first lead is proposed after something about it was changed."""
    from sensing.pipeline import Bench, analyse, surroundings
    from sensing.segment.spectral import Spectral

    bench = Bench(scenes.shelf_of(services), services.rulebook, Spectral(), services.clock.now())
    with services.session() as session:
        later, earlier = source_of(session, pair[1]), source_of(session, pair[0])
        context = surroundings(session, later)
    analysis = analyse(bench, context, later, earlier, lambda _: None)
    with work() as unit:
        run = record_run(unit, analysis)
        unit.commit()
    lead = next(verdict for verdict in analysis.verdicts if verdict.is_lead)

    def rules() -> set[str]:
        with work() as unit, pytest.raises(RuleViolation) as caught:
            propose(unit, run, lead, 1)
        return {refusal.rule for refusal in caught.value.refusals}

    return rules


def change(database, statement: str) -> None:
    engine = database.admin_engine()
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text(statement))
    engine.dispose()


def test_IR_1__no_item_of_the_public_list__refused(proposing):
    assert proposing() == {"IR-1"}


def test_GD_05_2__unregistered_engine__refused(proposing, item, database):
    change(database, "UPDATE core.segmentation_run SET engine = 'oracle'")
    assert proposing() == {"GD-05.2"}


def test_GD_05_2__unregistered_version__refused(proposing, item, database):
    change(database, "UPDATE core.segmentation_run SET engine_version = '99'")
    assert proposing() == {"GD-05.2"}


def test_GD_36_1__time_of_capture_unknown__refused(proposing, item, database):
    change(database, "UPDATE core.scene SET captured_at = NULL")
    assert proposing() == {"GD-36.1"}


def test_several_faults__all_named(proposing, database):
    change(database, "UPDATE core.segmentation_run SET engine = 'oracle'")
    change(database, "UPDATE core.scene SET captured_at = NULL")
    assert proposing() == {"IR-1", "GD-05.2", "GD-36.1"}


# -- the command line -----------------------------------------------------------------------------


@pytest.fixture
def cli(services):
    state = State("en")
    state._services = services

    def run(*arguments: str):
        return CliRunner().invoke(scene_group, list(arguments), obj=state, catch_exceptions=False)

    return run


def test_cli__ingest_segment_list_evaluate__one_line(cli, tmp_path, item):
    ids = []
    for number, dug in enumerate((False, True)):
        path = ground(dug=dug).satellite(tmp_path / f"{number}.tif", seed=number + 2)
        told = cli("ingest", str(path), "--captured-at", f"2025-06-{1 + 20 * number:02d}T11:00+08:00", "--json")
        assert told.exit_code == 0, told.output
        ids.append(json.loads(told.output)["scene"])
    outcome = json.loads(cli("segment", ids[1], "--before", ids[0], "--json").output)
    assert len(outcome["detections"]) == 1
    assert "excavation" in cli("segment", ids[1], "--before", ids[0]).output
    listed = json.loads(cli("list", "--json").output)
    assert [row["public_id"] for row in listed] == list(reversed(ids))
    assert listed[0]["runs"] == 2
    assert ids[0] in cli("list").output
    pit = ground(dug=True).to_map(PIT)
    truth = tmp_path / "truth.geojson"
    feature = {
        "type": "Feature",
        "geometry": pit.__geo_interface__,
        "properties": {"kind": "excavation", "expect": "finding", "reason": "unlawful"},
    }
    truth.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    compared = json.loads(cli("evaluate", ids[1], "--truth", str(truth), "--json").output)
    assert compared["median_iou"]["excavation"] > 0.6
    assert compared["misses"] == compared["false_alarms"] == []
    assert "1 of 1 found" in cli("evaluate", ids[1], "--truth", str(truth)).output


def test_cli__same_file_again__says_so(cli, tmp_path):
    path = str(ground(dug=False).satellite(tmp_path / "a.tif"))
    assert cli("ingest", path).exit_code == 0
    assert "known already" in cli("ingest", path).output


def test_cli__bands_named__are_taken(cli, tmp_path, session):
    path = str(ground(dug=False).satellite(tmp_path / "a.tif"))
    cli("ingest", path, "--bands", "nir,red,green,other", "--sensor", "aerial")
    copy = session.scalars(select(t.Derivative)).one()
    assert copy.band_roles == ["nir", "red", "green", "other"]


def test_source__roles__are_those_of_the_copy(services, pair):
    with services.session() as session:
        assert isinstance(source_of(session, pair[0]), Source)
        assert [role.value for role in source_of(session, pair[0]).roles] == ["red", "green", "blue", "nir"]
