"""The gateway's place in the database: it claims its aircraft, beats every second, takes orders and answers them.

One connection and one thread of its own. Two things keep a second gateway from an aircraft: an advisory lock,
which dies with the connection of its holder, and a row that only one gateway can hold open. A gateway that finds
its row ended by another one sends nothing more.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import queue
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from flights.gateway.told import plain
from flights.ordering import ORDERS, OrderKind
from flights.record import House
from schemas.refusals import Refusal, conflict, refuse
from schemas.tables.gateway import ORDER_CHANNEL

BEAT_EVERY_S = 1.0
# A row whose gateway has not beaten for so long, and holds no lock, is of a gateway that died.
DEAD_S = 3.0
LOCK_WAIT_S = 1.0
LISTEN_S = 0.25
AWAY_S = 0.5
LOCK_CLASS = 245_190
log = logging.getLogger(__name__)

_LOCK = "SELECT pg_try_advisory_lock(%s, hashtext(%s))"
_UNLOCK = "SELECT pg_advisory_unlock(%s, hashtext(%s))"
_OPEN = """
    SELECT process, beat_at, extract(epoch FROM clock_timestamp() - beat_at)::float8
    FROM core.gateway WHERE drone_id = %s AND ended_at IS NULL
"""
_END = "UPDATE core.gateway SET ended_at = clock_timestamp() WHERE drone_id = %s AND ended_at IS NULL"
_OPEN_MINE = "INSERT INTO core.gateway (id, drone_id, link_url, process) VALUES (%s, %s, %s, %s)"
_BEAT = "UPDATE core.gateway SET beat_at = clock_timestamp(), flight_id = %s WHERE id = %s AND ended_at IS NULL"
_END_MINE = "UPDATE core.gateway SET ended_at = clock_timestamp() WHERE id = %s AND ended_at IS NULL"
_TAKE = """
    UPDATE core.flight_order o SET taken_at = clock_timestamp()
    FROM core.flight f
    WHERE f.id = o.flight_id AND o.id IN (
        SELECT w.id FROM core.flight_order w JOIN core.flight v ON v.id = w.flight_id
        WHERE v.drone_id = %s AND w.taken_at IS NULL AND coalesce(w.params ->> 'link', %s) = %s
        ORDER BY w.id FOR UPDATE OF w SKIP LOCKED)
    RETURNING o.id, f.public_id, o.kind, o.params, o.ordered_by,
        extract(epoch FROM clock_timestamp() - o.ordered_at)::float8
"""
_ANSWER = """
    UPDATE core.flight_order SET done_at = clock_timestamp(), outcome = %s, detail = %s::jsonb
    WHERE id = %s AND done_at IS NULL
"""
# What a gateway had taken and not answered when it died: the way down is ordered anew, the rest is void.
_RETAKE = """
    UPDATE core.flight_order o SET taken_at = NULL FROM core.flight f
    WHERE f.id = o.flight_id AND f.drone_id = %s AND o.taken_at IS NOT NULL AND o.done_at IS NULL
    AND o.kind IN ('return', 'land', 'abort')
"""
_LOSE = """
    UPDATE core.flight_order o SET done_at = clock_timestamp(), outcome = 'lost' FROM core.flight f
    WHERE f.id = o.flight_id AND f.drone_id = %s AND o.taken_at IS NOT NULL AND o.done_at IS NULL
"""


@dataclass(frozen=True)
class Order:
    """An order as taken: for which flight, from whom, and how old it was then."""

    id: int
    flight: str
    kind: OrderKind
    params: dict[str, Any]
    ordered_by: uuid.UUID | None
    age_s: float
    taken_at: float = field(default_factory=time.monotonic)

    @property
    def reason(self) -> str:
        """Why it was ordered, or by which order."""
        return str(self.params.get("reason") or self.kind)

    def expiry(self) -> Refusal | None:
        """Why it does not count any more: what starts or holds an aircraft must not come late."""
        counts_s = ORDERS[self.kind].counts_s
        age_s = self.age_s + time.monotonic() - self.taken_at
        if counts_s is None or age_s <= counts_s:
            return None
        return refuse("DC-1", "flight.order_expired", measured=f"{age_s:.0f} s", required=f"{counts_s:.0f} s")


class Desk:
    """One gateway's row, beat and orders. `superseded` says that another gateway has taken the aircraft over."""

    def __init__(self, house: House, drone_id: uuid.UUID, link_url: str) -> None:
        self.superseded = False
        self.leads: uuid.UUID | None = None
        self._house = house
        self._drone = str(drone_id)
        self._link = link_url
        self._id = uuid.uuid4()
        self._process = f"{socket.gethostname()}:{os.getpid()}"
        self._line: psycopg.Connection[Any] | None = None
        self._orders: queue.Queue[Order] = queue.Queue()
        self._back: list[Order] = []
        self._answers: queue.Queue[tuple[int, str, dict[str, Any]]] = queue.Queue()
        self._beat_due = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="gateway-desk", daemon=True)

    # -- life -----------------------------------------------------------------------------------------

    def open(self) -> None:
        """Claims the aircraft and starts to beat; raises RuleViolation 409 while another gateway leads it."""
        line = self._connect()
        with _closed_on_failure(line):
            self._claim(line)
        self._line = line
        self._thread.start()

    def close(self) -> None:
        """Answers what is to be answered, and gives the aircraft up."""
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _claim(self, line: psycopg.Connection[Any]) -> None:
        beat_at, give_up_at = None, time.monotonic() + LOCK_WAIT_S
        while True:
            if not self._row(line, _LOCK, (LOCK_CLASS, self._drone))[0]:
                if time.monotonic() < give_up_at:
                    # The server may not have noticed yet that the holder was killed.
                    time.sleep(LISTEN_S)
                    continue
                other = line.execute(_OPEN, (self._drone,)).fetchone()
                raise conflict("DC-1", "flight.led_elsewhere", measured=other[0] if other else "?")
            other = line.execute(_OPEN, (self._drone,)).fetchone()
            if other is None or other[2] > DEAD_S:
                break
            # It beats and holds no lock: its own connection is just coming back.
            if beat_at not in (None, other[1]):
                line.execute(_UNLOCK, (LOCK_CLASS, self._drone))
                raise conflict("DC-1", "flight.led_elsewhere", measured=other[0])
            beat_at = other[1]
            line.execute(_UNLOCK, (LOCK_CLASS, self._drone))
            time.sleep(LISTEN_S)
        with line.transaction():
            line.execute(_END, (self._drone,))
            line.execute(_OPEN_MINE, (self._id, self._drone, self._link, self._process))
            line.execute(_RETAKE, (self._drone,))
            line.execute(_LOSE, (self._drone,))

    # -- orders ---------------------------------------------------------------------------------------

    def next(self, wait_s: float = 0.0) -> Order | None:
        """The next order, or None when none comes within `wait_s`."""
        if self._back:
            return self._back.pop(0)
        try:
            return self._orders.get(timeout=wait_s) if wait_s > 0 else self._orders.get_nowait()
        except queue.Empty:
            return None

    def put_back(self, order: Order) -> None:
        """Leaves an order for whoever asks next."""
        self._back.append(order)

    def answer(self, order: Order, outcome: str, detail: dict[str, Any]) -> None:
        """Notes what came of an order; written by the thread, again and again until the database has it."""
        self._answers.put((order.id, outcome, plain(detail)))

    # -- the thread -----------------------------------------------------------------------------------

    def _run(self) -> None:
        answers: list[tuple[int, str, dict[str, Any]]] = []
        while not self._ended.is_set() or answers or not self._answers.empty():
            try:
                line = self._line or self._reconnect()
                self._turn(line, answers)
            except (psycopg.Error, SQLAlchemyError) as error:
                if self._line is not None:
                    log.warning("the gateway lost the database: %s", type(error).__name__)
                self._drop_line()
                if self._ended.wait(AWAY_S):
                    break
        self._give_up()

    def _turn(self, line: psycopg.Connection[Any], answers: list[tuple[int, str, dict[str, Any]]]) -> None:
        while not self._answers.empty():
            answers.append(self._answers.get_nowait())
        while answers:
            order_id, outcome, detail = answers[0]
            line.execute(_ANSWER, (outcome, json.dumps(detail), order_id))
            answers.pop(0)
        if time.monotonic() >= self._beat_due:
            self._beat_due = time.monotonic() + BEAT_EVERY_S
            self._beat(line)
        if self.superseded:
            self._ended.wait(LISTEN_S)
            return
        self._take(line)
        if not self._ended.is_set():
            for _ in line.notifies(timeout=LISTEN_S, stop_after=1):
                pass

    def _beat(self, line: psycopg.Connection[Any]) -> None:
        beaten = line.execute(_BEAT, (self.leads, self._id)).rowcount
        if not beaten and not self.superseded:
            log.error("another gateway has taken this aircraft over")
            self.superseded = True

    def _take(self, line: psycopg.Connection[Any]) -> None:
        rows = line.execute(_TAKE, (self._drone, self._link, self._link)).fetchall()
        for row in sorted(rows):
            number, flight, kind, params, ordered_by, age_s = row
            self._orders.put(Order(number, flight, OrderKind(kind), params, ordered_by, age_s))

    def _reconnect(self) -> psycopg.Connection[Any]:
        line = self._connect()
        with _closed_on_failure(line):
            # Our own old connection may hold the lock for a while yet; the row is ours in any case.
            line.execute(_LOCK, (LOCK_CLASS, self._drone))
        self._line, self._beat_due = line, 0.0
        return line

    def _connect(self) -> psycopg.Connection[Any]:
        """A connection of our own, told of every order at once."""
        pooled = self._house.engine.raw_connection()
        line: psycopg.Connection[Any] = pooled.driver_connection  # type: ignore[assignment]
        pooled.detach()
        with _closed_on_failure(line):
            line.rollback()
            line.autocommit = True
            line.execute(f"LISTEN {ORDER_CHANNEL}")
        return line

    def _drop_line(self) -> None:
        line, self._line = self._line, None
        if line is not None:
            line.close()

    def _give_up(self) -> None:
        try:
            if self._line is not None:
                self._line.execute(_END_MINE, (self._id,))
        except psycopg.Error:
            log.warning("the database is away; the next gateway ends this one's row")
        finally:
            self._drop_line()

    @staticmethod
    def _row(line: psycopg.Connection[Any], statement: str, values: tuple[object, ...]) -> Any:  # noqa: ANN401
        return line.execute(statement, values).fetchone()


@contextlib.contextmanager
def _closed_on_failure(line: psycopg.Connection[Any]) -> Iterator[None]:
    """Closes a connection of our own that nobody will use."""
    try:
        yield
    except BaseException:
        line.close()
        raise
