"""Checks of what was approved and published: rules in force, route, notice periods, inspection plan. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from flights.check.case import Case, metres, place_of
from flights.check.situation import Notice, PublishedRoute
from flights.path.track import lines_of
from schemas.refusals import Refusal, refuse
from schemas.words import Coded, found


def rules_in_force(case: Case) -> Iterator[Refusal]:
    """GD-02.1: somewhere no rule pack covers, nothing may be flown."""
    if case.situation.pack is None:
        yield refuse(
            "GD-02.1",
            "rules.no_pack",
            measured=case.start.date().isoformat(),
            required=Coded("held", ["in_force"]),
            place=place_of(case.line),
        )


def flies_published_route(case: Case) -> Iterator[Refusal]:
    """DC-2: only approved and published routes are flown."""
    match, named = case.match, case.options.route
    tolerance_m = case.pack["flight.deviation_tolerance_m"]
    if match is None:
        text = "flight.route_unknown" if named else "flight.route_none"
        yield refuse("DC-2", text, route=named or "", **found("none", "published"), place=place_of(case.line))
    elif case.route is None:
        shown = "more than 100 km" if match.apart_m == float("inf") else metres(match.apart_m)
        yield refuse(
            "DC-2",
            "flight.route_differs" if named else "flight.route_unmatched",
            route=match.route.code,
            measured=shown,
            required=metres(tolerance_m),
            place=place_of(case.line),
        )
    else:
        yield from _height_of_route(case, case.route, tolerance_m)


def _height_of_route(case: Case, route: PublishedRoute, tolerance_m: float) -> Iterator[Refusal]:
    low_m, high_m = route.alt_agl_m - tolerance_m, route.alt_agl_m + tolerance_m
    if not case.profile.heights_known:
        return
    off = [t for t in case.route_tracks if t.alt_agl_m.min() < low_m or t.alt_agl_m.max() > high_m]
    if off:
        lowest_m, highest_m = min(t.alt_agl_m.min() for t in off), max(t.alt_agl_m.max() for t in off)
        yield refuse(
            "DC-2",
            "flight.route_height",
            route=route.code,
            measured=f"{lowest_m:.0f} … {highest_m:.0f} m",
            required=f"{low_m:.0f} … {high_m:.0f} m",
            place=place_of(lines_of(off)),
        )


def notice_periods_over(case: Case) -> Iterator[Refusal]:
    """GD-14.2, GD-14.4: area, route and aircraft are past their notice period, and none is suspended."""
    on = case.local_date
    subjects = list(_noticed(case))
    waiting = [(n, notice.usable_from) for n, notice in subjects if notice.usable_from and notice.usable_from > on]
    if waiting:
        earliest = max(day for _, day in waiting)
        names = ", ".join(name for name, _ in waiting)
        yield refuse(
            "GD-14.2",
            "flight.not_yet",
            earliest=earliest,
            measured=on.isoformat(),
            required=earliest.isoformat(),
            names=names,
            place=place_of(case.line),
        )
    for name, notice in subjects:
        if notice.usable_from is None:
            yield refuse(
                "GD-14.2", "flight.no_notice", names=name, **found("none", "published"), place=place_of(case.line)
            )
        elif notice.suspended_on is not None and notice.suspended_on <= on:
            yield refuse(
                "GD-14.4",
                "flight.suspended",
                names=name,
                measured=notice.suspended_on.isoformat(),
                required=Coded("held", ["in_force"]),
                place=place_of(case.line),
            )


def _noticed(case: Case) -> Iterator[tuple[str, Notice]]:
    if case.area is not None:
        yield case.area.code, case.area.notice
    if case.route is not None:
        yield case.route.code, case.route.notice
    if case.situation.aircraft is not None:
        yield case.situation.aircraft.public_id, case.situation.aircraft.notice


def inspection_plan_in_force(case: Case) -> Iterator[Refusal]:
    """GD-16.1: a flight belongs to an inspection plan, approved by the unit head and valid on its dates."""
    inspection = case.options.inspection
    if inspection is None:
        if case.options.for_flight:
            yield refuse("GD-16.1", "flight.no_inspection", **found("none", "approved"), place=place_of(case.line))
        return
    if not inspection.approved:
        number = inspection.number
        yield refuse(
            "GD-16.1",
            "flight.inspection_not_approved",
            number=number,
            **found("not_approved", "approved"),
            place=place_of(case.line),
        )
    last = case.pack.local_date(case.end)
    if not inspection.valid_from <= case.local_date <= last <= inspection.valid_to:
        yield refuse(
            "GD-16.1",
            "flight.inspection_period",
            number=inspection.number,
            measured=case.local_date.isoformat(),
            required=f"{inspection.valid_from.isoformat()} - {inspection.valid_to.isoformat()}",
            place=place_of(case.line),
        )
