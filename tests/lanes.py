"""Who runs which file: some workers begin with what waits for others, the rest with what computes.

Flights, pages and processes wait more than they compute. On a worker of their own they take the turns that computing
leaves them, and never is there more than one browser or flight for each such worker, so that none of them is late.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from xdist.scheduler import LoadFileScheduling

if TYPE_CHECKING:
    import pytest
    from xdist.workermanage import WorkerController

# Of the processes those that compute, longer than any other file does.
LONGEST = ("tests/process/test_scene_segment.py", "tests/process/test_bands")
# The longest waits first.
WAITING = ("tests/journeys/", "tests/process/", "tests/abuse/test_links.py", "tests/browser/")
# Then what computes; what has the shortest files comes last, so that all workers end together.
COMPUTING = (
    *("tests/unit/sample_data/", "tests/sam/", "tests/abuse/", "tests/properties/", "tests/setup/"),
    *("tests/web/", "tests/database/"),
)
# Their files begin with the same landscape, which takes longer to make than most of them.
TOGETHER = "tests/unit/sample_data/"
WORKERS_FOR_ONE_THAT_WAITS = 3
# A third of the time of a processor that others want, too.
NICE = 3


def rank(scope: str) -> int:
    """The place in line of a file of tests; `scope` is its path from the root of the project."""
    line = LONGEST + WAITING + COMPUTING
    return min((number for number, start in enumerate(line) if scope.startswith(start)), default=len(line))


def waits(scope: str) -> bool:
    """True if that file waits for others."""
    return len(LONGEST) <= rank(scope) < len(LONGEST + WAITING)


def begins_with_waiting(worker: str, count: int) -> bool:
    """True if that worker (`gw0`) of so many takes the files that wait before it takes others."""
    number = worker.removeprefix("gw")
    return number.isdigit() and int(number) < max(1, count // WORKERS_FOR_ONE_THAT_WAITS)


def give_way() -> None:
    """A worker that computes lets those go first that follow aircraft or look at pages."""
    worker, count = os.environ.get("PYTEST_XDIST_WORKER"), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if worker and not begins_with_waiting(worker, count):
        os.nice(NICE)


class Lanes(LoadFileScheduling):
    """Whole files to workers; the first ones take those that wait, and each helps the others when its own are done."""

    def _split_scope(self, nodeid: str) -> str:
        return TOGETHER if nodeid.startswith(TOGETHER) else super()._split_scope(nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        scope = first(self.workqueue, waiting=begins_with_waiting(node.gateway.id, self.numnodes))
        self.workqueue.move_to_end(scope, last=False)
        super()._assign_work_unit(node)


def first(scopes: Iterable[str], *, waiting: bool) -> str:
    """The first of the preferred kind; else the first that computes, or the last that waits."""
    of_kind: dict[bool, list[str]] = {True: [], False: []}
    for scope in scopes:
        of_kind[waits(scope)].append(scope)
    if of_kind[waiting]:
        return of_kind[waiting][0]
    return of_kind[False][0] if waiting else of_kind[True][-1]


def make(config: pytest.Config, log: object) -> Lanes | None:
    """The scheduler for `--dist loadfile`; None leaves any other to xdist."""
    return Lanes(config, log) if config.getvalue("dist") == "loadfile" else None
