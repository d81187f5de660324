"""Ways between strips that see nothing private: shortest paths over the corners of what stands in between. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from flights.survey.pattern import Strip
from flights.survey.room import polygons
from schemas.limits import limit
from schemas.refusals import invalid

Floats = NDArray[np.float64]

_TOUCH_M = 0.05  # strips end at the very rim of the room; rounding must not push them out of it


class NoWay(Exception):
    """Two places (plane) that nothing permitted joins."""

    def __init__(self, here: Floats, there: Floats) -> None:
        super().__init__("no way")
        self.here, self.there = here, there


class Ways:
    """The shortest ways within a room; corners that see each other are looked up once."""

    def __init__(self, turning: BaseGeometry) -> None:
        """Take the room in which the aircraft may turn (plane); RuleViolation 422 where it has too many corners."""
        self._free = turning.buffer(_TOUCH_M, join_style="mitre")
        self._parts = np.array(polygons(self._free), dtype=object)
        self._corners = _inner_corners(turning)
        if len(self._corners) > limit("survey.corners"):
            raise invalid("survey.corners", measured=len(self._corners), required=limit("survey.corners"))
        self._seen: dict[int, list[tuple[int, float]]] = {}
        shapely.prepare(self._free)
        shapely.prepare(self._parts)

    def holds(self, place: Floats) -> bool:
        """Whether the aircraft may be and turn at a place."""
        return bool(shapely.covers(self._free, shapely.Point(place)))

    def between(self, here: Floats, there: Floats) -> Floats:
        """The corners (n x 2) of the shortest way, both ends among them; raises NoWay."""
        if self._direct(here, there[None])[0]:
            return np.array([here, there])
        ends = shapely.points(np.array([here, there]))
        # In one connected part there is always a way, so the search below never runs in vain.
        if not any(shapely.covers(part, ends).all() for part in self._parts):
            raise NoWay(here, there)
        return self._around(here, there)

    def length_m(self, here: Floats, there: Floats) -> float:
        """The length of the shortest way, infinite where there is none."""
        try:
            return _length(self.between(here, there))
        except NoWay:
            return float("inf")

    def _direct(self, here: Floats, others: Floats) -> NDArray[np.bool_]:
        legs = shapely.linestrings(np.stack([np.broadcast_to(here, others.shape), others], axis=1))
        return np.asarray(shapely.covers(self._free, legs), dtype=np.bool_)

    def _around(self, here: Floats, there: Floats) -> Floats:
        """A* over the corners; the goal is numbered one beyond them, the start two."""
        goal, start = len(self._corners), len(self._corners) + 1
        places = np.vstack([self._corners, there, here])
        left_m = np.hypot(*(places - there).T)
        to_goal = dict(self._neighbours(there))
        known: dict[int, tuple[float, int]] = {start: (0.0, start)}
        waiting, done = [(float(left_m[start]), start)], set()
        while waiting:
            _, node = heapq.heappop(waiting)
            if node in done:
                continue
            if node == goal:
                return places[_trail(known, goal)]
            done.add(node)
            steps = self._from_corner(node) if node < goal else self._neighbours(here)
            onward = [*steps, (goal, to_goal[node])] if node in to_goal else steps
            for other, step_m in onward:
                total_m = known[node][0] + step_m
                if total_m < known.get(other, (float("inf"), 0))[0]:
                    known[other] = (total_m, node)
                    heapq.heappush(waiting, (total_m + float(left_m[other]), other))
        raise NoWay(here, there)

    def _from_corner(self, corner: int) -> list[tuple[int, float]]:
        if corner not in self._seen:
            self._seen[corner] = self._neighbours(self._corners[corner])
        return self._seen[corner]

    def _neighbours(self, place: Floats) -> list[tuple[int, float]]:
        far_m = np.hypot(*(self._corners - place).T)
        seen = np.flatnonzero(self._direct(place, self._corners) & (far_m > 0))
        return list(zip(seen.tolist(), far_m[seen].tolist(), strict=True))


def _trail(known: dict[int, tuple[float, int]], node: int) -> list[int]:
    trail = [node]
    while known[node][1] != node:
        node = known[node][1]
        trail.append(node)
    return trail[::-1]


def _length(points: Floats) -> float:
    return float(np.hypot(*np.diff(points, axis=0).T).sum())


def _inner_corners(turning: BaseGeometry) -> Floats:
    """The corners round which a shortest way can bend: where the room turns its angle inwards."""
    corners = [np.zeros((0, 2))]
    for part in polygons(shapely.orient_polygons(turning)):
        for ring in (part.exterior, *part.interiors):
            xy = shapely.get_coordinates(ring)[:-1]
            into, out = xy - np.roll(xy, 1, axis=0), np.roll(xy, -1, axis=0) - xy
            corners.append(xy[into[:, 0] * out[:, 1] - into[:, 1] * out[:, 0] < 0])
    return np.concatenate(corners)


def in_order(cells: Sequence[Sequence[Strip]], ways: Ways, here: Floats, home: Floats) -> list[Strip]:
    """The strips as they are flown: to and fro in each cell, then on to the cell that is nearest.

    A cell is entered at one of its four ends. The last one is entered so that the way home counts as well.
    """
    flown: list[Strip] = []
    left = list(cells)
    while left:
        choices = [(number, tour) for number, cell in enumerate(left) for tour in _tours(cell)]
        number, tour = _nearest(choices, ways, here, home if len(left) == 1 else None)
        flown += tour
        here = tour[-1].run_out
        left.pop(number)
    return flown


def _tours(cell: Sequence[Strip]) -> list[list[Strip]]:
    """The four ways to fly a cell: from either side, beginning at either end."""
    return [
        [strip.back if (index + first) % 2 else strip for index, strip in enumerate(order)]
        for order in (list(cell), list(cell)[::-1])
        for first in (0, 1)
    ]


def _nearest(
    choices: Sequence[tuple[int, list[Strip]]], ways: Ways, here: Floats, home: Floats | None
) -> tuple[int, list[Strip]]:
    """The tour that is reached soonest; as the crow flies is never further, so most ways are not searched."""

    def crow_m(tour: list[Strip]) -> float:
        out_m = float(np.hypot(*(tour[0].run_in - here)))
        return out_m if home is None else out_m + float(np.hypot(*(tour[-1].run_out - home)))

    best, best_m = choices[0], float("inf")
    for choice in sorted(choices, key=lambda choice: crow_m(choice[1])):
        if crow_m(choice[1]) >= best_m:
            break
        way_m = ways.length_m(here, choice[1][0].run_in)
        if home is not None:
            way_m += ways.length_m(choice[1][-1].run_out, home)
        if way_m < best_m:
            best, best_m = choice, way_m
    return best


def joined(strips: Sequence[Strip], ways: Ways, home: Floats) -> list[tuple[Floats, bool]]:
    """The whole flight as runs of corners with whether the camera is on: out, every strip and way, and back."""
    runs: list[tuple[Floats, bool]] = []
    here, tail = home, home[None]
    for strip in strips:
        runs.append((np.vstack([tail, ways.between(here, strip.run_in), strip.points[:1]]), False))
        runs.append((strip.points, True))
        here, tail = strip.run_out, strip.points[-1:]
    runs.append((np.vstack([tail, ways.between(here, home)]), False))
    return runs
