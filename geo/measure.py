"""Lengths, areas and distances on the WGS 84 ellipsoid, in metres."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pyproj import Geod
from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from geo.types import LonLat

Floats = NDArray[np.float64]
Samples = tuple[Floats, Floats, Floats]
"""Points along a line: longitudes, latitudes (EPSG:4326) and metres from its beginning."""

WGS84 = Geod(ellps="WGS84")


def length_m(line: LineString) -> float:
    """Geodesic length of a line of EPSG:4326."""
    lons, lats = line.coords.xy
    return float(WGS84.line_length(lons, lats))


def area_m2(geom: BaseGeometry) -> float:
    """Geodesic area of all polygons in a geometry, holes taken off, whichever way rings turn."""
    if isinstance(geom, Polygon):
        if geom.is_empty:
            return 0.0
        return _ring_area_m2(geom.exterior) - sum(_ring_area_m2(hole) for hole in geom.interiors)
    return sum(area_m2(part) for part in getattr(geom, "geoms", ()))


def _ring_area_m2(ring: LineString) -> float:
    lons, lats = ring.coords.xy
    area, _ = WGS84.polygon_area_perimeter(lons, lats)
    return abs(float(area))


def overlap(one: BaseGeometry, other: BaseGeometry) -> float:
    """Intersection over union of two shapes of EPSG:4326, by their areas on the ellipsoid; 0 apart, 1 the same."""
    union_m2 = area_m2(one.union(other))
    return area_m2(one.intersection(other)) / union_m2 if union_m2 else 0.0


def distance_m(a: LonLat, b: LonLat) -> float:
    """Geodesic distance between two points."""
    _, _, metres = WGS84.inv(a.lon, a.lat, b.lon, b.lat)
    return float(metres)


def circle(centre: LonLat, radius_m: float, corners: int = 64) -> Polygon:
    """The geodesic circle around a point as a polygon of EPSG:4326, its corners on the circle and anticlockwise."""
    bearings = -np.arange(corners) * 360.0 / corners
    lons, lats, _ = WGS84.fwd(
        np.full(corners, centre.lon), np.full(corners, centre.lat), bearings, np.full(corners, radius_m)
    )
    return Polygon(np.column_stack([lons, lats]))


def densify(line: LineString, step_m: float) -> Samples:
    """Points along a line of EPSG:4326, at most `step_m` apart, every vertex among them.

    Between vertices the points lie on the straight segment in longitude and latitude, which is what the
    database means by the line. Returns lons, lats and along_m, each float64 of one length;
    `along_m[0] == 0` and `along_m[-1] == length_m(line)`.
    """
    return densify_all([np.column_stack(line.coords.xy)], step_m)[0]


def densify_all(lines: Sequence[Floats], step_m: float) -> list[Samples]:
    """`densify` for many lines at one go, each an array of its corners (lon, lat)."""
    if not step_m > 0:
        raise ValueError("step_m must be above zero")
    counts = np.array([len(line) for line in lines])
    corners = np.concatenate(lines)
    # A segment starts at every corner; that of a line's last corner leads nowhere and is one point long.
    ends = np.minimum(np.arange(1, len(corners) + 1), np.repeat(np.cumsum(counts) - 1, counts))
    (lon, lat), (next_lon, next_lat) = corners.T, corners[ends].T
    _, _, leg_m = WGS84.inv(lon, lat, next_lon, next_lat)
    pieces = np.maximum(np.ceil(leg_m / step_m).astype(np.int64), 1)
    leg = np.repeat(np.arange(len(pieces)), pieces)
    fraction = (np.arange(len(leg)) - np.repeat(np.cumsum(pieces) - pieces, pieces)) / pieces[leg]
    run_m = np.cumsum(leg_m) - leg_m
    first_m = np.repeat(run_m[np.cumsum(counts) - counts], counts)
    axes = (
        lon[leg] + fraction * (next_lon - lon)[leg],
        lat[leg] + fraction * (next_lat - lat)[leg],
        (run_m - first_m)[leg] + fraction * leg_m[leg],
    )
    cuts = np.cumsum(np.add.reduceat(pieces, np.cumsum(counts) - counts))[:-1]
    return list(zip(*(np.split(axis, cuts) for axis in axes), strict=True))
