"""What was published and is judged against: the line, the area, the height, the way there, and the hours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from shapely.geometry.base import BaseGeometry

from geo.types import LonLat


class Hours(NamedTuple):
    """From when until when, in Unix seconds; numbers or arrays."""

    earliest_s: Any
    latest_s: Any


@dataclass(frozen=True)
class Timetable:
    """When the aircraft may be where along its route; arc lengths in metres, times in Unix seconds.

    A place may be reached no sooner than the published speed allows from the start of the window, and no later
    than leaves time to fly the rest of the route before its end.
    """

    start_s: float
    end_s: float
    length_m: float
    speed_m_s: float

    @classmethod
    def of(cls, start_s: float, end_s: float, *, length_m: float, speed_m_s: float) -> Self:
        """The hours of a flight whose window holds at least the time that its route takes."""
        return cls(start_s, max(end_s, start_s + length_m / speed_m_s), length_m, speed_m_s)

    def at(self, along_m: Any) -> Hours:  # noqa: ANN401
        """The hours of a place, or of places, on the route."""
        return Hours(
            self.start_s + along_m / self.speed_m_s,
            self.end_s - (self.length_m - along_m) / self.speed_m_s,
        )

    def on_the_way(self, count: int) -> Hours:
        """The hours of the way to the route and back: the whole window."""
        return Hours(np.full(count, self.start_s), np.full(count, self.end_s))


@dataclass(frozen=True)
class RouteShape:
    """What was published: the line and the area (EPSG:4326), the height above ground, and the way there.

    `home` is where the mission starts and ends: between it and the line the aircraft is judged against
    the straight way, not against the route. Without `window_s` and `speed_m_s` (the filed window in Unix
    seconds, the published speed) times are not judged.
    """

    line: BaseGeometry
    area: BaseGeometry
    alt_agl_m: float
    home: LonLat
    window_s: tuple[float, float] | None = None
    speed_m_s: float | None = None
