"""Checks against privacy zones: what is flown over, what the camera sees, and the ways home. Pure.

A zone with a band of heights and hours is passed where its band and its hours are met at the time at which the
leg is flown; `Case.windows` says how exactly that is known. What the camera sees counts whatever the ceiling
(geo/zones.py). The ways home are judged by their line: where a flight is broken off, whatever the camera still
takes is quarantined after the flight (GD-43). Every distance and place is that of the displayed shape.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

import numpy as np
import shapely

from flights.check.case import Case, metres, place_of
from flights.path.profile import STEP_M
from flights.path.ways import Fan
from geo import hours
from geo.zones import Zone, ZoneHit, hits
from schemas.refusals import Refusal, refuse

Window = tuple[datetime, datetime]


def clear_of_private_places(case: Case) -> Iterator[Refusal]:
    """GD-16.5: neither the line, nor what the camera sees, nor a way home reaches a privacy zone."""
    buffer_m = case.pack["privacy.buffer_m"]
    touched: set[UUID] = set()
    for hit in hits(case.line, case.zones, extra_buffer_m=buffer_m):
        if window := _passed(case, hit.zone, buffer_m):
            touched.add(hit.zone.id)
            yield _zone_refusal(case, hit, "flight.line_in_zone", window, buffer_m)
    if case.footprint is not None:
        for hit in hits(case.footprint, case.zones, extra_buffer_m=buffer_m):
            if hit.zone.id not in touched and (window := _seen(case, hit.zone, buffer_m)):
                touched.add(hit.zone.id)
                yield _zone_refusal(case, hit, "flight.footprint_in_zone", window, buffer_m)
    for fan in case.ways:
        yield from _ways_in_zones(case, fan, touched, buffer_m)


def _passed(case: Case, zone: Zone, buffer_m: float) -> Window | None:
    """When a leg is in the band and the hours of a zone that the line reaches; None where none is."""
    if zone.is_always_full or not case.profile.heights_known:
        return case.period
    reach_m = zone.buffer_m + buffer_m + STEP_M  # between two samples the line may be nearer than at either
    shape_m = case.zone_shapes_m[case.zone_numbers[zone.id]]
    for number, track in enumerate(case.path):
        near = np.flatnonzero(shapely.dwithin(case.samples_m[number], shape_m, reach_m))
        if not near.size:
            continue
        part = slice(max(int(near[0]) - 1, 0), int(near[-1]) + 2)
        heights_m, window = track.alt_agl_m[part], case.window(number, part)
        barred = zone.bars(float(heights_m.min()), float(heights_m.max()), buffer_m)
        if barred and zone.holds(*window, case.pack.zone):
            return window
    return None


def _seen(case: Case, zone: Zone, buffer_m: float) -> Window | None:
    """When the camera sees a zone that the footprint reaches, in its hours and from as high as its floor, or None."""
    if zone.schedule is None and zone.floor_agl_m is None:
        return case.period
    windows = [
        glance.window
        for glance in case.glances
        if zone.holds(*glance.window, case.pack.zone)
        and zone.is_seen_from(glance.high_m)
        and hits(glance.geom, [zone], extra_buffer_m=buffer_m)
    ]
    return (min(first for first, _ in windows), max(last for _, last in windows)) if windows else None


def _ways_in_zones(case: Case, fan: Fan, touched: set[UUID], buffer_m: float) -> Iterator[Refusal]:
    reach_m = np.array([zone.buffer_m + buffer_m for zone in case.zones])
    if not reach_m.size:
        return
    for index, leg in sorted(fan.met(case.zone_shapes_m, reach_m).items()):
        zone = case.zones[index]
        if zone.id in touched or not _is_in_the_way(case, fan, zone, buffer_m):
            continue
        touched.add(zone.id)
        yield refuse(
            "GD-16.5",
            "flight.way_in_zone",
            zone=zone.public_id,
            refuge=fan.refuge.name,
            along=f"{case.along_m(int(fan.track[leg])):.0f}",
            measured=metres(float(shapely.distance(fan.piece(leg, leg + 1), case.shown_zones_m[index]))),
            required=metres(float(reach_m[index])),
            place=place_of(zone.geom),
        )


def _is_in_the_way(case: Case, fan: Fan, zone: Zone, buffer_m: float) -> bool:
    """Whether a way that leads through a zone may do so in its hours and in its band; it may begin at any time."""
    if not zone.holds(*case.period, case.pack.zone):
        return False
    if zone.is_always_full or not case.profile.heights_known:
        return True
    low_m, high_m = case.way_heights(fan, zone.checked)
    return zone.bars(low_m, high_m, buffer_m)


def _zone_refusal(case: Case, hit: ZoneHit, text: str, window: Window, buffer_m: float) -> Refusal:
    zone = hit.zone
    first, last = (at.astimezone(case.pack.zone) for at in window)
    return refuse(
        "GD-16.5",
        text if zone.is_always_full else f"{text}_then",
        zone=zone.public_id,
        band=_band(zone),
        hours=hours.words(zone.schedule) or "24/7",
        window=f"{first:%m-%d %H:%M}–{last:%H:%M}",
        measured=metres(float(case.zone_line_m[case.zone_numbers[zone.id]])),
        required=metres(_reach_m(case, zone) + buffer_m + zone.buffer_m),
        place=hit.place,
    )


def _band(zone: Zone) -> str:
    high = "∞" if zone.ceiling_agl_m is None else f"{zone.ceiling_agl_m:g}"
    return f"{zone.floor_agl_m or 0:g}–{high} m"


def _reach_m(case: Case, zone: Zone) -> float:
    """How far to the side the camera sees where the path is nearest to `zone`; 0 without a camera."""
    if case.camera is None or not case.profile.heights_known:
        return 0.0
    nearest = int(case.sample_tree.nearest(case.shown_zones_m[case.zone_numbers[zone.id]]))
    heights_m = np.concatenate([track.alt_agl_m for track in case.path])
    return case.camera.half_width_m(float(heights_m[nearest]))
