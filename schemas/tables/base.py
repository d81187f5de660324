"""What all tables share: the schema `core`, names of constraints, identity, state and origin."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar

from geoalchemy2 import Geometry, WKBElement
from sqlalchemy import Computed, DateTime, MetaData, String, Text, func
from sqlalchemy.dialects.postgresql import JSONB, UUID
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SCHEMA = "core"
SRID = 4326
WEB_MERCATOR = 3857

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Origin(StrEnum):
    """Whether the platform witnessed a record, or an import asserted it (design.md 4)."""

    LIVE = "live"
    SAMPLE = "sample"
    LEGACY = "legacy"


class Base(DeclarativeBase):
    """All tables of the schema `core`."""

    metadata = MetaData(schema=SCHEMA, naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        list[str]: JSONB,
        list[dict[str, Any]]: JSONB,
        uuid.UUID: UUID(as_uuid=True),
        str: Text,
    }


class Identified:
    """A UUID inside and a short public id outside."""

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    public_id: Mapped[str] = mapped_column(unique=True)


class Recorded:
    """When the database wrote the row, by its own clock; no role may set it (a trigger overwrites it)."""

    recorded_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    origin: Mapped[str] = mapped_column(String(6), default=Origin.LIVE.value)


class Stated(Identified, Recorded):
    """A subject of the machine: its state changes only through `schemas.machine`."""

    state: Mapped[str]
    version: Mapped[int] = mapped_column(default=1)


def geometry(kind: str, *, nullable: bool = False) -> Any:  # noqa: ANN401
    """A column of `kind` in EPSG:4326; the migrations add its GiST index and CHECKs."""
    return mapped_column(Geometry(kind, srid=SRID, spatial_index=False), nullable=nullable)


def mercator(kind: str, source: str = "geom") -> Any:  # noqa: ANN401
    """A stored copy of `source` in EPSG:3857, so that tile queries need no reprojection."""
    return mapped_column(
        Geometry(kind, srid=WEB_MERCATOR, spatial_index=False),
        Computed(f"ST_Transform({source}, {WEB_MERCATOR})", persisted=True),
        nullable=True,
    )


Shape = WKBElement
