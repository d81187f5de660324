"""A survey from beginning to end: laid out, joined, flown over the terrain, and proved to see nothing private. Pure.

Bounded: what would be too large is refused before it is computed. The proof asks the very functions that judge
any other plan; where the ground lifts the aircraft higher than foreseen, the survey is laid out again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import LineString, MultiLineString, Point
from shapely.geometry.base import BaseGeometry

from flights.check.case import farthest_m, outside_of, place_of
from flights.mission import MIN_TAKEOFF_M, ground_at, over_terrain, rounded
from flights.model import Command, Frame, Home, Plan, PlanItem
from flights.path.profile import CLIMB_MPS, profile
from flights.path.track import LegKind, Profile, Track
from flights.path.ways import fans
from flights.survey.camera import refuse_fast
from flights.survey.connect import NoWay, Ways, in_order, joined
from flights.survey.corridor import passes_along
from flights.survey.pattern import Strip, cells, lines_over, with_turnaround
from flights.survey.room import Plane, Room, room_for
from flights.survey.spec import Around, Stats, Survey, SurveySpec, refuse_large
from geo import crs
from geo.footprint import Camera
from geo.sight import GroundUnknown
from geo.types import LonLat
from geo.zones import Zone, distances_m, hits
from schemas.limits import limit
from schemas.refusals import RuleViolation, conflict, invalid

Floats = NDArray[np.float64]

_TRIES = 4
_FLAT_M = 0.5  # how much higher than asked for the aircraft is first taken to be, for rounded heights
_HERE_M = 0.3  # corners nearer than this to each other are one
_SOURCE = "Skywarden survey"


@dataclass(frozen=True)
class _Layout:
    """A survey in the plane: its room, its strips in the order of flight, and all runs of corners."""

    plane: Plane
    room: Room
    strips: list[Strip]
    runs: list[tuple[Floats, bool]]
    angle_deg: float | None


def generate(spec: SurveySpec, around: Around) -> Survey:
    """The survey of `spec`; its plan keeps clear of every zone of `around`, camera and all, on every leg.

    Raises RuleViolation: 422 for what is too large, too fast for the camera, or nothing to see; 409 where the
    ground is not known, where home or a way cannot be had without seeing something private.
    """
    spec = replace(spec, roll_margin_deg=max(spec.roll_margin_deg, around.roll_margin_deg))
    refuse_fast(spec.camera, spec.trigger_m, spec.speed_mps)
    refuse_large(spec)
    plane = Plane.at(spec.area)
    higher_m = _FLAT_M
    for again in reversed(range(_TRIES)):
        layout = _laid_out(spec, around, plane, spec.alt_agl_m + higher_m)
        plan = _plan(spec, around, layout)
        path = profile(plan, around.ground)
        fault = _fault(spec, around, path)
        if fault is None:
            break
        if not again:
            raise fault
        higher_m = max(_highest_m(path.tracks) - spec.alt_agl_m, higher_m) + max(1.0, higher_m)
    return _survey(spec, plan, path, layout)


def _laid_out(spec: SurveySpec, around: Around, plane: Plane, highest_m: float) -> _Layout:
    near = _reachable(spec, around, highest_m)
    room = room_for(spec, near, plane, highest_m)
    groups, angle_deg = _patterns(spec, plane, room)
    if not any(groups):
        raise invalid("survey.nothing", place=place_of(spec.area))
    if sum(map(len, groups)) > limit("survey.lines"):
        raise invalid("survey.lines", measured=sum(map(len, groups)), required=limit("survey.lines"))
    ways = Ways(room.turning)
    home = room.home
    if home is None or not ways.holds(home):
        raise conflict("GD-16.5", "survey.home", place=place_of(Point(spec.home) if spec.home else spec.area))
    strips: list[Strip] = []
    for group in groups:
        strips += in_order(cells(group), ways, strips[-1].run_out if strips else home, home)
    try:
        runs = joined(strips, ways, home)
    except NoWay as error:
        blocked = plane.globe(LineString([error.here, error.there]))
        raise conflict("GD-16.5", "survey.no_way", place=place_of(blocked)) from error
    return _Layout(plane, room, strips, runs, angle_deg)


def _reachable(spec: SurveySpec, around: Around, highest_m: float) -> Around:
    """The surroundings with only the zones that anything here could reach."""
    if not around.zones:
        return around
    corner_m = spec.camera.view(spec.roll_margin_deg).corner_m(highest_m)
    return replace(around, zones=_within(around.zones, _extent(spec), 2 * corner_m + around.buffer_m + 500.0))


def _extent(spec: SurveySpec) -> BaseGeometry:
    places = [spec.area, *([Point(spec.home)] if spec.home else [])]
    return shapely.box(*shapely.total_bounds(np.array(places, dtype=object)))


def _within(zones: Sequence[Zone], place: BaseGeometry, reach_m: float) -> tuple[Zone, ...]:
    apart_m = distances_m(place, np.array([zone.geom for zone in zones], dtype=object))
    return tuple(zone for zone, m in zip(zones, apart_m, strict=True) if m <= reach_m + zone.buffer_m)


def _patterns(spec: SurveySpec, plane: Plane, room: Room) -> tuple[list[list[Strip]], float | None]:
    spacing_m, turnaround_m = spec.spacing_m * plane.scale, spec.turnaround_m * plane.scale
    if isinstance(spec.area, LineString):
        width_m = (spec.width_m or 0.0) * plane.scale
        strips = passes_along(LineString(plane.shape(spec.area).coords), room, width_m, spacing_m)
        return [with_turnaround(strips, turnaround_m, room.turning)], None
    strips, angle_deg = lines_over(room, plane, spacing_m, spec.angle_deg)
    groups = [strips]
    if spec.cross and strips:
        groups.append(lines_over(room, plane, spacing_m, angle_deg + 90.0)[0])
    return [with_turnaround(group, turnaround_m, room.turning) for group in groups if group], angle_deg


def _plan(spec: SurveySpec, around: Around, layout: _Layout) -> Plan:
    """The mission that flies the runs over the terrain, photos on the strips alone, and comes home."""
    corners, switches = _corners(layout)
    places = [LonLat(*place) for place in shapely.get_coordinates(layout.plane.globe(LineString(corners))).tolist()]
    home = rounded(places[0])
    home_m = ground_at(around.ground, home)
    waypoints = over_terrain(LineString([home, *places[1:-1], home]), spec.alt_agl_m, around.ground, home_m)
    items = [
        PlanItem(
            Command.NAV_TAKEOFF,
            Frame.GLOBAL_RELATIVE_ALT,
            (0.0, 0.0, 0.0, None),
            home,
            max(waypoints[0].alt_m or 0.0, MIN_TAKEOFF_M),
        ),
        PlanItem(Command.DO_CHANGE_SPEED, params=(1.0, spec.speed_mps, -1.0, 0.0)),
    ]
    corner, expected = 0, [home, *map(rounded, places[1:-1]), home]
    for waypoint in waypoints:
        at_corner = corner < len(expected) and waypoint.at == expected[corner]
        if corner or not at_corner:
            items.append(waypoint)
        if at_corner:
            items += [_camera(spec, on=switches[corner])] if corner in switches else []
            corner += 1
    items.append(PlanItem(Command.NAV_RETURN_TO_LAUNCH))
    if len(items) > limit("mission.items"):
        raise invalid("mission.items", "survey.items", measured=len(items), required=limit("mission.items"))
    return Plan(
        tuple(items),
        Home(home, round(home_m, 2)),
        source=_SOURCE,
        speed_mps=spec.speed_mps,
        hfov_deg=spec.camera.hfov_deg,
    )


def _camera(spec: SurveySpec, *, on: bool) -> PlanItem:
    params = (round(spec.trigger_m, 2), 0.0, 1.0, 0.0) if on else (0.0, 0.0, 0.0, 0.0)
    return PlanItem(Command.DO_SET_CAM_TRIGG_DIST, params=params)


def _corners(layout: _Layout) -> tuple[list[Floats], dict[int, bool]]:
    """All corners of the flight, each once, and at which of them the camera goes on or off."""
    corners: list[Floats] = [layout.runs[0][0][0]]
    switches: dict[int, bool] = {}
    for points, camera in layout.runs:
        if camera:
            switches[len(corners) - 1] = True
        for place in points:
            if np.hypot(*(place - corners[-1])) > _HERE_M:
                corners.append(place)
        if camera:
            switches[len(corners) - 1] = False
    return corners, switches


def _fault(spec: SurveySpec, around: Around, path: Profile) -> RuleViolation | None:
    """What stands against the flight by the functions of the check (flights/check/zones.py, ways.py), or None."""
    camera = spec.camera.view(spec.roll_margin_deg)
    reach_m = 2 * camera.corner_m(_drop_m(path.tracks)) + around.buffer_m
    homeward = fans(path, ())
    for zone in _within(around.zones, path.line(), reach_m) if around.zones else ():
        seen = _seen(path, camera, zone.geom, reach_m + zone.buffer_m)
        for part in (path.line(), seen):
            for hit in hits(part, (zone,), extra_buffer_m=around.buffer_m):
                return conflict("GD-16.5", "survey.zone", zone=hit.zone.public_id, place=hit.place)
        for fan in homeward:
            shape_m = crs.to_metric(np.array([zone.geom], dtype=object), fan.epsg)
            if fan.met(shape_m, np.array([zone.buffer_m + around.buffer_m])):
                return conflict("GD-16.5", "survey.zone", zone=zone.public_id, place=place_of(zone.geom))
    return None if around.keep_in is None else _beyond(path, camera, around.keep_in, reach_m)


def _beyond(path: Profile, camera: Camera, area: BaseGeometry, reach_m: float) -> RuleViolation | None:
    """The refusal of what is flown, seen, or flown home over out of the published area, or None."""
    outside = outside_of(_seen(path, camera, area.boundary, reach_m), area)
    ways_out = any(fan.outside(crs.to_metric(area, fan.epsg)) for fan in fans(path, ()))
    if outside.is_empty and outside_of(path.line(), area).is_empty and not ways_out:
        return None
    measured = f"{farthest_m(outside, area):.1f} m"
    return conflict("GD-16.3", "survey.outside", measured=measured, required="0 m", place=place_of(area))


def _seen(path: Profile, camera: Camera, place: BaseGeometry, reach_m: float) -> BaseGeometry:
    """What the camera sees from those legs from which it could see `place` at all."""
    apart_m = distances_m(place, np.array([track.line for track in path.tracks], dtype=object))
    near = tuple(track for track, m in zip(path.tracks, apart_m, strict=True) if m <= reach_m)
    try:
        return replace(path, tracks=near).footprint(camera) if near else shapely.Polygon()
    except GroundUnknown as error:
        raise conflict("GD-16.2", "flight.terrain_missing", place=place_of(path.line())) from error


def _drop_m(tracks: Sequence[Track]) -> float:
    """From the highest place of the flight down to the lowest ground below it."""
    highest_m = max(float((track.alt_agl_m + track.ground_m).max()) for track in tracks)
    return highest_m - min(float(track.ground_m.min()) for track in tracks)


def _highest_m(tracks: Sequence[Track]) -> float:
    """The largest true height on any of the legs."""
    return max(float(track.alt_agl_m.max()) for track in tracks)


def _survey(spec: SurveySpec, plan: Plan, path: Profile, layout: _Layout) -> Survey:
    plane, strips, seen = layout.plane, layout.strips, layout.room.seen
    swath = _swath(spec, plane, strips).intersection(seen)
    highest_m = _highest_m(path.of(LegKind.ROUTE))
    stats = Stats(
        lines=len(strips),
        turns=len(strips) - 1,
        length_m=path.flown_m,
        photo_length_m=sum(strip.length_m for strip in strips) / plane.scale,
        photos=sum(int(strip.length_m / plane.scale / spec.trigger_m) + 1 for strip in strips),
        area_m2=seen.area / plane.scale**2,
        behind=seen.intersection(layout.room.behind).area / seen.area if seen.area else 0.0,
        covered=min(swath.area / seen.area, 1.0) if seen.area else 0.0,
        time_s=path.duration_s(spec.speed_mps) + 2 * spec.alt_agl_m / CLIMB_MPS,
        gsd_cm=spec.camera.gsd_cm(spec.alt_agl_m),
        gsd_worst_cm=spec.camera.gsd_cm(max(highest_m, spec.alt_agl_m)),
        alt_agl_m=spec.alt_agl_m,
        spacing_m=spec.spacing_m,
        trigger_m=round(spec.trigger_m, 2),
        angle_deg=layout.angle_deg,
        items=len(plan.items),
    )
    lines = MultiLineString([strip.points for strip in strips])
    ways = MultiLineString([points for points, camera in layout.runs if not camera and len(points) > 1])
    return Survey(plan, stats, plane.globe(lines), plane.globe(ways), plane.globe(swath))


def _swath(spec: SurveySpec, plane: Plane, strips: Sequence[Strip]) -> BaseGeometry:
    """What the photos show: each strip half a photo wide to either side, and half a photo on at its ends."""
    across_m, ahead_m = (size / 2 * plane.scale for size in spec.camera.footprint_m(spec.alt_agl_m))
    shapes = [LineString(_stretched(strip.points, ahead_m)) for strip in strips]
    return shapely.union_all(shapely.buffer(shapes, across_m, cap_style="flat", join_style="mitre", mitre_limit=2.0))


def _stretched(points: Floats, by_m: float) -> Floats:
    first, last = points[0] - points[1], points[-1] - points[-2]
    begin = points[0] + first / np.hypot(*first) * by_m
    end = points[-1] + last / np.hypot(*last) * by_m
    return np.vstack([begin, points[1:-1], end])
