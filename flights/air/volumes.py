"""The air that a flight needs, in four dimensions, and where two flights need the same of it. Pure.

A flight holds one volume for each group of legs: the corridor around its line, a band of true heights, and the
time in which it may be there. Shapes are exact, no boxes: two flights that pass each other share nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import shapely
from shapely.geometry import LineString, Polygon, mapping
from shapely.geometry.base import BaseGeometry

from flights.check.situation import Volume
from flights.path.profile import CLIMB_MPS
from flights.path.track import Floats, Profile, Track
from geo import crs, measure
from schemas.refusals import conflict
from schemas.rules import RulePack

COLUMN = "column"
"""The part of a flight that goes straight up or down: take-off and landing."""

_PIECE_M = 500.0  # the longer a volume, the longer its time
_MOST_PIECES = 200
_ARC_CORNERS = 16  # of a quarter circle, as GEOS counts them
_STRAIGHT_M = 0.05  # a sampled straight leg needs no more corners than its ends

Window = tuple[datetime, datetime]


@dataclass(frozen=True)
class Held(Volume):
    """A volume with the part of the flight that needs it: transit, route, return or the column."""

    part: str = ""


def meet(one: Volume, other: Volume) -> bool:
    """Whether two volumes share air; in height and time, sides that only touch share none."""
    return (
        one.start < other.end
        and other.start < one.end
        and one.alt_agl_min_m < other.alt_agl_max_m
        and other.alt_agl_min_m < one.alt_agl_max_m
        and bool(one.geom.intersects(other.geom))
    )


@dataclass(frozen=True)
class Overlap:
    """What two flights would share: where (EPSG:4326), between which heights, when, and until when it is held."""

    flight: str
    geom: BaseGeometry
    alt_agl_min_m: float
    alt_agl_max_m: float
    start: datetime
    end: datetime
    held_until: datetime

    @property
    def place(self) -> dict[str, Any]:
        """Where, as a GeoJSON geometry with 7 decimals."""
        return dict(mapping(shapely.transform(self.geom, lambda xy: np.round(xy, 7))))

    @property
    def area_m2(self) -> float:
        """How large the shared ground is, in square metres."""
        return measure.area_m2(self.geom)


@dataclass(frozen=True)
class Spacing:
    """How far around its line, in metres, and how much faster than planned, as a share, a flight is reckoned with."""

    lateral_m: float
    vertical_m: float
    speed_share: float
    clock_s: float

    @classmethod
    def of(cls, pack: RulePack) -> Spacing:
        """The tolerance within which a flight conforms, and the pack's margin beside it."""
        tolerance_m, margin = pack["flight.deviation_tolerance_m"], pack["flight.separation"]
        return cls(tolerance_m + margin.lateral_m, tolerance_m + margin.height_m, margin.speed_share, margin.clock_s)


def occupied(path: Profile, window: Window, *, speed_m_s: float, spacing: Spacing, flight: str = "") -> list[Held]:
    """The volumes of a flight along `path` that takes off no earlier and lands no later than `window` says.

    `speed_m_s` counts where the plan commands none. The take-off is free within the window: a place is taken from
    the earliest time at which it can be reached until the latest at which the rest of the way still fits in.
    Raises RuleViolation GD-16.2 where a true height is not known.
    """
    if not path.heights_known:
        raise conflict("GD-16.2", "flight.terrain_missing")
    times = _Times.of(path, window, speed_m_s, spacing)
    legs = [
        Held(flight, _around(line, spacing), *_band(*heights_m, spacing), *times.at(*seconds), part)
        for part, line, heights_m, seconds in _pieces(path, times)
    ]
    columns = [
        Held(flight, _around(line, spacing), *_band(0.0, top_m, spacing), times.start, times.end, COLUMN)
        for line, top_m in _columns(path)
    ]
    return legs + columns


def duration(path: Profile, *, speed_m_s: float, slower: float = 0.0) -> timedelta:
    """How long a flight along `path` takes from take-off to landing, slower than planned by that share of its speed."""
    highest_m = max(float(track.alt_agl_m.max()) for track in path.tracks)
    climbed_s = 2 * max(highest_m, 0.0) / CLIMB_MPS
    return timedelta(seconds=path.duration_s(speed_m_s) / (1.0 - slower) + climbed_s)


def overlaps(mine: Sequence[Volume], others: Sequence[Volume]) -> list[Overlap]:
    """What volumes of other flights share with mine, flight by flight, the earliest first."""
    met: dict[str, list[tuple[Volume, Volume]]] = {}
    for other in others:
        for own in mine:
            if meet(own, other):
                met.setdefault(other.flight, []).append((own, other))
    found = [_overlap(flight, pairs) for flight, pairs in met.items()]
    return sorted(found, key=lambda overlap: (overlap.start, overlap.flight))


def _overlap(flight: str, pairs: Sequence[tuple[Volume, Volume]]) -> Overlap:
    return Overlap(
        flight,
        shapely.union_all([own.geom.intersection(other.geom) for own, other in pairs]),
        min(max(own.alt_agl_min_m, other.alt_agl_min_m) for own, other in pairs),
        max(min(own.alt_agl_max_m, other.alt_agl_max_m) for own, other in pairs),
        min(max(own.start, other.start) for own, other in pairs),
        max(min(own.end, other.end) for own, other in pairs),
        max(other.end for _own, other in pairs),
    )


# -- when -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Times:
    """When an aircraft can be where: seconds after take-off of the fastest flight, `ordered` legs in their order."""

    start: datetime
    end: datetime
    ordered: int
    leg_s: tuple[float, ...]

    @classmethod
    def of(cls, path: Profile, window: Window, speed_m_s: float, spacing: Spacing) -> _Times:
        fastest = 1.0 + spacing.speed_share
        # Legs that are flown again, or beside the plan by another autopilot, have no one time: see `at`.
        flown = path.tracks[: len(path.timed_m)]
        in_order = len(flown) == len(path.timed_m) and math.isclose(
            sum(measure.length_m(track.line) for track in flown), path.flown_m, abs_tol=1.0
        )
        leg_s = tuple(metres / ((speed or speed_m_s) * fastest) for speed, metres in path.timed_m) if in_order else ()
        start, end = window
        slowest = duration(path, speed_m_s=speed_m_s, slower=spacing.speed_share)
        clock = timedelta(seconds=spacing.clock_s)
        return cls(start - clock, max(end, start + slowest) + clock, len(leg_s), leg_s)

    @property
    def whole_s(self) -> float:
        """How long the fastest flight takes, in seconds."""
        return sum(self.leg_s)

    def at(self, begin_s: float | None, end_s: float | None) -> Window:
        """When a piece can be flown that the fastest flight begins and ends so long after its take-off."""
        if begin_s is None or end_s is None:
            return self.start, self.end
        return self.start + timedelta(seconds=begin_s), self.end - timedelta(seconds=max(self.whole_s - end_s, 0.0))


# -- where ------------------------------------------------------------------------------------------------

_Piece = tuple[str, LineString, tuple[float, float], tuple[float | None, float | None]]


def _pieces(path: Profile, times: _Times) -> Iterator[_Piece]:
    """Every leg, in groups of one purpose and about one length: part, line, heights, and seconds after take-off."""
    longest_m = max(_PIECE_M, path.flown_m / _MOST_PIECES)
    begin_s = 0.0
    numbered = list(enumerate(path.tracks))
    for (kind, in_order), group in groupby(numbered, key=lambda leg: (leg[1].kind, leg[0] < times.ordered)):
        legs = list(group)
        lons, lats, alts_m = _joined([track for _number, track in legs])
        along_m = _along(lons, lats)
        spent_s = sum(times.leg_s[number] for number, _track in legs) if in_order else 0.0
        seconds = _clock(legs, times) if in_order else None
        for cut in _cuts(along_m, longest_m):
            line = LineString(np.column_stack([lons[cut], lats[cut]]))
            heights = float(alts_m[cut].min()), float(alts_m[cut].max())
            when = (None, None) if seconds is None else (begin_s + seconds[cut][0], begin_s + seconds[cut][-1])
            yield str(kind), line, heights, when
        begin_s += spent_s


def _joined(tracks: Iterable[Track]) -> tuple[Floats, Floats, Floats]:
    axes = zip(*((track.lons, track.lats, track.alt_agl_m) for track in tracks), strict=True)
    lons, lats, alts_m = (np.concatenate(axis) for axis in axes)
    return lons, lats, alts_m


def _clock(legs: Sequence[tuple[int, Track]], times: _Times) -> Floats:
    """Seconds of the fastest flight at each sample of some legs, from the first."""
    begin_s, parts = 0.0, []
    for number, track in legs:
        along_m = _along(track.lons, track.lats)
        parts.append(begin_s + along_m / along_m[-1] * times.leg_s[number])
        begin_s += times.leg_s[number]
    return np.concatenate(parts)


def _along(lons: Floats, lats: Floats) -> Floats:
    _, _, steps_m = measure.WGS84.inv(lons[:-1], lats[:-1], lons[1:], lats[1:])
    return np.concatenate([[0.0], np.cumsum(steps_m)])


def _cuts(along_m: Floats, longest_m: float) -> Iterator[slice]:
    """Slices of about equal length, each beginning at the sample at which the one before ends."""
    count = max(1, math.ceil(along_m[-1] / longest_m))
    ends = np.searchsorted(along_m, np.linspace(0.0, along_m[-1], count + 1)[1:-1])
    for first, last in pairwise(sorted({0, *ends.tolist(), len(along_m) - 1})):
        yield slice(first, last + 1)


def _columns(path: Profile) -> Iterator[tuple[LineString, float]]:
    """Where it goes up and down, with the height at the top: at take-off, and where it lands if that is elsewhere."""
    first, last = path.tracks[0], path.tracks[min(len(path.timed_m), len(path.tracks)) - 1]
    up, down = (first.lons[0], first.lats[0]), (last.lons[-1], last.lats[-1])
    apart_m = float(measure.WGS84.inv(*up, *down)[2])
    top_m = max(float(first.alt_agl_m[0]), float(last.alt_agl_m[-1]))
    yield LineString([up, up]), top_m
    if apart_m > 1.0:
        yield LineString([down, down]), top_m


def _band(low_m: float, high_m: float, spacing: Spacing) -> tuple[float, float]:
    return max(low_m - spacing.vertical_m, 0.0), max(high_m, 0.0) + spacing.vertical_m


def _around(line: LineString, spacing: Spacing) -> Polygon:
    """The corridor around a line, no narrower anywhere than the spacing."""
    epsg = crs.utm_epsg_of(line)
    lons, lats = shapely.get_coordinates(line).T
    scale = float(crs.grid_scale(lons, lats, epsg).max())
    # The corners of a buffer lie on its circle and its sides inside: a little more makes the sides reach it.
    radius_m = (spacing.lateral_m + 2 * _STRAIGHT_M) * scale / math.cos(math.pi / (4 * _ARC_CORNERS))
    flat = shapely.simplify(crs.to_metric(line, epsg), _STRAIGHT_M)
    buffered = crs.to_wgs84(shapely.buffer(flat, radius_m, quad_segs=_ARC_CORNERS), epsg)
    return Polygon(shapely.transform(buffered, lambda xy: np.round(xy, 7)))
