"""What became of a flight as a whole: its deviations, states, excursions and legs, and the verdict. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from flights.conformance.fixes import Bools, Floats
from flights.conformance.reasons import Reason
from flights.conformance.states import STATES, State
from flights.conformance.thresholds import Thresholds
from geo.types import LonLat

if TYPE_CHECKING:
    from flights.conformance.judge import Judge, Judged

# So many intervals of each kind are stored; a record that has more says how many it has.
MAX_LISTED = 200
_CRITERIA = ("recorded", "stayed_inside", "share_conforming", "longest_excursion", "excursions", "recoverable")


@dataclass(frozen=True)
class Worst:
    """The greatest deviation of a kind, and where it was."""

    deviation_m: float
    at_s: float
    place: LonLat
    along_m: float


@dataclass(frozen=True)
class Interval:
    """A time in which the state was the same."""

    state: State
    from_s: float
    to_s: float


@dataclass(frozen=True)
class Excursion:
    """A time out of the published volume that lasted longer than the debounce, and the worst of it."""

    from_s: float
    to_s: float
    cross_track_m: float
    height_off_m: float | None
    place: LonLat
    along_m: float
    reasons: tuple[str, ...]

    @property
    def lasted_s(self) -> float:
        """How long it lasted."""
        return self.to_s - self.from_s


@dataclass(frozen=True)
class Leg:
    """One leg of the line as it was flown: when, and the worst of it; times are None where no fix was on it."""

    number: int
    from_m: float
    to_m: float
    from_s: float | None
    to_s: float | None
    cross_track_m: float | None
    height_off_m: float | None
    fixes: int


@dataclass(frozen=True)
class Report:
    """What became of the route. Deviations and shares count plausible fixes only.

    `lateral` and `vertical` are None where nothing could be judged; `share_inside` is the share of fixes
    inside the published area; `share_flown` how much of the line was flown (within the tolerance);
    `share_conforming` the share of the time in which nothing spoke against the flight.
    """

    fixes: int
    implausible: int
    lateral: Worst | None
    vertical: Worst | None
    share_inside: float
    share_flown: float
    tolerance_m: float
    limits: Thresholds
    share_conforming: float = 0.0
    flown_s: float = 0.0
    states: tuple[Interval, ...] = ()
    excursions: tuple[Excursion, ...] = ()
    gaps: tuple[tuple[float, float], ...] = ()
    segments: tuple[Leg, ...] = ()
    timed: bool = False

    @property
    def stayed_inside(self) -> bool:
        """Whether every fix was inside the published area; the share, once rounded, cannot tell."""
        return self.share_inside == 1.0

    @property
    def is_within(self) -> bool:
        """Whether the flight kept to the route and its area; False when nothing was recorded."""
        if self.lateral is None or not self.stayed_inside:
            return False
        vertical_m = self.vertical.deviation_m if self.vertical else 0.0
        return max(self.lateral.deviation_m, vertical_m) <= self.tolerance_m

    @property
    def failed(self) -> tuple[str, ...]:
        """The criteria of a flight as published that this one did not meet."""
        limits = self.limits
        longest_s = max((one.lasted_s for one in self.excursions), default=0.0)
        met = (
            self.lateral is not None,
            self.stayed_inside,
            self.share_conforming >= limits.conforming_share,
            longest_s <= limits.longest_excursion_s,
            len(self.excursions) <= limits.excursions_allowed(self.flown_s),
            all(one.state is not State.CONTINGENT for one in self.states),
        )
        return tuple(name for name, is_met in zip(_CRITERIA, met, strict=True) if not is_met)

    @property
    def as_published(self) -> bool:
        """The verdict: whether the flight was flown as published, by the limits of ASTM F3548 and the area."""
        return not self.failed

    def render(self) -> dict[str, Any]:
        """The report as a JSON object."""
        return {
            "fixes": self.fixes,
            "implausible": self.implausible,
            "lateral_m": _rounded(self.lateral),
            "vertical_m": _rounded(self.vertical),
            "share_inside": round(self.share_inside, 4),
            "stayed_inside": self.stayed_inside,
            "share_flown": round(self.share_flown, 4),
            "tolerance_m": self.tolerance_m,
            "within": self.is_within,
            "as_published": self.as_published,
            "failed": list(self.failed),
            "share_conforming": round(self.share_conforming, 4),
            "flown_s": round(self.flown_s, 1),
            "timed": self.timed,
            "states": [_plain(one) for one in self.states[:MAX_LISTED]],
            "state_changes": max(0, len(self.states) - 1),
            "excursions": [_plain(one) for one in self.excursions[:MAX_LISTED]],
            "excursion_count": len(self.excursions),
            "gaps": [[round(edge, 3) for edge in gap] for gap in self.gaps[:MAX_LISTED]],
            "gap_count": len(self.gaps),
            "segments": [_plain(one) for one in self.segments[:MAX_LISTED]],
            "thresholds": self.limits.render(),
        }


def report_on(judge: Judge, received: int, judged: Judged) -> Report:
    """The report on the fixes of a whole flight, `received` of which some were not plausible."""
    fixes, limits = judged.fixes, judge.limits
    if not len(fixes):
        return Report(received, received, None, None, 0.0, 0.0, judge.tolerance_m, limits)
    is_out = judged.reasons != 0
    counted_s = _time_of_each(fixes.at_s, limits.link_loss_s)
    flown = fixes.on_route & ((judged.reasons & (Reason.CROSS_TRACK | Reason.LEG | Reason.DIRECTION)) == 0)
    return Report(
        fixes=received,
        implausible=received - len(fixes),
        tolerance_m=judge.tolerance_m,
        limits=limits,
        timed=judge.timetable is not None and bool(np.isfinite(fixes.utc_s).any()),
        lateral=_worst(judged.cross_track_m, judged),
        vertical=_worst(np.abs(judged.height_off_m), judged),
        share_inside=float(np.mean((judged.reasons & Reason.AREA) == 0)),
        share_flown=_share_flown(judge, judged, flown),
        share_conforming=_share(~is_out, counted_s),
        flown_s=float(fixes.at_s[-1] - fixes.at_s[0]),
        states=_intervals(judged),
        excursions=_excursions(judged, is_out, limits),
        gaps=_gaps(fixes.at_s, limits.link_loss_s),
        segments=_legs(judge, judged, flown),
    )


def _time_of_each(at_s: Floats, longest_s: float) -> Floats:
    """How long each fix stands for what happened after it; a gap is nobody's time."""
    until_next: Floats = np.diff(at_s, append=at_s[-1])
    return np.where(until_next < longest_s, until_next, 0.0)


def _share(is_so: Bools, counted_s: Floats) -> float:
    """The share of the time, or of the fixes where they came too seldom to say anything of the time."""
    total_s = float(counted_s.sum())
    return float(counted_s[is_so].sum()) / total_s if total_s > 0 else float(np.mean(is_so))


def _share_flown(judge: Judge, judged: Judged, flown: Bools) -> float:
    """The share of the line that lies within the tolerance of the flown track, leg by leg."""
    if not flown.any():
        return 0.0
    along, beside = judged.along_m[flown], judged.cross_track_m[flown]
    reach = np.sqrt(np.maximum(judge.tolerance_m**2 - beside * beside, 0.0))
    length_m = judge.course.length_m
    low, high = np.clip(along - reach, 0.0, length_m), np.clip(along + reach, 0.0, length_m)
    order = np.argsort(low, kind="stable")
    low, reached = low[order], np.maximum.accumulate(high[order])
    missed = np.maximum(low[1:] - reached[:-1], 0.0).sum()
    return float((reached[-1] - low[0] - missed) / length_m)


def _worst(deviation_m: Floats, judged: Judged) -> Worst | None:
    if np.isnan(deviation_m).all():
        return None
    at, fixes = int(np.nanargmax(deviation_m)), judged.fixes
    place = LonLat(float(fixes.lon[at]), float(fixes.lat[at]))
    return Worst(float(deviation_m[at]), float(fixes.at_s[at]), place, float(judged.along_m[at]))


def _intervals(judged: Judged) -> tuple[Interval, ...]:
    """The states one after another; each lasts until the next begins, the last one until the last fix."""
    codes, at_s = judged.state, judged.fixes.at_s
    starts = np.concatenate([[0], np.flatnonzero(np.diff(codes)) + 1])
    ends_s = np.append(at_s[starts[1:]], at_s[-1])
    return tuple(
        Interval(STATES[code], from_s, to_s)
        for code, from_s, to_s in zip(codes[starts].tolist(), at_s[starts].tolist(), ends_s.tolist(), strict=True)
    )


def _excursions(judged: Judged, is_out: Bools, limits: Thresholds) -> tuple[Excursion, ...]:
    """The times out that lasted; a moment back inside that did not last either does not end one."""
    at_s = judged.fixes.at_s
    turns = np.flatnonzero(is_out[1:] != is_out[:-1]) + 1
    edges = np.concatenate([[0], turns, [len(at_s)]])
    runs = [(int(a), int(b)) for a, b in pairwise(edges) if is_out[a]]
    joined: list[tuple[int, int]] = []
    for first, stop in runs:
        if joined and at_s[first] - at_s[joined[-1][1]] < limits.debounce_s:
            joined[-1] = (joined[-1][0], stop)
        else:
            joined.append((first, stop))
    last = len(at_s) - 1
    lasting = [(a, b) for a, b in joined if at_s[min(b, last)] - at_s[a] >= limits.debounce_s]
    return tuple(_excursion(judged, first, stop) for first, stop in lasting)


def _excursion(judged: Judged, first: int, stop: int) -> Excursion:
    part, fixes = slice(first, stop), judged.fixes
    worst = first + int(np.argmax(judged.cross_track_m[part]))
    heights = np.abs(judged.height_off_m[part])
    return Excursion(
        float(fixes.at_s[first]),
        float(fixes.at_s[min(stop, len(fixes) - 1)]),
        float(judged.cross_track_m[worst]),
        None if np.isnan(heights).all() else float(np.nanmax(heights)),
        LonLat(float(fixes.lon[worst]), float(fixes.lat[worst])),
        float(judged.along_m[worst]),
        Reason(int(np.bitwise_or.reduce(judged.reasons[part]))).words(),
    )


def _gaps(at_s: Floats, longest_s: float) -> tuple[tuple[float, float], ...]:
    silent = np.flatnonzero(np.diff(at_s) >= longest_s)
    return tuple((float(at_s[place]), float(at_s[place + 1])) for place in silent)


def _legs(judge: Judge, judged: Judged, flown: Bools) -> tuple[Leg, ...]:
    starts = judge.course.start_m
    ends = starts + judge.course.leg_m
    on = np.flatnonzero(flown)
    leg = np.clip(np.searchsorted(starts, judged.along_m[on], side="right") - 1, 0, len(starts) - 1)
    at_s, beside = judged.fixes.at_s[on], judged.cross_track_m[on]
    height = np.nan_to_num(np.abs(judged.height_off_m[on]), nan=-1.0)
    count = np.bincount(leg, minlength=len(starts))
    first, last = np.full(len(starts), np.inf), np.full(len(starts), -np.inf)
    worst, highest = np.full(len(starts), -1.0), np.full(len(starts), -1.0)
    np.minimum.at(first, leg, at_s)
    np.maximum.at(last, leg, at_s)
    np.maximum.at(worst, leg, beside)
    np.maximum.at(highest, leg, height)
    return tuple(
        Leg(
            n + 1,
            float(starts[n]),
            float(ends[n]),
            float(first[n]) if count[n] else None,
            float(last[n]) if count[n] else None,
            float(worst[n]) if count[n] else None,
            float(highest[n]) if highest[n] >= 0 else None,
            int(count[n]),
        )
        for n in range(len(starts))
    )


def _rounded(worst: Worst | None) -> float | None:
    return None if worst is None else round(worst.deviation_m, 2)


def _plain(one: Interval | Excursion | Leg) -> dict[str, Any]:
    """A part of the report as JSON: seconds to the millisecond, metres to the centimetre."""
    plain: dict[str, Any] = {}
    for name, value in vars(one).items():
        if isinstance(value, LonLat):
            plain["place"] = [round(value.lon, 7), round(value.lat, 7)]
        elif isinstance(value, float):
            plain[name] = round(value, 3 if name.endswith("_s") else 2)
        else:
            plain[name] = list(value) if isinstance(value, tuple) else value
    return plain
