"""The simulated aircraft's Remote ID module, seen from the socket: what it says, how often, and what can be wrong."""

from __future__ import annotations

import time
from collections import defaultdict
from itertools import pairwise

import pytest
from click.testing import CliRunner
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.link.signing import Signature
from flights.link.vehicle import VehicleLink
from flights.remote_id import messages as remote_id
from flights.remote_id.messages import BasicId, Location, Module, OperatorId, SelfId, System
from flights.simulator.identity import COMPONENT, WRONG_SERIAL
from flights.simulator.options import Faults, Identity
from geo import measure
from geo.types import LonLat
from schemas.clock import SystemClock
from schemas.refusals import RuleViolation
from tests.simulated import simulator
from tests.station import settled, stamped, take_off, wait
from web.cli import simulator as command

IDENTITY = Identity("1581F5BKD223Q00A1234", "CHN-OP-0001")
HOME = LonLat(113.2545, 23.1250)
KEY = bytes(range(32))


KINDS = {BasicId, Location, SelfId, System, OperatorId, Module}


def says(asks, fresh=True):
    """What the module says from now on, by kind, or since it began: the last of each, once all were heard."""
    if fresh:
        asks.drains()
    said, until = {}, time.monotonic() + 60
    while not said.keys() >= KINDS:
        assert time.monotonic() < until, said
        heard = [m for m in asks.listens(0.05) if m.get_srcComponent() == COMPONENT]
        said |= {type(each): each for message in heard for each in remote_id.from_mavlink(message)}
    return said


def test_remote_id__all_kinds__decoded_as_they_were_told(station):
    vehicle, asks = station(identity=IDENTITY)
    settled(vehicle)
    said = says(asks)
    assert said[BasicId] == BasicId("serial_number", "multirotor", IDENTITY.serial)
    assert said[OperatorId] == OperatorId(IDENTITY.operator)
    assert said[SelfId].text == "Simulated patrol"
    assert said[System].operator_from == "take_off"
    assert measure.distance_m(said[System].operator_at, HOME) < 1
    assert said[Location].status == "ground"
    assert measure.distance_m(said[Location].at, HOME) < 5
    assert said[Module] == Module(True, "")


def test_remote_id__before_there_is_a_position__no_place_and_not_fit(station):
    _, asks = station(identity=IDENTITY, speed_up=1.0)
    said = says(asks, fresh=False)
    assert said[Location].at is None
    assert said[Location].since_hour_s is None
    assert said[Module] == Module(False, "no position")


def test_remote_id__in_the_air__says_so_where_it_is(station):
    vehicle, asks = station(identity=IDENTITY, speed_up=40.0)
    take_off(vehicle, asks)
    wait(lambda: vehicle.autopilot.height_m > 5)
    said = says(asks)
    assert said[Location].status == "airborne"
    assert said[Location].height_m > 4


def test_F3411__place_every_second__what_is_fixed_every_three(station):
    vehicle, asks = station(identity=IDENTITY, speed_up=50.0)
    said = stamped(vehicle)
    settled(vehicle, 50.0)
    at_s = defaultdict(list)
    for now_s, message in list(said):
        at_s[message.get_type()].append(now_s)
    for kind, every_s in {"LOCATION": 1, "BASIC_ID": 3, "SELF_ID": 3, "SYSTEM": 3, "OPERATOR_ID": 3}.items():
        apart_s = [after - before for before, after in pairwise(at_s[f"OPEN_DRONE_ID_{kind}"])]
        assert len(apart_s) > 10
        assert apart_s == pytest.approx([every_s] * len(apart_s), abs=0.2)
    assert says(asks).keys() >= KINDS


def test_wrong_remote_id__another_serial_number(station):
    _, asks = station(identity=IDENTITY, faults=Faults(wrong_remote_id=True))
    assert says(asks)[BasicId].uas_id == WRONG_SERIAL


def test_remote_id_off__another_place_than_its_own(station):
    vehicle, asks = station(identity=IDENTITY, faults=Faults(remote_id_off_m=300.0))
    settled(vehicle)
    assert measure.distance_m(says(asks)[Location].at, HOME) == pytest.approx(300, abs=5)


def test_no_remote_id__nobody_but_the_autopilot_speaks(station):
    _, asks = station()
    assert {m.get_srcComponent() for m in asks.listens(0.3)} == {1}


def test_key__module_signs_like_its_autopilot():
    with (
        simulator(key=KEY, identity=IDENTITY) as (_, url),
        VehicleLink.connect(url, SystemClock(), signature=Signature(KEY, 1)) as link,
    ):
        with link.connection.listen("OPEN_DRONE_ID_BASIC_ID") as inbox:
            heard = inbox.get(60.0)
        assert heard.get_srcComponent() == COMPONENT
        assert heard.get_header().incompat_flags == mavlink.MAVLINK_IFLAG_SIGNED
        assert link.connection.counts["link.unsigned"] == link.connection.counts["link.replay"] == 0


@pytest.mark.parametrize("identity", [Identity(""), Identity("x" * 21), Identity("序列"), Identity("A", "\n")])
def test_options__identity_that_cannot_be_sent__refused(identity):
    with pytest.raises(RuleViolation, match=r"simulator\.option: "), simulator(identity=identity):
        pass


@pytest.fixture
def flown(monkeypatch):
    asked = []
    monkeypatch.setattr(command, "_fly", lambda fleet, _text: asked.extend(fleet))

    def run(*arguments):
        result = CliRunner().invoke(command.simulator, ["--home", "113.2,23.1,8", *arguments])
        return result, asked

    return run


def test_command__remote_id__taken(flown):
    words = ["--remote-id", "SN-1", "--operator-id", "OP-1", "--wrong-remote-id", "--remote-id-off-m", "40"]
    result, (options,) = flown(*words)
    assert result.exit_code == 0
    assert options.identity == Identity("SN-1", "OP-1")
    assert options.faults == Faults(wrong_remote_id=True, remote_id_off_m=40.0)


def test_command__no_remote_id__none(flown):
    _, (options,) = flown()
    assert options.identity is None


def test_command__something_wrong_with_no_remote_id__usage(flown):
    result, asked = flown("--wrong-remote-id")
    assert (result.exit_code, asked) == (2, [])
