"""Patrol areas, routes and zones on a real database."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from shapely.geometry import LineString, Point, Polygon, box
from sqlalchemy import select, text

from geo import commands
from geo.queries import zones_near
from schemas.refusals import RuleViolation
from schemas.store.work import find
from schemas.tables import Authority, PatrolArea, PatrolRoute, PrivacyZone, SitingPlan, SupervisionItem
from tests.missions import compile_fixture_mission
from tests.world import HOME, PA1, R1, R2, R3, R4

SHANGHAI = ZoneInfo("Asia/Shanghai")


def rules(caught):
    return {refusal.rule for refusal in caught.value.refusals}


def texts(caught):
    return {refusal.text for refusal in caught.value.refusals}


def new_area(session, **changes):
    fields = {
        "code": "PA2",
        "name_en": "Area PA2 (fictional)",
        "name_zh": "区域PA2（虚构）",
        "purpose_en": "Patrol",
        "purpose_zh": "巡查",
        "authority": session.scalars(select(Authority).where(Authority.code == "A1")).one(),
        "item": session.scalars(select(SupervisionItem)).one(),
        "siting_plan": session.scalars(select(SitingPlan)).one(),
        "geom": Polygon([(113.30, 23.12), (113.32, 23.12), (113.32, 23.14), (113.30, 23.14)]),
        "alt_min_agl_m": 60.0,
        "alt_max_agl_m": 120.0,
    }
    return commands.NewArea(**fields | changes)


def new_route(session, line, code="R9", home=HOME, **changes):
    mission, digest = compile_fixture_mission(line, home, alt_agl_m=100.0)
    fields = {
        "code": code,
        "name_en": f"Route {code} (fictional)",
        "name_zh": f"路线{code}（虚构）",
        "area": find(session, PatrolArea, "PA1"),
        "line": line,
        "alt_agl_m": 100.0,
        "camera_hfov_deg": 70.0,
        "home": home,
        "home_amsl_m": 12.0,
        "mission": mission,
        "mission_digest": digest,
    }
    return commands.NewRoute(**fields | changes)


@pytest.fixture
def do(work):
    """`do("H1", commands.approve, PatrolArea, "PA2")` does it and commits."""

    def run(code, command, kind, public_id, **options):
        with work(code) as doing:
            command(doing, doing.get(kind, public_id), **options)
            doing.commit()

    return run


@pytest.fixture
def refused(work):
    """The violation with which a command is refused."""

    def run(code, command, kind, public_id, **options):
        with pytest.raises(RuleViolation) as caught, work(code) as doing:
            command(doing, doing.get(kind, public_id), **options)
        return caught

    return run


@pytest.fixture
def draft_area(work):
    def make(**changes):
        with work("N1") as doing:
            commands.draft_area(doing, new_area(doing.session, **changes))
            doing.commit()

    return make


@pytest.fixture
def draft_route(work):
    def make(line, **changes):
        with work("N1") as doing:
            commands.draft_route(doing, new_route(doing.session, line, **changes))
            doing.commit()

    return make


def show(do, clock, kind, code):
    official = {"receipt_id": "GD-7", "published_at": clock.now()}
    do("O1", commands.record_publication, kind, code, channel="official_disclosure", **official)
    do("O1", commands.record_publication, kind, code, channel="platform_map")
    do("O1", commands.publish, kind, code)


# -- areas ------------------------------------------------------------------------------------------------


def test_GD_16_3__area__drafted_checked_approved_published(do, draft_area, clock, services):
    draft_area()
    do("N1", commands.check, PatrolArea, "PA2")
    do("H1", commands.approve, PatrolArea, "PA2")
    show(do, clock, PatrolArea, "PA2")
    with services.session() as session:
        assert find(session, PatrolArea, "PA2").state == "published"


def test_GD_16_3__area_on_day_29__not_in_effect(do, refused, draft_area, clock):
    draft_area()
    do("N1", commands.check, PatrolArea, "PA2")
    do("H1", commands.approve, PatrolArea, "PA2")
    show(do, clock, PatrolArea, "PA2")
    clock.advance(timedelta(days=29))
    caught = refused("SYSTEM", commands.take_effect, PatrolArea, "PA2")
    assert (rules(caught), caught.value.refusals[0].earliest) == ({"GD-14.2"}, date(2025, 8, 1))


def test_row_23__an_area_larger_than_the_jurisdiction__409_with_the_part_outside(refused, draft_area):
    draft_area(geom=box(113.0, 23.0, 114.0, 24.0))
    caught = refused("N1", commands.check, PatrolArea, "PA2")
    (refusal,) = caught.value.refusals
    assert (caught.value.status, refusal.rule, refusal.text) == (409, "IR-1", "patrol.outside_jurisdiction")
    assert refusal.place["type"] == "Polygon"


def test_area__everything_that_is_missing_is_told_at_once(refused, draft_area):
    draft_area(geom=box(113.35, 23.1, 113.37, 23.12), item=None, siting_plan=None)
    caught = refused("N1", commands.check, PatrolArea, "PA2")
    assert texts(caught) == {"patrol.outside_jurisdiction", "site.no_item", "site.plan_not_approved"}


@pytest.mark.parametrize(("low", "high"), [(120.0, 60.0), (-5.0, 60.0), (60.0, 60.0), (0.0, float("inf"))])
def test_GD_16_2__a_height_band_that_is_none__refused(do, refused, draft_area, low, high):
    draft_area(alt_min_agl_m=low, alt_max_agl_m=high)
    do("N1", commands.check, PatrolArea, "PA2")
    assert rules(refused("H1", commands.approve, PatrolArea, "PA2")) == {"GD-16.2"}


def test_GD_16_1__the_author_does_not_approve(do, refused, draft_area, services):
    draft_area()
    do("N1", commands.check, PatrolArea, "PA2")
    with services.housekeeping() as session:
        area = find(session, PatrolArea, "PA2")
        area.author_id = services.actor("H1").person_id
    assert texts(refused("H1", commands.approve, PatrolArea, "PA2")) == {"site.own_draft"}
    with services.housekeeping() as session:
        find(session, PatrolArea, "PA2").author_id = None
    assert texts(refused("H1", commands.approve, PatrolArea, "PA2")) == {"site.no_author"}


def test_area__a_code_that_is_taken__refused(work):
    with pytest.raises(RuleViolation) as caught, work("N1") as doing:
        commands.draft_area(doing, new_area(doing.session, code="PA1"))
    assert texts(caught) == {"site.code_taken"}


def test_GD_02_1__an_area_that_leaves_the_rules__not_drafted(work):
    with pytest.raises(RuleViolation) as caught, work("N1") as doing:
        commands.draft_area(doing, new_area(doing.session, geom=box(116.5, 23.0, 118.5, 23.2)))
    assert rules(caught) == {"GD-02.1"}


def test_approve__of_a_version_that_changed_meanwhile__refused_as_stale(do, refused, draft_area):
    draft_area()
    do("N1", commands.check, PatrolArea, "PA2")
    caught = refused("H1", commands.approve, PatrolArea, "PA2", seen_version=1)
    assert rules(caught) == {"state.stale"}


def test_GD_14_4__suspended__the_old_notice_cannot_be_used_again(do, refused, clock):
    words = {"reason": "works", "text_en": "Suspended.", "text_zh": "暂停。"}
    do("H1", commands.suspend, PatrolArea, "PA1", **words)
    assert rules(refused("O1", commands.publish, PatrolArea, "PA1")) == {"GD-14.2", "GD-14.3"}
    show(do, clock, PatrolArea, "PA1")
    clock.advance(timedelta(days=29))
    assert rules(refused("SYSTEM", commands.take_effect, PatrolArea, "PA1")) == {"GD-14.2"}


def test_GD_14_4__suspended_without_a_word__refused(refused):
    words = {"reason": "works", "text_en": "", "text_zh": ""}
    assert rules(refused("H1", commands.suspend, PatrolArea, "PA1", **words)) == {"GD-14.4"}


# -- routes -----------------------------------------------------------------------------------------------


def test_GD_16_3__R1__checked_and_approved(do, draft_route, services):
    draft_route(R1)
    do("N1", commands.check, PatrolRoute, "R9")
    do("H1", commands.approve, PatrolRoute, "R9")
    with services.session() as session:
        assert find(session, PatrolRoute, "R9").state == "approved"


@pytest.mark.parametrize(
    ("line", "rule", "text", "measured"),
    [
        (R2, "GD-16.5", "patrol.line_in_zone", "0 m"),
        (R3, "GD-16.5", "patrol.footprint_in_zone", "55 m"),
    ],
)
def test_GD_16_5__R2_and_R3__refused_by_Z1_with_the_place(refused, draft_route, line, rule, text, measured):
    draft_route(line)
    (refusal,) = refused("N1", commands.check, PatrolRoute, "R9").value.refusals
    assert (refusal.rule, refusal.text, refusal.measured) == (rule, text, measured)
    assert refusal.required == "70 m"
    assert refusal.place["type"] == "Polygon"


def test_GD_16_5__R3_flown_at_70_metres__clear(do, draft_route, services):
    draft_route(R3, alt_agl_m=70.0)
    do("N1", commands.check, PatrolRoute, "R9")
    with services.session() as session:
        assert find(session, PatrolRoute, "R9").state == "checked"


def test_GD_16_3__R4__line_and_footprint_leave_PA1_by_512_metres(refused, draft_route):
    draft_route(R4)
    refusals = refused("N1", commands.check, PatrolRoute, "R9").value.refusals
    assert {r.rule for r in refusals} == {"GD-16.3"}
    measured = {r.text: float(r.measured.split()[0]) for r in refusals}
    assert measured["patrol.line_outside"] == pytest.approx(512, abs=2)
    assert measured["patrol.footprint_outside"] == pytest.approx(582, abs=2)


def test_GD_16_3__line_inside_but_footprint_over_the_edge__refused(refused, draft_route):
    draft_route(LineString([(113.26, 23.1205), (113.27, 23.1205)]))
    caught = refused("N1", commands.check, PatrolRoute, "R9")
    assert texts(caught) == {"patrol.footprint_outside"}


def test_GD_16_3__launch_point_outside_the_area__refused(refused, draft_route):
    draft_route(R1, home=Point(113.2450, 23.1250))
    assert "patrol.home_outside" in texts(refused("N1", commands.check, PatrolRoute, "R9"))


def test_GD_16_3__the_area_is_no_longer_public__refused(refused, do, draft_route):
    do("H1", commands.suspend, PatrolArea, "PA1", reason="works", text_en="Suspended.", text_zh="暂停。")
    draft_route(R1)
    assert texts(refused("N1", commands.check, PatrolRoute, "R9")) == {"patrol.area_state"}


@pytest.mark.parametrize("alt_agl_m", [59.0, 121.0])
def test_GD_16_2__outside_the_height_band_of_the_area__refused(refused, draft_route, alt_agl_m):
    draft_route(LineString([(113.26, 23.125), (113.265, 23.125)]), alt_agl_m=alt_agl_m)
    assert "patrol.height" in texts(refused("N1", commands.check, PatrolRoute, "R9"))


@pytest.mark.parametrize("change", [{"mission": {}}, {"mission": {"items": []}}, {"mission_digest": "?"}])
def test_DC_2__a_route_without_mission_or_digest__refused(refused, draft_route, change):
    draft_route(R1, **change)
    assert rules(refused("N1", commands.check, PatrolRoute, "R9")) == {"DC-2"}


def test_DC_2__the_mission_changed_after_publishing__not_published(do, refused, draft_route, clock, services):
    draft_route(R1)
    do("N1", commands.check, PatrolRoute, "R9")
    do("H1", commands.approve, PatrolRoute, "R9")
    official = {"receipt_id": "GD-7", "published_at": clock.now()}
    do("O1", commands.record_publication, PatrolRoute, "R9", channel="official_disclosure", **official)
    do("O1", commands.record_publication, PatrolRoute, "R9", channel="platform_map")
    with services.housekeeping() as session:
        find(session, PatrolRoute, "R9").mission_digest = "f" * 64
    caught = refused("O1", commands.publish, PatrolRoute, "R9")
    assert rules(caught) == {"DC-2", "GD-14.2", "GD-14.3", "GD-14.4"}


def test_route__settings_that_routes_do_not_have__a_fault_of_the_caller(work):
    with pytest.raises(TypeError, match="colour"), work("N1") as doing:
        commands.draft_route(doing, new_route(doing.session, R1, settings={"colour": 1.0}))


# -- taking effect ----------------------------------------------------------------------------------------


def test_take_effect_where_due__nothing_is_due__nothing_happens_and_nothing_is_recorded(services, session):
    before = session.scalar(text("SELECT count(*) FROM ledger.event"))
    assert list(commands.take_effect_where_due(services.work, services.engine)) == []
    assert session.scalar(text("SELECT count(*) FROM ledger.event")) == before


def test_take_effect_where_due__area_first_then_its_route(services, admin, clock):
    admin.execute("UPDATE core.patrol_area SET state = 'published', effective_from = NULL WHERE code = 'PA1'")
    admin.execute("UPDATE core.patrol_route SET state = 'published', effective_from = NULL WHERE code = 'R1'")
    made = list(commands.take_effect_where_due(services.work, services.engine))
    assert made == ["patrol_area PA-PA1", "route RT-R1"]
    with services.session() as session:
        assert find(session, PatrolArea, "PA1").effective_from == date(2025, 7, 2)
    clock.at = datetime(2025, 7, 3, tzinfo=UTC)
    assert list(commands.take_effect_where_due(services.work, services.engine)) == []


def test_take_effect_where_due__a_day_early__nothing(services, admin, clock):
    admin.execute("UPDATE core.patrol_area SET state = 'published', effective_from = NULL WHERE code = 'PA1'")
    clock.at = datetime(2025, 6, 30, 23, 59, tzinfo=SHANGHAI)
    assert list(commands.take_effect_where_due(services.work, services.engine)) == []


# -- zones ------------------------------------------------------------------------------------------------


def new_zone(**changes):
    fields = {
        "kind": "dormitory",
        "name_en": "Dormitory (fictional)",
        "name_zh": "宿舍（虚构）",
        "geom": box(113.2640, 23.1245, 113.2645, 23.1249),
    }
    return commands.NewZone(**fields | changes)


def test_GD_15__a_zone_added_today__stops_a_route_the_same_day(work, refused, draft_route):
    draft_route(R1)
    with work("H1") as doing:
        commands.add_privacy_zone(doing, new_zone())
        doing.commit()
    assert rules(refused("N1", commands.check, PatrolRoute, "R9")) == {"GD-16.5"}


@pytest.mark.parametrize("code", ["O1", "F1", "N1", "SYSTEM"])
def test_GD_15__a_zone__decided_by_a_unit_head_only(work, code):
    with pytest.raises(RuleViolation) as caught, work(code) as doing:
        commands.add_privacy_zone(doing, new_zone())
    assert caught.value.status == 403


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"exact_geom": box(113.0, 23.0, 113.1, 23.1)}, "zone.exact_outside"),
        ({"buffer_m": -1.0}, "zone.buffer"),
        ({"buffer_m": float("nan")}, "zone.buffer"),
        ({"buffer_m": 1001.0}, "zone.buffer"),
        ({"valid_to": datetime(2025, 7, 2, 1, 0, tzinfo=UTC)}, "zone.period"),
        ({"source": "rumour"}, "site.word"),
    ],
)
def test_GD_15__a_zone_that_contradicts_itself__422(work, change, text):
    with pytest.raises(RuleViolation) as caught, work("H1") as doing:
        commands.add_privacy_zone(doing, new_zone(**change))
    assert (caught.value.status, texts(caught)) == (422, {text})


def test_zones_near__finds_what_could_be_touched_and_nothing_far(work, services, clock):
    with work("H1") as doing:
        commands.add_privacy_zone(doing, new_zone(buffer_m=500.0, valid_from=clock.now() + timedelta(days=1)))
        doing.commit()
    with services.session() as session:
        now, tomorrow = clock.now(), clock.now() + timedelta(days=1)
        assert [z.public_id for z in zones_near(session, R2, now)] == ["PZ-Z1"]
        assert zones_near(session, Point(113.0, 23.0), now) == ()
        south = LineString([(113.255, 23.121), (113.285, 23.121)])
        (coming,) = zones_near(session, south, now, tomorrow)
        assert coming.buffer_m == 500.0
        assert zones_near(session, south, now) == ()
        assert len(zones_near(session, R1, tomorrow)) == 2


def test_sensitive_zone__the_exact_shape_is_read_for_the_check(work, services, clock):
    displayed, exact = box(113.26, 23.124, 113.266, 23.13), box(113.2601, 23.1245, 113.2603, 23.1247)
    with work("H1") as doing:
        commands.add_privacy_zone(doing, new_zone(geom=displayed, exact_geom=exact))
        doing.commit()
    with services.session() as session:
        (zone,) = zones_near(session, R1, clock.now())
        assert session.scalars(select(PrivacyZone.sensitive).where(PrivacyZone.id == zone.id)).one()
    assert zone.exact_geom.equals(exact)
    assert zone.checked.equals(displayed)


def test_world__PA1_is_what_the_requirements_say(services):
    with services.session() as session:
        assert find(session, PatrolArea, "PA1").state == "effective"
    assert PA1.contains(R1)
