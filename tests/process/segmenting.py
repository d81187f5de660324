"""`skywarden scene segment` as a process of a test, with low bands, one of which may wait before it is done."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from datetime import datetime
from functools import partial, partialmethod
from pathlib import Path
from typing import Any

from tests.banded import BAND
from tests.process.led import Led, led

SLOW_BAND = 2


def segmenting(
    house: Any, *command: str, until: Path | None = None, spoilt: bool = False
) -> contextlib.AbstractContextManager[Led]:
    """The command on the database and the data of `house`; with `until`, band 2 waits until that file is there."""
    given = {"SKYWARDEN_DATABASE_URL": house.database.admin_url, "SKYWARDEN_DATA_DIR": str(house.data_dir)}
    options = [house.clock.now().isoformat(), str(until or ""), "spoilt" if spoilt else ""]
    return led(["-m", "tests.process.segmenting", *options, "scene", "segment", *command], os.environ | given)


def waiting(until: Path, job: dict[str, Any]) -> dict[str, Any]:
    """As `run_band`, but band 2 waits."""
    from sensing.segment.bands_run import run_band

    if job["number"] == SLOW_BAND:
        until.with_name("waits").touch()
    while job["number"] == SLOW_BAND and not until.exists():
        time.sleep(0.02)
    return run_band(job)


def spoiling(job: dict[str, Any]) -> dict[str, Any]:
    """As `run_band`, but band 2 cannot be done."""
    from sensing.segment.bands_run import run_band

    if job["number"] == SLOW_BAND:
        raise OSError("no space left on the device")
    return run_band(job)


def main(now: str, until: str, spoilt: str, *command: str) -> None:
    from schemas.clock import FixedClock
    from sensing.segment import spectral
    from sensing.segment.model import Job
    from web import wiring
    from web.cli import common
    from web.cli.main import main as skywarden

    common.build = partial(wiring.build, clock=FixedClock(datetime.fromisoformat(now)))
    Job.__init__ = partialmethod(Job.__init__, band_px=BAND)
    if until:
        spectral.run_band = partial(waiting, Path(until))
    if spoilt:
        spectral.run_band = spoiling
    # What a shell started in the background ignores Ctrl-C, and so does all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["skywarden", *command]
    skywarden()


if __name__ == "__main__":
    main(*sys.argv[1:])
