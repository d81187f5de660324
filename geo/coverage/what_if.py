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
from geo.coverage.pieces import areas_seen
from geo.coverage.union import box_around, collected, polygons_of
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
        levels = max(levels, 2)
        self._footprints, self._ground, self._levels = footprints, ground, levels
        self._sees = ~shapely.is_empty(footprints)
        seeing = footprints[self._sees]
        check(seeing)
        self._tree = shapely.STRtree(footprints)
        shapely.prepare(ground)
        # Beyond the ground a footprint may reach, but no change is asked about there.
        self._outlines = outlines(seeing, box_around(np.concatenate([seeing, np.array([ground], dtype=object)])))
        self._cells = cells_of(self._outlines, frame_of(self._outlines))
        self._room = room_in(self._outlines, self._cells)
        self._number = np.cumsum(self._sees) - 1
        self._taking = Lock()

    def replaced(self, number: int | None, footprint: BaseGeometry | None) -> Change:
        """What it does to put a footprint in the place of that number; None adds one, or takes it away."""
        return self.changed([] if number is None else [number], [] if footprint is None else [footprint])

    def changed(self, taken: Sequence[int], put: Sequence[BaseGeometry]) -> Change:
        """What it does to take the footprints of some numbers away and to put others there, all at once."""
        gone = [number for number in taken if self._sees[number]]
        new = [shape for shape in put if not (shape is not None and shape.is_empty)]
        if not gone and not new:
            return Change(np.zeros(self._levels))
        check(np.array(new, dtype=object))
        if len(gone) <= 1 and len(new) <= 1:
            with self._without(gone):
                return Change(self._adds(new, gone) - self._adds(list(self._footprints[gone]), gone))
        return self._anew(np.array(gone, np.int64), np.array(new, dtype=object))

    @contextmanager
    def _without(self, gone: Sequence[int]) -> Iterator[None]:
        """The others alone: for a while, what is gone counts nowhere."""
        numbers = self._outlines.standing[self._number[list(gone)]]
        with self._taking:
            held = [held_by(self._outlines, self._cells, int(number)) for number in numbers]
            for number, cells in zip(numbers, held, strict=True):
                self._outlines.weight[number] -= 1
                self._cells.full[cells] -= 1
            try:
                yield
            finally:
                for number, cells in zip(numbers, held, strict=True):
                    self._outlines.weight[number] += 1
                    self._cells.full[cells] += 1

    def _adds(self, shapes: Sequence[BaseGeometry], gone: Sequence[int]) -> Floats:
        """By how much the ground seen at least k times grows with one more: by what others see k - 1 times."""
        grown = np.zeros(self._levels)
        for shape in shapes:
            area = shape
            if not shapely.contains_properly(self._ground, shape):
                area = collected(polygons_of(shape.intersection(self._ground)))
            seen = self._seen_of(area, gone)
            grown += np.append(area.area, seen[:-1]) - seen
        return grown

    def _seen_of(self, area: BaseGeometry, gone: Sequence[int]) -> Floats:
        """How much of an area all but those that are gone see at least k times.

        Where outlines lie too close together to say which crosses which, they do so in one place: that is asked again
        by itself, and in the end answered from shapes.
        """
        if area.is_empty:
            return np.zeros(self._levels)
        west, south, east, north = area.bounds
        seen = seen_within(self._outlines, self._cells, area, self._levels, self._room)
        if seen is not None:
            return seen
        if max(east - west, north - south) <= _SMALLEST_M:
            return self._seen_by_shapes(area, gone)
        x, y = (west + east) / 2, (south + north) / 2
        halves = [(west, south, x, north), (x, south, east, north)]
        if east - west < north - south:
            halves = [(west, south, east, y), (west, y, east, north)]
        first, second = (self._seen_of(_clipped(area, half), gone) for half in halves)
        return first + second

    def _seen_by_shapes(self, area: BaseGeometry, gone: Sequence[int]) -> Floats:
        near = self._tree.query(area, predicate="intersects")
        parts = shapely.intersection(self._footprints[near[~np.isin(near, gone)]], shapely.box(*area.bounds))
        return self._areas(polygons_of(parts), _NONE, area)

    def _anew(self, gone: NDArray[np.int64], new: Shapes) -> Change:
        """The neighbourhood before and after, each as a whole."""
        old = self._footprints[gone]
        touched = np.concatenate([old, new])
        near = np.unique(self._tree.query(touched)[1])
        others = self._footprints[near[~np.isin(near, gone)]]
        ground = shapely.clip_by_rect(self._ground, *shapely.total_bounds(touched))
        return Change(self._areas(others, new, ground) - self._areas(others, old, ground))

    def _areas(self, others: Shapes, more: Shapes, ground: BaseGeometry) -> Floats:
        footprints = np.concatenate([others, more])
        if not len(footprints) or ground.is_empty:
            return np.zeros(self._levels)
        return areas_seen(footprints, ground, self._levels)


def _clipped(area: BaseGeometry, box: tuple[float, float, float, float]) -> BaseGeometry:
    """The part of an area within a box."""
    part = shapely.clip_by_rect(area, *box)
    # What is cut along a corner may touch itself.
    return collected(polygons_of(part if part.is_valid else area.intersection(shapely.box(*box))))
