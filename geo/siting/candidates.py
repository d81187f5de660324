"""Where a device could be set up: along roads, on poles, on high ground, on a grid; and in which directions. Pure.

What the law forbids is taken out before anything is weighed: places in private places, and directions that look into
one (GD-15).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from scipy.ndimage import maximum_filter, minimum_filter
from shapely.geometry.base import BaseGeometry

from geo.coverage.demand import Ints
from geo.coverage.footprints import Device, Relief, footprints
from geo.coverage.plane import Floats, Plane, Shapes
from geo.siting.asked import GRID, HIGH_GROUND, POLES, ROADS, Sources, View
from geo.types import LonLat
from schemas.limits import limit
from schemas.refusals import RuleViolation, conflict, invalid, too_large

# A hill that stands out less than this above what lies around it is no high ground.
_STANDS_OUT_M = 3.0
# Views are drawn by chords and buffers by arcs: a little more is kept away from than is needed.
_SPARE_M = 1.0
# Places that are set out just as far apart as is asked differ from that in the last bits of their metres.
_SAME_M = 0.01
_FULL_TURN_DEG = 360.0


@dataclass(frozen=True)
class Land:
    """What is known of a ground, in metres of its plane; `open` is the ground without its privacy zones.

    `roads` are lines, `poles` places (n, 2); `private` are the privacy zones with their buffers, which nothing new may
    stand in or look into; `standing` (n, 2) are the devices that are there; `within` the jurisdiction.
    """

    plane: Plane
    open: BaseGeometry
    roads: Shapes
    poles: Floats
    private: Shapes
    standing: Floats
    within: BaseGeometry
    relief: Relief | None = None


@dataclass(frozen=True)
class Candidates:
    """Places and directions: `place` (n) numbers a row of `at` (k, 2), where one device can stand.

    `azimuth_deg` (n) is NaN for what sees all round; `source` (k) names where a place comes from; `footprints` (n) are
    what each would see, over the relief where there is one. `near` (j, 2) are pairs of places too near to each other.
    `left_out` tells how many places were found, and how many were taken out for which reason; `barred` (k, 2) are
    these places, by the reason: `private`, `outside`, `near` a device that stands, `blind` where nothing is seen or no
    height is known.
    """

    plane: Plane
    at: Floats
    source: tuple[str, ...]
    place: Ints
    azimuth_deg: Floats
    footprints: Shapes
    near: Ints
    left_out: Mapping[str, int]
    barred: Mapping[str, Floats]

    def device(self, number: int, view: View) -> Device:
        """The device that a candidate would be."""
        point = shapely.Point(self.at[self.place[number]])
        lon_lat = self.plane.to_wgs84(np.array([point], dtype=object))[0]
        return _device(LonLat(lon_lat.x, lon_lat.y), float(self.azimuth_deg[number]), view)


def candidates(land: Land, sources: Sources, view: View) -> Candidates:
    """Every lawful place and direction; raises RuleViolation where there is none, or more than are weighed."""
    at, names = places(land, sources)
    found = len(at)
    lawful, barred = _lawful(land, at, sources)
    at, source = at[lawful], tuple(names[number] for number in np.flatnonzero(lawful))
    azimuths = np.array([np.nan]) if view.is_round else np.arange(sources.directions) * 360.0 / sources.directions
    most = int(limit("siting.candidates"))
    if len(at) * len(azimuths) > most:
        raise too_large(
            "siting.too_many_candidates",
            "siting.too_many_candidates",
            measured=len(at) * len(azimuths),
            required=most,
        )
    place, azimuth = np.repeat(np.arange(len(at)), len(azimuths)), np.tile(azimuths, len(at))
    seen = _views(land.plane, at[place], azimuth, view, None)
    blameless = _look_away(seen, land.private)
    barred["private"] = np.concatenate([barred["private"], np.delete(at, place[blameless], axis=0)])
    if not blameless.any():
        raise _no_candidates(found, barred)
    place, azimuth, seen = place[blameless], azimuth[blameless], seen[blameless]
    if land.relief is not None:
        seen = _views(land.plane, at[place], azimuth, view, land.relief)
    # What sees nothing is no candidate; places without one are forgotten.
    open_eyed = ~shapely.is_empty(seen)
    barred["blind"] = np.concatenate([barred["blind"], at[np.setdiff1d(place, place[open_eyed])]])
    if not open_eyed.any():
        raise _no_candidates(found, barred)
    kept, place = np.unique(place[open_eyed], return_inverse=True)
    at, source = at[kept], tuple(source[number] for number in kept)
    return Candidates(
        plane=land.plane,
        at=at,
        source=source,
        place=place.ravel(),
        azimuth_deg=azimuth[open_eyed],
        footprints=seen[open_eyed],
        near=_too_near(at, sources.apart_m),
        left_out=_counted(found, barred),
        barred=barred,
    )


def _counted(found: int, barred: Mapping[str, Floats]) -> dict[str, int]:
    return {"found": found} | {reason: len(at) for reason, at in barred.items()}


def _no_candidates(found: int, barred: Mapping[str, Floats]) -> RuleViolation:
    return conflict("siting.no_candidates", "siting.no_candidates", **_counted(found, barred))


def places(land: Land, sources: Sources) -> tuple[Floats, list[str]]:
    """The places of every source, each with the name of its source; the same place of two sources is the first's."""
    makers: Mapping[str, Callable[[], Floats]] = {
        ROADS: lambda: along(land.roads, sources.spacing_m),
        POLES: lambda: land.poles,
        HIGH_GROUND: lambda: _high_ground(land, sources.spacing_m),
        GRID: lambda: _grid(land.open, sources.spacing_m),
    }
    found = [(name, makers[name]().reshape(-1, 2)) for name in sources.sources]
    at = np.concatenate([part for _, part in found]) if found else np.empty((0, 2))
    names = [name for name, part in found for _ in range(len(part))]
    # A centimetre tells two places apart; what was found first keeps the place.
    firsts = np.sort(np.unique(np.round(at, 2), axis=0, return_index=True)[1]) if len(at) else np.empty(0, np.int64)
    return at[firsts], [names[number] for number in firsts]


def along(lines: Shapes, spacing_m: float) -> Floats:
    """A place every `spacing_m` along lines, one in the middle of shorter ones, and of crossing lines one in a cell."""
    lines = shapely.get_parts(lines) if len(lines) else lines
    lengths = shapely.length(lines)
    lines, lengths = lines[lengths > 0], lengths[lengths > 0]
    if not len(lines):
        return np.empty((0, 2))
    counts = np.maximum((lengths / spacing_m).astype(np.int64), 1)
    line = np.repeat(np.arange(len(lines)), counts)
    step = np.arange(len(line)) - np.repeat(np.cumsum(counts) - counts, counts)
    points = shapely.line_interpolate_point(lines[line], (step + 0.5) * (lengths / counts)[line])
    return thinned(shapely.get_coordinates(points), spacing_m / 2)


def thinned(at: Floats, side_m: float) -> Floats:
    """The first place of each cell of a grid."""
    firsts = np.sort(np.unique(np.floor(at / side_m), axis=0, return_index=True)[1])
    return at[firsts]


def high_ground(relief: Relief, spacing_m: float) -> Floats:
    """The highest places within `spacing_m` on each side, where they stand out above what lies around them."""
    heights = np.asarray(relief.heights, np.float64)
    known = np.isfinite(heights)
    cells = 2 * max(round(spacing_m / relief.side_m), 1) + 1
    highest = maximum_filter(np.where(known, heights, -np.inf), cells)
    lowest = minimum_filter(np.where(known, heights, np.inf), cells)
    rows, columns = np.nonzero(known & (heights == highest) & (heights - lowest >= _STANDS_OUT_M))
    at = np.column_stack([relief.west + (columns + 0.5) * relief.side_m, relief.north - (rows + 0.5) * relief.side_m])
    # A flat top has many highest cells.
    return thinned(at, spacing_m) if len(at) else at


def _high_ground(land: Land, spacing_m: float) -> Floats:
    if land.relief is None:
        raise invalid("siting.no_model", "siting.no_model")
    return high_ground(land.relief, spacing_m)


def _grid(ground: BaseGeometry, spacing_m: float) -> Floats:
    west, south, east, north = ground.bounds
    columns, rows = int((east - west) / spacing_m) + 1, int((north - south) / spacing_m) + 1
    most = int(limit("siting.candidates"))
    if columns * rows > 4 * most:
        raise too_large(
            "siting.too_many_candidates", "siting.too_many_candidates", measured=columns * rows, required=most
        )
    x, y = np.meshgrid(west + (np.arange(columns) + 0.5) * spacing_m, south + (np.arange(rows) + 0.5) * spacing_m)
    at = np.column_stack([x.ravel(), y.ravel()])
    return at[shapely.intersects_xy(ground, at)]


def _lawful(land: Land, at: Floats, sources: Sources) -> tuple[Any, dict[str, Floats]]:
    """Which places a device may stand at, and those that are left out by the reason."""
    shapely.prepare(land.open)
    shapely.prepare(land.within)
    points = _points(at)
    private = np.zeros(len(at), dtype=bool)
    inside = shapely.intersects(land.open, points) & shapely.intersects(land.within, points)
    if len(land.private) and len(at):
        private[shapely.STRtree(land.private).query(points, predicate="intersects")[0]] = True
    near = np.zeros(len(at), dtype=bool)
    if len(land.standing) and len(at) and sources.apart_m > _SAME_M:
        near[:] = shapely.dwithin(points, shapely.multipoints(land.standing), sources.apart_m - _SAME_M)
    lawful = inside & ~private & ~near
    high = np.ones(len(at), dtype=bool) if land.relief is None else _has_height(land.relief, at)
    barred = {
        "private": at[private],
        "outside": at[~inside & ~private],
        "near": at[near & inside & ~private],
        "blind": at[lawful & ~high],
    }
    return lawful & high, barred


def _has_height(relief: Relief, at: Floats) -> Any:  # noqa: ANN401 - an array of booleans
    rows, columns = relief.heights.shape
    row = np.floor((relief.north - at[:, 1]) / relief.side_m).astype(np.int64)
    column = np.floor((at[:, 0] - relief.west) / relief.side_m).astype(np.int64)
    there = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    there[there] = np.isfinite(relief.heights[row[there], column[there]])
    return there


def _views(plane: Plane, at: Floats, azimuth_deg: Floats, view: View, relief: Relief | None) -> Shapes:
    lon_lats = shapely.get_coordinates(plane.to_wgs84(_points(at))).tolist()
    places_at = [LonLat(lon, lat) for lon, lat in lon_lats]
    devices = [_device(*one, view) for one in zip(places_at, azimuth_deg.tolist(), strict=True)]
    return footprints(devices, plane, relief)


def _device(at: LonLat, azimuth_deg: float, view: View) -> Device:
    narrow = not np.isnan(azimuth_deg) and view.hfov_deg < _FULL_TURN_DEG
    width = view.hfov_deg if narrow else None
    return Device(at, view.range_m, azimuth_deg if narrow else None, width, mast_m=view.mast_m)


def _look_away(seen: Shapes, private: Shapes) -> Any:  # noqa: ANN401 - an array of booleans
    """Which views reach into no private place; hills are not counted on to hide one."""
    away = np.ones(len(seen), dtype=bool)
    if len(private):
        away[shapely.STRtree(private).query(seen, predicate="dwithin", distance=_SPARE_M)[0]] = False
    return away


def _points(at: Floats) -> Shapes:
    return np.atleast_1d(np.asarray(shapely.points(at), dtype=object)) if len(at) else np.empty(0, dtype=object)


def _too_near(at: Floats, apart_m: float) -> Ints:
    if len(at) < 2 or not apart_m > _SAME_M:
        return np.empty((0, 2), np.int64)
    points = _points(at)
    one, other = shapely.STRtree(points).query(points, predicate="dwithin", distance=apart_m - _SAME_M)
    once = one < other
    return np.column_stack([one[once], other[once]]).astype(np.int64)
