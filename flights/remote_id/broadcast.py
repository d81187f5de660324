"""Remote ID as it goes through the air: found in captured bytes by the frames that carry it. Pure.

Three carriers, as ASTM F3411-22a and ASD-STAN prEN 4709-002 have them: Bluetooth advertising with service data of
0xFFFA (legacy: one message; extended: a pack), the vendor element of ASD-STAN in Wi-Fi beacons, and the service
information of Wi-Fi neighbour awareness. They are looked for wherever they lie, so that a packet, its bytes in
hexadecimal and a whole capture file (pcap, btsnoop) are read alike. Where no carrier is found, the bytes are taken
for bare messages. What is damaged is told with its reason and its place, and nothing else is lost for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from flights.remote_id import messages as remote_id
from flights.remote_id.messages import MESSAGE_BYTES, PACK, Message
from schemas.refusals import Refusal, RuleViolation

APPLICATION = 0x0D
# Of single messages; what begins otherwise is no message by itself.
LAST_KIND, LAST_VERSION = 5, 2
_HEX = re.compile(rb"(?:0[xX])?[0-9A-Fa-f]{2}(?:[\s:,\-]*(?:0[xX])?[0-9A-Fa-f]{2})*[\s:,\-]*")
_SPACES = re.compile(rb"[\s:,\-]|0[xX]")
# Behind each mark lie a counter of one byte and the messages.
_BLUETOOTH = b"\x16\xfa\xff\x0d"
_BEACON = b"\xfa\x0b\xbc\x0d"
_AWARENESS = b"\x88\x69\x19\x9d\x92\x09"
_VENDOR_ELEMENT = 0xDD
_MARKS = re.compile(b"|".join(re.escape(mark) for mark in (_BLUETOOTH, _BEACON, _AWARENESS)))


@dataclass(frozen=True, slots=True)
class Heard:
    """What one frame said: its carrier, where it begins in the bytes, and its messages, or why there are none."""

    carrier: str
    place: int
    messages: tuple[Message, ...]
    refused: Refusal | None = None


def heard_in(data: bytes) -> Iterator[Heard]:
    """Everything that was broadcast in captured bytes, or in lines of hexadecimal digits; never raises."""
    lines = _lines_of_hex(data)
    if lines is None:
        yield from _heard(data, 0)
        return
    place = 0
    for line in lines:
        yield from _heard(line, place)
        place += len(line)


def _lines_of_hex(data: bytes) -> list[bytes] | None:
    """The bytes that lines of hexadecimal digits stand for, None where they are something else."""
    lines = [line.strip() for line in data.splitlines() if line.strip()] if data.isascii() else []
    if not lines or not all(_HEX.fullmatch(line) for line in lines):
        return None
    return [bytes.fromhex(_SPACES.sub(b"", line).decode("ascii")) for line in lines]


def _heard(data: bytes, offset: int) -> Iterator[Heard]:
    found = False
    for mark in _MARKS.finditer(data):
        carried = _carried(data, mark)
        if carried is not None:
            found = True
            carrier, content = carried
            yield _decoded(carrier, offset + mark.start(), content)
    if not found:
        for place, content in _bare(data):
            yield _decoded("bare", offset + place, content)


def _carried(data: bytes, mark: re.Match[bytes]) -> tuple[str, bytes] | None:
    """The carrier that a mark belongs to, and what it carries by its own length; None for a chance likeness."""
    begin, end = mark.span()
    if mark[0] == _AWARENESS:
        # Instance, requestor, control, length of the information; the length counts the counter.
        length = data[end + 3] if len(data) > end + 3 else 0
        return ("wifi_aware", data[end + 5 : end + 4 + length]) if length else None
    if mark[0] == _BEACON:
        is_element = begin >= 2 and data[begin - 2] == _VENDOR_ELEMENT
        return ("wifi_beacon", data[end + 1 : begin + data[begin - 1]]) if is_element else None
    return ("bluetooth", data[end + 1 : begin + data[begin - 1]]) if begin >= 1 else None


def _bare(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Messages without a carrier: with application code and counter before them, or one after the other."""
    start = 2 if data[:1] == bytes([APPLICATION]) and len(data) >= 2 + MESSAGE_BYTES else 0
    places = range(start, len(data), MESSAGE_BYTES)
    if (len(data) - start) % MESSAGE_BYTES == 0 and all(_begins_message(data[place]) for place in places):
        for place in places:
            yield place, data[place : place + MESSAGE_BYTES]
    elif data:
        yield start, data[start:]


def _begins_message(head: int) -> bool:
    return head >> 4 <= LAST_KIND and head & 15 <= LAST_VERSION


def _decoded(carrier: str, place: int, content: bytes) -> Heard:
    is_pack = bool(content) and content[0] >> 4 == PACK
    try:
        # Behind a single message of an advertisement other data may lie.
        single = content if is_pack or carrier == "bare" else content[:MESSAGE_BYTES]
        return Heard(carrier, place, remote_id.decode(single))
    except RuleViolation as refused:
        return Heard(carrier, place, (), refused.refusals[0])
