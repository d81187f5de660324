"""canon-1: one digest for a mission, whether compiled here, sent, or read back from an autopilot.

A naive comparison after a correct round trip differs in every item: an autopilot stores altitudes in
centimetres, truncates parameters to the integers it keeps, forgets those it does not use and answers
with other frame numbers. The canonical form holds exactly what an ArduPilot-like autopilot keeps
(AP_Mission, AC_PolyFence_loader), as integers, so `digest(sent) == digest(read back)`, while a moved
waypoint, a changed height or a parameter that matters changes it.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable

from flights.model import Command, Frame, PlanItem, WireItem, float32

CANON = "canon-1"

Form = list[int | list[int] | None]
_Store = Callable[[float], int]


def mission_digest(items: Iterable[PlanItem | WireItem]) -> str:
    """SHA-256 (hex) of a mission without its home item, in canonical form."""
    return _digest("mission", [item_form(_wire(item)) for item in items])


def fence_digest(items: Iterable[PlanItem | WireItem]) -> str:
    """SHA-256 (hex) of a fence in canonical form: type, vertex count or radius, place; never z."""
    return _digest("fence", [_fence_form(_wire(item)) for item in items])


def _digest(kind: str, forms: list[Form]) -> str:
    # Only integers, null and ASCII keys in order: for these, json.dumps writes what RFC 8785 asks for.
    body = json.dumps({"canon": CANON, "items": forms, "kind": kind}, separators=(",", ":"))
    return hashlib.sha256(body.encode("ascii")).hexdigest()


def _wire(item: PlanItem | WireItem) -> WireItem:
    return item.wire() if isinstance(item, PlanItem) else item


def item_form(item: WireItem) -> Form:
    """One mission item as integers: [command, frame, [parameters kept], lat_e7, lon_e7, alt_cm].

    Frame and place are None for items without a place. An unknown command keeps everything, so that
    nothing foreign in a read-back can hide.
    """
    raw = (item.param1, item.param2, item.param3, item.param4)
    try:
        command = Command(item.command)
    except ValueError:
        return [item.command, item.frame, [_milli(p) for p in raw], item.x, item.y, _centi(item.z)]
    kept = [store(_number(p)) for store, p in zip(_KEPT[command], raw, strict=False)]
    if not command.is_located:
        return [int(command), None, kept, None, None, None]
    return [int(command), _plain_frame(item.frame), kept, item.x, item.y, _centi(item.z)]


def _fence_form(item: WireItem) -> Form:
    circle = item.command in (Command.FENCE_CIRCLE_INCLUSION, Command.FENCE_CIRCLE_EXCLUSION)
    first = _centi(item.param1) if circle else _whole(_number(item.param1))
    return [item.command, None, [first], item.x, item.y, None]


def _plain_frame(frame: int) -> int:
    try:
        return int(Frame(frame).plain)
    except ValueError:
        return frame


def _number(value: float) -> float:
    """A float field as the autopilot computes with it: NaN means the default, which is 0."""
    value = float32(value)
    if math.isnan(value):
        return 0.0
    return max(-1e9, min(1e9, value))


def _whole(value: float) -> int:
    return math.trunc(value)


def _milli(value: float) -> int:
    return round(_number(value) * 1000)


def _centi(value: float) -> int:
    return round(_number(value) * 100)


def _sign(value: float) -> int:
    return -1 if value < 0 else 1


def _flag(value: float) -> int:
    return int(value > 0)


def _turns(value: float) -> int:
    """Whole turns, of which a byte holds at most 255."""
    return min(255, math.trunc(value))


def _circle_radius(value: float) -> int:
    """A signed radius in m: one byte, in tens of metres above 255."""
    size = abs(value)
    stored = math.trunc(size) if size <= 255 else 10 * min(255, math.trunc(float32(size * 0.1)))
    return -stored if value < 0 else stored


def _nothing(_value: float) -> int:
    return 0


# What the autopilot keeps of param1.. for each command; a shorter row forgets the rest.
_KEPT: dict[Command, tuple[_Store, ...]] = {
    Command.NAV_WAYPOINT: (_whole,),
    Command.NAV_LOITER_UNLIM: (_nothing, _nothing, _whole),
    Command.NAV_LOITER_TURNS: (_turns, _nothing, _circle_radius, _flag),
    Command.NAV_LOITER_TIME: (_whole, _nothing, _sign, _flag),
    Command.NAV_RETURN_TO_LAUNCH: (),
    Command.NAV_LAND: (_whole, _nothing, _nothing, _sign),
    Command.NAV_TAKEOFF: (_whole,),
    Command.NAV_SPLINE_WAYPOINT: (_whole,),
    Command.NAV_DELAY: (_milli, _whole, _whole, _whole),
    Command.CONDITION_DELAY: (_milli,),
    Command.CONDITION_DISTANCE: (_milli,),
    Command.CONDITION_YAW: (_milli, _milli, _whole, _whole),
    Command.DO_JUMP: (_whole, _whole),
    Command.DO_CHANGE_SPEED: (_whole, _milli, _milli),
    Command.DO_MOUNT_CONTROL: (_milli, _milli, _milli),
    Command.DO_SET_CAM_TRIGG_DIST: (_milli, _nothing, _whole),
    Command.SET_CAMERA_MODE: (_whole, _whole),
    Command.SET_CAMERA_ZOOM: (_whole, _milli),
    Command.SET_CAMERA_FOCUS: (_whole, _milli),
    Command.IMAGE_START_CAPTURE: (_whole, _milli, _whole, _whole),
    Command.IMAGE_STOP_CAPTURE: (_whole,),
    Command.VIDEO_START_CAPTURE: (_whole,),
    Command.VIDEO_STOP_CAPTURE: (_whole,),
    Command.FENCE_POLYGON_VERTEX_INCLUSION: (_whole,),
    Command.FENCE_POLYGON_VERTEX_EXCLUSION: (_whole,),
    Command.FENCE_CIRCLE_INCLUSION: (_centi,),
    Command.FENCE_CIRCLE_EXCLUSION: (_centi,),
    Command.RALLY_POINT: (),
}
