"""The judgement of fixes against a route: the arithmetic that the live desk and the record share. Pure.

For every fix: how far along the route the aircraft is, how far beside it, how far above or below its height,
what is wrong, and the state that follows. Progress only grows, so that a route that crosses itself, or is
flown twice, is judged leg by leg: the right place on the wrong leg, or the wrong way round, is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import shapely

from flights.conformance.fixes import Bools, Fix, Fixes, Floats, Plausibility
from flights.conformance.plane import Course, Followed, Plane, Progress
from flights.conformance.reasons import Flags, Reason
from flights.conformance.report import Report, report_on
from flights.conformance.route import RouteShape, Timetable
from flights.conformance.states import Codes, Memory, advance
from flights.conformance.thresholds import Thresholds

ENGINE = "conformance-3"
"""Named in every stored verdict; it changes when the same fixes would be judged otherwise."""


@dataclass(frozen=True)
class Judged:
    """What was found of fixes, as columns of one length.

    `height_off_m` is signed, NaN where the ground is not known and on the way to the route and back; `along_m` is
    the progress there. `state` holds indices into `STATES`, `reasons` the flags of `Reason`.
    """

    fixes: Fixes
    along_m: Floats
    cross_track_m: Floats
    height_off_m: Floats
    reasons: Flags
    state: Codes


class Found(NamedTuple):
    """The same of one fix."""

    along_m: float
    cross_track_m: float
    height_off_m: float
    reasons: int
    state: int


@dataclass
class Thread:
    """What of a flight so far the judgement of its next fix depends on."""

    progress: Progress = field(default_factory=Progress)
    memory: Memory = field(default_factory=Memory)
    plausibility: Plausibility = field(default_factory=Plausibility)


class Judge:
    """Judges fixes against one route; made once for a flight, for its live track and its record."""

    def __init__(self, route: RouteShape, tolerance_m: float, limits: Thresholds | None = None) -> None:
        self.route = route
        self.tolerance_m = tolerance_m
        self.limits = limits or Thresholds(tolerance_m=tolerance_m)
        self._plane = Plane(route.line)
        line = self._plane.geometry(route.line)
        self.course = Course(line, tolerance_m=tolerance_m, reach_m_s=self.limits.reach_speed_m_s)
        self._area = self._plane.geometry(route.area)
        shapely.prepare(self._area)
        # Slightly wider than the tolerance, because a buffer of short edges lies inside the true one.
        corridor = line.buffer(tolerance_m * 1.003, quad_segs=16)
        self._corridor_is_inside = bool(shapely.covers(self._area, corridor))
        self._home = self._plane.points(np.array([route.home.lon]), np.array([route.home.lat]))[0]
        ends = [shapely.Point(line.coords[end]) for end in (0, -1)]
        ways = [shapely.LineString([self._home, end]) for end in ends]
        self._path = shapely.union_all([line, *ways])
        self.timetable = _timetable(route, self.course.length_m)

    def lateral_m(self, fix: Fix) -> float:
        """Distance of one fix from the line, or from the whole way while it is not on the route."""
        points = self._plane.points(np.array([fix.lon]), np.array([fix.lat]))
        return float(shapely.distance(points, self.course.line if fix.on_route else self._path)[0])

    def judge(self, fixes: Sequence[Fix] | Fixes) -> Report:
        """The report on all fixes of a flight, in the order in which they were received."""
        columns = fixes if isinstance(fixes, Fixes) else Fixes.of(fixes)
        return report_on(self, len(columns), self.columns(columns, Thread()))

    def columns(self, fixes: Fixes, thread: Thread) -> Judged:
        """What is found of the plausible ones of these fixes, which come after those that `thread` knows."""
        wrong = thread.plausibility.wrong(fixes)
        if wrong.any():
            fixes = fixes[~wrong]
        east, north = self._plane.metres(fixes.lon, fixes.lat)
        came_from_m = thread.progress.along_m
        found = self._follow(fixes, east, north, thread.progress)
        height_off_m = np.where(fixes.on_route, fixes.alt_agl_m - self.route.alt_agl_m, np.nan)
        reasons = self._reasons(fixes, found, height_off_m, came_from_m)
        reasons |= Reason.AREA.where(self._outside(east, north, fixes.on_route & found.in_turn))
        state = advance(thread.memory, fixes.at_s, reasons != 0, self.limits)
        return Judged(fixes, found.along_m, found.distance_m, height_off_m, reasons, state)

    def one(self, fix: Fix, thread: Thread) -> Found | None:
        """What `columns` finds of the next fix, None when it cannot be.

        On the route it does so without arrays of one: a gateway asks ten times a second for every aircraft.
        """
        if not fix.on_route:
            judged = self.columns(Fixes.of([fix]), thread)
            columns = (judged.along_m, judged.cross_track_m, judged.height_off_m, judged.reasons, judged.state)
            return Found(*(column[0].item() for column in columns)) if len(judged.fixes) else None
        if thread.plausibility.is_wrong(fix):
            return None
        came_from_m = thread.progress.along_m
        thread.progress.begun = True
        east, north = self._plane.metres(fix.lon, fix.lat)
        along_m, distance_m, in_turn = self.course.place(east, north, fix.at_s, thread.progress)
        height_off_m = fix.alt_agl_m - self.route.alt_agl_m
        reasons = self._reasons_of(fix, along_m, distance_m, height_off_m)
        if not in_turn and distance_m <= self.limits.tolerance_m:
            reasons |= Reason.DIRECTION if along_m < came_from_m else Reason.LEG
        if not (in_turn and self._corridor_is_inside) and not shapely.intersects_xy(self._area, east, north):
            reasons |= Reason.AREA
        state = advance(thread.memory, np.array([fix.at_s]), np.array([reasons != 0]), self.limits)
        return Found(along_m, distance_m, height_off_m, int(reasons), int(state[0]))

    def _reasons_of(self, fix: Fix, along_m: float, distance_m: float, height_off_m: float) -> int:
        limits, reasons = self.limits, 0
        if distance_m > limits.tolerance_m:
            reasons |= Reason.CROSS_TRACK
        if abs(height_off_m) > limits.tolerance_m:
            reasons |= Reason.HEIGHT
        if self.timetable is not None:
            earliest_s, latest_s = self.timetable.at(along_m)
            if fix.utc_s < earliest_s - limits.time_slack_s:
                reasons |= Reason.EARLY
            if fix.utc_s > latest_s + limits.time_slack_s:
                reasons |= Reason.LATE
        return reasons

    def _follow(self, fixes: Fixes, east: Floats, north: Floats, progress: Progress) -> Followed:
        if fixes.on_route.all():
            progress.begun = progress.begun or len(fixes) > 0
            return self.course.follow(east, north, fixes.at_s, progress)
        came_from_m = progress.along_m
        on, count = np.flatnonzero(fixes.on_route), len(fixes)
        if not progress.begun:
            before = int(on[0]) if len(on) else count
            self._note_way(fixes.at_s[:before], east[:before], north[:before], progress)
            progress.begun = len(on) > 0
        found = Followed(np.empty(count), np.empty(count), np.ones(count, bool))
        followed = self.course.follow(east[on], north[on], fixes.at_s[on], progress)
        for whole, part in zip(found, followed, strict=True):
            whole[on] = part
        off = np.flatnonzero(~fixes.on_route)
        # On the way there and back the aircraft is where its progress along the route has led.
        progress_m = np.maximum.accumulate(np.concatenate([[came_from_m], np.where(followed.in_turn, followed[0], 0)]))
        found.along_m[off] = progress_m[np.searchsorted(on, off)]
        found.distance_m[off] = self._beside_ways(east[off], north[off], found.along_m[off])
        return found

    def _beside_ways(self, east: Floats, north: Floats, along_m: Floats) -> Floats:
        """How far places lie from the whole way, and from the straight way home from where the route was left."""
        points: Any = shapely.points(east, north)
        line: Any = self.course.line
        left_m, which = np.unique(along_m, return_inverse=True)
        left = shapely.get_coordinates(shapely.line_interpolate_point(line, left_m))
        home = np.broadcast_to(shapely.get_coordinates(self._home), left.shape)
        ways: Any = shapely.linestrings(np.stack([left, home], axis=1))
        nearest: Floats = np.minimum(shapely.distance(points, self._path), shapely.distance(points, ways[which]))
        return nearest

    def _note_way(self, at_s: Floats, east: Floats, north: Floats, progress: Progress) -> None:
        """Notes when the aircraft was last short of its route: it may have flown along it ever since, heard or not.

        Behind a silent stretch the item that is flown may be told later than the place: such fixes say nothing.
        """
        points: Any = shapely.points(east, north)
        along = shapely.line_locate_point(np.full(len(points), self.course.line), points)
        beside = shapely.distance(points, self.course.line)
        short = np.flatnonzero((beside > self.tolerance_m) | (along <= self.tolerance_m))
        if len(short):
            progress.seen_s = float(at_s[short[-1]])

    def _reasons(self, fixes: Fixes, found: Followed, height_off_m: Floats, came_from_m: float) -> Flags:
        limits = self.limits
        reasons = Reason.CROSS_TRACK.where(found.distance_m > limits.tolerance_m)
        reasons |= Reason.HEIGHT.where(np.abs(height_off_m) > limits.tolerance_m)
        astray = fixes.on_route & ~found.in_turn & (found.distance_m <= limits.tolerance_m)
        if astray.any():
            in_turn_m = np.where(fixes.on_route & found.in_turn, found.along_m, 0.0)
            behind = found.along_m < np.maximum(np.maximum.accumulate(in_turn_m), came_from_m)
            reasons |= Reason.DIRECTION.where(astray & behind) | Reason.LEG.where(astray & ~behind)
        if self.timetable is not None:
            on_the_way, on_route = self.timetable.on_the_way(len(fixes)), self.timetable.at(found.along_m)
            earliest_s, latest_s = (np.where(fixes.on_route, *pair) for pair in zip(on_route, on_the_way, strict=True))
            reasons |= Reason.EARLY.where(fixes.utc_s < earliest_s - limits.time_slack_s)
            reasons |= Reason.LATE.where(fixes.utc_s > latest_s + limits.time_slack_s)
        return reasons

    def _outside(self, east: Floats, north: Floats, in_corridor: Bools) -> Bools:
        """Which places lie outside the area; those in a corridor that lies inside it need no second look."""
        unknown = ~(in_corridor if self._corridor_is_inside else np.zeros(len(east), bool))
        outside = np.zeros(len(east), bool)
        outside[unknown] = ~shapely.intersects_xy(self._area, east[unknown], north[unknown])
        return outside


def _timetable(route: RouteShape, length_m: float) -> Timetable | None:
    if route.window_s is None or not route.speed_m_s:
        return None
    return Timetable.of(*route.window_s, length_m=length_m, speed_m_s=route.speed_m_s)
