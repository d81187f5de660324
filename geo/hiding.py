"""The shape that is shown in place of a hidden one: it holds the truth, and says nothing of where in it the truth lies.

A square, so large beside the truth that its size tells only the order of magnitude, laid over it at random: wherever in
the square the truth may be, it would have been drawn with the same chance. It is drawn once and stored. Drawn again for
the same place, a second square would narrow the first, and many of them would give the place away; so what was shown of
a place once is shown of it always.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import shapely
from shapely.geometry import Polygon, box
from shapely.geometry.base import BaseGeometry

from geo import crs

LEAST_SIDE_M = 400.0
_TIMES_AS_WIDE = 4.0
# The middle is the first place where anybody would look; so near to it, in parts of the side, the truth never lies.
_OFF_CENTRE = 0.1
# A side that is straight in the metric grid bends by less than this in degrees, and corners are rounded.
_MARGIN_M = 2.0
_DECIMALS = 6


def displayed_shape(exact: Polygon, shown_before: Sequence[BaseGeometry], draw: Random) -> Polygon:
    """What is shown of a hidden place (EPSG:4326): what was shown of it before where that does, else a new square.

    `shown_before` are the shapes that were shown of it, in their order. One that has become too small is held by the
    new square whole, so that the two together tell no more than that the place has grown.
    """
    for shown in shown_before:
        if isinstance(shown, Polygon) and shown.covers(exact):
            return shown
    held = shapely.union_all([exact, *shown_before])
    epsg = crs.utm_epsg_of(held)
    metric = crs.to_metric(held, epsg)
    while True:
        square = _drawn(metric, draw)
        corners = shapely.get_coordinates(crs.to_wgs84(square, epsg)).round(_DECIMALS)
        shown = Polygon(corners)
        if shown.covers(held):
            return shown


def _drawn(metric: BaseGeometry, draw: Random) -> Polygon:
    west, south, east, north = metric.bounds
    side_m = LEAST_SIDE_M
    while side_m < _TIMES_AS_WIDE * (max(east - west, north - south) + 2 * _MARGIN_M):
        side_m *= 2
    while True:
        left = draw.uniform(east + _MARGIN_M - side_m, west - _MARGIN_M)
        bottom = draw.uniform(north + _MARGIN_M - side_m, south - _MARGIN_M)
        off_x, off_y = left + side_m / 2 - (west + east) / 2, bottom + side_m / 2 - (south + north) / 2
        if off_x**2 + off_y**2 >= (_OFF_CENTRE * side_m) ** 2:
            return box(left, bottom, left + side_m, bottom + side_m)
