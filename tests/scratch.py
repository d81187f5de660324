"""Where a run of the tests keeps what it makes.

A database for most tests is a thousand files made and taken away. A whole run keeps them in memory where there is
plenty of it, which takes half the time; they go when it ends.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from schemas.store.cluster import Cluster

MEMORY = Path("/dev/shm")
NAME = f"skywarden-tests-{os.geteuid()}-"
# The tests take two or three; what is left over is for the tests themselves.
ROOM_BYTES, FREE_BYTES = 6 << 30, 10 << 30


def cluster(checkout: Path, run: str) -> Cluster:
    """The cluster of a run: in memory for workers of one run where there is room, else the one of the checkout."""
    usual = Cluster.for_checkout(checkout, durable=False)
    home = MEMORY / f"{NAME}{run}"
    if "PYTEST_XDIST_WORKER" in os.environ and (home.exists() or _has_room()):
        return replace(usual, home=home, socket_dir=home / "s")
    return usual


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The folder of that name, made by the first worker of a run that asks for it; nobody writes in it afterwards."""
    base = factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, unfinished = base / name, base / f"{name}.unfinished"
    with (base / f"{name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir()
            make(unfinished)
            unfinished.rename(folder)
    return folder


@contextmanager
def in_use(cluster: Cluster) -> Iterator[None]:
    """The cluster while tests use it; one in memory goes when its last user does."""
    if cluster.home.parent == MEMORY:
        _sweep(cluster)
    with cluster.in_use():
        yield
    if cluster.home.parent == MEMORY and not cluster.running:
        cluster.remove()


def _has_room() -> bool:
    try:
        said = Path("/proc/meminfo").read_text(encoding="ascii")
        room = shutil.disk_usage(MEMORY).free
    except OSError:
        return False
    free = re.search(r"MemAvailable: +([0-9]+) kB", said)
    return room >= ROOM_BYTES and free is not None and int(free[1]) << 10 >= FREE_BYTES


def _sweep(ours: Cluster) -> None:
    """Takes away what runs left behind that were killed: the kernel tells that nobody uses it."""
    for home in MEMORY.glob(f"{NAME}*"):
        if home == ours.home:
            continue
        try:
            with (home / "users").open("a") as users:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                replace(ours, home=home, socket_dir=home / "s").remove()
        except OSError:
            continue
