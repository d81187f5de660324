"""What changes when one device is moved, turned, raised, added or taken away: its neighbourhood alone is computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geo.coverage.cells import cells_of, frame_of
from geo.coverage.outlines import Floats, check, outlines
from geo.coverage.pieces import areas_seen, seen_of
from geo.coverage.union import collected, polygons_of
from geo.coverage.within import held_by, room_in, seen_within

Shapes = NDArray[np.object_]

# Where edges lie too close together to be told apart, in metres, GEOS tells what is seen of so much.
_SMALLEST_M = 60.0
_NONE = np.empty(0, dtype=object)


@dataclass(frozen=True)
class Change:
    """What a change does: by how many square metres the ground that is seen at least 1, 2, ... times grows."""

    areas_m2: Floats

    @property
    def gained_m2(self) -> float:
        """Ground that is seen and was not, less what is seen no more."""
        return float(self.areas_m2[0])

    @property
    def duplicated_m2(self) -> float:
        """Ground that several see and did not, less what several see no more."""
        return float(self.areas_m2[1])


class Standing:
    """Footprints as they stand, in metres of one plane, ready to be asked what a change would do."""

    def __init__(self, footprints: Shapes, ground: BaseGeometry, *, levels: int = 3) -> None:
        """Raises RuleViolation for a footprint that is no area; an empty one, of a hidden view, is left out."""
        ground, levels = collected(polygons_of(ground)), max(levels, 2)
        self._footprints, self._ground, self._levels = footprints, ground, levels
        self._sees = ~shapely.is_empty(footprints)
        seeing = footprints[self._sees]
        check(seeing)
        self._tree = shapely.STRtree(footprints)
        shapely.prepare(ground)
        self._outlines = outlines(seeing, ground)
        self._cells = cells_of(self._outlines, frame_of(self._outlines))
        # Where cells lie; further out a footprint may reach, but there is no ground to ask about.
        self._box = tuple(shapely.total_bounds(np.array([*seeing, ground], dtype=object)).tolist())
        self._room = room_in(self._outlines, self._cells)
        self._number = np.cumsum(self._sees) - 1
        self._taking = Lock()

    def replaced(self, number: int | None, footprint: BaseGeometry | None) -> Change:
        """What it does to put a footprint in the place of that number; None adds one, or takes it away."""
        return self.changed([] if number is None else [number], [] if footprint is None else [footprint])

    def changed(self, taken: Sequence[int], put: Sequence[BaseGeometry], *, are_checked: bool = False) -> Change:
        """What it does to take the footprints of some numbers away and to put others there, all at once.

        Each is asked of its own neighbourhood: what is new one after another beside all that stays, then what is gone
        as it comes back. In whatever order they are told, the answer is the same in every bit. Raises RuleViolation
        for a footprint that is no area, unless `are_checked`.
        """
        gone = [number for number in sorted(set(taken)) if self._sees[number]]
        new = np.array([shape for shape in put if not (shape is not None and shape.is_empty)], dtype=object)
        if not are_checked:
            check(new)
        new = new[np.argsort(shapely.to_wkb(new), kind="stable")] if len(new) > 1 else new
        grown = np.zeros(self._levels)
        with self._without(gone) as still_gone:
            for number, shape in enumerate(new):
                grown += self._adds(shape, still_gone, new[:number])
            while still_gone:
                grown -= self._adds(self._footprints[still_gone[-1]], still_gone, _NONE)
                self._weigh(still_gone.pop(), 1)
        return Change(grown)

    @contextmanager
    def _without(self, gone: Sequence[int]) -> Iterator[list[int]]:
        """The others alone: for a while, what is gone counts nowhere; what is left in the list comes back."""
        still_gone: list[int] = []
        with self._taking:
            try:
                for number in gone:
                    self._weigh(number, -1)
                    still_gone.append(number)
                yield still_gone
            finally:
                for number in still_gone:
                    self._weigh(number, 1)

    def _weigh(self, number: int, change: int) -> None:
        """Counts a footprint so many times more, where it is an outline and where it holds whole cells."""
        outline = int(self._outlines.standing[self._number[number]])
        self._outlines.weight[outline] += change
        self._cells.full[held_by(self._outlines, self._cells, outline)] += change

    def _adds(self, shape: BaseGeometry, gone: Sequence[int], before: Shapes) -> Floats:
        """By how much the ground seen at least k times grows with one more: by what others see k - 1 times.

        Others are those that stand but for the gone, and what was put there `before`.
        """
        seen = self._told_of(shape, gone)
        near = before[shapely.intersects(before, shape)] if len(before) else before
        if len(near):
            # What those before see at least c times is seen by k - c of the standing where all see it k times.
            parts = [collected(some) for some in seen_of(near, shape, self._levels)[1][1:]]
            told = np.array([seen, *(self._told_of(part, gone) for part in parts)])
            steps = np.append(told[:-1] - told[1:], told[-1:], axis=0)
            lacking = np.arange(self._levels + 1) - np.arange(self._levels + 1)[:, np.newaxis]
            seen = np.take_along_axis(steps, np.maximum(lacking, 0), axis=1).sum(axis=0)
        return seen[:-1] - seen[1:]

    def _told_of(self, shape: BaseGeometry, gone: Sequence[int]) -> Floats:
        """How much of the ground in a shape all but those that are gone see at least 0, 1, 2, ... times."""
        west, south, east, north = self._box
        w, s, e, n = shape.bounds if not shape.is_empty else self._box
        is_within = west <= w and south <= s and e <= east and n <= north
        return self._seen_of(shape if is_within else _clipped(shape, self._box), gone)

    def _seen_of(self, area: BaseGeometry, gone: Sequence[int]) -> Floats:
        """The same of an area within the box of all.

        Where outlines lie too close together to say which crosses which, they do so in one place: that is asked again
        by itself, and in the end answered from shapes.
        """
        if area.is_empty:
            return np.zeros(self._levels + 1)
        seen = seen_within(self._outlines, self._cells, area, self._levels, self._room)
        if seen is not None:
            return seen
        west, south, east, north = area.bounds
        if max(east - west, north - south) <= _SMALLEST_M:
            return self._seen_by_shapes(area, gone)
        x, y = (west + east) / 2, (south + north) / 2
        halves = [(west, south, x, north), (x, south, east, north)]
        if east - west < north - south:
            halves = [(west, south, east, y), (west, y, east, north)]
        first, second = (self._seen_of(_clipped(area, half), gone) for half in halves)
        return first + second

    def _seen_by_shapes(self, area: BaseGeometry, gone: Sequence[int]) -> Floats:
        ground = collected(polygons_of(area.intersection(shapely.clip_by_rect(self._ground, *area.bounds))))
        near = self._tree.query(ground, predicate="intersects")
        parts = shapely.intersection(self._footprints[near[~np.isin(near, gone)]], shapely.box(*area.bounds))
        footprints = polygons_of(parts)
        seen = areas_seen(footprints, ground, self._levels) if len(footprints) else np.zeros(self._levels)
        return np.append(ground.area, seen)


def _clipped(area: BaseGeometry, box: tuple[float, float, float, float]) -> BaseGeometry:
    """The part of an area within a box."""
    part = shapely.clip_by_rect(area, *box)
    # What is cut along a corner may touch itself.
    return collected(polygons_of(part if part.is_valid else area.intersection(shapely.box(*box))))
