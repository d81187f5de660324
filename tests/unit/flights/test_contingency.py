"""The ladder as policy: which rung is climbed when, and which never."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flights.contingency import NOTHING, POLICY, Cause, Decision, Ordered, Past, Policy, Seen, Step, next_step

CALM = Seen("activated")


def off(seconds: float, **more: object) -> Seen:
    return Seen("nonconforming", lasting_s=seconds, **more)


def after(*orders: Ordered, pilot: bool = False) -> Past:
    return Past(orders, pilot_took_over=pilot)


def test_conforming_flight__nothing():
    assert next_step(CALM, Past(), 0.0) is NOTHING


@pytest.mark.parametrize(
    ("seconds", "step"),
    [(1.9, Step.NOTHING), (2.0, Step.NOTIFY), (9.9, Step.NOTIFY), (10.0, Step.PAUSE), (60.0, Step.RETURN)],
)
def test_nonconforming__climbs_with_time(seconds, step):
    assert next_step(off(seconds), Past(), 100.0).step is step


def test_contingent__returns_at_once():
    assert next_step(Seen("contingent"), Past(), 0.0).step is Step.RETURN


@pytest.mark.parametrize(
    "seen",
    [
        off(10.0, turning_back=True),
        off(60.0, turning_back=True),
        Seen("contingent", turning_back=True),
        Seen("activated", zone_m=5.0, closing_m_s=2.0, turning_back=True),
        Seen("activated", zone_m=0.0, turning_back=True),
        Seen("contingent", silence_s=61.0, turning_back=True),
        Seen("activated", flown_s=61.0, longest_s=60.0, turning_back=True),
    ],
)
def test_flies_home_already__told_and_neither_stopped_nor_turned_again(seen):
    """A return by the vehicle's own failsafe leads back along the route; a pause there would empty its battery."""
    told = next_step(seen, Past(), 100.0)
    assert told.step is Step.NOTIFY
    assert next_step(seen, after(Ordered(Step.NOTIFY, told.cause, 100.0)), 105.0) is NOTHING


def test_flies_home_already__lands_when_the_battery_ends():
    assert next_step(Seen("activated", battery_pct=4.0, turning_back=True), Past(), 0.0).step is Step.LAND


def test_told_once__not_told_again():
    past = after(Ordered(Step.NOTIFY, Cause.NONCONFORMING, 0.0))
    assert next_step(off(3.0), past, 3.0) is NOTHING
    assert next_step(off(10.0), past, 10.0).step is Step.PAUSE


def test_paused__conforms_again__nobody_but_a_person_goes_on():
    past = after(Ordered(Step.PAUSE, Cause.NONCONFORMING, 10.0))
    assert next_step(CALM, past, 20.0) is NOTHING


def test_paused_and_forgotten__returns():
    past = after(Ordered(Step.PAUSE, Cause.OPERATOR, 10.0))
    found = next_step(CALM, past, 10.0 + POLICY.longest_pause_s)
    assert (found.step, found.cause) == (Step.RETURN, Cause.HELD)


def test_order_that_failed__is_given_again_after_a_while():
    past = after(Ordered(Step.RETURN, Cause.OPERATOR, 10.0, done=False))
    seen = Seen("activated", operator=Step.RETURN)
    assert next_step(seen, past, 11.0) is NOTHING
    assert next_step(seen, past, 15.0).step is Step.RETURN


def test_three_vain_returns__lands():
    vain = tuple(Ordered(Step.RETURN, Cause.OPERATOR, at, done=False) for at in (0.0, 5.0, 10.0))
    found = next_step(CALM, after(*vain), 15.0)
    assert (found.step, found.cause) == (Step.LAND, Cause.UNHEARD)


@pytest.mark.parametrize(
    ("seen", "step"),
    [
        (Seen("activated", zone_m=9.0, closing_m_s=0.5), Step.PAUSE),
        (Seen("activated", zone_m=9.0, closing_m_s=-0.5), Step.NOTHING),
        (Seen("activated", zone_m=40.0, closing_m_s=10.0), Step.PAUSE),
        (Seen("activated", zone_m=60.0, closing_m_s=10.0), Step.NOTHING),
        (Seen("activated", zone_m=0.0), Step.RETURN),
        (Seen("activated", breached_s=0.5), Step.NOTIFY),
        (Seen("activated", breached_s=4.0), Step.RETURN),
        (Seen("activated", breached_s=4.0, turning_back=True), Step.NOTIFY),
        (Seen("activated", silence_s=4.0), Step.NOTHING),
        (Seen("activated", silence_s=5.0), Step.NOTIFY),
        (Seen("nonconforming", lasting_s=20.0, silence_s=20.0), Step.NOTIFY),
        (Seen("activated", silence_s=60.0), Step.RETURN),
        (Seen("activated", battery_pct=31.0, home_pct=20.0), Step.NOTHING),
        (Seen("activated", battery_pct=29.0, home_pct=20.0), Step.RETURN),
        (Seen("activated", battery_pct=5.0, turning_back=True), Step.LAND),
        (Seen("activated", flown_s=601.0, longest_s=600.0), Step.RETURN),
        (Seen("activated", operator=Step.LAND), Step.LAND),
    ],
)
def test_every_cause__its_own_rung(seen, step):
    assert next_step(seen, Past(), 50.0).step is step


def test_pilot_took_over__one_word_and_no_order():
    first = next_step(off(100.0), after(pilot=True), 100.0)
    assert (first.step, first.cause) == (Step.NOTIFY, Cause.PILOT)
    told = after(Ordered(Step.NOTIFY, Cause.PILOT, 100.0), pilot=True)
    assert next_step(off(100.0), told, 101.0).step is Step.NOTIFY
    all_told = after(*told.orders, Ordered(Step.NOTIFY, Cause.NONCONFORMING, 101.0), pilot=True)
    assert next_step(off(100.0), all_told, 102.0) is NOTHING


def test_higher_rung_climbed__new_cause_is_told_only():
    past = after(Ordered(Step.RETURN, Cause.OPERATOR, 10.0))
    found = next_step(off(12.0), past, 20.0)
    assert (found.step, found.cause) == (Step.NOTIFY, Cause.NONCONFORMING)


SECONDS = st.floats(0, 1_000)
SEEN = st.builds(
    Seen,
    state=st.sampled_from(["accepted", "activated", "nonconforming", "contingent", "ended"]),
    lasting_s=SECONDS,
    silence_s=SECONDS,
    zone_m=st.none() | st.floats(0, 500),
    closing_m_s=st.floats(-20, 20),
    breached_s=st.none() | SECONDS,
    turning_back=st.booleans(),
    battery_pct=st.none() | st.floats(0, 100),
    home_pct=st.floats(0, 50),
    flown_s=SECONDS,
    longest_s=SECONDS,
    operator=st.none() | st.sampled_from(Step),
)
ORDERS = st.lists(
    st.builds(Ordered, st.sampled_from(list(Step)[1:]), st.sampled_from(Cause), SECONDS, st.booleans()), max_size=6
).map(tuple)


@given(SEEN, ORDERS, st.floats(1_000, 2_000))
def test_any_past__never_a_lower_rung_than_one_climbed(seen, orders, now_s):
    found = next_step(seen, Past(orders), now_s)
    climbed = max((order.step.rank for order in orders), default=0)
    assert found.step in (Step.NOTHING, Step.NOTIFY) or found.step.rank >= climbed


@given(SEEN, ORDERS, st.floats(1_000, 2_000))
def test_pilot_took_over__never_an_order(seen, orders, now_s):
    assert next_step(seen, Past(orders, pilot_took_over=True), now_s).step in (Step.NOTHING, Step.NOTIFY)


@given(SEEN, st.floats(0, 2_000))
def test_steps_taken_one_by_one__come_to_an_end(seen, now_s):
    """What was decided is done; then it is not decided again: the ladder does not repeat itself."""
    past, taken = Past(), []
    for _ in range(40):
        found = next_step(seen, past, now_s)
        if found.step is Step.NOTHING:
            break
        taken.append(found)
        past = Past((*past.orders, Ordered(found.step, found.cause, now_s)))
    assert found.step is Step.NOTHING
    orders = [decision.step.rank for decision in taken if decision.step is not Step.NOTIFY]
    assert orders == sorted(set(orders))


@given(st.floats(0, 1_000), st.floats(0, 1_000))
def test_longer_off_the_route__never_a_lower_rung(one_s, other_s):
    short, long = sorted((one_s, other_s))
    steps = [next_step(off(seconds), Past(), 0.0, Policy()).step.rank for seconds in (short, long)]
    assert steps[0] <= steps[1]


def test_decision__says_what_was_measured_and_required():
    assert next_step(off(12.3), Past(), 0.0) == Decision(Step.PAUSE, Cause.NONCONFORMING, "12 s", "10 s")
