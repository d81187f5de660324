"""A double click, a lost answer, a retry: one request files one flight (reliability.md rows P2 and 72)."""

import json
import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from flights import filing
from schemas import tables as t
from schemas.refusals import RuleViolation
from tests.database.flying import END, GROUND, START, change, plan_file, row, texts
from tests.database.plain import connect
from tests.situations import R2

AT_ONCE = 12
REQUEST = filing.FilingRequest(
    data=plan_file(),
    name="r1.plan",
    route="R1",
    inspection="IP-2025-1",
    drone="DR1",
    start=START,
    end=END,
    key="click-1",
)


@pytest.fixture
def ask(services):
    """`ask(request)` files it as F1 and lets it be judged."""
    return lambda request=REQUEST: filing.file_and_judge(services.work, services.actor("F1"), request, GROUND)


def flights(session):
    session.rollback()
    return session.scalar(select(func.count()).select_from(t.Flight))


def refused(ask, request):
    with pytest.raises(RuleViolation) as caught:
        ask(request)
    return caught.value


def test_P2__same_request_again__the_same_flight(ask, session):
    first = ask()
    assert ask() == first
    assert (first.state, flights(session)) == ("precheck_passed", 1)


def test_P2__no_key__each_request_is_one_of_its_own(ask, session):
    open_request = replace(REQUEST, key=None)
    assert ask(open_request).flight != ask(open_request).flight
    assert flights(session) == 2


@pytest.mark.parametrize(
    "other",
    [
        {"end": END + timedelta(minutes=1)},
        {"start": START + timedelta(seconds=1)},
        {"data": plan_file(alt_m=101.0)},
        {"name": "other.plan"},
        {"drone": "DV-DR1"},
        {"route": "RT-R1"},
        {"inspection": "x"},
        {"options": {"hfov_deg": 60.0}},
    ],
)
def test_row_72__same_key_other_body__422(ask, session, other):
    first = ask()
    violation = refused(ask, replace(REQUEST, **other))
    assert (violation.status, texts(violation)) == (422, {"idempotency.mismatch"})
    assert first.flight in violation.refusals[0].message("zh")
    assert flights(session) == 1


def test_row_72__same_key_of_another_pilot__a_flight_of_its_own(ask, services, session, admin):
    mine = ask()
    admin.execute(
        "WITH p AS (SELECT id, authority_id FROM core.person WHERE code = 'O2'), r AS ("
        " INSERT INTO core.role_assignment (id, public_id, person_id, role, authority_id, valid_from, origin)"
        " SELECT gen_random_uuid(), 'RA-X', id, 'pilot', authority_id, '2025-01-01', 'sample' FROM p)"
        " INSERT INTO core.qualification (id, public_id, person_id, kind, certificate_no, field, authority_id,"
        " valid_from, valid_to, origin) SELECT gen_random_uuid(), 'QU-X', id, 'uas_licence', 'X', 'ecology',"
        " authority_id, '2024-01-01', '2026-12-31', 'sample' FROM p"
    )
    other = filing.file_and_judge(services.work, services.actor("O2"), REQUEST, GROUND)
    assert other.flight != mine.flight
    assert flights(session) == 2


@pytest.mark.parametrize("key", ["", "x" * 65, "a\nb", "a\0b", "键"])
def test_key_that_is_none__422(ask, session, key):
    violation = refused(ask, replace(REQUEST, key=key))
    assert (violation.status, texts(violation)) == (422, {"idempotency.key"})
    assert flights(session) == 0


def test_P2__failed_its_check__told_again_as_it_was(ask, session):
    failing = replace(REQUEST, data=plan_file(R2))
    first = ask(failing)
    again = ask(failing)
    assert first.state == again.state == "precheck_failed"
    for lang in ("en", "zh"):
        assert [r.render(lang) for r in again.refusals] == json.loads(
            json.dumps([r.render(lang) for r in first.refusals])
        )
        assert [r.message(lang) for r in again.refusals] == [r.message(lang) for r in first.refusals]
    assert again.refusals[0].fix() == first.refusals[0].fix()
    assert flights(session) == 1


def test_P2__cut_off_before_the_check__judged_when_it_comes_again(ask, services, session):
    number, state = filing._file(services.work, services.actor("F1"), REQUEST)
    assert state == "filed"
    again = ask()
    assert (again.flight, again.state) == (number, "precheck_passed")


def test_P2__many_at_once__one_flight_and_one_answer(ask, session):
    ready, answers = threading.Barrier(AT_ONCE), []

    def click():
        ready.wait(100)
        try:
            answers.append(ask().flight)
        except BaseException as error:  # whatever happens is for the assertion to tell
            answers.append(error)

    clicks = [threading.Thread(target=click) for _ in range(AT_ONCE)]
    for thread in clicks:
        thread.start()
    for thread in clicks:
        thread.join()
    assert len(set(answers)) == 1, answers
    assert flights(session) == 1
    assert row(session, answers[0]).state == "precheck_passed"


def test_DC_2__key_of_a_flight__final(ask, database, refused_by):
    ask()
    with connect(database) as plainly, refused_by("DC-2"):
        plainly.execute("UPDATE core.flight SET filing_key = 'other'")


def test_key_without_its_body__refused(ask, past_the_judge):
    from sqlalchemy.exc import IntegrityError

    ask()
    with pytest.raises(IntegrityError, match="ck_flight_filing_key"):
        change(past_the_judge, "UPDATE core.flight SET filing_sha256 = NULL")
