"""The plane in which a survey is laid out, and the room in it that leaves every private place unseen. Pure.

All of it in metres of one UTM zone. What is computed here decides where lines may run; whether it was right
is proved afterwards with the functions of the check itself (generate.py).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import Proj
from shapely.geometry import MultiPolygon, Polygon, box
from shapely.geometry.base import BaseGeometry

from flights.survey.spec import Around, SurveySpec
from geo import crs
from geo.types import LonLat

Floats = NDArray[np.float64]

_QUARTER_SEGMENTS = 4
# Arcs are drawn around the true circle, so that a distance kept from the drawn one is kept from the true one.
_CIRCUMSCRIBED = 1 / math.cos(math.pi / (4 * _QUARTER_SEGMENTS))
_EDGE_M = 200.0  # a shorter edge is straight in degrees and in the plane alike
_SLACK_M = 0.5  # coordinates are rounded to centimetres, and shapes thinned to half of this
_MANY_CORNERS = 64
_EARTH_M = 6_371_000.0
_FAR_M = 100_000.0
_SLIVER_M2 = 1e-6
_MOST_HOMES = 8
_ROUND_ABOUT_M = 1000.0  # how far a way may lead out of what encloses everything


@dataclass(frozen=True)
class Plane:
    """The UTM zone of a place, with its scale (grid metres in a true one) and where true north lies in it."""

    epsg: int
    scale: float
    convergence_deg: float

    @classmethod
    def at(cls, geom: BaseGeometry) -> Plane:
        """The plane for a geometry of EPSG:4326."""
        west, south, east, north = geom.bounds
        middle = LonLat((west + east) / 2, (south + north) / 2)
        epsg = crs.utm_epsg(middle)
        factors = Proj(epsg).get_factors(middle.lon, middle.lat)
        return cls(epsg, float(factors.meridional_scale), float(factors.meridian_convergence))

    def shape(self, geom: BaseGeometry) -> BaseGeometry:
        """A geometry of EPSG:4326 in the plane, its long edges bent as they are on the ground."""
        step_deg = _EDGE_M / 111_000.0
        return crs.to_metric(shapely.segmentize(geom, step_deg), self.epsg)

    def globe(self, geom: BaseGeometry) -> BaseGeometry:
        """A geometry of the plane in EPSG:4326, to 1e-7 degrees."""
        return shapely.transform(crs.to_wgs84(geom, self.epsg), lambda xy: np.round(xy, 7))

    def point(self, at: LonLat) -> Floats:
        """A place in the plane."""
        x, y = crs.transformer(crs.WGS84_EPSG, self.epsg).transform(at.lon, at.lat, errcheck=True)
        return np.array([x, y])

    def bearing_rad(self, angle_deg: float) -> float:
        """A direction from true north as one from the plane's north."""
        return math.radians(angle_deg - self.convergence_deg)

    def angle_deg(self, bearing_rad: float) -> float:
        """A direction of the plane as one from true north, 0 to 180: a line has no forward."""
        return (math.degrees(bearing_rad) + self.convergence_deg) % 180.0


@dataclass(frozen=True)
class Room:
    """Where a survey finds its place; polygons of the plane.

    `asked` is the area as asked for, `seen` what of it may be seen; on a straight leg the aircraft may be
    anywhere in `straight`, and wherever it turns in `turning`. From every place in them the straight way to
    `home` is free; `behind` is where it is not.
    """

    asked: BaseGeometry
    seen: BaseGeometry
    straight: BaseGeometry
    turning: BaseGeometry
    home: Floats | None
    behind: BaseGeometry


def room_for(spec: SurveySpec, around: Around, plane: Plane, highest_m: float) -> Room:
    """The room of a survey whose aircraft is nowhere higher above the ground than `highest_m`.

    Along a straight leg the camera sees half its width to either side; where the aircraft turns, the corner
    of its frame sweeps round. A flight that is broken off goes straight home, so what lies behind a zone as seen
    from home is no room either.
    """
    drawn = plane.shape(spec.area)
    asked = _asked(spec, drawn, plane)
    zones = shapely.union_all(list(_zones(around, plane)))
    hidden = shapely.union_all([zones, *_holes(drawn, private=spec.holes_private)])
    closed = shapely.union_all(_holes(drawn, private=not spec.holes_private))
    keep_in = None if around.keep_in is None else plane.shape(around.keep_in)
    bounds = _bounds(asked, hidden, spec, plane) if keep_in is None else keep_in
    view = spec.camera.view(spec.roll_margin_deg)
    slack_m = _SLACK_M + _bend_m(bounds, spec.area.bounds)
    straight, turning = (
        _free(bounds, hidden, closed, reach_m * plane.scale + slack_m, slack_m, bound=keep_in is not None)
        for reach_m in (view.half_width_m(highest_m), view.corner_m(highest_m))
    )
    whole = asked if spec.holes_private or spec.width_m is not None else _filled(asked)
    seen = whole.difference(hidden)
    seen = seen if keep_in is None else seen.intersection(keep_in)
    walls = _walls(zones, keep_in, slack_m)
    home = _best_home(asked.intersection(turning), walls) if spec.home is None else plane.point(spec.home)
    behind = Polygon() if home is None else _behind(walls, home)
    return Room(asked, seen, straight.difference(behind), turning.difference(behind), home, behind)


def _asked(spec: SurveySpec, drawn: BaseGeometry, plane: Plane) -> BaseGeometry:
    if spec.width_m is None:
        return drawn
    return shapely.buffer(drawn, spec.width_m / 2 * plane.scale, cap_style="flat", quad_segs=_QUARTER_SEGMENTS)


def _zones(around: Around, plane: Plane) -> Iterable[BaseGeometry]:
    """The displayed shapes of the zones, thinned where they have many corners, grown by their buffers.

    The displayed shape covers the exact one, and a line drawn round the exact one would give it away.
    """
    for zone in around.zones:
        shape = plane.shape(zone.geom)
        if shapely.get_num_coordinates(shape) > _MANY_CORNERS:
            shape = shapely.simplify(_grown(shape, _SLACK_M / 2), _SLACK_M / 2)
        yield _grown(shape, (zone.buffer_m + around.buffer_m) * plane.scale)


def _holes(drawn: BaseGeometry, *, private: bool) -> list[Polygon]:
    """The holes that were drawn; the inside of a corridor that comes back to itself is none."""
    return [Polygon(ring) for part in polygons(drawn) for ring in part.interiors] if private else []


def _filled(asked: BaseGeometry) -> BaseGeometry:
    return shapely.union_all([Polygon(part.exterior) for part in polygons(asked)])


def _bounds(asked: BaseGeometry, hidden: BaseGeometry, spec: SurveySpec, plane: Plane) -> Polygon:
    """A box around everything, for a survey that no published area holds."""
    places = [asked, *([] if hidden.is_empty else [hidden])]
    if spec.home is not None:
        places.append(shapely.Point(plane.point(spec.home)))
    west, south, east, north = shapely.total_bounds(np.array(places, dtype=object))
    return box(west - _ROUND_ABOUT_M, south - _ROUND_ABOUT_M, east + _ROUND_ABOUT_M, north + _ROUND_ABOUT_M)


def _bend_m(bounds: BaseGeometry, lonlat: tuple[float, float, float, float]) -> float:
    """How far the longest leg can stray between the plane, where it is laid out, and degrees, where it is flown."""
    west, south, east, north = bounds.bounds
    longest_m = math.hypot(east - west, north - south)
    highest_deg = min(max(abs(lonlat[1]), abs(lonlat[3])), 85.0)
    return longest_m**2 / (8 * _EARTH_M) * math.tan(math.radians(highest_deg))


def _free(
    bounds: BaseGeometry, hidden: BaseGeometry, closed: BaseGeometry, reach_m: float, slack_m: float, *, bound: bool
) -> BaseGeometry:
    inner = _grown(bounds, -reach_m) if bound else bounds
    return inner.difference(shapely.union_all([_grown(hidden, reach_m), _grown(closed, slack_m)]))


def _walls(zones: BaseGeometry, keep_in: BaseGeometry | None, slack_m: float) -> Floats:
    """The edges, (n, 2, 2), that no way home may cross: round the zones, and of the published area."""
    rims = [_grown(zones, slack_m), *([] if keep_in is None else [_grown(keep_in, -slack_m)])]
    return np.concatenate([edges_of(shapely.simplify(rim, slack_m / 4)) for rim in rims])


def _behind(walls: Floats, home: Floats) -> BaseGeometry:
    """All places from which the straight way to `home` crosses one of the edges."""
    away = walls - home
    # So far out that nothing of the survey lies beyond.
    nearest_m = np.maximum(np.hypot(away[..., 0], away[..., 1]).min(axis=1), 1e-3)
    far = home + away * (_FAR_M / nearest_m)[:, None, None]
    rings = np.stack([walls[:, 0], walls[:, 1], far[:, 1], far[:, 0]], axis=1)
    shadows: NDArray[np.object_] = np.asarray(shapely.polygons(rings), dtype=object)
    return shapely.union_all(shadows[shapely.area(shadows) > _SLIVER_M2])


def _best_home(room: BaseGeometry, walls: Floats) -> Floats | None:
    """The corner of the room from which most of it has a free way home; None where there is no room."""
    if room.is_empty:
        return None
    corners = np.concatenate(
        [shapely.get_coordinates(part.convex_hull)[:-1] for part in polygons(room)] or [np.zeros((0, 2))]
    )
    if not len(corners):
        return None
    inside = room.representative_point()
    # The first corners in order and a place inside: a handful, so that an area of many corners costs no more.
    every = max(len(corners) // _MOST_HOMES, 1)
    tried: list[Floats] = [*corners[::every][:_MOST_HOMES], np.array([inside.x, inside.y])]
    return max(tried, key=lambda home: round(room.difference(_behind(walls, home)).area))


def edges_of(shape: BaseGeometry) -> Floats:
    """All edges of the polygons of a shape, (n, 2, 2)."""
    rings = [ring for part in polygons(shape) for ring in (part.exterior, *part.interiors)]
    if not rings:
        return np.zeros((0, 2, 2))
    corners = (shapely.get_coordinates(ring) for ring in rings)
    return np.concatenate([np.stack([c[:-1], c[1:]], axis=1) for c in corners])


def _grown(shape: BaseGeometry, by_m: float) -> BaseGeometry:
    grown: BaseGeometry = shapely.buffer(shape, by_m * _CIRCUMSCRIBED, quad_segs=_QUARTER_SEGMENTS)
    return grown


def polygons(geom: BaseGeometry) -> list[Polygon]:
    """The polygons of a geometry, whatever else it holds."""
    parts = getattr(geom, "geoms", (geom,))
    return [
        inner
        for part in parts
        for inner in (polygons(part) if isinstance(part, MultiPolygon) else [part])
        if isinstance(inner, Polygon) and not inner.is_empty
    ]
