"""What a planner asks: how much of the ground is seen, how often, and where the gaps are, largest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geo.coverage.footprints import Device, Relief, footprints
from geo.coverage.pieces import seen_of
from geo.coverage.plane import Plane
from geo.coverage.relief import beyond, relief_around
from geo.coverage.union import collected
from schemas.refusals import Kind, RuleViolation, invalid, refuse

_LEVELS = 3
Shapes = NDArray[np.object_]


@dataclass(frozen=True)
class Coverage:
    """How some ground is seen; shapes in EPSG:4326, areas in square metres of an equal-area projection.

    `seen_m2` holds what is seen at least 1, 2 and 3 times; `ground_m2` is the ground that was asked about less the
    privacy zones, which are never demand. `gaps` are the parts that nobody sees, largest first.
    """

    ground_m2: float
    private_m2: float
    seen_m2: tuple[float, ...]
    seen: BaseGeometry
    twice: BaseGeometry
    gaps: tuple[BaseGeometry, ...]
    gaps_m2: tuple[float, ...]
    hidden: tuple[int, ...]

    @property
    def share(self) -> float:
        """Which part of the ground is seen at all."""
        return self.seen_m2[0] / self.ground_m2

    @property
    def gap_m2(self) -> float:
        """The ground that nobody sees."""
        return self.ground_m2 - self.seen_m2[0]


def coverage_of(
    devices: Sequence[Device], ground: BaseGeometry, zones: BaseGeometry | None = None, terrain: Path | None = None
) -> Coverage:
    """How `devices` see `ground` (EPSG:4326) outside of the privacy zones.

    `terrain` is a trusted elevation model that hides what lies behind hills; `hidden` are the numbers, from 1, of
    devices whose view it takes altogether. Raises RuleViolation for devices that cannot be (see `footprints`), for
    a model too large to look at, and for ground of which the zones leave nothing (`coverage.no_ground`).
    """
    plane = Plane.around(ground)
    asked = plane.to_metres(np.array([ground, zones or shapely.Polygon()], dtype=object))
    demand = asked[0].difference(asked[1])
    if not demand.area > 0:
        raise invalid("coverage.no_ground", "coverage.no_ground")
    views = footprints(devices, plane, _relief(terrain, plane, asked[0], devices) if terrain and devices else None)
    blind = shapely.is_empty(views)
    areas, (parts, once, twice, _) = seen_of(views[~blind], demand, _LEVELS)
    order = np.argsort(-shapely.area(parts), kind="stable")
    shapes = np.array([collected(once), collected(twice)], dtype=object)
    seen, several, *gaps = plane.areas_to_wgs84(np.concatenate([shapes, parts[order]]))
    return Coverage(
        ground_m2=float(demand.area),
        private_m2=float(asked[0].area - demand.area),
        seen_m2=tuple(float(area) for area in areas),
        seen=seen,
        twice=several,
        gaps=tuple(gaps),
        gaps_m2=tuple(float(area) for area in shapely.area(parts)[order]),
        hidden=tuple(int(number) + 1 for number in np.flatnonzero(blind)),
    )


def _relief(terrain: Path, plane: Plane, ground: BaseGeometry, devices: Sequence[Device]) -> Relief:
    """The model around the ground and all devices, with what they can see beyond."""
    off = beyond(terrain, *(np.array([device.at[axis] for device in devices], np.float64) for axis in (0, 1)))
    if off.any():
        outside = np.flatnonzero(off).tolist()
        raise RuleViolation(
            Kind.INVALID, [refuse("coverage.off_relief", "coverage.off_relief", number=n + 1) for n in outside]
        )
    places = np.array([shapely.Point(device.at) for device in devices], dtype=object)
    around = shapely.union_all([ground, *plane.to_metres(places)])
    return relief_around(terrain, plane, shapely.envelope(around), max(device.range_m for device in devices))
