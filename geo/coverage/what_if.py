"""What changes when one device is moved, turned, raised, added or taken away: its neighbourhood alone is computed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geo.coverage.outlines import Floats, check
from geo.coverage.union import Union

Shapes = NDArray[np.object_]


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
        check(footprints[~shapely.is_empty(footprints)])
        self._tree = shapely.STRtree(footprints)

    def replaced(self, number: int | None, footprint: BaseGeometry | None) -> Change:
        """What it does to put a footprint in the place of that number; None adds one, or takes it away."""
        old = None if number is None else self._footprints[number]
        touched = [shape for shape in (old, footprint) if shape is not None and not shape.is_empty]
        if not touched:
            return Change(np.zeros(self._levels))
        near = np.unique(self._tree.query(np.array(touched, dtype=object))[1])
        others = self._footprints[near[near != (-1 if number is None else number)]]
        ground = shapely.clip_by_rect(self._ground, *shapely.total_bounds(np.array(touched, dtype=object)))
        return Change(self._areas(others, footprint, ground) - self._areas(others, old, ground))

    def _areas(self, others: Shapes, footprint: BaseGeometry | None, ground: BaseGeometry) -> Floats:
        one = [] if footprint is None or footprint.is_empty else [footprint]
        footprints = np.concatenate([others, np.array(one, dtype=object)])
        if not len(footprints) or ground.is_empty:
            return np.zeros(self._levels)
        return Union(footprints, ground, levels=self._levels, threads=1).areas_m2
