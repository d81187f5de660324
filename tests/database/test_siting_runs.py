"""Questions of siting: asked on a study, answered, drafted into a plan that goes the whole way; never about money."""

from __future__ import annotations

import json
import multiprocessing
import time

import numpy as np
import pytest
import shapely
from click.testing import CliRunner
from shapely.geometry import LineString, Point
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from geo import commands
from geo.commands import studies
from geo.commands.siting_runs import (
    Draft,
    ask_again,
    ask_run,
    draft_from,
    opened_run,
    remove_run,
    run_of_plan,
    stop_run,
)
from geo.coverage.asked import Asked
from geo.siting import child
from geo.siting.asked import SitingAsked
from geo.siting.patrols import PatrolInputs, fly
from geo.siting.solve import solve
from schemas import tables as t
from schemas.refusals import RuleViolation
from schemas.store.jobs import Interrupted
from schemas.tables import Authority, Person, PlannedSite, SitingPlan, SitingRun, SupervisionItem
from tests.database.acting import answered, rules, texts
from tests.world import World, site_at, wkb
from web import siting_jobs
from web.cli.common import State
from web.cli.siting import siting
from web.cli.worker import worker

GROUND = shapely.box(113.262, 23.124, 113.276, 23.136)
ROADS = [LineString([(113.26, lat), (113.28, lat)]) for lat in (23.126, 23.1297, 23.134)]
SMALL = {"candidates": {"spacing_m": 250, "apart_m": 60, "directions": 4}, "view": {"range_m": 200, "hfov_deg": 90}}


@pytest.fixture(scope="module")
def database(server, world_template):
    """One database for all tests here, with roads, homes, findings and a camera of another department."""
    name = server.clone(world_template)
    made = server.database(name)
    engine = made.admin_engine()
    with Session(engine) as session:
        furnish(World(session))
        session.commit()
    engine.dispose()
    yield made
    server.drop(name)


def furnish(world):
    for number, road in enumerate(ROADS):
        world.add(
            t.BaseFeature,
            public_id=f"BF-R{number}",
            kind="road",
            name_en=f"Road {number} (fictional)",
            name_zh=f"道路{number}（虚构）",
            geom=wkb(road),
        )
    world.add(t.BaseFeature, public_id="BF-P1", kind="pole", geom=wkb(Point(113.2655, 23.1315)))
    homes = shapely.box(113.262, 23.124, 113.276, 23.1275)
    world.add(t.ContextFeature, public_id="CF-H", layer="residential", name="Homes (fictional)", geom=wkb(homes))
    session = world.session
    a1, other = (session.scalars(select(Authority).where(Authority.code == code)).one() for code in ("A1", "A2"))
    entity = world.add(
        t.SupervisedEntity,
        public_id="SE-1",
        registration_code="91440000SAMPLE",
        name="Works (fictional)",
        address="1 Works Road",
        entity_type="factory",
        geom=wkb(Point(113.2725, 23.1335)),
    )
    session.add(t.RequiredView(public_id="RV-1", authority_id=a1.id, entity_id=entity.id, position="gate", count=2))
    session.execute(text("SET LOCAL session_replication_role = replica"))
    plan = session.scalars(select(SitingPlan)).first()
    site = site_at(world, Point(113.2635, 23.1285), plan, "OTHER")
    world.add(
        t.Device,
        public_id="DV-OTHER",
        name="Theirs (fictional)",
        platform="fixed",
        category="fixed",
        device_type="video",
        purpose_en="Roads",
        purpose_zh="道路",
        authority_id=other.id,
        site_id=site.id,
        state="active",
        sector_azimuth_deg=90.0,
        hfov_deg=90.0,
        range_m=300.0,
    )


@pytest.fixture
def study(work):
    """The public id of a study of the ground."""

    def make(code="N1", ground=GROUND, **asked):
        with work(code) as doing:
            authority = doing.session.scalars(select(Authority).where(Authority.code == "A1")).one()
            new = studies.NewStudy(title="Study (fictional)", authority=authority, ground=ground, asked=Asked(**asked))
            made = studies.draft_study(doing, new)
            doing.commit()
            return made.public_id

    return make


@pytest.fixture
def ask(work, study):
    """The public id of a run of that question, on a study of its own or the one that is named."""

    def make(code="N1", on=None, **question):
        name = on or study()
        with work(code) as doing:
            found = doing.session.scalars(select(t.CoverageStudy).where(t.CoverageStudy.public_id == name)).one()
            run = ask_run(doing, found, SitingAsked.of_json(SMALL | question))
            doing.commit()
            return run.public_id

    return make


def here(given, _progress):
    """Solves in this process: what the other one does is tested once."""
    return fly(given) if isinstance(given, PatrolInputs) else solve(given)


@pytest.fixture
def answer(services):
    """The run after it was answered."""

    def make(name, **options):
        with services.session() as session:
            number = run_of(session, name).id
        siting_jobs.do_next(services, run_id=number, **({"solver": here} | options))
        with services.session() as session:
            return run_of(session, name)

    return make


def run_of(session, name):
    return session.scalars(select(SitingRun).where(SitingRun.public_id == name)).one()


def failed(run):
    assert run.stage == "failed", run.result
    return {refusal["rule"] for refusal in run.result["en"]}


# -- answers -------------------------------------------------------------------------------------------------


def test_run__most_seen__sites_with_their_reasons_in_both_languages(ask, answer):
    run = answer(ask(count=2))
    assert run.stage == "done", run.result
    result = run.result
    new = [site for site in result["sites"] if site["kind"] == "new"]
    assert len(new) == 2
    assert result["proven"]
    assert result["unit"] == "m2"
    assert result["seen_after"] > result["seen_before"]
    for site in new:
        assert shapely.contains_xy(GROUND, *site["at"])
        assert {"GD-13.1", "GD-15", "GD-17", "IR-1"} == {rule["rule"] for rule in site["rules"]}
        assert next(rule for rule in site["rules"] if rule["rule"] == "GD-15")["met"]
        assert len(site["sentences"]["en"]) == len(site["sentences"]["zh"]) >= 3
    assert result["sentences"]["en"]
    assert result["sentences"]["zh"]


def test_GD_17__camera_of_another_department_that_helps__first_and_to_be_asked_for(ask, answer):
    result = answer(ask(count=1)).result
    first = result["sites"][0]
    assert (first["kind"], first["device"]) == ("shared", "DV-OTHER")
    assert first["adds"] > 0
    assert [rule["met"] for rule in first["rules"]] == [True, False]
    assert "Authority A2 (fictional)" in " ".join(first["sentences"]["en"])


def test_run__homes__burden_told_and_bounded(ask, answer):
    run = answer(ask(count=3, most_burden=0))
    assert [site["burden"]["homes_m2"] for site in run.result["sites"] if site["kind"] == "new"] == [0, 0, 0]
    least = answer(ask(model="front", count=2))
    burdens = [point["burden"] for point in least.result["front"]]
    assert burdens == sorted(burdens)
    assert burdens[0] == 0


def test_run__entities__two_views_of_one_that_owes_two(ask, answer):
    result = answer(ask(demand="entities", count=2, view={"range_m": 400, "hfov_deg": 120})).result
    assert (result["unit"], result["total"], result["seen_after"]) == ("views", 2, 2)


def test_run__poles__the_source_of_a_site_is_told(ask, answer):
    result = answer(ask(count=1, candidates={"from": ["poles"]})).result
    (site,) = [site for site in result["sites"] if site["kind"] == "new"]
    assert site["source"] == "poles"
    assert site["at"] == pytest.approx([113.2655, 23.1315], abs=1e-6)


def test_run__patrol_hours__routes_in_force_are_flown(ask, answer):
    result = answer(ask(model="patrol_hours", count=4)).result
    assert {site["device"] for site in result["sites"]} == {"RT-R1"}
    (site,) = result["sites"]
    assert site["flights"] >= 1
    assert site["hours"] <= 4
    assert result["seen_after"] > result["seen_before"]


# -- what has no answer --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "rule"),
    [
        ({"count": 500}, "siting.too_many_sites"),
        ({"demand": "violations"}, "siting.no_demand"),
        ({"model": "least_cost", "share": 1.0, "candidates": {"spacing_m": 250, "apart_m": 300}}, "siting.infeasible"),
        ({"candidates": {"from": ["high_ground"]}}, "siting.no_model"),
        (
            {"model": "nearest", "count": 1, "candidates": {"from": ["grid"], "spacing_m": 40}},
            "siting.too_many_candidates",
        ),
    ],
)
def test_run__without_an_answer__says_why_in_both_languages(ask, answer, question, rule):
    run = answer(ask(**question))
    assert failed(run) == {rule}
    assert run.result["zh"][0]["message"] != run.result["en"][0]["message"]


def test_run__ground_without_roads__nowhere_to_stand(ask, answer, study):
    bare = study(ground=shapely.box(113.30, 23.16, 113.31, 23.17))
    assert failed(answer(ask(on=bare))) == {"siting.no_candidates"}


def test_run__ground_beyond_every_route__no_hour_helps(ask, answer, study):
    bare = study(ground=shapely.box(113.30, 23.16, 113.31, 23.17))
    assert failed(answer(ask(on=bare, model="patrol_hours"))) == {"siting.no_routes"}


# -- money ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["revenue", "fine_income", "penalty_weight"])
def test_GD_13_1__revenue__refused_by_the_database_whoever_writes_it(services, ask, key):
    name = ask()
    with services.session() as session, pytest.raises(IntegrityError) as refused:
        session.execute(
            text(
                "UPDATE core.siting_run SET question = jsonb_build_object(CAST(:key AS text), 1)"
                " WHERE public_id = :name"
            ),
            {"key": key, "name": name},
        )
    assert refused.value.orig.diag.constraint_name == "rule__GD-13.1__siting_run_question"
    assert "rule__GD-13.1__siting_run_question" in str(refused.value.orig)


# -- jobs ----------------------------------------------------------------------------------------------------


def test_run__answered_by_the_worker__in_a_process_of_its_own(services, ask, past_the_judge):
    with past_the_judge() as session:
        session.execute(text("TRUNCATE core.coverage_study CASCADE"))
    name = ask(count=1)
    state = State("en")
    state._services = services
    done = CliRunner().invoke(worker, ["--once"], obj=state)
    assert done.exit_code == 0, done.output
    with services.session() as session:
        run = run_of(session, name)
        assert f"siting run {run.id} ended" in done.output
        assert (run.stage, run.share) == ("done", 1.0)


def test_run__worker_told_to_stop__left_for_the_next_and_done_then(services, ask, answer):
    name = ask(count=1)

    def stop(_share):
        raise Interrupted

    with pytest.raises(Interrupted):
        answer(name, go_on=stop, solver=siting_jobs.solve_apart)
    with services.session() as session:
        assert run_of(session, name).stage == "waiting"
    assert answer(name).stage == "done"


def test_run__worker_that_died__taken_up_again_after_its_silence(services, ask, answer, past_the_judge):
    name = ask(count=1)
    with past_the_judge() as session:
        session.execute(
            text(
                "UPDATE core.siting_run SET stage = 'working', beat_at = now() - interval '5 minutes'"
                " WHERE public_id = :name"
            ),
            {"name": name},
        )
    assert answer(name).stage == "done"


def turned(work, name, step, code="N1"):
    with work(code) as doing:
        step(doing, run_of(doing.session, name))
        doing.commit()


def test_run__stopped_while_the_solver_works__its_process_ends_within_two_seconds_and_it_can_be_asked_again(
    services, work, ask, answer, monkeypatch
):
    name, went, stopped_at = ask(count=1, limit_s=60), [], []
    monkeypatch.setattr(child, "_answer", never_ends)

    def go_on(share):
        # The solver is at work by then: what is read before it is the first fifth.
        if share > 0.2 and not stopped_at:
            went.extend(multiprocessing.active_children())
            turned(work, name, stop_run)
            stopped_at.append(time.monotonic())

    run = answer(name, go_on=go_on, solver=child.solve_apart)
    assert time.monotonic() - stopped_at[0] < 2
    assert [process.is_alive() for process in went] == [False]
    assert failed(run) == {"siting.run_stopped"}
    assert run.result["zh"][0]["message"] != run.result["en"][0]["message"]
    turned(work, name, ask_again)
    assert answer(name).stage == "done"


def never_ends(theirs):
    """In the place of a solver, in its process."""
    theirs.recv()
    time.sleep(600)


def test_run__stopped_while_it_waits__is_not_taken_on(work, ask, answer):
    name = ask(count=1)
    turned(work, name, stop_run)
    assert failed(answer(name)) == {"siting.run_stopped"}


def test_run__over__neither_stopped_nor_asked_again(work, ask, answer):
    name = ask(count=1)
    with pytest.raises(RuleViolation) as refused:
        turned(work, name, ask_again)
    assert rules(refused) == {"siting.run_not_failed"}
    assert answer(name).stage == "done"
    for step, rule in ((stop_run, "siting.run_over"), (ask_again, "siting.run_not_failed")):
        with pytest.raises(RuleViolation) as refused:
            turned(work, name, step)
        assert rules(refused) == {rule}


@pytest.mark.parametrize("step", [stop_run, ask_again])
def test_run__somebody_without_the_role__neither_stops_it_nor_asks_it_again(work, ask, step):
    with pytest.raises(RuleViolation) as refused:
        turned(work, ask(), step, code="H1")
    assert refused.value.status == 403


# -- who may -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["H1", "F1", "O4", "P1"])
def test_ask__without_the_role_in_that_authority__403(ask, study, code):
    name = study()
    with pytest.raises(RuleViolation) as refused:
        ask(code=code, on=name)
    assert refused.value.status == 403


def test_run__of_another_authority__is_not_there(services, ask):
    name = ask()
    with services.session() as session, pytest.raises(RuleViolation) as refused:
        opened_run(session, services.actor("O4"), name, {grant.authority_id for grant in services.actor("O4").grants})
    assert refused.value.status == 404


def test_remove__a_run__gone(services, work, ask):
    name = ask()
    with work("N1") as doing:
        remove_run(doing, run_of(doing.session, name))
        doing.commit()
    with services.session() as session:
        assert session.scalars(select(SitingRun).where(SitingRun.public_id == name)).first() is None


# -- the way to a plan ---------------------------------------------------------------------------------------


@pytest.fixture
def drafted(work):
    """The public id of the plan that was drafted from a run."""

    def make(name, code="N1", point=None):
        with work(code) as doing:
            item = doing.session.scalars(select(SupervisionItem)).one()
            words = {"title_en": "Plan (fictional)", "title_zh": "方案（虚构）"}
            purpose = {"purpose_en": "Outfall", "purpose_zh": "排污口"}
            made = draft_from(doing, run_of(doing.session, name), Draft(**words, **purpose, item=item, point=point))
            doing.commit()
            return made.plan.public_id

    return make


def step(work, code, plan, command, *given, **options):
    with work(code) as doing:
        command(doing, doing.get(SitingPlan, plan), *given, **options)
        doing.commit()


def prepared_case(work, plan, **more):
    with work("N1") as doing:
        found = doing.get(SitingPlan, plan)
        return commands.Case(justification=found.justification, need=found.need, **more)


def test_front__any_answer_of_it__becomes_the_plan_with_a_case_of_its_own(services, ask, answer, drafted):
    name = ask(model="front", count=12)
    result = answer(name).result
    least, most = result["front"][0], result["front"][-1]
    assert least["burden"] < most["burden"]
    assert [site["at"] for site in most["answer"]["sites"]] == [site["at"] for site in result["sites"]]
    assert most["answer"]["seen_after"] == pytest.approx(result["seen_after"])
    new = [site for site in least["answer"]["sites"] if site["kind"] == "new"]
    assert [site["at"] for site in new] == least["sites"]
    assert sum(site["burden"]["homes_m2"] for site in new) == pytest.approx(least["burden"], abs=1)
    plan = drafted(name, point=1)
    with services.session() as session:
        made = session.scalars(select(SitingPlan).where(SitingPlan.public_id == plan)).one()
        assert [site.sector_azimuth_deg for site in made.sites] == [site["sector_azimuth_deg"] for site in new]
        assert least["answer"]["sentences"]["en"][1] in made.justification["technical_rationale"]
        assert least["answer"]["sentences"]["en"][1] not in result["sentences"]["en"]
        assert run_of(session, name).result["drafted_point"] == 1


@pytest.mark.parametrize("point", [0, -1, 99])
def test_front__an_answer_that_is_none__refused(ask, answer, drafted, point):
    name = ask(model="front", count=2)
    answer(name)
    with pytest.raises(RuleViolation) as refused:
        drafted(name, point=point)
    assert rules(refused) == {"siting.run_no_point"}


def test_front__answer_of_which_only_the_places_were_kept__refused(ask, answer, drafted, past_the_judge):
    name = ask(model="front", count=2)
    answer(name)
    with past_the_judge() as session:
        run_of(session, name).result = json.loads(json.dumps(run_of(session, name).result).replace('"answer"', '"x"'))
    with pytest.raises(RuleViolation) as refused:
        drafted(name, point=1)
    assert rules(refused) == {"siting.run_no_point"}


def test_GD_09__run_to_approval__drafted_justified_reviewed_submitted_granted(services, work, ask, answer, drafted):
    name = ask(count=2, candidates={"spacing_m": 250, "apart_m": 400, "directions": 4})
    assert answer(name).stage == "done"
    plan = drafted(name)
    with services.session() as session:
        made = session.scalars(select(SitingPlan).where(SitingPlan.public_id == plan)).one()
        assert made.state == "draft"
        assert set(made.justification) == {
            "legal_basis",
            "publication_plan",
            "technical_rationale",
            "alternatives",
            "necessity",
        }
        assert set(made.need) == {"risk_evidence", "incidents", "coverage_gap"}
        assert "Placeholder statute" in made.justification["legal_basis"]
        assert "占位法律" in made.justification["legal_basis"]
        assert [site.sector_azimuth_deg for site in made.sites] == [
            site["sector_azimuth_deg"] for site in run_of(session, name).result["sites"] if site["kind"] == "new"
        ]
        assert "道路" in made.sites[0].place_text
        assert run_of_plan(session, made).public_id == name
    step(work, "N1", plan, commands.justify_plan, prepared_case(work, plan))
    with work("N1") as doing:
        people = {code: doing.session.scalars(select(Person).where(Person.code == code)).one() for code in ("L1", "T1")}
        commands.start_review(doing, doing.get(SitingPlan, plan), legal=people["L1"], technical=people["T1"])
        doing.commit()
    with services.session() as session:
        made = session.scalars(select(SitingPlan).where(SitingPlan.public_id == plan)).one()
        sites = [site.public_id for site in made.sites]
    for code, kind in (("L1", "legal"), ("T1", "technical")):
        for site in sites:
            with work(code) as doing:
                planned = doing.session.scalars(select(PlannedSite).where(PlannedSite.public_id == site)).one()
                answers = answered(doing.pack_for(planned.plan), kind)
                commands.record_review(doing, planned, kind=kind, answers=answers)
                doing.commit()
    step(work, "H1", plan, commands.submit_plan)
    step(work, "P1", plan, commands.approve_plan, approval_no=f"GD-{plan}")
    with services.session() as session:
        made = session.scalars(select(SitingPlan).where(SitingPlan.public_id == plan)).one()
        assert made.state == "approved"
        assert {site.decision for site in made.sites} == {"approved"}


def test_GD_17__site_that_duplicates_most_of_what_is_seen__not_justified_without_an_answer(
    services, work, ask, answer, drafted, past_the_judge
):
    name = ask(count=1, candidates={"from": ["poles"]}, view={"range_m": 60, "hfov_deg": 40})
    run = answer(name)
    assert run.stage == "done", run.result
    new = [site for site in run.result["sites"] if site["kind"] == "new"]
    # Between the run and the plan somebody sets up a camera that sees all of it.
    with past_the_judge() as session:
        world = World(session)
        site = site_at(world, Point(*new[0]["at"]), session.scalars(select(SitingPlan)).first(), "SAME")
        other = session.scalars(select(Authority).where(Authority.code == "A2")).one()
        world.add(
            t.Device,
            public_id="DV-SAME",
            name="The same view",
            platform="fixed",
            category="fixed",
            device_type="video",
            purpose_en="Roads",
            purpose_zh="道路",
            authority_id=other.id,
            site_id=site.id,
            state="active",
            sector_azimuth_deg=new[0]["sector_azimuth_deg"],
            hfov_deg=80.0,
            range_m=100.0,
        )
    plan = drafted(name)
    with pytest.raises(RuleViolation) as refused:
        step(work, "N1", plan, commands.justify_plan, prepared_case(work, plan))
    assert texts(refused) == {"siting.duplicate"}
    answered_case = prepared_case(work, plan, duplicates_answer="Theirs is switched off at night (fictional).")
    step(work, "N1", plan, commands.justify_plan, answered_case)
    with past_the_judge() as session:
        session.execute(text("DELETE FROM core.device WHERE public_id = 'DV-SAME'"))


def test_draft__twice_or_too_early__refused(work, ask, answer, drafted):
    name = ask(count=1)
    with pytest.raises(RuleViolation) as early:
        drafted(name)
    assert rules(early) == {"siting.run_unready"}
    answer(name)
    drafted(name)
    with pytest.raises(RuleViolation) as twice:
        drafted(name)
    assert rules(twice) == {"siting.run_drafted"}


def test_draft__from_hours_of_patrol__no_sites_to_plan(work, ask, answer, drafted):
    name = ask(model="patrol_hours", count=4)
    answer(name)
    with pytest.raises(RuleViolation) as refused:
        drafted(name)
    assert rules(refused) == {"siting.run_no_sites"}


def test_run__numbers_of_a_result__are_numbers_that_json_holds(ask, answer):
    result = answer(ask(model="nearest", count=2, candidates={"spacing_m": 500})).result
    assert np.isfinite(result["mean_m"])
    assert result["mean_m"] > 0


# -- at the command line -------------------------------------------------------------------------------------


@pytest.fixture
def cli(services):
    def call(*words, lang="en"):
        state = State(lang)
        state._services = services
        return CliRunner().invoke(siting, [*map(str, words)], obj=state)

    return call


ITEM = ("--item", "ECO-01", "--title-en", "Plan (fictional)", "--title-zh", "方案（虚构）")
PURPOSE = ("--purpose-en", "Outfall", "--purpose-zh", "排污口")


def test_siting_ask__without_the_worker__sites_told_and_a_plan_drafted(cli, study, monkeypatch):
    monkeypatch.setattr(siting_jobs.do_next, "__kwdefaults__", {"run_id": None, "solver": here})
    name = study()
    asked = cli("ask", name, "--count", 1, "--spacing-m", 250, "--range-m", 200, "--now", "--as", "N1", "--json")
    assert asked.exit_code == 0, asked.output
    run = json.loads(asked.output)
    assert run["stage"] == "done"
    in_words = cli("result", run["run"], "--as", "N1")
    assert "Of the ground" in in_words.output
    assert "✓ GD-15" in in_words.output
    assert "优先使用现有设备" in cli("result", run["run"], "--as", "N1", lang="zh").output
    plan = cli("plan-from", run["run"], *ITEM, *PURPOSE, "--as", "N1", "--json")
    assert plan.exit_code == 0, plan.output
    assert json.loads(plan.output)["prepared"][0] == "legal_basis"
    listed = cli("runs", name, "--as", "N1")
    assert json.loads(plan.output)["id"] in listed.output


def test_siting_ask__every_part_of_a_question_has_its_option(cli, services, study):
    options = {"--model": "least_cost", "--directions": 3, "--device-type": "radar", "--mast-m": 12.5}
    given = [word for option in options.items() for word in option]
    efforts = ("--effort", "roads=2.5", "--effort", "poles=0.5")
    asked = cli("ask", study(), *given, *efforts, "--as", "N1", "--json")
    assert asked.exit_code == 0, asked.output
    with services.session() as session:
        question = run_of(session, json.loads(asked.output)["id"]).question
    assert question["candidates"]["directions"] == 3
    assert question["candidates"]["effort"] == {"roads": 2.5, "poles": 0.5}
    assert (question["view"]["device_type"], question["view"]["mast_m"]) == ("radar", 12.5)


@pytest.mark.parametrize(
    ("option", "value", "rule"),
    [
        ("--effort", "roads=much", "siting.unreadable"),
        ("--effort", "roads=nan", "siting.number"),
        ("--effort", "moon=1", "siting.word"),
        ("--mast-m", "nan", "siting.number"),
        ("--most-burden", "inf", "siting.number"),
        ("--directions", "0", "siting.number"),
    ],
)
def test_siting_ask__option_with_a_value_that_cannot_be__refused(cli, study, option, value, rule):
    refused = cli("ask", study(), option, value, "--as", "N1")
    assert [refusal.rule for refusal in refused.exception.refusals] == [rule]


def test_siting_stop__then_again__a_run_that_waits_is_ended_and_waits_anew(cli, services, ask):
    name = ask()
    stopped = cli("stop", name, "--as", "N1")
    assert f"{name} is stopped" in stopped.output
    told = cli("result", name, "--as", "N1")
    assert (told.exit_code, "was stopped before it had an answer" in told.output) == (1, True)
    assert "重新等待计算" in cli("again", name, "--as", "N1", lang="zh").output
    with services.session() as session:
        assert run_of(session, name).stage == "waiting"


def test_siting_plan_from__an_answer_of_the_front__told_and_drafted(cli, ask, answer):
    name = ask(model="front", count=12)
    front = answer(name).result["front"]
    whole = cli("result", name, "--as", "N1").output
    assert f"plan-from {name} --point N" in whole
    assert f"  {len(front)}. " in whole
    (site,) = [site for site in front[0]["answer"]["sites"] if site["kind"] == "new"][:1]
    assert f"{site['at'][0]:.5f}, {site['at'][1]:.5f}" in cli("result", name, "--point", 1, "--as", "N1").output
    refused = cli("result", name, "--point", 0, "--as", "N1")
    assert [refusal.rule for refusal in refused.exception.refusals] == ["siting.run_no_point"]
    plan = json.loads(cli("plan-from", name, *ITEM, *PURPOSE, "--point", 1, "--as", "N1", "--json").output)
    assert plan["sites"] == len(front[0]["sites"])


def test_siting_ask__question_without_an_answer__told_and_ended_as_a_refusal(cli, study, monkeypatch):
    monkeypatch.setattr(siting_jobs.do_next, "__kwdefaults__", {"run_id": None, "solver": here})
    told = cli("ask", study(), "--count", 900, "--now", "--as", "N1", "--json")
    assert (told.exit_code, json.loads(told.output)["stage"]) == (1, "failed")
    assert cli("result", json.loads(told.output)["run"], "--as", "N1").exit_code == 1


def test_GD_13_1__siting_ask__file_that_speaks_of_revenue__refused_and_no_option_for_it(cli, study, tmp_path):
    (tmp_path / "asked.json").write_text(json.dumps({"model": "most_seen", "revenue": 1}))
    refused = cli("ask", study(), "--file", tmp_path / "asked.json", "--as", "N1")
    assert [refusal.rule for refusal in refused.exception.refusals] == ["GD-13.1"]
    assert cli("ask", study(), "--revenue", 3, "--as", "N1").exit_code == 2
