"""The air that a flight needs, and which other flights stand in its way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from shapely.geometry import GeometryCollection
from sqlalchemy.orm import Session

from flights.air.held import traffic_near
from flights.air.volumes import Held, Overlap, Spacing, duration, occupied, overlaps
from flights.check.situation import Volume
from flights.path.profile import profile
from flights.path.track import Ground, Profile
from flights.queries import mission_of, window
from schemas.rules import RulePack
from schemas.tables import Flight


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


def others(session: Session, flight: Flight, air: Sequence[Volume]) -> tuple[Volume, ...]:
    """The volumes that other flights hold around the air that a flight needs, while it needs it."""
    around = GeometryCollection([volume.geom for volume in air])
    start, end = min(volume.start for volume in air), max(volume.end for volume in air)
    return traffic_near(session, around, start, end, without=flight.id)


def conflicts(session: Session, flight: Flight, air: Sequence[Volume]) -> list[Overlap]:
    """What other flights hold of the air that a flight needs, flight by flight."""
    return overlaps(air, others(session, flight, air))
