"""What a vehicle is told for a flight, and how its reports are judged; values only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from flights.conformance import Fix
from flights.link.fence import BuiltFence
from flights.link.sequence import Orders
from flights.link.telemetry import Sample
from flights.mission import Mission
from flights.model import Command, Fence, PlanItem
from flights.path.track import Ground
from geo import measure
from geo.types import LonLat

# How far above the highest point of the mission the fence turns the aircraft back.
FENCE_ALT_MARGIN_M = 20.0
FENCE_RADIUS_MARGIN_M = 500.0
# A flight may take this many times as long as its way says, for wind, and as much again for settling.
PATIENCE = 2.0
SETTLING_S = 900.0
USUAL_SPEED_M_S = 10.0
# ArduCopter comes down with 1.5 m/s (WPNAV_SPEED_DN), and the last ten metres with 0.5 m/s (LAND_SPEED).
DESCENT_M_S = 1.0
# Nothing is begun below this, however short it is; where the endurance is not known it is all that can be asked.
LEAST_BATTERY_PCT = 30.0


def orders_of(
    mission: Mission, fence: BuiltFence | Fence, *, endurance_min: float | None = None, reserve_share: float = 0.0
) -> Orders:
    """The orders that fly `mission` inside `fence`; the proof of a built one goes with them into the record.

    `endurance_min` is how long the aircraft flies on a full battery, `reserve_share` what must be left of it.
    """
    proof = fence.proof if isinstance(fence, BuiltFence) else None
    fence = fence.fence if isinstance(fence, BuiltFence) else fence
    places = [mission.home.at, *(item.at for item in mission.items if item.at), mission.home.at]
    legs_m = [measure.distance_m(*pair) for pair in pairwise(places)]
    furthest_m = max(measure.distance_m(mission.home.at, place) for place in places)
    speed_m_s = mission.speed_mps or USUAL_SPEED_M_S
    return Orders(
        mission=[item.wire() for item in mission.items],
        fence=[item.wire() for item in fence.items],
        fence_alt_max_m=max(item.alt_m or 0.0 for item in mission.items) + FENCE_ALT_MARGIN_M,
        fence_radius_m=round(furthest_m + FENCE_RADIUS_MARGIN_M),
        home=mission.home.at,
        fence_proof=proof,
        longest_s=PATIENCE * sum(legs_m) / speed_m_s + SETTLING_S,
        battery_pct=_battery_pct(sum(legs_m) / speed_m_s, endurance_min, reserve_share),
        endurance_s=None if endurance_min is None else endurance_min * 60.0,
        speed_m_s=speed_m_s,
    )


def way_home_pct(orders: Orders, away_m: float, height_m: float) -> float:
    """What the way home and down takes of a full battery; 0 where it is not known how long the aircraft flies."""
    if not orders.endurance_s or not orders.speed_m_s:
        return 0.0
    return 100.0 * (away_m / orders.speed_m_s + max(height_m, 0.0) / DESCENT_M_S) / orders.endurance_s


def _battery_pct(flown_s: float, endurance_min: float | None, reserve_share: float) -> float:
    """What a flight takes of a full battery, with what must be left of it."""
    if endurance_min is None:
        return LEAST_BATTERY_PCT
    needed = flown_s / (endurance_min * 60.0) + reserve_share
    return min(max(100.0 * needed, LEAST_BATTERY_PCT), 100.0)


@dataclass(frozen=True)
class RouteSpan:
    """The items during which the aircraft is on its route: above `after`, up to `last` (numbered from 1)."""

    after: int
    last: int

    @classmethod
    def of(cls, items: Sequence[PlanItem]) -> RouteSpan:
        """From where the camera is switched on to where it is switched off, as routes are compiled."""
        camera = [n for n, item in enumerate(items, 1) if item.command is Command.DO_SET_CAM_TRIGG_DIST]
        return cls(camera[0] - 1, camera[-1] - 1) if camera else cls(1, len(items))

    def covers(self, seq: int) -> bool:
        """Whether the aircraft is on its route while it flies item `seq`."""
        return self.after < seq <= self.last


class Fixes:
    """Makes fixes of reports. Heights above ground come from the height above home and the terrain.

    A barometer's height above home is good to a metre or two; a satellite receiver's height above the sea is not.
    """

    def __init__(self, span: RouteSpan, home: LonLat, ground: Ground) -> None:
        self._span = span
        self._ground = ground
        self._home_m = self._height_m(home.lon, home.lat)

    def of(self, sample: Sample, at_s: float | None = None) -> Fix:
        """The fix that a report stands for; `at_s` is its time where that is not the vehicle's since boot."""
        ground_m = self._height_m(sample.lon, sample.lat)
        return Fix(
            at_s=sample.boot_ms / 1000 if at_s is None else at_s,
            lon=sample.lon,
            lat=sample.lat,
            alt_agl_m=sample.alt_rel_home_m + self._home_m - ground_m,
            speed_m_s=sample.ground_speed_m_s,
            on_route=self._span.covers(sample.mission_seq),
            utc_s=sample.received_at.timestamp(),
        )

    def _height_m(self, lon: float, lat: float) -> float:
        return float(self._ground.heights_m(np.array([lon]), np.array([lat]))[0])
