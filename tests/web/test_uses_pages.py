"""S03: a device of another authority is found, asked for, and granted or refused with a reason, all on pages."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from schemas.tables import DeviceGrant
from tests.classified import CLASSIFIED
from tests.web.conftest import HTML
from tests.web.drafting import get, post, told

DESK, ASK, OWNER, DV1 = "/planner/uses", "/planner/uses/DV-DV1", "/registry/uses", "/registry/device/DV-DV1"


def request(**changes):
    asked = {
        "authority": "A2",
        "item": "ECO-01",
        "purpose_en": "Joint inspection of the outfall",
        "purpose_zh": "排口联合检查",
        "fields": ["live", "readings"],
        "valid_from": "",
        "valid_to": "2025-08-01",
    }
    return asked | changes


def grants(services):
    with services.session() as db:
        return db.scalars(select(DeviceGrant).order_by(DeviceGrant.asked_at)).all()


@pytest.fixture
def heads(signed_in):
    """O4 of A2 asks; H1 heads A1, whose device DV1 is."""
    return signed_in("O4"), signed_in("H1")


def test_GD_17__device_of_another_authority__found_by_name_and_by_place(heads):
    asking, owner = heads
    assert "Ask for its use" not in get(asking, DESK).text  # nothing was looked for
    by_name = get(asking, DESK, q="DV1")
    assert '/planner/uses/DV-DV1"' in by_name.text
    near = get(asking, DESK, lon="113.2601", lat="23.1301", kind="video")
    assert re.search(r"\d+ m", near.text)
    assert "/planner/uses/DV-DV1" in near.text
    assert "No published device of another authority" in get(asking, DESK, lon="113.9", lat="23.9").text
    assert "/planner/uses/DV-DV1" not in get(owner, DESK, q="DV1").text


def test_GD_17__view_over_the_place__told_as_seeing_and_its_direction_is_not(heads, admin):
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.device SET sector_azimuth_deg = 123.5, hfov_deg = 60, range_m = 300")
    asking, _ = heads
    with_view = get(asking, DESK, lon="113.2610", lat="23.1294").text
    assert "sees the place" in with_view
    assert "123.5" not in with_view
    assert "looks elsewhere" in get(asking, DESK, lon="113.2590", lat="23.1306").text


SECRET = ", ".join(["secret = true", *(f"{name} = '{value}'" for name, value in CLASSIFIED.items())])


@pytest.mark.parametrize("change", [SECRET, "state = 'reviewed'", "state = 'retired', activated_on = NULL"])
def test_GD_14_6__device_that_the_public_does_not_see__neither_found_nor_there(heads, admin, change):
    admin.execute("SET session_replication_role = replica")
    admin.execute(f"UPDATE core.device SET {change} WHERE public_id = 'DV-DV1'")
    asking, _ = heads
    assert "DV-DV1" not in get(asking, DESK, q="DV1").text
    assert get(asking, ASK).status_code == 404
    assert post(asking, ASK, request()).status_code == 404


@pytest.mark.parametrize(
    "query", [{"kind": "x"}, {"lon": "x", "lat": "1"}, {"lon": "113"}, {"q": "\0"}, {"q": "a" * 2000}]
)
def test_search__told_wrongly__422_and_nothing_breaks(heads, query):
    assert get(heads[0], DESK, **query).status_code == 422


def test_S03__asked_and_granted_with_a_reason__both_sides_see_it(heads, services):
    asking, owner = heads
    form = get(asking, ASK)
    assert form.status_code == 200
    assert "decides until 2025-07-16 (Wed), with a reason" in form.text  # ten working days after 2025-07-02
    assert post(asking, ASK, request()).status_code == 303
    waits = get(asking, DESK).text
    assert "1 request waits for its owner" in waits
    assert "the owner answers until 2025-07-16 (Wed)" in waits
    for path in ("/registry", OWNER):
        assert "1 authority asks to use a device" in get(owner, path).text
    assert "Joint inspection of the outfall" in get(owner, OWNER).text
    assert "until 2025-07-16 (Wed)" in get(owner, OWNER).text
    (grant,) = grants(services)
    assert (grant.fields, grant.state) == (["live", "readings"], "requested")
    told_why = {"step": "grant_use", "kind": grant.public_id, "reason": " "}
    assert post(owner, DV1, told_why).status_code == 409
    assert post(owner, DV1, told_why | {"reason": "It is our common river."}).status_code == 303
    answer = get(asking, DESK).text
    assert "It is our common river." in answer
    assert "No request waits for an answer" in answer
    assert "asks to use a device" not in get(owner, "/registry").text


def test_S03__refused_with_a_reason__whoever_asked_reads_it(heads, services):
    asking, owner = heads
    post(asking, ASK, request())
    (grant,) = grants(services)
    answer = {"step": "refuse_use", "kind": grant.public_id, "reason": "Our own camera looks there."}
    assert post(owner, DV1, answer).status_code == 303
    assert "Our own camera looks there." in get(asking, DESK).text
    assert post(asking, ASK, request()).status_code == 303  # a refusal is no bar to asking anew


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"purpose_zh": " "}, "Purpose in Chinese"),
        ({"valid_to": ""}, "Last day"),
        ({"valid_to": "2026-07-02"}, "longer than 12 months"),
        ({"valid_from": "2025-07-09", "valid_to": "2025-07-08"}, "The period"),
        ({"valid_to": "someday"}, "Last day"),
        ({"fields": []}, "not among those"),
        ({"fields": ["live", "keys"]}, "keys"),
        ({"item": ""}, "Supervision item"),
        ({"item": "NONE"}, "Supervision item"),
        ({"authority": "A1"}, "Authority"),
    ],
)
def test_GD_18_1__asked_without_what_it_needs__refused_and_what_was_typed_stays(heads, services, changes, says):
    answer = post(heads[0], ASK, request(**changes))
    status, faults = told(answer)
    assert status in (409, 422), answer.text[:300]
    assert says in " ".join(faults) + answer.text.partition('id="summary"')[2][:1500]
    assert "Joint inspection of the outfall" in answer.text
    assert grants(services) == []


def test_GD_18_1__asked_twice__the_second_is_refused_and_names_the_first(heads, services):
    asking, _ = heads
    post(asking, ASK, request())
    again = post(asking, ASK, request())
    assert again.status_code == 409
    assert grants(services)[0].public_id in again.text
    assert len(grants(services)) == 1


def test_S03__own_device_or_nobody__404_and_403(heads, signed_in):
    assert get(signed_in("O1"), ASK).status_code == 404
    assert get(heads[0], "/planner/uses/DV-NONE").status_code == 404
    assert get(signed_in("F1"), ASK).status_code == 403
    assert get(signed_in("F1"), OWNER).status_code == 403
    assert get(signed_in("X1"), DESK).status_code == 403


def test_S03__requests_to_others__are_not_on_the_owners_list(heads, signed_in):
    post(heads[0], ASK, request())
    assert "Joint inspection" not in get(signed_in("O4"), OWNER).text
    assert "Joint inspection" not in get(signed_in("O1"), DESK).text


@pytest.mark.parametrize("path", [DESK, f"{DESK}?q=DV1", ASK])
def test_pages__in_chinese__have_no_english(heads, path):
    answer = heads[0].get(path, headers={**HTML, "Accept-Language": "zh"})
    assert answer.status_code == 200
    assert "申请" in answer.text
    assert not re.search(r"Ask for|Find a|waits for", answer.text)
