"""A place as citizens give it: a name or coordinates and how far around, or corners that were drawn or typed."""

from __future__ import annotations

from dataclasses import dataclass

import shapely
from shapely.geometry import Polygon
from sqlalchemy import Connection, text

from geo import measure
from geo.types import LonLat
from schemas.limits import limit
from schemas.refusals import RuleViolation, refuse
from web.i18n import gettext, in_words
from web.planner.forms import Form
from web.public import near

PLACE, RADIUS, SHAPE = "place", "radius", "shape"
FIELDS = (PLACE, RADIUS, SHAPE)
# Five digits are a metre; a place is no survey.
_DIGITS = 5


@dataclass(frozen=True)
class Bounds:
    """How far around a point somebody may ask, in metres, and the limit of `schemas.limits` on the area."""

    least_m: float
    most_m: float
    area: str


WATCHED = Bounds(50, 20_000, "ask.watched")
PROTECTED = Bounds(5, 1_000, "ask.zone")


@dataclass(frozen=True)
class Place:
    """A place (EPSG:4326); `circle` holds its centre and radius in metres where it is one."""

    shape: Polygon
    words: str
    circle: tuple[LonLat, float] | None

    @property
    def query(self) -> dict[str, str]:
        """The place as parameters of an address, as feeds take it."""
        if self.circle:
            (lon, lat), radius_m = self.circle
            return {"circle": f"{lon:.{_DIGITS}f},{lat:.{_DIGITS}f},{radius_m:.0f}"}
        return {"polygon": ";".join(f"{lon:.{_DIGITS}f},{lat:.{_DIGITS}f}" for lon, lat in _corners(self.shape))}


def is_given(form: Form) -> bool:
    """Whether anything is said of a place."""
    return bool(form.raw(PLACE) or form.raw(SHAPE))


def read_place(form: Form, public: Connection, bounds: Bounds) -> Place | None:
    """The place that a form gives; None where it gives none that can be read, and the faults of the form say why."""
    drawn, named = form.raw(SHAPE), form.raw(PLACE)
    if drawn and named:
        form.faults.add(refuse("form.field", "ask.two_places"), PLACE, SHAPE)
        return None
    if not drawn and not named:
        form.faults.add(refuse("form.field", "ask.no_place"), PLACE)
        return None
    found = _drawn(form) if drawn else _named(form, public, named, bounds)
    if found is None:
        return None
    largest = limit(bounds.area)
    if measure.area_m2(found.shape) > largest:
        measured, required = area_words(measure.area_m2(found.shape)), area_words(largest)
        form.faults.add(
            refuse("form.field", "ask.area", measured=measured, required=required), SHAPE if drawn else RADIUS
        )
        return None
    return found


def _drawn(form: Form) -> Place | None:
    shape = form.polygon(SHAPE)
    if shape is None:
        return None
    corners, most = len(_corners(shape)) + sum(len(hole.coords) - 1 for hole in shape.interiors), limit("ask.corners")
    if corners > most or shape.interiors:
        form.faults.add(refuse("form.field", "ask.corners", measured=corners, required=most), SHAPE)
        return None
    return Place(shape, gettext("an area of %(area)s", area=area_words(measure.area_m2(shape))), None)


def _named(form: Form, public: Connection, named: str, bounds: Bounds) -> Place | None:
    radius_m = _radius(form, bounds)
    try:
        pair = near.pair_in(named)
        found = near.ask(public, *near.coordinates(*pair)) if pair else near.ask_by_name(public, named[:120])
    except RuleViolation as unknown:
        form.faults.take(unknown, PLACE)
        return None
    if radius_m is None:
        return None
    centre = LonLat(found.lon, found.lat)
    name = in_words(found.place) if found.place else f"{centre.lon:.{_DIGITS}f}, {centre.lat:.{_DIGITS}f}"
    words = gettext("%(radius)s m around %(place)s", radius=f"{radius_m:g}", place=name)
    return Place(measure.circle(centre, radius_m), words, (centre, radius_m))


def _radius(form: Form, bounds: Bounds) -> float | None:
    said = form.raw(RADIUS)
    digits = said.replace(".", "", 1)
    value = float(said) if digits.isascii() and digits.isdigit() and len(said) < 12 else -1.0
    if bounds.least_m <= value <= bounds.most_m:
        return value
    least, most = f"{bounds.least_m:g}", f"{bounds.most_m:,.0f}"
    form.faults.add(refuse("form.field", "ask.radius", measured=said[:20], least=least, most=most), RADIUS)
    return None


def _corners(shape: Polygon) -> list[tuple[float, float]]:
    return [(corner[0], corner[1]) for corner in shape.exterior.coords[:-1]]


def area_words(area_m2: float) -> str:
    """An area as people say it."""
    return f"{area_m2:,.0f} m²" if area_m2 < 100_000 else f"{area_m2 / 1e6:,.2f} km²"


@dataclass(frozen=True)
class Office:
    """An authority as pages name it."""

    public_id: str
    name: dict[str, str]


def offices(public: Connection) -> list[Office]:
    """Every authority that is on the map."""
    rows = public.execute(text("SELECT public_id, name_en, name_zh FROM public_map.authorities ORDER BY name_en"))
    return [Office(name, {"en": english, "zh": chinese}) for name, english, chinese in rows]


def supervising(public: Connection, shape: Polygon) -> list[str]:
    """The public ids of the authorities whose territory holds a shape (EPSG:4326)."""
    covers = "ST_Covers(geom, ST_SetSRID(ST_GeomFromGeoJSON(:shape), 4326))"
    rows = public.execute(
        text(f"SELECT public_id FROM public_map.authorities WHERE {covers} ORDER BY public_id"),
        {"shape": shapely.to_geojson(shape)},
    )
    return list(rows.scalars())
