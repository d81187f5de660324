"""What is asked of siting: candidates, what each would see, whose privacy each would touch, and what stands already."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from schemas.refusals import Kind, Refusal, RuleViolation, refuse

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Question:
    """One question of siting over `n` candidates and `m` pieces of demand.

    `sees` (n, m) tells which candidate sees which demand; `weight` (m) what a view of each piece counts, in the unit
    of its kind (square metres, leads, views due): never money, which no law lets decide where people are watched
    (GD-13.1). `wanted` (m) is how many views count, one where nobody says it. `seen_already` (m) needs no further
    view: devices that stand give them (GD-17). `burden` (n) is what a
    candidate touches of private life, `cost` (n) what it costs to set up; `place` (n) numbers the places, at each of
    which one device can stand, in one direction of several; `too_near` (k, 2) are pairs of places that may not both
    be taken; `must` are candidates that stand already and are used first.
    """

    sees: csr_array
    weight: Floats
    seen_already: NDArray[np.bool_]
    burden: Floats
    cost: Floats
    too_near: Ints = field(default_factory=lambda: np.empty((0, 2), np.int64))
    must: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    # Where nobody says it, each candidate is at a place of its own.
    place: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    wanted: Ints = field(default_factory=lambda: np.empty(0, np.int64))

    def __post_init__(self) -> None:
        """Raises RuleViolation with every fault of the question at once."""
        faults = [*self._sizes(), *self._numbers()]
        if faults:
            raise RuleViolation(Kind.INVALID, faults)

    @property
    def candidates(self) -> int:
        """How many candidates there are."""
        return int(self.sees.shape[0])

    @property
    def places(self) -> Ints:
        """The number of the place of each candidate."""
        return self.place if len(self.place) else np.arange(self.candidates)

    @property
    def views(self) -> Ints:
        """How many views of each piece count."""
        return self.wanted if len(self.wanted) else np.ones(self.sees.shape[1], np.int64)

    def seen_weight(self, chosen: Ints) -> float:
        """The open weight that these candidates see together."""
        times = np.asarray(self.sees[chosen].sum(axis=0)).ravel()
        return float(self.open_weight @ np.minimum(times, self.views))

    @property
    def free_places(self) -> int:
        """At how many places a further device can stand."""
        new = np.ones(self.candidates, dtype=bool)
        new[self.must] = False
        return len(np.unique(self.places[new]))

    @property
    def open_weight(self) -> Floats:
        """The weight of each piece of demand that nothing sees yet."""
        return np.where(self.seen_already, 0.0, self.weight)

    def _sizes(self) -> list[Refusal]:
        n, m = self.sees.shape
        if m == 0 or not self.weight.size or not (self.weight > 0).any():
            return [refuse("siting.no_demand", "siting.no_demand")]
        right = {"weight": (self.weight, m), "seen_already": (self.seen_already, m), "wanted": (self.views, m)} | {
            "burden": (self.burden, n),
            "cost": (self.cost, n),
            "place": (self.places, n),
        }
        return [
            refuse("siting.sizes", "siting.sizes", what=name, measured=len(values), required=size)
            for name, (values, size) in right.items()
            if len(values) != size
        ]

    def _numbers(self) -> list[Refusal]:
        given = {"weight": self.weight, "burden": self.burden, "cost": self.cost}
        return [
            refuse("siting.not_a_number", "siting.not_a_number", what=name)
            for name, values in given.items()
            if not (_is_finite(values) and (values >= 0).all())
        ]


def _is_finite(values: Floats) -> bool:
    """Whether every value is a number, and their sum too."""
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(values).all() and np.isfinite(values.sum()))


@dataclass(frozen=True)
class Choice:
    """An answer: the chosen candidates, the weight that is seen with them, and how good it can get at best.

    `gap` is 0 where the answer is proven best; else at most that part of `seen_weight` is missing to the best.
    `is_least` is False where as much might be seen for less burden, which a front alone asks about.
    """

    chosen: Ints
    seen_weight: float
    cost: float
    burden: float
    gap: float
    seconds: float
    is_least: bool = True

    @property
    def is_proven(self) -> bool:
        """Whether no better answer exists."""
        return self.gap == 0.0 and self.is_least
