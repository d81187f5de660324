"""`QGC WPL 110`: one item a line, tab separated, line 0 the home position as ArduPilot writes it.

The format holds neither fence nor rally points. Coordinates are written with 8 decimals (1 mm), since
the common 6 move a waypoint by up to 6 cm and with it the digest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from flights.formats import commands, fields
from flights.formats.fields import Faults
from flights.model import Command, Frame, Home, Plan, PlanItem
from schemas.refusals import invalid

HEADER = "QGC WPL"
_VERSION = "110"
_COLUMNS = 12
_LONGEST_LINE = 1_000


def read(text: str) -> Plan:
    """The plan of a waypoint file; RuleViolation with every faulty line, 400 where it is no such file."""
    lines = _lines(text)
    _number, header = next(lines, (0, ""))
    if header.split() != [*HEADER.split(), _VERSION]:
        known = f"{HEADER} {_VERSION}"
        raise invalid("plan.version", path="line 1", measured=fields.shown(header), required=known)
    faults = Faults()
    home: Home | None = None
    begins_with_home = False
    items: list[PlanItem] = []
    for index, (line_number, line) in enumerate(lines):
        fields.refuse_many(index, "plan.items", "plan.too_many_items")
        path = f"line {line_number}"
        row = faults.attempt(_row, line, path, index)
        if row is None:
            continue
        if index == 0 and _is_home(row):
            begins_with_home = True
            home = faults.attempt(_home, row, path)
        else:
            item = faults.attempt(commands.item, row[3], row[2], row[4:11], path)
            items.extend([item] if item else [])
    faults.raise_any()
    if not begins_with_home:
        items = [_jump_from_one(item) for item in items]
    return Plan(tuple(items), home, source="QGC WPL 110")


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines that hold something, with their numbers; blank lines and comments are passed over."""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.startswith("#"):
            yield number, line


def _row(line: str, path: str, index: int) -> list[float]:
    words = line.split(maxsplit=_COLUMNS) if len(line) <= _LONGEST_LINE else []
    if len(words) != _COLUMNS:
        raise invalid("plan.field", "plan.columns", path=path, measured=len(words), required=_COLUMNS)
    row = [fields.written_number(word, f"{path} column {column}") for column, word in enumerate(words, start=1)]
    if fields.integer(row[0], f"{path} index") != index:
        raise fields.wrong(f"{path} index", row[0], index)
    # 2 means "fly there now" and 3 "change height now": commands to an aircraft, not items of a mission.
    if row[1] not in (0, 1):
        raise fields.wrong(f"{path} current", row[1], "0, 1")
    return row


def _is_home(row: list[float]) -> bool:
    """Line 0 is home when it is a plain absolute waypoint; PX4 files begin with their first item."""
    return row[3] == Command.NAV_WAYPOINT and row[2] in (Frame.GLOBAL, Frame.GLOBAL_INT)


def _jump_from_one(item: PlanItem) -> PlanItem:
    """A jump names a line by its index; without a home in line 0 the item of index 0 is the first, number 1."""
    if item.command is not Command.DO_JUMP or item.params[0] is None:
        return item
    return replace(item, params=(item.params[0] + 1, *item.params[1:]))


def _home(row: list[float], path: str) -> Home | None:
    at = fields.somewhere(row[8], row[9], path)
    return Home(at, fields.altitude_m(row[10], f"{path} altitude")) if at else None


def write(plan: Plan) -> bytes:
    """`plan` as a waypoint file; RuleViolation 422 where it holds what the format cannot."""
    if plan.fence.items or plan.rally:
        raise invalid("plan.not_in_format", format=f"{HEADER} {_VERSION}", name="geofence or rally points")
    home = plan.home
    first = [home.at.lat, home.at.lon, home.alt_amsl_m or 0.0] if home else [0.0, 0.0, 0.0]
    lines = [f"{HEADER} {_VERSION}", _line(0, Frame.GLOBAL, Command.NAV_WAYPOINT, [0.0] * 4 + first)]
    for index, item in enumerate(plan.items, start=1):
        lines.append(_line(index, _frame(item), item.command, _numbers(item)))
    return ("\n".join(lines) + "\n").encode("ascii")


def _frame(item: PlanItem) -> Frame:
    # ArduPilot's own tools know no frame 2; an item without a place is read alike in any.
    return Frame.GLOBAL_RELATIVE_ALT if item.frame is Frame.MISSION else item.frame.plain


def _numbers(item: PlanItem) -> list[float]:
    params = [0.0 if value is None else value for value in item.params]
    if not item.command.is_located:
        return [*params, *commands.last_numbers(item)]
    if item.alt_m is None:
        raise invalid("plan.height_missing", path=item.command.mavlink_name)
    return [*params, *((item.at.lat, item.at.lon) if item.at else (0.0, 0.0)), item.alt_m]


def _line(index: int, frame: Frame, command: Command, numbers: list[float]) -> str:
    heads = (index, int(index == 0), int(frame), int(command))
    return "\t".join([*map(str, heads), *(f"{n:.8f}" for n in numbers), "1"])
