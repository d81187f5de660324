"""Coverage studies: who keeps them, what they refuse, and whose views they look at."""

from __future__ import annotations

import math
from datetime import date

import pytest
import shapely
from shapely.geometry import Point
from sqlalchemy import select, text, update

from geo.commands import studies
from geo.commands.studies import NewDevice, NewStudy
from geo.coverage.asked import Asked
from geo.coverage.footprints import Device as View
from geo.coverage.views import views_of
from geo.types import LonLat
from schemas.actors import HOST
from schemas.refusals import RuleViolation
from schemas.tables import Authority, CoverageStudy, Device, StudyDevice
from tests.database.acting import rules
from tests.world import PA1

AT = LonLat(113.265, 23.13)
SECRET = {
    "secret": True,
    "secret_document": "S-1",
    "secret_authority": "Bureau (fictional)",
    "secret_level": "secret",
    "secret_until": date(2030, 1, 1),
}


@pytest.fixture(scope="module")
def database(server, world_template):
    """One database for all tests here: each drafts a study of its own."""
    name = server.clone(world_template)
    yield server.database(name)
    server.drop(name)


@pytest.fixture
def drafted(work):
    """The public id of a study of PA1 by its planner, with what is given."""

    def make(*devices, code="N1", title="Gaps (fictional)", ground=PA1, authority="A1", **asked):
        with work(code) as doing:
            owner = doing.session.scalars(select(Authority).where(Authority.code == authority)).one()
            new = NewStudy(title=title, authority=owner, ground=ground, asked=Asked(**asked), devices=devices)
            study = studies.draft_study(doing, new)
            doing.commit()
            return study.public_id

    return make


@pytest.fixture
def step(work):
    def take(code, name, command, *given, **options):
        with work(code) as doing:
            study = doing.session.scalars(select(CoverageStudy).where(CoverageStudy.public_id == name)).one()
            made = command(doing, study, *given, **options)
            doing.commit()
            return made

    return take


def study_of(services, name):
    with services.session() as session:
        return session.scalars(select(CoverageStudy).where(CoverageStudy.public_id == name)).one()


def seen_by(services, name):
    with services.session() as session:
        study = session.scalars(select(CoverageStudy).where(CoverageStudy.public_id == name)).one()
        return views_of(session, study, Asked.of_json(study.question))


def test_draft__planner__waits_for_the_worker_and_is_on_the_ledger(services, drafted):
    name = drafted()
    study = study_of(services, name)
    assert (study.stage, study.share, study.result) == ("waiting", 0.0, None)
    with services.session() as session:
        event = text("SELECT action FROM ledger.event WHERE subject_id = :id")
        assert session.scalars(event, {"id": str(study.id)}).all() == ["coverage_study.draft"]


def test_draft__who_plans_for_nobody__refused(drafted, services):
    for code in ("T1", "O4"):
        with pytest.raises(RuleViolation) as caught:
            drafted(code=code)
        assert caught.value.status == 403
    with pytest.raises(RuleViolation, match=r"state\.role: "), services.work(HOST) as doing:
        owner = doing.session.scalars(select(Authority).where(Authority.code == "A1")).one()
        studies.draft_study(doing, NewStudy(title="Mine", authority=owner, ground=PA1))


@pytest.mark.parametrize(
    "ground",
    [
        shapely.Polygon(),
        Point(113.26, 23.13),
        shapely.Polygon([(113.2, 23.1), (113.3, 23.2), (113.3, 23.1), (113.2, 23.2)]),
        shapely.box(170, 20, 190, 30),
    ],
)
def test_draft__ground_that_is_no_area__refused(drafted, ground):
    with pytest.raises(RuleViolation) as caught:
        drafted(ground=ground)
    assert rules(caught) == {"coverage.ground_unusable"}


def test_draft__buildings_where_nothing_hides_anything__refused_and_not_left_out_in_silence(drafted, step):
    with pytest.raises(RuleViolation) as caught:
        drafted(buildings_m=12.0)
    assert [one.text for one in caught.value.refusals] == ["coverage.buildings_flat"]
    name = drafted(buildings_m=12.0, over_terrain=True)
    with pytest.raises(RuleViolation) as caught:
        step("N1", name, studies.change_study, asked=Asked(buildings_m=12.0))
    assert [one.text for one in caught.value.refusals] == ["coverage.buildings_flat"]


def test_draft__all_faults_of_all_devices__told_at_once(drafted):
    faulty = [
        NewDevice(view=View(AT, 0.0)),
        NewDevice(view=View(AT, 100.0, 10.0, 400.0)),
        NewDevice(view=View(AT, 100.0, math.nan, 60.0)),
        NewDevice(view=View(AT, 100.0), device_type="telescope"),
        NewDevice(view=View(AT, 100.0), device="DV-NOBODY"),
    ]
    with pytest.raises(RuleViolation) as caught:
        drafted(*faulty)
    assert rules(caught) == {
        "coverage.range",
        "coverage.view",
        "coverage.azimuth",
        "coverage.word",
        "coverage.device_unknown",
    }


def test_draft__device_named_twice__refused(drafted):
    twice = NewDevice(view=View(AT, 100.0), device="DV-DV1")
    with pytest.raises(RuleViolation) as caught:
        drafted(twice, twice)
    assert rules(caught) == {"coverage.same_device"}


def test_put_devices__another_list__replaces_the_first_and_waits_again(services, drafted, step):
    name = drafted(NewDevice(view=View(AT, 100.0)), NewDevice(view=View(AT, 200.0)))
    step("N1", name, studies.put_devices, [NewDevice(view=View(AT, 300.0, 350.0, 60.0), label="C")])
    with services.session() as session:
        rows = session.scalars(select(StudyDevice).where(StudyDevice.study_id == study_of(services, name).id)).all()
    assert [(row.range_m, row.label) for row in rows] == [(300.0, "C")]
    assert study_of(services, name).stage == "waiting"


def test_change__while_it_is_computed__refused_until_whoever_does_it_is_silent(services, drafted, step):
    name = drafted()
    with services.housekeeping() as session:
        working = update(CoverageStudy).where(CoverageStudy.public_id == name)
        session.execute(working.values(stage="working", beat_at=text("clock_timestamp()")))
    with pytest.raises(RuleViolation) as caught:
        step("N1", name, studies.change_study, title="Other")
    assert rules(caught) == {"coverage.under_way"}
    with services.housekeeping() as session:
        session.execute(working.values(beat_at=text("clock_timestamp() - interval '10 minutes'")))
    step("N1", name, studies.change_study, title="Other")
    assert study_of(services, name).title == "Other"


def test_copy__has_the_same_question_and_devices__and_remove_leaves_it(services, drafted, step):
    name = drafted(NewDevice(view=View(AT, 150.0), label="A"), hour=3)
    copy = step("N1", name, studies.copy_study, "Copy").public_id
    assert study_of(services, copy).based_on_id == study_of(services, name).id
    step("N1", name, studies.remove_study)
    left = study_of(services, copy)
    assert (left.question["hour"], left.based_on_id) == (3, None)
    assert [seer.label for seer in seen_by(services, copy).now if seer.own] == ["A"]


def test_views__by_status__published_counts_where_it_is_asked_for(services, drafted):
    assert "DV-DV1" not in {seer.public_id for seer in seen_by(services, drafted()).now}
    seers = {seer.public_id: seer for seer in seen_by(services, drafted(statuses=("published",))).now}
    assert (seers["DV-DV1"].status, seers["DV-DV1"].item, seers["DV-DV1"].is_assumed) == ("published", "ECO-01", True)


def test_GD_13_2__patrol_route_in_force__is_one_of_those_who_see(services, drafted):
    seers = {seer.public_id: seer for seer in seen_by(services, drafted()).now}
    assert seers["RT-R1"].kind == "patrol_route"
    assert "RT-R2" not in seers
    assert seers["RT-R1"].device.hfov_deg == 70.0
    flown = {seer.public_id for seer in seen_by(services, drafted(hour=3)).now}
    assert "RT-R1" not in flown, "it was never flown at three in the morning"


def test_views__device_that_a_study_moves__counts_once_and_at_its_new_place(services, drafted):
    moved = NewDevice(view=View(AT, 120.0), device="DV-DV1")
    views = seen_by(services, drafted(moved, statuses=("published",)))
    places = [seer.device.at for seer in views.now if seer.public_id == "DV-DV1"]
    assert places == [AT]
    assert [seer.device.at for seer in views.before if seer.public_id == "DV-DV1"] == [LonLat(113.26, 23.13)]
    taken = seen_by(
        services, drafted(NewDevice(view=View(AT, 1.0), device="DV-DV1", gone=True), statuses=("published",))
    )
    assert "DV-DV1" not in {seer.public_id for seer in taken.now}
    assert taken.is_changed


def test_views__own_only__nobody_else_counts(services, drafted):
    views = seen_by(services, drafted(NewDevice(view=View(AT, 100.0)), own_only=True, statuses=("published",)))
    assert [seer.own for seer in views.now] == [True]
    assert views.before == ()


def test_GD_14_6__secret_device__is_in_no_study_of_who_is_not_cleared(services, drafted, step, past_the_judge):
    with past_the_judge() as session:
        session.execute(update(Device).where(Device.public_id == "DV-DV1").values(**SECRET))
    try:
        assert "DV-DV1" not in {seer.public_id for seer in seen_by(services, drafted(statuses=("published",))).now}
        with pytest.raises(RuleViolation) as caught:
            drafted(statuses=("published",), secret=True)
        assert rules(caught) == {"GD-14.6"}
        with pytest.raises(RuleViolation) as caught:
            drafted(NewDevice(view=View(AT, 1.0), device="DV-DV1"))
        assert rules(caught) == {"coverage.device_unknown"}
        closed = drafted(code="O1", statuses=("published",), secret=True)
        assert "DV-DV1" in {seer.public_id for seer in seen_by(services, closed).now}
        with services.session() as session:
            mine = {session.scalar(select(Authority.id).where(Authority.code == "A1"))}
            with pytest.raises(RuleViolation) as caught:
                studies.opened(session, services.actor("N1"), closed, mine)
            assert caught.value.status == 404
            assert studies.opened(session, services.actor("O1"), closed, mine).public_id == closed
    finally:
        with past_the_judge() as session:
            plain = dict.fromkeys(SECRET) | {"secret": False}
            session.execute(update(Device).where(Device.public_id == "DV-DV1").values(**plain))


def test_opened__study_of_another_authority__is_not_there(services, drafted):
    name = drafted()
    with services.session() as session:
        others = {session.scalar(select(Authority.id).where(Authority.code == "A2"))}
        with pytest.raises(RuleViolation) as caught:
            studies.opened(session, services.actor("O4"), name, others)
    assert caught.value.status == 404


def test_views__device_of_another_authority__counts_where_shared_ones_are_asked_for(services, drafted):
    ask = {"code": "O4", "authority": "A2", "statuses": ("published",)}
    assert seen_by(services, drafted(**ask)).now == ()
    assert "DV-DV1" in {seer.public_id for seer in seen_by(services, drafted(**ask, shared=True)).now}
