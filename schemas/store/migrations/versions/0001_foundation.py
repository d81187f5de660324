"""The foundation: tables, law, the database as judge, the ledger and the public views."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None

SQL = Path(__file__).parent.parent / "sql"
PARTS = ("tables", "law", "judge", "ledger", "public_map")


def upgrade() -> None:
    """Runs the frozen SQL, part by part."""
    connection = op.get_bind().execution_options(no_parameters=True)
    for part in PARTS:
        connection.exec_driver_sql((SQL / f"{revision}_{part}.sql").read_text(encoding="utf-8"))
