"""What strangers send to the forms of citizens: rows of reliability.md section 5, by the number of the row.

Rows 1 to 26 at the field for a place, rows 63, 73, 74 and 78 in spirit; then headers, look-alikes, scripts and floods.
"""

from __future__ import annotations

import contextlib
import html
import json
import re
import uuid

import pytest
from sqlalchemy import select, text

from schemas.clock import FixedClock
from schemas.limits import limit
from schemas.tables import Complaint, LoginAttempt, Subscription, ZoneRequest
from tests.abuse.test_geometry import BOW_TIE, NARROW, SLIVER, SQUARE, TWICE, nested_collections_text, polygon, zigzag
from tests.conftest import TEN_ON_THE_FIRST_FLYING_DAY
from tests.web.conftest import HTML, SAME_ORIGIN, _signed_in
from web.app import create_app
from web.settings import Settings
from web.wiring import Services

FORM = SAME_ORIGIN | {"Accept": "application/json"}
PAGE = SAME_ORIGIN | HTML
OUTSIDE = "113.264,23.133\n113.2643,23.133\n113.2643,23.1332\n\n113.27,23.14\n113.2701,23.14\n113.2701,23.1401"


@pytest.fixture(scope="module")
def house(server, world_template, tmp_path_factory):
    """An installation that sends mail, for the whole module; nobody listens where it would send to."""
    name = server.clone(world_template)
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("data"),
        smtp_url="smtp://127.0.0.1:9",
        mail_from="watch@example.org",
        public_url="https://watch.example.org",
    )
    services = Services(settings, server.database(name), FixedClock(TEN_ON_THE_FIRST_FLYING_DAY))
    yield services
    services.close()
    server.drop(name)


@pytest.fixture(scope="module")
def app(house):
    return create_app(house)


@pytest.fixture
def client(app, house):
    with house.housekeeping() as db:
        db.query(LoginAttempt).delete()
    return app.test_client()


def wish(**options):
    told = {"kind": "requested", "reason": "A shelter.", "where": "7 Lane", "asked_by": "A", "contact": "B"}
    return told | options


def said(**options):
    told = {"kind": "complaint", "said": "It hums.", "authority": "AU-A1", "once": str(uuid.uuid4())}
    return told | options


def rules(answer):
    return {refusal["rule"] for refusal in answer.json["refusals"]}


def counts(house):
    with house.session() as db:
        return [len(db.scalars(select(table)).all()) for table in (Complaint, ZoneRequest, Subscription)]


def as_text(shape):
    return json.dumps(shape)


SHAPES = [
    (1, '{"type":"Polygon","coordinates":[[[NaN,23],[113.1,23],[113.1,23.1],[NaN,23]]]}', "geometry.not_finite"),
    (2, '{"type":"Polygon","coordinates":[[[1e999,23],[113.1,23],[113.1,23.1],[113,23]]]}', "geometry.not_finite"),
    (3, "200, 23\n113.1, 23\n113.1, 23.1", "geometry.out_of_range"),
    (4, "23.13, 113.26\n23.13, 113.27\n23.14, 113.27", "geometry.out_of_range"),
    (5, as_text(polygon([["113.2", 23.0], *SQUARE])), "geometry.not_a_number"),
    (6, as_text(polygon(SQUARE[:-1])), "geometry.ring_open"),
    (7, "113.26, 23.13\n113.27, 23.13", "geometry.ring_short"),
    (8, as_text(polygon(BOW_TIE)), "geometry.invalid"),
    (9, as_text(zigzag(100)), "geometry.invalid"),
    (10, OUTSIDE, "geometry.invalid"),
    (13, nested_collections_text(1_000), "geometry.depth"),
    (14, "{" + '"a":[' + "[" * 5_000 + "]" * 5_000 + "]}", "json.depth"),
    (15, '{"type":"Circle","coordinates":[113.26,23.13]}', "geometry.type"),
    (15, '{"coordinates":[[113.26,23.13]]}', "geometry.type"),
    (16, as_text(polygon([[113.0, 23.0, 5.0], *SQUARE[1:]])), "geometry.dimension"),
    (17, as_text(polygon([[x, y, 1, 2] for x, y in SQUARE])), "geometry.dimension"),
    (18, '{"type":"Polygon","coordinates":[]}', "geometry.empty"),
    (19, "170, 10\n-170, 10\n-170, 20\n170, 20", "geometry.antimeridian"),
    (20, as_text(polygon(SLIVER)), "geometry.degenerate"),
    (20, as_text(polygon(NARROW)), "geometry.degenerate"),
    (20, as_text(polygon(TWICE)), "geometry.degenerate"),
    (21, as_text(polygon(SQUARE) | {"crs": {"type": "name", "properties": {"name": "EPSG:4490"}}}), "geometry.crs"),
    (22, "POLYGON((113.26 23.13, 113.27 23.13, 113.27 23.14, 113.26 23.13))", "form.field"),
    (22, "{" + "0103000020E6100000" * 40, "json.syntax"),
    (24, '{"type":"MultiPolygon","coordinates":[]}', "geometry.type"),
    (25, '{"type":"Point","type":"Polygon","coordinates":[]}', "json.duplicate_key"),
    (26, '{"type":"Polygon","coordinates":[[[' + "9" * 2_000 + ",1]]]}", "json.number"),
]


@pytest.mark.parametrize(("row", "shape", "rule"), SHAPES, ids=lambda value: str(value)[:24])
def test_row_1_to_26__shape_of_a_zone__refused(client, house, row, shape, rule):
    before = counts(house)
    answer = client.post("/zone-requests/new", data=wish(shape=shape), headers=FORM)
    assert answer.status_code == 422, (row, answer.text)
    assert rule in rules(answer), row
    assert client.get("/subscribe", query_string={"shape": shape[:3_000]}, headers=PAGE).status_code == 422
    assert counts(house) == before


def test_row_11__corners_beyond_the_limit__refused(client, house):
    ring = "\n".join(f"113.{step:04d}, 23.{step % 2}" for step in range(limit("ask.corners") + 60))
    answer = client.post("/zone-requests/new", data=wish(shape=ring), headers=FORM)
    assert answer.status_code == 422
    assert counts(house)[1] == 0


def test_row_23__zone_reaching_beyond_its_authority__refused(client, house):
    answer = client.post("/zone-requests/new", data=wish(place="113.3599, 23.15", radius="500"), headers=FORM)
    assert answer.status_code == 422
    assert counts(house)[1] == 0


@pytest.mark.parametrize("path", ["/ask", "/zone-requests/new", "/subscribe", "/ask/status", "/complaints/correction"])
def test_row_12_and_74__ten_megabytes__413(client, path):
    answer = client.post(path, data={"said": "x" * (10 << 20)}, headers=FORM)
    assert answer.status_code in (413, 401)
    assert path == "/complaints/correction" or answer.status_code == 413


def test_row_12__longest_text_in_chinese__is_taken(client, house):
    longest = said(said="噪" * 4_000)
    assert client.post("/ask", data=longest, headers=FORM).status_code == 201
    assert client.post("/ask", data=said(said="噪" * 4_001), headers=FORM).status_code in (409, 422)


@pytest.mark.parametrize("path", ["/ask", "/zone-requests/new", "/subscribe", "/ask/status"])
def test_row_63__form_of_another_site__403(client, path):
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        answer = client.post(path, data=said(), headers=headers)
        assert answer.status_code == 403
        assert rules(answer) == {"origin.foreign"}


@pytest.mark.parametrize(
    "address",
    [
        "me@example.org\r\nBcc: all@example.org",
        "me@example.org\nSubject: buy",
        "me@example.org%0d%0aBcc:x@example.org",
        "me@example.org, all@example.org",
        "<me@example.org>",
        '"me\\"@example.org',
        "me@exаmple.org",  # a Cyrillic letter
        "mе@example.org",  # another one
        "me@example.org\u202e",
        "me@[127.0.0.1]",
        "me@localhost",
        "a" * 65 + "@example.org",
        "me@" + "a" * 250 + ".org",
        "me@example..org",
        "",
        "@",
    ],
)
def test_header_injection_and_look_alikes__address__refused(client, house, address):
    form = {"place": "113.26, 23.13", "radius": "500", "address": address}
    answer = client.post("/subscribe", data=form, headers=FORM)
    assert answer.status_code == 422
    assert counts(house)[2] == 0


@pytest.mark.parametrize("field", ["contact", "asked_by", "where"])
@pytest.mark.parametrize("wrong", ["a\r\nb", "a\nb", "a\u2028b", "a\u202eb", "a\x1bb", "x" * 301])
def test_lines_and_invisible_letters__in_one_line__refused(client, house, field, wrong):
    place = {"place": "113.2641, 23.1331", "radius": "30"}
    answer = client.post("/zone-requests/new", data=wish(**place | {field: wrong}), headers=FORM)
    assert answer.status_code == 422
    assert counts(house)[1] == 0


@pytest.mark.parametrize("wrong", ["\0", "a\0b"])
def test_nul__anywhere__422(client, wrong):
    for name in ("said", "contact", "once", "authority", "kind", "about"):
        assert client.post("/ask", data=said(**{name: wrong}), headers=FORM).status_code == 422


SCRIPT = '<script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}%(x)s=HYPERLINK("http://evil")'


def test_script_in_a_text__is_text_for_everybody_who_reads_it(app, client):
    answer = client.post("/ask", data=said(said=SCRIPT, contact="<b>me</b>"), headers=FORM)
    number, word = answer.json["number"], answer.json["word"]
    officer = _signed_in(app, "O1")
    pages = [
        officer.get("/complaints", headers=HTML).text,
        officer.get(f"/complaints/{number}", headers=HTML).text,
        client.post("/ask/status", data={"number": number, "word": word}, headers=PAGE).text,
    ]
    for page in pages:
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "&lt;script&gt;alert(1)" in page
    assert SCRIPT in html.unescape(pages[1])
    assert "<b>me</b>" not in pages[1]


def test_script_in_a_refused_form__comes_back_as_text(client):
    answer = client.post("/ask", data=said(said="", contact=SCRIPT, kind=SCRIPT, once=SCRIPT), headers=PAGE)
    assert "<script>alert" not in answer.text


@pytest.mark.parametrize("name", ["reply", "state", "authority_id", "due_on", "outcome", "received_at"])
def test_row_70__fields_that_are_not_asked_for__change_nothing(client, house, name):
    answer = client.post("/ask", data=said(**{name: "replied"}), headers=FORM)
    assert answer.status_code == 201
    with house.session() as db:
        taken = db.scalars(select(Complaint).where(Complaint.public_id == answer.json["number"])).one()
    assert (taken.state, taken.reply, taken.due_on.isoformat()) == ("received", None, "2025-07-23")


def test_row_73__flood_of_one_network__429_with_a_time_and_others_go_on(client):
    answers = [client.post("/ask", data=said(), headers=FORM) for _ in range(limit("asks.network") + 3)]
    assert [answer.status_code for answer in answers[-3:]] == [429] * 3
    assert 0 < int(answers[-1].headers["Retry-After"]) <= limit("login.window")
    other = client.post("/ask", data=said(), headers=FORM, environ_base={"REMOTE_ADDR": "192.0.2.7"})
    assert other.status_code == 201


def test_row_73__secret_word_guessed_from_many_networks__429_for_that_number_alone(client):
    answers = [
        client.post(
            "/ask/status",
            data={"number": "CM-GUESSED", "word": f"AAAA-{guess:04d}"},
            headers=FORM,
            environ_base={"REMOTE_ADDR": f"198.51.{guess}.7"},
        ).status_code
        for guess in range(limit("asks.number") + 1)
    ]
    assert answers == [404] * limit("asks.number") + [429]
    one_more = {"number": "CM-OTHER", "word": "AAAA"}
    assert client.post("/ask/status", data=one_more, headers=FORM).status_code == 404


def test_counting_that_fails__lets_nobody_in(app, house, client, admin_of):
    before = counts(house)
    with admin_of("REVOKE INSERT ON core.login_attempt FROM skywarden_app"):
        assert client.post("/ask", data=said(), headers=FORM).status_code >= 500
    assert counts(house) == before


@pytest.fixture
def admin_of(house):
    """Takes a right away for as long as it is asked for."""

    @contextlib.contextmanager
    def without(statement):
        engine = house.database.admin_engine()
        with engine.begin() as connection:
            connection.execute(text(statement))
        try:
            yield
        finally:
            with engine.begin() as connection:
                connection.execute(text("GRANT INSERT ON core.login_attempt TO skywarden_app"))
            engine.dispose()

    return without


def test_key_of_links__is_readable_by_its_owner_alone(client, house):
    client.post("/ask", data=said(), headers=FORM)
    key = house.data_dir / "keys" / "links.key"
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(key.read_bytes()) == 32
    assert [path.name for path in key.parent.iterdir() if re.match("links", path.name)] == ["links.key"]
