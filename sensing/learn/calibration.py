"""How confidences come to mean what they say: the way that errs least on areas that were held out, or none. Pure.

A way is taken only where it was better on areas that had no part in it; otherwise confidences stay as they were.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from sensing.learn.deciding import CERTAIN
from sensing.learn.pixel import Bytes
from sensing.reliability import reliability

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

PLAIN, TEMPERATURE, ISOTONIC = "none", "temperature", "isotonic"
# Steps that follow the data need many places: with fewer they would follow single clicks.
_FEWEST_PLACES = 200
_COOLEST, _HOTTEST = 0.25, 8.0


@dataclass(frozen=True, eq=False)
class Calibration:
    """How a model's confidences are corrected, and how sure it was of held-out samples: before, and after.

    After is what each sample would get if its own areas had no part in the correction. `steps` are the corrected
    confidences of all that there are (in two-hundredths), where the way is `isotonic`.
    """

    way: str
    before: Floats
    after: Floats
    temperature: float = 1.0
    steps: Bytes | None = None


def calibration(logits: Floats, truth: Numbers, fold: Numbers, places: int) -> Calibration:
    """The best way for held-out samples (samples x classes, their true classes, and which model judged them).

    `places` is how many labels they come from.
    """
    before, right = probabilities(logits).max(axis=1), logits.argmax(axis=1) == truth
    if len(np.unique(fold)) < 2:
        return Calibration(PLAIN, before, before)
    found = {PLAIN: before, TEMPERATURE: _crossed(fold, lambda rest, mine: _cooled(logits, truth, rest, mine))}
    if places >= _FEWEST_PLACES:
        found[ISOTONIC] = _crossed(fold, lambda rest, mine: _stepped(before, right, rest, mine))
    way = better(found, right)
    return Calibration(
        way,
        before,
        found[way],
        temperature(logits, truth) if way == TEMPERATURE else 1.0,
        _steps(before, right) if way == ISOTONIC else None,
    )


def better(found: Mapping[str, Floats], right: NDArray[np.bool_]) -> str:
    """The way with the smallest calibration error; of equal ones the first."""
    return min(found, key=lambda way: error_of(found[way], right))


def error_of(scores: Floats, right: NDArray[np.bool_]) -> float:
    """The expected calibration error; 0 where there is nothing."""
    told = reliability(scores, right)
    return told.ece if told else 0.0


def _crossed(fold: Numbers, ask: Callable[[NDArray[np.bool_], NDArray[np.bool_]], Floats]) -> Floats:
    """Each fold as the others would have it: the same samples must not praise themselves."""
    out = np.zeros(len(fold))
    for number in np.unique(fold):
        mine = fold == number
        out[mine] = ask(~mine, mine)
    return out


def _cooled(logits: Floats, truth: Numbers, rest: NDArray[np.bool_], mine: NDArray[np.bool_]) -> Floats:
    cooled: Floats = probabilities(logits[mine], temperature(logits[rest], truth[rest])).max(axis=1)
    return cooled


def _stepped(scores: Floats, right: NDArray[np.bool_], rest: NDArray[np.bool_], mine: NDArray[np.bool_]) -> Floats:
    steps = _steps(scores[rest], right[rest])
    return steps[np.rint(scores[mine] * CERTAIN).astype(np.int64)] / CERTAIN


def _steps(scores: Floats, right: NDArray[np.bool_]) -> Bytes:
    """For every confidence in two-hundredths, how often such a one was right; never falling."""
    # Loaded when it is needed: pandas and pyarrow come along, and most processes fit nothing.
    from sklearn.isotonic import IsotonicRegression

    line = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
    line.fit(np.rint(scores * CERTAIN), right.astype(np.float64))
    steps: Bytes = np.rint(CERTAIN * line.predict(np.arange(CERTAIN + 1.0))).astype(np.uint8)
    return steps


def probabilities(logits: Floats, heat: float = 1.0) -> Floats:
    """Softmax over classes (samples x classes) of logits over a temperature."""
    heated = logits / heat
    shares: Floats = np.exp(heated - logsumexp(heated, axis=1, keepdims=True))
    return shares


def temperature(logits: Floats, truth: Numbers) -> float:
    """The temperature that makes the true classes most likely, every class of the same weight."""
    counts = np.bincount(truth)
    weight = 1.0 / counts[truth]

    def surprise(log_t: float) -> float:
        shares = probabilities(logits, float(np.exp(log_t)))[np.arange(len(truth)), truth]
        return float(-(weight * np.log(np.maximum(shares, 1e-12))).sum())

    found = minimize_scalar(surprise, bounds=(np.log(_COOLEST), np.log(_HOTTEST)), method="bounded")
    return float(np.exp(found.x))
