"""One plan in front of its judges: the values that several checks share, computed once. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import LineString, MultiLineString, mapping
from shapely.geometry.base import BaseGeometry

from flights.model import Plan
from flights.profile import STEP_M, LegKind, Profile, Track
from flights.situation import Options, PublishedArea, PublishedRoute, Situation
from geo import crs, measure
from geo.footprint import Camera
from geo.zones import Zone, in_force
from schemas.rules import RulePack

_PLACE_TOLERANCE_DEG = 5e-6  # half a metre: what a refusal shows on the map needs no more


@dataclass(frozen=True)
class Match:
    """The published route that a plan is, or would be, and how far apart the two run at most, in metres."""

    route: PublishedRoute
    apart_m: float


@dataclass(frozen=True)
class Case:
    """A plan with its path, the situation it is judged in, and the time from take-off to landing."""

    plan: Plan
    digest: str
    profile: Profile
    situation: Situation
    options: Options
    start: datetime
    end: datetime
    camera: Camera | None

    @cached_property
    def line(self) -> BaseGeometry:
        """All legs; EPSG:4326."""
        return self.profile.line()

    @cached_property
    def footprint(self) -> BaseGeometry | None:
        """What the camera can see from all legs; EPSG:4326. None where heights or camera are not known."""
        if self.camera is None or not self.profile.heights_known:
            return None
        return self.profile.footprint(self.camera)

    @property
    def path(self) -> tuple[Track, ...]:
        """All legs, sampled."""
        return self.profile.tracks

    @cached_property
    def route_tracks(self) -> tuple[Track, ...]:
        """The legs that are meant to be the published route."""
        return self.profile.of(LegKind.ROUTE)

    @cached_property
    def zones(self) -> tuple[Zone, ...]:
        """The privacy zones in force at any moment of the flight."""
        return in_force(self.situation.zones, self.start, self.end)

    @cached_property
    def match(self) -> Match | None:
        """The published route that the plan is, by digest or by its line.

        Without a route named, the nearest one; with one named, that one, however far.
        """
        named = self.options.route
        routes = [r for r in self.situation.routes if named in (None, r.public_id, r.code)]
        for route in routes:
            if route.digest == self.digest:
                return Match(route, 0.0)
        if not self.route_tracks or not routes:
            return None
        return min((Match(r, apart_m(self.route_tracks, r.line)) for r in routes), key=lambda m: m.apart_m)

    @property
    def route(self) -> PublishedRoute | None:
        """The published route that the plan is, within the pack's tolerance."""
        match = self.match
        if match is None or match.apart_m > self.pack["flight.deviation_tolerance_m"]:
            return None
        return match.route

    @cached_property
    def area(self) -> PublishedArea | None:
        """The published area that this flight belongs to: one that covers it, else the nearest to that."""
        on = self.local_date
        ranked = sorted(self.situation.areas, key=lambda a: (self.outside_m(a), not a.notice.in_force(on), a.public_id))
        return ranked[0] if ranked else None

    def outside_m(self, area: PublishedArea) -> float:
        """How far the flight or what it sees reaches out of `area`, in metres; 0 inside."""
        return max(farthest_m(part, area.geom) for part in (self.line, self.footprint) if part is not None)

    @property
    def local_date(self) -> date:
        """The legal date of take-off, in the pack's time zone (UTC where no pack applies)."""
        pack = self.situation.pack
        return pack.local_date(self.start) if pack else self.start.date()

    @property
    def pack(self) -> RulePack:
        """The rule pack; only for checks that run where there is one."""
        if self.situation.pack is None:
            raise LookupError("no rule pack applies here")
        return self.situation.pack


def apart_m(tracks: Sequence[Track], line: LineString) -> float:
    """The largest distance of any point of either line from the other, in metres."""
    epsg = crs.utm_epsg_of(line)
    lons, lats, _ = measure.densify(line, STEP_M)
    drawn = MultiLineString([track.line for track in tracks])
    near, far = drawn.bounds, line.bounds
    if max(abs(a - b) for a, b in zip(near, far, strict=True)) > 1.0:
        # A degree apart: no projection is needed to say that these are not one line.
        return float("inf")
    drawn_m, line_m = crs.to_metric(drawn, epsg), crs.to_metric(line, epsg)
    ours = shapely.points(shapely.get_coordinates(drawn_m))
    theirs = shapely.points(shapely.get_coordinates(crs.to_metric(LineString(np.column_stack([lons, lats])), epsg)))
    return float(max(shapely.distance(ours, line_m).max(), shapely.distance(theirs, drawn_m).max()))


def farthest_m(geom: BaseGeometry, area: BaseGeometry) -> float:
    """How far `geom` reaches out of `area`, in metres; both EPSG:4326."""
    outside = outside_of(geom, area)
    if outside.is_empty:
        return 0.0
    epsg = crs.utm_epsg_of(area)
    corners = shapely.points(shapely.get_coordinates(crs.to_metric(outside, epsg)))
    return float(shapely.distance(corners, crs.to_metric(area, epsg)).max())


def outside_of(geom: BaseGeometry, area: BaseGeometry) -> BaseGeometry:
    """What of lines, or of polygons, lies out of `area`; both EPSG:4326."""
    shapely.prepare(area)
    parts = shapely.get_parts(geom)
    return _joined(shapely.difference(parts[~shapely.covers(area, parts)], area), geom)


def inside_of(geom: BaseGeometry, area: BaseGeometry) -> BaseGeometry:
    """What of lines, or of polygons, lies in `area`; both EPSG:4326."""
    shapely.prepare(area)
    parts = shapely.get_parts(geom)
    return _joined(shapely.intersection(parts[shapely.intersects(area, parts)], area), geom)


def _joined(found: NDArray[np.object_], like: BaseGeometry) -> BaseGeometry:
    """The pieces of each part as one geometry of the kind of `like`.

    Each leg is cut by itself: a plan that crosses itself a million times would take minutes to be cut as one.
    """
    pieces = shapely.get_parts(found)
    kind, join = (1, shapely.multilinestrings) if shapely.get_dimensions(like) == 1 else (2, shapely.multipolygons)
    joined: BaseGeometry = join(pieces[(shapely.get_dimensions(pieces) == kind) & ~shapely.is_empty(pieces)])
    return joined


def place_of(geom: BaseGeometry) -> Mapping[str, Any]:
    """A geometry of EPSG:4326 as the GeoJSON of a refusal, with 7 decimals."""
    is_line = shapely.get_dimensions(geom) == 1
    simple = shapely.simplify(geom, _PLACE_TOLERANCE_DEG, preserve_topology=not is_line)
    return dict(mapping(shapely.transform(simple, lambda xy: np.round(xy, 7))))


def metres(value_m: float) -> str:
    """A length for a sentence."""
    return f"{value_m:.0f} m" if value_m >= 10 else f"{value_m:.1f} m"
