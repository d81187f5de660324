"""Siting plans from draft to revocation: who drafts, reviews and decides, and what each step asks for."""

from datetime import date, timedelta

import pytest
from shapely.geometry import Point
from sqlalchemy import select

from geo import commands
from geo.commands import studies
from geo.coverage.asked import Asked
from geo.coverage.footprints import Device as View
from geo.coverage.government import government_of, standing_of
from geo.coverage.views import views_of
from geo.types import LonLat
from schemas.refusals import RuleViolation
from schemas.store.work import find
from schemas.tables import (
    Attachment,
    Authority,
    CoverageStudy,
    Device,
    DeviceReview,
    DeviceSite,
    LegalBasis,
    Person,
    PlannedSite,
    RoleAssignment,
    SitingPlan,
    SupervisionItem,
)
from tests.database.acting import PAPER, answered, rules, texts
from tests.world import PA1, World

REASONS = {
    "legal_basis": "Placeholder statute, article 1",
    "publication_plan": "Official platform and public map",
    "technical_rationale": "The outfall is seen from here alone",
    "alternatives": "Patrols by boat were too rare",
    "necessity": "Discharges at night",
}
NEED = {"risk_evidence": "Three findings in 2025", "incidents": "Two", "coverage_gap": "0.4 km²"}
CASE = commands.Case(justification=REASONS, need=NEED)


@pytest.fixture(scope="module")
def database(server, world_template):
    """One database for all tests here: each drafts a plan of its own."""
    name = server.clone(world_template)
    yield server.database(name)
    server.drop(name)


def site(lon=113.263, lat=23.132, **changes):
    fields = {"place": Point(lon, lat), "place_text": "Bridge (fictional)", "device_type": "video"}
    return commands.NewSite(**fields | {"purpose_en": "Outfall", "purpose_zh": "排污口"} | changes)


@pytest.fixture
def drafted(work):
    """The public id of a plan with one site, or with those given."""

    def make(*sites, code="N1", **changes):
        with work(code) as doing:
            fields = {
                "title_en": "Plan (fictional)",
                "title_zh": "方案（虚构）",
                "authority": doing.session.scalars(select(Authority).where(Authority.code == "A1")).one(),
                "item": doing.session.scalars(select(SupervisionItem)).one(),
                "sites": sites or (site(),),
            }
            plan = commands.draft_plan(doing, commands.NewPlan(**fields | changes))
            doing.commit()
            return plan.public_id

    return make


@pytest.fixture
def step(work):
    """`step("H1", plan, commands.submit_plan)` takes a step and commits."""

    def take(code, plan, command, *given, **options):
        with work(code) as doing:
            made = command(doing, doing.get(SitingPlan, plan), *given, **options)
            doing.commit()
            return made

    return take


@pytest.fixture
def refused(work):
    def take(code, plan, command, *given, **options):
        with pytest.raises(RuleViolation) as caught, work(code) as doing:
            command(doing, doing.get(SitingPlan, plan), *given, **options)
        return caught

    return take


def reviewers(doing, legal="L1", technical="T1"):
    people = {p.code: p for p in doing.session.scalars(select(Person).where(Person.code.in_((legal, technical))))}
    return {"legal": people[legal], "technical": people[technical]}


@pytest.fixture
def in_review(drafted, step, work):
    def make(*sites, **changes):
        plan = drafted(*sites, **changes)
        step("N1", plan, commands.justify_plan, CASE)
        with work("N1") as doing:
            commands.start_review(doing, doing.get(SitingPlan, plan), **reviewers(doing))
            doing.commit()
        return plan

    return make


def sites_of(work, plan):
    with work() as doing:
        return [s.public_id for s in doing.get(SitingPlan, plan).sites if s.dropped_in is None]


def review(work, plan, code, kind, name=None, **answers):
    for public_id in [name] if name else sites_of(work, plan):
        with work(code) as doing:
            planned = doing.session.scalars(select(PlannedSite).where(PlannedSite.public_id == public_id)).one()
            pack = doing.pack_for(planned.plan)
            commands.record_review(doing, planned, kind=kind, answers=answered(pack, kind, **answers))
            doing.commit()


@pytest.fixture
def submitted(in_review, step, work):
    def make(*sites, **changes):
        plan = in_review(*sites, **changes)
        review(work, plan, "L1", "legal")
        review(work, plan, "T1", "technical")
        step("H1", plan, commands.submit_plan)
        return plan

    return make


@pytest.fixture
def approved(submitted, step):
    def make(*sites, **options):
        plan = submitted(*sites)
        step("P1", plan, commands.approve_plan, approval_no=f"GD-{plan}", **options)
        return plan

    return make


def state(services, plan):
    with services.session() as session:
        return find(session, SitingPlan, plan).state


def test_GD_09_2__from_draft_to_approval__sites_granted(services, approved, step):
    plan = approved(document=PAPER)
    with services.session() as session:
        made = find(session, SitingPlan, plan)
        assert (made.state, made.approval_no) == ("approved", f"GD-{plan}")
        assert [s.decision for s in made.sites] == ["approved"]
        kept = session.scalars(select(Attachment).where(Attachment.subject_id == made.id)).one()
        assert (kept.sha256, kept.purpose) == (PAPER.sha256, "document")


# -- drafting and justifying --------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["H1", "P1", "F1", "O4"])
def test_draft__without_the_role_in_that_authority__403(drafted, code):
    with pytest.raises(RuleViolation) as caught:
        drafted(code=code)
    assert caught.value.status == 403


def test_draft__no_item_and_a_site_of_others__both_told(drafted):
    with pytest.raises(RuleViolation) as caught:
        drafted(site(114.5, 23.13), item=None)
    assert rules(caught) == {"IR-1"}
    assert texts(caught) == {"site.no_item", "siting.outside"}


def test_GD_09_1__empty_fields__not_justified(drafted, refused):
    caught = refused("N1", drafted(), commands.justify_plan, commands.Case(justification={"necessity": " "}))
    assert rules(caught) == {"GD-09.1", "GD-13.1"}


def test_GD_09_1__fields_of_nothing_that_anybody_sees__not_justified(drafted, refused):
    case = commands.Case(justification=REASONS | {"necessity": "\u200b \u2060"}, need=NEED)
    assert texts(refused("N1", drafted(), commands.justify_plan, case)) == {"siting.not_justified"}


def test_GD_13_1__argument_with_revenue__refused(drafted, refused):
    case = commands.Case(justification=REASONS | {"necessity": "完成罚款指标，增加创收"}, need=NEED)
    caught = refused("N1", drafted(), commands.justify_plan, case)
    assert texts(caught) == {"siting.revenue"}
    assert caught.value.refusals[0].measured == "创收, 罚款指标"


SPACED_OUT = (
    "完成罚 款 指 标",
    "罚\u3000款\n指标",
    "罚\u200b款指标",
    "ＦＩＮＥ ＲＥＶＥＮＵＥ",
    "fine\n  revenue",
    "fine\u00a0revenue",
)


@pytest.mark.parametrize("said", SPACED_OUT)
def test_GD_13_1__argument_with_revenue_spaced_out__refused(drafted, refused, said):
    case = commands.Case(justification=REASONS | {"necessity": said}, need=NEED)
    assert texts(refused("N1", drafted(), commands.justify_plan, case)) == {"siting.revenue"}


def test_GD_13_1__revenue_in_the_answer_about_duplicates__refused(drafted, refused):
    case = commands.Case(justification=REASONS, need=NEED, duplicates_answer="第二台可增加罚没收入")
    assert texts(refused("N1", drafted(), commands.justify_plan, case)) == {"siting.revenue"}


def test_GD_15__site_in_Z1_and_site_in_a_changing_room__not_justified(drafted, refused):
    plan = drafted(site(113.2700, 23.1300), site(place_type="changing_room"))
    caught = refused("N1", plan, commands.justify_plan, CASE)
    assert texts(caught) == {"device.in_zone", "device.private_place_type"}


SEEING = {"sector_azimuth_deg": 90.0, "hfov_deg": 60.0, "range_m": 200.0}


@pytest.fixture
def looking(past_the_judge):
    """DV1 looks east over 220 m."""
    with past_the_judge() as session:
        device = find(session, Device, "DV-DV1")
        device.sector_azimuth_deg, device.hfov_deg, device.range_m = 90.0, 70.0, 220.0
    yield
    with past_the_judge() as session:
        device = find(session, Device, "DV-DV1")
        device.sector_azimuth_deg = device.hfov_deg = device.range_m = None


def test_GD_17__seen_already__answer_needed(drafted, refused, step, looking):
    plan = drafted(site(113.26, 23.13, **SEEING))
    caught = refused("N1", plan, commands.justify_plan, CASE)
    assert texts(caught) == {"siting.duplicate"}
    assert caught.value.refusals[0].params["devices"] == "DV-DV1"
    answer = commands.Case(justification=REASONS, need=NEED, duplicates_answer="DV1 sees nothing at night.")
    step("N1", plan, commands.justify_plan, answer)


def test_GD_17__other_view__no_answer_needed(drafted, step, looking):
    step("N1", drafted(site(113.26, 23.13, **SEEING | {"sector_azimuth_deg": 270.0})), commands.justify_plan, CASE)


def test_GD_17__other_kind_for_another_item__no_answer_needed(drafted, step, looking, past_the_judge):
    plan = drafted(site(113.26, 23.13, **SEEING | {"device_type": "radar"}))
    with past_the_judge() as session:
        served = find(session, Device, "DV-DV1").item_id
        find(session, Device, "DV-DV1").item_id = None
    try:
        step("N1", plan, commands.justify_plan, CASE)
    finally:
        with past_the_judge() as session:
            find(session, Device, "DV-DV1").item_id = served


def test_GD_17__other_kind_for_the_same_item__answer_needed(drafted, refused, looking):
    plan = drafted(site(113.26, 23.13, **SEEING | {"device_type": "radar"}))
    assert texts(refused("N1", plan, commands.justify_plan, CASE)) == {"siting.duplicate"}


# -- reviews ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("named", "told"),
    [({"technical": "L1"}, "siting.no_reviewer"), ({"legal": "O1"}, "siting.no_reviewer")],
)
def test_GD_11_1__reviewers_without_the_role_or_one_for_both__refused(work, drafted, step, named, told):
    plan = drafted()
    step("N1", plan, commands.justify_plan, CASE)
    with pytest.raises(RuleViolation) as caught, work("N1") as doing:
        commands.start_review(doing, doing.get(SitingPlan, plan), **reviewers(doing, **named))
    assert told in texts(caught)


def test_GD_10_3__a_site_without_its_reviews__not_submitted(work, in_review, refused):
    plan = in_review(site(), site(113.264))
    review(work, plan, "L1", "legal")
    caught = refused("H1", plan, commands.submit_plan)
    assert texts(caught) == {"siting.site_unreviewed"}
    assert len(caught.value.refusals) == 2


def test_GD_10_3__failed_item__returned_with_text_and_drafted_anew(work, services, in_review, step, refused):
    plan = in_review(site(), site(113.264, place_text="Weir (fictional)"))
    review(work, plan, "T1", "technical")
    keep, drop = sites_of(work, plan)
    review(work, plan, "L1", "legal", keep)
    assert texts(refused("L1", plan, commands.return_plan, reason="x")) == {"siting.nothing_failed"}
    review(work, plan, "L1", "legal", drop, place_lawful_and_marking_clear=False)
    assert texts(refused("L1", plan, commands.return_plan, reason=" ")) == {"machine.reason"}
    step("L1", plan, commands.return_plan, reason="The weir is on private land.")
    changes = commands.Changes(drop=[drop], add=[site(113.265)], reason="moved to public land")
    step("N1", plan, commands.redraft_plan, changes)
    step("N1", plan, commands.justify_plan, CASE)
    with work("N1") as doing:
        commands.start_review(doing, doing.get(SitingPlan, plan), **reviewers(doing))
        doing.commit()
    # What stays keeps its reviews; only the new site waits for them.
    waiting = refused("H1", plan, commands.submit_plan).value.refusals
    assert [refusal.text for refusal in waiting] == ["siting.site_unreviewed"] * 2
    (_, new) = sites_of(work, plan)
    review(work, plan, "L1", "legal", new)
    review(work, plan, "T1", "technical", new)
    step("H1", plan, commands.submit_plan)
    with services.session() as session:
        made = find(session, SitingPlan, plan)
        assert (made.state, made.plan_version, len(made.sites)) == ("submitted", 2, 3)
        failed = session.scalars(select(DeviceReview).where(DeviceReview.passed.is_(False))).one()
        assert failed.items["texts"] == {"place_lawful_and_marking_clear": "It is not so."}


def refused_review(work, plan, code, kind, **changes):
    (name,) = sites_of(work, plan)
    with pytest.raises(RuleViolation) as caught, work(code) as doing:
        planned = doing.session.scalars(select(PlannedSite).where(PlannedSite.public_id == name)).one()
        good = answered(doing.pack_for(planned.plan), kind)
        fields = {f: getattr(good, f) for f in ("items", "texts", "files", "standards")} | changes
        commands.record_review(doing, planned, kind=kind, answers=commands.Answers(**fields))
    return caught


def test_GD_11_GD_12__answers_that_lack_something__each_rule_told(work, services, in_review):
    plan = in_review()
    assert rules(refused_review(work, plan, "L1", "legal", files={})) == {"GD-11.3"}
    assert rules(refused_review(work, plan, "T1", "technical", files={})) == {"GD-12.2", "GD-12.3"}
    assert rules(refused_review(work, plan, "T1", "technical", standards=["none"])) == {"GD-12.4"}
    yesterday = commands.Institution("Institute (fictional)", "Q-1", services.clock.now().date() - timedelta(days=1))
    assert rules(refused_review(work, plan, "T1", "technical", institution=yesterday)) == {"GD-12.1"}
    with services.session() as session:
        basis = session.scalars(select(LegalBasis)).one()  # a law, but none that lets a device's evidence stand alone
    assert rules(refused_review(work, plan, "L1", "legal", sole_basis=basis)) == {"GD-11.4"}


def test_GD_11_2__no_prohibition_claimed_where_a_zone_lies__refused(work, services, in_review, past_the_judge):
    plan = in_review()
    square = Point(113.263, 23.132).buffer(1e-4, cap_style="square")
    with work("H1") as doing:
        since = doing.now - timedelta(days=1)
        zone = commands.NewZone(kind="requested", name_en="new", name_zh="新", geom=square, valid_from=since)
        made = commands.add_privacy_zone(doing, zone)
        doing.commit()
    try:
        assert rules(refused_review(work, plan, "L1", "legal")) == {"GD-11.2"}
    finally:
        with past_the_judge() as session:
            session.get(type(made), made.id).valid_to = services.clock.now()


def test_GD_11_1__another_reviewer_than_the_named_one__refused(work, services, in_review):
    plan = in_review()
    assert refused_review(work, plan, "T1", "legal").value.status == 403


# -- the decision -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["H1", "N1", "S1"])
def test_GD_09_2__approval_by_the_county__403(submitted, refused, code):
    assert refused(code, submitted(), commands.approve_plan, approval_no="X").value.status == 403


def test_GD_09_2__approver_of_another_field__refused(submitted, refused, past_the_judge):
    plan = submitted()
    with past_the_judge() as session:
        session.scalars(select(Authority).where(Authority.code == "P0")).one().field = "transport"
    try:
        assert texts(refused("P1", plan, commands.approve_plan, approval_no="X")) == {"siting.not_competent"}
    finally:
        with past_the_judge() as session:
            session.scalars(select(Authority).where(Authority.code == "P0")).one().field = "ecology"


def test_GD_09_2__some_sites_granted_and_others_not__with_text(work, services, submitted, step, refused):
    plan = submitted(site(), site(113.264))
    first, second = sites_of(work, plan)
    denied = {first: "x", second: " ", "PS-0": "x"}
    caught = refused("P1", plan, commands.approve_plan, approval_no=" ", rejected=denied)
    assert texts(caught) == {
        "siting.no_number",
        "siting.unknown_site",
        "siting.nothing_granted",
        "siting.rejected_silently",
    }
    step("P1", plan, commands.approve_plan, approval_no="GD-2", rejected={second: "The weir is watched already."})
    with services.session() as session:
        decisions = {s.public_id: s.decision for s in find(session, SitingPlan, plan).sites}
    assert decisions == {first: "approved", second: "rejected"}


def test_GD_09_2__returned_or_rejected_by_the_province__with_reason(services, submitted, step):
    for command, target in ((commands.return_plan, "returned"), (commands.reject_plan, "rejected")):
        plan = submitted()
        step("P1", plan, command, reason="The need is not shown.")
        assert state(services, plan) == target


# -- devices lean on what was granted -----------------------------------------------------------------------


@pytest.fixture
def registered(work):
    def make(name, **changes):
        with work("N1") as doing:
            planned = doing.session.scalars(select(PlannedSite).where(PlannedSite.public_id == name)).one()
            fields = {
                "name": "Camera (fictional)",
                "place": Point(113.263, 23.132),
                "place_text": "Bridge (fictional)",
                "device_type": "video",
                "purpose_en": "Outfall",
                "purpose_zh": "排污口",
                "authority": doing.session.scalars(select(Authority).where(Authority.code == "A1")).one(),
                "item": doing.session.scalars(select(SupervisionItem)).one(),
                "planned_site": planned,
                "quality_certificate_no": "QC-9",
            }
            device = commands.register_device(doing, commands.NewDevice(**fields | changes))
            doing.commit()
            return device.public_id

    return make


def standing(work, device):
    with work() as doing:
        return {r.text for r in doing.check(doing.get(Device, device), ["GD-09.2:site_approved"])}


def test_GD_09_2__device_at_a_granted_site__and_beside_it(work, approved, registered, submitted):
    (granted,) = sites_of(work, approved())
    assert standing(work, registered(granted)) == set()
    assert standing(work, registered(granted, place=Point(113.2632, 23.132))) == {"site.elsewhere"}
    (waiting,) = sites_of(work, submitted())
    assert standing(work, registered(waiting)) == {"site.plan_not_approved"}


def test_GD_09_2__site_that_was_not_granted__refused(work, submitted, step, registered):
    plan = submitted(site(), site(113.264))
    first, second = sites_of(work, plan)
    step("P1", plan, commands.approve_plan, approval_no="GD-3", rejected={first: "Watched already."})
    assert standing(work, registered(first)) == {"site.not_in_plan"}
    assert standing(work, registered(second, place=Point(113.264, 23.132))) == set()


@pytest.fixture
def amended(work, step):
    """The public id of the next version of an approved plan, without some sites, ready for its approver."""

    def make(plan, *dropped):
        with work("N1") as doing:
            changes = commands.Changes(drop=list(dropped), reason="weir removed")
            new = commands.amend_plan(doing, doing.get(SitingPlan, plan), changes).public_id
            doing.commit()
        step("N1", new, commands.justify_plan, CASE)
        with work("N1") as doing:
            commands.start_review(doing, doing.get(SitingPlan, new), **reviewers(doing))
            doing.commit()
        review(work, new, "L1", "legal")
        review(work, new, "T1", "technical")
        step("H1", new, commands.submit_plan)
        return new

    return make


def test_4_2__amended__old_version_in_force_until_the_new_one_is_approved(
    work, services, approved, amended, step, registered
):
    plan = approved(site(), site(113.264))
    kept, dropped = sites_of(work, plan)
    here, there = registered(kept), registered(dropped, place=Point(113.264, 23.132))
    new = amended(plan, dropped)
    assert list(commands.replace_amended_plans(services.work)) == []
    assert standing(work, there) == set()
    step("P1", new, commands.approve_plan, approval_no="GD-4")
    assert list(commands.replace_amended_plans(services.work)) == [f"siting_plan {plan}"]
    assert (standing(work, here), standing(work, there)) == (set(), {"site.plan_not_approved"})
    with services.session() as session:
        device = find(session, Device, here)
        found = session.get(SitingPlan, session.get(DeviceSite, device.site_id).siting_plan_id)
        assert (found.public_id, found.plan_version) == (new, 2)


@pytest.fixture
def counted(services):
    """Whose views a study counts, of some public ids: with its changes, and without."""

    def tell(study, *names):
        with services.session() as session:
            found = find(session, CoverageStudy, study)
            views = views_of(session, found, Asked.of_json(found.question))
            both = ([one.public_id for one in some if one.public_id in names] for some in (views.now, views.before))
            return tuple(sorted(some) for some in both)

    return tell


def studied(work, *devices):
    """The public id of a study of what stands and what is planned around the site, with changes of its own."""
    with work("N1") as doing:
        owner = doing.session.scalars(select(Authority).where(Authority.code == "A1")).one()
        asked = Asked(statuses=("active", "published", "planned"))
        new = studies.NewStudy(title="Sites", authority=owner, ground=PA1, asked=asked, devices=devices)
        study = studies.draft_study(doing, new)
        doing.commit()
        return study.public_id


@pytest.mark.parametrize("change", ["moved", "taken away", "left"])
def test_study__site_that_an_amended_plan_carries_on__counts_once_and_as_the_study_wants_it(
    work, services, approved, amended, step, registered, counted, change
):
    plan = approved(site())
    (first,) = sites_of(work, plan)
    moved = studies.NewDevice(view=View(LonLat(113.264, 23.131), 250.0), device=first, gone=change == "taken away")
    study = studied(work, *(() if change == "left" else (moved,)))
    now = [] if change == "taken away" else [first]
    assert counted(study, first) == (now, [first])
    new = amended(plan)
    (carried,) = sites_of(work, new)
    assert counted(study, first, carried) == (now, [first])
    step("P1", new, commands.approve_plan, approval_no="GD-8")
    assert list(commands.replace_amended_plans(services.work)) == [f"siting_plan {plan}"]
    assert counted(study, first, carried) == ([carried] if change == "left" else now, [carried])
    device = registered(carried)
    assert counted(study, first, carried, device) == ([device], [device])


def test_GD_17__site_that_a_submitted_plan_carries_on__counts_once_in_the_report_of_the_government(
    work, services, approved, amended, step, registered
):
    def told():
        with services.session() as session:
            head = session.scalars(select(Authority).where(Authority.code == "A1")).one()
            found = standing_of(session, government_of(session, head), services.today, past=False)
            return [one.public_id for one in found if one.public_id in names]

    plan = approved(site())
    names = sites_of(work, plan)
    assert told() == names
    new = amended(plan)
    (carried,) = sites_of(work, new)
    names = [*names, carried]
    assert told() == names[:1]
    step("P1", new, commands.approve_plan, approval_no="GD-9")
    assert list(commands.replace_amended_plans(services.work)) == [f"siting_plan {plan}"]
    assert told() == [carried]
    # Who is registered there counts when it is announced, as what it is.
    registered(carried)
    assert told() == []


@pytest.mark.parametrize(
    ("day", "status", "ended"),
    [(None, "active", False), (date(2025, 3, 1), "ended", True), (date(2024, 12, 31), "active", False)],
)
def test_GD_13_3__device_in_use_once_more__counts_as_in_use_and_not_as_new(
    services, past_the_judge, day, status, ended
):
    # In use from March 2024 until January 2025, and again since the end of June.
    began, first, last = date(2025, 6, 30), date(2024, 3, 1), date(2025, 1, 10)
    with past_the_judge() as session:
        device = find(session, Device, "DV-DV1")
        before = device.state, device.activated_on, device.first_used_on, device.discontinued_on
        device.state, device.activated_on, device.first_used_on, device.discontinued_on = "active", began, first, last
    try:
        with services.session() as session:
            head = session.scalars(select(Authority).where(Authority.code == "A1")).one()
            past = day is not None
            found = standing_of(session, government_of(session, head), day or services.today, past=past)
            (told,) = (one for one in found if one.public_id == "DV-DV1")
        assert (told.status, told.ended, told.added) == (status, ended, day == date(2024, 12, 31))
    finally:
        with past_the_judge() as session:
            device = find(session, Device, "DV-DV1")
            device.state, device.activated_on, device.first_used_on, device.discontinued_on = before


def test_study__device_at_a_site_while_the_next_version_of_its_plan_is_drafted__site_counts_no_more(
    work, approved, amended, registered, counted
):
    plan = approved(site())
    (first,) = sites_of(work, plan)
    device = registered(first)
    (carried,) = sites_of(work, amended(plan))
    assert counted(studied(work), first, carried, device) == ([device], [device])


def test_4_2__revoked__devices_in_use_are_stopped(work, services, step):
    with work("H1") as doing:
        commands.activate_device(doing, doing.get(Device, "DV-DV1"))
        doing.commit()
    assert list(commands.block_where_due(services.work)) == []
    step("P1", "SP-1", commands.revoke_plan, reason="The outfall is closed.")
    assert sorted(commands.block_where_due(services.work)) == ["device DV-DR1", "device DV-DV1"]
    with services.session() as session:
        device = find(session, Device, "DV-DV1")
        assert (device.state, device.state_reason.split(":")[0]) == ("blocked", "GD-09.2")


def test_GD_10_3__unit_head_sends_a_plan_under_review_back__with_the_reason(services, in_review, step):
    plan = in_review()
    step("H1", plan, commands.send_back_plan, reason="Two sites too many.")
    with services.session() as session:
        made = find(session, SitingPlan, plan)
        assert (made.state, made.state_reason) == ("returned", "Two sites too many.")


def test_GD_10_3__plan_sent_back_without_a_reason__refused(in_review, refused):
    assert rules(refused("H1", in_review(), commands.send_back_plan, reason="")) == {"state.reason"}


def test_GD_10_3__plan_sent_back_by_a_reviewer__refused(in_review, refused):
    assert refused("L1", in_review(), commands.send_back_plan, reason="no").value.status == 403


def test_GD_09_1__papers_of_the_case__are_kept_with_the_plan(services, drafted, step):
    plan = drafted()
    case = commands.Case(justification=REASONS, need=NEED, files=[PAPER])
    step("N1", plan, commands.justify_plan, case)
    with services.session() as session:
        made = find(session, SitingPlan, plan)
        kept = session.scalars(select(Attachment).where(Attachment.subject_id == made.id)).one()
        assert (kept.sha256, kept.purpose) == (PAPER.sha256, "justification")


# -- who has a hand in it twice, and two at once ---------------------------------------------------------------


@pytest.fixture
def somebody(past_the_judge):
    """`somebody("M1", "A1", "planner", "legal_reviewer")` is a person with these roles in an authority."""

    def make(code, authority, *roles):
        with past_the_judge() as session:
            if session.scalars(select(Person).where(Person.code == code)).first() is not None:
                return code
            world = World(session)
            owner = session.scalars(select(Authority).where(Authority.code == authority)).one()
            made = world.person(code, roles[0], owner)
            for role in roles[1:]:
                fields = {"person_id": made.id, "authority_id": owner.id, "role": role}
                world.add(RoleAssignment, public_id=f"RA-{code}-{role}", valid_from=date(2025, 1, 1), **fields)
        return code

    return make


def test_GD_11_1__who_drafted_it_anew_or_wrote_the_case__reviews_nothing_of_it(work, drafted, step, somebody):
    both = somebody("M1", "A1", "planner", "legal_reviewer")
    plan = drafted()
    step(both, plan, commands.justify_plan, CASE)
    with pytest.raises(RuleViolation) as caught, work("N1") as doing:
        commands.start_review(doing, doing.get(SitingPlan, plan), **reviewers(doing, legal=both))
    assert texts(caught) == {"device.review_own"}


def test_GD_11_1__sites_added_by_the_reviewer_of_before__reviewed_by_somebody_else(work, in_review, step, somebody):
    both = somebody("M1", "A1", "planner", "legal_reviewer")
    plan = in_review()
    step("H1", plan, commands.send_back_plan, reason="One more site.")
    step(both, plan, commands.redraft_plan, commands.Changes(add=[site(113.264)], reason="added"))
    step("N1", plan, commands.justify_plan, CASE)
    with pytest.raises(RuleViolation) as caught, work("N1") as doing:
        commands.start_review(doing, doing.get(SitingPlan, plan), **reviewers(doing, legal=both))
    assert texts(caught) == {"device.review_own"}


def test_GD_10_3__site_that_fails_while_its_plan_is_submitted__no_review_of_what_is_submitted(
    work, services, in_review, step
):
    plan = in_review()
    for code, kind in (("L1", "legal"), ("T1", "technical")):
        review(work, plan, code, kind)
    (name,) = sites_of(work, plan)
    with pytest.raises(RuleViolation) as caught, work("L1") as doing:
        planned = doing.session.scalars(select(PlannedSite).where(PlannedSite.public_id == name)).one()
        assert planned.plan.state == "in_review"
        # The reviewer has the plan open while its head submits it.
        step("H1", plan, commands.submit_plan)
        failed = answered(doing.pack_for(planned.plan), "legal", place_lawful_and_marking_clear=False)
        commands.record_review(doing, planned, kind="legal", answers=failed)
    assert texts(caught) == {"siting.not_in_review"}


def test_4_2__two_amendments_of_one_plan__the_second_is_not_granted(approved, amended, step, work, services, refused):
    plan = approved(site(), site(113.264))
    _kept, dropped = sites_of(work, plan)
    without, everything = amended(plan, dropped), amended(plan)
    step("P1", without, commands.approve_plan, approval_no="GD-5")
    caught = refused("P1", everything, commands.approve_plan, approval_no="GD-6")
    assert (rules(caught), texts(caught)) == ({"GD-09.2"}, {"siting.amended_already"})
    assert list(commands.replace_amended_plans(services.work)) == [f"siting_plan {plan}"]
    assert texts(refused("P1", everything, commands.approve_plan, approval_no="GD-6")) == {"siting.amended_already"}


@pytest.mark.parametrize(
    ("code", "authority", "role"),
    [("S2", "A2", "supervisor"), ("P2", "A1", "provincial_approver")],
)
def test_GD_09_2__approval_taken_back_by_another_county__refused(approved, refused, somebody, code, authority, role):
    caught = refused(somebody(code, authority, role), approved(), commands.revoke_plan, reason="No.")
    assert texts(caught) == {"siting.not_competent"}


@pytest.mark.parametrize(("code", "authority"), [("S1", "A1"), ("S0", "P0")])
def test_GD_04_2__supervisor_of_its_level_or_above__takes_an_approval_back(
    services, approved, step, somebody, code, authority
):
    plan = approved()
    step(somebody(code, authority, "supervisor"), plan, commands.revoke_plan, reason="Unlawful.")
    assert state(services, plan) == "revoked"


@pytest.mark.parametrize("said", ["\u200b", "\ufeff \u2060"])
def test_GD_17__answer_of_nothing_that_anybody_sees__is_none(drafted, refused, looking, said):
    case = commands.Case(justification=REASONS, need=NEED, duplicates_answer=said)
    plan = drafted(site(113.26, 23.13, **SEEING))
    assert texts(refused("N1", plan, commands.justify_plan, case)) == {"siting.duplicate"}


@pytest.mark.parametrize("sites", [[{"purpose_en": "Fine revenue"}], [{"purpose_zh": "创 收"}], []])
def test_GD_13_1__revenue_in_a_purpose_or_a_title__refused(drafted, refused, sites):
    title = {} if sites else {"title_zh": "罚没收入方案"}
    plan = drafted(*(site(**one) for one in sites), **title)
    assert texts(refused("N1", plan, commands.justify_plan, CASE)) == {"siting.revenue"}
