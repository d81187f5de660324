"""QGroundControl `.plan`: mission version 2, geofence version 2, rally points version 2.

A complex item (survey, corridor, structure scan) is read from the items embedded in it, which is what
flies; it is never generated again, and refused where they are missing. An item says its height twice, in
its numbers and by its AltitudeMode: where the two differ it is refused.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from flights.formats import commands, fields
from flights.formats.fields import Faults
from flights.model import (
    Command,
    Fence,
    FenceCircle,
    FencePolygon,
    Frame,
    Home,
    Plan,
    PlanItem,
    RallyPoint,
)
from flights.path.assumed import Assumed
from flights.path.walk import listed
from geo.types import LonLat
from schemas.refusals import invalid

FILE_TYPE = "Plan"

T = TypeVar("T")

_SIMPLE, _COMPLEX = "SimpleItem", "ComplexItem"
_ARDUPILOT, _QUADROTOR = 3, 2
# MAV_TYPE of machines that hover, whose speed QGroundControl takes from hoverSpeed.
_HOVERING = (2, 3, 4, 13, 14, 15, 29, 35)
_ALTITUDE_MODE = {Frame.GLOBAL_RELATIVE_ALT: 1, Frame.GLOBAL: 2, Frame.GLOBAL_TERRAIN_ALT: 4}
# Heights that QGroundControl computes above its terrain are flown above sea level.
_NO_MODE, _CALCULATED = 0, 3
_FRAME_OF_MODE = {mode: frame for frame, mode in _ALTITUDE_MODE.items()} | {_CALCULATED: Frame.GLOBAL}
_SAME_HEIGHT_M = 0.05
_COMPLEX_VERSIONS = {"survey": (2, 3, 4, 5), "CorridorScan": (1, 2, 3), "StructureScan": (1, 2, 3)}


def read(document: Mapping[str, Any]) -> Plan:
    """The plan of a decoded `.plan` document; RuleViolation 422 with every fault found."""
    fields.version(document.get("version"), "version", 1)
    mission = fields.mapping(document.get("mission"), "mission")
    fields.version(mission.get("version"), "mission.version", 2)
    faults = Faults()
    items, assumed = faults.attempt(_items, mission) or ([], ())
    fence = faults.attempt(_fence, document.get("geoFence"))
    rally = faults.attempt(_rally, document.get("rallyPoints"))
    home = faults.attempt(_home, mission.get("plannedHomePosition"))
    speed_mps = faults.attempt(_speed_mps, mission)
    faults.raise_any()
    plan = Plan(tuple(items), home, fence or Fence(), rally or (), "QGroundControl .plan", speed_mps)
    return replace(plan, assumed=assumed)


def _items(mission: Mapping[str, Any]) -> tuple[list[PlanItem], tuple[Assumed, ...]]:
    faults = Faults()
    entries = fields.array(mission.get("items"), "mission.items")
    found: list[PlanItem] = []
    paths: list[str] = []
    computed: list[int] = []
    jumps: dict[int, int] = {}
    for path, entry in _simple_items(entries, "mission.items", faults):
        fields.refuse_many(len(found) + 1, "plan.items", "plan.too_many_items")
        item = faults.attempt(_simple, entry, path)
        # A faulty item keeps its place in the list, so that later jumps still mean what they say.
        found.append(item or PlanItem(Command.NAV_DELAY))
        paths.append(path)
        faults.attempt(_note_jump_id, entry, path, jumps, len(found))
        if item and faults.attempt(_is_computed, entry, item, path):
            computed.append(len(found))
    faults.raise_any()
    items = [faults.attempt(_renumbered, item, path, jumps) for item, path in zip(found, paths, strict=True)]
    faults.raise_any()
    return [item for item in items if item], tuple(_taken(entries, computed))


def _taken(entries: list[Any], computed: list[int]) -> Iterator[Assumed]:
    """Says which heights are flown as they were computed, and which patterns are kept by their items alone."""
    if computed:
        yield Assumed("qgc_terrain", listed(computed), "as_computed")
    patterns = Counter(fields.shown(entry.get("complexItemType")) for entry in entries if entry["type"] == _COMPLEX)
    if patterns:
        yield Assumed("patterns", ", ".join(f"{name} ({n})" for name, n in sorted(patterns.items())), "flattened")


def _simple_items(
    entries: list[Any], path: str, faults: Faults, *, nested: bool = False
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """All simple items in flight order, those inside complex items included."""
    for index, entry in enumerate(entries):
        here = f"{path}[{index}]"
        kind = faults.attempt(_kind, entry, here, nested)
        if kind == _SIMPLE:
            yield here, entry
        elif kind == _COMPLEX:
            inner = faults.attempt(_embedded, entry, here) or []
            yield from _simple_items(inner, f"{here}.Items", faults, nested=True)


def _kind(entry: object, path: str, nested: bool) -> str:
    kind = fields.mapping(entry, path).get("type")
    if kind == _SIMPLE or (kind == _COMPLEX and not nested):
        return str(kind)
    raise fields.wrong(f"{path}.type", kind, _SIMPLE if nested else f"{_SIMPLE}, {_COMPLEX}")


def _embedded(entry: Mapping[str, Any], path: str) -> list[Any]:
    """The items that a complex item says will be flown; RuleViolation where it holds none."""
    kind = entry.get("complexItemType")
    version = entry.get("version")
    known = _COMPLEX_VERSIONS.get(kind) if isinstance(kind, str) else None
    if known and version is not None and (isinstance(version, bool) or version not in known):
        measured = f"{kind} {fields.shown(version)}"
        raise invalid("plan.version", path=path, measured=measured, required=f"{kind} {known[0]} - {known[-1]}")
    style = entry.get("TransectStyleComplexItem")
    items = (style if isinstance(style, dict) else entry).get("Items")
    if not isinstance(items, list) or not items:
        raise invalid("plan.complex_item", path=path, name=fields.shown(kind))
    return items


def _simple(entry: Mapping[str, Any], path: str) -> PlanItem:
    numbers = fields.array(entry.get("params"), f"{path}.params", 7)
    return commands.item(entry.get("command"), entry.get("frame"), numbers, path)


def _is_computed(entry: Mapping[str, Any], item: PlanItem, path: str) -> bool:
    """Whether QGroundControl computed the altitude from terrain; RuleViolation where an item contradicts itself.

    QGroundControl flies what AltitudeMode and Altitude say, every other program the frame and param7.
    """
    mode = entry.get("AltitudeMode")
    if mode is None or mode == _NO_MODE or not item.command.is_flown_to or item.command is Command.NAV_LAND:
        return False
    code = fields.integer(mode, f"{path}.AltitudeMode")
    meant = _FRAME_OF_MODE.get(code)
    if meant is None:
        raise fields.wrong(f"{path}.AltitudeMode", mode, "0, 1, 2, 3, 4")
    computed = code == _CALCULATED
    name = "AMSLAltAboveTerrain" if computed else "Altitude"
    height = entry.get(name)
    if height is None and not computed:
        return False
    if height is None:
        raise invalid("plan.altitude_open", path=path)
    said_m = fields.altitude_m(height, f"{path}.{name}")
    if item.frame is not meant or item.alt_m is None or abs(item.alt_m - said_m) > _SAME_HEIGHT_M:
        measured = f"{fields.shown(item.alt_m)} m ({item.frame.reference})"
        raise invalid("plan.altitude_mode", path=path, measured=measured, required=f"{said_m:g} m ({meant.reference})")
    return computed


def _note_jump_id(entry: Mapping[str, Any], path: str, jumps: dict[int, int], place: int) -> None:
    value = entry.get("doJumpId")
    if value is None:
        return
    jump_id = fields.integer(value, f"{path}.doJumpId")
    if jumps.setdefault(jump_id, place) != place:
        raise invalid("plan.jump_id", path=path, measured=jump_id)


def _renumbered(item: PlanItem, path: str, jumps: Mapping[int, int]) -> PlanItem:
    """A jump names a doJumpId in the file, and a place in the list on the wire."""
    if item.command is not Command.DO_JUMP:
        return item
    named = item.params[0] or 0
    target = jumps.get(int(named)) if named == int(named) else None
    if target is None:
        raise invalid("plan.jump_target", "plan.jump_unnamed", path=path, measured=f"{named:g}")
    return replace(item, params=(float(target), *item.params[1:]))


def _speed_mps(mission: Mapping[str, Any]) -> float | None:
    name = "hoverSpeed" if mission.get("vehicleType") in _HOVERING else "cruiseSpeed"
    speed_mps = fields.optional_number(mission.get(name), f"mission.{name}")
    return speed_mps if speed_mps and speed_mps > 0 else None


def _home(value: object) -> Home | None:
    if value is None:
        return None
    path = "mission.plannedHomePosition"
    lat, lon, alt = fields.array(value, path, 3)
    at = fields.somewhere(lat, lon, path)
    if at is None:
        return None
    return Home(at, None if alt is None else fields.altitude_m(alt, f"{path} altitude"))


def _is_empty(document: Mapping[str, Any]) -> bool:
    """Whether a part of a plan holds nothing, of whatever version its writer was."""
    return not any(value for name, value in document.items() if name != "version")


def _fence(value: object) -> Fence:
    document = fields.mapping(value or {}, "geoFence")
    if _is_empty(document):
        return Fence()
    fields.version(document.get("version"), "geoFence.version", 2)
    if document.get("breachReturn") is not None:
        raise invalid("plan.part", path="geoFence.breachReturn")
    faults = Faults()
    polygons = _each(document, "geoFence", "polygons", _polygon, faults)
    circles = _each(document, "geoFence", "circles", _circle, faults)
    faults.raise_any()
    return Fence(polygons, circles)


def _each(
    document: Mapping[str, Any], part: str, name: str, read: Callable[[Any, str], T], faults: Faults
) -> tuple[T, ...]:
    entries = fields.array(document.get(name, []), f"{part}.{name}")
    fields.refuse_many(len(entries), "plan.items", "plan.too_many_items")
    found = [faults.attempt(read, entry, f"{part}.{name}[{i}]") for i, entry in enumerate(entries)]
    return tuple(entry for entry in found if entry is not None)


def _polygon(value: object, path: str) -> FencePolygon:
    entry = fields.mapping(value, path)
    fields.version(entry.get("version"), f"{path}.version", 1)
    corners = fields.array(entry.get("polygon"), f"{path}.polygon")
    fields.refuse_many(len(corners), "plan.items", "plan.too_many_items")
    ring = [_corner(corner, f"{path}.polygon[{index}]") for index, corner in enumerate(corners)]
    if len(ring) > 1 and ring[0] == ring[-1]:
        ring.pop()
    if len(set(ring)) < 3:
        raise fields.wrong(f"{path}.polygon", len(ring), "corners")
    return FencePolygon(tuple(ring), fields.boolean(entry.get("inclusion"), f"{path}.inclusion"))


def _corner(value: object, path: str) -> LonLat:
    lat, lon = fields.array(value, path, 2)
    return fields.place(lat, lon, path)


def _circle(value: object, path: str) -> FenceCircle:
    entry = fields.mapping(value, path)
    fields.version(entry.get("version"), f"{path}.version", 1)
    circle = fields.mapping(entry.get("circle"), f"{path}.circle")
    lat, lon = fields.array(circle.get("center"), f"{path}.circle.center", 2)
    radius_m = fields.number(circle.get("radius"), f"{path}.circle.radius")
    if radius_m <= 0:
        raise fields.wrong(f"{path}.circle.radius", radius_m, "positive")
    centre = fields.place(lat, lon, f"{path}.circle.center")
    return FenceCircle(centre, radius_m, fields.boolean(entry.get("inclusion"), f"{path}.inclusion"))


def _rally(value: object) -> tuple[RallyPoint, ...]:
    document = fields.mapping(value or {}, "rallyPoints")
    if _is_empty(document):
        return ()
    fields.version(document.get("version"), "rallyPoints.version", 2)
    said = fields.array(document.get("points", []), "rallyPoints.points")
    fields.refuse_many(len(said), "plan.rally", "plan.too_many_rally")
    faults = Faults()
    points = _each(document, "rallyPoints", "points", _rally_point, faults)
    faults.raise_any()
    return points


def _rally_point(value: object, path: str) -> RallyPoint:
    lat, lon, alt = fields.array(value, path, 3)
    return RallyPoint(fields.place(lat, lon, path), fields.altitude_m(alt, f"{path} altitude"))


def write(plan: Plan) -> bytes:
    """`plan` as a `.plan` file for QGroundControl and ArduPilot."""
    home = plan.home
    speed = {name: plan.speed_mps for name in ("cruiseSpeed", "hoverSpeed") if plan.speed_mps}
    mission = {
        "version": 2,
        "firmwareType": _ARDUPILOT,
        "vehicleType": _QUADROTOR,
        **speed,
        "globalPlanAltitudeMode": 1,
        "plannedHomePosition": [home.at.lat, home.at.lon, home.alt_amsl_m] if home else None,
        "items": [_simple_item(item, number) for number, item in enumerate(plan.items, start=1)],
    }
    document = {
        "fileType": FILE_TYPE,
        "version": 1,
        "groundStation": "Skywarden",
        "mission": mission,
        "geoFence": _fence_document(plan.fence),
        "rallyPoints": {"version": 2, "points": [[p.at.lat, p.at.lon, p.alt_rel_m] for p in plan.rally]},
    }
    return (json.dumps(document, indent=4, allow_nan=False) + "\n").encode()


def _simple_item(item: PlanItem, number: int) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "type": _SIMPLE,
        "autoContinue": True,
        "command": int(item.command),
        "doJumpId": number,
        "frame": int(item.frame.plain),
        "params": [*item.params, *commands.last_numbers(item)],
    }
    if item.command.is_located:
        entry["params"][4:6] = [item.at.lat, item.at.lon] if item.at else [0, 0]
        entry["params"][6] = item.alt_m
    if item.command.is_flown_to:
        entry["Altitude"] = item.alt_m
        entry["AltitudeMode"] = _ALTITUDE_MODE[item.frame.plain]
        entry["AMSLAltAboveTerrain"] = None
    return entry


def _fence_document(fence: Fence) -> dict[str, Any]:
    polygons = [
        {"version": 1, "inclusion": p.inclusion, "polygon": [[at.lat, at.lon] for at in p.ring]} for p in fence.polygons
    ]
    circles = [
        {
            "version": 1,
            "inclusion": c.inclusion,
            "circle": {"center": [c.centre.lat, c.centre.lon], "radius": c.radius_m},
        }
        for c in fence.circles
    ]
    return {"version": 2, "polygons": polygons, "circles": circles}
