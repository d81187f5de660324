"""The pilot desk: a verdict first, every refusal, and only one's own flights."""

import html
import io
import json
import re

import pytest
from sqlalchemy import text

from tests.web.conftest import HTML, SAME_ORIGIN
from tests.web.plans import R1, R2, R4, flat_ground, geojson

IN_TIME = {"at": "2025-07-03T10:00", "minutes": "20", "drone": "DV-DR1", "inspection": "IP-2025-1"}


@pytest.fixture
def pilot(signed_in, services):
    flat_ground(services.data_dir)
    return signed_in("F1")


@pytest.fixture
def reader(reading_as, shared_app):
    """A pilot who only checks."""
    flat_ground(shared_app.extensions["services"].data_dir)
    return reading_as("F1")


def send(client, data, name="plan.geojson", where="check", **form):
    body = {**IN_TIME, **form}
    if data is not None:
        body["plan"] = (io.BytesIO(data), name)
    return client.post(f"/pilot/{where}", data=body, headers={**SAME_ORIGIN, **HTML})


def said(answer):
    return html.unescape(answer.text)


def rules(answer):
    return re.findall(r'class="mono(?: quiet)?">([^<]+)</(?:a|span)>\s*(?:<button|</p>)', answer.text)


def places(answer):
    return json.loads(html.unescape(re.search(r'data-geo="([^"]+)"', answer.text)[1]))["places"]["features"]


def count(services, table):
    with services.session() as db:
        return db.execute(text(f"SELECT count(*) FROM core.{table}")).scalar_one()


@pytest.mark.parametrize("code", ["X1", "D1", "S1", "L1"])
def test_desk__other_roles__403(reading_as, code):
    assert reading_as(code).get("/pilot", headers=HTML).status_code == 403


def test_check__good_plan__one_sentence_and_the_digest(reader):
    answer = send(reader, geojson(R1))
    assert answer.status_code == 200
    assert "may be flown, 2025-07-03 10:00 – 10:20" in said(answer)
    assert re.search(r"[0-9a-f]{64}", answer.text)
    assert rules(answer) == []


def test_check__what_it_keeps_away_from__with_metres_in_both_languages(reader):
    page = send(reader, geojson(R1)).text
    rows = re.findall(r"<tr><td>(.*?)</td><td>(\d+)</td><td>(\d+|—)</td></tr>", page)
    kinds = [re.sub("<.*", "", words).strip() for words, *_ in rows]
    assert {"privacy zone", "edge of the patrol area", "ground below the flight, in height"} <= set(kinds)
    assert ("ground below the flight, in height", "100") in [
        (kind, row[1]) for kind, row in zip(kinds, rows, strict=True)
    ]
    reader.get("/pilot?lang=zh", headers=HTML)
    chinese = send(reader, geojson(R1)).text
    reader.get("/pilot?lang=en", headers=HTML)
    assert "飞行下方地面（高度）" in chinese


def test_GD_16_5__line_through_a_zone__refused_with_its_place(reader):
    answer = send(reader, geojson(R2))
    assert "GD-16.5" in rules(answer)
    assert "This plan cannot be flown" in said(answer)
    assert {feature["properties"]["rule"] for feature in places(answer)} >= {"GD-16.5"}


def test_GD_16_3__line_that_leaves_the_area__refused(reader):
    assert "GD-16.3" in rules(send(reader, geojson(R4)))


def test_GD_14_2__day_29__refused_with_the_earliest_date(reader):
    answer = send(reader, geojson(R1), at="2025-06-30T10:00")
    assert "GD-14.2" in rules(answer)
    assert "Not before 2025-07-01" in said(answer)


def test_check__several_rules__all_at_once(reader):
    found = rules(send(reader, geojson([[113.2550, 23.1300], [113.2950, 23.1300]]), at="2025-07-03T23:30"))
    assert {"GD-16.3", "GD-16.5", "DC-2"} <= set(found)
    assert len(found) >= 4


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"", "empty.plan"),
        (b"{", "broken.plan"),
        (b"\x00\xff\xfe" * 100, "noise.plan"),
        (b'{"type": "Feature", "geometry": null}', "no.geojson"),
        (geojson([[113.0, 95.0], [113.1, 23.1]]), "range.geojson"),
        (b'{"a": ' * 5000 + b"1" + b"}" * 5000, "deep.geojson"),
        (b"QGC WPL 110\n0\t1\t0\t16\n", "short.waypoints"),
        (b"QGC WPL 999\n", "version.waypoints"),
        (b"<kml/>", "plan.kml"),
        (b'{"type":"Feature","geometry":{"type":"LineString","coordinates":[[NaN,1],[1,1]]}}', "nan.geojson"),
    ],
)
def test_check__unreadable_file__refused_in_place(reader, data, name):
    answer = send(reader, data, name)
    assert answer.status_code == 200
    assert "Refused:" in said(answer)
    assert rules(answer)


def test_check__hostile_name__is_only_a_name(reader):
    answer = send(reader, geojson(R1), '"><script>alert(1)</script>.geojson')
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize(
    "form",
    [
        {"at": "tomorrow"},
        {"minutes": "-1"},
        {"minutes": "1e9"},
        {"minutes": "٣"},
        {"drone": "DV-NONE"},
        {"drone": "' OR 1=1"},
        {"at": "9999-12-31T23:59"},
        {"at": "0001-01-01T00:00"},
        {"route": "\x00"},
        {"drone": "\x00"},
        {"at": "2025-07-03T10:00+99:00"},
    ],
)
def test_check__strange_form__refused_and_no_failure(reader, form):
    answer = send(reader, geojson(R1), **form)
    assert answer.status_code < 500
    assert "may be flown" not in said(answer)


def test_check__no_file__422(reader):
    answer = send(reader, None)
    assert answer.status_code == 422
    assert "No plan file was chosen." in said(answer)


def send_large(client, size):
    """As `send`, but built by hand: the client would leave a spooled file open."""
    head = b'--x\r\nContent-Disposition: form-data; name="plan"; filename="large.plan"\r\n\r\n'
    body = head + b" " * size + b"\r\n--x--\r\n"
    kind = "multipart/form-data; boundary=x"
    return client.post("/pilot/check", data=body, content_type=kind, headers={**SAME_ORIGIN, **HTML})


def test_check__body_above_the_limit__413(reader):
    assert send_large(reader, 17 << 20).status_code == 413


def test_check__file_above_the_limit__refused(reader):
    answer = send_large(reader, 9 << 20)
    assert answer.status_code == 200
    assert rules(answer)


def test_file__good_plan__filed_checked_and_shown(pilot, services):
    answer = send(pilot, geojson(R1), where="file")
    assert answer.status_code == 303
    page = said(pilot.get(answer.headers["Location"], headers=HTML))
    assert "Passed the check" in page
    assert "waits for the unit head" in page
    assert count(services, "flight") == 1
    assert answer.headers["Location"].rsplit("/", 1)[1] in said(pilot.get("/pilot", headers=HTML))


def test_file__from_a_page_with_scripts__goes_there(pilot):
    body = {**IN_TIME, "plan": (io.BytesIO(geojson(R1)), "r1.geojson")}
    answer = pilot.post("/pilot/file", data=body, headers={**SAME_ORIGIN, **HTML, "HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Redirect"][:14]) == (204, "/pilot/flight/")


def test_file__plan_that_fails__nothing_is_filed(pilot, services):
    answer = send(pilot, geojson(R2), where="file")
    assert answer.status_code == 409
    assert "GD-16.5" in rules(answer)
    assert count(services, "flight") == 0


def test_file__refused_to_a_program__is_a_problem_document(pilot):
    body = {**IN_TIME, "plan": (io.BytesIO(geojson(R2)), "r2.geojson")}
    answer = pilot.post("/pilot/file", data=body, headers=SAME_ORIGIN)
    assert (answer.status_code, answer.mimetype) == (409, "application/problem+json")
    assert "GD-16.5" in {refusal["rule"] for refusal in answer.get_json(force=True)["refusals"]}


def test_desk__flight_that_waits_below_the_list__is_counted(pilot, monkeypatch):
    monkeypatch.setattr("web.pilot.queries.MOST_FLIGHTS", 0)
    monkeypatch.setattr("web.pilot.queries.NEXT_STEPS", {"precheck_passed": "go on"})
    send(pilot, geojson(R1), where="file")
    assert "1 flight waits for you" in said(pilot.get("/pilot", headers=HTML))


@pytest.mark.parametrize(("missing", "rule"), [("inspection", "inspection.missing"), ("drone", "drone.missing")])
def test_file__something_missing__said(pilot, services, missing, rule):
    answer = send(pilot, geojson(R1), where="file", **{missing: ""})
    assert answer.status_code == 422
    assert rules(answer) == [rule]
    assert count(services, "flight") == 0


def test_file__by_somebody_who_is_no_pilot__403(signed_in, services):
    flat_ground(services.data_dir)
    assert send(signed_in("O1"), geojson(R1), where="file").status_code == 403
    assert count(services, "flight") == 0


def test_flight__of_somebody_else__404(pilot, signed_in, admin):
    location = send(pilot, geojson(R1), where="file").headers["Location"]
    admin.execute(
        "INSERT INTO core.role_assignment (id, public_id, person_id, role, authority_id, valid_from, origin) "
        "SELECT gen_random_uuid(), 'RA-X', id, 'pilot', authority_id, '2025-01-01', 'sample' FROM core.person "
        "WHERE code = 'O2'"
    )
    assert signed_in("O2").get(location, headers=HTML).status_code == 404
    assert signed_in("O1").get(location, headers=HTML).status_code == 403


def test_row_72__double_click__one_flight(pilot, services):
    page = said(pilot.get("/pilot", headers=HTML))
    key = re.search(r'name="key" value="([^"]{16,64})"', page)[1]
    first, second = (send(pilot, geojson(R1), where="file", key=key) for _ in range(2))
    assert first.headers["Location"] == second.headers["Location"]
    assert count(services, "flight") == 1
    other = send(pilot, geojson(R1), where="file", key=key, minutes="21")
    assert (other.status_code, rules(other)) == (422, ["idempotency.mismatch"])
    assert f'name="key" value="{key}"' not in said(pilot.get("/pilot", headers=HTML))


class TestPapers:
    @pytest.fixture
    def number(self, pilot):
        return send(pilot, geojson(R1), where="file").headers["Location"].rsplit("/", 1)[1]

    def test_flight__shows_its_filing_sheet(self, pilot, number):
        page = said(pilot.get(f"/pilot/flight/{number}", headers=HTML))
        assert "Filing sheet" in page
        assert "suitable for flying without an application" in page
        assert "approval.json" not in page
        assert "适飞空域" in said(pilot.get(f"/pilot/flight/{number}?lang=zh", headers=HTML))

    def test_flight__over_a_listed_place__shows_what_was_missed(self, pilot, number, admin):
        admin.execute(
            "INSERT INTO core.context_feature (id, public_id, layer, kind, name, attributes, geom, origin) VALUES"
            " (gen_random_uuid(), 'CF-W', 'airspace', 'drinking_water_source', 'Upper reservoir', '{}',"
            " ST_MakeEnvelope(113.27, 23.12, 113.272, 23.13, 4326), 'sample')"
        )
        page = said(pilot.get(f"/pilot/flight/{number}", headers=HTML))
        assert "Upper reservoir" in page
        assert "2025-07-02 12:00" in page
        assert "2 h 0 min left" in page

    def test_approval__not_before_clearing(self, pilot, number):
        assert pilot.get(f"/pilot/flight/{number}/approval.json", headers=HTML).status_code == 409

    @pytest.mark.parametrize("who", ["F1", "H1", "C1"])
    def test_approval__for_the_pilot_and_those_who_look_on(self, signed_in, pilot, number, who):
        assert signed_in("H1").post(f"/pilot/flight/{number}/clear", headers=SAME_ORIGIN).status_code == 303
        client = signed_in(who)
        answer = client.get(f"/pilot/flight/{number}/approval.json", headers=HTML)
        assert (answer.status_code, answer.mimetype) == (200, "application/json")
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{number}.approval.json"'
        assert answer.get_json()["approved"]["flight"] == number
        assert answer.get_json()["sample"] is True
        page = client.get(f"/pilot/flight/{number}/approval.html?lang=zh", headers=HTML)
        assert "批准文件" in said(page)
        assert "示例数据" in said(page)
        assert "approval.html" in said(pilot.get(f"/pilot/flight/{number}", headers=HTML))
        assert "approval.html" in said(signed_in("H1").get(f"/pilot/flight/{number}/watch", headers=HTML))

    def test_approval__of_no_such_flight__404(self, pilot):
        assert pilot.get("/pilot/flight/FL-NONE/approval.json", headers=HTML).status_code == 404
