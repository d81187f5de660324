"""Checks of where the flight leads and what its camera sees: area, privacy zones, homes, terrain. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import shapely
from shapely.geometry import MultiLineString, MultiPoint

from flights.case import Case, farthest_m, inside_of, metres, outside_of, place_of
from flights.situation import Residential
from flights.walk import listed
from geo.zones import Zone, ZoneHit, distance_m, distances_m, hits
from schemas.refusals import Refusal, refuse


@dataclass(frozen=True)
class ZoneClearance:
    """How far a privacy zone lies from the line and from what the camera sees, m; part of the proof."""

    zone: str
    line_m: float
    footprint_m: float | None

    def render(self) -> dict[str, str | float | None]:
        """The clearance as a JSON object."""
        seen_m = None if self.footprint_m is None else round(self.footprint_m, 1)
        return {"zone": self.zone, "line_m": round(self.line_m, 1), "footprint_m": seen_m}


def clearances(case: Case) -> tuple[ZoneClearance, ...]:
    """The clearance of every zone in force that the situation holds, the nearest first."""
    displayed = np.array([zone.geom for zone in case.zones], dtype=object)
    line_m = distances_m(case.line, displayed).tolist()
    none = [None] * len(displayed)
    footprint_m = none if case.footprint is None else distances_m(case.footprint, displayed).tolist()
    found = map(ZoneClearance, (zone.public_id for zone in case.zones), line_m, footprint_m)
    return tuple(sorted(found, key=lambda c: (c.line_m, c.zone)))


def heights_are_given(case: Case) -> Iterator[Refusal]:
    """A plan says how high it flies, everywhere."""
    if case.profile.missing:
        yield refuse(
            "plan.height_missing",
            "plan.height_missing",
            path=f"item {listed(case.profile.missing)}",
            place=place_of(case.line),
        )


def ground_is_known(case: Case) -> Iterator[Refusal]:
    """GD-16.2: the true height is known on every leg; where the ground is not, the check cannot run."""
    if case.profile.missing or case.profile.heights_known:
        return
    unknown = [
        (lon, lat)
        for track in case.path
        for lon, lat, alt_m in zip(track.lons, track.lats, track.alt_agl_m, strict=True)
        if not np.isfinite(alt_m)
    ]
    place = place_of(MultiPoint([unknown[0], unknown[-1]]))
    yield refuse("GD-16.2", "flight.terrain_missing", place=place)


def inside_published_area(case: Case) -> Iterator[Refusal]:
    """GD-16.3: every leg, and all that the camera sees, lies inside one published patrol area."""
    area = case.area
    if area is None:
        yield refuse("GD-16.3", "flight.no_area", place=place_of(case.line))
        return
    for part, text in ((case.line, "flight.line_outside"), (case.footprint, "flight.footprint_outside")):
        outside = None if part is None else outside_of(part, area.geom)
        if outside is not None and not outside.is_empty:
            measured = metres(farthest_m(outside, area.geom))
            yield refuse("GD-16.3", text, area=area.code, measured=measured, required="0 m", place=place_of(outside))
            return


def clear_of_private_places(case: Case) -> Iterator[Refusal]:
    """GD-16.5: neither the line nor what the camera sees reaches a privacy zone."""
    buffer_m = case.pack["privacy.buffer_m"]
    touched = set()
    for hit in hits(case.line, case.zones, extra_buffer_m=buffer_m):
        touched.add(hit.zone.id)
        yield _zone_refusal(case, hit, "flight.line_in_zone", buffer_m)
    if case.footprint is None:
        return
    for hit in hits(case.footprint, case.zones, extra_buffer_m=buffer_m):
        if hit.zone.id not in touched:
            yield _zone_refusal(case, hit, "flight.footprint_in_zone", buffer_m)


def _zone_refusal(case: Case, hit: ZoneHit, text: str, buffer_m: float) -> Refusal:
    reach_m = _reach_m(case, hit.zone) + buffer_m + hit.zone.buffer_m
    return refuse(
        "GD-16.5",
        text,
        zone=hit.zone.public_id,
        measured=metres(distance_m(case.line, hit.zone.geom)),
        required=metres(reach_m),
        place=hit.place,
    )


def _reach_m(case: Case, zone: Zone) -> float:
    """How far to the side the camera sees where the path is nearest to `zone`; 0 without a camera."""
    if case.camera is None or not case.profile.heights_known:
        return 0.0
    lons, lats, alt_agl_m = (
        np.concatenate([getattr(track, name) for track in case.path]) for name in ("lons", "lats", "alt_agl_m")
    )
    # Degrees of longitude shrink towards the poles; scaled, the nearest point is the nearest in metres.
    squeeze = np.array([np.cos(np.radians(zone.geom.centroid.y)), 1.0])
    flat = shapely.transform(zone.geom, lambda xy: xy * squeeze)
    nearest = int(np.argmin(shapely.distance(shapely.points(np.column_stack([lons, lats]) * squeeze), flat)))
    return case.camera.half_width_m(float(alt_agl_m[nearest]))


def high_over_homes(case: Case) -> Iterator[Refusal]:
    """GD-16.5: over residential areas the flight keeps the least height that the pack asks for."""
    least_m = case.pack["uav.residential_min_agl_m"]
    if not case.profile.heights_known:
        return
    for home in case.situation.residential:
        yield from _low_over(case, home, least_m)


def _low_over(case: Case, home: Residential, least_m: float) -> Iterator[Refusal]:
    shapely.prepare(home.geom)
    lowest_m, parts = least_m, []
    for track in case.path:
        low = (track.alt_agl_m < least_m) & shapely.intersects_xy(home.geom, track.lons, track.lats)
        if low.any():
            lowest_m = min(lowest_m, float(track.alt_agl_m[low].min()))
            parts.append(track.line)
    if parts:
        yield refuse(
            "GD-16.5",
            "flight.low_over_homes",
            name=home.name,
            measured=metres(lowest_m),
            required=metres(least_m),
            place=place_of(inside_of(MultiLineString(parts), home.geom)),
        )
