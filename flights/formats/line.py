"""A plan as one line of places: all that GeoJSON and KML hold of it, and what they leave out."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from flights.formats.losses import Loss, beside_the_line, counted
from flights.model import E7, Command, Frame, Home, Plan, PlanItem, Reference, to_e7
from flights.path.assumed import Assumed
from geo.types import LonLat
from schemas.refusals import invalid

FRAMES = {
    Reference.TERRAIN: Frame.GLOBAL_TERRAIN_ALT,
    Reference.HOME: Frame.GLOBAL_RELATIVE_ALT,
    Reference.AMSL: Frame.GLOBAL,
}
_PASSED = (
    Command.NAV_WAYPOINT,
    Command.NAV_SPLINE_WAYPOINT,
    Command.NAV_LOITER_TURNS,
    Command.NAV_LOITER_TIME,
    Command.NAV_LOITER_UNLIM,
    Command.NAV_LOITER_TO_ALT,
)
_ON_THE_SEA_M = 0.01  # a height of 0 means "none" in all these formats


@dataclass(frozen=True, slots=True)
class Line:
    """Places to fly along; `heights_m` one for each, measured from `reference`, or None where there are none."""

    places: tuple[LonLat, ...]
    heights_m: tuple[float, ...] | None = None
    reference: Reference = Reference.TERRAIN
    home: Home | None = None
    speed_mps: float | None = None
    hfov_deg: float | None = None

    def plan(self, source: str, assumed: tuple[Assumed, ...] = ()) -> Plan:
        """The line as a plan of waypoints."""
        heights: Sequence[float | None] = self.heights_m or [None] * len(self.places)
        frame = FRAMES[self.reference] if self.heights_m else Frame.GLOBAL_TERRAIN_ALT
        items = tuple(
            PlanItem(Command.NAV_WAYPOINT, frame, (0.0, 0.0, 0.0, None), at, alt_m)
            for at, alt_m in zip(self.places, heights, strict=True)
        )
        return Plan(items, self.home, source=source, speed_mps=self.speed_mps, hfov_deg=self.hfov_deg, assumed=assumed)


@dataclass(frozen=True, slots=True)
class _Passed:
    """A place that the plan flies over, its height None where the plan gives none."""

    at: LonLat
    reference: Reference
    alt_m: float | None


def line_of(plan: Plan, known: Collection[Reference], name: str) -> tuple[Line, tuple[Loss, ...]]:
    """The line of `plan` for a format that measures heights from `known`, and all that it leaves out.

    Raises RuleViolation 422 where there is no line, or where only some of its places have heights.
    """
    losses = beside_the_line(plan)
    left_out = [item.command for item in plan.items if item.command not in _PASSED]
    losses += counted("command", left_out)
    bent = [i.command for i in plan.items if i.command in _PASSED and i.command is not Command.NAV_WAYPOINT]
    losses += counted("became_waypoint", bent)
    losses += _details(plan)
    passed, more = _passed(plan)
    losses += more
    if len(passed) < 2:
        raise invalid("plan.not_in_format", "plan.lost_all", format=name)
    line = Line(tuple(p.at for p in passed), home=_home(plan), speed_mps=plan.speed_mps or None)
    line, about_heights = _with_heights(replace(line, hfov_deg=plan.hfov_deg or None), passed, known)
    return line, (*losses, *about_heights)


def _home(plan: Plan) -> Home | None:
    return plan.home and replace(plan.home, at=rounded(plan.home.at))


def _details(plan: Plan) -> list[Loss]:
    passed = [item for item in plan.items if item.command in _PASSED]
    waiting = sum(1 for i in passed if i.command is not Command.NAV_LOITER_TURNS and (i.params[0] or 0) != 0)
    details = sum(any(item.params[1:]) for item in passed if item.command is Command.NAV_WAYPOINT)
    found = [("waiting", waiting), ("details", details)]
    return [Loss(what, str(count)) for what, count in found if count]


def _passed(plan: Plan) -> tuple[list[_Passed], list[Loss]]:
    """The places in order with the heights that are flown: a height of 0 keeps the one before."""
    found: list[_Passed] = []
    last: tuple[Reference, float] | None = None
    here = repeated = kept = 0
    for item in plan.items:
        reference = item.frame.reference
        if not item.command.is_flown_to or item.command is Command.NAV_LAND or reference is None:
            continue
        alt_m = item.alt_m
        if alt_m == 0:
            kept += item.command in _PASSED
            reference, alt_m = last or (reference, None)
        elif alt_m is not None:
            last = (reference, alt_m)
        if item.command not in _PASSED:
            continue
        if item.at is None:
            here += 1
        elif found and _e7(found[-1].at) == _e7(item.at):
            repeated += 1
        else:
            found.append(_Passed(rounded(item.at), reference, alt_m))
    counts = [("here", here), ("repeated", repeated), ("height_kept", kept)]
    return found, [Loss(what, str(count)) for what, count in counts if count]


def _e7(at: LonLat) -> tuple[int, int]:
    return to_e7(at.lon), to_e7(at.lat)


def rounded(at: LonLat) -> LonLat:
    """The place in whole units of 1e-7 degrees, as a mission says it."""
    return LonLat(to_e7(at.lon) / E7, to_e7(at.lat) / E7)


def _with_heights(line: Line, passed: Sequence[_Passed], known: Collection[Reference]) -> tuple[Line, tuple[Loss, ...]]:
    given = [p for p in passed if p.alt_m is not None]
    if not given:
        return line, ()
    if len(given) < len(passed):
        raise invalid("plan.height_missing", path="some of the waypoints")
    references = {p.reference for p in passed}
    if len(references) == 1 and references <= set(known):
        heights = tuple(p.alt_m or 0.0 for p in passed)
        return replace(line, heights_m=heights, reference=references.pop()), ()
    home_m = line.home.alt_amsl_m if line.home else None
    if references <= {Reference.HOME, Reference.AMSL} and Reference.AMSL in known and home_m is not None:
        heights = tuple(_amsl_m(p, home_m) for p in passed)
        lost = Loss("height_reference", "above mean sea level")
        return replace(line, heights_m=heights, reference=Reference.AMSL), (lost,)
    return line, (Loss("heights", ", ".join(sorted(f"above {r}" for r in references))),)


def _amsl_m(passed: _Passed, home_m: float) -> float:
    base_m = home_m if passed.reference is Reference.HOME else 0.0
    return round(base_m + (passed.alt_m or 0.0), 3) or _ON_THE_SEA_M
