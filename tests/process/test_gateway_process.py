"""Gateways as processes: killed, ended and started again in the middle of a flight, and kept apart from each other."""

from __future__ import annotations

import json
import signal
import socket
import time
from datetime import UTC, datetime

import pytest

from flights import commands
from flights.link.recorder import stamps_of
from schemas import tables as t
from schemas.clock import ScaledClock
from tests.conftest import TEN_ON_THE_FIRST_FLYING_DAY
from tests.process.conftest import free_port, simulator
from tests.process.flying import Seen, prompt_s, until
from tests.process.led import gateway_process

# Slow enough that it still flies when a busy machine has started the next gateway.
SPEED = 40.0
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
    assert (answer.taken_at - answer.ordered_at).total_seconds() < prompt_s()


def wall_s(after, before):
    return (after - before).total_seconds() / SPEED


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
        led.process.wait(60)
    held = running._mission.version, running._fence.version
    last = seen.points()[-1]
    (raw,) = (living.data_dir / "flights" / cleared).glob("*.tlog")
    raw_until = datetime.fromtimestamp(max(stamps_of(raw)) / 1e6, UTC)
    # A second of the wall is lost at most, of the rows and of the raw record; and no row tells what that does not.
    assert wall_s(killed_at, last.received_at) < prompt_s()
    assert wall_s(killed_at, raw_until) < prompt_s()
    assert wall_s(last.received_at, raw_until) < 0.5
    with gateway_process(living, url) as led:
        until(lambda: "resumed" in seen.steps())
        until(lambda: seen.flight().state == "landed")
        led.await_line(f"{cleared}: landed")
    assert (running._mission.version, running._fence.version) == held
    (gap,) = seen.events("gap")
    assert gap["why"] == "gateway"
    assert gap["from"] == last.received_at.isoformat()
    assert gap["raw_until"] == raw_until.isoformat()
    first = min(point.received_at for point in seen.points() if point.id > last.id)
    assert abs(wall_s(datetime.fromisoformat(gap["until"]), first)) < prompt_s()
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
        assert led.process.wait(120) == 0
    assert running.autopilot.mode.name == "AUTO"
    assert seen.flight().state == "airborne"
    order = seen.order("return", person="H1", reason="smoke")
    with gateway_process(living, url):
        assert seen.answer(order).outcome == "done"
        until(lambda: seen.flight().state == "uploaded")
    assert seen.events("gap")[0]["why"] == "gateway"


def test_DC_1__mission_changed_while_nobody_followed__called_back(living, cleared, vehicle):
    running, url = vehicle
    seen = Seen(living, cleared)
    with gateway_process(living, url) as led:
        started(seen, running, led)
        led.process.send_signal(signal.SIGKILL)
    items = running._mission.items
    place = max(n for n, item in enumerate(items) if item.x)
    items[place] = items[place].moved(0.5)
    with gateway_process(living, url):
        until(lambda: seen.flight().state == "aborted")
    assert seen.flight().state_reason == "mission.mismatch"
    assert "mission" in [body.get("cause") for body in seen.events("conformance")]


@pytest.mark.parametrize("same_line", [True, False])
def test_DC_1__second_gateway_for_an_aircraft__refused_in_one_line(living, cleared, vehicle, same_line):
    _, url = vehicle
    with gateway_process(living, url) as first:
        first.await_line("Serves")
        other = url if same_line else f"tcp:127.0.0.1:{free_port()}"
        with gateway_process(living, other) as second:
            assert second.end() == 1
        told = [line.strip() for line in second.said]
        assert told[:2] == ["Refused:", f"✗ DC-1  Another gateway ({named(first)}) leads this aircraft."]
        assert not any("Serves" in line or "Traceback" in line for line in told)
        # The first one did not so much as notice.
        order = Seen(living, cleared).order("fly")
        assert Seen(living, cleared).answer(order).outcome == "done"
        assert first.process.poll() is None


def named(led):
    return f"{socket.gethostname()}:{led.process.pid}"


def test_order__fly_that_the_law_refuses__answered_with_every_rule(living, cleared, vehicle, admin):
    """The law changes between the order and the gateway that takes it."""
    running, url = vehicle
    seen = Seen(living, cleared)
    with gateway_process(living, url) as led:
        led.await_line("Serves")
        with living.work(living.actor("F1")) as work:
            order = commands.order_flight(work, work.get(t.Flight, cleared), "fly")
            admin.execute("SET session_replication_role = replica")
            admin.execute("UPDATE core.patrol_area SET state = 'suspended', suspended_on = '2025-07-01'")
            admin.execute("UPDATE core.device SET state = 'blocked' WHERE name = 'DR1'")
            admin.execute("UPDATE core.inspection_plan SET state = 'cancelled'")
            number = order.id
            work.commit()
        answer = seen.answer(number)
        led.await_line(f"{cleared}: refused.")
    assert answer.outcome == "refused"
    told = [(refusal["rule"], refusal["measured"]) for refusal in answer.detail["refusals"]]
    assert told == [("GD-16.1", "cancelled"), ("GD-14.4", "2025-07-01"), ("GD-14.2", "blocked")]
    assert [(refusal["rule"], refusal["measured"]) for refusal in answer.detail["refusals_zh"]] == told
    assert seen.flight().state == "cleared"
    assert seen.events() == []
    assert running.autopilot.mission.is_empty
    assert not running.autopilot.armed
