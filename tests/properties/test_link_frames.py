"""Our decoder and pymavlink's make the same of every frame of every kind, and both refuse the same."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from bench.gateway import Wire
from flights.link import frames
from flights.link.connection import Connection

KINDS = sorted(mavlink.mavlink_map)
PLAIN = [number for number in KINDS if frames._LAYOUTS[number] is not None]


def packed(number, payload, *, flags=0, sequence=7, source=(1, 1)):
    """A frame around any bytes, with its sum, cut of its zeros as a vehicle does it, unsigned or with any signature."""
    payload = payload.rstrip(b"\0") or b"\0"
    head = bytes((len(payload), flags, 0, sequence, *source)) + number.to_bytes(3, "little")
    checksum = mavlink.x25crc(head + payload + bytes((mavlink.mavlink_map[number].crc_extra,))).crc
    return bytearray(b"\xfd" + head + payload + checksum.to_bytes(2, "little") + (bytes(13) if flags & 1 else b""))


def same(one, other):
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return one == other and type(one) is type(other)


@settings(max_examples=400, deadline=None)
@given(number=st.sampled_from(PLAIN), data=st.data())
def test_frame__any_numbers__the_message_of_pymavlink(number, data):
    size = mavlink.mavlink_map[number].unpacker.size
    frame = packed(number, data.draw(st.binary(min_size=1, max_size=size)), flags=data.draw(st.sampled_from([0, 1])))
    ours, theirs = frames.decode(bytearray(frame)), mavlink.MAVLink(None).decode(bytearray(frame))
    assert type(ours) is type(theirs)
    for name in theirs.fieldnames:
        assert same(getattr(ours, name), getattr(theirs, name)), name
    assert vars(ours.get_header()) == vars(theirs.get_header())
    for name in ("_msgbuf", "_payload", "_crc", "_signed", "_link_id", "_type"):
        assert getattr(ours, name) == getattr(theirs, name), name
    assert ours.get_msgbuf() == frame


@settings(max_examples=100, deadline=None)
@given(number=st.sampled_from(PLAIN), data=st.data())
def test_frame__one_bit_turned__refused(number, data):
    frame = packed(number, b"\x01\x02\x03")
    bit = data.draw(st.integers(8 * 2, 8 * len(frame) - 1))
    frame[bit // 8] ^= 1 << bit % 8
    made = None
    try:
        made = frames.decode(bytearray(frame))
    except mavlink.MAVError:
        return
    assert made is None  # the number of another kind, one for pymavlink
    with pytest.raises(mavlink.MAVError):
        found = mavlink.MAVLink(None).decode(bytearray(frame))
        if found.get_type().startswith("UNKNOWN"):
            raise mavlink.MAVError("unknown")


@st.composite
def streams(draw):
    """Frames, torn and turned ones, MAVLink 1 and noise, one after the other."""
    pieces = []
    for number in draw(st.lists(st.sampled_from(KINDS), max_size=12)):
        payload = draw(st.binary(min_size=1, max_size=mavlink.mavlink_map[number].unpacker.size))
        frame = bytes(packed(number, payload, flags=draw(st.sampled_from([0, 0, 1, 1, 2, 3]))))
        what = draw(st.sampled_from(["whole", "whole", "whole", "torn", "turned", "version 1", "noise"]))
        if what == "torn":
            frame = frame[: draw(st.integers(1, len(frame)))]
        elif what == "turned":
            at = draw(st.integers(0, len(frame) - 1))
            frame = frame[:at] + bytes((frame[at] ^ 1 << draw(st.integers(0, 7)),)) + frame[at + 1 :]
        elif what == "version 1":
            frame = bytes((mavlink.PROTOCOL_MARKER_V1, len(payload), 0, 1, 1, number & 255)) + payload + b"\1\2"
        elif what == "noise":
            frame = draw(st.binary(max_size=20))
        pieces.append(frame)
    data = b"".join(pieces)
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=6)))
    return [data[start:end] for start, end in pairwise([0, *cuts, len(data)])]


@settings(max_examples=300, deadline=None)
@given(streams())
def test_stream__cut_anywhere__the_messages_that_pymavlink_finds(chunks):
    ours, theirs = Connection(Wire()).codec, Connection(Wire()).codec
    found = [message for chunk in chunks for message in ours.parse_buffer(chunk)]
    expected = [message for chunk in chunks for message in mavlink.MAVLink.parse_buffer(theirs, chunk) or ()]
    assert [bytes(m.get_msgbuf()) for m in found] == [bytes(m.get_msgbuf()) for m in expected]
    assert [m.get_type() for m in found] == [m.get_type() for m in expected]
    reasons = [[m.reason for m in some if m.get_type() == "BAD_DATA"] for some in (found, expected)]
    assert [reason.split(" 0x")[0] for reason in reasons[0]] == [reason.split(" 0x")[0] for reason in reasons[1]]
    assert bytes(ours.buf[ours.buf_index :]) == bytes(theirs.buf[theirs.buf_index :])


def test_kinds_with_texts_and_lists__left_to_pymavlink():
    for name in ("STATUSTEXT", "PARAM_VALUE", "AUTOPILOT_VERSION", "CAMERA_FEEDBACK", "GLOBAL_POSITION_INT"):
        kind = getattr(mavlink, f"MAVLink_{name.lower()}_message")
        is_plain = name in ("GLOBAL_POSITION_INT", "CAMERA_FEEDBACK")
        assert (kind.id in PLAIN) is is_plain, name


def test_unknown_kind__left_to_pymavlink():
    frame = packed(0, b"\x01")
    frame[7:10] = (999_999).to_bytes(3, "little")
    assert frames.decode(frame) is None
