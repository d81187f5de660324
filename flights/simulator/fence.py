"""The fence on board: areas to stay in, areas to stay out of, a ceiling, a circle around the home."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag

from pymavlink.dialects.v20 import ardupilotmega as mavlink
from shapely import Point, Polygon

from flights.simulator.airframe import Place
from flights.simulator.params import Parameters
from flights.simulator.storage import FENCE_CIRCLES, Stored

INCLUSIONS = frozenset(
    {
        mavlink.MAV_CMD_NAV_FENCE_POLYGON_VERTEX_INCLUSION,
        mavlink.MAV_CMD_NAV_FENCE_CIRCLE_INCLUSION,
    }
)


class FenceType(IntFlag):
    """The bits of FENCE_TYPE."""

    ALT_MAX = 1
    CIRCLE = 2
    POLYGON = 4


@dataclass(frozen=True)
class _Zone:
    """One polygon (longitude, latitude) or circle; `inside` tells which side is allowed."""

    inside: bool
    polygon: Polygon | None
    centre: Place | None
    radius_m: float

    def allows(self, at: Place) -> bool:
        if self.polygon is not None:
            return bool(self.polygon.covers(Point(at.lon, at.lat))) == self.inside
        if self.centre is None:
            return True
        return (self.centre.distance_m(at) <= self.radius_m) == self.inside


class Fence:
    """The fence as loaded, and where it is breached."""

    def __init__(self, params: Parameters, home: Place) -> None:
        self._params = params
        self._home = home
        self._zones: list[_Zone] = []

    def load(self, items: list[Stored]) -> None:
        """Takes over what a complete upload brought."""
        self._zones = _zones(items)

    @property
    def enabled(self) -> bool:
        """Whether any breach has consequences."""
        return self._params["FENCE_ENABLE"] >= 1

    def breaches(self, at: Place) -> FenceType:
        """The kinds of fence that are breached at a place."""
        kinds = FenceType(int(self._params["FENCE_TYPE"]) & 7)
        found = FenceType(0)
        if FenceType.ALT_MAX in kinds and at.amsl_m - self._home.amsl_m > self._params["FENCE_ALT_MAX"]:
            found |= FenceType.ALT_MAX
        if FenceType.CIRCLE in kinds and self._home.distance_m(at) > self._params["FENCE_RADIUS"]:
            found |= FenceType.CIRCLE
        if FenceType.POLYGON in kinds and not all(zone.allows(at) for zone in self._zones):
            found |= FenceType.POLYGON
        return found


def _zones(items: list[Stored]) -> list[_Zone]:
    zones, at = [], 0
    while at < len(items):
        first = items[at]
        inside = first.command in INCLUSIONS
        if first.command in FENCE_CIRCLES:
            centre = Place(first.x / 1e7, first.y / 1e7, 0.0)
            zones.append(_Zone(inside, None, centre, first.params[0]))
            at += 1
            continue
        count = int(first.params[0])
        ring = [(item.y / 1e7, item.x / 1e7) for item in items[at : at + count]]
        zones.append(_Zone(inside, Polygon(ring), None, 0.0))
        at += count
    return zones
