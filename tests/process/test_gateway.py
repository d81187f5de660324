"""From a cleared flight to a closed one: real PostGIS, real sockets, a simulated vehicle."""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from geoalchemy2.shape import to_shape
from pymavlink.dialects.v20 import ardupilotmega as mavlink
from sqlalchemy import func, select

from flights import gateway
from flights.gateway import Outcome, Step
from flights.link.errors import VehicleRefused
from flights.photos.intake import ingest, read_folder
from flights.simulator.autopilot import Mode
from flights.simulator.options import Faults
from schemas import tables as t
from schemas.clock import FixedClock, ScaledClock
from schemas.refusals import RuleViolation
from schemas.store.work import find
from tests.conftest import TEN_ON_THE_FIRST_FLYING_DAY, _url
from tests.process.conftest import free_port, simulator
from tests.simulated import changed

SPEED = 120.0
END = TEN_ON_THE_FIRST_FLYING_DAY + timedelta(hours=2)


@contextlib.contextmanager
def silent_port():
    """A port on which somebody listens and to which nobody must speak."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        yield f"tcp:127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(TimeoutError):
            server.accept()


def state(services, number):
    with services.session() as session:
        return find(session, t.Flight, number).state


def events(services, number, admin):
    rows = admin.execute(
        "SELECT e.action, e.body FROM ledger.event e JOIN core.flight f ON f.id::text = e.subject_id"
        " WHERE f.public_id = %s ORDER BY e.id",
        (number,),
    )
    return [(action, json.loads(body)) for action, body in rows]


def refused_rules(caught):
    return {refusal.rule for refusal in caught.value.refusals}


# -- nothing is sent ------------------------------------------------------------------------------------


def test_DC_1__not_cleared__refused_before_a_socket_is_opened(house, filed):
    with silent_port() as url, pytest.raises(RuleViolation) as refused:
        gateway.fly(house, filed, url, pilot=house.actor("F1"))
    assert refused.value.status == 409
    assert "passed the check" in str(refused.value)


def test_GD_14_2__the_day_before__refused_before_a_socket_is_opened(house, cleared, under_clock):
    early = under_clock(FixedClock(datetime(2025, 6, 30, 2, 0, tzinfo=UTC)))
    with silent_port() as url, pytest.raises(RuleViolation) as refused:
        gateway.fly(early, cleared, url, pilot=house.actor("F1"))
    assert "GD-16.1" in refused_rules(refused)
    assert state(house, cleared) == "cleared"


def test_GD_16_3__route_suspended_after_clearance__refused_before_a_socket_is_opened(house, cleared, database):
    with psycopg.connect(_url(database.admin_url), autocommit=True) as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute("UPDATE core.patrol_area SET state = 'suspended', suspended_on = '2025-07-01'")
    with silent_port() as url, pytest.raises(RuleViolation, match=r"GD-14\.4: "):
        gateway.fly(house, cleared, url, pilot=house.actor("F1"))


@pytest.mark.parametrize("person", ["O1", "H1"])
def test_GD_16_1__somebody_elses_flight__refused_before_a_socket_is_opened(house, cleared, person):
    with silent_port() as url, pytest.raises(RuleViolation, match=r"state\.role: "):
        gateway.fly(house, cleared, url, pilot=house.actor(person))
    assert state(house, cleared) == "cleared"


def test_GD_16_1__refusal__leaves_an_event(house, filed, admin):
    with silent_port() as url, pytest.raises(RuleViolation, match=r"state\.machine: "):
        gateway.fly(house, filed, url, pilot=house.actor("F1"))
    action, body = events(house, filed, admin)[-1]
    assert action == "refused"
    assert body["rules"] == ["state.machine"]


# -- the vehicle refuses ----------------------------------------------------------------------------------


def test_DC_1__vehicle_holds_another_mission__not_armed_and_still_cleared(house, cleared, simulated, admin):
    running, url = simulated(home_lon=113.2545, speed_up=SPEED, faults=Faults(tamper_item=3))
    with pytest.raises(VehicleRefused) as refused:
        gateway.fly(house, cleared, url, pilot=house.actor("F1"))
    assert refused_rules(refused) == {"mission.mismatch"}
    assert not running.autopilot.armed
    assert state(house, cleared) == "cleared"
    action, body = events(house, cleared, admin)[-1]
    assert (action, body["rules"]) == ("flight.vehicle_refused", ["mission.mismatch"])


def test_DC_1__mission_denied__still_cleared(house, cleared, simulated, monkeypatch):
    monkeypatch.setattr("flights.link.mission.RETRY_PAUSE_S", 0.01)
    _, url = simulated(speed_up=SPEED, faults=Faults(deny_mission=True))
    with pytest.raises(VehicleRefused, match=r"mission\.refused: "):
        gateway.fly(house, cleared, url, pilot=house.actor("F1"))
    assert state(house, cleared) == "cleared"


def test_take_off__vehicle_will_not_arm__stays_uploaded_and_can_fly_later(house, cleared, simulated, monkeypatch):
    monkeypatch.setattr("flights.link.sequence.READY_LIMIT_S", 60.0)
    running, url = simulated(speed_up=SPEED, battery_pct=15.0)
    with pytest.raises(VehicleRefused) as refused:
        gateway.fly(house, cleared, url, pilot=house.actor("F1"))
    assert refused_rules(refused) == {"link.not_ready"}
    assert state(house, cleared) == "uploaded"
    changed(running, running.autopilot.battery, percent=100.0)
    flown = gateway.fly(
        house,
        cleared,
        url,
        pilot=house.actor("F1"),
        stop=lambda: "operator" if running.autopilot.height_m > 5 else None,
    )
    assert flown.outcome is Outcome.ABORTED
    assert state(house, cleared) == "aborted"


@pytest.mark.parametrize(
    ("step", "left"), [(Step.CONNECTED, "cleared"), (Step.PREPARED, "uploaded"), (Step.READY, "uploaded")]
)
def test_stop__before_take_off__never_armed_and_can_fly_later(house, cleared, simulated, step, left):
    """Ctrl-C while the mission is uploaded must not be kept for later and start the aircraft first."""
    running, url = simulated(speed_up=SPEED)
    armed, seen = watch_arming(running), []
    with pytest.raises(RuleViolation) as refused:
        gateway.fly(
            house, cleared, url, pilot=house.actor("F1"),
            tell=lambda told, _facts: seen.append(told), stop=lambda: "operator" if step in seen else None,
        )  # fmt: skip
    assert refused_rules(refused) == {"link.called_off"}
    assert armed == []
    assert state(house, cleared) == left


def watch_arming(running):
    """The list of all times at which the vehicle was asked to arm."""
    asked, arm = [], running.autopilot.arm

    def noted():
        asked.append(running.autopilot.now_s)
        return arm()

    running.autopilot.arm = noted
    return asked


def test_stop__between_arming_and_the_start__disarmed_on_the_ground(house, cleared, simulated):
    running, url = simulated(speed_up=SPEED)
    flown = gateway.fly(
        house, cleared, url, pilot=house.actor("F1"), stop=lambda: "operator" if running.autopilot.armed else None
    )
    assert (flown.outcome, flown.reason) == (Outcome.ABORTED, "operator")
    assert running.autopilot.mode is not Mode.AUTO
    assert not running.autopilot.armed
    assert state(house, cleared) == "aborted"


def test_DC_1__vehicle_that_somebody_flies__nothing_is_written_to_it(house, cleared, simulated):
    """ArduPilot drops its mission at the first message of an upload, in the air as well."""
    running, url = simulated(speed_up=1.0)
    changed(running, running.autopilot, armed=True)
    with pytest.raises(VehicleRefused) as refused:
        gateway.fly(house, cleared, url, pilot=house.actor("F1"))
    assert refused_rules(refused) == {"link.armed"}
    assert running.autopilot.mission.is_empty
    assert running._fence.items == []
    assert running.autopilot.armed
    assert state(house, cleared) == "cleared"


def test_DC_1__another_aircraft_than_the_cleared_one__nothing_is_written_to_it(house, cleared, simulated, admin):
    running, url = simulated(speed_up=SPEED, system_id=7)
    with pytest.raises(VehicleRefused) as refused:
        gateway.fly(house, cleared, url, pilot=house.actor("F1"))
    assert refused_rules(refused) == {"link.identity"}
    assert running.autopilot.mission.is_empty
    assert state(house, cleared) == "cleared"
    assert events(house, cleared, admin)[-1][1]["rules"] == ["link.identity"]


def test_GD_16_3__vehicle_stands_elsewhere_than_the_published_take_off_place__never_armed(house, cleared, simulated):
    """The way to the line and the return were checked from there, and from nowhere else."""
    running, url = simulated(speed_up=SPEED, home_lon=113.2550)
    armed = watch_arming(running)
    with pytest.raises(VehicleRefused) as refused:
        gateway.fly(house, cleared, url, pilot=house.actor("F1"))
    assert refused_rules(refused) == {"link.not_at_home", "vehicle.home_elsewhere"}
    assert refused.value.refusals[0].measured == "51 m"
    assert armed == []
    assert state(house, cleared) == "uploaded"


def test_take_off__vehicle_arms_and_says_that_it_did_not__disarmed_and_not_airborne(house, cleared, simulated):
    running, url = simulated(speed_up=SPEED)
    arm = running.autopilot.arm

    def lying():
        arm()
        return int(mavlink.MAV_RESULT_FAILED)

    running.autopilot.arm = lying
    with pytest.raises(VehicleRefused) as refused:
        gateway.fly(house, cleared, url, pilot=house.actor("F1"))
    assert refused_rules(refused) == {"link.command_refused"}
    assert not running.autopilot.armed
    assert state(house, cleared) == "uploaded"


def test_take_off__vehicle_refuses_at_first__the_rules_are_asked_again_before_the_next_try(
    house, cleared, simulated, database
):
    """Minutes may pass between two tries; what was lawful at the first may not be at the second."""
    running, url = simulated(speed_up=SPEED)

    def refusing_once():
        running.autopilot.arm = type(running.autopilot).arm.__get__(running.autopilot)
        with psycopg.connect(_url(database.admin_url), autocommit=True) as admin:
            admin.execute("SET session_replication_role = replica")
            admin.execute("UPDATE core.device SET state = 'blocked' WHERE name = 'DR1'")
        return int(mavlink.MAV_RESULT_FAILED)

    running.autopilot.arm = refusing_once
    with pytest.raises(RuleViolation) as refused:
        gateway.fly(house, cleared, url, pilot=house.actor("F1"))
    assert "GD-14.2" in refused_rules(refused)
    assert not running.autopilot.armed


def exchange_autopilot(_running, monkeypatch):
    monkeypatch.setattr("flights.simulator.telemetry.UNIQUE_ID", 0xBAD)


def raise_the_way_home(running, _monkeypatch):
    running.autopilot.params.store("RTL_ALT", 15_000)


def move_a_waypoint(running, _monkeypatch):
    running._mission.items[5] = running._mission.items[5].moved(0.5)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (exchange_autopilot, "vehicle.exchanged"),
        (raise_the_way_home, "link.parameter"),
        (move_a_waypoint, "mission.mismatch"),
    ],
)
def test_DC_1__vehicle_changed_between_upload_and_arming__not_armed(
    house, cleared, simulated, monkeypatch, change, rule
):
    running, url = simulated(speed_up=SPEED)
    armed = watch_arming(running)

    def tell(step, _facts):
        if step is Step.READY:
            change(running, monkeypatch)

    with pytest.raises(VehicleRefused) as refused:
        gateway.fly(house, cleared, url, pilot=house.actor("F1"), tell=tell)
    assert refused_rules(refused) == {rule}
    assert armed == []
    assert state(house, cleared) == "uploaded"


def test_take_off__rules_changed_while_waiting__not_armed(house, cleared, simulated, database):
    """The last look at the rules is in the instant of arming, not at the start of the command."""
    running, url = simulated(speed_up=SPEED)

    def tell(step, _facts):
        if step is Step.READY:
            with psycopg.connect(_url(database.admin_url), autocommit=True) as admin:
                admin.execute("SET session_replication_role = replica")
                admin.execute("UPDATE core.device SET state = 'blocked' WHERE name = 'DR1'")

    with pytest.raises(RuleViolation) as refused:
        gateway.fly(house, cleared, url, pilot=house.actor("F1"), tell=tell)
    assert "GD-14.2" in refused_rules(refused)
    assert not running.autopilot.armed
    assert state(house, cleared) == "uploaded"


# -- flown --------------------------------------------------------------------------------------------------


def test_flight__R1__flown_recorded_and_judged(under_clock, cleared, ortho, tmp_path, admin):
    frames, told = tmp_path / "frames", []
    clock = ScaledClock(TEN_ON_THE_FIRST_FLYING_DAY, SPEED)
    living = under_clock(clock)
    options = {"ortho": ortho, "frames": frames, "start_time": clock.now(), "speed_up": SPEED}
    with simulator(**options) as (running, url):
        flown = gateway.fly(living, cleared, url, pilot=living.actor("F1"), tell=lambda s, f: told.append((s, f)))
    assert flown.outcome is Outcome.LANDED
    assert [step for step, _ in told if step is not Step.POSITION] == [
        Step.PERMITTED, Step.CONNECTED, Step.PREPARED, Step.READY, Step.AIRBORNE, Step.ENDED,
    ]  # fmt: skip
    assert flown.report.is_within
    assert flown.report.lateral.deviation_m < 3
    assert flown.report.vertical.deviation_m < 3
    assert flown.report.share_inside == 1.0
    assert flown.report.share_flown > 0.99
    assert flown.pictures == running.pictures == len(list(frames.glob("*.jpg"))) > 40
    assert flown.tlog_sha256 == hashlib.sha256(flown.tlog.read_bytes()).hexdigest()
    check_rows(living, cleared, flown)
    check_ledger(events(living, cleared, admin))
    check_imagery(living, cleared, frames, flown)


def check_rows(house, number, flown):
    with house.session() as session:
        flight = find(session, t.Flight, number)
        assert flight.state == "landed"
        assert flight.vehicle_mission_digest == flight.mission_digest == flown.mission_digest
        assert flight.vehicle_fence_digest == flown.fence_digest
        assert flight.tlog_sha256 == flown.tlog_sha256
        assert flight.vehicle["firmware"] == "ArduCopter 4.6.2"
        assert flight.vehicle["parameters"]["FENCE_ENABLE"] == 1
        assert flight.vehicle["parameters"]["FENCE_TYPE"] == 5
        assert flight.vehicle["fence_proof"]["digests"]["fence"] == flown.fence_digest
        assert flight.vehicle["report"]["within"] is True
        assert timedelta(minutes=8) < flight.landed_at - flight.airborne_at < timedelta(minutes=25)
        points = session.scalar(
            select(func.count()).select_from(t.TelemetryPoint).where(t.TelemetryPoint.flight_id == flight.id)
        )
        assert points == flown.report.fixes > 500
        track = to_shape(flight.flown_track)
        assert track.bounds[2] == pytest.approx(113.2850, abs=3e-5)


def check_ledger(found):
    actions = [action for action, _ in found]
    assert actions[-3:] == ["flight.upload", "flight.take_off", "flight.land"]
    assert "refused" not in actions
    upload = found[-3][1]
    assert upload["vehicle_mission_digest"]


def check_imagery(house, number, frames, flown):
    """Photos are bound to the flight by hash, lie within its time in the air, and close it."""
    pilot = house.actor("F1")
    with pytest.raises(RuleViolation):
        ingest(house, number, frames / "nowhere", actor=pilot)
    count = ingest(house, number, frames, actor=pilot)
    assert count == flown.pictures
    with house.session() as session:
        flight = find(session, t.Flight, number)
        rows = session.scalars(select(t.FlightFrame).where(t.FlightFrame.flight_id == flight.id)).all()
        assert len(rows) == count
        assert all(flight.airborne_at <= row.captured_at <= flight.landed_at for row in rows)
        assert {row.sha256 for row in rows} == {photo.sha256 for photo in read_folder(frames)}
        assert not any(row.quarantined for row in rows)
        assert all(2 < row.position_error_m < 15 for row in rows)
        assert all(row.pose["time_offset_source"] == "releases" for row in rows)
        assert all(row.pose["exif_apart_m"] < 3 for row in rows), [row.pose["exif_apart_m"] for row in rows]
        assert all(to_shape(row.footprint).contains(to_shape(row.geom)) for row in rows)
        assert flight.state == "ingested"


def test_flight__operator_stops_it__aborted_with_reason(house, cleared, simulated):
    _, url = simulated(speed_up=SPEED)
    seen = []

    def tell(step, facts):
        if step is Step.POSITION:
            seen.append(facts)

    flown = gateway.fly(
        house, cleared, url, pilot=house.actor("F1"), tell=tell, stop=lambda: "operator" if seen else None
    )
    assert (flown.outcome, flown.reason) == (Outcome.ABORTED, "operator")
    with house.session() as session:
        flight = find(session, t.Flight, cleared)
        assert (flight.state, flight.state_reason) == ("aborted", "operator")
        assert flight.tlog_sha256 == flown.tlog_sha256


def test_flight__nobody_at_the_address__still_cleared(house, cleared):
    with pytest.raises(VehicleRefused, match=r"link\.unreachable: "):
        gateway.fly(house, cleared, f"tcp:127.0.0.1:{free_port()}", pilot=house.actor("F1"))
    assert state(house, cleared) == "cleared"


def test_frames__photo_without_time_or_place__all_refused(house, tmp_path):
    from PIL import Image

    Image.new("RGB", (32, 32)).save(tmp_path / "plain.jpg")
    (tmp_path / "noise.jpg").write_bytes(b"\xff\xd8nothing")
    with pytest.raises(RuleViolation) as refused:
        read_folder(tmp_path)
    assert [r.params["name"] for r in refused.value.refusals] == ["noise.jpg", "plain.jpg"]
    assert refused.value.status == 422
