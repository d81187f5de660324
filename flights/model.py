"""The words of a flight plan: MAVLink commands, frames, mission items, fence, rally points.

A `PlanItem` is one mission item as an autopilot understands it; `PlanItem.wire()` gives the numbers
of a MISSION_ITEM_INT message. Everything here is a value: frozen, without I/O.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import NamedTuple

from flights.path.assumed import Assumed
from geo.types import LonLat

E7 = 10_000_000
"""Units of a coordinate on the wire in one degree (1e-7 deg, about 1.1 cm of latitude)."""


class Reference(StrEnum):
    """What an altitude is measured from."""

    HOME = "home"
    AMSL = "amsl"
    TERRAIN = "terrain"


class Frame(IntEnum):
    """MAV_FRAME, the global ones; the *_INT twins mean the same place in an integer message."""

    GLOBAL = 0
    MISSION = 2
    GLOBAL_RELATIVE_ALT = 3
    GLOBAL_INT = 5
    GLOBAL_RELATIVE_ALT_INT = 6
    GLOBAL_TERRAIN_ALT = 10
    GLOBAL_TERRAIN_ALT_INT = 11

    @property
    def plain(self) -> Frame:
        """The frame that an autopilot reads back: 5 -> 0, 6 -> 3, 11 -> 10."""
        return _PLAIN.get(self, self)

    @property
    def on_wire(self) -> Frame:
        """The *_INT twin, for MISSION_ITEM_INT."""
        return _ON_WIRE.get(self, self)

    @property
    def reference(self) -> Reference | None:
        """What altitudes in this frame are measured from; None for the frame without a place."""
        return _REFERENCE.get(self.plain)


_PLAIN = {
    Frame.GLOBAL_INT: Frame.GLOBAL,
    Frame.GLOBAL_RELATIVE_ALT_INT: Frame.GLOBAL_RELATIVE_ALT,
    Frame.GLOBAL_TERRAIN_ALT_INT: Frame.GLOBAL_TERRAIN_ALT,
}
_ON_WIRE = {plain: twin for twin, plain in _PLAIN.items()}
_REFERENCE = {
    Frame.GLOBAL: Reference.AMSL,
    Frame.GLOBAL_RELATIVE_ALT: Reference.HOME,
    Frame.GLOBAL_TERRAIN_ALT: Reference.TERRAIN,
}


class Command(IntEnum):
    """MAV_CMD, the commands that a plan may hold; every other one is refused by name (formats/commands.py)."""

    NAV_WAYPOINT = 16
    NAV_LOITER_UNLIM = 17
    NAV_LOITER_TURNS = 18
    NAV_LOITER_TIME = 19
    NAV_RETURN_TO_LAUNCH = 20
    NAV_LAND = 21
    NAV_TAKEOFF = 22
    NAV_LOITER_TO_ALT = 31
    NAV_SPLINE_WAYPOINT = 82
    NAV_DELAY = 93
    CONDITION_DELAY = 112
    CONDITION_DISTANCE = 114
    CONDITION_YAW = 115
    DO_JUMP = 177
    DO_CHANGE_SPEED = 178
    DO_SET_ROI_LOCATION = 195
    DO_SET_ROI_NONE = 197
    DO_SET_ROI = 201
    DO_DIGICAM_CONTROL = 203
    DO_MOUNT_CONTROL = 205
    DO_SET_CAM_TRIGG_DIST = 206
    DO_SET_CAM_TRIGG_INTERVAL = 214
    SET_CAMERA_MODE = 530
    SET_CAMERA_ZOOM = 531
    SET_CAMERA_FOCUS = 532
    DO_GIMBAL_MANAGER_PITCHYAW = 1000
    IMAGE_START_CAPTURE = 2000
    IMAGE_STOP_CAPTURE = 2001
    VIDEO_START_CAPTURE = 2500
    VIDEO_STOP_CAPTURE = 2501
    FENCE_POLYGON_VERTEX_INCLUSION = 5001
    FENCE_POLYGON_VERTEX_EXCLUSION = 5002
    FENCE_CIRCLE_INCLUSION = 5003
    FENCE_CIRCLE_EXCLUSION = 5004
    RALLY_POINT = 5100

    @property
    def mavlink_name(self) -> str:
        """The name in the MAVLink definition, such as MAV_CMD_NAV_WAYPOINT."""
        prefix = "MAV_CMD_NAV_" if self >= Command.FENCE_POLYGON_VERTEX_INCLUSION else "MAV_CMD_"
        return prefix + self.name

    @property
    def is_located(self) -> bool:
        """True when latitude, longitude and altitude of the item mean a place."""
        return self in LOCATED

    @property
    def is_flown_to(self) -> bool:
        """True when the aircraft goes to the place of the item; a region of interest is only looked at."""
        return self in LOCATED and self not in LOOKED_AT

    @property
    def is_fence(self) -> bool:
        """True for the items of a fence (mission type 1)."""
        return self in FENCE_COMMANDS


FENCE_COMMANDS = frozenset(
    {
        Command.FENCE_POLYGON_VERTEX_INCLUSION,
        Command.FENCE_POLYGON_VERTEX_EXCLUSION,
        Command.FENCE_CIRCLE_INCLUSION,
        Command.FENCE_CIRCLE_EXCLUSION,
    }
)
LOCATED = FENCE_COMMANDS | {
    Command.NAV_WAYPOINT,
    Command.NAV_LOITER_UNLIM,
    Command.NAV_LOITER_TURNS,
    Command.NAV_LOITER_TIME,
    Command.NAV_LAND,
    Command.NAV_TAKEOFF,
    Command.NAV_LOITER_TO_ALT,
    Command.NAV_SPLINE_WAYPOINT,
    Command.DO_SET_ROI_LOCATION,
    Command.DO_SET_ROI,
    Command.RALLY_POINT,
}
LOOKED_AT = frozenset({Command.DO_SET_ROI_LOCATION, Command.DO_SET_ROI})
MISSION_COMMANDS = frozenset(Command) - FENCE_COMMANDS - {Command.RALLY_POINT}

# ArduPilot refuses NaN anywhere except here, where it means "keep the default heading".
_HEADING_MAY_BE_NAN = {Command.NAV_WAYPOINT, Command.NAV_LAND, Command.NAV_TAKEOFF}


class WireItem(NamedTuple):
    """The numbers of one MISSION_ITEM_INT: x, y in 1e-7 deg (latitude, longitude), z in m (float32)."""

    command: int
    frame: int
    param1: float
    param2: float
    param3: float
    param4: float
    x: int
    y: int
    z: float


def float32(value: float) -> float:
    """`value` as a MAVLink float field holds it; infinite when it does not fit."""
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def to_e7(degrees: float) -> int:
    """`degrees` in 1e-7 deg, rounded half to even."""
    return round(degrees * E7)


def wire_altitude_m(alt_m: float) -> float:
    """The float32 that an autopilot truncating `z * 100` stores as exactly round(100 * alt_m) cm.

    6 % of all centimetre values would lose one centimetre otherwise, and with it the digest: ArduPilot
    multiplies in float32 and truncates (AP_Mission::mavlink_int_to_mission_cmd).
    """
    alt_cm = round(alt_m * 100)
    z = float32(alt_cm / 100)
    if math.trunc(float32(z * 100.0)) != alt_cm:
        bits = struct.unpack("<i", struct.pack("<f", z))[0]
        z = float(struct.unpack("<f", struct.pack("<i", bits + 1))[0])
    return z


@dataclass(frozen=True, slots=True)
class PlanItem:
    """One mission item: command, frame, four parameters (None means "default", NaN on the wire), place.

    `at` None means "where the aircraft is then" (0, 0 on the wire); `alt_m` is measured from
    `frame.reference`; None means that the plan gives no height. `numbers` are what DO_DIGICAM_CONTROL
    carries where others carry latitude and longitude: the shutter (1 takes a photo) and a command number.
    """

    command: Command
    frame: Frame = Frame.MISSION
    params: tuple[float | None, float | None, float | None, float | None] = (0.0, 0.0, 0.0, 0.0)
    at: LonLat | None = None
    alt_m: float | None = None
    numbers: tuple[int, int] = (0, 0)

    def wire(self) -> WireItem:
        """The numbers to send; ValueError when a located item has no height."""
        p1, p2, p3, p4 = (0.0 if p is None else float32(p) for p in self.params)
        if self.params[3] is None and self.command in _HEADING_MAY_BE_NAN:
            p4 = math.nan
        if not self.command.is_located:
            return WireItem(self.command, Frame.MISSION, p1, p2, p3, p4, *self.numbers, 0.0)
        if self.alt_m is None:
            raise ValueError(f"{self.command.mavlink_name} has no height")
        x, y = (to_e7(self.at.lat), to_e7(self.at.lon)) if self.at else (0, 0)
        return WireItem(self.command, self.frame.on_wire, p1, p2, p3, p4, x, y, wire_altitude_m(self.alt_m))


@dataclass(frozen=True, slots=True)
class Home:
    """Where the aircraft takes off and returns to; height above mean sea level where known."""

    at: LonLat
    alt_amsl_m: float | None = None


@dataclass(frozen=True, slots=True)
class FencePolygon:
    """One fence polygon; `ring` holds its vertices once, the first is not repeated."""

    ring: tuple[LonLat, ...]
    inclusion: bool


@dataclass(frozen=True, slots=True)
class FenceCircle:
    """One fence circle."""

    centre: LonLat
    radius_m: float
    inclusion: bool


@dataclass(frozen=True, slots=True)
class Fence:
    """What keeps the aircraft in or out; it has no height (no autopilot stores one)."""

    polygons: tuple[FencePolygon, ...] = ()
    circles: tuple[FenceCircle, ...] = ()

    @property
    def items(self) -> tuple[PlanItem, ...]:
        """The fence as mission items of type 1: a vertex each, param1 the vertex count or the radius."""
        return tuple(self._vertices()) + tuple(_circle_item(circle) for circle in self.circles)

    def _vertices(self) -> list[PlanItem]:
        return [
            PlanItem(
                _vertex_command(polygon.inclusion),
                Frame.GLOBAL,
                (float(len(polygon.ring)), 0.0, 0.0, 0.0),
                vertex,
                0.0,
            )
            for polygon in self.polygons
            for vertex in polygon.ring
        ]


def _vertex_command(inclusion: bool) -> Command:
    if inclusion:
        return Command.FENCE_POLYGON_VERTEX_INCLUSION
    return Command.FENCE_POLYGON_VERTEX_EXCLUSION


def _circle_item(circle: FenceCircle) -> PlanItem:
    command = Command.FENCE_CIRCLE_INCLUSION if circle.inclusion else Command.FENCE_CIRCLE_EXCLUSION
    return PlanItem(command, Frame.GLOBAL, (circle.radius_m, 0.0, 0.0, 0.0), circle.centre, 0.0)


@dataclass(frozen=True, slots=True)
class RallyPoint:
    """An alternative landing place; height above home."""

    at: LonLat
    alt_rel_m: float


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan file as read: mission items (home excluded), home, fence, rally points.

    `speed_mps` and `hfov_deg` are what the file says of the aircraft and its camera, None where it is
    silent; `nose_follows` is false where the file turns the nose otherwise than along the path, as no item says;
    `assumed` lists the readings of ambiguous content that the reader chose.
    """

    items: tuple[PlanItem, ...]
    home: Home | None = None
    fence: Fence = field(default_factory=Fence)
    rally: tuple[RallyPoint, ...] = ()
    source: str = ""
    speed_mps: float | None = None
    hfov_deg: float | None = None
    nose_follows: bool = True
    assumed: tuple[Assumed, ...] = ()
