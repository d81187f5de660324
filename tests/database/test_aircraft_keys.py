"""`skywarden aircraft key`: keys of aircraft are files of one account, known elsewhere by their fingerprint alone."""

from __future__ import annotations

import json
import logging
import os
import stat

import pytest
from click.testing import CliRunner
from sqlalchemy import text

from flights import queries
from flights.link import keys
from flights.link.errors import VehicleRefused
from flights.link.keys import Key, Keyring
from flights.link.vehicle import VehicleLink
from schemas.actors import HOST
from schemas.clock import SystemClock
from schemas.refusals import RuleViolation
from schemas.tables import AircraftSigning, Drone
from tests.simulated import free_port, simulator
from web.cli.aircraft import aircraft
from web.cli.common import State
from web.cli.main import COMMANDS


@pytest.fixture
def run(services):
    def call(*arguments, lang="en"):
        state = State(lang)
        state._services = services
        return CliRunner().invoke(aircraft, ["key", *map(str, arguments)], obj=state, catch_exceptions=True)

    return call


@pytest.fixture
def drone(services) -> Drone:
    with services.session() as session:
        return queries.drone_named(session, "DR1")


@pytest.fixture
def keyring(services) -> Keyring:
    return Keyring.of(services.data_dir)


def row(services, drone) -> AircraftSigning | None:
    with services.session() as session:
        return session.get(AircraftSigning, drone.device_id)


def events(services) -> list[tuple[str, str, dict]]:
    with services.session() as session:
        rows = session.execute(
            text("SELECT action, actor, convert_from(body, 'UTF8') FROM ledger.event ORDER BY id")
        ).all()
    return [(action, actor, json.loads(body)) for action, actor, body in rows if action.startswith("aircraft.key")]


def refused(result) -> str:
    assert isinstance(result.exception, RuleViolation), result.output
    return result.exception.refusals[0].rule


def test_command__listed():
    assert COMMANDS["aircraft"] == "web.cli.aircraft"


def test_issue__key__is_a_file_of_this_account_and_nowhere_else(run, services, drone, keyring, caplog, admin):
    caplog.set_level(logging.DEBUG)
    result = run("issue", "DR1")
    assert result.exit_code == 0, result.output
    fingerprint = row(services, drone).fingerprint
    key = keyring.read(drone.device_id, fingerprint)
    assert len(key.secret) == 32
    (path,) = keyring.folder.glob("*.key")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(keyring.folder.stat().st_mode) == 0o700
    assert fingerprint in result.output
    assert events(services) == [("aircraft.key_issue", "host", {"fingerprint": fingerprint, "replaces": None})]
    dumped = admin.execute("SELECT string_agg(t::text, ' ') FROM core.aircraft_signing t").fetchone()[0]
    for shown in (result.output, caplog.text, repr(key), str(key), dumped, str(events(services))):
        assert key.secret.hex() not in shown
        assert str(key.secret)[2:-1] not in shown
    assert not row(services, drone).required


def test_issue__again__the_key_before_ends_and_the_requirement_stays(run, services, drone, keyring):
    run("issue", "DR1")
    first = row(services, drone).fingerprint
    run("require", "DR1")
    run("issue", "DR1")
    second = row(services, drone)
    assert second.fingerprint != first
    assert second.required
    assert keyring.read(drone.device_id, first) is None
    assert keyring.read(drone.device_id, second.fingerprint) is not None
    assert [action for action, _, _ in events(services)] == [
        "aircraft.key_issue",
        "aircraft.key_require",
        "aircraft.key_issue",
    ]


def test_issue__not_recorded__the_key_in_force_stays(run, services, drone, keyring):
    run("issue", "DR1")
    before = row(services, drone).fingerprint
    with services.work(HOST) as work:
        keys.issue(work, drone, keyring)
    assert row(services, drone).fingerprint == before
    assert keys.signature_for(services, drone) is not None


@pytest.mark.parametrize("command", ["show-fingerprint", "require", "relax"])
def test_key__never_issued__refused(run, command):
    assert refused(run(command, "DR1")) == "key.none"


def test_key__unknown_aircraft__refused(run):
    assert refused(run("issue", "DR99")) == "store.unknown"


def test_show_fingerprint__told_in_both_languages_and_json(run, services, drone):
    run("issue", "DR1")
    fingerprint = row(services, drone).fingerprint
    assert "not on board yet" in run("show-fingerprint", "DR1").output
    assert "尚未写入" in run("show-fingerprint", "DR1", lang="zh").output
    told = json.loads(run("show-fingerprint", "DR1", "--json").output)
    assert (told["fingerprint"], told["required"], told["provisioned_at"]) == (fingerprint, False, None)


def test_require_and_relax__one_event_each(run, services, drone):
    run("issue", "DR1")
    assert run("require", "DR1").exit_code == 0
    assert row(services, drone).required
    assert run("relax", "DR1").exit_code == 0
    assert not row(services, drone).required
    assert [event[:2] for event in events(services)][1:] == [
        ("aircraft.key_require", "host"),
        ("aircraft.key_relax", "host"),
    ]


def test_require__key_file_gone__refused(run, keyring):
    run("issue", "DR1")
    for path in keyring.folder.glob("*.key"):
        path.unlink()
    assert refused(run("require", "DR1")) == "key.missing"


# -- what the gateway is given --------------------------------------------------------------------------


def test_signature_for__no_key_was_issued__none(services, drone):
    assert keys.signature_for(services, drone) is None


def test_signature_for__issued__lenient_until_it_is_required(run, services, drone):
    run("issue", "DR1")
    assert keys.signature_for(services, drone).strict is False
    run("require", "DR1")
    assert keys.signature_for(services, drone).strict is True


def test_signature_for__required_and_not_here__link_refused(run, services, drone, keyring):
    run("issue", "DR1")
    run("require", "DR1")
    (path,) = keyring.folder.glob("*.key")
    hidden = path.rename(path.with_suffix(".away"))
    with pytest.raises(VehicleRefused) as said:
        keys.signature_for(services, drone)
    assert said.value.refusals[0].rule == "key.missing"
    hidden.rename(path)
    run("relax", "DR1")
    path.unlink()
    assert keys.signature_for(services, drone) is None


def test_signature_for__file_that_others_can_read__refused(run, services, drone, keyring):
    run("issue", "DR1")
    (path,) = keyring.folder.glob("*.key")
    path.chmod(0o644)
    with pytest.raises(VehicleRefused) as said:
        keys.signature_for(services, drone)
    assert said.value.refusals[0].rule == "key.exposed"


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 32, b"x" * 5000])
def test_signature_for__file_that_is_not_the_key__refused(run, services, drone, keyring, content):
    run("issue", "DR1")
    (path,) = keyring.folder.glob("*.key")
    path.write_bytes(content)
    with pytest.raises(VehicleRefused) as said:
        keys.signature_for(services, drone)
    assert said.value.refusals[0].rule == "key.damaged"


def test_signature_for__after_a_restart__stamps_go_on_above_those_before(run, services, drone, keyring):
    run("issue", "DR1")
    beat = b"\xfd\x00\x00\x00\x00\xf5\xbe\x00\x00\x00\x00\x00"
    crashed, orderly = [keys.signature_for(services, drone).sign(beat, 50) for _ in range(2)]
    third = keys.signature_for(services, drone)
    last = third.sign(beat, 50)
    third.release()
    assert stamp(crashed) < stamp(orderly) < stamp(last) == keyring.last_stamp(drone.device_id)


def stamp(frame: bytes) -> int:
    return int.from_bytes(frame[-12:-6], "little")


def test_keyring__torn_stamp_file__starts_from_the_clock(keyring, drone):
    keyring.keep_stamp(drone.device_id, 12345)
    assert keyring.last_stamp(drone.device_id) == 12345
    keyring._stamp_path(drone.device_id).write_bytes(b"12\xff")
    assert keyring.last_stamp(drone.device_id) == 0
    assert not list(keyring.folder.glob(".*"))


def test_keyring__disk_full__nothing_half_written(keyring, drone, monkeypatch):
    def full(_descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        keyring.write(drone.device_id, Key(bytes(range(32))))
    assert list(keyring.folder.iterdir()) == []


def test_table__anything_but_a_fingerprint__refused_by_the_database(admin, drone):
    with pytest.raises(Exception, match="ck_aircraft_signing_fingerprint"):
        admin.execute(
            "INSERT INTO core.aircraft_signing (drone_id, fingerprint) VALUES (%s, %s)", [drone.device_id, "ab" * 32]
        )


# -- on board -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["tcp:192.168.4.1:5760", "udp:0.0.0.0:14550", "tcp:localhost:5760", "udpout:drone.example:14550"]
)
def test_provision__over_a_network__refused_before_anything_is_sent(run, url):
    run("issue", "DR1")
    assert refused(run("provision", "DR1", "--vehicle", url)) == "key.not_local"


def test_provision__on_this_host__signed_from_then_on(run, services, drone):
    run("issue", "DR1")
    with simulator(speed_up=1.0) as (aircraft_, url):
        result = run("provision", "DR1", "--vehicle", url)
        assert result.exit_code == 0, (result.output, result.exception)
        assert "loopback" in result.output
        run("require", "DR1")
        with VehicleLink.connect(url, SystemClock(), signature=keys.signature_for(services, drone)) as link:
            assert link.read_parameter("FENCE_TYPE") == 7
            assert link.connection.counts["link.unsigned"] == 0
        with (
            VehicleLink.connect(url, SystemClock()) as unsigned,
            unsigned.connection.listen("PARAM_VALUE") as inbox,
        ):
            # It is heard, and does not listen: a key of its own is needed to speak to it.
            unsigned.connection.codec.param_request_read_send(1, 1, b"FENCE_TYPE", -1)
            assert inbox.get(0.5) is None
        assert not aircraft_.autopilot.armed
    assert row(services, drone).provisioned_at is not None
    assert events(services)[1][2]["wire"] == "loopback"


def test_provision__aircraft_that_does_not_take_it__refused(run, monkeypatch, services, drone):
    monkeypatch.setattr("flights.link.provisioning.IDENTIFY_S", 0.5)
    monkeypatch.setattr("flights.simulator.process.Simulator._set_key", lambda *_: None)
    run("issue", "DR1")
    with simulator(speed_up=10.0) as (_, url):
        assert refused(run("provision", "DR1", "--vehicle", url)) == "key.not_taken"
    assert row(services, drone).provisioned_at is None


def test_provision__another_aircraft_on_the_wire__refused(run):
    run("issue", "DR1")
    with simulator(system_id=66) as (_, url):
        assert refused(run("provision", "DR1", "--vehicle", url)) == "link.identity"


def test_provision__nobody_on_the_wire__refused(run):
    run("issue", "DR1")
    assert refused(run("provision", "DR1", "--vehicle", f"tcp:127.0.0.1:{free_port()}")) == "link.unreachable"
