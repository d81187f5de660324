"""What stands beside a flight may be restarted while it flies: the database here, the web in test_live_desk.py."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from datetime import datetime

import pytest
from pymavlink import mavutil
from sqlalchemy.orm import Session

from schemas.clock import ScaledClock
from schemas.refusals import RuleViolation
from schemas.store.cluster import Cluster
from schemas.store.engine import Database
from schemas.store.migrate import migrate
from tests.conftest import TEN_ON_THE_FIRST_FLYING_DAY
from tests.process.conftest import simulator
from tests.process.flying import Seen, prompt_s, until
from tests.process.led import gateway_process
from tests.world import build_world

SPEED = 40.0
HIGH_M = 80.0
AWAY_S = 1.5


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A server of this test's own, as durable as in life: it is stopped and killed."""
    made = Cluster.for_checkout(tmp_path_factory.mktemp("checkout"))
    made.start()
    yield made
    made.remove()


@pytest.fixture
def database(cluster):
    made = Database.of_cluster(cluster, "skywarden")
    migrate(made)
    engine = made.admin_engine()
    with contextlib.closing(Session(engine)) as session:
        build_world(session)
        session.commit()
    engine.dispose()
    return made


@pytest.fixture
def living(under_clock):
    return under_clock(ScaledClock(TEN_ON_THE_FIRST_FLYING_DAY, SPEED))


def wall_s(after, before):
    return (after - before).total_seconds() / SPEED


def stop(cluster):
    cluster.stop()


def kill(cluster):
    """As if the power of its machine went."""
    pid = int((cluster.data_dir / "postmaster.pid").read_text().split("\n", 1)[0])
    os.kill(pid, signal.SIGKILL)


def positions(path):
    """The times (ms since the boot of the aircraft) of all positions in a raw record."""
    log = mavutil.mavlink_connection(str(path), dialect="ardupilotmega")
    with contextlib.closing(log):
        return [message.time_boot_ms for message in iter(lambda: log.recv_match(type="GLOBAL_POSITION_INT"), None)]


def taken(seen, kind):
    """The number of the order; none while the gateway is not back, which is the one thing that refuses it.

    How soon it has to be back is what the gaps are held to below.
    """
    try:
        return seen.order(kind)
    except RuleViolation as refused:
        if [one.rule for one in refused.refusals] != ["DC-1"]:
            raise
        return None


def test_P3__database_stopped_and_killed_in_flight__nothing_is_lost_and_each_time_is_told(living, cleared, cluster):
    seen, away = Seen(living, cleared), []
    with (
        simulator(speed_up=SPEED, start_time=living.clock.now()) as (running, url),
        gateway_process(living, url) as gateway,
    ):
        gateway.await_line("Serves")
        seen.order("fly")
        until(lambda: running.autopilot.height_m > HIGH_M)
        for end in (stop, kill):
            began_at = living.clock.now()
            end(cluster)
            time.sleep(AWAY_S)
            assert running.autopilot.mode.name == "AUTO"
            cluster.start()
            away.append((began_at, living.clock.now()))
            # It listens again: an order is taken as if nothing had been.
            for kind in ("pause", "continue"):
                order = until(lambda kind=kind: taken(seen, kind))
                assert seen.answer(order).outcome == "done"
        until(lambda: seen.flight().state == "landed")
        gateway.await_line(f"{cleared}: landed")
        assert gateway.process.poll() is None
    gaps = seen.events("gap")
    assert [gap["why"] for gap in gaps] == ["database"] * 2
    for gap, (began_at, ended_at) in zip(gaps, away, strict=True):
        assert gap["lost_rows"] == 0
        # From the first second that could not be stored, to the first that could again.
        assert -prompt_s() < wall_s(datetime.fromisoformat(gap["from"]), began_at) < prompt_s()
        assert -0.5 < wall_s(datetime.fromisoformat(gap["until"]), ended_at) < 1.8 * prompt_s()
    check_record(living, seen, gaps)


def check_record(house, seen, gaps):
    """Every position of the raw record, which the disk had all along, is a row; the verdict rests on all of them."""
    flight, points = seen.flight(), seen.points()
    (raw,) = (house.data_dir / "flights" / seen.number).glob("*.tlog")
    stored = [point.boot_ms for point in points]
    told = positions(raw)
    first = told.index(stored[0])
    # What the aircraft tells on the ground, behind the end of the flight, is in the raw record alone.
    assert stored == told[first : first + len(stored)]
    assert len(told) - first - len(stored) < 20
    assert len(set(stored)) == len(stored)
    assert flight.vehicle["gaps"] == gaps
    assert flight.vehicle["report"]["fixes"] == len(stored)
    assert flight.vehicle["report"]["within"]
