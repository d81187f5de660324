"""One frame of MAVLink 2 as the message that pymavlink makes of it, in half the time. Pure.

pymavlink takes frames of every version and copies each several times. What comes here is whole and believed
(flights/link/signing.py), and most of it, at ten times a second from every aircraft, is plain numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import itemgetter
from struct import Struct
from typing import Any, NamedTuple

from pymavlink.dialects.v20 import ardupilotmega as mavlink

_HEAD = Struct("<BBBBBBBHB")
_CHECKSUM = Struct("<H")
_NOTHING = bytes(255)
_MARK = mavlink.PROTOCOL_MARKER_V2
_SHORTEST = mavlink.HEADER_LEN_V2 + _CHECKSUM.size


class _Layout(NamedTuple):
    """A kind of message: its class, how its numbers lie in the frame, and the order in which the class takes them."""

    make: Callable[..., Any]
    numbers: Struct
    in_order: Callable[[tuple[Any, ...]], tuple[Any, ...]]
    seed: bytes


def _layout(kind: Any) -> _Layout | None:  # noqa: ANN401
    """None for a kind with texts or lists in it, or with a single number: pymavlink decodes those."""
    if any(length != 1 for length in kind.lengths) or "char" in kind.fieldtypes or len(kind.orders) < 2:
        return None
    return _Layout(kind, kind.unpacker, itemgetter(*kind.orders), bytes((kind.crc_extra,)))


_LAYOUTS = {number: _layout(kind) for number, kind in mavlink.mavlink_map.items()}


def whole(data: bytes) -> Iterator[bytearray]:
    """The whole frames of MAVLink 2 with which bytes begin, up to the first that is torn, or none, or asks for more."""
    at, size = 0, len(data)
    while at + _SHORTEST <= size and data[at] == _MARK and data[at + 2] <= mavlink.MAVLINK_IFLAG_SIGNED:
        end = at + _SHORTEST + data[at + 1] + mavlink.MAVLINK_SIGNATURE_BLOCK_LEN * data[at + 2]
        if end > size:
            return
        yield bytearray(data[at:end])
        at = end


def decode(frame: bytearray) -> Any | None:  # noqa: ANN401
    """The message of a whole frame; None where pymavlink has to be asked. Raises MAVError where its sum is wrong."""
    _mark, length, incompatible, compatible, sequence, system, component, low, high = _HEAD.unpack_from(frame)
    number = low | high << 16
    layout = _LAYOUTS.get(number)
    if layout is None:
        return None
    end = mavlink.HEADER_LEN_V2 + length
    (checksum,) = _CHECKSUM.unpack_from(frame, end)
    if mavlink.x25crc(bytes(frame[1:end]) + layout.seed).crc != checksum:
        raise mavlink.MAVError(f"invalid MAVLink CRC in msgID {number}")
    payload = frame[mavlink.HEADER_LEN_V2 : end]
    if length < layout.numbers.size:  # zeros at the end are not sent
        payload += _NOTHING[: layout.numbers.size - length]
    message = layout.make(*layout.in_order(layout.numbers.unpack_from(payload)))
    # What pymavlink's own decoder fills.
    message._msgbuf = frame
    message._payload = frame[6:end]
    message._crc = checksum
    message._header = mavlink.MAVLink_header(number, incompatible, compatible, length, sequence, system, component)
    return message
