"""A wayline as the KMZ that DJI Pilot and FlightHub import."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flights.formats import archive, markup
from flights.formats.kml import NAMESPACE
from flights.formats.markup import Element, add
from flights.formats.wayline import EVERY, Action, Do, Wayline, Waypoint
from flights.formats.wpml import TEMPLATE, WAYLINES
from flights.model import Reference

_WPML = "http://www.dji.com/wpmz/1.0.6"
# The model that is written where a plan names none: Mavic 3E with its own camera.
_DRONE, _DRONE_KIND, _CAMERA = "77", "0", "66"
_MODES = {Reference.HOME: "relativeToStartPoint", Reference.TERRAIN: "realTimeFollowSurface"}
_PLAIN = {Do.PHOTO: "takePhoto", Do.RECORD: "startRecord", Do.STOP_RECORD: "stopRecord"}
_TRIGGERS = {Do.EVERY_M: "multipleDistance", Do.EVERY_S: "multipleTiming"}
_TURNS = {1.0: "clockwise", -1.0: "counterClockwise"}


def write(wayline: Wayline) -> bytes:
    """`wayline` as a KMZ: what flies in waylines.wpml, and the template of the same waypoints."""
    return archive.packed({TEMPLATE: markup.written(_template(wayline)), WAYLINES: markup.written(_waylines(wayline))})


def _document(wayline: Wayline) -> tuple[Element, Element, Element]:
    root = Element("kml", {"xmlns": NAMESPACE, "xmlns:wpml": _WPML})
    document = add(root, "Document")
    config = add(document, "wpml:missionConfig")
    first_m = wayline.waypoints[0].height_m
    level = wayline.reference is Reference.HOME and first_m == wayline.takeoff_m
    add(config, "wpml:flyToWaylineMode", "safely" if level else "pointToPoint")
    add(config, "wpml:finishAction", wayline.finish)
    add(config, "wpml:exitOnRCLost", "executeLostAction")
    add(config, "wpml:executeRCLostAction", "goBack")
    add(config, "wpml:takeOffSecurityHeight", wayline.takeoff_m)
    add(config, "wpml:globalTransitionalSpeed", wayline.transit_mps)
    drone = add(config, "wpml:droneInfo")
    add(drone, "wpml:droneEnumValue", _DRONE)
    add(drone, "wpml:droneSubEnumValue", _DRONE_KIND)
    payload = add(config, "wpml:payloadInfo")
    add(payload, "wpml:payloadEnumValue", _CAMERA)
    add(payload, "wpml:payloadPositionIndex", "0")
    return root, document, add(document, "Folder")


def _template(wayline: Wayline) -> Element:
    root, _, folder = _document(wayline)
    add(folder, "wpml:templateType", "waypoint")
    add(folder, "wpml:templateId", "0")
    system = add(folder, "wpml:waylineCoordinateSysParam")
    add(system, "wpml:coordinateMode", "WGS84")
    add(system, "wpml:heightMode", _MODES[wayline.reference])
    add(folder, "wpml:autoFlightSpeed", wayline.speed_mps)
    for index, waypoint in enumerate(wayline.waypoints):
        placemark = _placemark(folder, index, waypoint)
        add(placemark, "wpml:height", waypoint.height_m)
        for name in ("Height", "Speed", "HeadingParam", "TurnParam"):
            add(placemark, f"wpml:useGlobal{name}", "0")
        _way(placemark, waypoint)
    return root


def _waylines(wayline: Wayline) -> Element:
    root, _, folder = _document(wayline)
    add(folder, "wpml:templateId", "0")
    add(folder, "wpml:executeHeightMode", _MODES[wayline.reference])
    add(folder, "wpml:waylineId", "0")
    add(folder, "wpml:autoFlightSpeed", wayline.speed_mps)
    if wayline.first_actions:
        group = add(folder, "wpml:startActionGroup")
        _write_actions(group, wayline.first_actions)
    groups = _groups(wayline.waypoints)
    for index, waypoint in enumerate(wayline.waypoints):
        placemark = _placemark(folder, index, waypoint)
        add(placemark, "wpml:executeHeight", waypoint.height_m)
        _way(placemark, waypoint)
        for number, (last, trigger, actions) in groups.get(index, []):
            _write_group(placemark, number, (index, last), trigger, actions)
    return root


def _placemark(folder: Element, index: int, waypoint: Waypoint) -> Element:
    placemark = add(folder, "Placemark")
    point = add(placemark, "Point")
    add(point, "coordinates", f"{markup.plain(waypoint.at.lon)},{markup.plain(waypoint.at.lat)}")
    add(placemark, "wpml:index", str(index))
    return placemark


def _way(placemark: Element, waypoint: Waypoint) -> None:
    """How a waypoint is flown to and passed."""
    add(placemark, "wpml:waypointSpeed", waypoint.speed_mps)
    heading = add(placemark, "wpml:waypointHeadingParam")
    add(heading, "wpml:waypointHeadingMode", "followWayline")
    turn = add(placemark, "wpml:waypointTurnParam")
    mode = "toPointAndPassWithContinuityCurvature" if waypoint.curved else "toPointAndStopWithDiscontinuityCurvature"
    add(turn, "wpml:waypointTurnMode", mode)
    add(turn, "wpml:waypointTurnDampingDist", "0")
    add(placemark, "wpml:useStraightLine", "0" if waypoint.curved else "1")


_Group = tuple[int, Action | None, Sequence[Action]]


def _groups(waypoints: Sequence[Waypoint]) -> dict[int, list[tuple[int, _Group]]]:
    """The groups of actions by the waypoint at which they begin, numbered through."""
    found: dict[int, list[tuple[int, _Group]]] = {}
    number = 0
    for index, waypoint in enumerate(waypoints):
        for group in _groups_at(waypoints, index, waypoint):
            found.setdefault(index, []).append((number, group))
            number += 1
    return found


def _groups_at(waypoints: Sequence[Waypoint], index: int, waypoint: Waypoint) -> Iterator[_Group]:
    at_point = [action for action in waypoint.actions if action.do not in EVERY]
    if at_point:
        yield index, None, at_point
    for action in waypoint.actions:
        if action.do in EVERY and action.value > 0:
            ends = (i for i in range(index + 1, len(waypoints)) if Action(action.do) in waypoints[i].actions)
            yield next(ends), action, [Action(Do.PHOTO)]


def _write_group(
    placemark: Element, number: int, span: tuple[int, int], trigger: Action | None, actions: Sequence[Action]
) -> None:
    group = add(placemark, "wpml:actionGroup")
    add(group, "wpml:actionGroupId", str(number))
    add(group, "wpml:actionGroupStartIndex", str(span[0]))
    add(group, "wpml:actionGroupEndIndex", str(span[1]))
    add(group, "wpml:actionGroupMode", "sequence")
    how = add(group, "wpml:actionTrigger")
    add(how, "wpml:actionTriggerType", _TRIGGERS[trigger.do] if trigger else "reachPoint")
    if trigger:
        add(how, "wpml:actionTriggerParam", trigger.value)
    _write_actions(group, actions)


def _write_actions(group: Element, actions: Sequence[Action]) -> None:
    for number, action in enumerate(actions):
        entry = add(group, "wpml:action")
        add(entry, "wpml:actionId", str(number))
        name, params = _params(action)
        add(entry, "wpml:actionActuatorFunc", name)
        param = add(entry, "wpml:actionActuatorFuncParam")
        for key, value in params.items():
            add(param, f"wpml:{key}", value)


def _params(action: Action) -> tuple[str, dict[str, str | float]]:
    """The name of an action in DJI's language, and its parameters."""
    mount: dict[str, str | float] = {"payloadPositionIndex": "0"}
    if action.do in _PLAIN:
        return _PLAIN[action.do], mount
    if action.do is Do.HOVER:
        return "hover", {"hoverTime": action.value}
    if action.do is Do.ZOOM:
        return "zoom", {"focalLength": action.value, **mount}
    if action.do is Do.YAW:
        sense = _TURNS.get(action.second or 0.0)
        return "rotateYaw", {"aircraftHeading": action.value} | ({"aircraftPathMode": sense} if sense else {})
    yawed = action.second is not None
    return "gimbalRotate", {
        "gimbalHeadingYawBase": "aircraft",
        "gimbalRotateMode": "absoluteAngle",
        "gimbalPitchRotateEnable": "1",
        "gimbalPitchRotateAngle": action.value,
        "gimbalRollRotateEnable": "0",
        "gimbalRollRotateAngle": "0",
        "gimbalYawRotateEnable": "1" if yawed else "0",
        "gimbalYawRotateAngle": action.second or 0.0,
        "gimbalRotateTimeEnable": "0",
        "gimbalRotateTime": "0",
        **mount,
    }
