"""What is made from the database once and handed out many times, until something that the public sees has changed.

Each process keeps its own. One thread makes a value while the others that ask for it get the last one, so a
publication under two hundred readers costs one statement and not two hundred. What is about to grow too old is made
anew behind the readers: none of those who come all the time waits for it.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Any, TypeVar

from flask import Flask, current_app
from sqlalchemy import Connection

from web.identity.request_identity import services
from web.public.database import public_connection, revision

T = TypeVar("T")
Later = Callable[[Callable[[], object]], object]

# A process asks the database no more often than this whether anything changed.
ASK_EVERY_S = 1.0
PAGES_KEPT = 256
# A page lags no more than this, however much more an installation allows the map.
PAGES_LAG_S = 10.0
# From this part of the age that it may have, a value is made anew behind those who ask for it.
RENEWED_FROM = 0.75


@dataclass(frozen=True)
class Entry:
    """A value, the revision at which it was known to be right, when its making began, and how much room it takes."""

    value: Any
    revision: str | None
    made_s: float
    weight: int


class Keeper:
    """Values by key, the longest unasked of them forgotten where there are too many."""

    def __init__(self, room: int, weigh: Callable[[Any], int] = lambda _value: 1) -> None:
        self.room = room
        self._weigh = weigh
        self._entries: OrderedDict[Hashable, Entry] = OrderedDict()
        self._making: dict[Hashable, Lock] = {}
        # What is to be made anew behind its readers, and is not begun yet.
        self._waiting: set[Hashable] = set()
        self._taken = 0
        self._lock = Lock()

    def current(
        self, key: Hashable, now: str | None, renew: Callable[[Any], T], max_stale_s: float, later: Later | None = None
    ) -> T:
        """The value of that key: kept where it is right at revision `now` or younger than `max_stale_s`, else renewed.

        Without a revision its age alone counts. `renew` gets the last value, or None where there is none, and may give
        it back. `later` calls something soon in another thread: with it a value is renewed before it is too old.
        """
        entry = self._find(key)
        if entry and _serves(entry, now, max_stale_s):
            if later and not _serves(entry, now, RENEWED_FROM * max_stale_s):
                self._renew_later(key, entry, now, renew, later)
            found: T = entry.value
            return found
        making = self._making_of(key)
        if not making.acquire(blocking=entry is None):
            assert entry is not None
            last: T = entry.value
            return last
        try:
            waited, entry = entry is None, self._find(key)
            # Whoever waited takes what came: where making takes longer than it may be old, each would make it again.
            if entry and ((waited and entry.revision == now) or _serves(entry, now, max_stale_s)):
                made: T = entry.value
                return made
            return self._make(key, entry, now, renew)
        finally:
            self._made(key, making)

    def _renew_later(
        self, key: Hashable, old: Entry, now: str | None, renew: Callable[[Any], Any], later: Later
    ) -> None:
        """Has the value made anew, unless that is asked for already.

        Until it is begun nobody is about it: a reader who finds the value too old meanwhile makes it, however much
        there is to do behind the readers.
        """
        with self._lock:
            if key in self._waiting or key in self._making:
                return
            self._waiting.add(key)

        def make() -> None:
            making = self._making_of(key)
            with self._lock:
                self._waiting.discard(key)
            if not making.acquire(blocking=False):
                return
            # What fails here is asked for again by the reader who finds it too old, and told there.
            try:
                if self._find(key) is old:
                    self._make(key, old, now, renew)
            finally:
                self._made(key, making)

        try:
            later(make)
        except RuntimeError:
            # The process is ending and takes no more work.
            with self._lock:
                self._waiting.discard(key)

    def _make(self, key: Hashable, last: Entry | None, now: str | None, renew: Callable[[Any], T]) -> T:
        """The value made anew; it is as old as the moment at which that began."""
        begun_s = time.monotonic()
        value = renew(last.value if last else None)
        self._put(key, Entry(value, now, begun_s, self._weigh(value)))
        return value

    def _making_of(self, key: Hashable) -> Lock:
        with self._lock:
            return self._making.setdefault(key, Lock())

    def _made(self, key: Hashable, making: Lock) -> None:
        with self._lock:
            if self._making.get(key) is making:
                del self._making[key]
        making.release()

    def _find(self, key: Hashable) -> Entry | None:
        with self._lock:
            entry = self._entries.get(key)
            if entry:
                self._entries.move_to_end(key)
            return entry

    def _put(self, key: Hashable, entry: Entry) -> None:
        with self._lock:
            before = self._entries.pop(key, None)
            self._taken += entry.weight - (before.weight if before else 0)
            self._entries[key] = entry
            while self._taken > self.room and len(self._entries) > 1:
                self._taken -= self._entries.popitem(last=False)[1].weight


def _serves(entry: Entry, now: str | None, max_stale_s: float) -> bool:
    return (now is not None and entry.revision == now) or time.monotonic() - entry.made_s < max_stale_s


_pages = Keeper(PAGES_KEPT)
_revisions = Keeper(64)


def kept(key: Hashable, make: Callable[[Connection], T]) -> T:
    """What `make` reads as the public role, made anew when something public changed; at most PAGES_LAG_S old then."""

    def renew(_last: T | None) -> T:
        with public_connection() as public:
            return make(public)

    return _pages.current((database_name(), key), revision_now(), renew, min(PAGES_LAG_S, map_lag_s()), later())


def revision_now() -> str:
    """The revision of what the public sees, asked of the database a second ago at most."""

    def renew(_last: str | None) -> str:
        with public_connection() as public:
            return revision(public)

    return _revisions.current(database_name(), None, renew, min(ASK_EVERY_S, map_lag_s()), later())


def later() -> Later:
    """Calls something for this application in the one thread of this process that works behind its readers."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]

    def call(work: Callable[[], object]) -> None:
        _behind().submit(_called, app, work)

    return call


def _called(app: Flask, work: Callable[[], object]) -> None:
    with app.app_context():
        work()


@cache
def _behind() -> ThreadPoolExecutor:
    # Begun by the first who needs it, so after the fork.
    return ThreadPoolExecutor(1, "kept")


def database_name() -> str:
    """The name of the database that this application reads: what is kept of one is not told of another."""
    return str(services().public_engine.url.database)


def map_lag_s() -> float:
    """How long this installation lets what is kept lag behind a publication."""
    return services().settings.map_lag_s
