"""Zones that somebody asks for: anybody asks, the unit head decides with reasons, the register tells (GD-15, G-36)."""

from datetime import date
from random import Random

import pytest
from shapely.geometry import Polygon, box
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from geo import commands, shapes
from geo.zones import distance_m
from schemas.actors import ANONYMOUS
from schemas.refusals import RuleViolation
from schemas.store import judge
from schemas.tables import Authority, PrivacyZone
from tests.database.acting import rules, texts

HOME = Polygon([(113.2640, 23.1330), (113.2643, 23.1330), (113.2643, 23.1332), (113.2640, 23.1332)])
ASKED = {
    "place_text": "7 Qinghe Lane, 3rd floor",
    "reason": "A shelter for families.",
    "asked_by": "Somebody",
    "contact": "somebody@example.org",
}
TOLD = {"told_en": "A home next to the river path.", "told_zh": "河边步道旁的住宅。"}


@pytest.fixture
def ask(work, services):
    def run(shape=HOME, actor="N1", **options):
        with services.work(ANONYMOUS) if actor is None else work(actor) as doing:
            authority = doing.session.scalars(select(Authority).where(Authority.code == "A1")).one()
            request = commands.ask_zone(doing, commands.NewRequest(authority=authority, shape=shape, **ASKED | options))
            doing.commit()
        return request.public_id

    return run


@pytest.fixture
def decide(work):
    def run(name, decision="granted", reasons="It is a home.", actor="H1", **options):
        if decision == "granted":
            options.setdefault("grant", commands.GrantedZone(name_en="A home", name_zh="住宅"))
        with work(actor) as doing:
            request = commands.decide_request(doing, name, decision, reasons, **TOLD | options)
            doing.commit()
        return request

    return run


def register(services):
    with services.public() as public:
        return [dict(row) for row in public.execute(text("SELECT * FROM public_map.zone_requests")).mappings()]


@pytest.mark.parametrize("actor", ["N1", "O1", "X1", None])
def test_GD_15__anybody_asks__waits_with_a_day(ask, session, actor):
    name = ask(actor=actor)
    (waiting,) = commands.requests_waiting(session)
    assert (waiting.public_id, waiting.state, waiting.authority_en) == (name, "asked", "Authority A1 (fictional)")
    assert waiting.due_on == date(2025, 7, 23)  # 15 working days after 2 July
    assert commands.requests_waiting(session, []) == ()
    assert commands.request_of(session, name) == waiting
    assert commands.request_of(session, "ZR-\0") is None


def test_GD_15__pilot_asks__403(ask):
    with pytest.raises(RuleViolation) as caught:
        ask(actor="F1")
    assert caught.value.status == 403


@pytest.mark.parametrize("missing", ["place_text", "asked_by", "contact", "reason"])
def test_GD_15__incomplete_request__refused(ask, missing):
    with pytest.raises(RuleViolation) as caught:
        ask(**{missing: " "})
    assert texts(caught) <= {"zone.request_incomplete", "machine.reason"}


def test_GD_15__outside_the_jurisdiction__refused(ask):
    with pytest.raises(RuleViolation) as caught:
        ask(shape=box(113.50, 23.10, 113.51, 23.11))
    assert "IR-1" in rules(caught)


def test_GD_15__granted__a_zone_from_now_on(ask, decide, session, services):
    name = ask()
    request = decide(name)
    assert (request.state, request.zone.source, request.zone.sensitive) == ("granted", "request", False)
    zone = session.get_one(PrivacyZone, request.zone_id)
    assert shapes.polygon(zone.geom).equals(HOME)
    assert commands.requests_waiting(session) == ()
    (decided,) = commands.requests_decided(session)
    assert (decided.zone, decided.reasons) == (zone.public_id, "It is a home.")
    (told,) = register(services)
    assert told | {"public_id": name, "state": "granted", "asked_in": "2025-07", "reasons_en": TOLD["told_en"]} == told
    assert not {"reason", "contact", "place_text", "geom", "kind"} & told.keys()


def test_GD_15__refused_with_reasons__no_zone(ask, decide, session, services):
    before = len(session.scalars(select(PrivacyZone)).all())
    request = decide(ask(), "refused", "It is a public square.")
    assert (request.state, request.zone_id) == ("refused", None)
    assert len(session.scalars(select(PrivacyZone)).all()) == before
    assert register(services)[0]["state"] == "refused"


@pytest.mark.parametrize(
    ("wrong", "text_key"),
    [
        ({"reasons": " "}, "machine.reason"),
        ({"told_zh": ""}, "zone.request_untold"),
        ({"decision": "refused", "grant": commands.GrantedZone(name_en="x", name_zh="x")}, "zone.request_grant"),
        ({"grant": None}, "zone.request_grant"),
        ({"decision": "maybe"}, "site.word"),
    ],
)
def test_GD_15__decision_without_what_it_needs__refused(ask, decide, wrong, text_key):
    with pytest.raises(RuleViolation) as caught:
        decide(ask(), **wrong)
    assert text_key in texts(caught)


@pytest.mark.parametrize("actor", ["O1", "N1", "P1"])
def test_GD_15__decided_by_another_role__403(ask, decide, actor):
    with pytest.raises(RuleViolation) as caught:
        decide(ask(), actor=actor)
    assert caught.value.status == 403


def test_GD_15__decided_twice__409(ask, decide):
    name = ask()
    decide(name)
    with pytest.raises(RuleViolation) as caught:
        decide(name, "refused")
    assert caught.value.status == 409


class TestHidden:
    def test_G_36__hidden__a_larger_shape_off_its_centre(self, ask, decide, session):
        zone = decide(ask(sensitive=True), draw=Random(4)).zone
        shown, exact = shapes.polygon(zone.geom), shapes.polygon(zone.exact_geom)
        assert zone.sensitive
        assert exact.equals(HOME)
        assert shown.covers(exact)
        assert shown.area > 50 * exact.area
        assert distance_m(shown.centroid, exact.centroid) > 30

    def test_G_36__hidden_though_nobody_asked(self, ask, decide, session):
        request = decide(ask(), hide=True)
        assert (request.sensitive, request.zone.sensitive) == (True, True)

    def test_G_36__register_of_a_hidden_one__neither_result_nor_reasons(self, ask, decide, services, admin):
        for decision in ("granted", "refused"):
            decide(ask(sensitive=True), decision)
        told = register(services)
        assert [(row["state"], row["decided_in"], row["reasons_en"]) for row in told] == [("decided", None, None)] * 2

    def test_G_36__register_in_the_month_of_the_decision__waits(self, ask, decide, services, admin):
        decide(ask(sensitive=True))
        admin.execute("SET session_replication_role = replica")
        admin.execute("UPDATE core.zone_request SET decided_at = now()")
        assert [row["state"] for row in register(services)] == ["asked"]

    def test_G_36__ledger__does_not_tell_which_zone(self, ask, decide, admin):
        zone = decide(ask(sensitive=True)).zone
        bodies = admin.execute("SELECT convert_from(body, 'UTF8') FROM ledger.event").fetchall()
        assert not any(zone.public_id in body for (body,) in bodies)


@pytest.mark.parametrize(
    "change",
    [
        "reason = 'other'",
        "state = 'refused'",
        "state = 'granted', decided_at = now(), reasons = 'x', reasons_en = 'x', reasons_zh = 'x'",
        "asked_at = now()",
        "geom = ST_Translate(geom, 0.001, 0)",
    ],
)
def test_GD_15__plain_sql__cannot_rewrite_or_decide_in_silence(ask, services, change):
    name = ask()
    with services.engine.connect() as connection, pytest.raises(DBAPIError) as caught:
        connection.execute(text(f"UPDATE core.zone_request SET {change} WHERE public_id = '{name}'"))
    assert judge.translate(caught.value).refusals[0].rule == "GD-15"
