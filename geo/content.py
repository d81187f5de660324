"""What a publication says about a device, a patrol area or a route: one canonical document and its hash.

A publication counts only for the content it carries: whoever moves a device or redraws a route after
publishing it has published something else.
"""

from __future__ import annotations

import hashlib
from typing import Any

import rfc8785
from geoalchemy2.shape import to_shape
from shapely.geometry import mapping
from sqlalchemy.orm import Session

from schemas.tables import Authority, DeploymentPoint, Device, DeviceSite, PatrolArea, PatrolRoute

# Seven decimals of a degree are a centimetre, which is what autopilots and receipts carry.
_DECIMALS = 7


def published_content(session: Session, subject: Device | PatrolArea | PatrolRoute | DeploymentPoint) -> dict[str, Any]:
    """What the public is told about a subject, as a JSON object; coordinates in EPSG:4326."""
    authority = subject.authority or session.get_one(Authority, subject.authority_id)
    common = {"id": subject.public_id, "kind": subject.__tablename__, "authority": authority.code}
    if isinstance(subject, Device):
        return common | _device(session, subject)
    if isinstance(subject, PatrolArea):
        return common | _area(subject)
    return common | (_point(subject) if isinstance(subject, DeploymentPoint) else _route(subject))


def content_sha256(session: Session, subject: Device | PatrolArea | PatrolRoute | DeploymentPoint) -> str:
    """SHA-256 (hex) of the RFC 8785 form of what the public is told."""
    return _sha256(published_content(session, subject))


def siting_sha256(session: Session, device: Device) -> str:
    """SHA-256 (hex) of place, direction and purpose: what a maintenance pause may not change (GD-14.5)."""
    document = _device(session, device) | {
        "site": str(device.site_id),
        "azimuth_deg": device.sector_azimuth_deg,
        "hfov_deg": device.hfov_deg,
        "range_m": device.range_m,
    }
    return _sha256(document)


def _device(session: Session, device: Device) -> dict[str, Any]:
    site = device.site or session.get_one(DeviceSite, device.site_id)
    return {
        "place": _geojson(site.geom),
        "place_text": site.place_text,
        "platform": device.platform,
        "device_type": device.device_type,
        "purpose": {"en": device.purpose_en, "zh": device.purpose_zh},
        "item": str(device.item_id),
    }


def _area(area: PatrolArea) -> dict[str, Any]:
    return {
        "code": area.code,
        "shape": _geojson(area.geom),
        "alt_min_agl_m": area.alt_min_agl_m,
        "alt_max_agl_m": area.alt_max_agl_m,
        "purpose": {"en": area.purpose_en, "zh": area.purpose_zh},
        "item": str(area.item_id),
    }


def area_content_sha256(session: Session, area: PatrolArea, shape: Any) -> str:  # noqa: ANN401
    """What the hash of an area's content will be with another shape (a geometry column's value)."""
    return _sha256(published_content(session, area) | {"shape": _geojson(shape)})


def _point(point: DeploymentPoint) -> dict[str, Any]:
    return {
        "code": point.code,
        "place": _geojson(point.geom),
        "place_text": point.place_text,
        "purpose": {"en": point.purpose_en, "zh": point.purpose_zh},
        "item": str(point.item_id),
    }


def _route(route: PatrolRoute) -> dict[str, Any]:
    return {
        "code": route.code,
        "version": route.route_version,
        "area": str(route.area_id),
        "line": _geojson(route.geom),
        "alt_agl_m": route.alt_agl_m,
        "camera_hfov_deg": route.camera_hfov_deg,
        "mission_digest": route.mission_digest,
    }


def _geojson(geom: Any) -> dict[str, Any]:  # noqa: ANN401
    document = mapping(to_shape(geom))
    return {"type": document["type"], "coordinates": _rounded(document["coordinates"])}


def _rounded(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, float | int):
        return round(float(value), _DECIMALS)
    return [_rounded(member) for member in value]


def _sha256(document: dict[str, Any]) -> str:
    return hashlib.sha256(rfc8785.dumps(document)).hexdigest()
