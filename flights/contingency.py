"""What to do about a flight that does not go as published: tell, pause, bring back, or set down. Pure.

The ladder has four rungs and is climbed upwards only: going on after a pause is a person's order, never the
monitor's. Where the pilot has taken over, nothing is ordered any more; the flight is still judged.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum


class Step(StrEnum):
    """A rung of the ladder."""

    NOTHING = "nothing"
    NOTIFY = "notify"
    PAUSE = "pause"
    RETURN = "return"
    LAND = "land"

    @property
    def rank(self) -> int:
        """How far up the ladder it is."""
        return list(Step).index(self)


class Cause(StrEnum):
    """Why a step is taken."""

    NONE = "none"
    OPERATOR = "operator"
    NONCONFORMING = "nonconforming"
    ZONE = "zone"
    FENCE = "fence"
    LINK = "link"
    BATTERY = "battery"
    OVERDUE = "overdue"
    HELD = "held"
    UNHEARD = "unheard"
    PILOT = "pilot"


@dataclass(frozen=True)
class Policy:
    """When each rung is climbed; seconds of the vehicle's time, metres, percent of the battery.

    The three times of a flight that does not conform are those of ASTM F3548-21 as facts section 2.2 has them:
    an excursion lasts 10 s at most (OiMaxDurationPerExcursionSeconds), and is not recoverable after 60 s
    (MaxRecoverableTimeInNonconformingStateSeconds); below 2 s it may be a single bad fix (our choice).
    """

    notify_after_s: float = 2.0
    pause_after_s: float = 10.0
    return_after_s: float = 60.0
    # FS_GCS_TIMEOUT of ArduCopter: on board too, a ground station is lost after this.
    link_notify_s: float = 5.0
    # As long as a flight may be out of conformance; nobody can say where a silent aircraft was.
    link_return_s: float = 60.0
    # The aircraft stops where it could reach a zone within so many seconds, or is as near as this (our choice).
    zone_stop_s: float = 5.0
    zone_stop_m: float = 10.0
    # The fence on board turns the aircraft back itself; where it does not within this time, we do (our choice).
    fence_grace_s: float = 3.0
    # A pause that nobody ends empties the battery (our choice).
    longest_pause_s: float = 180.0
    # What must be left on landing, and where the way home is longer than the battery (our choice).
    battery_reserve_pct: float = 10.0
    battery_land_pct: float = 5.0
    # An order that was not carried out is given again after this; after as many vain returns it lands (our choice).
    repeat_s: float = 5.0
    vain_returns: int = 3


POLICY = Policy()


@dataclass(frozen=True)
class Seen:
    """What the monitor knows now. `state` is a word of flights.conformance.State, held for `lasting_s`.

    `zone_m` is the distance to the nearest displayed privacy zone at the aircraft's height and time (0 inside),
    `closing_m_s` how fast it shrinks; `breached_s` how long the fence on board has reported a breach;
    `turning_back` that the vehicle flies home or lands already, whoever ordered it; `home_pct` what the way
    home takes of the battery. None where something is not known.
    """

    state: str
    lasting_s: float = 0.0
    silence_s: float = 0.0
    zone_m: float | None = None
    closing_m_s: float = 0.0
    breached_s: float | None = None
    turning_back: bool = False
    battery_pct: float | None = None
    home_pct: float = 0.0
    flown_s: float = 0.0
    longest_s: float = math.inf
    operator: Step | None = None


@dataclass(frozen=True)
class Ordered:
    """A step taken before: why, when (same clock as `now_s`), and whether the vehicle has carried it out."""

    step: Step
    cause: Cause
    at_s: float
    done: bool = True


@dataclass(frozen=True)
class Past:
    """What was done about this flight so far."""

    orders: tuple[Ordered, ...] = field(default=())
    pilot_took_over: bool = False

    def told(self, cause: Cause) -> bool:
        """Whether anything was done or said for this cause."""
        return any(order.cause is cause for order in self.orders)


@dataclass(frozen=True)
class Decision:
    """The next step, its cause, and the numbers that it rests on."""

    step: Step
    cause: Cause
    measured: str = ""
    required: str = ""


NOTHING = Decision(Step.NOTHING, Cause.NONE)


def next_step(seen: Seen, past: Past, now_s: float, policy: Policy = POLICY) -> Decision:
    """The next step for what is seen, given what was done before.

    Never a lower rung than one that was climbed, never the same one again unless it was not carried out, never a
    pause or a return of an aircraft that is on its way home already, and after the pilot took over nothing but words.
    """
    wishes = (_eased(wish, seen) for wish in _wishes(seen, past, now_s, policy))
    wanted = sorted(wishes, key=lambda wish: -wish.step.rank)
    untold = next((wish for wish in wanted if not past.told(wish.cause)), None)
    if past.pilot_took_over:
        if not past.told(Cause.PILOT):
            return Decision(Step.NOTIFY, Cause.PILOT)
        return NOTHING if untold is None else _as_notice(untold)
    if wanted and _is_due(wanted[0].step, past, now_s, policy):
        return wanted[0]
    return NOTHING if untold is None else _as_notice(untold)


def _eased(wish: Decision, seen: Seen) -> Decision:
    """What flies home, by its own failsafe or by order, is not stopped on the way: that would only cost its battery."""
    return _as_notice(wish) if seen.turning_back and wish.step in (Step.PAUSE, Step.RETURN) else wish


def _as_notice(wish: Decision) -> Decision:
    return Decision(Step.NOTIFY, wish.cause, wish.measured, wish.required)


def _is_due(step: Step, past: Past, now_s: float, policy: Policy) -> bool:
    """Whether an order of this rung is to be given now: it is higher than every one before, or those failed."""
    orders = [order for order in past.orders if order.step.rank > Step.NOTIFY.rank]
    if step.rank <= Step.NOTIFY.rank:
        return False
    highest = max((order.step.rank for order in orders), default=0)
    if step.rank != highest:
        return step.rank > highest
    last = [order for order in orders if order.step is step][-1]
    return not last.done and now_s - last.at_s >= policy.repeat_s


def _wishes(seen: Seen, past: Past, now_s: float, policy: Policy) -> Iterator[Decision]:
    if seen.operator is not None and seen.operator is not Step.NOTHING:
        yield Decision(seen.operator, Cause.OPERATOR)
    yield from _of_track(seen, policy)
    yield from _of_zone(seen, policy)
    yield from _of_fence(seen, policy)
    yield from _of_battery(seen, policy)
    yield from _of_link(seen, policy)
    if seen.flown_s > seen.longest_s:
        yield Decision(Step.RETURN, Cause.OVERDUE, f"{seen.flown_s:.0f} s", f"{seen.longest_s:.0f} s")
    yield from _of_orders(seen, past, now_s, policy)


def _of_track(seen: Seen, policy: Policy) -> Iterator[Decision]:
    if seen.silence_s >= policy.link_notify_s:
        # Nobody can say where a silent aircraft is; what is known of it is the loss of the link.
        return
    if seen.state == "contingent":
        yield _climb(Step.RETURN, Cause.NONCONFORMING, seen.lasting_s, 0.0)
    elif seen.state == "nonconforming":
        for step, after_s in (
            (Step.RETURN, policy.return_after_s),
            (Step.PAUSE, policy.pause_after_s),
            (Step.NOTIFY, policy.notify_after_s),
        ):
            if seen.lasting_s >= after_s:
                yield _climb(step, Cause.NONCONFORMING, seen.lasting_s, after_s)
                return


def _of_zone(seen: Seen, policy: Policy) -> Iterator[Decision]:
    if seen.zone_m is None:
        return
    stop_m = max(policy.zone_stop_m, seen.closing_m_s * policy.zone_stop_s)
    if seen.zone_m <= 0:
        yield Decision(Step.RETURN, Cause.ZONE, "0 m", f"{stop_m:.0f} m")
    elif seen.zone_m <= stop_m and seen.closing_m_s > 0:
        yield Decision(Step.PAUSE, Cause.ZONE, f"{seen.zone_m:.0f} m", f"{stop_m:.0f} m")


def _of_fence(seen: Seen, policy: Policy) -> Iterator[Decision]:
    if seen.breached_s is None:
        return
    late = seen.breached_s >= policy.fence_grace_s and not seen.turning_back
    yield _climb(Step.RETURN if late else Step.NOTIFY, Cause.FENCE, seen.breached_s, policy.fence_grace_s)


def _of_battery(seen: Seen, policy: Policy) -> Iterator[Decision]:
    if seen.battery_pct is None:
        return
    needed_pct = seen.home_pct + policy.battery_reserve_pct
    if seen.battery_pct <= policy.battery_land_pct:
        yield Decision(Step.LAND, Cause.BATTERY, f"{seen.battery_pct:.0f} %", f"{policy.battery_land_pct:.0f} %")
    elif seen.battery_pct < needed_pct and not seen.turning_back:
        yield Decision(Step.RETURN, Cause.BATTERY, f"{seen.battery_pct:.0f} %", f"{needed_pct:.0f} %")


def _of_link(seen: Seen, policy: Policy) -> Iterator[Decision]:
    """A silent aircraft cannot be ordered about; the order waits for it, fence and failsafes on board do not."""
    if seen.silence_s >= policy.link_return_s:
        yield _climb(Step.RETURN, Cause.LINK, seen.silence_s, policy.link_return_s)
    elif seen.silence_s >= policy.link_notify_s:
        yield _climb(Step.NOTIFY, Cause.LINK, seen.silence_s, policy.link_notify_s)


def _of_orders(seen: Seen, past: Past, now_s: float, policy: Policy) -> Iterator[Decision]:
    """What follows from orders: a pause must end, and an aircraft that will not return must land."""
    pauses = [order for order in past.orders if order.step is Step.PAUSE]
    if pauses and now_s - pauses[0].at_s >= policy.longest_pause_s and not seen.turning_back:
        yield _climb(Step.RETURN, Cause.HELD, now_s - pauses[0].at_s, policy.longest_pause_s)
    vain = [order for order in past.orders if order.step is Step.RETURN and not order.done]
    if len(vain) >= policy.vain_returns and not seen.turning_back:
        yield Decision(Step.LAND, Cause.UNHEARD, str(len(vain)), str(policy.vain_returns))


def _climb(step: Step, cause: Cause, measured_s: float, required_s: float) -> Decision:
    return Decision(step, cause, f"{measured_s:.0f} s", f"{required_s:.0f} s")
