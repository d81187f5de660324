"""What a fleet sends: signed MAVLink 2 of many vehicles on their routes, the same bytes for both sides of a row."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
import shapely
from pymavlink.dialects.v20 import ardupilotmega as mavlink
from shapely.geometry import LineString

from bench import places
from flights.link.signing import KEY_BYTES, stamp_of

VEHICLES = 50
HERTZ = 10
SPEED_M_S = 10.0
ALT_AGL_M = 100.0
WAYPOINTS = 40
LEG_M = 80.0
APART_DEG = 0.01
# The mission item that is flown; the route's compiled mission has its first leg there.
ITEM = 6
BOOT_MS = 60_000
# Of each vehicle one report cannot be: it jumps away by this much.
JUMP_DEG = 0.2
SENT_AT = datetime(2025, 7, 2, 2, 0, tzinfo=UTC)


class Told(NamedTuple):
    """One position that was sent: the vehicle's time, its place in 1e-7 degrees, and whether it can be."""

    boot_ms: int
    lon_e7: int
    lat_e7: int
    is_plausible: bool


@dataclass(frozen=True)
class Vehicle:
    """One vehicle: system id, key and route, what it sends (a piece for each tenth of a second), and what that says."""

    system: int
    key: bytes
    line: LineString
    pieces: tuple[bytes, ...]
    told: tuple[Told, ...]
    frames: int


def vehicles(count: int, seconds: int) -> list[Vehicle]:
    """That many vehicles, each on a route of its own, for so many seconds."""
    return [_vehicle(number, seconds) for number in range(count)]


def _vehicle(number: int, seconds: int) -> Vehicle:
    rng = np.random.default_rng(places.SEED + number)
    lons, lats = places.winding_line(WAYPOINTS, LEG_M)
    line = LineString(zip(lons, lats + APART_DEG * (number - VEHICLES // 2), strict=True))
    ticks = seconds * HERTZ
    flown = (
        shapely.get_coordinates(
            shapely.line_interpolate_point(line, np.arange(ticks) * SPEED_M_S / HERTZ * places.METRE_DEG)
        )
        + np.cumsum(rng.normal(0.0, 0.1, (ticks, 2)), axis=0) * places.METRE_DEG
    )
    wrong = int(rng.integers(1, ticks))
    flown[wrong] += JUMP_DEG
    key = rng.bytes(KEY_BYTES)
    codec = mavlink.MAVLink(None, srcSystem=number + 1, srcComponent=1)
    codec.signing.secret_key, codec.signing.sign_outgoing = key, True
    codec.signing.timestamp = stamp_of(SENT_AT)
    pieces, told, frames = [], [], 0
    for tick, place in enumerate(flown):
        lon_e7, lat_e7 = (round(degrees * 1e7) for degrees in place)
        told.append(Told(BOOT_MS + tick * 1000 // HERTZ, lon_e7, lat_e7, tick != wrong))
        packed = []
        for message in _messages(told[-1], tick):
            packed.append(message.pack(codec))
            codec.seq = (codec.seq + 1) % 256
        pieces.append(b"".join(packed))
        frames += len(packed)
    return Vehicle(number + 1, key, line, tuple(pieces), tuple(told), frames)


def _messages(told: Told, tick: int) -> Iterator[Any]:
    """A heartbeat every second, and every time the eight kinds of messages that a gateway asks for."""
    wave, above_mm = math.sin(tick / 10), int(ALT_AGL_M * 1000)
    lat, lon, boot_ms = told.lat_e7, told.lon_e7, told.boot_ms
    if tick % HERTZ == 0:
        mode = mavlink.MAV_MODE_FLAG_CUSTOM_MODE_ENABLED | mavlink.MAV_MODE_FLAG_SAFETY_ARMED
        yield mavlink.MAVLink_heartbeat_message(
            mavlink.MAV_TYPE_QUADROTOR, mavlink.MAV_AUTOPILOT_ARDUPILOTMEGA, mode, 3, mavlink.MAV_STATE_ACTIVE, 3
        )
    yield mavlink.MAVLink_mission_current_message(ITEM)
    yield mavlink.MAVLink_system_time_message(int(SENT_AT.timestamp() * 1e6) + boot_ms * 1000, boot_ms)
    yield mavlink.MAVLink_sys_status_message(1, 1, 1, 300, 22_000 + int(50 * wave), 1_500, 80, 0, 0, 0, 0, 0, 0)
    yield mavlink.MAVLink_attitude_message(boot_ms, 0.1 * wave, 0.05 * wave, wave, 0.01, 0.01, 0.01)
    yield mavlink.MAVLink_gps_raw_int_message(boot_ms * 1000, 3, lat, lon, above_mm, 80, 120, 1_000, 9_000, 14)
    yield mavlink.MAVLink_ekf_status_report_message(831, 0.1, 0.05, 0.05, 0.1, 0.0)
    yield mavlink.MAVLink_extended_sys_state_message(0, mavlink.MAV_LANDED_STATE_IN_AIR)
    yield mavlink.MAVLink_global_position_int_message(
        boot_ms, lat, lon, above_mm, above_mm, int(SPEED_M_S * 100), int(10 * wave), 0, 9_000
    )
