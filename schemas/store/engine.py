"""Connections to the database, each as one of its three roles. This module touches the network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Engine, create_engine

from schemas.store.cluster import Cluster

OWNER, APP, PUBLIC = "skywarden_owner", "skywarden_app", "skywarden_public"

# A statement that runs longer than this is a mistake or an attack; a transaction left open delays
# the sealing of the ledger, so it is ended too (reliability.md 4.1).
STATEMENT_TIMEOUT_S = {OWNER: 600, APP: 60, PUBLIC: 5}
IDLE_IN_TRANSACTION_TIMEOUT_S = 60


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
        return create_engine(
            self.url_of(role),
            pool_pre_ping=True,
            pool_size=pool_size,
            connect_args={"options": " ".join(options), "application_name": role},
        )

    def admin_engine(self) -> Engine:
        """An engine of the administrator: migrations and nothing else."""
        return create_engine(self.admin_url, pool_size=1)
