"""Lines over an area: cut where they may not run, in the direction of the fewest turns, grouped for flying. Pure.

An area is crossed by parallel lines; each is cut against the edges of the area, all lines and all edges at
once. Neighbouring pieces make a cell that is flown to and fro; a hole divides what lies beside it into cells.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from flights.survey.room import Plane, Room, edges_of

Floats = NDArray[np.float64]

FIXED_ANGLES = 36
"""Directions tried besides those of the edges, evenly over the half turn from true north."""

_MOST_EDGES = 32  # directions of edges that are tried, the longest first
_SAME_RAD = math.radians(0.25)  # edges this near in direction are one
_THIN_M = 0.5  # an edge is what is left of the outline at this tolerance
_INSIDE_M = 0.05  # a line along the very edge of the room would be cut by rounding
_SHORTEST_M = 1.0


@dataclass(frozen=True)
class Strip:
    """A run with the camera on: its corners (n x 2, plane), the number of its line, and from where to where
    along the pattern it reaches.

    `run_in` and `run_out` are the corners between which the aircraft flies straight on before and after.
    """

    points: Floats
    line: int
    begin_m: float
    end_m: float
    run_in: Floats
    run_out: Floats

    @classmethod
    def of(cls, points: Floats, line: int, begin_m: float, end_m: float) -> Strip:
        """A strip that is entered and left at its own ends."""
        return cls(points, line, begin_m, end_m, points[0], points[-1])

    @property
    def length_m(self) -> float:
        """Length in the plane."""
        return float(np.hypot(*np.diff(self.points, axis=0).T).sum())

    @property
    def back(self) -> Strip:
        """The same run flown the other way."""
        return replace(self, points=self.points[::-1], run_in=self.run_out, run_out=self.run_in)


@dataclass(frozen=True)
class _Edges:
    """The edges of the shapes that lines are cut against: (n, 2, 2) arrays of the plane."""

    asked: Floats
    straight: Floats
    turning: Floats


def lines_over(room: Room, plane: Plane, spacing_m: float, angle_deg: float | None) -> tuple[list[Strip], float]:
    """The strips over the room's area, at most `spacing_m` apart, and the direction that they have.

    Without an angle it is the one with the fewest strips, and of those the one with the shortest: tried are the
    directions of the edges of the area, of its hull and of its permitted part, where a convex area has its
    narrowest width (rotating calipers), and `FIXED_ANGLES` others for those that are not convex.
    """
    edges = _Edges(
        edges_of(room.asked),
        edges_of(room.asked.intersection(room.straight)),
        edges_of(room.asked.intersection(room.turning)),
    )
    if not len(edges.turning):
        return [], angle_deg or 0.0
    if angle_deg is not None:
        return _strips(edges, plane.bearing_rad(angle_deg), spacing_m), angle_deg % 180.0
    ranked = (
        (len(cut), float((cut[:, 2] - cut[:, 1]).sum()), rank, bearing)
        for rank, bearing in enumerate(_bearings(room, plane))
        if len(cut := _cut(edges, bearing, spacing_m)[0])
    )
    best = min(ranked, default=None)
    if best is None:
        return [], 0.0
    return _strips(edges, best[3], spacing_m), plane.angle_deg(best[3])


def with_turnaround(strips: Sequence[Strip], by_m: float, turning: BaseGeometry) -> list[Strip]:
    """The strips, flown straight on at both ends by up to `by_m`, as far as the aircraft may turn there."""
    if by_m <= 0:
        return list(strips)
    free = turning.buffer(_INSIDE_M)
    shapely.prepare(free)
    return [
        replace(
            strip,
            run_in=_beyond(strip.points[1], strip.points[0], by_m, free),
            run_out=_beyond(strip.points[-2], strip.points[-1], by_m, free),
        )
        for strip in strips
    ]


def _beyond(before: Floats, end: Floats, by_m: float, free: BaseGeometry) -> Floats:
    """The place up to `by_m` straight on from `end`, as far as the line there lies in `free`."""
    ahead = (end - before) / float(np.hypot(*(end - before)))
    inside = shapely.get_parts(shapely.LineString([end, end + ahead * by_m]).intersection(free))
    at = shapely.Point(end)
    reached_m = max((part.length for part in inside if part.distance(at) <= _INSIDE_M), default=0.0)
    beyond: Floats = end + ahead * max(reached_m - 2 * _INSIDE_M, 0.0)
    return beyond


def cells(strips: Sequence[Strip]) -> list[list[Strip]]:
    """Strips in groups: each continues the one before it on the next line, alone beside it."""
    by_line: dict[int, list[Strip]] = {}
    for strip in strips:
        by_line.setdefault(strip.line, []).append(strip)
    found: list[list[Strip]] = []
    open_cells: dict[int, list[Strip]] = {}
    for line in sorted(by_line):
        before, now = by_line.get(line - 1, []), by_line[line]
        beside = [[p for p in before if p.begin_m < s.end_m and s.begin_m < p.end_m] for s in now]
        shared = [id(p) for ps in beside for p in ps]
        following: dict[int, list[Strip]] = {}
        for strip, neighbours in zip(now, beside, strict=True):
            alone = len(neighbours) == 1 and shared.count(id(neighbours[0])) == 1
            cell = open_cells[id(neighbours[0])] if alone else []
            if not cell:
                found.append(cell)
            cell.append(strip)
            following[id(strip)] = cell
        open_cells = following
    return found


def _bearings(room: Room, plane: Plane) -> Iterator[float]:
    """The directions to try, those of edges first, so that of equals the one along an edge is taken."""
    edges = []
    for shape in (room.asked, shapely.convex_hull(room.asked), room.asked.intersection(room.turning)):
        edges.append(edges_of(shapely.simplify(shape, _THIN_M)))
    spans = np.concatenate(edges)
    east, north = (spans[:, 1] - spans[:, 0]).T
    longest = np.argsort(-np.hypot(east, north), kind="stable")
    tried: list[float] = []
    for bearing in np.arctan2(east, north)[longest] % math.pi:
        if all(abs(math.remainder(bearing - other, math.pi)) > _SAME_RAD for other in tried):
            tried.append(float(bearing))
        if len(tried) == _MOST_EDGES:
            break
    yield from tried
    for step in range(FIXED_ANGLES):
        yield plane.bearing_rad(180.0 / FIXED_ANGLES * step)


def _turned(edges: Floats, bearing: float) -> Floats:
    """The edges in coordinates along and across the lines."""
    sin, cos = math.sin(bearing), math.cos(bearing)
    turned: Floats = edges @ np.array([[sin, cos], [cos, -sin]])
    return turned


def _cut(edges: _Edges, bearing: float, spacing_m: float) -> tuple[Floats, Floats]:
    """Strips as rows of line number, begin and end along the lines; and where each line lies across them."""
    asked, straight, turning = (_turned(part, bearing) for part in (edges.asked, edges.straight, edges.turning))
    offsets_m = _offsets(asked[..., 1], straight[..., 1], spacing_m)
    runs, ends = _scan(straight, offsets_m), _scan(turning, offsets_m)
    return _between_turns(runs, ends), offsets_m


def _offsets(asked: Floats, straight: Floats, spacing_m: float) -> Floats:
    """Where the lines lie across: the outer ones half a spacing inside the area, or at the rim of the room."""
    rim = float(straight.min()) + _INSIDE_M, float(straight.max()) - _INSIDE_M
    first, last = max(rim[0], float(asked.min()) + spacing_m / 2), min(rim[1], float(asked.max()) - spacing_m / 2)
    if last <= first:
        return np.array([min(max((first + last) / 2, rim[0]), rim[1])])
    return np.linspace(first, last, math.ceil((last - first) / spacing_m - 1e-9) + 1)


def _scan(edges: Floats, offsets_m: Floats) -> Floats:
    """Where lines at the offsets run inside the shape of the edges: rows of line number, begin, end; sorted."""
    low, high = np.sort(edges[..., 1], axis=1).T
    begin, end = np.searchsorted(offsets_m, low), np.searchsorted(offsets_m, high)
    edge = np.repeat(np.arange(len(edges)), end - begin)
    line = np.arange(len(edge)) - np.repeat(np.cumsum(end - begin) - end, end - begin)
    (a, p), (b, q) = edges[edge, 0].T, edges[edge, 1].T
    along = a + (offsets_m[line] - p) / (q - p) * (b - a)
    order = np.lexsort((along, line))
    pairs = np.column_stack([line, along])[order].reshape(-1, 2, 2)
    return np.column_stack([pairs[:, 0, 0], pairs[:, :, 1]])


def _between_turns(runs: Floats, ends: Floats) -> Floats:
    """Of each run the part from the first to the last place where the aircraft may turn."""
    if not len(runs) or not len(ends):
        return np.zeros((0, 3))
    # Runs do not overlap, so the one that holds an end is the last that begins before it.
    far = float(np.ptp(np.concatenate([runs[:, 1:].ravel(), ends[:, 1:].ravel()]))) * 2 + 1
    middle = ends[:, 0] * far + (ends[:, 1] + ends[:, 2]) / 2
    holder = np.searchsorted(runs[:, 0] * far + runs[:, 1], middle) - 1
    holders, first = np.unique(holder, return_index=True)
    begin, end = np.minimum.reduceat(ends[:, 1], first), np.maximum.reduceat(ends[:, 2], first)
    strips = np.column_stack([runs[holders, 0], begin, end])
    return strips[end - begin >= _SHORTEST_M]


def _strips(edges: _Edges, bearing: float, spacing_m: float) -> list[Strip]:
    cut, offsets_m = _cut(edges, bearing, spacing_m)
    along = np.array([math.sin(bearing), math.cos(bearing)])
    aside = np.array([math.cos(bearing), -math.sin(bearing)])
    return [
        Strip.of(np.array([begin, end])[:, None] * along + offsets_m[int(line)] * aside, int(line), begin, end)
        for line, begin, end in cut.tolist()
    ]
