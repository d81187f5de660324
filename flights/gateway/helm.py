"""What is ordered of an aircraft in the air: by people through the desk, and by the policy that watches it.

Every order goes up the one ladder (flights/link/ladder.py), is matched to its own acknowledgement, and leaves an
event. Where the pilot has taken over nothing is sent. What cannot be sent because the line is silent waits.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from flights.contingency import Cause, Decision, Ordered, Past, Seen, next_step
from flights.contingency import Step as Rung
from flights.gateway.desk import Order
from flights.gateway.sortie import Sortie
from flights.gateway.told import EventKind, Step, rules_of
from flights.link.errors import LinkLost
from flights.link.ladder import Ladder
from flights.ordering import OrderKind
from schemas.refusals import RuleViolation, conflict, refuse

_DOWN = {OrderKind.RETURN: Rung.RETURN, OrderKind.LAND: Rung.LAND, OrderKind.ABORT: Rung.RETURN}
CONTINUE = "continue"
log = logging.getLogger(__name__)


class Helm:
    """Orders to one flying aircraft. `reason` is why the flight ends otherwise than planned, once it does.

    `comes_down` is why it was ordered down on the way, from where it may go on later.
    """

    def __init__(self, sortie: Sortie) -> None:
        self.reason: str | None = None
        self.comes_down: str | None = None
        self._sortie = sortie
        self._ladder = Ladder(sortie.link)
        self._past = Past()
        self._wish: Rung | None = None
        self._waiting: list[Order] = []
        self.pilot_had_it = False

    @property
    def wish(self) -> Rung | None:
        """What people want done, as the policy is told."""
        return self._wish

    def bring_back(self, reason: str) -> None:
        """The flight is to end: the aircraft returns, as soon as it hears it."""
        self.reason = self.reason or reason
        self._wish = self._wish or Rung.RETURN

    # -- orders of people -----------------------------------------------------------------------------

    def obey(self, now_s: float, *, is_silent: bool) -> None:
        """Carries out what was ordered since, one after the other."""
        desk = self._sortie.desk
        while (order := desk.next()) is not None:
            self._note(order, "taken")
            self._take(order, now_s, is_silent=is_silent)
        if self._waiting and not is_silent:
            waiting, self._waiting = self._waiting, []
            for order in waiting:
                self._carry_out(order, now_s)

    def _take(self, order: Order, now_s: float, *, is_silent: bool) -> None:
        if order.flight != self._sortie.brief.public_id or order.kind is OrderKind.FLY:
            busy = refuse("DC-1", "flight.gateway_busy", measured=self._sortie.brief.public_id)
            self._answer(order, "refused", {"refusals": [busy.render("en")], "refusals_zh": [busy.render("zh")]})
        elif (late := order.expiry()) is not None:
            self._answer(order, "expired", {"refusals": [late.render("en")], "refusals_zh": [late.render("zh")]})
        elif not is_silent:
            self._carry_out(order, now_s)
        elif order.kind in _DOWN:
            self._note(order, "waits", why="link")
            self._waiting.append(order)
        else:
            self._answer(order, "unreachable", {})

    def _carry_out(self, order: Order, now_s: float) -> None:
        if order.kind is OrderKind.ABORT:
            self.reason = self.reason or order.reason
        elif order.kind in _DOWN:
            self.comes_down = order.reason
        try:
            rung = self._go_on() if order.kind is OrderKind.CONTINUE else self._order_rung(order.kind, now_s)
        except LinkLost as lost:
            self._answer(order, "unreachable", rules_of(lost))
        except RuleViolation as refused:
            self._answer(order, "refused", rules_of(refused))
        else:
            self._answer(order, "done", {"ack": rung})

    def _order_rung(self, kind: OrderKind, now_s: float) -> dict[str, Any]:
        step = _DOWN.get(kind, Rung.PAUSE)
        if step is not Rung.PAUSE:
            self._wish = step
        return self._climb(step, Cause.OPERATOR, now_s)

    def _go_on(self) -> dict[str, Any]:
        """Goes on; what people ordered before counts no more, what the policy ordered does."""
        kept = tuple(past for past in self._past.orders if past.cause is not Cause.OPERATOR)
        if self.reason is not None or any(past.step in (Rung.RETURN, Rung.LAND) for past in kept):
            raise conflict("DC-1", "flight.comes_back", measured=self.reason or str(kept[-1].cause))
        rung = self._send(CONTINUE, self._ladder.go_on)
        kept = tuple(past for past in kept if past.step is not Rung.PAUSE)
        self._past, self._wish, self.comes_down = Past(kept, self._past.pilot_took_over), None, None
        return rung

    def _answer(self, order: Order, outcome: str, detail: dict[str, Any]) -> None:
        self._sortie.desk.answer(order, outcome, detail)
        self._note(order, outcome, **detail)

    def _note(self, order: Order, outcome: str, **detail: object) -> None:
        body = {"order": str(order.kind), "id": order.id, "outcome": outcome, "reason": order.reason, **detail}
        self._sortie.store.event(EventKind.ORDER, body)
        self._sortie.tell(Step.ORDER, body)

    # -- the policy -----------------------------------------------------------------------------------

    def contain(self, seen: Seen, now_s: float, *, is_silent: bool) -> None:
        """Does what the policy says of a flight that does not go as published."""
        self._watch_pilot()
        decision = next_step(seen, self._past, now_s)
        if decision.step is Rung.NOTHING or (is_silent and decision.step is not Rung.NOTIFY):
            return
        facts = {"step": str(decision.step), "cause": str(decision.cause)}
        self._sortie.store.event(
            EventKind.CONFORMANCE, facts | {"measured": decision.measured, "required": decision.required}
        )
        if decision.step is Rung.NOTIFY:
            self._remember(decision.step, decision.cause, now_s, done=True)
            return
        self._act(decision, now_s)

    def _act(self, decision: Decision, now_s: float) -> None:
        if decision.cause is Cause.BATTERY:
            self.comes_down = self.comes_down or str(Cause.BATTERY)
        elif decision.step is not Rung.PAUSE and self.comes_down is None:
            self.reason = self.reason or str(decision.cause)
        try:
            self._climb(decision.step, decision.cause, now_s)
        except RuleViolation as refused:
            log.warning("%s was not carried out: %s", decision.step, refused)

    def _watch_pilot(self) -> None:
        """Notes when the pilot takes the aircraft over, and when it is given back."""
        took_over = self._ladder.pilot_took_over
        if took_over is self._past.pilot_took_over:
            return
        self._past = Past(self._past.orders, took_over)
        self.pilot_had_it |= took_over
        mode = self._sortie.link.modes.name
        self._sortie.store.event(EventKind.OVERRIDE, {"pilot_has_control": took_over, "mode": mode})

    # -- one rung -------------------------------------------------------------------------------------

    def _climb(self, step: Rung, cause: Cause, now_s: float) -> dict[str, Any]:
        """Orders one rung and remembers whether it was carried out; raises RuleViolation."""
        ways = {Rung.PAUSE: self._ladder.pause, Rung.RETURN: self._ladder.return_home, Rung.LAND: self._ladder.land}
        try:
            done = self._send(str(step), ways[step])
        except RuleViolation:
            self._remember(step, cause, now_s, done=False)
            raise
        self._remember(step, cause, now_s, done=True)
        return done

    def _send(self, order: str, way: Callable[[], Any]) -> dict[str, Any]:
        """Sends one order; its acknowledgement, or what stands against it, is an event."""
        try:
            rung = asdict(way())
        except RuleViolation as refused:
            body = {"order": order, "refused": sorted({refusal.rule for refusal in refused.refusals})}
            self._sortie.store.event(EventKind.ACK, body | rules_of(refused))
            raise
        self._sortie.store.event(EventKind.ACK, rung | {"order": order})
        return rung

    def _remember(self, step: Rung, cause: Cause, now_s: float, *, done: bool) -> None:
        ordered = Ordered(step, cause, now_s, done)
        self._past = Past((*self._past.orders, ordered), self._past.pilot_took_over)
