"""Positions go in by COPY: in order, once, without the one that the database refuses, and through a broken server."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from flights.gateway.store import Store
from flights.gateway.told import EventKind
from flights.link.recorder import Recorder
from geo import shapes
from schemas import tables as t
from schemas.clock import SystemClock
from tests.database.flying import airborne

POINTS = "SELECT boot_ms FROM core.telemetry_point WHERE flight_id = %s ORDER BY id"
EVENTS = "SELECT kind, body FROM core.flight_event WHERE flight_id = %s ORDER BY id"
# What the server does when it comes to one row: another row is not looked at.
DIES = """
    CREATE FUNCTION core.dies() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.boot_ms = 25 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
        RETURN NEW;
    END $$"""


@pytest.fixture
def flight(work):
    with work() as unit:
        return unit.get(t.Flight, airborne(work)).id


@pytest.fixture
def recorder(tmp_path):
    made = Recorder(tmp_path / "a.tlog", SystemClock())
    yield made
    made.close()


@pytest.fixture
def store(services, flight, recorder, monkeypatch):
    """A store that writes when it is told to."""
    monkeypatch.setattr("flights.gateway.store.STORE_EVERY_S", 3_600.0)
    made = Store(services, flight, recorder)
    yield made
    made.close()


def point(boot_ms, **changes):
    return {
        "received_at": SystemClock().now(),
        "boot_ms": boot_ms,
        "geom": shapes.point_text(113.27, 23.125),
        "alt_rel_home_m": 100.0,
        "alt_amsl_m": 112.0,
        "heading_deg": None,
        "ground_speed_m_s": 10.0,
        "battery_pct": 80,
        "implausible": False,
        "alt_agl_m": 100.0,
        "along_m": 12.5,
        "cross_track_m": 0.25,
        "conformance": "activated",
        "item": 6,
    } | changes


def stored(admin, flight):
    return [row[0] for row in admin.execute(POINTS, [flight])]


def test_store__positions_and_events__every_value_in_order(store, flight, admin, services):
    for boot_ms in range(50):
        store.point(point(boot_ms))
    store.event(EventKind.TEXT, {"text": "tab\tline\nback\\slash"})
    assert store.flush()
    assert stored(admin, flight) == list(range(50))
    row = admin.execute("SELECT *, ST_AsText(geom) FROM core.telemetry_point LIMIT 1").fetchone()
    assert row[1] == flight
    assert row[-1] == "POINT(113.27 23.125)"
    with services.session() as session:
        first = session.query(t.TelemetryPoint).order_by(t.TelemetryPoint.id).first()
        given = point(0)
        for name in given.keys() - {"received_at", "geom"}:
            assert getattr(first, name) == given[name], name
        assert shapes.lon_lat(first.geom) == (113.27, 23.125)
    assert admin.execute(EVENTS, [flight]).fetchall()[-1] == ("text", {"text": "tab\tline\nback\\slash"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"alt_rel_home_m": float("inf")},
        {"battery_pct": 2**40},
        {"conformance": "nul \0 inside"},
        {"geom": shapes.point_text(float("nan"), 23.1)},
        {"boot_ms": None},
    ],
)
def test_GD_16_7__row_refused_in_the_middle_of_a_copy__left_out_alone(store, flight, admin, wrong):
    for boot_ms in range(40):
        store.point(point(boot_ms) | (wrong if boot_ms == 25 else {}))
    assert store.flush()
    assert stored(admin, flight) == [n for n in range(40) if n != 25]
    assert store.lost == 1
    assert store.flush()
    kind, body = admin.execute(EVENTS, [flight]).fetchall()[-1]
    assert (kind, body["why"], body["lost_rows"]) == ("gap", "database", 1)


def test_server_goes_away_in_the_middle_of_a_copy__all_rows_once_and_a_gap_row(store, flight, admin):
    admin.execute(DIES)
    admin.execute("CREATE TRIGGER dies BEFORE INSERT ON core.telemetry_point FOR EACH ROW EXECUTE FUNCTION core.dies()")
    for boot_ms in range(40):
        store.point(point(boot_ms))
    assert not store.flush()
    assert not store.flush()
    assert stored(admin, flight) == []
    assert store.lost == 0
    admin.execute("DROP TRIGGER dies ON core.telemetry_point")
    store.point(point(40))
    assert store.flush()
    assert stored(admin, flight) == list(range(41))
    assert store.flush()
    kind, body = admin.execute(EVENTS, [flight]).fetchall()[-1]
    assert (kind, body["why"], body["lost_rows"]) == ("gap", "database", 0)


def test_commit_whose_answer_is_lost__stored_once(store, flight, admin, monkeypatch):
    """The server commits and the line breaks: what is there already is not stored again."""
    from sqlalchemy import event
    from sqlalchemy.exc import OperationalError

    engine = store._house.engine

    def lose(connection):
        connection.connection.driver_connection.commit()
        connection.invalidate()
        raise OperationalError("COMMIT", None, Exception("the line broke"))

    for boot_ms in range(5):
        store.point(point(boot_ms))
    event.listen(engine, "commit", lose)
    assert not store.flush()
    event.remove(engine, "commit", lose)
    assert store.flush()
    assert stored(admin, flight) == list(range(5))


def test_raw_record__before_the_rows(store, flight, recorder, monkeypatch, session):
    """When the rows are written the frames that they come from are on disk."""
    seen = []
    sync = recorder.sync

    def watched():
        seen.append(session.scalar(text("SELECT count(*) FROM core.telemetry_point")))
        return sync()

    monkeypatch.setattr(recorder, "sync", watched)
    store.point(point(1))
    assert store.flush()
    assert seen[0] == 0
