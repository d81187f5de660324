"""How an ArduCopter is made to fly a list of items: prepare, wait, arm, start, or call it back.

Nothing here knows the law or the database: the gateway decides whether, this module does how. The order
is the one that real ArduCopter 4.5 and 4.6 accept; all limits on waiting are in the vehicle's own time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.link.commands import message_interval
from flights.link.errors import VehicleRefused
from flights.link.fence import MARGIN_M
from flights.link.gate import HOME_TOLERANCE_M, Wanted, ask
from flights.link.items import ListKind
from flights.link.mission import ReadBack
from flights.link.resume import set_current
from flights.link.vehicle import VehicleLink
from flights.model import Frame, WireItem
from flights.path.ways import RTL_ALT_M
from geo.types import LonLat
from schemas.refusals import RuleViolation

READY_LIMIT_S = 240.0
MODE_LIMIT_S = 20.0

# Seconds between two messages of a kind; ArduPilot sends none of them until it is asked.
STREAMS: Mapping[int, float] = {
    mavlink.MAVLINK_MSG_ID_GLOBAL_POSITION_INT: 0.25,
    mavlink.MAVLINK_MSG_ID_SYSTEM_TIME: 1.0,
    mavlink.MAVLINK_MSG_ID_SYS_STATUS: 1.0,
    mavlink.MAVLINK_MSG_ID_EKF_STATUS_REPORT: 1.0,
    mavlink.MAVLINK_MSG_ID_MISSION_CURRENT: 0.5,
}
# A flight can be followed without these.
HELPFUL_STREAMS: Mapping[int, float] = {
    mavlink.MAVLINK_MSG_ID_GPS_RAW_INT: 1.0,
    mavlink.MAVLINK_MSG_ID_ATTITUDE: 1.0,
    mavlink.MAVLINK_MSG_ID_EXTENDED_SYS_STATE: 0.5,
    mavlink.MAVLINK_MSG_ID_FENCE_STATUS: 1.0,
}
# 0 report, 1 return or land: the fence turns the aircraft back whatever happens to the ground side.
FENCE_ACTION_RETURN = 1.0
# Maximum height (1) and polygons (4), without the circle around the home (2), which is 300 m by default
# and would turn every longer patrol back.
FENCE_TYPE_ALTITUDE_AND_POLYGONS = 5.0
FENCE_TYPE_FLOOR = 8.0


@dataclass(frozen=True)
class Orders:
    """What the vehicle is to fly: items without home, the fence, the rally points, and how high it may be.

    An aircraft keeps rally points of earlier flights and returns to them instead of its home, so that a flight
    without any empties their list. `home` is the published take-off place and `battery_pct` what the flight takes;
    `fence_proof` goes into the record.
    """

    mission: Sequence[WireItem]
    fence: Sequence[WireItem]
    fence_alt_max_m: float
    fence_radius_m: float
    longest_s: float
    rally: Sequence[WireItem] = ()
    fence_alt_min_m: float | None = None
    fence_proof: Mapping[str, Any] | None = None
    home: LonLat | None = None
    home_tolerance_m: float = HOME_TOLERANCE_M
    system_id: int | None = None
    battery_pct: float = 0.0
    endurance_s: float | None = None
    speed_m_s: float | None = None

    @property
    def parameters(self) -> dict[str, float]:
        """The parameters of the sortie, in the order in which they are set; all others are the aircraft owner's.

        The fence is switched on when everything about it is set. A mission that is entered again goes on. A return
        climbs as high as the ways home were judged for, and no higher.
        """
        floor = {} if self.fence_alt_min_m is None else {"FENCE_ALT_MIN": self.fence_alt_min_m}
        return {
            "FENCE_TYPE": FENCE_TYPE_ALTITUDE_AND_POLYGONS + (FENCE_TYPE_FLOOR if floor else 0.0),
            "FENCE_ACTION": FENCE_ACTION_RETURN,
            "FENCE_MARGIN": MARGIN_M,
            "FENCE_ALT_MAX": self.fence_alt_max_m,
            **floor,
            "FENCE_RADIUS": self.fence_radius_m,
            "RTL_ALT": RTL_ALT_M * 100.0,
            "MIS_RESTART": 0.0,
            "FENCE_ENABLE": 1.0,
        }

    @property
    def lists(self) -> dict[ListKind, Sequence[WireItem]]:
        """The lists in the order in which they are written: what holds the aircraft before what moves it."""
        return {ListKind.FENCE: self.fence, ListKind.RALLY: self.rally, ListKind.MISSION: self.mission}

    def wanted(self, *, keeps_rally: bool = True, uid: str | None = None) -> Wanted:
        """What must hold of the vehicle before it is armed for these orders."""
        kinds = [kind for kind in self.lists if keeps_rally or kind is not ListKind.RALLY]
        return Wanted(
            digests={kind: kind.digest(self.lists[kind]) for kind in kinds},
            parameters=self.parameters,
            system_id=self.system_id,
            uid=uid,
            home=self.home,
            tolerance_m=self.home_tolerance_m,
            battery_pct=self.battery_pct,
            uses_terrain=any(item.frame in _OVER_TERRAIN for item in self.mission),
        )


_OVER_TERRAIN = frozenset({Frame.GLOBAL_TERRAIN_ALT, Frame.GLOBAL_TERRAIN_ALT_INT})


@dataclass(frozen=True)
class Prepared:
    """What the vehicle holds before it may be armed, as read back from it."""

    mission: ReadBack
    fence: ReadBack
    record: dict[str, Any]
    orders: Orders
    wanted: Wanted
    rally: ReadBack | None = None


def identify(link: VehicleLink) -> dict[str, Any]:
    """Firmware, board and abilities of the vehicle; raises VehicleRefused `link.capability`."""
    version = ask(link, "AUTOPILOT_VERSION", mavlink.MAVLINK_MSG_ID_AUTOPILOT_VERSION)
    if version is None:
        raise VehicleRefused.because("link.capability", measured="no AUTOPILOT_VERSION")
    needed = {
        "MISSION_INT": mavlink.MAV_PROTOCOL_CAPABILITY_MISSION_INT,
        "MISSION_FENCE": mavlink.MAV_PROTOCOL_CAPABILITY_MISSION_FENCE,
        "MAVLINK2": mavlink.MAV_PROTOCOL_CAPABILITY_MAVLINK2,
    }
    missing = [name for name, bit in needed.items() if not version.capabilities & bit]
    if missing:
        raise VehicleRefused.because("link.capability", measured=", ".join(missing))
    number = version.flight_sw_version
    return {
        "system_id": link.connection.target_system,
        "firmware": f"ArduCopter {number >> 24 & 255}.{number >> 16 & 255}.{number >> 8 & 255}",
        "git": bytes(version.flight_custom_version).decode("ascii", "replace").strip("\0"),
        "uid": f"{version.uid:016x}",
        "board": version.board_version,
        "keeps_rally": bool(version.capabilities & mavlink.MAV_PROTOCOL_CAPABILITY_MISSION_RALLY),
    }


def request_streams(link: VehicleLink) -> None:
    """Asks for every kind of message that the flight is judged by."""
    for message_id, interval_s in STREAMS.items():
        link.commands.run(*message_interval(message_id, interval_s))
    for message_id, interval_s in HELPFUL_STREAMS.items():
        with contextlib.suppress(VehicleRefused):
            link.commands.run(*message_interval(message_id, interval_s))


def ask_streams(link: VehicleLink) -> None:
    """Asks for every stream once more and waits for no answer: a vehicle that restarted sends none of them."""
    for message_id, interval_s in (*STREAMS.items(), *HELPFUL_STREAMS.items()):
        command, *params = message_interval(message_id, interval_s)
        filled = (*params, *([0.0] * (7 - len(params))))
        link.connection.codec.send(mavlink.MAVLink_command_long_message(0, 0, command, 0, *filled))


def prepare(link: VehicleLink, orders: Orders) -> Prepared:
    """Uploads fence, rally points, parameters and mission and reads all of them back.

    Raises VehicleRefused when the vehicle is armed, which comes before anything is written, or when anything
    reads back differently; the vehicle stays disarmed.
    """
    record = identify(link)
    request_streams(link)
    _require_disarmed(link)
    keeps_rally = bool(record["keeps_rally"])
    if orders.rally and not keeps_rally:
        raise VehicleRefused.because("vehicle.no_rally", measured=len(orders.rally))
    wanted = orders.wanted(keeps_rally=keeps_rally, uid=record["uid"])
    held: dict[ListKind, ReadBack] = {}
    for kind, items in orders.lists.items():
        if kind in wanted.digests:
            held[kind] = link.missions.put(kind, items)
    parameters = {name: link.set_parameter(name, value) for name, value in orders.parameters.items()}
    record |= {"parameters": parameters, "rally_points": len(orders.rally)}
    if orders.fence_proof is not None:
        record["fence_proof"] = dict(orders.fence_proof)
    link.telemetry.forget_checks()
    return Prepared(held[ListKind.MISSION], held[ListKind.FENCE], record, orders, wanted, held.get(ListKind.RALLY))


def wait_ready(link: VehicleLink, still_wanted: Callable[[], None] = lambda: None) -> None:
    """Waits until the vehicle knows where it is and its own checks pass; raises `link.not_ready`.

    `still_wanted` is called all the time and raises to end the waiting.
    """

    def is_ready() -> bool:
        still_wanted()
        return link.telemetry.has_position and link.telemetry.prearm_ok

    link.wait(is_ready, READY_LIMIT_S, "link.not_ready")


def arm(link: VehicleLink) -> None:
    """Arms in GUIDED, in which the aircraft stays where it is (ArduCopter refuses to arm in AUTO).

    Where it is not certain that the vehicle armed, it is disarmed, and the fault is raised.
    """
    _require_disarmed(link)
    _rewind(link)
    _set_mode(link, "GUIDED")
    link.telemetry.forget_samples()
    try:
        link.vehicle.armed = True
        link.wait(lambda: bool(link.vehicle.armed), MODE_LIMIT_S, "link.not_armed")
    except BaseException:
        disarm(link)
        raise


def disarm(link: VehicleLink) -> None:
    """Disarms on the ground, where the vehicle still can; never raises."""
    with contextlib.suppress(RuleViolation):
        link.vehicle.armed = False


def start(link: VehicleLink) -> None:
    """Starts the mission of an armed vehicle."""
    link.commands.run(mavlink.MAV_CMD_MISSION_START, 0.0, 0.0)
    link.wait(lambda: link.vehicle.mode.name == "AUTO", MODE_LIMIT_S, "link.not_started")


def _rewind(link: VehicleLink) -> None:
    """Has the mission start afresh and compares: a copy of an older first item may otherwise be flown.

    Firmware that does not know the reset takes the first item; what it then says of itself is compared.
    """
    try:
        set_current(link, 0, afresh=True)
    except VehicleRefused:
        set_current(link, 1)
    link.telemetry.forget_progress()


def _set_mode(link: VehicleLink, name: str) -> None:
    link.vehicle.mode = name
    link.wait(lambda: link.vehicle.mode.name == name, MODE_LIMIT_S, "link.not_started")


def _require_disarmed(link: VehicleLink) -> None:
    """Refuses a vehicle that somebody else has armed: its mission would change in the air (`link.armed`)."""
    if link.vehicle.armed:
        raise VehicleRefused.because("link.armed")


def return_home(link: VehicleLink) -> None:
    """Orders the return to the launch place, acknowledged."""
    link.commands.run(mavlink.MAV_CMD_NAV_RETURN_TO_LAUNCH)


def call_off(link: VehicleLink) -> None:
    """Brings the vehicle back when the flight cannot be led any further; never raises."""
    with contextlib.suppress(RuleViolation):
        return_home(link)
    if link.telemetry.landed_state == mavlink.MAV_LANDED_STATE_ON_GROUND:
        disarm(link)
