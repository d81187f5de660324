"""Coverage studies as the worker does them: taken on, answered, told how far they are; and done at once on request."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

import structlog
from sqlalchemy.exc import OperationalError

from flights.ground import TERRAIN_FILE
from geo.coverage import jobs
from schemas.refusals import refuse
from web.learning import Interrupted
from web.wiring import Services

log = structlog.get_logger(__name__)
# Telling how far a study is costs a transaction; nobody looks more often.
_TELL_EVERY_S = 0.5


def do_next(
    services: Services,
    go_on: Callable[[float], None] = lambda _: None,
    study_id: uuid.UUID | None = None,
) -> uuid.UUID | None:
    """Answer the oldest study that waits, or that one; its id, None where there is none. `go_on` may raise Interrupted.

    Whatever else ends it early, such as a key that is pressed, gives it back to whoever comes next.
    """
    taken = jobs.take_next(services.housekeeping, study_id)
    if taken is None:
        return None
    try:
        jobs.carry_out(house(services), taken, _teller(services, taken, go_on))
    except (Interrupted, OperationalError, KeyboardInterrupt):
        jobs.give_back(services.housekeeping, taken)
        raise
    except Exception as error:
        # A study that breaks must not break the worker, which seals the ledger too.
        log.exception("coverage_study_failed", study=str(taken), error=type(error).__name__)
        told = refuse("service.incident", "web.service_incident", incident=str(taken)[:8])
        jobs.fail(services.housekeeping, taken, [told])
    return taken


def house(services: Services) -> jobs.House:
    """What studies of this installation are answered with."""
    terrain = services.data_dir / TERRAIN_FILE
    return jobs.House(
        services.session, services.housekeeping, terrain if terrain.is_file() else None, str(services.zone)
    )


def _teller(services: Services, study_id: uuid.UUID, go_on: Callable[[float], None]) -> Callable[[float], None]:
    told_at = time.monotonic()

    def tell(share: float) -> None:
        nonlocal told_at
        go_on(share)
        if time.monotonic() >= told_at + _TELL_EVERY_S:
            jobs.tell(services.housekeeping, study_id, share)
            told_at = time.monotonic()

    return tell
