"""Which relays there are: issued by the host, each for one aircraft, revoked at once. Touches disk and database.

The ends of a line look at a certificate by the clocks of their walls, so its times are those of the database, and
never of the clock that a demonstration or a test gives to the rest.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from flights.link.transport import parse_url
from flights.relay.certificates import Authority
from flights.relay.server import RelayPipe
from schemas.clock import SystemClock
from schemas.ids import public_id
from schemas.refusals import invalid, not_found
from schemas.store.work import Work
from schemas.tables import Drone
from schemas.tables.relay import RelayCredential

LONGEST_DAYS = 366
SEEN_EVERY = timedelta(minutes=1)
log = logging.getLogger(__name__)


class House(Protocol):
    """What is needed of an installation; web/wiring.py's services are one."""

    @property
    def data_dir(self) -> Path:
        """Where the authority of the relays lies."""
        ...

    def session(self) -> AbstractContextManager[Session]:
        """A session for reading."""
        ...

    def housekeeping(self) -> AbstractContextManager[Session]:
        """A committing session for records that are no commands."""
        ...


@dataclass(frozen=True)
class NewRelay:
    """A relay as issued: its id, what the pilot's laptop gets, and until when it is good."""

    public_id: str
    pem: bytes = field(repr=False)
    expires_at: datetime


def issue(work: Work, drone: Drone, authority: Authority, *, days: int) -> NewRelay:
    """Issues a certificate for the relay of one aircraft; raises RuleViolation 422 `relay.days`."""
    if not 0 < days <= LONGEST_DAYS:
        raise invalid("relay.days", measured=days, required=LONGEST_DAYS)
    now = _database_now(work)
    name, expires_at = public_id("RL"), now + timedelta(days=days)
    issued = authority.issue_relay(name, now, expires_at)
    work.session.add(
        RelayCredential(
            public_id=name,
            drone_id=drone.device_id,
            certificate_sha256=issued.sha256,
            issued_at=now,
            expires_at=expires_at,
        )
    )
    body = {"relay": name, "certificate_sha256": issued.sha256, "expires_at": expires_at.isoformat()}
    work.record("relay.issue", "device", drone.device_id, body)
    return NewRelay(name, issued.pem, expires_at)


def revoke(work: Work, name: str, reason: str) -> RelayCredential:
    """Ends a relay's certificate; a line that stands on it is cut within seconds. Revoking twice changes nothing."""
    row = work.session.scalars(select(RelayCredential).where(RelayCredential.public_id == name)).one_or_none()
    if row is None:
        raise not_found("relay.unknown", "relay.unknown", measured=name[:40])
    row.revoked_at = row.revoked_at or _database_now(work)
    work.record("relay.revoke", "device", row.drone_id, {"relay": name, "reason": reason})
    return row


def all_relays(session: Session) -> Sequence[tuple[RelayCredential, Drone]]:
    """Every relay with its aircraft, the newest first."""
    rows = select(RelayCredential, Drone).join(Drone, Drone.device_id == RelayCredential.drone_id)
    return [(row, drone) for row, drone in session.execute(rows.order_by(RelayCredential.issued_at.desc()))]


def listen(house: House, drone_id: UUID, url: str) -> RelayPipe:
    """The pipe of a gateway whose aircraft is reached by a relay: `relay:HOST:PORT` is where it listens.

    Raises RuleViolation 422 `link.url`, OSError where nobody can listen there.
    """
    address, now = parse_url(url), SystemClock().now()
    authority = Authority.of(house.data_dir, now)
    return RelayPipe(url, address.pair, authority.gateway_context(now), Admission(house, drone_id))


class Admission:
    """Who may carry the frames of one aircraft. While the database is away whoever was let in stays so, nobody else."""

    def __init__(self, house: House, drone_id: UUID) -> None:
        self._house = house
        self._drone_id = drone_id
        self._known: set[bytes] = set()

    def __call__(self, certificate: bytes) -> bool:
        """Whether this certificate (DER) is good now."""
        try:
            good = admits(self._house, self._drone_id, certificate)
        except SQLAlchemyError as error:
            log.warning("a relay is judged as before, the database is away: %s", type(error).__name__)
            return certificate in self._known
        (self._known.add if good else self._known.discard)(certificate)
        return good


def admits(house: House, drone_id: UUID, certificate: bytes) -> bool:
    """Whether this certificate (DER) may carry the frames of that aircraft now; notes when it last did."""
    sha256, now = hashlib.sha256(certificate).hexdigest(), func.clock_timestamp()
    row = RelayCredential
    mine = (row.certificate_sha256 == sha256, row.drone_id == drone_id)
    good = (row.revoked_at.is_(None), row.issued_at <= now, row.expires_at > now)
    seen_lately = func.coalesce(row.last_seen_at > now - SEEN_EVERY, False)
    with house.session() as session:
        noted = session.scalar(select(seen_lately).where(*mine, *good))
    if noted is False:
        with house.housekeeping() as session:
            session.execute(update(row).where(*mine).values(last_seen_at=now))
    return noted is not None


def _database_now(work: Work) -> datetime:
    now: datetime = work.session.scalars(select(func.clock_timestamp())).one()
    return now
