"""Questions of siting as the worker answers them, and as they are answered at once on request."""

from __future__ import annotations

import uuid

from flights.ground import TERRAIN_FILE
from geo.coverage.relief import SURFACE_FILE
from geo.siting.child import solve_apart
from geo.siting.jobs import RUNS, House, Solver, carry_out
from schemas.store.jobs import Claim, Progress
from web.planning_jobs import model_file
from web.wiring import Services


def do_next(
    services: Services,
    go_on: Progress = lambda _: None,
    *,
    run_id: uuid.UUID | None = None,
    solver: Solver = solve_apart,
) -> uuid.UUID | None:
    """Answer the oldest run that waits, or that one; its id, or None. `go_on` may raise Interrupted."""

    def answer(taken: Claim, progress: Progress) -> None:
        carry_out(_house(services, solver), taken, progress)

    return RUNS.do_next(services.housekeeping, answer, go_on, run_id)


def _house(services: Services, solver: Solver) -> House:
    return House(
        reading=services.session,
        housekeeping=services.housekeeping,
        rulebook=services.rulebook,
        now=services.clock.now,
        terrain=model_file(services, TERRAIN_FILE),
        solver=solver,
        surface=model_file(services, SURFACE_FILE),
    )
