"""Proofs in tests, which wait for a seal while other tests of the same server write."""

from __future__ import annotations

import time

from sqlalchemy import text

from web.wiring import Services
from web.witnessing import prove_now

_WAITING = text(
    "SELECT (SELECT count(*) FROM core.witnessing WHERE seal_n IS NULL) + (SELECT count(*) FROM core.to_witness)"
    " + (SELECT count(*) FROM ledger.event) - (SELECT coalesce(sum(count), 0) FROM ledger.seal)"
)


def prove_all(services: Services, patience_s: float = 30.0) -> None:
    """What was published is proven: an event is sealed when every transaction that began before it has ended."""
    until = time.monotonic() + patience_s
    while True:
        prove_now(services)
        with services.session() as session:
            if not session.scalar(_WAITING):
                return
        assert time.monotonic() < until, "some transaction on the server of the tests does not end"
        time.sleep(0.05)
