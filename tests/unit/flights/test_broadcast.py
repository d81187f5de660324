"""Remote ID in captured bytes: every carrier, in a packet and in a whole capture, and bytes that mean harm."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flights.remote_id.broadcast import heard_in
from flights.remote_id.messages import BasicId, Location, OperatorId
from tests.unit.flights.test_remote_id import BASIC, LOCATION, OPERATOR, SELF, SYSTEM

PACK = bytes([0xF2, 25, 3]) + BASIC + LOCATION + OPERATOR
COUNTER = b"\x07"


def legacy(message):
    """Bluetooth 4: one advertisement of 31 bytes."""
    return bytes([30, 0x16]) + b"\xfa\xff\x0d" + COUNTER + message


def extended(pack):
    """Bluetooth 5: flags, then the service data."""
    return b"\x02\x01\x06" + bytes([5 + len(pack), 0x16]) + b"\xfa\xff\x0d" + COUNTER + pack


def beacon(pack):
    """A Wi-Fi beacon: header, an SSID, the element of the vendor, and one more behind it."""
    element = b"\xfa\x0b\xbc\x0d" + COUNTER + pack
    ssid = b"\x00\x03RID"
    return b"\x80\x00" + bytes(34) + ssid + bytes([0xDD, len(element)]) + element + b"\x01\x01\x82"


def aware(pack):
    """Wi-Fi neighbour awareness: a service descriptor in a public action frame."""
    information = COUNTER + pack
    descriptor = b"\x88\x69\x19\x9d\x92\x09" + b"\x01\x00\x10" + bytes([len(information)]) + information
    return bytes(24) + b"\x04\x09\x50\x6f\x9a\x13\x03" + struct.pack("<H", len(descriptor)) + descriptor + b"\x0e\x04"


CARRIERS = {"bluetooth": (legacy(BASIC), [BasicId]), "wifi_beacon": (beacon(PACK), [BasicId, Location, OperatorId])}
CARRIERS |= {"wifi_aware": (aware(PACK), [BasicId, Location, OperatorId])}


@pytest.mark.parametrize(("carrier", "frame", "kinds"), [(name, *value) for name, value in CARRIERS.items()])
def test_carrier__its_messages(carrier, frame, kinds):
    (heard,) = heard_in(frame)
    assert (heard.carrier, [type(message) for message in heard.messages]) == (carrier, kinds)


def test_bluetooth_5__pack_behind_flags():
    (heard,) = heard_in(extended(PACK))
    assert [type(message) for message in heard.messages] == [BasicId, Location, OperatorId]


def test_capture__many_packets_between_other_bytes__all_found_where_they_lie():
    noise = bytes(range(100))
    capture = noise + legacy(BASIC) + noise + beacon(PACK) + noise + aware(PACK) + noise
    heard = list(heard_in(capture))
    assert [one.carrier for one in heard] == ["bluetooth", "wifi_beacon", "wifi_aware"]
    assert sum(len(one.messages) for one in heard) == 7
    assert heard[0].place == len(noise) + 1


@pytest.mark.parametrize("style", [bytes.hex, lambda data: data.hex(" ").upper(), lambda data: data.hex(":")])
def test_hexadecimal__one_packet_a_line(style):
    lines = "\n\n".join(style(packet) for packet in (legacy(BASIC), legacy(LOCATION), PACK)) + "\n"
    assert [len(one.messages) for one in heard_in(lines.encode())] == [1, 1, 3]


@pytest.mark.parametrize(
    ("data", "count"),
    [(BASIC, 1), (BASIC + LOCATION + SELF + SYSTEM, 4), (PACK, 3), (b"\x0d\x07" + BASIC, 1), (b"\x0d\x07" + PACK, 3)],
)
def test_bare__messages_as_a_scanner_hands_them_out(data, count):
    heard = list(heard_in(data))
    assert {one.carrier for one in heard} == {"bare"}
    assert sum(len(one.messages) for one in heard) == count


@pytest.mark.parametrize(
    "frame", [legacy(BASIC)[:-3], beacon(PACK[:-1]), aware(PACK[:60]), extended(bytes([0xF2, 25, 9]) + BASIC), bytes(7)]
)
def test_damaged__told_with_its_reason_and_no_message(frame):
    (heard,) = heard_in(frame)
    assert heard.messages == ()
    assert heard.refused.rule == "remote_id.malformed"


def test_damaged__the_next_one_is_still_read():
    heard = list(heard_in(legacy(BASIC)[:20] + legacy(LOCATION)))
    assert [bool(one.refused) for one in heard][-1] is False
    assert [type(message) for one in heard for message in one.messages][-1] is Location


def test_text_that_is_no_capture__no_message():
    assert sum(len(one.messages) for one in heard_in(b"Dear pilot, your flight is cleared.\n")) == 0


def test_bytes_of_another_file__whose_length_would_fit__no_message():
    assert sum(len(one.messages) for one in heard_in(b"\x89PNG\r\n\x1a\n" + bytes(range(67)))) == 0


FRAGMENTS = [legacy(BASIC), extended(PACK), beacon(PACK), aware(PACK), BASIC, PACK, b"\xfa\xff\x0d", b"\xdd\xff"]


@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from(FRAGMENTS)), max_size=8), st.integers(0, 9))
def test_any_bytes__never_fails_and_says_where(parts, cut):
    data = b"".join(parts)[cut:]
    for one in heard_in(data):
        assert 0 <= one.place < max(len(data), 1)
        assert bool(one.refused) <= (one.messages == ())


@given(st.text(alphabet="0123456789abcdefXx :-,\n", max_size=400))
def test_any_digits__never_fails(text):
    list(heard_in(text.encode()))
