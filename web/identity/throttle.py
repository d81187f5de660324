"""A throttle on guessing: attempts per account and per network in a window, counted in the database.

An attempt is written and committed before the password is looked at, so parallel guesses cannot pass the
count together, and when the database cannot write it, nobody gets in (it fails closed).
"""

from __future__ import annotations

import hashlib
import ipaddress
import math
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from schemas.limits import limit
from schemas.refusals import Kind, RuleViolation, refuse
from schemas.tables import LoginAttempt


def buckets(account: str, address: str, salt: str) -> dict[str, int]:
    """The buckets that an attempt falls into, with their sizes; names are salted hashes, not addresses.

    `account` is the one spelling of a login name: two spellings would be two buckets.
    """
    return {
        bucket("account", account, salt): limit("login.per_account"),
        bucket("network", network_of(address), salt): limit("login.per_network"),
    }


def network_of(address: str) -> str:
    """The /24 (IPv4) or /64 (IPv6) of an address; whoever has one address of it usually has all."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    # An IPv4 client of a dual-stack socket shows as ::ffff:a.b.c.d.
    ip = getattr(ip, "ipv4_mapped", None) or ip
    prefix = 24 if ip.version == 4 else 64
    return str(ipaddress.ip_network(f"{ip}/{prefix}", strict=False))


def bucket(kind: str, value: str, salt: str) -> str:
    """The name of a bucket: a salted hash, from which nobody reads the value."""
    return f"{kind}:{hashlib.sha256(f'{salt}|{kind}|{value}'.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def take(
    db: Session,
    sizes: dict[str, int],
    now: datetime,
    refusal: tuple[str, str] = ("login.throttled", "web.login_throttled"),
) -> None:
    """Counts one attempt; raises RuleViolation (429) with the seconds to wait when a bucket is full.

    `refusal` is the rule and the text of the refusal, which is told `minutes`.
    """
    window = timedelta(seconds=limit("login.window"))
    db.execute(delete(LoginAttempt).where(LoginAttempt.attempted_at <= now - window))
    waits_s = [_wait_s(db, bucket, size, now, window) for bucket, size in sizes.items()]
    if any(waits_s):
        wait_s = max(waits_s)
        raise RuleViolation(
            Kind.THROTTLED,
            [refuse(*refusal, retry_after_s=wait_s, minutes=_minutes(wait_s))],
        )
    db.add_all(LoginAttempt(bucket=bucket, attempted_at=now) for bucket in sizes)


def _wait_s(db: Session, bucket: str, size: int, now: datetime, window: timedelta) -> int:
    # One guess at a time per bucket: without this lock, parallel ones would each see the count before the others.
    db.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(bucket, 0))))
    newest = select(LoginAttempt.attempted_at).where(LoginAttempt.bucket == bucket)
    oldest_that_counts = db.scalar(newest.order_by(LoginAttempt.attempted_at.desc()).offset(size - 1).limit(1))
    if oldest_that_counts is None:
        return 0
    return max(1, math.ceil((oldest_that_counts + window - now).total_seconds()))


def _minutes(wait_s: int) -> int:
    return max(1, math.ceil(wait_s / 60))


def forgive(db: Session, sizes: dict[str, int]) -> None:
    """Forgets the attempts on an account whose password was just given correctly; the network's stay."""
    accounts = [bucket for bucket in sizes if bucket.startswith("account:")]
    db.execute(delete(LoginAttempt).where(LoginAttempt.bucket.in_(accounts)))
