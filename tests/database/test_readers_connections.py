"""Connections of readers: not asked before each statement whether they live, and replaced where they do not."""

import pytest
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from schemas.store import engine as engines
from schemas.store.engine import PUBLIC
from tests.database.plain import connect_admin

MINE = text("SELECT pg_backend_pid()")
SETTLED = text("SHOW max_parallel_workers_per_gather")


@pytest.fixture
def readers(blank):
    engine = blank.engine(PUBLIC)
    yield engine
    engine.dispose()


def process_of(engine):
    with engine.connect() as connection:
        return connection.execute(MINE).scalar_one()


def test_connection__that_its_server_ended_while_it_lay_idle__is_replaced(blank, readers, monkeypatch):
    monkeypatch.setattr(engines, "ALIVE_FOR_S", 0.0)
    first = process_of(readers)
    with connect_admin(blank) as root:
        root.execute("SELECT pg_terminate_backend(%s, 5000)", [first])
    assert process_of(readers) != first


def test_connection__that_its_server_ended_a_moment_ago__fails_once(blank, readers):
    first = process_of(readers)
    with connect_admin(blank) as root:
        root.execute("SELECT pg_terminate_backend(%s, 5000)", [first])
    with pytest.raises(OperationalError, match="terminating connection"):
        process_of(readers)
    assert process_of(readers) != first


def test_connection__in_steady_use__costs_no_trip_of_its_own(readers):
    process_of(readers)
    asked = []
    event.listen(readers, "before_cursor_execute", lambda _c, _cursor, statement, *_: asked.append(statement))
    pings = []
    readers.dialect.do_ping = lambda connection: pings.append(connection) or True
    for _ in range(5):
        process_of(readers)
    assert len(asked) == 5
    assert pings == []


def test_connection__of_readers__starts_no_workers_for_a_tile(readers):
    with readers.connect() as connection:
        assert connection.execute(SETTLED).scalar_one() == "0"
