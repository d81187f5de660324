"""How often strangers may speak: counted in the database before anything else is done, so that it fails closed."""

from __future__ import annotations

from flask import request

from schemas.limits import limit
from web.identity import throttle
from web.identity.request_identity import services


def slowly(*kinds: tuple[str, str]) -> None:
    """Counts one attempt for the reader's network and for each (kind, value); raises RuleViolation 429.

    `kinds` name limits `asks.<kind>`; the value of `network` is the reader's own and is not given.
    """
    house = services()
    salt = str(house.engine.url.database)
    network = throttle.network_of(request.remote_addr or "")
    named = [(kind, value or network) for kind, value in kinds]
    sizes = {throttle.bucket(f"asks.{kind}", value, salt): limit(f"asks.{kind}") for kind, value in named}
    with house.housekeeping() as db:
        throttle.take(db, sizes, house.clock.now(), refusal=("ask.throttled", "ask.throttled"))
