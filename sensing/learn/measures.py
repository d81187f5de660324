"""What a model card says of a model: how it does on areas that it did not learn from. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sensing.learn.fit import Fitted, Numbers, Samples, calibrate
from sensing.learn.objects import Decisions, Ranked
from sensing.learn.pixel import NONE
from sensing.reliability import interval, reliability

_DIGITS = 4


def of_pixels(samples: Samples, fitted: Fitted) -> dict[str, Any]:
    """Metrics of a pixel model, as plain JSON."""
    held = fitted.held_out
    counts = {
        name: {
            "labels": len(np.unique(samples.of_label[samples.of_class == number])),
            "pixels": int((samples.of_class == number).sum()),
            "areas": len(np.unique(samples.of_area[samples.of_class == number])),
        }
        for number, name in enumerate(samples.classes)
    }
    found = fitted.calibration or calibrate(held)
    if found is None:
        return {"samples": counts, "held_out": {"count": 0}, "districts": {}}
    said = held.logits.argmax(axis=1)
    right = said == held.samples.of_class
    measured = {samples.classes[number] for number in np.unique(held.samples.of_class)}
    return {
        "samples": counts,
        "held_out": {
            "count": len(held.samples),
            "areas": len(np.unique(held.samples.of_area)),
            "folds": len(np.unique(held.fold)),
            "classes": _by_class(held.samples, said),
            "balanced_accuracy": _round(_balanced(held.samples.of_class, said)),
            "unmeasured": sorted(set(samples.classes) - measured),
        },
        "calibration": {
            "way": found.way,
            "temperature": _round(found.temperature),
            "before": _plain(found.before, right),
            "after": _plain(found.after, right),
        },
        "districts": {
            code: rate | {"reliability": _plain(found.after[mine], right[mine])}
            for code, rate, mine in _false_alarms(held.samples, said)
        },
    }


def _by_class(samples: Samples, said: Numbers) -> dict[str, Any]:
    return {samples.classes[n]: _class(samples.of_class == n, said == n) for n in np.unique(samples.of_class)}


def _class(true: NDArray[np.bool_], said: NDArray[np.bool_]) -> dict[str, Any]:
    both, either = int((true & said).sum()), int((true | said).sum())
    return {
        "count": int(true.sum()),
        "precision": _round(both / max(int(said.sum()), 1)),
        "recall": _round(both / max(int(true.sum()), 1)),
        "iou": _round(both / max(either, 1)),
    }


def _balanced(true: Numbers, said: Numbers) -> float:
    return float(np.mean([(said[true == number] == number).mean() for number in np.unique(true)]))


def _false_alarms(samples: Samples, said: Numbers) -> Iterator[tuple[str, dict[str, Any], NDArray[np.bool_]]]:
    """Per district, of how many labelled places of nothing the model made something, and which samples are its.

    Places are counted, not pixels: those of one place are not independent of each other.
    """
    nothing = samples.classes.index(NONE) if NONE in samples.classes else -1
    for number, district in enumerate(samples.districts):
        here = samples.of_district == number
        mine = here & (samples.of_class == nothing)
        places = np.unique(samples.of_label[mine])
        alarms = sum((said[mine & (samples.of_label == place)] != nothing).mean() > 0.5 for place in places)
        yield district, _rate(int(alarms), len(places)), here


def _rate(alarms: int, places: int) -> dict[str, Any]:
    low, high = interval(alarms, places)
    rate = _round(alarms / places) if places else None
    return {"places": places, "false_alarms": alarms, "rate": rate, "low": _round(low), "high": _round(high)}


def of_objects(decisions: Decisions, ranked: Ranked) -> dict[str, Any]:
    """Metrics of a re-ranker, as plain JSON."""
    accepted = decisions.accepted
    known = ~np.isnan(ranked.calibrated)
    limits = vars(ranked.model.thresholds)
    counts = {
        kind: {"accepted": int((of & accepted).sum()), "rejected": int((of & ~accepted).sum())}
        for kind, of in _of_kind(decisions).items()
    }
    if not known.any():
        return {"samples": counts, "held_out": {"count": 0}, "districts": {}, "thresholds": limits}
    scores, right = ranked.calibrated[known], accepted[known]
    return {
        "samples": counts,
        "held_out": {
            "count": int(known.sum()),
            "areas": len(np.unique(decisions.of_area[known])),
            "auc": _auc(scores, right),
            "kinds": {
                kind: {
                    "count": int((of & known).sum()),
                    "auc": _auc(ranked.calibrated[of & known], accepted[of & known]),
                }
                for kind, of in _of_kind(decisions).items()
            },
            "kept": _kept(ranked.calibrated, accepted, known, limits["alone"]),
        },
        "calibration": {
            "way": ranked.way,
            "slope": _round(ranked.model.slope),
            "bias": _round(ranked.model.bias),
            "before": _plain(ranked.raw[known], right),
            "after": _plain(scores, right),
        },
        "districts": {
            code: _district(decisions, ranked, known & (decisions.of_district == number))
            for number, code in enumerate(decisions.districts)
        },
        "thresholds": limits,
    }


def _of_kind(decisions: Decisions) -> dict[str, NDArray[np.bool_]]:
    first = decisions.described.shape[1] - len(decisions.kinds)
    return {kind: decisions.described[:, first + n] > 0 for n, kind in enumerate(decisions.kinds)}


def _kept(
    scores: NDArray[np.float64], accepted: NDArray[np.bool_], known: NDArray[np.bool_], alone: float
) -> dict[str, Any]:
    """What would become of finds that were isolated: how many right ones stay, how many wrong ones go."""
    stays = known & (scores >= alone)
    return {
        "accepted_kept": int((stays & accepted).sum()),
        "accepted": int((known & accepted).sum()),
        "rejected_kept": int((stays & ~accepted).sum()),
        "rejected": int((known & ~accepted).sum()),
    }


def _district(decisions: Decisions, ranked: Ranked, mine: NDArray[np.bool_]) -> dict[str, Any]:
    told = _plain(ranked.calibrated[mine], decisions.accepted[mine])
    return _rejected(decisions, ranked, mine) | {"reliability": told}


def _rejected(decisions: Decisions, ranked: Ranked, mine: NDArray[np.bool_]) -> dict[str, Any]:
    """Of the finds of a district that officers rejected, how many would still have been shown."""
    wrong = mine & ~decisions.accepted
    shown = wrong & (ranked.calibrated >= ranked.model.thresholds.alone)
    return _rate(int(shown.sum()), int(wrong.sum()))


def _plain(scores: NDArray[np.float64], right: NDArray[np.bool_]) -> dict[str, Any]:
    found = reliability(scores, right)
    return found.dump() if found else {}


def _auc(scores: NDArray[np.float64], right: NDArray[np.bool_]) -> float | None:
    """How often an accepted find is scored above a rejected one, ties for half; None without both."""
    good, bad = scores[right], scores[~right]
    if not good.size or not bad.size:
        return None
    above = np.searchsorted(np.sort(bad), good, side="left") + np.searchsorted(np.sort(bad), good, side="right")
    return _round(float(above.mean() / (2 * bad.size)))


def _round(value: float) -> float:
    return round(float(value), _DIGITS)
