"""The fence of a flight, and the proof that it holds what it must. Pure.

On board, an area to stay in and areas to stay out of, without any height (no autopilot stores one) and with few
corners. The area to stay in is the corridor of every leg and of every way home, not the whole patrol area; the
areas to stay out of are the displayed privacy zones. Both are simplified outwards only, within what a board
stores; what cannot be fitted or held is refused with its numbers and never left out in silence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import numpy as np
import rfc8785
import shapely
from numpy.typing import NDArray
from shapely.geometry import Point, Polygon, mapping
from shapely.geometry.base import BaseGeometry

from flights.canonical import fence_digest
from flights.link.fence_shape import ROUNDING_M, Growing, Plane, coarse, fit, grown, ring_of
from flights.model import Fence, FencePolygon, Plan
from flights.path.profile import profile
from flights.path.track import Floats
from geo.types import LonLat
from geo.zones import Zone
from schemas.limits import limit
from schemas.refusals import Refusal, RuleViolation, conflict, refuse

PROOF = "fence-1"
# FENCE_MARGIN on board: so near to an edge the autopilot begins to act. 2 m is ArduCopter's own default.
MARGIN_M = 5.0
# Twice the tolerance of the widest rule pack: the monitor speaks long before the fence on board turns back.
HALF_WIDTH_M = 60.0
NARROWER = (1.0, 0.6, 0.35)
# Legs are taken without the corners that lie this near to a straight line; every margin is stated less by as much.
STRAIGHT_M = 0.1
_SAMPLED_M = 5.0
_NOTHING_M2 = 1.0
SLACK_M = STRAIGHT_M + 2 * ROUNDING_M


@dataclass(frozen=True)
class FlownPath:
    """Where the aircraft may be by plan: every leg (EPSG:4326), and home, to which it may turn back from anywhere."""

    legs: BaseGeometry
    home: LonLat

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """The path of a plan with a home; its heights do not matter to a fence."""
        legs = profile(plan, _NoGround()).line()
        return cls(legs, plan.home.at if plan.home else LonLat(*shapely.get_coordinates(legs)[0]))

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the places on it, in units of 1e-7 degrees."""
        numbers = np.rint(np.vstack([shapely.get_coordinates(self.legs), [self.home]]) * 1e7).astype(int)
        return hashlib.sha256(rfc8785.dumps(numbers.tolist())).hexdigest()


class _NoGround:
    def heights_m(self, lons: Floats, _lats: Floats) -> Floats:
        return np.full(np.shape(lons), np.nan)


@dataclass(frozen=True)
class BuiltFence:
    """A fence and the proof that is stored with the flight: counts, areas, least margins, and what covers what."""

    fence: Fence
    proof: dict[str, Any]


@dataclass
class _Keep:
    """What has to stay in or out, in the plane: `legs` are flown, `ways` are they and every way home."""

    plane: Plane
    area: Polygon
    legs: BaseGeometry
    ways: BaseGeometry
    margin_m: float

    @cached_property
    def inner(self) -> BaseGeometry:
        """The patrol area without its holes, a hair smaller, so that rounding does not leave it."""
        inner = grown(Polygon(self.area.exterior), -ROUNDING_M)
        shapely.prepare(inner)
        return inner

    @cached_property
    def beside_legs(self) -> BaseGeometry:
        """What no area to stay out of may touch."""
        beside = self.legs.buffer(self.margin_m + SLACK_M)
        shapely.prepare(beside)
        return beside

    def may_hold(self, added: BaseGeometry) -> bool:
        """Whether the area to stay in may reach there: inside the patrol area."""
        return bool(self.inner.covers(added))

    def may_bar(self, added: BaseGeometry) -> bool:
        """Whether an area to stay out of may reach there: clear of every leg."""
        return not self.beside_legs.intersects(added)


@dataclass
class _Barred:
    """One part of a displayed zone, or a hole of the patrol area, and what becomes of it."""

    name: str
    shape: Polygon
    why: str = ""
    ring: Growing | None = field(default=None, repr=False)


def build_fence(
    area: Polygon,
    zones: Iterable[Zone],
    path: FlownPath,
    *,
    budget: int | None = None,
    margin_m: float = MARGIN_M,
    half_width_m: float = HALF_WIDTH_M,
) -> BuiltFence:
    """The fence that holds `path` inside `area` and outside the displayed shape of `zones`, those of its hours.

    Corners number `budget` at most (the limit `fence.points` where None). Raises RuleViolation 409 with every
    reason: the way comes nearer than `margin_m` to the edge of the area or to a zone, or there are too many corners.
    """
    budget = limit("fence.points") if budget is None else budget
    zones = tuple(zones)
    keep = _kept(area, path, margin_m)
    barred = [*_holes(keep), *(part for zone in zones for part in _parts(zone, keep))]
    found = [*_outside(keep), *_too_near(zones, barred, keep)]
    if found:
        raise RuleViolation(conflict("DC-1", "fence.unproved").kind, found)
    return _fitted(keep, path, barred, budget, half_width_m)


def _kept(area: Polygon, path: FlownPath, margin_m: float) -> _Keep:
    plane = Plane.over(area, path.legs)
    # Lines that lie upon each other keep all their corners where the topology of the whole is preserved.
    legs = shapely.simplify(plane.metres(path.legs), STRAIGHT_M, preserve_topology=False)
    return _Keep(plane, plane.polygon(area), legs, _ways(legs, plane.metres(Point(path.home))), margin_m)


def _ways(legs: BaseGeometry, home: BaseGeometry) -> BaseGeometry:
    """The legs and everything that a straight way home from any point of them passes over."""
    at = shapely.get_coordinates(home)[0]
    fans = [
        np.stack([np.broadcast_to(at, (len(corners) - 1, 2)), corners[:-1], corners[1:]], axis=1)
        for corners in map(shapely.get_coordinates, getattr(legs, "geoms", (legs,)))
    ]
    # A hull of three points in a line is that line.
    hulls: NDArray[np.object_] = np.asarray(
        shapely.convex_hull(shapely.multipoints(np.concatenate(fans))), dtype=object
    )
    whole: BaseGeometry = shapely.union_all([legs, *hulls.tolist()])
    return whole


def _holes(keep: _Keep) -> list[_Barred]:
    return [_Barred("area", Polygon(hole)) for hole in keep.area.interiors]


def _parts(zone: Zone, keep: _Keep) -> list[_Barred]:
    """The displayed shape of a zone in the plane; its exact one is not looked at."""
    shown = keep.plane.metres(zone.geom)
    return [_Barred(zone.public_id, part) for part in getattr(shown, "geoms", (shown,)) if isinstance(part, Polygon)]


# -- what cannot be held ------------------------------------------------------------------------------


def _outside(keep: _Keep) -> list[Refusal]:
    """Refuses a way that leaves the patrol area or comes too near to its edge, for a leg or else for a way home."""
    for text, ways in (("fence.outside", keep.legs), ("fence.return_outside", keep.ways)):
        least_m = _depth_m(keep.area, ways)
        if least_m < keep.margin_m + SLACK_M:
            measured = f"{least_m:.1f} m"
            return [refuse("DC-1", text, measured=measured, required=f"{keep.margin_m:g} m")]
    return []


def _depth_m(area: Polygon, ways: BaseGeometry) -> float:
    """How far inside the outer edge of an area something stays; below zero, how far it sticks out."""
    whole = Polygon(area.exterior)
    if whole.covers(ways):
        return float(shapely.distance(ways, whole.exterior))
    beyond = shapely.get_coordinates(shapely.segmentize(shapely.difference(ways, whole), _SAMPLED_M))
    return -float(shapely.distance(whole, shapely.points(beyond)).max())


def _too_near(zones: Sequence[Zone], barred: Sequence[_Barred], keep: _Keep) -> list[Refusal]:
    """Marks what is left out because the route lawfully passes over or under it; refuses the rest that is near."""
    banded = {zone.public_id: zone for zone in zones if zone.floor_agl_m is not None or zone.ceiling_agl_m is not None}
    shown = {zone.public_id: zone.geom for zone in zones}
    found: dict[str, Refusal] = {}
    for part in barred:
        if keep.may_bar(part.shape):
            continue
        if part.name in banded:
            part.why = "passed_in_height"
            continue
        measured = f"{float(shapely.distance(keep.legs, part.shape)):.1f} m"
        place = dict(mapping(shown[part.name])) if part.name in shown else None
        found.setdefault(
            part.name,
            refuse(
                "DC-1",
                "fence.zone_near",
                name=part.name,
                measured=measured,
                required=f"{keep.margin_m:g} m",
                place=place,
            ),
        )
    return list(found.values())


# -- the fence ----------------------------------------------------------------------------------------


def _fitted(keep: _Keep, path: FlownPath, barred: Sequence[_Barred], budget: int, half_width_m: float) -> BuiltFence:
    """The widest corridor that fits into the budget together with everything that it reaches."""
    counts: tuple[int, int] = (0, 0)
    relevant = [part for part in barred if not part.why and part.shape.intersects(keep.inner)]
    for share in NARROWER:
        corridor = _corridor(keep, max(half_width_m * share, 2 * keep.margin_m))
        held, near = _fitted_around(keep, corridor, relevant, budget)
        counts = len(held.ring), sum(len(part.ring.ring) for part in near if part.ring)
        if sum(counts) <= budget:
            near = [*near, *_spare(keep, held.polygon, [p for p in relevant if p not in near], budget - sum(counts))]
            return _proved(keep, path, held, (corridor, barred, near), budget)
    raise conflict(
        "DC-1", "fence.points", measured=sum(counts), required=budget, inclusion=counts[0], exclusion=counts[1]
    )


def _fitted_around(
    keep: _Keep, corridor: Polygon, relevant: Sequence[_Barred], budget: int
) -> tuple[Growing, list[_Barred]]:
    """The corridor and all that it reaches, simplified; what it reaches only by having grown is counted as well."""
    outer: BaseGeometry = corridor
    while True:
        near = [part for part in relevant if part.shape.intersects(outer)]
        held = Growing(coarse(corridor, keep.may_hold), keep.may_hold)
        while held.cost_m2 < _NOTHING_M2:
            held.grow()
        for part in near:
            part.ring = _ring(part, keep)
        fit([held, *(part.ring for part in near if part.ring)], budget)
        if not any(part.shape.intersects(held.polygon) for part in relevant if part not in near):
            return held, near
        outer = shapely.union(outer, held.polygon)


def _ring(part: _Barred, keep: _Keep) -> Growing:
    return Growing(coarse(_rounded_out(part.shape, keep), keep.may_bar), keep.may_bar)


def _spare(keep: _Keep, held: Polygon, others: Sequence[_Barred], corners: int) -> list[_Barred]:
    """The zones that the area to stay in keeps the aircraft out of already, the nearest first, while there is room."""
    taken = []
    for part in sorted(others, key=lambda part: (float(shapely.distance(held, part.shape)), part.name)):
        if corners < 3:
            break
        ring = _ring(part, keep)
        if len(ring.ring) <= corners:
            part.ring, corners = ring, corners - len(ring.ring)
            taken.append(part)
    return taken


def _corridor(keep: _Keep, half_width_m: float) -> Polygon:
    wide = keep.ways.buffer(half_width_m, cap_style="square", join_style="mitre", mitre_limit=2.0)
    inside = shapely.intersection(wide, keep.inner)
    parts = [part for part in getattr(inside, "geoms", (inside,)) if isinstance(part, Polygon)]
    holding = next(part for part in parts if part.intersects(keep.legs))
    return Polygon(holding.exterior)


def _rounded_out(shape: Polygon, keep: _Keep) -> Polygon:
    """A zone whose corners the wire cannot say exactly is drawn a few centimetres wider."""
    said = keep.plane.polygon(Polygon(keep.plane.corners(ring_of(shape))))
    if said.covers(shape):
        return said
    wider = grown(shape, ROUNDING_M)
    return Polygon(ring_of(wider)) if isinstance(wider, Polygon) else shape


# -- the proof ----------------------------------------------------------------------------------------


def _proved(
    keep: _Keep,
    path: FlownPath,
    held: Growing,
    parts: tuple[Polygon, Sequence[_Barred], Sequence[_Barred]],
    budget: int,
) -> BuiltFence:
    """The fence as the wire says it, measured again from those numbers; refused where anything does not hold."""
    corridor, barred, near = parts
    corners = [keep.plane.corners(ring.ring) for ring in (held, *(part.ring for part in near if part.ring))]
    polygons = [FencePolygon(ring, inclusion=not index) for index, ring in enumerate(corners)]
    fence = Fence(tuple(polygons))
    inside, *outside = (keep.plane.polygon(Polygon(ring)) for ring in corners)
    covers = {
        "legs_and_returns": bool(inside.covers(keep.ways)),
        "inside_the_area": bool(Polygon(keep.area.exterior).covers(inside)),
        "zones": all(shape.covers(part.shape) for part, shape in zip(near, outside, strict=True)),
        "zones_not_listed_lie_beyond": not any(
            part.shape.intersects(inside) for part in barred if part not in near and not part.why
        ),
    }
    margins = {
        "required": keep.margin_m,
        "route_to_inclusion": _least_m(keep.legs, [inside.exterior]),
        "returns_to_inclusion": _least_m(keep.ways, [inside.exterior]),
        "route_to_exclusion": _least_m(keep.legs, outside),
        "returns_to_exclusion": _least_m(keep.ways, outside),
    }
    kept = [margins[name] for name in ("route_to_inclusion", "returns_to_inclusion", "route_to_exclusion")]
    wrong = [name for name, holds in covers.items() if not holds]
    wrong += ["margin"] if any(metres is not None and metres < keep.margin_m for metres in kept) else []
    if wrong or not all(polygon.is_valid for polygon in (inside, *outside)):
        raise conflict("DC-1", "fence.unproved", measured=", ".join(wrong) or "valid")
    return BuiltFence(
        fence,
        {
            "proof": PROOF,
            "points": {"inclusion": len(corners[0]), "exclusion": sum(map(len, corners[1:])), "budget": budget},
            "area_m2": {
                "corridor": round(corridor.area),
                "inclusion": round(inside.area),
                "patrol_area": round(keep.area.area),
                "exclusion_added": round(sum(o.area - p.shape.area for p, o in zip(near, outside, strict=True))),
            },
            "margin_m": {name: None if m is None else round(m, 2) for name, m in margins.items()},
            "covers": covers,
            "zones": _fates(barred, near),
            "digests": {"fence": fence_digest(fence.items), "path": path.digest},
            "libraries": {"shapely": shapely.__version__, "geos": shapely.geos_version_string},
        },
    )


def _least_m(ways: BaseGeometry, shapes: Sequence[BaseGeometry]) -> float | None:
    return min((float(shapely.distance(ways, shape)) - STRAIGHT_M for shape in shapes), default=None)


def _fates(barred: Sequence[_Barred], near: Sequence[_Barred]) -> list[dict[str, str]]:
    """What became of every part: in the fence, beyond the area to stay in, or passed above or below."""
    return [{"zone": part.name, "fate": part.why or ("excluded" if part in near else "beyond")} for part in barred]
