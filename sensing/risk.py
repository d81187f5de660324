"""Pure: how urgent a finding is, as points that add up and sentences that say why, and its place in the queue."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from importlib import resources
from typing import Any

import yaml

from sensing.words import Sentence, say

_USUAL_SEVERITY = 3
_MOST = 0.5
# Less of a find than this in a place is its neighbour.
_TOUCHES = 0.01
MOST_POINTS = 100


@dataclass(frozen=True)
class Facts:
    """What the risk of a finding depends on, and nothing else.

    `protected` holds the share of its area in each layer, `least_m2` the area from which on the rule counts, `growth`
    its area over the one of the date before, where it was seen before, `change` the share of the picture that changed
    less than it did, where it was seen in two dates.
    """

    violation: str | None
    area_m2: float
    least_m2: float
    score: float
    protected: Mapping[str, float] = field(default_factory=dict)
    growth: float | None = None
    change: float | None = None


@dataclass(frozen=True)
class Risk:
    """Points of 100, and one sentence for each thing that gave some; `turn` is the day that orders the queue."""

    points: int
    due: date
    turn: date
    trace: tuple[Sentence, ...]


@cache
def scale() -> Mapping[str, Any]:
    """The points, as data (sensing/rules/risk.yaml)."""
    text = resources.files("sensing").joinpath("rules", "risk.yaml").read_text(encoding="utf-8")
    read: Mapping[str, Any] = yaml.safe_load(text)
    return read


def protected_layers() -> tuple[str, ...]:
    """The layers whose ground counts as protected here."""
    return tuple(scale()["protected_layers"])


def assess(facts: Facts, due: date) -> Risk:
    """The risk of a finding and its place in the queue: its last day, less a day for so many points."""
    parts = (_severity, _protected, _size, _growth, _change, _score)
    given = [one for part in parts if (one := part(facts))]
    points = min(sum(number for number, _ in given), MOST_POINTS)
    days = points // int(scale()["points_per_day"])
    place = say("risk.place", risk=points, days=days, due=due.isoformat())
    return Risk(points, due, due - timedelta(days=days), (place, *(sentence for _, sentence in given)))


_Given = tuple[int, Sentence] | None


def _severity(facts: Facts) -> _Given:
    severity = int(scale()["severity"].get(facts.violation, _USUAL_SEVERITY))
    points = severity * int(scale()["points_per_severity"])
    return points, say("risk.severity", severity=severity, points=points)


def _protected(facts: Facts) -> _Given:
    reached = {layer: share for layer, share in facts.protected.items() if share >= _TOUCHES}
    if not reached:
        return None
    share, full = max(reached.values()), int(scale()["protected_points"])
    points = full if share >= _MOST else full // 2
    return points, say("risk.protected", layers=sorted(reached), share=min(share, 1.0), points=points)


def _size(facts: Facts) -> _Given:
    times = facts.area_m2 / facts.least_m2
    points = _doublings(times, "points_per_doubling_of_size", "most_for_size")
    return (points, say("risk.size", times=times, least_m2=facts.least_m2, points=points)) if points else None


def _growth(facts: Facts) -> _Given:
    if facts.growth is None:
        return None
    points = _doublings(facts.growth, "points_per_doubling_of_growth", "most_for_growth")
    return (points, say("risk.growth", ratio=facts.growth, points=points)) if points else None


def _change(facts: Facts) -> _Given:
    least = float(scale()["change_from"])
    if facts.change is None or facts.change <= least:
        return None
    points = round((facts.change - least) / (1 - least) * int(scale()["change_points"]))
    return (points, say("risk.change", share=facts.change, points=points)) if points else None


def _score(facts: Facts) -> _Given:
    points = round(facts.score * int(scale()["score_points"]))
    return (points, say("risk.score", score=facts.score, points=points)) if points else None


def _doublings(times: float, each: str, most: str) -> int:
    if not times > 1:
        return 0
    return min(round(math.log2(times) * int(scale()[each])), int(scale()[most]))
