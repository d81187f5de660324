"""The ledger is written by one function, and nobody changes what it holds (P4, GD-20.2)."""

import json
import uuid
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from schemas.store import ledger
from schemas.store.engine import APP, OWNER, PUBLIC
from tests.database.plain import connect, connect_admin, seal_all

SUBJECT = uuid.UUID("00000000-0000-4000-8000-000000000001")


@pytest.fixture
def engine(blank):
    made = blank.engine(APP)
    yield made
    made.dispose()


def entry(**values):
    row = {"action": "device.publish", "actor": "system", "subject_kind": "device", "subject_id": SUBJECT, "body": {}}
    return ledger.Entry(**row | values)


def append(engine, **values):
    with Session(engine) as session:
        number = ledger.append(session, entry(**values))
        session.commit()
    return number


def test_append__what_was_told_is_there(engine, root):
    at = datetime(2025, 6, 1, 2, tzinfo=UTC)
    body = {"b": 1, "a": "清河“区”\n\u0007", "list": [1.5, None, True]}
    number = append(engine, body=body, effective_at=at, pack="cn-gd-2025@x", origin="sample")
    row = root.execute(
        "SELECT id, effective_at, origin, actor, action, subject_kind, subject_id, pack, convert_from(body, 'UTF8')"
        " FROM ledger.event"
    ).fetchone()
    text = '{"a":"清河“区”\\n\\u0007","b":1,"list":[1.5,null,true]}'
    assert row == (number, at, "sample", "system", "device.publish", "device", str(SUBJECT), "cn-gd-2025@x", text)


def test_append__time_is_the_databases_own(engine, root):
    with Session(engine) as session:
        ledger.append(session, entry())
        session.connection().exec_driver_sql("SELECT pg_sleep(0.05)")
        ledger.append(session, entry())
        session.commit()
    first, second = [row[0] for row in root.execute("SELECT recorded_at FROM ledger.event ORDER BY id")]
    assert timedelta(milliseconds=50) <= second - first < timedelta(seconds=30)


def test_append__rolled_back_command__leaves_nothing(engine, root):
    with Session(engine) as session:
        ledger.append(session, entry())
        session.rollback()
    assert root.execute("SELECT count(*) FROM ledger.event").fetchone() == (0,)


def test_append_many__each_as_append_does(engine, root):
    at = datetime(2025, 6, 1, 2, tzinfo=UTC)
    told = [
        entry(body={"n": n, "a": "清河“区”\n\u0007"}, pack="p@1" if n % 2 else None, effective_at=at, origin="legacy")
        for n in range(7)
    ]
    with Session(engine) as session:
        ledger.append_many(session, [*told, entry(actor="host", action="other")])
        session.commit()
    rows = root.execute(
        "SELECT action, actor, pack, origin, effective_at, convert_from(body, 'UTF8')::json ->> 'n', recorded_at"
        " FROM ledger.event ORDER BY id"
    ).fetchall()
    assert [row[5] for row in rows] == [*map(str, range(7)), None]
    assert rows[1][:5] == ("device.publish", "system", "p@1", "legacy", at)
    assert rows[7][:5] == ("other", "host", None, "live", None)
    assert [row[6] for row in rows] == sorted(row[6] for row in rows)
    seal_all(engine)
    assert ledger.verify(engine).sealed.events == 8


@pytest.mark.parametrize(
    "values", [{"origin": "invented"}, {"action": ""}, {"subject_id": ""}, {"body": {"x": float("nan")}}]
)
def test_append_many__one_that_append_would_refuse__none_of_them(engine, root, values):
    with Session(engine) as session, pytest.raises((ValueError, DBAPIError)):
        ledger.append_many(session, [entry(), entry(**values)])
        session.commit()
    assert root.execute("SELECT count(*) FROM ledger.event").fetchone() == (0,)


@pytest.mark.parametrize(
    ("body", "words"), [("[1]", '"leaf"'), ("3", '"leaf"'), ("x", "syntax for type json"), ("null", '"leaf"')]
)
def test_append_many__body_that_is_no_object__refused(engine, root, body, words):
    """Of what is no object no leaf is made, and an event without one cannot be."""
    events = json.dumps([["a", "device", "1", body, None]])
    with Session(engine) as session, pytest.raises(DBAPIError, match=words):
        session.connection().exec_driver_sql("SELECT ledger.append_many('system', %s, NULL, 'live')", (events,))


@pytest.mark.parametrize("body", [{"x": float("nan")}, {"x": float("inf")}, {"x": 2**53 + 1}])
def test_append__what_rfc_8785_cannot_write__refused(engine, body):
    with pytest.raises(ValueError):
        append(engine, body=body)


def test_append__naive_effective_time__refused(engine):
    with pytest.raises(ValueError, match="time zone"):
        append(engine, effective_at=datetime(2025, 6, 1))


@pytest.mark.parametrize(
    "values",
    [{"origin": "invented"}, {"action": ""}, {"actor": ""}, {"subject_kind": ""}, {"subject_id": ""}],
)
def test_append__incomplete__refused_by_the_database(engine, values):
    with pytest.raises(Exception, match="violates check constraint"):
        append(engine, **values)


CALL = "SELECT ledger.append('a', 'b', 'c', 'd', {body}, NULL, {effective}, 'live')"


@pytest.mark.parametrize("body", ["'[1]'", "'1'", "'{'", "'\\xff'::bytea", "NULL"])
def test_append__body_that_is_no_json_object__refused(blank, body):
    with connect(blank) as connection, pytest.raises(psycopg.Error):
        connection.execute(CALL.format(body=body, effective="NULL"))


def test_append__infinite_effective_time__refused(blank):
    with connect(blank) as connection, pytest.raises(psycopg.errors.CheckViolation, match="ck_event_effective_at"):
        connection.execute(CALL.format(body="'{}'", effective="'infinity'"))


STATEMENTS = [
    "INSERT INTO ledger.event SELECT * FROM ledger.event",
    "UPDATE ledger.event SET body = '{}'",
    "UPDATE ledger.event SET recorded_at = now()",
    "DELETE FROM ledger.event",
    "TRUNCATE ledger.event CASCADE",
    "COPY ledger.event FROM '/dev/null'",
    "INSERT INTO ledger.seal SELECT * FROM ledger.seal",
    "UPDATE ledger.seal SET root = prev",
    "DELETE FROM ledger.seal",
    "TRUNCATE ledger.seal",
    "SELECT setval('ledger.event_id', 1)",
    "ALTER TABLE ledger.event DISABLE TRIGGER ALL",
    "DROP TABLE ledger.event CASCADE",
    "CREATE OR REPLACE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE sql AS ''",
    "SET session_replication_role = replica",
]


@pytest.mark.parametrize("role", [APP, PUBLIC])
@pytest.mark.parametrize("statement", STATEMENTS)
def test_P4__rewriting_history__refused(blank, engine, role, statement):
    append(engine)
    seal_all(engine)
    with connect(blank, role) as connection, pytest.raises(psycopg.Error):
        connection.execute(statement)


@pytest.mark.parametrize("statement", STATEMENTS[1:5] + STATEMENTS[7:10])
def test_P4__owner_and_administrator__stopped_by_the_second_wall(blank, engine, root, statement, refused_by):
    append(engine)
    with connect(blank, OWNER) as connection, refused_by("GD-20.2"):
        connection.execute(statement)
    with refused_by("GD-20.2"):
        root.execute(statement)


@pytest.mark.parametrize("statement", ["SELECT * FROM ledger.event", "SELECT ledger.seal_batch(1)", CALL])
def test_P4__public__neither_reads_nor_writes(blank, statement):
    with connect(blank, PUBLIC) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement.format(body="'{}'", effective="NULL"))


def test_append__objects_of_the_caller__cannot_shadow_those_of_the_ledger(blank, engine):
    """The function runs with the owner's rights, so nothing of the caller's may be found in its place."""
    with connect(blank) as connection:
        connection.execute("CREATE TEMP TABLE event (id int); CREATE TEMP TABLE seal (n bigint, last_xid xid8)")
        connection.execute("CREATE TYPE pg_temp.bytea AS (x int)")
        connection.execute("SET search_path = pg_temp, ledger, pg_catalog")
        connection.execute("SELECT ledger.append('a', 'b', 'c', 'd', '{}'::pg_catalog.bytea, NULL, NULL, 'live')")
    assert ledger.verify(engine).unsealed == 1


def test_append__transaction_numbers_behind_the_last_seal__refused(engine, root):
    """A database restored from a dump counts anew: loud at once, instead of never sealed again."""
    append(engine)
    seal_all(engine)
    root.execute("SET session_replication_role = replica")
    root.execute("UPDATE ledger.seal SET last_xid = '99999999999'")
    with pytest.raises(Exception, match="gone back behind"):
        append(engine)


def test_append__any_other_server_login__assumes_the_role(blank):
    """An external database is reached by one login that takes on each role."""
    made = create_engine(blank.admin_url, connect_args={"options": f"-c role={APP}"})
    append(made)
    made.dispose()
    with connect_admin(blank) as root:
        assert root.execute("SELECT count(*) FROM ledger.event").fetchone() == (1,)
