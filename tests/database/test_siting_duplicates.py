"""GD-17 and GD-15 for sites that a run found: what sees all round, and other kinds of devices for the same item."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import shapely
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from geo import commands
from geo.commands import studies
from geo.commands.siting_runs import Draft, ask_run, draft_from, remove_run
from geo.coverage.asked import Asked
from geo.coverage.footprints import Device as View
from geo.coverage.views import views_of
from geo.siting.asked import SitingAsked
from geo.siting.solve import solve
from geo.types import LonLat
from schemas import tables as t
from schemas.refusals import RuleViolation
from schemas.tables import Authority, CoverageStudy, PlannedSite, SitingPlan, SitingRun, SupervisionItem
from tests.database.acting import rules
from tests.world import World, site_at, wkb
from web import siting_jobs

POLE = shapely.Point(113.2655, 23.1315)
GROUND = shapely.box(113.262, 23.128, 113.269, 23.135)
QUESTION = {"count": 1, "candidates": {"from": ["poles"]}, "view": {"range_m": 60, "hfov_deg": 360}}
WORDS = {"title_en": "Plan (fictional)", "title_zh": "方案（虚构）", "purpose_en": "Outfall", "purpose_zh": "排污口"}


@pytest.fixture(scope="module")
def database(server, world_template):
    """One database for all tests here, with one pole: each test asks on a study of its own."""
    name = server.clone(world_template)
    made = server.database(name)
    engine = made.admin_engine()
    with Session(engine) as session:
        World(session).add(t.BaseFeature, public_id="BF-P1", kind="pole", geom=wkb(POLE))
        session.commit()
    engine.dispose()
    yield made
    server.drop(name)


@pytest.fixture
def asked(work):
    """The public id of a study of the ground around the pole, and the id of a run on it that waits."""

    def make(item=None, **question):
        with work("N1") as doing:
            authority = doing.session.scalars(select(Authority).where(Authority.code == "A1")).one()
            new = studies.NewStudy(title="S", authority=authority, ground=GROUND, asked=Asked(item=item))
            name = studies.draft_study(doing, new).public_id
            doing.commit()
        with work("N1") as doing:
            number = ask_run(doing, study_of(doing.session, name), SitingAsked.of_json(QUESTION | question)).id
            doing.commit()
            return name, number

    return make


@pytest.fixture
def answered(asked, services):
    """The run of a question on the ground around the pole, after it was answered."""

    def make(item=None, **question):
        _, number = asked(item, **question)
        siting_jobs.do_next(services, run_id=number, solver=lambda given, _: solve(given))
        with services.session() as session:
            found = session.get_one(SitingRun, number)
            assert found.stage == "done", found.result
            return found

    return make


def study_of(session, name):
    return session.scalars(select(CoverageStudy).where(CoverageStudy.public_id == name)).one()


@pytest.fixture
def drafted(work):
    """The public id of the plan that was drafted from a run."""

    def make(run):
        with work("N1") as doing:
            item = doing.session.scalars(select(SupervisionItem)).one()
            made = draft_from(doing, doing.session.get_one(SitingRun, run.id), Draft(**WORDS, item=item))
            doing.commit()
            return made.plan.public_id

    return make


@pytest.fixture
def stands(past_the_judge):
    """Sets a device up at the pole that is there until the test ends."""
    made = []

    def make(public_id, **changes):
        with past_the_judge() as session:
            world = World(session)
            plan = session.scalars(select(SitingPlan)).first()
            place = site_at(world, POLE, plan, public_id)
            owner = session.scalars(select(Authority).where(Authority.code == "A1")).one()
            fields = {"device_type": "video", "sector_azimuth_deg": 0.0, "hfov_deg": 360.0, "range_m": 100.0}
            names = {"public_id": public_id, "name": public_id, "platform": "fixed", "category": "fixed"}
            purpose = {"purpose_en": "x", "purpose_zh": "x", "state": "active"}
            world.add(t.Device, authority_id=owner.id, site_id=place.id, **names, **purpose, **fields | changes)
        made.append(public_id)

    yield make
    with past_the_judge() as session:
        session.execute(text("DELETE FROM core.device WHERE public_id = ANY(:names)"), {"names": made})
        places = [f"ST-{name}" for name in made]
        session.execute(text("DELETE FROM core.device_site WHERE public_id = ANY(:names)"), {"names": places})


def justify(work, plan, **more):
    with work("N1") as doing:
        found = doing.get(SitingPlan, plan)
        case = commands.Case(justification=found.justification, need=found.need, **more)
        commands.justify_plan(doing, found, case)
        doing.commit()


def item_id(services):
    with services.session() as session:
        return session.scalars(select(SupervisionItem)).one().id


def test_draft__site_that_sees_all_round__its_view_is_known_to_the_registry(answered, drafted, services):
    plan = drafted(answered())
    with services.session() as session:
        found = session.scalars(select(SitingPlan).where(SitingPlan.public_id == plan)).one()
        assert [(site.sector_azimuth_deg, site.hfov_deg) for site in found.sites] == [(0.0, 360.0)]


def test_GD_17__site_that_sees_all_round__duplicates_have_to_be_answered(answered, drafted, stands, work):
    plan = drafted(answered())
    stands("DV-ROUND", sector_azimuth_deg=None)
    with pytest.raises(RuleViolation) as refused:
        justify(work, plan)
    assert rules(refused) == {"GD-17"}
    justify(work, plan, duplicates_answer="The other one is taken down in May.")


def test_GD_15__zone_made_after_the_run__a_view_all_round_is_refused(answered, drafted, work, past_the_judge):
    plan = drafted(answered())
    bath = shapely.Point(113.2659, 23.1315).buffer(0.0001)
    with past_the_judge() as session:
        names = {"public_id": "PZ-LATE", "name_en": "Bath (fictional)", "name_zh": "浴室（虚构）"}
        since = {"valid_from": datetime(2025, 5, 1, tzinfo=UTC), "source": "legal", "kind": "public_bathhouse"}
        World(session).add(t.PrivacyZone, geom=wkb(bath), **names, **since)
    try:
        with pytest.raises(RuleViolation) as refused:
            justify(work, plan)
        assert "GD-15" in rules(refused)
    finally:
        with past_the_judge() as session:
            session.execute(text("DELETE FROM core.privacy_zone WHERE public_id = 'PZ-LATE'"))


def test_GD_17__another_kind_for_the_same_item__is_a_duplicate(answered, drafted, stands, services, work):
    plan = drafted(answered())
    stands("DV-NOISE", device_type="noise", item_id=item_id(services))
    with pytest.raises(RuleViolation) as refused:
        justify(work, plan)
    assert rules(refused) == {"GD-17"}


def test_GD_17__another_kind_for_another_item__is_none(answered, drafted, stands, work):
    plan = drafted(answered())
    stands("DV-LOOSE", device_type="noise", item_id=None)
    justify(work, plan)


def test_GD_17__study_of_one_item__another_kind_that_serves_it_counts_as_seen(answered, stands, services):
    with services.session() as session:
        code = session.scalars(select(SupervisionItem)).one().code
    before = answered(item=code, candidates={"from": ["grid"], "spacing_m": 150, "apart_m": 0}).result
    stands("DV-SNIFF", device_type="noise", item_id=item_id(services))
    after = answered(item=code, candidates={"from": ["grid"], "spacing_m": 150, "apart_m": 0}).result
    loose = answered(candidates={"from": ["grid"], "spacing_m": 150, "apart_m": 0}).result
    assert after["seen_before"] == pytest.approx(before["seen_before"] + 31_400, rel=0.01)
    assert any(code in said for said in after["sentences"]["en"])
    assert not any(f"item {code}" in said for said in loose["sentences"]["en"])


# -- sites of plans in a study -------------------------------------------------------------------------------


def test_study__site_of_a_plan_moved_and_taken_away__counts_as_it_is_there(answered, drafted, services, work):
    plan = drafted(answered())
    of = Asked(statuses=("active", "planned"))

    def seers(*devices):
        with work("N1") as doing:
            authority = doing.session.scalars(select(Authority).where(Authority.code == "A1")).one()
            new = studies.NewStudy(title="S", authority=authority, ground=GROUND, asked=of, devices=devices)
            study = studies.draft_study(doing, new)
            doing.commit()
            name = study.public_id
        with services.session() as session:
            return views_of(session, study_of(session, name), of)

    with services.session() as session:
        found = session.scalars(select(SitingPlan).where(SitingPlan.public_id == plan)).one()
        site = session.scalars(select(PlannedSite).where(PlannedSite.plan_id == found.id)).one().public_id
    view = View(LonLat(113.264, 23.13), 90.0)
    there = [seer for seer in seers().now if seer.public_id == site]
    moved = [seer for seer in seers(studies.NewDevice(view=view, device=site)).now if seer.public_id == site]
    gone = seers(studies.NewDevice(view=view, device=site, gone=True))
    assert [seer.own for seer in there] == [False]
    assert [(seer.own, seer.device.at, seer.device.range_m) for seer in moved] == [(True, view.at, 90.0)]
    assert site not in {seer.public_id for seer in gone.now}
    assert site in {seer.public_id for seer in gone.before}
    assert gone.is_changed


# -- runs that go away while somebody works on them ----------------------------------------------------------


def test_remove__a_run_that_is_worked_on__refused_in_its_own_words(services, work, asked):
    _, number = asked()
    said = []

    def solver(given, _progress):
        with pytest.raises(RuleViolation) as refused, work("N1") as doing:
            remove_run(doing, doing.session.get_one(SitingRun, number))
        said.extend(rules(refused))
        return solve(given)

    siting_jobs.do_next(services, run_id=number, solver=solver)
    assert said == ["siting.run_under_way"]


def test_run__study_deleted_while_the_solver_works__ends_without_a_trace(services, work, asked):
    name, number = asked()

    def solver(given, _progress):
        with work("N1") as doing:
            studies.remove_study(doing, study_of(doing.session, name))
            doing.commit()
        return solve(given)

    assert siting_jobs.do_next(services, run_id=number, solver=solver) == number
    with services.session() as session:
        assert session.get(SitingRun, number) is None
