"""200 readers of the public pages at once, while 20 officers publish, against the same without them.

A reader takes a page, looks at it for some seconds, and takes the next: the first page, a device, the list, and the
tiles of a place. Each officer publishes a device every five seconds by the command for it. What is measured is the time
in which 95 of 100 answers are there; an answer other than 200 fails the row.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median, quantiles

import numpy as np
from sqlalchemy import make_url

from bench import district, load, places
from bench.environments import ROOT, running
from bench.measure import WIDEST_SPREAD, Result, middle, not_measured
from bench.publishers import WAITING
from schemas.store.engine import Database

READERS, WRITERS = 200, 20
NAME = f"a page for one of {READERS} readers, p95, while {WRITERS} publish"
PEER = "the same pages while nobody publishes"
# Theirs over ours: at most 1.5 times as long.
TARGET = 1 / 1.5
DEVICES = 100_000
LOOKS_S = 8.0
PAUSE_S = 5.0
# Some twelve hundred answers in a turn: of fewer, the few that happen to be slow would decide the place of the 95th.
TURN_S = 45.0
TURNS = 7
PAGES = ("/", "/device/{device}", "/list", "/tiles/devices/{near}.mvt", "/tiles/clusters/{far}.mvt")


def prepare(database: Database) -> None:
    """Writes the devices that wait for their publication, enough for all turns."""
    each = int((TURNS + 1) * TURN_S / PAUSE_S) + 5
    draw = random.Random(places.SEED)
    waiting = [WAITING.format(officer=officer, number=n) for officer in range(WRITERS) for n in range(each)]
    spots = [(draw.uniform(places.WEST, places.EAST), draw.uniform(places.SOUTH, places.NORTH)) for _ in waiting]
    district.add_waiting(database, dict(zip(waiting, spots, strict=True)))


def rows(database: Database, port: int) -> list[Result]:
    """The row, on the pages of a server that is running."""
    ratios, ours, theirs = [], [], []
    try:
        read(port, TURN_S / 2)
        for turn in range(TURNS):
            # Who comes first changes with each turn: what a turn leaves behind falls on both.
            quiet = _p95(read(port, TURN_S)) if turn % 2 == 0 else 0.0
            with publishing(database, turn) as told:
                busy = _p95(read(port, TURN_S))
            if told.pop("published", 0) < WRITERS or told:
                return [not_measured(NAME, PEER, TARGET, f"the officers: {told}")]
            quiet = quiet or _p95(read(port, TURN_S))
            ratios.append(quiet / busy)
            ours.append(busy)
            theirs.append(quiet)
    except load.ServerFailed as failed:
        return [not_measured(NAME, PEER, TARGET, str(failed))]
    ratio, spread = middle(ratios)
    return [
        Result(
            NAME,
            PEER,
            round(median(ours), 6),
            round(median(theirs), 6),
            "s",
            round(ratio, 4),
            round(spread, 4),
            TARGET,
            ratio >= TARGET if spread <= WIDEST_SPREAD else "not measured",
            "" if spread <= WIDEST_SPREAD else f"spread above {WIDEST_SPREAD:.0%}",
        )
    ]


def read(port: int, for_s: float) -> list[float]:
    """How long each answer took, of all readers together; raises ServerFailed for an answer other than 200."""
    took: list[float] = []
    failed: list[str] = []
    ends = time.monotonic() + for_s

    def reader(number: int) -> None:
        draw = random.Random(places.SEED + number)
        try:
            with load.Line(port) as line:
                time.sleep(LOOKS_S * number / READERS)
                while time.monotonic() < ends:
                    path = _page(draw)
                    began = time.perf_counter()
                    answer = line.ask(path)
                    took.append(time.perf_counter() - began)
                    if answer.status != 200:
                        raise load.ServerFailed(f"{path}: {answer.status}")
                    time.sleep(max(0.0, min(draw.uniform(0.5, 1.5) * LOOKS_S, ends - time.monotonic())))
        except (OSError, load.ServerFailed) as error:
            failed.append(str(error))

    threads = [threading.Thread(target=reader, args=(number,)) for number in range(READERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise load.ServerFailed(f"{len(failed)} readers: {failed[0]}")
    return took


def _page(draw: random.Random) -> str:
    lon, lat = draw.uniform(places.WEST, places.EAST), draw.uniform(places.SOUTH, places.NORTH)
    near, far = (_tile(lon, lat, zoom) for zoom in (14, 9))
    return draw.choice(PAGES).format(device=f"DV-{draw.randrange(DEVICES):06}", near=near, far=far)


def _tile(lon: float, lat: float, zoom: int) -> str:
    x, y = places.tile_places(np.array([lon]), np.array([lat]), zoom)
    return f"{zoom}/{int(x[0])}/{int(y[0])}"


def _p95(took: list[float]) -> float:
    return quantiles(took, n=20)[-1]


@contextmanager
def publishing(database: Database, turn: int) -> Iterator[dict[str, int]]:
    """Officers at work until the block ends; afterwards what they say of it."""
    name = make_url(database.admin_url).database or ""
    first = int(turn * TURN_S / PAUSE_S) + turn
    command = [sys.executable, "-m", "bench.publishers", name, str(first), str(WRITERS), str(PAUSE_S)]
    told: dict[str, int] = {}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with running(command, cwd=ROOT, **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise load.ServerFailed("the officers do not begin")
        yield told
        process.stdin.close()
        told |= json.loads(process.stdout.readline() or "{}")
