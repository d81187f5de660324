"""Whose ground a place is."""

from __future__ import annotations

import uuid

from geoalchemy2.shape import from_shape
from shapely.geometry.base import BaseGeometry
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from schemas.tables import SRID, Authority

LEVELS = ("township", "county", "city", "province")


def authority_at(session: Session, place: BaseGeometry) -> uuid.UUID | None:
    """The lowest authority whose jurisdiction holds a place (EPSG:4326), or None."""
    here = func.ST_Covers(Authority.jurisdiction, from_shape(place, srid=SRID))
    found = session.scalars(select(Authority).where(here).order_by(Authority.code)).all()
    known = [row for row in found if row.level in LEVELS]
    return min(known, key=lambda row: LEVELS.index(row.level)).id if known else None
