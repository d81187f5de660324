"""The price of the record: commands with their ledger event against the same commands without.

A command is what the platform does all day: a device is looked up, locked, judged by the guards of its transition,
changed and committed, in a transaction of its own. Both sides run the same commands on the same devices through the
same code; the peer's unit of work leaves out the event and nothing else.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import cycle

from sqlalchemy import Engine, text

from bench import district, places
from bench.measure import Result, compare
from bench.scratch import scratch_database
from geo.commands.devices import pause_device, resume_device
from schemas.actors import Actor, ActorKind, Grant
from schemas.clock import SystemClock
from schemas.ids import new_id
from schemas.machine import Machine, state_tables
from schemas.roles import Role
from schemas.rules import Rulebook
from schemas.store.engine import APP
from schemas.store.work import Work
from schemas.tables import Device
from web.wiring import all_guards

NAME = "command with ledger event"
PEER = "the same command without"
TARGET = 0.9
DEVICES = 50
PAUSE = timedelta(days=2)
EVENTS = text("SELECT count(*) FROM ledger.event WHERE actor = :actor")


class Unrecorded(Work):
    """A unit of work that commits without its event."""

    def commit(self) -> None:
        """Commits what the command changed."""
        self.session.flush()
        self.session.commit()


class Side:
    """One side of the row: an officer of its own, who pauses and resumes the devices in turn."""

    def __init__(self, engine: Engine, kind: type[Work], placed: district.Placed) -> None:
        grants = frozenset({Grant(Role.OFFICER, placed.authority_id)})
        self.actor = Actor(ActorKind.PERSON, new_id(), "BENCH", "Officer of the bench", grants)
        self.commands = 0
        self._devices = cycle(placed.devices)
        self._engine = engine
        self._kind = kind
        self._machine = Machine(state_tables(), all_guards())
        self._rulebook = Rulebook.load()

    def turn(self) -> tuple[str, str, str]:
        """Two commands on the next device: paused and taken back into use; the states it went through."""
        device = next(self._devices)
        with self._work() as unit:
            found = unit.get(Device, device)
            pause_device(unit, found, reason="cleaning", ends_on=unit.now.date() + PAUSE)
            unit.commit()
            paused = found.state
        with self._work() as unit:
            found = unit.get(Device, device)
            resume_device(unit, found)
            unit.commit()
        self.commands += 2
        return device, paused, found.state

    def events(self) -> int:
        """How many events the officer of this side left."""
        with self._engine.connect() as connection:
            return int(connection.execute(EVENTS, {"actor": self.actor.label}).scalar_one())

    def _work(self) -> Work:
        return self._kind(
            self._engine, actor=self.actor, clock=SystemClock(), machine=self._machine, rulebook=self._rulebook
        )


def rows(rounds: int) -> list[Result]:
    """One row: the time of a pause and a resumption."""
    with scratch_database() as database:
        lons, lats = places.winding_line(DEVICES, 200.0)
        placed = district.store_devices(database, zip(lons.tolist(), lats.tolist(), strict=True), state="active")
        engine = database.engine(APP)
        try:
            ours, peer = Side(engine, Work, placed), Side(engine, Unrecorded, placed)
            return [
                compare(
                    NAME,
                    PEER,
                    ours.turn,
                    peer.turn,
                    same=lambda said, peer_said: (
                        said == peer_said and (ours.events(), peer.events()) == (ours.commands, 0)
                    ),
                    target=TARGET,
                    rounds=rounds,
                    pieces=DEVICES,
                )
            ]
        finally:
            engine.dispose()
