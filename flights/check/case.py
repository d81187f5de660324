"""One plan in front of its judges: the values that several checks share, computed once. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import LineString, mapping
from shapely.geometry.base import BaseGeometry

from flights.check.situation import Options, PublishedArea, PublishedRoute, Situation
from flights.model import Plan
from flights.path import seen
from flights.path.profile import CLIMB_MPS, STEP_M
from flights.path.track import LegKind, Profile, Track, lines_of
from flights.path.ways import WAY_STEP_M, Fan, Samples, fans, sampled
from geo import crs, measure
from geo.footprint import Camera
from geo.sight import BeyondSight, GroundUnknown
from geo.zones import SHORTEST_DEGREE_M, Zone, distances_m, in_force
from schemas.rules import RulePack

SLOWEST_MPS = 1.0
"""What is reckoned with where neither the plan nor an aircraft gives a speed."""

_GLANCE_SAMPLES = 20
_PLACE_TOLERANCE_DEG = 5e-6  # half a metre: what a refusal shows on the map needs no more


@dataclass(frozen=True)
class Match:
    """The published route that a plan is, or would be, and how far apart the two run at most, in metres."""

    route: PublishedRoute
    apart_m: float


@dataclass(frozen=True)
class Glance:
    """What the camera sees from a piece of a leg (EPSG:4326), from how high at most, and when that may be."""

    geom: BaseGeometry
    high_m: float
    window: tuple[datetime, datetime]


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

    @property
    def footprint(self) -> BaseGeometry | None:
        """What the camera can see from all legs; EPSG:4326.

        None where heights or camera are not known, and where the camera sees further than may be looked.
        """
        return None if isinstance(self.sight, ValueError) else self.sight

    @cached_property
    def sight(self) -> BaseGeometry | BeyondSight | GroundUnknown | None:
        """The footprint, or why there is none though heights and camera are known."""
        if self.camera is None or not self.profile.heights_known:
            return None
        try:
            return self.profile.footprint(self.camera, self.look_m)
        except (BeyondSight, GroundUnknown) as nothing:
            return nothing

    @cached_property
    def glances(self) -> tuple[Glance, ...]:
        """What the camera sees piece by piece, each with its time; only where there is a footprint."""
        if self.camera is None:
            raise LookupError("there is no camera")
        found = []
        for number, track in enumerate(self.path):
            for first in range(0, len(track.lons) - 1, _GLANCE_SAMPLES):
                part = slice(first, first + _GLANCE_SAMPLES + 1)
                heights_m = track.alt_agl_m[part]
                piece = replace(
                    track,
                    lons=track.lons[part],
                    lats=track.lats[part],
                    alt_agl_m=heights_m,
                    ground_m=track.ground_m[part],
                )
                geom = seen.footprint([piece], self.camera, self.profile.ground.heights_m, self.look_m)
                found.append(Glance(geom, float(heights_m.max()), self.window(number, part)))
        return tuple(found)

    @property
    def look_m(self) -> float:
        """How far away the ground may be that a tilted camera looks at."""
        return float(self.pack["uav.camera"].look_m) if self.situation.pack else 0.0

    @cached_property
    def windows(self) -> tuple[tuple[datetime, datetime], ...]:
        """For each leg from when until when it may be flown; see `window`."""
        return tuple(self._window(*seconds) for seconds in self.profile.times_s(self.speed_mps))

    def window(self, number: int, part: slice) -> tuple[datetime, datetime]:
        """From when until when the aircraft may be at some samples of a leg.

        From the planned take-off on, faster and slower than planned by the pack's share and with clocks that differ
        (`flight.separation`), the climb included. Where a window was planned, anything may delay it to its end.
        """
        return self._window(*self.profile.part_s(number, part, self.speed_mps))

    def _window(self, begin_s: float, end_s: float) -> tuple[datetime, datetime]:
        margin = self.pack["flight.separation"]
        clock = timedelta(seconds=margin.clock_s)
        early_s = begin_s if self.situation.aircraft else 0.0  # no aircraft is named: it may be a fast one
        first = self.start + timedelta(seconds=early_s / (1.0 + margin.speed_share)) - clock
        last = self.start + timedelta(seconds=(end_s + self.climb_s) / (1.0 - margin.speed_share)) + clock
        return first, max(last, self.end) if self.options.until else last

    @cached_property
    def period(self) -> tuple[datetime, datetime]:
        """From when until when the aircraft may be in the air at all."""
        return min(first for first, _ in self.windows), max(self.end, *(last for _, last in self.windows))

    @property
    def speed_mps(self) -> float:
        """The speed where the plan commands none."""
        return self.situation.aircraft.cruise_speed_mps if self.situation.aircraft else SLOWEST_MPS

    @cached_property
    def climb_s(self) -> float:
        """How long the climb at the beginning and the descent at the end take together."""
        highest_m = max(float(track.alt_agl_m.max()) for track in self.path) if self.profile.heights_known else 0.0
        return 2 * max(highest_m, 0.0) / CLIMB_MPS

    def along_m(self, number: int) -> float:
        """How far along the flight the leg of that number begins, in metres."""
        return float(self._begins_m[self.path[number].passes[0]])

    @cached_property
    def _begins_m(self) -> NDArray[np.float64]:
        return np.concatenate([[0.0], np.cumsum([metres for _speed, metres, _wait in self.profile.steps])])

    def heights_over(self, shape: BaseGeometry) -> NDArray[np.float64]:
        """The true heights on all legs where they enter, leave and are inside a shape (EPSG:4326), none left out.

        However narrow the shape is: between two samples heights are those of the straight line between them.
        """
        found = []
        shapely.prepare(shape)
        for number in np.flatnonzero(shapely.intersects(shape, self._lines)):
            track, line = self.path[number], self._lines[number]
            there = shapely.points(shapely.get_coordinates(shape.intersection(line)))
            run = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(track.lons), np.diff(track.lats)))])
            found.append(np.interp(shapely.line_locate_point(line, there), run, track.alt_agl_m))
        return np.concatenate(found) if found else np.empty(0)

    @cached_property
    def _lines(self) -> NDArray[np.object_]:
        """The legs as lines of EPSG:4326, by their numbers."""
        return np.array([track.line for track in self.path], dtype=object)

    @cached_property
    def zone_numbers(self) -> Mapping[UUID, int]:
        """The number of each zone among `zones`."""
        return {zone.id: number for number, zone in enumerate(self.zones)}

    @cached_property
    def shown_zones_m(self) -> NDArray[np.object_]:
        """The displayed shapes of the zones, in the grid of the ways home."""
        shown = np.array([zone.geom for zone in self.zones], dtype=object)
        return crs.to_metric(shown, self.ways[0].epsg) if len(shown) else shown

    @cached_property
    def zone_line_m(self) -> NDArray[np.float64]:
        """The distance of each displayed zone from the line, in metres on the ellipsoid."""
        found: NDArray[np.float64] = distances_m(self.line, np.array([z.geom for z in self.zones], dtype=object))
        return found

    @cached_property
    def along_samples_m(self) -> NDArray[np.float64]:
        """How far along the flight each sample of the path lies, in metres."""
        counts = [len(points) for points in self.samples_m]
        xy = shapely.get_coordinates(np.concatenate(self.samples_m))
        steps_m = np.concatenate([[0.0], np.hypot(*np.diff(xy, axis=0).T)])
        run_m = np.cumsum(steps_m)
        firsts = np.cumsum(counts) - counts
        begins_m = np.array([self.along_m(number) for number in range(len(counts))])
        along_m: NDArray[np.float64] = run_m - np.repeat(run_m[firsts] - begins_m, counts)
        return along_m

    @cached_property
    def sample_tree(self) -> shapely.STRtree:
        """All samples of the path, in the grid of the ways home, to find the nearest ones."""
        return shapely.STRtree(np.concatenate(self.samples_m))

    @property
    def path(self) -> tuple[Track, ...]:
        """All legs, sampled."""
        return self.profile.tracks

    @cached_property
    def ways(self) -> tuple[Fan, ...]:
        """The ways home from any point of the path, and those to rally points."""
        return fans(self.profile, self.plan.rally)

    @cached_property
    def way_samples(self) -> tuple[Samples, ...]:
        """The ways of each fan as points with true heights; only where heights are known."""
        return tuple(sampled(self.profile, fan) for fan in self.ways)

    def way_heights(self, fan: Fan, shape: BaseGeometry) -> tuple[float, float]:
        """Between which true heights the ways of a fan pass a place (EPSG:4326), reckoned a little around it."""
        samples = self.way_samples[self.ways.index(fan)]
        west, south, east, north = shape.bounds
        margin_deg = 2 * WAY_STEP_M / SHORTEST_DEGREE_M
        near = (samples.lats >= south - margin_deg) & (samples.lats <= north + margin_deg)
        near &= (samples.lons >= west - 2 * margin_deg) & (samples.lons <= east + 2 * margin_deg)
        heights_m = samples.alt_agl_m[near] if near.any() else samples.alt_agl_m
        return float(heights_m.min()), float(heights_m.max())

    @cached_property
    def samples_m(self) -> tuple[NDArray[np.object_], ...]:
        """The samples of each leg as points, in the grid of the ways home."""
        there = crs.transformer(crs.WGS84_EPSG, self.ways[0].epsg)
        lons, lats = (np.concatenate([getattr(track, axis) for track in self.path]) for axis in ("lons", "lats"))
        points = np.asarray(shapely.points(np.column_stack(there.transform(lons, lats, errcheck=True))))
        return tuple(np.split(points, np.cumsum([len(track.lons) for track in self.path])[:-1]))

    @cached_property
    def zone_shapes_m(self) -> NDArray[np.object_]:
        """The shapes by which zones are checked, in the grid of the ways home; for checks, never for answers."""
        if all(zone.exact_geom is None for zone in self.zones):
            return self.shown_zones_m
        return crs.to_metric(np.array([zone.checked for zone in self.zones], dtype=object), self.ways[0].epsg)

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
    drawn = lines_of(tracks)
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
