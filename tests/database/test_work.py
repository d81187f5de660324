"""The unit of work: one command, one event; refusals leave theirs; nothing is lost or half done."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from schemas.refusals import Kind, RuleViolation
from schemas.store.work import LedgerDiscipline
from schemas.tables import Device, InspectionPlan


def events(services) -> list[tuple[str, str]]:
    with services.session() as session:
        return session.execute(text("SELECT action, actor FROM ledger.event ORDER BY id")).all()


def cancel(work, reason="no longer needed") -> None:
    plan = work.get(InspectionPlan, "IP-2025-1")
    work.apply(plan, "cancel", reason=reason)


def test_a_command__one_state_one_event(services, work) -> None:
    with work("H1") as unit:
        cancel(unit)
        unit.commit()
    (event,) = events(services)
    assert event[0] == "inspection_plan.cancel"
    assert event[1].startswith("person:")


def test_leaving_without_commit__nothing_happened(services, work) -> None:
    with work("H1") as unit:
        cancel(unit)
    assert events(services) == []
    with work("H1") as unit:
        assert unit.get(InspectionPlan, "IP-2025-1").state == "approved"


def test_a_refused_command__leaves_an_event_that_names_the_rules(services, work) -> None:
    with pytest.raises(RuleViolation, match=r"state\.reason: "), work("H1") as unit:
        cancel(unit, reason=" ")
    with services.session() as session:
        action, body = session.execute(text("SELECT action, convert_from(body, 'UTF8') FROM ledger.event")).one()
    assert action == "refused"
    assert '"state.reason"' in body


def test_no_event__is_a_fault_of_ours(work) -> None:
    with pytest.raises(LedgerDiscipline), work("H1") as unit:
        unit.commit()


def test_two_events__are_a_fault_of_ours(work) -> None:
    with pytest.raises(LedgerDiscipline), work("H1") as unit:
        cancel(unit)
        unit.record("something", "device", unit.get(Device, "DV-DV1").id, {})
        unit.commit()


def test_committed_twice__is_a_fault_of_ours_and_leaves_one_event(services, work) -> None:
    with pytest.raises(LedgerDiscipline), work("H1") as unit:
        cancel(unit)
        unit.commit()
        unit.commit()
    assert len(events(services)) == 1


def test_what_the_database_refuses_at_the_commit__told_as_a_refusal_and_nothing_remains(services, work, admin) -> None:
    """The notice period is judged by the database when the transaction ends, after the guards have passed."""
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.publication SET channel = 'carrier_pigeon' WHERE channel = 'platform_map'")
    with pytest.raises(RuleViolation) as refused, work("H1") as unit:
        device = unit.get(Device, "DV-DV1")
        device.state, device.activated_on = "active", date(2025, 7, 2)
        unit.record("device.activate", "device", device.id, {})
        unit.commit()
    assert [r.rule for r in refused.value.refusals] == ["GD-14.3"]
    assert [action for action, _ in events(services)] == ["refused"]
    with work("H1") as unit:
        assert unit.get(Device, "DV-DV1").state == "published"


def test_what_the_ledger_refuses__is_not_done(services, work) -> None:
    with pytest.raises(IntegrityError, match="ck_event_subject_kind"), work("H1") as unit:
        device = unit.get(Device, "DV-DV1")
        device.name = "renamed"
        unit.record("device.rename", "", device.id, {})
        unit.commit()
    assert events(services) == []
    with work("H1") as unit:
        assert unit.get(Device, "DV-DV1").name == "DV1"


def test_connection_lost_before_the_commit__nothing_happened_and_the_next_command_works(services, work, admin) -> None:
    with pytest.raises(OperationalError, match="terminating connection"), work("H1") as unit:
        cancel(unit)
        unit.session.flush()
        pid = unit.session.scalar(text("SELECT pg_backend_pid()"))
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
        unit.commit()
    with work("H1") as unit:
        cancel(unit)
        unit.commit()
    assert [action for action, _ in events(services)] == ["inspection_plan.cancel"]


def test_what_a_command_set_before_the_transition__is_kept(services, work) -> None:
    with work("H1") as unit:
        plan = unit.get(InspectionPlan, "IP-2025-1")
        plan.title_en = "Set before the transition"
        unit.apply(plan, "cancel", reason="no longer needed")
        unit.commit()
    with work("H1") as unit:
        assert unit.get(InspectionPlan, "IP-2025-1").title_en == "Set before the transition"


def test_two_tabs__the_second_is_told(work) -> None:
    with work("H1") as first:
        cancel(first)
        first.commit()
    with pytest.raises(RuleViolation) as refused, work("H1") as second:
        plan = second.get(InspectionPlan, "IP-2025-1")
        second.apply(plan, "cancel", expected_version=1, reason="again")
    assert refused.value.kind is Kind.CONFLICT
    assert refused.value.refusals[0].rule == "state.stale"


def test_a_subject_changed_while_it_was_looked_at__is_stale(work) -> None:
    with work("H1") as slow:
        plan = slow.get(InspectionPlan, "IP-2025-1")
        slow.session.rollback()
        with work("H1") as fast:
            cancel(fast)
            fast.commit()
        slow.session.expunge_all()
        slow.session.add(plan)
        with pytest.raises(RuleViolation, match=r"state\.stale: "):
            slow.apply(plan, "cancel", expected_version=1, reason="too late")


@pytest.mark.parametrize("name", ["IP-NOWHERE", "", "IP-2025-1\0", "' OR 1=1 --", "x" * 10_000, "核"])
def test_unknown_subject__404(work, name) -> None:
    with pytest.raises(RuleViolation) as refused, work("H1") as unit:
        unit.get(InspectionPlan, name)
    assert refused.value.kind is Kind.NOT_FOUND


def test_a_number_chosen_like_anothers_public_id__hides_nothing(work, admin) -> None:
    public_id, number = admin.execute("SELECT public_id, number FROM core.inspection_plan").fetchone()
    admin.execute(
        "INSERT INTO core.inspection_plan SELECT (jsonb_populate_record(p, jsonb_build_object("
        "'id', gen_random_uuid(), 'public_id', 'IP-OTHER', 'number', p.public_id))).* FROM core.inspection_plan p"
    )
    with work("H1") as unit:
        assert unit.get(InspectionPlan, public_id).number == number
        assert unit.get(InspectionPlan, "IP-OTHER").public_id == "IP-OTHER"


def test_acting_for_somebody__only_on_sample_data(services, admin) -> None:
    admin.execute("DELETE FROM core.installation")
    with pytest.raises(RuleViolation) as refused:
        services.actor("H1")
    assert refused.value.kind is Kind.FORBIDDEN
