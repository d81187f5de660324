"""A gateway as a process of a test: the command's own code, with the database, the clock and the line given."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from schemas.clock import ScaledClock
from schemas.store.engine import Database

ROOT = Path(__file__).resolve().parents[2]


class Led:
    """A running gateway; `said` is what it has told so far."""

    def __init__(self, process: subprocess.Popen) -> None:
        self.process = process

    def await_line(self, start: str) -> str:
        said = []
        for line in self.process.stdout:
            said.append(line)
            if line.startswith(start):
                return line
        raise AssertionError(f"it ended with {self.process.wait()} and said {said}")


@contextlib.contextmanager
def gateway_process(house: object, url: str, drone: str = "DR1") -> Iterator[Led]:
    """A gateway process on the database and the clock of `house`."""
    clock = house.clock
    values = [house.database.admin_url, house.data_dir, url, drone, clock.start.isoformat(), clock.factor]
    command = [sys.executable, "-m", "tests.process.led", *map(str, values), str(clock._origin_s)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield Led(process)
    finally:
        process.kill()
        process.wait(10)
        process.stdout.close()


def main(arguments: list[str]) -> None:
    from flights import queries
    from web.cli.gateway import _ending, serve
    from web.settings import Settings
    from web.wiring import Services

    database, data_dir, url, drone, start, factor, origin_s = arguments
    clock = ScaledClock(datetime.fromisoformat(start), float(factor), float(origin_s))
    services = Services(Settings(data_dir=Path(data_dir)), Database.of_url(database), clock)
    with services.session() as session:
        drone_id = queries.drone_named(session, drone).device_id
    with _ending() as letting_go:
        serve(services, url, drone_id, letting_go=letting_go, name=drone, language="en")
    services.close()


if __name__ == "__main__":
    main(sys.argv[1:])
