"""Pure: an outline cut along a line, and outlines joined to one; the same input gives the same bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import shapely
from shapely.geometry import LineString, Polygon
from shapely.ops import split

from geo.crs import to_metric, to_wgs84, utm_epsg_of
from geo.measure import area_m2
from schemas.refusals import invalid

MOST_PARTS = 20
# What is farther from each other than this is not one thing that was found in pieces.
FARTHEST_M = 50.0
# A part smaller than this is a slip of the hand along the rim.
_LEAST_M2 = 1.0


@dataclass(frozen=True)
class Joined:
    """One outline (EPSG:4326) around several, and how far those lay apart in all, in metres."""

    shape: Polygon
    gaps_m: float


def cut(shape: Polygon, line: LineString) -> tuple[Polygon, ...]:
    """The parts of an outline on the two sides of a line (both EPSG:4326), the largest first.

    Raises RuleViolation (422) where the line does not cut it in two, or into crumbs.
    """
    pieces = [one for one in split(shape, line).geoms if isinstance(one, Polygon)]
    parts = sorted(map(shapely.normalize, pieces), key=lambda one: (-one.area, one.bounds))
    smallest = min((area_m2(part) for part in parts), default=0.0)
    if not 2 <= len(parts) <= MOST_PARTS or smallest < _LEAST_M2:
        raise invalid("detection.not_cut", measured=len(parts), required=f"2-{MOST_PARTS}")
    return tuple(parts)


def join(shapes: Sequence[Polygon], width_m: float) -> Joined:
    """One outline around several (EPSG:4326); strips `width_m` wide join what does not touch.

    Raises RuleViolation (422) where one of them is too far from the others.
    """
    epsg = utm_epsg_of(shapely.union_all(shapes))
    left = [to_metric(one, epsg) for one in shapes]
    placed, strips, gaps_m = [left.pop(0)], [], 0.0
    while left:
        gap, link, nearest = min(
            (one.distance(other), number, at) for number, one in enumerate(left) for at, other in enumerate(placed)
        )
        if gap > FARTHEST_M:
            raise invalid("detection.too_far_apart", measured=f"{gap:.0f} m", required=f"{FARTHEST_M:.0f} m")
        if shapely.get_dimensions(shapely.intersection(placed[nearest], left[link])) < 1:
            strips.append(_strip(placed[nearest], left[link], width_m))
            gaps_m += gap
        placed.append(left.pop(link))
    whole = shapely.normalize(shapely.union_all([*shapes, *(to_wgs84(strip, epsg) for strip in strips)]))
    if not isinstance(whole, Polygon):
        raise invalid("detection.too_far_apart", measured=f"{gaps_m:.1f} m", required=f"{FARTHEST_M:.0f} m")
    return Joined(whole, gaps_m)


def _strip(one: Polygon, other: Polygon, width_m: float) -> Polygon:
    """A strip over the shortest way between two outlines, half its width into each; a square where they touch."""
    way = shapely.shortest_line(one, other)
    return shapely.buffer(way if way.length > 0 else way.centroid, width_m / 2, cap_style="square")
