"""A plan in any of the formats: what each can hold of it, its bytes, and the list of what it leaves out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from flights.formats import archive, fields, geojson_line, kml, qgc, wpl, wpml_writing
from flights.formats.line import line_of
from flights.formats.losses import Carried, Loss, Written, beside_the_line, camera_and_speed, nose
from flights.formats.wayline import FORMAT as WPML
from flights.formats.wayline import wayline_of
from flights.model import Home, Plan
from schemas.refusals import invalid, unsupported

Losses = tuple[Loss, ...]


@dataclass(frozen=True, slots=True)
class _Format:
    """One format: what it holds of a plan with what it loses, and that as bytes."""

    carry: Callable[[Plan], Carried]
    write: Callable[[Plan], Written]


def _qgc(plan: Plan) -> Carried:
    """Everything but the camera; QGroundControl opens no plan without a home, so the first place is one."""
    losses = [*nose(plan), *camera_and_speed(plan, speed=False)]
    first = next((item.at for item in plan.items if item.at and item.command.is_flown_to), None)
    if plan.home is None and first is not None:
        plan = replace(plan, home=Home(first))
        losses.append(Loss("home_chosen"))
    held = replace(plan, hfov_deg=None, speed_mps=plan.speed_mps or None, nose_follows=True)
    return Carried(held, tuple(losses))


def _wpl(plan: Plan) -> Carried:
    """The items and home; the format has no word for a value that nobody gave."""
    losses = [*beside_the_line(plan), *camera_and_speed(plan)]
    home = plan.home
    if home is not None and home.alt_amsl_m is None:
        home = Home(home.at, 0.0)
        losses.append(Loss("home_height"))
    left_open = sum(item.params.count(None) for item in plan.items)
    if left_open:
        losses.append(Loss("defaults", str(left_open)))
    for item in plan.items:
        if item.command.is_located and item.alt_m is None:
            raise invalid("plan.height_missing", path=item.command.mavlink_name)
    return Carried(Plan(plan.items, home, source=plan.source), tuple(losses))


def _geojson(plan: Plan) -> Carried:
    line, losses = line_of(plan, geojson_line.KNOWN, "GeoJSON")
    return Carried(line.plan("GeoJSON"), losses)


def _kml(plan: Plan) -> Carried:
    line, losses = line_of(plan, kml.KNOWN, "KML")
    return Carried(line.plan("KML"), losses)


def _wpml(plan: Plan) -> Carried:
    wayline, losses = wayline_of(plan)
    return Carried(wayline.plan(), losses)


def _write_plain(carry: Callable[[Plan], Carried], write: Callable[[Plan], bytes]) -> Callable[[Plan], Written]:
    def written(plan: Plan) -> Written:
        held = carry(plan)
        return Written(write(held.plan), held.losses)

    return written


def _write_geojson(plan: Plan) -> Written:
    line, losses = line_of(plan, geojson_line.KNOWN, "GeoJSON")
    return Written(geojson_line.write(line), losses)


def _write_kml(plan: Plan) -> Written:
    line, losses = line_of(plan, kml.KNOWN, "KML")
    return Written(kml.write(line), losses)


def _write_kmz(plan: Plan) -> Written:
    written = _write_kml(plan)
    return Written(archive.packed({"doc.kml": written.data}), written.losses)


def _write_wpml(plan: Plan) -> Written:
    wayline, losses = wayline_of(plan)
    return Written(wpml_writing.write(wayline), losses)


_FORMATS: Mapping[str, _Format] = {
    "plan": _Format(_qgc, _write_plain(_qgc, qgc.write)),
    "wpl": _Format(_wpl, _write_plain(_wpl, wpl.write)),
    "geojson": _Format(_geojson, _write_geojson),
    "kml": _Format(_kml, _write_kml),
    "kmz": _Format(_kml, _write_kmz),
    "wpml": _Format(_wpml, _write_wpml),
}
FORMATS = tuple(_FORMATS)
"""QGroundControl .plan, QGC WPL 110, GeoJSON, KML, the same in a KMZ, and DJI WPML in a KMZ."""

# The longest suffix that fits decides: a .kmz is a mission for DJI, a .kml.kmz one for a map.
SUFFIXES: Mapping[str, str] = {
    ".plan": "plan",
    ".waypoints": "wpl",
    ".txt": "wpl",
    ".geojson": "geojson",
    ".json": "geojson",
    ".kml": "kml",
    ".kml.kmz": "kmz",
    ".kmz": "wpml",
    ".wpml": "wpml",
}


def format_of(name: str) -> str:
    """The format that a file's name or suffix asks for; RuleViolation 415 where it names none."""
    suffixes = sorted((s for s in SUFFIXES if name.lower().endswith(s)), key=len)
    if not suffixes:
        raise unsupported("plan.format", measured=fields.shown(name or "no suffix"))
    return SUFFIXES[suffixes[-1]]


def carried(plan: Plan, name: str) -> Carried:
    """What the format of `name` can hold of `plan`, with what it cannot."""
    return _FORMATS[_known(name)].carry(plan)


def convert(plan: Plan, name: str) -> Written:
    """`plan` in the format of `name`: one of `FORMATS`, or a file's name.

    Everything that the format cannot carry is in `losses`. Raises RuleViolation 415 for an unknown format, 422
    where what is left would not be a plan, or where its heights would mean something else.
    """
    return _FORMATS[_known(name)].write(plan)


def _known(name: str) -> str:
    return name if name in _FORMATS else format_of(name)


def write_plan(plan: Plan, suffix: str) -> bytes:
    """`plan` in the format that a file's suffix asks for; RuleViolation 422 where anything would be lost.

    What is lost beside the items (a camera angle, an altitude of home that nobody knows) is not asked about here.
    """
    written = convert(plan, suffix)
    for loss in written.losses:
        if loss.what in _LOST_ITEMS:
            label = {"wpml": WPML, "wpl": "QGC WPL 110", "geojson": "GeoJSON"}.get(format_of(suffix), "KML")
            raise invalid("plan.not_in_format", format=label, name=loss.message())
    return written.data


_LOST_ITEMS = frozenset(
    {"command", "became_waypoint", "fence", "rally", "heights", "here", "repeated", "waiting", "details"}
)
