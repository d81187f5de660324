"""How the aircraft gets somewhere: along a line, to a height, down to the ground."""

from __future__ import annotations

import math
from dataclasses import dataclass

from flights.simulator.airframe import Airframe, Place, Wish
from flights.simulator.params import Parameters

# Gains of the position loops, 1/s.
CROSS_TRACK_GAIN = 0.8
HEIGHT_GAIN = 0.8
# The horizontal speed falls when the height along the leg is off by more than this.
HEIGHT_PATIENCE_M = 5.0
CRAWL_M_S = 0.5
ARRIVED_HEIGHT_M = 1.0


@dataclass(frozen=True)
class Leg:
    """A straight way from one place to another; heights change evenly along it."""

    start: Place
    end: Place
    speed_m_s: float
    end_speed_m_s: float = 0.0

    @property
    def length_m(self) -> float:
        """Length on the ground."""
        return self.start.distance_m(self.end)


class Steering:
    """Turns goals into wished velocities within the limits of the parameters."""

    def __init__(self, airframe: Airframe, params: Parameters) -> None:
        self._airframe = airframe
        self._params = params

    @property
    def accel_m_s2(self) -> float:
        """Greatest horizontal acceleration."""
        return self._params["WPNAV_ACCEL"] / 100

    def climb(self, to_amsl_m: float) -> float:
        """The wished vertical speed towards a height."""
        error = to_amsl_m - self._airframe.believed.amsl_m
        up, down = self._params["WPNAV_SPEED_UP"] / 100, self._params["WPNAV_SPEED_DN"] / 100
        return min(max(error * HEIGHT_GAIN, -down), up)

    def hold(self, at: Place) -> Wish:
        """Stay at a place, or go straight to it when it is near."""
        north, east = self._airframe.believed.offset_m(at)
        distance = math.hypot(north, east)
        speed = min(self._braking(distance), self._params["WPNAV_SPEED"] / 100)
        share = min(CROSS_TRACK_GAIN, speed / distance) if distance > 1e-6 else 0.0
        return Wish(north * share, east * share, self.climb(at.amsl_m))

    def along(self, leg: Leg) -> Wish:
        """Fly a leg: forward along its line, sideways back onto it, up or down with it."""
        length = leg.length_m
        if length < 0.1:
            return self.hold(leg.end)
        north, east = (part / length for part in leg.start.offset_m(leg.end))
        done_n, done_e = leg.start.offset_m(self._airframe.believed)
        done = done_n * north + done_e * east
        off = done_e * north - done_n * east
        share = min(max(done / length, 0.0), 1.0)
        height = leg.start.amsl_m + share * (leg.end.amsl_m - leg.start.amsl_m)
        forward = self._forward(leg, length - done, height)
        climbing = self.climb(height) + (leg.end.amsl_m - leg.start.amsl_m) / length * forward
        side = -CROSS_TRACK_GAIN * off
        return Wish(forward * north - side * east, forward * east + side * north, climbing)

    def _forward(self, leg: Leg, left_m: float, height_m: float) -> float:
        allowed = math.hypot(leg.end_speed_m_s, self._braking(max(left_m, 0.0)))
        error = abs(height_m - self._airframe.believed.amsl_m)
        patience = min(1.0, HEIGHT_PATIENCE_M / error) if error > 0 else 1.0
        return max(min(leg.speed_m_s, allowed) * patience, CRAWL_M_S if left_m > 0 else 0.0)

    def _braking(self, left_m: float) -> float:
        """The speed from which the aircraft can still stop within `left_m`."""
        return math.sqrt(2 * self.accel_m_s2 * 0.7 * left_m)

    def land(self, above_ground_m: float, over: Place) -> Wish:
        """Descend over a place, slowly near the ground."""
        final = above_ground_m < self._params["LAND_ALT_LOW"] / 100
        speed = self._params["LAND_SPEED" if final else "WPNAV_SPEED_DN"] / 100
        held = self.hold(Place(over.lat, over.lon, self._airframe.believed.amsl_m))
        return Wish(held.north, held.east, -speed)

    def has_arrived(self, at: Place) -> bool:
        """Whether a place is reached, in plan and in height."""
        place = self._airframe.believed
        near = place.distance_m(at) <= self._params["WPNAV_RADIUS"] / 100
        return near and abs(place.amsl_m - at.amsl_m) <= ARRIVED_HEIGHT_M

    def has_passed(self, leg: Leg) -> bool:
        """Whether the end of a leg is reached or lies behind."""
        if self.has_arrived(leg.end):
            return True
        north, east = leg.start.offset_m(leg.end)
        done_n, done_e = leg.start.offset_m(self._airframe.believed)
        return leg.length_m > 0.1 and north * done_n + east * done_e >= leg.length_m**2
