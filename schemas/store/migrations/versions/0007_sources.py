"""Sources of findings: images that wait for a place on the ground, proposals of change, smoke and flames."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"

SQL = Path(__file__).parent.parent / "sql"
PARTS = ("sources",)


def upgrade() -> None:
    """Runs the frozen SQL, part by part."""
    connection = op.get_bind().execution_options(no_parameters=True)
    for part in PARTS:
        connection.exec_driver_sql((SQL / f"{revision}_{part}.sql").read_text(encoding="utf-8"))
