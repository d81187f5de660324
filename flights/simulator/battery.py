"""The battery: it empties while the motors turn, faster in wind, and the autopilot watches it."""

from __future__ import annotations

from dataclasses import dataclass

from flights.simulator.params import Parameters

FULL_V = 16.8
EMPTY_V = 13.2
# Share of extra power for each metre per second of wind.
WIND_SHARE = 0.03


@dataclass
class Battery:
    """Charge in percent, and the time it lasts from full in still air.

    An old one gives way under load: `sag_pct` of it cannot be had while the motors carry the aircraft.
    """

    percent: float
    endurance_s: float
    wind_m_s: float
    sag_pct: float = 0.0
    loaded: bool = False

    @property
    def left_pct(self) -> float:
        """What the autopilot takes the charge for."""
        return max(0.0, self.percent - self.sag_pct) if self.loaded else self.percent

    def drain(self, dt_s: float) -> None:
        """Takes `dt_s` of flight out of it."""
        spent = 100 / self.endurance_s * (1 + WIND_SHARE * self.wind_m_s) * dt_s
        self.percent = max(0.0, self.percent - spent)

    @property
    def volts(self) -> float:
        """Voltage, falling evenly with the charge."""
        return EMPTY_V + (FULL_V - EMPTY_V) * self.left_pct / 100

    def amperes(self, capacity_mah: float, armed: bool) -> float:
        """Current drawn now."""
        return capacity_mah * 3.6 / self.endurance_s if armed else 0.5

    def action(self, params: Parameters) -> int:
        """The failsafe that is due: 0 none, else the value of BATT_FS_LOW_ACT or BATT_FS_CRT_ACT."""
        left_mah = self.left_pct / 100 * params["BATT_CAPACITY"]
        if left_mah <= params["BATT_CRT_MAH"]:
            return int(params["BATT_FS_CRT_ACT"])
        if left_mah <= params["BATT_LOW_MAH"]:
            return int(params["BATT_FS_LOW_ACT"])
        return 0
