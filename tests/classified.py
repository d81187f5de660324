"""Devices that are state secrets, for tests of what must never be told of them (GD-14.6)."""

from __future__ import annotations

from datetime import date

import psycopg

CLASSIFIED = {
    "secret_document": "2025-3",
    "secret_authority": "P0",
    "secret_level": "secret",
    "secret_until": date(2030, 1, 1),
}


def make_secret(admin: psycopg.Connection, public_id: str) -> None:
    """Turns a device into a secret one, whatever was shown of it before: the database lets nobody else do that."""
    before = admin.execute("SHOW session_replication_role").fetchone()[0]
    admin.execute("SET session_replication_role = replica")
    columns = ", ".join(f"{name} = %({name})s" for name in CLASSIFIED)
    admin.execute(
        f"UPDATE core.device SET secret = true, {columns} WHERE public_id = %(device)s",
        {**CLASSIFIED, "device": public_id},
    )
    admin.execute(f"SET session_replication_role = {before}")
