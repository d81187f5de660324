"""Orders to the gateway that leads a flight: who may give which, in which state (docs/adr/0006).

An order is a row; the gateway takes it within a second and writes what came of it. Nothing here speaks to an
aircraft, and a page that orders waits for no link.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import func, select, text

from schemas.machine import label
from schemas.refusals import Kind, Refusal, RuleViolation, conflict, forbidden, invalid, refuse
from schemas.roles import Role
from schemas.store.work import Work
from schemas.tables import Flight, FlightOrder, Gateway
from schemas.words import Coded

# A gateway beats every second; one that has been silent for so long takes no order.
BEAT_COUNTS_S = 10.0
MOST_CHARACTERS = 200
PARAMS = ("reason", "link")


class OrderKind(StrEnum):
    """What may be wanted of a flight."""

    FLY = "fly"
    PAUSE = "pause"
    CONTINUE = "continue"
    RETURN = "return"
    LAND = "land"
    ABORT = "abort"


@dataclass(frozen=True)
class _Rule:
    """When an order may be given, what is asked of its giver, and for how long it counts.

    `counts_s` is for how long it counts when no gateway takes it, None without an end.
    """

    states: tuple[str, ...]
    needs_gateway: bool
    counts_s: float | None


# Asked where the order starts an aircraft; the gateway asks all guards, these among them, in the instant of arming.
BEFORE_TAKE_OFF = (
    "GD-16.1:own_flight",
    "DC-2:route_version_current",
    "GD-14.2:aircraft_active",
)
STARTS_IN = ("cleared", "uploaded")
# What brings an aircraft down counts until it is down; what starts or holds one is void when it comes late.
ORDERS: Mapping[OrderKind, _Rule] = {
    OrderKind.FLY: _Rule(STARTS_IN, needs_gateway=True, counts_s=30.0),
    OrderKind.PAUSE: _Rule(("airborne",), needs_gateway=True, counts_s=30.0),
    OrderKind.CONTINUE: _Rule(("airborne", "uploaded"), needs_gateway=True, counts_s=30.0),
    OrderKind.RETURN: _Rule(("airborne",), needs_gateway=False, counts_s=None),
    OrderKind.LAND: _Rule(("airborne",), needs_gateway=False, counts_s=None),
    OrderKind.ABORT: _Rule(("airborne", "uploaded"), needs_gateway=False, counts_s=None),
}


def order_flight(work: Work, flight: Flight, kind: str, *, params: Mapping[str, Any] | None = None) -> FlightOrder:
    """Orders something of a flight; the gateway that leads it, or serves its aircraft, is told at once.

    `params` may hold a `reason`, and for `fly` the `link` where several gateways could serve; nothing else is kept.
    Raises RuleViolation: 422 for an unknown order, 403 for somebody who may not give it, 409 with every rule
    against it.
    """
    wanted, rule = _rule(kind)
    starts = wanted is OrderKind.FLY or (wanted is OrderKind.CONTINUE and flight.state in STARTS_IN)
    work.record("flight.order", "flight", flight.id, {"order": str(wanted), "subject": flight.public_id})
    _require_giver(work, flight, wanted, only_pilot=starts)
    _require_state(flight, wanted, rule)
    refusals = [*work.check(flight, BEFORE_TAKE_OFF), *_not_in_window(work, flight)] if starts else []
    if refusals:
        raise RuleViolation(Kind.CONFLICT, refusals)
    if rule.needs_gateway and not _has_gateway(work, flight):
        raise conflict("DC-1", "flight.no_gateway", subject=label(flight))
    said = {name: str((params or {}).get(name) or "").strip()[:MOST_CHARACTERS] for name in PARAMS}
    kept = {name: value for name, value in said.items() if value}
    order = FlightOrder(flight_id=flight.id, kind=str(wanted), params=kept, ordered_by=work.actor.person_id)
    work.session.add(order)
    work.session.flush()
    return order


def _rule(kind: str) -> tuple[OrderKind, _Rule]:
    try:
        wanted = OrderKind(kind)
    except ValueError:
        raise invalid("flight.order_unknown", measured=str(kind)[:40], required=", ".join(OrderKind)) from None
    return wanted, ORDERS[wanted]


def _require_giver(work: Work, flight: Flight, wanted: OrderKind, *, only_pilot: bool) -> None:
    """The pilot of this flight, and for all but a start the unit head and the command centre of its authority."""
    actor = work.actor
    is_pilot = actor.person_id == flight.pilot_id and actor.has(Role.PILOT, flight.authority_id)
    leads = any(actor.has(role, flight.authority_id) for role in (Role.UNIT_HEAD, Role.COMMAND_CENTRE))
    if not (is_pilot or (leads and not only_pilot)):
        raise forbidden("GD-16.1", "flight.order_role", subject=label(flight), order=Coded("order", [wanted]))


def _require_state(flight: Flight, wanted: OrderKind, rule: _Rule) -> None:
    if flight.state not in rule.states:
        raise conflict(
            "state.machine",
            "flight.order_state",
            subject=label(flight),
            state=Coded("state", [flight.state]),
            order=Coded("order", [wanted]),
            required=Coded("state", rule.states),
        )


def _not_in_window(work: Work, flight: Flight) -> Iterator[Refusal]:
    start, end = flight.during.lower, flight.during.upper
    if start is None or end is None or not start <= work.now < end:
        required = f"{start:%Y-%m-%d %H:%M} - {end:%Y-%m-%d %H:%M} UTC"
        measured = f"{work.now:%Y-%m-%d %H:%M} UTC"
        yield refuse("GD-16.1", "flight.not_in_window", measured=measured, required=required)


def _has_gateway(work: Work, flight: Flight) -> bool:
    """Whether a gateway serves the aircraft now, by the clock of the database, which the beats are told in."""
    fresh = func.clock_timestamp() - text(f"interval '{BEAT_COUNTS_S:g} seconds'")
    found = select(Gateway.id).where(
        Gateway.drone_id == flight.drone_id, Gateway.ended_at.is_(None), Gateway.beat_at > fresh
    )
    return work.session.scalar(found.limit(1)) is not None
