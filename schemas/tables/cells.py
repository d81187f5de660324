"""Which tiles a change of what the public sees reaches (0008_points.sql)."""

from __future__ import annotations

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from schemas.tables.base import Base


class PublicCell(Base):
    """The number of the last change of a layer in a tile of zoom 12; at -1, -1 of those that reach too many of them."""

    __tablename__ = "public_cell"
    layer: Mapped[str] = mapped_column(primary_key=True)
    x: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    y: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(BigInteger)
