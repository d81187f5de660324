"""Questions of siting as the worker answers them: taken on, carried out, told how far they are."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import replace

import structlog
from sqlalchemy.exc import OperationalError

from flights.ground import TERRAIN_FILE
from geo.siting import jobs
from geo.siting.child import solve_apart
from schemas.refusals import refuse
from web.learning import Interrupted
from web.wiring import Services

log = structlog.get_logger(__name__)
# Telling how far a run is costs a transaction; nobody looks more often.
_TELL_EVERY_S = 0.5


def do_next(
    services: Services,
    go_on: Callable[[float], None] = lambda _: None,
    *,
    run_id: uuid.UUID | None = None,
    solver: jobs.Solver = solve_apart,
) -> uuid.UUID | None:
    """Answer the oldest run that waits, or that one; its id, or None. `go_on` may raise Interrupted."""
    taken = jobs.take_next(services.housekeeping, run_id)
    if taken is None:
        return None
    try:
        jobs.carry_out(replace(_house(services), solver=solver), taken, _teller(services, taken, go_on))
    except (Interrupted, OperationalError, KeyboardInterrupt):
        jobs.give_back(services.housekeeping, taken)
        raise
    except Exception as error:
        # A run that breaks must not break the worker, which seals the ledger too.
        log.exception("siting_run_failed", run=str(taken), error=type(error).__name__)
        told = refuse("service.incident", "web.service_incident", incident=str(taken)[:8])
        jobs.fail(services.housekeeping, taken, [told])
    return taken


def _house(services: Services) -> jobs.House:
    terrain = services.data_dir / TERRAIN_FILE
    return jobs.House(
        reading=services.session,
        housekeeping=services.housekeeping,
        rulebook=services.rulebook,
        now=services.clock.now,
        terrain=terrain if terrain.is_file() else None,
    )


def _teller(services: Services, run_id: uuid.UUID, go_on: Callable[[float], None]) -> Callable[[float], None]:
    told_at = time.monotonic()

    def tell(share: float) -> None:
        nonlocal told_at
        go_on(share)
        if time.monotonic() >= told_at + _TELL_EVERY_S:
            jobs.tell(services.housekeeping, run_id, share)
            told_at = time.monotonic()

    return tell
