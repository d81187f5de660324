"""A migrated database of its own for a bench, dropped when the bench ends."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text

from schemas.store.cluster import Cluster
from schemas.store.engine import Database
from schemas.store.migrate import migrate

ROOT = Path(__file__).resolve().parent.parent


def database_of(name: str) -> Database:
    """The database `name` of the private cluster of this checkout."""
    return Database.of_cluster(Cluster.for_checkout(ROOT), name)


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
            engine = create_engine(cluster.url("postgres"), isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
            engine.dispose()
