"""Several findings of the queue at once: each a decision of its own, each refusal told with its finding (GD-30.1)."""

from __future__ import annotations

import html

import pytest
from sqlalchemy import select, text

from schemas import tables as t
from tests.web.conftest import HTML, SAME_ORIGIN
from tests.web.findings import make_findings

JSON = {"Accept": "application/json", **SAME_ORIGIN}
PAGE = {**HTML, **SAME_ORIGIN}


@pytest.fixture
def beginning(pictured):
    return pictured


@pytest.fixture
def findings(services, tmp_path):
    return make_findings(services, tmp_path, count=3)


@pytest.fixture
def send(signed_in):
    def go(*findings, who="O1", headers=JSON, **fields):
        return signed_in(who).post("/review", data={"finding": list(findings)} | fields, headers=headers)

    return go


@pytest.fixture
def states(services):
    def ask():
        with services.session() as db:
            return dict(db.execute(select(t.Detection.public_id, t.Detection.state)).all())

    return ask


def events(services, action):
    with services.session() as db:
        counted = text("SELECT count(*) FROM ledger.event WHERE action = :action")
        return db.execute(counted, {"action": action}).scalar_one()


def test_GD_30_1__several_rejected__an_event_a_decision_and_a_hard_negative_for_each(services, send, findings, states):
    first, second, third = findings
    answer = send(f"{first}@1", f"{second}@1", decision="reject", code="ploughed_field")
    assert (answer.status_code, answer.json) == (200, {"done": [first, second], "refused": {}})
    assert states() == {first: "false_alarm", second: "false_alarm", third: "assigned"}
    assert events(services, "detection.reject") == 2
    with services.session() as db:
        labels = db.execute(select(t.Label.kind, t.Label.of_class, t.Label.reason)).all()
        assert labels == [("reject", "none", "ploughed_field")] * 2
        assert len({one.act for one in db.scalars(select(t.Decision))}) == 2


def test_GD_30_1__one_decided_meanwhile__the_others_are_recorded_and_that_one_is_told(send, findings, states):
    _, second, _ = findings
    assert send(f"{second}@1", who="O2", decision="reject", code="greenhouse").status_code == 200
    answer = send(*(f"{one}@1" for one in findings), headers=PAGE, decision="reject", code="greenhouse")
    assert answer.status_code == 200
    told = html.unescape(answer.text)
    told = told[told.index('id="desk-head"') : told.index('id="queue-side"')]
    assert "2 findings are rejected" in told
    assert "1 finding was left as it is" in told
    assert f'<h3 class="mono small">{second}</h3>' in told
    assert "O2" in told
    assert set(states().values()) == {"false_alarm"}


def test_several__decided_meanwhile__told_by_whom_in_the_language_of_the_reader(services, send, findings):
    first = f"{findings[0]}@1"
    assert send(first, who="O2", decision="reject", code="greenhouse").status_code == 200
    answer = send(first, headers={**PAGE, "Accept-Language": "zh"}, decision="reject", code="greenhouse")
    assert answer.status_code == 409
    with services.session() as db:
        other = db.scalars(select(t.Person).where(t.Person.code == "O2")).one()
    assert f"{other.name_zh}（O2）" in answer.text
    assert other.name_en not in answer.text


def test_GD_30_1__officer_without_a_valid_certificate__nothing_recorded_and_every_finding_told(send, findings, states):
    answer = send(*(f"{one}@1" for one in findings), who="O3", decision="reject", code="greenhouse")
    assert answer.json["done"] == []
    assert {one["rule"] for told in answer.json["refused"].values() for one in told} == {"GD-30.1"}
    assert set(states().values()) == {"assigned"}


def test_several__finding_of_another_authority__unknown(send, findings, states):
    answer = send(f"{findings[0]}@1", who="O4", decision="assign")
    (told,) = answer.json["refused"].values()
    assert told[0]["rule"] == "finding.unknown"
    assert told[0]["message"] == f"There is no finding {findings[0]} in your authorities."
    assert states()[findings[0]] == "assigned"


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"decision": "confirm", "finding": "DT-T0@1"}, "query.unknown"),
        ({"decision": "reject", "finding": "DT-T0@1"}, "state.reason"),
        ({"decision": "reject", "finding": "DT-T0@1", "code": "clearly_visible"}, "detection.reason_unknown"),
        ({"decision": "assign"}, "query.unknown"),
        ({"decision": "assign", "finding": "DT-T0"}, "query.unknown"),
        ({"decision": "assign", "finding": [f"DT-{n}@1" for n in range(51)]}, "query.unknown"),
        ({"decision": "reject", "finding": "DT-T0@1", "reason": "x" * 501}, "query.unknown"),
    ],
    ids=["accepted", "no reason", "reason of another decision", "nothing", "no version", "too many", "too long"],
)
def test_several__what_the_desk_does_not_send__422_and_nothing_recorded(signed_in, findings, states, fields, rule):
    answer = signed_in("O1").post("/review", data=fields, headers=JSON)
    assert answer.status_code == 422
    assert [one["rule"] for one in answer.json["refusals"]] == [rule]
    assert set(states().values()) == {"assigned"}


def test_several__new_ones__taken_on_and_offered_for_selection(services, send, signed_in, findings, admin, states):
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.detection SET state = 'new', assigned_to = NULL WHERE public_id <> %s", [findings[0]])
    admin.execute("SET session_replication_role = origin")
    page = signed_in("O2").get("/review", headers=HTML).text
    # With a colleague: not to be swept away from here.
    assert [f'value="{one}@1"' in page for one in findings] == [False, True, True]
    assert send(*(f"{one}@1" for one in findings[1:]), who="O2", decision="assign").json["done"] == findings[1:]
    with services.session() as db:
        holders = select(t.Person.code).join(t.Detection, t.Detection.assigned_to == t.Person.id)
        assert sorted(db.scalars(holders)) == ["O1", "O2", "O2"]
