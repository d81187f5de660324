"""The parameters of the simulated autopilot: names and defaults of ArduCopter 4.6 that matter here."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from pymavlink.dialects.v20 import ardupilotmega as mavlink

# Units are ArduPilot's: cm and cm/s in navigation, metres in the fence, percent and mAh in the battery.
DEFAULTS: dict[str, float] = {
    "SYSID_THISMAV": 1,
    "SYSID_MYGCS": 255,
    "ARMING_CHECK": 1,
    "AUTO_OPTIONS": 0,
    "DISARM_DELAY": 10,
    "FENCE_ENABLE": 0,
    "FENCE_TYPE": 7,
    "FENCE_ACTION": 1,
    "FENCE_ALT_MAX": 100,
    "FENCE_ALT_MIN": -10,
    "FENCE_RADIUS": 300,
    "FENCE_MARGIN": 2,
    "FENCE_TOTAL": 0,
    "FENCE_OPTIONS": 0,
    "RALLY_TOTAL": 0,
    "RALLY_INCL_HOME": 1,
    "FS_GCS_ENABLE": 0,
    "FS_GCS_TIMEOUT": 5,
    "FS_OPTIONS": 16,
    "BATT_CAPACITY": 5200,
    "BATT_LOW_MAH": 1040,
    "BATT_CRT_MAH": 520,
    "BATT_FS_LOW_ACT": 2,
    "BATT_FS_CRT_ACT": 1,
    "RTL_ALT": 1500,
    "RTL_LOIT_TIME": 5000,
    "LAND_SPEED": 50,
    "LAND_ALT_LOW": 1000,
    "WPNAV_SPEED": 1000,
    "WPNAV_SPEED_UP": 250,
    "WPNAV_SPEED_DN": 150,
    "WPNAV_ACCEL": 250,
    "WPNAV_RADIUS": 200,
    "MIS_TOTAL": 0,
    "MIS_RESTART": 0,
    "TERRAIN_ENABLE": 1,
    "CAM1_TYPE": 1,
}
# ArduPilot's upper end of the parameter.
MOST_DISARM_DELAY_S = 127
_READ_ONLY = frozenset({"FENCE_TOTAL", "RALLY_TOTAL", "MIS_TOTAL", "SYSID_THISMAV"})


class Parameters:
    """Named float values with a fixed order, as the parameter protocol needs them."""

    def __init__(self, given: Mapping[str, float] | None = None) -> None:
        self._values = DEFAULTS | dict(given or {})
        self._names = list(self._values)

    def __getitem__(self, name: str) -> float:
        return self._values[name]

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def bit(self, name: str, mask: int) -> bool:
        """Whether a bit of a bitmask is set."""
        return bool(int(self._values[name]) & mask)

    def store(self, name: str, value: float) -> None:
        """Sets a value from inside the autopilot."""
        self._values[name] = value

    def request(self, name: str, value: float) -> None:
        """Sets a value for a ground station; what it does not know or cannot be is passed over."""
        if name in self._values and name not in _READ_ONLY and math.isfinite(value):
            self._values[name] = value

    def name_at(self, index: int) -> str | None:
        """The name at a place in the list, None outside it."""
        return self._names[index] if 0 <= index < len(self._names) else None

    def message(self, name: str) -> mavlink.MAVLink_param_value_message:
        """The value of `name` as PARAM_VALUE."""
        return mavlink.MAVLink_param_value_message(
            name.encode("ascii"),
            self._values[name],
            mavlink.MAV_PARAM_TYPE_REAL32,
            len(self._names),
            self._names.index(name),
        )

    def messages(self) -> Iterator[mavlink.MAVLink_param_value_message]:
        """All values."""
        return (self.message(name) for name in self._names)
