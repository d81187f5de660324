"""Simulated vehicles on real sockets, for tests that ask for them."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from flights.simulator.options import Options
from flights.simulator.process import Simulator, simulate

START = datetime(2025, 7, 2, 2, 0, tzinfo=UTC)


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def simulator(**options: object) -> Iterator[tuple[Simulator, str]]:
    """A running simulator and the URL under which it is reached."""
    port = free_port()
    base = {"listen": f"tcp:127.0.0.1:{port}", "home_lon": 113.2545, "home_lat": 23.1250, "home_amsl_m": 12.0}
    chosen = Options(**(base | {"start_time": START, "speed_up": 100.0} | options))
    running: list[Simulator] = []
    ready = threading.Event()

    def started(made: Simulator) -> None:
        running.append(made)
        ready.set()

    thread = threading.Thread(target=simulate, args=(chosen, started))
    thread.start()
    try:
        assert ready.wait(60)
        yield running[0], chosen.listen
    finally:
        if running:
            running[0].stop()
        thread.join(60)
        assert not thread.is_alive()


def in_its_thread(vehicle: Simulator, act: Callable[[], object]) -> None:
    """Runs `act` between two turns of the vehicle: its sockets and lists belong to the thread in which it lives."""
    done = threading.Event()

    def once() -> None:
        del vehicle._answer
        act()
        done.set()
        vehicle._answer()

    vehicle._answer = once
    assert done.wait(60)


def changed(vehicle: Simulator, part: object, **values: object) -> None:
    """Sets what the vehicle itself reckons with, between two of its turns: written in the middle of one it is lost."""
    for name in values:
        assert hasattr(part, name), f"{part} has no {name}"
    in_its_thread(vehicle, lambda: [setattr(part, name, value) for name, value in values.items()])
