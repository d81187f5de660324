"""A migrated database without a row but the mark of sample data, and plain SQL as the application role."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from schemas.store.engine import Database
from tests.database.plain import Plain, connect, connect_admin, rule_of


@pytest.fixture
def blank(clone: Callable[[str], Database], empty_template: str) -> Database:
    return clone(empty_template)


@pytest.fixture
def plain(blank: Database) -> Iterator[Plain]:
    with connect(blank) as connection:
        connection.execute("INSERT INTO core.installation (key, value) VALUES ('sample_data', 'test')")
        yield Plain(connection)


@pytest.fixture
def root(blank: Database) -> Iterator[psycopg.Connection]:
    with connect_admin(blank) as connection:
        yield connection


@pytest.fixture
def past_the_judge(database: Database) -> Iterator[Callable[[], AbstractContextManager[Session]]]:
    """`with past_the_judge() as session:` writes what the database refuses to everybody but its administrator."""
    engine = database.admin_engine()

    @contextmanager
    def meddle() -> Iterator[Session]:
        with Session(engine) as session, session.begin():
            session.execute(text("SET LOCAL session_replication_role = replica"))
            yield session

    yield meddle
    engine.dispose()


@pytest.fixture
def refused_by() -> Callable[[str], object]:
    """`with refused_by("GD-15"):` expects that the database itself refuses under that rule."""

    class Refused:
        def __init__(self, rule: str) -> None:
            self.rule = rule

        def __enter__(self) -> None:
            pass

        def __exit__(self, kind: object, error: object, trace: object) -> bool:
            assert isinstance(error, psycopg.Error), f"not refused; {self.rule} was expected"
            assert rule_of(error) == self.rule, str(error)
            return True

    return Refused
