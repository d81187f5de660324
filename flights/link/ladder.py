"""The abort ladder on the line: pause, go on, return, land; each believed only when the vehicle shows it.

Each order is matched to its own acknowledgement, and after that the heartbeat has to show the mode (or the
position that the aircraft stands still): an acknowledgement alone proves nothing. Termination of the flight is
no rung; nothing here stops motors in the air. Whoever took the aircraft over by hand keeps it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from pymavlink.dialects.v20 import ardupilotmega as mavlink

from flights.link.commands import NAMES as COMMANDS
from flights.link.errors import VehicleRefused
from flights.link.modes import MODES
from flights.link.vehicle import VehicleLink

# In the vehicle's own time: a mode shows within two heartbeats; an aircraft brakes from 15 m/s within 6 s.
MODE_SHOWS_S = 6.0
STANDS_WITHIN_S = 10.0
STANDS_M_S = 1.0
_ON = float(mavlink.MAV_MODE_FLAG_CUSTOM_MODE_ENABLED)
PAUSE = mavlink.MAV_CMD_DO_PAUSE_CONTINUE


@dataclass(frozen=True)
class Rung:
    """What was ordered, the command that brought it about, how often it was sent, and the mode afterwards."""

    order: str
    by: str
    tries: int
    took_s: float
    mode: str


class Ladder:
    """Orders to one flying vehicle.

    Every method raises VehicleRefused (`vehicle.pilot_has_control` where the pilot took over, before anything is
    sent; `link.command_refused`, `link.command_timeout`, `vehicle.order_without_effect`) or LinkLost.
    """

    def __init__(self, link: VehicleLink) -> None:
        self._link = link
        self._paused_in_auto = False

    @property
    def pilot_took_over(self) -> bool:
        """Whether the vehicle flies in a mode that neither we nor its own failsafes chose."""
        return self._link.modes.pilot_took_over

    def pause(self) -> Rung:
        """Stops the aircraft in the air: within the mission where the firmware can, else by BRAKE or LOITER."""
        self._require_control()
        with contextlib.suppress(VehicleRefused):
            rung = self._order("pause", PAUSE, 0.0, shown=self._stands, within_s=STANDS_WITHIN_S)
            self._paused_in_auto = True
            return rung
        try:
            return self._change("pause", "BRAKE")
        except VehicleRefused:
            return self._change("pause", "LOITER")

    def go_on(self) -> Rung:
        """Goes on with the mission where it was left; it is the same mission, and nothing is uploaded."""
        self._require_control()
        if self._paused_in_auto and self._in("AUTO"):
            rung = self._order("continue", PAUSE, 1.0, shown=lambda: self._in("AUTO"))
        else:
            rung = self._change("continue", "AUTO")
        self._paused_in_auto = False
        return rung

    def return_home(self) -> Rung:
        """Flies home and lands there (RTL)."""
        return self._homeward("return", mavlink.MAV_CMD_NAV_RETURN_TO_LAUNCH, "RTL")

    def land(self) -> Rung:
        """Lands where the aircraft is; the last rung, for there is no saying what it lands on."""
        return self._homeward("land", mavlink.MAV_CMD_NAV_LAND, "LAND")

    def _homeward(self, order: str, command: int, mode: str) -> Rung:
        self._require_control()
        try:
            return self._order(order, command, shown=lambda: self._in(mode))
        except VehicleRefused:
            # Some firmware takes the order as a mode only.
            return self._change(order, mode)

    # -- one order ----------------------------------------------------------------------------------

    def _change(self, order: str, mode: str) -> Rung:
        number = float(MODES[mode])
        return self._order(order, mavlink.MAV_CMD_DO_SET_MODE, _ON, number, shown=lambda: self._in(mode))

    def _order(
        self, order: str, command: int, *params: float, shown: Callable[[], bool], within_s: float = MODE_SHOWS_S
    ) -> Rung:
        answer = self._link.commands.run(command, *params)
        self._link.wait(shown, within_s, "vehicle.order_without_effect")
        return Rung(order, COMMANDS[command], answer.tries, round(answer.took_s, 3), self._link.modes.name)

    def _in(self, mode: str) -> bool:
        return self._link.modes.current == MODES[mode]

    def _stands(self) -> bool:
        return self._in("AUTO") and self._link.telemetry.ground_speed_m_s < STANDS_M_S

    def _require_control(self) -> None:
        if self.pilot_took_over:
            raise VehicleRefused.because("vehicle.pilot_has_control", measured=self._link.modes.name)
