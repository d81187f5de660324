"""The gate before arming: everything about the vehicle that must hold, asked for again and all told at once.

Nothing here is believed from before. Mission, fence and rally points are read again, for they can be changed by
doors that no upload guards: another ground station, a script on board, or MAVFTP, which writes
`@MISSION/mission.dat`, `fence.dat` and `rally.dat` as files. Whoever changed them after the upload, by whatever
door, changed the digest that is compared here, in the second before arming.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.link.commands import request_message
from flights.link.errors import VehicleRefused
from flights.link.items import ListKind
from flights.link.vehicle import VehicleLink
from geo import measure
from geo.types import LonLat
from schemas.refusals import Kind, Refusal, refuse

ASKED_AGAIN = 4
ANSWER_S = 0.5
# ArduCopter flies missions with any 3D fix; what it asks of satellites and dilution is in its own checks.
LEAST_FIX = mavlink.GPS_FIX_TYPE_3D_FIX
HOME_TOLERANCE_M = 30.0
_E7 = 1e7

# What a lawful flight cannot do without, by the names of SYS_STATUS.
NEEDED_SENSORS: Mapping[str, int] = {
    "gyroscope": mavlink.MAV_SYS_STATUS_SENSOR_3D_GYRO,
    "accelerometer": mavlink.MAV_SYS_STATUS_SENSOR_3D_ACCEL,
    "GPS": mavlink.MAV_SYS_STATUS_SENSOR_GPS,
    "position filter": mavlink.MAV_SYS_STATUS_AHRS,
    "geofence": mavlink.MAV_SYS_STATUS_GEOFENCE,
}
_SENSORS: Mapping[int, str] = {
    number: entry.name.removeprefix("MAV_SYS_STATUS_").removeprefix("SENSOR_").lower().replace("_", " ")
    for number, entry in mavlink.enums["MAV_SYS_STATUS_SENSOR"].items()
    if number.bit_count() == 1
}


@dataclass(frozen=True)
class Wanted:
    """What must hold of the vehicle: the digests of the publication, the parameters of the sortie, who and where.

    `battery_pct` is what the mission takes with its reserve; `home` is the published take-off place.
    """

    digests: Mapping[ListKind, str]
    parameters: Mapping[str, float] = field(default_factory=dict)
    system_id: int | None = None
    uid: str | None = None
    home: LonLat | None = None
    tolerance_m: float = HOME_TOLERANCE_M
    battery_pct: float = 0.0
    uses_terrain: bool = False


@dataclass(frozen=True)
class Readings:
    """What the vehicle said when it was asked just now; None where it did not answer."""

    status: Any = None
    ekf: Any = None
    gps: Any = None
    home: Any = None
    position: Any = None
    terrain: Any = None


def require(link: VehicleLink, wanted: Wanted) -> None:
    """Raises VehicleRefused with everything that stands against arming now; LinkLost."""
    found = (*on_board(link, wanted), *failures(readings(link, wanted), wanted, link.telemetry.recent_texts()))
    if found:
        raise VehicleRefused(Kind.CONFLICT, found)


# -- what is stored on board ----------------------------------------------------------------------------


def on_board(link: VehicleLink, wanted: Wanted) -> Iterator[Refusal]:
    """What differs between the vehicle's lists and parameters and those of the publication; reads only."""
    if wanted.system_id is not None and link.connection.target_system != wanted.system_id:
        yield refuse(
            "link.identity", "link.identity", measured=link.connection.target_system, required=wanted.system_id
        )
    if wanted.uid is not None and (uid := _uid(link)) != wanted.uid:
        yield refuse("vehicle.exchanged", "vehicle.exchanged", measured=uid, required=wanted.uid)
    for kind, digest in wanted.digests.items():
        try:
            link.missions.confirm(kind, digest)
        except VehicleRefused as refused:
            yield from refused.refusals
    for name, value in wanted.parameters.items():
        try:
            read = link.read_parameter(name)
        except VehicleRefused as refused:
            yield from refused.refusals
            continue
        if abs(read - value) > 1e-6 * max(1.0, abs(value)):
            yield refuse("link.parameter", "link.parameter", name=name, measured=read, required=value)


def _uid(link: VehicleLink) -> str:
    version = ask(link, "AUTOPILOT_VERSION", mavlink.MAVLINK_MSG_ID_AUTOPILOT_VERSION)
    return "unknown" if version is None else f"{version.uid:016x}"


# -- how it is ------------------------------------------------------------------------------------------


def readings(link: VehicleLink, wanted: Wanted) -> Readings:
    """Asks the vehicle for its state, at this second."""
    terrain = ask(link, "TERRAIN_REPORT", mavlink.MAVLINK_MSG_ID_TERRAIN_REPORT) if wanted.uses_terrain else None
    return Readings(
        status=ask(link, "SYS_STATUS", mavlink.MAVLINK_MSG_ID_SYS_STATUS),
        ekf=ask(link, "EKF_STATUS_REPORT", mavlink.MAVLINK_MSG_ID_EKF_STATUS_REPORT),
        gps=ask(link, "GPS_RAW_INT", mavlink.MAVLINK_MSG_ID_GPS_RAW_INT),
        home=ask(link, "HOME_POSITION", mavlink.MAVLINK_MSG_ID_HOME_POSITION),
        position=ask(link, "GLOBAL_POSITION_INT", mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT),
        terrain=terrain,
    )


def ask(link: VehicleLink, name: str, message_id: int) -> Any | None:  # noqa: ANN401
    """One message of a kind, sent after it was asked for; None where the vehicle gives none."""
    with link.connection.listen(name) as inbox:
        for _ in range(ASKED_AGAIN):
            inbox.drain()
            try:
                link.commands.run(*request_message(message_id))
            except VehicleRefused:
                return None
            message = inbox.get(ANSWER_S)
            if message is not None:
                return message
            time.sleep(0)
    return None


def failures(seen: Readings, wanted: Wanted, texts: str = "") -> Iterator[Refusal]:
    """Everything in the readings that stands against arming. Pure."""
    if seen.status is not None:
        yield from _of_status(seen.status, wanted, texts)
    if seen.ekf is not None:
        yield from _of_filter(seen.ekf)
    if seen.gps is not None:
        yield from _of_gps(seen.gps)
    if seen.home is not None:
        yield from _of_place(seen.home.longitude, seen.home.latitude, wanted, "vehicle.home_elsewhere")
    if seen.position is not None:
        yield from _of_place(seen.position.lon, seen.position.lat, wanted, "link.not_at_home")
    silent = [name for name in ("status", "ekf", "gps", "home", "position") if getattr(seen, name) is None]
    if silent:
        yield refuse("vehicle.silent", "vehicle.silent", measured=", ".join(silent))
    if wanted.uses_terrain and (seen.terrain is None or seen.terrain.pending or not seen.terrain.loaded):
        pending = "none" if seen.terrain is None else f"{seen.terrain.pending} pending, {seen.terrain.loaded} loaded"
        yield refuse("vehicle.terrain", "vehicle.terrain", measured=pending)


def _of_status(status: Any, wanted: Wanted, texts: str) -> Iterator[Refusal]:  # noqa: ANN401
    present, enabled, healthy = (
        getattr(status, f"onboard_control_sensors_{word}") for word in ("present", "enabled", "health")
    )
    missing = [name for name, bit in NEEDED_SENSORS.items() if not present & enabled & bit]
    if missing:
        yield refuse("vehicle.sensor_missing", "vehicle.sensor_missing", measured=", ".join(missing))
    prearm = mavlink.MAV_SYS_STATUS_PREARM_CHECK
    ill = [name for bit, name in _SENSORS.items() if present & enabled & ~healthy & bit & ~prearm]
    if ill:
        yield refuse("vehicle.sensor_ill", "vehicle.sensor_ill", measured=", ".join(ill))
    if not healthy & prearm:
        yield refuse("vehicle.prearm", "vehicle.prearm", measured=texts or "no reason given")
    left = status.battery_remaining
    if left < 0:
        yield refuse("vehicle.battery_unknown", "vehicle.battery_unknown")
    elif left < wanted.battery_pct:
        yield refuse("vehicle.battery", "vehicle.battery", measured=f"{left} %", required=f"{wanted.battery_pct:.0f} %")


def _of_filter(ekf: Any) -> Iterator[Refusal]:  # noqa: ANN401
    """The pre-arm bit comes before the filter uses GPS; arming in GUIDED before that fails."""
    if not ekf.flags & mavlink.EKF_POS_HORIZ_ABS or ekf.flags & mavlink.EKF_CONST_POS_MODE:
        yield refuse("vehicle.no_position", "vehicle.no_position", measured=f"0x{ekf.flags:x}")
    if ekf.flags & getattr(mavlink, "EKF_GPS_GLITCHING", 1 << 15):
        yield refuse("vehicle.gps_glitch", "vehicle.gps_glitch", measured=f"0x{ekf.flags:x}")


def _of_gps(gps: Any) -> Iterator[Refusal]:  # noqa: ANN401
    if gps.fix_type < LEAST_FIX:
        yield refuse("vehicle.no_fix", "vehicle.no_fix", measured=gps.fix_type, required=LEAST_FIX)


def _of_place(lon_e7: int, lat_e7: int, wanted: Wanted, text: str) -> Iterator[Refusal]:
    """The way there and every way back were checked from the published take-off place alone."""
    if wanted.home is None:
        return
    apart_m = measure.distance_m(LonLat(lon_e7 / _E7, lat_e7 / _E7), wanted.home)
    if apart_m > wanted.tolerance_m:
        yield refuse(text, text, measured=f"{apart_m:.0f} m", required=f"{wanted.tolerance_m:g} m")
