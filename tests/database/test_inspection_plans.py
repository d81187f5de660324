"""Inspection plans (GD-16.1): drafted by a planner, approved by the unit head, over after their last day."""

from datetime import date, timedelta

import pytest
from sqlalchemy import select

from flights import commands
from schemas import tables as t
from schemas.store.work import find
from tests.database.flying import do, filed, precheck, refused, rules, texts


def drafted(work, **changes):
    with work("N1") as unit:
        session = unit.session
        fields = {
            "number": "IP-2",
            "title_en": "Second plan (fictional)",
            "title_zh": "第二计划（虚构）",
            "authority": session.scalars(select(t.Authority).where(t.Authority.code == "A1")).one(),
            "item": session.scalars(select(t.SupervisionItem)).one(),
            "areas": [find(session, t.PatrolArea, "PA1")],
            "valid_from": date(2025, 7, 1),
            "valid_to": date(2026, 6, 30),
        }
        number = commands.draft_inspection_plan(unit, commands.NewInspectionPlan(**fields | changes)).public_id
        unit.commit()
        return number


def step(work, code, command, number, **options):
    do(work, code, command, number, kind=t.InspectionPlan, **options)


def step_refused(work, code, command, number):
    return refused(work, code, command, number, kind=t.InspectionPlan)


def submitted(work):
    number = drafted(work)
    step(work, "N1", commands.check_inspection_plan, number)
    step(work, "N1", commands.submit_inspection_plan, number)
    return number


def expire(unit, plan):
    unit.apply(plan, "expire")


def test_GD_16_1__unit_head_approves(work, session):
    number = submitted(work)
    step(work, "H1", commands.approve_inspection_plan, number)
    plan = find(session, t.InspectionPlan, number)
    assert plan.state == "approved"
    assert plan.approved_at is not None


def test_GD_16_1__nobody_else_approves(work):
    number = submitted(work)
    for code in ("F1", "O1", "N1"):
        assert step_refused(work, code, commands.approve_inspection_plan, number).status == 403


@pytest.mark.parametrize("valid_to", [date(2026, 7, 1), date(2025, 6, 30)])
def test_GD_16_1__longer_than_a_year_or_backwards__refused(work, valid_to):
    number = drafted(work, valid_to=valid_to)
    assert texts(step_refused(work, "N1", commands.check_inspection_plan, number)) == {"inspection.period"}


def test_GD_31_2__names_no_object__refused(work):
    assert rules(step_refused(work, "N1", commands.check_inspection_plan, drafted(work, areas=[]))) == {"GD-31.2"}


def test_GD_16_1__flight_under_a_plan_that_is_not_approved__fails(work):
    assert precheck(work, filed(work, inspection=submitted(work))) == ["GD-16.1"]


def test_expire__only_after_the_last_day(work, session, clock):
    number = submitted(work)
    step(work, "H1", commands.approve_inspection_plan, number)
    assert texts(step_refused(work, "SYSTEM", expire, number)) == {"inspection.not_over"}
    clock.advance(timedelta(days=365))
    step(work, "SYSTEM", expire, number)
    assert find(session, t.InspectionPlan, number).state == "expired"
