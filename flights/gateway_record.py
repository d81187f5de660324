"""What a flight leaves behind: its track in the database, in batches. Touches the database.

A position that cannot be stored at once waits; the flight goes on and the raw record has it anyway.
"""

from __future__ import annotations

import logging
import time
import uuid
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from shapely import LineString, Point, get_coordinates
from sqlalchemy import insert
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from flights.conformance import Fix, Plausibility
from flights.gateway_orders import Fixes
from flights.link.telemetry import Sample
from geo import shapes
from schemas.actors import Actor
from schemas.clock import Clock
from schemas.store.work import Work
from schemas.tables import TelemetryPoint
from schemas.tables.base import Shape

BATCH_EVERY_S = 1.0
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
        good = [Point(fix.lon, fix.lat) for fix in self.fixes if not plausibility.is_wrong(fix)]
        if len(good) < 2:
            return None
        # The plain simplification: the other one keeps every point of a track that returns over itself.
        track = LineString(get_coordinates(good)).simplify(TRACK_TOLERANCE_DEG, preserve_topology=False)
        return shapes.element(track) if track.length > 0 else None

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
