"""What a version of a model has that the one before it had not, and how much better or worse it does. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One figure of two versions; `better` where a change is for the better, None where it is neither.

    `of` is what the figure is of: a class, a district, or nothing.
    """

    name: str
    of: str
    before: float | None
    after: float | None
    better: bool | None


@dataclass(frozen=True)
class Changes:
    """What came and went between two versions, and the figures of both."""

    labels: tuple[int, int]
    scenes: tuple[tuple[str, ...], tuple[str, ...]]
    classes: tuple[tuple[str, ...], tuple[str, ...]]
    features: tuple[tuple[str, ...], tuple[str, ...]]
    figures: tuple[Figure, ...]
    same_file: bool


def changes(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> Changes:
    """The differences between two cards (sensing.learn.queries.card)."""
    came, went = _both(earlier["training_data"]["label_ids"], later["training_data"]["label_ids"])
    return Changes(
        labels=(len(came), len(went)),
        scenes=_both(_scenes(earlier), _scenes(later)),
        classes=_both(earlier["classes"], later["classes"]),
        features=_both(earlier["features"], later["features"]),
        figures=tuple(_figures(earlier["metrics"], later["metrics"])),
        same_file=earlier["sha256"] == later["sha256"],
    )


def _scenes(card: Mapping[str, Any]) -> list[str]:
    return [str(source["scene"]) for source in card["training_data"]["sources"]]


def _both(earlier: list[str], later: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(sorted(set(later) - set(earlier))), tuple(sorted(set(earlier) - set(later)))


# Figures of held-out areas, and whether more of them is better.
_HELD = (("balanced_accuracy", True), ("auc", True))
_OF_CLASS = (("recall", True), ("precision", True), ("iou", True), ("auc", True))


def _figures(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> Iterator[Figure]:
    before, after = earlier.get("held_out", {}), later.get("held_out", {})
    for name, more in _HELD:
        if name in before or name in after:
            yield _figure((name, ""), before.get(name), after.get(name), more=more)
    yield _figure(("ece", ""), _ece(earlier), _ece(later), more=False)
    for part in ("classes", "kinds"):
        old, new = before.get(part, {}), after.get(part, {})
        for word in sorted({*old, *new}):
            one, other = old.get(word, {}), new.get(word, {})
            for name, more in _OF_CLASS:
                if name in one or name in other:
                    yield _figure((name, word), one.get(name), other.get(name), more=more)
    old, new = earlier.get("districts", {}), later.get("districts", {})
    for code in sorted({*old, *new}):
        yield _figure(("false_alarms", code), old.get(code, {}).get("rate"), new.get(code, {}).get("rate"), more=False)


def _ece(metrics: Mapping[str, Any]) -> float | None:
    value = metrics.get("calibration", {}).get("after", {}).get("ece")
    return None if value is None else float(value)


def _figure(of: tuple[str, str], before: float | None, after: float | None, *, more: bool) -> Figure:
    better = None if before is None or after is None or before == after else (after > before) is more
    return Figure(of[0], of[1], before, after, better)
