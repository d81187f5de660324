"""The Remote ID module of the simulated aircraft: a component of its own that says who and where it is.

As an ArduPilot with an OpenDroneID module does: a heartbeat, whether it is fit to identify the aircraft, and its
place once a second, everything that does not change every three seconds (ASTM F3411 asks for no less). It hears
nothing, and it needs no stream to be asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.simulator.airframe import Place
from flights.simulator.autopilot import GPS_FIX_S, Autopilot
from flights.simulator.options import Faults, Identity

COMPONENT = mavlink.MAV_COMP_ID_ODID_TXRX_1
MOVING_EVERY_S = 1.0
FIXED_EVERY_S = 3.0
WRONG_SERIAL = "WRONG0SERIAL00000000"
ABOUT = "Simulated patrol"
_EPOCH = datetime(2019, 1, 1, tzinfo=UTC)
_UNKNOWN_M = -1000.0
_UNKNOWN_TRACK = 36_100
_UNKNOWN_TIME_S = float(0xFFFF)
_NOBODY = [0] * 20


class IdentityModule:
    """Builds the messages whose time has come; their times are simulated."""

    def __init__(self, identity: Identity, faults: Faults, autopilot: Autopilot, utc: Callable[[], datetime]) -> None:
        self._identity = identity
        self._faults = faults
        self._autopilot = autopilot
        self._utc = utc
        self._due_s = {self._moving: 0.0, self._fixed: 0.0}

    def due(self) -> Iterator[Any]:
        """The messages whose time has come."""
        now_s = self._autopilot.now_s
        for kinds, every_s in ((self._moving, MOVING_EVERY_S), (self._fixed, FIXED_EVERY_S)):
            if now_s >= self._due_s[kinds]:
                self._due_s[kinds] = max(self._due_s[kinds] + every_s, now_s)
                yield from kinds()

    def _moving(self) -> Iterator[Any]:
        yield mavlink.MAVLink_heartbeat_message(
            mavlink.MAV_TYPE_ODID, mavlink.MAV_AUTOPILOT_INVALID, 0, 0, mavlink.MAV_STATE_ACTIVE, 3
        )
        error = b"" if self._has_place else b"no position"
        status = mavlink.MAV_ODID_ARM_STATUS_GOOD_TO_ARM
        if error:
            status = mavlink.MAV_ODID_ARM_STATUS_PRE_ARM_FAIL_GENERIC
        yield mavlink.MAVLink_open_drone_id_arm_status_message(status, error)
        yield self._location()

    def _fixed(self) -> Iterator[Any]:
        serial = WRONG_SERIAL if self._faults.wrong_remote_id else self._identity.serial
        kind, multirotor = mavlink.MAV_ODID_ID_TYPE_SERIAL_NUMBER, mavlink.MAV_ODID_UA_TYPE_HELICOPTER_OR_MULTIROTOR
        yield mavlink.MAVLink_open_drone_id_basic_id_message(0, 0, _NOBODY, kind, multirotor, _padded(serial, 20))
        yield mavlink.MAVLink_open_drone_id_self_id_message(
            0, 0, _NOBODY, mavlink.MAV_ODID_DESC_TYPE_TEXT, ABOUT.encode("ascii")
        )
        yield self._system()
        operator = self._identity.operator.encode("ascii")
        yield mavlink.MAVLink_open_drone_id_operator_id_message(
            0, 0, _NOBODY, mavlink.MAV_ODID_OPERATOR_ID_TYPE_CAA, operator
        )

    @property
    def _has_place(self) -> bool:
        return self._autopilot.has_position

    def _location(self) -> Any:  # noqa: ANN401
        autopilot, motion = self._autopilot, self._autopilot.airframe
        place = autopilot.reported_place.moved(0.0, self._faults.remote_id_off_m)
        moves = motion.speed_m_s > 0.5
        track = math.degrees(math.atan2(motion.east_m_s, motion.north_m_s)) % 360
        flies = autopilot.armed and not motion.on_ground
        return mavlink.MAVLink_open_drone_id_location_message(
            0,
            0,
            _NOBODY,
            mavlink.MAV_ODID_STATUS_AIRBORNE if flies else mavlink.MAV_ODID_STATUS_GROUND,
            round(track * 100) % 36_000 if moves else _UNKNOWN_TRACK,
            min(round(motion.speed_m_s * 100), 25_425),
            round(motion.up_m_s * 100),
            *(_degrees_e7(place) if self._has_place else (0, 0)),
            place.amsl_m,
            # It knows no geoid, and so no height above the ellipsoid.
            _UNKNOWN_M,
            mavlink.MAV_ODID_HEIGHT_REF_OVER_TAKEOFF,
            autopilot.height_m,
            mavlink.MAV_ODID_HOR_ACC_10_METER if self._has_place else mavlink.MAV_ODID_HOR_ACC_UNKNOWN,
            mavlink.MAV_ODID_VER_ACC_3_METER if self._has_place else mavlink.MAV_ODID_VER_ACC_UNKNOWN,
            mavlink.MAV_ODID_VER_ACC_UNKNOWN,
            mavlink.MAV_ODID_SPEED_ACC_1_METERS_PER_SECOND,
            self._since_hour_s(),
            mavlink.MAV_ODID_TIME_ACC_0_1_SECOND,
        )

    def _system(self) -> Any:  # noqa: ANN401
        home = self._autopilot.home
        return mavlink.MAVLink_open_drone_id_system_message(
            0,
            0,
            _NOBODY,
            mavlink.MAV_ODID_OPERATOR_LOCATION_TYPE_TAKEOFF,
            mavlink.MAV_ODID_CLASSIFICATION_TYPE_UNDECLARED,
            *(_degrees_e7(home) if self._has_place else (0, 0)),
            1,
            0,
            _UNKNOWN_M,
            _UNKNOWN_M,
            0,
            0,
            _UNKNOWN_M,
            int((self._utc() - _EPOCH).total_seconds()),
        )

    def _since_hour_s(self) -> float:
        if self._autopilot.now_s < GPS_FIX_S:
            return _UNKNOWN_TIME_S
        utc = self._utc()
        return utc.minute * 60 + utc.second + utc.microsecond / 1e6


def _degrees_e7(place: Place) -> tuple[int, int]:
    return round(place.lat * 1e7), round(place.lon * 1e7)


def _padded(text: str, size: int) -> bytes:
    return text.encode("ascii").ljust(size, b"\0")[:size]
