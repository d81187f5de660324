"""The models of siting against spopt, which states them to another solver: the same optimum on every question."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from geo.siting.models import least_cost, most_seen, nearest
from geo.siting.question import Question

# What PuLP says of its own next version concerns spopt.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
SITES, PIECES = 12, 30
REACH = 300.0


def of_spopt(model, *given, **options):
    """The optimum of a model of spopt, solved with CBC; only these tests wait for its imports."""
    import pulp
    from spopt import locate

    made = getattr(locate, model).from_cost_matrix(*given, **options)
    return pulp.value(made.solve(pulp.PULP_CBC_CMD(msg=False)).problem.objective)


@st.composite
def grounds(draw):
    """Places of devices and of demand on a square kilometre, what demand weighs, and how far each is from each."""
    numbers = np.random.default_rng(draw(st.integers(0, 100_000)))
    at, wanted = numbers.random((SITES, 2)) * 1000, numbers.random((PIECES, 2)) * 1000
    far_m = np.hypot(*(at[:, None, axis] - wanted[None, :, axis] for axis in (0, 1)))
    return far_m, numbers.integers(1, 20, PIECES).astype(float)


def question(far_m, weight):
    sites, pieces = far_m.shape
    nothing = np.zeros(pieces, bool)
    return Question(csr_array(far_m <= REACH), weight, nothing, np.zeros(sites), np.ones(sites))


@settings(max_examples=8)
@given(grounds(), st.integers(1, 5))
def test_most_seen__any_ground__as_much_as_MCLP_of_spopt(ground, count):
    far_m, weight = ground
    peer = of_spopt("MCLP", far_m.T, weight, REACH, p_facilities=count)
    ours = most_seen(question(far_m, weight), count)
    assert ours.is_proven
    assert ours.seen_weight == pytest.approx(peer)


@settings(max_examples=8)
@given(grounds())
def test_least_cost__all_that_can_be_seen__as_few_as_LSCP_of_spopt(ground):
    far_m, weight = ground
    seen = (far_m <= REACH).any(axis=0)
    far_m, weight = far_m[:, seen], weight[seen]
    peer = of_spopt("LSCP", far_m.T, REACH)
    assert least_cost(question(far_m, weight), 1.0).cost == peer


@settings(max_examples=8)
@given(grounds(), st.integers(1, 4))
def test_nearest__any_ground__as_near_as_PMedian_of_spopt(ground, count):
    far_m, weight = ground
    peer = of_spopt("PMedian", far_m.T, weight, p_facilities=count)
    ours = nearest(question(far_m, weight), far_m, count)
    assert (far_m[ours.chosen].min(axis=0) * weight).sum() == pytest.approx(peer)
