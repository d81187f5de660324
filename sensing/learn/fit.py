"""From samples to a pixel model: fitted in seconds, measured on areas that it never saw, the same for the same seed."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from schemas.refusals import invalid
from sensing.learn.calibration import Calibration, calibration
from sensing.learn.features import Singles
from sensing.learn.pixel import NONE, PixelModel, quantised

Progress = Callable[[float], None]
Numbers = NDArray[np.int64]

SMALL, LARGE = (24,), (32, 16)
FOLDS = 4

_PENALTY = 1.0
_ITERATIONS = 300
_SEED = 20_250_701
# A feature that hardly varies among the samples must not decide by its last digit.
_LEAST_SPREAD = 8.0
# Hidden units are told apart this far beyond what the samples reach.
_ROOM = 1.5


@dataclass(frozen=True, eq=False)
class Samples:
    """Pixels with what somebody called them.

    `features` is features x pixels; `of_class`, `of_label`, `of_area` and `of_district` number each pixel's class in
    `classes`, the label it comes from, the area on the ground around it, and the district that it lies in.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    features: Singles
    of_class: Numbers
    of_label: Numbers
    of_area: Numbers
    of_district: Numbers
    districts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.of_class)

    def only(self, kept: NDArray[np.bool_]) -> Samples:
        """The samples for which `kept` is true."""
        return replace(
            self,
            features=self.features[:, kept],
            of_class=self.of_class[kept],
            of_label=self.of_label[kept],
            of_area=self.of_area[kept],
            of_district=self.of_district[kept],
        )


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What models said of areas that they had not seen; only samples whose class was known elsewhere are in it.

    `logits` are samples x classes, -inf for a class that a model did not know; `fold` is the number of the model.
    """

    samples: Samples
    logits: NDArray[np.float64]
    fold: Numbers

    @property
    def is_empty(self) -> bool:
        """Whether nothing could be held out: then nothing is known of how well the model does elsewhere."""
        return len(self.samples) == 0


@dataclass(frozen=True, eq=False)
class Fitted:
    """A model, how it does on areas that it did not see, and how its confidences were corrected by them."""

    model: PixelModel
    held_out: HeldOut
    calibration: Calibration | None = None


def fit(samples: Samples, *, hidden: Sequence[int] = SMALL, progress: Progress = lambda _: None) -> Fitted:
    """A model of all samples, its confidences calibrated on areas that were held out.

    Raises RuleViolation `model.samples` where fewer than two classes have a sample.
    """
    held_out = _hold_out(samples, hidden, lambda done: progress(done * FOLDS / (FOLDS + 1)))
    model, found = train(samples, hidden), calibrate(held_out)
    if found is not None:
        model = model.calibrated(found.temperature, found.steps)
    progress(1.0)
    return Fitted(model, held_out, found)


def calibrate(held_out: HeldOut) -> Calibration | None:
    """How confidences are to be corrected by what was held out; None where nothing was."""
    if held_out.is_empty:
        return None
    places = len(np.unique(held_out.samples.of_label))
    return calibration(held_out.logits, held_out.samples.of_class, held_out.fold, places)


def train(samples: Samples, hidden: Sequence[int] = SMALL) -> PixelModel:
    """A network of all samples, every class of the same weight; deterministic."""
    # Loaded when it is needed: pandas and pyarrow come along, and most processes fit nothing.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    known = np.unique(samples.of_class)
    if len(known) < 2:
        raise invalid("model.samples", measured=len(known), required=2)
    inputs = samples.features.T.astype(np.float64)
    middle, spread = inputs.mean(axis=0), np.maximum(inputs.std(axis=0), _LEAST_SPREAD)
    counts = np.bincount(samples.of_class)
    weight = len(samples) / (len(known) * counts[samples.of_class])
    network = MLPClassifier(tuple(hidden), solver="lbfgs", alpha=_PENALTY, max_iter=_ITERATIONS, random_state=_SEED)
    with threadpool_limits(1), warnings.catch_warnings():
        # Going on until nothing moves any more would only follow the noise of a few clicks.
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit((inputs - middle) / spread, samples.of_class, sample_weight=weight)
    layers = [(weights.T, bias) for weights, bias in zip(network.coefs_, network.intercepts_, strict=True)]
    first, bias = layers[0]
    layers[0] = (first / spread, bias - first @ (middle / spread))
    if len(known) == 2:
        # Two classes have one output in between; half of it for the one and half against the other.
        last, bias = layers[-1]
        layers[-1] = (np.vstack([-last / 2, last / 2]), np.concatenate([-bias / 2, bias / 2]))
    classes = (NONE, *(name for name in samples.classes if name != NONE))
    codes = np.array([classes.index(samples.classes[one]) for one in known], dtype=np.uint8)
    return quantised(layers, _tops(layers, inputs), features=samples.names, classes=classes, codes=codes)


def _tops(
    layers: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]], inputs: NDArray[np.float64]
) -> list[NDArray[np.float64]]:
    """Up to where the units of each hidden layer go on the samples, and some way beyond."""
    tops, values = [], inputs.T
    for weights, bias in layers[:-1]:
        values = np.maximum(weights @ values + bias[:, None], 0.0)
        tops.append(np.maximum(values.max(axis=1) * _ROOM, 1e-3))
    return tops


def folds_of(of_area: Numbers, of_class: Numbers, count: int = FOLDS) -> Numbers:
    """The fold of each sample: areas stay whole, and each class is spread over the folds as evenly as areas allow."""
    areas = np.unique(of_area)
    tally = np.zeros((len(areas), int(of_class.max(initial=0)) + 1))
    np.add.at(tally, (np.searchsorted(areas, of_area), of_class), 1)
    share = tally / np.maximum(tally.sum(axis=0), 1)
    filled = np.zeros((count, tally.shape[1]))
    fold_of = np.zeros(len(areas), np.int64)
    for area in np.lexsort((areas, -share.max(axis=1))):
        # Where what this area brings is rarest so far.
        fold = int(np.argmin((filled * share[area]).sum(axis=1) + 1e-9 * filled.sum(axis=1)))
        filled[fold] += share[area]
        fold_of[area] = fold
    return fold_of[np.searchsorted(areas, of_area)]


def _hold_out(samples: Samples, hidden: Sequence[int], progress: Progress) -> HeldOut:
    """Each fold of areas judged by a model of all other areas."""
    fold = folds_of(samples.of_area, samples.of_class)
    logits = np.full((len(samples), len(samples.classes)), -np.inf)
    known = np.zeros(len(samples), np.bool_)
    for number in range(FOLDS):
        inside = fold == number
        elsewhere = np.unique(samples.of_class[~inside])
        if inside.any() and len(elsewhere) > 1:
            model = train(samples.only(~inside), hidden)
            rows = np.flatnonzero(inside)
            logits[np.ix_(rows, elsewhere)] = model.logits(samples.features[:, inside]).T
            known |= inside & np.isin(samples.of_class, elsewhere)
        progress((number + 1) / FOLDS)
    return HeldOut(samples.only(known), logits[known], fold[known])
