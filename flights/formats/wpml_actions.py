"""The actions of a DJI wayline: what is read of them, and what is refused because it cannot be foretold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from flights.formats import fields
from flights.formats.markup import Element, child, children, text
from flights.formats.wayline import Action, Do, Waypoint, triggered
from flights.path.assumed import Assumed
from schemas.refusals import invalid

_AT_POINT = "reachPoint"
_SERIES = {"multipleDistance": Do.EVERY_M, "multipleTiming": Do.EVERY_S}
_PLAIN = {"takePhoto": Do.PHOTO, "startRecord": Do.RECORD, "stopRecord": Do.STOP_RECORD}
# They change neither where the aircraft flies nor what its camera can see.
_IGNORED = frozenset({"focus", "setFocusType", "customDirName"})
_TURNED = "dji_heading"
_TURNS = {"clockwise": 1.0, "counterClockwise": -1.0}


class Notes:
    """What was taken for granted on the way, each thing once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Assumed] = {}

    def add(self, name: str, value: str, because: str) -> None:
        """Notes one assumption."""
        self._found.setdefault((name, value), Assumed(name, value, because))

    @property
    def turns_nose(self) -> bool:
        """Whether anything turns the nose, or the gimbal, away from the path."""
        return any(assumed.because == _TURNED for assumed in self._found.values())

    @property
    def assumed(self) -> tuple[Assumed, ...]:
        """All of them, in the order in which they were met."""
        return tuple(self._found.values())


def first_actions(folder: Element, notes: Notes) -> tuple[Action, ...]:
    """What is done before the wayline begins."""
    group = child(folder, "startActionGroup")
    return () if group is None else tuple(_actions(group, "startActionGroup", notes))


def with_actions(waypoints: Sequence[Waypoint], placemarks: Sequence[Element], notes: Notes) -> list[Waypoint]:
    """The waypoints with what is done at each; a series of photos from one to another becomes two actions."""
    done: list[list[Action]] = [_gimbal_of(placemark, index, notes) for index, placemark in enumerate(placemarks)]
    ended: list[list[Action]] = [[] for _ in placemarks]
    faults = fields.Faults()
    for index, placemark in enumerate(placemarks):
        for number, group in enumerate(children(placemark, "actionGroup")):
            faults.attempt(_group, group, f"Placemark[{index}].actionGroup[{number}]", done, ended, notes)
    faults.raise_any()
    made = [
        replace(waypoint, actions=(*ends, *actions))
        for waypoint, ends, actions in zip(waypoints, ended, done, strict=True)
    ]
    return list(triggered(made))


def _group(group: Element, path: str, done: list[list[Action]], ended: list[list[Action]], notes: Notes) -> None:
    first, last = (_index(group, name, path, len(done)) for name in ("actionGroupStartIndex", "actionGroupEndIndex"))
    trigger = text(group, "actionTrigger", "actionTriggerType")
    actions = _actions(group, path, notes)
    if trigger == _AT_POINT:
        done[first].extend(actions)
        return
    series = _SERIES.get(trigger or "")
    if series is None or any(action.do is not Do.PHOTO for action in actions):
        raise invalid("wpml.action", path=path, measured=fields.shown(trigger))
    if not actions:
        return
    every = _number(child(group, "actionTrigger"), "actionTriggerParam", path)
    if every <= 0:
        raise fields.wrong(f"{path}.actionTriggerParam", every, "positive")
    if first == last:
        done[first].append(Action(Do.PHOTO))
        return
    done[first].append(Action(series, every))
    ended[last].append(Action(series))


def _index(group: Element, name: str, path: str, count: int) -> int:
    value = fields.integer(_number(group, name, path), f"{path}.{name}")
    if not 0 <= value < count:
        raise fields.wrong(f"{path}.{name}", value, f"0 … {count - 1}")
    return value


def _number(element: Element | None, name: str, path: str) -> float:
    written = text(element, name)
    if written is None:
        raise fields.wrong(f"{path}.{name}", None, "number")
    return fields.number(fields.written_number(written, f"{path}.{name}"), f"{path}.{name}")


def _actions(group: Element, path: str, notes: Notes) -> list[Action]:
    found = []
    for number, entry in enumerate(children(group, "action")):
        action = _action(entry, f"{path}.action[{number}]", notes)
        found += [action] if action else []
    return found


def _action(entry: Element, path: str, notes: Notes) -> Action | None:
    name = text(entry, "actionActuatorFunc") or ""
    param = child(entry, "actionActuatorFuncParam")
    if name in _PLAIN:
        return Action(_PLAIN[name])
    if name in _IGNORED:
        notes.add("action", name, "dji_ignored")
        return None
    if name == "hover":
        return Action(Do.HOVER, max(_number(param, "hoverTime", path), 0.0))
    if name == "rotateYaw":
        return Action(Do.YAW, _number(param, "aircraftHeading", path) % 360, _turn(param))
    if name == "zoom":
        return Action(Do.ZOOM, _number(param, "focalLength", path))
    if name == "gimbalRotate":
        return _gimbal(param, path, notes)
    raise invalid("wpml.action", path=path, measured=fields.shown(name))


def _turn(param: Element | None) -> float:
    return _TURNS.get(text(param, "aircraftPathMode") or "", 0.0)


def _gimbal(param: Element | None, path: str, notes: Notes) -> Action:
    """A steady pitch, and a yaw from the nose; a yaw from north turns with no aircraft and is not kept."""
    steady = text(param, "gimbalRotateMode") in (None, "absoluteAngle")
    if not steady or not _is_on(param, "gimbalPitchRotateEnable") or _is_on(param, "gimbalRollRotateEnable"):
        raise invalid("wpml.action", path=path, measured="gimbalRotate")
    pitch_deg = _number(param, "gimbalPitchRotateAngle", path)
    yaw_deg = None
    if _is_on(param, "gimbalYawRotateEnable"):
        if text(param, "gimbalHeadingYawBase") == "aircraft":
            yaw_deg = _number(param, "gimbalYawRotateAngle", path)
        else:
            notes.add("gimbal yaw", "from north", _TURNED)
    return Action(Do.GIMBAL, pitch_deg, yaw_deg)


def _is_on(param: Element | None, name: str) -> bool:
    return text(param, name) in ("1", "true")


def _gimbal_of(placemark: Element, index: int, notes: Notes) -> list[Action]:
    """The gimbal angles of a waypoint; 0 and 0 is what planners write where nobody set any."""
    param = child(placemark, "waypointGimbalHeadingParam")
    pitch = text(param, "waypointGimbalPitchAngle")
    if pitch is None:
        return []
    path = f"Placemark[{index}].waypointGimbalHeadingParam"
    pitch_deg = _number(param, "waypointGimbalPitchAngle", path)
    if pitch_deg and text(param, "waypointGimbalYawAngle") and _number(param, "waypointGimbalYawAngle", path):
        notes.add("gimbal yaw", "from north", _TURNED)
    return [Action(Do.GIMBAL, pitch_deg)] if pitch_deg else []
