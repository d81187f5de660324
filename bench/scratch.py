"""A migrated database of its own for a bench, dropped when the bench ends."""

from __future__ import annotations

import atexit
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text

from schemas.store.cluster import Cluster
from schemas.store.engine import Database
from schemas.store.migrate import migrate

ROOT = Path(__file__).resolve().parent.parent

# What was filled in this run, until it ends: the database that others are copied from.
_FILLED: dict[Callable[[Database], None], str] = {}


def database_of(name: str) -> Database:
    """The database `name` of the private cluster of this checkout."""
    return Database.of_cluster(Cluster.for_checkout(ROOT), name)


@contextmanager
def filled_database(fill: Callable[[Database], None]) -> Iterator[Database]:
    """A database of its own that holds what `fill` writes: written once in a run, copied for each bench that asks."""
    cluster = Cluster.for_checkout(ROOT)
    name = f"skywarden_bench_{uuid.uuid4().hex[:10]}"
    with cluster.in_use():
        if fill not in _FILLED:
            template = f"skywarden_bench_{uuid.uuid4().hex[:10]}"
            atexit.register(_drop, cluster, template)
            migrate(database_of(template))
            fill(database_of(template))
            _FILLED[fill] = template
        _asked_of(cluster, f'CREATE DATABASE "{name}" TEMPLATE "{_FILLED[fill]}"')
        try:
            yield database_of(name)
        finally:
            _drop(cluster, name)


def _drop(cluster: Cluster, name: str) -> None:
    with cluster.in_use():
        _asked_of(cluster, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _asked_of(cluster: Cluster, statement: str) -> None:
    engine = create_engine(cluster.url("postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


@contextmanager
def scratch_database() -> Iterator[Database]:
    """An empty, migrated database in the private cluster of this checkout."""
    cluster = Cluster.for_checkout(ROOT)
    name = f"skywarden_bench_{uuid.uuid4().hex[:10]}"
    with cluster.in_use():
        database = database_of(name)
        try:
            migrate(database)
            yield database
        finally:
            _drop(cluster, name)
