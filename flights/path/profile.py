"""From a plan to the path that is flown: every leg, sampled, with its height above the ground. Pure.

All legs count: the transit from home, the route itself, circles, curves, jumps and the return. A height
that cannot be known is NaN, never a guess.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise

import numpy as np
import shapely
from shapely.geometry import LineString

from flights.conformance import MAX_SPEED_M_S
from flights.model import Command, Plan, Reference
from flights.path import spline
from flights.path.assumed import Assumed
from flights.path.track import DOWN, Floats, Ground, LegKind, Look, Profile, Track
from flights.path.walk import Stop, Walk, walk
from geo import crs, measure
from geo.types import LonLat
from schemas.limits import limit
from schemas.refusals import invalid

STEP_M = 10.0
"""The path is sampled at least this densely."""

CLIMB_MPS = 2.0
"""Climb and descent, slower than any aircraft in use."""

_CURVE_TOLERANCE_M = 0.5
_CIRCLE_CORNERS = 36
_WAY_BACK = (Command.NAV_RETURN_TO_LAUNCH, Command.NAV_LAND)
_HERE_M = 0.5  # positions nearer than this to each other are one place
_ASIDE_DEG = 1e-7  # a centimetre: a climb on the spot is kept as a line that long


@dataclass(frozen=True)
class _Leg:
    """A leg before sampling; `points` are its corners, and `flown` is false for a safety duplicate.

    `upright` is true of a climb or a descent on the spot.
    """

    kind: LegKind
    start: Stop
    end: Stop
    points: tuple[LonLat, ...]
    flown: bool = True
    passes: float = 1.0
    upright: bool = False

    @cached_property
    def length_m(self) -> float:
        return sum(measure.distance_m(a, b) for a, b in pairwise(self.points))

    @property
    def leads_somewhere(self) -> bool:
        """Whether the aircraft is anywhere on it where it is not at its start."""
        return self.upright or self.length_m > _HERE_M

    @property
    def nose_is_free(self) -> bool:
        """Whether the nose need not point along it: on the spot, on a circle, and on a return that is photographed.

        ArduCopter looks to the middle of a circle, and does not turn round to go home.
        """
        returns = self.end.command is Command.NAV_RETURN_TO_LAUNCH and self.end.camera_on
        return self.upright or self.start is self.end or returns

    @property
    def wait_s(self) -> float:
        """The wait at its end, which a circle there does not repeat, and what a climb on the spot takes."""
        if not self.flown or self.start is self.end:
            return 0.0
        climbs = self.upright and self.start.reference is self.end.reference
        climbed_m = abs(self.end.alt_m - self.start.alt_m) if climbs else 0.0
        return self.end.hover_s + (climbed_m / CLIMB_MPS if np.isfinite(climbed_m) else 0.0)


def profile(plan: Plan, ground: Ground) -> Profile:
    """The path of `plan` over `ground`.

    Raises RuleViolation 422 for a plan that never ends, that is longer than the limit `plan.length`, faster
    than any aircraft, or that crosses the 180th meridian.
    """
    way = walk(plan)
    stops = _with_return(way)
    _refuse_far(stops)
    every = list(_legs(way, stops))
    legs = [leg for leg in every if leg.leads_somewhere]
    if all(leg.upright for leg in legs):
        raise invalid("plan.no_way", measured="0 m", required=f"{_HERE_M} m")
    flown = [leg for leg in legs if leg.flown]
    _refuse_fast(flown)
    assumed = way.assumed
    if way.ends_with is None:
        assumed = (*assumed, Assumed("return", "straight to home", "no_return"))
    turned = not plan.nose_follows or any(item.command is Command.CONDITION_YAW for item in plan.items)
    tracks, home_ground_m = _sampled(_each_once(every), way, ground, turned=turned)
    return Profile(
        tracks,
        sum(leg.length_m * leg.passes for leg in flown if leg.kind is LegKind.ROUTE),
        sum(leg.length_m * leg.passes for leg in flown),
        tuple((leg.end.speed_mps, leg.length_m * leg.passes) for leg in flown),
        sum(leg.wait_s for leg in every),
        way.missing,
        assumed,
        way.home,
        home_ground_m,
        tuple(_step(leg) for leg in every),
        ground,
    )


def _with_return(way: Walk) -> tuple[Stop, ...]:
    """The stops with the return at the end, where the plan does not end by landing somewhere.

    A return by the autopilot's own RTL keeps its altitude above the sea; one that the plan leaves open
    is planned over the terrain, as our own missions are.
    """
    if way.ends_with is Command.NAV_LAND:
        return way.stops
    return (*way.stops, way.back)


def _refuse_far(stops: Sequence[Stop]) -> None:
    """Refuses what no one flight can cover before anything is sampled."""
    total_m = 0.0
    for here, there in pairwise(stops):
        if abs(there.at.lon - here.at.lon) > 180:
            apart = f"{abs(there.at.lon - here.at.lon):g}°"
            raise invalid(
                "geometry.antimeridian",
                "plan.antimeridian",
                path=there.command.mavlink_name,
                measured=apart,
                required="180°",
            )
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
        if _is_upright(here, there):
            yield _Leg(kind, here, there, _upright(here.at, there.at), upright=True)
        elif index in curves:
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


def _is_upright(here: Stop, there: Stop) -> bool:
    """Whether the aircraft only climbs or descends between two stops; the autopilot's own ends are not planned."""
    climbs = (here.reference, here.alt_m) != (there.reference, there.alt_m)
    return climbs and there.command not in _WAY_BACK and measure.distance_m(here.at, there.at) <= _HERE_M


def _upright(here: LonLat, there: LonLat) -> tuple[LonLat, LonLat]:
    """The corners of a climb on the spot, which as a line may not be one point."""
    aside = -_ASIDE_DEG if here.lat > 0 else _ASIDE_DEG
    return here, there if there != here else LonLat(here.lon, here.lat + aside)


def _kinds(way: Walk, stops: Sequence[Stop]) -> list[LegKind]:
    """What each leg is for; where the plan switches its camera, the route is where the camera is on.

    The way back is none of it, whether or not the camera has been switched off before.
    """
    ends = range(1, len(stops))
    last = len(stops) - (2 if stops[-1].command in _WAY_BACK else 1)
    on = [index for index in ends if stops[index].camera_on and index <= last] if way.has_camera else []
    if on:
        first, last = on[0], on[-1]
    else:
        first = next((i for i in ends if stops[i].command is not Command.NAV_TAKEOFF), len(stops)) + 1
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


def _step(leg: _Leg) -> tuple[float | None, float, float]:
    """What a leg takes: commanded speed, metres, and waiting."""
    return leg.end.speed_mps, leg.length_m * leg.passes if leg.flown else 0.0, leg.wait_s


@dataclass(frozen=True)
class _Once:
    """A leg that is sampled once, with the first and the last step in which it is flown."""

    leg: _Leg
    first: int
    last: int


def _each_once(legs: Sequence[_Leg]) -> list[_Once]:
    """The legs that lead anywhere without repetition, what is flown first, so that it stays in one piece."""
    once: dict[tuple[Stop, Stop, tuple[LonLat, ...]], _Once] = {}
    numbered = [(number, leg) for number, leg in enumerate(legs) if leg.leads_somewhere]
    for number, leg in sorted(numbered, key=lambda pair: not pair[1].flown):
        # What is not flown itself stands for its neighbours, and takes their time.
        aside = 0 if leg.flown else 1
        first, last = max(number - aside, 0), min(number + aside, len(legs) - 1)
        known = once.setdefault((leg.start, leg.end, leg.points), _Once(leg, first, last))
        once[leg.start, leg.end, leg.points] = replace(known, first=min(known.first, first), last=max(known.last, last))
    return list(once.values())


def _sampled(legs: Sequence[_Once], way: Walk, ground: Ground, *, turned: bool) -> tuple[tuple[Track, ...], float]:
    """All legs with their true heights, and the ground at home; the ground is asked once for all of them."""
    sampled = measure.densify_all([np.array(once.leg.points) for once in legs], STEP_M)
    home = way.home.at
    ground_m = ground.heights_m(
        np.concatenate([[home.lon], *(lons for lons, _lats, _along in sampled)]),
        np.concatenate([[home.lat], *(lats for _lons, lats, _along in sampled)]),
    )
    home_m = float(ground_m[0])
    looks = _looks([once.leg.end for once in legs], home_m, ground)
    looks = [
        replace(look, yaw_deg=None) if (turned or once.leg.nose_is_free) and not look.roi else look
        for once, look in zip(legs, looks, strict=True)
    ]
    parts = np.split(ground_m[1:], np.cumsum([len(lons) for lons, _lats, _along in sampled])[:-1])
    tracks = []
    for once, look, (lons, lats, along_m), below_m in zip(legs, looks, sampled, parts, strict=True):
        alt_agl_m = _heights(once.leg, way, along_m / along_m[-1], below_m, home_m)
        straight = len(once.leg.points) == 2
        passes = (once.first, once.last)
        tracks.append(Track(once.leg.kind, lons, lats, alt_agl_m, below_m, straight, look, passes))
    return tuple(tracks), home_m


def _looks(stops: Sequence[Stop], home_m: float, ground: Ground) -> list[Look]:
    """Where the camera looks on the way to each stop; a plan that does not say has it look straight down."""
    rois = [stop.roi for stop in stops if stop.roi]
    if not rois:
        return [_look(stop, 0.0) for stop in stops]
    lons, lats = (np.array(axis, dtype=np.float64) for axis in zip(*rois, strict=True))
    below_m = dict(zip(rois, ground.heights_m(lons, lats).tolist(), strict=True))
    found = []
    for stop in stops:
        base_m = {Reference.AMSL: 0.0, Reference.HOME: home_m}.get(stop.roi_reference or Reference.HOME)
        found.append(_look(stop, below_m[stop.roi] if stop.roi and base_m is None else base_m or 0.0))
    return found


def _look(stop: Stop, base_m: float) -> Look:
    if stop.roi is not None:
        return Look(roi=stop.roi, roi_m=base_m + (stop.roi_alt_m or 0.0))
    if stop.gimbal_pitch_deg is None:
        return DOWN
    return Look(stop.gimbal_pitch_deg, stop.gimbal_yaw_deg or 0.0)


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
