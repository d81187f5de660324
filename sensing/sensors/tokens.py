"""Credentials of devices: issued and revoked by the host, shown once, kept as hashes alone."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from schemas.ids import new_id, public_id
from schemas.refusals import invalid, not_found
from schemas.store.work import Work
from schemas.tables import Datastream, Device, DeviceToken

LONGEST_DAYS = 366
# As mosquitto_passwd makes them: a token is random, so that guessing it is no easier for so few rounds.
_ROUNDS, _SALT_BYTES, _TOKEN_BYTES = 101, 12, 32


@dataclass(frozen=True)
class NewToken:
    """A credential as issued: its name, which is the user's name at the broker, and what proves it."""

    public_id: str
    token: str = field(repr=False)
    expires_at: datetime


def issue(work: Work, device: Device, *, days: int) -> NewToken:
    """Issues a credential of a device; raises RuleViolation 422 `things.days`."""
    if not 0 < days <= LONGEST_DAYS:
        raise invalid("things.days", measured=days, required=LONGEST_DAYS)
    made = NewToken(public_id("TK"), secrets.token_urlsafe(_TOKEN_BYTES), work.now + timedelta(days=days))
    row = DeviceToken(
        id=new_id(),
        public_id=made.public_id,
        device_id=device.id,
        token_sha256=digest(made.token),
        broker_password=_broker_password(made.token),
        issued_at=work.now,
        expires_at=made.expires_at,
    )
    work.session.add(row)
    body = {"token": made.public_id, "token_sha256": row.token_sha256, "expires_at": made.expires_at.isoformat()}
    work.record("things.token_issue", "device", device.id, body)
    return made


def revoke(work: Work, name: str, reason: str) -> DeviceToken:
    """Ends a credential at once over HTTP, and at the broker when its files are written next."""
    row = work.session.scalars(select(DeviceToken).where(DeviceToken.public_id == name)).one_or_none()
    if row is None:
        raise not_found("things.token_unknown", measured=name[:40])
    row.revoked_at = row.revoked_at or work.now
    work.record("things.token_revoke", "device", row.device_id, {"token": name, "reason": reason})
    return row


def digest(token: str) -> str:
    """What the table knows of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _broker_password(token: str) -> str:
    salt = secrets.token_bytes(_SALT_BYTES)
    made = hashlib.pbkdf2_hmac("sha512", token.encode(), salt, _ROUNDS)
    return f"$7${_ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(made).decode()}"


def find(session: Session, token: str, now: datetime) -> DeviceToken | None:
    """The living credential behind a token."""
    rows = select(DeviceToken).where(DeviceToken.token_sha256 == digest(token)).options(joinedload(DeviceToken.device))
    row = session.scalars(rows).one_or_none()
    return row if row is not None and _lives(row, now) else None


def _lives(row: DeviceToken, now: datetime) -> bool:
    return row.revoked_at is None and now < row.expires_at


@dataclass(frozen=True)
class BrokerFiles:
    """What mosquitto reads: the password file and the access list, as text."""

    passwords: str
    access: str


def broker_files(
    session: Session, now: datetime, *, reader: str, reader_password: str, named: bool = False
) -> BrokerFiles:
    """Every living credential may write the series of its own device and read nothing; `reader` reads them all.

    Where they are `named` each writes below its own name alone, so that a topic tells who wrote.
    """
    rows = session.scalars(select(DeviceToken).order_by(DeviceToken.public_id)).all()
    living = [row for row in rows if _lives(row, now)]
    streams: dict[object, list[int]] = {}
    for device_id, number in session.execute(select(Datastream.device_id, Datastream.id).order_by(Datastream.id)):
        streams.setdefault(device_id, []).append(number)
    passwords = [f"{row.public_id}:{row.broker_password}" for row in living]
    access = [f"user {reader}", "topic read v1.1/+/Observations", "topic read +/v1.1/+/Observations", ""]
    for row in living:
        below = f"{row.public_id}/" if named else ""
        access += [f"user {row.public_id}", *_topics(below, streams.get(row.device_id, ())), ""]
    return BrokerFiles(_lines([f"{reader}:{_broker_password(reader_password)}", *passwords]), _lines(access))


def _topics(below: str, streams: Iterable[int]) -> list[str]:
    return [f"topic write {below}v1.1/Datastreams({number})/Observations" for number in streams]


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"
