"""Statements that are asked all the time, past the toolkit and the driver: prepared once, one row, bytes as bytes.

The driver waits for an answer in many small steps, and at each of them a thread gives the interpreter away and takes it
again; libpq itself waits in one. This module touches the network.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus, Format
from psycopg.pq.abc import PGresult
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

# `:name` is a value; `::name` is a type.
_VALUE = re.compile(r"(?<!:):([a-z]\w*)")
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Statement:
    """A statement as the server takes it, and what it takes in which order, each with the number of its type."""

    sql: bytes
    names: tuple[str, ...]
    types: tuple[int, ...]


def statement(sql: str, types: Mapping[str, str]) -> Statement:
    """The statement `sql` with its values as `:name`, whose types are told by name."""
    names = tuple(dict.fromkeys(_VALUE.findall(sql)))
    numbered = _VALUE.sub(lambda found: f"${names.index(found[1]) + 1}", sql)
    return Statement(numbered.encode(), names, tuple(psycopg.postgres.types[types[name]].oid for name in names))


def one_row(public: Connection, asked: Statement, values: Mapping[str, Any]) -> list[bytes | None]:
    """The one row of a statement, its columns as the server sends them; raises what the driver would."""
    link = public.connection
    driver: psycopg.Connection[Any] = link.driver_connection  # type: ignore[assignment]
    # What is noted there is forgotten with the connection.
    prepared: dict[Statement, bytes] = link.info.setdefault("prepared", {})
    try:
        name = prepared.get(asked)
        if name is None:
            name = b"kept_%d" % len(prepared)
            _right(driver.pgconn.prepare(name, asked.sql, asked.types), ExecStatus.COMMAND_OK)
            prepared[asked] = name
        given: list[Any] = [None if values[name] is None else str(values[name]).encode() for name in asked.names]
        found = driver.pgconn.exec_prepared(name, given, None, Format.BINARY)
        _right(found, ExecStatus.TUPLES_OK)
    except psycopg.DatabaseError as error:
        # Of a connection that broke no word of the server tells, and so no kind of its errors.
        away = psycopg.OperationalError(str(error)) if driver.closed else error
        if not isinstance(away, psycopg.OperationalError):
            raise
        if driver.closed:
            public.invalidate(away)
        raise OperationalError(asked.sql.decode(), dict(values), away) from error
    return [found.get_value(0, column) for column in range(found.nfields)]


def moment(sent: bytes | None) -> datetime | None:
    """A `timestamptz` as it is sent: so many microseconds since the beginning of the year 2000."""
    return None if sent is None else _EPOCH + timedelta(microseconds=int.from_bytes(sent, "big", signed=True))


def _right(result: PGresult, status: ExecStatus) -> None:
    if result.status != status:
        raise error_from_result(result)
