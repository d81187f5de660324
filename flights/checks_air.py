"""Checks of the air, the aircraft and the hour: airspace, mark, camera, quiet hours. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta

import numpy as np
import shapely
from shapely.geometry import MultiPoint
from shapely.geometry.base import BaseGeometry

from flights.case import Case, inside_of, metres, place_of
from flights.model import Command
from flights.situation import Clearance
from geo.periods import months_after
from schemas.refusals import Refusal, refuse
from schemas.rules import QuietHours, RulePack

CONTROLLED_HEIGHT = "above_controlled_height"
"""The airspace layer of a pack that has no shape: everywhere above `uav.controlled_above_agl_m`."""

_DOWN_DEG = -90.0
_TILT_DEG = 1.0


def airspace_is_cleared(case: Case) -> Iterator[Refusal]:
    """GD-16.2: above the controlled height, and over listed places, a filing or approval is held."""
    if not case.profile.heights_known:
        return
    yield from _controlled_height(case)
    for area in case.situation.airspace:
        if case.line.intersects(area.geom):
            crossed = inside_of(case.line, area.geom)
            if not _cleared(case, area.needs, crossed):
                yield refuse("GD-16.2", "flight.airspace", name=area.name, required=area.needs, place=place_of(crossed))


def _controlled_height(case: Case) -> Iterator[Refusal]:
    limit_m = case.pack["uav.controlled_above_agl_m"]
    high = [
        (lon, lat)
        for track in case.path
        for lon, lat in zip(track.lons[track.alt_agl_m > limit_m], track.lats[track.alt_agl_m > limit_m], strict=True)
    ]
    if not high:
        return
    needs = next((a.clearance for a in case.pack.airspace_layers if a.code == CONTROLLED_HEIGHT), "approval")
    above = MultiPoint(high)
    if not _cleared(case, needs, above):
        highest_m = max(float(track.alt_agl_m.max()) for track in case.path)
        yield refuse(
            "GD-16.2",
            "flight.controlled_height",
            measured=metres(highest_m),
            required=metres(limit_m),
            place=place_of(above.convex_hull),
        )


def _cleared(case: Case, needs: str, where: BaseGeometry) -> bool:
    return any(_covers(case, clearance, needs, where) for clearance in case.situation.clearances)


def _covers(case: Case, clearance: Clearance, needs: str, where: BaseGeometry) -> bool:
    """Whether one clearance is strong enough and covers the place, the height there and the whole time."""
    strong = clearance.kind == "approval" or needs == "filing"
    in_time = clearance.valid_from <= case.start and case.end <= clearance.valid_to
    if not (strong and in_time and clearance.geom.covers(where)):
        return False
    heights_m = [track.alt_agl_m[shapely.intersects_xy(clearance.geom, track.lons, track.lats)] for track in case.path]
    return bool(np.concatenate(heights_m).max(initial=0.0) <= clearance.alt_max_agl_m)


def aircraft_is_marked(case: Case) -> Iterator[Refusal]:
    """GD-16.4: the aircraft is known and carries a mark that was checked lately."""
    aircraft, place = case.situation.aircraft, place_of(case.line)
    if aircraft is None:
        yield refuse("GD-16.4", "flight.no_aircraft", place=place)
        return
    refusals = mark_refusals(case.pack, aircraft.public_id, aircraft.marked_on, case.local_date)
    yield from (replace(refusal, place=place) for refusal in refusals)


def mark_refusals(pack: RulePack, name: str, marked_on: date | None, on: date) -> Iterator[Refusal]:
    """The refusals of a mark that was last checked on `marked_on` for a flight on `on` (local dates)."""
    if not pack["uav.marking_required"]:
        return
    months = pack["uav.marking_valid_months"]
    if marked_on is None:
        yield refuse("GD-16.4", "flight.not_marked", name=name)
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


def camera_looks_down(case: Case) -> Iterator[Refusal]:
    """GD-16.5: the footprint is that of a known camera that looks straight down all the way."""
    if case.camera is None:
        yield refuse("GD-16.5", "flight.no_camera", place=place_of(case.line))
    for number, item in enumerate(case.plan.items, start=1):
        if item.command is not Command.DO_MOUNT_CONTROL:
            continue
        pitch_deg, roll_deg = item.params[0] or 0.0, item.params[1] or 0.0
        if abs(pitch_deg - _DOWN_DEG) > _TILT_DEG or abs(roll_deg) > _TILT_DEG:
            yield refuse(
                "GD-16.5",
                "flight.camera_tilted",
                path=number,
                measured=f"{pitch_deg:g}°",
                required=f"{_DOWN_DEG:g}°",
                place=place_of(case.line),
            )


def outside_quiet_hours(case: Case) -> Iterator[Refusal]:
    """GD-16.5: nobody is disturbed at night; from take-off to landing, in local time."""
    quiet: QuietHours = case.pack["uav.quiet_hours"]
    start, end = (at.astimezone(case.pack.zone) for at in (case.start, case.end))
    if _meets(quiet, start, end):
        yield refuse(
            "GD-16.5",
            "flight.quiet_hours",
            measured=f"{start:%H:%M}-{end:%H:%M}",
            required=f"{quiet.end:%H:%M}-{quiet.start:%H:%M}",
            place=place_of(case.line),
        )


def _meets(quiet: QuietHours, start: datetime, end: datetime) -> bool:
    """Whether any moment of a flight falls into the quiet hours; both ends in local time."""
    if quiet.covers(start.time()) or quiet.covers(end.time()):
        return True
    begins = datetime.combine(start.date(), quiet.start, start.tzinfo)
    while begins <= end:
        if begins >= start:
            return True
        begins += timedelta(days=1)
    return False
