"""The path of a plan as values: legs sampled over the ground, where the camera looks, and when each is passed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import LineString, MultiLineString
from shapely.geometry.base import BaseGeometry

from flights.model import Home
from flights.path import seen
from flights.path.assumed import Assumed
from geo.footprint import Camera
from geo.types import LonLat

Floats = NDArray[np.float64]


class Ground(Protocol):
    """Heights of the ground; geo.terrain.Terrain is one."""

    def heights_m(self, lons: Floats, lats: Floats) -> Floats:
        """Ground height at each place (EPSG:4326), NaN where it is not known."""
        ...


class LegKind(StrEnum):
    """What a leg is for: the way there, the published route, or the way back."""

    TRANSIT = "transit"
    ROUTE = "route"
    RETURN = "return"


@dataclass(frozen=True)
class Look:
    """Where the camera looks on a leg: at the place `roi`, or along a pitch (-90 is down) and a yaw from the nose.

    `roi_m` is the height of that place above the datum of the ground. A yaw of None is one that is not known, with
    which a camera that looks down may have its frame turned any way.
    """

    pitch_deg: float = -90.0
    yaw_deg: float | None = 0.0
    roi: LonLat | None = None
    roi_m: float = 0.0


DOWN = Look()


@dataclass(frozen=True)
class Track:
    """One leg, sampled: equally long arrays of EPSG:4326 places, true heights and ground heights (NaN: not known).

    `passes` are the numbers of the first and the last step of the flight in which the leg is flown.
    """

    kind: LegKind
    lons: Floats
    lats: Floats
    alt_agl_m: Floats
    ground_m: Floats
    straight: bool = True
    look: Look = DOWN
    passes: tuple[int, int] = (0, 0)

    @property
    def line(self) -> LineString:
        """The leg as a line of EPSG:4326."""
        return LineString(np.column_stack([self.lons, self.lats]))


def lines_of(tracks: Sequence[Track]) -> BaseGeometry:
    """Legs as lines of EPSG:4326, all at once: a plan has thousands."""
    if not tracks:
        return MultiLineString()
    lons, lats = (np.concatenate([getattr(track, name) for track in tracks]) for name in ("lons", "lats"))
    owners = np.repeat(np.arange(len(tracks)), [len(track.lons) for track in tracks])
    lines: Any = shapely.linestrings(lons, lats, indices=owners)
    joined: BaseGeometry = shapely.multilinestrings(lines)
    return joined


@dataclass(frozen=True)
class Profile:
    """The whole path of a plan over `ground`: each leg once in `tracks`, every pass counted in metres and steps.

    `route_m` is the length of the route itself, `flown_m` includes the way there and back.
    `timed_m` holds metres flown by commanded speed in m/s, None where the plan gives none; `missing` the
    numbers of the items without a height. `steps` are all legs in the order of flight: speed, metres, waiting in
    seconds; one that is only checked beside the flown one has no metres.
    """

    tracks: tuple[Track, ...]
    route_m: float
    flown_m: float
    timed_m: tuple[tuple[float | None, float], ...]
    hover_s: float
    missing: tuple[int, ...]
    assumed: tuple[Assumed, ...]
    home: Home
    home_ground_m: float
    steps: tuple[tuple[float | None, float, float], ...]
    ground: Ground = field(compare=False, repr=False)

    def of(self, *kinds: LegKind) -> tuple[Track, ...]:
        """The legs of the kinds named, or all."""
        return tuple(track for track in self.tracks if not kinds or track.kind in kinds)

    def line(self, *kinds: LegKind) -> BaseGeometry:
        """The legs of the kinds named, or all, as lines of EPSG:4326."""
        return lines_of(self.of(*kinds))

    def footprint(self, camera: Camera, look_m: float = 0.0) -> BaseGeometry:
        """Everything the camera can see on any leg, tilted no further than `look_m` away; EPSG:4326.

        Heights must be known. Raises geo.sight.BeyondSight where a tilted camera sees further.
        """
        return seen.footprint(self.tracks, camera, self.ground.heights_m, look_m)

    def duration_s(self, speed_mps: float) -> float:
        """Time in the air at `speed_mps` wherever the plan commands no speed, climb and descent left out."""
        return self.hover_s + sum(metres / (speed or speed_mps) for speed, metres in self.timed_m)

    def times_s(self, speed_mps: float) -> list[tuple[float, float]]:
        """For each track when its first pass begins and its last one ends, in seconds in the air without the climb."""
        spent_s = [metres / (speed or speed_mps) + wait_s for speed, metres, wait_s in self.steps]
        until_s = np.concatenate([[0.0], np.cumsum(spent_s)])
        return [(float(until_s[track.passes[0]]), float(until_s[track.passes[1] + 1])) for track in self.tracks]

    def part_s(self, number: int, part: slice, speed_mps: float) -> tuple[float, float]:
        """When some samples of a track are passed: exactly where it is flown once and straight, else all of it."""
        begin_s, end_s = self.times_s(speed_mps)[number]
        track = self.tracks[number]
        if not track.straight or track.passes[0] != track.passes[1]:
            return begin_s, end_s
        wait_s = self.steps[track.passes[0]][2]
        along = np.arange(len(track.lons))[part] / (len(track.lons) - 1) * (end_s - begin_s - wait_s)
        return begin_s + float(along[0]), begin_s + float(along[-1]) + wait_s

    @cached_property
    def heights_known(self) -> bool:
        """Whether the true height, and the ground below, is known everywhere."""
        known = np.isfinite(self.home_ground_m)
        return bool(known) and all(
            bool(np.isfinite(heights_m).all())
            for track in self.tracks
            for heights_m in (track.alt_agl_m, track.ground_m)
        )
