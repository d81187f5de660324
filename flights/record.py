"""What a flight leaves behind: its track in the database and its raw record, part by part. Touches both."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from shapely import Point, get_coordinates
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from flights import tracks
from flights.commands import mark_aborted
from flights.link.recorder import sha256_of
from geo import shapes
from schemas.actors import Actor
from schemas.clock import Clock
from schemas.machine import label
from schemas.refusals import conflict
from schemas.store.work import Work
from schemas.tables import Flight, TelemetryPoint
from schemas.tables.base import Shape

# Positions come several times a second while somebody follows the flight.
ABANDONED_AFTER_S = 60.0


class House(Protocol):
    """What the gateway needs of an installation; web/wiring.py's services are one."""

    clock: Clock

    @property
    def data_dir(self) -> Path:
        """Where originals and flight records lie."""
        ...

    @property
    def engine(self) -> Engine:
        """Connections to the database as the application."""
        ...

    def work(self, actor: Actor) -> Work:
        """A unit of work on behalf of `actor`."""
        ...

    def session(self) -> AbstractContextManager[Session]:
        """A session for reading."""
        ...

    def housekeeping(self) -> AbstractContextManager[Session]:
        """A committing session for records that are no commands."""
        ...


def abandon(house: House, flight_id: str, reason: str, *, actor: Actor) -> str:
    """Ends a flight that nobody leads any more, as after a crash of its gateway; gives its public id.

    What was recorded becomes part of it: the stored positions as its track, the raw record by its hash. Raises
    RuleViolation 409 while positions still come in: then it is stopped where it is followed.
    """
    with house.work(actor) as work:
        flight = work.get(Flight, flight_id)
        _refuse_led(work, flight)
        parts = parts_of(house, flight.public_id)
        mark_aborted(work, flight, reason, tlog=[part["sha256"] for part in parts])
        flight.flown_track = line_of(_stored(work.session, flight.id))
        flight.vehicle = {**(flight.vehicle or {}), "tlog": parts}
        work.commit()
        return flight.public_id


def record_folder(house: House, public_id: str) -> Path:
    """Where the raw records of a flight lie, one for every time that it was connected."""
    return house.data_dir / "flights" / public_id


def _refuse_led(work: Work, flight: Flight) -> None:
    newest = select(func.max(TelemetryPoint.received_at)).where(TelemetryPoint.flight_id == flight.id)
    heard_at = work.session.scalar(newest)
    age_s = None if heard_at is None else (work.now - heard_at).total_seconds()
    if age_s is not None and age_s < ABANDONED_AFTER_S:
        measured, required = f"{age_s:.0f} s", f"{ABANDONED_AFTER_S:.0f} s"
        raise conflict("DC-1", "flight.still_led", subject=label(flight), measured=measured, required=required)


def _stored(session: Session, flight_id: uuid.UUID) -> list[Point]:
    rows = select(TelemetryPoint.geom).where(TelemetryPoint.flight_id == flight_id, ~TelemetryPoint.implausible)
    return [Point(shapes.lon_lat(geom)) for geom in session.scalars(rows.order_by(TelemetryPoint.id))]


def parts_of(house: House, public_id: str) -> list[dict[str, Any]]:
    """The raw records of a flight in the order of their times: name, size and SHA-256 of each."""
    return [
        {"file": path.name, "bytes": path.stat().st_size, "sha256": sha256_of(path)}
        for path in sorted(record_folder(house, public_id).glob("*.tlog"))
    ]


def line_of(good: Sequence[Point]) -> Shape | None:
    """Positions as a line for a geometry column, None when the aircraft was never seen to move."""
    return tracks.line_of(*get_coordinates(good).T)
