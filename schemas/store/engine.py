"""Connections to the database, each as one of its three roles. This module touches the network."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from schemas.store.cluster import Cluster

OWNER, APP, PUBLIC = "skywarden_owner", "skywarden_app", "skywarden_public"

# A statement that runs longer than this is a mistake or an attack; a transaction left open delays
# the sealing of the ledger, so it is ended too (reliability.md 4.1).
STATEMENT_TIMEOUT_S = {OWNER: 600, APP: 60, PUBLIC: 5}
IDLE_IN_TRANSACTION_TIMEOUT_S = 60
# A connection of readers that answered so recently is not asked whether it still does.
ALIVE_FOR_S = 1.0


@dataclass(frozen=True)
class Database:
    """One database: how its administrator reaches it, and how each role does.

    In the private cluster every role logs in by itself. At any other server the given login assumes
    the role at connection, so that one URL is enough.
    """

    admin_url: str
    url_of: Callable[[str], str]
    assume_roles: bool

    @classmethod
    def of_cluster(cls, cluster: Cluster, name: str) -> Database:
        """The database `name` of the private cluster."""
        return cls(cluster.url(name), lambda role: cluster.url(name, role), assume_roles=False)

    @classmethod
    def of_url(cls, url: str) -> Database:
        """The database behind an SQLAlchemy or libpq URL, whose login may assume all three roles."""
        scheme, separator, rest = url.partition("://")
        if scheme in {"postgresql", "postgres"}:
            scheme = "postgresql+psycopg"
        full = f"{scheme}{separator}{rest}"
        return cls(full, lambda _role: full, assume_roles=True)

    def engine(self, role: str, *, pool_size: int = 5) -> Engine:
        """An engine whose connections act as `role` (one of OWNER, APP, PUBLIC)."""
        options = [
            f"-c statement_timeout={STATEMENT_TIMEOUT_S[role] * 1000}",
            f"-c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_TIMEOUT_S * 1000}",
            "-c timezone=UTC",
        ]
        if self.assume_roles:
            options.append(f"-c role={role}")
        if role == PUBLIC:
            # Many readers at once fill the processors; a worker started for one tile costs more than the tile.
            options.append("-c max_parallel_workers_per_gather=0")
            # Readers change nothing: a transaction around a statement would only cost trips.
            manner: dict[str, Any] = {"isolation_level": "AUTOCOMMIT"}
        else:
            manner = {"pool_pre_ping": True}
        engine = create_engine(
            self.url_of(role),
            pool_size=pool_size,
            connect_args={"options": " ".join(options), "application_name": role},
            **manner,
        )
        if role == PUBLIC:
            _ask_idle_ones(engine)
        return engine

    def admin_engine(self) -> Engine:
        """An engine of the administrator: migrations and nothing else."""
        return create_engine(self.admin_url, pool_size=1)


def _ask_idle_ones(engine: Engine) -> None:
    """Has a connection that lay in the pool for a while asked whether its server is still there, and replaced if not.

    Asking each time, as `pool_pre_ping` does, costs a trip that a tile takes as long for itself.
    """

    @event.listens_for(engine, "checkin")
    def put_back(_connection: DBAPIConnection | None, entry: ConnectionPoolEntry) -> None:
        entry.info["put_back_s"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def take(connection: DBAPIConnection, entry: ConnectionPoolEntry, _proxy: object) -> None:
        if time.monotonic() - entry.info.get("put_back_s", time.monotonic()) < ALIVE_FOR_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise DisconnectionError from error
