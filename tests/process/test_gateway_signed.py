"""A flight whose link must be signed, with others on the line: they are dropped, told, and change nothing."""

from __future__ import annotations

import base64
import logging

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights import queries
from flights.gateway import Outcome
from flights.link import keys
from flights.link.errors import VehicleRefused
from flights.link.keys import Keyring
from flights.link.signing import Dropped, Signature
from schemas.actors import HOST
from schemas.clock import ScaledClock
from tests.conftest import TEN_ON_THE_FIRST_FLYING_DAY
from tests.process.conftest import simulator
from tests.process.faulty import faulty_line
from tests.process.flying import Flying, until

SPEED = 120.0
ELSEWHERE = (231_250_000, 1_136_000_000)


@pytest.fixture
def living(under_clock):
    return under_clock(ScaledClock(TEN_ON_THE_FIRST_FLYING_DAY, SPEED))


@pytest.fixture
def key(living):
    """The key of DR1, whose link must be signed from now on."""
    keyring = Keyring.of(living.data_dir)
    with living.work(HOST) as work:
        drone = queries.drone_named(work.session, "DR1")
        fingerprint = keys.issue(work, drone, keyring)
        work.commit()
    with living.work(HOST) as work:
        drone = queries.drone_named(work.session, "DR1")
        keys.require(work, drone, keyring, required=True)
        drone_id = drone.device_id
        work.commit()
    return keyring.read(drone_id, fingerprint).secret


def far_away(system=1, component=1, *, mavlink1=False, sign=None):
    """A position 35 km away, as a frame from this source."""
    codec = mavlink.MAVLink(None, system, component)
    place = mavlink.MAVLink_global_position_int_message(9_000_000, *ELSEWHERE, 112_000, 100_000, 0, 0, 0, 0)
    frame = bytes(place.pack(codec, force_mavlink1=mavlink1))
    return frame if sign is None else sign.sign(frame, place.crc_extra)


def test_52_to_55__forged_on_the_line_of_a_flight__dropped_told_and_never_used(living, cleared, key, caplog, admin):
    caplog.set_level(logging.DEBUG)
    with simulator(speed_up=SPEED, start_time=living.clock.now(), key=key) as (running, url), faulty_line(url) as line:
        flying = Flying(living, cleared, line.url)
        until(lambda: running.autopilot.height_m > 80.0 or flying.is_over)
        line.forge(
            *[far_away() for _ in range(3)],
            *[far_away(mavlink1=True) for _ in range(3)],
            *[far_away(sign=Signature(b"z" * 32)) for _ in range(3)],
            far_away(system=7, sign=Signature(key)),
        )
        flown = flying.end()
    assert flown.outcome is Outcome.LANDED
    assert flown.report.as_published
    assert flown.report.implausible == 0
    said = [body for body in flying.events("link") if body["stage"] == "alarm"]
    alarms = {(body["reason"], body["count"], body["source"]) for body in said}
    assert alarms >= {
        (Dropped.UNSIGNED, 3, "1/1"), (Dropped.MAVLINK_1, 3, "1/1"), (Dropped.SIGNATURE, 3, "1/1"),
        (Dropped.IDENTITY, 1, "7/1"),
    }  # fmt: skip
    counts = flying.flight().vehicle["link"]
    assert [counts[reason] for reason in (Dropped.UNSIGNED, Dropped.MAVLINK_1, Dropped.SIGNATURE)] == [3, 3, 3]
    assert counts[Dropped.IDENTITY] == 1
    assert said_anywhere(living, admin, caplog.text, key) == []


def said_anywhere(house, admin, log, key):
    """Where the key stands beside its own file: logs, records, rows."""
    shapes = [key, key.hex().encode(), base64.b64encode(key), repr(key).encode()]
    found = ["log"] if any(shape in log.encode() for shape in shapes) else []
    for path in house.data_dir.rglob("*"):
        if path.is_file() and path.suffix != ".key" and any(shape in path.read_bytes() for shape in shapes):
            found.append(path.name)
    tables = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('core', 'ledger')"
    for schema, table in admin.execute(tables).fetchall():
        rows = admin.execute(f'SELECT t::text FROM {schema}."{table}" t').fetchall()
        if any(shape in row.encode() for (row,) in rows for shape in (*shapes, key.hex().encode())):
            found.append(table)
    return found


def test_52__vehicle_that_does_not_sign__refused_before_anything_is_sent_to_it(living, cleared, key, monkeypatch):
    monkeypatch.setattr("flights.link.vehicle.HEARTBEAT_WAIT_S", 1.0)
    with simulator(speed_up=SPEED, start_time=living.clock.now()) as (running, url):
        flying = Flying(living, cleared, url)
        with pytest.raises(VehicleRefused) as refused:
            flying.end()
    assert [refusal.rule for refusal in refused.value.refusals] == [Dropped.UNSIGNED]
    assert running.autopilot.mission.is_empty
    assert flying.flight().state == "cleared"
