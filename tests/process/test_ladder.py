"""Orders to a flying vehicle: pause, go on, return, land; and what becomes of them when the pilot takes over."""

from __future__ import annotations

import pytest
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.link import sequence
from flights.link.errors import VehicleRefused
from flights.link.ladder import Ladder
from flights.link.modes import Hand
from flights.simulator.autopilot import Mode
from flights.simulator.options import Faults
from geo.types import LonLat
from tests.process import followed
from tests.process.test_flights import orders
from tests.simulated import changed, in_its_thread
from tests.station import slowed

FAR = LonLat(113.2880, 23.1250)


def airborne(running, link, *places):
    """A vehicle on its way along a long leg, slow enough that it stays there for a while; gives what it flies."""
    asked = orders(*(places or (LonLat(113.2550, 23.1250), FAR)))
    prepared = sequence.prepare(link, asked)
    sequence.wait_ready(link)
    followed.verify(link, prepared)
    sequence.arm(link)
    sequence.start(link)
    link.wait(lambda: link.telemetry.mission_seq >= 5 and link.telemetry.ground_speed_m_s > 8, 300, "link.not_ready")
    slowed(running, min(running.options.speed_up, 20.0))
    return asked, prepared


def pilot_chooses(running, mode):
    in_its_thread(running, lambda: running.autopilot.set_mode(int(mode)))


def test_pause_and_go_on__within_the_mission(connected):
    running, link = connected(speed_up=20.0)
    airborne(running, link)
    ladder = Ladder(link)
    rung = ladder.pause()
    assert (rung.order, rung.by, rung.tries) == ("pause", "DO_PAUSE_CONTINUE", 1)
    assert link.telemetry.ground_speed_m_s < 1.0
    assert running.autopilot.mode is Mode.AUTO
    seq = running.autopilot.mission.seq
    assert ladder.go_on().by == "DO_PAUSE_CONTINUE"
    link.wait(lambda: link.telemetry.ground_speed_m_s > 8, 60, "link.not_ready")
    assert running.autopilot.mission.seq == seq
    assert not ladder.pilot_took_over


def test_pause__firmware_cannot_within_the_mission__brakes_and_goes_on_in_auto(connected):
    running, link = connected(speed_up=20.0)
    airborne(running, link)
    del running._orders._orders[mavlink.MAV_CMD_DO_PAUSE_CONTINUE]
    ladder = Ladder(link)
    rung = ladder.pause()
    assert (rung.by, rung.mode) == ("DO_SET_MODE", "BRAKE")
    assert ladder.go_on().mode == "AUTO"
    link.wait(lambda: link.telemetry.ground_speed_m_s > 8, 60, "link.not_ready")


def test_pause__said_yes_but_flies_on__brakes(connected):
    """An acknowledgement proves nothing: the aircraft has to stand."""
    running, link = connected(speed_up=20.0)
    airborne(running, link)
    running._orders._orders[mavlink.MAV_CMD_DO_PAUSE_CONTINUE] = lambda _params: mavlink.MAV_RESULT_ACCEPTED
    assert Ladder(link).pause().mode == "BRAKE"


def test_return_then_land__each_shown_by_the_vehicle(connected):
    running, link = connected(speed_up=100.0)
    airborne(running, link)
    ladder = Ladder(link)
    assert ladder.return_home().mode == "RTL"
    assert link.modes.homeward
    assert ladder.land().mode == "LAND"
    link.wait(lambda: not link.vehicle.armed, 300, "link.not_ready")
    assert not ladder.pilot_took_over
    assert {change.hand for change in link.modes.changes} == {Hand.GATEWAY}


def test_return__order_unknown_to_the_firmware__by_mode(connected):
    running, link = connected(speed_up=100.0)
    airborne(running, link)
    del running._orders._orders[mavlink.MAV_CMD_NAV_RETURN_TO_LAUNCH]
    assert Ladder(link).return_home().by == "DO_SET_MODE"


def test_return__on_a_lossy_line__repeated_until_its_own_answer(connected, monkeypatch):
    monkeypatch.setattr("flights.link.commands.REPEAT_S", 0.1)
    monkeypatch.setattr("flights.link.commands.TRIES", 40)
    running, link = connected(speed_up=80.0)
    airborne(running, link)
    changed(running, running._wire, _faults=Faults(loss=0.5))
    sent = []
    link.connection.forward(lambda m: sent.append(m.command) if m.get_type() == "COMMAND_ACK" else None)
    rung = Ladder(link).return_home()
    assert rung.mode == "RTL"


def test_answer_to_another_order_or_station__not_taken_for_ours(connected, monkeypatch):
    """A stale acknowledgement of another order, and one for another ground station, lie in the way."""
    monkeypatch.setattr("flights.link.commands.REPEAT_S", 0.2)
    running, link = connected(speed_up=100.0)
    airborne(running, link)
    send = running._wire.send

    def crowded(message):
        if message.get_type() == "COMMAND_ACK":
            ack = mavlink.MAVLink_command_ack_message
            send(ack(mavlink.MAV_CMD_MISSION_START, mavlink.MAV_RESULT_FAILED, 0, 0, 245, 190))
            send(ack(message.command, mavlink.MAV_RESULT_DENIED, 0, 0, 255, 190))
        send(message)

    running._orders._send = crowded
    assert Ladder(link).return_home().by == "NAV_RETURN_TO_LAUNCH"


def test_order__in_progress__has_a_time_of_its_own(connected, monkeypatch):
    # However late an answer comes on a busy machine, it is no silence.
    monkeypatch.setattr("flights.link.commands.REPEAT_S", 60.0)
    running, link = connected(speed_up=100.0)
    answers = []

    def slow(_params):
        if not answers:
            answers.append("in progress")
            return mavlink.MAV_RESULT_IN_PROGRESS
        return mavlink.MAV_RESULT_ACCEPTED

    running._orders._orders[mavlink.MAV_CMD_RUN_PREARM_CHECKS] = slow
    with pytest.raises(VehicleRefused) as refused:
        monkeypatch.setattr("flights.link.commands.IN_PROGRESS_S", 0.5)
        monkeypatch.setattr("flights.link.commands.TRIES", 1)
        link.commands.run(mavlink.MAV_CMD_RUN_PREARM_CHECKS)
    assert refused.value.refusals[0].rule == "link.command_timeout"
    assert link.commands.run(mavlink.MAV_CMD_RUN_PREARM_CHECKS).tries == 1


def test_order__rejected_for_the_moment__tried_again(connected, monkeypatch):
    monkeypatch.setattr("flights.link.commands.REPEAT_S", 60.0)
    monkeypatch.setattr("flights.link.commands.REASON_S", 0.02)
    running, link = connected(speed_up=100.0)
    answers = [mavlink.MAV_RESULT_TEMPORARILY_REJECTED, mavlink.MAV_RESULT_ACCEPTED]
    running._orders._orders[mavlink.MAV_CMD_RUN_PREARM_CHECKS] = lambda _params: answers.pop(0)
    assert link.commands.run(mavlink.MAV_CMD_RUN_PREARM_CHECKS).tries == 2


@pytest.mark.parametrize("mode", [Mode.LOITER, Mode.STABILIZE, Mode.GUIDED])
def test_pilot_takes_over__nothing_is_ordered_any_more(connected, mode):
    running, link = connected(speed_up=80.0)
    airborne(running, link)
    # The order to arm in GUIDED is still fresh in so fast a simulation.
    with link.modes._lock:
        link.modes._ordered.clear()
        link.modes._ordered.append((int(Mode.AUTO), 0.0))
    ladder = Ladder(link)
    pilot_chooses(running, mode)
    link.wait(lambda: ladder.pilot_took_over, 30, "link.not_ready")
    sent = []
    monitor = running._orders._carry_out
    running._orders._carry_out = lambda *arguments: sent.append(arguments) or monitor(*arguments)
    for rung in (ladder.pause, ladder.go_on, ladder.return_home, ladder.land):
        with pytest.raises(VehicleRefused) as refused:
            rung()
        assert refused.value.refusals[0].rule == "vehicle.pilot_has_control"
    assert sent == []
    assert running.autopilot.mode is mode
    assert link.modes.changes[-1].hand is Hand.PILOT


def test_pilot_returns_it_by_hand__known_as_the_pilots_when_no_alarm_explains_it(connected, monkeypatch):
    monkeypatch.setattr("flights.link.modes.UNEXPLAINED_AFTER_S", 0.1)
    running, link = connected(speed_up=80.0)
    airborne(running, link)
    pilot_chooses(running, Mode.RTL)
    link.wait(lambda: Ladder(link).pilot_took_over, 60, "link.not_ready")


def test_pilot_gives_it_back__orders_are_taken_again(connected):
    running, link = connected(speed_up=80.0)
    airborne(running, link)
    ladder = Ladder(link)
    pilot_chooses(running, Mode.LOITER)
    link.wait(lambda: ladder.pilot_took_over, 30, "link.not_ready")
    pilot_chooses(running, Mode.AUTO)
    link.wait(lambda: not ladder.pilot_took_over, 30, "link.not_ready")
    assert ladder.return_home().mode == "RTL"


def test_vehicle_turns_back_itself__not_taken_for_the_pilot(connected):
    """Its own failsafe is neither ours nor the pilot's: it may still be ordered about, and need not be."""
    running, link = connected(speed_up=80.0)
    airborne(running, link)
    changed(running, running.autopilot.battery, percent=18.0)
    link.wait(lambda: link.modes.homeward, 60, "link.not_ready")
    link.pause(10.0)
    assert link.modes.hand is Hand.VEHICLE
    assert not Ladder(link).pilot_took_over
    assert Ladder(link).land().mode == "LAND"


def test_order_without_effect__refused_with_what_the_vehicle_says(connected):
    running, link = connected(speed_up=100.0)
    airborne(running, link)
    for command in (mavlink.MAV_CMD_NAV_RETURN_TO_LAUNCH, mavlink.MAV_CMD_DO_SET_MODE):
        running._orders._orders[command] = lambda _params: mavlink.MAV_RESULT_ACCEPTED
    with pytest.raises(VehicleRefused) as refused:
        Ladder(link).return_home()
    assert refused.value.refusals[0].rule == "vehicle.order_without_effect"
