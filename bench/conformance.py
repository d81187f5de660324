"""The conformance of a million positions: how far along the route each is, and how far beside it.

Ours is the engine of flights, from longitude and latitude to states: plausibility, projection, progress along the
route, cross-track, height, area, reasons and states. The peer is the two calls of shapely that a competent user
would write for distance and arc length alone, on points that are projected and built before the clock starts. Both
must agree to a millimetre at every position.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import LineString

from bench import places
from bench.measure import Result, compare
from flights.conformance import Fixes, Judge, Plane, RouteShape, Thread
from geo.types import LonLat

POSITIONS = 1_000_000
WAYPOINTS = 300
LEG_M = 80.0
HERTZ = 10.0
NOISE_M = 4.0
# One stretch in so many leaves the corridor, so that the slow way is measured too.
EXCURSIONS = 20
TOLERANCE_M = 30.0
TARGET = 2.0
NAME = "conformance of 1,000,000 positions"
PEER = "shapely.distance + line_locate_point"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Case:
    """A flight to judge: the judge, the fixes, and the line and the points as the peer wants them."""

    judge: Judge
    fixes: Fixes
    line: Any
    points: Any


def rows(rounds: int) -> list[Result]:
    """The engine against the peer."""
    case = _case(POSITIONS)
    return [compare(NAME, PEER, lambda: _ours(case), lambda: _theirs(case), same=_same, target=TARGET, rounds=rounds)]


def _ours(case: Case) -> tuple[Floats, Floats]:
    judged = case.judge.columns(case.fixes, Thread())
    return judged.along_m, judged.cross_track_m


def _theirs(case: Case) -> tuple[Floats, Floats]:
    return shapely.line_locate_point(case.line, case.points), shapely.distance(case.line, case.points)


def _same(ours: tuple[Floats, Floats], theirs: tuple[Floats, Floats]) -> bool:
    return all(bool(np.abs(mine - other).max() < 1e-3) for mine, other in zip(ours, theirs, strict=True))


def _case(count: int) -> Case:
    lons, lats = places.winding_line(WAYPOINTS, LEG_M)
    route = LineString(zip(lons, lats, strict=True))
    plane = Plane(route)
    line = plane.geometry(route)
    random = np.random.default_rng(3)
    along = np.linspace(0, line.length, count)
    flown = shapely.get_coordinates(shapely.line_interpolate_point(line, along))
    # Wind is slow: the noise of a second is smoothed over some hundred positions, and some stretches drift out.
    drift = np.convolve(random.normal(0, 1, count + 200), np.ones(201) / 201**0.5, "valid")[:count] * NOISE_M / 2
    out = np.zeros(count)
    for start in random.integers(0, count, EXCURSIONS):
        length = min(count - start, count // 2000)
        out[start : start + length] = 45 * np.sin(np.linspace(0, np.pi, length))
    ahead = np.gradient(flown, axis=0)
    left = np.column_stack([-ahead[:, 1], ahead[:, 0]]) / np.maximum(np.hypot(*ahead.T), 1e-9)[:, None]
    flown = flown + left * (drift + out)[:, None]
    lon, lat = plane.degrees(flown[:, 0], flown[:, 1])
    fixes = Fixes(
        at_s=np.arange(count) / HERTZ,
        lon=lon,
        lat=lat,
        alt_agl_m=100 + random.normal(0, 2, count),
        speed_m_s=np.full(count, 10.0),
        on_route=np.ones(count, bool),
        utc_s=np.full(count, np.nan),
    )
    shape = RouteShape(route, route.buffer(0.01), 100.0, LonLat(float(lons[0]), float(lats[0])))
    points = shapely.points(*plane.metres(lon, lat))
    shapely.prepare(line)
    return Case(Judge(shape, TOLERANCE_M), fixes, line, points)
