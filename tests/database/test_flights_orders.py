"""Orders to the gateways: who may give which, and what the database keeps of them."""

import psycopg
import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from flights import commands
from flights.ordering import ORDERS, OrderKind
from schemas import tables as t
from schemas.refusals import RuleViolation
from schemas.store.judge import translate
from schemas.words import words
from tests.conftest import Start, _url
from tests.database.flying import END, airborne, aloft, cleared, rules, texts, uploaded


@pytest.fixture(scope="module")
def flown(server, world_template, tmp_path_factory):
    made = aloft(server, world_template, tmp_path_factory.mktemp("flown"))
    yield made
    server.drop(made.database)


@pytest.fixture
def beginning(request, world_template):
    """Tests that ask for a flight begin with it in the air; the others with none."""
    return request.getfixturevalue("flown") if "flight" in request.fixturenames else Start(world_template)


@pytest.fixture
def flight(flown):
    return flown.flight


@pytest.fixture
def gateway(services, work):
    """A gateway for the aircraft of the fixtures, which beats now."""

    def make(**changes):
        with services.housekeeping() as session:
            drone = session.scalars(select(t.Drone)).one()
            values = {"drone_id": drone.device_id, "link_url": "tcp:127.0.0.1:5760", "process": "here:1"} | changes
            made = t.Gateway(**values)
            session.add(made)
            session.flush()
            return made.id

    return make


def order(work, code, number, kind, **more):
    with work(code) as unit:
        made = commands.order_flight(unit, unit.get(t.Flight, number), kind, **more)
        unit.commit()
        return made.id


def id_of(work, number):
    with work() as unit:
        return unit.get(t.Flight, number).id


def refused(work, code, number, kind):
    with pytest.raises(RuleViolation) as caught:
        order(work, code, number, kind)
    return caught.value


@pytest.mark.parametrize("code", ["F1", "H1", "C1"])
@pytest.mark.parametrize("kind", ["pause", "continue", "return", "land", "abort"])
def test_order__in_the_air__pilot_unit_head_and_command_centre(work, flight, gateway, code, kind):
    gateway()
    order(work, code, flight, kind, params={"reason": " smoke ahead ", "force": True})
    with work("F1") as unit:
        stored = unit.session.scalars(select(t.FlightOrder)).one()
        assert (stored.kind, stored.params, stored.taken_at) == (kind, {"reason": "smoke ahead"}, None)
        assert stored.ordered_by == unit.session.scalars(select(t.Person.id).where(t.Person.code == code)).one()


@pytest.mark.parametrize("code", ["O1", "S1", "N1"])
@pytest.mark.parametrize("kind", list(OrderKind))
def test_GD_16_1__order_of_somebody_else__forbidden(work, flight, gateway, code, kind):
    gateway()
    assert refused(work, code, flight, kind).status == 403


@pytest.mark.parametrize("code", ["H1", "C1"])
def test_GD_16_1__fly_by_anybody_but_the_pilot__forbidden(work, gateway, code):
    number = cleared(work)
    gateway()
    assert refused(work, code, number, "fly").status == 403


@pytest.mark.parametrize("kind", ["fly", "continue"])
def test_GD_16_1__start_outside_the_window__refused(work, gateway, clock, kind):
    number = uploaded(work)
    gateway()
    clock.at = END
    assert "GD-16.1" in rules(refused(work, "F1", number, kind))


@pytest.mark.parametrize("kind", ["pause", "return", "land"])
def test_order__on_the_ground__refused_by_state(work, gateway, kind):
    number = uploaded(work)
    gateway()
    assert texts(refused(work, "F1", number, kind)) == {"flight.order_state"}


def test_order__fly_in_the_air__refused_by_state(work, gateway):
    number = airborne(work)
    gateway()
    assert texts(refused(work, "F1", number, "fly")) == {"flight.order_state"}


def test_order__unknown__422(work):
    number = cleared(work)
    assert refused(work, "F1", number, "dance").status == 422


def test_order__fly_without_a_gateway__refused_because_nobody_would_take_it(work, gateway, admin):
    number = cleared(work)
    assert texts(refused(work, "F1", number, "fly")) == {"flight.no_gateway"}
    gateway()
    admin.execute("UPDATE core.gateway SET beat_at = clock_timestamp() - interval '11 seconds'")
    assert texts(refused(work, "F1", number, "fly")) == {"flight.no_gateway"}
    admin.execute("UPDATE core.gateway SET beat_at = clock_timestamp()")
    order(work, "F1", number, "fly")
    admin.execute("UPDATE core.gateway SET ended_at = clock_timestamp()")
    assert texts(refused(work, "F1", number, "fly")) == {"flight.no_gateway"}


def test_order__return_while_the_gateway_is_down__waits_for_the_next_one(work):
    number = airborne(work)
    order(work, "F1", number, "return")
    with work("F1") as unit:
        stored = unit.session.scalars(select(t.FlightOrder)).one()
        assert (stored.kind, stored.taken_at, stored.done_at) == ("return", None, None)
        assert stored.flight_id == unit.get(t.Flight, number).id


def test_order__is_told_at_once(work, gateway, database):
    number = airborne(work)
    gateway()
    with psycopg.connect(_url(database.admin_url), autocommit=True) as listening:
        listening.execute("LISTEN skywarden_order")
        order(work, "F1", number, "pause")
        assert [told.payload for told in listening.notifies(timeout=60, stop_after=1)] == [f"{number} pause"]


def test_order__refused__leaves_an_event_in_the_ledger(work, gateway, admin):
    number = cleared(work)
    gateway()
    refused(work, "O1", number, "abort")
    action = admin.execute("SELECT action FROM ledger.event ORDER BY id DESC LIMIT 1").fetchone()[0]
    assert action == "refused"


def test_DC_1__second_gateway_for_an_aircraft__refused_by_the_database(work, gateway):
    gateway()
    with pytest.raises(DBAPIError) as error:
        gateway(process="there:2")
    assert "Another gateway" in str(translate(error.value))


def test_DC_1__second_gateway_for_a_flight__refused_by_the_database(work, gateway, admin):
    number = airborne(work)
    flight_id = id_of(work, number)
    gateway(flight_id=flight_id)
    admin.execute("SET session_replication_role = replica")
    with pytest.raises(psycopg.errors.UniqueViolation, match="one_gateway_per_flight"):
        admin.execute(
            "INSERT INTO core.gateway (id, drone_id, flight_id, link_url, process)"
            " VALUES (gen_random_uuid(), gen_random_uuid(), %s, 'x', 'there:2')",
            [flight_id],
        )


def test_GD_20_2__order_and_event__stay_as_they_were(work, gateway, services, admin):
    number = airborne(work)
    flight_id = id_of(work, number)
    order(work, "F1", number, "abort")
    admin.execute("INSERT INTO core.flight_event (flight_id, kind) VALUES (%s, 'gap')", [flight_id])
    admin.execute("UPDATE core.flight_order SET taken_at = clock_timestamp()")
    admin.execute("UPDATE core.flight_order SET done_at = clock_timestamp(), outcome = 'done'")
    for statement in (
        "UPDATE core.flight_order SET kind = 'pause'",
        "UPDATE core.flight_order SET outcome = 'refused'",
        "UPDATE core.flight_event SET kind = 'step'",
    ):
        with pytest.raises(psycopg.errors.CheckViolation, match="is refused"):
            admin.execute(statement)
    for statement in (
        "UPDATE core.flight_event SET body = '{}'",
        "DELETE FROM core.flight_event",
        "DELETE FROM core.flight_order",
        "UPDATE core.flight_order SET kind = 'pause'",
        "UPDATE core.gateway SET link_url = 'x'",
    ):
        with pytest.raises(DBAPIError, match="permission denied for table"), services.housekeeping() as db:
            db.execute(text(statement))


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("INSERT INTO core.flight_order (flight_id, kind) VALUES (%s, 'dance')", "ck_flight_order_kind"),
        ("INSERT INTO core.flight_event (flight_id, kind) VALUES (%s, 'dance')", "ck_flight_event_kind"),
        ("INSERT INTO core.flight_event (flight_id, kind, at) VALUES (%s, 'gap', 'infinity')", "event_at"),
        (
            "INSERT INTO core.flight_order (flight_id, kind, outcome) VALUES (%s, 'fly', 'done')",
            "ck_flight_order_answer",
        ),
    ],
)
def test_DC_4__what_is_no_order_or_event__refused_by_the_database(work, flight, admin, statement, kind):
    flight_id = id_of(work, flight)
    with pytest.raises(psycopg.errors.CheckViolation, match=kind):
        admin.execute(statement, [flight_id])


@pytest.mark.parametrize("column", ["alt_agl_m", "along_m", "cross_track_m"])
@pytest.mark.parametrize("value", ["NaN", "Infinity"])
def test_DC_4__judgement_that_is_no_number__refused_by_the_database(work, flight, admin, column, value):
    flight_id = id_of(work, flight)
    with pytest.raises(psycopg.errors.CheckViolation, match="judgement"):
        admin.execute(
            f"INSERT INTO core.telemetry_point (flight_id, received_at, boot_ms, geom, alt_rel_home_m, alt_amsl_m,"
            f" implausible, {column})"
            f" VALUES (%s, now(), 1, ST_SetSRID(ST_Point(113, 23), 4326), 1, 1, false, '{value}')",
            [flight_id],
        )


def test_words__every_order_has_its_words():
    assert {str(kind) for kind in OrderKind} == words()["order"].keys()
    assert ORDERS.keys() == set(OrderKind)
