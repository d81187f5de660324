"""A plan as DJI's language holds it: waypoints with actions, above the take-off point or the surface. Pure.

`Wayline.plan()` is what a mission of that language means in MAVLink's words; `wayline_of` goes the other way
and lists what it leaves out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from flights.canonical import mission_document
from flights.formats.line import FRAMES, rounded
from flights.formats.losses import Loss, beside_the_line, counted
from flights.model import Command, Frame, Home, Plan, PlanItem, Reference
from flights.path.assumed import Assumed
from geo.types import LonLat
from schemas.refusals import invalid

FORMAT = "DJI WPML"

_USUAL_SPEED_MPS = 5.0
_TAKEOFF_M = (1.2, 1500.0)
_GROUND_SPEED, _AIR_SPEED = 1.0, 0.0
_FOCAL_LENGTH = 3.0  # CAMERA_ZOOM_TYPE
_ON_THE_GROUND_M = 0.01  # a height of 0 means "none" to an autopilot


class Do(StrEnum):
    """What a DJI aircraft can be told to do at a waypoint, as far as it is read here."""

    PHOTO = "photo"
    RECORD = "record"
    STOP_RECORD = "stop_record"
    HOVER = "hover"
    GIMBAL = "gimbal"
    YAW = "yaw"
    ZOOM = "zoom"
    EVERY_M = "every_m"
    EVERY_S = "every_s"


EVERY = (Do.EVERY_M, Do.EVERY_S)


@dataclass(frozen=True, slots=True)
class Action:
    """One action: seconds of hovering; pitch and yaw of the gimbal; heading and turning sense of the nose;
    focal length in mm; metres or seconds between photos, 0 to end them."""

    do: Do
    value: float = 0.0
    second: float | None = None


@dataclass(frozen=True, slots=True)
class Waypoint:
    """One waypoint; `speed_mps` is flown from here on, `curved` means that it is passed in a curve."""

    at: LonLat
    height_m: float
    speed_mps: float
    curved: bool = False
    actions: tuple[Action, ...] = ()


class Finish(StrEnum):
    """What follows after the last waypoint."""

    GO_HOME = "goHome"
    LAND = "autoLand"
    NOTHING = "noAction"
    FIRST_WAYPOINT = "gotoFirstWaypoint"


@dataclass(frozen=True, slots=True)
class Wayline:
    """One wayline: heights are measured from `reference`, the take-off point or the surface below."""

    waypoints: tuple[Waypoint, ...]
    reference: Reference
    speed_mps: float
    transit_mps: float
    takeoff_m: float
    finish: Finish = Finish.NOTHING
    first_actions: tuple[Action, ...] = ()
    home: Home | None = None
    nose_follows: bool = True
    assumed: tuple[Assumed, ...] = ()

    def plan(self) -> Plan:
        """The mission in MAVLink's words."""
        return Plan(
            tuple(self._items()),
            self.home,
            source=FORMAT,
            speed_mps=self.speed_mps,
            nose_follows=self.nose_follows,
            assumed=self.assumed,
        )

    def _items(self) -> Iterator[PlanItem]:
        at = self.home.at if self.home else None
        yield PlanItem(Command.NAV_TAKEOFF, Frame.GLOBAL_RELATIVE_ALT, (0.0, 0.0, 0.0, None), at, self.takeoff_m)
        speed_mps = self.speed_mps
        if self.transit_mps != speed_mps:
            speed_mps = self.transit_mps
            yield _speed(speed_mps)
        yield from map(_item, self.first_actions)
        for waypoint in self.waypoints:
            command = Command.NAV_SPLINE_WAYPOINT if waypoint.curved else Command.NAV_WAYPOINT
            height_m = waypoint.height_m or _ON_THE_GROUND_M
            yield PlanItem(command, FRAMES[self.reference], (0.0, 0.0, 0.0, None), waypoint.at, height_m)
            if waypoint.speed_mps != speed_mps:
                speed_mps = waypoint.speed_mps
                yield _speed(speed_mps)
            yield from map(_item, waypoint.actions)
        if self.finish is Finish.FIRST_WAYPOINT:
            first = self.waypoints[0]
            height_m = first.height_m or _ON_THE_GROUND_M
            yield PlanItem(Command.NAV_WAYPOINT, FRAMES[self.reference], (0.0, 0.0, 0.0, None), first.at, height_m)
        elif self.finish is Finish.GO_HOME:
            yield PlanItem(Command.NAV_RETURN_TO_LAUNCH)
        elif self.finish is Finish.LAND:
            yield PlanItem(Command.NAV_LAND, Frame.GLOBAL_RELATIVE_ALT, alt_m=0.0)


def _speed(speed_mps: float) -> PlanItem:
    return PlanItem(Command.DO_CHANGE_SPEED, params=(_GROUND_SPEED, speed_mps, -1.0, 0.0))


def _item(action: Action) -> PlanItem:
    """The MAVLink item that means the same as an action."""
    value, second = action.value, action.second
    match action.do:
        case Do.PHOTO:
            return PlanItem(Command.IMAGE_START_CAPTURE, params=(0.0, 0.0, 1.0, 0.0))
        case Do.RECORD:
            return PlanItem(Command.VIDEO_START_CAPTURE)
        case Do.STOP_RECORD:
            return PlanItem(Command.VIDEO_STOP_CAPTURE)
        case Do.HOVER:
            return PlanItem(Command.NAV_DELAY, params=(value, -1.0, -1.0, -1.0))
        case Do.GIMBAL:
            return PlanItem(Command.DO_MOUNT_CONTROL, params=(value, 0.0, second, 0.0))
        case Do.YAW:
            return PlanItem(Command.CONDITION_YAW, params=(value, 0.0, second or 0.0, 0.0))
        case Do.ZOOM:
            return PlanItem(Command.SET_CAMERA_ZOOM, params=(_FOCAL_LENGTH, value, 0.0, 0.0))
        case Do.EVERY_M:
            return PlanItem(Command.DO_SET_CAM_TRIGG_DIST, params=(value, 0.0, float(value > 0), 0.0))
        case Do.EVERY_S:
            return PlanItem(Command.DO_SET_CAM_TRIGG_INTERVAL, params=(value, 0.0, 0.0, 0.0))


def _action(item: PlanItem) -> Action | None:
    """The action that means the same as a MAVLink item; None where DJI has none."""
    first, second, third, _fourth = (value or 0.0 for value in item.params)
    match item.command:
        case Command.IMAGE_START_CAPTURE if first == second == 0 and third == 1:
            return Action(Do.PHOTO)
        case Command.VIDEO_START_CAPTURE:
            return Action(Do.RECORD)
        case Command.VIDEO_STOP_CAPTURE:
            return Action(Do.STOP_RECORD)
        case Command.NAV_DELAY if first > 0:
            return Action(Do.HOVER, first)
        case Command.DO_MOUNT_CONTROL if -120 <= first <= 45 and abs(third) <= 180 and second == 0:
            return Action(Do.GIMBAL, first, item.params[2])
        case Command.CONDITION_YAW if item.params[3] in (None, 0.0) and 0 <= first < 360 and second == 0:
            return Action(Do.YAW, first, -1.0 if third < 0 else 1.0 if third > 0 else 0.0)
        case Command.SET_CAMERA_ZOOM if first == _FOCAL_LENGTH and second > 0:
            return Action(Do.ZOOM, second)
        case Command.DO_SET_CAM_TRIGG_DIST if first >= 0:
            return Action(Do.EVERY_M, first)
        case Command.DO_SET_CAM_TRIGG_INTERVAL if first >= 0:
            return Action(Do.EVERY_S, first)
    return None


_PASSED = (Command.NAV_WAYPOINT, Command.NAV_SPLINE_WAYPOINT)
_ROUNDED = (Command.NAV_LOITER_TURNS, Command.NAV_LOITER_UNLIM, Command.NAV_LOITER_TO_ALT, Command.NAV_LOITER_TIME)
_ENDS = {Command.NAV_RETURN_TO_LAUNCH: Finish.GO_HOME, Command.NAV_LAND: Finish.LAND}


@dataclass
class _Making:
    """A wayline while the items of a plan are gone through."""

    home: Home | None
    speed_mps: float
    to_terrain: bool
    transit_mps: float = 0.0
    takeoff_m: float | None = None
    last_m: float | None = None
    finish: Finish = Finish.NOTHING

    def __post_init__(self) -> None:
        self.waypoints: list[Waypoint] = []
        self.first_actions: list[Action] = []
        self.commands: list[Command] = []
        self.rounded: list[Command] = []
        self.here = 0
        self.ended = False


def wayline_of(plan: Plan) -> tuple[Wayline, tuple[Loss, ...]]:
    """The wayline of `plan` and all that it leaves out.

    Raises RuleViolation 422 where DJI's language has no such heights, or where fewer than two waypoints remain.
    """
    losses = beside_the_line(plan)
    if plan.home is not None:
        losses.append(Loss("home"))
    if plan.hfov_deg is not None:
        losses.append(Loss("camera", f"{plan.hfov_deg:g}"))
    speed_mps = plan.speed_mps or 0.0
    if speed_mps <= 0:
        speed_mps = _first_speed(plan.items) or _USUAL_SPEED_MPS
        losses.append(Loss("speed_chosen", f"{speed_mps:g}"))
    making = _Making(plan.home, speed_mps, to_terrain=_only_terrain(plan))
    for item in plan.items:
        _take(making, item)
    if len(making.waypoints) < 2:
        raise invalid("plan.not_in_format", "plan.lost_all", format=FORMAT)
    wayline = _finished(making)
    losses += counted("command", making.commands) + counted("became_waypoint", making.rounded)
    if making.here:
        losses.append(Loss("here", str(making.here)))
    if making.takeoff_m != wayline.takeoff_m:
        losses.append(Loss("takeoff", f"{wayline.takeoff_m:g} m"))
    if mission_document(plan.items) != mission_document(wayline.plan().items):
        losses.append(Loss("rewritten"))
    return wayline, (*losses, Loss("drone_chosen", "Mavic 3E"))


def _first_speed(items: Sequence[PlanItem]) -> float | None:
    return next((item.params[1] for item in items if _is_speed(item)), None)


def _is_speed(item: PlanItem) -> bool:
    kind = item.params[0] in (None, _GROUND_SPEED, _AIR_SPEED)
    return item.command is Command.DO_CHANGE_SPEED and kind and (item.params[1] or 0.0) > 0


def _only_terrain(plan: Plan) -> bool:
    references = {i.frame.reference for i in plan.items if i.command in (*_PASSED, *_ROUNDED)}
    if Reference.TERRAIN in references and len(references) > 1:
        measured = ", ".join(sorted(str(reference) for reference in references))
        raise invalid("plan.not_in_format", "wpml.heights", measured=measured)
    return Reference.TERRAIN in references


def _take(making: _Making, item: PlanItem) -> None:
    command = item.command
    if making.ended:
        making.commands.append(command)
    elif command in _ENDS:
        _end(making, item)
    elif command is Command.NAV_TAKEOFF and making.takeoff_m is None and not making.waypoints:
        making.takeoff_m = making.last_m = _height_m(making, item, terrain=False)
    elif command in (*_PASSED, *_ROUNDED):
        _pass(making, item)
    elif _is_speed(item):
        speed_mps = item.params[1] or 0.0
        if making.waypoints:
            making.waypoints[-1] = replace(making.waypoints[-1], speed_mps=speed_mps)
        else:
            making.transit_mps = speed_mps
    elif (action := _action(item)) is not None:
        _do(making, action)
    else:
        making.commands.append(command)


def _end(making: _Making, item: PlanItem) -> None:
    making.ended = True
    making.finish = _ENDS[item.command]
    last = making.waypoints[-1] if making.waypoints else None
    if item.command is Command.NAV_LAND and item.at is not None and last and rounded(item.at) != last.at:
        making.waypoints.append(replace(last, at=rounded(item.at), actions=(), curved=False))


def _pass(making: _Making, item: PlanItem) -> None:
    if item.command in _ROUNDED:
        making.rounded.append(item.command)
    if item.at is None:
        making.here += 1
        return
    height_m = _height_m(making, item, terrain=making.to_terrain)
    making.last_m = height_m
    before = making.waypoints[-1].speed_mps if making.waypoints else making.transit_mps or making.speed_mps
    curved = item.command is Command.NAV_SPLINE_WAYPOINT
    waypoint = Waypoint(rounded(item.at), height_m, before, curved)
    if item.command is not Command.NAV_LOITER_TURNS and (item.params[0] or 0.0) > 0:
        waypoint = replace(waypoint, actions=(Action(Do.HOVER, item.params[0] or 0.0),))
    making.waypoints.append(waypoint)


def _height_m(making: _Making, item: PlanItem, *, terrain: bool) -> float:
    """The height as DJI measures it: above the surface with `terrain`, else above the take-off point."""
    if item.alt_m is None or (item.alt_m == 0 and making.last_m is None):
        raise invalid("plan.height_missing", path=item.command.mavlink_name)
    if item.alt_m == 0 and making.last_m is not None:
        return making.last_m
    if item.frame.reference is not Reference.AMSL or terrain:
        return item.alt_m
    home_m = making.home.alt_amsl_m if making.home else None
    if home_m is None:
        raise invalid("plan.not_in_format", "wpml.heights", measured=str(Reference.AMSL))
    return round(item.alt_m - home_m, 3)


def _do(making: _Making, action: Action) -> None:
    if making.waypoints:
        last = making.waypoints[-1]
        making.waypoints[-1] = replace(last, actions=(*last.actions, action))
    else:
        making.first_actions.append(action)


def _finished(making: _Making) -> Wayline:
    """The wayline in the form in which it is read again."""
    low, high = _TAKEOFF_M
    first_m = making.waypoints[0].height_m
    takeoff_m = making.takeoff_m if making.takeoff_m is not None else first_m
    waypoints = list(making.waypoints)
    # Photos at intervals belong to waypoints; what begins before the first begins there.
    early = tuple(action for action in making.first_actions if action.do in EVERY)
    waypoints[0] = replace(waypoints[0], actions=(*early, *waypoints[0].actions))
    return Wayline(
        tuple(triggered(waypoints)),
        Reference.TERRAIN if making.to_terrain else Reference.HOME,
        making.speed_mps,
        making.transit_mps or making.speed_mps,
        min(max(takeoff_m, low), high),
        making.finish,
        tuple(action for action in making.first_actions if action.do not in EVERY),
    )


def triggered(waypoints: Sequence[Waypoint]) -> Iterator[Waypoint]:
    """The waypoints with every series of photos ended where the next begins or the wayline ends, ends first."""
    running: dict[Do, float] = {}
    for index, waypoint in enumerate(waypoints):
        last = index == len(waypoints) - 1
        ends: list[Action] = []
        others: list[Action] = []
        begun: dict[Do, float] = {}
        for action in waypoint.actions:
            if action.do not in EVERY:
                others.append(action)
            elif action.do in running:
                ends.append(Action(action.do))
                del running[action.do]
            if action.do in EVERY and action.value > 0 and not last:
                begun[action.do] = action.value
            elif action.do in EVERY:
                begun.pop(action.do, None)
        if last:
            ends += [Action(do) for do in running]
        running |= begun
        starts = [Action(do, value) for do, value in begun.items()]
        ends.sort(key=lambda action: action.do)
        starts.sort(key=lambda action: action.do)
        yield replace(waypoint, actions=(*ends, *others, *starts))
