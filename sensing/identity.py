"""The same thing on the ground at two dates: new, grown, persists, or remedied. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from geo.crs import to_metric, utm_epsg_of
from schemas.rules import RulePack
from schemas.rules.violations import SamePlace


class Relation(StrEnum):
    """What a find is to the one of an earlier date, or what became of that one."""

    NEW = "new"
    GROWN = "grown"
    PERSISTS = "persists"
    REMEDIED = "remedied"


@dataclass(frozen=True)
class Find:
    """A find by its name, its kind and its outline in EPSG:4326."""

    name: str
    kind: str
    geom: BaseGeometry


@dataclass(frozen=True)
class Figures:
    """How two outlines overlap, in square metres of one local grid: shares in [0, 1], ratio of second over first."""

    iou: float
    first_share: float
    second_share: float
    area_ratio: float

    @property
    def of_smaller(self) -> float:
        """The share of the smaller outline that both cover."""
        return max(self.first_share, self.second_share)


@dataclass(frozen=True)
class Match:
    """An earlier and a later find that are one thing, with how they overlap and what that makes the later one."""

    earlier: str
    later: str
    relation: Relation
    figures: Figures


@dataclass(frozen=True)
class Look:
    """How a scene was looked at: when it was taken, and when the one it was compared with, for change."""

    taken: datetime
    compared_with: datetime | None


def overlap(first: BaseGeometry, second: BaseGeometry) -> Figures:
    """`overlap(a, b)` is `overlap(b, a)` with sides exchanged and the ratio inverted."""
    epsg = utm_epsg_of(shapely.GeometryCollection([first, second]).envelope)
    one, other = to_metric(first, epsg), to_metric(second, epsg)
    shared = float(shapely.intersection(one, other).area)
    total = one.area + other.area - shared
    shares = (min(shared / one.area, 1.0), min(shared / other.area, 1.0))
    return Figures(min(shared / total, 1.0), *shares, float(other.area / one.area))


def same_places(pack: RulePack) -> dict[str, SamePlace]:
    """By kind, when two finds are one thing."""
    return {kind: entry.same_place for entry in pack.violation_catalogue for kind in entry.kinds}


def match(earlier: Sequence[Find], later: Sequence[Find], same: Mapping[str, SamePlace]) -> list[Match]:
    """The pairs that are one thing, each find in at most one, the best overlaps first.

    The pairs are the same whichever side is called the earlier one. A kind without a rule matches nothing.
    """
    pairs = [
        (figures, one, other)
        for one, other in _neighbours(earlier, later)
        if one.kind == other.kind and one.kind in same
        if (figures := overlap(one.geom, other.geom)).of_smaller >= same[one.kind].least_share and figures.iou > 0
    ]
    pairs.sort(key=lambda pair: (-pair[0].iou, -pair[0].of_smaller, sorted((pair[1].name, pair[2].name))))
    taken: set[tuple[str, str]] = set()
    found = []
    for figures, one, other in pairs:
        if ("earlier", one.name) in taken or ("later", other.name) in taken:
            continue
        taken |= {("earlier", one.name), ("later", other.name)}
        grown = figures.area_ratio >= same[one.kind].grown_ratio
        found.append(Match(one.name, other.name, Relation.GROWN if grown else Relation.PERSISTS, figures))
    return found


def _neighbours(earlier: Sequence[Find], later: Sequence[Find]) -> list[tuple[Find, Find]]:
    if not earlier or not later:
        return []
    tree = shapely.STRtree([one.geom for one in later])
    first, second = tree.query(np.array([one.geom for one in earlier]), predicate="intersects")
    return [(earlier[int(i)], later[int(j)]) for i, j in zip(first, second, strict=True)]


def would_show(now: Look, then: Look) -> bool:
    """Whether a look would show a thing that stood since an earlier one and stands still.

    A look for change shows what came between its two dates. A thing that was there at the first of them already is no
    change, so that its absence says nothing; only a date before the thing came is early enough.
    """
    if now.compared_with is None:
        return True
    return then.compared_with is not None and now.compared_with <= then.compared_with


def is_remedied(analysed_share: float, *, judged: bool, shown: bool) -> bool:
    """Whether a find that nothing was matched to is gone: all of it looked at, its kind judged, and it would show."""
    return analysed_share >= 1.0 and judged and shown
