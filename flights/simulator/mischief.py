"""What goes wrong in the air on purpose: a flight beside its route, places that jump, a battery that gives way."""

from __future__ import annotations

import math
from collections.abc import Callable

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.simulator.airframe import Airframe, Place
from flights.simulator.battery import Battery
from flights.simulator.options import Faults

DRIFT_M_S = 3.0
GLITCH_S = 5.0


class Mischief:
    """Carries out the faults that were asked for; `flight_s` is the time since arming, None on the ground."""

    def __init__(self, faults: Faults, airframe: Airframe, battery: Battery, say: Callable[[int, str], None]) -> None:
        self._faults = faults
        self._airframe = airframe
        self._battery = battery
        self._say = say
        self._off_m = 0.0
        self._glitching = False

    def step(self, dt_s: float, flight_s: float | None, *, follows_route: bool) -> None:
        """Lets `dt_s` pass. The flight drifts only while it follows its route."""
        faults = self._faults
        self._battery.loaded = flight_s is not None and not self._airframe.on_ground
        drifts = follows_route and flight_s is not None and flight_s >= faults.drift_at_s
        wanted_m = faults.drift_m if drifts else 0.0
        if self._off_m != wanted_m:
            limit = DRIFT_M_S * dt_s
            self._off_m += min(max(wanted_m - self._off_m, -limit), limit)
            towards = math.radians(faults.drift_to_deg)
            self._airframe.drift_m = (self._off_m * math.cos(towards), self._off_m * math.sin(towards))
        self._glitch(flight_s)

    def _glitch(self, flight_s: float | None) -> None:
        at_s = self._faults.gps_glitch_at_s
        now = at_s is not None and flight_s is not None and at_s <= flight_s < at_s + GLITCH_S
        if now != self._glitching:
            self._glitching = now
            text = "GPS Glitch or Compass error" if now else "Glitch cleared"
            self._say(mavlink.MAV_SEVERITY_CRITICAL if now else mavlink.MAV_SEVERITY_INFO, text)

    def reported(self, place: Place) -> Place:
        """The place that is told of one where the aircraft is."""
        return place.moved(0.0, self._faults.gps_glitch_m) if self._glitching else place
