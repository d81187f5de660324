"""Patrol areas and routes from draft to publication, on a real database."""

from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest
from shapely.geometry import LineString, Point, box
from sqlalchemy import func, text, update

from geo import commands
from geo.shapes import polygon
from schemas.refusals import RuleViolation
from schemas.store.work import find
from schemas.tables import PatrolArea, PatrolRoute
from tests.database.acting import rules, texts, witnessed_when_published
from tests.database.patrolling import do, draft_area, draft_route, new_area, new_route, refused, show
from tests.world import R1, R2, R3, R4

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.fixture(scope="module")
def database(server, world_template):
    """One database for all tests here: each drafts areas and routes of its own."""
    name = server.clone(world_template)
    yield server.database(name)
    server.drop(name)


@pytest.fixture(autouse=True)
def _codes_are_free_again(past_the_judge):
    yield
    with past_the_judge() as session:
        for kind in (PatrolArea, PatrolRoute):
            used = update(kind).where(kind.code.in_(["PA2", "R9"]))
            session.execute(used.values(code=func.concat(kind.code, "-", kind.id)))


# -- areas ------------------------------------------------------------------------------------------------


def test_GD_16_3__area__drafted_checked_approved_published(work, clock, services):
    draft_area(work)
    do(work, "N1", commands.check, PatrolArea, "PA2")
    do(work, "H1", commands.approve, PatrolArea, "PA2")
    show(work, clock, PatrolArea, "PA2")
    with services.session() as session:
        assert find(session, PatrolArea, "PA2").state == "published"


def test_GD_16_3__area_on_day_29__not_in_effect(work, clock, past_the_judge):
    draft_area(work)
    do(work, "N1", commands.check, PatrolArea, "PA2")
    do(work, "H1", commands.approve, PatrolArea, "PA2")
    show(work, clock, PatrolArea, "PA2")
    witnessed_when_published(past_the_judge)
    clock.advance(timedelta(days=29))
    caught = refused(work, "SYSTEM", commands.take_effect, PatrolArea, "PA2")
    assert (rules(caught), caught.value.refusals[0].earliest) == ({"GD-14.2"}, date(2025, 8, 1))


def test_row_23__an_area_larger_than_the_jurisdiction__409_with_the_part_outside(work):
    draft_area(work, geom=box(113.0, 23.0, 114.0, 24.0))
    caught = refused(work, "N1", commands.check, PatrolArea, "PA2")
    (refusal,) = caught.value.refusals
    assert (caught.value.status, refusal.rule, refusal.text) == (409, "IR-1", "patrol.outside_jurisdiction")
    assert refusal.place["type"] == "Polygon"


def test_area__everything_that_is_missing_is_told_at_once(work):
    draft_area(work, geom=box(113.35, 23.1, 113.37, 23.12), item=None, siting_plan=None)
    caught = refused(work, "N1", commands.check, PatrolArea, "PA2")
    assert texts(caught) == {"patrol.outside_jurisdiction", "site.no_item", "site.plan_not_approved"}


@pytest.mark.parametrize(("low", "high"), [(120.0, 60.0), (60.0, 60.0)])
def test_GD_16_2__a_height_band_that_is_none__refused(work, low, high):
    draft_area(work, alt_min_agl_m=low, alt_max_agl_m=high)
    do(work, "N1", commands.check, PatrolArea, "PA2")
    assert rules(refused(work, "H1", commands.approve, PatrolArea, "PA2")) == {"GD-16.2"}


@pytest.mark.parametrize(("low", "high"), [(-5.0, 60.0), (0.0, float("inf"))])
def test_DC_4__a_height_that_is_none__not_drafted(work, low, high):
    with pytest.raises(RuleViolation) as caught:
        draft_area(work, alt_min_agl_m=low, alt_max_agl_m=high)
    assert rules(caught) == {"DC-4"}


def test_GD_16_1__the_author_does_not_approve(work, services):
    draft_area(work)
    do(work, "N1", commands.check, PatrolArea, "PA2")
    with services.housekeeping() as session:
        area = find(session, PatrolArea, "PA2")
        area.author_id = services.actor("H1").person_id
    assert texts(refused(work, "H1", commands.approve, PatrolArea, "PA2")) == {"site.own_draft"}
    with services.housekeeping() as session:
        find(session, PatrolArea, "PA2").author_id = None
    assert texts(refused(work, "H1", commands.approve, PatrolArea, "PA2")) == {"site.no_author"}


def test_area__a_code_that_is_taken__refused(work):
    with pytest.raises(RuleViolation) as caught, work("N1") as doing:
        commands.draft_area(doing, new_area(doing.session, code="PA1"))
    assert texts(caught) == {"site.code_taken"}


def test_GD_02_1__an_area_that_leaves_the_rules__not_drafted(work):
    with pytest.raises(RuleViolation) as caught, work("N1") as doing:
        commands.draft_area(doing, new_area(doing.session, geom=box(116.5, 23.0, 118.5, 23.2)))
    assert rules(caught) == {"GD-02.1"}


def test_approve__of_a_version_that_changed_meanwhile__refused_as_stale(work):
    draft_area(work)
    do(work, "N1", commands.check, PatrolArea, "PA2")
    caught = refused(work, "H1", commands.approve, PatrolArea, "PA2", seen_version=1)
    assert rules(caught) == {"state.stale"}


def test_GD_16_3__R1__checked_and_approved(work, services):
    draft_route(work, R1)
    do(work, "N1", commands.check, PatrolRoute, "R9")
    do(work, "H1", commands.approve, PatrolRoute, "R9")
    with services.session() as session:
        assert find(session, PatrolRoute, "R9").state == "approved"


@pytest.mark.parametrize(
    ("line", "rule", "text", "measured"),
    [
        (R2, "GD-16.5", "patrol.line_in_zone", "0 m"),
        (R3, "GD-16.5", "patrol.footprint_in_zone", "55 m"),
    ],
)
def test_GD_16_5__R2_and_R3__refused_by_Z1_with_the_place(work, line, rule, text, measured):
    draft_route(work, line)
    (refusal,) = refused(work, "N1", commands.check, PatrolRoute, "R9").value.refusals
    assert (refusal.rule, refusal.text, refusal.measured) == (rule, text, measured)
    assert refusal.required == "70 m"
    assert refusal.place["type"] == "Polygon"


def test_GD_16_5__R3_flown_at_70_metres__clear(work, services):
    draft_route(work, R3, alt_agl_m=70.0)
    do(work, "N1", commands.check, PatrolRoute, "R9")
    with services.session() as session:
        assert find(session, PatrolRoute, "R9").state == "checked"


def test_GD_16_3__R4__line_and_footprint_leave_PA1_by_512_metres(work):
    draft_route(work, R4)
    refusals = refused(work, "N1", commands.check, PatrolRoute, "R9").value.refusals
    assert {r.rule for r in refusals} == {"GD-16.3"}
    measured = {r.text: float(r.measured.split()[0]) for r in refusals}
    assert measured["patrol.line_outside"] == pytest.approx(512, abs=2)
    assert measured["patrol.footprint_outside"] == pytest.approx(582, abs=2)


def test_GD_16_3__line_inside_but_footprint_over_the_edge__refused(work):
    draft_route(work, LineString([(113.26, 23.1205), (113.27, 23.1205)]))
    caught = refused(work, "N1", commands.check, PatrolRoute, "R9")
    assert texts(caught) == {"patrol.footprint_outside"}


def test_GD_16_3__launch_point_outside_the_area__refused(work):
    draft_route(work, R1, home=Point(113.2450, 23.1250))
    assert "patrol.home_outside" in texts(refused(work, "N1", commands.check, PatrolRoute, "R9"))


@pytest.mark.parametrize("alt_agl_m", [59.0, 121.0])
def test_GD_16_2__outside_the_height_band_of_the_area__refused(work, alt_agl_m):
    draft_route(work, LineString([(113.26, 23.125), (113.265, 23.125)]), alt_agl_m=alt_agl_m)
    assert "patrol.height" in texts(refused(work, "N1", commands.check, PatrolRoute, "R9"))


@pytest.mark.parametrize("channel", ["official_disclosure", "platform_map"])
def test_GD_16_3__not_approved_yet__no_channel_takes_it(work, clock, channel):
    draft_area(work)
    proof = {"receipt_id": "GD-7", "published_at": clock.now()} if channel == "official_disclosure" else {}
    for step in (commands.check, commands.approve):
        caught = refused(work, "O1", commands.record_publication, PatrolArea, "PA2", channel=channel, **proof)
        assert texts(caught) == {"notice.not_ready"}
        do(work, "N1" if step is commands.check else "H1", step, PatrolArea, "PA2")
    do(work, "O1", commands.record_publication, PatrolArea, "PA2", channel=channel, **proof)


@pytest.mark.parametrize("change", [{"mission": {}}, {"mission": {"items": []}}, {"mission_digest": "?"}])
def test_DC_2__a_route_without_mission_or_digest__refused(work, change):
    draft_route(work, R1, **change)
    assert rules(refused(work, "N1", commands.check, PatrolRoute, "R9")) == {"DC-2"}


def test_DC_2__the_mission_changed_after_publishing__not_published(work, clock, past_the_judge):
    draft_route(work, R1)
    do(work, "N1", commands.check, PatrolRoute, "R9")
    do(work, "H1", commands.approve, PatrolRoute, "R9")
    official = {"receipt_id": "GD-7", "published_at": clock.now()}
    do(work, "O1", commands.record_publication, PatrolRoute, "R9", channel="official_disclosure", **official)
    do(work, "O1", commands.record_publication, PatrolRoute, "R9", channel="platform_map")
    with past_the_judge() as session:
        find(session, PatrolRoute, "R9").mission_digest = "f" * 64
    caught = refused(work, "O1", commands.publish, PatrolRoute, "R9")
    assert rules(caught) == {"DC-2", "GD-14.2", "GD-14.3", "GD-14.4"}


def test_route__settings_that_routes_do_not_have__a_fault_of_the_caller(work):
    with pytest.raises(TypeError, match="colour"), work("N1") as doing:
        commands.draft_route(doing, new_route(doing.session, R1, settings={"colour": 1.0}))


# -- taking effect ----------------------------------------------------------------------------------------


# -- what the unit head gives back ----------------------------------------------------------------------------


_LATEST_REASON = text("""
    SELECT convert_from(body, 'UTF8')::jsonb ->> 'reason' FROM ledger.event
    WHERE subject_id = :id ORDER BY id DESC LIMIT 1
""")


def _drafted(work, code="N1"):
    draft_area(work)
    do(work, code, commands.check, PatrolArea, "PA2")


def _redraft(session, **changes):
    area = new_area(session)
    fields = {name: getattr(area, name) for name in ("name_en", "name_zh", "purpose_en", "purpose_zh", "geom", "item")}
    return commands.Redraft(**fields | {"siting_plan": area.siting_plan} | changes)


def test_GD_16_1__checked_area_returned__a_draft_again_with_the_reason_on_record(work, services):
    _drafted(work)
    do(work, "H1", commands.return_draft, PatrolArea, "PA2", reason="Leave the school out.")
    with services.session() as session:
        area = find(session, PatrolArea, "PA2")
        said = session.scalar(_LATEST_REASON, {"id": str(area.id)})
    assert (area.state, said) == ("draft", "Leave the school out.")


def test_GD_16_1__area_returned_without_a_reason__refused(work):
    _drafted(work)
    caught = refused(work, "H1", commands.return_draft, PatrolArea, "PA2", reason=" ")
    assert rules(caught) == {"state.reason"}


def test_GD_16_1__area_returned_by_its_planner__refused(work):
    _drafted(work)
    assert refused(work, "N1", commands.return_draft, PatrolArea, "PA2", reason="no").value.status == 403


def test_GD_16_3__area_drafted_anew__another_shape_that_is_checked_again(work, services):
    _drafted(work)
    smaller = box(113.30, 23.12, 113.31, 23.13)
    with work("N1") as doing:
        new = _redraft(doing.session, geom=smaller, alt_min_agl_m=50.0, alt_max_agl_m=90.0)
        commands.redraft(doing, doing.get(PatrolArea, "PA2"), new)
        doing.commit()
    with services.session() as session:
        area = find(session, PatrolArea, "PA2")
        assert (area.state, area.alt_min_agl_m, area.alt_max_agl_m) == ("draft", 50.0, 90.0)
        assert polygon(area.geom).equals(smaller)


def test_GD_16_3__area_drafted_anew_after_approval__refused(work):
    _drafted(work)
    do(work, "H1", commands.approve, PatrolArea, "PA2")
    with pytest.raises(RuleViolation) as caught, work("N1") as doing:
        commands.redraft(doing, doing.get(PatrolArea, "PA2"), _redraft(doing.session))
    assert rules(caught) == {"state.machine"}
