"""A plan drawn as one GeoJSON line: a LineString, a Feature with one, or a collection with one such Feature.

Heights come from the third ordinate or from the property `alt_agl_m`; where there is neither, the plan has
none and the check refuses it unless an option gives one. Properties read: `alt_agl_m`, `alt_frame`
(terrain, home or amsl; for the third ordinate), `speed_mps`, `hfov_deg`, `home` ([lon, lat] or
[lon, lat, amsl]).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flights.formats import fields
from flights.formats.fields import Faults
from flights.formats.line import FRAMES, Line
from flights.model import Command, Frame, Home, Plan, PlanItem, Reference
from flights.path.assumed import Assumed
from geo.geojson import parse_geometry, refuse_foreign_crs
from geo.types import LonLat
from schemas.refusals import invalid

_OTHERS = {"Point", "MultiPoint", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection"}
TYPES = frozenset({"LineString", "Feature", "FeatureCollection", *_OTHERS})
"""What GeoJSON calls its objects; a plan in any but the first three is refused by its type."""

KNOWN = (Reference.TERRAIN, Reference.HOME, Reference.AMSL)


def read(document: Mapping[str, Any]) -> Plan:
    """The plan of a decoded GeoJSON document; RuleViolation 422 where it is not one line."""
    refuse_foreign_crs(document)
    geometry, properties, path = _one_line(document)
    parse_geometry(geometry, allow={"LineString"}, path=path)
    positions = geometry["coordinates"]
    fields.refuse_many(len(positions), "plan.items", "plan.too_many_items")
    heights, frame, assumed = _heights(positions, properties)
    items = tuple(
        PlanItem(Command.NAV_WAYPOINT, frame, (0.0, 0.0, 0.0, None), LonLat(float(p[0]), float(p[1])), alt_m)
        for p, alt_m in zip(positions, heights, strict=True)
    )
    faults = Faults()
    speed_mps = faults.attempt(_positive, properties, "speed_mps")
    hfov_deg = faults.attempt(_positive, properties, "hfov_deg")
    home = faults.attempt(_home, properties.get("home"))
    faults.raise_any()
    return Plan(items, home, source="GeoJSON", speed_mps=speed_mps, hfov_deg=hfov_deg, assumed=assumed)


def _one_line(document: Mapping[str, Any]) -> tuple[Any, Mapping[str, Any], str]:
    """What stands for the geometry of the only line, its properties, and the path to it."""
    kind, path = document.get("type"), ""
    if kind == "FeatureCollection":
        features = fields.array(document.get("features"), "features")
        if len(features) != 1:
            raise invalid("plan.one_line", measured=len(features))
        document, path = fields.mapping(features[0], "features[0]"), "features[0]."
        kind = document.get("type")
    if kind != "Feature":
        return document, {}, path.rstrip(".")
    properties = document.get("properties")
    held = {} if properties is None else fields.mapping(properties, f"{path}properties")
    return document.get("geometry"), held, f"{path}geometry"


def _heights(
    positions: list[list[float]], properties: Mapping[str, Any]
) -> tuple[list[float | None], Frame, tuple[Assumed, ...]]:
    given = properties.get("alt_agl_m")
    alt_agl_m = None if given is None else fields.altitude_m(given, "properties.alt_agl_m")
    frame, assumed = _frame(properties.get("alt_frame"))
    # Mapping tools write a third ordinate of 0 for lines without heights; nobody flies at 0 m.
    if len(positions[0]) == 3 and any(position[2] for position in positions):
        if alt_agl_m is not None:
            raise invalid("plan.height_twice")
        heights = [fields.altitude_m(p[2], f"coordinates[{i}]") for i, p in enumerate(positions)]
        return [*heights], frame, assumed
    if alt_agl_m is not None and frame is not Frame.GLOBAL_TERRAIN_ALT:
        raise fields.wrong("properties.alt_frame", properties["alt_frame"], Reference.TERRAIN)
    return [alt_agl_m] * len(positions), Frame.GLOBAL_TERRAIN_ALT, ()


def _frame(value: object) -> tuple[Frame, tuple[Assumed, ...]]:
    if value is None:
        return Frame.GLOBAL_TERRAIN_ALT, (Assumed("alt_frame", Reference.TERRAIN, "no_alt_frame"),)
    if not isinstance(value, str) or value not in set(Reference):
        raise fields.wrong("properties.alt_frame", value, ", ".join(Reference))
    return FRAMES[Reference(value)], ()


def _positive(properties: Mapping[str, Any], name: str) -> float | None:
    value = fields.optional_number(properties.get(name), f"properties.{name}")
    if value is not None and value <= 0:
        raise fields.wrong(f"properties.{name}", value, "positive")
    return value


def _home(value: object) -> Home | None:
    if value is None:
        return None
    path = "properties.home"
    position = fields.array(value, path)
    if len(position) not in (2, 3):
        raise fields.wrong(path, position, "[lon, lat], [lon, lat, amsl]")
    at = fields.place(position[1], position[0], path, lat_first=False)
    return Home(at, fields.altitude_m(position[2], f"{path}[2]") if len(position) == 3 else None)


def write(line: Line) -> bytes:
    """`line` as one GeoJSON feature."""
    properties: dict[str, Any] = {"alt_frame": line.reference}
    if line.speed_mps:
        properties["speed_mps"] = line.speed_mps
    if line.hfov_deg:
        properties["hfov_deg"] = line.hfov_deg
    if line.home:
        amsl = [] if line.home.alt_amsl_m is None else [line.home.alt_amsl_m]
        properties["home"] = [*line.home.at, *amsl]
    coordinates: list[list[float]] = [[*at] for at in line.places]
    if line.heights_m:
        coordinates = [[*at, alt_m] for at, alt_m in zip(line.places, line.heights_m, strict=True)]
    document = {
        "type": "Feature",
        "properties": properties,
        "geometry": {"type": "LineString", "coordinates": coordinates},
    }
    return (json.dumps(document, allow_nan=False) + "\n").encode()
