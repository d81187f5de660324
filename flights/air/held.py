"""The air that flights hold, as the database keeps it: written at clearing, read by whoever plans beside it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from geoalchemy2 import functions as gis
from shapely.geometry.base import BaseGeometry
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Session

from flights.air.volumes import Held
from flights.check.situation import Volume
from geo import shapes
from schemas.tables import SRID, Flight, FlightVolume


def take(session: Session, flight: Flight, air: Sequence[Held]) -> None:
    """Writes the volumes of a flight that is being cleared; the database refuses what another flight holds."""
    session.flush()  # The database lets only a cleared flight hold air, so its state is written first.
    session.add_all(
        FlightVolume(
            flight_id=flight.id,
            ordinal=number,
            part=volume.part,
            geom=shapes.element(volume.geom),
            alt_agl_min_m=volume.alt_agl_min_m,
            alt_agl_max_m=volume.alt_agl_max_m,
            during=Range(volume.start, volume.end),
        )
        for number, volume in enumerate(air)
    )


def traffic_near(
    session: Session, near: BaseGeometry, start: datetime, end: datetime, *, without: UUID | None = None
) -> tuple[Volume, ...]:
    """The volumes that other flights hold in the bounding box of a geometry (EPSG:4326) in that time.

    `without` is the flight that asks, which does not stand in its own way.
    """
    meets: ColumnElement[bool] = FlightVolume.geom.bool_op("&&")(gis.ST_MakeEnvelope(*near.bounds, SRID))
    statement = (
        select(FlightVolume, Flight.public_id)
        .join(Flight, Flight.id == FlightVolume.flight_id)
        .where(FlightVolume.freed_at.is_(None), meets, FlightVolume.during.op("&&")(func.tstzrange(start, end)))
        .order_by(Flight.public_id, FlightVolume.ordinal)
    )
    if without is not None:
        statement = statement.where(FlightVolume.flight_id != without)
    return tuple(_volume(row, number) for row, number in session.execute(statement))


def _volume(row: FlightVolume, number: str) -> Volume:
    start, end = row.during.lower, row.during.upper
    if start is None or end is None:
        raise ValueError("a volume has a start and an end")
    return Volume(number, shapes.polygon(row.geom), row.alt_agl_min_m, row.alt_agl_max_m, start, end)
