"""Jobs of learning as the worker does them: taken on, carried out for whoever asked, told how far they are."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

import structlog
from sqlalchemy.exc import OperationalError

from schemas.refusals import refuse
from schemas.store.work import Work
from sensing.intake import Shelf
from sensing.learn import jobs
from web.wiring import Services

log = structlog.get_logger(__name__)
# Telling how far a job is costs a transaction; nobody looks more often.
_TELL_EVERY_S = 0.5


class Interrupted(Exception):
    """The worker was told to stop; what it did not finish waits for the next one."""


def do_next(services: Services, go_on: Callable[[float], None] = lambda _: None) -> uuid.UUID | None:
    """Do the oldest job that waits; its id, None where there is none. `go_on` may raise Interrupted."""
    job_id = jobs.take_next(services.housekeeping)
    if job_id is None:
        return None
    house = jobs.House(Shelf(services.data_dir), services.session, services.housekeeping, _work_of(services))
    try:
        jobs.carry_out(house, job_id, _teller(services, job_id, go_on))
    except (Interrupted, OperationalError):
        jobs.give_back(services.housekeeping, job_id)
        raise
    except Exception as error:
        # A job that breaks must not break the worker, which seals the ledger too.
        log.exception("learning_job_failed", job=str(job_id), error=type(error).__name__)
        told = refuse("service.incident", "web.service_incident", incident=str(job_id)[:8])
        jobs.fail(services.housekeeping, job_id, [told])
    return job_id


def _work_of(services: Services) -> Callable[[uuid.UUID], Work]:
    return lambda person_id: services.work(services.acting(person_id))


def _teller(services: Services, job_id: uuid.UUID, go_on: Callable[[float], None]) -> Callable[[float], None]:
    told_at = time.monotonic()

    def tell(share: float) -> None:
        nonlocal told_at
        go_on(share)
        if time.monotonic() >= told_at + _TELL_EVERY_S:
            jobs.tell(services.housekeeping, job_id, share)
            told_at = time.monotonic()

    return tell
