"""Shapes of a fence: a plane in which no distance is too long, and polygons with fewer corners that only grow.

A fence on board is a list of corners with straight edges in longitude and latitude. The plane here is those
same two numbers, each times a constant, so that an edge that is straight on board is straight here. The
constants are the smallest of the extent: what is `d` metres apart here is at least that far apart on the ground.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry
from shapely.geometry.polygon import orient

from flights.model import E7, to_e7
from geo import measure
from geo.types import LonLat

Floats = NDArray[np.float64]
Corner = tuple[float, float]
Allowed = Callable[[BaseGeometry], bool]

# Rings with more corners are first brought down to about this many by a line that runs a little outside them.
MANY = 120
COARSE_M = (4.0, 2.0, 1.0, 0.5, 0.2)
# A corner on the wire is rounded by up to 6 mm either way.
ROUNDING_M = 0.05


@dataclass(frozen=True)
class Plane:
    """Metres east and north of a place; distances in it are lower bounds of those on the ellipsoid."""

    origin: LonLat
    east_m: float
    north_m: float

    @classmethod
    def over(cls, *geometries: BaseGeometry) -> Self:
        """The plane for everything within the bounds of some geometries (EPSG:4326)."""
        west, south, east, north = shapely.total_bounds(np.array(geometries, dtype=object))
        nearest = 0.0 if south <= 0 <= north else min(abs(south), abs(north))
        furthest = max(abs(south), abs(north))
        bend = measure.WGS84.es
        along = measure.WGS84.a * (1 - bend) / (1 - bend * math.sin(math.radians(nearest)) ** 2) ** 1.5
        across = measure.WGS84.a / math.sqrt(1 - bend * math.sin(math.radians(furthest)) ** 2)
        across *= math.cos(math.radians(furthest))
        middle = LonLat(float(west + east) / 2, float(south + north) / 2)
        return cls(middle, math.radians(across), math.radians(along))

    def metres(self, geometry: BaseGeometry) -> BaseGeometry:
        """A geometry of EPSG:4326 in this plane."""
        moved: BaseGeometry = shapely.transform(geometry, lambda at: (at - self.origin) * (self.east_m, self.north_m))
        return moved

    def polygon(self, polygon: Polygon) -> Polygon:
        """A polygon of EPSG:4326 in this plane."""
        return Polygon(self._all(polygon.exterior), [self._all(hole) for hole in polygon.interiors])

    def _all(self, ring: BaseGeometry) -> Floats:
        return (shapely.get_coordinates(ring) - self.origin) * (self.east_m, self.north_m)

    def corners(self, ring: Sequence[Corner]) -> tuple[LonLat, ...]:
        """Corners of this plane as the wire can say them."""
        places = ((x / self.east_m + self.origin.lon, y / self.north_m + self.origin.lat) for x, y in ring)
        return tuple(LonLat(to_e7(lon) / E7, to_e7(lat) / E7) for lon, lat in places)


class Growing:
    """A ring whose corners become fewer and whose inside only becomes larger.

    A corner that points inwards is left out; an edge between two that point outwards is left out by carrying its
    neighbours on until they meet. `allowed` says whether what a step adds may belong to the polygon.
    """

    def __init__(self, polygon: Polygon, allowed: Allowed) -> None:
        self.ring = ring_of(orient(polygon))
        self._allowed = allowed
        self._next: tuple[float, list[Corner]] | None = None
        self._known = False

    @property
    def polygon(self) -> Polygon:
        """The polygon as it is now."""
        return Polygon(self.ring)

    @property
    def cost_m2(self) -> float:
        """What the next step would add; infinite where no step is possible."""
        step = self._step()
        return math.inf if step is None else step[0]

    def grow(self) -> None:
        """Takes the cheapest step: one corner fewer."""
        step = self._step()
        if step is None:
            raise ValueError("the ring cannot lose a corner")
        self.ring, self._known = step[1], False

    def _step(self) -> tuple[float, list[Corner]] | None:
        if not self._known:
            self._next, self._known = self._cheapest(), True
        return self._next

    def _cheapest(self) -> tuple[float, list[Corner]] | None:
        if len(self.ring) <= 3:
            return None
        for added_m2, triangle, ring in sorted(self._steps(), key=lambda step: step[0]):
            grown = Polygon(ring)
            if grown.is_valid and (added_m2 == 0 or self._allowed(Polygon(triangle))):
                return added_m2, ring
        return None

    def _steps(self) -> Iterator[tuple[float, list[Corner], list[Corner]]]:
        """Every possible step: the area it adds, the triangle it adds, and the ring afterwards."""
        ring, count = self.ring, len(self.ring)
        for at in range(count):
            before, here, there, beyond = (ring[(at + step) % count] for step in (-1, 0, 1, 2))
            turn = _cross(before, here, there)
            if turn <= 0:
                yield -turn / 2, [before, here, there], ring[:at] + ring[at + 1 :]
            elif _cross(here, there, beyond) > 0 and (meeting := _meeting(before, here, beyond, there)):
                kept = [corner for index, corner in enumerate(ring) if index not in (at, (at + 1) % count)]
                kept.insert(at if at + 1 < count else len(kept), meeting)
                yield abs(_cross(here, meeting, there)) / 2, [here, meeting, there], kept


def _cross(first: Corner, second: Corner, third: Corner) -> float:
    """Twice the area of a triangle, positive where it turns left."""
    return (second[0] - first[0]) * (third[1] - second[1]) - (second[1] - first[1]) * (third[0] - second[0])


def _meeting(before: Corner, here: Corner, beyond: Corner, there: Corner) -> Corner | None:
    """Where before-here carried on and beyond-there carried on meet, None where they do not ahead of both."""
    ax, ay = here[0] - before[0], here[1] - before[1]
    bx, by = there[0] - beyond[0], there[1] - beyond[1]
    parallel = ax * by - ay * bx
    if abs(parallel) < 1e-9 * (math.hypot(ax, ay) * math.hypot(bx, by) + 1e-12):
        return None
    dx, dy = there[0] - here[0], there[1] - here[1]
    ahead, back = (dx * by - dy * bx) / parallel, (dx * ay - dy * ax) / parallel
    if ahead < 0 or back < 0:
        return None
    return here[0] + ahead * ax, here[1] + ahead * ay


def fit(rings: Sequence[Growing], budget: int) -> bool:
    """Takes corners from the rings, the cheapest first over all of them, until they fit; False where they cannot."""
    while sum(len(ring.ring) for ring in rings) > budget:
        cheapest = min(rings, key=lambda ring: ring.cost_m2)
        if math.isinf(cheapest.cost_m2):
            return False
        cheapest.grow()
    return True


def ring_of(polygon: Polygon) -> list[Corner]:
    """The corners of the outer edge, the first not repeated."""
    return [(x, y) for x, y, *_ in polygon.exterior.coords[:-1]]


def grown(polygon: Polygon, by_m: float) -> BaseGeometry:
    """The polygon drawn wider on every side, its corners kept as corners."""
    return shapely.buffer(polygon, by_m, join_style="mitre", mitre_limit=2.0)


def coarse(polygon: Polygon, allowed: Allowed) -> Polygon:
    """The polygon without holes, or one around it with fewer corners where it has very many."""
    filled = Polygon(polygon.exterior)
    if len(filled.exterior.coords) <= MANY:
        return filled
    for by_m in COARSE_M:
        # A line that is simplified by less than it was moved outwards stays outside.
        around = shapely.simplify(grown(filled, by_m), by_m * 0.9)
        if isinstance(around, Polygon) and around.covers(filled) and allowed(around):
            return Polygon(around.exterior)
    return filled
