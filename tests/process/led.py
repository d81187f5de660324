"""Commands as processes of a test: the whole command line, with the database, the data and the clock given."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from functools import partial, partialmethod
from pathlib import Path

from schemas.clock import ScaledClock

ROOT = Path(__file__).resolve().parents[2]


class Led:
    """A running command; `said` is every line that it has printed so far."""

    def __init__(self, process: subprocess.Popen) -> None:
        self.process = process
        self.said: list[str] = []
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.said.append(line)

    def await_line(self, start: str, within_s: float = 120.0) -> str:
        """The first line that begins so."""
        deadline = time.monotonic() + within_s
        while not (found := [line for line in list(self.said) if line.startswith(start)]):
            assert self._reading.is_alive(), f"it ended with {self.process.wait()} and said {self.said}"
            assert time.monotonic() < deadline, self.said
            time.sleep(0.02)
        return found[0]

    def end(self, within_s: float = 120.0) -> int:
        """Waits until it has ended by itself; its exit status, with everything it said in `said`."""
        status = self.process.wait(within_s)
        self._reading.join(60)
        return status

    def kill(self) -> None:
        """Ends it, and whatever it has started, in the middle of what they do."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(60)


@contextlib.contextmanager
def led(command: list[str], environment: dict[str, str]) -> Iterator[Led]:
    """A process for as long as the block runs."""
    process = subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    made = Led(process)
    try:
        yield made
    finally:
        made.kill()
        made._reading.join(60)
        process.stdout.close()


def command_process(house: object, *command: str, **limits: float) -> contextlib.AbstractContextManager[Led]:
    """`skywarden COMMAND` on the database, the data and the clock of `house`.

    `limits` are thresholds of the verdict that differ: in a flight that is simulated faster than life, a second of the
    wall is many of the aircraft.
    """
    given = {"SKYWARDEN_DATABASE_URL": house.database.admin_url, "SKYWARDEN_DATA_DIR": str(house.data_dir)}
    clock = house.clock
    otherwise = {
        "start": clock.start.isoformat(),
        "factor": clock.factor,
        "origin_s": clock._origin_s,
        "limits": limits,
    }
    return led(["-m", "tests.process.led", json.dumps(otherwise), *command], os.environ | given)


def gateway_process(
    house: object, url: str, drone: str = "DR1", **limits: float
) -> contextlib.AbstractContextManager[Led]:
    """A gateway for one aircraft."""
    return command_process(house, "gateway", "run", "--drone", drone, "--link", url, **limits)


def main(given: str, *command: str) -> None:
    from flights.conformance.thresholds import Thresholds
    from web import wiring
    from web.cli import common
    from web.cli.main import main as skywarden

    otherwise = json.loads(given)
    clock = ScaledClock(datetime.fromisoformat(otherwise["start"]), otherwise["factor"], otherwise["origin_s"])
    common.build = partial(wiring.build, clock=clock)
    Thresholds.__init__ = partialmethod(Thresholds.__init__, **otherwise["limits"])
    sys.argv = ["skywarden", *command]
    skywarden()


if __name__ == "__main__":
    main(*sys.argv[1:])
