"""What a flight leaves behind: its track in the database, in batches, and its raw record. Touches both.

A position that cannot be stored at once waits; the flight goes on and the raw record has it anyway.
"""

from __future__ import annotations

import hashlib
import logging
import time
import uuid
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from shapely import LineString, Point, get_coordinates
from sqlalchemy import func, insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from flights.commands import mark_aborted
from flights.conformance import Fix, Plausibility
from flights.gateway_orders import Fixes
from flights.link.telemetry import Sample
from geo import shapes
from schemas.actors import Actor
from schemas.clock import Clock
from schemas.machine import label
from schemas.refusals import conflict
from schemas.store.work import Work
from schemas.tables import Flight, TelemetryPoint
from schemas.tables.base import Shape

BATCH_EVERY_S = 1.0
# Positions come several times a second while somebody follows the flight.
ABANDONED_AFTER_S = 60.0
# The stored track leaves out what lies within this of the straight line, in degrees (about 0.5 m).
TRACK_TOLERANCE_DEG = 5e-6
log = logging.getLogger(__name__)


class House(Protocol):
    """What the gateway needs of an installation; web/wiring.py's services are one."""

    clock: Clock

    @property
    def data_dir(self) -> Path:
        """Where originals and flight records lie."""
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
        mark_aborted(work, flight, reason)
        flight.flown_track = _line(_stored(work.session, flight.id))
        flight.tlog_sha256 = _newest_hash(record_folder(house, flight.public_id))
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


def _newest_hash(folder: Path) -> str | None:
    records = sorted(folder.glob("*.tlog"))
    if not records:
        return None
    with records[-1].open("rb") as written:
        return hashlib.file_digest(written, "sha256").hexdigest()


def _line(good: Sequence[Point]) -> Shape | None:
    """Positions as a line for a geometry column, None when the aircraft was never seen to move."""
    if len(good) < 2:
        return None
    # The plain simplification: the other one keeps every point of a track that returns over itself.
    track = LineString(get_coordinates(good)).simplify(TRACK_TOLERANCE_DEG, preserve_topology=False)
    return shapes.element(track) if track.length > 0 else None


class Track:
    """The reports of one flight: kept, judged for plausibility, and stored every second."""

    def __init__(self, house: House, flight_id: uuid.UUID, fixes: Fixes) -> None:
        self.fixes: list[Fix] = []
        self.implausible = 0
        self.last: Sample | None = None
        self._house = house
        self._flight_id = flight_id
        self._to_fix = fixes
        self._plausibility = Plausibility()
        self._waiting: list[dict[str, Any]] = []
        self._stored_at = time.monotonic()

    def add(self, sample: Sample) -> Fix | None:
        """Takes a report; gives its fix, or None when it cannot be."""
        fix = self._to_fix.of(sample)
        self.fixes.append(fix)
        wrong = self._plausibility.is_wrong(fix)
        self.implausible += wrong
        if not wrong:
            self.last = sample
        if abs(sample.lat) <= 90 and abs(sample.lon) <= 180:
            self._waiting.append(_row(self._flight_id, sample, implausible=wrong))
        if time.monotonic() - self._stored_at >= BATCH_EVERY_S:
            self._stored_at = time.monotonic()
            self._try_to_store()
        return None if wrong else fix

    def finish(self) -> None:
        """Stores what still waits; raises when the database does not take it."""
        if self._waiting:
            self._store()

    def line(self) -> Shape | None:
        """The flown track for a geometry column, None when the aircraft was never seen to move."""
        plausibility = Plausibility()
        return _line([Point(fix.lon, fix.lat) for fix in self.fixes if not plausibility.is_wrong(fix)])

    def _try_to_store(self) -> None:
        try:
            self._store()
        except SQLAlchemyError:
            log.exception("%d positions wait for the database", len(self._waiting))

    def _store(self) -> None:
        with self._house.housekeeping() as session:
            session.execute(insert(TelemetryPoint), self._waiting)
        self._waiting = []


def _row(flight_id: uuid.UUID, sample: Sample, *, implausible: bool) -> dict[str, Any]:
    return {
        "flight_id": flight_id,
        "received_at": sample.received_at,
        "boot_ms": sample.boot_ms,
        "geom": shapes.element(Point(sample.lon, sample.lat)),
        "alt_rel_home_m": sample.alt_rel_home_m,
        "alt_amsl_m": sample.alt_amsl_m,
        "heading_deg": sample.heading_deg,
        "ground_speed_m_s": sample.ground_speed_m_s,
        "battery_pct": sample.battery_pct,
        "implausible": implausible,
    }
