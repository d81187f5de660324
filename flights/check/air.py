"""Checks of the air and the hour: airspace, other flights, quiet hours. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPoint
from shapely.geometry.base import BaseGeometry

from flights.air.volumes import Overlap, Spacing, occupied, overlaps
from flights.check.case import Case, inside_of, metres, place_of
from flights.check.situation import AirspaceArea, Clearance
from geo import crs
from schemas.refusals import Refusal, refuse
from schemas.rules import QuietHours, RulePack
from schemas.words import Coded

Floats = NDArray[np.float64]

CONTROLLED_HEIGHT = "above_controlled_height"
"""The airspace layer of a pack that has no shape: everywhere above `uav.controlled_above_agl_m`."""

_ROUNDING_M = 0.5  # a height that is kept over level ground, reckoned by way of the sea and back


def airspace_is_cleared(case: Case) -> Iterator[Refusal]:
    """GD-16.2: above the controlled height, and over listed places, a filing or approval is held."""
    if not case.profile.heights_known:
        return
    yield from _controlled_height(case)
    for area in case.situation.airspace:
        crossed = inside_of(case.line, area.geom) if case.line.intersects(area.geom) else None
        if crossed is not None and not _cleared(case, area.needs, crossed):
            yield refuse(
                "GD-16.2",
                "flight.airspace",
                name=area.name,
                measured=_span(case.heights_over(area.geom)),
                required=Coded("clearance", [area.needs]),
                place=place_of(crossed),
            )
        else:
            yield from _ways_through(case, area)


def _span(heights_m: Floats) -> str:
    return f"{heights_m.min():.0f}–{heights_m.max():.0f} m"


def _ways_through(case: Case, area: AirspaceArea) -> Iterator[Refusal]:
    """The ways home, and to rally points, that lead through a listed place without clearance at that height."""
    for fan, samples in zip(case.ways, case.way_samples, strict=True):
        shape_m = np.array([crs.to_metric(area.geom, fan.epsg)], dtype=object)
        if not fan.met(shape_m, np.zeros(1)):
            continue
        inside = shapely.intersects_xy(area.geom, samples.lons, samples.lats)
        low_m, high_m = case.way_heights(fan, area.geom)
        places = np.column_stack([samples.lons[inside], samples.lats[inside]])
        where = MultiPoint(places) if len(places) else area.geom
        held = any(
            _is_held(case, clearance, area.needs) and clearance.geom.covers(where) and high_m <= clearance.alt_max_agl_m
            for clearance in case.situation.clearances
        )
        if not held:
            yield refuse(
                "GD-16.2",
                "flight.way_airspace",
                name=area.name,
                refuge=fan.refuge.name,
                measured=f"{low_m:.0f}–{high_m:.0f} m",
                required=Coded("clearance", [area.needs]),
                place=place_of(where.convex_hull),
            )


def _controlled_height(case: Case) -> Iterator[Refusal]:
    limit_m = case.pack["uav.controlled_above_agl_m"]
    needs = next((a.clearance for a in case.pack.airspace_layers if a.code == CONTROLLED_HEIGHT), "approval")
    high = [
        (lon, lat)
        for track in case.path
        for lon, lat in zip(track.lons[track.alt_agl_m > limit_m], track.lats[track.alt_agl_m > limit_m], strict=True)
    ]
    if not high:
        yield from _ways_too_high(case, limit_m, needs)
        return
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


def _ways_too_high(case: Case, limit_m: float, needs: str) -> Iterator[Refusal]:
    """The ways home that keep an altitude which over lower ground is above the controlled height."""
    for fan, samples in zip(case.ways, case.way_samples, strict=True):
        above = samples.alt_agl_m > limit_m + _ROUNDING_M
        if not above.any():
            continue
        where = MultiPoint(np.column_stack([samples.lons[above], samples.lats[above]]))
        highest_m = float(samples.alt_agl_m.max())
        if not any(
            _is_held(case, held, needs) and held.geom.covers(where) and highest_m <= held.alt_max_agl_m
            for held in case.situation.clearances
        ):
            yield refuse(
                "GD-16.2",
                "flight.way_high",
                refuge=fan.refuge.name,
                measured=metres(highest_m),
                required=metres(limit_m),
                place=place_of(where.convex_hull),
            )


def _cleared(case: Case, needs: str, where: BaseGeometry) -> bool:
    return any(_covers(case, clearance, needs, where) for clearance in case.situation.clearances)


def _covers(case: Case, clearance: Clearance, needs: str, where: BaseGeometry) -> bool:
    """Whether one clearance is strong enough and covers the place, the height there and the whole time."""
    if not (_is_held(case, clearance, needs) and clearance.geom.covers(where)):
        return False
    heights_m = [track.alt_agl_m[shapely.intersects_xy(clearance.geom, track.lons, track.lats)] for track in case.path]
    return bool(np.concatenate(heights_m).max(initial=0.0) <= clearance.alt_max_agl_m)


def _is_held(case: Case, clearance: Clearance, needs: str) -> bool:
    """Whether one clearance is strong enough and holds the whole time."""
    strong = clearance.kind == "approval" or needs == "filing"
    return strong and clearance.valid_from <= case.start and case.end <= clearance.valid_to


def air_is_free(case: Case) -> Iterator[Refusal]:
    """DC-2: no other flight holds any of the air that this one needs, in space, height and time (`volumes`).

    The ways home are not held by anybody: who breaks off has the way of those who fly as planned.
    """
    if not case.situation.traffic or not case.profile.heights_known:
        return
    spacing = Spacing.of(case.pack)
    window = (case.start, case.end)
    air = occupied(case.profile, window, speed_m_s=case.speed_mps, spacing=spacing)
    yield from air_refusals(overlaps(air, case.situation.traffic), case.pack)


def air_refusals(found: Iterable[Overlap], pack: RulePack) -> Iterator[Refusal]:
    """DC-2: one refusal for each flight that holds the air, with what both would share."""
    for overlap in found:
        start, end, free = (at.astimezone(pack.zone) for at in (overlap.start, overlap.end, overlap.held_until))
        heights = f"{overlap.alt_agl_min_m:.0f}-{overlap.alt_agl_max_m:.0f} m"
        yield refuse(
            "DC-2",
            "flight.air_taken",
            flight=overlap.flight,
            measured=f"{start:%Y-%m-%d %H:%M}-{end:%H:%M}, {heights}, {overlap.area_m2:,.0f} m²",
            required=f"{free:%Y-%m-%d %H:%M}",
            place=overlap.place,
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
