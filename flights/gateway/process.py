"""The gateway as a process: it owns one line to one aircraft, takes orders for it, and leads its flights.

It outlives flights, and the web, and restarts of the database; when it dies itself in the middle of a flight, the
next one takes the flight up where the record ends.
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from flights import commands
from flights.gateway.brief import airborne_flight
from flights.gateway.desk import Desk, Order
from flights.gateway.leading import Lead
from flights.gateway.told import Flown, LetGo, Step, Superseded, rules_of
from flights.ordering import OrderKind
from flights.record import House
from schemas.actors import Actor
from schemas.refusals import RuleViolation, conflict
from schemas.tables import Flight

IDLE_S = 0.5
AGAIN_S = 2.0
log = logging.getLogger(__name__)

Acting = Callable[[uuid.UUID], Actor]
Said = Callable[[str, dict[str, Any]], None]


class Gateway:
    """One long-lived gateway; `lead` says on which line, `acting` who a person is that ordered something."""

    def __init__(self, lead: Lead, drone_id: uuid.UUID, acting: Acting, said: Said) -> None:
        self._lead = lead
        self._house: House = lead.house
        self._desk: Desk = lead.desk
        self._drone_id = drone_id
        self._acting = acting
        self._said = said

    def run(self) -> None:
        """Serves until it is told to let go, or another gateway has taken the aircraft over."""
        while self._lead.letting_go() is None and not self._desk.superseded:
            try:
                self._turn()
            except (LetGo, Superseded):
                return
            except SQLAlchemyError as error:
                log.warning("the database is away: %s", type(error).__name__)
                time.sleep(IDLE_S)

    def _turn(self) -> None:
        flying = airborne_flight(self._house, self._drone_id)
        if flying is not None:
            self._take_up(flying)
            return
        # Orders wake this at once; the flight in the air is looked for between them.
        order = self._desk.next(IDLE_S)
        if order is not None:
            self._obey(order)

    def _take_up(self, number: str) -> None:
        self._said("takes_up", {"flight": number})
        try:
            self._tell_end(self._lead.take_up(number))
        except (LetGo, Superseded, SQLAlchemyError):
            raise
        except Exception as error:
            # The aircraft flies on; whatever stood in the way, it is followed again.
            log.exception("flight %s could not be followed", number)
            self._said("failed", {"flight": number, "reason": str(error)})
            time.sleep(AGAIN_S)

    # -- orders while no flight is led ------------------------------------------------------------------

    def _obey(self, order: Order) -> None:
        self._said("ordered", {"flight": order.flight, "order": str(order.kind)})
        late = order.expiry()
        if late is not None:
            self._desk.answer(order, "expired", {"refusals": [late.render()], "refusals_zh": [late.render("zh")]})
            return
        try:
            if order.ordered_by is None:
                raise conflict("GD-16.1", "flight.order_nobody")
            actor = self._acting(order.ordered_by)
            if order.kind in (OrderKind.FLY, OrderKind.CONTINUE):
                self._fly(order, actor)
            else:
                self._end_on_the_ground(order, actor)
        except RuleViolation as refused:
            self._desk.answer(order, "refused", rules_of(refused))
            self._said("refused", {"flight": order.flight, "reason": str(refused)})

    def _fly(self, order: Order, pilot: Actor) -> None:
        """Leads a flight; the order is done when the aircraft has taken off."""

        def tell(step: Step, facts: dict[str, Any]) -> None:
            if step is Step.AIRBORNE:
                self._desk.answer(order, "done", {})
            self._lead.tell(step, facts)

        self._tell_end(replace(self._lead, tell=tell).fly(order.flight, pilot))

    def _end_on_the_ground(self, order: Order, actor: Actor) -> None:
        """Ends a flight that stands: uploaded, or set down and not to go on."""
        if order.kind is not OrderKind.ABORT:
            raise conflict("DC-1", "flight.on_the_ground", measured=str(order.kind))
        with self._house.work(actor) as work:
            commands.mark_aborted(work, work.get(Flight, order.flight), order.reason)
            work.commit()
        self._desk.answer(order, "done", {"on": "ground"})

    def _tell_end(self, flown: Flown) -> None:
        self._said("ended", {"flight": flown.flight, "outcome": str(flown.outcome), "reason": flown.reason})
