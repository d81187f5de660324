"""The rows that an import left out, kept beside it: the same file again tells them in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from geo.intake.report import Report, RowOutcome
from schemas.kept import kept, told
from schemas.refusals import refuse
from schemas.tables import ImportBatch

# Of a file with more bad rows than these the first are kept, and how many there were.
_MOST_KEPT = 10_000


def kept_rows(outcomes: Sequence[RowOutcome]) -> list[dict[str, Any]]:
    """The refused rows as they are stored: codes and values, told in the reader's language when they are asked for."""
    refused = [row for row in outcomes if row.refusals][:_MOST_KEPT]
    return [{"row": row.number, "refusals": [kept(one) for one in row.refusals]} for row in refused]


def told_before(report: Report, batch: ImportBatch) -> Report:
    """What is told of a file that was imported before without some of its rows: which ones, and why."""
    rows = tuple(RowOutcome(row["row"], tuple(map(told, row["refusals"]))) for row in batch.refused_rows)
    note = refuse(
        "layer.twice",
        "layer.twice_partly",
        batch=batch.public_id,
        at=moment(batch),
        measured=batch.rows_refused,
        required=batch.rows_refused + batch.rows_imported,
    )
    return replace(report, rows=rows, notes=(note,), before=batch.public_id)


def moment(batch: ImportBatch) -> str:
    """When a file was imported, to the second."""
    return batch.recorded_at.isoformat(timespec="seconds")
