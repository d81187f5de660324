"""Checks of where the flight leads, and would lead if it is broken off: area, homes, terrain. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import MultiPoint, MultiPolygon, Polygon

from flights.check.case import Case, farthest_m, inside_of, metres, outside_of, place_of
from flights.check.situation import PublishedArea, Residential
from flights.path.walk import listed
from flights.path.ways import Fan, Samples
from geo import crs
from geo.sight import GroundUnknown
from schemas.refusals import Refusal, refuse
from schemas.words import Coded, found

Floats = NDArray[np.float64]

_ROUNDING_M = 0.5  # a height that is kept over level ground, reckoned by way of the sea and back
_GROUND = found("unknown", "known")
_SHOWN = 20  # pieces that a refusal shows on the map


def heights_are_given(case: Case) -> Iterator[Refusal]:
    """A plan says how high it flies, everywhere."""
    if case.profile.missing:
        yield refuse(
            "plan.height_missing",
            "plan.heights_missing",
            items=listed(case.profile.missing),
            measured=Coded("held", ["none"]),
            required=Coded("held", ["known"]),
            place=place_of(case.line),
        )


def ground_is_known(case: Case) -> Iterator[Refusal]:
    """GD-16.2: the true height is known on every leg; where the ground is not, the check cannot run."""
    if case.profile.missing:
        return
    if not case.profile.heights_known:
        unknown = [
            (lon, lat)
            for track in case.path
            for lon, lat, alt_m in zip(track.lons, track.lats, track.alt_agl_m + track.ground_m, strict=True)
            if not np.isfinite(alt_m)
        ] or [case.profile.home.at]
        place = place_of(MultiPoint([unknown[0], unknown[-1]]))
        yield refuse("GD-16.2", "flight.terrain_missing", **_GROUND, place=place)
    elif isinstance(case.sight, GroundUnknown) or not ways_are_known(case):
        yield refuse("GD-16.2", "flight.terrain_missing", **_GROUND, place=place_of(case.line))


def ways_are_known(case: Case) -> bool:
    """Whether the ground is known below all ways home."""
    return all(bool(np.isfinite(samples.alt_agl_m).all()) for samples in case.way_samples)


def inside_published_area(case: Case) -> Iterator[Refusal]:
    """GD-16.3: every leg, and all that the camera sees, lies inside one published patrol area."""
    area = case.area
    if area is None:
        yield refuse("GD-16.3", "flight.no_area", **found("none", "published"), place=place_of(case.line))
        return
    for part, text in ((case.line, "flight.line_outside"), (case.footprint, "flight.footprint_outside")):
        outside = None if part is None else outside_of(part, area.geom)
        if outside is not None and not outside.is_empty:
            measured = metres(farthest_m(outside, area.geom))
            yield refuse("GD-16.3", text, area=area.code, measured=measured, required="0 m", place=place_of(outside))
            return
    yield from _ways_outside(case, area)


def _ways_outside(case: Case, area: PublishedArea) -> Iterator[Refusal]:
    """The ways home, and to rally points, that leave the area although the path does not."""
    for fan in case.ways:
        legs = fan.outside(crs.to_metric(area.geom, fan.epsg))
        if legs:
            ways = MultiPolygon([shape for shape in map(fan.triangle, legs) if isinstance(shape, Polygon)])
            outside = outside_of(ways, area.geom)
            yield refuse(
                "GD-16.3",
                "flight.way_outside",
                area=area.code,
                refuge=fan.refuge.name,
                along=f"{case.along_m(int(fan.track[legs[0]])):.0f}",
                measured=metres(farthest_m(outside, area.geom)),
                required="0 m",
                place=place_of(shapely.union_all(shapely.get_parts(outside)[:_SHOWN])),
            )


def clear_of_terrain(case: Case) -> Iterator[Refusal]:
    """GD-16.5: neither the flight nor a way home comes nearer to the ground than the pack allows.

    Climbing at home and landing there, straight up and down, are what they are.
    """
    if not case.profile.heights_known:
        return
    least_m = case.pack["uav.terrain_clearance_m"] - _ROUNDING_M
    low = [track for track in case.path if track.alt_agl_m.min() < least_m]
    if low:
        places = [xy for t in low for xy in np.column_stack([t.lons, t.lats])[t.alt_agl_m < least_m]]
        lowest_m = min(float(track.alt_agl_m.min()) for track in low)
        yield _low(case, "flight.low_over_ground", lowest_m, np.array(places), "")
        return
    for fan, samples in zip(case.ways, case.way_samples, strict=True):
        under = samples.alt_agl_m < least_m
        if under.any():
            places_under = np.column_stack([samples.lons[under], samples.lats[under]])
            yield _low(case, "flight.way_low", float(samples.alt_agl_m.min()), places_under, fan.refuge.name)


def _low(case: Case, text: str, lowest_m: float, places: Floats, refuge: str) -> Refusal:
    required = metres(case.pack["uav.terrain_clearance_m"])
    place = place_of(MultiPoint(places).convex_hull)
    return refuse("GD-16.5", text, refuge=refuge, measured=f"{lowest_m:.0f} m", required=required, place=place)


def high_over_homes(case: Case) -> Iterator[Refusal]:
    """GD-16.5: over residential areas the flight, and a way home, keep the least height that the pack asks for."""
    least_m = case.pack["uav.residential_min_agl_m"]
    if not case.profile.heights_known:
        return
    for home in case.situation.residential:
        found = list(_low_over(case, home, least_m))
        yield from found or _ways_low_over(case, home, least_m - _ROUNDING_M)


def _ways_low_over(case: Case, home: Residential, least_m: float) -> Iterator[Refusal]:
    for fan, samples in zip(case.ways, case.way_samples, strict=True):
        low, lowest_m = samples.alt_agl_m < least_m, least_m
        if not low.any():
            continue
        low[low] = shapely.intersects_xy(home.geom, samples.lons[low], samples.lats[low])
        if low.any():
            lowest_m = float(samples.alt_agl_m[low].min())
        elif _leads_between(fan, samples, home):
            lowest_m = case.way_heights(fan, home.geom)[0]
        if lowest_m < least_m:
            where = MultiPoint(np.column_stack([samples.lons[low], samples.lats[low]])) if low.any() else home.geom
            yield refuse(
                "GD-16.5",
                "flight.way_low_over_homes",
                name=home.name,
                refuge=fan.refuge.name,
                measured=metres(lowest_m),
                required=metres(case.pack["uav.residential_min_agl_m"]),
                place=place_of(where.convex_hull),
            )


def _leads_between(fan: Fan, samples: Samples, home: Residential) -> bool:
    """Whether ways lead over a home so small that no sample of them falls on it: the heights around it count then."""
    if not fan.met(np.array([crs.to_metric(home.geom, fan.epsg)], dtype=object), np.zeros(1)):
        return False
    return not shapely.intersects_xy(home.geom, samples.lons, samples.lats).any()


def _low_over(case: Case, home: Residential, least_m: float) -> Iterator[Refusal]:
    heights_m = case.heights_over(home.geom)
    if heights_m.size and heights_m.min() < least_m:
        yield refuse(
            "GD-16.5",
            "flight.low_over_homes",
            name=home.name,
            measured=metres(float(heights_m.min())),
            required=metres(least_m),
            place=place_of(inside_of(case.line, home.geom)),
        )
