"""A detection is decided by a qualified officer, with a reason, on what was seen (GD-30.1)."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import select, text

from schemas import tables as t
from schemas.clock import FixedClock
from schemas.refusals import RuleViolation
from sensing.decisions import assign_detection, confirm_detection, leave_detection_open, reject_detection
from sensing.guards import GUARDS
from tests.conftest import TEN_ON_THE_FIRST_FLYING_DAY
from tests.database.digging import add_item, ingest_pair
from web import scenes


@pytest.fixture(scope="module")
def proposed(server, world_template, tmp_path_factory):
    """A database in which a pit was found, and the public id of the detection."""
    from web.settings import Settings
    from web.wiring import Services

    name = server.clone(world_template)
    folder = tmp_path_factory.mktemp("proposed")
    services = Services(Settings(data_dir=folder), server.database(name), FixedClock(TEN_ON_THE_FIRST_FLYING_DAY))
    add_item(services.database)
    earlier, later = ingest_pair(services, folder)
    (detection,) = scenes.segment(services, later, before=earlier).detections
    services.close()
    yield name, detection
    server.drop(name)


@pytest.fixture
def database(clone, proposed):
    return clone(proposed[0])


@pytest.fixture
def unassigned(proposed):
    return proposed[1]


@pytest.fixture
def detection(unassigned, work):
    """A detection that is assigned to O1."""
    with work() as unit:
        assign_detection(unit, unassigned, "O1")
        unit.commit()
    return unassigned


def change(database, statement: str) -> None:
    engine = database.admin_engine()
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def decide(work, by: str, command, number: str, reason: str, **more):
    with work(by) as unit:
        row = command(unit, number, reason, **more)
        unit.commit()
        return row


def refused(work, by: str, command, number: str, reason: str = "seen", **more) -> tuple[int, set[str]]:
    with pytest.raises(RuleViolation) as caught:
        decide(work, by, command, number, reason, **more)
    return caught.value.status, {refusal.rule for refusal in caught.value.refusals}


@pytest.mark.parametrize(
    ("command", "state"),
    [(confirm_detection, "confirmed"), (reject_detection, "false_alarm"), (leave_detection_open, "inconclusive")],
)
def test_decision__by_a_qualified_officer__state_reason_and_who(work, detection, session, command, state):
    decide(work, "O1", command, detection, " seen on both dates ")
    row = session.scalars(select(t.Detection)).one()
    officer = session.scalars(select(t.Person).where(t.Person.code == "O1")).one()
    assert (row.state, row.reason, row.decided_by) == (state, "seen on both dates", officer.id)
    assert row.decided_at is not None


@pytest.mark.parametrize("command", [confirm_detection, reject_detection, leave_detection_open])
def test_decision__without_a_reason__refused(work, detection, command):
    assert "state.reason" in refused(work, "O1", command, detection, "  ")[1]


def test_GD_30_1__officer_whose_certificate_has_expired__refused(work, detection):
    assert refused(work, "O3", confirm_detection, detection)[1] == {"GD-30.1"}


def test_GD_30_1__officer_of_another_authority__refused(work, detection):
    status, rules = refused(work, "O4", confirm_detection, detection)
    assert status in (403, 404, 409)
    assert rules


@pytest.mark.parametrize("person", ["F1", "C1", "X1"])
def test_decision__by_somebody_who_is_no_officer__refused(work, detection, person):
    assert refused(work, person, confirm_detection, detection)[0] == 403


def test_GD_05_2__the_system_never_decides(work, detection):
    assert refused(work, "SYSTEM", confirm_detection, detection)[0] == 403


def test_decision__on_what_somebody_changed_meanwhile__refused(work, detection):
    assert refused(work, "O1", confirm_detection, detection, seen=1)[1] == {"state.stale"}


def test_decision__twice__refused(work, detection):
    decide(work, "O1", confirm_detection, detection, "seen")
    assert refused(work, "O1", reject_detection, detection)[1] == {"state.machine"}


@pytest.mark.parametrize("nobody", ["O3", "F1", "NOBODY"])
def test_GD_30_1__assigned_to_somebody_unqualified__refused(work, unassigned, nobody):
    with work() as unit, pytest.raises(RuleViolation) as caught:
        assign_detection(unit, unassigned, nobody)
    assert {refusal.rule for refusal in caught.value.refusals} == {"GD-30.1"}


def test_LF_10__item_not_for_off_site_supervision__cannot_be_confirmed(work, detection, database):
    change(database, "UPDATE core.supervision_item SET offsite_allowed = false")
    assert refused(work, "O1", confirm_detection, detection)[1] == {"LF-10"}


def test_guards__later_steps__ask_for_what_the_law_asks(work, detection):
    decide(work, "O1", confirm_detection, detection, "seen")
    with work("O1") as unit:
        row = unit.get(t.Detection, detection)
        wanted = {
            "GD-30.4:notice_or_dissuasion": {"notice": "N-1"},
            "LX-17:deadline_set": {"deadline": date(2025, 7, 20)},
            "LX-17:verified_by_image_or_visit": {"scene": "SC-1"},
            "LX-2:receiving_unit_accepts": {"accepted_by": "A2"},
        }
        for guard, params in wanted.items():
            assert unit.check(row, [guard])
            assert not unit.check(row, [guard], **params)
    assert set(wanted) <= set(GUARDS)
