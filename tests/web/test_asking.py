"""Citizens speak: complaints with a receipt, zones that are asked for, the desk that answers (GD-45.1, GD-15)."""

import html
import re
import uuid
from datetime import timedelta

import pytest
from sqlalchemy import select

from enforcement import queries
from schemas.tables import Complaint, ZoneRequest
from tests.database.flying import airborne
from tests.web.conftest import HTML, SAME_ORIGIN
from tests.web.test_flight_log import end

FORM = HTML | SAME_ORIGIN
LANGUAGES = ["en", "zh"]


def said(**options):
    told = {"kind": "complaint", "said": "It looks into my kitchen.", "authority": "AU-A1", "once": str(uuid.uuid4())}
    return told | options


def wish(**options):
    told = {
        "place": "113.2641, 23.1331",
        "radius": "30",
        "kind": "requested",
        "reason": "A shelter.",
        "where": "7 Qinghe Lane",
        "asked_by": "Somebody",
        "contact": "somebody@example.org",
        "authority": "AU-A1",
    }
    return told | options


def words(answer):
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())


def receipt(client, **options):
    answer = client.post("/ask", data=said(**options), headers=FORM)
    assert answer.status_code == 201, answer.text
    return [re.search(rf'id="{name}">([^<]+)<', answer.text)[1] for name in ("number", "word")]


def ask_status(client, number, word):
    return client.post("/ask/status", data={"number": number, "word": word}, headers=FORM)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/ask", {"en": "Say what is wrong, or ask", "zh": "反映问题或咨询"}),
        ("/ask?about=device/DV-DV1", {"en": "About", "zh": "关于"}),
        ("/ask/status", {"en": "Secret word", "zh": "密语"}),
        ("/ask/register", {"en": "Month by month", "zh": "逐月统计"}),
        ("/zone-requests/new", {"en": "Ask for a place where nobody watches", "zh": "申请设立隐私区"}),
        ("/subscribe", {"en": "Be told when something changes here", "zh": "变更通知"}),
        ("/subscribe?place=113.27,23.13&radius=500", {"en": "500 m around 113.27000", "zh": "113.27000"}),
    ],
)
def test_page__in_either_language__opens(reader, path, says, lang):
    answer = reader.get(f"{path}{'&' if '?' in path else '?'}lang={lang}", headers=HTML)
    assert answer.status_code == 200, answer.text
    assert says[lang] in words(answer)


def test_ask__kind_not_chosen__is_told_in_the_words_of_the_form(client):
    answer = client.post("/ask", data=said(kind=""), headers=FORM)
    assert answer.status_code == 422
    assert "Nothing stands in the field “What is it?”." in words(answer)


def test_zone__what_it_protects__is_never_that_somebody_asked(reader):
    page = words(reader.get("/zone-requests/new", headers=HTML))
    assert "A home or a workplace" in page
    assert "Requested by residents" not in page


def test_subscribe__what_changed_lately__the_latest_day_first(reader):
    page = reader.get("/subscribe?place=113.27,23.13&radius=5000", headers=HTML).text
    lately = page.split('class="lately"')[1].split("</ul>")[0]
    days = re.findall(r"\d{4}-\d{2}-\d{2}", lately)
    assert len(set(days)) > 1
    assert days == sorted(days, reverse=True)


def test_GD_45_1__complaint__receipt_with_a_number_and_a_word(client, services):
    number, word = receipt(client, about="device/DV-DV1", contact="me@example.org")
    with services.session() as db:
        taken = queries.words_of(db, number)
    assert (taken.about_kind, taken.about_id, taken.lang) == ("device", "DV-DV1", "en")
    answer = ask_status(client, number.lower(), word.lower().replace("-", " "))
    assert answer.status_code == 200
    assert "You are answered by 2025-07-23 (Wed), in 21 days" in words(answer)
    assert "It looks into my kitchen." in words(answer)
    assert answer.headers["Cache-Control"] == "no-store"


WRONG = [("", ""), ("CM-NONE", "AAAA-AAAA"), ("right", "AAAA-2222"), ("right", "")]


@pytest.mark.parametrize(("number", "word"), WRONG)
def test_status__with_a_wrong_word__says_nothing_of_it(client, number, word):
    right, _ = receipt(client)
    answer = ask_status(client, right if number == "right" else number, word)
    assert answer.status_code == 404
    assert "kitchen" not in answer.text
    assert "No message has that number and that secret word." in words(answer)


def test_receipt__as_json__for_programs(client):
    answer = client.post("/ask", data=said(), headers=SAME_ORIGIN)
    assert answer.status_code == 201
    assert set(answer.json) == {"number", "word", "due_on"}


def test_form_sent_twice__same_receipt_and_one_complaint(client, session):
    form = said()
    first, second = (client.post("/ask", data=form, headers=FORM) for _ in range(2))
    assert first.text == second.text
    assert len(session.scalars(select(Complaint)).all()) == 1


@pytest.mark.parametrize(("path", "form"), [("/ask", said()), ("/zone-requests/new", wish())])
def test_GD_45_1__form_in_a_head__takes_nothing_and_answers_as_get(client, session, path, form):
    elsewhere = HTML | {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"}
    answer = client.head(path, data=form, headers=elsewhere)
    assert (answer.status_code, answer.mimetype, answer.data) == (200, "text/html", b"")
    assert session.scalars(select(Complaint)).all() == session.scalars(select(ZoneRequest)).all() == []


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"said": ""}, "Nothing stands in the field “What you want to say”."),
        ({"kind": "praise"}, "does not take the value praise"),
        ({"authority": "AU-NONE"}, "does not take the value AU-NONE"),
        ({"once": "x"}, "This form has no name of its own any more."),
        ({"contact": "me\r\nBcc: all@example.org"}, "more than one line"),
        ({"contact": "x" * 301}, "more than one line, or too long"),
    ],
)
def test_GD_45_1__form_with_a_fault__told_at_its_field_and_kept(client, session, wrong, says):
    answer = client.post("/ask", data=said(**wrong), headers=FORM)
    assert answer.status_code in (409, 422)
    assert says in words(answer)
    assert wrong.get("said", "It looks into my kitchen.") in words(answer)
    assert session.scalars(select(Complaint)).all() == []


def test_ask__about_what_is_not_on_the_map__404(reader):
    assert reader.get("/ask?about=device/DV-NONE", headers=HTML).status_code == 404
    assert reader.get("/ask?about=person/PE-O1", headers=HTML).status_code == 404


def test_GD_45_1__desk__looks_into_replies_and_puts_right(client, signed_in):
    number, word = receipt(client, about="device/DV-DV1")
    officer = signed_in("O1")
    assert "1 message waits for an answer" in words(officer.get("/complaints", headers=HTML))
    path = f"/complaints/{number}"
    form = {"step": "handle", "version": "1", "outcome": "justified", "note": "Seen on site."}
    assert officer.post(path, data=form, headers=FORM).status_code == 303
    form = {"step": "reply", "version": "2", "reply": "You were right.", "text_en": "Turned away.", "text_zh": "已改"}
    assert officer.post(path, data=form, headers=FORM).status_code == 303
    told = words(ask_status(client, number, word))
    for part in ("You were answered on 2025-07-02", "You were right.", "Turned away."):
        assert part in told
    assert "Turned away." in words(client.get("/ask/register", headers=HTML))


def test_GD_45_1__past_the_day__late_at_the_desk_and_for_whoever_asked(client, signed_in, clock):
    number, word = receipt(client)
    clock.advance(timedelta(days=30))
    assert "1 message is late to be answered" in words(signed_in("O1").get("/complaints", headers=HTML))
    assert "You should have been answered by 2025-07-23" in words(ask_status(client, number, word))


def test_GD_45_1__stale_or_incomplete_step__refused_and_kept(client, signed_in):
    number, _ = receipt(client)
    officer, path = signed_in("O1"), f"/complaints/{number}"
    stale = {"step": "handle", "version": "7", "outcome": "justified", "note": "Seen."}
    assert officer.post(path, data=stale, headers=FORM).status_code == 409
    wrong = {"step": "handle", "version": "1", "outcome": "answered", "note": "Seen."}
    answer = officer.post(path, data=wrong, headers=FORM)
    assert answer.status_code == 422
    assert "Seen." in answer.text


def test_GD_45_1__supervisor_reads_and_does_not_answer(client, signed_in):
    number, _ = receipt(client)
    supervisor = signed_in("S1")
    page = supervisor.get(f"/complaints/{number}", headers=HTML)
    assert page.status_code == 200
    assert "Record what came of it" not in words(page)
    assert supervisor.post(f"/complaints/{number}", data={"step": "handle"}, headers=FORM).status_code == 403


def test_GD_45_1__officer_of_another_authority__404(client, signed_in, admin):
    number, _ = receipt(client)
    admin.execute("UPDATE core.role_assignment SET authority_id = (SELECT id FROM core.authority WHERE code = 'A2')")
    assert signed_in("O1").get(f"/complaints/{number}", headers=HTML).status_code == 404


def test_GD_45_1__own_correction__told_in_public(client, signed_in):
    told = {"text_en": "The purpose was wrong.", "text_zh": "用途有误，已更正。"}
    form = {"authority": "A1", "about": "device/DV-DV1"} | told
    assert signed_in("O1").post("/complaints/correction", data=form, headers=FORM).status_code == 303
    told = words(client.get("/ask/register", headers=HTML))
    assert "The purpose was wrong." in told
    assert "DV-DV1" in told


# -- zones ---------------------------------------------------------------------------------------------


def test_GD_15__zone_as_address_and_radius__asked_with_a_number(client, session):
    answer = client.post("/zone-requests/new", data=wish(sensitive="1"), headers=FORM)
    assert answer.status_code == 303, answer.text
    request = session.scalars(select(ZoneRequest)).one()
    assert answer.location.endswith(f"done={request.public_id}")
    assert (request.place_text, request.sensitive, request.asked_by_id) == ("7 Qinghe Lane", True, None)
    page = words(client.get(answer.location, headers=HTML))
    assert f"Your number is {request.public_id}" in page
    assert "It is decided by 2025-07-23" in page
    assert "Qinghe Lane" not in page


SQUARE = "113.2640, 23.1330\n113.2643, 23.1330\n113.2643, 23.1332\n113.2640, 23.1332"
GEOJSON = '{"type":"Polygon","coordinates":[[[113.264,23.133],[113.2643,23.133],[113.2643,23.1332],[113.264,23.133]]]}'


@pytest.mark.parametrize("shape", [SQUARE, SQUARE.replace(", ", "，"), GEOJSON])
def test_GD_15__zone_as_corners__asked(client, session, shape):
    answer = client.post("/zone-requests/new", data=wish(place="", radius="", shape=shape), headers=FORM)
    assert answer.status_code == 303, words(answer)
    assert session.scalars(select(ZoneRequest)).one().state == "asked"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"place": ""}, "No place is given."),
        ({"shape": SQUARE}, "A place with a distance is given, and corners as well."),
        ({"radius": "1"}, "“1” is no distance from 5 to 1,000 m."),
        ({"radius": "NaN"}, "“NaN” is no distance"),
        ({"place": "Nowhere at all"}, "Nowhere at all"),
        ({"place": "113.9, 23.9"}, "No authority that publishes here supervises this place."),
        ({"authority": "AU-NONE"}, "authorities supervise this place."),
        ({"contact": " "}, "Nothing stands in the field “How we reach you”."),
        ({"asked_by": "a\nb"}, "more than one line"),
        ({"reason": ""}, "Nothing stands in the field “Reason”."),
        ({"kind": "castle"}, "does not take the value castle"),
        ({"place": "", "shape": "113.20,23.09\n113.30,23.09\n113.30,23.20"}, "km²"),
    ],
)
def test_GD_15__zone_with_a_fault__told_and_kept(client, session, wrong, says):
    answer = client.post("/zone-requests/new", data=wish(**wrong), headers=FORM)
    assert answer.status_code == 422, words(answer)
    assert says in words(answer)
    if "reason" not in wrong:
        assert "A shelter." in words(answer)
    assert session.scalars(select(ZoneRequest)).all() == []


def test_GD_15__zone_asked_by_staff__in_their_own_name(signed_in, session):
    signed_in("N1").post("/zone-requests/new", data=wish(), headers=FORM)
    assert session.scalars(select(ZoneRequest)).one().asked_by_id is not None


def test_card__of_a_record__leads_to_what_may_be_asked(reader):
    page = reader.get("/device/DV-DV1", headers=HTML).text
    assert 'href="/ask?about=device/DV-DV1"' in page
    assert 'href="/subscribe?place=113.' in page


def test_GD_45_1__flight_of_the_log__can_be_complained_of(client, admin, work, services):
    number = airborne(work)
    assert client.get(f"/ask?about=flight/{number}", headers=HTML).status_code == 404
    end(admin, number)
    admin.execute("UPDATE core.flight SET landed_at = now() - interval '30 days' WHERE public_id = %s", (number,))
    assert f'href="/ask?about=flight/{number}"' in client.get("/flights", headers=HTML).text
    assert "Flight of Route R1" in words(client.get(f"/ask?about=flight/{number}", headers=HTML))
    sent, _ = receipt(client, about=f"flight/{number}", authority="")
    with services.session() as db:
        assert queries.words_of(db, sent).about_kind == "flight"
