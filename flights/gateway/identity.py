"""The Remote ID of the aircraft while it is led: held against the register and the telemetry, told, kept as events.

What is fixed is told when it changes, the place every few seconds; a module that changes its mind with every frame
still fills nobody's record. Runs in the reading thread of the link.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from flights.gateway.store import Store
from flights.gateway.told import EventKind, Step, Tell
from flights.link.connection import REMOTE_ID
from flights.link.vehicle import VehicleLink
from flights.remote_id import messages as remote_id
from flights.remote_id.register import Identification, Registered, State, notes_of
from geo.types import LonLat
from schemas.clock import Clock
from schemas.refusals import RuleViolation
from schemas.tables import FlightEvent

CHANGES_EVERY_S = 1.0
PLACES_EVERY_S = 5.0


class IdentityWatch:
    """Listens to one link and tells how the Remote ID on it stands."""

    def __init__(self, registered: Registered, store: Store, clock: Clock, tell: Tell) -> None:
        self._known = Identification(registered)
        self._store = store
        self._clock = clock
        self._tell = tell
        self._link: VehicleLink | None = None
        self._fixed: tuple[object, ...] | None = None
        self._news: tuple[object, ...] | None = None
        self._told_at = -PLACES_EVERY_S
        self._mismatches: tuple[str, ...] = ()

    def listen(self, link: VehicleLink) -> None:
        """Hears a link from now on; the same one only once."""
        if self._link is not link:
            self._link = link
            link.connection.forward(self.take)

    def take(self, message: Any) -> None:  # noqa: ANN401
        """Takes one message of the vehicle."""
        kind = message.get_type()
        if kind.startswith(REMOTE_ID):
            self._hear(message)
        elif kind == "GLOBAL_POSITION_INT":
            self._see(message)
        else:
            return
        if self._known.is_worth_telling and time.monotonic() - self._told_at >= CHANGES_EVERY_S:
            self._tell_what_is_due()

    def _hear(self, message: Any) -> None:  # noqa: ANN401
        with contextlib.suppress(RuleViolation):
            now = self._clock.now()
            for said in remote_id.from_mavlink(message):
                self._known.hear(said, now)

    def _see(self, message: Any) -> None:  # noqa: ANN401
        utc = self._link.telemetry.utc(message.time_boot_ms) if self._link is not None else None
        if utc is not None and (message.lat or message.lon):
            speed_m_s = (message.vx**2 + message.vy**2) ** 0.5 / 100
            self._known.see(utc, LonLat(message.lon / 1e7, message.lat / 1e7), speed_m_s)

    def _tell_what_is_due(self) -> None:
        fixed, news = self._known.fixed, self._known.news
        # Silence is told once, also before the take-off, where no rule asks for more: there is nothing new to tell.
        is_silent = self._known.state in (State.ABSENT, State.SILENT)
        is_due = time.monotonic() - self._told_at >= PLACES_EVERY_S and not is_silent
        if fixed == self._fixed and not is_due:
            return
        body = self._known.render() | {"changed": news != self._news}
        self._fixed, self._news, self._told_at = fixed, news, time.monotonic()
        self._store.event(EventKind.REMOTE_ID, body)
        if self._known.reasons != self._mismatches:
            self._mismatches = self._known.reasons
            if self._mismatches:
                reasons = ", ".join(self._mismatches).replace("_", " ")
                self._tell(Step.REMOTE_ID, body | {"reasons": reasons})


def identity_notes(session: Session, flight_id: uuid.UUID) -> dict[str, Any]:
    """What the verdict of a flight says of its Remote ID, over all its parts and gateways."""
    told = select(FlightEvent.body).where(FlightEvent.flight_id == flight_id, FlightEvent.kind == EventKind.REMOTE_ID)
    return notes_of(session.scalars(told.order_by(FlightEvent.id)))
