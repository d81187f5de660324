"""The whole way of a flight on the line alone, without the law: prepared, gated, started, followed to the ground."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.link import gate, sequence
from flights.link.errors import VehicleRefused
from flights.link.resume import Resumed, start_at
from flights.link.sequence import Orders, Prepared
from flights.link.telemetry import Sample
from flights.link.vehicle import VehicleLink

RETURN_LIMIT_S = 1_800.0


class Outcome(StrEnum):
    """How a flight ended."""

    LANDED = "landed"
    ABORTED = "aborted"


@dataclass(frozen=True)
class End:
    """How the flight ended, and why when it was not as planned."""

    outcome: Outcome
    reason: str | None
    pictures: int


def verify(link: VehicleLink, prepared: Prepared) -> None:
    """The gate before arming: asks the vehicle for everything again and raises VehicleRefused with all that fails.

    Whatever changed since the upload, by whatever door, is found here (flights/link/gate.py).
    """
    gate.require(link, prepared.wanted)


def resume(link: VehicleLink, prepared: Prepared, seq: int) -> Resumed:
    """Flies on after a landing on the way: the mission that was prepared, from the corner before item `seq`.

    Nothing is uploaded. The gate is passed again, and the same digest is what flies (flights/link/resume.py).
    """
    verify(link, prepared)
    sequence.arm(link)
    return start_at(link, prepared.orders.mission, seq)


def follow(
    link: VehicleLink, orders: Orders, on_sample: Callable[[Sample], None], stop: Callable[[], str | None]
) -> End:
    """Follows the flight until it has landed and disarmed, handing over every position in order.

    `stop` is asked all the time; the reason it returns turns the aircraft back. So does a flight that
    takes longer than `orders.longest_s`. Raises LinkLost when the vehicle falls silent.
    """
    telemetry, reason = link.telemetry, None
    started_s, breaches = telemetry.vehicle_s or 0.0, telemetry.breach_count
    # Long after the return was ordered there is nothing more to wait for; a person has to look.
    limit_s = orders.longest_s + RETURN_LIMIT_S
    while not _is_down(link):
        link.check_line()
        _hand_over(link, on_sample)
        flown_s = (telemetry.vehicle_s or 0.0) - started_s
        wish = stop() or ("overdue" if flown_s > orders.longest_s else None)
        if wish is not None and reason is None:
            reason = wish
            sequence.return_home(link)
        if flown_s > limit_s:
            raise VehicleRefused.because("link.overdue", measured=f"{flown_s:.0f} s")
    while not telemetry.samples.empty():
        _hand_over(link, on_sample)
    if reason is None and telemetry.breach_count > breaches:
        reason = "fence_breach"
    reason = reason or _own_reason(link, orders)
    return End(Outcome.ABORTED if reason else Outcome.LANDED, reason, telemetry.pictures)


def _hand_over(link: VehicleLink, on_sample: Callable[[Sample], None]) -> None:
    with contextlib.suppress(queue.Empty):
        on_sample(link.telemetry.samples.get(timeout=0.1))


def _is_down(link: VehicleLink) -> bool:
    down = (mavlink.MAV_LANDED_STATE_ON_GROUND, mavlink.MAV_LANDED_STATE_UNDEFINED)
    return link.telemetry.landed_state in down and not link.vehicle.armed


def _own_reason(link: VehicleLink, orders: Orders) -> str | None:
    """Why the vehicle itself ended the flight early, None when it flew the mission to the end."""
    if link.telemetry.rebooted:
        return "reboot"
    last_place = max((seq for seq, item in enumerate(orders.mission, 1) if item.x or item.y), default=0)
    got_there = last_place in link.telemetry.reached or link.telemetry.furthest_seq > last_place
    return None if got_there or not last_place else "ended_early"
