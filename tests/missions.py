"""Compiled missions for the fixtures, over flat ground."""

from __future__ import annotations

import numpy as np
from shapely.geometry import LineString, Point

from flights.mission import RouteSpec, compile_route
from geo.types import LonLat
from tests.world import HOME_AMSL_M

SPEED_M_S = 10.0
TRIGGER_M = 60.0


class FlatGround:
    """Ground at one height everywhere, as the fixtures have it."""

    def heights_m(self, lons: np.ndarray, lats: np.ndarray) -> np.ndarray:
        return np.full(np.shape(lons), HOME_AMSL_M)


def compile_fixture_mission(line: LineString, home: Point, *, alt_agl_m: float) -> tuple[dict, str]:
    """The stored document and digest of the mission that flies `line`."""
    spec = RouteSpec(line, alt_agl_m, LonLat(home.x, home.y), SPEED_M_S, TRIGGER_M)
    mission = compile_route(spec, FlatGround())
    return mission.document(), mission.digest
