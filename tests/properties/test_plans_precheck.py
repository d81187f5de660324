"""The judgement against an independent reckoning: points every few metres, distances on the ellipsoid."""

from itertools import pairwise

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pyproj import Geod
from shapely.geometry import MultiPoint, Point
from shapely.ops import nearest_points, unary_union

from flights.check.precheck import check_plan
from flights.check.situation import Options
from tests.situations import PA1, Z1, drawn, local, situation

GEOD = Geod(ellps="WGS84")
ALT_M, HALF_WIDTH_M = 100.0, 100.0 * np.tan(np.radians(35.0))
PLACES = st.tuples(st.floats(113.248, 113.292), st.floats(23.118, 23.142))


def _points(line):
    closed = [*line, line[0]]
    return [
        Point(a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1]))
        for a, b in pairwise(closed)
        for t in np.linspace(0, 1, 160)
    ]


def _distance_m(point, geom):
    near = nearest_points(point, geom)[1]
    return GEOD.inv(point.x, point.y, near.x, near.y)[2]


@settings(max_examples=40, deadline=None)
@given(st.lists(PLACES, min_size=2, max_size=4, unique=True))
def test_zone_and_area__agree_with_points_along_the_way(line):
    points = _points(line)
    nearest_m = min(_distance_m(p, Z1) for p in points)
    inside = all(PA1.covers(p) for p in points)
    # The straight ways home from every point lie in triangles with their tip at home, the first place.
    ways = unary_union([MultiPoint([line[0], a, b]).convex_hull for a, b in pairwise(line)])
    way_crosses = ways.intersects(Z1)
    assume(way_crosses or ways.distance(Z1) > 1e-5)
    margin_m = min(_distance_m(p, PA1.exterior) for p in points)
    # The frame's corner reaches further at turns, and this reckoning steps by metres.
    assume(not HALF_WIDTH_M - 15 < nearest_m < HALF_WIDTH_M * 1.3 + 15)
    assume(not HALF_WIDTH_M - 15 < margin_m < HALF_WIDTH_M * 1.3 + 15)
    verdict = check_plan(drawn(line, ALT_M), situation(routes=()), at=local(), options=Options())
    found = {refusal.rule for refusal in verdict.refusals}
    assert ("GD-16.5" in found) == (nearest_m < HALF_WIDTH_M or way_crosses)
    assert ("GD-16.3" not in found) == (inside and margin_m > HALF_WIDTH_M)
