"""What changes when one device is moved, turned, raised, added or taken away: its neighbourhood alone is computed."""

from __future__ import annotations

from collections.abc import Sequence
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
        return self.changed([] if number is None else [number], [] if footprint is None else [footprint])

    def changed(self, taken: Sequence[int], put: Sequence[BaseGeometry]) -> Change:
        """What it does to take the footprints of some numbers away and to put others there, all at once."""
        gone = np.asarray(taken, dtype=np.int64)
        old, new = self._footprints[gone], np.array(list(put), dtype=object)
        touched = np.concatenate([old, new])
        touched = touched[~shapely.is_empty(touched)]
        if not len(touched):
            return Change(np.zeros(self._levels))
        near = np.unique(self._tree.query(touched)[1])
        others = self._footprints[near[~np.isin(near, gone)]]
        ground = shapely.clip_by_rect(self._ground, *shapely.total_bounds(touched))
        return Change(self._areas(others, new, ground) - self._areas(others, old, ground))

    def _areas(self, others: Shapes, more: Shapes, ground: BaseGeometry) -> Floats:
        footprints = np.concatenate([others, more[~shapely.is_empty(more)]])
        if not len(footprints) or ground.is_empty:
            return np.zeros(self._levels)
        return Union(footprints, ground, levels=self._levels, threads=1).areas_m2
