"""Siting: the best choice of all there are, on questions small enough to try each."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import OptimizeResult
from scipy.sparse import csr_array

from geo.siting.models import _greedy, _no_worse_than_greedy, front, least_cost, marginal, most_seen, nearest
from geo.siting.question import Question
from schemas.refusals import RuleViolation


def asked(seed, n=7, m=12, **change):
    numbers = np.random.default_rng(seed)
    given = {
        "sees": csr_array(numbers.random((n, m)) < 0.3),
        "weight": numbers.integers(1, 9, m).astype(float),
        "seen_already": numbers.random(m) < 0.2,
        "burden": numbers.integers(0, 5, n).astype(float),
        "cost": numbers.integers(1, 5, n).astype(float),
    }
    return Question(**(given | change))


def seen_by(question, chosen):
    seen = np.asarray(question.sees[list(chosen)].sum(axis=0)).ravel() > 0
    return float(question.open_weight[seen].sum())


def choices(question, sizes, too_near=()):
    near = {tuple(pair) for pair in too_near}
    for size in sizes:
        for chosen in combinations(range(question.candidates), size):
            if not near & set(combinations(chosen, 2)):
                yield chosen


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(0, 4))
def test_most_seen__any_question__the_best_of_all_choices(seed, count):
    question = asked(seed, too_near=np.array([[0, 1], [2, 5]]))
    answer = most_seen(question, count)
    assert answer.is_proven
    assert answer.seen_weight == seen_by(question, answer.chosen)
    assert len(answer.chosen) <= count
    best = max(seen_by(question, chosen) for chosen in choices(question, range(count + 1), question.too_near))
    assert answer.seen_weight == best


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.sampled_from([0.5, 0.8, 1.0]))
def test_least_cost__any_question__no_cheaper_choice_sees_as_much(seed, share):
    question = asked(seed)
    answer = least_cost(question, share)
    all_there_is = seen_by(question, range(question.candidates))
    enough = [c for c in choices(question, range(8)) if seen_by(question, c) >= share * all_there_is - 1e-9]
    assert answer.seen_weight >= share * all_there_is - 1e-9
    assert answer.cost == min(question.cost[list(chosen)].sum() for chosen in enough)


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(1, 3))
def test_most_seen__directions_and_views__one_at_a_place_and_each_view_counted_once(seed, count):
    numbers = np.random.default_rng(seed)
    question = asked(seed, place=np.array([0, 0, 1, 1, 2, 2, 3]), wanted=numbers.integers(1, 3, 12))
    answer = most_seen(question, count)
    one_each = [c for c in choices(question, range(count + 1)) if len(set(question.places[list(c)])) == len(c)]
    assert len(set(question.places[answer.chosen])) == len(answer.chosen)
    assert answer.seen_weight == max(question.seen_weight(np.array(c, np.int64)) for c in one_each)


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_most_seen__no_time__the_greedy_choice_keeps_every_rule_and_its_gap_holds(seed, count):
    question = asked(seed, n=12, m=40, too_near=np.array([[0, 1], [2, 5]]), place=np.repeat(np.arange(6), 2))
    best = most_seen(question, count)
    hasty = _no_worse_than_greedy(question, None, (OptimizeResult(), 0.0), _greedy(question, count, np.inf), count)
    assert len(hasty.chosen) <= count
    assert len(set(question.places[hasty.chosen])) == len(hasty.chosen)
    assert not any(set(pair) <= set(question.places[hasty.chosen]) for pair in question.too_near.tolist())
    assert hasty.seen_weight <= best.seen_weight <= hasty.seen_weight * (1 + hasty.gap) + 1e-9


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.integers(1, 3))
def test_nearest__any_question__the_shortest_of_all_choices(seed, count):
    question = asked(seed, n=6, m=8)
    far_m = np.random.default_rng(seed + 1).random((6, 8)) * 1000
    answer = nearest(question, far_m, count)

    def total(chosen):
        return (far_m[list(chosen)].min(axis=0) * question.open_weight).sum()

    assert len(answer.chosen) == count
    assert total(answer.chosen) == pytest.approx(min(total(chosen) for chosen in choices(question, [count])))


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_front__any_question__more_is_seen_only_for_more_burden(seed):
    question = asked(seed)
    found = front(question, 3)
    assert found[-1].seen_weight == most_seen(question, 3).seen_weight
    for one, other in pairwise(found):
        assert one.burden < other.burden
        assert one.seen_weight < other.seen_weight


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(1, 3))
def test_front__any_question__no_choice_of_all_beats_an_answer_in_both(seed, count):
    # Equal weights make many choices that see as much: of those the least burden counts.
    question = asked(seed, weight=np.ones(12), too_near=np.array([[0, 1], [2, 5]]))
    every = [np.array(one, np.int64) for one in choices(question, range(count + 1), question.too_near)]
    reached = {(question.seen_weight(one), float(question.burden[one].sum())) for one in every}
    for answer in front(question, count):
        assert answer.is_proven
        better = [one for one in reached if one[0] >= answer.seen_weight and one[1] <= answer.burden]
        assert better == [(answer.seen_weight, answer.burden)]


@pytest.mark.parametrize("unit", [1e-300, 1e-12, 1e12, 1e300])
def test_models__weights_and_costs_in_any_unit__the_same_choice(unit):
    question = asked(11)
    scaled = asked(11, weight=question.weight * unit, cost=question.cost * unit)
    most, least = most_seen(scaled, 2), least_cost(scaled, 0.8)
    assert most.is_proven
    assert least.is_proven
    assert most.seen_weight / unit == pytest.approx(most_seen(question, 2).seen_weight)
    assert least.cost / unit == pytest.approx(least_cost(question, 0.8).cost)
    far_m = np.random.default_rng(4).random((7, 12)) * 1000
    assert nearest(scaled, far_m, 2).chosen.tolist() == nearest(question, far_m, 2).chosen.tolist()


def test_least_cost__one_site_a_million_times_as_dear__cheap_ones_are_still_told_apart():
    sees = csr_array(np.array([[1, 1, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]))
    cost = np.array([1.5, 1.0, 1.0, 1e8])
    nothing = np.zeros(3, bool)
    question = asked(0, n=4, m=3, sees=sees, weight=np.ones(3), seen_already=nothing, burden=np.zeros(4), cost=cost)
    assert least_cost(question, 1.0).chosen.tolist() == [0, 3]


def test_least_cost__all_of_it__the_lightest_piece_too():
    sees = csr_array(np.eye(2))
    weight, nothing = np.array([1e9, 1e-6]), np.zeros(2, bool)
    question = asked(
        0, n=2, m=2, sees=sees, weight=weight, seen_already=nothing, burden=np.zeros(2), cost=np.array([1.0, 5.0])
    )
    assert least_cost(question, 1.0).chosen.tolist() == [0, 1]


def test_most_seen__a_bound_that_leaves_nothing__proven_to_be_nothing():
    question = asked(5, burden=np.ones(7))
    hasty = _no_worse_than_greedy(question, None, (OptimizeResult(mip_dual_bound=-0.0), 0.0), np.empty(0, np.int64), 0)
    assert (hasty.seen_weight, hasty.gap) == (0.0, 0.0)


def test_GD_17__shared_devices__used_first_and_not_counted():
    question = asked(3, must=np.array([2]))
    answer = most_seen(question, 1)
    assert 2 in answer.chosen
    assert len(answer.chosen) == 2
    assert answer.cost == question.cost[[i for i in answer.chosen if i != 2]].sum()


def test_marginal__two_that_see_the_same__neither_adds_anything():
    question = asked(
        0, n=2, m=1, sees=csr_array(np.ones((2, 1))), weight=np.array([5.0]), seen_already=np.array([False])
    )
    assert marginal(question, np.array([0, 1])).tolist() == [0, 0]
    assert marginal(question, np.array([0])).tolist() == [5]


@pytest.mark.parametrize(
    ("change", "rules"),
    [
        ({"weight": np.zeros(12)}, ["siting.no_demand"]),
        ({"sees": csr_array((7, 0)), "weight": np.empty(0), "seen_already": np.empty(0, bool)}, ["siting.no_demand"]),
        ({"burden": np.ones(3), "cost": np.full(7, np.nan)}, ["siting.sizes", "siting.not_a_number"]),
        ({"cost": np.full(7, -1.0)}, ["siting.not_a_number"]),
        ({"weight": np.full(12, 1e308)}, ["siting.not_a_number"]),
    ],
)
def test_question__faulty__every_fault_is_told(change, rules):
    with pytest.raises(RuleViolation) as refused:
        asked(1, **change)
    assert [refusal.rule for refusal in refused.value.refusals] == rules


@pytest.mark.parametrize(
    ("ask", "rule"),
    [
        (lambda question: most_seen(question, 8), "siting.too_many_sites"),
        (lambda question: most_seen(question, -1), "siting.too_many_sites"),
        (lambda question: least_cost(question, 0.0), "siting.share"),
        (lambda question: least_cost(question, float("nan")), "siting.share"),
        (lambda question: nearest(question, np.ones((7, 12)), 9), "siting.too_many_sites"),
    ],
)
def test_siting__impossible_question__refused(ask, rule):
    with pytest.raises(RuleViolation) as refused:
        ask(asked(1))
    assert [refusal.rule for refusal in refused.value.refusals] == [rule]


def test_siting__conditions_that_exclude_one_another__said_so():
    lonely = csr_array(np.eye(2))
    question = asked(
        1, n=2, m=2, sees=lonely, weight=np.ones(2), seen_already=np.zeros(2, bool), too_near=np.array([[0, 1]])
    )
    with pytest.raises(RuleViolation) as refused:
        least_cost(question, 1.0)
    assert refused.value.refusals[0].rule == "siting.infeasible"
    # What can be asked for is told, and can be had.
    (told,) = refused.value.refusals
    assert (told.measured, told.required) == ("100 %", "50 %")
    assert least_cost(question, 0.5).seen_weight == 1


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_least_cost__nothing_can_be_seen__no_site_is_chosen(share):
    blind = asked(1, sees=csr_array((7, 12)))
    assert len(least_cost(blind, share).chosen) == 0
    assert len(most_seen(blind, 2).chosen) == 0


def test_GD_13_1__revenue__has_no_place_in_a_question():
    with pytest.raises(TypeError, match="revenue"):
        asked(1, revenue=np.ones(7))
