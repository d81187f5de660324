"""Coverage studies as the worker does them, and as they are done at once on request."""

from __future__ import annotations

import uuid
from pathlib import Path

from flights.ground import TERRAIN_FILE
from geo.coverage.jobs import STUDIES, House, carry_out
from geo.coverage.relief import SURFACE_FILE
from schemas.store.jobs import Claim, Progress
from web.wiring import Services


def do_next(
    services: Services, go_on: Progress = lambda _: None, study_id: uuid.UUID | None = None
) -> uuid.UUID | None:
    """Answer the oldest study that waits, or that one; its id, None where there is none. `go_on` may raise Interrupted.

    Whatever else ends it early, such as a key that is pressed, gives it back to whoever comes next.
    """

    def answer(taken: Claim, progress: Progress) -> None:
        carry_out(house(services), taken, progress)

    return STUDIES.do_next(services.housekeeping, answer, go_on, study_id)


def house(services: Services) -> House:
    """What studies of this installation are answered with."""
    terrain, surface = model_file(services, TERRAIN_FILE), model_file(services, SURFACE_FILE)
    return House(services.session, services.housekeeping, terrain, str(services.zone), surface)


def model_file(services: Services, name: str) -> Path | None:
    """A model of heights of this installation, where it has one."""
    file = services.data_dir / name
    return file if file.is_file() else None
