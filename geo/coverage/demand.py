"""What needs watching, as pieces with a weight: ground, homes, supervised entities, risk and decided findings.

No kind of demand is money: what an authority earns has no place in where people are watched (GD-13.1). Privacy
zones are never demand: whoever makes one takes them off the ground first.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from geo.coverage.plane import Floats, Shapes
from schemas.limits import limit
from schemas.refusals import invalid, too_large

Ints = NDArray[np.int64]

AREA, POPULATION, ENTITIES, RISK, VIOLATIONS = "area", "population", "entities", "risk", "violations"
# What a weight of one is. Nobody counted the people of a home here: its ground stands for them, and is told as that.
UNITS = {AREA: "m2", POPULATION: "homes_m2", ENTITIES: "views", RISK: "risk_points", VIOLATIONS: "findings"}
KINDS = tuple(UNITS)


@dataclass(frozen=True)
class Demand:
    """One kind of demand on the ground of a study: `m` pieces, each at a place of the plane.

    `at` (m, 2) are metres east and north, always on the ground that may be watched; `weight` (m) counts in `unit`;
    `wanted` (m) is how many devices a piece asks for. `shape` is what the pieces are cut from, where the demand is
    an area: then its total and what is seen of it are exact, and no matter of cells. `names` are the public ids of
    entities. `basis` says what the figures stand on.
    """

    kind: str
    basis: str
    at: Floats
    weight: Floats
    wanted: Ints
    shape: BaseGeometry | None = None
    names: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """What a weight of one is."""
        return UNITS[self.kind]

    @property
    def total(self) -> float:
        """All of the demand, in its unit."""
        return float(self.weight.sum()) if self.shape is None else float(self.shape.area)

    def times(self, footprints: Shapes) -> Ints:
        """How many of the footprints (polygons of the plane) hold each piece."""
        return np.bincount(self.pairs(footprints)[1], minlength=len(self.weight)).astype(np.int64)

    def pairs(self, footprints: Shapes) -> tuple[Ints, Ints]:
        """Numbers of footprints and of the pieces that they hold, one pair for each."""
        if not len(self.weight):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        footprint, piece = self._tree.query(np.asarray(footprints, dtype=object), predicate="intersects")
        return footprint.astype(np.int64), piece.astype(np.int64)

    @cached_property
    def _tree(self) -> shapely.STRtree:
        """The pieces, once: a question about one footprint among many takes less than to sort them."""
        return shapely.STRtree(np.atleast_1d(np.asarray(shapely.points(self.at), dtype=object)))

    def seen(self, footprints: Shapes, together: BaseGeometry | None = None) -> float:
        """How much of the demand the footprints see; a piece that wants several devices counts by those it has.

        `together` is all that they see, where the caller has it already; areas are exact by it.
        """
        if self.shape is not None:
            everything = shapely.union_all(footprints) if together is None else together
            return float(self.shape.intersection(everything).area)
        has = np.minimum(self.times(footprints), self.wanted) / self.wanted
        return float(self.weight @ has)


def known_kinds(kinds: Collection[str]) -> tuple[str, ...]:
    """The kinds, each once, in the order of KINDS; raises RuleViolation for others, and by rule for money (GD-13.1)."""
    if unknown := sorted(set(kinds) - set(KINDS)):
        raise invalid("demand.kind", "demand.kind", measured=", ".join(unknown)[:200], required=", ".join(KINDS))
    return tuple(kind for kind in KINDS if kind in kinds)


def needed(demand: Demand) -> Demand:
    """The demand itself; raises RuleViolation (`siting.no_demand`) where there is none of it."""
    if not demand.total > 0:
        raise invalid("siting.no_demand", "siting.no_demand", measured=demand.kind)
    return demand


def over_area(kind: str, basis: str, shape: BaseGeometry, side_m: float) -> Demand:
    """Demand that lies on an area of the plane, every square metre alike; cut into cells of a side.

    Each piece weighs as many square metres as its cell has of the area, and lies on it. Raises RuleViolation
    (`demand.pieces`) where that would be more pieces than are looked at.
    """
    parts = shapely.get_parts(shape)
    parts = parts[shapely.area(parts) > 0]
    if not len(parts):
        return _pieces(kind, basis, np.empty((0, 2)), np.empty(0), shape=shapely.Polygon())
    cells = _cells(shapely.total_bounds(parts), side_m)
    cell, part = shapely.STRtree(parts).query(cells, predicate="intersects")
    shapely.prepare(parts)
    inside = shapely.contains_properly(parts[part], cells[cell])
    common = cells[cell]
    common[~inside] = shapely.intersection(cells[cell[~inside]], parts[part[~inside]])
    areas = shapely.area(common)
    # One place for each cell: on the largest of what it has in common with the area.
    order = np.lexsort((-areas, cell))
    order = order[areas[order] > 0]
    firsts = order[np.unique(cell[order], return_index=True)[1]]
    places = shapely.get_coordinates(shapely.point_on_surface(common[firsts]))
    weight = np.bincount(cell, weights=areas, minlength=len(cells))[cell[firsts]]
    return _pieces(kind, basis, places, weight, shape=shape)


def at_places(kind: str, basis: str, places: Floats, weight: Floats, ground: BaseGeometry, side_m: float) -> Demand:
    """Demand at single places of the plane, those of one cell taken together; what lies off the ground is no demand.

    A piece lies where the heaviest of its cell is.
    """
    on = shapely.intersects_xy(ground, places) & (weight > 0) if len(places) else np.zeros(0, dtype=bool)
    places, weight = places[on], weight[on]
    cell = np.unique(np.floor(places / side_m), axis=0, return_inverse=True)[1].ravel()
    firsts = np.lexsort((-weight, cell))
    firsts = firsts[np.unique(cell[firsts], return_index=True)[1]]
    sums = np.bincount(cell, weights=weight).astype(np.float64) if len(cell) else np.empty(0)
    _refuse_many(len(sums))
    return _pieces(kind, basis, places[firsts], sums)


def at_entities(names: Sequence[str], places: Floats, wanted: Sequence[int], ground: BaseGeometry) -> Demand:
    """Supervised entities by the views that each has to give; those off the ground are left out."""
    on = np.flatnonzero(shapely.intersects_xy(ground, places)) if len(places) else np.empty(0, np.int64)
    _refuse_many(len(on))
    views = np.asarray(wanted, np.int64)[on]
    left = tuple(names[number] for number in on.tolist())
    return Demand(ENTITIES, "required_views", places[on].reshape(-1, 2), views.astype(np.float64), views, None, left)


def _pieces(kind: str, basis: str, at: Floats, weight: Floats, *, shape: BaseGeometry | None = None) -> Demand:
    return Demand(kind, basis, at, weight, np.ones(len(weight), np.int64), shape)


def _cells(bounds: Floats, side_m: float) -> Shapes:
    """Squares of a grid that begins at whole multiples of its side: it does not move with the ground."""
    west, south = np.floor(bounds[:2] / side_m)
    columns, rows = (np.ceil(bounds[2:] / side_m) - (west, south)).astype(np.int64)
    _refuse_many(int(columns * rows))
    x, y = ((np.arange(count) + first) * side_m for count, first in ((columns, west), (rows, south)))
    x, y = (axis.ravel() for axis in np.meshgrid(x, y))
    return np.asarray(shapely.box(x, y, x + side_m, y + side_m), dtype=object)


def _refuse_many(pieces: int) -> None:
    if pieces > (most := int(limit("demand.pieces"))):
        raise too_large("demand.pieces", "demand.pieces", measured=pieces, required=most)
