"""The numbers by which a flight is judged, each with its unit and where it comes from; printed with every verdict."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

F3548 = "ASTM F3548-21"
POLICY = "platform policy"
PACK = "rule pack"

# name of the field -> (unit, source)
_MEANING = {
    "tolerance_m": ("m", f"{PACK}: flight.deviation_tolerance_m"),
    "conforming_share": ("1", f"{F3548}: OiMinConformancePercent"),
    "longest_excursion_s": ("s", f"{F3548}: OiMaxDurationPerExcursionSeconds"),
    "excursions_per_hour": ("1/h", f"{F3548}: OiMaxExcursionsPerFlightHour; one is allowed in any flight"),
    "recoverable_s": ("s", f"{F3548}: MaxRecoverableTimeInNonconformingStateSeconds"),
    "state_change_s": ("s", f"{F3548}: UserOiStateChangeNotificationMaxSeconds"),
    "debounce_s": ("s", POLICY),
    "stale_s": ("s", POLICY),
    "link_loss_s": ("s", f"{POLICY}: the default of FS_GCS_TIMEOUT"),
    "lost_s": ("s", POLICY),
    "reach_speed_m_s": ("m/s", f"{POLICY}: progress along the route is not believed faster"),
    "time_slack_s": ("s", f"{F3548}: TimeSyncMaxDifferentialSeconds"),
}


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """All limits of one verdict: metres, seconds, shares of one."""

    tolerance_m: float
    conforming_share: float = 0.95
    longest_excursion_s: float = 10.0
    excursions_per_hour: float = 18.0
    recoverable_s: float = 60.0
    state_change_s: float = 5.0
    debounce_s: float = 2.0
    stale_s: float = 2.0
    link_loss_s: float = 5.0
    lost_s: float = 15.0
    reach_speed_m_s: float = 30.0
    time_slack_s: float = 5.0

    def excursions_allowed(self, flown_s: float) -> int:
        """How many excursions a flight of this length may have."""
        return max(1, int(self.excursions_per_hour * flown_s / 3600))

    def render(self) -> list[dict[str, Any]]:
        """The limits as a JSON list: name, value, unit, source."""
        return [
            {"name": one.name, "value": getattr(self, one.name), "unit": unit, "source": source}
            for one in fields(self)
            for unit, source in [_MEANING[one.name]]
        ]
