"""The rows that an import left out, kept beside it: the same file again tells them in words."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from geo.intake.report import Report, RowOutcome
from schemas.refusals import Refusal, refuse
from schemas.tables import ImportBatch
from schemas.words import Coded

# Of a file with more bad rows than these the first are kept, and how many there were.
_MOST_KEPT = 10_000
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def kept_rows(outcomes: Sequence[RowOutcome]) -> list[dict[str, Any]]:
    """The refused rows as they are stored: codes and values, told in the reader's language when they are asked for."""
    refused = [row for row in outcomes if row.refusals][:_MOST_KEPT]
    return [{"row": row.number, "refusals": [_stored(one) for one in row.refusals]} for row in refused]


def told_before(report: Report, batch: ImportBatch) -> Report:
    """What is told of a file that was imported before without some of its rows: which ones, and why."""
    rows = tuple(RowOutcome(kept["row"], tuple(map(_refusal, kept["refusals"]))) for kept in batch.refused_rows)
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


def _stored(refusal: Refusal) -> dict[str, Any]:
    said = {name: getattr(refusal, name) for name in ("measured", "required", "earliest")}
    values = {name: _plain(value) for name, value in said.items() if value is not None}
    params = {name: _plain(value) for name, value in refusal.params.items()}
    return {"rule": refusal.rule, "text": refusal.text, "params": params} | values


def _plain(value: Any) -> Any:  # noqa: ANN401
    """A value as jsonb has it: texts, finite numbers, and codes that are still to be told in words."""
    if isinstance(value, Coded):
        area, codes, rest = value.parts
        return {"area": area, "codes": list(codes), "rest": rest}
    if value is None or isinstance(value, int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    return _UNSTORABLE.sub("\ufffd", str(value))


def _value(kept: Any) -> Any:  # noqa: ANN401
    return Coded(kept["area"], kept["codes"], kept["rest"]) if isinstance(kept, dict) else kept


def _refusal(kept: dict[str, Any]) -> Refusal:
    return refuse(
        kept["rule"],
        kept["text"],
        earliest=date.fromisoformat(kept["earliest"]) if "earliest" in kept else None,
        measured=_value(kept.get("measured")),
        required=_value(kept.get("required")),
        **{name: _value(value) for name, value in kept["params"].items()},
    )
