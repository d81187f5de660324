"""Passwords: argon2id, a bounded number at once, a bounded length, and no hint whether the account exists."""

from __future__ import annotations

from functools import cache
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from schemas.limits import limit
from schemas.refusals import Kind, too_large, violation

WAIT_S = 5.0


class Passwords:
    """Hashes and verifies; at most `login.hashes` at once, because each takes 64 MiB and four lanes."""

    def __init__(self, hasher: PasswordHasher | None = None) -> None:
        self._hasher = hasher or PasswordHasher()
        self._slots = BoundedSemaphore(limit("login.hashes"))

    def hash(self, password: str) -> str:
        """The argon2id hash of `password`; raises RuleViolation (413) above `password.bytes`."""
        _check_length(password)
        return self._hasher.hash(password)

    def verify(self, stored: str | None, password: str) -> bool:
        """Whether `password` belongs to `stored`; takes as long when there is nothing stored."""
        _check_length(password)
        if not self._slots.acquire(timeout=WAIT_S):
            raise violation(Kind.UNAVAILABLE, "service.pause", "web.service_pause", retry_after_s=int(WAIT_S))
        try:
            self._hasher.verify(stored or _nobody(self._hasher), password)
        except (VerifyMismatchError, InvalidHashError):
            return False
        finally:
            self._slots.release()
        return stored is not None


@cache
def _nobody(hasher: PasswordHasher) -> str:
    # A hash that no password is expected to match, so that an unknown account costs the same time.
    return hasher.hash("\x00 nobody \x00")


def _check_length(password: str) -> None:
    cap = limit("password.bytes")
    if len(password.encode("utf-8", "surrogatepass")) > cap:
        raise too_large("password.too_long", "web.password_too_long", required=cap)
