"""The re-ranker of finds: trees as arrays give what scikit-learn gives; thresholds, calibration, files."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import ExtraTreesClassifier

from schemas.refusals import RuleViolation
from sensing.learn import objects as o
from sensing.learn.pixel import pack, unpack

FEATURES, KINDS = ("red", "green"), ("building", "excavation")
WIDTH = len(o.columns(FEATURES, KINDS))


def decisions(count: int = 240, *, seed: int = 1, signal: float = 1.5) -> o.Decisions:
    rng = np.random.default_rng(seed)
    accepted = rng.random(count) < 0.4
    described = rng.normal(size=(count, WIDTH)).astype(np.float32)
    described[:, 2] += signal * accepted
    area = rng.integers(0, 40, count)
    return o.Decisions(FEATURES, KINDS, described, accepted, area, area % 3, ("A1", "A2", "A3"))


@pytest.fixture(scope="module")
def ranked():
    return o.fit_objects(decisions())


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(20, 120))
def test_forest__gives_the_very_numbers_of_scikit_learn(seed, trees, count):
    rng = np.random.default_rng(seed)
    described = rng.normal(size=(count, WIDTH)).astype(np.float32)
    accepted = rng.random(count) < 0.5
    accepted[:2] = (True, False)
    fitted = ExtraTreesClassifier(trees, min_samples_leaf=2, class_weight="balanced", random_state=seed)
    fitted.fit(described, accepted)
    other = np.concatenate([described, rng.normal(size=(50, WIDTH)).astype(np.float32) * 4])
    assert np.array_equal(o.exported(fitted).scores(other), fitted.predict_proba(other)[:, 1])


def test_fit__finds_what_tells_them_apart_and_holds_areas_out(ranked):
    data = decisions()
    assert np.isfinite(ranked.raw).all()
    low, high = ranked.calibrated[~data.accepted], ranked.calibrated[data.accepted]
    assert high.mean() - low.mean() > 0.2
    # Held-out scores are worse than those of finds that were learned from, or nothing was held out.
    assert ranked.model.scores(data.described)[data.accepted].mean() > high.mean() + 0.05


def test_fit__the_same_decisions__the_same_file(ranked):
    assert o.fit_objects(decisions()).model.sha256 == ranked.model.sha256


@pytest.mark.parametrize("answer", [True, False])
def test_fit__officers_who_always_say_the_same__refused(answer):
    data = decisions(20)
    data.accepted[:] = answer
    with pytest.raises(RuleViolation) as caught:
        o.fit_objects(data)
    assert caught.value.refusals[0].rule == "model.one_answer"


def test_fit__all_in_one_area__nothing_is_known_of_others():
    data = decisions(60)
    data.of_area[:] = 5
    assert np.isnan(o.fit_objects(data).calibrated).all()


def test_platt__known_line():
    rng = np.random.default_rng(3)
    logits = rng.normal(0, 2, 6000)
    right = rng.random(6000) < 1 / (1 + np.exp(-(0.5 * logits - 1)))
    assert o.platt(logits, right) == pytest.approx((0.5, -1.0), abs=0.08)


def test_platt__never_turns_the_order_round():
    logits = np.linspace(-3, 3, 40)
    assert o.platt(logits, logits < 0)[0] > 0


def at(x_m: float) -> shapely.Polygon:
    return shapely.box(113.26 + x_m / 102_400, 23.1, 113.26 + (x_m + 20) / 102_400, 23.1002)


def test_kept__isolated_find_needs_more_than_one_with_a_neighbour():
    limits = o.Thresholds(alone=0.6, together=0.4, near_m=300)
    scores = [0.5, 0.45, 0.5, 0.7, 0.39]
    shapes = [at(0), at(200), at(5_000), at(9_000), at(220)]
    assert o.kept(scores, shapes, limits).tolist() == [True, True, False, True, False]
    assert o.kept([0.5], [at(0)], limits).tolist() == [False]
    assert o.kept([], [], limits).tolist() == []


def test_file__read_back__is_the_same_model(ranked):
    again = o.ObjectModel.from_bytes(ranked.model.to_bytes())
    assert again.sha256 == ranked.model.sha256
    described = decisions(50, seed=9).described
    assert np.array_equal(again.scores(described), ranked.model.scores(described))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("left", lambda a: np.zeros_like(a)),
        ("left", lambda a: np.full_like(a, len(a))),
        ("right", lambda a: a[:-1]),
        ("feature", lambda a: np.full_like(a, 999)),
        ("threshold", lambda a: a * np.nan),
        ("value", lambda a: a + 2),
        ("roots", lambda a: a[:0]),
        ("roots", lambda a: a - 1),
        ("feature", lambda a: a.astype(np.int64)),
    ],
)
def test_file__in_which_a_walk_could_get_lost__refused(ranked, name, change):
    about, arrays = unpack(ranked.model.to_bytes(), o.FORMAT)
    arrays[name] = change(arrays[name])
    with pytest.raises(RuleViolation) as caught:
        o.ObjectModel.from_bytes(pack(about, arrays))
    assert caught.value.refusals[0].rule == "model.corrupt"


@pytest.mark.parametrize("more", [{"slope": "x"}, {"thresholds": {"alone": 2}}, {"thresholds": 1}, {"kinds": None}])
def test_file__with_other_facts__refused(ranked, more):
    about, arrays = unpack(ranked.model.to_bytes(), o.FORMAT)
    with pytest.raises(RuleViolation, match=r"model\.corrupt: "):
        o.ObjectModel.from_bytes(pack(about | more, arrays))
