"""Missions of the fixture routes, compiled over level ground as the real compiler does it."""

from __future__ import annotations

from typing import Any

import numpy as np
from shapely.geometry import LineString, Point

from flights.mission import RouteSpec, compile_route
from geo.types import LonLat

GROUND_AMSL_M = 12.0


class LevelGround:
    """Ground of one height everywhere, such as a district by the sea."""

    def __init__(self, height_m: float = GROUND_AMSL_M) -> None:
        self.height_m = height_m

    def heights_m(self, lons: np.ndarray, lats: np.ndarray) -> np.ndarray:
        return np.full(len(lons), self.height_m)


def compile_fixture_mission(line: LineString, home: Point, *, alt_agl_m: float) -> tuple[dict[str, Any], str]:
    """The stored mission of a fixture route and its canonical digest."""
    spec = RouteSpec(line, alt_agl_m, LonLat(home.x, home.y), speed_mps=10.0, trigger_distance_m=60.0)
    mission = compile_route(spec, LevelGround())
    return mission.document(), mission.digest
