"""Who runs which file: some workers begin with what waits for others, the rest with what computes.

Flights, pages and processes wait more than they compute. On a worker of their own they take the turns that computing
leaves them, and never is there more than one browser or flight for each such worker, so that none of them is late.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from xdist.scheduler import LoadFileScheduling

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest
    from xdist.workermanage import WorkerController

# The longest waits first.
WAITING = ("journeys", "process", "browser")
# Then what computes; what has the shortest files comes last, so that all workers end together.
COMPUTING = ("sam", "abuse", "properties", "setup", "web", "database")
_RANKS = {name: number for number, name in enumerate(WAITING + COMPUTING)}
WORKERS_FOR_ONE_THAT_WAITS = 3
# A third of the time of a processor that others want, too.
NICE = 3


def rank(folder: Path, tests: Path) -> int:
    """The place in line of what lies in `folder`, which is in `tests`."""
    return _RANKS.get(folder.relative_to(tests).parts[0] if folder != tests else "", len(_RANKS))


def waits(scope: str) -> bool:
    """True if that file of tests waits for others; `scope` is its path from the root of the project."""
    return Path(scope).parts[1:2] in [(name,) for name in WAITING]


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

    def _assign_work_unit(self, node: WorkerController) -> None:
        scope = _first(self.workqueue, waiting=begins_with_waiting(node.gateway.id, self.numnodes))
        self.workqueue.move_to_end(scope, last=False)
        super()._assign_work_unit(node)


def _first(scopes: Iterable[str], *, waiting: bool) -> str:
    """The first of the preferred kind; of the other kind the last that waits, or the first that computes."""
    of_kind = {kind: [scope for scope in scopes if waits(scope) is kind] for kind in (True, False)}
    if of_kind[waiting]:
        return of_kind[waiting][0]
    return of_kind[not waiting][-1 if not waiting else 0]


def make(config: pytest.Config, log: object) -> Lanes | None:
    """The scheduler for `--dist loadfile`; None leaves any other to xdist."""
    return Lanes(config, log) if config.getvalue("dist") == "loadfile" else None
