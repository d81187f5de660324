"""A multirotor as a point mass: it follows a wished velocity with limited acceleration and turn rate."""

from __future__ import annotations

import math
from dataclasses import dataclass

EQUATOR_M = 6_378_137.0
ECCENTRICITY_2 = 0.006_694_379_990_14

ACCEL_UP_M_S2 = 2.0
TURN_RATE_DEG_S = 60.0
# Below this speed the nose keeps its direction.
MIN_HEADING_SPEED_M_S = 1.0
# A held position still wanders by this much for every metre per second of wind.
WANDER_M_PER_WIND = 0.04
WANDER_PERIOD_S = 17.0


@dataclass(frozen=True)
class Place:
    """A point in the air: degrees (EPSG:4326), metres above mean sea level."""

    lat: float
    lon: float
    amsl_m: float

    def offset_m(self, other: Place) -> tuple[float, float]:
        """How far north and east `other` lies, in metres on the ground (for distances of kilometres)."""
        north_per_rad, east_per_rad = _radii((self.lat + other.lat) / 2)
        return (
            math.radians(other.lat - self.lat) * north_per_rad,
            math.radians(other.lon - self.lon) * east_per_rad,
        )

    def distance_m(self, other: Place) -> float:
        """Distance on the ground in metres."""
        return math.hypot(*self.offset_m(other))

    def moved(self, north_m: float, east_m: float, up_m: float = 0.0) -> Place:
        """The place a short way off."""
        north_per_rad, east_per_rad = _radii(self.lat)
        return Place(
            self.lat + math.degrees(north_m / north_per_rad),
            self.lon + math.degrees(east_m / east_per_rad),
            self.amsl_m + up_m,
        )


def _radii(lat: float) -> tuple[float, float]:
    """Metres in a radian of latitude and of longitude on the WGS 84 ellipsoid."""
    sine = math.sin(math.radians(lat))
    bend = 1 - ECCENTRICITY_2 * sine * sine
    meridian = EQUATOR_M * (1 - ECCENTRICITY_2) / bend**1.5
    return meridian, EQUATOR_M / math.sqrt(bend) * math.cos(math.radians(lat))


@dataclass(frozen=True)
class Wish:
    """The velocity that a flight mode wants: north, east, up in m/s."""

    north: float = 0.0
    east: float = 0.0
    up: float = 0.0


class Airframe:
    """Where the aircraft is and how it moves. Deterministic: the wander in wind follows the time alone."""

    def __init__(self, home: Place, wind_m_s: float, wind_from_deg: float) -> None:
        self.place = home
        self.north_m_s = 0.0
        self.east_m_s = 0.0
        self.up_m_s = 0.0
        self.yaw_deg = 0.0
        self.flown_m = 0.0
        self.drift_m = (0.0, 0.0)
        self._ground_m = home.amsl_m
        self._gust_m_s = wind_m_s * WANDER_M_PER_WIND * 2 * math.pi / WANDER_PERIOD_S
        self._gust_to_rad = math.radians(wind_from_deg + 180)

    @property
    def speed_m_s(self) -> float:
        """Speed over ground."""
        return math.hypot(self.north_m_s, self.east_m_s)

    @property
    def believed(self) -> Place:
        """Where the autopilot takes itself to be, and steers by: off by `drift_m` (north, east), a fault."""
        return self.place.moved(-self.drift_m[0], -self.drift_m[1]) if any(self.drift_m) else self.place

    @property
    def on_ground(self) -> bool:
        """Whether it stands at the height it started from."""
        return self.place.amsl_m <= self._ground_m + 0.01

    def step(self, wish: Wish, dt_s: float, now_s: float, accel_m_s2: float) -> None:
        """Moves on by `dt_s`."""
        change = math.hypot(wish.north - self.north_m_s, wish.east - self.east_m_s)
        share = 1.0 if change <= accel_m_s2 * dt_s else accel_m_s2 * dt_s / change
        self.north_m_s += (wish.north - self.north_m_s) * share
        self.east_m_s += (wish.east - self.east_m_s) * share
        limit = ACCEL_UP_M_S2 * dt_s
        self.up_m_s += min(max(wish.up - self.up_m_s, -limit), limit)
        gust = self._gust_m_s * math.cos(2 * math.pi * now_s / WANDER_PERIOD_S)
        north = self.north_m_s + gust * math.cos(self._gust_to_rad)
        east = self.east_m_s + gust * math.sin(self._gust_to_rad)
        self.place = self.place.moved(north * dt_s, east * dt_s, self.up_m_s * dt_s)
        self.flown_m += math.hypot(north, east) * dt_s
        self._touch()
        self._turn(dt_s)

    def stand(self) -> None:
        """Stops all motion, as on the ground with the motors off."""
        self.north_m_s = self.east_m_s = self.up_m_s = 0.0

    def _touch(self) -> None:
        if self.place.amsl_m <= self._ground_m:
            self.place = Place(self.place.lat, self.place.lon, self._ground_m)
            self.up_m_s = max(self.up_m_s, 0.0)

    def _turn(self, dt_s: float) -> None:
        if self.speed_m_s < MIN_HEADING_SPEED_M_S:
            return
        wanted = math.degrees(math.atan2(self.east_m_s, self.north_m_s))
        error = (wanted - self.yaw_deg + 180) % 360 - 180
        limit = TURN_RATE_DEG_S * dt_s
        self.yaw_deg = (self.yaw_deg + min(max(error, -limit), limit)) % 360
