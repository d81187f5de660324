"""Runs the simulated vehicle of the demo as a process of its own. Touches the network and child processes."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from web.settings import ROOT

STOP_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class SimulatedVehicle:
    """What the simulator is started with: home (EPSG:4326, metres), ground, picture, how time runs, and its name."""

    home_lon: float
    home_lat: float
    home_amsl_m: float
    dem: Path
    ortho: Path
    frames: Path
    start_at: datetime
    speed_up: float
    serial_no: str | None = None


@contextmanager
def running(vehicle: SimulatedVehicle) -> Iterator[str]:
    """The URL of a running simulated vehicle, which is ended with the block."""
    port = _free_port()
    vehicle.frames.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable, "-m", "web.cli", "simulator",
        "--listen", f"tcp:127.0.0.1:{port}",
        "--home", f"{vehicle.home_lon},{vehicle.home_lat},{vehicle.home_amsl_m}",
        "--dem", str(vehicle.dem),
        "--ortho", str(vehicle.ortho),
        "--frames", str(vehicle.frames),
        "--speed-up", f"{vehicle.speed_up:g}",
        "--start-time", vehicle.start_at.isoformat(),
        *(["--remote-id", vehicle.serial_no] if vehicle.serial_no else []),
    ]  # fmt: skip
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            # Its first line says that it listens; a process that ends instead closes the pipe.
            if process.stdout is None or not process.stdout.readline():
                raise RuntimeError(f"the simulated vehicle ended at once with status {process.wait()}")
            yield f"tcp:127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=STOP_TIMEOUT_S)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
