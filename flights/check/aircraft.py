"""Checks of the aircraft and who flies it: mark, state, camera, endurance, licence. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import numpy as np

from flights.check.case import Case, place_of
from flights.model import Command
from flights.path.seen import LEVEL_DEG, tilt_deg
from flights.path.track import lines_of
from geo import measure
from geo.periods import months_after
from geo.sight import BeyondSight
from schemas.refusals import Refusal, refuse
from schemas.rules import RulePack
from schemas.words import Coded, found

_KNOWN = found("unknown", "known")


def aircraft_is_marked(case: Case) -> Iterator[Refusal]:
    """GD-16.4: the aircraft is known and carries a mark that was checked lately."""
    aircraft, place = case.situation.aircraft, place_of(case.line)
    if aircraft is None:
        yield refuse(
            "GD-16.4",
            "flight.no_aircraft",
            measured=Coded("held", ["none"]),
            required=Coded("held", ["one"]),
            place=place,
        )
        return
    refusals = mark_refusals(case.pack, aircraft.public_id, aircraft.marked_on, case.local_date)
    yield from (replace(refusal, place=place) for refusal in refusals)


def mark_refusals(pack: RulePack, name: str, marked_on: date | None, on: date) -> Iterator[Refusal]:
    """The refusals of a mark that was last checked on `marked_on` for a flight on `on` (local dates)."""
    if not pack["uav.marking_required"]:
        return
    months = pack["uav.marking_valid_months"]
    if marked_on is None:
        yield refuse("GD-16.4", "flight.not_marked", name=name, **found("none", "marked"))
    elif not marked_on <= on < months_after(marked_on, months):
        measured = marked_on.isoformat()
        yield refuse("GD-16.4", "flight.mark_old", name=name, measured=measured, required=months)


def aircraft_is_usable(case: Case) -> Iterator[Refusal]:
    """GD-14.2: the aircraft is a device, and no device that is blocked, paused or discontinued is used."""
    aircraft = case.situation.aircraft
    if aircraft is not None and aircraft.state not in ("active", "published"):
        yield refuse(
            "GD-14.2",
            "flight.aircraft_state",
            name=aircraft.public_id,
            measured=aircraft.state,
            required="active",
            place=place_of(case.line),
        )


def camera_is_allowed(case: Case) -> Iterator[Refusal]:
    """GD-16.5: the camera is known, looks no further from straight down than is allowed, and never at the horizon."""
    limits = case.situation.pack["uav.camera"] if case.situation.pack else None
    if case.camera is None:
        yield refuse("GD-16.5", "flight.no_camera", **_KNOWN, place=place_of(case.line))
    yield from _rolled(case)
    allowed_deg = max(limits.max_tilt_deg if limits else 0.0, LEVEL_DEG)
    tilted = [(tilt_deg(track), track) for track in case.path]
    # What cannot be said, because the ground below the place looked at is not known, is too far as well.
    beyond = [(tilt, track) for tilt, track in tilted if not tilt <= allowed_deg]
    if beyond:
        yield refuse(
            "GD-16.5",
            "flight.camera_tilt",
            measured=f"{np.nanmax([0.0, *(tilt for tilt, _ in beyond)]):.0f}°",
            required=f"{limits.max_tilt_deg if limits else 0:g}°",
            place=place_of(lines_of([track for _, track in beyond])),
        )
    elif isinstance(case.sight, BeyondSight):
        reach_m = case.sight.reach_m
        yield refuse(
            "GD-16.5",
            "flight.camera_horizon",
            measured=f"{reach_m:.0f} m" if np.isfinite(reach_m) else "∞",
            required=f"{limits.look_m if limits else 0:g} m",
            place=place_of(lines_of([t for tilt, t in tilted if tilt > LEVEL_DEG] or case.path[:1])),
        )


def _rolled(case: Case) -> Iterator[Refusal]:
    """A gimbal that is told to roll sees to one side what nobody reckons with."""
    for number, item in enumerate(case.plan.items, start=1):
        if item.command is Command.DO_MOUNT_CONTROL and abs(item.params[1] or 0.0) > LEVEL_DEG:
            yield refuse(
                "GD-16.5",
                "flight.camera_rolled",
                path=number,
                measured=f"{item.params[1]:g}°",
                required="0°",
                place=place_of(case.line),
            )


def endurance_suffices(case: Case) -> Iterator[Refusal]:
    """GD-16.5: the aircraft is down again, or could be home from anywhere, before its reserve is touched."""
    rules, aircraft = case.pack["uav.endurance"], case.situation.aircraft
    if aircraft is None:
        return
    if aircraft.endurance_min is None:
        if rules.must_be_known:
            place = place_of(case.line)
            yield refuse("GD-16.5", "flight.endurance_unknown", name=aircraft.public_id, **_KNOWN, place=place)
        return
    usable_min = aircraft.endurance_min * (1.0 - rules.reserve_share)
    needed_min = longest_s(case) / 60.0
    if needed_min > usable_min:
        yield refuse(
            "GD-16.5",
            "flight.endurance",
            name=aircraft.public_id,
            measured=f"{needed_min:.0f} min",
            required=f"{usable_min:.0f} min",
            reserve=f"{rules.reserve_share:.0%}",
            place=place_of(case.line),
        )


def longest_s(case: Case) -> float:
    """How long the aircraft is in the air at most: by its plan, or going home from where any leg ends."""
    home, speed_mps = case.profile.home.at, case.speed_mps
    ends = np.array([(track.lons[-1], track.lats[-1]) for track in case.path])
    count = len(ends)
    _, _, home_m = measure.WGS84.inv(ends[:, 0], ends[:, 1], np.full(count, home.lon), np.full(count, home.lat))
    there_s = np.array([end_s for _begin_s, end_s in case.profile.times_s(speed_mps)])
    planned_s = case.profile.duration_s(speed_mps)
    return max(planned_s, float((there_s + home_m / speed_mps).max())) + case.climb_s


def pilot_is_licensed(case: Case) -> Iterator[Refusal]:
    """GD-16.1: whoever flies holds a licence on all days of the flight; a plan without a pilot is asked nothing."""
    pilot = case.situation.pilot
    if pilot is None:
        return
    first, last = case.local_date, case.pack.local_date(case.end)
    if not any(begins <= first and last <= ends for begins, ends in pilot.licences):
        yield refuse(
            "GD-16.1",
            "flight.no_licence",
            measured=first.isoformat(),
            required=Coded("held", ["in_force"]),
            place=place_of(case.line),
        )
