"""Areas in force that change a little without a new notice, and deployment points with their own (GD-16.3)."""

from datetime import date, timedelta

import pytest
from geoalchemy2.shape import to_shape
from shapely.affinity import translate
from shapely.geometry import Point
from sqlalchemy import select

from geo import commands
from schemas.refusals import RuleViolation
from schemas.store.work import find
from schemas.tables import AreaChange, DeploymentPoint, PatrolArea, Publication
from tests.database.acting import rules, texts, witnessed_when_published
from tests.database.patrolling import do, new_area, refused, show
from tests.world import HOME, PA1

SHIFTED = translate(PA1, xoff=0.004)  # overlap 0.82
MOVED = translate(PA1, xoff=0.008)  # overlap 0.67


def draw(work, shape, code="N1"):
    do(work, code, commands.draft_change, PatrolArea, "PA1", shape=shape, reason="the new weir")


def carry(work, clock, *channels):
    for channel in channels:
        receipt = {} if channel == "platform_map" else {"receipt_id": "GD-9", "published_at": clock.now()}
        do(work, "O1", commands.record_change_publication, PatrolArea, "PA1", channel=channel, **receipt)


def change(work, clock, shape):
    draw(work, shape)
    do(work, "H1", commands.approve_change, PatrolArea, "PA1")
    carry(work, clock, "official_disclosure", "platform_map")


def test_GD_16_3__overlap_of_82_per_cent__in_force_without_a_new_notice(work, services, clock):
    change(work, clock, SHIFTED)
    do(work, "H1", commands.apply_change, PatrolArea, "PA1")
    with services.session() as session:
        area = find(session, PatrolArea, "PA1")
        assert (area.state, area.area_version, area.effective_from) == ("effective", 2, date(2025, 7, 1))
        assert to_shape(area.geom).equals(SHIFTED)
        made = session.scalars(select(AreaChange)).one()
        assert (round(made.iou, 2), to_shape(made.earlier_geom).equals(PA1)) == (0.82, True)
        rows = session.scalars(select(Publication).where(Publication.subject_id == area.id)).all()
        assert sorted(row.withdrawn_at is None for row in rows) == [False, False, True, True]


def test_GD_16_3__overlap_of_67_per_cent__another_area(work, clock):
    change(work, clock, MOVED)
    caught = refused(work, "H1", commands.apply_change, PatrolArea, "PA1")
    assert texts(caught) == {"patrol.change_large"}
    assert (caught.value.refusals[0].measured, caught.value.refusals[0].required) == ("0.67", "0.80")


def test_GD_16_3__not_approved_or_shown_on_one_channel_alone__refused(work, clock):
    draw(work, SHIFTED)
    assert rules(refused(work, "H1", commands.apply_change, PatrolArea, "PA1")) == {"GD-16.1", "GD-14.3"}
    with pytest.raises(RuleViolation, match=r"GD-16\.1: "):
        carry(work, clock, "platform_map")
    do(work, "H1", commands.approve_change, PatrolArea, "PA1")
    carry(work, clock, "platform_map")
    assert texts(refused(work, "H1", commands.apply_change, PatrolArea, "PA1")) == {"patrol.change_not_shown"}


@pytest.mark.parametrize("code", ["N1", "O4", "F1"])
def test_GD_16_1__change_approved_by_anybody_but_the_unit_head__403(work, code):
    draw(work, SHIFTED)
    assert refused(work, code, commands.approve_change, PatrolArea, "PA1").value.status == 403


def test_GD_16_5__new_shape_meets_a_zone__refused(work, services, clock):
    square = Point(113.292, 23.13).buffer(2e-4, cap_style="square")
    with work("H1") as doing:
        commands.add_privacy_zone(doing, commands.NewZone(kind="requested", name_en="z", name_zh="区", geom=square))
        doing.commit()
    change(work, clock, SHIFTED)
    assert texts(refused(work, "H1", commands.apply_change, PatrolArea, "PA1")) == {"patrol.change_meets_zone"}


def test_GD_16_3__fifth_change_within_a_year__refused(work, clock):
    for number in range(4):
        change(work, clock, translate(PA1, xoff=0.001 * (number + 1)))
        do(work, "H1", commands.apply_change, PatrolArea, "PA1")
        clock.advance(timedelta(days=30))
    change(work, clock, PA1)
    assert texts(refused(work, "H1", commands.apply_change, PatrolArea, "PA1")) == {"patrol.changed_often"}
    clock.advance(timedelta(days=300))
    change(work, clock, translate(PA1, xoff=0.002))
    do(work, "H1", commands.apply_change, PatrolArea, "PA1")


def test_GD_16_3__drawn_again_while_one_waits__approved_anew(work, clock):
    change(work, clock, SHIFTED)
    draw(work, translate(PA1, xoff=0.003))
    assert rules(refused(work, "H1", commands.apply_change, PatrolArea, "PA1")) == {"GD-16.1", "GD-14.3"}


# -- deployment points --------------------------------------------------------------------------------------


def draft_point(work, place=HOME, code="N1"):
    with work(code) as doing:
        area = new_area(doing.session)
        names = ("name_en", "name_zh", "purpose_en", "purpose_zh", "authority", "item", "siting_plan")
        fields = {name: getattr(area, name) for name in names}
        point = commands.NewPoint(code="DP9", place=place, place_text="Yard (fictional)", **fields)
        commands.draft_point(doing, point)
        doing.commit()


def test_GD_16_3__point__published_and_in_force_after_thirty_days(work, services, clock, past_the_judge):
    draft_point(work)
    do(work, "N1", commands.check, DeploymentPoint, "DP9")
    do(work, "H1", commands.approve, DeploymentPoint, "DP9")
    show(work, clock, DeploymentPoint, "DP9")
    witnessed_when_published(past_the_judge)
    clock.advance(timedelta(days=29))
    caught = refused(work, "SYSTEM", commands.take_effect, DeploymentPoint, "DP9")
    assert (rules(caught), caught.value.refusals[0].earliest) == ({"GD-14.2"}, date(2025, 8, 1))
    clock.advance(timedelta(days=1))
    due = list(commands.take_effect_where_due(services.work, services.engine))
    with services.session() as session:
        point = find(session, DeploymentPoint, "DP9")
        assert (due, point.state) == ([f"deployment_point {point.public_id}"], "effective")
    ended = {"reason": "x", "text_en": "Ended.", "text_zh": "停用。"}
    do(work, "H1", commands.suspend, DeploymentPoint, "DP9", **ended)
    do(work, "H1", commands.retire, DeploymentPoint, "DP9", **ended)


@pytest.mark.parametrize(("place", "rule"), [(Point(113.2700, 23.1300), "GD-15"), (Point(113.40, 23.13), "IR-1")])
def test_GD_15__point_in_a_zone_or_elsewhere__not_checked(work, place, rule):
    draft_point(work, place)
    assert rules(refused(work, "N1", commands.check, DeploymentPoint, "DP9")) == {rule}
