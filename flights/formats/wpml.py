"""DJI WPML in a KMZ: `waylines.wpml`, which is what flies, checked against `template.kml` where that is there.

Heights come above the take-off point, above the surface, or above the WGS 84 ellipsoid. The last lies tens of
metres away from sea level: they are read only where the template says what each is above sea level or above
the take-off point, and refused otherwise.
"""

from __future__ import annotations

from dataclasses import replace

from flights.formats import fields, kml, markup, wpml_actions
from flights.formats.markup import Element, child, children, text
from flights.formats.wayline import Finish, Wayline, Waypoint
from flights.model import Home, Plan, Reference
from flights.path.assumed import Assumed
from geo.types import LonLat
from schemas.refusals import invalid

WAYLINES, TEMPLATE = "wpmz/waylines.wpml", "wpmz/template.kml"
VERSIONS = ("1.0.2", "1.0.3", "1.0.4", "1.0.5", "1.0.6")

_RELATIVE, _SURFACE, _ELLIPSOID = "relativeToStartPoint", "realTimeFollowSurface", "WGS84"
_REFERENCES = {_RELATIVE: Reference.HOME, _SURFACE: Reference.TERRAIN}
_STRAIGHT = ("toPointAndStopWithDiscontinuityCurvature", "coordinateTurn")
_CURVED = ("toPointAndStopWithContinuityCurvature", "toPointAndPassWithContinuityCurvature")
_ALONG = "followWayline"
_SAME_PLACE_DEG, _SAME_HEIGHT_M = 1e-6, 0.05


def is_mission(root: Element) -> bool:
    """Whether a KML document is part of a DJI mission."""
    document = child(root, "Document")
    return document is not None and any(markup.wpml_version(element) for element in document)


def read(waylines: Element, template: Element | None) -> Plan:
    """The plan of a mission; RuleViolation 422 where it is not one wayline that can be foretold."""
    kml.refuse_links(waylines)
    document = _document(waylines)
    folders = list(children(document, "Folder"))
    if not folders or child(folders[0], "executeHeightMode") is None:
        raise invalid("wpml.waylines")
    if len(folders) != 1:
        raise invalid("wpml.routes", measured=len(folders))
    heights = _Template(template) if template is not None else None
    return _wayline(document, folders[0], heights).plan()


def _document(root: Element) -> Element:
    document = child(root, "Document")
    if markup.local(root) != "kml" or document is None:
        raise invalid("kml.root", measured=fields.shown(root.tag))
    versions = {markup.wpml_version(element) for element in root.iter()} - {None}
    for version in sorted(str(version) for version in versions):
        if version not in VERSIONS:
            raise invalid("wpml.version", measured=f"wpmz/{version}", required=f"{VERSIONS[0]} - {VERSIONS[-1]}")
    return document


class _Template:
    """What template.kml says of the same waypoints; its other kinds of template hold none."""

    def __init__(self, root: Element) -> None:
        kml.refuse_links(root)
        document = _document(root)
        folder = child(document, "Folder")
        self.take_off = _take_off(document)
        self.height_mode = text(folder, "waylineCoordinateSysParam", "heightMode")
        is_waypoints = text(folder, "templateType") == "waypoint"
        self.placemarks = list(children(folder, "Placemark")) if folder is not None and is_waypoints else []

    def compare_count(self, count: int) -> None:
        """Raise RuleViolation where the two files have other numbers of waypoints."""
        if self.placemarks and len(self.placemarks) != count:
            raise invalid("wpml.differs", path="Placemark", measured=len(self.placemarks), required=count)

    def compare(self, index: int, at: LonLat) -> None:
        """Raise RuleViolation where the two files have a waypoint at other places."""
        if not self.placemarks:
            return
        there = _place(self.placemarks[index], index)
        if max(abs(there.lon - at.lon), abs(there.lat - at.lat)) > _SAME_PLACE_DEG:
            one, other = (f"{place.lon:.7f},{place.lat:.7f}" for place in (there, at))
            raise invalid("wpml.differs", path=f"Placemark[{index}]", measured=one, required=other)

    def from_ellipsoid(self, index: int, height_m: float) -> float:
        """A height above the ellipsoid as one above what `height_mode` says."""
        if not self.placemarks:
            raise invalid("wpml.ellipsoid")
        path = f"template.kml Placemark[{index}]"
        ellipsoid_m = _number(self.placemarks[index], f"{path}.ellipsoidHeight", "ellipsoidHeight")
        same_m = _number(self.placemarks[index], f"{path}.height", "height")
        if ellipsoid_m is None or same_m is None:
            raise invalid("wpml.ellipsoid")
        if abs(ellipsoid_m - height_m) > _SAME_HEIGHT_M:
            raise invalid("wpml.differs", path=f"{path}.height", measured=f"{ellipsoid_m:g}", required=f"{height_m:g}")
        return same_m


def _take_off(document: Element) -> Home | None:
    """Where the template takes off, latitude first; its height is one above the ellipsoid and not kept."""
    written = text(document, "missionConfig", "takeOffRefPoint")
    if written is None:
        return None
    parts = [part.strip() for part in written.split(",", maxsplit=3)]
    if len(parts) not in (2, 3):
        raise fields.wrong("takeOffRefPoint", written, "lat,lon,height")
    lat, lon = (fields.written_number(part, "takeOffRefPoint") for part in parts[:2])
    at = fields.somewhere(lat, lon, "takeOffRefPoint")
    return None if at is None else Home(at)


def _number(element: Element | None, path: str, *names: str) -> float | None:
    written = text(element, *names)
    return None if written is None else fields.number(fields.written_number(written, path), path)


def _needed(element: Element | None, path: str, *names: str) -> float:
    value = _number(element, path, *names)
    if value is None:
        raise fields.wrong(path, None, "number")
    return value


def _place(placemark: Element, index: int) -> LonLat:
    path = f"Placemark[{index}]"
    point = child(placemark, "Point")
    positions = [] if point is None else kml.positions_of(point, path)
    if len(positions) != 1:
        raise invalid("kml.place", path=f"{path} coordinates", measured=len(positions))
    return positions[0][0]


def _wayline(document: Element, folder: Element, template: _Template | None) -> Wayline:
    config = child(document, "missionConfig")
    placemarks = list(children(folder, "Placemark"))
    fields.refuse_many(len(placemarks), "plan.items", "plan.too_many_items")
    if template:
        template.compare_count(len(placemarks))
    speed_mps = _needed(folder, "autoFlightSpeed", "autoFlightSpeed")
    notes = wpml_actions.Notes()
    mode = _height_mode(folder, template)
    faults = fields.Faults()
    found = [
        faults.attempt(_waypoint, placemark, index, speed_mps, mode, notes)
        for index, placemark in enumerate(placemarks)
    ]
    faults.raise_any()
    waypoints = [waypoint for waypoint in found if waypoint]
    if len(waypoints) < 2:
        raise invalid("geometry.line_short", path="Folder", measured=len(waypoints), required=2)
    for index, waypoint in enumerate(waypoints):
        if template:
            template.compare(index, waypoint.at)
    waypoints = wpml_actions.with_actions(waypoints, placemarks, notes)
    wayline = Wayline(
        tuple(waypoints),
        mode.reference,
        speed_mps,
        _number(config, "globalTransitionalSpeed", "globalTransitionalSpeed") or speed_mps,
        0.0,
        _finish(config),
        wpml_actions.first_actions(folder, notes),
        template.take_off if template else None,
    )
    takeoff_m = _takeoff_m(config, wayline)
    takeoff = Assumed("takeoff", f"{takeoff_m:g} m", "dji_takeoff")
    assumed = (takeoff, *mode.assumed, *notes.assumed)
    return replace(wayline, takeoff_m=takeoff_m, nose_follows=not notes.turns_nose, assumed=assumed)


def _finish(config: Element | None) -> Finish:
    said = text(config, "finishAction")
    if said not in set(Finish):
        raise fields.wrong("missionConfig.finishAction", said, ", ".join(Finish))
    return Finish(said)


def _takeoff_m(config: Element | None, wayline: Wayline) -> float:
    """How high the aircraft climbs before it goes: to the first waypoint's height where it flies there level."""
    first_m = wayline.waypoints[0].height_m if wayline.reference is Reference.HOME else 0.0
    safe_m = _number(config, "missionConfig.takeOffSecurityHeight", "takeOffSecurityHeight")
    if safe_m is None:
        return max(wayline.waypoints[0].height_m, 0.0)
    return max(safe_m, first_m) if text(config, "flyToWaylineMode") != "pointToPoint" else safe_m


class _HeightMode:
    """How the heights of a wayline are measured, and what they become."""

    def __init__(self, reference: Reference, template: _Template | None, assumed: tuple[Assumed, ...]) -> None:
        self.reference = reference
        self.assumed = assumed
        self._ellipsoid = template

    def height_m(self, index: int, written_m: float) -> float:
        """The height of a waypoint above `reference`."""
        return written_m if self._ellipsoid is None else self._ellipsoid.from_ellipsoid(index, written_m)


def _height_mode(folder: Element, template: _Template | None) -> _HeightMode:
    said = text(folder, "executeHeightMode")
    if said == _SURFACE:
        return _HeightMode(Reference.TERRAIN, None, (Assumed("heights", said, "own_sensor"),))
    if said == _RELATIVE:
        return _HeightMode(Reference.HOME, None, ())
    if said != _ELLIPSOID:
        raise fields.wrong("Folder.executeHeightMode", said, f"{_ELLIPSOID}, {_RELATIVE}, {_SURFACE}")
    if template is None:
        raise invalid("wpml.ellipsoid")
    if template.height_mode == _RELATIVE:
        return _HeightMode(Reference.HOME, template, (Assumed("heights", said, "by_take_off"),))
    if template.height_mode == "EGM96":
        return _HeightMode(Reference.AMSL, template, (Assumed("heights", said, "from_template"),))
    raise invalid("wpml.ellipsoid")


def _waypoint(
    placemark: Element, index: int, speed_mps: float, mode: _HeightMode, notes: wpml_actions.Notes
) -> Waypoint:
    path = f"Placemark[{index}]"
    said = _needed(placemark, f"{path}.index", "index")
    if said != index:
        raise fields.wrong(f"{path}.index", said, index)
    written_m = fields.altitude_m(_needed(placemark, f"{path}.executeHeight", "executeHeight"), path)
    heading = text(placemark, "waypointHeadingParam", "waypointHeadingMode")
    if heading not in (None, _ALONG):
        notes.add("heading", fields.shown(heading), "dji_heading")
    return Waypoint(
        _place(placemark, index),
        mode.height_m(index, written_m),
        _number(placemark, f"{path}.waypointSpeed", "waypointSpeed") or speed_mps,
        _is_curved(placemark, path, notes),
    )


def _is_curved(placemark: Element, path: str, notes: wpml_actions.Notes) -> bool:
    turn = text(placemark, "waypointTurnParam", "waypointTurnMode")
    if turn not in (None, *_STRAIGHT, *_CURVED):
        raise fields.wrong(f"{path}.waypointTurnMode", turn, ", ".join((*_STRAIGHT, *_CURVED)))
    if turn not in _CURVED or text(placemark, "useStraightLine") in ("1", "true"):
        return False
    notes.add("turn", fields.shown(turn), "dji_curve")
    return True
