"""From a route to the mission that flies it. Pure.

A mission climbs above home, flies to the line, takes photos along it at a steady height over the terrain,
and comes back over the terrain. Its canonical digest is what the publication of the route names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from shapely.geometry import LineString

from flights.canonical import mission_digest, mission_document
from flights.model import (
    E7,
    Command,
    Frame,
    Home,
    Plan,
    PlanItem,
    to_e7,
)
from flights.path.profile import STEP_M
from flights.path.track import Floats, Ground
from geo import measure
from geo.types import LonLat
from schemas.limits import limit
from schemas.refusals import conflict, invalid

AGL_TOLERANCE_M = 5.0
"""How far the mission's height over the terrain may differ from the route's between two waypoints."""

MIN_TAKEOFF_M = 5.0
_GROUND_SPEED = 1.0


@dataclass(frozen=True)
class RouteSpec:
    """What a route asks of its mission: the line (EPSG:4326), true height, home, speed and photo spacing."""

    line: LineString
    alt_agl_m: float
    home: LonLat
    speed_mps: float
    trigger_distance_m: float


@dataclass(frozen=True)
class Mission:
    """The items that fly a route, home excluded, with heights above home."""

    home: Home
    items: tuple[PlanItem, ...]
    speed_mps: float | None = None

    @cached_property
    def digest(self) -> str:
        """The canonical SHA-256 that the publication names."""
        return mission_digest(self.items)

    @property
    def plan(self) -> Plan:
        """The mission as a plan, for checking and for writing files."""
        return Plan(self.items, self.home, source="published mission", speed_mps=self.speed_mps)

    def document(self) -> dict[str, Any]:
        """The mission in canonical form, as stored and published: its RFC 8785 JSON has the digest."""
        return mission_document(self.items)


def compile_route(route: RouteSpec, ground: Ground) -> Mission:
    """The mission that flies `route` over `ground`.

    Heights are above home, as every autopilot understands them without terrain data on board; waypoints are
    added where the terrain would take the aircraft more than `AGL_TOLERANCE_M` away from the route's height.
    Raises RuleViolation 409 where the terrain is not known, 422 where the mission has too many items.
    """
    first, last = (LonLat(*position[:2]) for position in (route.line.coords[0], route.line.coords[-1]))
    home_m = ground_at(ground, route.home)
    outward, along, back = (
        over_terrain(line, route.alt_agl_m, ground, home_m)
        for line in (LineString([route.home, first]), route.line, LineString([last, route.home]))
    )
    takeoff = PlanItem(
        Command.NAV_TAKEOFF,
        Frame.GLOBAL_RELATIVE_ALT,
        (0.0, 0.0, 0.0, None),
        rounded(route.home),
        max(outward[0].alt_m or 0.0, MIN_TAKEOFF_M),
    )
    items = (
        takeoff,
        PlanItem(Command.DO_CHANGE_SPEED, params=(_GROUND_SPEED, route.speed_mps, -1.0, 0.0)),
        *outward[1:-1],
        along[0],
        PlanItem(Command.DO_SET_CAM_TRIGG_DIST, params=(route.trigger_distance_m, 0.0, 1.0, 0.0)),
        *along[1:],
        PlanItem(Command.DO_SET_CAM_TRIGG_DIST),
        *back[1:],
        PlanItem(Command.NAV_RETURN_TO_LAUNCH),
    )
    if len(items) > limit("mission.items"):
        raise invalid("mission.items", measured=len(items), required=limit("mission.items"))
    return Mission(Home(rounded(route.home), round(home_m, 2)), items, route.speed_mps)


def ground_at(ground: Ground, at: LonLat) -> float:
    """The height of the ground at one place; RuleViolation 409 where it is not known."""
    height_m = float(ground.heights_m(np.array([at.lon]), np.array([at.lat]))[0])
    if not np.isfinite(height_m):
        raise _terrain_missing(at)
    return height_m


def over_terrain(line: LineString, alt_agl_m: float, ground: Ground, home_m: float) -> list[PlanItem]:
    """Waypoints along `line` (EPSG:4326) at a true height: its corners, and what the terrain needs between.

    Heights are above home, which lies `home_m` above the sea. Raises RuleViolation 409 where the ground is
    not known.
    """
    if measure.length_m(line) == 0:
        return [_waypoint(LonLat(*line.coords[0][:2]), alt_agl_m)] * 2
    lons, lats, along_m = measure.densify(line, STEP_M)
    wanted_m = ground.heights_m(lons, lats) + alt_agl_m - home_m
    unknown = np.flatnonzero(~np.isfinite(wanted_m))
    if unknown.size:
        raise _terrain_missing(LonLat(float(lons[unknown[0]]), float(lats[unknown[0]])))
    corners = _corner_indices(line, along_m)
    kept = _knots(along_m, wanted_m, corners)
    return [_waypoint(LonLat(float(lons[i]), float(lats[i])), float(wanted_m[i])) for i in kept]


def _corner_indices(line: LineString, along_m: Floats) -> list[int]:
    lons, lats = line.coords.xy
    _, _, leg_m = measure.WGS84.inv(lons[:-1], lats[:-1], lons[1:], lats[1:])
    corners_m = np.concatenate([[0.0], np.cumsum(leg_m)])
    return [int(np.argmin(np.abs(along_m - corner_m))) for corner_m in corners_m]


def _knots(along_m: Floats, wanted_m: Floats, corners: Sequence[int]) -> list[int]:
    """Indices, corners among them, between which straight lines keep within the tolerance of `wanted_m`."""
    kept = sorted(set(corners))
    waiting = list(pairwise(kept))
    while waiting:
        start, end = waiting.pop()
        if end - start < 2:
            continue
        inner = slice(start + 1, end)
        straight = np.interp(along_m[inner], along_m[[start, end]], wanted_m[[start, end]])
        error = np.abs(straight - wanted_m[inner])
        worst = int(np.argmax(error))
        if error[worst] > AGL_TOLERANCE_M:
            middle = start + 1 + worst
            kept.append(middle)
            waiting += [(start, middle), (middle, end)]
    return sorted(kept)


def _waypoint(at: LonLat, alt_m: float) -> PlanItem:
    alt_cm = round(alt_m * 100)
    # An autopilot takes the height 0 for "none given"; one centimetre more means what it says.
    return PlanItem(
        Command.NAV_WAYPOINT,
        Frame.GLOBAL_RELATIVE_ALT,
        (0.0, 0.0, 0.0, None),
        rounded(at),
        (alt_cm or 1) / 100,
    )


def rounded(at: LonLat) -> LonLat:
    """The place as the wire can say it, so that what is checked is what is flown."""
    return LonLat(to_e7(at.lon) / E7, to_e7(at.lat) / E7)


def _terrain_missing(at: LonLat) -> Exception:
    place = {"type": "Point", "coordinates": [at.lon, at.lat]}
    return conflict("GD-16.2", "flight.terrain_missing", place=place)
