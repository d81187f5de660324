"""AUTO: the stored mission, item by item."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.simulator.airframe import Airframe, Place, Wish
from flights.simulator.params import Parameters
from flights.simulator.steering import Leg, Steering
from flights.simulator.storage import Stored, is_placed

TAKEOFF = mavlink.MAV_CMD_NAV_TAKEOFF
RETURN = mavlink.MAV_CMD_NAV_RETURN_TO_LAUNCH
LAND = mavlink.MAV_CMD_NAV_LAND
LOITER_FOR_EVER = mavlink.MAV_CMD_NAV_LOITER_UNLIM
LOITER_TIME = mavlink.MAV_CMD_NAV_LOITER_TIME
FLOWN = frozenset(
    {
        TAKEOFF,
        RETURN,
        LAND,
        LOITER_FOR_EVER,
        LOITER_TIME,
        mavlink.MAV_CMD_NAV_WAYPOINT,
        mavlink.MAV_CMD_NAV_SPLINE_WAYPOINT,
        mavlink.MAV_CMD_NAV_DELAY,
    }
)
# A corner is flown at full speed when it is gentler than this.
GENTLE_TURN_DEG = 10.0
MAX_JUMPS_AT_ONCE = 100


class Ground(Protocol):
    """What the mission asks of the world around it."""

    @property
    def has_terrain(self) -> bool:
        """Whether there is an elevation model on board."""
        ...

    def ground_m(self, lat: float, lon: float) -> float:
        """Height of the ground above mean sea level."""
        ...


@dataclass
class Camera:
    """The camera as the mission commands it: metres between two pictures, 0 for none."""

    every_m: float = 0.0
    now: bool = False


class MissionRun:
    """Runs the items of a mission. `on_reached` hears the number of every flown item.

    `returning` and `landing` tell the autopilot to go home or down, which it does the same way in every
    mode.
    """

    def __init__(
        self,
        airframe: Airframe,
        params: Parameters,
        ground: Ground,
        home: Place,
        on_reached: Callable[[int], None],
    ) -> None:
        self.seq = 0
        self.complete = False
        self.returning = False
        self.landing: Place | None = None
        self.camera = Camera()
        self._airframe = airframe
        self._steering = Steering(airframe, params)
        self._params = params
        self._ground = ground
        self._home = home
        self._on_reached = on_reached
        self._items: list[Stored] = []
        self._leg: Leg | None = None
        self._speed_m_s = 0.0
        self._wait_until_s = 0.0
        self._jumps: dict[int, int] = {}

    def load(self, items: list[Stored]) -> None:
        """Takes a new mission over; place 0 is the home and is not flown."""
        self._items = list(items)
        self.seq, self.complete = 0, False

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to fly."""
        return len(self._items) < 2

    @property
    def needs_terrain(self) -> bool:
        """Whether a height in it is above the ground, wherever that is."""
        return any(item.frame == mavlink.MAV_FRAME_GLOBAL_TERRAIN_ALT for item in self._items)

    @property
    def total(self) -> int:
        """Number of items, home included."""
        return len(self._items)

    def rewind(self, seq: int = 1) -> bool:
        """Lets the next start begin at `seq`; False when there is no such item."""
        if not 1 <= seq < len(self._items):
            return False
        self.seq, self.complete, self._jumps = seq, False, {}
        return True

    @property
    def starts_with_takeoff(self) -> bool:
        """Whether the item that is flown next is a take-off; from the ground nothing else is."""
        restarts = self.complete or self._params["MIS_RESTART"] >= 1
        onward = self._items[1 if restarts else max(self.seq, 1) :]
        flown = next((item for item in onward if item.command in FLOWN), None)
        return flown is not None and flown.command == TAKEOFF

    def obey(self, item: Stored) -> None:
        """Carries out an order that is none to fly, as a command outside the mission."""
        self._obey(item)

    def start(self, now_s: float) -> None:
        """Starts, or starts again where it was left."""
        self._speed_m_s = self._params["WPNAV_SPEED"] / 100
        self.returning, self.landing = False, None
        if self.complete or self.seq == 0 or self._params["MIS_RESTART"] >= 1:
            self.rewind()
        self._begin(self.seq, now_s)

    def step(self, now_s: float) -> Wish:
        """The wished velocity for the present item; goes on to the next one when it is done."""
        if self._is_active and self._is_done(self._items[self.seq], now_s):
            self._on_reached(self.seq)
            self._begin(self.seq + 1, now_s)
        if not self._is_active or self._leg is None:
            return self._steering.hold(self._airframe.believed)
        if self._wait_until_s > 0:
            return self._steering.hold(self._leg.end)
        return self._steering.along(self._leg)

    @property
    def _is_active(self) -> bool:
        return not (self.complete or self.returning or self.landing is not None)

    # -- going on -----------------------------------------------------------------------------------

    def _begin(self, seq: int, now_s: float) -> None:
        """Carries out orders from `seq` on until an item has to be flown."""
        jumps = 0
        while seq < len(self._items):
            item = self._items[seq]
            if item.command in FLOWN:
                self.seq = seq
                self._fly(item, now_s)
                return
            if item.command == mavlink.MAV_CMD_DO_JUMP and jumps < MAX_JUMPS_AT_ONCE:
                jumps += 1
                seq = self._jump(seq, item)
                continue
            self._obey(item)
            seq += 1
        self.seq = max(0, len(self._items) - 1)
        self.complete = True

    def _jump(self, seq: int, item: Stored) -> int:
        target, times = int(item.params[0]), int(item.params[1])
        done = self._jumps.get(seq, 0)
        if not 1 <= target < len(self._items) or 0 <= times <= done:
            return seq + 1
        self._jumps[seq] = done + 1
        return target

    def _obey(self, item: Stored) -> None:
        if item.command == mavlink.MAV_CMD_DO_CHANGE_SPEED and item.params[1] > 0:
            self._speed_m_s = item.params[1]
            if self._leg is not None:
                self._leg = replace(self._leg, speed_m_s=self._speed_m_s)
        elif item.command == mavlink.MAV_CMD_DO_SET_CAM_TRIGG_DIST:
            self.camera.every_m = max(0.0, item.params[0])
            self.camera.now = self.camera.now or bool(item.params[2])
        elif item.command in (mavlink.MAV_CMD_DO_DIGICAM_CONTROL, mavlink.MAV_CMD_IMAGE_START_CAPTURE):
            self.camera.now = True

    def _fly(self, item: Stored, now_s: float) -> None:
        self._wait_until_s = 0.0
        self._leg = None
        here = self._airframe.believed
        if item.command == RETURN:
            self.returning = True
        elif item.command == LAND:
            over = self._place(item) if item.x or item.y else here
            self.landing = Place(over.lat, over.lon, here.amsl_m)
        elif item.command == TAKEOFF:
            self._leg = Leg(here, Place(here.lat, here.lon, self._place(item).amsl_m), self._speed_m_s)
        elif item.command == mavlink.MAV_CMD_NAV_DELAY:
            self._wait_until_s = now_s + max(0.0, item.params[0])
        else:
            end = self._place(item)
            self._leg = Leg(here, end, self._speed_m_s, self._corner_speed(here, end))

    def _place(self, item: Stored) -> Place:
        """Where an item lies; without coordinates it is meant for where the aircraft is."""
        here = self._airframe.believed
        lat, lon = (item.x / 1e7, item.y / 1e7) if item.x or item.y else (here.lat, here.lon)
        if item.frame == mavlink.MAV_FRAME_GLOBAL_RELATIVE_ALT:
            return Place(lat, lon, self._home.amsl_m + item.z)
        if item.frame == mavlink.MAV_FRAME_GLOBAL_TERRAIN_ALT:
            return Place(lat, lon, self._ground.ground_m(lat, lon) + item.z)
        return Place(lat, lon, item.z)

    def _corner_speed(self, here: Place, end: Place) -> float:
        """How fast the end of a leg may be passed, from the turn that follows there."""
        following = next(
            (
                item
                for item in self._items[self.seq + 1 :]
                if item.command in FLOWN and (is_placed(item.command) or item.command == RETURN)
            ),
            None,
        )
        waits = self._items[self.seq].params[0] > 0 or self._items[self.seq].command in (
            LOITER_FOR_EVER,
            LOITER_TIME,
        )
        if following is None or waits or following.command in (RETURN, LAND, TAKEOFF):
            return 0.0
        turn = _turn_deg(here.offset_m(end), end.offset_m(self._place(following)))
        return self._speed_m_s if turn <= GENTLE_TURN_DEG else 0.0

    def _is_done(self, item: Stored, now_s: float) -> bool:
        if item.command == LOITER_FOR_EVER:
            self._wait_until_s = math.inf if self._at_end() else self._wait_until_s
            return False
        if item.command == mavlink.MAV_CMD_NAV_DELAY:
            return now_s >= self._wait_until_s
        if self._leg is None or not self._at_end():
            return False
        if item.command == TAKEOFF or item.params[0] <= 0:
            return True
        if self._wait_until_s == 0.0:
            self._wait_until_s = now_s + item.params[0]
        return now_s >= self._wait_until_s

    def _at_end(self) -> bool:
        """Whether the present leg is flown; a corner passed at speed only has to be passed."""
        leg = self._leg
        if leg is None:
            return False
        if leg.end_speed_m_s > 0 or self._wait_until_s > 0:
            return self._wait_until_s > 0 or self._steering.has_passed(leg)
        return self._steering.has_arrived(leg.end)


def _turn_deg(first: tuple[float, float], second: tuple[float, float]) -> float:
    one, two = math.atan2(first[1], first[0]), math.atan2(second[1], second[0])
    return abs((math.degrees(two - one) + 180) % 360 - 180)
