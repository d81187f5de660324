"""What a planner asks: how much of the ground is seen, how often, and where the gaps are, largest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geo.coverage.footprints import Device, faults_of, footprints
from geo.coverage.pieces import seen_of
from geo.coverage.plane import Plane
from geo.coverage.relief import beyond
from geo.coverage.seen import NO_HEIGHT, Surroundings, what_is_seen
from geo.coverage.union import collected
from geo.coverage.views import CAMERA, Seer
from schemas.refusals import Kind, Refusal, RuleViolation, invalid, refuse

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
    devices: Sequence[Device],
    ground: BaseGeometry,
    zones: BaseGeometry | None = None,
    terrain: Path | None = None,
    surface: Path | None = None,
) -> Coverage:
    """How `devices` see `ground` (EPSG:4326) outside of the privacy zones.

    `terrain` is a trusted elevation model that hides what lies behind hills, and `surface` one of buildings and trees
    upon it; `hidden` are the numbers, from 1, of devices whose view they take altogether. Raises RuleViolation for
    devices that cannot be (see `footprints`) or stand where the model knows no ground, and for ground of which the
    zones leave nothing (`coverage.no_ground`).
    """
    plane = Plane.around(ground)
    asked = plane.to_metres(np.array([ground, zones or shapely.Polygon()], dtype=object))
    demand = asked[0].difference(asked[1])
    if not demand.area > 0:
        raise invalid("coverage.no_ground", "coverage.no_ground")
    views = _over_ground(devices, plane, terrain, surface) if terrain and devices else footprints(devices, plane)
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


def _over_ground(devices: Sequence[Device], plane: Plane, terrain: Path, surface: Path | None) -> Shapes:
    """What each device sees over the models, as in a study; each must stand where the ground is known."""
    off = beyond(terrain, *(np.array([device.at[axis] for device in devices], np.float64) for axis in (0, 1)))
    faults = [*faults_of(devices), *(_misplaced("coverage.off_relief", at) for at in np.flatnonzero(off).tolist())]
    if faults:
        raise RuleViolation(Kind.INVALID, faults)
    seers = [Seer(device=one, label="", public_id=None, kind=CAMERA, status="active") for one in devices]
    seen = what_is_seen(seers, plane, Surroundings(terrain=terrain, surface=surface), lambda _: None)
    unknown = sorted(at for at, reason in seen.left_out.items() if reason == NO_HEIGHT)
    if unknown:
        raise RuleViolation(Kind.INVALID, [_misplaced("coverage.no_height", at) for at in unknown])
    return seen.views


def _misplaced(code: str, at: int) -> Refusal:
    return refuse(code, code, number=at + 1)
