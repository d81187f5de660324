"""Flights in full: zones with height and hours, volumes of air, orders to gateways, keys, verdicts, relays."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"

SQL = Path(__file__).parent.parent / "sql"
PARTS = ("zones", "volumes", "gateway", "signing", "verdicts", "relay", "rights")


def upgrade() -> None:
    """Runs the frozen SQL, part by part."""
    connection = op.get_bind().execution_options(no_parameters=True)
    for part in PARTS:
        connection.exec_driver_sql((SQL / f"{revision}_{part}.sql").read_text(encoding="utf-8"))
