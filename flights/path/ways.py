"""The ways home: where an aircraft flies that breaks off, from any point of its path. Pure.

What breaks off a flight is the pilot, a failsafe, a breached fence or the loss of the link: each ends in the
autopilot's RTL (`FS_GCS_ENABLE` 1), or, where the link is lost and the parameter says so, in the mission itself,
which is judged as it is. RTL climbs to `RTL_ALT` above home where the aircraft is lower, keeps its altitude where
it is higher, and flies straight to home, or to the rally point that is nearer and within `RALLY_LIMIT_KM`.

All straight ways from one leg to one place fill a triangle, so that "from any point" needs no sampling: hulls of
ever shorter pieces of the path are looked at until nothing reaches into them, down to the triangle of one leg.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPoint
from shapely.geometry.base import BaseGeometry

from flights.model import RallyPoint
from flights.path.track import Profile, Track
from geo import crs, measure
from geo.types import LonLat
from schemas.words import Coded

Floats = NDArray[np.float64]
Indices = NDArray[np.intp]
Shapes = NDArray[np.object_]

RTL_ALT_M = 15.0
"""ArduCopter's default of RTL_ALT, above home: a lower aircraft climbs to it before it flies home."""

RALLY_LIMIT_M = 300.0
"""ArduCopter's default of RALLY_LIMIT_KM: rally points further away than this are not flown to."""

WAY_STEP_M = 30.0
"""Heights along the ways are taken at least this often, as far as a bounded number of samples allows."""

_MOST_SAMPLES = 60_000
_FEWEST_PER_WAY, _MOST_PER_WAY = 8, 512


@dataclass(frozen=True)
class Refuge:
    """A place that is flown to when the flight is broken off, and the height above home that is kept at least.

    It is flown to from no further away than `limit_m`.
    """

    at: LonLat
    alt_rel_m: float
    name: Coded
    limit_m: float = np.inf


@dataclass(frozen=True)
class Fan:
    """All ways to one refuge: the legs that they begin on, as ends of EPSG:4326 and as grid metres.

    `track` tells of each leg of which track it is a part.
    """

    refuge: Refuge
    begins: Floats
    ends: Floats
    track: Indices
    epsg: int

    @cached_property
    def _metric(self) -> tuple[Floats, Floats, Floats]:
        there = crs.transformer(crs.WGS84_EPSG, self.epsg)
        home, begins, ends = (
            np.column_stack(there.transform(xy[:, 0], xy[:, 1], errcheck=True))
            for xy in (np.array([self.refuge.at]), self.begins, self.ends)
        )
        return home, begins, ends

    def piece(self, first: int, last: int) -> BaseGeometry:
        """The hull of all ways from the legs `first` until before `last`; grid metres."""
        home, begins, ends = self._metric
        return MultiPoint(np.concatenate([home, begins[first:last], ends[first:last]])).convex_hull

    def triangle(self, leg: int) -> BaseGeometry:
        """All ways from one leg; EPSG:4326."""
        return MultiPoint(np.array([self.refuge.at, self.begins[leg], self.ends[leg]])).convex_hull

    def hulls(self, count: int) -> list[BaseGeometry]:
        """So many hulls that together hold all ways; EPSG:4326."""
        cuts = np.unique(np.linspace(0, len(self.begins), count + 1).astype(np.intp))
        at = np.array([self.refuge.at])
        return [
            MultiPoint(np.concatenate([at, self.begins[a:b], self.ends[a:b]])).convex_hull for a, b in pairwise(cuts)
        ]

    def met(self, shapes_m: Shapes, reach_m: Floats) -> dict[int, int]:
        """Which shapes (grid metres) any way comes nearer to than their reach: number of shape to number of leg."""
        found: dict[int, int] = {}
        self._seek(np.arange(len(shapes_m)), shapes_m, reach_m, 0, len(self.begins), found)
        return found

    def _seek(
        self, near: Indices, shapes_m: Shapes, reach_m: Floats, first: int, last: int, found: dict[int, int]
    ) -> None:
        near = near[[index not in found for index in near.tolist()]] if found else near
        if not near.size or first >= last:
            return
        hull = self.piece(first, last)
        shapely.prepare(hull)
        within: Any = shapely.dwithin  # declared for one distance, and takes one for each shape
        near = near[within(hull, shapes_m[near], reach_m[near])]
        if last - first == 1:
            found.update(dict.fromkeys(near.tolist(), first))
            return
        middle = (first + last) // 2
        self._seek(near, shapes_m, reach_m, first, middle, found)
        self._seek(near, shapes_m, reach_m, middle, last, found)

    def outside(self, area_m: BaseGeometry) -> list[int]:
        """The legs from which a way leaves an area (grid metres)."""
        shapely.prepare(area_m)
        return list(self._leaving(area_m.covers, 0, len(self.begins)))

    def _leaving(self, covers: Callable[[BaseGeometry], bool], first: int, last: int) -> Iterator[int]:
        if first >= last or covers(self.piece(first, last)):
            return
        if last - first == 1:
            yield first
            return
        middle = (first + last) // 2
        yield from self._leaving(covers, first, middle)
        yield from self._leaving(covers, middle, last)


@dataclass(frozen=True)
class Samples:
    """Ways as points: rows are ways, columns run from the path to the refuge; EPSG:4326 and true heights."""

    lons: Floats
    lats: Floats
    alt_agl_m: Floats


def fans(path: Profile, rally: Sequence[RallyPoint]) -> tuple[Fan, ...]:
    """The ways home from the whole path, and those to each rally point from where it is the nearest refuge."""
    epsg = crs.utm_epsg(path.home.at)
    begins, ends, track = _legs(path.tracks)
    home = Fan(Refuge(path.home.at, RTL_ALT_M, Coded("refuge", ["home"])), begins, ends, track, epsg)
    if not rally:
        return (home,)
    begins, ends, track = _legs(path.tracks, every_sample=True)
    return (home, *_to_rally(path.home.at, rally, (begins, ends, track), epsg))


def _legs(tracks: Sequence[Track], *, every_sample: bool = False) -> tuple[Floats, Floats, Indices]:
    """Legs as beginnings, ends and numbers of tracks; a straight track is one leg unless every sample is asked for."""
    begins, ends, numbers = [], [], []
    for number, track in enumerate(tracks):
        corners = np.column_stack([track.lons, track.lats])
        if track.straight and not every_sample:
            corners = corners[[0, -1]]
        begins.append(corners[:-1])
        ends.append(corners[1:])
        numbers.append(np.full(len(corners) - 1, number, dtype=np.intp))
    return np.concatenate(begins), np.concatenate(ends), np.concatenate(numbers)


def _to_rally(
    home: LonLat, rally: Sequence[RallyPoint], legs: tuple[Floats, Floats, Indices], epsg: int
) -> Iterator[Fan]:
    """One fan for each rally point, of the legs that have an end to which it is the nearest refuge within reach."""
    begins, ends, track = legs
    refuges = [home, *(point.at for point in rally)]
    apart_m = np.array([[_apart_m(side, at) for side in (begins, ends)] for at in refuges])  # refuge, side, leg
    nearest = apart_m.argmin(axis=0)
    for number, point in enumerate(rally, start=1):
        taken = ((nearest == number) & (apart_m[number] <= RALLY_LIMIT_M)).any(axis=0)
        if taken.any():
            refuge = Refuge(
                point.at, max(point.alt_rel_m, RTL_ALT_M), Coded("refuge", ["rally"], f" {number}"), RALLY_LIMIT_M
            )
            yield Fan(refuge, begins[taken], ends[taken], track[taken], epsg)


def _apart_m(places: Floats, at: LonLat) -> Floats:
    count = len(places)
    _, _, metres = measure.WGS84.inv(places[:, 0], places[:, 1], np.full(count, at.lon), np.full(count, at.lat))
    return np.asarray(metres, dtype=np.float64)


def sampled(path: Profile, fan: Fan) -> Samples:
    """Ways of a fan with their true heights, from places spread evenly along the legs that it begins on.

    The altitude is that of the place, or that of RTL above home where it is higher, all the way.
    """
    tracks = [path.tracks[number] for number in np.unique(fan.track)]
    lons, lats, alt_agl_m, ground_m = (
        np.concatenate([getattr(track, name) for track in tracks]) for name in ("lons", "lats", "alt_agl_m", "ground_m")
    )
    at = fan.refuge.at
    apart_m = _apart_m(np.column_stack([lons, lats]), at)
    within = apart_m <= fan.refuge.limit_m
    lons, lats, alt_agl_m, ground_m = (axis[within] for axis in (lons, lats, alt_agl_m, ground_m))
    longest_m = float(apart_m[within].max(initial=0.0))
    per_way = int(np.clip(np.ceil(longest_m / WAY_STEP_M), _FEWEST_PER_WAY, _MOST_PER_WAY)) + 1
    chosen = np.unique(np.linspace(0, len(lons) - 1, min(len(lons), _MOST_SAMPLES // per_way)).astype(np.intp))
    share = np.linspace(0.0, 1.0, per_way)[None, :]
    way_lons = lons[chosen, None] + share * (at.lon - lons[chosen, None])
    way_lats = lats[chosen, None] + share * (at.lat - lats[chosen, None])
    amsl_m = np.maximum(alt_agl_m[chosen] + ground_m[chosen], path.home_ground_m + fan.refuge.alt_rel_m)
    below_m = path.ground.heights_m(way_lons.ravel(), way_lats.ravel()).reshape(way_lons.shape)
    return Samples(way_lons, way_lats, amsl_m[:, None] - below_m)
