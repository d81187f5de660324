"""Shapes of the base map are sound when they are written with seven decimals."""

from __future__ import annotations

import numpy as np
import shapely
from shapely.geometry import Point

from sample_data.basemap import parts, whereabouts
from sample_data.frame import to_wgs84


def test_parts__neck_narrower_than_the_last_decimal__two_sound_shapes():
    neck_m = 0.004
    left, right = shapely.box(0, 0, 100, 100), shapely.box(140, 0, 240, 100)
    pinched = shapely.Polygon(
        [
            (0, 0),
            (100, 0),
            (120, 50 - neck_m),
            (140, 0),
            (240, 0),
            (240, 100),
            (140, 100),
            (120, 50),
            (100, 100),
            (0, 100),
        ]
    )
    assert pinched.is_valid
    assert not to_wgs84(pinched).is_valid
    made = list(parts(pinched))
    assert len(made) == 2
    assert all(to_wgs84(part).is_valid for part in made)
    assert shapely.union_all(made).covers(shapely.union_all([left, right]).buffer(-1))


def test_to_wgs84__points_closer_than_the_last_decimal__are_one():
    steps = np.linspace(0, 2 * np.pi, 5000, endpoint=False)
    circle = shapely.Polygon(np.column_stack([4 * np.cos(steps), 4 * np.sin(steps)]))
    corners = shapely.get_coordinates(to_wgs84(circle))
    assert 500 < len(corners) < 5000
    assert (corners[1:] != corners[:-1]).any(axis=1).all()


def test_whereabouts__are_told_from_the_nearest_settlement(land):
    outline = land.town.outline
    assert whereabouts(land, outline.representative_point()) == "In Qinghe Town (fictional) · 清河镇（虚构）"
    beside = Point(outline.bounds[0] - 40, outline.centroid.y)
    told = whereabouts(land, beside)
    assert " west of Qinghe Town (fictional) · 清河镇西" in told
    assert told.split(" m ")[0] == f"{round(outline.distance(beside), -1):.0f}"
