"""Every page of the desks says at its top what waits for the reader, and until when; and tells its keys."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from schemas.tables import Authority
from sensing.sensors.beats import ill_devices
from sensing.sensors.unwell import count_unwell
from tests.web.conftest import HTML
from tests.web.drafting import drafted, get, in_review, made, post, review, sites_of
from tests.web.test_zone_pages import asked

IMPORTS = ("plans", "devices", "areas", "points")


@pytest.fixture(scope="module")
def acting_as(reading_as):
    return reading_as


@pytest.fixture(scope="module")
def asked_once(shared_app):
    return asked(shared_app.extensions["services"])


def box(answer):
    """What the box at the top says, in words."""
    assert answer.status_code == 200, answer.text
    (found,) = re.findall(r'<section class="waiting-for-you".*?</section>', answer.text, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", found).split())


@pytest.mark.parametrize(
    ("person", "path"),
    [
        ("H1", "/registry/device/DV-DV1"),
        ("O1", "/registry/publication/DV-DV1"),
        ("O1", "/registry/publication/DP-DP1"),
        ("C1", "/sta/health"),
        *(("N1", f"/planner/{kind}/import") for kind in IMPORTS),
    ],
)
def test_page_of_a_desk__says_at_its_top_what_waits(acting_as, person, path):
    assert "Waits for you" in box(get(acting_as(person), path))


def test_page_of_a_change_of_a_plan__says_what_waits_and_that_no_day_is_set(acting_as):
    name = in_review(acting_as)
    made(review(acting_as("T1"), sites_of(acting_as("T1"), name)[0], "technical", fails=["meets_standards"]))
    made(post(acting_as("T1"), f"/reviews/plans/{name}/return", {"reason": "Say more."}))
    assert "1 draft that came back no day is set" in box(get(acting_as("N1"), f"/planner/plans/{name}/change"))


def test_page_of_a_request__says_what_waits_until_its_day(acting_as, asked_once):
    assert "1 request for a privacy zone until 2025" in box(get(acting_as("H1"), f"/zones/request/{asked_once}"))


def test_approval_to_be_announced__until_its_reviews_are_too_old(signed_in, admin):
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.device SET state = 'reviewed' WHERE public_id = 'DV-DV1'")
    # Reviewed on 2025-05-25; reviews hold for twelve months.
    assert "1 approval to be announced until 2026-05-25" in box(get(signed_in("O1"), "/registry"))


def test_GD_10_1__device_stopped_by_a_check__until_the_stop_is_too_long(signed_in, admin):
    admin.execute("SET session_replication_role = replica")
    admin.execute(
        "UPDATE core.device SET state = 'blocked', activated_on = '2025-07-01', state_since = '2025-07-01T10:00+08:00',"
        " state_reason = 'x' WHERE public_id = 'DV-DV1'"
    )
    assert "1 device stopped by a check until 2025-09-29" in box(get(signed_in("H1"), "/registry"))


@pytest.mark.parametrize(
    ("beat_at", "faults", "count"),
    [
        ("2025-07-02T09:58+08:00", "[]", 0),
        ("2025-07-02T09:58+08:00", '["black"]', 1),
        ("2025-07-01T10:00+08:00", "[]", 1),
        (None, None, 0),
    ],
)
def test_LX_6__device_that_is_not_well__waits_for_the_command_centre(
    signed_in, services, admin, beat_at, faults, count
):
    if beat_at:
        admin.execute(
            "INSERT INTO core.heartbeat (device_id, beat_at, faults)"
            " SELECT id, %s, %s FROM core.device WHERE public_id = 'DV-DR1'",
            (beat_at, faults),
        )
    assert ("1 device needs a look no day is set" in box(get(signed_in("C1"), "/account"))) == bool(count)
    assert "needs a look" not in box(get(signed_in("O1"), "/registry"))
    with services.session() as db:
        mine = db.scalars(select(Authority.id)).all()
        assert count_unwell(db, services.clock.now(), mine) == len(ill_devices(db, services.clock.now())) == count


@pytest.mark.parametrize(("lang", "label"), [("en", "Reason"), ("zh", "理由")])
def test_page_of_a_request__calls_its_reason_so(acting_as, asked_once, lang, label):
    headers = {**HTML, "Accept-Language": lang}
    assert (
        f"<dt>{label}</dt><dd>A family</dd>"
        in acting_as("H1").get(f"/zones/request/{asked_once}", headers=headers).text
    )


@pytest.mark.parametrize(
    "path",
    ["/registry/device/DV-NONE", "/registry/publication/DV-NONE", "/registry?authority=A2", "/zones/request/ZR-7"],
)
def test_desk__what_is_not_the_readers__not_called_unpublished(acting_as, path):
    answer = acting_as("H1").get(path, headers=HTML)
    assert answer.status_code == 404
    assert "Nothing that you may see at this desk is called" in answer.text
    assert "published record" not in answer.text


def test_list_as_a_file__says_its_encoding_once(acting_as):
    for path in ("/registry/devices.csv", "/registry/due.csv"):
        assert acting_as("O1").get(path).headers["Content-Type"] == "text/csv; charset=utf-8"


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize(
    ("person", "path"),
    [
        ("O1", "/registry"),
        ("O1", "/registry/due?days=365"),
        ("O1", "/registry/publication"),
        ("H1", "/zones"),
        ("N1", "/planner"),
        ("N1", "/planner/uses"),
        ("L1", "/reviews"),
    ],
)
def test_list_of_a_desk__tells_its_keys(acting_as, person, path, lang):
    drafted(acting_as("N1"))
    if person == "L1":
        in_review(acting_as)
    answer = acting_as(person).get(path, headers={**HTML, "Accept-Language": lang})
    assert answer.text.count('id="keys"') == 1
    assert ("Next line of the lists" if lang == "en" else "列表下一行") in answer.text
