"""Models of location, stated to HiGHS: maximal covering, covering at least cost, p-median, and what privacy costs.

Each is solved to the proven best within the time that is given, or told with its gap. Existing and shared devices
(`must`) are part of every answer and count for nothing: the law asks to use them first (GD-17).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, OptimizeResult, milp
from scipy.sparse import csc_array, csr_array, eye_array, hstack, vstack

from geo.siting.question import Choice, Floats, Ints, Question
from schemas.refusals import conflict, invalid

# HiGHS stops at this distance from the best by itself; what is nearer is told as proven.
_PROVEN = 1e-6
_INFEASIBLE = 2


@dataclass(frozen=True)
class _Grouped:
    """Demand that the same candidates see, taken together: pieces by the thousand become columns by the dozen."""

    sees: csr_array
    weight: Floats
    views: Ints


def most_seen(question: Question, count: int, *, limit_s: float = 30.0, most_burden: float = np.inf) -> Choice:
    """Where `count` more devices see most of the demand (maximal covering location, Church and ReVelle 1974).

    `most_burden` bounds the burden of all chosen. Raises RuleViolation (`siting.too_many_sites`,
    `siting.infeasible`).
    """
    free = question.free_places
    if not 0 <= count <= free:
        raise invalid("siting.too_many_sites", "siting.too_many_sites", measured=count, required=free)
    grouped = _grouped(question)
    n, groups = question.candidates, len(grouped.weight)
    costs = np.concatenate([np.zeros(n), -grouped.weight])
    new = _row(_new(question), groups)
    rules = [
        LinearConstraint(hstack([-grouped.sees.T, eye_array(groups)]), -np.inf, 0),
        LinearConstraint(new, 0, count),
        *_common(question, groups),
        *_bounded(question, groups, most_burden),
    ]
    solved = _solved(question, costs, rules, grouped.views, limit_s)
    answer = _answer(question, solved, limit_s) if solved[0].x is not None or _is_infeasible(solved[0]) else None
    if answer is not None and answer.is_proven:
        return answer
    return _no_worse_than_greedy(question, answer, solved, _greedy(question, count, most_burden), count)


def least_cost(question: Question, share: float = 1.0, *, limit_s: float = 30.0, most_burden: float = np.inf) -> Choice:
    """The cheapest devices that see at least that share of what can be seen (set covering, Toregas 1971).

    `most_burden` bounds the burden of all chosen. Raises RuleViolation (`siting.share`, `siting.infeasible`).
    """
    if not 0 < share <= 1:
        raise invalid("siting.share", "siting.share", measured=share)
    grouped = _grouped(question)
    groups = len(grouped.weight)
    reachable = np.minimum(grouped.views, np.diff(csc_array(grouped.sees).indptr))
    rules = [
        *_covering(question, grouped, share * float(grouped.weight @ reachable), reachable if share == 1 else None),
        *_common(question, groups),
        *_bounded(question, groups, most_burden),
    ]
    costs = np.concatenate([question.cost * _new(question), np.zeros(groups)])
    solved = _solved(question, costs, rules, grouped.views, limit_s)
    if _is_infeasible(solved[0]):
        # With one device at a place, most of what can be seen from there is out of reach: it is told how much is not.
        most = most_seen(question, question.free_places, limit_s=limit_s, most_burden=most_burden)
        reached = math.floor(1000 * most.seen_weight / float(grouped.weight @ reachable)) / 10
        raise conflict(
            "siting.infeasible", "siting.out_of_reach", measured=f"{100 * share:g} %", required=f"{reached:g} %"
        )
    return _answer(question, solved, limit_s)


def nearest(question: Question, far_m: Floats, count: int, *, limit_s: float = 30.0) -> Choice:
    """Where `count` more devices stand nearest to the demand, by its weight (p-median, Hakimi 1964).

    `far_m` (n, m) are metres from candidate to demand. Raises RuleViolation as `most_seen` does.
    """
    n, m = question.sees.shape
    free = question.free_places
    if not 0 <= count <= free or count + len(question.must) < 1:
        raise invalid("siting.too_many_sites", "siting.too_many_sites", measured=count, required=free)
    # One variable for each way to serve each piece; it may only be taken where a device stands.
    serve = (far_m * question.open_weight).ravel()
    each = hstack([csr_array((m, n)), *[eye_array(m)] * n])
    stands = hstack([-_spread(n, m), eye_array(n * m)])
    rules = [
        LinearConstraint(each, 1, 1),
        LinearConstraint(stands, -np.inf, 0),
        LinearConstraint(_row(_new(question), n * m), count, count),
        *_common(question, n * m),
    ]
    costs = np.concatenate([np.zeros(n), serve])
    return _answer(question, _solved(question, costs, rules, np.ones(n * m, np.int64), limit_s), limit_s)


def front(question: Question, count: int, *, points: int = 7, limit_s: float = 30.0) -> list[Choice]:
    """What can be seen for how much burden on private life: the answers that no other beats in both.

    From the most that can be seen down to no burden, by bounds on the burden (Haimes 1971); sorted by burden. Of the
    answers that see as much, the one with the least burden is taken, for half of the time each.
    """
    each_s = limit_s / points / 2
    found = [_least_burden(question, most_seen(question, count, limit_s=each_s), count, each_s)]
    for bound in np.linspace(0, found[0].burden, points)[:-1][::-1]:
        if found[-1].burden > bound:
            most = most_seen(question, count, limit_s=each_s, most_burden=float(bound))
            found.append(_least_burden(question, most, count, each_s))
    kept: list[Choice] = []
    for choice in sorted(found, key=lambda one: (one.burden, -one.seen_weight)):
        # Sums of the same weights in another order differ in their last bits.
        if not kept or choice.seen_weight > kept[-1].seen_weight * (1 + _PROVEN):
            kept.append(choice)
    return kept


def _covering(
    question: Question, grouped: _Grouped, least: float, every: Ints | None = None
) -> Iterator[LinearConstraint]:
    """What is chosen sees so much of the demand; `every` are so many views of each group, where all is asked for."""
    groups = len(grouped.weight)
    if every is not None:
        # In a sum of weights the lightest pieces would be lost in the tolerance of the solver.
        yield LinearConstraint(hstack([grouped.sees.T, csr_array((groups, groups))]), every, np.inf)
        return
    yield LinearConstraint(hstack([-grouped.sees.T, eye_array(groups)]), -np.inf, 0)
    if not groups:
        return
    # A little below the whole: sums of many weights end in rounding.
    share = np.concatenate([np.zeros(question.candidates), grouped.weight / least])
    yield LinearConstraint(share[None, :], 1 - 1e-12, np.inf)


def _least_burden(question: Question, most: Choice, count: int, limit_s: float) -> Choice:
    """The choice that sees as much as that one for the least burden; not proven where the time does not suffice."""
    if not (most.burden > 0 and most.seen_weight > 0):
        return most
    grouped = _grouped(question)
    groups = len(grouped.weight)
    rules = [
        *_covering(question, grouped, most.seen_weight),
        LinearConstraint(_row(_new(question), groups), 0, count),
        *_common(question, groups),
    ]
    costs = np.concatenate([question.burden, np.zeros(groups)])
    result, seconds = _solved(question, costs, rules, grouped.views, limit_s)
    if result.x is None:
        return replace(most, is_least=False, seconds=most.seconds + seconds)
    found = _answer(question, (result, seconds), limit_s)
    # The solver may take a millionth less for as much; what it found is measured here.
    better = found.burden < most.burden and found.seen_weight >= most.seen_weight * (1 - _PROVEN)
    kept = found if better else most
    return replace(kept, gap=most.gap, is_least=found.is_proven, seconds=most.seconds + seconds)


def _no_worse_than_greedy(
    question: Question, answer: Choice | None, solved: tuple[OptimizeResult, float], greedy: Ints, count: int
) -> Choice:
    """Where time ran out, the better of what was found and of taking the best next one again and again."""
    bound = getattr(solved[0], "mip_dual_bound", None)
    most = -bound if bound is not None and np.isfinite(bound) else np.inf
    best = question.seen_weight(greedy)
    chosen = greedy if answer is None or best > answer.seen_weight else answer.chosen
    found = _chosen(question, chosen, 0.0, solved[1])
    most = min(most, *(_at_most(question, some, count) for some in (question.must, chosen)))
    gap = max(most / found.seen_weight - 1, 0.0) if found.seen_weight else np.inf if most > 0 else 0.0
    return replace(found, gap=0.0 if gap <= _PROVEN else gap)


def _at_most(question: Question, chosen: Ints, count: int) -> float:
    """No choice of so many sees more than these and, of each of the best places, all that it would add to them.

    What a candidate adds only shrinks with what is seen already (Nemhauser, Wolsey and Fisher 1978).
    """
    left = question.views - np.asarray(question.sees[chosen].sum(axis=0)).ravel()
    gains = question.sees @ (question.open_weight * (left > 0))
    gains[chosen] = 0.0
    by_place = np.zeros(int(question.places.max()) + 1)
    np.maximum.at(by_place, question.places, gains)
    return question.seen_weight(chosen) + float(np.sort(by_place)[::-1][:count].sum())


def _greedy(question: Question, count: int, most_burden: float) -> Ints:
    """The candidate that adds most, then the one that adds most to that (Nemhauser 1978: at least 63 % of the best)."""
    chosen = [int(number) for number in question.must]
    left = question.views - np.asarray(question.sees[chosen].sum(axis=0)).ravel()
    free = np.ones(question.candidates, dtype=bool)
    free[question.must] = False
    places, burden = question.places, float(question.burden[question.must].sum())
    for _ in range(count):
        free &= burden + question.burden <= most_burden
        gains = np.where(free, question.sees @ (question.open_weight * (left > 0)), 0.0)
        best = int(np.argmax(gains))
        if not gains[best] > 0:
            break
        chosen.append(best)
        burden += float(question.burden[best])
        left[question.sees[[best]].indices] -= 1
        pairs = question.too_near
        taken = pairs[(pairs == places[best]).any(axis=1)].ravel() if len(pairs) else pairs.ravel()
        free &= ~np.isin(places, [*taken.tolist(), int(places[best])])
    return np.array(sorted(chosen), np.int64)


def marginal(question: Question, chosen: Ints) -> Floats:
    """What each chosen candidate alone adds: the weight that is lost without it, as no other gives that view."""
    times = np.asarray(question.sees[chosen].sum(axis=0)).ravel()
    once = question.open_weight * (times <= question.views)
    return np.asarray(question.sees[chosen] @ once)


def _grouped(question: Question) -> _Grouped:
    """Pieces that the same candidates see are one; two sums of random keys of 62 bits tell sets apart."""
    columns = csc_array(question.sees, dtype=np.int64)
    weight, views = question.open_weight, question.views
    asked = np.flatnonzero((weight > 0) & (np.diff(columns.indptr) > 0))
    keys = np.random.default_rng(0).integers(0, 1 << 62, (question.candidates, 2))
    sets = np.column_stack([columns[:, asked].T @ keys, views[asked]])
    _, firsts, group = np.unique(sets, axis=0, return_index=True, return_inverse=True)
    heavy = np.bincount(group.ravel(), weights=weight[asked], minlength=len(firsts)).astype(np.float64)
    return _Grouped(csr_array(columns[:, asked[firsts]], dtype=np.float64), heavy, views[asked[firsts]])


def _new(question: Question) -> Floats:
    new = np.ones(question.candidates)
    new[question.must] = 0
    return new


def _row(values: Floats, others: int) -> Floats:
    return np.concatenate([values, np.zeros(others)])[None, :]


def _spread(n: int, m: int) -> csr_array:
    """Row i * m + j has a one in column i."""
    rows = np.arange(n * m)
    return csr_array((np.ones(n * m), (rows, rows // m)), shape=(n * m, n))


def _common(question: Question, others: int) -> list[LinearConstraint]:
    """One device at a place, and no two places taken that are too near to each other."""
    places = question.places
    at = csr_array((np.ones(len(places)), (places, np.arange(len(places)))))
    several = np.flatnonzero(np.diff(at.indptr) > 1)
    near = question.too_near
    rows = [part for part in (at[several], at[near[:, 0]] + at[near[:, 1]]) if part.shape[0]]
    if not rows:
        return []
    taken = vstack(rows)
    return [LinearConstraint(hstack([taken, csr_array((taken.shape[0], others))]), -np.inf, 1)]


def _bounded(question: Question, others: int, most_burden: float) -> list[LinearConstraint]:
    """No more burden than that, where there is a bound."""
    bounded = np.isfinite(most_burden)
    return [LinearConstraint(_row(question.burden, others), 0, most_burden)] if bounded else []


def _solved(
    question: Question, costs: Floats, rules: list[LinearConstraint], most: Ints, limit_s: float
) -> tuple[OptimizeResult, float]:
    n, others = question.candidates, len(most)
    low = np.zeros(n + others)
    low[question.must] = 1
    unit = _unit(costs)
    began = time.perf_counter()
    result = milp(
        costs / unit,
        integrality=np.concatenate([np.ones(n), np.zeros(others)]),
        bounds=Bounds(low, np.concatenate([np.ones(n), most])),
        constraints=rules,
        options={"time_limit": limit_s, "mip_rel_gap": _PROVEN},
    )
    seconds = time.perf_counter() - began
    if result.get("mip_dual_bound") is not None:
        result["mip_dual_bound"] *= unit
    return result, seconds


def _unit(costs: Floats) -> float:
    """What counts as one for the solver: it takes 1e20 for endless, and is content with an absolute gap of 1e-6."""
    sizes = np.abs(costs[costs != 0])
    return max(float(sizes.min()), float(sizes.max()) * 1e-6) if len(sizes) else 1.0


def _answer(question: Question, solved: tuple[OptimizeResult, float], limit_s: float) -> Choice:
    result, seconds = solved
    if _is_infeasible(result):
        raise conflict("siting.infeasible", "siting.infeasible")
    if result.x is None:
        raise conflict("siting.no_time", "siting.no_time", measured=limit_s)
    chosen = np.flatnonzero(result.x[: question.candidates] > 0.5).astype(np.int64)
    gap = float(result.mip_gap or 0.0)
    return _chosen(question, chosen, 0.0 if gap <= _PROVEN else gap, seconds)


def _is_infeasible(result: OptimizeResult) -> bool:
    return bool(result.status == _INFEASIBLE)


def _chosen(question: Question, chosen: Ints, gap: float, seconds: float) -> Choice:
    return Choice(
        chosen,
        question.seen_weight(chosen),
        float((question.cost * _new(question))[chosen].sum()),
        float(question.burden[chosen].sum()),
        gap,
        seconds,
    )
