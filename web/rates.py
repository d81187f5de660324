"""How often one network may ask: counted in memory by each process, never written down, and never a reason to fail.

What is read is counted here; what is written is counted in the database, which holds for all processes together and
lets nobody in when it cannot count (web/identity/throttle.py).
"""

from __future__ import annotations

import hashlib
import math
import secrets
import time
from dataclasses import dataclass, field
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

from flask import Flask, current_app, request

from schemas.limits import limit
from schemas.refusals import Kind, RuleViolation, refuse
from web.identity.request_identity import services
from web.identity.throttle import network_of

if TYPE_CHECKING:
    from limits.strategies import RateLimiter

WINDOW_S = 60
DAY_S = 86_400


@dataclass
class Rates:
    """The counters of one application, by bucket (`rate.<bucket>` of schemas/limits.py) and network."""

    _salt: bytes = field(default_factory=lambda: secrets.token_bytes(16), init=False)
    _salted_on: int = field(default=0, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    @cached_property
    def _limiter(self) -> RateLimiter:
        # Loaded with the first request: the counters of many other stores come with it.
        from limits.storage import MemoryStorage
        from limits.strategies import SlidingWindowCounterRateLimiter

        return SlidingWindowCounterRateLimiter(MemoryStorage())

    def wait_s(self, bucket: str, address: str) -> int:
        """Counts one request and gives the seconds to wait; 0 where the bucket has room."""
        from limits import RateLimitItemPerSecond

        allowed = RateLimitItemPerSecond(limit(f"rate.{bucket}"), WINDOW_S)
        who = self._network(address)
        with self._lock:
            if self._limiter.hit(allowed, bucket, who):
                return 0
        left_s = self._limiter.get_window_stats(allowed, bucket, who).reset_time - time.time()
        return min(WINDOW_S, max(1, math.ceil(left_s)))

    def _network(self, address: str) -> str:
        """A name of the network that means nothing tomorrow."""
        today = int(time.time() // DAY_S)
        if today != self._salted_on:
            self._salt, self._salted_on = secrets.token_bytes(16), today
        return hashlib.blake2s(network_of(address).encode(), key=self._salt, digest_size=12).hexdigest()


def register(app: Flask) -> None:
    """Gives `app` counters of its own."""
    app.extensions["rates"] = Rates()


def limited(bucket: str) -> None:
    """Counts this request; raises RuleViolation 429 with the seconds to wait when its network asked too often."""
    if not services().settings.rate_limits:
        return
    rates: Rates = current_app.extensions["rates"]
    wait_s = rates.wait_s(bucket, request.remote_addr or "")
    if wait_s:
        allowed = limit(f"rate.{bucket}")
        refusal = refuse("rate.exceeded", "web.rate_exceeded", required=allowed, retry_after_s=wait_s)
        raise RuleViolation(Kind.THROTTLED, [refusal])
