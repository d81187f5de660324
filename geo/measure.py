"""Lengths, areas and distances on the WGS 84 ellipsoid, in metres."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pyproj import Geod
from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry

from geo.types import LonLat

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


def distance_m(a: LonLat, b: LonLat) -> float:
    """Geodesic distance between two points."""
    _, _, metres = WGS84.inv(a.lon, a.lat, b.lon, b.lat)
    return float(metres)


def densify(line: LineString, step_m: float) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Points along a line of EPSG:4326, at most `step_m` apart, every vertex among them.

    Between vertices the points lie on the straight segment in longitude and latitude, which is what the
    database means by the line. Returns lons, lats and along_m, each float64 of one length;
    `along_m[0] == 0` and `along_m[-1] == length_m(line)`.
    """
    if not step_m > 0:
        raise ValueError("step_m must be above zero")
    lon, lat = (np.asarray(axis, dtype=np.float64) for axis in line.coords.xy)
    _, _, leg_m = WGS84.inv(lon[:-1], lat[:-1], lon[1:], lat[1:])
    pieces = np.maximum(np.ceil(leg_m / step_m).astype(np.int64), 1)
    leg = np.repeat(np.arange(len(pieces)), pieces)
    first = np.repeat(np.cumsum(pieces) - pieces, pieces)
    fraction = (np.arange(len(leg)) - first) / pieces[leg]
    start_m = np.cumsum(leg_m) - leg_m
    lons = lon[leg] + fraction * (lon[leg + 1] - lon[leg])
    lats = lat[leg] + fraction * (lat[leg + 1] - lat[leg])
    along_m = start_m[leg] + fraction * leg_m[leg]
    return np.append(lons, lon[-1]), np.append(lats, lat[-1]), np.append(along_m, leg_m.sum())
