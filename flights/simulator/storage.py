"""What the simulated autopilot keeps of an item, and what it therefore reads back.

Follows AP_Mission and AC_PolyFence_loader: heights in whole centimetres (float32 times 100, truncated),
plain frames, and only the parameters that a command uses, in the types in which they are stored.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from pymavlink.dialects.v20 import ardupilotmega as mavlink

_PLAIN_FRAME = {0: 0, 5: 0, 3: 3, 6: 3, 10: 10, 11: 10}
_UNPLACED_FRAMES = frozenset({*_PLAIN_FRAME, mavlink.MAV_FRAME_MISSION})


@dataclass(frozen=True)
class Stored:
    """One item in the memory of the autopilot; x, y latitude and longitude in 1e-7 degrees, z metres."""

    command: int
    frame: int
    params: tuple[float, float, float, float]
    x: int
    y: int
    z: float

    def message(self, seq: int, kind: int, to: tuple[int, int]) -> Any:  # noqa: ANN401
        """The item as MISSION_ITEM_INT for the ground station `to` (system, component)."""
        return mavlink.MAVLink_mission_item_int_message(
            *to, seq, self.frame, self.command, 0, 1, *self.params, self.x, self.y, self.z, kind
        )

    def moved(self, east_m: float) -> Stored:
        """The item a little further east."""
        metre_e7 = 1e7 / (111_320.0 * math.cos(math.radians(self.x / 1e7)))
        return replace(self, y=self.y + round(east_m * metre_e7))


class ItemRefused(Exception):
    """The autopilot does not take an item; `result` is the MAV_MISSION_RESULT."""

    def __init__(self, result: int, text: str | None = None) -> None:
        super().__init__(text or str(result))
        self.result = result
        self.text = text


def _f32(value: float) -> float:
    return float(struct.unpack("<f", struct.pack("<f", value))[0])


def _u16(value: float) -> float:
    return float(max(0, min(65_535, int(value))))


def _i16(value: float) -> float:
    return float(max(-32_768, min(32_767, int(value))))


def _u8(value: float) -> float:
    return float(max(0, min(255, int(value))))


def _sign(value: float) -> float:
    return -1.0 if value < 0 else 1.0


def _keep(value: float) -> float:
    return value


def _drop(_value: float) -> float:
    return 0.0


_Keep = Callable[[float], float]
# What is kept of the four parameters; shorter rows drop the rest.
_PLACED: dict[int, tuple[_Keep, ...]] = {
    mavlink.MAV_CMD_NAV_WAYPOINT: (_u16,),
    mavlink.MAV_CMD_NAV_SPLINE_WAYPOINT: (_u16,),
    mavlink.MAV_CMD_NAV_LOITER_UNLIM: (_drop, _drop, _i16),
    mavlink.MAV_CMD_NAV_LOITER_TIME: (_u16, _drop, _sign),
    mavlink.MAV_CMD_NAV_LAND: (_u16, _drop, _drop, _sign),
    mavlink.MAV_CMD_NAV_TAKEOFF: (_u16,),
}
_UNPLACED: dict[int, tuple[_Keep, ...]] = {
    mavlink.MAV_CMD_NAV_RETURN_TO_LAUNCH: (),
    mavlink.MAV_CMD_NAV_DELAY: (_keep, _i16, _i16, _i16),
    mavlink.MAV_CMD_CONDITION_DELAY: (_keep,),
    mavlink.MAV_CMD_CONDITION_YAW: (_keep, _keep, _i16, _u8),
    mavlink.MAV_CMD_DO_JUMP: (_u16, _i16),
    mavlink.MAV_CMD_DO_CHANGE_SPEED: (_u8, _keep, _keep),
    mavlink.MAV_CMD_DO_MOUNT_CONTROL: (_keep, _keep, _keep),
    mavlink.MAV_CMD_DO_SET_CAM_TRIGG_DIST: (_keep, _drop, _u8),
    mavlink.MAV_CMD_DO_DIGICAM_CONTROL: (_keep, _keep, _keep, _keep),
    mavlink.MAV_CMD_IMAGE_START_CAPTURE: (_u8, _keep, _u16),
    mavlink.MAV_CMD_IMAGE_STOP_CAPTURE: (_u8,),
}
FENCE_POLYGONS = frozenset(
    {
        mavlink.MAV_CMD_NAV_FENCE_POLYGON_VERTEX_INCLUSION,
        mavlink.MAV_CMD_NAV_FENCE_POLYGON_VERTEX_EXCLUSION,
    }
)
FENCE_CIRCLES = frozenset({mavlink.MAV_CMD_NAV_FENCE_CIRCLE_INCLUSION, mavlink.MAV_CMD_NAV_FENCE_CIRCLE_EXCLUSION})


# What 24 bits of centimetres hold, which is what an autopilot has for a height.
_HIGHEST_M = 83_886.0


def is_placed(command: int) -> bool:
    """Whether a mission command is stored with a place."""
    return command in _PLACED


def store_mission_item(message: Any) -> Stored:  # noqa: ANN401
    """What is kept of a mission item; raises ItemRefused."""
    raw = (message.param1, message.param2, message.param3, message.param4)
    command = message.command
    keeps = _PLACED.get(command, _UNPLACED.get(command))
    if keeps is None:
        raise ItemRefused(mavlink.MAV_MISSION_UNSUPPORTED)
    for number, value in enumerate(raw):
        # Only the heading may be NaN, which leaves it to the autopilot.
        if math.isinf(value) or (math.isnan(value) and number < 3):
            raise ItemRefused(mavlink.MAV_MISSION_INVALID_PARAM1 + number)
    params = tuple(keep(0.0 if math.isnan(value) else value) for keep, value in zip(keeps, raw, strict=False))
    four: Any = (*params, *([0.0] * (4 - len(params))))
    if command not in _PLACED:
        if message.frame not in _UNPLACED_FRAMES:
            raise ItemRefused(mavlink.MAV_MISSION_UNSUPPORTED_FRAME)
        # The shutter and a command number stand where others have a place.
        x, y = (message.x, message.y) if command == mavlink.MAV_CMD_DO_DIGICAM_CONTROL else (0, 0)
        return Stored(command, mavlink.MAV_FRAME_GLOBAL, four, x, y, 0.0)
    return _placed(message, four)


def _placed(message: Any, params: tuple[float, float, float, float]) -> Stored:  # noqa: ANN401
    frame = _PLAIN_FRAME.get(message.frame)
    if frame is None:
        raise ItemRefused(mavlink.MAV_MISSION_UNSUPPORTED_FRAME)
    _check_place(message)
    if not abs(message.z) <= _HIGHEST_M:
        raise ItemRefused(mavlink.MAV_MISSION_INVALID_PARAM7)
    alt_cm = int(_f32(_f32(message.z) * 100.0))
    return Stored(message.command, frame, params, message.x, message.y, alt_cm / 100.0)


def _check_place(message: Any) -> None:  # noqa: ANN401
    if abs(message.x) > 900_000_000:
        raise ItemRefused(mavlink.MAV_MISSION_INVALID_PARAM5_X)
    if abs(message.y) > 1_800_000_000:
        raise ItemRefused(mavlink.MAV_MISSION_INVALID_PARAM6_Y)


def store_fence_item(message: Any) -> Stored:  # noqa: ANN401
    """What is kept of a fence item; raises ItemRefused. Heights are ignored: a fence has none."""
    if message.command not in FENCE_POLYGONS | FENCE_CIRCLES:
        raise ItemRefused(mavlink.MAV_MISSION_UNSUPPORTED)
    if message.frame not in _PLAIN_FRAME:
        raise ItemRefused(mavlink.MAV_MISSION_UNSUPPORTED_FRAME)
    _check_place(message)
    if not math.isfinite(message.param1):
        raise ItemRefused(mavlink.MAV_MISSION_INVALID_PARAM1)
    first = message.param1 if message.command in FENCE_CIRCLES else _u8(message.param1)
    return Stored(message.command, mavlink.MAV_FRAME_GLOBAL, (first, 0.0, 0.0, 0.0), message.x, message.y, 0.0)


def store_rally_item(message: Any) -> Stored:  # noqa: ANN401
    """What is kept of a rally point: its place and whole metres above home; raises ItemRefused."""
    if message.command != mavlink.MAV_CMD_NAV_RALLY_POINT:
        raise ItemRefused(mavlink.MAV_MISSION_UNSUPPORTED)
    if _PLAIN_FRAME.get(message.frame) != mavlink.MAV_FRAME_GLOBAL_RELATIVE_ALT:
        raise ItemRefused(mavlink.MAV_MISSION_UNSUPPORTED_FRAME)
    _check_place(message)
    if not -32_768 <= message.z <= 32_767:
        raise ItemRefused(mavlink.MAV_MISSION_INVALID_PARAM7)
    nothing = (0.0, 0.0, 0.0, 0.0)
    frame = mavlink.MAV_FRAME_GLOBAL_RELATIVE_ALT
    return Stored(message.command, frame, nothing, message.x, message.y, float(int(message.z)))


def fence_slots(items: list[Stored]) -> int:
    """What FENCE_TOTAL says: two more than the items, as when a return point and the closing one were stored."""
    return len(items) + 2 if len(items) >= 3 else 0


def check_fence(items: list[Stored]) -> None:
    """Checks a whole fence before it takes effect; raises ItemRefused with the reason as a text."""
    at = 0
    while at < len(items):
        first = items[at]
        if first.command in FENCE_CIRCLES:
            if not first.params[0] > 0:
                raise ItemRefused(mavlink.MAV_MISSION_ERROR, "Fence: zero radius")
            at += 1
            continue
        count = int(first.params[0])
        polygon = items[at : at + count]
        if count < 3:
            raise ItemRefused(mavlink.MAV_MISSION_ERROR, f"Fence: invalid polygon vertex count {count}")
        if len(polygon) < count or any(v.params[0] != count or v.command != first.command for v in polygon):
            raise ItemRefused(mavlink.MAV_MISSION_ERROR, "Fence: incorrect item in polygon")
        at += count
