"""Server-sent events of one flight: what the database tells, told on. Holds a connection that listens.

A stream ends by itself after a while, because the server ends every request that does not; the browser asks
again at once and says which event it had last, so nothing is lost. Where a process has as many streams as it may
have, what has happened is told and the stream ends at once: the page goes on by asking again every few seconds.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg
from sqlalchemy import Engine

from schemas.tables.gateway import FLIGHT_CHANNEL

Event = dict[str, Any]

STREAM_S = 20.0
LISTEN_S = 5.0
# Threads are for requests: no more than half of them may wait for events (web/server.py has eight).
MOST_STREAMS = 4
ASK_AGAIN_MS = 300
ASK_LATER_MS = 3_000
_room = threading.BoundedSemaphore(MOST_STREAMS)


def stream(engine: Engine, public_id: str, after: int, events_after: Callable[[int], list[Event]]) -> Iterator[str]:
    """The events of a flight after the one with the id `after`, as text/event-stream, as they come.

    `events_after` gives the events after an id, oldest first.
    """
    if not _room.acquire(blocking=False):
        yield f"retry: {ASK_LATER_MS}\n\n"
        yield from _told(events_after(after))
        return
    try:
        yield f"retry: {ASK_AGAIN_MS}\n\n"
        yield from _listened(engine, public_id, after, events_after)
    finally:
        _room.release()


def _listened(engine: Engine, public_id: str, after: int, events_after: Callable[[int], list[Event]]) -> Iterator[str]:
    ends_at = time.monotonic() + STREAM_S
    with _listening(engine) as connection:
        # Listening began before this question, so that nothing falls between the two.
        while True:
            events = events_after(after)
            yield from _told(events)
            after = events[-1]["id"] if events else after
            left_s = ends_at - time.monotonic()
            if left_s <= 0:
                return
            if not _woken(connection, public_id, min(LISTEN_S, left_s)):
                yield ": still here\n\n"


@contextmanager
def _listening(engine: Engine) -> Iterator[psycopg.Connection[Any]]:
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as pooled:
        connection = pooled.connection.driver_connection
        assert isinstance(connection, psycopg.Connection)
        # It leaves the pool: whoever took it from there next would be told of flights.
        pooled.detach()
        pooled.exec_driver_sql(f"LISTEN {FLIGHT_CHANNEL}")
        yield connection


def _woken(connection: psycopg.Connection[Any], public_id: str, timeout_s: float) -> bool:
    """Whether something of this flight was told within the time."""
    ends_at = time.monotonic() + timeout_s
    while (left_s := ends_at - time.monotonic()) > 0:
        with closing(connection.notifies(timeout=left_s, stop_after=1)) as told:
            for notice in told:
                if notice.payload.split(" ", 1)[0] == public_id:
                    return True
    return False


def _told(events: list[Event]) -> Iterator[str]:
    for event in events:
        body = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        yield f"id: {event['id']}\nevent: {event['kind']}\ndata: {body}\n\n"
