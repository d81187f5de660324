"""Connections to the database, each as one of its three roles. This module touches the network."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine, create_engine

OWNER, APP, PUBLIC = "skywarden_owner", "skywarden_app", "skywarden_public"

# A statement that runs longer than this is a mistake or an attack; a transaction left open delays
# the sealing of the ledger, so it is ended too (reliability.md 4.1).
STATEMENT_TIMEOUT_S = {OWNER: 600, APP: 60, PUBLIC: 5}
IDLE_IN_TRANSACTION_TIMEOUT_S = 60


@dataclass(frozen=True)
class DatabaseUrl:
    """Where the database is, and whether each role logs in by itself or is assumed after login."""

    url: str
    assume_roles: bool = True

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
            self.url,
            pool_pre_ping=True,
            pool_size=pool_size,
            connect_args={"options": " ".join(options), "application_name": role},
        )
