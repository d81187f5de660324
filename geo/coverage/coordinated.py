"""What the authorities of one government watch together: who duplicates whom, what could be shared, what nobody sees.

The coordinated-siting part of the digital-government plan (GD-17, LF-6). Pure: values in, values out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import STRtree
from shapely.geometry.base import BaseGeometry

from geo.coverage.footprints import Device, footprints
from geo.coverage.plane import Plane
from geo.coverage.saying import LEAST_GAP_M2
from geo.coverage.union import Union
from geo.types import LonLat
from schemas.refusals import invalid

ACTIVE, PUBLISHED, BLOCKED, PLANNED = "active", "published", "blocked", "planned"
# What watches, or will do so on a day that is announced.
WATCHING = (ACTIVE, PUBLISHED)
_MOST_GAPS = 20
Shapes = NDArray[np.object_]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A device of an authority, or a site of its plans.

    `authority`, `item` are codes; `is_assumed` says that its register tells no view, so that one of its kind is
    counted. `shared_with` are the codes of authorities that use it by a grant or list it as theirs too; `is_shown`
    says that the public register shows it, so that others could ask for it. `added`, `ended`: in the year of the
    report.
    """

    public_id: str
    label: str
    authority: str
    kind: str
    status: str
    device: Device
    item: str | None = None
    is_assumed: bool = False
    is_shown: bool = False
    shared_with: Collection[str] = ()
    added: bool = False
    ended: bool = False


@dataclass(frozen=True)
class Duplicate:
    """A device, or a planned site, most of whose view others of its kind see; `by` the ids and authorities of those."""

    public_id: str
    label: str
    authority: str
    kind: str
    is_planned: bool
    share: float
    by: tuple[tuple[str, str], ...]

    @property
    def of_others(self) -> tuple[str, ...]:
        """The other authorities whose devices see it: whom to ask for the use of theirs (GD-17)."""
        return tuple(sorted({code for _, code in self.by} - {self.authority}))


@dataclass(frozen=True)
class Share:
    """What one authority contributes; areas in square metres of the government's ground.

    `alone_m2` is what would be seen by nobody without it.
    """

    authority: str
    in_use: int
    announced: int
    blocked: int
    planned: int
    added: int
    ended: int
    shared: int
    used: int
    sharable: int
    duplicated: int
    seen_m2: float
    alone_m2: float


@dataclass(frozen=True)
class Gap:
    """A piece of ground that nobody sees, by its area and a place in it (EPSG:4326)."""

    area_m2: float
    at: LonLat


@dataclass(frozen=True)
class Coordination:
    """How a government's ground is watched by all of its authorities; `shares` by authority in the order given.

    `gap_m2` is what nobody sees today, `planned_gap_m2` what will be left when the planned sites are in use. `seen`
    and `gaps` are shapes of EPSG:4326; `largest` the largest gaps with their places.
    """

    ground_m2: float
    private_m2: float
    seen_m2: tuple[float, ...]
    gap_m2: float
    planned_gap_m2: float
    shares: tuple[Share, ...]
    duplicates: tuple[Duplicate, ...]
    largest: tuple[Gap, ...]
    seen: BaseGeometry
    gaps: BaseGeometry
    assumed: int


def coordinate(
    standing: Sequence[Standing],
    authorities: Sequence[str],
    ground: BaseGeometry,
    zones: BaseGeometry | None,
    ratio: float,
    progress: Callable[[float], None] = lambda _: None,
) -> Coordination:
    """How all of them together see `ground` (EPSG:4326) outside of the privacy zones.

    `ratio` is the share of a view from which it counts as duplicated. Hills are not looked at: a view is what its
    register says. Raises RuleViolation for ground of which the zones leave nothing, and for views that cannot be.
    """
    plane = Plane.around(ground)
    asked, private = plane.to_metres(np.array([ground, zones or shapely.Polygon()], dtype=object))
    demand = asked.difference(private)
    if not demand.area > 0:
        raise invalid("coverage.no_ground", "coverage.no_ground")
    views = footprints([one.device for one in standing], plane)
    watching = np.array([one.status in WATCHING for one in standing], dtype=bool)
    later = watching | np.array([one.status == PLANNED for one in standing], dtype=bool)
    of = np.array([one.authority for one in standing], dtype=object)
    union = Union(views[watching], demand, levels=3, made_here=True) if watching.any() else None
    areas = union.areas_m2 if union else np.zeros(3)
    progress(0.4)
    found = duplicates(standing, views, ratio)
    progress(0.6)
    seen, gaps = (union.seen(1), union.gap()) if union else (shapely.MultiPolygon(), demand)
    shares = []
    for number, code in enumerate(authorities):
        own = watching & (of == code)
        rest = _seen_m2(views[watching & (of != code)], demand) if own.any() else float(areas[0])
        shares.append(_share(code, standing, found, _seen_m2(views[own], demand), float(areas[0]) - rest))
        progress(0.6 + 0.4 * (number + 1) / len(authorities))
    there = plane.to_wgs84(np.array([seen, gaps], dtype=object))
    return Coordination(
        ground_m2=float(demand.area),
        private_m2=float(asked.area - demand.area),
        seen_m2=tuple(float(area) for area in areas),
        gap_m2=float(demand.area - areas[0]),
        planned_gap_m2=float(demand.area) - _seen_m2(views[later], demand),
        shares=tuple(shares),
        duplicates=found,
        largest=_largest(gaps, plane),
        seen=there[0],
        gaps=there[1],
        assumed=sum(one.is_assumed and one.status in WATCHING for one in standing),
    )


def duplicates(standing: Sequence[Standing], views: Shapes, ratio: float) -> tuple[Duplicate, ...]:
    """Whose view others of the same kind see to at least `ratio` of its area, the most first.

    What is planned is held against what watches, what watches against all others that do. A view that is only
    assumed duplicates nothing and is no duplicate. `views` are polygons of one plane.
    """
    known = [n for n, one in enumerate(standing) if not one.is_assumed and one.status in (*WATCHING, PLANNED)]
    pools: dict[str, list[int]] = {}
    for number in known:
        if standing[number].status in WATCHING:
            pools.setdefault(standing[number].kind, []).append(number)
    trees = {kind: (np.array(pool), STRtree(views[pool])) for kind, pool in pools.items()}
    found = []
    for number in known:
        one, view = standing[number], views[number]
        if one.kind not in trees or not view.area > 0:
            continue
        pool, tree = trees[one.kind]
        near = [int(other) for other in pool[tree.query(view, predicate="intersects")] if other != number]
        near = [other for other in near if view.intersection(views[other]).area > 0]
        share = shapely.union_all(views[near]).intersection(view).area / view.area if near else 0.0
        if share >= ratio:
            by = tuple((standing[other].public_id, standing[other].authority) for other in near)
            is_planned = one.status == PLANNED
            found.append(Duplicate(one.public_id, one.label, one.authority, one.kind, is_planned, min(share, 1.0), by))
    return tuple(sorted(found, key=lambda one: (-one.share, one.public_id)))


def _seen_m2(views: Shapes, demand: BaseGeometry) -> float:
    return float(Union(views, demand, levels=1, made_here=True).areas_m2[0]) if len(views) else 0.0


def _share(
    code: str, standing: Sequence[Standing], found: Sequence[Duplicate], seen_m2: float, alone_m2: float
) -> Share:
    own = [one for one in standing if one.authority == code]
    count: Mapping[str, int] = {status: sum(one.status == status for one in own) for status in _STATUSES}
    return Share(
        authority=code,
        in_use=count[ACTIVE],
        announced=count[PUBLISHED],
        blocked=count[BLOCKED],
        planned=count[PLANNED],
        added=sum(one.added for one in own),
        ended=sum(one.ended for one in own),
        shared=sum(bool(one.shared_with) for one in own),
        used=sum(code in one.shared_with for one in standing),
        sharable=sum(one.is_shown for one in own),
        duplicated=sum(one.authority == code for one in found),
        seen_m2=seen_m2,
        alone_m2=max(alone_m2, 0.0),
    )


_STATUSES = (ACTIVE, PUBLISHED, BLOCKED, PLANNED)


def _largest(gaps: BaseGeometry, plane: Plane) -> tuple[Gap, ...]:
    parts = shapely.get_parts(gaps)
    areas = shapely.area(parts)
    largest = np.argsort(-areas, kind="stable")[:_MOST_GAPS]
    largest = largest[areas[largest] >= LEAST_GAP_M2]
    if not len(largest):
        return ()
    places = plane.to_wgs84(shapely.point_on_surface(parts[largest]))
    return tuple(Gap(float(areas[n]), LonLat(at.x, at.y)) for n, at in zip(largest, places, strict=True))
