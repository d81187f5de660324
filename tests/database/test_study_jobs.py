"""Studies of coverage from the question to the answer, over the world of the fixtures."""

from __future__ import annotations

import os
import signal
import time

import pytest
import shapely
from shapely.geometry import Point
from sqlalchemy import func, select, text, update

from geo import measure
from geo.commands import studies
from geo.commands.studies import NewDevice, NewStudy
from geo.coverage import jobs
from geo.coverage.asked import Asked
from geo.coverage.footprints import Device as View
from geo.types import LonLat
from schemas.store.jobs import Claim, Interrupted
from schemas.tables import Authority, CoverageStudy, KeptView, StudyShape
from tests.world import PA1, Z1, World, wkb
from web import planning_jobs

AT = LonLat(113.265, 23.13)


@pytest.fixture(scope="module")
def database(server, world_template):
    """One database for all tests here: each answers a study of its own."""
    name = server.clone(world_template)
    yield server.database(name)
    server.drop(name)


@pytest.fixture
def answered(work, services):
    """The study, answered."""

    def make(*devices, ground=PA1, **asked):
        with work("N1") as doing:
            owner = doing.session.scalars(select(Authority).where(Authority.code == "A1")).one()
            new = NewStudy(title="T", authority=owner, ground=ground, asked=Asked(**asked), devices=devices)
            study = studies.draft_study(doing, new)
            doing.commit()
        assert planning_jobs.do_next(services, study_id=study.id) == study.id
        return again(services, study.id)

    return make


def again(services, study_id):
    with services.session() as session:
        return session.get_one(CoverageStudy, study_id)


def shapes_of(services, study, kind, times):
    with services.session() as session:
        of = (StudyShape.study_id == study.id, StudyShape.kind == kind, StudyShape.times == times)
        found = session.scalars(select(func.ST_AsBinary(StudyShape.geom)).where(*of)).all()
    return shapely.union_all(shapely.from_wkb([bytes(one) for one in found]))


def test_study__one_camera__its_area_gap_and_shapes(services, answered):
    study = answered(NewDevice(view=View(AT, 300.0, 90.0, 60.0), label="New"), own_only=True)
    told = study.result
    assert study.stage == "done"
    assert study.share == 1.0
    assert told["ground_m2"] + told["private_m2"] == pytest.approx(measure.area_m2(PA1), rel=1e-6)
    assert told["private_m2"] == pytest.approx(measure.area_m2(Z1), rel=1e-5)
    assert told["seen_m2"][0] == pytest.approx(3.14159 * 300**2 / 6, rel=1e-3)
    assert told["gap_m2"] + told["seen_m2"][0] == pytest.approx(told["ground_m2"])
    assert told["before"] == {"seen_m2": 0.0, "gap_m2": pytest.approx(told["ground_m2"])}
    seen, gap = shapes_of(services, study, "seen", 1), shapes_of(services, study, "gap", 0)
    assert measure.area_m2(seen) == pytest.approx(told["seen_m2"][0], rel=1e-5)
    assert seen.intersection(gap).area == pytest.approx(0, abs=1e-12)
    assert not seen.union(gap).intersects(Z1.buffer(-1e-7))
    assert told["sentences"]["en"][0].startswith("1 device or route sees 0.04")
    assert "1 台设备" in told["sentences"]["zh"][0]


def test_GD_13_2__fixed_and_mobile__merged_and_their_overlap_counted_once(answered):
    # The camera stands below the route, whose strip is 70 m wide on either side.
    beside = NewDevice(view=View(LonLat(113.265, 23.125), 200.0), label="Under the route")
    told = answered(beside).result
    by_kind = {row["kind"]: row["seen_m2"] for row in told["by_kind"]}
    assert by_kind.keys() == {"video", "patrol_route"}
    assert told["seen_m2"][0] + told["seen_m2"][1] == pytest.approx(sum(by_kind.values()), rel=1e-9)
    assert told["seen_m2"][1] > 10_000
    assert told["devices"] == 2


def test_LF_6__device_that_a_study_adds__gap_shrinks_by_what_nobody_saw_of_its_view(answered):
    before = answered().result
    told = answered(NewDevice(view=View(LonLat(113.265, 23.125), 200.0))).result
    assert told["before"]["gap_m2"] == pytest.approx(before["gap_m2"])
    planned = next(row for row in told["by_status"] if row["status"] == "planned")
    assert told["before"]["gap_m2"] - told["gap_m2"] == pytest.approx(planned["adds_m2"])
    assert planned["adds_m2"] < planned["seen_m2"]
    assert any("km²" in said and "Without the changes" in said for said in told["sentences"]["en"])


def test_study__nobody_watches__all_of_it_is_one_gap(answered):
    told = answered(own_only=True).result
    assert told["seen_m2"] == [0.0, 0.0, 0.0]
    assert [gap["area_m2"] for gap in told["gaps"]] == [pytest.approx(told["ground_m2"])]
    assert told["share"] == 0


def test_study__over_terrain_without_a_model__fails_with_the_way_to_one(answered):
    study = answered(over_terrain=True)
    assert study.stage == "failed"
    assert study.result["en"][0]["rule"] == "coverage.no_terrain"
    assert "高程模型" in study.result["zh"][0]["message"]


def test_GD_15__ground_that_zones_cover__fails_with_the_reason(answered):
    study = answered(ground=Z1.buffer(-0.0001))
    assert [one["rule"] for one in study.result["en"]] == ["coverage.no_ground"]


@pytest.mark.usefixtures("ground")
def test_study__over_terrain_twice__no_line_of_sight_is_followed_twice(services, answered):
    camera = NewDevice(view=View(LonLat(113.261, 23.127), 250.0, 10.0, 90.0))
    first = answered(camera, own_only=True, over_terrain=True).result
    with services.session() as session:
        kept = session.scalar(select(func.count()).select_from(KeptView))
    second = answered(camera, own_only=True, over_terrain=True).result
    with services.session() as session:
        assert session.scalar(select(func.count()).select_from(KeptView)) == kept > 0
    assert second["seen_m2"] == first["seen_m2"]


@pytest.mark.usefixtures("ground")
def test_study__camera_outside_the_model__sees_nothing_and_is_told_of(answered):
    off = NewDevice(view=View(LonLat(113.199, 23.13), 3_000.0), label="Off")
    told = answered(off, ground=shapely.box(113.195, 23.12, 113.21, 23.14), own_only=True, over_terrain=True).result
    assert [(one["label"], one["reason"]) for one in told["left_out"]] == [("Off", "no_height")]
    assert any("no height" in said for said in told["sentences"]["en"])


@pytest.mark.usefixtures("ground")
def test_study__surface_model__what_stands_on_the_ground_hides_and_is_told(services, answered, wall):
    camera = NewDevice(view=View(LonLat(113.261, 23.127), 250.0, 90.0, 40.0))
    bare = answered(camera, own_only=True, over_terrain=True).result
    assert not any("surface model" in said for said in bare["sentences"]["en"])
    wall()
    walled = answered(camera, own_only=True, over_terrain=True).result
    assert walled["seen_m2"][0] < 0.6 * bare["seen_m2"][0]
    assert any("by the surface model" in said for said in walled["sentences"]["en"])
    flat = answered(camera, own_only=True).result
    assert not flat["surface"]
    assert flat["seen_m2"][0] >= bare["seen_m2"][0]


def test_LX_12__entity_with_fewer_views_than_required__is_named(services, answered, past_the_judge):
    with past_the_judge() as session:
        world = World(session)
        add_entity(session, world, "E-SEEN", Point(113.2652, 23.1302), 1)
        add_entity(session, world, "E-ONCE", Point(113.2654, 23.1302), 2)
    told = answered(NewDevice(view=View(AT, 100.0)), own_only=True, demand=("area", "entities")).result
    assert [(one["public_id"], one["required"], one["seen"]) for one in told["entities"]] == [("E-ONCE", 2, 1)]
    [entities] = [one for one in told["demand"] if one["kind"] == "entities"]
    assert (entities["total"], entities["seen"]) == (3, 2)


def add_entity(session, world, name, at, count):
    from schemas.tables import RequiredView, SupervisedEntity

    entity = world.add(
        SupervisedEntity,
        public_id=name,
        registration_code=name,
        name=f"{name} (fictional)",
        address="-",
        entity_type="factory",
        geom=wkb(at),
    )
    owner = session.scalars(select(Authority).where(Authority.code == "A1")).one()
    session.add(
        RequiredView(public_id=f"RV-{name}", authority_id=owner.id, entity_id=entity.id, position="outlet", count=count)
    )


def test_study__homes_in_view__told_by_neighbourhood(answered, past_the_judge):
    from schemas.tables import ContextFeature

    homes = shapely.box(113.2645, 23.1295, 113.2655, 23.1305)
    with past_the_judge() as session:
        World(session).add(
            ContextFeature, public_id="CF-H", layer="residential", name="Homes A (fictional)", geom=wkb(homes)
        )
    told = answered(NewDevice(view=View(AT, 30.0)), own_only=True, demand=("population",)).result
    [row] = told["burden"]
    assert (row["place"], row["devices"]) == ("Homes A (fictional)", 1)
    assert row["homes_m2"] == pytest.approx(measure.area_m2(homes), rel=1e-5)
    assert row["seen_homes_m2"] == pytest.approx(3.14159 * 900, rel=1e-3)
    [people] = told["demand"]
    assert people["seen"] == pytest.approx(row["seen_homes_m2"], rel=1e-9)
    assert told["gaps"][0]["weight"] == pytest.approx(row["homes_m2"] - row["seen_homes_m2"], rel=1e-6)


def test_job__stopped_half_way__waits_for_the_next_worker(services, work, answered):
    study = answered(own_only=True)
    with work("N1") as doing:
        studies.recompute(doing, doing.session.get_one(CoverageStudy, study.id))
        doing.commit()

    def stop(_share):
        raise Interrupted

    with pytest.raises(Interrupted):
        planning_jobs.do_next(services, stop, study.id)
    assert again(services, study.id).stage == "waiting"
    assert planning_jobs.do_next(services, study_id=study.id) == study.id
    assert again(services, study.id).stage == "done"


def test_job__worker_killed_while_it_worked__another_takes_it_up_when_it_is_silent(services, work, answered):
    study = answered(own_only=True)
    with work("N1") as doing:
        studies.recompute(doing, doing.session.get_one(CoverageStudy, study.id))
        doing.commit()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        # Connections of the parent are not the child's to use.
        services.engine.dispose(close=False)
        planning_jobs.do_next(services, lambda _: os.write(writer, b".") and time.sleep(60), study.id)
        os._exit(0)
    os.read(reader, 1)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert again(services, study.id).stage == "working"
    assert planning_jobs.do_next(services, study_id=study.id) is None
    with services.housekeeping() as session:
        old = text(f"clock_timestamp() - interval '{jobs.SILENT_S + 1} seconds'")
        session.execute(update(CoverageStudy).where(CoverageStudy.id == study.id).values(beat_at=old))
    assert planning_jobs.do_next(services, study_id=study.id) == study.id
    assert again(services, study.id).stage == "done"


def test_job__study_removed_while_it_is_computed__nothing_is_left(services, work, answered):
    study = answered(own_only=True)
    with services.housekeeping() as session:
        session.execute(
            update(CoverageStudy)
            .where(CoverageStudy.id == study.id)
            .values(stage="working", beat_at=text("clock_timestamp()"), ended_at=None, result=None)
        )
        session.delete(session.get_one(CoverageStudy, study.id))
    jobs.carry_out(planning_jobs.house(services), Claim(study.id, 1), lambda _: None)
    with services.session() as session:
        left = select(func.count()).select_from(StudyShape).where(StudyShape.study_id == study.id)
        assert session.scalar(left) == 0
