"""What a zone would reach: devices in it or looking into it, routes, areas and points; judged before it holds."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from geoalchemy2 import Geography
from geoalchemy2 import functions as gis
from geoalchemy2.shape import to_shape
from shapely.geometry import Point, Polygon, mapping
from shapely.geometry.base import BaseGeometry
from sqlalchemy import cast, func, select
from sqlalchemy.orm import Session

from geo import shapes, zones
from geo.checks_device import place_of_device
from geo.checks_patrol import route_footprint
from geo.zones import Zone
from schemas.clock import Clock
from schemas.tables import DeploymentPoint, Device, DeviceSite, PatrolArea, PatrolRoute

_STANDING = ("registered", "reviewed", "published", "active", "maintenance")
_DRAWN = ("checked", "approved", "published", "effective")
# A footprint reaches no further from its line.
_WIDEST_FOOTPRINT_M = 2_000.0
_SEEN_BEYOND_RANGE = 1.01
MOST = 100


@dataclass(frozen=True)
class Reached:
    """One thing that a zone would reach; `stops` where it is in use and would be stopped at once."""

    kind: str
    public_id: str
    name: dict[str, str]
    state: str
    stops: bool
    shape: dict[str, Any]
    url: str


def reached(db: Session, shape: Polygon, buffer_m: float, clock: Clock) -> list[Reached]:
    """Everything that a zone of that shape (EPSG:4326) would reach, what it stops first; secret devices left out."""
    zone = Zone(uuid.UUID(int=0), "", "requested", shape, buffer_m, clock.now())
    asked = cast(shapes.element(shape), Geography)
    found = [
        *_devices(db, zone, asked),
        *_routes(db, zone, asked),
        *_drawn(db, PatrolArea, zone, asked),
        *_drawn(db, DeploymentPoint, zone, asked),
    ]
    return sorted(found, key=lambda one: (not one.stops, one.kind, one.name["en"]))[:MOST]


def _hit(zone: Zone, *seen: BaseGeometry | None) -> bool:
    return any(zones.hits(one, [zone]) for one in seen if one is not None)


def _devices(db: Session, zone: Zone, asked: Any) -> Iterator[Reached]:  # noqa: ANN401 - an SQL expression
    reach_m = func.coalesce(Device.range_m * _SEEN_BEYOND_RANGE, 0.0) + zone.buffer_m + 1.0
    near = (
        select(Device)
        .join(DeviceSite, DeviceSite.id == Device.site_id)
        .where(Device.state.in_(_STANDING), Device.secret.is_(False))
        .where(gis.ST_DWithin(cast(DeviceSite.geom, Geography), asked, reach_m))
    )
    for device in db.scalars(near):
        place = place_of_device(db, device)
        if _hit(zone, Point(place.at), place.seen):
            yield Reached(
                kind="device",
                public_id=device.public_id,
                name={"en": device.name, "zh": device.name},
                state=device.state,
                stops=device.state == "active",
                shape=mapping(place.seen or Point(place.at)),
                url=f"/registry/device/{device.public_id}",
            )


def _routes(db: Session, zone: Zone, asked: Any) -> Iterator[Reached]:  # noqa: ANN401
    far_m = _WIDEST_FOOTPRINT_M + zone.buffer_m
    near = select(PatrolRoute).where(
        PatrolRoute.state.in_(_DRAWN), gis.ST_DWithin(cast(PatrolRoute.geom, Geography), asked, far_m)
    )
    for route in db.scalars(near):
        if _hit(zone, route_footprint(route)):
            yield _told(route, stops=route.state == "effective")


def _drawn(db: Session, kind: type[PatrolArea] | type[DeploymentPoint], zone: Zone, asked: Any) -> Iterator[Reached]:  # noqa: ANN401
    near: Any = select(kind).where(
        kind.state.in_(_DRAWN), gis.ST_DWithin(cast(kind.geom, Geography), asked, zone.buffer_m)
    )
    for row in db.scalars(near):
        # An area goes on around a zone; a point in one is of no use.
        yield _told(row, stops=kind is DeploymentPoint and row.state == "effective")


def _told(row: PatrolRoute | PatrolArea | DeploymentPoint, *, stops: bool) -> Reached:
    branch = {"patrol_area": "area", "patrol_route": "route"}.get(row.__tablename__)
    return Reached(
        kind=row.__tablename__,
        public_id=row.public_id,
        name={"en": row.name_en, "zh": row.name_zh},
        state=row.state,
        stops=stops,
        shape=mapping(to_shape(row.geom)),
        url=f"/{branch}/{row.public_id}" if branch and row.state in ("published", "effective") else "",
    )
