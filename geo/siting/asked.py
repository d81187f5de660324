"""What a planner asks of siting: how many devices or patrol hours, for which demand, from which candidates. Pure.

There is no way to ask for money: not by a key, not by a word that counts as demand (GD-13.1).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from geo.commands.words import DEVICE_TYPES
from geo.coverage.asked import refuse_money
from geo.coverage.demand import AREA, KINDS
from geo.coverage.views import CAMERA, ROUTE
from schemas.limits import limit
from schemas.refusals import Kind, Refusal, RuleViolation, refuse

MOST_SEEN, LEAST_COST, NEAREST, FRONT, PATROL_HOURS = "most_seen", "least_cost", "nearest", "front", "patrol_hours"
MODELS = (MOST_SEEN, LEAST_COST, NEAREST, FRONT, PATROL_HOURS)
ROADS, POLES, HIGH_GROUND, GRID = "roads", "poles", "high_ground", "grid"
# Models that can be held to a bound on homes in view; the front is about that itself, and the others know no views.
_BOUNDED = (MOST_SEEN, LEAST_COST)
SOURCES = (ROADS, POLES, HIGH_GROUND, GRID)
_MOST_DIRECTIONS = 36
# Beyond these, sums of efforts would no longer tell one cheap site more or less.
_LEAST_EFFORT, _MOST_EFFORT = 0.01, 1_000_000
_FULL_TURN_DEG = 360.0
# Each number with its bounds; NaN lies between none.
_BOUNDS: Mapping[str, tuple[float, float]] = {
    "share": (0.01, 1.0),
    "limit_s": (1, 600),
    "spacing_m": (5, 10_000),
    "apart_m": (0, 10_000),
    "directions": (1, _MOST_DIRECTIONS),
    "range_m": (5, 20_000),
    "hfov_deg": (5, 360),
    "mast_m": (0, 200),
    "most_burden": (0, 1e12),
}


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where devices could be set up.

    `sources` are kinds of places; one stands every `spacing_m` along roads and on the grid, the highest ground within
    that distance is high ground. No two new devices stand nearer than `apart_m`, and each is tried in `directions`
    directions. `effort` weighs a site of a source against others, where the least effort is asked for.
    """

    sources: tuple[str, ...] = (ROADS,)
    spacing_m: float = 200.0
    apart_m: float = 50.0
    directions: int = 8
    effort: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class View:
    """What a new device would see: `hfov_deg` 360 is all round; `mast_m` is the height of its lens."""

    device_type: str = "video"
    range_m: float = 150.0
    hfov_deg: float = 60.0
    mast_m: float = 6.0

    @property
    def is_round(self) -> bool:
        """Whether it sees all round, so that no direction matters."""
        return self.hfov_deg >= _FULL_TURN_DEG


@dataclass(frozen=True, kw_only=True)
class SitingAsked:
    """One question of siting on the ground of a study.

    `count` is how many devices, or how many hours of patrol; `share` which part of what can be seen shall be seen at
    least effort; `most_burden` bounds the square metres of homes that new devices see. `limit_s` is how long the
    solver may take.
    """

    model: str = MOST_SEEN
    count: int = 3
    share: float = 0.8
    limit_s: float = 30.0
    demand: str = AREA
    candidates: Sources = field(default_factory=Sources)
    view: View = field(default_factory=View)
    most_burden: float | None = None

    def __post_init__(self) -> None:
        """Raises RuleViolation with every fault of the question at once."""
        if faults := [*self._words(), *self._numbers()]:
            raise RuleViolation(Kind.INVALID, faults)

    def as_json(self) -> dict[str, Any]:
        """The question as a document; `of_json` reads it."""
        told = asdict(self)
        told["candidates"]["from"] = list(told["candidates"].pop("sources"))
        return told

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> SitingAsked:
        """Reads a question; raises RuleViolation with all that it does not know, and all that speaks of money."""
        parts = {name: told.get(name, {}) for name in ("candidates", "view")}
        faults = [*_money(told), *_strange(told, parts)]
        if faults:
            raise RuleViolation(Kind.INVALID, faults)
        given = dict(told)
        if "candidates" in given:
            sources = dict(given["candidates"])
            if "from" in sources:
                sources["sources"] = tuple(sources.pop("from"))
            given["candidates"] = Sources(**sources)
        if "view" in given:
            given["view"] = View(**given["view"])
        return cls(**given)

    def _words(self) -> Iterator[Refusal]:
        said = [("model", self.model, MODELS), ("demand", self.demand, KINDS)]
        said += [("view.device_type", self.view.device_type, DEVICE_TYPES)]
        said += [("candidates.from", source, SOURCES) for source in self.candidates.sources]
        said += [("candidates.effort", source, SOURCES) for source in self.candidates.effort]
        for what, word, known in said:
            if word not in known:
                yield refuse("siting.word", "siting.word", what=what, measured=str(word), required=", ".join(known))
        if self.most_burden is not None and self.model not in _BOUNDED:
            yield refuse("siting.unbounded", "siting.unbounded", measured=self.model, required=", ".join(_BOUNDED))
        if not self.candidates.sources:
            yield refuse("siting.no_source", "siting.no_source", required=", ".join(SOURCES))

    def _numbers(self) -> Iterator[Refusal]:
        most = limit("siting.sites")
        if not 1 <= self.count <= most:
            yield refuse("siting.number", "siting.number", what="count", measured=self.count, required=f"1–{most}")
        for part in (self, self.candidates, self.view):
            for name in (one.name for one in fields(part)):
                value = getattr(part, name)
                if name in _BOUNDS and value is not None and not _BOUNDS[name][0] <= value <= _BOUNDS[name][1]:
                    low, high = _BOUNDS[name]
                    between = f"{low:g}–{high:g}"
                    yield refuse("siting.number", "siting.number", what=name, measured=str(value), required=between)
        for source, value in self.candidates.effort.items():
            if not _LEAST_EFFORT <= value <= _MOST_EFFORT:
                what = f"effort {source}"
                between = f"{_LEAST_EFFORT}–{_MOST_EFFORT:,}"
                yield refuse("siting.number", "siting.number", what=what, measured=str(value), required=between)


def kinds_counted(device_type: str) -> tuple[str, ...]:
    """Whose views count as seeing what a device of that type would see: its own kind, and patrols beside cameras."""
    return (CAMERA, ROUTE) if device_type == CAMERA else (device_type,)


_KEYS = {
    "": tuple(one.name for one in fields(SitingAsked)),
    "candidates": tuple("from" if one.name == "sources" else one.name for one in fields(Sources)),
    "view": tuple(one.name for one in fields(View)),
}
_NUMBERS = (*_BOUNDS, "count")
_TEXTS = ("model", "demand", "device_type")
_WHOLE = ("count", "directions")


def _money(told: Mapping[str, Any]) -> list[Refusal]:
    """Money under whatever name, however deep it is hidden."""
    found = refuse_money(told)
    for value in told.values():
        if isinstance(value, Mapping):
            found += _money(value)
    return found


def _strange(told: Mapping[str, Any], parts: Mapping[str, Any]) -> Iterator[Refusal]:
    """Keys that nobody knows, and values of another type than theirs."""
    for where, part in (("", told), *parts.items()):
        if not isinstance(part, Mapping):
            yield refuse("siting.unreadable", "siting.unreadable", what=where, measured=str(part)[:40])
            continue
        known = _KEYS[where]
        for name, value in part.items():
            if name not in known and refuse_money({name: None}):
                continue  # Refused by its own rule.
            if name not in known:
                listed = ", ".join(known)
                yield refuse("siting.unknown_key", "siting.unknown_key", measured=str(name)[:40], required=listed)
            elif not _is_right(name, value):
                yield refuse("siting.unreadable", "siting.unreadable", what=name, measured=str(value)[:40])


def _is_right(name: str, value: Any) -> bool:  # noqa: ANN401
    if name in _TEXTS:
        return isinstance(value, str)
    if name == "from":
        return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)
    if name in ("effort", "candidates", "view"):
        numbers = value.values() if name == "effort" and isinstance(value, Mapping) else ()
        return isinstance(value, Mapping) and all(_is_number(one) for one in numbers)
    if value is None:
        return name == "most_burden"
    return _is_number(value) and (name not in _WHOLE or isinstance(value, int))


def _is_number(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, int | float) and not isinstance(value, bool)
