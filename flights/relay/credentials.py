"""Which relays there are: issued by the host, each for one aircraft, revoked at once. Touches disk and database."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol
from uuid import UUID

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from flights.link.transport import Pipe
from flights.relay.certificates import Authority
from flights.relay.client import parse_gateway
from flights.relay.server import RelayPipe
from schemas.clock import Clock
from schemas.ids import public_id
from schemas.refusals import invalid, not_found
from schemas.store.work import Work
from schemas.tables import Drone
from schemas.tables.relay import RelayCredential

SCHEME = "relay:"
LONGEST_DAYS = 366
SEEN_EVERY = timedelta(minutes=1)


class House(Protocol):
    """What is needed of an installation; web/wiring.py's services are one."""

    clock: Clock

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
    name, expires_at = public_id("RL"), work.now + timedelta(days=days)
    issued = authority.issue_relay(name, work.now, expires_at)
    work.session.add(
        RelayCredential(
            public_id=name,
            drone_id=drone.device_id,
            certificate_sha256=issued.sha256,
            issued_at=work.now,
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
    row.revoked_at = row.revoked_at or work.now
    work.record("relay.revoke", "device", row.drone_id, {"relay": name, "reason": reason})
    return row


def all_relays(session: Session) -> Sequence[tuple[RelayCredential, Drone]]:
    """Every relay with its aircraft, the newest first."""
    rows = select(RelayCredential, Drone).join(Drone, Drone.device_id == RelayCredential.drone_id)
    return [(row, drone) for row, drone in session.execute(rows.order_by(RelayCredential.issued_at.desc()))]


def listen(house: House, drone_id: UUID, url: str) -> Pipe:
    """The pipe of a gateway whose aircraft is reached by a relay: `relay:HOST:PORT` is where it listens.

    Raises RuleViolation 422 `relay.address`, OSError where nobody can listen there.
    """
    address = parse_gateway(url.removeprefix(SCHEME))
    authority = Authority.of(house.data_dir, house.clock.now())
    return RelayPipe(
        url, address, authority.gateway_context(house.clock.now()), lambda der: admits(house, drone_id, der)
    )


def admits(house: House, drone_id: UUID, certificate: bytes) -> bool:
    """Whether this certificate (DER) may carry the frames of that aircraft now; notes when it last did."""
    sha256, now = hashlib.sha256(certificate).hexdigest(), house.clock.now()
    wanted = (RelayCredential.certificate_sha256 == sha256, RelayCredential.drone_id == drone_id)
    with house.session() as session:
        row = session.scalars(select(RelayCredential).where(*wanted)).one_or_none()
    if row is None or row.revoked_at is not None or not row.issued_at <= now < row.expires_at:
        return False
    if row.last_seen_at is None or now - row.last_seen_at > SEEN_EVERY:
        with house.housekeeping() as session:
            session.execute(update(RelayCredential).where(*wanted).values(last_seen_at=now))
    return True
