"""Rows and events of one flight on their way to the database, by a thread of its own. Touches disk and database.

Whoever follows the aircraft only puts them into memory: a database that is slow, restarting or gone never holds
an order back. Twice a second the raw record is forced to disk first, then the rows that came are stored; so
the raw record is never behind the rows. What cannot be stored waits, within bounds, and a gap row says so.

Positions go in by COPY: they are many, and an INSERT costs the gateway several times as much.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError, InterfaceError, SQLAlchemyError
from sqlalchemy.orm import Session

from flights.gateway.told import EventKind, Why, plain
from flights.link.recorder import Recorder
from flights.record import House
from schemas.tables import FlightEvent, TelemetryPoint

# At most a second is lost when the process dies: half of it is for waiting, half for storing.
STORE_EVERY_S = 0.5
MOST_WAITING = 200_000
BATCH = 5_000
AWAY_S = 0.5
Table = type[TelemetryPoint] | type[FlightEvent]
_COLUMNS = tuple(column.name for column in TelemetryPoint.__table__.columns if column.name != "id")
_COPY = f"COPY core.telemetry_point ({', '.join(_COLUMNS)}) FROM STDIN"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Row:
    """One row that waits: which table, and its values."""

    table: Table
    values: dict[str, Any]


class Store:
    """Takes rows at once and stores them in order; `close` waits until they are in, or says that they are not."""

    def __init__(self, house: House, flight_id: uuid.UUID, recorder: Recorder) -> None:
        self.lost = 0
        self._house = house
        self._flight_id = flight_id
        self._recorder = recorder
        self._lock = threading.Lock()
        self._waiting: deque[_Row] = deque()
        self._writing = threading.Lock()
        self._batch: list[_Row] = []
        self._in_doubt: str | None = None
        self._away_since: datetime | None = None
        self._lost_told = 0
        self._disk_since: datetime | None = None
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="flight-store", daemon=True)
        self._thread.start()

    # -- taking ---------------------------------------------------------------------------------------

    def point(self, values: dict[str, Any]) -> None:
        """Takes a position: every column but id and flight, the place as `geo.shapes.point_text`; never waits."""
        self._take(_Row(TelemetryPoint, values | {"flight_id": self._flight_id}))

    def event(self, kind: EventKind, body: dict[str, Any]) -> None:
        """Takes an event, stored at once; never waits."""
        values = {"flight_id": self._flight_id, "at": self._house.clock.now(), "kind": str(kind), "body": plain(body)}
        self._take(_Row(FlightEvent, values))
        if kind is not EventKind.POSITION:
            self._wake.set()

    def gap(self, why: Why, since: datetime, until: datetime, **more: object) -> None:
        """Takes a gap row: what is not in the record, from when until when, and why."""
        self.event(EventKind.GAP, {"why": str(why), "from": since.isoformat(), "until": until.isoformat()} | more)

    def _take(self, row: _Row) -> None:
        with self._lock:
            if len(self._waiting) >= MOST_WAITING:
                self._drop_oldest_position()
            self._waiting.append(row)

    def _drop_oldest_position(self) -> None:
        """Makes room: positions are in the raw record as well, events are nowhere else."""
        self.lost += 1
        for n, row in enumerate(self._waiting):
            if row.table is TelemetryPoint or row.values["kind"] == EventKind.POSITION:
                del self._waiting[n]
                return
        self._waiting.popleft()

    # -- storing --------------------------------------------------------------------------------------

    def close(self, within_s: float = 60.0) -> bool:
        """Ends the thread and stores what waits; False when the database did not take it in time."""
        self._ended.set()
        self._wake.set()
        self._thread.join(within_s)
        return not self._thread.is_alive() and self.flush()

    def flush(self) -> bool:
        """Stores what waits; False when the disk of the database, or its server, is away."""
        try:
            while self._batch or self._waiting:
                self._store_batch()
        except SQLAlchemyError as error:
            if self._away_since is None:
                log.warning("rows wait for the database: %s", type(error).__name__)
                self._away_since = self._house.clock.now()
            return False
        return True

    def _run(self) -> None:
        while not self._ended.is_set():
            self._wake.wait(STORE_EVERY_S)
            self._wake.clear()
            if not self.flush():
                self._ended.wait(AWAY_S)

    def _store_batch(self) -> None:
        with self._writing:
            if not self._batch:
                with self._lock:
                    self._batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            # The raw record first: rows must never tell of what a crash takes from it.
            self._note_disk(is_good=self._recorder.sync())
            with self._house.housekeeping() as session:
                if self._was_stored(session):
                    self._batch = []
                else:
                    self._write(session)
            self._batch, self._in_doubt = [], None
            self._note_return()

    def _was_stored(self, session: Session) -> bool:
        """Whether the batch whose commit was answered by a broken line is in the database all the same."""
        if self._in_doubt is None:
            return False
        status = session.scalar(text("SELECT pg_xact_status(CAST(:xid AS xid8))"), {"xid": self._in_doubt})
        if status == "in progress":
            raise InterfaceError("the commit before is still in doubt", None, Exception(self._in_doubt))
        return bool(status == "committed")

    def _write(self, session: Session) -> None:
        self._in_doubt = session.scalar(text("SELECT CAST(pg_current_xact_id() AS text)"))
        for table in (TelemetryPoint, FlightEvent):
            rows = [row.values for row in self._batch if row.table is table]
            if rows:
                self._insert(session, table, rows)

    def _insert(self, session: Session, table: Table, rows: list[dict[str, Any]]) -> None:
        """Stores rows together; where the database refuses one for what it says, all but that one."""
        try:
            with session.begin_nested():
                if table is TelemetryPoint:
                    _copy(session, rows)
                else:
                    session.execute(insert(table), rows)
        except DBAPIError as error:
            if error.connection_invalidated or _is_of_server(error):
                raise
            if len(rows) == 1:
                log.exception("a row of %s is refused", table.__tablename__)
                self.lost += 1
                return
            for half in (rows[: len(rows) // 2], rows[len(rows) // 2 :]):
                self._insert(session, table, half)

    # -- gaps -----------------------------------------------------------------------------------------

    def _note_return(self) -> None:
        """Says, once the database is back, since when nothing could be stored and how much of it is lost."""
        lost, self._lost_told = self.lost - self._lost_told, self.lost
        if self._away_since is not None or lost:
            now = self._house.clock.now()
            since, self._away_since = self._away_since or now, None
            self.gap(Why.DATABASE, since, now, lost_rows=lost)

    def _note_disk(self, *, is_good: bool) -> None:
        now = self._house.clock.now()
        if not is_good and self._disk_since is None:
            self._disk_since = now
        elif is_good and self._disk_since is not None:
            since, self._disk_since = self._disk_since, None
            self.gap(Why.DISK, since, now, lost_frames=self._recorder.lost_frames)


def _copy(session: Session, rows: list[dict[str, Any]]) -> None:
    """Stores positions together, in order; raises DBAPIError as any other statement of the session would."""
    connection = session.connection()
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
            for row in rows:
                copy.write_row([row[name] for name in _COLUMNS])
    except psycopg.Error as error:
        if driver.closed:
            connection.invalidate(error)
        # The driver was asked past SQLAlchemy, which names its errors for everybody else.
        raise DBAPIError.instance(
            _COPY, None, error, psycopg.Error, connection_invalidated=bool(driver.closed)
        ) from error


def _is_of_server(error: DBAPIError) -> bool:
    """Whether the server, not the row, stands against it: connection, resources, operator, system (SQLSTATE class)."""
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        return not isinstance(error.orig, psycopg.DataError)
    return state[:2] in ("08", "53", "55", "57", "58", "XX", "25", "40")
