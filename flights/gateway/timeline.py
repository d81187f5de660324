"""One time line through the parts of a flight: the vehicle's own seconds, going on over a change of battery. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

# Reports may overtake each other; what goes back further is another life of the autopilot.
REBOOT_S = 10.0


@dataclass
class Timeline:
    """Seconds that never start again at zero: behind a reboot they go on by the time that passed for us."""

    _shift_s: float = 0.0
    _last: tuple[float, datetime] | None = None

    def at_s(self, boot_ms: int, received_at: datetime) -> float:
        """The time of a report on this line."""
        at_s = boot_ms / 1000 + self._shift_s
        if self._last is not None and at_s < self._last[0] - REBOOT_S:
            last_s, last_at = self._last
            passed_s = max((received_at - last_at).total_seconds(), 1.0)
            self._shift_s += last_s + passed_s - at_s
            at_s = boot_ms / 1000 + self._shift_s
        if self._last is None or at_s >= self._last[0]:
            self._last = at_s, received_at
        return at_s
