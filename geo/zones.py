"""Privacy exclusion zones: which are in force, and what a line or a footprint has to do with them. Pure.

A zone is checked with the union of its exact and its displayed shape; every distance and place that leaves
this module is measured to the displayed shape alone, so an answer cannot give the exact one away. The database
keeps the exact shape inside the displayed one, so that even whether a plan is refused tells nothing of it.

A zone may have a band of heights and hours. Both say where and when an aircraft may not be. Whatever its band,
a zone is seen by a camera above it: the ceiling protects from being passed, not from being looked at. Only a
camera below the floor, which looks down, cannot see it. Outside its hours there is nothing to see. For devices
that stay where they are a zone counts at every height and hour.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon, mapping
from shapely.geometry.base import BaseGeometry

from geo import crs, hours, measure

Shapes = NDArray[np.object_]
Floats = NDArray[np.float64]
Indices = NDArray[np.intp]

# A degree of latitude has at least this many metres anywhere on the ellipsoid.
SHORTEST_DEGREE_M = 110_000.0
# The database finds the zones near a device with an index that relies on this bound.
MOST_BUFFER_M = 1000.0


@dataclass(frozen=True)
class Zone:
    """A place that no device may watch, from `valid_from` until before `valid_to`.

    `geom` is the displayed polygon and `exact_geom` the hidden one of a sensitive zone; both EPSG:4326.
    `floor_agl_m` and `ceiling_agl_m` are true heights, None without an end; `schedule` None counts always.
    """

    id: UUID
    public_id: str
    kind: str
    geom: BaseGeometry
    buffer_m: float
    valid_from: datetime
    valid_to: datetime | None = None
    exact_geom: BaseGeometry | None = None
    floor_agl_m: float | None = None
    ceiling_agl_m: float | None = None
    schedule: hours.Hours | None = None

    @cached_property
    def checked(self) -> BaseGeometry:
        """The union of the displayed and the exact shape; for checks, never for answers.

        That is the displayed shape itself where it covers the exact one, as it does in the database: a union worked
        out anew would have corners where the two outlines meet, and moved the outline by the last bit of a number.
        """
        if self.exact_geom is None or self.geom.covers(self.exact_geom):
            return self.geom
        return self.geom.union(self.exact_geom)

    def in_force(self, start: datetime, end: datetime | None = None) -> bool:
        """Whether the zone holds at `start`, or at any moment from `start` to `end` inclusive."""
        return self.valid_from <= (end or start) and (self.valid_to is None or start < self.valid_to)

    @property
    def is_always_full(self) -> bool:
        """Whether it counts at every height and at every hour."""
        return self.floor_agl_m is None and self.ceiling_agl_m is None and self.schedule is None

    def holds(self, start: datetime, end: datetime, zone: ZoneInfo) -> bool:
        """Whether it is in force, and in its hours, at any moment from `start` to `end`; hours are those of `zone`."""
        return self.in_force(start, end) and hours.hold(self.schedule, start, end, zone)

    def bars(self, low_m: float, high_m: float, extra_buffer_m: float = 0.0) -> bool:
        """Whether an aircraft between two true heights is in its band, which the buffers widen; touching counts."""
        reach_m = self.buffer_m + extra_buffer_m
        above = self.floor_agl_m is None or high_m >= self.floor_agl_m - reach_m
        return above and (self.ceiling_agl_m is None or low_m <= self.ceiling_agl_m + reach_m)

    def is_seen_from(self, high_m: float) -> bool:
        """Whether a camera that looks down from a true height can see into its band."""
        return self.floor_agl_m is None or high_m >= self.floor_agl_m - self.buffer_m


@dataclass(frozen=True)
class ZoneHit:
    """A zone that a geometry of EPSG:4326 reaches; how near and where is worked out when it is asked for."""

    zone: Zone
    geom: BaseGeometry

    @cached_property
    def distance_m(self) -> float:
        """The distance to the displayed shape, 0 where they meet."""
        return distance_m(self.geom, self.zone.geom)

    @cached_property
    def place(self) -> dict[str, Any]:
        """What the geometry and the displayed shape have in common, or that shape, as a GeoJSON geometry."""
        common = self.geom.intersection(self.zone.geom)
        return dict(mapping(self.zone.geom if common.is_empty else common))


def in_force(zones: Iterable[Zone], start: datetime, end: datetime | None = None) -> tuple[Zone, ...]:
    """The zones that hold at a time, or at any moment of a period."""
    return tuple(zone for zone in zones if zone.in_force(start, end))


def hits(geom: BaseGeometry, zones: Sequence[Zone], *, extra_buffer_m: float = 0.0) -> tuple[ZoneHit, ...]:
    """The zones that a geometry touches, or comes nearer to than their buffer, in the order given.

    `extra_buffer_m` is what the rule pack adds to every zone's own buffer. Touching counts as reaching.
    """
    if not zones:
        return ()
    shapely.prepare(geom)
    checked = _array(zone.checked for zone in zones)
    buffer_m = np.array([zone.buffer_m for zone in zones]) + extra_buffer_m
    near = _near(geom, checked, buffer_m)
    reached = near[_reaches(geom, checked[near], buffer_m[near])]
    return tuple(ZoneHit(zones[index], geom) for index in reached)


def distance_m(one: BaseGeometry, other: BaseGeometry) -> float:
    """The geodesic distance between the nearest points of two geometries of EPSG:4326; 0 where they meet.

    The nearest points are found in the UTM zone of the first, which is exact enough for places up to some
    hundred kilometres apart.
    """
    return float(distances_m(one, _array([other]))[0])


def distances_m(one: BaseGeometry, others: Shapes) -> Floats:
    """`distance_m` from one geometry to each of many, which costs little more than a single one."""
    found = np.zeros(len(others))
    shapely.prepare(one)
    apart = np.flatnonzero(~shapely.intersects(one, others))
    if apart.size:
        epsg = crs.utm_epsg_of(one)
        # Shapes apart are nearest at their rims, and to a prepared line GEOS finds the nearest point by an index.
        rim = crs.to_metric(one.boundary if isinstance(one, Polygon | MultiPolygon) else one, epsg)
        shapely.prepare(rim)
        links = crs.to_wgs84(shapely.shortest_line(rim, crs.to_metric(others[apart], epsg)), epsg)
        ends = shapely.get_coordinates(links).reshape(-1, 4)
        _, _, found[apart] = measure.WGS84.inv(*ends.T)
    return found


def margins_deg(south: float, north: float, reach_m: Floats) -> tuple[Floats, Floats]:
    """By how many degrees of longitude and latitude a band between two latitudes grows, at most, by some metres.

    Within reach of a pole that is the whole circle.
    """
    lat_deg = reach_m / SHORTEST_DEGREE_M
    highest_deg = np.maximum(-south, north) + lat_deg
    with np.errstate(divide="ignore"):
        lon_deg = lat_deg / np.cos(np.radians(np.minimum(highest_deg, 90.0)))
    return np.where(highest_deg < 90.0, np.minimum(lon_deg, 360.0), 360.0), lat_deg


def _array(geoms: Iterable[BaseGeometry]) -> Shapes:
    return np.array(list(geoms), dtype=object)


def _near(geom: BaseGeometry, checked: Shapes, buffer_m: Floats) -> Indices:
    """Indices of the shapes whose bounding box, grown by the buffer, meets that of the geometry."""
    west, south, east, north = geom.bounds
    boxes = shapely.bounds(checked)
    lon_deg, lat_deg = margins_deg(south, north, buffer_m)
    beside = np.zeros(len(checked), dtype=np.bool_)
    for turn_deg in (-360.0, 0.0, 360.0):  # the neighbour may lie on the other side of the 180th meridian
        beside |= (boxes[:, 0] + turn_deg - lon_deg <= east) & (boxes[:, 2] + turn_deg + lon_deg >= west)
    beside &= (boxes[:, 1] - lat_deg <= north) & (boxes[:, 3] + lat_deg >= south)
    return np.flatnonzero(beside)


def _reaches(geom: BaseGeometry, checked: Shapes, buffer_m: Floats) -> NDArray[np.bool_]:
    reaches: NDArray[np.bool_] = shapely.intersects(geom, checked)
    beside = np.flatnonzero(~reaches & (buffer_m > 0))
    reaches[beside] = distances_m(geom, checked[beside]) <= buffer_m[beside]
    return reaches
