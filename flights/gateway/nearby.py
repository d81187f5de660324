"""How near the aircraft is to the displayed privacy zones, and how fast it comes nearer; pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from flights.conformance import Fix, Plane
from geo.zones import Zone


class Approach(NamedTuple):
    """The distance to the nearest zone that counts now (0 inside), and how fast it shrinks."""

    zone_m: float | None
    closing_m_s: float


class Nearby:
    """The displayed zones around one route. What is hidden of a sensitive zone is not known here."""

    def __init__(self, line: BaseGeometry, zones: Sequence[Zone], hours: ZoneInfo) -> None:
        self._plane = Plane(line)
        self._zones = tuple(zones)
        self._hours = hours
        self._shapes = [self._plane.geometry(zone.geom) for zone in zones]
        self._last: tuple[float, float] | None = None

    def approach(self, fix: Fix, at: datetime) -> Approach:
        """Where the aircraft is, seen from the zones of its height and time; fixes come in order."""
        place = self._plane.points(np.array([fix.lon]), np.array([fix.lat]))[0]
        # A height that is not known is taken to be in every band.
        low_m, high_m = (-np.inf, np.inf) if np.isnan(fix.alt_agl_m) else (fix.alt_agl_m, fix.alt_agl_m)
        distances_m = [
            float(shapely.distance(place, shape))
            for zone, shape in zip(self._zones, self._shapes, strict=True)
            if zone.bars(low_m, high_m) and zone.holds(at, at, self._hours)
        ]
        if not distances_m:
            self._last = None
            return Approach(None, 0.0)
        zone_m, before, self._last = min(distances_m), self._last, (fix.at_s, min(distances_m))
        if before is None or fix.at_s <= before[0]:
            return Approach(zone_m, 0.0)
        return Approach(zone_m, (before[1] - zone_m) / (fix.at_s - before[0]))
