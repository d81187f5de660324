"""Jobs of learning as the worker does them: for whoever asked."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from schemas.store.jobs import Claim, Progress
from schemas.store.work import Work
from sensing.intake import Shelf
from sensing.learn.jobs import JOBS, House, carry_out
from web.wiring import Services


def do_next(services: Services, go_on: Progress = lambda _: None) -> uuid.UUID | None:
    """Do the oldest job that waits; its id, None where there is none. `go_on` may raise Interrupted."""
    house = House(Shelf(services.data_dir), services.session, services.housekeeping, _work_of(services))

    def work(taken: Claim, progress: Progress) -> None:
        carry_out(house, taken, progress)

    return JOBS.do_next(services.housekeeping, work, go_on)


def _work_of(services: Services) -> Callable[[uuid.UUID], Work]:
    return lambda person_id: services.work(services.acting(person_id))
