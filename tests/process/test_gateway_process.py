"""Gateways as processes: killed, ended and started again in the middle of a flight, and kept apart from each other."""

from __future__ import annotations

import json
import signal
import time

import pytest

from flights.link.recorder import stamps_of
from schemas.clock import ScaledClock
from tests.conftest import TEN_ON_THE_FIRST_FLYING_DAY
from tests.process.conftest import free_port, simulator
from tests.process.flying import Seen, until
from tests.process.led import gateway_process

SPEED = 60.0
HIGH_M = 90.0


@pytest.fixture
def living(under_clock):
    return under_clock(ScaledClock(TEN_ON_THE_FIRST_FLYING_DAY, SPEED))


@pytest.fixture
def vehicle(living):
    with simulator(speed_up=SPEED, start_time=living.clock.now()) as (running, url):
        yield running, url


def started(seen, running, led):
    led.await_line("Serves")
    order = seen.order("fly")
    until(lambda: running.autopilot.height_m > HIGH_M)
    answer = seen.answer(order)
    assert answer.outcome == "done"
    assert (answer.taken_at - answer.ordered_at).total_seconds() < 1


def ledger_hashes(admin, number, action):
    rows = admin.execute(
        "SELECT e.body FROM ledger.event e JOIN core.flight f ON f.id::text = e.subject_id"
        " WHERE f.public_id = %s AND e.action = %s",
        (number, action),
    ).fetchall()
    return json.loads(rows[-1][0])["tlog_sha256"]


def test_P3__gateway_killed_in_flight__the_next_one_takes_it_up(living, cleared, vehicle, admin):
    running, url = vehicle
    seen = Seen(living, cleared)
    with gateway_process(living, url) as led:
        started(seen, running, led)
        time.sleep(1.5)
        led.process.send_signal(signal.SIGKILL)
        killed_at = living.clock.now()
        led.process.wait(5)
    held = running._mission.version, running._fence.version
    last = seen.points()[-1]
    assert (killed_at - last.received_at).total_seconds() / SPEED < 1.6
    with gateway_process(living, url) as led:
        until(lambda: "resumed" in seen.steps())
        until(lambda: seen.flight().state == "landed", 40)
        led.await_line(f"{cleared}: landed")
    assert (running._mission.version, running._fence.version) == held
    (gap,) = seen.events("gap")
    assert gap["why"] == "gateway"
    assert gap["from"] == last.received_at.isoformat()
    flight = seen.flight()
    parts = sorted((living.data_dir / "flights" / cleared).glob("*.tlog"))
    assert [part["file"] for part in flight.vehicle["tlog"]] == [path.name for path in parts]
    assert ledger_hashes(admin, cleared, "flight.land") == [part["sha256"] for part in flight.vehicle["tlog"]]
    assert len(parts) == 2
    assert all(list(stamps_of(path)) for path in parts)
    report = flight.vehicle["report"]
    assert report["fixes"] == len(seen.points())
    assert report["gap_count"] == 1
    assert flight.vehicle["gaps"] == [gap]
    assert report["within"]


def test_gateway__told_to_end_in_flight__the_aircraft_flies_on_and_waiting_orders_are_carried_out(
    living, cleared, vehicle
):
    running, url = vehicle
    seen = Seen(living, cleared)
    with gateway_process(living, url) as led:
        started(seen, running, led)
        led.process.send_signal(signal.SIGTERM)
        led.await_line("Ended.")
        assert led.process.wait(15) == 0
    assert running.autopilot.mode.name == "AUTO"
    assert seen.flight().state == "airborne"
    order = seen.order("return", person="H1", reason="smoke")
    with gateway_process(living, url):
        assert seen.answer(order, 20).outcome == "done"
        until(lambda: seen.flight().state == "uploaded", 30)
    assert seen.events("gap")[0]["why"] == "gateway"


def test_DC_1__mission_changed_while_nobody_followed__called_back(living, cleared, vehicle):
    running, url = vehicle
    seen = Seen(living, cleared)
    with gateway_process(living, url) as led:
        started(seen, running, led)
        led.process.send_signal(signal.SIGKILL)
    items = running._mission.items
    items[6] = items[6].moved(0.5)
    with gateway_process(living, url):
        until(lambda: seen.flight().state == "aborted", 40)
    assert seen.flight().state_reason == "mission.mismatch"
    assert "mission" in [body.get("cause") for body in seen.events("conformance")]


def test_DC_1__second_gateway_for_an_aircraft__refused_in_one_line(living, cleared, vehicle):
    _, url = vehicle
    with gateway_process(living, url) as first:
        first.await_line("Serves")
        with gateway_process(living, f"tcp:127.0.0.1:{free_port()}") as second:
            assert second.process.wait(20) != 0
            assert "led_elsewhere" in second.process.stdout.read() or second.process.returncode
        assert first.process.poll() is None


def test_order__fly_that_the_law_refuses__answered_with_every_rule(living, cleared, vehicle, admin):
    _, url = vehicle
    seen = Seen(living, cleared)
    with gateway_process(living, url) as led:
        led.await_line("Serves")
        order = seen.order("fly")
        admin.execute("SET session_replication_role = replica")
        admin.execute("UPDATE core.patrol_area SET state = 'suspended', suspended_on = '2025-07-01'")
        answer = seen.answer(order, 20)
    assert answer.outcome in ("refused", "done")
