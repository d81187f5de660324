"""The same judgement while the flight goes on: one fix at a time, and the silence between them. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

from flights.conformance.fixes import Fix
from flights.conformance.judge import Judge, Thread
from flights.conformance.reasons import Reason
from flights.conformance.states import STATES, State, silence


@dataclass(frozen=True)
class Standing:
    """Where a flight stands: its state since when, and the newest numbers.

    `along_m` is the arc length along the route, `cross_track_m` the distance beside it, `height_off_m` how far above
    (below: negative) the published height, None where that is not known or not asked. `reasons` are the words of
    `Reason`, and of silence: stale, link_loss, lost; implausible where a report cannot be and was not used.
    `changed` says whether the state is another than before.
    """

    state: State
    along_m: float
    cross_track_m: float
    height_off_m: float | None
    reasons: tuple[str, ...]
    changed: bool
    since_s: float


class Monitor:
    """Follows one flight. Times are those of the fixes.

    `along_m` is where a flight that goes on has come to, and `seen_s` when it was there.
    """

    def __init__(self, judge: Judge, *, along_m: float = 0.0, seen_s: float | None = None) -> None:
        self._judge = judge
        self._thread = Thread()
        self._thread.progress.along_m, self._thread.progress.seen_s = along_m, seen_s
        self._standing = Standing(State.ACCEPTED, along_m, 0.0, None, (), changed=False, since_s=0.0)

    @property
    def standing(self) -> Standing:
        """What was told last."""
        return self._standing

    def take(self, fix: Fix) -> Standing:
        """Takes the next fix."""
        found = self._judge.one(fix, self._thread)
        if found is None:
            return self._stand(self._standing.state, ("implausible",))
        return self._stand(
            STATES[found.state],
            Reason(found.reasons).words() if found.reasons else (),
            along_m=found.along_m,
            cross_track_m=found.cross_track_m,
            height_off_m=None if math.isnan(found.height_off_m) else found.height_off_m,
        )

    def silence(self, at_s: float) -> Standing:
        """Notes that no fix has come until `at_s`."""
        memory, limits = self._thread.memory, self._judge.limits
        silence(memory, at_s, limits)
        age_s = 0.0 if memory.heard_s is None else at_s - memory.heard_s
        words = {"stale": limits.stale_s, "link_loss": limits.link_loss_s, "lost": limits.lost_s}
        return self._stand(memory.state, tuple(word for word, after_s in words.items() if age_s >= after_s))

    def end(self, at_s: float) -> Standing:
        """The aircraft is down: what comes now is no longer judged."""
        memory = self._thread.memory
        memory.state, memory.since_s = State.ENDED, at_s
        return self._stand(State.ENDED, ())

    def _stand(
        self,
        state: State,
        reasons: tuple[str, ...],
        *,
        along_m: float | None = None,
        cross_track_m: float | None = None,
        height_off_m: float | None = None,
    ) -> Standing:
        last, is_new = self._standing, along_m is not None
        self._standing = Standing(
            state,
            last.along_m if along_m is None else along_m,
            last.cross_track_m if cross_track_m is None else cross_track_m,
            height_off_m if is_new else last.height_off_m,
            reasons,
            changed=state is not last.state,
            since_s=self._thread.memory.since_s,
        )
        return self._standing
