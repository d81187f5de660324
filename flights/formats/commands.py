"""Which MAVLink commands a plan may hold, and by what name every other one is refused.

Nothing is dropped silently: a number that is not known here is refused by its number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from flights.formats import fields
from flights.model import LOOKED_AT, MISSION_COMMANDS, Command, Frame, PlanItem
from geo.types import LonLat
from schemas.refusals import RuleViolation, invalid

_MISSION_CODES = frozenset(int(command) for command in MISSION_COMMANDS)
_NO_HEIGHT_NEEDED = {Command.NAV_LAND}

# Why a command is refused; the names are suffixes of text keys in schemas/texts/flights.toml.
_PAYLOAD, _CONTROL, _POINTING, _PATH, _FENCE = "payload", "control", "pointing", "path", "fence"

_REFUSED: dict[int, tuple[str, str]] = {
    23: ("MAV_CMD_NAV_LAND_LOCAL", _PATH),
    24: ("MAV_CMD_NAV_TAKEOFF_LOCAL", _PATH),
    25: ("MAV_CMD_NAV_FOLLOW", _PATH),
    30: ("MAV_CMD_NAV_CONTINUE_AND_CHANGE_ALT", _PATH),
    32: ("MAV_CMD_DO_FOLLOW", _PATH),
    34: ("MAV_CMD_DO_ORBIT", _PATH),
    80: ("MAV_CMD_NAV_ROI", _POINTING),
    81: ("MAV_CMD_NAV_PATHPLANNING", _PATH),
    83: ("MAV_CMD_NAV_ALTITUDE_WAIT", _PATH),
    84: ("MAV_CMD_NAV_VTOL_TAKEOFF", _PATH),
    85: ("MAV_CMD_NAV_VTOL_LAND", _PATH),
    92: ("MAV_CMD_NAV_GUIDED_ENABLE", _CONTROL),
    94: ("MAV_CMD_NAV_PAYLOAD_PLACE", _PAYLOAD),
    113: ("MAV_CMD_CONDITION_CHANGE_ALT", _PATH),
    176: ("MAV_CMD_DO_SET_MODE", _CONTROL),
    179: ("MAV_CMD_DO_SET_HOME", _CONTROL),
    180: ("MAV_CMD_DO_SET_PARAMETER", _CONTROL),
    181: ("MAV_CMD_DO_SET_RELAY", _PAYLOAD),
    182: ("MAV_CMD_DO_REPEAT_RELAY", _PAYLOAD),
    183: ("MAV_CMD_DO_SET_SERVO", _PAYLOAD),
    184: ("MAV_CMD_DO_REPEAT_SERVO", _PAYLOAD),
    185: ("MAV_CMD_DO_FLIGHTTERMINATION", _CONTROL),
    186: ("MAV_CMD_DO_CHANGE_ALTITUDE", _PATH),
    188: ("MAV_CMD_DO_RETURN_PATH_START", _PATH),
    189: ("MAV_CMD_DO_LAND_START", _PATH),
    190: ("MAV_CMD_DO_RALLY_LAND", _PATH),
    191: ("MAV_CMD_DO_GO_AROUND", _PATH),
    192: ("MAV_CMD_DO_REPOSITION", _PATH),
    193: ("MAV_CMD_DO_PAUSE_CONTINUE", _CONTROL),
    194: ("MAV_CMD_DO_SET_REVERSE", _PATH),
    196: ("MAV_CMD_DO_SET_ROI_WPNEXT_OFFSET", _POINTING),
    198: ("MAV_CMD_DO_SET_ROI_SYSID", _POINTING),
    200: ("MAV_CMD_DO_CONTROL_VIDEO", _POINTING),
    202: ("MAV_CMD_DO_DIGICAM_CONFIGURE", _POINTING),
    204: ("MAV_CMD_DO_MOUNT_CONFIGURE", _POINTING),
    207: ("MAV_CMD_DO_FENCE_ENABLE", _CONTROL),
    208: ("MAV_CMD_DO_PARACHUTE", _CONTROL),
    209: ("MAV_CMD_DO_MOTOR_TEST", _CONTROL),
    210: ("MAV_CMD_DO_INVERTED_FLIGHT", _PATH),
    211: ("MAV_CMD_DO_GRIPPER", _PAYLOAD),
    212: ("MAV_CMD_DO_AUTOTUNE_ENABLE", _CONTROL),
    213: ("MAV_CMD_NAV_SET_YAW_SPEED", _PATH),
    215: ("MAV_CMD_DO_SET_RESUME_REPEAT_DIST", _PATH),
    216: ("MAV_CMD_DO_SPRAYER", _PAYLOAD),
    217: ("MAV_CMD_DO_SEND_SCRIPT_MESSAGE", _CONTROL),
    218: ("MAV_CMD_DO_AUX_FUNCTION", _CONTROL),
    220: ("MAV_CMD_DO_MOUNT_CONTROL_QUAT", _POINTING),
    221: ("MAV_CMD_DO_GUIDED_MASTER", _CONTROL),
    222: ("MAV_CMD_DO_GUIDED_LIMITS", _CONTROL),
    223: ("MAV_CMD_DO_ENGINE_CONTROL", _CONTROL),
    224: ("MAV_CMD_DO_SET_MISSION_CURRENT", _CONTROL),
    252: ("MAV_CMD_OVERRIDE_GOTO", _CONTROL),
    300: ("MAV_CMD_MISSION_START", _CONTROL),
    400: ("MAV_CMD_COMPONENT_ARM_DISARM", _CONTROL),
    534: ("MAV_CMD_SET_CAMERA_SOURCE", _POINTING),
    600: ("MAV_CMD_JUMP_TAG", _PATH),
    601: ("MAV_CMD_DO_JUMP_TAG", _PATH),
    1001: ("MAV_CMD_DO_GIMBAL_MANAGER_CONFIGURE", _POINTING),
    2003: ("MAV_CMD_DO_TRIGGER_CONTROL", _POINTING),
    3000: ("MAV_CMD_DO_VTOL_TRANSITION", _PATH),
    4501: ("MAV_CMD_CONDITION_GATE", _PATH),
    5000: ("MAV_CMD_NAV_FENCE_RETURN_POINT", _FENCE),
    5001: ("MAV_CMD_NAV_FENCE_POLYGON_VERTEX_INCLUSION", _FENCE),
    5002: ("MAV_CMD_NAV_FENCE_POLYGON_VERTEX_EXCLUSION", _FENCE),
    5003: ("MAV_CMD_NAV_FENCE_CIRCLE_INCLUSION", _FENCE),
    5004: ("MAV_CMD_NAV_FENCE_CIRCLE_EXCLUSION", _FENCE),
    5100: ("MAV_CMD_NAV_RALLY_POINT", _FENCE),
    42600: ("MAV_CMD_DO_WINCH", _PAYLOAD),
    42702: ("MAV_CMD_NAV_SCRIPT_TIME", _CONTROL),
    42703: ("MAV_CMD_NAV_ATTITUDE_TIME", _PATH),
}


def command(value: object, path: str) -> Command:
    """The command of a mission item; RuleViolation 422 `plan.command` for one that no plan may hold."""
    code = fields.integer(value, path)
    if code in _MISSION_CODES:
        return Command(code)
    raise _refused(code, path)


def _refused(code: int, path: str) -> RuleViolation:
    name, why = _REFUSED.get(code) or (_known_name(code), "unknown")
    return invalid("plan.command", f"plan.command_{why}", path=path, name=name, measured=code)


def _known_name(code: int) -> str:
    # The dialects take a third of a second each to load, which only a refusal of a strange command should cost.
    from pymavlink.dialects.v20 import all as every
    from pymavlink.dialects.v20 import common

    entry = every.enums["MAV_CMD"].get(code) or common.enums["MAV_CMD"].get(code)
    return f"MAV_CMD {code}" if entry is None else str(entry.name)


def item(code: object, frame: object, numbers: Sequence[object], path: str) -> PlanItem:
    """A mission item from its seven numbers param1..param4, latitude, longitude, altitude.

    None among them means that the file leaves the value to the autopilot. Latitude and longitude both 0 or
    both None mean the place where the aircraft is then, as autopilots read them.
    """
    known = command(code, f"{path} command")
    params = [fields.optional_number(n, f"{path} param{i}") for i, n in enumerate(numbers[:4], start=1)]
    kept = (params[0], params[1], params[2], params[3])
    where = fields.frame(frame, f"{path} frame", known)
    if not known.is_located:
        rest = [fields.optional_number(n, f"{path} param{i}") or 0.0 for i, n in enumerate(numbers[4:7], start=5)]
        if known in _STEERING and not _STEERING[known](kept):
            raise invalid("plan.command", "plan.command_value", path=path, name=known.mavlink_name, measured=code)
        pointed = _UNPLACED_RULES.get(known, _nothing_asked)(kept, rest)
        if pointed is None:
            raise _pointing(known, path)
        return PlanItem(known, Frame.MISSION, kept, numbers=pointed)
    at, height = _place(known, numbers[4:7], path)
    if known in LOOKED_AT and not _looks_somewhere(known, kept, at, height):
        raise _pointing(known, path)
    if known is Command.DO_SET_ROI and at is None:
        height = 0.0  # looks at nothing, and an item with a place always has a height on the wire
    return PlanItem(known, where, kept, at, height)


def _place(known: Command, numbers: Sequence[object], path: str) -> tuple[LonLat | None, float | None]:
    lat, lon, alt = numbers
    height = None if alt is None else fields.altitude_m(alt, f"{path} altitude")
    if height is None and known in _NO_HEIGHT_NEEDED:
        height = 0.0
    return fields.somewhere(lat, lon, path), height


def _pointing(known: Command, path: str) -> RuleViolation:
    return invalid("plan.command", "plan.command_pointing", path=path, name=known.mavlink_name, measured=int(known))


# MAV_ROI: none or a place. ArduPilot goes by the place alone, and planners made for it write 0 beside one.
_ROI_MODES = (None, 0.0, 3.0)
# MAV_MOUNT_MODE: the angles of the item count in mode 2 alone; ArduPilot does not ask, so its planners write 0.
_MOUNT_MODES = (0.0, 2.0)

Params = tuple[float | None, float | None, float | None, float | None]


def _looks_somewhere(known: Command, params: Params, at: LonLat | None, alt_m: float | None) -> bool:
    """Whether an item names one place to look at, or with DO_SET_ROI none at all."""
    if at is None:
        return known is Command.DO_SET_ROI and not alt_m and params[0] in _ROI_MODES[:2]
    modes = _ROI_MODES if known is Command.DO_SET_ROI else _ROI_MODES[:2]
    return alt_m is not None and params[0] in modes


def _nothing_asked(_params: Params, _rest: Sequence[float]) -> tuple[int, int] | None:
    return (0, 0)


def _is_over_ground(params: Params) -> bool:
    """Whether DO_CHANGE_SPEED sets the speed along the path (of the air or over ground), not of climb or descent."""
    return params[0] in (None, 0.0, 1.0)


def _is_a_while(params: Params) -> bool:
    """Whether NAV_DELAY waits for some seconds, not until a time of day, which autopilots do without seconds."""
    return (params[0] or 0.0) > 0 or all(number == -1 for number in params[1:])


_STEERING: Mapping[Command, Callable[[Params], bool]] = {
    Command.DO_CHANGE_SPEED: _is_over_ground,
    Command.NAV_DELAY: _is_a_while,
}


def _shutter(params: Params, rest: Sequence[float]) -> tuple[int, int] | None:
    """The shutter and the command number of DO_DIGICAM_CONTROL; a zoom would change what the camera sees."""
    shoot, number = rest[:2]
    if params[1] or params[2] or shoot not in (0, 1) or not (0 <= number <= 255 and number.is_integer()):
        return None
    return int(shoot), int(number)


def _angles(_params: Params, rest: Sequence[float]) -> tuple[int, int] | None:
    return (0, 0) if rest[2] in _MOUNT_MODES else None


def _gimbal(params: Params, rest: Sequence[float]) -> tuple[int, int] | None:
    """Angles from the aircraft for the one gimbal: no flags, no turning without end."""
    return (0, 0) if params[0] is not None and not (params[2] or params[3] or any(rest)) else None


_UNPLACED_RULES: Mapping[Command, Callable[[Params, Sequence[float]], tuple[int, int] | None]] = {
    Command.DO_DIGICAM_CONTROL: _shutter,
    Command.DO_MOUNT_CONTROL: _angles,
    Command.DO_GIMBAL_MANAGER_PITCHYAW: _gimbal,
}


def last_numbers(item: PlanItem) -> list[float]:
    """What a file holds as param5 to param7 of an item without a place."""
    mount_mode = 2.0 if item.command is Command.DO_MOUNT_CONTROL else 0.0
    return [float(item.numbers[0]), float(item.numbers[1]), mount_mode]
