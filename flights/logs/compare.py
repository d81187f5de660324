"""Where two records of one flight disagree: what one of them lost, their clocks, glitches, heights, verdicts. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

SEARCH_S = 120.0
"""Clocks are looked for this far apart."""
GLITCH_M = 10.0
"""Two receivers of one position differ by less; what is further apart is a fault of one of them."""

_COARSE_S, _FINE_S = 0.5, 0.01
_MOST = 4_000
_LISTED = 100
# Below this movement a track says nothing about time.
_MOVED_M = 20.0
_DEGREE_M = 111_195.0


@dataclass(frozen=True)
class TrackLine:
    """One record of a flight: Unix seconds, place, height above ground, speed; name says where it comes from."""

    name: str
    t: Floats
    lon: Floats
    lat: Floats
    alt_agl_m: Floats
    state: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.t)


@dataclass(frozen=True)
class Difference:
    """A stretch of time, in the first record's clock, in which two records differ, and by how much at most."""

    kind: str
    from_s: float
    to_s: float
    most: float


@dataclass(frozen=True)
class Comparison:
    """Two records of one flight, laid over each other.

    `clock_offset_s` is what the second one's clock is ahead of the first one's, None where the tracks cannot say;
    `rms_m` is how well they fit then. `samples` are the positions of both in the time that both cover, `lost` those
    that the one with fewer does not have. Height differences are second less first.
    """

    first: str
    second: str
    clock_offset_s: float | None
    rms_m: float | None
    overlap_s: float
    samples: tuple[int, int]
    lost: int
    height_median_m: float | None
    height_most_m: float | None
    state_differs_s: float
    differences: tuple[Difference, ...]
    verdicts: dict[str, list[Any]]

    @property
    def agree(self) -> bool:
        """Whether both come to the same verdict and no place differs by more than a glitch; strangers never agree."""
        return min(self.samples) > 0 and not self.verdicts and not any(one.kind == "glitch" for one in self.differences)

    def render(self) -> dict[str, Any]:
        """The comparison as JSON."""
        plain = asdict(self)
        return {name: _rounded(value) for name, value in plain.items()} | {"agree": self.agree}


def compare(
    first: TrackLine, second: TrackLine, reports: tuple[Mapping[str, Any], Mapping[str, Any]] | None = None
) -> Comparison:
    """Lays two records of one flight over each other; `reports` are the verdicts on them, as rendered."""
    offset_s, rms_m = clock_offset(first, second)
    shift = offset_s or 0.0
    base = second.t - shift
    start, end = max(first.t[0], base[0]), min(first.t[-1], base[-1])
    inside = (first.t >= start) & (first.t <= end)
    samples = int(inside.sum()), int(((base >= start) & (base <= end)).sum())
    found: list[Difference] = _gaps(first.name, first.t) + _gaps(second.name, base)
    height_off = np.empty(0)
    differs_s = 0.0
    if samples[0] and samples[1]:
        at, place = first.t[inside], np.flatnonzero(inside)
        apart_m = _apart(first, second, base, place)
        found += _stretches("glitch", at, apart_m, apart_m > GLITCH_M)
        height_off = np.interp(at, base, second.alt_agl_m) - first.alt_agl_m[place]
        height_off[np.isnan(height_off)] = np.nan
        found += _stretches("height", at, np.abs(height_off), np.abs(height_off) > GLITCH_M)
        nearest = np.clip(np.searchsorted(base, at), 0, len(base) - 1)
        known = (first.state[place] >= 0) & (second.state[nearest] >= 0)
        other = known & (first.state[place] != second.state[nearest])
        found += _stretches("state", at, other.astype(float), other)
        differs_s = sum(one.to_s - one.from_s for one in found if one.kind == "state")
    heights = height_off[~np.isnan(height_off)]
    return Comparison(
        first.name,
        second.name,
        offset_s,
        rms_m,
        max(0.0, float(end - start)),
        samples,
        abs(samples[0] - samples[1]),
        float(np.median(heights)) if len(heights) else None,
        float(np.abs(heights).max()) if len(heights) else None,
        float(differs_s),
        tuple(sorted(found, key=lambda one: one.from_s)),
        _verdicts(reports),
    )


def clock_offset(first: TrackLine, second: TrackLine) -> tuple[float | None, float | None]:
    """By how much the second record's clock is ahead, and how well the tracks fit then (root mean square, m).

    The offset at which the tracks lie closest is where their cross-correlation is greatest: it is looked for in
    half seconds, then in hundredths. None where one of them did not move, or they share too little time.
    """
    if min(len(first), len(second)) < 3 or min(_extent_m(first), _extent_m(second)) < _MOVED_M:
        return None, None
    coarse = np.arange(-SEARCH_S, SEARCH_S + _COARSE_S, _COARSE_S)
    misfits = [_misfit(first, second, offset) for offset in coarse]
    if not np.isfinite(misfits).any():
        return None, None
    best = coarse[int(np.nanargmin(misfits))]
    fine = np.arange(best - _COARSE_S, best + _COARSE_S, _FINE_S)
    misfits = [_misfit(first, second, offset) for offset in fine]
    at = int(np.nanargmin(misfits))
    return round(float(fine[at]), 2), round(float(misfits[at]), 2)


def _misfit(first: TrackLine, second: TrackLine, offset_s: float) -> float:
    """The median distance of the tracks at this offset; NaN where they share less than half of the shorter one."""
    step = max(1, len(first) // _MOST)
    at = first.t[::step]
    base = second.t - offset_s
    inside = (at >= base[0]) & (at <= base[-1])
    shorter_s = min(first.t[-1] - first.t[0], second.t[-1] - second.t[0])
    if inside.sum() < 3 or min(at[-1], base[-1]) - max(at[0], base[0]) < shorter_s / 2:
        return float("nan")
    place = np.flatnonzero(inside) * step
    apart = _apart(first, second, base, place)
    # Glitches must not move the clock: the furthest tenth is left out.
    kept = np.sort(apart)[: max(3, int(0.9 * len(apart)))]
    return float(np.sqrt(np.mean(kept * kept)))


def _apart(first: TrackLine, second: TrackLine, base: Floats, place: NDArray[np.int64]) -> Floats:
    at = first.t[place]
    lon, lat = np.interp(at, base, second.lon), np.interp(at, base, second.lat)
    east_m = (lon - first.lon[place]) * _DEGREE_M * np.cos(np.radians(lat))
    apart: Floats = np.hypot(east_m, (lat - first.lat[place]) * _DEGREE_M)
    return apart


def _extent_m(track: TrackLine) -> float:
    return float(_DEGREE_M * np.hypot(np.ptp(track.lon) * np.cos(np.radians(track.lat[0])), np.ptp(track.lat)))


def _gaps(name: str, t: Floats) -> list[Difference]:
    """Where a record falls silent for five seconds, and five times as long as it usually does."""
    steps = np.diff(t)
    if not len(steps):
        return []
    longest = max(5.0, 5 * float(np.median(steps)))
    return [
        Difference(f"gap in {name}", float(t[n]), float(t[n + 1]), float(steps[n])) for n in _where(steps > longest)
    ]


def _stretches(kind: str, at: Floats, value: Floats, which: NDArray[np.bool_]) -> list[Difference]:
    if not which.any():
        return []
    edges = np.flatnonzero(np.diff(np.concatenate([[False], which, [False]]).astype(np.int8)))
    spans = [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    last = len(at) - 1
    return [Difference(kind, float(at[a]), float(at[min(b, last)]), float(np.nanmax(value[a:b]))) for a, b in spans]


def _where(which: NDArray[np.bool_]) -> list[int]:
    return [int(n) for n in np.flatnonzero(which)]


_COMPARED = ("as_published", "failed", "stayed_inside", "within", "excursion_count", "state_changes")
# Numbers that differ by less are the same number.
_NEAR = {"lateral_m": 1.0, "vertical_m": 1.0, "share_conforming": 0.01, "share_flown": 0.01, "share_inside": 0.001}


def _verdicts(reports: tuple[Mapping[str, Any], Mapping[str, Any]] | None) -> dict[str, list[Any]]:
    """What the two verdicts say otherwise, each with both values."""
    if reports is None:
        return {}
    one, other = reports
    differing = {name: [one.get(name), other.get(name)] for name in _COMPARED if one.get(name) != other.get(name)}
    for name, near in _NEAR.items():
        mine, theirs = one.get(name), other.get(name)
        unknown = mine is None or theirs is None
        differs = mine is not theirs if unknown else abs(float(mine or 0) - float(theirs or 0)) > near
        if differs:
            differing[name] = [mine, theirs]
    return differing


def all_pairs(tracks: Sequence[TrackLine], reports: Mapping[str, Mapping[str, Any]]) -> tuple[Comparison, ...]:
    """Every record against the next one; `reports` by the name of the record."""
    return tuple(
        compare(a, b, (reports[a.name], reports[b.name]) if {a.name, b.name} <= set(reports) else None)
        for a, b in pairwise(tracks)
        if len(a) and len(b)
    )


def _rounded(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, dict):
        return {name: _rounded(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(one) for one in value[:_LISTED]]
    return value
