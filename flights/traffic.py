"""The air that flights hold, as the database keeps it: taken at clearing, looked at by whoever plans beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from geoalchemy2 import functions as gis
from shapely.geometry import GeometryCollection
from shapely.geometry.base import BaseGeometry
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Session

from flights.profile import Ground, Profile, profile
from flights.queries import mission_of, window
from flights.situation import Volume
from flights.volumes import Held, Overlap, Spacing, duration, occupied, overlaps
from geo import shapes
from schemas.refusals import Refusal, refuse
from schemas.rules import RulePack
from schemas.tables import SRID, Flight, FlightVolume


def air_of(flight: Flight, pack: RulePack, ground: Ground) -> list[Held]:
    """The volumes that a flight needs: its published mission, in its planned window.

    Raises RuleViolation GD-16.2 where the terrain below it is not known.
    """
    path, speed_m_s = _path(flight, ground)
    return occupied(path, window(flight), speed_m_s=speed_m_s, spacing=Spacing.of(pack), flight=flight.public_id)


def duration_of(flight: Flight, ground: Ground) -> timedelta:
    """How long the published mission of a flight takes as planned."""
    path, speed_m_s = _path(flight, ground)
    return duration(path, speed_m_s=speed_m_s)


def _path(flight: Flight, ground: Ground) -> tuple[Profile, float]:
    mission = mission_of(flight.route)
    return profile(mission.plan, ground), mission.speed_mps or flight.drone.cruise_speed_m_s


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


def conflicts(session: Session, flight: Flight, air: Sequence[Volume]) -> list[Overlap]:
    """What other flights hold of the air that a flight needs, flight by flight."""
    if not air:
        return []
    around = GeometryCollection([volume.geom for volume in air])
    start, end = min(volume.start for volume in air), max(volume.end for volume in air)
    return overlaps(air, traffic_near(session, around, start, end, without=flight.id))


def refusals(found: Iterable[Overlap], zone: ZoneInfo) -> Iterable[Refusal]:
    """DC-2: one refusal for each flight that holds the air, with what both would share."""
    for overlap in found:
        start, end, free = (at.astimezone(zone) for at in (overlap.start, overlap.end, overlap.held_until))
        heights = f"{overlap.alt_agl_min_m:.0f}-{overlap.alt_agl_max_m:.0f} m"
        yield refuse(
            "DC-2",
            "flight.air_taken",
            flight=overlap.flight,
            measured=f"{start:%Y-%m-%d %H:%M}-{end:%H:%M}, {heights}, {overlap.area_m2:,.0f} m²",
            required=f"{free:%Y-%m-%d %H:%M}",
            place=overlap.place,
        )


def _volume(row: FlightVolume, number: str) -> Volume:
    start, end = row.during.lower, row.during.upper
    if start is None or end is None:
        raise ValueError("a volume has a start and an end")
    return Volume(number, shapes.polygon(row.geom), row.alt_agl_min_m, row.alt_agl_max_m, start, end)
