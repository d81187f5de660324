"""What the fleet of the bench sends is signed, of eight kinds at ten times a second, and told place by place."""

from collections import Counter

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from bench import fleet
from bench.gateway import Decoders

SECONDS = 3


def decoded(vehicle, key):
    codec = mavlink.MAVLink(None)
    codec.robust_parsing = True
    codec.signing.secret_key = key
    return [message for piece in vehicle.pieces for message in codec.parse_buffer(piece)]


def test_fleet__ten_times_a_second__eight_kinds_and_a_heartbeat_each_second():
    (vehicle,) = fleet.vehicles(1, SECONDS)
    kinds = Counter(message.get_type() for message in decoded(vehicle, vehicle.key))
    assert kinds.pop("HEARTBEAT") == SECONDS
    assert set(kinds.values()) == {SECONDS * fleet.HERTZ}
    assert len(kinds) == 8
    assert vehicle.frames == SECONDS * (8 * fleet.HERTZ + 1)


def test_fleet__positions__are_those_that_are_told_and_one_cannot_be():
    first, second = fleet.vehicles(2, SECONDS)
    places = [m for m in decoded(second, second.key) if m.get_type() == "GLOBAL_POSITION_INT"]
    assert [(m.time_boot_ms, m.lon, m.lat) for m in places] == [told[:3] for told in second.told]
    assert [told.is_plausible for told in second.told].count(False) == 1
    assert first.line != second.line


def test_fleet__another_key__nothing_is_believed():
    first, second = fleet.vehicles(2, SECONDS)
    assert {message.get_type() for message in decoded(first, second.key)} == {"BAD_DATA"}


def test_decoders__count_the_good_frames_alone():
    first, second = fleet.vehicles(2, SECONDS)
    swapped = fleet.Vehicle(2, first.key, second.line, second.pieces, second.told, second.frames)
    peer = Decoders([first, swapped])
    peer.prepare()
    assert peer.decode() == [first.frames, 0]
