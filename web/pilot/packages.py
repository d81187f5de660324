"""The flight package as a download: what the pilot takes along, with one page to print."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from flask import Response, render_template
from sqlalchemy.orm import Session

from flights.model import FencePolygon
from flights.papers import package as packages
from flights.papers.package import Package
from geo import shapes
from geo.types import LonLat
from schemas.tables import Flight
from web.i18n import current_language
from web.identity.request_identity import current_actor, services
from web.permissions import Audience, Permission, Section
from web.pilot.watching import flight_to_watch
from web.wiring import Services

section = Section("flight_packages", __name__, Audience.PILOT)

WIDTH_PX, HEIGHT_PX, MARGIN_PX = 720, 330, 24
METRES_PER_DEGREE = 111_320.0


@dataclass(frozen=True)
class Drawing:
    """The flight in the pixels of a picture, north up; `scale_px` is how long `scale_m` metres are in it."""

    fence: list[dict[str, Any]]
    way: str
    home: tuple[float, float]
    scale_px: float
    scale_m: int
    width: int = WIDTH_PX
    height: int = HEIGHT_PX


@section.page("/pilot/flight/<public_id>/package.zip", GET=Permission.WATCH_FLIGHT)
def package_zip(public_id: str) -> Response:
    """The package of a cleared flight."""
    house = services()
    with house.session() as db:
        data = packed(house, db, flight_to_watch(db, current_actor(), public_id))
    response = Response(data, mimetype="application/zip")
    response.headers["Content-Disposition"] = f'attachment; filename="{public_id}.zip"'
    response.headers["Cache-Control"] = "private, no-store"
    return response


def packed(house: Services, db: Session, flight: Flight) -> bytes:
    """The archive of a flight; needs a request for the words of its sheet."""
    sample = house.holds_sample_data
    zone = house.rulebook.at_place(shapes.line(flight.route.geom), house.clock.now()).zone
    package = packages.prepare(db, flight, zone, sample=sample)
    home = shapes.lon_lat(flight.route.home)
    sheet = render_template(
        "pilot/sheet.html",
        package=package,
        approved=package.document["approved"],
        drawing=drawn(package, home),
        home=home,
        sample=sample,
        lang=current_language(),
    )
    return packages.archive(package, sheet.encode())


def drawn(package: Package, home: LonLat) -> Drawing:
    """A picture of the way and the fence; good for some kilometres, on which the earth is flat enough to print."""
    rings = [polygon.ring for polygon in package.fence.polygons]
    way = [home, *(item.at for item in package.plan.items if item.at), home]
    places = [place for ring in rings for place in ring] + way
    west, east = min(p.lon for p in places), max(p.lon for p in places)
    south, north = min(p.lat for p in places), max(p.lat for p in places)
    squeeze = math.cos(math.radians((south + north) / 2))
    wide, high = max((east - west) * squeeze, 1e-9), max(north - south, 1e-9)
    scale = min((WIDTH_PX - 2 * MARGIN_PX) / wide, (HEIGHT_PX - 2 * MARGIN_PX) / high)

    def at(place: LonLat) -> tuple[float, float]:
        x = WIDTH_PX / 2 + (place.lon - (west + east) / 2) * squeeze * scale
        y = HEIGHT_PX / 2 - (place.lat - (south + north) / 2) * scale
        return round(x, 1), round(y, 1)

    metre_px = scale / METRES_PER_DEGREE
    scale_m = _round_length(120 / metre_px)
    return Drawing(
        fence=[_shape(polygon, at) for polygon in package.fence.polygons],
        way=_path([at(place) for place in way]),
        home=at(home),
        scale_px=round(scale_m * metre_px, 1),
        scale_m=scale_m,
    )


def _shape(polygon: FencePolygon, at: Any) -> dict[str, Any]:  # noqa: ANN401
    return {"inclusion": polygon.inclusion, "path": _path([at(place) for place in polygon.ring]) + "Z"}


def _path(points: list[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x} {y}" for x, y in points)


def _round_length(metres: float) -> int:
    """The largest of 1, 2, 5, 10, 20, 50 ... that is not longer."""
    tens = 10 ** max(math.floor(math.log10(max(metres, 1.0))), 0)
    return max(int(step * tens) for step in (1, 2, 5) if step * tens <= max(metres, 1.0))
