"""Who is responsible where, and what lies there: rows of the database as plain values."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING

import shapely
from geoalchemy2.shape import from_shape, to_shape
from shapely.geometry.base import BaseGeometry
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from schemas.tables import SRID, Authority, ContextFeature, Flight, Scene, SupervisionItem
from sensing.authorities import LEVELS
from sensing.context import Context, Place
from sensing.jurisdiction import Jurisdiction

if TYPE_CHECKING:
    from sensing.violations import Verdict


def context_near(session: Session, area: BaseGeometry) -> Context:
    """All features of the context layers that meet an area (EPSG:4326)."""
    near = func.ST_Intersects(ContextFeature.geom, from_shape(area, srid=SRID))
    found = session.scalars(select(ContextFeature).where(near).order_by(ContextFeature.public_id))
    return Context(
        Place(
            layer=row.layer,
            public_id=row.public_id,
            name=row.name,
            geom=to_shape(row.geom),
            kind=row.kind,
            number=row.number,
            holder=row.holder,
            valid_from=row.valid_from,
            valid_to=row.valid_to,
        )
        for row in found
    )


def shares_within(session: Session, layers: Sequence[str], shape: BaseGeometry) -> dict[str, float]:
    """How much of a shape (EPSG:4326) lies in each of some layers, 0 to 1, without those that it does not meet."""
    near = func.ST_Intersects(ContextFeature.geom, from_shape(shape, srid=SRID))
    found = session.execute(
        select(ContextFeature.layer, ContextFeature.geom).where(ContextFeature.layer.in_(layers), near)
    ).all()
    by_layer: dict[str, list[BaseGeometry]] = {}
    for layer, geom in found:
        by_layer.setdefault(layer, []).append(shapely.intersection(to_shape(geom), shape))
    return {layer: float(shapely.union_all(parts).area / shape.area) for layer, parts in sorted(by_layer.items())}


def item_for(session: Session, verdict: Verdict, flight: Flight | None) -> uuid.UUID | None:
    """The supervision item under which a lead falls: the one of its violation, else the one that the flight served."""
    code = verdict.violation.code if verdict.violation else None
    item_id = session.scalars(select(SupervisionItem.id).where(SupervisionItem.code == code)).one_or_none()
    return item_id or (flight.plan.item_id if flight else None)


def jurisdictions_of(session: Session, scene: Scene) -> list[Jurisdiction]:
    """Whose ground a scene shows; of a flight's scene, only its own authority's: others did not order it."""
    query = select(Authority).where(Authority.level.in_(LEVELS)).order_by(Authority.code)
    if scene.flight_id is not None:
        query = query.where(Authority.id == scene.authority_id)
    found = session.scalars(query.where(func.ST_Intersects(Authority.jurisdiction, scene.footprint)))
    return [Jurisdiction(row.code, to_shape(row.jurisdiction)) for row in found]
