"""A plan followed item by item, as ArduCopter follows it: which places in which order, and how high. Pure.

ArduPilot's habits: a position of 0, 0 means "here", a height of 0 keeps the last height, take-off climbs
where the aircraft stands, and jumps run as often as they say.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from flights.model import Command, Home, Plan, PlanItem, Reference
from flights.path.assumed import Assumed
from geo.types import LonLat
from schemas.refusals import RuleViolation, invalid
from schemas.words import found

MAX_STEPS = 10_000
"""Items carried out, jumps counted; a plan that needs more is taken to never end."""

DEFAULT_CIRCLE_M = 10.0
"""ArduCopter's CIRCLE_RADIUS, flown where a plan gives the radius 0."""

_ENDS = (Command.NAV_RETURN_TO_LAUNCH, Command.NAV_LAND)
_CAMERA_ON = (Command.IMAGE_START_CAPTURE, Command.VIDEO_START_CAPTURE)
_CAMERA_OFF = (Command.IMAGE_STOP_CAPTURE, Command.VIDEO_STOP_CAPTURE)
_CAMERA_EVERY = (Command.DO_SET_CAM_TRIGG_DIST, Command.DO_SET_CAM_TRIGG_INTERVAL)
_CONDITIONS = (Command.CONDITION_DELAY, Command.CONDITION_DISTANCE)  # a turn of the nose always ends
_LOOKS = (
    Command.DO_SET_ROI_LOCATION,
    Command.DO_SET_ROI,
    Command.DO_SET_ROI_NONE,
    Command.DO_MOUNT_CONTROL,
    Command.DO_GIMBAL_MANAGER_PITCHYAW,
)


@dataclass(frozen=True, slots=True)
class Stop:
    """A place on the way and how the aircraft gets there and stays.

    `alt_m` is measured from `reference`. `camera_on` tells of the leg that leads here; `circle_m` and
    `turns` of a circle flown around it; `hover_s` of waiting there.

    Where the camera looks on the leg that leads here and while the aircraft stays: at the place `roi`, whose
    `roi_alt_m` is measured from `roi_reference`, where the plan names one; else along `gimbal_pitch_deg` (0 is
    level, -90 straight down) and `gimbal_yaw_deg` (from the nose). None means that the plan does not say.
    """

    at: LonLat
    reference: Reference
    alt_m: float
    command: Command
    hover_s: float = 0.0
    circle_m: float = 0.0
    turns: float = 0.0
    camera_on: bool = False
    speed_mps: float | None = None
    gimbal_pitch_deg: float | None = None
    gimbal_yaw_deg: float | None = None
    roi: LonLat | None = None
    roi_alt_m: float | None = None
    roi_reference: Reference | None = None


@dataclass(frozen=True, slots=True)
class Walk:
    """A plan as a sequence of stops, beginning above home.

    `ends_with` is the return or landing that the plan asks for, None where it asks for none; `missing` are
    the numbers of the items without a height, whose stops have the height NaN. `back` is the place above home as it
    would be reached after the last item: at its height and speed, with the camera where it was pointed last.
    """

    home: Home
    stops: tuple[Stop, ...]
    back: Stop
    ends_with: Command | None
    has_camera: bool
    missing: tuple[int, ...]
    assumed: tuple[Assumed, ...]


@dataclass(frozen=True, slots=True)
class _Look:
    """Where the camera looks: the fields of `Stop`."""

    gimbal_pitch_deg: float | None = None
    gimbal_yaw_deg: float | None = None
    roi: LonLat | None = None
    roi_alt_m: float | None = None
    roi_reference: Reference | None = None


@dataclass
class _State:
    """What the aircraft carries from item to item."""

    at: LonLat
    reference: Reference | None = None
    alt_m: float = 0.0
    camera_on: bool = False
    speed_mps: float | None = None
    look: _Look = _Look()
    condition: Command | None = None
    wait_s: float = 0.0
    stops: list[Stop] = field(default_factory=list)
    missing: list[int] = field(default_factory=list)
    kept: list[int] = field(default_factory=list)


def walk(plan: Plan) -> Walk:
    """The stops of `plan` in the order in which they are flown.

    Raises RuleViolation 422 for a plan that never ends, that goes on after landing, or whose camera or speed waits
    for a condition: whether that is met before the next waypoint cannot be foretold, and if not it never is.
    """
    home, assumed = _home(plan)
    state = _State(home.at, speed_mps=plan.speed_mps)
    ends_with: Command | None = None
    last = 0
    for number, item in executed(plan.items):
        if ends_with and item.command.is_flown_to:
            raise invalid("plan.after_landing", path=number, measured=number, required=last)
        _carry_out(state, number, item)
        if item.command in _ENDS:
            ends_with, last = ends_with or item.command, last or number
    if state.kept:
        assumed = (*assumed, Assumed("height_kept", listed(state.kept), "height_zero"))
    stops = tuple(_from_above_home(home, state.stops))
    back = _stop(state, home.at, PlanItem(Command.NAV_RETURN_TO_LAUNCH))
    has_camera = any(stop.camera_on for stop in stops)
    return Walk(home, stops, back, ends_with, has_camera, tuple(state.missing), assumed)


def _home(plan: Plan) -> tuple[Home, tuple[Assumed, ...]]:
    if plan.home is not None:
        return plan.home, plan.assumed
    at = next((item.at for item in plan.items if item.at and item.command.is_flown_to), None)
    if at is None:
        raise invalid("plan.empty")
    text = f"{at.lon:.7f}, {at.lat:.7f}"
    return Home(at), (*plan.assumed, Assumed("home", text, "first_place"))


def executed(items: Sequence[PlanItem]) -> Iterator[tuple[int, PlanItem]]:
    """The items in the order of flight with their numbers from 1, jumps followed."""
    runs = dict.fromkeys(range(len(items)), 0)
    index = last_jump = 0
    for _step in range(MAX_STEPS):
        if index >= len(items):
            return
        item = items[index]
        if item.command is Command.NAV_LOITER_UNLIM:
            raise _endless(index + 1, item.command)
        if item.command is not Command.DO_JUMP:
            yield index + 1, item
            index += 1
            continue
        target, times = int(item.params[0] or 0), item.params[1] or 0.0
        again = times < 0 or runs[index] < int(times)
        runs[index] += 1
        last_jump = index + 1
        index = target - 1 if again else index + 1
    raise _endless(last_jump, Command.DO_JUMP)


def _endless(number: int, command: Command) -> RuleViolation:
    return invalid("plan.endless", path=number, name=command.mavlink_name, **found("endless", "an_end"))


def _carry_out(state: _State, number: int, item: PlanItem) -> None:
    command = item.command
    if command in _CONDITIONS:
        state.condition = command
    elif command.is_flown_to or command is Command.NAV_DELAY:
        state.condition = None
    elif state.condition and (command in _LOOKS or command is Command.DO_CHANGE_SPEED):
        first = state.condition.mavlink_name
        raise invalid(
            "plan.condition", path=number, name=command.mavlink_name, first=first, **found("unknown", "known")
        )
    if command.is_flown_to:
        _go(state, number, item)
    elif command in _LOOKS:
        state.look = _look(item)
    elif command is Command.NAV_DELAY:
        _wait(state, max(item.params[0] or 0.0, 0.0))
    elif command is Command.DO_CHANGE_SPEED and (item.params[1] or 0.0) > 0:
        state.speed_mps = item.params[1]
    elif command in _CAMERA_EVERY:
        state.camera_on = (item.params[0] or 0.0) > 0
    elif (command in _CAMERA_ON and not _is_one_photo(item)) or command in _CAMERA_OFF:
        state.camera_on = command in _CAMERA_ON


def _wait(state: _State, seconds: float) -> None:
    """Waits where the aircraft is; what it waits before it flies anywhere belongs to its first place."""
    if not state.stops:
        state.wait_s += seconds
        return
    last = state.stops[-1]
    state.stops[-1] = replace(last, hover_s=last.hover_s + seconds)


def _is_one_photo(item: PlanItem) -> bool:
    """Whether a single photo is asked for, which leaves the camera as it was before."""
    return item.command is Command.IMAGE_START_CAPTURE and item.params[2] == 1


def _look(item: PlanItem) -> _Look:
    """Where the camera looks from now on; what an autopilot is told last holds."""
    if item.command is Command.DO_MOUNT_CONTROL:
        return _Look(gimbal_pitch_deg=item.params[0], gimbal_yaw_deg=item.params[2])
    if item.command is Command.DO_GIMBAL_MANAGER_PITCHYAW:
        pitch_deg, yaw_deg = item.params[:2]
        # ArduPilot stores whole degrees and drops the rest.
        return _Look(
            gimbal_pitch_deg=None if pitch_deg is None else float(math.trunc(pitch_deg)),
            gimbal_yaw_deg=None if yaw_deg is None else float(math.trunc(yaw_deg)),
        )
    if item.at is None:
        return _Look()
    return _Look(roi=item.at, roi_alt_m=item.alt_m, roi_reference=item.frame.reference)


def _go(state: _State, number: int, item: PlanItem) -> None:
    at = item.at or state.at
    if item.command is Command.NAV_LOITER_TO_ALT and state.reference is not None:
        # The aircraft flies there at the height it has, and climbs or descends when it is there.
        state.stops.append(_stop(state, at, item))
    if item.command is not Command.NAV_LAND:
        if item.alt_m is None or (item.alt_m == 0 and state.reference is None):
            state.missing.append(number)
            state.alt_m = math.nan
        elif item.alt_m == 0:
            state.kept.append(number)
        else:
            state.reference, state.alt_m = item.frame.reference, item.alt_m
    state.stops.append(_stop(state, at, item))
    state.at = at
    waited_s, state.wait_s = state.wait_s, 0.0
    _wait(state, waited_s)


def _stop(state: _State, at: LonLat, item: PlanItem) -> Stop:
    return Stop(
        at,
        state.reference or Reference.HOME,
        state.alt_m,
        item.command,
        hover_s=_hover_s(item),
        circle_m=_circle_m(item),
        turns=abs(item.params[0] or 0.0) if item.command is Command.NAV_LOITER_TURNS else 0.0,
        camera_on=state.camera_on,
        speed_mps=state.speed_mps,
        gimbal_pitch_deg=state.look.gimbal_pitch_deg,
        gimbal_yaw_deg=state.look.gimbal_yaw_deg,
        roi=state.look.roi,
        roi_alt_m=state.look.roi_alt_m,
        roi_reference=state.look.roi_reference,
    )


def _hover_s(item: PlanItem) -> float:
    waits = (Command.NAV_WAYPOINT, Command.NAV_SPLINE_WAYPOINT, Command.NAV_LOITER_TIME)
    return max(item.params[0] or 0.0, 0.0) if item.command in waits else 0.0


def _circle_m(item: PlanItem) -> float:
    if item.command is not Command.NAV_LOITER_TURNS:
        return 0.0
    return abs(item.params[2] or 0.0) or DEFAULT_CIRCLE_M


def _from_above_home(home: Home, stops: Sequence[Stop]) -> Iterator[Stop]:
    """The stops, with one above home in front: where the climb ends and the first leg begins."""
    first = stops[0]
    yield replace(first, at=home.at, command=Command.NAV_TAKEOFF, circle_m=0.0, turns=0.0, hover_s=0.0, camera_on=False)
    yield from stops


def listed(numbers: Sequence[int]) -> str:
    """Item numbers for a sentence, ten at most."""
    return ", ".join(map(str, numbers[:10])) + (", ..." if len(numbers) > 10 else "")
