"""The states of ASTM F3548: what a stretch of reports, in or out of the published volume, makes of a flight."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flights.conformance.fixes import Bools, Floats
from flights.conformance.thresholds import Thresholds

Codes = NDArray[np.int8]


class State(StrEnum):
    """The words of ASTM F3548 for a flight: agreed; under way; out for a moment; out for good; over."""

    ACCEPTED = "accepted"
    ACTIVATED = "activated"
    NONCONFORMING = "nonconforming"
    CONTINGENT = "contingent"
    ENDED = "ended"


STATES = tuple(State)
_ACTIVATED, _NONCONFORMING, _CONTINGENT = (
    STATES.index(state) for state in (State.ACTIVATED, State.NONCONFORMING, State.CONTINGENT)
)


@dataclass
class Memory:
    """What of a flight so far its next state depends on; times are those of the reports."""

    state: State = State.ACCEPTED
    since_s: float = 0.0
    is_out: bool = False
    edge_s: float = 0.0
    heard_s: float | None = None


class Stretch(NamedTuple):
    """The reports from `first` up to, not including, `stop`: all in or all out, with no silence between them."""

    first: int
    stop: int


def advance(memory: Memory, at_s: Floats, is_out: Bools, limits: Thresholds) -> Codes:
    """The state at each report (index into `STATES`); moves `memory` on.

    A state changes at a report, when what speaks for the change has lasted for the debounce; what has not come
    back within the recoverable time, or has been silent until it counts as lost, is contingent until it ends.
    """
    codes = np.empty(len(at_s), np.int8)
    for stretch in _stretches(at_s, is_out, limits.lost_s):
        times = at_s[stretch.first : stretch.stop]
        first_s = float(times[0])
        silence(memory, first_s, limits)
        memory.heard_s = float(times[-1])
        if memory.state is State.ACCEPTED:
            memory.state, memory.since_s, memory.is_out, memory.edge_s = State.ACTIVATED, first_s, False, first_s
        if memory.is_out != bool(is_out[stretch.first]):
            memory.is_out, memory.edge_s = not memory.is_out, first_s
        codes[stretch.first : stretch.stop] = _stretch(memory, times, limits)
    return codes


def silence(memory: Memory, at_s: float, limits: Thresholds) -> None:
    """Notes that nothing was heard until `at_s`."""
    if memory.heard_s is None or memory.state in (State.CONTINGENT, State.ENDED):
        return
    if at_s - memory.heard_s >= limits.lost_s:
        memory.state, memory.since_s = State.CONTINGENT, at_s


def _stretch(memory: Memory, times: Floats, limits: Thresholds) -> Codes:
    codes = np.full(len(times), STATES.index(memory.state), np.int8)
    settled = int(np.searchsorted(times, memory.edge_s + limits.debounce_s))
    if memory.state is State.ACTIVATED and memory.is_out and settled < len(times):
        memory.state, memory.since_s = State.NONCONFORMING, float(times[settled])
        codes[settled:] = _NONCONFORMING
    if memory.state is not State.NONCONFORMING:
        return codes
    given_up = int(np.searchsorted(times, memory.since_s + limits.recoverable_s))
    if not memory.is_out and settled <= given_up and settled < len(times):
        memory.state, memory.since_s = State.ACTIVATED, float(times[settled])
        codes[settled:] = _ACTIVATED
    elif given_up < len(times):
        memory.state, memory.since_s = State.CONTINGENT, float(times[given_up])
        codes[given_up:] = _CONTINGENT
    return codes


def _stretches(at_s: Floats, is_out: Bools, lost_s: float) -> list[Stretch]:
    if len(at_s) < 2:
        return [Stretch(0, 1)] * len(at_s)
    breaks = np.flatnonzero((is_out[1:] != is_out[:-1]) | (np.diff(at_s) >= lost_s)) + 1
    edges = [0, *breaks.tolist(), len(at_s)]
    return [Stretch(first, stop) for first, stop in pairwise(edges)]
