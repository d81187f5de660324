"""What else is wrong with a line while a flight is led: foreign frames, places that cannot be, a clock to doubt.

Nothing is decided by it. Every finding is an event of the flight, counted ones at the third and then at every
tenfold, so that a flood of faults makes no flood of events.
"""

from __future__ import annotations

from flights.gateway.sortie import Sortie
from flights.gateway.told import EventKind
from flights.link.clocks import Doubt
from flights.link.connection import ALARM_AFTER, ALARM_EACH, Alarm


class LineWatch:
    """Watches one line from its start to its end."""

    def __init__(self, sortie: Sortie) -> None:
        self._sortie = sortie
        self._implausible = 0
        self._told_at = ALARM_AFTER
        self._doubts: frozenset[Doubt] = frozenset()
        sortie.link.connection.on_alarm(self._alarm)

    def implausible(self) -> None:
        """Takes note of a position that cannot be and was not used."""
        self._implausible += 1
        if self._implausible == self._told_at:
            self._told_at *= ALARM_EACH
            self._say("implausible", count=self._implausible)

    def clock(self) -> None:
        """Tells what is newly doubted of the vehicle's clock."""
        standing = self._sortie.link.clock.standing
        if standing.doubts != self._doubts:
            self._doubts = standing.doubts
            self._say("clock", **standing.render())

    def _alarm(self, alarm: Alarm) -> None:
        """Frames that should not have come; in the reading thread."""
        source = f"{alarm.system}/{alarm.component}" if alarm.system else None
        self._say("alarm", reason=str(alarm.reason), count=alarm.count, source=source)

    def _say(self, stage: str, **facts: object) -> None:
        self._sortie.store.event(EventKind.LINK, {"stage": stage, **facts})
