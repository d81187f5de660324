"""What the map of a draft shows: the sites with what they would look at, neighbours that do the same, protected places.

Privacy zones come as tiles of the public map, in the shapes that the public sees. Directions of devices are restricted
(requirements.md 5.3): these maps are for desks behind a login.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import shapely
from geoalchemy2 import Geography
from geoalchemy2 import functions as gis
from geoalchemy2.shape import to_shape
from shapely.geometry import MultiPoint, Point, box, mapping
from shapely.geometry.base import BaseGeometry
from sqlalchemy import cast, select
from sqlalchemy.orm import Session

from geo import shapes
from geo.footprint import sector
from geo.private_places import Place
from geo.types import LonLat
from schemas.tables import ContextFeature, Device, DeviceSite
from web.public.database import public_connection
from web.public.overview import desk_map

NEAR_M = 1_500.0
_MOST_DEVICES, _MOST_PROTECTED = 200, 100
_WATCHING = ("reviewed", "published", "active", "maintenance", "blocked")
_ROOM_DEG = 0.004


def base_map(*themes: str) -> dict[str, Any]:
    """The map under every draft: privacy zones, and further layers of the public map."""
    with public_connection() as public:
        return desk_map(public) | {"themes": [*themes, "privacy_zones"]}


def collection(features: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """A GeoJSON collection."""
    return {"type": "FeatureCollection", "features": list(features)}


def feature(shape: BaseGeometry, **properties: Any) -> dict[str, Any]:  # noqa: ANN401
    """A GeoJSON feature."""
    return {"type": "Feature", "geometry": mapping(shape), "properties": properties}


def around(
    db: Session, places: Mapping[str, Place], device_types: Iterable[str], *, apart_from: str = ""
) -> dict[str, Any]:
    """Sites by their label, their views, the devices of the same kinds near them, and what is protected there."""
    points = MultiPoint([Point(place.at) for place in places.values()])
    views = [feature(place.seen, label=name) for name, place in places.items() if place.seen is not None]
    near, seen = _devices_near(db, points, set(device_types), apart_from)
    shown = shapely.union_all([points, *(shapely.geometry.shape(view["geometry"]) for view in views)])
    return {
        "sites": collection(feature(Point(place.at), label=name) for name, place in places.items()),
        "views": collection(views),
        "near": near,
        "seen": seen,
        "protected": protected_near(db, points),
        "bounds": list(box(*shown.bounds).buffer(_ROOM_DEG).bounds),
    }


def _devices_near(
    db: Session, points: BaseGeometry, device_types: set[str], apart_from: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Devices of these kinds within reach that are on their way into use or in it, and what each looks at.

    Secret ones are left out, for they are nobody's neighbours (GD-14.6).
    """
    near = gis.ST_DWithin(cast(DeviceSite.geom, Geography), cast(shapes.element(points), Geography), NEAR_M)
    found = db.execute(
        select(Device, DeviceSite.geom)
        .join(DeviceSite, DeviceSite.id == Device.site_id)
        .where(near, Device.device_type.in_(device_types), Device.state.in_(_WATCHING), Device.secret.is_(False))
        .where(Device.public_id != apart_from)
        .order_by(Device.public_id)
        .limit(_MOST_DEVICES)
    ).all()
    devices, views = [], []
    for device, geom in found:
        at = shapes.lon_lat(geom)
        devices.append(feature(Point(at), id=device.public_id, name=device.name, state=device.state))
        if (view := _view(device, at)) is not None:
            views.append(feature(view, id=device.public_id))
    return collection(devices), collection(views)


def _view(device: Device, at: LonLat) -> BaseGeometry | None:
    if device.sector_azimuth_deg is None or not device.hfov_deg or not device.range_m:
        return None
    return sector(at, device.sector_azimuth_deg, device.hfov_deg, device.range_m)


def protected_near(db: Session, shape: BaseGeometry) -> dict[str, Any]:
    """The protected zones near a shape, from the layers of law."""
    near = gis.ST_DWithin(cast(ContextFeature.geom, Geography), cast(shapes.element(shape), Geography), NEAR_M)
    found = db.scalars(select(ContextFeature).where(near, ContextFeature.layer == "protected").limit(_MOST_PROTECTED))
    return collection(feature(to_shape(one.geom), name=one.name) for one in found)


def around_shape(db: Session, shape: BaseGeometry) -> dict[str, Any]:
    """An area, or a point, and what is protected near it."""
    return {
        "area": collection([feature(shape)]),
        "protected": protected_near(db, shape),
        "bounds": list(box(*shape.bounds).buffer(_ROOM_DEG).bounds),
    }
