"""The ledger: one append-only event per command, readable and verifiable by anyone (design.md 4, idea 4).

Writing goes through the database function `ledger.append`, which sets the id, the time and the hash;
reading back recomputes everything from the columns, so that an edit by anybody shows.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby, islice
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import rfc8785
from sqlalchemy import Connection, Engine, Row, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from schemas.store.merkle import leaf_hash
from schemas.store.verify import FORMAT, LedgerBroken, Report, verify_lines


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What a command tells the ledger.

    `body` holds ids and hashes, never personal data, so that lawful disposal does not break the chain.
    `effective_at` is a time that law counts from, such as a channel's receipt; when the event was
    recorded is for the database alone to say. `origin` is that of the records: live, sample or legacy.
    """

    action: str
    actor: str
    subject_kind: str
    subject_id: UUID | str
    body: Mapping[str, Any]
    pack: str | None = None
    effective_at: datetime | None = None
    origin: str = "live"


_APPEND = (
    "SELECT ledger.append(%(actor)s, %(action)s, %(subject_kind)s, %(subject_id)s, %(body)s::bytea, %(pack)s,"
    " %(effective_at)s::timestamptz, %(origin)s)"
)


def append(session: Session, entry: Entry) -> int:
    """Appends one event in the transaction of `session` and returns its id.

    Raises ValueError (of rfc8785) where the body holds what RFC 8785 cannot write, such as NaN or an
    integer above 2^53.
    """
    return int(session.connection().exec_driver_sql(_APPEND, _values(entry)).scalar_one())


_APPEND_MANY = "SELECT ledger.append_many(%(actor)s, %(events)s, %(effective_at)s::timestamptz, %(origin)s)"
APPENDED_AT_ONCE = 5_000


def append_many(session: Session, entries: Sequence[Entry]) -> None:
    """Appends many events in the transaction of `session`, in their order; raises what `append` raises."""
    same = groupby(entries, key=lambda entry: (entry.actor, entry.effective_at, entry.origin))
    for (actor, effective_at, origin), group in same:
        for some in _some(group):
            events = json.dumps([_event(_values(entry)) for entry in some], ensure_ascii=False)
            values = {"actor": actor, "events": events, "effective_at": effective_at, "origin": origin}
            session.connection().exec_driver_sql(_APPEND_MANY, values)


def _event(values: Mapping[str, Any]) -> list[str | None]:
    body = values["body"].decode("utf-8")
    return [values["action"], values["subject_kind"], values["subject_id"], body, values["pack"]]


def _some(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """So many of them at a time as one statement takes."""
    left = iter(entries)
    while some := list(islice(left, APPENDED_AT_ONCE)):
        yield some


def commit_with(session: Session, entry: Entry) -> None:
    """Appends one event and commits the transaction of `session`; where the event is refused, so is the commit.

    Raises what `append` raises, and DBAPIError for what the database refuses at the commit.
    """
    values = _values(entry)
    connection = session.connection()
    driver: Any = connection.connection.driver_connection
    try:
        # Past SQLAlchemy, whose way is longer. The driver could send the commit along with it, but what its pipeline
        # takes is more than the round trip that it saves to a server on the same machine.
        driver.execute(_APPEND, values)
    except psycopg.Error as error:
        if driver.closed:
            connection.invalidate(error)
        raise DBAPIError.instance(_APPEND, None, error, psycopg.Error, dialect=connection.dialect) from error
    session.commit()


def _values(entry: Entry) -> dict[str, Any]:
    if entry.effective_at is not None and entry.effective_at.tzinfo is None:
        raise ValueError("an effective time needs a time zone")
    return {
        "actor": entry.actor,
        "action": entry.action,
        "subject_kind": entry.subject_kind,
        "subject_id": str(entry.subject_id),
        "body": rfc8785.dumps(dict(entry.body)),
        "pack": entry.pack,
        "effective_at": entry.effective_at,
        "origin": entry.origin,
    }


@dataclass(frozen=True)
class State:
    """The ledger as verified: what is sealed, and how many events still wait for the sealer."""

    sealed: Report
    unsealed: int


def verify(engine: Engine, checkpoints: Mapping[int, str] | None = None) -> State:
    """Recomputes every hash, root and link from the database; raises LedgerBroken at the first misfit."""
    with _snapshot(engine) as connection, closing(_lines(connection)) as lines:
        report = verify_lines(lines, checkpoints)
        waiting = connection.execute(_COUNT).scalar_one() - report.events
    return State(report, waiting)


def export(engine: Engine, path: Path) -> Report:
    """Writes all sealed events and their seals to `path` for `schemas/store/verify.py`; verifies on the way.

    Raises LedgerBroken where the ledger does not fit together, and leaves no file then.
    """
    partial = path.with_name(path.name + ".part")
    try:
        with _snapshot(engine) as connection, partial.open("wb") as file, closing(_lines(connection)) as lines:
            report = verify_lines(_copy(lines, file.write))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return report


def _copy(lines: Iterable[bytes], write: Any) -> Iterator[bytes]:  # noqa: ANN401
    for line in lines:
        write(line + b"\n")
        yield line


@contextmanager
def _snapshot(engine: Engine) -> Iterator[Connection]:
    """A connection on which everything read belongs to one moment."""
    with engine.connect() as plain:
        connection = plain.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with connection.begin():
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            yield connection


_SEALS = text(
    "SELECT n, count, first_id, last_id, last_xid::text::bigint AS last_xid, prev, root, sealed_at, digest"
    " FROM ledger.seal ORDER BY n"
)
# The sequence of sealing: by transaction, then by id.
_EVENTS = text(
    "SELECT xid::text::bigint AS xid, id, recorded_at, effective_at, origin, actor, action,"
    " subject_kind, subject_id, pack, body, leaf FROM ledger.event ORDER BY event.xid, event.id"
)
_EVENT = text(
    "SELECT id, recorded_at, effective_at, origin, actor, action, subject_kind, subject_id, pack, body, leaf"
    " FROM ledger.event WHERE id = :id"
)
_SEAL = text("SELECT n, count, first_id, last_id, prev, root, sealed_at FROM ledger.seal WHERE n = :n")
FETCH_ROWS = 2000
_COUNT = text("SELECT count(*) FROM ledger.event")


def _lines(connection: Connection) -> Generator[bytes]:
    """The export of the ledger as `connection` sees it, line by line."""
    yield FORMAT
    checkpoint = "0:" + "00" * 32
    seals = connection.execute(_SEALS).all()
    with connection.execute(_EVENTS, execution_options={"yield_per": FETCH_ROWS}) as events:
        event = next(events, None)
        for seal in seals:
            while event is not None and (event.xid, event.id) <= (seal.last_xid, seal.last_id):
                yield _event_line(event)
                event = next(events, None)
            yield _seal_line(seal)
            checkpoint = f"{seal.n}:{seal.digest.hex()}"
        while event is not None:
            _event_line(event)  # not sealed yet, and still not to be edited
            event = next(events, None)
    yield json.dumps({"checkpoint": checkpoint}, separators=(",", ":")).encode()


def event_line(connection: Connection, event_id: int) -> bytes:
    """The canonical text of one event, as an export holds it; LedgerBroken where its stored hash differs."""
    return _event_line(connection.execute(_EVENT, {"id": event_id}).one())


def seal_line(connection: Connection, number: int) -> bytes:
    """The canonical text of one seal, as an export holds it."""
    return _seal_line(connection.execute(_SEAL, {"n": number}).one())


def _event_line(event: Row[Any]) -> bytes:
    """The canonical text (RFC 8785) of an event from its columns; LedgerBroken if its stored hash differs."""
    head = {"action": event.action, "actor": event.actor}
    tail = {
        "effective_at": _instant(event.effective_at),
        "id": str(event.id),
        "origin": event.origin,
        "pack": event.pack,
        "recorded_at": _instant(event.recorded_at),
        "subject_id": event.subject_id,
        "subject_kind": event.subject_kind,
    }
    # The body is canonical already; between its neighbours it stands where the order of keys puts it.
    line: bytes = rfc8785.dumps(head)[:-1] + b',"body":' + event.body + b"," + rfc8785.dumps(tail)[1:]
    if leaf_hash(line) != event.leaf:
        raise LedgerBroken(f"event {event.id} is not what was recorded: its content does not give its hash")
    return line


def _seal_line(seal: Row[Any]) -> bytes:
    return rfc8785.dumps(
        {
            "count": str(seal.count),
            "first": str(seal.first_id),
            "last": str(seal.last_id),
            "prev": seal.prev.hex(),
            "root": seal.root.hex(),
            "seal": str(seal.n),
            "sealed_at": _instant(seal.sealed_at),
        }
    )


def _instant(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
