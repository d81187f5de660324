"""The public map in full: what changed and when, history, open data, what citizens ask, feeds, proofs, coverage."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0008"
down_revision = "0007"

SQL = Path(__file__).parent.parent / "sql"
PARTS = ("sequence", "shown", "spans", "points", "open", "asks", "subscriptions", "proofs", "coverage")


def upgrade() -> None:
    """Runs the frozen SQL, part by part."""
    connection = op.get_bind().execution_options(no_parameters=True)
    for part in PARTS:
        connection.exec_driver_sql((SQL / f"{revision}_{part}.sql").read_text(encoding="utf-8"))
