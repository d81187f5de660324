"""Remote ID: both ways in which an aircraft says who and where it is give the same values."""

import contextlib
import json
import struct
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flights.link.connection import mavlink
from flights.remote_id import messages as remote_id
from flights.remote_id.messages import BasicId, Location, Module, OperatorId, SelfId, System
from geo.types import LonLat
from schemas.refusals import RuleViolation

# Written out by hand from the tables of the standard: version 2 in the low half of the first byte.
BASIC = bytes([0x02, 0x12]) + b"1581F5BKD223Q00A1234" + bytes(3)
LOCATION = (
    bytes(
        [0x12, 0x20 | 0x02, 90, 48, 3]
    )  # airborne, over take-off, west-bound half: 90 + 180 degrees; 12 m/s; 1.5 m/s up
    + struct.pack("<ii", 231250000, 1132600000)
    + struct.pack("<HHH", 2224, 2230, 2200)  # 112 m, 115 m, 100 m
    + bytes([0x5A, 0x03])  # 3 m vertical, 10 m horizontal; 1 m/s
    + struct.pack("<H", 18005)
    + bytes([1, 0])
)
SYSTEM = (
    bytes([0x42, 0x01])
    + struct.pack("<iiHBHHB", 231240000, 1132590000, 1, 0, 0, 0, 0)
    + struct.pack("<H", 2024)
    + struct.pack("<I", 86_400)
    + bytes(1)
)
SELF = bytes([0x32, 0]) + b"Water patrol".ljust(23, b"\0")
OPERATOR = bytes([0x52, 0]) + b"CHN-OP-0001".ljust(20, b"\0") + bytes(3)


def refused(data):
    with pytest.raises(RuleViolation) as caught:
        remote_id.decode(data)
    return {refusal.rule for refusal in caught.value.refusals}


def test_basic_id__serial_of_a_multirotor():
    assert remote_id.decode(BASIC) == (BasicId("serial_number", "multirotor", "1581F5BKD223Q00A1234"),)


def test_location__every_field_in_its_unit():
    (found,) = remote_id.decode(LOCATION)
    assert found == Location(
        status="airborne",
        at=LonLat(113.26, 23.125),
        alt_ellipsoid_m=115.0,
        alt_pressure_m=112.0,
        height_m=100.0,
        height_above="take_off",
        track_deg=270.0,
        speed_m_s=12.0,
        climb_m_s=1.5,
        since_hour_s=1800.5,
        within_m=10.0,
        height_within_m=3.0,
        speed_within_m_s=1.0,
        time_within_s=0.1,
    )


def test_location__fast__second_scale_of_speed():
    fast = bytearray(LOCATION)
    fast[1] |= 1
    fast[3] = 10
    (found,) = remote_id.decode(bytes(fast))
    assert found.speed_m_s == pytest.approx(10 * 0.75 + 63.75)


def test_location__unknowns__are_none_and_no_numbers():
    unknown = bytes([0x12, 0x03, 181, 255, 126]) + bytes(8) + bytes(6) + bytes(2) + struct.pack("<H", 0xFFFF) + bytes(2)
    (found,) = remote_id.decode(unknown)
    assert [found.at, found.alt_ellipsoid_m, found.alt_pressure_m, found.height_m] == [None] * 4
    assert [found.track_deg, found.speed_m_s, found.climb_m_s, found.since_hour_s, found.within_m] == [None] * 5


def test_location__latitude_91__is_nowhere():
    off = bytearray(LOCATION)
    off[5:9] = struct.pack("<i", 910_000_000)
    (found,) = remote_id.decode(bytes(off))
    assert found.at is None


def test_location__time__is_of_the_hour_nearest_to_its_receipt():
    (found,) = remote_id.decode(LOCATION)
    assert found.captured_at(datetime(2025, 7, 2, 2, 30, 2, tzinfo=UTC)) == datetime(2025, 7, 2, 2, 30, 0, 500_000, UTC)
    late = bytearray(LOCATION)
    late[21:23] = struct.pack("<H", 35_990)
    (found,) = remote_id.decode(bytes(late))
    # Said in the last second of the hour, heard in the first of the next.
    assert found.captured_at(datetime(2025, 7, 2, 3, 0, 0, tzinfo=UTC)) == datetime(2025, 7, 2, 2, 59, 59, tzinfo=UTC)


def test_system_self_and_operator():
    (system,) = remote_id.decode(SYSTEM)
    assert system == System("live", LonLat(113.259, 23.124), 12.0, 1, 0.0, datetime(2019, 1, 2, tzinfo=UTC))
    assert remote_id.decode(SELF) == (SelfId("text", "Water patrol"),)
    assert remote_id.decode(OPERATOR) == (OperatorId("CHN-OP-0001"),)


def test_pack__all_its_messages_in_order():
    pack = bytes([0xF2, 25, 3]) + BASIC + LOCATION + OPERATOR
    assert [type(m) for m in remote_id.decode(pack)] == [BasicId, Location, OperatorId]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        BASIC[:-1],
        BASIC + b"\0",
        bytes([0xF2, 25, 0]),
        bytes([0xF2, 25, 10]) + BASIC * 10,
        bytes([0xF2, 24, 1]) + BASIC,
        bytes([0xF2, 25, 2]) + BASIC,
        bytes([0xF2, 25, 1, 0xF2]) + bytes(24),
    ],
)
def test_malformed__refused_by_rule(data):
    assert refused(data) == {"remote_id.malformed"}


def test_text__control_characters__never_reach_a_page():
    (found,) = remote_id.decode(bytes([0x32, 0]) + b"\x1b[2Jhello\x07".ljust(23, b"\0"))
    assert all(c.isprintable() for c in found.text)


sound = st.sampled_from([BASIC, LOCATION, SYSTEM, SELF, OPERATOR])
# Of any bytes hardly one is a message; of a message most changes leave one.
nearly_sound = st.builds(
    lambda whole, at, changed: whole[:at] + changed + whole[at + len(changed) :],
    sound,
    st.integers(1, 24),
    st.binary(max_size=4),
)


@given(st.binary(max_size=260) | nearly_sound)
@example(LOCATION)
def test_any_bytes__messages_or_refusal__nothing_else(data):
    with contextlib.suppress(RuleViolation):
        for message in remote_id.decode(data):
            json.dumps(remote_id.render(message), allow_nan=False)


def test_mavlink__location__gives_what_the_broadcast_gives():
    message = mavlink.MAVLink_open_drone_id_location_message(
        0, 0, [0] * 20, 2, 27000, 1200, 150, 231250000, 1132600000, 112.0, 115.0, 0, 100.0, 10, 5, 0, 3, 1800.5, 1
    )
    assert remote_id.from_mavlink(message) == remote_id.decode(LOCATION)


def test_mavlink__packed_and_parsed__all_kinds():
    codec = mavlink.MAVLink(None, srcSystem=1, srcComponent=1)
    blank = [0] * 20
    serial = list(b"1581F5BKD223Q00A1234")
    sent = [
        mavlink.MAVLink_open_drone_id_basic_id_message(0, 0, blank, 1, 2, serial),
        mavlink.MAVLink_open_drone_id_self_id_message(0, 0, blank, 0, b"Water patrol"),
        mavlink.MAVLink_open_drone_id_operator_id_message(0, 0, blank, 0, b"CHN-OP-0001"),
        mavlink.MAVLink_open_drone_id_system_message(
            0, 0, blank, 1, 0, 231240000, 1132590000, 1, 0, -1000.0, -1000.0, 0, 0, 12.0, 86_400
        ),
        mavlink.MAVLink_open_drone_id_message_pack_message(
            0, 0, blank, 25, 2, list((BASIC + LOCATION).ljust(225, b"\0"))
        ),
    ]
    heard = [m for message in sent for m in codec.parse_buffer(message.pack(codec, force_mavlink1=False))]
    told = [said for message in heard for said in remote_id.from_mavlink(message)]
    expected = [*remote_id.decode(BASIC), *remote_id.decode(SELF), *remote_id.decode(OPERATOR)]
    assert told == [*expected, *remote_id.decode(SYSTEM), *remote_id.decode(BASIC), *remote_id.decode(LOCATION)]


def test_mavlink__arm_status__whether_the_module_is_fit():
    fit = mavlink.MAVLink_open_drone_id_arm_status_message(0, b"")
    unfit = mavlink.MAVLink_open_drone_id_arm_status_message(1, b"no position")
    assert remote_id.from_mavlink(fit) == (Module(True, ""),)
    assert remote_id.from_mavlink(unfit) == (Module(False, "no position"),)


def test_mavlink__other_message__says_nothing():
    assert remote_id.from_mavlink(mavlink.MAVLink_heartbeat_message(2, 3, 0, 0, 0, 3)) == ()
