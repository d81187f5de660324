"""Where more hours of patrol help most: which routes in force, flown how often, see what fixed devices do not. Pure.

A patrol passes: each further look at a place within the period counts for less than the one before, the second for a
half, the third for a third. So hours are spread over places before any place is looked at again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import shapely
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, eye_array, hstack

from geo.coverage.demand import Demand, Ints
from geo.coverage.plane import Floats, Shapes
from geo.siting.found import Found, Site
from geo.siting.measured import exact_adds, fit_of, seen
from schemas.refusals import conflict, invalid

# Looks at one place that count.
_LOOKS = 7
_PROVEN = 1e-6


@dataclass(frozen=True)
class Route:
    """A patrol route in force: where it begins (EPSG:4326), what it sees (metres of a plane), hours of a flight."""

    public_id: str
    label: str
    authority: str
    lon: float
    lat: float
    alt_agl_m: float
    hours: float
    footprint: shapely.Geometry


@dataclass(frozen=True)
class PatrolInputs:
    """The demand, the routes that may be flown, how many hours there are, and what fixed devices see.

    `item` is as in geo.siting.inputs.Inputs.
    """

    demand: Demand
    routes: Sequence[Route]
    hours: float
    limit_s: float
    standing: Shapes = field(default_factory=lambda: np.empty(0, dtype=object))
    item: str | None = None


def fly(given: PatrolInputs) -> Found:
    """How often to fly each route; raises RuleViolation where no route is there or no flight fits into the hours."""
    views = np.empty(len(given.routes), dtype=object)
    views[:] = [route.footprint for route in given.routes]
    if not len(views):
        raise conflict("siting.no_routes", "siting.no_routes")
    lasts = np.array([route.hours for route in given.routes])
    if lasts.min() > given.hours:
        shortest = round(float(lasts.min()), 2)
        raise invalid("siting.short_patrol", "siting.short_patrol", measured=given.hours, required=shortest)
    sees, weight = _open(given.demand, given.standing, views)
    began = time.perf_counter()
    flights, gap = _solved(sees, weight, lasts, given)
    flown = np.flatnonzero(flights)
    adds = exact_adds(given.demand, given.standing, views[flown])
    sites = [
        _site(given.routes[number], int(flights[number]), float(more))
        for number, more in zip(flown.tolist(), adds, strict=True)
    ]
    return Found(
        proven=gap <= _PROVEN,
        gap=0.0 if gap <= _PROVEN else gap,
        seconds=time.perf_counter() - began,
        total=given.demand.total,
        seen_before=seen(given.demand, given.standing),
        seen_after=seen(given.demand, np.concatenate([given.standing, views[flown]])),
        candidates=len(given.routes),
        left_out={},
        fit=fit_of(given.demand, given.standing, views[flown]),
        item=given.item,
        sites=tuple(sorted(sites, key=lambda site: -site.adds)),
    )


def _open(demand: Demand, standing: Shapes, views: Shapes) -> tuple[csr_array, Floats]:
    """Which route looks at which group of pieces that no fixed device sees, and what each group weighs."""
    left = demand.times(standing) < demand.wanted
    if not left.any():
        raise conflict("siting.nothing_left", "siting.nothing_left")
    route, piece = demand.pairs(views)
    looks = np.zeros((len(views), len(left)), dtype=bool)
    looks[route, piece] = True
    patterns, group = np.unique(looks[:, left], axis=1, return_inverse=True)
    heavy = np.bincount(group.ravel(), weights=demand.weight[left]).astype(np.float64)
    return csr_array(patterns, dtype=np.float64), heavy


def _solved(sees: csr_array, weight: Floats, hours: Floats, given: PatrolInputs) -> tuple[Ints, float]:
    """Whole flights of each route: the sum of looks, each counted by its turn, is as high as the hours allow."""
    routes, groups = sees.shape
    worth = -np.concatenate([weight / turn for turn in range(1, _LOOKS + 1)])
    looks = hstack([eye_array(groups)] * _LOOKS)
    rules = [
        LinearConstraint(hstack([-sees.T, looks]), -np.inf, 0),
        LinearConstraint(np.concatenate([hours, np.zeros(groups * _LOOKS)])[None, :], 0, given.hours),
    ]
    result = milp(
        np.concatenate([np.zeros(routes), worth]),
        integrality=np.concatenate([np.ones(routes), np.zeros(groups * _LOOKS)]),
        bounds=Bounds(0, np.concatenate([np.floor(given.hours / hours), np.ones(groups * _LOOKS)])),
        constraints=rules,
        options={"time_limit": given.limit_s, "mip_rel_gap": _PROVEN},
    )
    if result.x is None:
        raise conflict("siting.no_time", "siting.no_time", measured=given.limit_s)
    return np.round(result.x[:routes]).astype(np.int64), float(result.mip_gap or 0.0)


def _site(route: Route, flights: int, adds: float) -> Site:
    return Site(
        kind="patrol",
        lon=route.lon,
        lat=route.lat,
        azimuth_deg=None,
        hfov_deg=None,
        range_m=route.alt_agl_m,
        mast_m=0.0,
        adds=adds,
        device=route.public_id,
        label=route.label,
        authority=route.authority,
        flights=flights,
        hours=flights * route.hours,
    )
