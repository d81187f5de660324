"""A flight in the air whose line fails, whose pilot takes over, or that is ordered down on the way."""

from __future__ import annotations

import contextlib
import time
from itertools import pairwise

import pytest
from sqlalchemy import select

from flights.conformance import Thresholds
from flights.gateway import Outcome, Step
from schemas import tables as t
from schemas.clock import ScaledClock
from schemas.store.work import find
from tests.conftest import TEN_ON_THE_FIRST_FLYING_DAY
from tests.process.conftest import simulator
from tests.process.faulty import faulty_line
from tests.process.flying import Flying, prompt_s, until
from tests.simulated import changed

SPEED = 60.0


@pytest.fixture
def living(under_clock):
    return under_clock(ScaledClock(TEN_ON_THE_FIRST_FLYING_DAY, SPEED))


@pytest.fixture
def quick_loss(monkeypatch):
    """Link losses told sooner, so that tests need not wait: the same code, other numbers."""
    shorter = {"stale_s": 0.3, "link_loss_s": 0.6, "lost_s": 1e9}
    original = Thresholds.__init__

    def init(self, **given):
        original(self, **(shorter | given))

    monkeypatch.setattr(Thresholds, "__init__", init)


@contextlib.contextmanager
def in_the_air(house, number, *, height_m=80.0, **options):
    """A flight under way on a line that can fail."""
    base = {"speed_up": SPEED, "start_time": house.clock.now()}
    with simulator(**base | options) as (running, url), faulty_line(url) as line:
        flying = Flying(house, number, line.url)
        try:
            until(lambda: running.autopilot.height_m > height_m or flying.is_over)
            if flying.is_over:
                flying.end()
            yield running, line, flying
        finally:
            line.silent = line.cut = False
            changed(running, running.autopilot.battery, percent=100.0)
            if not flying.is_over:
                changed(running, running.autopilot, armed=False)
            flying.thread.join(120)


def test_link_loss__told_in_steps__and_the_flight_goes_on_when_it_is_back(living, cleared, quick_loss):
    with in_the_air(living, cleared) as (_, line, flying):
        line.silent = True
        until(lambda: flying.stages()[-2:] == ["stale", "loss"])
        line.silent = False
        until(lambda: "back" in flying.stages())
        flown = flying.end()
    assert flown.outcome is Outcome.LANDED
    gap = flying.events("gap")[-1]
    assert gap["why"] == "link"
    assert gap["from"] < gap["until"]
    assert flying.flight().vehicle["gaps"][-1] == gap
    assert flying.flight().vehicle["report"]["gap_count"] >= 1


def test_link_loss__connection_cut__reopened_and_followed_to_the_ground(living, cleared, quick_loss):
    with in_the_air(living, cleared) as (_, line, flying):
        line.cut = True
        until(lambda: "loss" in flying.stages())
        line.cut = False
        flown = flying.end()
    assert flown.outcome is Outcome.LANDED
    assert "back" in flying.stages()


def test_link_loss__for_longer_than_the_flight_may_last__a_person_is_asked_and_nothing_counts_as_landed(
    under_clock, cleared, quick_loss, monkeypatch
):
    monkeypatch.setattr("flights.vehicle_orders.SETTLING_S", -400.0)
    living = under_clock(ScaledClock(TEN_ON_THE_FIRST_FLYING_DAY, 2 * SPEED))
    with in_the_air(living, cleared, speed_up=2 * SPEED) as (running, line, flying):
        line.silent = True
        until(lambda: "needs_person" in flying.stages())
        assert not flying.is_over
        assert flying.flight().state == "airborne"
        until(lambda: not running.autopilot.armed)
        time.sleep(0.5)
        assert flying.flight().state == "airborne"
        line.silent = False
        flying.end()
    assert flying.flight().state in ("landed", "aborted")


def test_order__while_the_line_is_silent__return_waits_and_pause_does_not(living, cleared, quick_loss):
    with in_the_air(living, cleared) as (running, line, flying):
        line.silent = True
        until(lambda: "stale" in flying.stages())
        pause, back = flying.order("pause"), flying.order("return", reason="fog")
        assert flying.answer(pause).outcome == "unreachable"
        assert running.autopilot.mode.name == "AUTO"
        line.silent = False
        assert flying.answer(back).outcome == "done"
        flown = flying.end()
    assert (flown.outcome, flown.reason) == (Outcome.SET_DOWN, "fog")


def test_order__pause_and_continue__within_a_second_each_with_its_acknowledgement(living, cleared):
    with in_the_air(living, cleared) as (running, _, flying):
        taken = flying.answer(flying.order("pause", person="H1"))
        assert taken.outcome == "done"
        assert (taken.taken_at - taken.ordered_at).total_seconds() < prompt_s()
        assert taken.detail["ack"]["by"] == "DO_PAUSE_CONTINUE"
        assert running.autopilot.airframe.speed_m_s < 2
        again = flying.answer(flying.order("continue", person="C1"))
        assert again.outcome == "done"
        flown = flying.end()
    assert flown.outcome is Outcome.LANDED
    assert [body["order"] for body in flying.events("ack")] == ["pause", "continue"]
    told = [(body["order"], body["outcome"]) for body in flying.events("order")]
    assert told == [("pause", "taken"), ("pause", "done"), ("continue", "taken"), ("continue", "done")]


def test_order__abort__comes_home_and_the_flight_ends(living, cleared):
    with in_the_air(living, cleared) as (_, _, flying):
        assert flying.answer(flying.order("abort", person="C1", reason="wildfire")).outcome == "done"
        flown = flying.end()
    assert (flown.outcome, flown.reason) == (Outcome.ABORTED, "wildfire")
    assert flying.flight().state == "aborted"


def test_order__land__comes_down_where_it_is(living, cleared):
    with in_the_air(living, cleared) as (_, _, flying):
        assert flying.answer(flying.order("land")).detail["ack"]["mode"] == "LAND"
        flown = flying.end()
    assert flown.outcome is Outcome.SET_DOWN
    assert flying.flight().state == "uploaded"


def test_order__pilot_has_control__nothing_is_sent(living, cleared):
    """Whoever flies by hand sees the aircraft; an order from a desk must not take it out of the pilot's hands."""
    from flights.simulator.autopilot import Mode

    with in_the_air(living, cleared) as (running, _, flying):
        changed(running, running.autopilot, mode=Mode.LOITER)
        until(lambda: flying.events("override"))
        refused = flying.answer(flying.order("return"))
        assert refused.outcome == "refused"
        assert refused.detail["refusals"][0]["rule"] == "vehicle.pilot_has_control"
        assert running.autopilot.mode is Mode.LOITER
        changed(running, running.autopilot, mode=Mode.RTL)
        flying.end()
    assert flying.events("override")[0]["pilot_has_control"] is True


def test_position_events__once_a_second__with_state_and_age(living, cleared):
    with in_the_air(living, cleared) as (_, _, flying):
        time.sleep(2.5)
        flying.order("return")
        flying.end()
    positions = flying.events("position")
    assert {"lon", "lat", "state", "along_m", "cross_track_m", "height_off_m", "link_age_s"} <= positions[-1].keys()
    assert positions[-1]["alt_agl_m"] is not None
    assert positions[1]["state"] == "activated"
    with living.session() as session:
        flight = find(session, t.Flight, cleared)
        stamps = select(t.FlightEvent.at).where(t.FlightEvent.flight_id == flight.id, t.FlightEvent.kind == "position")
        at = list(session.scalars(stamps.order_by(t.FlightEvent.id)))
        row = session.scalars(
            select(t.TelemetryPoint).where(t.TelemetryPoint.flight_id == flight.id).order_by(t.TelemetryPoint.id)
        ).first()
        assert (row.conformance, row.item is not None) == ("activated", True)
        assert row.cross_track_m < 3
    apart_s = [(b - a).total_seconds() / SPEED for a, b in pairwise(at)]
    # They are told by the clock on the wall, and stamped a moment later.
    assert min(apart_s) > 0.5


def test_resume__after_a_landing_on_the_way__same_mission_one_track_with_a_gap(living, cleared):
    with in_the_air(living, cleared) as (running, line, flying):
        flying.answer(flying.order("return", reason="battery"))
        down = flying.end()
        assert (down.outcome, flying.flight().state) == (Outcome.SET_DOWN, "uploaded")
        began_at, version = flying.flight().airborne_at, running._mission.version
        item = flying.flight().vehicle["resume"]["item"]
        on = Flying(living, cleared, line.url)
        flown = on.end()
    assert flown.outcome is Outcome.LANDED
    assert running._mission.version == version
    flight = on.flight()
    assert flight.airborne_at == began_at
    assert flight.vehicle_mission_digest == flight.mission_digest == flown.mission_digest
    assert [gap["why"] for gap in flight.vehicle["gaps"]] == ["set_down"]
    assert len(flight.vehicle["tlog"]) == 2
    assert item >= 1
    assert flown.report.share_flown > 0.98
    assert Step.AIRBORNE in [step for step, _ in on.told]
