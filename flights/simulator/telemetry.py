"""What the simulated autopilot says, and when: nothing but heartbeats until a stream is asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.simulator.autopilot import BREACH_TYPES, EKF_ORIGIN_S, GPS_FIX_S, Autopilot

HEARTBEAT_S = 1.0
FIRMWARE = (4, 6, 2)
FIRMWARE_HASH = b"simulate"
UNIQUE_ID = 0x534B5957
CAPABILITIES = (
    mavlink.MAV_PROTOCOL_CAPABILITY_MISSION_INT
    | mavlink.MAV_PROTOCOL_CAPABILITY_COMMAND_INT
    | mavlink.MAV_PROTOCOL_CAPABILITY_MISSION_FENCE
    | mavlink.MAV_PROTOCOL_CAPABILITY_MISSION_RALLY
    | mavlink.MAV_PROTOCOL_CAPABILITY_MAVLINK2
    | mavlink.MAV_PROTOCOL_CAPABILITY_PARAM_FLOAT
)


class Reporter:
    """Builds messages from the state of an autopilot and keeps the schedule of its streams."""

    def __init__(self, autopilot: Autopilot, start_time: datetime) -> None:
        self._autopilot = autopilot
        self._start_time = start_time
        self._every_s: dict[int, float] = {mavlink.MAVLINK_MSG_ID_HEARTBEAT: HEARTBEAT_S}
        self._due_s: dict[int, float] = {mavlink.MAVLINK_MSG_ID_HEARTBEAT: 0.0}
        self._builders: dict[int, Callable[[], Any]] = {
            mavlink.MAVLINK_MSG_ID_HEARTBEAT: self._heartbeat,
            mavlink.MAVLINK_MSG_ID_SYS_STATUS: self._status,
            mavlink.MAVLINK_MSG_ID_SYSTEM_TIME: self._system_time,
            mavlink.MAVLINK_MSG_ID_GPS_RAW_INT: self._gps,
            mavlink.MAVLINK_MSG_ID_ATTITUDE: self._attitude,
            mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT: self._position,
            mavlink.MAVLINK_MSG_ID_VFR_HUD: self._hud,
            mavlink.MAVLINK_MSG_ID_MISSION_CURRENT: self._mission_current,
            mavlink.MAVLINK_MSG_ID_EKF_STATUS_REPORT: self._ekf,
            mavlink.MAVLINK_MSG_ID_EXTENDED_SYS_STATE: self._extended_state,
            mavlink.MAVLINK_MSG_ID_FENCE_STATUS: self._fence_status,
            mavlink.MAVLINK_MSG_ID_HOME_POSITION: self._home,
            mavlink.MAVLINK_MSG_ID_BATTERY_STATUS: self._battery,
            mavlink.MAVLINK_MSG_ID_AUTOPILOT_VERSION: self._version,
        }

    @property
    def utc(self) -> datetime:
        """The simulated time of day."""
        return self._start_time + timedelta(seconds=self._autopilot.now_s)

    @property
    def boot_ms(self) -> int:
        """Milliseconds since the start, simulated."""
        return int(self._autopilot.now_s * 1000)

    def set_interval(self, message_id: int, interval_us: float) -> bool:
        """Starts, changes (microseconds) or stops (-1) a stream; False for a message it does not have."""
        if message_id not in self._builders:
            return False
        if interval_us < 0:
            self._every_s.pop(message_id, None)
            self._due_s.pop(message_id, None)
        else:
            self._every_s[message_id] = max(interval_us / 1e6, 0.02) if interval_us else 1.0
            self._due_s[message_id] = self._autopilot.now_s
        return True

    def build(self, message_id: int) -> Any | None:  # noqa: ANN401
        """One message now, None for a kind that does not exist here."""
        builder = self._builders.get(message_id)
        return None if builder is None else builder()

    def due(self) -> Iterator[Any]:
        """The messages whose time has come."""
        now_s = self._autopilot.now_s
        for message_id, due_s in list(self._due_s.items()):
            if now_s >= due_s:
                self._due_s[message_id] = max(due_s + self._every_s[message_id], now_s)
                yield self._builders[message_id]()

    # -- messages -----------------------------------------------------------------------------------

    def _heartbeat(self) -> Any:  # noqa: ANN401
        autopilot = self._autopilot
        mode = mavlink.MAV_MODE_FLAG_CUSTOM_MODE_ENABLED
        if autopilot.armed:
            mode |= mavlink.MAV_MODE_FLAG_SAFETY_ARMED
        state = mavlink.MAV_STATE_ACTIVE if autopilot.armed else mavlink.MAV_STATE_STANDBY
        return mavlink.MAVLink_heartbeat_message(
            mavlink.MAV_TYPE_QUADROTOR,
            mavlink.MAV_AUTOPILOT_ARDUPILOTMEGA,
            mode,
            int(autopilot.mode),
            mavlink.MAV_STATE_CRITICAL if autopilot.breach else state,
            3,
        )

    def _status(self) -> Any:  # noqa: ANN401
        autopilot, bits = self._autopilot, _status_bits(self._autopilot)
        amperes = autopilot.battery.amperes(autopilot.params["BATT_CAPACITY"], autopilot.armed)
        return mavlink.MAVLink_sys_status_message(
            bits["present"],
            bits["enabled"],
            bits["healthy"],
            250,
            int(autopilot.battery.volts * 1000),
            int(amperes * 100),
            round(autopilot.battery.left_pct),
            *[0] * 6,
        )

    def _system_time(self) -> Any:  # noqa: ANN401
        known = self._autopilot.now_s >= GPS_FIX_S
        return mavlink.MAVLink_system_time_message(int(self.utc.timestamp() * 1e6) if known else 0, self.boot_ms)

    def _gps(self) -> Any:  # noqa: ANN401
        autopilot = self._autopilot
        place = autopilot.reported_place
        fixed = autopilot.now_s >= GPS_FIX_S
        return mavlink.MAVLink_gps_raw_int_message(
            int(autopilot.now_s * 1e6),
            mavlink.GPS_FIX_TYPE_RTK_FIXED if fixed else mavlink.GPS_FIX_TYPE_NO_FIX,
            *((round(place.lat * 1e7), round(place.lon * 1e7)) if fixed else (0, 0)),
            round(place.amsl_m * 1000),
            80 if fixed else 9999,
            120 if fixed else 9999,
            round(autopilot.airframe.speed_m_s * 100),
            self._course_cdeg(),
            18 if fixed else 0,
        )

    def _attitude(self) -> Any:  # noqa: ANN401
        yaw_rad = math.radians((self._autopilot.airframe.yaw_deg + 180) % 360 - 180)
        return mavlink.MAVLink_attitude_message(self.boot_ms, 0.0, 0.0, yaw_rad, 0.0, 0.0, 0.0)

    def _position(self) -> Any:  # noqa: ANN401
        autopilot = self._autopilot
        place, motion = autopilot.reported_place, autopilot.airframe
        known = autopilot.has_position
        return mavlink.MAVLink_global_position_int_message(
            self.boot_ms,
            *((round(place.lat * 1e7), round(place.lon * 1e7)) if known else (0, 0)),
            round(place.amsl_m * 1000),
            round(autopilot.height_m * 1000),
            round(motion.north_m_s * 100),
            round(motion.east_m_s * 100),
            round(-motion.up_m_s * 100),
            round(motion.yaw_deg * 100) % 36_000,
        )

    def _hud(self) -> Any:  # noqa: ANN401
        motion = self._autopilot.airframe
        return mavlink.MAVLink_vfr_hud_message(
            motion.speed_m_s,
            motion.speed_m_s,
            round(motion.yaw_deg) % 360,
            50 if self._autopilot.armed else 0,
            motion.place.amsl_m,
            motion.up_m_s,
        )

    def _mission_current(self) -> Any:  # noqa: ANN401
        mission = self._autopilot.mission
        return mavlink.MAVLink_mission_current_message(mission.seq, max(0, mission.total - 1))

    def _ekf(self) -> Any:  # noqa: ANN401
        flags = mavlink.EKF_ATTITUDE | mavlink.EKF_VELOCITY_VERT | mavlink.EKF_POS_VERT_ABS
        if self._autopilot.has_position:
            flags |= (
                mavlink.EKF_VELOCITY_HORIZ
                | mavlink.EKF_POS_HORIZ_REL
                | mavlink.EKF_POS_HORIZ_ABS
                | mavlink.EKF_PRED_POS_HORIZ_REL
                | mavlink.EKF_PRED_POS_HORIZ_ABS
            )
        elif self._autopilot.now_s >= EKF_ORIGIN_S:
            flags |= mavlink.EKF_CONST_POS_MODE
        return mavlink.MAVLink_ekf_status_report_message(flags, 0.05, 0.05, 0.05, 0.05, 0.0)

    def _extended_state(self) -> Any:  # noqa: ANN401
        return mavlink.MAVLink_extended_sys_state_message(
            mavlink.MAV_VTOL_STATE_UNDEFINED, self._autopilot.landed_state
        )

    def _fence_status(self) -> Any:  # noqa: ANN401
        breach, kind = self._autopilot.breach, mavlink.FENCE_BREACH_NONE
        for fence_type, breach_type in BREACH_TYPES.items():
            if fence_type in breach:
                kind = breach_type
        return mavlink.MAVLink_fence_status_message(int(bool(breach)), self._autopilot.breach_count, kind, self.boot_ms)

    def _home(self) -> Any:  # noqa: ANN401
        home = self._autopilot.home
        place = (round(home.lat * 1e7), round(home.lon * 1e7), round(home.amsl_m * 1000))
        return mavlink.MAVLink_home_position_message(
            *place, 0.0, 0.0, 0.0, [1.0, 0.0, 0.0, 0.0], 0.0, 0.0, 0.0, int(self._autopilot.now_s * 1e6)
        )

    def _battery(self) -> Any:  # noqa: ANN401
        battery, capacity = self._autopilot.battery, self._autopilot.params["BATT_CAPACITY"]
        millivolts = [round(battery.volts * 1000)] + [65_535] * 9
        used_mah = round((100 - battery.left_pct) / 100 * capacity)
        amperes = battery.amperes(capacity, self._autopilot.armed)
        return mavlink.MAVLink_battery_status_message(
            0, 0, 0, 32_767, millivolts, round(amperes * 100), used_mah, -1, round(battery.left_pct)
        )

    def _version(self) -> Any:  # noqa: ANN401
        major, minor, patch = FIRMWARE
        number = major << 24 | minor << 16 | patch << 8 | mavlink.FIRMWARE_VERSION_TYPE_OFFICIAL
        custom = list(FIRMWARE_HASH)
        nothing = [0] * 8
        return mavlink.MAVLink_autopilot_version_message(
            CAPABILITIES, number, 0, 0, 0, custom, nothing, nothing, 0, 0, UNIQUE_ID
        )

    def _course_cdeg(self) -> int:
        motion = self._autopilot.airframe
        course = math.degrees(math.atan2(motion.east_m_s, motion.north_m_s))
        return round(course * 100) % 36_000


def _status_bits(autopilot: Autopilot) -> dict[str, int]:
    """The sensor bits of SYS_STATUS: what is there, switched on, healthy."""
    base = (
        mavlink.MAV_SYS_STATUS_SENSOR_3D_GYRO
        | mavlink.MAV_SYS_STATUS_SENSOR_3D_ACCEL
        | mavlink.MAV_SYS_STATUS_SENSOR_GPS
        | mavlink.MAV_SYS_STATUS_AHRS
        | mavlink.MAV_SYS_STATUS_SENSOR_BATTERY
    )
    present = base | mavlink.MAV_SYS_STATUS_GEOFENCE | mavlink.MAV_SYS_STATUS_PREARM_CHECK
    enabled = base | mavlink.MAV_SYS_STATUS_PREARM_CHECK
    healthy = base
    if autopilot.fence.enabled:
        enabled |= mavlink.MAV_SYS_STATUS_GEOFENCE
    if not autopilot.breach:
        healthy |= mavlink.MAV_SYS_STATUS_GEOFENCE
    if not autopilot.failed_checks():
        healthy |= mavlink.MAV_SYS_STATUS_PREARM_CHECK
    return {"present": present, "enabled": enabled, "healthy": healthy}
