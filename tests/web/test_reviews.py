"""Desks of reviewers, unit head and approver: queues, check-lists, whole files, decisions and what refuses them."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from schemas.store.work import find
from schemas.tables import DeviceReview, Person, RoleAssignment, SitingPlan
from tests.web.conftest import HTML, SAME_ORIGIN
from tests.web.drafting import (
    LEGAL,
    answers,
    get,
    in_review,
    justify,
    made,
    post,
    review,
    reviewed,
    site,
    sites_of,
    submitted,
    told,
)
from tests.web.test_planner import area, device


@pytest.fixture(scope="module")
def acting_as(reading_as):
    """One world for the module: each test drafts things of its own."""
    return reading_as


@pytest.fixture
def state(shared_app):
    def ask(name):
        with shared_app.extensions["services"].session() as db:
            return find(db, SitingPlan, name).state

    return ask


# -- queues ----------------------------------------------------------------------------------------------------


def test_queue__plan_under_review__waits_for_both_reviewers_with_its_last_day(acting_as):
    name = in_review(acting_as)
    for code, words in (("L1", "Legal review of 1 site"), ("T1", "Technical review of 1 site")):
        page = get(acting_as(code), "/reviews").text
        line = re.search(rf'<li><a href="/reviews/plans/{name}">(.*?)</li>', page, re.DOTALL)[1]
        assert words in line
        assert re.search(r"due \d{4}-\d\d-\d\d \(\w+\), in \d+ days", line)
    assert f"/reviews/plans/{name}" not in get(acting_as("H1"), "/reviews").text


def test_queue__oldest_due_first(acting_as):
    first, second = in_review(acting_as), in_review(acting_as)
    page = get(acting_as("L1"), "/reviews").text
    assert page.index(first) < page.index(second)


def test_queue__filter_stands_in_the_address(acting_as):
    name = in_review(acting_as)
    assert name in get(acting_as("L1"), "/reviews", kind="plan", task="review").text
    assert name not in get(acting_as("L1"), "/reviews", kind="device").text
    assert get(acting_as("L1"), "/reviews", kind="'", task="%").status_code == 200


def test_waiting__reviews__told_with_their_last_day_on_the_account_page(acting_as):
    in_review(acting_as)
    page = get(acting_as("T1"), "/account").text
    assert re.search(r"\d+ reviews? to make", page)
    assert re.search(r"until \d{4}-\d\d-\d\d", page)


# -- check-lists -----------------------------------------------------------------------------------------------


def test_sheet__shows_the_subject_the_map_and_every_item_of_the_rules(acting_as):
    name = in_review(acting_as)
    page = get(acting_as("L1"), f"/reviews/sites/{sites_of(acting_as('L1'), name)[0]}/legal").text
    assert "No privacy zone and no prohibited kind of place" in page
    assert [item for item in LEGAL if f'name="item.{item}" value="pass"' not in page] == []
    config = re.search(r'data-config="([^"]*)"', page)[1]
    assert all(part in config for part in ("sites", "near", "protected", "privacy_zones"))


def test_GD_10_3__items_left_blank__each_told_at_its_place(acting_as):
    site_id = sites_of(acting_as("L1"), in_review(acting_as))[0]
    answer = post(acting_as("L1"), f"/reviews/sites/{site_id}/legal", {f"item.{LEGAL[0]}": "pass"})
    assert answer.status_code == 409
    assert answer.text.count("This item is not answered.") == len(LEGAL) - 1
    assert re.search(rf'name="item.{LEGAL[0]}" value="pass" checked', answer.text)


def test_GD_11_3__item_passed_without_its_file__refused_at_the_file(acting_as):
    site_id = sites_of(acting_as("L1"), in_review(acting_as))[0]
    answer = review(acting_as("L1"), site_id, "legal", files=False)
    assert answer.status_code == 409
    assert 'id="file.place_lawful_and_marking_clear-fault"' in answer.text


def test_GD_10_3__failed_item_without_words__refused_at_its_text(acting_as):
    site_id = sites_of(acting_as("L1"), in_review(acting_as))[0]
    answer = review(acting_as("L1"), site_id, "legal", fails=[LEGAL[3]], text="")
    assert answer.status_code == 409
    assert f'id="text.{LEGAL[3]}-fault"' in answer.text


def test_GD_12_4__technical_review_without_a_standard__refused(acting_as):
    site_id = sites_of(acting_as("T1"), in_review(acting_as))[0]
    data = answers("technical") | {"standard": []}
    answer = post(acting_as("T1"), f"/reviews/sites/{site_id}/technical", data)
    assert answer.status_code == 409
    assert 'id="standard-fault"' in answer.text


def test_GD_12_1__institution_without_a_valid_qualification__refused(acting_as):
    site_id = sites_of(acting_as("T1"), in_review(acting_as))[0]
    data = answers("technical") | {"institution": "Institute", "qualification_no": "Q-1", "valid_to": "2020-01-01"}
    assert told(post(acting_as("T1"), f"/reviews/sites/{site_id}/technical", data))[0] == 409


def test_GD_10_3__recorded_review__goes_on_to_the_next_site_and_shows_its_files(acting_as):
    name = in_review(acting_as, site("1"), site("2", place_text="Weir (fictional)"))
    first, second = sites_of(acting_as("L1"), name)
    answer = review(acting_as("L1"), first, "legal")
    assert answer.location.startswith(f"/reviews/sites/{second}/legal")
    answer = review(acting_as("L1"), second, "legal")
    assert answer.location.startswith(f"/reviews/plans/{name}")
    link = re.search(r"/reviews/attachments/AT-[A-Z0-9]+", get(acting_as("H1"), f"/reviews/plans/{name}").text)[0]
    paper = acting_as("H1").get(link)
    assert paper.mimetype == "application/pdf"
    paper.close()


def test_GD_11_1__review_of_the_other_kind__forbidden(acting_as):
    site_id = sites_of(acting_as("L1"), in_review(acting_as))[0]
    assert get(acting_as("L1"), f"/reviews/sites/{site_id}/technical").status_code == 403
    assert review(acting_as("L1"), site_id, "technical").status_code == 403


def test_GD_11_1__whoever_made_the_other_review__told_before_the_work_begins(acting_as, shared_app):
    """Somebody who holds both roles reads why, and finds no check-list to fill in."""
    name = made(post(acting_as("N1"), "/planner/devices/new", device()))
    house = shared_app.extensions["services"]
    admin = house.database.admin_engine()
    with admin.begin() as connection:
        person = connection.execute(select(Person.id, Person.authority_id).where(Person.code == "L1")).one()
        values = {"public_id": "RA-BOTH", "person_id": person.id, "role": "technical_reviewer", "origin": "sample"}
        values |= {"authority_id": person.authority_id, "valid_from": house.today}
        connection.execute(RoleAssignment.__table__.insert().values(**values))
    try:
        made(post(acting_as("L1"), f"/reviews/devices/{name}/legal", answers("legal")))
        page = get(acting_as("L1"), f"/reviews/devices/{name}/technical")
        assert "You cannot make this review" in page.text
        assert "GD-11.1" in page.text
        assert 'name="item.' not in page.text
        refused = post(acting_as("L1"), f"/reviews/devices/{name}/technical", answers("technical"))
        assert refused.status_code == 409
    finally:
        with admin.begin() as connection:
            connection.execute(RoleAssignment.__table__.delete().where(RoleAssignment.public_id == "RA-BOTH"))
        admin.dispose()


def test_GD_11_2__device_in_a_bath_house__the_machine_says_so_and_nobody_denies_it(acting_as):
    name = made(post(acting_as("N1"), "/planner/devices/new", device(lon="113.2700", lat="23.1300")))
    page = get(acting_as("L1"), f"/reviews/devices/{name}/legal").text
    assert "PZ-Z1" in page
    refused = post(acting_as("L1"), f"/reviews/devices/{name}/legal", answers("legal"))
    assert (refused.status_code, "GD-11.2" in refused.text) == (409, True)


def test_GD_10_3__device__both_reviews_and_it_leaves_the_queue(acting_as, shared_app):
    name = made(post(acting_as("N1"), "/planner/devices/new", device()))
    for code, kind in (("L1", "legal"), ("T1", "technical")):
        assert name in get(acting_as(code), "/reviews").text
        made(post(acting_as(code), f"/reviews/devices/{name}/{kind}", answers(kind)))
        assert name not in get(acting_as(code), "/reviews").text
    with shared_app.extensions["services"].session() as db:
        assert db.scalars(select(DeviceReview.passed).order_by(DeviceReview.recorded_at.desc()).limit(2)).all() == [
            True,
            True,
        ]


# -- decisions -------------------------------------------------------------------------------------------------


def test_GD_10_3__reviewer_returns_what_failed__with_words(acting_as, state):
    name = in_review(acting_as)
    site_id = sites_of(acting_as("T1"), name)[0]
    path = f"/reviews/plans/{name}/return"
    assert post(acting_as("T1"), path, {"reason": "nothing failed"}).status_code == 409
    made(review(acting_as("T1"), site_id, "technical", fails=["meets_standards"]))
    assert "Return it with your text" in get(acting_as("T1"), "/reviews").text
    silent = post(acting_as("T1"), path, {"reason": ""})
    assert (silent.status_code, 'id="reason-fault"' in silent.text) == (409, True)
    made(post(acting_as("T1"), path, {"reason": "No standard."}))
    assert state(name) == "returned"


def test_GD_10_3__unit_head__submits_only_what_passed_everything(acting_as, state):
    name = in_review(acting_as)
    path = f"/reviews/plans/{name}"
    assert "Why it cannot be submitted yet" in get(acting_as("H1"), path).text
    assert post(acting_as("H1"), f"{path}/submit").status_code == 409
    reviewed(acting_as, name)
    assert "Submit it to the approver" in get(acting_as("H1"), path).text
    made(post(acting_as("H1"), f"{path}/submit"))
    assert state(name) == "submitted"


def test_GD_10_3__unit_head__returns_a_plan_before_its_reviews(acting_as, state):
    name = in_review(acting_as)
    made(post(acting_as("H1"), f"/reviews/plans/{name}/return", {"reason": "Too many sites."}))
    assert state(name) == "returned"
    assert "Too many sites." in get(acting_as("N1"), f"/planner/plans/{name}").text


def test_GD_09_2__approver__reads_the_whole_file_and_grants_it(acting_as, state):
    name = submitted(acting_as)
    assert name in get(acting_as("P1"), "/reviews").text
    page = get(acting_as("P1"), f"/reviews/plans/{name}").text
    for part in (
        "Legal review: passed",
        "Technical review: passed",
        "Why these devices are needed",
        "History",
        'id="map"',
    ):
        assert part in page
    path = f"/reviews/plans/{name}/decide"
    blank = post(acting_as("P1"), path, {"decision": "approve", "approval_no": ""})
    assert (blank.status_code, 'id="approval_no-fault"' in blank.text) == (409, True)
    made(post(acting_as("P1"), path, {"decision": "approve", "approval_no": "GD-2025-7"}))
    assert state(name) == "approved"
    assert "GD-2025-7" in get(acting_as("N1"), f"/planner/plans/{name}").text


def test_GD_09_2__approver__leaves_a_site_out_and_says_why(acting_as, state):
    name = submitted(acting_as, site("1"), site("2", place_text="Weir (fictional)"))
    _, second = sites_of(acting_as("P1"), name)
    path = f"/reviews/plans/{name}/decide"
    sent = {"decision": "approve", "approval_no": "GD-2025-8", "reject": second}
    silent = post(acting_as("P1"), path, sent | {f"because.{second}": ""})
    assert (silent.status_code, f'id="because.{second}-fault"' in silent.text) == (409, True)
    made(post(acting_as("P1"), path, sent | {f"because.{second}": "Seen from the bridge already."}))
    page = get(acting_as("N1"), f"/planner/plans/{name}").text
    assert "Seen from the bridge already." in page
    assert page.count("Register a device here") == 1


def test_GD_09_2__approver__refuses_for_good_with_a_reason(acting_as, state):
    name = submitted(acting_as)
    path = f"/reviews/plans/{name}/decide"
    assert post(acting_as("P1"), path, {"decision": "reject", "reason": " "}).status_code == 409
    made(post(acting_as("P1"), path, {"decision": "reject", "reason": "Not needed."}))
    assert state(name) == "rejected"


def test_GD_09_2__approved_plan__next_version_and_revocation(acting_as, state):
    name = submitted(acting_as)
    made(post(acting_as("P1"), f"/reviews/plans/{name}/decide", {"decision": "approve", "approval_no": "GD-2025-9"}))
    sent = site("1", place_text="Weir (fictional)") | {"reason": "One more"}
    newer = made(post(acting_as("N1"), f"/planner/plans/{name}/change", sent))
    assert newer != name
    assert f'href="/planner/plans/{newer}"' in get(acting_as("N1"), f"/planner/plans/{name}").text
    assert f'href="/planner/plans/{name}"' in get(acting_as("N1"), f"/planner/plans/{newer}").text
    made(post(acting_as("P1"), f"/reviews/plans/{name}/revoke", {"reason": "Unlawful."}))
    assert state(name) == "revoked"


def test_state__decision_on_a_plan_that_is_not_submitted__refused(acting_as):
    name = in_review(acting_as)
    answer = post(acting_as("P1"), f"/reviews/plans/{name}/decide", {"decision": "approve", "approval_no": "1"})
    assert answer.status_code == 409


@pytest.mark.parametrize(
    ("code", "step"),
    [("L1", "submit"), ("N1", "submit"), ("H1", "decide"), ("L1", "decide"), ("O1", "return"), ("H1", "revoke")],
)
def test_decision__by_another_role__forbidden(acting_as, code, step):
    assert post(acting_as(code), "/reviews/plans/SP-1/" + step, {"reason": "x"}).status_code == 403


def test_decision__from_another_site__refused(acting_as):
    headers = {"Sec-Fetch-Site": "cross-site", **HTML}
    assert acting_as("P1").post("/reviews/plans/SP-1/revoke", data={"reason": "x"}, headers=headers).status_code == 403


def test_plan__of_nobody__is_not_there(acting_as):
    assert get(acting_as("L1"), "/reviews/plans/SP-NONE").status_code == 404
    assert get(acting_as("L1"), "/reviews/sites/PS-NONE/legal").status_code == 404
    assert acting_as("L1").get("/reviews/attachments/AT-NONE", headers=SAME_ORIGIN).status_code == 404


# -- areas and points --------------------------------------------------------------------------------------------


def test_GD_16_1__unit_head__returns_an_area_with_words_and_approves_it_later(acting_as):
    name = made(post(acting_as("N1"), "/planner/areas/new", area("PR1")))
    made(post(acting_as("N1"), f"/planner/areas/{name}/check", {"version": "1"}))
    path = f"/reviews/areas/{name}"
    assert name in get(acting_as("H1"), "/reviews").text
    silent = post(acting_as("H1"), path, {"decision": "return", "reason": ""})
    assert (silent.status_code, 'id="reason-fault"' in silent.text) == (409, True)
    made(post(acting_as("H1"), path, {"decision": "return", "reason": "Leave the school out."}))
    mine = get(acting_as("N1"), f"/planner/areas/{name}").text
    assert "Leave the school out." in mine
    assert name in get(acting_as("N1"), "/planner", kind="area", state="returned").text
    made(post(acting_as("N1"), f"/planner/areas/{name}/check"))
    made(post(acting_as("H1"), path, {"decision": "approve"}))
    assert "is approved and may be published" in get(acting_as("N1"), f"/planner/areas/{name}").text


def test_GD_16_1__area_decided_by_a_reviewer__forbidden(acting_as):
    assert post(acting_as("L1"), "/reviews/areas/PA1", {"decision": "approve"}).status_code == 403


def test_GD_16_1__decision_that_is_none__told_at_the_page(acting_as):
    assert post(acting_as("H1"), "/reviews/areas/PA1", {"decision": "maybe"}).status_code == 422
    assert justify(acting_as("N1"), "SP-1").status_code == 409
