"""A flight that a thread of the test leads, or a gateway process, seen through the database."""

from __future__ import annotations

import os
import threading
import time

from sqlalchemy import select

from flights import commands, gateway
from schemas import tables as t
from schemas.store.work import find


def prompt_s() -> float:
    """What is promised within a second: a second where nobody else is at work; a busy machine is given more."""
    return 1.0 if os.getloadavg()[0] <= (os.cpu_count() or 1) else 5.0


# What has to come is waited for; whoever sees it come waits no longer.
PATIENCE_S = 120.0


class Seen:
    """One flight as the database shows it, and the orders that are given to it."""

    def __init__(self, house, number):
        self.house, self.number = house, number

    def events(self, kind=None):
        with self.house.session() as session:
            flight = find(session, t.Flight, self.number)
            rows = select(t.FlightEvent).where(t.FlightEvent.flight_id == flight.id).order_by(t.FlightEvent.id)
            return [row.body for row in session.scalars(rows) if kind in (None, row.kind)]

    def steps(self):
        return [body["step"] for body in self.events("step")]

    def stages(self):
        return [body["stage"] for body in self.events("link")]

    def order(self, kind, person="F1", **params):
        with self.house.work(self.house.actor(person)) as work:
            made = commands.order_flight(work, work.get(t.Flight, self.number), kind, params=params)
            work.commit()
            return made.id

    def answer(self, number, within_s=PATIENCE_S):
        def answered():
            with self.house.session() as session:
                row = session.get(t.FlightOrder, number)
                return row if row.done_at else None

        return until(answered, within_s)

    def flight(self):
        with self.house.session() as session:
            return find(session, t.Flight, self.number)

    def points(self):
        with self.house.session() as session:
            flight = find(session, t.Flight, self.number)
            rows = select(t.TelemetryPoint).where(t.TelemetryPoint.flight_id == flight.id)
            return list(session.scalars(rows.order_by(t.TelemetryPoint.id)))


class Flying(Seen):
    """A flight that a thread leads."""

    def __init__(self, house, number, url, **options):
        super().__init__(house, number)
        self.result, self.error, self.told = None, None, []
        self.thread = threading.Thread(target=self._run, args=(url, options))
        self.thread.start()

    def _run(self, url, options):
        def tell(step, facts):
            self.told.append((step, facts))

        try:
            pilot = self.house.actor("F1")
            self.result = gateway.fly(self.house, self.number, url, pilot=pilot, tell=tell, **options)
        except BaseException as error:
            self.error = error

    @property
    def is_over(self):
        return not self.thread.is_alive()

    def end(self, within_s=PATIENCE_S):
        self.thread.join(within_s)
        assert self.is_over, self.told[-1:]
        if self.error is not None:
            raise self.error
        return self.result


def until(found, within_s=PATIENCE_S):
    deadline = time.monotonic() + within_s
    while not (value := found()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return value
