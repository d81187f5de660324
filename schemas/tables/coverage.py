"""Where cameras reach, as a grid that tells no single device."""

from __future__ import annotations

from datetime import datetime

from geoalchemy2 import Geometry
from sqlalchemy import BigInteger, func, text
from sqlalchemy.orm import Mapped, mapped_column

from schemas.tables.base import WEB_MERCATOR, Base, Shape


class CoverageCell(Base):
    """A cell of 500 m (EPSG:3857) that at least so many devices in use reach."""

    __tablename__ = "coverage_cell"
    x: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    y: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at_least: Mapped[int]
    geom_3857: Mapped[Shape] = mapped_column(Geometry("POLYGON", srid=WEB_MERCATOR, spatial_index=False))


class CoverageMade(Base):
    """From which publication sequence the grid was made, and when; one row."""

    __tablename__ = "coverage_made"
    singleton: Mapped[bool] = mapped_column(primary_key=True, server_default=text("true"))
    seq: Mapped[int] = mapped_column(BigInteger)
    made_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
