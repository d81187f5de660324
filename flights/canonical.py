"""canon-1: one digest for a mission, whether compiled here, sent, or read back from an autopilot.

A naive comparison after a correct round trip differs in every item: an autopilot stores altitudes in
centimetres, truncates parameters to the integers it keeps, forgets those it does not use and answers
with other frame numbers. The canonical form holds exactly what an ArduPilot-like autopilot keeps
(AP_Mission, AC_PolyFence_loader), as integers, so `digest(sent) == digest(read back)`, while a moved
waypoint, a changed height or a parameter that matters changes it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import rfc8785

from flights.model import E7, Command, Frame, PlanItem, WireItem, float32
from geo.types import LonLat

CANON = "canon-1"

Form = list[int | list[int] | None]


@dataclass(frozen=True)
class _Store:
    """How an autopilot keeps one parameter: as `encode(value)`, which is `scale` times what it reads back."""

    encode: Callable[[float], int]
    scale: int = 1

    def decode(self, kept: int) -> float:
        return kept / self.scale


def mission_digest(items: Iterable[PlanItem | WireItem]) -> str:
    """SHA-256 (hex) of a mission without its home item, in canonical form."""
    return document_digest(mission_document(items))


def fence_digest(items: Iterable[PlanItem | WireItem]) -> str:
    """SHA-256 (hex) of a fence in canonical form: type, vertex count or radius, place; never z."""
    forms = [_fence_form(_wire(item)) for item in items]
    return document_digest({"canon": CANON, "items": forms, "kind": "fence"})


def rally_digest(items: Iterable[PlanItem | WireItem]) -> str:
    """SHA-256 (hex) of rally points in canonical form: place, and the whole metres above home that a board keeps."""
    forms = [_rally_form(_wire(item)) for item in items]
    return document_digest({"canon": CANON, "items": forms, "kind": "rally"})


def mission_document(items: Iterable[PlanItem | WireItem]) -> dict[str, Any]:
    """A mission in canonical form, as it is published: its RFC 8785 JSON has the digest."""
    return {"canon": CANON, "items": [item_form(_wire(item)) for item in items], "kind": "mission"}


def document_digest(document: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of a document in canonical form."""
    return hashlib.sha256(rfc8785.dumps(dict(document))).hexdigest()


def items_of(document: Mapping[str, Any]) -> tuple[PlanItem, ...]:
    """The items of a mission document; ValueError where it is not canon-1 or names an unknown command."""
    if document.get("canon") != CANON or document.get("kind") != "mission":
        raise ValueError("not a mission document of " + CANON)
    return tuple(_item_of(*form) for form in document["items"])


def _item_of(
    command: int, frame: int | None, kept: Sequence[int], lat_e7: int | None, lon_e7: int | None, alt_cm: int | None
) -> PlanItem:
    known = Command(command)
    params = [store.decode(value) for store, value in zip(_KEPT[known], kept, strict=True)]
    p1, p2, p3, p4 = (*params, *[0.0] * (4 - len(params)))
    lat_e7, lon_e7 = lat_e7 or 0, lon_e7 or 0
    if frame is None:
        return PlanItem(known, Frame.MISSION, (p1, p2, p3, p4), numbers=(lat_e7, lon_e7))
    at = LonLat(lon_e7 / E7, lat_e7 / E7) if (lat_e7, lon_e7) != (0, 0) else None
    return PlanItem(known, Frame(frame), (p1, p2, p3, p4), at, (alt_cm or 0) / 100)


def _wire(item: PlanItem | WireItem) -> WireItem:
    return item.wire() if isinstance(item, PlanItem) else item


def item_form(item: WireItem) -> Form:
    """One mission item as integers: [command, frame, [parameters kept], lat_e7, lon_e7, alt_cm].

    Frame and place are None for items without a place; DO_DIGICAM_CONTROL keeps two plain numbers where
    others have latitude and longitude. An unknown command keeps everything, so that
    nothing foreign in a read-back can hide.
    """
    raw = (item.param1, item.param2, item.param3, item.param4)
    try:
        command = Command(item.command)
    except ValueError:
        return [item.command, item.frame, [_milli(p) for p in raw], item.x, item.y, _centi(item.z)]
    kept = [store.encode(_number(p)) for store, p in zip(_KEPT[command], raw, strict=False)]
    if command is Command.DO_DIGICAM_CONTROL:
        return [int(command), None, kept, item.x, item.y, None]
    if not command.is_located:
        return [int(command), None, kept, None, None, None]
    return [int(command), _plain_frame(item.frame), kept, item.x, item.y, _centi(item.z)]


def _fence_form(item: WireItem) -> Form:
    circle = item.command in (Command.FENCE_CIRCLE_INCLUSION, Command.FENCE_CIRCLE_EXCLUSION)
    first = _centi(item.param1) if circle else _whole(_number(item.param1))
    return [item.command, None, [first], item.x, item.y, None]


def _rally_form(item: WireItem) -> Form:
    return [item.command, _plain_frame(item.frame), [], item.x, item.y, _whole(_number(item.z))]


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


_WHOLE, _MILLI, _CENTI = _Store(_whole), _Store(_milli, 1000), _Store(_centi, 100)
_SIGN, _FLAG, _NOTHING = _Store(_sign), _Store(_flag), _Store(_nothing)

# What the autopilot keeps of param1.. for each command; a shorter row forgets the rest.
_KEPT: dict[Command, tuple[_Store, ...]] = {
    Command.NAV_WAYPOINT: (_WHOLE,),
    Command.NAV_LOITER_UNLIM: (_NOTHING, _NOTHING, _WHOLE),
    Command.NAV_LOITER_TURNS: (_Store(_turns), _NOTHING, _Store(_circle_radius), _FLAG),
    Command.NAV_LOITER_TIME: (_WHOLE, _NOTHING, _SIGN, _FLAG),
    Command.NAV_RETURN_TO_LAUNCH: (),
    Command.NAV_LAND: (_WHOLE, _NOTHING, _NOTHING, _SIGN),
    Command.NAV_TAKEOFF: (_WHOLE,),
    Command.NAV_LOITER_TO_ALT: (_NOTHING, _WHOLE, _NOTHING, _FLAG),
    Command.NAV_SPLINE_WAYPOINT: (_WHOLE,),
    Command.NAV_DELAY: (_MILLI, _WHOLE, _WHOLE, _WHOLE),
    Command.CONDITION_DELAY: (_MILLI,),
    Command.CONDITION_DISTANCE: (_MILLI,),
    Command.CONDITION_YAW: (_MILLI, _MILLI, _WHOLE, _WHOLE),
    Command.DO_JUMP: (_WHOLE, _WHOLE),
    Command.DO_CHANGE_SPEED: (_WHOLE, _MILLI, _MILLI),
    Command.DO_SET_ROI_LOCATION: (),
    Command.DO_SET_ROI_NONE: (),
    Command.DO_SET_ROI: (_WHOLE,),
    Command.DO_DIGICAM_CONTROL: (_WHOLE, _WHOLE, _WHOLE, _WHOLE),
    Command.DO_MOUNT_CONTROL: (_MILLI, _MILLI, _MILLI),
    Command.DO_SET_CAM_TRIGG_DIST: (_MILLI, _NOTHING, _WHOLE),
    Command.DO_SET_CAM_TRIGG_INTERVAL: (_MILLI, _MILLI),
    Command.SET_CAMERA_MODE: (_WHOLE, _WHOLE),
    Command.SET_CAMERA_ZOOM: (_WHOLE, _MILLI),
    Command.SET_CAMERA_FOCUS: (_WHOLE, _MILLI),
    Command.DO_GIMBAL_MANAGER_PITCHYAW: (_WHOLE, _WHOLE, _WHOLE, _WHOLE),
    Command.IMAGE_START_CAPTURE: (_WHOLE, _MILLI, _WHOLE, _WHOLE),
    Command.IMAGE_STOP_CAPTURE: (_WHOLE,),
    Command.VIDEO_START_CAPTURE: (_WHOLE,),
    Command.VIDEO_STOP_CAPTURE: (_WHOLE,),
    Command.FENCE_POLYGON_VERTEX_INCLUSION: (_WHOLE,),
    Command.FENCE_POLYGON_VERTEX_EXCLUSION: (_WHOLE,),
    Command.FENCE_CIRCLE_INCLUSION: (_CENTI,),
    Command.FENCE_CIRCLE_EXCLUSION: (_CENTI,),
    Command.RALLY_POINT: (),
}
