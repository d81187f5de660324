"""Readings into the database, many at a time: one statement, one transaction, each reading once.

The same moment of the same series under the same name of the client is one reading. A batch that was sent twice,
because its first answer was lost, is stored once and answered alike; what says something else of a moment that is told
already is not stored, and never answered as if it were.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Double, Text, and_, bindparam, cast, column, func, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from schemas.tables import Observation

_TIME = DateTime(timezone=True)
# Every column of a reading, in the order of `Readings.add`.
_TYPES: dict[str, Any] = {
    "datastream_id": BigInteger(),
    "feature_id": BigInteger(),
    "phenomenon_time": _TIME,
    "result": Double(),
    "client_id": Text(),
    "quality": Text(),
    "result_time": _TIME,
    "phenomenon_until": _TIME,
    "valid_from": _TIME,
    "valid_until": _TIME,
    "parameters": Text(),  # JSON text, or null
}
_KEY = ("datastream_id", "phenomenon_time", "client_id")
_TOLD = ("result", "quality")


@dataclass
class Readings:
    """A batch of readings, column by column; times are aware, `parameters` is JSON text."""

    columns: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in _TYPES})

    def add(  # noqa: PLR0913 - a reading is what it is
        self,
        datastream_id: int,
        feature_id: int,
        at: datetime,
        result: float,
        *,
        client_id: str = "",
        quality: str = "valid",
        result_time: datetime | None = None,
        until: datetime | None = None,
        valid: tuple[datetime, datetime] | None = None,
        parameters: str | None = None,
    ) -> None:
        """Adds one reading."""
        first, last = valid or (None, None)
        row = (datastream_id, feature_id, at, result, client_id, quality, result_time, until, first, last, parameters)
        for values, value in zip(self.columns.values(), row, strict=True):
            values.append(value)

    def extend(self, datastream_id: int, feature_id: int, columns: dict[str, Sequence[Any]], count: int) -> None:
        """Adds `count` readings of one series; a column that is not named has its usual value."""
        usual: dict[str, Any] = {
            "datastream_id": datastream_id,
            "feature_id": feature_id,
            "client_id": "",
            "quality": "valid",
        }
        for name, values in self.columns.items():
            values.extend(columns[name] if name in columns else [usual.get(name)] * count)

    def __len__(self) -> int:
        return len(self.columns["result"])


def store(session: Session, readings: Readings) -> list[int | None]:
    """The ids of the readings, in their order, after those that were new are written; the caller commits.

    None for a reading whose moment has another result or quality on record, from before or earlier in the batch.
    """
    if not len(readings):
        return []
    varying = {name: values for name, values in readings.columns.items() if name == "result" or not _alike(values)}
    made = _insert(session, readings, varying)
    return [*made] if len(made) == len(readings) else _ids(session, readings)


def _alike(values: list[Any]) -> bool:
    first = values[0]
    return all(value is first or value == first for value in values)


def _insert(session: Session, readings: Readings, varying: dict[str, list[Any]]) -> list[int]:
    rows = (
        func.unnest(
            *(
                cast(bindparam(name, values, ARRAY(_TYPES[name])), ARRAY(_TYPES[name]))
                for name, values in varying.items()
            )
        )
        .table_valued(*(column(name, _TYPES[name]) for name in varying), name="rows")
        .render_derived()
    )

    def value_of(name: str) -> ColumnElement[Any]:
        told: ColumnElement[Any] = (
            rows.c[name]
            if name in varying
            else cast(bindparam(f"all_{name}", readings.columns[name][0], _TYPES[name]), _TYPES[name])
        )
        return cast(told, JSONB) if name == "parameters" else told

    selected = select(*(value_of(name).label(name) for name in _TYPES)).select_from(rows)
    statement = (
        pg_insert(Observation)
        .from_select(list(_TYPES), selected, include_defaults=False)
        .on_conflict_do_nothing(index_elements=list(_KEY))
        .returning(Observation.id)
    )
    return list(session.scalars(statement))


def _ids(session: Session, readings: Readings) -> list[int | None]:
    """The ids of readings of which some were there before, or are in the batch twice; None for what differs."""
    keys = list(zip(*(readings.columns[name] for name in _KEY), strict=True))
    sent = (
        func.unnest(
            *(
                cast(bindparam(name, list(values), ARRAY(_TYPES[name])), ARRAY(_TYPES[name]))
                for name, values in zip(_KEY, zip(*keys, strict=True), strict=True)
            )
        )
        .table_valued(*(column(name, _TYPES[name]) for name in _KEY), name="sent")
        .render_derived()
    )
    same = and_(*(getattr(Observation, name) == sent.c[name] for name in _KEY))
    found = select(Observation.id, *(getattr(Observation, name) for name in (*_KEY, *_TOLD))).join(sent, same)
    known = {tuple(row[1 : 1 + len(_KEY)]): (row[0], *row[1 + len(_KEY) :]) for row in session.execute(found)}
    told = zip(*(readings.columns[name] for name in _TOLD), strict=True)
    return [known[key][0] if known[key][1:] == said else None for key, said in zip(keys, told, strict=True)]
