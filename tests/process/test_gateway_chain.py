"""What goes wrong in the air, from the report of the vehicle to the order, its answer and the verdict.

The whole chain in the gateway, on real sockets and a real database; the vehicle is made to fail.
"""

from __future__ import annotations

import contextlib

import pytest

from flights.gateway import Outcome
from flights.simulator.options import Faults
from schemas.clock import ScaledClock
from tests.conftest import TEN_ON_THE_FIRST_FLYING_DAY
from tests.process.conftest import simulator
from tests.process.flying import Flying
from tests.simulated import changed

SPEED = 120.0
# Seconds from arming: on the route, and some way along it.
ON_ROUTE_S = 130.0


@pytest.fixture
def living(under_clock):
    return under_clock(ScaledClock(TEN_ON_THE_FIRST_FLYING_DAY, SPEED))


@contextlib.contextmanager
def under_way(house, number, **options):
    """A flight on a vehicle with these options, left alone to its end."""
    base = {"speed_up": SPEED, "start_time": house.clock.now()}
    with simulator(**base | options) as (running, url):
        flying = Flying(house, number, url)
        try:
            yield running, flying
        finally:
            if not flying.is_over:
                changed(running, running.autopilot, armed=False)
            flying.thread.join(120)


def ladder(flying):
    """The steps that the policy took, with their causes, in order."""
    return [(body["step"], body["cause"]) for body in flying.events("conformance") if "step" in body]


def states(flying):
    return [body["state"] for body in flying.events("conformance") if "state" in body]


def test_chain__blown_off_its_route__told_paused_returned_and_not_as_published(living, cleared):
    faults = Faults(drift_m=45.0, drift_to_deg=10.0, drift_at_s=ON_ROUTE_S)
    with under_way(living, cleared, faults=faults) as (_, flying):
        flown = flying.end()
    assert (flown.outcome, flown.reason) == (Outcome.ABORTED, "nonconforming")
    assert states(flying) == ["activated", "nonconforming", "contingent", "ended"]
    assert ladder(flying) == [
        ("notify", "nonconforming"), ("pause", "nonconforming"), ("return", "nonconforming"),
    ]  # fmt: skip
    acks = flying.events("ack")
    assert [(body["order"], body["by"]) for body in acks] == [
        ("pause", "DO_PAUSE_CONTINUE"), ("return", "NAV_RETURN_TO_LAUNCH"),
    ]  # fmt: skip
    report = flying.flight().vehicle["report"]
    assert not report["as_published"]
    assert [one["reasons"] for one in report["excursions"]][:1] == [["cross_track"]]


def test_chain__through_its_fence__the_vehicle_turns_back_and_nobody_stops_it(living, cleared):
    """Its own return leads back along the route, which is no reason to hold it in the air outside its fence."""
    faults = Faults(drift_m=90.0, drift_at_s=ON_ROUTE_S)
    with under_way(living, cleared, faults=faults) as (_, flying):
        flown = flying.end()
    assert (flown.outcome, flown.reason) == (Outcome.ABORTED, "fence_breach")
    assert "Polygon fence breached" in [body["text"] for body in flying.events("text")]
    assert {step for step, _ in ladder(flying)} == {"notify"}
    assert ("notify", "fence") in ladder(flying)
    assert flying.events("ack") == []
    assert not flown.report.as_published


def test_chain__battery_gives_way__its_own_return_is_not_stopped_and_the_flight_goes_on_later(living, cleared):
    with under_way(living, cleared, faults=Faults(battery_sag_pct=70.0)) as (_, flying):
        flown = flying.end()
    assert (flown.outcome, flown.reason) == (Outcome.SET_DOWN, "battery")
    assert flying.flight().state == "uploaded"
    assert flying.flight().vehicle["resume"]["reason"] == "battery"
    assert flying.events("ack") == flying.events("override") == []
    assert states(flying) == ["activated", "ended"]
    assert flown.report.as_published


def test_chain__autopilot_restarts_in_the_air__asked_for_its_reports_again_and_the_flight_ends(living, cleared):
    """After a start nothing is sent that was not asked for; whoever waited for it would wait for good."""
    with under_way(living, cleared, faults=Faults(reboot_at_s=ON_ROUTE_S)) as (running, flying):
        flown = flying.end()
    assert not running.autopilot.armed
    assert (flown.outcome, flown.reason) == (Outcome.ABORTED, "reboot")
    assert flying.flight().state == "aborted"


def test_56__places_that_cannot_be__kept_not_used_and_alarmed_at_the_third(living, cleared):
    faults = Faults(gps_glitch_at_s=ON_ROUTE_S, gps_glitch_m=40_000.0)
    with under_way(living, cleared, faults=faults) as (_, flying):
        flown = flying.end()
    assert flown.outcome is Outcome.LANDED
    assert flown.report.as_published
    wrong = [point for point in flying.points() if point.implausible]
    assert len(wrong) == flown.report.implausible >= 3
    assert next(body["count"] for body in flying.events("link") if body["stage"] == "implausible") == 3


def test_57__clock_ten_minutes_behind__told_and_not_used(living, cleared):
    from datetime import timedelta

    start = living.clock.now() - timedelta(minutes=10)
    with under_way(living, cleared, start_time=start) as (_, flying):
        flown = flying.end()
    assert flown.outcome is Outcome.LANDED
    # On a busy machine the clock may be doubted for a second reason, and that is told as well.
    said = next(body for body in flying.events("link") if body["stage"] == "clock")
    assert "behind" in said["doubts"]
    assert said["offset_s"] == pytest.approx(-600, abs=30)
    flight = flying.flight()
    assert flight.airborne_at > TEN_ON_THE_FIRST_FLYING_DAY
    assert flight.vehicle["clock_offset_s"] == pytest.approx(-600, abs=30)
