"""From a plan to the path that is flown: every leg, sampled, with its height above the ground. Pure.

All legs count: the transit from home, the route itself, circles, curves, jumps and the return. A height
that cannot be known is NaN, never a guess.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from itertools import pairwise
from typing import Protocol

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import LineString, MultiLineString
from shapely.geometry.base import BaseGeometry

from flights import spline
from flights.assumed import Assumed
from flights.conformance import MAX_SPEED_M_S
from flights.model import Command, Plan, Reference
from flights.walk import Stop, Walk, walk
from geo import crs, measure
from geo.footprint import Camera, swept_footprint
from geo.types import LonLat
from schemas.limits import limit
from schemas.refusals import invalid

STEP_M = 10.0
"""The path is sampled at least this densely."""

_FOOTPRINT_EVERY = 5  # samples of a straight leg from one strip of the footprint to the next
_CURVE_TOLERANCE_M = 0.5
_CIRCLE_CORNERS = 36
_WAY_BACK = (Command.NAV_RETURN_TO_LAUNCH, Command.NAV_LAND)
_HERE_M = 0.5  # positions nearer than this to each other are one place

Floats = NDArray[np.float64]


class Ground(Protocol):
    """Heights of the ground; geo.terrain.Terrain is one."""

    def heights_m(self, lons: Floats, lats: Floats) -> Floats:
        """Ground height at each place (EPSG:4326), NaN where it is not known."""
        ...


class LegKind(StrEnum):
    """What a leg is for: the way there, the published route, or the way back."""

    TRANSIT = "transit"
    ROUTE = "route"
    RETURN = "return"


@dataclass(frozen=True)
class Track:
    """One leg, sampled: equally long arrays of EPSG:4326 places and true heights (NaN: not known)."""

    kind: LegKind
    lons: Floats
    lats: Floats
    alt_agl_m: Floats
    straight: bool = True

    @property
    def line(self) -> LineString:
        """The leg as a line of EPSG:4326."""
        return LineString(np.column_stack([self.lons, self.lats]))


@dataclass(frozen=True)
class Profile:
    """The whole path of a plan: each leg once in `tracks`, every pass counted in `route_m` and `flown_m`.

    `route_m` is the length of the route itself, `flown_m` includes the way there and back.
    `timed_m` holds metres flown by commanded speed in m/s, None where the plan gives none; `missing` the
    numbers of the items without a height.
    """

    tracks: tuple[Track, ...]
    route_m: float
    flown_m: float
    timed_m: tuple[tuple[float | None, float], ...]
    hover_s: float
    missing: tuple[int, ...]
    assumed: tuple[Assumed, ...]

    def of(self, *kinds: LegKind) -> tuple[Track, ...]:
        """The legs of the kinds named, or all."""
        return tuple(track for track in self.tracks if not kinds or track.kind in kinds)

    def line(self, *kinds: LegKind) -> BaseGeometry:
        """The legs of the kinds named, or all, as lines of EPSG:4326."""
        return MultiLineString([track.line for track in self.of(*kinds)])

    def footprint(self, camera: Camera) -> BaseGeometry:
        """Everything the camera can see on any leg; EPSG:4326. Heights must be known."""
        seen = []
        for chain in _chains([_thinned(track) for track in self.tracks]):
            lons, lats, alt_agl_m = (np.concatenate(axis) for axis in zip(*chain, strict=True))
            seen.append(swept_footprint(lons, lats, np.maximum(alt_agl_m, 0.0), camera))
        return shapely.union_all(seen)

    def duration_s(self, speed_mps: float) -> float:
        """Time in the air at `speed_mps` wherever the plan commands no speed, climb and descent left out."""
        return self.hover_s + sum(metres / (speed or speed_mps) for speed, metres in self.timed_m)

    @cached_property
    def heights_known(self) -> bool:
        """Whether the true height is known everywhere."""
        return all(bool(np.isfinite(track.alt_agl_m).all()) for track in self.tracks)


@dataclass(frozen=True)
class _Leg:
    """A leg before sampling; `points` are its corners, and `flown` is false for a safety duplicate."""

    kind: LegKind
    start: Stop
    end: Stop
    points: tuple[LonLat, ...]
    flown: bool = True
    passes: float = 1.0

    @property
    def length_m(self) -> float:
        return sum(measure.distance_m(a, b) for a, b in pairwise(self.points))


def profile(plan: Plan, ground: Ground) -> Profile:
    """The path of `plan` over `ground`.

    Raises RuleViolation 422 for a plan that never ends, that is longer than the limit `plan.length`, faster
    than any aircraft, or that crosses the 180th meridian.
    """
    way = walk(plan)
    stops = _with_return(way)
    _refuse_far(stops)
    legs = [leg for leg in _legs(way, stops) if leg.length_m > _HERE_M]
    if not legs:
        raise invalid("plan.no_way")
    flown = [leg for leg in legs if leg.flown]
    _refuse_fast(flown)
    assumed = way.assumed
    if way.ends_with is None:
        assumed = (*assumed, Assumed("return", "straight to home", "no_return"))
    return Profile(
        _sampled(_each_once(legs), way, ground),
        sum(leg.length_m * leg.passes for leg in flown if leg.kind is LegKind.ROUTE),
        sum(leg.length_m * leg.passes for leg in flown),
        tuple((leg.end.speed_mps, leg.length_m * leg.passes) for leg in flown),
        sum(stop.hover_s for stop in stops),
        way.missing,
        assumed,
    )


def _with_return(way: Walk) -> tuple[Stop, ...]:
    """The stops with the return at the end, where the plan does not end by landing somewhere.

    A return by the autopilot's own RTL keeps its altitude above the sea; one that the plan leaves open
    is planned over the terrain, as our own missions are.
    """
    if way.ends_with is Command.NAV_LAND:
        return way.stops
    last = way.stops[-1]
    home = Stop(way.home.at, last.reference, last.alt_m, Command.NAV_RETURN_TO_LAUNCH, speed_mps=last.speed_mps)
    return (*way.stops, home)


def _refuse_far(stops: Sequence[Stop]) -> None:
    """Refuses what no one flight can cover before anything is sampled."""
    total_m = 0.0
    for here, there in pairwise(stops):
        if abs(there.at.lon - here.at.lon) > 180:
            raise invalid("geometry.antimeridian", path=there.command.mavlink_name)
        total_m += measure.distance_m(here.at, there.at)
        total_m += there.circle_m * 2 * np.pi * max(there.turns, 1.0)
    if total_m > limit("plan.length"):
        raise invalid("plan.too_long", measured=round(total_m), required=limit("plan.length"))


def _refuse_fast(flown: Sequence[_Leg]) -> None:
    """Refuses speeds that no aircraft has: the time of landing would be wrong."""
    fastest_m_s = max(leg.end.speed_mps or 0.0 for leg in flown)
    if fastest_m_s > MAX_SPEED_M_S:
        raise invalid("plan.too_fast", measured=f"{fastest_m_s:g} m/s", required=f"{MAX_SPEED_M_S:g} m/s")


def _legs(way: Walk, stops: Sequence[Stop]) -> Iterator[_Leg]:
    kinds = _kinds(way, stops)
    curves = _curves(stops)
    for index, (here, there) in enumerate(pairwise(stops)):
        kind, chord = kinds[index], (here.at, there.at)
        if index in curves:
            yield _Leg(kind, here, there, curves[index])
            # Another autopilot may fly the chord, so it is checked as well.
            yield _Leg(kind, here, there, chord, flown=False)
        else:
            yield _Leg(kind, here, there, chord)
        if there.circle_m:
            yield _Leg(kind, there, there, _circle(there), passes=there.turns)
        if there.command is Command.NAV_TAKEOFF and there.at != here.at and index + 2 < len(stops):
            # ArduCopter climbs where it stands and goes straight on; others pass over this place.
            onward = stops[index + 2]
            yield _Leg(kinds[index + 1], here, onward, (here.at, onward.at), flown=False)


def _kinds(way: Walk, stops: Sequence[Stop]) -> list[LegKind]:
    """What each leg is for; where the plan switches its camera, the route is where the camera is on."""
    ends = range(1, len(stops))
    if way.has_camera:
        on = [index for index in ends if stops[index].camera_on]
        first, last = on[0], on[-1]
    else:
        first = next((i for i in ends if stops[i].command is not Command.NAV_TAKEOFF), len(stops)) + 1
        last = len(stops) - (2 if stops[-1].command in _WAY_BACK else 1)
    return [LegKind.TRANSIT if index < first else LegKind.ROUTE if index <= last else LegKind.RETURN for index in ends]


def _curves(stops: Sequence[Stop]) -> dict[int, tuple[LonLat, ...]]:
    """The corners of every leg that ends in a spline waypoint, by the index of the leg."""
    curved = [stop.command is Command.NAV_SPLINE_WAYPOINT for stop in stops]
    if not any(curved):
        return {}
    epsg = crs.utm_epsg(stops[0].at)
    to_plane, to_globe = crs.transformer(crs.WGS84_EPSG, epsg), crs.transformer(epsg, crs.WGS84_EPSG)
    plane = np.array([to_plane.transform(s.at.lon, s.at.lat, errcheck=True) for s in stops])
    found: dict[int, tuple[LonLat, ...]] = {}
    slope = np.zeros(2)
    for leg, (start, end) in enumerate(pairwise(plane)):
        if not curved[leg + 1]:
            slope = np.zeros(2) if stops[leg + 1].hover_s else end - start
            continue
        goes_on = leg + 2 < len(stops) and not stops[leg + 1].hover_s
        onward = plane[leg + 2] if goes_on else None
        slope_end = spline.slope_out(end, onward, start, following_curved=goes_on and curved[leg + 2])
        points = shapely.simplify(LineString(spline.curve(start, end, slope, slope_end, STEP_M)), _CURVE_TOLERANCE_M)
        lons, lats = to_globe.transform(*shapely.get_coordinates(points).T)
        between = map(LonLat, lons[1:-1].tolist(), lats[1:-1].tolist())
        found[leg] = (stops[leg].at, *between, stops[leg + 1].at)
        slope = slope_end
    return found


def _circle(stop: Stop) -> tuple[LonLat, ...]:
    around = np.linspace(0.0, 360.0, _CIRCLE_CORNERS + 1)
    # Corners lie outside the circle, so that the polygon's edges do not cut inside it.
    reach_m = stop.circle_m / np.cos(np.pi / _CIRCLE_CORNERS)
    ones = np.ones(len(around))
    lons, lats, _ = measure.WGS84.fwd(ones * stop.at.lon, ones * stop.at.lat, around, ones * reach_m)
    return tuple(map(LonLat, lons.tolist(), lats.tolist()))


def _each_once(legs: Sequence[_Leg]) -> list[_Leg]:
    """The legs without repetition, what is flown first, so that it stays in one piece."""
    once: dict[tuple[Stop, Stop, tuple[LonLat, ...]], _Leg] = {}
    for leg in sorted(legs, key=lambda leg: not leg.flown):
        once.setdefault((leg.start, leg.end, leg.points), leg)
    return list(once.values())


def _sampled(legs: Sequence[_Leg], way: Walk, ground: Ground) -> tuple[Track, ...]:
    """All legs with their true heights; the ground is asked once for all of them."""
    sampled = [measure.densify(LineString(leg.points), STEP_M) for leg in legs]
    home = way.home.at
    ground_m = ground.heights_m(
        np.concatenate([[home.lon], *(lons for lons, _lats, _along in sampled)]),
        np.concatenate([[home.lat], *(lats for _lons, lats, _along in sampled)]),
    )
    parts = np.split(ground_m[1:], np.cumsum([len(lons) for lons, _lats, _along in sampled])[:-1])
    tracks = []
    for leg, (lons, lats, along_m), below_m in zip(legs, sampled, parts, strict=True):
        alt_agl_m = _heights(leg, way, along_m / along_m[-1], below_m, float(ground_m[0]))
        tracks.append(Track(leg.kind, lons, lats, alt_agl_m, straight=len(leg.points) == 2))
    return tuple(tracks)


def _heights(leg: _Leg, way: Walk, share: Floats, ground_m: Floats, home_m: float) -> Floats:
    """True heights along a leg; `share` runs from 0 at its start to 1 at its end."""
    if _follows_terrain(leg, way):
        start_m = _agl_m(leg.start, ground_m[0], home_m)
        end_m = _agl_m(leg.end, ground_m[-1], home_m)
        return start_m + share * (end_m - start_m)
    start_m = _amsl_m(leg.start, ground_m[0], home_m)
    end_m = start_m if leg.end.command in _WAY_BACK else _amsl_m(leg.end, ground_m[-1], home_m)
    return start_m + share * (end_m - start_m) - ground_m


def _follows_terrain(leg: _Leg, way: Walk) -> bool:
    """ArduCopter keeps a height over the terrain towards a place given in that frame, but not in its RTL."""
    autopilot_return = leg.end.command is Command.NAV_RETURN_TO_LAUNCH and way.ends_with is not None
    return leg.end.reference is Reference.TERRAIN and not autopilot_return


def _amsl_m(stop: Stop, ground_m: float, home_ground_m: float) -> float:
    base_m = {Reference.AMSL: 0.0, Reference.HOME: home_ground_m, Reference.TERRAIN: ground_m}
    return base_m[stop.reference] + stop.alt_m


def _agl_m(stop: Stop, ground_m: float, home_ground_m: float) -> float:
    if stop.reference is Reference.TERRAIN:
        return stop.alt_m
    return _amsl_m(stop, ground_m, home_ground_m) - ground_m


def _thinned(track: Track) -> Track:
    """A leg with only the samples that its footprint needs, never seen from lower than it is flown."""
    if not track.straight:
        return track
    count = len(track.lons)
    index = np.arange(count)
    kept = sorted({*range(0, count, _FOOTPRINT_EVERY), count - 1})
    between_m = np.interp(index, kept, track.alt_agl_m[kept])
    # What was dropped may have been higher than the straight line between what was kept.
    raise_m = float(np.maximum(track.alt_agl_m - between_m, 0.0).max())
    return replace(
        track,
        lons=track.lons[kept],
        lats=track.lats[kept],
        alt_agl_m=track.alt_agl_m[kept] + raise_m,
    )


def _chains(tracks: Sequence[Track]) -> Iterator[list[tuple[Floats, Floats, Floats]]]:
    """Tracks joined where one begins at the end of the one before; the shared place keeps the larger height."""
    chain: list[tuple[Floats, Floats, Floats]] = []
    end: tuple[float, float] | None = None
    for track in tracks:
        lons, lats, alt_agl_m = track.lons, track.lats, track.alt_agl_m
        if end == (lons[0], lats[0]):
            before = chain[-1]
            joint_m = max(before[2][-1], alt_agl_m[0])
            chain[-1] = (before[0], before[1], np.append(before[2][:-1], joint_m))
            chain.append((lons[1:], lats[1:], alt_agl_m[1:]))
        else:
            if chain:
                yield chain
            chain = [(lons, lats, alt_agl_m)]
        end = (lons[-1], lats[-1])
    yield chain
