"""Reading places from the database."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
from geoalchemy2 import Geography
from geoalchemy2 import functions as gis
from shapely.geometry.base import BaseGeometry
from sqlalchemy import ColumnElement, LargeBinary, cast, func, or_, select
from sqlalchemy.orm import Session

from geo import shapes
from geo.zones import Zone, margins_deg
from schemas.tables import SRID, Device, DeviceSite, PrivacyZone

# A sector is drawn by chords around its arc and so reaches a little beyond the range (geo.footprint.sector).
_SEEN_BEYOND_RANGE = 1.01

# Columns of the table and not rows of the mapping: near a long route there are thousands of zones.
_ZONE = PrivacyZone.__table__.c


def zones_near(
    session: Session,
    geom: BaseGeometry,
    start: datetime,
    end: datetime | None = None,
    *,
    extra_buffer_m: float = 0.0,
) -> tuple[Zone, ...]:
    """The zones in force at a time, or at any moment of a period, that a geometry could touch.

    A superset for `geo.zones.hits`: bounding boxes grown by the largest buffer there is, ordered by
    public id. `geom` is in EPSG:4326.
    """
    widest_m = (session.scalar(select(func.max(_ZONE.buffer_m))) or 0.0) + extra_buffer_m
    windows = _windows(geom, widest_m)
    rows = session.execute(
        select(
            _ZONE.id,
            _ZONE.public_id,
            _ZONE.kind,
            gis.ST_AsEWKB(_ZONE.geom, type_=LargeBinary),
            _ZONE.buffer_m,
            _ZONE.valid_from,
            _ZONE.valid_to,
            gis.ST_AsEWKB(_ZONE.exact_geom, type_=LargeBinary),
        )
        .where(
            or_(*(shape.bool_op("&&")(window) for window in windows for shape in (_ZONE.geom, _ZONE.exact_geom))),
            _ZONE.valid_from <= (end or start),
            or_(_ZONE.valid_to.is_(None), _ZONE.valid_to > start),
        )
        .order_by(_ZONE.public_id)
    ).all()
    if not rows:
        return ()
    ids, names, kinds, displayed, buffers_m, begins, ends, exact = zip(*rows, strict=True)
    geoms, exact_geoms = shapes.from_database(displayed), shapes.from_database(exact)
    return tuple(map(Zone, ids, names, kinds, geoms, buffers_m, begins, ends, exact_geoms))


def _windows(geom: BaseGeometry, reach_m: float) -> list[ColumnElement[Any]]:
    """The bounding box of a geometry, grown by some metres, and what of it lies beyond the 180th meridian."""
    west, south, east, north = geom.bounds
    (lon_deg,), (lat_deg,) = margins_deg(south, north, np.array([reach_m]))
    west, east = west - lon_deg, east + lon_deg
    turns_deg = [0.0, *([360.0] if west < -180 else []), *([-360.0] if east > 180 else [])]
    return [
        gis.ST_MakeEnvelope(west + turn_deg, south - lat_deg, east + turn_deg, north + lat_deg, SRID)
        for turn_deg in turns_deg
    ]


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
