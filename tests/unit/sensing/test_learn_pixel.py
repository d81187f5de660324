"""The pixel model: exact for any batch, the same file for the same samples, and no file that is not one."""

from __future__ import annotations

import io
import subprocess
import sys
import warnings
import zipfile
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.windows import Window
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from schemas.refusals import RuleViolation
from sensing.bands import Role
from sensing.features import box_sum, local_deviation, local_mean
from sensing.learn import features as f
from sensing.learn.calibration import ISOTONIC, PLAIN, TEMPERATURE, calibration, error_of, temperature
from sensing.learn.deciding import CERTAIN, weigh
from sensing.learn.fit import LARGE, SMALL, Samples, fit, folds_of, train
from sensing.learn.pixel import NONE, PixelModel, pack, unpack
from sensing.picture import Tile

ROLES = (Role.RED, Role.GREEN, Role.BLUE, Role.NIR)


def tile(height: int, width: int, *, seed: int = 1, roles=ROLES, void: float = 0.1) -> Tile:
    rng = np.random.default_rng(seed)
    bands = {role: rng.integers(0, 9000, (height, width)).astype(np.int32) for role in roles}
    return Tile(Window(0, 0, width, height), bands, rng.random((height, width)) >= void)


def samples(count: int = 600, classes=(NONE, "water", "soil"), *, seed: int = 2, spread: float = 260.0) -> Samples:
    """Pixels of classes that overlap a little, in thirty areas."""
    rng = np.random.default_rng(seed)
    names = f.names(ROLES)
    middle = rng.integers(-300, 900, (len(classes), len(names)))
    truth = rng.integers(0, len(classes), count)
    drawn = np.rint(middle[truth] + rng.normal(0, spread, (count, len(names))))
    area = rng.integers(0, 30, count)
    held = np.clip(drawn, -f.LIMIT, f.LIMIT).T.astype(np.float32)
    return Samples(names, classes, held, truth, np.arange(count), area, area % 2, ("A1", "A2"))


@pytest.fixture(scope="module")
def fitted():
    return fit(samples(spread=900.0))


@pytest.fixture(scope="module")
def anything():
    return np.random.default_rng(5).integers(-f.LIMIT, f.LIMIT + 1, (len(f.names(ROLES)), 40_000)).astype(np.float32)


# -- features -------------------------------------------------------------------------------------


def test_features__by_bands__14_to_19():
    assert [len(f.names(roles)) for roles in (ROLES[:3], ROLES, (*ROLES, Role.SWIR1, Role.SWIR2))] == [14, 17, 19]


def test_features__without_colour__refused():
    with pytest.raises(RuleViolation) as caught:
        f.names((Role.NIR, Role.RED))
    assert caught.value.refusals[0].rule == "model.bands"


def test_features__whole_numbers_within_the_limit_and_zero_where_void():
    seen = tile(40, 50, roles=(*ROLES, Role.SWIR1, Role.SWIR2))
    seen.bands[Role.RED][3:9] = -500
    seen.bands[Role.NIR][10:12] = 100_000
    made = f.stack(seen, f.names(tuple(seen.bands)))
    assert made.shape == (19, 34, 44)
    assert made.dtype == np.float32
    assert np.array_equal(made, np.rint(made))
    assert np.abs(made).max() <= f.LIMIT
    assert not made[:, ~seen.valid[3:-3, 3:-3]].any()


def test_features__textures__are_those_of_the_engine():
    seen = tile(30, 30)
    names = f.names(ROLES)
    made = dict(zip(names, f.stack(seen, names), strict=True))
    level = np.minimum(sum(seen.bands[role] for role in ROLES[:3]) // 3 // 4, f.LIMIT)
    inner, valid = (slice(3, -3), slice(3, -3)), seen.valid[3:-3, 3:-3]
    for name, radius in (("texture_near", 1), ("texture_far", 3)):
        wanted = np.rint(local_deviation(level, seen.valid, radius))[inner]
        assert np.abs(made[name] - wanted)[valid].max() <= 1
    wanted = level[inner] - np.rint(local_mean(level, seen.valid, 3))[inner]
    assert np.array_equal(made["stands_out"][valid], wanted[valid])


@settings(deadline=None)  # The first call compiles.
@given(st.integers(1, 4), st.integers(1, 19), st.integers(1, 23))
def test_box_sums__are_the_plain_sums(radius, height, width):
    plane = np.random.default_rng(radius).integers(-900, 900, (height, width)).astype(np.int32)
    assert np.array_equal(f.box_sums(plane, radius), box_sum(plane, radius))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 50), st.integers(0, 40), st.integers(1, 14), st.integers(1, 14))
def test_features__of_any_window__are_those_of_the_whole(top, left, height, width):
    whole = tile(70, 60)
    names = f.names(ROLES)
    everything = f.stack(whole, names)
    rows, columns = slice(top, min(top + height, 64) + 6), slice(left, min(left + width, 54) + 6)
    part = Tile(whole.window, {r: p[rows, columns] for r, p in whole.bands.items()}, whole.valid[rows, columns])
    cut = everything[:, top : rows.stop - 6, left : columns.stop - 6]
    assert f.stack(part, names).tobytes() == np.ascontiguousarray(cut).tobytes()


# -- the model ------------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden", [SMALL, LARGE])
@pytest.mark.parametrize("block", [1, 7, 64, 1000, 16_384, 16_385])
def test_predict__any_batch__the_same_bytes(hidden, block, anything):
    model = train(samples(spread=900.0), hidden)
    whole = model.predict(anything)
    count = min(anything.shape[1], 60 * block)
    parts = [model.predict(anything[:, at : min(at + block, count)]) for at in range(0, count, block)]
    for number in (0, 1):
        assert np.concatenate([part[number] for part in parts]).tobytes() == whole[number][:count].tobytes()


def test_predict__any_order_threads_and_layout__the_same_bytes(fitted, anything):
    labels, confidence = fitted.model.predict(anything)
    order = np.random.default_rng(3).permutation(anything.shape[1])
    shuffled = fitted.model.predict(np.asfortranarray(anything[:, order]))
    assert np.array_equal(shuffled[0], labels[order])
    assert np.array_equal(shuffled[1], confidence[order])
    with threadpool_limits(2):
        again = fitted.model.predict(anything)
    assert np.array_equal(again[0], labels)
    assert np.array_equal(again[1], confidence)


def test_predict__sums__are_exact_in_whole_numbers(fitted, anything):
    part = anything[:, :500].astype(np.int64)
    for layer in fitted.model.layers:
        exact = layer.weights.astype(np.int64) @ part + layer.bias.astype(np.int64)[:, None]
        assert np.abs(exact).max() < 1 << 24
        single = layer.weights @ part.astype(np.float32) + layer.bias[:, None]
        assert np.array_equal(single.astype(np.int64), exact)
        if layer.shrink is not None:
            part = np.clip(np.rint(single * layer.shrink[:, None]), 0, f.LIMIT).astype(np.int64)


def test_weigh__any_distance__is_the_power_and_exact_at_none():
    away = np.linspace(0, 40, 20_001).astype(np.float32)
    weights = np.empty(away.size, np.int32)
    weigh(-away, np.zeros_like(away), np.float32(1.0), weights)
    assert weights[0] == 65_536
    assert weights[-1] == 0
    near = away < 30
    assert np.abs(weights[near] - 65_536 * np.exp2(-away[near].astype(float))).max() < 8.5


@pytest.mark.parametrize("classes", [(NONE, "water"), (NONE, "water", "soil", "roof")])
def test_train__agrees_with_the_network_that_scikit_learn_fitted(classes):
    given = samples(800, classes, spread=500.0)
    inputs = given.features.T.astype(float)
    network = MLPClassifier((24,), solver="lbfgs", alpha=1.0, max_iter=300, random_state=20_250_701)
    weight = len(given) / (len(classes) * np.bincount(given.of_class)[given.of_class])
    scaled = (inputs - inputs.mean(axis=0)) / np.maximum(inputs.std(axis=0), 8)
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(scaled, given.of_class, sample_weight=weight)
    labels, confidence = train(given).predict(given.features)
    wanted = network.predict_proba(scaled)
    assert (labels == network.predict(scaled)).mean() > 0.998
    assert np.abs(confidence / CERTAIN - wanted.max(axis=1)).max() < 0.03


def test_train__same_samples__same_file():
    assert train(samples()).sha256 == train(samples()).sha256
    assert train(samples()).sha256 != train(samples(seed=3)).sha256


def test_train__one_class__refused():
    with pytest.raises(RuleViolation) as caught:
        train(samples(classes=("water",)))
    assert caught.value.refusals[0].rule == "model.samples"


def test_train__without_a_sample_of_none__label_0_is_never_given():
    model = train(samples(classes=("soil", "water")))
    assert model.classes == (NONE, "soil", "water")
    assert set(model.predict(samples().features)[0]) == {1, 2}


def test_train__constant_feature__decides_nothing():
    given = samples()
    given.features[4] = 700
    given.features[4, 0] = 701
    model = train(given)
    other = given.features.copy()
    other[4] = 702
    assert (model.predict(given.features)[0] == model.predict(other)[0]).mean() > 0.99


def test_doubt__draw_and_certainty(fitted):
    _, confidence = fitted.model.predict(samples(spread=900.0).features)
    doubt = fitted.model.doubt(samples(spread=900.0).features)
    assert doubt[confidence == CERTAIN].max(initial=0) <= 1
    assert np.corrcoef(doubt, confidence)[0, 1] < -0.9


def test_predict__other_than_it_was_trained_on__refused(fitted):
    with pytest.raises(ValueError, match="features"):
        fitted.model.predict(np.zeros((3, 10), np.float32))
    with pytest.raises(ValueError, match="float32"):
        fitted.model.predict(np.zeros((17, 10)))


ELSEWHERE = """
import hashlib, sys
import numpy as np
from rasterio.windows import Window
from sensing.bands import Role
from sensing.learn import features
from sensing.learn.pixel import PixelModel
from sensing.picture import Tile

model = PixelModel.from_bytes(bytes.fromhex(sys.stdin.read()))
rng = np.random.default_rng(1)
roles = (Role.RED, Role.GREEN, Role.BLUE, Role.NIR)
bands = {role: rng.integers(0, 9000, (300, 200)).astype(np.int32) for role in roles}
made = features.stack(Tile(Window(0, 0, 200, 300), bands, rng.random((300, 200)) > 0.1), model.features)
flat = made.reshape(len(made), -1)
print(hashlib.sha256(b"".join(part.tobytes() for part in (made, *model.predict(flat), model.doubt(flat)))).hexdigest())
"""


def processors() -> list[dict[str, str]]:
    """This one; one whose kernels are of 2008; and one of 2013 with threads, on which numpy knows nothing wide."""
    wide = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    narrow = {"NPY_DISABLE_CPU_FEATURES": " ".join(wide)} if wide else {}
    threads = {"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_NUM_THREADS": "3"}
    return [{}, {"OPENBLAS_CORETYPE": "Nehalem"}, threads | narrow]


def test_predict__on_other_processors__the_same_bytes(fitted):
    answers = set()
    for environment in processors():
        done = subprocess.run(
            [sys.executable, "-c", ELSEWHERE],
            input=fitted.model.to_bytes().hex(),
            env={"PYTHONPATH": str(Path(__file__).parents[3]), **environment},
            capture_output=True,
            text=True,
            check=True,
        )
        answers.add(done.stdout)
    assert len(answers) == 1
    assert len(answers.pop().strip()) == 64


# -- files ----------------------------------------------------------------------------------------


def test_file__read_back__is_the_same_model(fitted, anything):
    again = PixelModel.from_bytes(fitted.model.to_bytes())
    assert again.sha256 == fitted.model.sha256
    for mine, other in zip(again.predict(anything), fitted.model.predict(anything), strict=True):
        assert np.array_equal(mine, other)


def changed(model: PixelModel, **members: object) -> bytes:
    about, arrays = unpack(model.to_bytes(), "skywarden-pixel-model-1")
    arrays |= {name: value for name, value in members.items() if isinstance(value, np.ndarray)}
    about |= {name: value for name, value in members.items() if not isinstance(value, np.ndarray)}
    return pack(about, arrays)


@pytest.mark.parametrize(
    "members",
    [
        {"format": "other"},
        {"unit": 0.0},
        {"temperature": -1.0},
        {"layers": 1},
        {"layers": 9},
        {"layers": "x"},
        {"classes": ["water", "none", "soil"]},
        {"classes": ["none", "water", "water"]},
        {"features": ["red"]},
        {"codes": np.array([0, 1, 200], np.uint8)},
        {"codes": np.array([0, 1, 2], np.int64)},
        {"weights_0": np.full((24, 17), 0.5, np.float32)},
        {"weights_0": np.full((24, 17), 1e6, np.float32)},
        {"weights_0": np.full((24, 17), np.nan, np.float32)},
        {"weights_0": np.zeros((24, 3), np.float32)},
        {"shrink_0": np.zeros(24, np.float32)},
        {"bias_1": np.zeros(2, np.float32)},
    ],
)
def test_file__that_could_be_inexact_or_does_not_fit__refused(fitted, members):
    with pytest.raises(RuleViolation) as caught:
        PixelModel.from_bytes(changed(fitted.model, **members))
    assert caught.value.refusals[0].rule == "model.corrupt"


def zipped(name: str, data: bytes, packing: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", packing) as archive:
        archive.writestr(name, data)
    return out.getvalue()


def pickled() -> bytes:
    out = io.BytesIO()
    np.save(out, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    return zipped("about.npy", out.getvalue())


def promising(shape: str) -> bytes:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}}}".ljust(117) + "\n"
    return zipped("about.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK\x03\x04 no zip",
        zipped("about.npy", b"\x93NUMPY"),
        zipped("about.npy", bytes(1 << 20), zipfile.ZIP_DEFLATED),
        pickled(),
        promising("(99999999999999,)"),
        promising("(1000000000000,)"),
        promising("__import__('os')"),
    ],
)
def test_file__hostile__refused(data):
    with pytest.raises(RuleViolation) as caught:
        PixelModel.from_bytes(data)
    assert caught.value.refusals[0].rule == "model.corrupt"


@cache
def small_file() -> bytes:
    return train(samples(200)).to_bytes()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_file__any_byte_changed__refused_or_sound(data):
    whole = bytearray(small_file())
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with suppress(RuleViolation):
        assert PixelModel.from_bytes(bytes(whole)).layers


# -- held-out areas and calibration ---------------------------------------------------------------


def test_folds__an_area_is_in_one_fold_and_classes_are_spread():
    given = samples(900)
    fold = folds_of(given.of_area, given.of_class)
    assert all(len(set(fold[given.of_area == area])) == 1 for area in range(30))
    for one in range(3):
        counts = np.bincount(fold[given.of_class == one], minlength=4)
        assert counts.min() > 0.15 * counts.sum()


def test_hold_out__nothing_is_judged_by_a_model_that_saw_its_area(fitted):
    held = fitted.held_out
    fold_of_area = {}
    for area, fold in zip(held.samples.of_area, held.fold, strict=True):
        assert fold_of_area.setdefault(int(area), int(fold)) == fold


def test_hold_out__class_of_a_single_area__is_left_out_and_not_guessed():
    given = samples()
    given.of_area[given.of_class == 2] = 77
    held = fit(given).held_out
    assert set(held.samples.of_class) == {0, 1}


def test_hold_out__one_area__nothing_is_known():
    given = samples()
    given.of_area[:] = 1
    assert fit(given).held_out.is_empty


def test_temperature__too_sure_a_model__is_cooled_down():
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 1.5, (4000, 3))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.array([rng.choice(3, p=row) for row in shares])
    assert temperature(logits * 3, truth) == pytest.approx(3.0, rel=0.15)
    assert temperature(logits, truth) == pytest.approx(1.0, rel=0.1)


def said(count: int, *, sharper: float, seed: int = 4):
    """Logits of a model that is `sharper` times as sure as it should be, true classes, and folds."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (count, 3))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.array([rng.choice(3, p=row) for row in shares])
    return logits * sharper, truth, np.arange(count) % 4


@pytest.mark.parametrize("places", [20, 4000])
def test_calibration__too_sure_a_model__errs_less_on_areas_that_had_no_part_in_it(places):
    logits, truth, fold = said(4000, sharper=3.0)
    found = calibration(logits, truth, fold, places)
    right = logits.argmax(axis=1) == truth
    assert found.way in (TEMPERATURE, ISOTONIC)[: 1 if places == 20 else 2]
    assert error_of(found.after, right) < 0.3 * error_of(found.before, right)


@pytest.mark.parametrize("seed", range(8))
def test_calibration__never_worse_than_none__and_none_where_it_would_be(seed):
    logits, truth, fold = said(60, sharper=1.0, seed=seed)
    found = calibration(logits, truth, fold, 60)
    right = logits.argmax(axis=1) == truth
    assert error_of(found.after, right) <= error_of(found.before, right)
    if found.way == PLAIN:
        assert found.temperature == 1.0
        assert found.steps is None


def test_calibration__of_a_single_fold__is_none():
    logits, truth, fold = said(200, sharper=3.0)
    assert calibration(logits, truth, fold * 0, 200).way == PLAIN


def test_isotonic__steps_are_kept_with_the_model__and_rise(fitted):
    steps = np.minimum(np.arange(CERTAIN + 1), 150).astype(np.uint8)
    model = PixelModel.from_bytes(fitted.model.calibrated(1.0, steps).to_bytes())
    seen = samples(spread=900.0).features
    labels, confidence = model.predict(seen)
    plain = fitted.model.calibrated().predict(seen)
    assert np.array_equal(labels, plain[0])
    assert np.array_equal(confidence, np.minimum(plain[1], 150))
    with pytest.raises(RuleViolation, match=r"model\.corrupt: "):
        PixelModel.from_bytes(fitted.model.calibrated(1.0, steps[::-1].copy()).to_bytes())
