"""From readings to findings: what becomes one, what is refused, and what plain SQL cannot do."""

import json
import random
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta

import psycopg
import pytest
from shapely.geometry import Point
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from schemas import tables as t
from sensing.sensors.judging import judge_due
from sensing.sensors.store import Readings, store
from tests.conftest import Start
from tests.database.plain import connect
from tests.stations import PM25, UNIT, add_station
from web.things.arriving import series

DAY_ONE = datetime.fromisoformat("2025-07-01T00:00:00+08:00")


@pytest.fixture(scope="module")
def stationed(server, world_template):
    """A station with one series of fine dust."""
    made = Start(server.clone(world_template))
    engine = server.database(made.database).admin_engine()
    with Session(engine) as session:
        station = add_station(session, "A", Point(113.26, 23.131))
        sensor = t.Sensor(
            device_id=station.id, name="s", description="s", encoding_type="text/plain", metadata_text="m"
        )
        observed = t.ObservedProperty(name="PM2.5", definition=PM25, description="fine dust")
        session.add_all([sensor, observed])
        session.flush()
        session.add(
            t.Datastream(
                device_id=station.id,
                sensor_id=sensor.id,
                observed_property_id=observed.id,
                name="fine dust",
                description="hourly",
                observation_type="m",
                unit_name=UNIT["name"],
                unit_symbol=UNIT["symbol"],
                unit_definition=UNIT["definition"],
            )
        )
        session.commit()
    engine.dispose()
    yield made
    server.drop(made.database)


@pytest.fixture
def beginning(stationed):
    return stationed


@pytest.fixture
def observe(services):
    """`observe(100.0)` stores the readings of a day, one an hour from local midnight."""

    def put(value, start=DAY_ONE, count=24):
        with services.housekeeping() as session:
            add(session, value, start, count)

    return put


def add(session, value, start, count):
    number = session.scalars(select(t.Datastream.id)).one()
    of = series(session, [number])[number]
    readings = Readings()
    for hour in range(count):
        readings.add(number, of.feature_id, start + timedelta(hours=hour), value)
    store(session, readings)


def judged(services):
    return list(judge_due(services.work))


def count(services, kind):
    with services.session() as session:
        return session.scalar(select(func.count()).select_from(kind))


def test_exceedance__becomes_a_finding_with_device_publication_and_calibration(services, observe):
    observe(100.0)
    (one,) = judged(services)
    with services.session() as session:
        found = session.scalars(select(t.Detection)).one()
        beyond = found.exceedance
        assert (found.public_id, found.state, found.kind) == (one.finding, "new", "air_exceedance")
        assert (found.run_id, found.scene_id) == (None, None)
        assert (beyond.value, beyond.most, beyond.readings) == (pytest.approx(100.0), 75.0, 24)
        assert (beyond.window_from, beyond.window_until) == (DAY_ONE, DAY_ONE + timedelta(days=1))
        assert beyond.calibration.public_id == "CB-A"
        assert len(beyond.publication_ids) == 2
        assert found.provenance["device"] == "DV-A"
        assert found.provenance["certificate"] == "C-A"
        event = session.execute(text("SELECT body FROM ledger.event WHERE action = 'detection.measure'")).scalar_one()
    assert json.loads(event)["readings_sha256"] == beyond.readings_sha256


def test_exceedance__judged_again__stays_one(services, observe):
    observe(100.0)
    assert len(judged(services)) == 1
    assert judged(services) == []
    assert count(services, t.Detection) == 1


def test_readings__below_the_limit_or_too_few__no_finding(services, observe):
    observe(50.0)
    observe(100.0, DAY_ONE + timedelta(days=-1), 19)
    assert judged(services) == []
    assert count(services, t.Exceedance) == 0


def test_window__not_ended_or_still_waited_for__not_judged(services, observe, clock):
    observe(100.0)
    clock.advance(DAY_ONE + timedelta(days=1, minutes=119) - clock.now())
    assert judged(services) == []
    clock.advance(timedelta(minutes=1))
    assert len(judged(services)) == 1


def refused(services):
    (one,) = judged(services)
    assert one.finding is None
    assert count(services, t.Detection) == count(services, t.Exceedance) == 0
    return {refusal.rule for refusal in one.refused.refusals}


def test_GD_22_2__calibration_lapsed__refused_and_on_record(services, observe, admin):
    observe(100.0)
    admin.execute("ALTER TABLE core.device DISABLE TRIGGER USER")
    admin.execute("UPDATE core.device SET calibration_valid_to = %s WHERE public_id = 'DV-A'", [date(2025, 6, 30)])
    assert refused(services) == {"GD-22.2"}
    ((event,),) = admin.execute("SELECT body FROM ledger.event WHERE action = 'refused'").fetchall()
    assert json.loads(event) == {"refused": "detection.measure", "rules": ["GD-22.2"]}


def test_GD_22_2__lapsed_window__is_not_judged_again_after_the_next_test(services, observe, admin):
    observe(100.0)
    admin.execute("ALTER TABLE core.device DISABLE TRIGGER USER")
    admin.execute("UPDATE core.device SET calibration_valid_to = %s WHERE public_id = 'DV-A'", [date(2025, 6, 30)])
    assert refused(services) == {"GD-22.2"}
    admin.execute("UPDATE core.device SET calibration_valid_to = %s WHERE public_id = 'DV-A'", [date(2025, 12, 31)])
    assert judged(services) == []


@pytest.mark.parametrize("state", ["blocked", "maintenance", "published", "discontinued"])
def test_GD_14_2__device_not_in_use__refused(services, observe, admin, state):
    observe(100.0)
    admin.execute("ALTER TABLE core.device DISABLE TRIGGER USER")
    admin.execute("UPDATE core.device SET state = %s WHERE public_id = 'DV-A'", [state])
    assert refused(services) == {"GD-14.2"}


def test_GD_14_2__window_from_before_the_first_day_of_use__refused(services, observe):
    observe(100.0, DAY_ONE - timedelta(days=1))
    assert refused(services) == {"GD-14.2"}


def test_GD_14_2__publication_withdrawn__refused(services, observe, admin):
    observe(100.0)
    admin.execute("ALTER TABLE core.publication DISABLE TRIGGER USER")
    admin.execute("UPDATE core.publication SET withdrawn_at = now()")
    assert refused(services) == {"GD-14.2"}


def test_unit__that_the_limit_does_not_know__says_nothing(services, observe, admin):
    observe(100.0)
    admin.execute("ALTER TABLE core.datastream DISABLE TRIGGER USER")
    admin.execute("UPDATE core.datastream SET unit_symbol = 'ppb'")
    assert judged(services) == []


@pytest.fixture
def plain_exceedance(services, observe, plain_connection):
    """`plain_exceedance(...)` inserts one by plain SQL as the application role."""

    def put(**changed):
        row = {
            "device": "DV-A",
            "from": DAY_ONE,
            "until": DAY_ONE + timedelta(days=1),
            "value": 100.0,
            "test": "CB-A",
        } | changed
        plain_connection.execute(
            "INSERT INTO core.exceedance (id, public_id, datastream_id, device_id, limit_code, window_from, "
            "window_until, value, most, unit, valid_share, readings, readings_sha256, calibration_id, "
            "publication_ids, origin) "
            "SELECT gen_random_uuid(), 'XC-1', (SELECT id FROM core.datastream), d.id, 'pm25_day', %(from)s, "
            "%(until)s, %(value)s, 75, 'u', 1, 24, 'x', (SELECT id FROM core.calibration WHERE public_id = %(test)s), "
            "'[]', 'live' FROM core.device d WHERE public_id = %(device)s",
            row,
        )

    return put


@pytest.fixture
def plain_connection(database):

    with connect(database) as connection:
        yield connection


def test_GD_22_2__plain_sql__window_beyond_the_calibration__refused(plain_exceedance, refused_by):
    plain_exceedance(until=datetime.fromisoformat("2026-01-01T00:00:00+08:00"))
    with refused_by("GD-22.2"):
        plain_exceedance(
            until=datetime.fromisoformat("2026-01-01T00:00:01+08:00"), **{"from": DAY_ONE + timedelta(days=9)}
        )


def test_GD_14_2__plain_sql__window_from_before_the_first_day_of_use__refused(plain_exceedance, refused_by):
    for start in (datetime.fromisoformat("2020-01-01T00:00:00+08:00"), DAY_ONE - timedelta(microseconds=1)):
        with refused_by("GD-14.2"):
            plain_exceedance(until=start + timedelta(days=1), **{"from": start})


def test_GD_14_2__plain_sql__window_from_before_it_was_taken_into_use_again__refused(
    plain_exceedance, refused_by, admin
):
    admin.execute("ALTER TABLE core.device DISABLE TRIGGER USER")
    admin.execute("UPDATE core.device SET state_since = %s", [DAY_ONE + timedelta(hours=1)])
    with refused_by("GD-14.2"):
        plain_exceedance()
    admin.execute("UPDATE core.device SET state_since = %s", [DAY_ONE])
    plain_exceedance()


@pytest.mark.parametrize(
    "change",
    [
        "tested_on = '2025-07-02'",
        "valid_to = '2025-06-30'",
        "passed = false, valid_to = NULL",
        "device_id = (SELECT id FROM other)",
    ],
)
def test_GD_22_2__plain_sql__calibrated_later_or_not_by_this_test__refused(plain_exceedance, refused_by, admin, change):
    admin.execute("ALTER TABLE core.calibration DISABLE TRIGGER USER")
    other = "WITH other AS (SELECT id FROM core.device WHERE public_id <> 'DV-A' LIMIT 1) "
    admin.execute(f"{other}UPDATE core.calibration SET {change} WHERE public_id = 'CB-A'")
    with refused_by("GD-22.2"):
        plain_exceedance()


def test_GD_22_2__plain_sql__on_no_test_at_all__refused(plain_exceedance, refused_by):
    with refused_by("GD-22.2"):
        plain_exceedance(test=None)


def test_GD_14_2__plain_sql__device_not_in_use__refused(plain_exceedance, refused_by, admin):
    admin.execute("ALTER TABLE core.device DISABLE TRIGGER USER")
    admin.execute("UPDATE core.device SET state = 'blocked' WHERE public_id = 'DV-A'")
    with refused_by("GD-14.2"):
        plain_exceedance()


def test_GD_20_2__plain_sql__series_of_another_device__refused(plain_exceedance, refused_by):
    with refused_by("GD-20.2"):
        plain_exceedance(device="DV-DR1")


def test_DC_4__plain_sql__value_not_beyond_or_not_finite__refused(plain_exceedance, refused_by):
    for value in (75.0, float("nan"), float("inf")):
        with refused_by("DC-4"):
            plain_exceedance(value=value)


@pytest.mark.parametrize("statement", ["UPDATE core.observation SET result = 1", "DELETE FROM core.observation"])
def test_GD_20_2__plain_sql__readings_changed_or_deleted__refused(observe, plain_connection, statement):
    observe(100.0)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        plain_connection.execute(statement)


def test_DC_4__plain_sql__reading_that_is_no_number__refused(observe, plain_connection, refused_by):
    observe(100.0, count=1)
    for value in ("NaN", "Infinity", "-Infinity"):
        with refused_by("DC-4"):
            plain_connection.execute(
                "INSERT INTO core.observation (datastream_id, feature_id, phenomenon_time, result, quality, client_id) "
                "SELECT datastream_id, feature_id, now(), %s, 'valid', '' FROM core.observation",
                [value],
            )


def test_public__sees_nothing_of_readings_before_a_decision(services, observe):
    observe(100.0)
    judged(services)
    with services.public() as public:
        for name in ("core.observation", "core.exceedance", "core.detection", "core.device_reference"):
            with pytest.raises(Exception, match="permission denied"):
                public.execute(text(f"SELECT * FROM {name}"))


def test_12__outage_of_hours__what_comes_late_is_judged_with_its_window(services, observe):
    observe(100.0, count=10)
    assert judged(services) == []  # too few; judged until the end of the day
    observe(100.0, DAY_ONE + timedelta(hours=10), 14)
    (one,) = judged(services)
    assert one.start == DAY_ONE
    with services.session() as session:
        assert session.scalars(select(t.Exceedance.readings)).one() == 24
    assert judged(services) == []
    assert count(services, t.LateReading) == 0


def test_12__readings_of_days_before_the_last_judged__found(services, observe, clock):
    clock.advance(timedelta(days=5))
    observe(50.0, DAY_ONE + timedelta(days=4))
    assert judged(services) == []
    observe(100.0)
    observe(50.0, DAY_ONE + timedelta(days=1))
    observe(100.0, DAY_ONE + timedelta(days=2))
    assert [one.start for one in judged(services)] == [DAY_ONE, DAY_ONE + timedelta(days=2)]


def test_12__more_of_a_window_that_is_a_finding__no_second(services, observe):
    observe(100.0, count=20)
    assert len(judged(services)) == 1
    observe(100.0, DAY_ONE + timedelta(hours=20), 4)
    assert judged(services) == []
    assert count(services, t.Detection) == count(services, t.Exceedance) == 1
    assert count(services, t.LateReading) == 0


def test_12__sent_twice__not_late(services, observe):
    observe(50.0)
    assert judged(services) == []
    observe(50.0)
    assert count(services, t.LateReading) == 0


def test_12__late_and_calibration_lapsed__refused_once(services, observe, admin):
    observe(100.0, count=10)
    assert judged(services) == []
    observe(100.0, DAY_ONE + timedelta(hours=10), 14)
    admin.execute("ALTER TABLE core.device DISABLE TRIGGER USER")
    admin.execute("UPDATE core.device SET calibration_valid_to = %s WHERE public_id = 'DV-A'", [date(2025, 6, 30)])
    assert refused(services) == {"GD-22.2"}
    assert judged(services) == []


@pytest.mark.parametrize("seed", range(3))
def test_12__parts_in_any_order_judged_in_between__the_same_findings_as_at_once(services, observe, clock, seed):
    days = [DAY_ONE + timedelta(days=number) for number in range(4)]
    clock.advance(timedelta(days=6))
    parts = [
        (day + timedelta(hours=hour), value)
        for day, value in zip(days, (100.0, 50.0, 100.0, 80.0), strict=True)
        for hour in range(0, 24, 6)
    ]
    random.Random(seed).shuffle(parts)
    found = []
    for start, value in parts:
        observe(value, start, 6)
        found += judged(services)
    assert sorted(one.start for one in found) == [days[0], days[2], days[3]]
    assert count(services, t.Detection) == 3


def test_12__stored_while_its_window_is_judged__judged_with_the_next(services, observe, admin):
    """The judgement waits for whoever is storing, and does not pass over what it did not see."""
    observe(100.0, count=10)
    with ThreadPoolExecutor(1) as other:
        with services.housekeeping() as session:
            add(session, 100.0, DAY_ONE + timedelta(hours=10), 14)
            going = other.submit(judged, services)
            # Other tests judge in databases of their own on the same server.
            waiting = (
                "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
                " AND query LIKE '%go_on_judging%'"
            )
            while not going.done() and not admin.execute(waiting).fetchall():
                time.sleep(0.01)
            assert not going.done()
        assert going.result(60) == []
    assert len(judged(services)) == 1


def test_12__window_of_more_readings_than_are_read_at_once__judged_and_passed(services, observe, monkeypatch):
    monkeypatch.setattr("sensing.sensors.ended.AT_ONCE", 10)
    observe(100.0)
    observe(50.0, DAY_ONE - timedelta(days=1))
    assert [one.start for one in [*judged(services), *judged(services), *judged(services)]] == [DAY_ONE]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE core.reading_cursor SET judged_until = now()",
        "DELETE FROM core.reading_cursor",
        "INSERT INTO core.late_reading SELECT datastream_id, id FROM core.observation",
    ],
)
def test_12__plain_sql__what_was_judged_is_not_said_by_hand(observe, plain_connection, statement):
    observe(100.0)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        plain_connection.execute(statement)
