"""The front of a run, what can be seen against whose homes are seen: its answers, its chart, and its rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from geo.commands.siting_runs import DRAFTED_POINT, answer_at
from web.planner import coverage_words as words

# The chart: its box in pixels, and the room that its axes take.
WIDTH_PX, HEIGHT_PX = 640.0, 300.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 20.0, 620.0, 20.0, 250.0


@dataclass(frozen=True)
class Point:
    """One answer: its number, its place in the chart, and its figures in words."""

    number: int
    x: float
    y: float
    seen: str
    burden: str
    sites: int


@dataclass(frozen=True)
class Front:
    """All answers from the fewest homes in view to the most that can be seen, and the line through them."""

    points: tuple[Point, ...]
    line: str
    most_seen: str
    most_burden: str


def front_of(told: Sequence[Mapping[str, Any]], unit: str) -> Front | None:
    """The chart of what a run tells; None where it tells of fewer than two answers."""
    if len(told) < 2:
        return None
    most_seen = max(one["seen"] for one in told) or 1.0
    most_burden = max(one["burden"] for one in told) or 1.0
    points = tuple(
        Point(
            number,
            _LEFT + (_RIGHT - _LEFT) * one["burden"] / most_burden,
            _BOTTOM - (_BOTTOM - _TOP) * one["seen"] / most_seen,
            words.amount(one["seen"], unit),
            words.area(one["burden"]),
            len(one["sites"]),
        )
        for number, one in enumerate(told, 1)
    )
    line = " ".join(f"{one.x:.1f},{one.y:.1f}" for one in sorted(points, key=lambda one: one.x))
    return Front(points, line, words.amount(most_seen, unit), words.area(most_burden))


@dataclass(frozen=True)
class Answer:
    """What of a run is shown: its own answer, or the `point` of its front that the reader chose or that was drafted.

    Runs of earlier versions kept only the places of a point.
    """

    result: Mapping[str, Any]
    front: Front | None = None
    point: int | None = None
    is_places_only: bool = False

    @property
    def sites(self) -> Sequence[Mapping[str, Any]]:
        """The sites of it, as the documents of runs tell them."""
        found: Sequence[Mapping[str, Any]] = self.result.get("sites", ())
        return found


def answer_of(result: Mapping[str, Any], chosen: str) -> Answer:
    """What is shown of a run that is done; `chosen` is the point that the address or a form asks for, as it is written.

    One that is not there is not asked for.
    """
    front = front_of(result.get("front", ()), result.get("unit", "m2"))
    point = _point(front, chosen) or result.get(DRAFTED_POINT)
    if front is None or point is None:
        return Answer(result, front)
    if (answer := answer_at(result, point)) is not None:
        return Answer(answer, front, point)
    places = [{"at": at, "ordinal": number} for number, at in enumerate(result["front"][point - 1]["sites"], 1)]
    return Answer({**result, "sites": places}, front, point, is_places_only=True)


def _point(front: Front | None, chosen: str) -> int | None:
    if front is None or not (chosen.isascii() and chosen.isdigit() and len(chosen) < 4):
        return None
    return int(chosen) if 1 <= int(chosen) <= len(front.points) else None
