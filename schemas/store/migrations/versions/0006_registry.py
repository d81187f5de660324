"""The registry in full: siting plans and their sites, papers of devices, deployment points, overlays of rules."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0006"
down_revision = "0005"

SQL = Path(__file__).parent.parent / "sql"
PARTS = ("plans", "papers", "patrols", "judge", "desks", "channels", "things", "zones", "bulk", "grants", "notice")


def upgrade() -> None:
    """Runs the frozen SQL, part by part."""
    connection = op.get_bind().execution_options(no_parameters=True)
    for part in PARTS:
        connection.exec_driver_sql((SQL / f"{revision}_{part}.sql").read_text(encoding="utf-8"))
