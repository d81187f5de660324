"""What chosen views see, measured exactly: nothing is counted twice, and no piece stands for the ground. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely

from geo.coverage.demand import Demand, Ints
from geo.coverage.plane import Floats, Shapes
from geo.coverage.union import Union
from geo.siting.found import Fit


def seen(demand: Demand, footprints: Shapes) -> float:
    """How much of the demand is seen; of an area exactly, each overlap once."""
    footprints = footprints[~shapely.is_empty(footprints)]
    if not len(footprints):
        return 0.0
    if demand.shape is None:
        return demand.seen(footprints)
    return float(Union(footprints, demand.shape, levels=2).areas_m2[0])


def exact_adds(demand: Demand, standing: Shapes, chosen: Shapes) -> Floats:
    """What of the demand each of the chosen sees that neither the others nor anything standing sees."""
    if demand.shape is None:
        has = demand.times(standing)
        return np.array([_views_lost(demand, has, chosen, number) for number in range(len(chosen))])
    others = np.concatenate([standing, chosen])
    tree, adds = shapely.STRtree(others), []
    for number, view in enumerate(chosen):
        near = tree.query(view, predicate="intersects")
        rest = shapely.union_all(others[near[near != len(standing) + number]])
        adds.append(view.difference(rest).intersection(demand.shape).area)
    return np.array(adds, np.float64)


def _views_lost(demand: Demand, has: Ints, chosen: Shapes, number: int) -> float:
    """The views that are wanted and lost without one of the chosen."""
    every, without = has + demand.times(chosen), has + demand.times(np.delete(chosen, number))
    lost = np.minimum(every, demand.wanted) - np.minimum(without, demand.wanted)
    return float(demand.weight / demand.wanted @ lost)


def homes_in(footprints: Shapes, homes: Shapes, home_names: Sequence[str]) -> tuple[Floats, list[tuple[str, ...]]]:
    """Square metres of homes in each footprint, outside of privacy zones too, and whose homes they are."""
    area_m2, names = np.zeros(len(footprints)), [set[str]() for _ in footprints]
    if len(homes) and len(footprints):
        view, home = shapely.STRtree(homes).query(footprints, predicate="intersects")
        common = shapely.area(shapely.intersection(footprints[view], homes[home]))
        np.add.at(area_m2, view, common)
        for one, other, part in zip(view.tolist(), home.tolist(), common.tolist(), strict=True):
            if part > 0:
                names[one].add(home_names[other])
    return area_m2, [tuple(sorted(some)) for some in names]


def fit_of(demand: Demand, standing: Shapes, chosen: Shapes) -> Fit | None:
    """Which entities have every view that they have to give, and so could be supervised off-site (LF-9)."""
    if not demand.names:
        return None
    has = demand.times(standing)
    before, after = has >= demand.wanted, has + demand.times(chosen) >= demand.wanted
    gained = tuple(demand.names[number] for number in np.flatnonzero(after & ~before))
    return Fit(len(demand.names), int(before.sum()), int(after.sum()), gained)
