"""Strict reading of JSON documents and GeoJSON geometries from strangers (reliability.md 5, rows 1 to 26).

Nothing is repaired: a document either means exactly what it says or is refused with the place of the fault.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import shapely
from shapely.geometry import shape
from shapely.geometry.base import BaseGeometry
from shapely.validation import explain_validity

from geo import measure
from schemas.limits import LIMITS, Limit
from schemas.refusals import Kind, invalid, too_large, violation
from schemas.words import Coded

# Depth of the arrays of `coordinates` above a position, by type (RFC 7946, 3.1).
_LEVELS = {
    "Point": 0,
    "MultiPoint": 1,
    "LineString": 1,
    "MultiLineString": 2,
    "Polygon": 2,
    "MultiPolygon": 3,
}
_COLLECTION = "GeometryCollection"
_RING_MIN_POSITIONS = 4
_LINE_MIN_POSITIONS = 2

# The names under which old writers say what RFC 7946 takes for granted.
_WGS84_NAMES = frozenset(
    {"urn:ogc:def:crs:OGC:1.3:CRS84", "urn:ogc:def:crs:OGC::CRS84", "OGC:CRS84"}
    | {"EPSG:4326", "urn:ogc:def:crs:EPSG::4326"}
)

# Integers beyond this are read differently by different programs (RFC 7493, 2.2).
_LARGEST_INTEGER = 2**53

# Strings, brackets; an unterminated string is one token up to the end, so that the scan stays linear.
_STRUCTURE = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)
_UNSTORABLE_ESCAPE = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
# Where documents hold places: GeoJSON in coordinates, QGroundControl in all the others.
_OF_PLACES = re.compile(r"coordinates|params|plannedHomePosition|polygon\[|center|points\[")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_PLACE_IN_REASON = re.compile(r"\[(-?[\d.e+-]+) (-?[\d.e+-]+)\]")
_SHOWN_LENGTH = 40
# A boolean is a number to Python, so it comes first.
_JSON_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (type(None), "null"),
    (bool, "boolean"),
    ((int, float), "number"),
    (str, "string"),
    (list, "array"),
    (Mapping, "object"),
)
_NOT_FINITE = (float("inf"), float("-inf"))


def parse_document(data: bytes, *, limits: Mapping[str, Limit] = LIMITS) -> dict[str, Any]:
    """A JSON object from untrusted bytes (UTF-8), with every member once and every number finite.

    Raises RuleViolation: 413 above `json.bytes`, 400 for what is not JSON, 422 for nesting beyond
    `json.depth`, duplicate keys, numbers that are not finite or longer than `json.digits`, and text
    that no database can hold.
    """
    if len(data) > limits["json.bytes"].value:
        raise too_large("json.bytes", measured=len(data), required=limits["json.bytes"].value)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise violation(Kind.SYNTAX, "json.encoding", measured=error.start) from error
    _refuse_depth(text, limits["json.depth"].value)
    numbers = _Numbers(limits["json.digits"].value)
    try:
        document = json.loads(
            text,
            object_pairs_hook=_each_key_once,
            parse_int=numbers.integer,
            parse_float=numbers.real,
            parse_constant=numbers.constant,
        )
    except json.JSONDecodeError as error:
        raise violation(Kind.SYNTAX, "json.syntax", line=error.lineno, column=error.colno) from error
    if not isinstance(document, dict):
        raise invalid("json.object", measured=json_kind(document))
    if numbers.not_finite or _UNSTORABLE_ESCAPE.search(text):
        _refuse_leaves(document)
    return document


def _refuse_depth(text: str, max_depth: int) -> None:
    depth, name = 0, ""
    for token in _STRUCTURE.finditer(text):
        mark = token.group()
        if mark in ("[", "{"):
            depth += 1
            if depth > max_depth:
                rule = "geometry.depth" if name == '"geometries"' else "json.depth"
                raise invalid(rule, measured=depth, required=max_depth)
        elif mark in ("]", "}"):
            depth -= 1
        else:
            name = mark


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise invalid("json.duplicate_key", key=_shown(key))
            seen.add(key)
    return members


class _Numbers:
    """Reads the numbers of one document and remembers whether one of them was not finite."""

    def __init__(self, max_digits: int) -> None:
        self._max_digits = max_digits
        self.not_finite = False

    def integer(self, token: str) -> int:
        self._refuse_long(token)
        value = int(token)
        if abs(value) > _LARGEST_INTEGER:
            raise invalid("json.number", measured=token, required=str(_LARGEST_INTEGER))
        return value

    def real(self, token: str) -> float:
        self._refuse_long(token)
        return self._noted(float(token))

    def constant(self, token: str) -> float:
        return self._noted(float(token))

    def _noted(self, value: float) -> float:
        self.not_finite = self.not_finite or not _is_finite(value)
        return value

    def _refuse_long(self, token: str) -> None:
        if len(token) > self._max_digits:
            required = f"{self._max_digits} characters"
            raise invalid("json.number", measured=f"{len(token)} characters", required=required)


def _refuse_leaves(document: dict[str, Any]) -> None:
    """Find what the numbers or the escapes announced, so that the refusal can say where it is."""
    waiting: list[tuple[str, Any]] = [("", document)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            for key, member in value.items():
                if _UNSTORABLE.search(key):
                    raise invalid("json.text", path=path or "/")
                waiting.append((f"{path}.{_shown(key)}".lstrip("."), member))
        elif isinstance(value, list):
            waiting.extend((f"{path}[{index}]", member) for index, member in enumerate(value))
        elif isinstance(value, str) and _UNSTORABLE.search(value):
            raise invalid("json.text", path=path)
        elif isinstance(value, float) and not _is_finite(value):
            rule = "geometry.not_finite" if _OF_PLACES.search(path) else "json.not_finite"
            raise invalid(rule, path=path)


def parse_geometry(
    obj: object, *, allow: Collection[str], path: str = "", limits: Mapping[str, Limit] = LIMITS
) -> BaseGeometry:
    """A valid two-dimensional geometry of EPSG:4326 from a decoded GeoJSON geometry object.

    `allow` names the GeoJSON types taken here; geometry collections are never among them. `path` is
    where the object stands in its document, for the refusals. A third ordinate is checked and dropped.
    Raises RuleViolation 422 with a rule `geometry.*` for the first fault, in the order size, numbers,
    range, rings, shape.
    """
    kind, coordinates = _kind_and_coordinates(obj, allow, path)
    where = f"{path}.coordinates".lstrip(".")
    levels = _LEVELS[kind]
    _refuse_parts(kind, coordinates, limits["geometry.parts"].value)
    _refuse_positions(coordinates, levels, where, limits["geometry.vertices"].value)
    if levels:
        closed = kind.endswith("Polygon")
        runs_above = levels - 1
        if kind != "MultiPoint":
            for run_path, run in _nested(coordinates, runs_above, where):
                _refuse_run(run, run_path, closed=closed)
    geom = shapely.force_2d(shape({"type": kind, "coordinates": coordinates}))
    _refuse_shape(geom, path or kind, limits["geometry.min_area"].value)
    return geom


def _kind_and_coordinates(obj: object, allow: Collection[str], path: str) -> tuple[str, Any]:
    if obj is None:
        raise invalid("geometry.empty", path=path or "geometry")
    if not isinstance(obj, Mapping):
        raise invalid("geometry.format", path=path or "geometry", measured=json_kind(obj))
    kind = obj.get("type")
    if kind == _COLLECTION and _holds_collection(obj):
        raise invalid("geometry.depth", measured=2, required=1)
    if not isinstance(kind, str) or kind not in allow or kind not in _LEVELS:
        raise invalid("geometry.type", measured=_shown(kind), required=", ".join(sorted(allow)))
    refuse_foreign_crs(obj)
    return kind, obj.get("coordinates")


def _holds_collection(obj: Mapping[str, Any]) -> bool:
    members = obj.get("geometries")
    if not isinstance(members, list):
        return False
    return any(isinstance(member, Mapping) and member.get("type") == _COLLECTION for member in members)


def refuse_foreign_crs(obj: Mapping[str, Any]) -> None:
    """Raise RuleViolation where an object's `crs` member names anything but WGS 84 longitude and latitude."""
    if "crs" not in obj or obj["crs"] is None:
        return
    crs = obj["crs"]
    properties = crs.get("properties") if isinstance(crs, Mapping) else None
    name = properties.get("name") if isinstance(properties, Mapping) else None
    if name not in _WGS84_NAMES:
        raise invalid("geometry.crs", measured=_shown(name), required="EPSG:4326")


def _nested(value: Any, levels: int, path: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    """The members of an array that is nested `levels` deep, each with its path; at most three levels."""
    if levels == 0:
        yield path, value
        return
    if value is None or value == []:
        raise invalid("geometry.empty", path=path)
    if not isinstance(value, list):
        raise invalid("geometry.format", path=path, measured=json_kind(value))
    for index, member in enumerate(value):
        yield from _nested(member, levels - 1, f"{path}[{index}]")


def _refuse_parts(kind: str, coordinates: object, max_parts: int) -> None:
    is_multipart = kind in ("MultiPolygon", "MultiLineString")
    if is_multipart and isinstance(coordinates, list) and len(coordinates) > max_parts:
        raise invalid("geometry.too_many_parts", measured=len(coordinates), required=max_parts)


def _refuse_positions(coordinates: object, levels: int, path: str, max_vertices: int) -> None:
    dimension = 0
    for count, (where, position) in enumerate(_nested(coordinates, levels, path), start=1):
        if count > max_vertices:
            raise invalid("geometry.too_many_vertices", measured=f"> {max_vertices}", required=max_vertices)
        if position is None or position == []:
            raise invalid("geometry.empty", path=where)
        if not isinstance(position, list):
            raise invalid("geometry.format", path=where, measured=json_kind(position))
        dimension = dimension or len(position)
        if len(position) not in (2, 3) or len(position) != dimension:
            raise invalid("geometry.dimension", path=where, measured=len(position))
        _refuse_numbers(position, where)


def _refuse_numbers(position: Sequence[object], path: str) -> None:
    for index, value in enumerate(position):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise invalid("geometry.not_a_number", path=f"{path}[{index}]", measured=_shown(value))
        if not _is_finite(value):
            raise invalid("geometry.not_finite", path=f"{path}[{index}]")
    refuse_off_earth(position[0], position[1], path)  # type: ignore[arg-type]


def refuse_off_earth(lon: float, lat: float, path: str) -> None:
    """Raise RuleViolation where a finite position is out of range, and say so where the two were exchanged."""
    if -180 <= lon <= 180 and -90 <= lat <= 90:
        return
    swapped = -90 <= lon <= 90 and -180 <= lat <= 180
    text = "geometry.swapped" if swapped else "geometry.out_of_range"
    raise invalid("geometry.out_of_range", text, path=path, measured=f"{_shown(lon)}, {_shown(lat)}")


def refuse_jump(lons: Sequence[float], path: str) -> None:
    """Raise RuleViolation where the positions of a line or ring go round the globe in one step."""
    for index, (here, there) in enumerate(itertools.pairwise(lons), start=1):
        if abs(there - here) > 180:
            raise invalid("geometry.antimeridian", path=f"{path}[{index}]")


def _refuse_run(run: list[list[float]], path: str, *, closed: bool) -> None:
    """Refuse a line or a ring whose positions do not make one."""
    if closed and len(run) < _RING_MIN_POSITIONS:
        raise invalid("geometry.ring_short", path=path, measured=len(run), required=_RING_MIN_POSITIONS)
    if closed and run[0][:2] != run[-1][:2]:
        raise invalid("geometry.ring_open", path=path)
    if len(run) < _LINE_MIN_POSITIONS:
        raise invalid("geometry.line_short", path=path, measured=len(run), required=_LINE_MIN_POSITIONS)
    for index, (here, there) in enumerate(itertools.pairwise(run), start=1):
        if here[:2] == there[:2]:
            raise invalid("geometry.degenerate", "geometry.repeated", path=f"{path}[{index}]")
    refuse_jump([position[0] for position in run], path)


def _refuse_shape(geom: BaseGeometry, path: str, min_area_m2: float) -> None:
    if geom.geom_type.endswith("Polygon"):
        parts = getattr(geom, "geoms", (geom,))
        # The hulls come first: a ring that folds back on itself is a sliver, a bow-tie is not. One around all parts
        # would go round the globe where they lie on both sides of the 180th meridian.
        for part in parts:
            refuse_sliver(part.convex_hull, path, min_area_m2)
        refuse_invalid(geom, path)
        for part in parts:
            refuse_sliver(part, path, min_area_m2)
    refuse_invalid(geom, path)


def refuse_sliver(geom: BaseGeometry, path: str, min_area_m2: float) -> None:
    """Raise RuleViolation where a polygon of EPSG:4326 covers less than the smallest area meant by anyone."""
    measured_m2 = measure.area_m2(geom)
    if measured_m2 < min_area_m2:
        measured = f"{measured_m2:.3f} m²"
        raise invalid("geometry.degenerate", path=path, measured=measured, required=f"{min_area_m2} m²")


def refuse_invalid(geom: BaseGeometry, path: str) -> None:
    """Raise RuleViolation with the reason and the place where a geometry is not simple and valid."""
    if geom.is_valid:
        return
    fault, bracket, where = explain_validity(geom).partition("[")
    reason = Coded("validity", [fault], f" {bracket}{where}".rstrip())
    found = _PLACE_IN_REASON.search(bracket + where)
    place = None
    if found:
        place = {"type": "Point", "coordinates": [float(found.group(1)), float(found.group(2))]}
    raise invalid("geometry.invalid", path=path, reason=reason, place=place)


def _is_finite(value: float) -> bool:
    # math.isfinite raises OverflowError for an integer too large for a float.
    return value == value and value not in _NOT_FINITE


def json_kind(value: object) -> str:
    """What JSON calls a decoded value: object, array, string, number, boolean or null."""
    for kinds, name in _JSON_KINDS:
        if isinstance(value, kinds):
            return name
    return type(value).__name__


def _shown(value: object) -> str:
    """A short form of somebody else's value, safe to print in a refusal."""
    if isinstance(value, str):
        text = _UNSTORABLE.sub("?", value)
    elif isinstance(value, float) or (isinstance(value, int) and abs(value) <= _LARGEST_INTEGER):
        text = repr(value)
    else:
        text = json_kind(value)
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}..."
