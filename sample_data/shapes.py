"""Small makers of outlines in the local frame: boxes at an angle, natural blobs, curves."""

import math
from collections.abc import Sequence

import numpy as np
import shapely
from scipy.interpolate import CubicSpline
from shapely.geometry import LineString, Polygon
from shapely.geometry.base import BaseGeometry


def rectangle(x: float, y: float, size: tuple[float, float], angle_rad: float) -> Polygon:
    """A box of length and width in metres around a centre, its length turned ``angle_rad`` from east."""
    half = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * np.array(size) / 2
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    return Polygon(half @ np.array([[cos, sin], [-sin, cos]]) + (x, y))


def blob(
    rng: np.random.Generator, x: float, y: float, size: tuple[float, float], *, roughness: float = 0.25
) -> Polygon:
    """A natural closed outline: an ellipse of two diameters in metres, turned and dented at random."""
    theta = np.linspace(0, 2 * np.pi, 73)[:-1]
    orders = np.arange(2, 12)
    amplitude = roughness * rng.normal(size=orders.size) / orders**0.9
    phase = rng.uniform(0, 2 * np.pi, orders.size)
    radius = 1 + (amplitude[:, None] * np.cos(orders[:, None] * theta + phase[:, None])).sum(axis=0)
    radius = np.clip(radius, 0.45, 1.35)
    turn = rng.uniform(0, np.pi)
    along, across = radius * np.cos(theta) * size[0] / 2, radius * np.sin(theta) * size[1] / 2
    points = np.column_stack(
        [x + along * np.cos(turn) - across * np.sin(turn), y + along * np.sin(turn) + across * np.cos(turn)]
    )
    return Polygon(points)


def curve(points: Sequence[tuple[float, float]], step_m: float = 25.0) -> LineString:
    """A smooth line through points, with vertices about every ``step_m``."""
    xy = np.asarray(points, float)
    reach = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(xy, axis=0).T))])
    at = np.linspace(0, reach[-1], max(int(reach[-1] / step_m), 2) + 1)
    return LineString(CubicSpline(reach, xy)(at))


def ribbon(line: LineString, widths_m: np.ndarray) -> Polygon:
    """The polygon along a line whose full width is given at every vertex."""
    xy = np.asarray(line.coords)
    ahead = np.gradient(xy, axis=0)
    side = np.column_stack([-ahead[:, 1], ahead[:, 0]]) / np.hypot(*ahead.T)[:, None]
    left, right = xy + side * widths_m[:, None] / 2, xy - side * widths_m[:, None] / 2
    return polygonal(Polygon(np.vstack([left, right[::-1]])).buffer(0))


def polygonal(geom: BaseGeometry) -> Polygon:
    """The largest polygon of a shape; an empty polygon where there is none."""
    parts = [part for part in shapely.get_parts(geom) if isinstance(part, Polygon)]
    return max(parts, key=lambda part: part.area, default=Polygon())


def polygons(geom: BaseGeometry, smallest_m2: float = 0.0) -> list[Polygon]:
    """All polygons of a shape that are not smaller than an area."""
    parts = shapely.get_parts(shapely.get_parts(geom))
    return [part for part in parts if isinstance(part, Polygon) and part.area >= smallest_m2]


def shadow_of(outline: BaseGeometry, reach: tuple[float, float]) -> BaseGeometry:
    """The ground that a prism throws its shadow on, for the horizontal reach of its roof's shadow."""
    moved = shapely.transform(outline, lambda points: points + np.array(reach))
    return shapely.difference(shapely.union(outline, moved).convex_hull, outline)


def longest_side_rad(shape: BaseGeometry) -> float:
    """The direction of the longest side of a shape's smallest box, in radians from east."""
    corners = shapely.get_coordinates(polygonal(shape).minimum_rotated_rectangle)[:3]
    sides = np.diff(corners, axis=0)
    longest = sides[np.argmax(np.hypot(*sides.T))]
    return float(np.arctan2(longest[1], longest[0]))


def sun_reach(height_m: float, sun: tuple[float, float]) -> tuple[float, float]:
    """How far east and north a shadow falls, for a height and a sun azimuth and elevation in degrees."""
    azimuth, elevation = math.radians(sun[0]), math.radians(sun[1])
    length = height_m / math.tan(elevation)
    return -length * math.sin(azimuth), -length * math.cos(azimuth)
