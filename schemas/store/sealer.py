"""The sealer: binds settled events of the ledger into Merkle batches, each linked to the one before."""

from __future__ import annotations

from sqlalchemy import Engine, text

# One seal binds at most so many events: a proof of inclusion stays short, and a backlog is sealed in steps.
BATCH_EVENTS = 10_000

_SEAL = text("SELECT ledger.seal_batch(:batch)")


def seal_pending(engine: Engine) -> int:
    """Seals every settled event and returns how many there were.

    Events of transactions that still run wait for the next call; so does everything while another
    sealer is at work. The database computes the seals, so the caller can choose nothing about them.
    """
    total = 0
    while True:
        with engine.begin() as connection:
            sealed = int(connection.execute(_SEAL, {"batch": BATCH_EVENTS}).scalar_one())
        total += sealed
        if sealed < BATCH_EVENTS:
            return total
