"""The registry's desk: devices and papers, announcing on channels, dues, the report, rules; and every refusal."""

from __future__ import annotations

import io
import json
import re
from datetime import date, datetime, timedelta

import pytest
from PIL import Image
from shapely.geometry import box
from sqlalchemy import select

from geo import commands
from geo.commands import block_where_due
from geo.commands.grants import NewUse, ask_use
from schemas.store.work import find
from schemas.tables import (
    Announcement,
    AnnualReport,
    Authority,
    Device,
    Dispatch,
    PatrolArea,
    Publication,
    Signage,
    SupervisionItem,
)
from tests.classified import make_secret
from tests.conftest import SHANGHAI
from tests.web.conftest import HTML, SAME_ORIGIN
from web.channels import FolderChannel
from web.delivery import PAUSES, deliver
from web.registry import listing

DV1 = "/registry/device/DV-DV1"
DR1 = "/registry/device/DV-DR1"
PUBLISH = "/registry/publication/DV-DV1"


@pytest.fixture
def active(work):
    """DV1 in use."""
    with work("H1") as doing:
        commands.activate_device(doing, doing.get(Device, "DV-DV1"))
        doing.commit()


@pytest.fixture
def fresh(admin):
    """DV1 before any channel carried it."""
    admin.execute("SET session_replication_role = replica")
    admin.execute("DELETE FROM core.publication WHERE subject_kind = 'device'")
    admin.execute("UPDATE core.device SET state = 'reviewed' WHERE public_id = 'DV-DV1'")
    admin.execute("SET session_replication_role = origin")


def post(client, path, data, **more):
    return client.post(path, data=data, headers={**SAME_ORIGIN, **HTML}, **more)


def page(client, path):
    answer = client.get(path, headers=HTML)
    assert answer.status_code == 200, answer.text
    return answer.text


def device(services, name="DV-DV1"):
    with services.session() as db:
        return find(db, Device, name)


def photo():
    out = io.BytesIO()
    Image.new("RGB", (40, 30), "white").save(out, "JPEG")
    return (io.BytesIO(out.getvalue()), "sign at the gate.jpg")


# -- the list ---------------------------------------------------------------------------------------------


def test_list__holds_devices_in_words_and_on_the_map(reading_as):
    text = page(reading_as("O1"), "/registry")
    assert "2 devices of Authority A1 (fictional)" in text
    assert "DV-DV1" in text
    assert "Announced, not yet in use" in text
    assert "&#34;look&#34;: &#34;soon&#34;" in text


@pytest.mark.parametrize(
    ("query", "there", "gone"),
    [
        ("state=published", "DV-DV1", "DV-DR1"),
        ("q=DR1", "DV-DR1", "DV-DV1"),
        ("q=dv-dv1", "DV-DV1", "DV-DR1"),
        ("kind=radar", "No device matches", "DV-DV1"),
    ],
)
def test_list__filters_stand_in_the_address(reading_as, query, there, gone):
    text = page(reading_as("O1"), f"/registry?{query}")
    assert there in text
    assert f"/registry/device/{gone}" not in text


@pytest.mark.parametrize("query", ["state=flying", "kind=toaster", "q=%00", f"q={'x' * 2000}"])
def test_list__filters_that_mean_nothing__422(reading_as, query):
    assert reading_as("O1").get(f"/registry?{query}", headers=HTML).status_code == 422


def test_list__of_another_authority__404(reading_as):
    assert reading_as("O1").get("/registry?authority=A2", headers=HTML).status_code == 404


def test_list__of_the_authority_above__reaches_those_below(reading_as):
    assert "DV-DV1" in page(reading_as("P1"), "/registry?authority=A1")


def test_list__a_page_at_a_time__leads_through_all(reading_as, monkeypatch):
    monkeypatch.setattr(listing, "PAGE_SIZE", 1)
    first = page(reading_as("O1"), "/registry")
    following = re.search(r'rel="next" href="([^"]+)"', first)[1].replace("&amp;", "&")
    second = page(reading_as("O1"), following)
    seen = [re.findall(r'href="/registry/device/(DV-\w+)"', text) for text in (first, second)]
    assert seen == [["DV-DR1"], ["DV-DV1"]]
    assert 'rel="next"' not in second


def test_GD_14_6__secret_device__on_no_page(signed_in, admin):
    make_secret(admin, "DV-DR1")
    client = signed_in("H1")
    assert "DV-DR1" not in page(client, "/registry")
    assert client.get(DR1, headers=HTML).status_code == 404
    assert client.get("/registry/publication/DV-DR1", headers=HTML).status_code == 404


def test_file_of_the_list__no_cell_is_a_formula(signed_in, admin):
    admin.execute("UPDATE core.device SET name = '=1+1' WHERE public_id = 'DV-DR1'")
    answer = signed_in("O1").get("/registry/devices.csv")
    assert answer.mimetype == "text/csv"
    text = answer.data.decode("utf-8-sig")
    assert "'=1+1" in text
    assert "DV-DV1" in text
    assert text.splitlines()[0].split(",") == list(listing.COLUMNS)


# -- a device ---------------------------------------------------------------------------------------------


def test_device__tells_its_life_its_papers_and_what_is_next(reading_as):
    text = page(reading_as("H1"), DV1)
    assert "DV1 may be used since 2025-07-01" in text
    for said in ("Put it into use", "Legal review: passed", "Announced: Official disclosure platform", "SAMPLE-2025-1"):
        assert said in text


def test_device__for_the_data_administrator__without_technical_data(signed_in, admin):
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.device SET serial_no = 'SN-7', sector_azimuth_deg = 90, hfov_deg = 60, range_m = 200")
    client = signed_in("D1")
    assert "SN-7" not in page(client, DV1)
    assert "&#34;part&#34;: &#34;view&#34;" not in page(client, DV1)
    assert "SN-7" in page(signed_in("T1"), DV1)
    assert "&#34;part&#34;: &#34;view&#34;" in page(signed_in("T1"), DV1)


@pytest.mark.parametrize("path", ["/registry/device/DV-NONE", "/registry/publication/DV-NONE"])
def test_what_is_not_there__404(reading_as, path):
    assert reading_as("O1").get(path, headers=HTML).status_code == 404


def test_device_of_another_authority__404(reading_as):
    assert reading_as("O4").get(DV1, headers=HTML).status_code == 404
    assert reading_as("O4").post(DV1, data={"step": "sign"}, headers={**SAME_ORIGIN, **HTML}).status_code == 404


def test_GD_14_2__day_29__refused_with_the_earliest_day(signed_in, services, clock):
    clock.at = datetime(2025, 6, 30, 23, 59, tzinfo=SHANGHAI)
    client = signed_in("H1")
    assert "1 rule against it" in page(client, DV1)
    answer = post(client, DV1, {"step": "activate"})
    assert answer.status_code == 409
    assert "GD-14.2" in answer.text
    assert "2025-07-01" in answer.text
    assert device(services).state == "published"


def test_GD_14_2__day_30__in_use(signed_in, services, clock):
    clock.at = datetime(2025, 7, 1, 0, 1, tzinfo=SHANGHAI)
    client = signed_in("H1")
    answer = post(client, DV1, {"step": "activate"})
    assert (answer.status_code, answer.location) == (303, f"{DV1}?done=activate")
    assert "DV1 is in use" in page(client, DV1)
    assert device(services).activated_on.isoformat() == "2025-07-01"


def test_activate__by_an_officer__403_and_told_who_may(signed_in, services):
    answer = post(signed_in("O1"), DV1, {"step": "activate"})
    assert answer.status_code == 403
    assert "unit head" in answer.text
    assert device(services).state == "published"


@pytest.mark.parametrize("path", [DV1, PUBLISH, "/registry/report", "/registry/rules"])
def test_form__of_another_site__403(reading_as, path):
    answer = reading_as("H1").post(path, data={"step": "activate"}, headers={"Sec-Fetch-Site": "cross-site", **HTML})
    assert answer.status_code == 403


@pytest.mark.parametrize("path", [DV1, PUBLISH, "/registry/report", "/registry/rules"])
def test_form__that_names_no_step__422(reading_as, path):
    assert post(reading_as("H1"), path, {"step": "fly"}).status_code == 422


def test_step__out_of_turn__409(reading_as):
    answer = post(reading_as("C1"), DV1, {"step": "resume"})
    assert answer.status_code == 409
    assert "announced, not yet in use" in answer.text


def test_GD_14_1__sign_with_a_photo__kept_shown_and_served_harmless(signed_in, services):
    client = signed_in("O1")
    data = {"step": "sign", "text": "Camera of the bureau", "on": "2025-07-01", "photo": photo()}
    assert post(client, DV1, data, content_type="multipart/form-data").status_code == 303
    text = page(client, DV1)
    assert "Camera of the bureau" in text
    address = re.search(r'src="(/registry/device/DV-DV1/file/\w+)"', text)[1]
    with client.get(address) as picture:
        assert (picture.status_code, picture.mimetype) == (200, "image/jpeg")
        assert "sandbox" in picture.headers["Content-Security-Policy"]
    assert signed_in("O4").get(address).status_code == 404
    with services.session() as db:
        assert db.scalars(select(Signage).where(Signage.text == "Camera of the bureau")).one().photo_sha256


def test_photo__that_is_none__415_and_what_was_typed_stays(reading_as):
    data = {"step": "sign", "text": "Typed with care", "on": "2025-07-01", "photo": (io.BytesIO(b"<svg/>"), "sign.svg")}
    answer = post(reading_as("O1"), DV1, data, content_type="multipart/form-data")
    assert answer.status_code == 415
    assert "Typed with care" in answer.text
    assert "<details open" in answer.text.replace('class="step" id="step-a1" ', "")


@pytest.mark.parametrize(
    ("changed", "status"),
    [({"on": "2025-07-03"}, 422), ({"on": "yesterday"}, 422), ({"text": " "}, 422), ({"text": "x" * 5000}, 422)],
)
def test_sign__told_wrongly__refused(reading_as, changed, status):
    data = {"step": "sign", "text": "Camera", "on": "2025-07-01", "photo": photo()} | changed
    assert post(reading_as("O1"), DV1, data, content_type="multipart/form-data").status_code == status


def test_GD_14_5__pause_beyond_what_is_allowed__409_and_the_reason_stays(signed_in, active):
    answer = post(signed_in("O1"), DV1, {"step": "pause", "reason": "lens", "ends_on": "2026-07-02"})
    assert answer.status_code == 409
    assert 'value="lens"' in answer.text
    assert post(signed_in("O1"), DV1, {"step": "pause", "reason": "lens", "ends_on": "2025-07-09"}).status_code == 303
    assert "paused for maintenance until 2025-07-09" in page(signed_in("O1"), DV1)
    assert post(signed_in("C1"), DV1, {"step": "resume"}).status_code == 303


def test_GD_22_2__calibration_that_lapses__blocks_and_a_new_test_and_repair_bring_it_back(
    signed_in, services, admin, clock
):
    admin.execute("UPDATE core.device SET is_measuring_instrument = true WHERE public_id = 'DV-DV1'")
    told = {"step": "calibration", "kind": "verification", "agency": "Institute", "number": "C-1", "result": "passed"}
    told |= {"on": "2025-07-01", "valid_to": "2025-07-31"}
    assert post(signed_in("T1"), DV1, told, content_type="multipart/form-data").status_code == 303
    assert post(signed_in("H1"), DV1, {"step": "activate"}).status_code == 303
    clock.at = datetime(2025, 8, 1, 10, 0, tzinfo=SHANGHAI)
    assert len(list(block_where_due(services.work))) == 1
    assert "DV1 is stopped: GD-22.2" in page(signed_in("H1"), DV1)
    back = {"step": "unblock", "reason": "verified anew"}
    refused = post(signed_in("H1"), DV1, back)
    assert refused.status_code == 409
    assert {"GD-22.2", "GD-20.1"} <= set(re.findall(r'class="mono">(G[\w.-]+)<', refused.text))
    told |= {"number": "C-2", "on": "2025-08-01", "valid_to": "2026-07-31"}
    assert post(signed_in("T1"), DV1, told, content_type="multipart/form-data").status_code == 303
    repair = {"step": "repair", "text": "verified", "by": "Institute", "on": "2025-08-01"}
    assert post(signed_in("T1"), DV1, repair).status_code == 303
    assert post(signed_in("H1"), DV1, back).status_code == 303
    assert device(services).state == "active"
    life = page(signed_in("H1"), DV1).partition('id="life"')[2]
    for said in ("Stopped by a check", "GD-22.2: ", "Taken back into use after a stop", "Repair", "C-1", "C-2"):
        assert said in life


def test_calibration__passed_without_an_end__422(signed_in, admin):
    admin.execute("UPDATE core.device SET is_measuring_instrument = true WHERE public_id = 'DV-DV1'")
    told = {"step": "calibration", "kind": "verification", "agency": "I", "number": "C", "result": "passed"}
    assert post(signed_in("T1"), DV1, told | {"on": "2025-07-01", "valid_to": ""}).status_code == 422


def test_GD_10_2__cancelling_the_site__only_with_an_announcement(signed_in, services, active):
    told = {"step": "evaluation", "outcome": "cancel_site", "text": "nobody needs it", "text_en": "", "text_zh": ""}
    assert post(signed_in("H1"), DV1, told).status_code == 422
    assert post(signed_in("O1"), DV1, told | {"text_en": "Ended", "text_zh": "停用"}).status_code == 403
    assert post(signed_in("H1"), DV1, told | {"text_en": "Ended", "text_zh": "停用"}).status_code == 303
    assert device(services).state == "discontinued"
    assert "停用" in page(signed_in("H1"), f"{PUBLISH}?lang=zh")


@pytest.mark.usefixtures("active")
def test_GD_10_1__evaluated_on_the_page__decided_on_what_it_showed_and_that_can_be_read_later(signed_in, services):
    client = signed_in("O1")
    seen = re.search(r'name="seen" value="([0-9a-f]{64})"', client.get(DV1).text).group(1)
    told = {"step": "evaluation", "outcome": "keep", "text": "Needed."}
    with services.work(services.actor("O1")) as work:
        commands.report_incident(work, work.get(Device, "DV-DV1"), kind="damaged", text="Lens broken.")
        work.commit()
    services.clock.advance(timedelta(minutes=1))
    late = post(client, DV1, told | {"seen": seen})
    assert late.status_code == 409
    assert "Something has come in since you read" in late.text
    again = re.search(r'name="seen" value="([0-9a-f]{64})"', late.text).group(1)
    assert post(client, DV1, told | {"seen": again}).status_code == 303
    assert "What was on record then" in client.get(DV1).text


@pytest.mark.usefixtures("active")
def test_GD_10_1__whoever_evaluates__sees_what_is_on_record_and_others_do_not(signed_in):
    page = signed_in("H1").get(DV1).text
    assert "On record since its last evaluation" in page
    assert "Speaks for: Keep it, have the sign adjusted" in page
    assert "No complaint about it was received." in page
    assert "未收到相关投诉" in signed_in("H1").get(DV1, headers={"Accept-Language": "zh"}).text
    assert "On record since its last evaluation" not in signed_in("D1").get(DV1).text


def test_GD_20_1__shift_reported__blocks_with_the_distance(signed_in, services, active):
    told = {"step": "incident", "kind": "moved", "text": "turned", "lon": "113.2604", "lat": "23.13", "at": ""}
    assert post(signed_in("C1"), DV1, told | {"lat": ""}).status_code == 422
    assert post(signed_in("C1"), DV1, told | {"lat": "inf"}).status_code == 422
    assert post(signed_in("C1"), DV1, told).status_code == 303
    assert len(list(block_where_due(services.work))) == 1
    assert "41 m" in page(signed_in("H1"), DV1)


def test_GD_18_1__use_by_another_authority__asked_granted_and_revoked_with_a_reason(signed_in, work, active):
    with work("O4") as doing:
        authority = doing.session.scalars(select(Authority).where(Authority.code == "A2")).one()
        item = doing.session.scalars(select(SupervisionItem)).first()
        told = {"purpose_en": "Joint inspection", "purpose_zh": "联合检查", "valid_to": date(2025, 8, 1)}
        grant = ask_use(doing, doing.get(Device, "DV-DV1"), NewUse(authority=authority, item=item, **told))
        doing.commit()
    head = signed_in("H1")
    assert "1 authority asks to use a device" in page(head, "/registry")
    assert "Joint inspection" in page(head, DV1)
    assert "Let it be used" not in page(signed_in("O1"), DV1)
    told = {"step": "grant_use", "kind": grant.public_id, "reason": "it is free then"}
    assert post(signed_in("O1"), DV1, told).status_code == 403
    assert post(head, DV1, told | {"kind": "DG-NONE"}).status_code == 422
    assert post(head, DV1, told).status_code == 303
    blank = post(head, DV1, {"step": "revoke_use", "kind": grant.public_id, "reason": " "})
    assert blank.status_code == 409
    assert "Nothing was recorded" in blank.text
    assert post(head, DV1, {"step": "revoke_use", "kind": grant.public_id, "reason": "it is over"}).status_code == 303
    assert "it is over" in page(head, DV1)


# -- announcing -------------------------------------------------------------------------------------------


def test_desk__tells_what_waits_and_which_clock_runs(signed_in, fresh):
    text = page(signed_in("O1"), "/registry/publication")
    assert "1 approval waits to be announced" in text
    assert "Camera DV1" in text
    assert "1 approval to be announced" in text


def test_preview__in_both_languages_with_everything_that_the_law_asks(signed_in, fresh):
    text = page(signed_in("O1"), PUBLISH)
    for said in ("Pollution patrol", "污染巡查", "Placeholder statute", "占位法律", "Site DV1", "+86 00 0000 0000"):
        assert said in text


def test_GD_14_3__two_channels__the_later_starts_the_clock(signed_in, services, fresh, clock):
    client = signed_in("O1")
    assert post(client, PUBLISH, {"step": "show"}).status_code == 303
    early = post(client, PUBLISH, {"step": "begin"})
    assert early.status_code == 409
    assert "GD-14.2" in early.text
    receipt = {"step": "receipt", "channel": "official_disclosure", "receipt": "GD-1", "at": "2025-07-02T09:00"}
    assert post(client, PUBLISH, receipt).status_code == 303
    clock.at += timedelta(minutes=1)
    assert "ends on" in page(client, PUBLISH)
    assert post(client, PUBLISH, {"step": "begin"}).status_code == 303
    assert device(services).state == "published"
    assert re.search(r"Camera DV1 may be used from \d{4}-\d\d-\d\d \(\w+\), in \d+ days", page(client, PUBLISH))


@pytest.mark.parametrize(
    "changed", [{"at": "2025-07-03T09:00"}, {"at": "soon"}, {"receipt": " "}, {"channel": "pigeon"}], ids=str
)
def test_receipt__told_wrongly__422_and_what_was_typed_stays(signed_in, fresh, changed):
    told = {"step": "receipt", "channel": "official_disclosure", "receipt": "GD-1", "at": "2025-07-02T09:00"} | changed
    answer = post(signed_in("O1"), PUBLISH, told)
    assert answer.status_code == 422
    assert changed.get("receipt") or changed.get("channel") or 'value="GD-1"' in answer.text


def test_dispatch__handed_over_by_the_worker__rejected__sent_anew__published(
    signed_in, services, fresh, clock, tmp_path
):
    folder = tmp_path / "official"
    services.__dict__["channels"] = {"official_disclosure": FolderChannel(folder)}
    client = signed_in("O1")
    assert "Send to this channel" in page(client, PUBLISH)
    send = {"step": "send", "channel": "official_disclosure"}
    assert post(client, PUBLISH, send).status_code == 303
    assert [one.outcome for one in deliver(services, services.channels)] == ["handed_over"]
    assert "the receipt is awaited" in page(client, PUBLISH)
    _answer(services, folder, rejected_because="the purpose is unclear")
    clock.at += PAUSES[0]
    assert [one.outcome for one in deliver(services, services.channels)] == ["rejected"]
    assert "rejected: the purpose is unclear" in page(client, PUBLISH)
    assert "did not get through" in page(client, "/registry/publication")
    assert "1 notice that did not get through" in page(client, "/registry")
    assert post(client, PUBLISH, send).status_code == 303
    assert "notice that did not get through" not in page(client, "/registry")
    list(deliver(services, services.channels))
    _answer(services, folder, receipt_id="GD-9", published_at=clock.now().isoformat())
    clock.at += PAUSES[0]
    assert [one.outcome for one in deliver(services, services.channels)] == ["published"]
    assert "GD-9" in page(client, PUBLISH)


def _answer(services, folder, **fields):
    with services.session() as db:
        sent = db.scalars(select(Dispatch).order_by(Dispatch.recorded_at.desc()).limit(1)).one()
    document = {"dispatch": sent.public_id, "content_sha256": sent.content_sha256} | fields
    (folder / "in" / f"{sent.public_id}.json").write_text(json.dumps(document), encoding="utf-8")


def test_dispatch__that_failed__told_and_repeated(signed_in, services, fresh, admin):
    client = signed_in("O1")
    assert post(client, PUBLISH, {"step": "send", "channel": "official_disclosure"}).status_code == 303
    admin.execute("UPDATE core.dispatch SET failure = 'status 401', next_try_at = NULL, tries = 1")
    text = page(client, PUBLISH)
    assert "The service answered with the error 401." in text
    name = re.search(r'name="dispatch" value="(DC-\w+)"', text)[1]
    assert post(client, PUBLISH, {"step": "again", "dispatch": "DC-NONE"}).status_code == 422
    assert post(client, PUBLISH, {"step": "again", "dispatch": name}).status_code == 303
    with services.session() as db:
        assert db.scalars(select(Dispatch.next_try_at)).one() is not None


def test_withdrawal__before_use_stands_the_clock_still__in_use_refused(signed_in, services):
    client = signed_in("O1")
    told = {"step": "withdraw", "channel": "official_disclosure", "reason": "an error in it"}
    assert post(client, PUBLISH, told | {"reason": ""}).status_code == 422
    assert post(client, PUBLISH, told).status_code == 303
    assert "the clock stands still" in page(client, "/registry/publication")
    assert post(signed_in("H1"), DV1, {"step": "activate"}).status_code == 409


def test_GD_14_4__in_use__not_withdrawn_but_ended_with_an_announcement(signed_in, services, active):
    withdrawn = post(signed_in("O1"), PUBLISH, {"step": "withdraw", "channel": "platform_map", "reason": "x"})
    assert withdrawn.status_code == 409
    told = {"step": "stop", "kind": "discontinued", "reason": "moved away", "text_en": "Ended.", "text_zh": "停用。"}
    assert post(signed_in("O1"), PUBLISH, told).status_code == 403
    blank = post(signed_in("H1"), PUBLISH, told | {"text_zh": " "})
    assert blank.status_code == 422
    assert "moved away" in blank.text
    assert post(signed_in("H1"), PUBLISH, told).status_code == 303
    with services.session() as db:
        assert db.scalars(select(Announcement.text_en)).one() == "Ended."
    text = page(signed_in("H1"), PUBLISH)
    assert "is not announced" in text
    assert "Begin the notice period" in text


def test_area__suspended_and_announced_anew__with_a_new_round(signed_in, services):
    path = "/registry/publication/PA-PA1"
    told = {"step": "stop", "kind": "suspended", "reason": "storm", "text_en": "Suspended.", "text_zh": "暂停。"}
    assert post(signed_in("H1"), path, told).status_code == 303
    assert post(signed_in("N1"), path, {"step": "show"}).status_code == 303
    with services.session() as db:
        rounds = db.scalars(select(Publication.round_no).where(Publication.subject_kind == "patrol_area")).all()
    assert sorted(rounds) == [1, 1, 2]


def test_GD_16_3__small_change_of_an_area__shown_on_both_channels_and_put_into_force(signed_in, work, services):
    path = "/registry/publication/PA-PA1"
    with work("O1") as doing:
        shape = box(113.25, 23.12, 113.291, 23.14)
        commands.draft_change(doing, doing.get(PatrolArea, "PA-PA1"), shape, reason="a bend")
        doing.commit()
    officer, head = signed_in("O1"), signed_in("H1")
    assert "Another shape was approved" not in page(officer, path)
    with work("H1") as doing:
        commands.approve_change(doing, doing.get(PatrolArea, "PA-PA1"))
        doing.commit()
    assert "has 98 % in common" in page(officer, path)
    assert "1 approval waits to be announced" in page(officer, "/registry/publication")
    early = post(head, path, {"step": "apply_change"})
    assert early.status_code == 409
    assert "GD-14.3" in early.text
    assert post(officer, path, {"step": "show_change"}).status_code == 303
    told = {"step": "receipt_change", "channel": "official_disclosure", "receipt": "GD-8", "at": "2025-07-02T09:00"}
    assert post(officer, path, told).status_code == 303
    assert post(officer, path, {"step": "apply_change"}).status_code == 403
    assert post(head, path, {"step": "apply_change"}).status_code == 303
    with services.session() as db:
        assert find(db, PatrolArea, "PA-PA1").area_version == 2
    assert post(officer, PUBLISH, {"step": "show_change"}).status_code == 422


# -- dues and the report ----------------------------------------------------------------------------------


def test_due__filters_by_what_and_when__and_as_a_file(signed_in, admin):
    admin.execute(
        "UPDATE core.device SET is_measuring_instrument = true, calibration_valid_to = '2025-07-10' WHERE name = 'DV1'"
    )
    client = signed_in("O1")
    text = page(client, "/registry/due")
    assert "The next is due on 2025-07-10" in text
    assert "in 8 days" in text
    assert "Nothing is due." in page(client, "/registry/due?what=evaluation&days=7")
    assert "2025-07-10,calibration,no,DV-DV1" in client.get("/registry/due.csv?what=calibration").text
    for query in ("what=tea", "days=x", "days=99999", "authority=A2"):
        assert client.get(f"/registry/due?{query}", headers=HTML).status_code in (404, 422)


def test_GD_13_3__report__draft_submitted_received(signed_in, services, active):
    path = "/registry/report?authority=A1&year=2025"
    head, officer = signed_in("H1"), signed_in("O1")
    assert "put 2 new devices into use in 2025" in page(officer, path)
    assert post(officer, path, {"step": "submit"}).status_code == 403
    early = post(officer, path, {"step": "receipt", "receipt": "R-1", "on": "2025-07-02"})
    assert early.status_code == 404
    assert post(head, path, {"step": "submit"}).status_code == 303
    assert post(head, path, {"step": "submit"}).status_code == 409
    wrong = post(officer, path, {"step": "receipt", "receipt": "R-1", "on": "2025-07-01"})
    assert wrong.status_code == 422
    assert 'value="R-1"' in wrong.text
    assert post(officer, path, {"step": "receipt", "receipt": "R-1", "on": "2025-07-02"}).status_code == 303
    assert "Received on 2025-07-02" in page(officer, path)
    with services.session() as db:
        stored = db.scalars(select(AnnualReport.document)).one()
    assert officer.get("/registry/report.json?authority=A1&year=2025").text == stored
    assert "DV-DV1" in officer.get("/registry/report.csv?authority=A1&year=2025").text


def test_GD_13_3__submitted_report__stays_though_devices_change(signed_in, services, work):
    path = "/registry/report?authority=A1&year=2025"
    assert post(signed_in("H1"), path, {"step": "submit"}).status_code == 303
    with work("H1") as doing:
        commands.activate_device(doing, doing.get(Device, "DV-DV1"))
        doing.commit()
    assert "put 1 new device into use in 2025" in page(signed_in("H1"), f"{path}&part=1")
    assert "DV-DV1" not in page(signed_in("H1"), f"{path}&part=1")


def test_GD_13_3__device_first_used_after_the_report__supplement_submitted_and_received(signed_in, work, clock):
    path = "/registry/report?authority=A1&year=2025"
    head, officer = signed_in("H1"), signed_in("O1")
    assert post(head, path, {"step": "submit"}).status_code == 303
    assert "Supplement" not in page(head, path)
    with work("H1") as doing:
        commands.activate_device(doing, doing.get(Device, "DV-DV1"))
        doing.commit()
    assert "put 1 more device into use in 2025 after its report" in page(head, path)
    clock.at = datetime(2025, 12, 20, 10, 0, tzinfo=SHANGHAI)
    head, officer = signed_in("H1"), signed_in("O1")
    assert "A supplement to the annual report for 2025" in page(head, "/registry")
    assert post(head, path, {"step": "submit"}).headers["Location"].endswith("part=2&done=submit")
    assert "A supplement to the annual report" not in page(head, "/registry")
    told = {"step": "receipt", "receipt": "R-2", "on": "2025-12-20"}
    assert post(officer, f"{path}&part=2", told).status_code == 303
    assert "Received on 2025-12-20" in page(officer, f"{path}&part=2")
    assert "its receipt is awaited" in page(officer, f"{path}&part=1")
    assert "DV-DV1" in officer.get("/registry/report.csv?authority=A1&year=2025&part=2").text
    assert "DV-DV1" not in officer.get("/registry/report.csv?authority=A1&year=2025&part=1").text
    assert officer.get(f"{path}&part=3", headers=HTML).status_code == 422


def test_GD_13_3__report_near_its_day__waits_for_the_unit_head(signed_in, clock):
    clock.at = datetime(2025, 12, 20, 10, 0, tzinfo=SHANGHAI)
    assert "The annual report for 2025" in page(signed_in("H1"), "/registry")
    assert "The annual report for 2025" not in page(signed_in("N1"), "/registry")


@pytest.mark.parametrize("query", ["year=2026", "year=1066", "year=x", "authority=A2"])
def test_report__of_no_year_or_nobody__refused(reading_as, query):
    assert reading_as("O1").get(f"/registry/report?{query}", headers=HTML).status_code in (404, 422)


# -- rules taken on ---------------------------------------------------------------------------------------


def test_G_42__overlays__told_in_words_and_switched_with_a_reason(signed_in):
    path = "/registry/rules?authority=A1"
    client = signed_in("L1")
    text = page(client, path)
    assert "has taken on 4 work plans of 4" in text
    assert "A firm is told in writing before it is supervised from afar" in text
    off = {"overlay": "lf-2024", "turn": "off", "reason": "tried and ended"}
    blank = post(client, path, off | {"reason": ""})
    assert blank.status_code == 422
    assert post(client, path, off).status_code == 303
    assert post(client, path, off).status_code == 409
    assert "has taken on 3 work plans of 4" in page(client, path)
    assert "tried and ended" in page(client, path)


def test_G_42__overlay_nobody_has__404__of_another_authority__404_or_403(signed_in):
    client = signed_in("H1")
    assert (
        post(client, "/registry/rules?authority=A1", {"overlay": "xx", "turn": "on", "reason": "r"}).status_code == 404
    )
    told = {"overlay": "lf-2024", "turn": "off", "reason": "r"}
    assert post(client, "/registry/rules?authority=A2", told).status_code == 404
    # Whoever stands above reads what those below have taken on, and switches nothing for them.
    assert "A1" in page(signed_in("P1"), "/registry/rules?authority=A1")
    assert post(signed_in("P1"), "/registry/rules?authority=A1", told).status_code == 403


def test_pages__in_chinese__hold_no_english_words_of_ours(reading_as):
    for path in ("/registry", DV1, "/registry/due", "/registry/report", "/registry/rules"):
        answer = reading_as("O1").get(path, headers={**HTML, "Accept-Language": "zh-CN"})
        text = answer.text
        assert "登记" in text
        for word in ("Filter<", "State<", "What may be done", "Annual report"):
            assert word not in text
