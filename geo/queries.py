"""Reading places from the database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np
import shapely
from geoalchemy2 import Geography
from geoalchemy2 import functions as gis
from shapely.geometry.base import BaseGeometry
from sqlalchemy import cast, false, func, or_, select, text
from sqlalchemy.orm import Session

from geo import hours, shapes
from geo.types import LonLat
from geo.zones import MOST_BUFFER_M, Floats, Zone, margins_deg
from schemas.tables import AreaChange, Device, DeviceReview, DeviceSite, PatrolArea, PlannedSite, PrivacyZone

# A sector is drawn by chords around its arc and so reaches a little beyond the range (geo.footprint.sector).
_SEEN_BEYOND_RANGE = 1.01

# A long path is looked up box by box: one box around a river of a path would hold mostly what is far from it.
_BOXES = 16

# The displayed shape covers the exact one (rule GD-15 of the database), so the index of one finds both.
_ZONES_NEAR = text("""
    WITH reach AS MATERIALIZED (SELECT coalesce(max(buffer_m), 0) + :extra_m AS m FROM core.privacy_zone)
    SELECT z.id, z.public_id, z.kind, ST_AsBinary(z.geom) AS geom, z.buffer_m, z.valid_from, z.valid_to,
           ST_AsBinary(z.exact_geom) AS exact_geom, z.floor_agl_m, z.ceiling_agl_m, z.schedule
    FROM reach CROSS JOIN unnest(
        CAST(:west AS float8[]), CAST(:south AS float8[]), CAST(:east AS float8[]), CAST(:north AS float8[])
    ) AS b (west, south, east, north)
    JOIN core.privacy_zone z ON z.geom && ST_MakeEnvelope(
        b.west - reach.m * :lon_per_m, b.south - reach.m * :lat_per_m,
        b.east + reach.m * :lon_per_m, b.north + reach.m * :lat_per_m, 4326)
    WHERE z.valid_from <= :until AND (z.valid_to IS NULL OR z.valid_to > :start)
""")


def zones_near(
    session: Session,
    geom: BaseGeometry,
    start: datetime,
    end: datetime | None = None,
    *,
    extra_buffer_m: float = 0.0,
) -> tuple[Zone, ...]:
    """The zones in force at a time, or at any moment of a period, that a geometry could touch.

    A superset for `geo.zones.hits`: boxes around the parts of the geometry, grown by the largest buffer there is,
    ordered by public id. `geom` is in EPSG:4326.
    """
    boxes = _boxes(geom)
    most_m = MOST_BUFFER_M + extra_buffer_m
    (lon_deg,), (lat_deg,) = margins_deg(boxes[:, 1].min(), boxes[:, 3].max(), np.array([most_m]))
    west, south, east, north = _turned(boxes, lon_deg).T.tolist()
    found = session.execute(
        _ZONES_NEAR,
        {
            "west": west,
            "south": south,
            "east": east,
            "north": north,
            "extra_m": extra_buffer_m,
            "lon_per_m": float(lon_deg / most_m),
            "lat_per_m": float(lat_deg / most_m),
            "start": start,
            "until": end or start,
        },
    )
    once = {row[1]: row for row in found.all()}  # a zone in two boxes comes twice
    if not once:
        return ()
    rows = [once[name] for name in sorted(once)]
    ids, names, kinds, displayed, buffers_m, begins, ends, exact, floors_m, ceilings_m, schedules = zip(
        *rows, strict=True
    )
    geoms, exact_geoms = shapes.from_database(displayed), shapes.from_database(exact)
    when = map(hours.from_stored, schedules)
    every = (ids, names, kinds, geoms, buffers_m, begins, ends, exact_geoms, floors_m, ceilings_m, when)
    return tuple(map(Zone, *every))


def _boxes(geom: BaseGeometry) -> Floats:
    """Boxes (west, south, east, north) that hold every part of a geometry: some for a long line, one for others."""
    parts = shapely.get_parts(geom)
    flat = shapely.get_dimensions(parts) == 2
    boxes = [shapely.bounds(parts[flat])]
    corners = shapely.get_coordinates(parts[~flat])
    if len(corners):
        # One corner is shared by neighbours, so that the leg between them lies in a box as well.
        starts = np.unique(np.linspace(0, max(len(corners) - 2, 0), _BOXES + 1).astype(np.intp)[:-1])
        ends = np.append(starts[1:], len(corners) - 1)
        low, high = np.minimum.reduceat(corners, starts), np.maximum.reduceat(corners, starts)
        boxes.append(np.hstack([np.minimum(low, corners[ends]), np.maximum(high, corners[ends])]))
    return np.concatenate(boxes)


def _turned(boxes: Floats, lon_deg: float) -> Floats:
    """The boxes, and again what of them, once grown, lies beyond the 180th meridian."""
    turns = [boxes]
    for turn_deg, beyond in ((360.0, boxes[:, 0] - lon_deg < -180), (-360.0, boxes[:, 2] + lon_deg > 180)):
        turns.append(boxes[beyond] + np.array([turn_deg, 0.0, turn_deg, 0.0]))
    return np.concatenate(turns)


def active_devices_near_zones(session: Session, at: datetime, *, extra_buffer_m: float = 0.0) -> tuple[str, ...]:
    """The public ids of the devices in use that a zone in force could reach, or that could see into one.

    A superset for the guard of GD-15: within the zone's buffer, what rules add to it, and the device's range.
    """
    reach_m = PrivacyZone.buffer_m + func.coalesce(Device.range_m * _SEEN_BEYOND_RANGE, 0.0) + extra_buffer_m + 1.0
    site = cast(DeviceSite.geom, Geography)
    near = (
        select(Device.public_id)
        .join(DeviceSite, DeviceSite.id == Device.site_id)
        .join(PrivacyZone, gis.ST_DWithin(cast(PrivacyZone.geom, Geography), site, reach_m))
        .where(Device.state == "active", PrivacyZone.valid_from <= at)
        .where(or_(PrivacyZone.valid_to.is_(None), PrivacyZone.valid_to > at))
        .distinct()
        .order_by(Device.public_id)
    )
    return tuple(session.scalars(near))


@dataclass(frozen=True)
class Watching:
    """A device that is in use or announced, with the sector that it looks at; the azimuth from north."""

    public_id: str
    at: LonLat
    azimuth_deg: float
    hfov_deg: float
    range_m: float


# No device here sees further; the bound lets the index find those that could see a place.
_FURTHEST_SEEN_M = 20_000.0
_FULL_TURN_DEG = 360.0


def devices_that_see(
    session: Session, wanted: BaseGeometry, device_type: str, item_id: UUID | None = None
) -> tuple[Watching, ...]:
    """The devices of one kind, or of one supervision item, whose range could reach a shape (EPSG:4326); a superset.

    They are in use or announced; one that sees all round needs no direction. Secret ones are left out: whoever plans is
    not told that they are there.
    """
    at = cast(DeviceSite.geom, Geography)
    shape = cast(shapes.element(wanted), Geography)
    near = (
        select(Device.public_id, DeviceSite.geom, Device.sector_azimuth_deg, Device.hfov_deg, Device.range_m)
        .join(DeviceSite, DeviceSite.id == Device.site_id)
        .where(
            Device.state.in_(("published", "active", "maintenance", "blocked")),
            or_(Device.device_type == device_type, Device.item_id == item_id if item_id else false()),
            Device.secret.is_(False),
            or_(Device.sector_azimuth_deg.is_not(None), Device.hfov_deg >= _FULL_TURN_DEG),
            Device.hfov_deg.is_not(None),
            Device.range_m.is_not(None),
            gis.ST_DWithin(at, shape, _FURTHEST_SEEN_M),
            gis.ST_DWithin(at, shape, Device.range_m * _SEEN_BEYOND_RANGE),
        )
        .order_by(Device.public_id)
    )
    return tuple(
        Watching(name, shapes.lon_lat(geom), azimuth or 0.0, hfov, reach)
        for name, geom, azimuth, hfov, reach in session.execute(near).all()
        if hfov is not None and reach is not None
    )


def latest_review(session: Session, subject: Device | PlannedSite, kind: str) -> DeviceReview | None:
    """The latest review of that kind of a planned site, or of the present version of a device."""
    latest = select(DeviceReview).where(DeviceReview.kind == kind)
    if isinstance(subject, Device):
        version = DeviceReview.device_version == subject.device_version
        latest = latest.where(DeviceReview.device_id == subject.id, version)
    else:
        latest = latest.where(DeviceReview.planned_site_id == subject.id)
    return session.scalars(latest.order_by(DeviceReview.reviewed_on.desc(), DeviceReview.recorded_at.desc())).first()


def change_of(session: Session, area: PatrolArea) -> AreaChange | None:
    """The latest change that waits for an area, or None."""
    waiting = select(AreaChange).where(AreaChange.area_id == area.id, AreaChange.area_version > area.area_version)
    return session.scalars(waiting.order_by(AreaChange.area_version.desc()).limit(1)).first()
