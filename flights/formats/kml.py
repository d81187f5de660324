"""KML and the KML inside a KMZ: one LineString, or waypoints as Points in the order of the file.

Heights count by `altitudeMode`: relativeToGround is above the terrain, absolute above mean sea level (EGM96),
and clampToGround, which a file means that names none, is no height at all. Nothing that a file points to is
fetched, and nothing of its texts is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from flights.formats import fields, markup
from flights.formats.fields import Faults
from flights.formats.line import Line
from flights.formats.markup import Element
from flights.model import Home, Plan, Reference
from flights.path.assumed import Assumed
from geo.types import LonLat
from schemas.limits import limit
from schemas.refusals import invalid

NAMESPACE = "http://www.opengis.net/kml/2.2"
KNOWN = (Reference.TERRAIN, Reference.AMSL)

_NAMESPACES = ("", NAMESPACE, *(f"http://earth.google.com/kml/2.{minor}" for minor in range(3)))
_MODES = {"relativeToGround": Reference.TERRAIN, "absolute": Reference.AMSL}
_CLAMPED = "clampToGround"
_FETCHED = frozenset({"NetworkLink", "NetworkLinkControl"})
_DRAWN = frozenset({"Point", "Polygon", "Track", "MultiTrack", "Model"})
# A geometry stands in a Placemark, or in a MultiGeometry in one; a LinearRing is part of a Polygon.
_HOLDERS = frozenset({"Document", "Folder", "Placemark", "MultiGeometry", "kml"})


def read(root: Element) -> Plan:
    """The plan of a document; RuleViolation 422 where it is not one line."""
    if markup.local(root) != "kml" or markup.namespace(root) not in _NAMESPACES:
        raise invalid("kml.root", measured=fields.shown(root.tag))
    refuse_links(root)
    found = list(_geometries(root, None))
    lines = [(placemark, geometry) for placemark, geometry in found if markup.local(geometry) == "LineString"]
    others = [markup.local(geometry) for _, geometry in found if markup.local(geometry) in _DRAWN]
    if len(lines) == 1:
        line, assumed = _line(*lines[0])
        if others:
            assumed = (*assumed, Assumed("drawings", _listed(others), "not_flown"))
        return line.plan("KML", assumed)
    points = [geometry for _, geometry in found if markup.local(geometry) == "Point"]
    if lines or len(points) < 2:
        raise invalid("kml.lines", measured=len(lines))
    line, assumed = _points(points)
    rest = [name for name in others if name != "Point"]
    if rest:
        assumed = (*assumed, Assumed("drawings", _listed(rest), "not_flown"))
    return line.plan("KML", (*assumed, Assumed("line", f"{len(points)} points", "in_file_order")))


def _listed(names: list[str]) -> str:
    return ", ".join(f"{name} ({names.count(name)})" for name in sorted(set(names)))


def refuse_links(root: Element) -> None:
    """Raise RuleViolation where a document asks to have another one fetched."""
    for element in root.iter():
        if markup.local(element) in _FETCHED:
            raise invalid("kml.network_link", name=markup.local(element))


def _geometries(element: Element, placemark: Element | None) -> Iterator[tuple[Element | None, Element]]:
    """All geometries with the Placemarks that hold them, in the order of the file."""
    for child in element:
        name = markup.local(child)
        if name in _HOLDERS:
            yield from _geometries(child, child if name == "Placemark" else placemark)
        elif name == "LineString" or name in _DRAWN:
            yield placemark, child


def _line(placemark: Element | None, geometry: Element) -> tuple[Line, tuple[Assumed, ...]]:
    positions = positions_of(geometry, "LineString")
    line, assumed = _placed(positions, _mode(geometry, "LineString"), "LineString")
    said = _said(placemark)
    faults = Faults()
    speed_mps = faults.attempt(_positive, said, "speed_mps")
    hfov_deg = faults.attempt(_positive, said, "hfov_deg")
    home = faults.attempt(_home, said.get("home"))
    faults.raise_any()
    return Line(line.places, line.heights_m, line.reference, home, speed_mps, hfov_deg), assumed


def _points(points: list[Element]) -> tuple[Line, tuple[Assumed, ...]]:
    fields.refuse_many(len(points), "plan.items", "plan.too_many_items")
    modes = {_mode(point, f"Point[{index}]") for index, point in enumerate(points)}
    positions = [p for index, point in enumerate(points) for p in positions_of(point, f"Point[{index}]")]
    if len(modes) > 1:
        measured = ", ".join(sorted(mode or _CLAMPED for mode in modes))
        raise invalid("kml.altitude_mode", path="Point", measured=measured, required="1")
    return _placed(positions, modes.pop(), "Point")


def _mode(geometry: Element, path: str) -> str | None:
    mode = markup.text(geometry, "altitudeMode")
    if mode is not None and mode not in (*_MODES, _CLAMPED):
        required = ", ".join((*_MODES, _CLAMPED))
        raise invalid("kml.altitude_mode", path=path, measured=fields.shown(mode), required=required)
    return mode


def _placed(
    positions: list[tuple[LonLat, float | None]], mode: str | None, path: str
) -> tuple[Line, tuple[Assumed, ...]]:
    """The line through `positions`, with what was made of their heights."""
    places = tuple(at for at, _ in positions)
    if len(places) < 2:
        raise invalid("geometry.line_short", path=path, measured=len(places), required=2)
    for here, there in pairwise(places):
        if abs(there.lon - here.lon) > 180:
            raise invalid("geometry.antimeridian", "plan.antimeridian", path=path)
    heights = [alt_m for _, alt_m in positions]
    if not any(heights):
        return Line(places), ()
    if mode not in _MODES:
        because = "clamp_to_ground" if mode else "no_altitude_mode"
        return Line(places), (Assumed("heights", "not counted", because),)
    known = tuple(alt_m for alt_m in heights if alt_m is not None)
    if len(known) < len(heights):
        raise invalid("plan.height_missing", path=path)
    return Line(places, known, _MODES[mode]), ()


def positions_of(geometry: Element, path: str) -> list[tuple[LonLat, float | None]]:
    """The positions of a geometry's `coordinates`, each with its third number or None."""
    written = markup.text(geometry, "coordinates") or ""
    most = limit("plan.items")
    # Three numbers a position, and as many commas that stand alone.
    words = written.split(maxsplit=6 * most)
    if len(words) > 6 * most:
        raise invalid("plan.too_many_items", measured=len(words), required=most)
    tuples = _joined(words)
    fields.refuse_many(len(tuples), "plan.items", "plan.too_many_items")
    return [_position(word, f"{path} coordinates[{index}]") for index, word in enumerate(tuples)]


def _joined(words: list[str]) -> list[str]:
    """The words of a list of positions, with those put together again that a blank beside a comma has parted."""
    tuples: list[str] = []
    for word in words:
        if tuples and (tuples[-1].endswith(",") or word.startswith(",")):
            tuples[-1] += word
        else:
            tuples.append(word)
    return tuples


def _position(word: str, path: str) -> tuple[LonLat, float | None]:
    parts = word.split(",", maxsplit=3)
    if len(parts) not in (2, 3):
        raise invalid("kml.place", path=path, measured=fields.shown(word))
    numbers = [fields.written_number(part, path) for part in parts]
    at = fields.place(numbers[1], numbers[0], path, lat_first=False)
    return at, fields.altitude_m(numbers[2], path) if len(numbers) == 3 else None


def _said(placemark: Element | None) -> dict[str, str]:
    """The values that this program writes beside a line; those of others are left alone."""
    data = [] if placemark is None else placemark.iter()
    return {
        str(entry.get("name")): markup.text(entry, "value") or "" for entry in data if markup.local(entry) == "Data"
    }


def _positive(said: dict[str, str], name: str) -> float | None:
    if name not in said:
        return None
    value = fields.number(fields.written_number(said[name], f"Data {name}"), f"Data {name}")
    if value <= 0:
        raise fields.wrong(f"Data {name}", said[name], "positive")
    return value


def _home(written: str | None) -> Home | None:
    if written is None:
        return None
    return Home(*_position(written, "Data home"))


def write(line: Line) -> bytes:
    """`line`, measured from one of `KNOWN`, as a document."""
    root = Element("kml", xmlns=NAMESPACE)
    document = markup.add(root, "Document")
    markup.add(document, "name", "Flight plan")
    placemark = markup.add(document, "Placemark")
    markup.add(placemark, "name", "Line")
    _write_said(placemark, line)
    geometry = markup.add(placemark, "LineString")
    modes = {reference: mode for mode, reference in _MODES.items()}
    markup.add(geometry, "altitudeMode", _CLAMPED if line.heights_m is None else modes[line.reference])
    heights = line.heights_m or [None] * len(line.places)
    tuples = [_tuple(at, alt_m) for at, alt_m in zip(line.places, heights, strict=True)]
    markup.add(geometry, "coordinates", " ".join(tuples))
    return markup.written(root)


def _write_said(placemark: Element, line: Line) -> None:
    values = {
        "home": None if line.home is None else _tuple(line.home.at, line.home.alt_amsl_m),
        "speed_mps": None if line.speed_mps is None else repr(line.speed_mps),
        "hfov_deg": None if line.hfov_deg is None else repr(line.hfov_deg),
    }
    if not any(values.values()):
        return
    extended = markup.add(placemark, "ExtendedData")
    for name, value in values.items():
        if value is not None:
            markup.add(markup.add(extended, "Data", name=name), "value", value)


def _tuple(at: LonLat, alt_m: float | None) -> str:
    numbers = [at.lon, at.lat] if alt_m is None else [at.lon, at.lat, alt_m]
    return ",".join(map(markup.plain, numbers))
