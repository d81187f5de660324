"""The failsafe for a lost ground station: only the heartbeats of the aircraft's own station count."""

from __future__ import annotations

import time

from flights.simulator.params import Parameters

# A ground station beats once in a real second, however fast the simulated time runs.
PATIENCE_REAL_S = 3.0


class StationWatch:
    """Knows when the station named by SYSID_MYGCS was heard last; one that was never heard is not missed."""

    def __init__(self, params: Parameters) -> None:
        self._params = params
        self._heard: tuple[float, float] | None = None
        self._missed = False

    def hear(self, system_id: int, now_s: float) -> None:
        """Takes note of a heartbeat."""
        if system_id == int(self._params["SYSID_MYGCS"]):
            self._heard, self._missed = (now_s, time.monotonic()), False

    def falls_silent(self, now_s: float) -> bool:
        """Whether it is missed now and was not before."""
        if self._params["FS_GCS_ENABLE"] < 1 or self._heard is None or self._missed:
            return False
        limit_s = self._params["FS_GCS_TIMEOUT"]
        silent_s, silent_real_s = now_s - self._heard[0], time.monotonic() - self._heard[1]
        self._missed = silent_s > limit_s and silent_real_s > min(PATIENCE_REAL_S, limit_s)
        return self._missed
