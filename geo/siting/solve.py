"""From candidates and demand to the best sites: the question is built, solved, and measured again exactly. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import shapely
from scipy.sparse import csr_array

from geo.coverage.demand import Demand, Ints
from geo.coverage.plane import Floats, Shapes
from geo.coverage.union import Union
from geo.siting import models
from geo.siting.asked import FRONT, LEAST_COST, MOST_SEEN, NEAREST, SitingAsked
from geo.siting.candidates import Candidates, Land, as_lon_lat, candidates
from geo.siting.question import Choice, Question
from schemas.refusals import conflict, too_large

# Pairs of a place and a piece of demand that one p-median holds as variables; more take minutes.
_MOST_PAIRS = 30_000
# In fewer pieces a demand is not where it was.
_LEAST_PIECES = 100
_FRONT_POINTS = 7
# More marks than these hide the map that they stand on.
_MOST_PLACES = 1_500
_NONE = np.empty(0, dtype=object)


@dataclass(frozen=True)
class Offered:
    """A device of another department that could be shared; `footprint` in metres of the plane (GD-17)."""

    public_id: str
    label: str
    authority: str
    lon: float
    lat: float
    azimuth_deg: float | None
    hfov_deg: float | None
    range_m: float
    mast_m: float
    footprint: shapely.Geometry


@dataclass(frozen=True)
class Inputs:
    """Everything that an answer depends on: `standing` are the footprints of what sees already, `homes` the ground of
    residential areas with their names; all in metres of the plane of `land`. `item` is the code of the supervision item
    that the study is about, where it is about one.
    """

    asked: SitingAsked
    land: Land
    demand: Demand
    standing: Shapes = field(default_factory=lambda: _NONE)
    offered: Sequence[Offered] = ()
    homes: Shapes = field(default_factory=lambda: _NONE)
    home_names: Sequence[str] = ()
    item: str | None = None


@dataclass(frozen=True)
class Site:
    """A chosen site: a `new` device, or one of another department to be `shared`; the place in EPSG:4326.

    `adds` is the demand that nobody else sees, in its unit; `homes_m2` and `homes` whose homes it sees. A patrol route
    is flown `flights` times in `hours`. `item` is the supervision item that it serves, where the study names one.
    """

    kind: str
    lon: float
    lat: float
    azimuth_deg: float | None
    hfov_deg: float | None
    range_m: float
    mast_m: float
    adds: float
    homes_m2: float = 0.0
    homes: tuple[str, ...] = ()
    source: str = ""
    device: str | None = None
    label: str = ""
    authority: str = ""
    flights: int | None = None
    hours: float | None = None
    item: str | None = None


@dataclass(frozen=True)
class Point:
    """One answer of the front: what is seen for how many square metres of homes, and where."""

    seen: float
    burden: float
    sites: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Fit:
    """Of `entities`, how many have every view that they have to give: `before`, and `after` with the chosen sites.

    `gained` are the public ids of those that have them with these sites alone.
    """

    entities: int
    before: int
    after: int
    gained: tuple[str, ...]


@dataclass(frozen=True)
class Found:
    """An answer; `gap` as in question.Choice, `total` and what is seen in the unit of the demand.

    `mean_m` is how far the demand lies from the nearest device on average, where that was asked; `pieces` into how
    many the demand was cut for the solver, whose proof is about them. `effort` is what the new sites cost together,
    where that was asked; `is_least` as in question.Choice. `places` are those where devices could stand (EPSG:4326),
    and, by the reason, those where none may. `fit` counts entities with all the views that they have to give (LF-9).
    """

    proven: bool
    gap: float
    seconds: float
    total: float
    seen_before: float
    seen_after: float
    candidates: int
    left_out: dict[str, int]
    sites: tuple[Site, ...]
    front: tuple[Point, ...] = ()
    mean_m: float | None = None
    pieces: int | None = None
    effort: float | None = None
    is_least: bool = True
    places: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    fit: Fit | None = None
    item: str | None = None


def solve(given: Inputs) -> Found:
    """The best sites; raises RuleViolation where there is nothing to see, nowhere to stand, or no answer."""
    made = candidates(given.land, given.asked.candidates, given.asked.view)
    views = np.concatenate([made.footprints, _array([one.footprint for one in given.offered])])
    question = _question(given, made, views)
    best = _choose(given, made, question)
    chosen, n = best.choice.chosen, len(made.footprints)
    adds = exact_adds(given.demand, given.standing, views[chosen])
    places, names = homes_in(views[chosen], given)
    sites = [
        _new(given, made, int(number), float(more), float(place), name)
        if number < n
        else _shared(given.offered[number - n], float(more))
        for number, more, place, name in zip(chosen, adds, places, names, strict=True)
    ]
    sites.sort(key=lambda site: (site.kind != "shared", -site.adds))
    before = seen(given.demand, given.standing)
    return Found(
        proven=all(one.is_proven for one in best.whole),
        gap=max(one.gap for one in best.whole),
        seconds=sum(one.seconds for one in best.whole),
        total=given.demand.total,
        seen_before=before,
        seen_after=seen(given.demand, np.concatenate([given.standing, views[chosen]])),
        candidates=n,
        left_out=dict(made.left_out),
        sites=tuple(sites),
        front=_front(given, made, views, best.further, before),
        mean_m=best.mean_m,
        pieces=best.pieces,
        effort=best.choice.cost if given.asked.model == LEAST_COST else None,
        is_least=all(one.is_least for one in best.whole),
        places=_places(made),
        fit=fit_of(given.demand, given.standing, views[chosen]),
        item=given.item,
    )


def _places(made: Candidates) -> dict[str, list[tuple[float, float]]]:
    """Where a device could stand (`open`), and where none may, by the reason; in all at most so many as are drawn."""
    kinds = {"open": made.at, **made.barred}
    step = -(-sum(map(len, kinds.values())) // _MOST_PLACES) or 1
    return {kind: _lon_lats(made, at[::step]) for kind, at in kinds.items() if len(at)}


def _lon_lats(made: Candidates, at: Floats) -> list[tuple[float, float]]:
    points = np.atleast_1d(np.asarray(shapely.points(at), dtype=object))
    places = shapely.get_coordinates(made.plane.to_wgs84(points)).tolist()
    return [(round(lon, 6), round(lat, 6)) for lon, lat in places]


def fit_of(demand: Demand, standing: Shapes, chosen: Shapes) -> Fit | None:
    """Which entities have every view that they have to give, and so could be supervised off-site (LF-9)."""
    if not demand.names:
        return None
    has = demand.times(standing)
    before, after = has >= demand.wanted, has + demand.times(chosen) >= demand.wanted
    gained = tuple(demand.names[number] for number in np.flatnonzero(after & ~before))
    return Fit(len(demand.names), int(before.sum()), int(after.sum()), gained)


def _question(given: Inputs, made: Candidates, views: Shapes) -> Question:
    demand, n, more = given.demand, len(made.footprints), len(given.offered)
    candidate, piece = demand.pairs(views)
    sees = csr_array((np.ones(len(candidate), bool), (candidate, piece)), shape=(len(views), len(demand.weight)))
    left = demand.wanted - np.minimum(demand.times(given.standing), demand.wanted)
    if demand.total > 0 and not left.any():
        raise conflict("siting.nothing_left", "siting.nothing_left")
    helps = n + np.flatnonzero(np.asarray(sees[n:] @ (demand.weight * (left > 0))) > 0) if more else np.empty(0)
    effort = given.asked.candidates.effort
    homes_m2, _ = homes_in(made.footprints, given)
    return Question(
        sees=sees,
        weight=demand.weight / demand.wanted,
        seen_already=left == 0,
        # What stands already touches nobody anew.
        burden=np.concatenate([homes_m2, np.zeros(more)]),
        cost=np.concatenate([[effort.get(made.source[place], 1.0) for place in made.place], np.zeros(more)]),
        too_near=made.near,
        must=np.asarray(helps, np.int64),
        place=np.concatenate([made.place, len(made.at) + np.arange(more)]),
        wanted=np.maximum(left, 1),
    )


@dataclass(frozen=True)
class _Best:
    """What a model chose; `further` are the answers of a front, `mean_m` and `pieces` as in Found."""

    choice: Choice
    further: Sequence[Choice] = ()
    mean_m: float | None = None
    pieces: int | None = None

    @property
    def whole(self) -> Sequence[Choice]:
        """Every answer that is told."""
        return self.further or (self.choice,)


def _choose(given: Inputs, made: Candidates, question: Question) -> _Best:
    asked = given.asked
    pieces = None if given.demand.shape is None else len(given.demand.weight)
    bound = np.inf if asked.most_burden is None else asked.most_burden
    if asked.model == MOST_SEEN:
        choice = models.most_seen(question, asked.count, limit_s=asked.limit_s, most_burden=bound)
        return _Best(choice, pieces=pieces)
    if asked.model == LEAST_COST:
        choice = models.least_cost(question, asked.share, limit_s=asked.limit_s, most_burden=bound)
        return _Best(choice, pieces=pieces)
    if asked.model == NEAREST:
        return _nearest(given, made, question)
    assert asked.model == FRONT
    found = models.front(question, asked.count, points=_FRONT_POINTS, limit_s=asked.limit_s)
    return _Best(found[-1], found, pieces=pieces)


def _nearest(given: Inputs, made: Candidates, question: Question) -> _Best:
    """The p-median is about places; each chosen one then looks to where it sees most that the others do not."""
    open_weight, n = question.open_weight * question.views, len(made.at)
    least = min(_LEAST_PIECES, int((open_weight > 0).sum()))
    if n * least > _MOST_PAIRS:
        most = _MOST_PAIRS // least
        raise too_large("siting.too_many_candidates", "siting.too_many_candidates", measured=n, required=most)
    at, weight = _coarse(given.demand, open_weight, _MOST_PAIRS // n)
    shared = np.array([given.land.plane.metres(np.array([one.lon]), np.array([one.lat])) for one in given.offered])
    every = np.concatenate([made.at, shared.reshape(-1, 2)])
    far_m = np.hypot(*(every[:, None, axis] - at[None, :, axis] for axis in (0, 1)))
    by_place = Question(
        sees=csr_array(np.ones(far_m.shape, bool)),
        weight=weight,
        seen_already=np.zeros(len(weight), bool),
        burden=np.zeros(len(every)),
        cost=np.ones(len(every)),
        too_near=made.near,
        must=np.asarray(question.must - len(made.footprints) + n, np.int64),
    )
    choice = models.nearest(by_place, far_m, given.asked.count, limit_s=given.asked.limit_s)
    mean_m = float(far_m[choice.chosen].min(axis=0) @ weight / weight.sum())
    directions = _directions(question, choice.chosen[choice.chosen < n])
    chosen = np.sort(np.concatenate([directions, question.must]))
    turned = replace(
        choice,
        chosen=chosen,
        seen_weight=question.seen_weight(chosen),
        burden=float(question.burden[chosen].sum()),
        cost=float(question.cost[chosen].sum()),
    )
    # Single places that were not put together need no word about pieces.
    is_cut = given.demand.shape is not None or len(weight) < int((open_weight > 0).sum())
    return _Best(turned, mean_m=mean_m, pieces=len(weight) if is_cut else None)


def _directions(question: Question, places: Ints) -> Ints:
    """For each place the direction that sees most of what is left, the best one first."""
    left = question.views - np.asarray(question.sees[question.must].sum(axis=0)).ravel()
    waiting, chosen = set(places.tolist()), []
    while waiting:
        gains = question.sees @ (question.open_weight * (left > 0))
        gains[~np.isin(question.places, list(waiting))] = -1.0
        best = int(np.argmax(gains))
        waiting.remove(int(question.places[best]))
        chosen.append(best)
        left[question.sees[[best]].indices] -= 1
    return np.array(chosen, np.int64)


def _coarse(demand: Demand, weight: Floats, pieces: int) -> tuple[Floats, Floats]:
    """The open demand in at most so many pieces, each at the middle of what it weighs."""
    at, weight = demand.at[weight > 0], weight[weight > 0]
    side = 1.0 if len(at) <= pieces else float(np.sqrt(np.ptp(at, axis=0).prod() / max(pieces, 1)))
    while True:
        cell = np.unique(np.floor(at / side), axis=0, return_inverse=True)[1].ravel()
        if cell.max() + 1 <= max(pieces, 1):
            break
        side *= 1.2
    sums = np.bincount(cell, weights=weight).astype(np.float64)
    middle = np.column_stack([np.bincount(cell, weights=weight * at[:, axis]) / sums for axis in (0, 1)])
    return middle, sums


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


def homes_in(footprints: Shapes, given: Inputs) -> tuple[Floats, list[tuple[str, ...]]]:
    """Square metres of homes in each footprint, outside of privacy zones too, and whose homes they are."""
    area_m2, names = np.zeros(len(footprints)), [set[str]() for _ in footprints]
    if len(given.homes) and len(footprints):
        view, home = shapely.STRtree(given.homes).query(footprints, predicate="intersects")
        common = shapely.area(shapely.intersection(footprints[view], given.homes[home]))
        np.add.at(area_m2, view, common)
        for one, other, part in zip(view.tolist(), home.tolist(), common.tolist(), strict=True):
            if part > 0:
                names[one].add(given.home_names[other])
    return area_m2, [tuple(sorted(some)) for some in names]


def _new(given: Inputs, made: Candidates, number: int, adds: float, homes_m2: float, homes: tuple[str, ...]) -> Site:
    device = made.device(number, given.asked.view)
    return Site(
        kind="new",
        lon=device.at.lon,
        lat=device.at.lat,
        azimuth_deg=device.azimuth_deg,
        hfov_deg=device.hfov_deg,
        range_m=device.range_m,
        mast_m=device.mast_m,
        adds=adds,
        homes_m2=homes_m2,
        homes=homes,
        source=made.source[made.place[number]],
        item=given.item,
    )


def _shared(one: Offered, adds: float) -> Site:
    return Site(
        kind="shared",
        lon=one.lon,
        lat=one.lat,
        azimuth_deg=one.azimuth_deg,
        hfov_deg=one.hfov_deg,
        range_m=one.range_m,
        mast_m=one.mast_m,
        adds=adds,
        device=one.public_id,
        label=one.label,
        authority=one.authority,
    )


def _front(
    given: Inputs, made: Candidates, views: Shapes, further: Sequence[Choice], before: float
) -> tuple[Point, ...]:
    """The answers of the front, each measured exactly: more burden only for more that is seen."""
    points: list[Point] = []
    for choice in further:
        sees = seen(given.demand, np.concatenate([given.standing, views[choice.chosen]])) - before
        if not points or sees > points[-1].seen:
            new = choice.chosen[choice.chosen < len(made.footprints)]
            at = tuple(as_lon_lat(made.plane, made.at[place]) for place in made.place[new])
            points.append(Point(sees, choice.burden, at))
    return tuple(points)


def _array(shapes: Sequence[shapely.Geometry]) -> Shapes:
    made = np.empty(len(shapes), dtype=object)
    made[:] = shapes
    return made
