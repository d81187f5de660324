"""What must hold before an area or a route is checked, approved, published and flown (GD-16, DC-2)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import timedelta

import shapely
from geoalchemy2.shape import to_shape
from shapely.geometry import LineString, mapping
from shapely.geometry.base import BaseGeometry
from sqlalchemy import func, select

from geo import crs, measure, notices, queries, shapes, zones
from geo.checks_common import siting_plan_refusals
from geo.content import area_content_sha256, content_sha256
from geo.footprint import Camera, swept_footprint
from geo.private_places import Place, private_place_refusals
from geo.publication import notice
from schemas.machine import Context, label
from schemas.refusals import Refusal, refuse
from schemas.tables import AreaChange, Authority, DeploymentPoint, PatrolArea, PatrolRoute
from schemas.tables.base import Shape
from schemas.words import Coded

# A route is sampled this closely, as the ground below it is (requirements.md 5.1).
STEP_M = 10.0

_YEAR_DAYS = 365

_DIGEST = re.compile(r"[0-9a-f]{64}")
_PUBLIC_STATES = ("published", "effective")


def inside_jurisdiction(context: Context) -> Iterable[Refusal]:
    """IR-1: the area, or the point, lies within the jurisdiction of its authority."""
    yield from _beyond_jurisdiction(context, context.subject.geom)


def _beyond_jurisdiction(context: Context, geom: Shape) -> Iterable[Refusal]:
    subject: PatrolArea | DeploymentPoint = context.subject
    authority = subject.authority or context.session.get_one(Authority, subject.authority_id)
    outside = to_shape(geom).difference(to_shape(authority.jurisdiction))
    if not outside.is_empty:
        measured = f"{measure.area_m2(outside) / 1e6:.3f} km²"
        yield refuse(
            "IR-1",
            "patrol.outside_jurisdiction",
            authority=authority.code,
            measured=measured,
            place=mapping(outside),
        )


def point_outside_private_places(context: Context) -> Iterable[Refusal]:
    """GD-15: a deployment point is no place where nobody may be watched."""
    place = Place(shapes.lon_lat(context.subject.geom), "open_air")
    yield from private_place_refusals(context.session, place, context.pack, context.now)


def change_approved(context: Context) -> Iterable[Refusal]:
    """GD-16.1: the unit head approved the change, which somebody else drew."""
    change = queries.change_of(context.session, context.subject)
    if change is None:
        yield refuse("GD-16.1", "patrol.no_change", subject=label(context.subject))
    elif change.approver_id is None:
        yield refuse("GD-16.1", "patrol.change_unapproved", subject=label(context.subject))


def change_is_small(context: Context) -> Iterable[Refusal]:
    """GD-16.3: an area is relatively fixed; a shape that overlaps too little is another area (G-6)."""
    change = queries.change_of(context.session, context.subject)
    least = context.pack["uav.area_iou_min"]
    if change is not None and change.iou < least:
        yield refuse("GD-16.3", "patrol.change_large", measured=f"{change.iou:.2f}", required=f"{least:.2f}")


def changed_seldom(context: Context) -> Iterable[Refusal]:
    """GD-16.3: an area that changes all the time is not fixed (G-6)."""
    most = context.pack["uav.max_changes_per_year"]
    since = context.today - timedelta(days=_YEAR_DAYS)
    made = context.session.scalar(
        select(func.count()).where(AreaChange.area_id == context.subject.id, AreaChange.applied_on > since)
    )
    if (made or 0) >= most:
        yield refuse("GD-16.3", "patrol.changed_often", measured=made, required=most)


def no_new_zone(context: Context) -> Iterable[Refusal]:
    """GD-16.5: the new shape reaches no privacy zone that the old one left alone."""
    change = queries.change_of(context.session, context.subject)
    if change is None:
        return
    buffer_m = context.pack["privacy.buffer_m"]
    new, old = to_shape(change.geom), to_shape(context.subject.geom)
    near = queries.zones_near(context.session, new, context.now, extra_buffer_m=buffer_m)
    before = {hit.zone.public_id for hit in zones.hits(old, near, extra_buffer_m=buffer_m)}
    for hit in zones.hits(new, near, extra_buffer_m=buffer_m):
        if hit.zone.public_id not in before:
            yield refuse("GD-16.5", "patrol.change_meets_zone", zone=hit.zone.public_id, place=hit.place)


def change_inside_jurisdiction(context: Context) -> Iterable[Refusal]:
    """IR-1: the new shape lies within the jurisdiction of the authority."""
    change = queries.change_of(context.session, context.subject)
    if change is not None:
        yield from _beyond_jurisdiction(context, change.geom)


def change_is_shown(context: Context) -> Iterable[Refusal]:
    """GD-14.3: every channel that the pack asks for carries the new shape."""
    change = queries.change_of(context.session, context.subject)
    if change is None:
        return
    content = area_content_sha256(context.session, context.subject, change.geom)
    standing = notices.appearances(context.session, context.subject, context.pack)
    shown = notice(notices.counted(row for row in standing if row.content_sha256 == content), context.pack)
    if not shown.complete:
        measured = shown.official_missing + shown.further_missing
        yield refuse("GD-14.3", "patrol.change_not_shown", subject=label(context.subject), measured=measured)


def siting_plan_cited(context: Context) -> Iterable[Refusal]:
    """GD-16.3: the area belongs to an approved siting plan where its captures shall be evidence (G-3)."""
    if context.pack["uav.siting_plan_required"]:
        yield from siting_plan_refusals(context, "GD-16.3", context.subject.siting_plan_id)


def height_band_named(context: Context) -> Iterable[Refusal]:
    """GD-16.2: the area says between which true heights it is flown, so clearances can be asked for."""
    low, high = context.subject.alt_min_agl_m, context.subject.alt_max_agl_m
    if not (math.isfinite(high) and 0 <= low < high):
        yield refuse("GD-16.2", "patrol.height_band", measured=f"{low:g}–{high:g} m")


def height_within_band(context: Context) -> Iterable[Refusal]:
    """GD-16.2: the route is flown within the height band of its area."""
    route: PatrolRoute = context.subject
    area = _area(context)
    if not area.alt_min_agl_m <= route.alt_agl_m <= area.alt_max_agl_m:
        yield refuse(
            "GD-16.2",
            "patrol.height",
            measured=f"{route.alt_agl_m:g} m",
            required=f"{area.alt_min_agl_m:g}–{area.alt_max_agl_m:g} m",
        )


def inside_published_area(context: Context) -> Iterable[Refusal]:
    """GD-16.3: line, launch point and camera footprint lie in an area that the public knows.

    To take effect, the route needs an area that is itself in effect.
    """
    route: PatrolRoute = context.subject
    area = _area(context)
    needed = ("effective",) if route.state == "published" else _PUBLIC_STATES
    if area.state not in needed:
        state, required = Coded("state", [area.state]), Coded("state", needed)
        yield refuse("GD-16.3", "patrol.area_state", area=area.code, measured=state, required=required)
    shape = to_shape(area.geom)
    parts = (
        ("patrol.line_outside", flown_path(route)),
        ("patrol.home_outside", to_shape(route.home)),
        ("patrol.footprint_outside", route_footprint(route)),
    )
    for text, part in parts:
        outside = part.difference(shape)
        if not outside.is_empty:
            measured = f"{_furthest_m(outside, shape):.0f} m"
            yield refuse("GD-16.3", text, area=area.code, measured=measured, place=mapping(outside))


def clear_of_private_places(context: Context) -> Iterable[Refusal]:
    """GD-16.5: neither the line nor what the camera sees along it reaches a privacy zone."""
    route: PatrolRoute = context.subject
    buffer_m = context.pack["privacy.buffer_m"]
    line, seen = flown_path(route), route_footprint(route)
    near = queries.zones_near(context.session, seen, context.now, extra_buffer_m=buffer_m)
    required = f"{camera_of(route).half_width_m(route.alt_agl_m):.0f} m"
    for hit in zones.hits(seen, near, extra_buffer_m=buffer_m):
        distance_m = zones.distance_m(line, hit.zone.geom)
        yield refuse(
            "GD-16.5",
            "patrol.line_in_zone" if distance_m == 0 else "patrol.footprint_in_zone",
            zone=hit.zone.public_id,
            measured=f"{distance_m:.0f} m",
            required=required,
            place=hit.place,
        )


def camera_of(route: PatrolRoute) -> Camera:
    """The camera that the route was planned for."""
    return Camera(hfov_deg=route.camera_hfov_deg)


def flown_path(route: PatrolRoute) -> LineString:
    """The way from the launch point along the line and back; EPSG:4326."""
    home = shapes.lon_lat(route.home)
    return LineString([home, *shapes.line(route.geom).coords, home])


def route_footprint(route: PatrolRoute) -> BaseGeometry:
    """What the camera could see on the whole way at the route's published true height; EPSG:4326."""
    lons, lats, _ = measure.densify(flown_path(route), STEP_M)
    return swept_footprint(lons, lats, route.alt_agl_m, camera_of(route))


def mission_compiled(context: Context) -> Iterable[Refusal]:
    """DC-2: the route holds a mission and the digest that names it (flights makes both from the line)."""
    route: PatrolRoute = context.subject
    if not route.mission.get("items"):
        yield refuse("DC-2", "patrol.no_mission", subject=label(route))
    elif not _DIGEST.fullmatch(route.mission_digest or ""):
        yield refuse("DC-2", "patrol.mission_digest", subject=label(route), measured=str(route.mission_digest))


def digest_published(context: Context) -> Iterable[Refusal]:
    """DC-2: what was published includes the digest of the mission that will be flown."""
    route: PatrolRoute = context.subject
    content = content_sha256(context.session, route)
    standing = notices.appearances(context.session, route, context.pack)
    if not any(row.content_sha256 == content for row in standing):
        yield refuse("DC-2", "patrol.digest_unpublished", measured=route.mission_digest)


def _area(context: Context) -> PatrolArea:
    route: PatrolRoute = context.subject
    return route.area or context.session.get_one(PatrolArea, route.area_id)


def _furthest_m(outside: BaseGeometry, area: BaseGeometry) -> float:
    """How far the outlying part reaches from the area."""
    epsg = crs.utm_epsg_of(outside)
    vertices = shapely.points(shapely.get_coordinates(crs.to_metric(outside, epsg)))
    return float(shapely.distance(vertices, crs.to_metric(area, epsg)).max())
