"""The review desk: only one's own authority, only with a qualification, and never over a newer decision."""

import html
import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import text

from tests.web.conftest import HTML, SAME_ORIGIN
from tests.web.findings import make_findings


@pytest.fixture
def beginning(pictured):
    return pictured


@pytest.fixture
def findings(services, tmp_path):
    return make_findings(services, tmp_path)


def decide(client, finding, decision="confirm", reason="seen in both images", version="1"):
    data = {"decision": decision, "reason": reason, "version": version}
    return client.post(f"/review/{finding}", data=data, headers={**SAME_ORIGIN, **HTML})


def state_of(services, finding):
    with services.session() as db:
        return db.execute(
            text("SELECT state, version, reason FROM core.detection WHERE public_id = :id"), {"id": finding}
        ).one()


def events(services):
    with services.session() as db:
        return db.execute(text("SELECT count(*) FROM ledger.event")).scalar_one()


@pytest.mark.parametrize("code", ["F1", "H1", "X1", "D1", "N1"])
def test_desk__other_roles__403(reading_as, code):
    assert reading_as(code).get("/review", headers=HTML).status_code == 403


def test_desk__nobody__asked_to_sign_in(reader):
    answer = reader.get("/review", headers=HTML)
    assert answer.status_code == 401
    assert "/account/sign-in?next=/review" in answer.text


def test_desk__empty__says_what_will_appear(reading_as):
    page = html.unescape(reading_as("O1").get("/review", headers=HTML).text)
    assert "No finding waits for a decision" in page
    assert "New findings appear here" in page


def test_desk__queue__oldest_first_with_its_deadline(signed_in, findings):
    page = html.unescape(signed_in("O1").get("/review", headers=HTML).text)
    assert "3 possible findings wait for a decision; 1 is late" in page
    assert page.index(findings[0]) < page.index(findings[1]) < page.index(findings[2])
    assert "2025-06-30 (Mon)" in page
    assert "Possible excavation" in page


def test_desk__queue_longer_than_the_list__counts_all(signed_in, findings, monkeypatch):
    monkeypatch.setattr("web.desk.queries.LONGEST_QUEUE", 2)
    page = html.unescape(signed_in("O1").get("/review", headers=HTML).text)
    assert "3 possible findings wait for a decision; the first 2 are listed" in page
    assert findings[2] not in page


def test_desk__finding_of_another_authority__404(signed_in, services, tmp_path):
    made = make_findings(services, tmp_path, officer="O4")
    client = signed_in("O1")
    for path in (f"/review/{made[0]}", f"/review/{made[0]}/after.png"):
        assert client.get(path, headers=HTML).status_code == 404
    assert decide(client, made[0]).status_code == 404
    assert state_of(services, made[0])[0] == "assigned"


@pytest.mark.parametrize(
    ("decision", "state"), [("confirm", "confirmed"), ("reject", "false_alarm"), ("leave_open", "inconclusive")]
)
def test_decision__qualified_officer__recorded_once(signed_in, findings, services, decision, state):
    before = events(services)
    answer = decide(signed_in("O1"), findings[0], decision)
    assert answer.status_code == 303
    assert state_of(services, findings[0]) == (state, 2, "seen in both images")
    assert events(services) == before + 1


def test_GD_30_1__qualification_expired__refused(signed_in, services, tmp_path):
    made = make_findings(services, tmp_path, officer="O3")
    client = signed_in("O3")
    assert "no valid enforcement qualification" in client.get("/review", headers=HTML).text
    answer = decide(client, made[0])
    assert answer.status_code == 409
    assert "GD-30.1" in answer.text
    assert state_of(services, made[0])[0] == "assigned"


def test_decision__over_a_newer_one__409_told_to_the_user(signed_in, findings, services):
    first, second = signed_in("O1"), signed_in("O2")
    assert decide(first, findings[0], "confirm").status_code == 303
    answer = decide(second, findings[0], "reject", "a ploughed field")
    assert answer.status_code == 409
    assert "was changed by somebody else" in html.unescape(answer.text)
    # Versions are no measurements.
    assert "Required" not in answer.text
    assert state_of(services, findings[0])[0] == "confirmed"


def test_decision__many_at_once__one_is_recorded(signed_in, findings, services):
    before = events(services)
    clients = [signed_in(code) for code in ("O1", "O2") * 4]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda client: decide(client, findings[0]).status_code, clients))
    assert sorted(answers) == [303] + [409] * 7
    assert state_of(services, findings[0])[:2] == ("confirmed", 2)
    # One event for the decision, and one for each that was refused.
    assert events(services) == before + 8


@pytest.mark.parametrize("decision", ["confirm", "reject", "leave_open", "assign"])
def test_decision__after_it_was_decided__refused(signed_in, findings, services, decision):
    client = signed_in("O1")
    decide(client, findings[0], "reject", "a ploughed field")
    assert decide(client, findings[0], decision, version="2").status_code == 409
    assert state_of(services, findings[0])[0] == "false_alarm"


def test_decision__by_an_officer_of_another_authority__404_and_nothing_moves(signed_in, findings, services):
    client = signed_in("O4")
    for decision in ("confirm", "reject", "leave_open", "assign"):
        assert decide(client, findings[0], decision).status_code == 404
    assert client.get(f"/review/{findings[0]}", headers=HTML).status_code == 404
    assert "Recorded:" not in client.get(f"/review?done={findings[0]}", headers=HTML).text
    assert state_of(services, findings[0])[:2] == ("assigned", 1)


def test_decision__without_a_reason__refused(signed_in, findings, services):
    answer = decide(signed_in("O1"), findings[0], reason="   ")
    assert answer.status_code == 409
    assert "Nothing was recorded" in answer.text
    assert state_of(services, findings[0])[0] == "assigned"


def test_decision__refused_to_a_program__is_a_problem_document(signed_in, findings):
    data = {"decision": "confirm", "reason": "", "version": "1"}
    answer = signed_in("O1").post(f"/review/{findings[0]}", data=data, headers=SAME_ORIGIN)
    assert (answer.status_code, answer.mimetype) == (409, "application/problem+json")
    assert answer.get_json(force=True)["refusals"][0]["rule"] == "state.reason"


MALFORMED = [
    {},
    {"decision": "close", "version": "1", "reason": "x"},
    {"decision": "confirm", "version": "one", "reason": "x"},
    {"decision": "confirm", "version": "-1", "reason": "x"},
    {"decision": "confirm", "version": "1", "reason": "x" * 501},
    {"decision": "confirm", "version": "1", "reason": "\x00"},
    {"decision": "confirm", "version": "9" * 30, "reason": "x"},
]


def test_decision__malformed__422(signed_in, findings, services):
    client = signed_in("O1")
    for data in MALFORMED:
        answer = client.post(f"/review/{findings[0]}", data=data, headers={**SAME_ORIGIN, **HTML})
        assert answer.status_code == 422, data
    assert state_of(services, findings[0])[0] == "assigned"


def test_new_finding__taken_on__is_the_officers(signed_in, findings, services, admin):
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.detection SET state = 'new', assigned_to = NULL WHERE public_id = %s", (findings[1],))
    client = signed_in("O2")
    assert "Take it on" in client.get(f"/review/{findings[1]}", headers=HTML).text
    assert decide(client, findings[1], "assign", "").headers["Location"] == f"/review/{findings[1]}"
    assert state_of(services, findings[1])[0] == "assigned"
    # It stands first in the officer's own queue, before the older ones of others.
    page = client.get("/review", headers=HTML).text
    assert page.index(findings[1]) < page.index(findings[0])


def test_pictures__before_and_after__lie_on_one_grid(signed_in, findings):
    client = signed_in("O1")
    sides = []
    for side in ("before", "after"):
        answer = client.get(f"/review/{findings[0]}/{side}.png")
        assert answer.mimetype == "image/png"
        assert "private" in answer.headers["Cache-Control"]
        sides.append(np.asarray(Image.open(io.BytesIO(answer.data))))
    assert sides[0].shape == sides[1].shape == (512, 512, 4)
    middle = np.s_[236:276, 236:276, :3]
    assert sides[1][middle].mean() > sides[0][middle].mean() + 20


UNKNOWN = ["/review/DT-NONE", "/review/%00", "/review/DT-T0/original.png", "/review/DT-NONE/after.png"]


@pytest.mark.parametrize("path", UNKNOWN)
def test_desk__unknown__404(reading_as, path):
    assert reading_as("O1").get(path, headers=HTML).status_code == 404
