"""Privacy exclusion zones: which are in force, and what a line or a footprint has to do with them. Pure.

A zone is checked with the union of its exact and its displayed shape; every distance and place that leaves
this module is measured to the displayed shape alone, so an answer cannot give the exact one away.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

import numpy as np
import shapely
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from geo import crs, measure
from geo.types import LonLat

# A degree of latitude has at least this many metres anywhere on the ellipsoid.
SHORTEST_DEGREE_M = 110_000.0


@dataclass(frozen=True)
class Zone:
    """A place that no device may watch, from `valid_from` until before `valid_to`.

    `geom` is the displayed polygon and `exact_geom` the hidden one of a sensitive zone; both EPSG:4326.
    """

    id: UUID
    public_id: str
    kind: str
    geom: BaseGeometry
    buffer_m: float
    valid_from: datetime
    valid_to: datetime | None = None
    exact_geom: BaseGeometry | None = None

    @cached_property
    def checked(self) -> BaseGeometry:
        """The union of the displayed and the exact shape; for checks, never for answers."""
        return self.geom if self.exact_geom is None else self.geom.union(self.exact_geom)

    def in_force(self, start: datetime, end: datetime | None = None) -> bool:
        """Whether the zone holds at `start`, or at any moment from `start` to `end` inclusive."""
        return self.valid_from <= (end or start) and (self.valid_to is None or start < self.valid_to)


@dataclass(frozen=True)
class ZoneHit:
    """A zone that a geometry reaches.

    `distance_m` is the distance to the displayed shape, 0 where they meet; `place` a GeoJSON geometry
    of where.
    """

    zone: Zone
    distance_m: float
    place: dict[str, Any]


def in_force(zones: Iterable[Zone], start: datetime, end: datetime | None = None) -> tuple[Zone, ...]:
    """The zones that hold at a time, or at any moment of a period."""
    return tuple(zone for zone in zones if zone.in_force(start, end))


def hits(geom: BaseGeometry, zones: Sequence[Zone], *, extra_buffer_m: float = 0.0) -> tuple[ZoneHit, ...]:
    """The zones that a geometry touches, or comes nearer to than their buffer, in the order given.

    `extra_buffer_m` is what the rule pack adds to every zone's own buffer. Touching counts as reaching.
    """
    return tuple(
        _hit(geom, zones[index])
        for index in _near(geom, zones, extra_buffer_m)
        if _reaches(geom, zones[index], extra_buffer_m)
    )


def distance_m(one: BaseGeometry, other: BaseGeometry) -> float:
    """The geodesic distance between the nearest points of two geometries of EPSG:4326; 0 where they meet.

    The nearest points are found in the UTM zone of the first, which is exact enough for places up to some
    hundred kilometres apart.
    """
    if shapely.intersects(one, other):
        return 0.0
    epsg = crs.utm_epsg_of(one)
    link = crs.to_wgs84(shapely.shortest_line(crs.to_metric(one, epsg), crs.to_metric(other, epsg)), epsg)
    start, end = (LonLat(*position) for position in link.coords)
    return measure.distance_m(start, end)


def _near(geom: BaseGeometry, zones: Sequence[Zone], extra_buffer_m: float) -> list[int]:
    """Indices of the zones whose bounding box, grown by the buffer, meets that of the geometry."""
    if not zones:
        return []
    west, south, east, north = geom.bounds
    boxes = shapely.bounds(np.array([zone.checked for zone in zones], dtype=object))
    margin_deg = np.array([(zone.buffer_m + extra_buffer_m) for zone in zones]) / SHORTEST_DEGREE_M
    highest_lat = np.minimum(np.maximum(np.abs(boxes[:, [1, 3]]).max(axis=1), max(-south, north)), 89.0)
    margin_lon_deg = margin_deg / np.cos(np.radians(highest_lat))
    meets = (boxes[:, 0] - margin_lon_deg <= east) & (boxes[:, 2] + margin_lon_deg >= west)
    meets &= (boxes[:, 1] - margin_deg <= north) & (boxes[:, 3] + margin_deg >= south)
    return [int(index) for index in np.flatnonzero(meets)]


def _reaches(geom: BaseGeometry, zone: Zone, extra_buffer_m: float) -> bool:
    if shapely.intersects(geom, zone.checked):
        return True
    buffer_m = zone.buffer_m + extra_buffer_m
    return buffer_m > 0 and distance_m(geom, zone.checked) <= buffer_m


def _hit(geom: BaseGeometry, zone: Zone) -> ZoneHit:
    common = geom.intersection(zone.geom)
    place = zone.geom if common.is_empty else common
    return ZoneHit(zone, distance_m(geom, zone.geom), dict(mapping(place)))
