"""The question to the solver, and what each model chooses of the candidates. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_array

from geo.coverage.demand import Demand
from geo.coverage.plane import Floats, Shapes
from geo.siting import models
from geo.siting.asked import FRONT, LEAST_COST, MOST_SEEN, NEAREST
from geo.siting.candidates import Candidates
from geo.siting.inputs import Inputs
from geo.siting.measured import homes_in
from geo.siting.question import Choice, Ints, Question
from schemas.refusals import conflict, too_large

# Pairs of a place and a piece of demand that one p-median holds as variables; more take minutes.
_MOST_PAIRS = 30_000
# In fewer pieces a demand is not where it was.
_LEAST_PIECES = 100
_FRONT_POINTS = 7


@dataclass(frozen=True)
class Best:
    """What a model chose; `further` are the answers of a front, `mean_m` and `pieces` as in Found."""

    choice: Choice
    further: Sequence[Choice] = ()
    mean_m: float | None = None
    pieces: int | None = None

    @property
    def whole(self) -> Sequence[Choice]:
        """Every answer that is told."""
        return self.further or (self.choice,)


def question_of(given: Inputs, made: Candidates, views: Shapes) -> Question:
    """The question to the solver: which view sees which piece, what stands already, and what each site touches."""
    demand, n, more = given.demand, len(made.footprints), len(given.offered)
    candidate, piece = demand.pairs(views)
    sees = csr_array((np.ones(len(candidate), bool), (candidate, piece)), shape=(len(views), len(demand.weight)))
    left = demand.wanted - np.minimum(demand.times(given.standing), demand.wanted)
    if demand.total > 0 and not left.any():
        raise conflict("siting.nothing_left", "siting.nothing_left")
    helps = n + np.flatnonzero(np.asarray(sees[n:] @ (demand.weight * (left > 0))) > 0) if more else np.empty(0)
    effort = given.asked.candidates.effort
    homes_m2, _ = homes_in(made.footprints, given.homes, given.home_names)
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


def choose(given: Inputs, made: Candidates, question: Question) -> Best:
    """What the model that is asked for chooses; raises RuleViolation where it has no answer."""
    asked = given.asked
    pieces = None if given.demand.shape is None else len(given.demand.weight)
    bound = np.inf if asked.most_burden is None else asked.most_burden
    if asked.model == MOST_SEEN:
        choice = models.most_seen(question, asked.count, limit_s=asked.limit_s, most_burden=bound)
        return Best(choice, pieces=pieces)
    if asked.model == LEAST_COST:
        choice = models.least_cost(question, asked.share, limit_s=asked.limit_s, most_burden=bound)
        return Best(choice, pieces=pieces)
    if asked.model == NEAREST:
        return _nearest(given, made, question)
    assert asked.model == FRONT
    found = models.front(question, asked.count, points=_FRONT_POINTS, limit_s=asked.limit_s)
    return Best(found[-1], found, pieces=pieces)


def _nearest(given: Inputs, made: Candidates, question: Question) -> Best:
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
    return Best(turned, mean_m=mean_m, pieces=len(weight) if is_cut else None)


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
