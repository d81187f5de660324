"""A metric plane around a route, and the line in it that is followed from its start to its end.

Distances are metres in a plane around the middle of the route (azimuthal equidistant, WGS 84): within the
few kilometres of a patrol they differ from the ellipsoid by millimetres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, overload

import numpy as np
import shapely
from pyproj import CRS, Transformer
from shapely.geometry.base import BaseGeometry

from flights.conformance.fixes import Bools, Floats

# So many fixes are looked at together, against so many legs; more would no longer stay in the processor's cache.
_CHUNK = 512
_PAIRS = 16_384


class Plane:
    """A metric plane around a route; the same for the live judgement and the one afterwards."""

    def __init__(self, line: BaseGeometry) -> None:
        middle = line.interpolate(0.5, normalized=True)
        crs = CRS.from_proj4(f"+proj=aeqd +lat_0={middle.y:.9f} +lon_0={middle.x:.9f} +datum=WGS84 +units=m")
        self._transformer = Transformer.from_crs(4326, crs, always_xy=True)

    def geometry(self, geometry: BaseGeometry) -> BaseGeometry:
        """A geometry (EPSG:4326) in metres of this plane."""

        def project(lonlat: Floats) -> Floats:
            return np.column_stack(self._transformer.transform(lonlat[:, 0], lonlat[:, 1]))

        moved: BaseGeometry = shapely.transform(geometry, project)
        return moved

    def points(self, lons: Floats, lats: Floats) -> Any:  # noqa: ANN401
        """An array of points (EPSG:4326) in metres of this plane."""
        return shapely.points(*self.metres(lons, lats))

    @overload
    def metres(self, lons: float, lats: float) -> tuple[float, float]: ...

    @overload
    def metres(self, lons: Floats, lats: Floats) -> tuple[Floats, Floats]: ...

    def metres(self, lons: Any, lats: Any) -> tuple[Any, Any]:
        """East and north of a place or of places (EPSG:4326) in this plane."""
        east_m, north_m = self._transformer.transform(lons, lats)
        return east_m, north_m

    def degrees(self, east_m: Floats, north_m: Floats) -> tuple[Floats, Floats]:
        """Longitude and latitude of places in this plane."""
        lons, lats = self._transformer.transform(east_m, north_m, direction="INVERSE")
        return lons, lats


@dataclass
class Progress:
    """How far along a line somebody has come, and when that was last seen (None before the first look).

    `begun` says that somebody was on the line at all; until then it is not known when it is reached.
    """

    along_m: float = 0.0
    seen_s: float | None = None
    begun: bool = False


class Followed(NamedTuple):
    """For every place: the arc length of the nearest point of the line, the distance, and whether it is in turn."""

    along_m: Floats
    distance_m: Floats
    in_turn: Bools


class Course:
    """A line in a plane that is followed from its start: where it passes a place twice, progress tells which it is.

    A place is in turn when it lies within `tolerance_m` of what comes next: from `tolerance_m` behind the progress
    to as far ahead as `reach_m_s` can have led since. A place that is not in turn is told with its nearest point
    of the whole line, and leaves the progress as it is.
    """

    def __init__(self, line: BaseGeometry, *, tolerance_m: float, reach_m_s: float) -> None:
        self.line = line
        self._tolerance_m = tolerance_m
        self._reach_m_s = reach_m_s
        corners = shapely.get_coordinates(line)
        steps = np.diff(corners, axis=0)
        lengths = np.hypot(steps[:, 0], steps[:, 1])
        legs = lengths > 0
        self.leg_m = lengths[legs]
        self.start_m = np.concatenate([[0.0], np.cumsum(self.leg_m)[:-1]])
        self.length_m = float(self.leg_m.sum())
        self._east, self._north = corners[:-1][legs].T
        self._unit_east, self._unit_north = (steps[legs] / self.leg_m[:, None]).T

    def follow(self, east: Floats, north: Floats, at_s: Floats, progress: Progress) -> Followed:
        """Follows places in the order in which they were reached; moves `progress` on."""
        count = len(east)
        found = Followed(np.empty(count), np.empty(count), np.empty(count, bool))
        done, size = 0, _CHUNK
        while done < count:
            if progress.seen_s is None:
                progress.seen_s = float(at_s[done])
            part = slice(done, min(done + size, count))
            kept = self._chunk(east[part], north[part], at_s[part], progress, found, done)
            size = min(_CHUNK, max(2 * size, 16)) if kept == part.stop - part.start else max(1, kept)
            if kept == 0:
                alone = slice(done, done + 1)
                kept = self._chunk(east[alone], north[alone], at_s[alone], progress, found, done)
            done += kept
        lost = np.flatnonzero(~found.in_turn)
        if len(lost):
            points = shapely.points(east[lost], north[lost])
            found.distance_m[lost] = shapely.distance(points, self.line)
            found.along_m[lost] = shapely.line_locate_point(np.full(len(lost), self.line), points)
        return found

    def place(self, east: float, north: float, at_s: float, progress: Progress) -> tuple[float, float, bool]:
        """The same for one place: arc length, distance, and whether it is in turn."""
        seen_s = at_s if progress.seen_s is None else progress.seen_s
        low, high = progress.along_m - self._tolerance_m, self._ahead(progress.along_m, seen_s, at_s)
        nearest_m, distances_m = self._nearest(np.array([east]), np.array([north]), *self._legs(low, high), low, high)
        along_m, distance_m = float(nearest_m[0]), float(distances_m[0])
        progress.seen_s = seen_s
        if distance_m <= self._tolerance_m:
            progress.along_m, progress.seen_s = max(progress.along_m, along_m), max(seen_s, at_s)
            return along_m, distance_m, True
        point = shapely.Point(east, north)
        return self.line.project(point), self.line.distance(point), False

    def _chunk(self, east: Floats, north: Floats, at_s: Floats, progress: Progress, found: Followed, place: int) -> int:
        """Follows some places at once; gives how many of them came out as they would have one by one."""
        seen_s = progress.seen_s or 0.0
        low = progress.along_m - self._tolerance_m
        high = self._ahead(progress.along_m, seen_s, float(at_s[-1]))
        first, last = self._legs(low, high)
        few = max(1, _PAIRS // (last - first))
        east, north, at_s = east[:few], north[:few], at_s[:few]
        if len(east) == 1:
            high = self._ahead(progress.along_m, seen_s, float(at_s[0]))
        along, distance = self._nearest(east, north, first, last, low, high)
        near = distance <= self._tolerance_m
        # What each place would have been compared with, had the ones before it been looked at one by one.
        gone = np.concatenate([[progress.along_m], np.where(near, along, progress.along_m)])
        before = np.maximum.accumulate(gone)
        when = np.concatenate([[seen_s], np.where(near, at_s, seen_s)])
        seen = np.maximum.accumulate(when)
        own_low = before[:-1] - self._tolerance_m
        own_high = self._ahead(before[:-1], seen[:-1], at_s)
        other = near & ((along < own_low) | (along > own_high)) | ((own_high > high) & (high < self.length_m))
        kept = int(np.argmax(other)) if len(near) > 1 and other.any() else len(near)
        part = slice(place, place + kept)
        found.along_m[part], found.distance_m[part], found.in_turn[part] = along[:kept], distance[:kept], near[:kept]
        progress.along_m, progress.seen_s = float(before[kept]), float(seen[kept])
        return kept

    def _ahead(self, along_m: Any, seen_s: Any, at_s: Any) -> Any:  # noqa: ANN401
        """The furthest that is in turn at `at_s`; numbers or arrays."""
        return along_m + self._reach_m_s * (at_s - seen_s) + self._tolerance_m

    def _legs(self, low_m: float, high_m: float) -> tuple[int, int]:
        """The legs between two arc lengths, at least one."""
        first = int(self.start_m.searchsorted(low_m, side="right")) - 1
        last = int(self.start_m.searchsorted(high_m, side="right"))
        first = max(0, first)
        return first, max(first + 1, last)

    def _nearest(
        self, east: Floats, north: Floats, first: int, last: int, low_m: float, high_m: float
    ) -> tuple[Floats, Floats]:
        """Arc length and distance of the nearest point between two arc lengths; of equals the one that comes first."""
        legs = slice(first, last)
        start, length = self.start_m[legs], self.leg_m[legs]
        low = np.minimum(np.maximum(low_m - start, 0.0), length)[:, None]
        high = np.minimum(np.maximum(high_m - start, 0.0), length)[:, None]
        unit_east, unit_north = self._unit_east[legs, None], self._unit_north[legs, None]
        off_east, off_north = east - self._east[legs, None], north - self._north[legs, None]
        step = np.minimum(np.maximum(off_east * unit_east + off_north * unit_north, low), high)
        off_east -= step * unit_east
        off_north -= step * unit_north
        squared = off_east * off_east + off_north * off_north
        leg = squared.argmin(axis=0)
        which = np.arange(len(east))
        along: Floats = start[leg] + step[leg, which]
        return along, np.sqrt(squared[leg, which])
