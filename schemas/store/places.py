"""The place of a subject: by it the rules are found that apply."""

from __future__ import annotations

from typing import Any

from geoalchemy2.shape import to_shape
from shapely.geometry.base import BaseGeometry
from sqlalchemy.orm import Session

from schemas.store.copying import Record
from schemas.tables import (
    Authority,
    Complaint,
    Device,
    DeviceGrant,
    DeviceSite,
    Flight,
    InspectionPlan,
    ModelVersion,
    PatrolRoute,
    SitingPlan,
    Stated,
)


def rule_shape(session: Session, subject: Stated | Record) -> Any:  # noqa: ANN401
    """The geometry (shapely, EPSG:4326) whose place decides which rules apply to `subject`."""
    shape: Any
    if isinstance(subject, Device):
        shape = (subject.site or session.get_one(DeviceSite, subject.site_id)).geom
    elif isinstance(subject, DeviceGrant):
        return rule_shape(session, subject.device or session.get_one(Device, subject.device_id))
    elif isinstance(subject, Complaint | InspectionPlan | ModelVersion | SitingPlan):
        shape = (subject.authority or session.get_one(Authority, subject.authority_id)).jurisdiction
    elif isinstance(subject, Flight):
        shape = (subject.route or session.get_one(PatrolRoute, subject.route_id)).geom
    else:
        shape = subject.geom  # type: ignore[union-attr]
    return shape if isinstance(shape, BaseGeometry) else to_shape(shape)
