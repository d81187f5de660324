"""Officers who publish for the bench: `python -m bench.publishers DATABASE FIRST COUNT PAUSE_S`.

Each of `COUNT` officers has devices of its own that are reviewed and wait (`bench/readers.py`), beginning with number
`FIRST`, and says of one after the other that the map carries it, by the command that an officer uses. They stop when
standard input ends; then one line of JSON says how many they published and what failed.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import Counter

from sqlalchemy import select
from sqlalchemy.orm import Session

from bench.scratch import database_of
from geo import commands
from schemas.actors import Actor, ActorKind, Grant
from schemas.clock import SystemClock
from schemas.ids import new_id
from schemas.machine import Machine, state_tables
from schemas.roles import Role
from schemas.rules import Rulebook
from schemas.store.engine import APP, Database
from schemas.store.work import Work
from schemas.tables import Authority, Device
from web.wiring import all_guards

WAITING = "DV-W{officer:02}-{number:05}"


class Officers:
    """Officers at work, each in a thread and with a connection of its own."""

    def __init__(self, database: Database, count: int, pause_s: float) -> None:
        self._engine = database.engine(APP, pool_size=count)
        self._machine, self._rulebook = Machine(state_tables(), all_guards()), Rulebook.load()
        self._count, self._pause_s = count, pause_s
        self._over = threading.Event()
        self.done: Counter[str] = Counter()
        with Session(self._engine) as session:
            authority = session.scalars(select(Authority.id)).one()
        self._officer = Actor(
            ActorKind.PERSON, new_id(), "BENCH", "Officer", frozenset({Grant(Role.OFFICER, authority)})
        )

    def work_until_told(self, first: int) -> None:
        """Publishes until standard input ends."""
        threads = [threading.Thread(target=self._publish_all, args=(n, first)) for n in range(self._count)]
        for thread in threads:
            thread.start()
        sys.stdin.read()
        self._over.set()
        for thread in threads:
            thread.join()

    def _publish_all(self, officer: int, number: int) -> None:
        # Nobody begins in the same moment as the others.
        self._over.wait(self._pause_s * officer / self._count)
        while not self._over.is_set():
            began = time.monotonic()
            try:
                self._publish(WAITING.format(officer=officer, number=number))
                self.done["published"] += 1
            except Exception as error:
                self.done[f"{type(error).__name__}: {error}"[:200]] += 1
            number += 1
            self._over.wait(max(0.0, self._pause_s - (time.monotonic() - began)))

    def _publish(self, public_id: str) -> None:
        clock = SystemClock()
        with Work(
            self._engine, actor=self._officer, clock=clock, machine=self._machine, rulebook=self._rulebook
        ) as work:
            commands.record_publication(work, work.get(Device, public_id), channel="platform_map")
            work.commit()


def main() -> None:
    """Works until told to stop, and tells what came of it."""
    name, first, count, pause_s = sys.argv[1:]
    officers = Officers(database_of(name), int(count), float(pause_s))
    print("ready", flush=True)
    officers.work_until_told(int(first))
    print(json.dumps(officers.done), flush=True)


if __name__ == "__main__":
    main()
