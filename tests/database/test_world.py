"""The fixtures stand in a real database, and the database counts them as its own."""

from __future__ import annotations

from sqlalchemy import func, select

from schemas.tables import Device, PatrolRoute, Person, Publication


def test_the_world_of_the_fixtures_is_in_the_database(session) -> None:
    assert session.scalar(select(func.count()).select_from(Person)) == 14
    assert session.scalars(select(PatrolRoute.code).order_by(PatrolRoute.code)).all() == ["R1", "R2", "R3", "R4"]
    earliest = session.scalars(select(Publication.earliest_activation).distinct()).all()
    assert [d.isoformat() for d in earliest] == ["2025-07-01"]
    assert session.scalar(select(Device.state).where(Device.name == "DR1")) == "active"
