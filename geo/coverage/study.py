"""The answer to a question of coverage: what is seen, how often and by whom, where nobody looks, and whose homes are.

Pure: whoever is asked about, the ground and its demand are handed in, and one document with its shapes comes back.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geo.coverage.asked import STATUSES, Asked
from geo.coverage.demand import AREA, ENTITIES, Demand
from geo.coverage.pieces import Pieces, areas_seen, cut, joined
from geo.coverage.plane import Floats, Shapes
from geo.coverage.saying import LEAST_GAP_M2, sentences
from geo.coverage.seen import HIDDEN, Seen, Surroundings, what_is_seen
from geo.coverage.views import SATELLITE, Seer, Views
from geo.coverage.wanted import Ground

Progress = Callable[[float], None]
Ints = NDArray[np.int64]

ENGINE = "skywarden coverage 1"
_GAPS_TOLD = 50
_HOURS = 24
_LABELS_TOLD = 1_000


@dataclass(frozen=True)
class Homes:
    """Residential areas on the ground: names, and polygons of the plane."""

    names: tuple[str, ...] = ()
    shapes: Shapes = field(default_factory=lambda: np.empty(0, dtype=object))


@dataclass(frozen=True)
class Asking:
    """Everything that an answer is made from."""

    views: Views
    ground: Ground
    asked: Asked
    demands: tuple[Demand, ...] = ()
    entities: Demand | None = None
    entity_names: Mapping[str, str] = field(default_factory=dict)
    homes: Homes = field(default_factory=Homes)
    around: Surroundings = field(default_factory=Surroundings)


@dataclass(frozen=True)
class Shape:
    """A piece of the answer: `times` 0 for a gap; a polygon of EPSG:4326; `weight` counts in the first demand."""

    kind: str
    times: int
    area_m2: float
    weight: float
    geom: shapely.Polygon


@dataclass(frozen=True)
class Result:
    """The document of an answer, and its shapes."""

    told: dict[str, Any]
    shapes: tuple[Shape, ...]


def answer(asking: Asking, progress: Progress = lambda _: None) -> Result:
    """How the ground is seen; `progress` hears the share that is done, and may raise to end it."""
    began = time.monotonic()
    ground, asked = asking.ground, asking.asked
    everybody = _everybody(asking.views)
    seen = what_is_seen(everybody, ground.plane, asking.around, _part(progress, 0.0, 0.6))
    crowd = _Crowd.of(everybody, seen, asking.views)
    pieces = cut(crowd.views_of(crowd.now), ground.open, asked.levels, _part(progress, 0.6, 0.85))
    gaps = _gaps(pieces, asking)
    progress(0.87)
    told: dict[str, Any] = {
        "ground_m2": pieces.ground_m2,
        "private_m2": ground.private_m2,
        "devices": len(crowd.counted(asking.views.now)),
        "hidden": crowd.labels({HIDDEN}),
        "left_out": crowd.left_out(),
        "surface": asking.around.surface is not None,
        "no_buildings": bool(asked.buildings_m) and asking.around.buildings_m is None,
        "left_out_counts": Counter(seen.left_out.values()),
        "assumed": sum(everybody[i].is_assumed for i in crowd.now),
        "masts_assumed": sum(everybody[i].is_mast_assumed for i in crowd.now) if asking.around.terrain else 0,
        "hour": asked.hour,
        "twins": _twins(crowd),
        "seen_m2": _padded(pieces.seen_m2),
        "gap_m2": max(pieces.ground_m2 - float(pieces.seen_m2[0]), 0.0),
        "share": float(pieces.seen_m2[0]) / pieces.ground_m2,
        "gap_count": len(gaps.told),
        "slivers": gaps.slivers,
        "slivers_m2": gaps.slivers_m2,
        "gaps": gaps.told[:_GAPS_TOLD],
        "demand": [_demand(one, crowd, pieces) for one in asking.demands],
        "before": _before(crowd, pieces, asking),
        **_shares(crowd, asking, pieces),
    }
    progress(0.95)
    told["burden"] = _burden(asking.homes, crowd, pieces)
    told["entities"] = _entities(asking, crowd)
    told["engine"], told["seconds"] = ENGINE, round(time.monotonic() - began, 3)
    told["sentences"] = sentences(told)
    return Result(told, tuple(_shapes(pieces, gaps, asking)))


def _twins(crowd: _Crowd) -> int:
    """How many that count stand where another of their kind does, and look as it does: often one row, told twice."""
    fixed = [crowd.seers[number] for number in crowd.now.tolist() if crowd.seers[number].shape is None]
    alike = {(seer.kind, seer.device, seer.path, seer.hours) for seer in fixed}
    return len(fixed) - len(alike)


def _part(progress: Progress, first: float, last: float) -> Progress:
    return lambda share: progress(first + (last - first) * share)


def _padded(seen_m2: Floats) -> list[float]:
    return [float(area) for area in seen_m2]


def _everybody(views: Views) -> list[Seer]:
    """All who see now or saw before, each once."""
    now = {id(seer) for seer in views.now}
    return [*views.now, *(seer for seer in views.before if id(seer) not in now)]


@dataclass(frozen=True)
class _Crowd:
    """Everybody with their views: `now` and `before` are numbers of those that watch, and see anything at all."""

    seers: Sequence[Seer]
    seen: Seen
    now: Ints
    before: Ints
    passing: Ints

    @classmethod
    def of(cls, seers: Sequence[Seer], seen: Seen, views: Views) -> _Crowd:
        """Satellites pass: what they saw once is told apart."""
        number = {id(seer): i for i, seer in enumerate(seers)}
        sees = ~shapely.is_empty(seen.views)

        def watching(some: Iterable[Seer]) -> Ints:
            numbers = (number[id(seer)] for seer in some if seer.kind != SATELLITE)
            return np.array([i for i in numbers if sees[i]], np.int64)

        passing = [i for i, seer in enumerate(seers) if seer.kind == SATELLITE and sees[i]]
        return cls(seers, seen, watching(views.now), watching(views.before), np.array(passing, np.int64))

    def views_of(self, some: Ints) -> Shapes:
        """What these see."""
        return np.asarray(self.seen.views[some])

    def counted(self, seers: Iterable[Seer]) -> list[Seer]:
        """Those that watch."""
        return [seer for seer in seers if seer.kind != SATELLITE]

    def labels(self, reasons: Collection[str]) -> list[str]:
        """Who sees nothing for one of these reasons."""
        some = [self.seers[i].label for i, reason in sorted(self.seen.left_out.items()) if reason in reasons]
        return some[:_LABELS_TOLD]

    def left_out(self) -> list[dict[str, str | None]]:
        """Everybody who sees nothing, and why."""
        return [
            {"label": self.seers[i].label, "device": self.seers[i].public_id, "reason": reason}
            for i, reason in sorted(self.seen.left_out.items())
        ][:_LABELS_TOLD]

    def by(self, key: Callable[[Seer], Any]) -> dict[Any, Ints]:
        """Who watches now, grouped."""
        groups: dict[Any, list[int]] = {}
        for i in self.now.tolist():
            groups.setdefault(key(self.seers[i]), []).append(i)
        return {name: np.array(some, np.int64) for name, some in groups.items()}


@dataclass(frozen=True)
class _Gaps:
    """What nobody sees: the gaps, largest first, and the weight of each piece of the demand that lies in it.

    Those too small to be named are counted as `slivers`, with the ground that they hold.
    """

    told: list[dict[str, Any]]
    weights: Floats
    slivers: int
    slivers_m2: float


def _gaps(pieces: Pieces, asking: Asking) -> _Gaps:
    parts = pieces.of(0)
    areas = shapely.area(parts)
    whole = joined(parts, pieces.tiles)
    weights = _weights(parts, areas, asking)
    count = int(whole.max()) + 1 if len(whole) else 0
    sizes = np.bincount(whole, areas, count)
    heavy = np.bincount(whole, weights, count)
    # Where a gap is told to be is a place in the largest of its pieces.
    by_size = np.lexsort((-areas, whole))
    firsts = by_size[np.unique(whole[by_size], return_index=True)[1]] if count else np.empty(0, np.int64)
    order = np.argsort(-sizes, kind="stable")
    named = int(np.count_nonzero(sizes >= LEAST_GAP_M2))
    slivers_m2 = float(sizes[order[named:]].sum())
    order = order[:named]
    places = shapely.point_on_surface(parts[firsts[order[:_GAPS_TOLD]]])
    at = shapely.get_coordinates(asking.ground.plane.to_wgs84(places)).round(6).tolist()
    at += [None] * (named - len(at))
    told = [
        {"ordinal": number, "area_m2": float(sizes[gap]), "weight": float(heavy[gap]), "at": place}
        for number, (gap, place) in enumerate(zip(order.tolist(), at, strict=True), 1)
    ]
    return _Gaps(told, weights, count - named, slivers_m2)


def _weights(parts: Shapes, areas: Floats, asking: Asking) -> Floats:
    """How much of the first demand that is asked for lies in each part."""
    first = next((one for one in asking.demands if one.kind == asking.asked.demand[0]), None)
    if first is None or first.kind == AREA:
        return np.asarray(areas, np.float64)
    if first.shape is not None:
        return _areas_in(parts, _polygons(first))
    piece, part = first.pairs(parts)[1], first.pairs(parts)[0]
    return np.bincount(part, first.weight[piece], len(parts)).astype(np.float64)


def _polygons(demand: Demand) -> Shapes:
    return np.asarray(shapely.get_parts(demand.shape))


def _areas_in(parts: Shapes, others: Shapes) -> Floats:
    """How much of each part the others, which do not overlap, hold."""
    held = np.zeros(len(parts))
    part, other = shapely.STRtree(others).query(parts, predicate="intersects")
    np.add.at(held, part, shapely.area(shapely.intersection(parts[part], others[other])))
    return held


def _demand(demand: Demand, crowd: _Crowd, pieces: Pieces) -> dict[str, Any]:
    told = {"kind": demand.kind, "unit": demand.unit, "basis": demand.basis, "total": demand.total}
    if demand.kind == AREA:
        return told | {"seen": float(pieces.seen_m2[0])}
    if demand.shape is not None:
        return told | {"seen": float(_areas_in(_polygons(demand), pieces.of(1)).sum())}
    return told | {"seen": demand.seen(crowd.views_of(crowd.now))}


def _before(crowd: _Crowd, pieces: Pieces, asking: Asking) -> dict[str, float] | None:
    """What was seen without the changes of the study, where it makes any (LF-6)."""
    if not asking.views.is_changed:
        return None
    seen_m2 = float(areas_seen(crowd.views_of(crowd.before), asking.ground.open)[0])
    return {"seen_m2": seen_m2, "gap_m2": max(pieces.ground_m2 - seen_m2, 0.0)}


def _shares(crowd: _Crowd, asking: Asking, pieces: Pieces) -> dict[str, Any]:
    """What single groups see: overlaps within a group count once, and those of two groups in both."""
    known: dict[bytes, float] = {np.sort(crowd.now).tobytes(): float(pieces.seen_m2[0])}

    def seen_m2(some: Ints) -> float:
        key = np.sort(some).tobytes()
        if key not in known:
            known[key] = float(areas_seen(crowd.views_of(some), asking.ground.open)[0])
        return known[key]

    def rows(name: str, groups: Mapping[Any, Ints]) -> list[dict[str, Any]]:
        return [
            {name: group, "devices": len(some), "seen_m2": seen_m2(some)}
            for group, some in sorted(groups.items(), key=lambda one: (one[0] is None, one[0]))
        ]

    kinds = rows("kind", crowd.by(lambda seer: seer.kind)) + _passes(crowd, asking)
    return {
        "by_item": rows("item", crowd.by(lambda seer: seer.item)),
        "by_status": _by_status(crowd, seen_m2),
        "by_hour": _by_hour(crowd, asking.asked, seen_m2),
        "by_kind": kinds,
    }


def _by_status(crowd: _Crowd, seen_m2: Callable[[Ints], float]) -> list[dict[str, Any]]:
    """Status by status in the order in which devices come to be: `adds_m2` is what those before do not see."""
    groups, rows = crowd.by(lambda seer: seer.status), []
    so_far, before_m2 = np.empty(0, np.int64), 0.0
    for status in STATUSES:
        if (some := groups.get(status)) is None:
            continue
        so_far = np.concatenate([so_far, some])
        together_m2 = seen_m2(so_far)
        rows.append(
            {
                "status": status,
                "devices": len(some),
                "seen_m2": seen_m2(some),
                "adds_m2": max(together_m2 - before_m2, 0.0),
            }
        )
        before_m2 = together_m2
    return rows


def _by_hour(crowd: _Crowd, asked: Asked, seen_m2: Callable[[Ints], float]) -> list[dict[str, Any]]:
    """Hour by hour of the local day; what is fixed sees at all of them, a patrol when it was flown."""
    always = np.array([i for i in crowd.now.tolist() if crowd.seers[i].hours is None], np.int64)
    timed = [(i, hours) for i in crowd.now.tolist() if (hours := crowd.seers[i].hours) is not None]
    rows = []
    for hour in range(_HOURS) if asked.hour is None else (asked.hour,):
        some = np.concatenate([always, np.array([i for i, hours in timed if hour in hours], np.int64)])
        rows.append({"hour": hour, "devices": len(some), "seen_m2": seen_m2(some)})
    return rows


def _passes(crowd: _Crowd, asking: Asking) -> list[dict[str, Any]]:
    """Satellites: what they showed at all, and every how many days a place was shown, in the mean."""
    if not len(crowd.passing):
        return []
    views = crowd.views_of(crowd.passing)
    seen_m2 = float(areas_seen(views, asking.ground.open)[0])
    shown_m2 = float(shapely.area(shapely.intersection(views, asking.ground.open)).sum())
    every = asking.asked.days * seen_m2 / shown_m2 if shown_m2 > 0 else None
    row = {"kind": SATELLITE, "devices": len(views), "seen_m2": seen_m2, "revisit_days": every}
    return [row | {"share_of_days": min(1 / every, 1.0) if every else 0.0}]


def _burden(homes: Homes, crowd: _Crowd, pieces: Pieces) -> list[dict[str, Any]]:
    """Whose homes are watched: neighbourhood by neighbourhood, those of which most is seen first."""
    if not len(homes.shapes):
        return []
    seen_m2 = _areas_in(homes.shapes, pieces.of(1))
    open_m2 = seen_m2 + _areas_in(homes.shapes, pieces.of(0))
    view, home = shapely.STRtree(homes.shapes).query(crowd.views_of(crowd.now), predicate="intersects")
    names, place = np.unique(np.array(homes.names, dtype=np.str_), return_inverse=True)
    watching = np.bincount(np.unique(np.stack([place[home], view]), axis=1)[0], minlength=len(names))
    sums = [np.bincount(place, areas, len(names)).tolist() for areas in (open_m2, seen_m2)]
    rows = [
        {"place": str(name), "homes_m2": there_m2, "seen_homes_m2": watched_m2, "devices": devices}
        for name, there_m2, watched_m2, devices in zip(names, *sums, watching.tolist(), strict=True)
        if there_m2 > 0
    ]
    return sorted(rows, key=lambda row: -row["seen_homes_m2"])


def _entities(asking: Asking, crowd: _Crowd) -> list[dict[str, Any]]:
    """Supervised entities that fewer devices see than they have to give views, worst first (LX-12, LF-9)."""
    wanted = asking.entities
    if wanted is None or wanted.kind != ENTITIES or not len(wanted.weight):
        return []
    times = wanted.times(crowd.views_of(crowd.now))
    rows = [
        {
            "public_id": name,
            "name": asking.entity_names.get(name, name),
            "required": int(required),
            "seen": int(has),
        }
        for name, required, has in zip(wanted.names, wanted.wanted, times, strict=True)
        if has < required
    ]
    return sorted(rows, key=lambda row: row["seen"] - row["required"])


def _shapes(pieces: Pieces, gaps: _Gaps, asking: Asking) -> Iterable[Shape]:
    plane = asking.ground.plane
    drawn = plane.areas_to_wgs84(pieces.shapes)
    areas = shapely.area(pieces.shapes)
    weights = np.array(areas, np.float64)
    weights[pieces.times == 0] = gaps.weights
    parts, of = shapely.get_parts(drawn, return_index=True)
    # A piece that was mended may be of several parts: each has its share.
    share = shapely.area(parts) / shapely.area(drawn)[of]
    columns = (pieces.times[of].tolist(), (areas[of] * share).tolist(), (weights[of] * share).tolist())
    for geom, times, area, weight in zip(parts, *columns, strict=True):
        yield Shape("seen" if times else "gap", times, area, weight, geom)
