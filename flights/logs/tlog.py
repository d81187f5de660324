"""Reads a telemetry log (`.tlog`): frames of MAVLink, each behind its time of receipt in microseconds, big-endian.

A log holds both directions and every vehicle on the link; one vehicle's autopilot is read, the rest is counted.
Damaged stretches are skipped and told; a last record that was cut off is no fault of the flight.
"""

from __future__ import annotations

import mmap
import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from fastcrc import crc16
from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.link.modes import HOMEWARD
from flights.logs.listing import Listing
from flights.logs.open import mapped, unreadable
from flights.logs.record import Attitudes, Clock, Found, Logged, Pictures, Positions, Source, clock_of
from schemas.limits import limit

MAGIC_1, MAGIC_2 = 0xFE, 0xFD
AUTOPILOT = 1
# Times of receipt outside 2010 - 2100 are no times of receipt.
_EARLIEST_US, _LATEST_US = 1_262_304_000_000_000, 4_102_444_800_000_000
_EARLIEST_UTC_S = 1_577_836_800.0
_TIME = struct.Struct(">Q")
_UNKNOWN_U16 = 65_535
# A time since boot that falls back by more than this means that the vehicle was started again.
_REBOOT_S = 10.0

WANTED = {
    mavlink.MAVLINK_MSG_ID_HEARTBEAT,
    mavlink.MAVLINK_MSG_ID_SYSTEM_TIME,
    mavlink.MAVLINK_MSG_ID_ATTITUDE,
    mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT,
    mavlink.MAVLINK_MSG_ID_MISSION_CURRENT,
    mavlink.MAVLINK_MSG_ID_CAMERA_FEEDBACK,
    mavlink.MAVLINK_MSG_ID_MISSION_COUNT,
    mavlink.MAVLINK_MSG_ID_MISSION_ITEM_INT,
}


class Frame(NamedTuple):
    """One frame as it lies in the log: when it was received, from whom, which message, where its payload is."""

    received_us: int
    system: int
    component: int
    message: int
    start: int
    payload: int
    length: int
    signed: bool


def read_tlog(path: Path, system_id: int) -> Logged:
    """What a telemetry log says of the vehicle with this MAVLink system id.

    Raises RuleViolation 422 for a file that is no telemetry log, or in which this vehicle never says where it is;
    413 for one that is too large.
    """
    with mapped(path) as data:
        found = Found()
        reader = _Reader(system_id, found)
        for frame in frames(data, found):
            reader.take(data, frame)
        if not found.records:
            raise unreadable(path, "no MAVLink frame")
    if not reader.positions:
        seen = ", ".join(sorted(found.others)) or "nobody"
        raise unreadable(path, f"system {system_id} reports no position; in the log: {seen}")
    return reader.logged()


def frames(data: mmap.mmap, found: Found) -> Iterator[Frame]:
    """All frames whose framing holds, in order; what lies between them is counted as skipped."""
    place, end = 0, len(data)
    while place < end:
        stop = _end_of(data, place, end)
        if stop is None:
            following = _next(data, place + 1, end)
            if following is None:
                found.torn_bytes = end - place
                return
            found.skipped_bytes += following - place
            if found.skipped_bytes > limit("log.garbage"):
                raise unreadable(None, f"{found.skipped_bytes} bytes are no telemetry")
            place = following
            continue
        found.records += 1
        yield _frame(data, place)
        place = stop


def _end_of(data: mmap.mmap, place: int, end: int) -> int | None:
    """Where the record at `place` ends; None where there is none, or not all of it."""
    head = place + 8
    if head + 8 > end:
        return None
    magic = data[head]
    if magic == MAGIC_2 and head + 12 <= end:
        stop = head + 12 + data[head + 1] + (13 if data[head + 2] & 1 else 0)
    elif magic == MAGIC_1:
        stop = head + 8 + data[head + 1]
    else:
        return None
    if stop > end or not _EARLIEST_US <= _TIME.unpack_from(data, place)[0] <= _LATEST_US:
        return None
    return stop


def _next(data: mmap.mmap, place: int, end: int) -> int | None:
    """The next place at which a record begins that another one, or the end, follows."""
    furthest = min(end, place + limit("log.garbage") + 1)
    for start in range(place, furthest):
        stop = _end_of(data, start, end)
        if stop is not None and (stop == end or _end_of(data, stop, end) is not None):
            return start
    if furthest < end:
        raise unreadable(None, f"{furthest - place} bytes are no telemetry")
    return None


def _frame(data: mmap.mmap, place: int) -> Frame:
    received_us = _TIME.unpack_from(data, place)[0]
    head = place + 8
    length = data[head + 1]
    if data[head] == MAGIC_1:
        return Frame(received_us, data[head + 3], data[head + 4], data[head + 5], head, head + 6, length, signed=False)
    message = int.from_bytes(data[head + 7 : head + 10], "little")
    signed = bool(data[head + 2] & 1)
    return Frame(received_us, data[head + 5], data[head + 6], message, head, head + 10, length, signed)


@dataclass
class _Reader:
    """Collects what one vehicle's autopilot says; times since boot go on through a restart."""

    system_id: int
    found: Found
    positions: array[float] = field(default_factory=lambda: array("d"))
    attitudes: array[float] = field(default_factory=lambda: array("d"))
    pictures: array[float] = field(default_factory=lambda: array("d"))
    gps_times: array[float] = field(default_factory=lambda: array("d"))
    receipts: array[float] = field(default_factory=lambda: array("d"))
    listing: Listing = field(default_factory=Listing)
    _seq: int = -1
    _armed: bool = False
    _homeward: bool = False
    _shift_s: float = 0.0
    _boot_s: float | None = None
    _received_s: float = 0.0

    def take(self, data: mmap.mmap, frame: Frame) -> None:
        """Takes a frame if it is the vehicle's and its checksum holds."""
        if frame.system != self.system_id or frame.component != AUTOPILOT:
            sender = f"{frame.system}/{frame.component}"
            self.found.others[sender] = self.found.others.get(sender, 0) + 1
            return
        self.found.signed += frame.signed
        if frame.message not in WANTED:
            return
        fields = self._fields(data, frame)
        if fields is None:
            self.found.bad_checksums += 1
            return
        _TAKE[frame.message](self, fields, frame.received_us / 1e6)
        if len(self.receipts) > 2 * limit("log.reports"):
            raise unreadable(None, f"more than {limit('log.reports')} positions")

    def _fields(self, data: mmap.mmap, frame: Frame) -> dict[str, Any] | None:
        """The fields of a frame by name; None where its checksum does not hold."""
        kind = mavlink.mavlink_map[frame.message]
        end = frame.payload + frame.length
        crc = crc16.mcrf4xx(data[frame.start + 1 : end] + bytes([kind.crc_extra]))
        if crc != int.from_bytes(data[end : end + 2], "little"):
            return None
        size = kind.unpacker.size
        values = kind.unpacker.unpack(data[frame.payload : end].ljust(size, b"\0")[:size])
        return dict(zip(kind.ordered_fieldnames, values, strict=False))

    def _time(self, boot_s: float, received_s: float) -> float:
        """The time since the first boot, going on through a restart by the time of receipt."""
        if self._boot_s is not None and boot_s + _REBOOT_S < self._boot_s:
            self.found.reboots += 1
            self._shift_s += self._boot_s + (received_s - self._received_s) - boot_s
        self._boot_s, self._received_s = boot_s, received_s
        return boot_s + self._shift_s

    # -- one method for each message ------------------------------------------------------------------

    def heartbeat(self, fields: dict[str, Any], _received_s: float) -> None:
        self._armed = bool(fields["base_mode"] & mavlink.MAV_MODE_FLAG_SAFETY_ARMED)
        self._homeward = fields["custom_mode"] in HOMEWARD

    def current(self, fields: dict[str, Any], _received_s: float) -> None:
        self._seq = fields["seq"]

    def system_time(self, fields: dict[str, Any], received_s: float) -> None:
        utc_s = fields["time_unix_usec"] / 1e6
        if utc_s > _EARLIEST_UTC_S:
            self.gps_times.extend((self._time(fields["time_boot_ms"] / 1000, received_s), utc_s))

    def attitude(self, fields: dict[str, Any], received_s: float) -> None:
        at_s = self._time(fields["time_boot_ms"] / 1000, received_s)
        self.attitudes.extend((at_s, fields["roll"], fields["pitch"], fields["yaw"]))

    def position(self, fields: dict[str, Any], received_s: float) -> None:
        at_s = self._time(fields["time_boot_ms"] / 1000, received_s)
        self.receipts.extend((at_s, received_s))
        self.positions.extend(
            (
                at_s,
                fields["lon"] / 1e7,
                fields["lat"] / 1e7,
                fields["relative_alt"] / 1000,
                fields["alt"] / 1000,
                float(np.hypot(fields["vx"], fields["vy"])) / 100,
                min(self._seq, 0) if self._homeward else self._seq,
                self._armed,
            )
        )

    def picture(self, fields: dict[str, Any], received_s: float) -> None:
        # Its own time is UTC where the firmware knows it; else only its place between other messages is certain.
        at_s = received_s if self._boot_s is None else self._boot_s + self._shift_s + received_s - self._received_s
        utc_s = fields["time_usec"] / 1e6
        known_s = utc_s if utc_s > _EARLIEST_UTC_S else float("nan")
        self.pictures.extend((at_s, known_s, fields["lng"] / 1e7, fields["lat"] / 1e7))

    def mission_count(self, fields: dict[str, Any], _received_s: float) -> None:
        self.listing.begin(fields)

    def mission_item(self, fields: dict[str, Any], _received_s: float) -> None:
        self.listing.take(fields)

    def logged(self) -> Logged:
        """All of it as columns."""
        at_s, lon, lat, rel, amsl, speed, seq, armed = np.array(self.positions).reshape(-1, 8).T
        positions = Positions(at_s, lon, lat, rel, amsl, speed, seq.astype(np.int64), armed.astype(bool))
        turned = np.array(self.attitudes).reshape(-1, 4)
        clock = self._clock()
        released_s, known_s, shot_lon, shot_lat = np.array(self.pictures).reshape(-1, 4).T
        if clock.source == "gps":
            released_s = np.where(np.isnan(known_s), released_s, known_s - clock.utc_at_boot_s)
        return Logged(
            Source.TLOG,
            positions,
            Attitudes(turned[:, 0], *np.degrees(turned[:, 1:]).T),
            Pictures(released_s, shot_lon, shot_lat),
            clock,
            self.found,
            self.listing.digest,
        )

    def _clock(self) -> Clock:
        if self.gps_times:
            boot_s, utc_s = np.array(self.gps_times).reshape(-1, 2).T
            return clock_of("gps", boot_s, utc_s)
        boot_s, utc_s = np.array(self.receipts).reshape(-1, 2).T
        return clock_of("receipt", boot_s, utc_s)


_TAKE = {
    mavlink.MAVLINK_MSG_ID_HEARTBEAT: _Reader.heartbeat,
    mavlink.MAVLINK_MSG_ID_SYSTEM_TIME: _Reader.system_time,
    mavlink.MAVLINK_MSG_ID_ATTITUDE: _Reader.attitude,
    mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT: _Reader.position,
    mavlink.MAVLINK_MSG_ID_MISSION_CURRENT: _Reader.current,
    mavlink.MAVLINK_MSG_ID_CAMERA_FEEDBACK: _Reader.picture,
    mavlink.MAVLINK_MSG_ID_MISSION_COUNT: _Reader.mission_count,
    mavlink.MAVLINK_MSG_ID_MISSION_ITEM_INT: _Reader.mission_item,
}
