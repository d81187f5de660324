"""A whole layer as GeoJSON: ours over HTTP, made anew each time, against `ogr2ogr` from the same view into a file.

Both read `public_map.open_devices` as the public role and both end with a file that holds the same devices. Before
each of our turns the file that the server keeps is taken away, so that what is measured is making it, and sending it.
The second row is memory: how much larger a process of our server has ever been after all that than before.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from sqlalchemy import make_url

from bench import district, load
from bench.environments import ROOT, PeerMissing, running
from bench.measure import Result, compare, limited, not_measured
from bench.scratch import filled_database
from schemas.store.engine import PUBLIC, Database
from web.opendata.files import FOLDER

NAME = "whole layer of 100,000 devices as GeoJSON"
MEMORY = "memory of the server after those downloads"
PEER = "ogr2ogr from the same view"
MEMORY_PEER = "32 MB more than before"
TARGET = 0.5
MOST_MB = 32.0
DEVICES = district.CITY_DEVICES
PATH = "/data/devices.geojson"
VIEW = "public_map.open_devices"
PIECE_BYTES = 1 << 20
PATIENCE_S = 300
_ID = re.compile(rb'"public_id": ?"(DV-\d+)"')


def rows(rounds: int) -> list[Result]:
    """The time for the whole layer, and what it costs the server in memory."""
    try:
        ogr2ogr = shutil.which("ogr2ogr")
        if ogr2ogr is None:
            raise PeerMissing("ogr2ogr is not installed (Debian: gdal-bin)")
        with filled_database(district.store_city) as database, ExitStack() as stack:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            port, server = stack.enter_context(_our_server(database, directory))
            return _rows(ogr2ogr, database, directory, port, server, rounds=rounds)
    except (PeerMissing, load.ServerFailed) as missing:
        return [
            not_measured(NAME, PEER, TARGET, str(missing)),
            not_measured(MEMORY, MEMORY_PEER, 1.0, str(missing)),
        ]


def _rows(ogr2ogr: str, database: Database, directory: Path, port: int, server: int, *, rounds: int) -> list[Result]:
    ours, theirs = directory / "ours.geojson", directory / "theirs.geojson"

    def download() -> Path:
        shutil.rmtree(directory / FOLDER, ignore_errors=True)
        return _downloaded(port, ours)

    def export() -> Path:
        theirs.unlink(missing_ok=True)
        said = ["-f", "GeoJSON", str(theirs), _source(database), "-sql", f"SELECT * FROM {VIEW}", "-nln", "devices"]
        subprocess.run([ogr2ogr, *said], check=True, timeout=PATIENCE_S)
        return theirs

    before = _largest_mb(server)
    row = compare(
        NAME,
        PEER,
        download,
        export,
        same=lambda one, other: _devices(one) == _devices(other),
        target=TARGET,
        rounds=rounds,
    )
    # A process that is not a megabyte larger is not larger.
    grown = max(1.0, _largest_mb(server) - before)
    return [row, limited(MEMORY, MEMORY_PEER, grown, MOST_MB)]


def _downloaded(port: int, target: Path) -> Path:
    with (
        urllib.request.urlopen(f"http://{load.HOST}:{port}{PATH}", timeout=PATIENCE_S) as answer,
        target.open("wb") as f,
    ):
        shutil.copyfileobj(answer, f, PIECE_BYTES)
    return target


def _devices(path: Path) -> list[bytes]:
    """Which devices a file holds, in order; raises ServerFailed when it holds others than there are."""
    found = sorted(_ID.findall(path.read_bytes()))
    if len(found) != DEVICES:
        raise load.ServerFailed(f"{path.name} holds {len(found)} devices")
    return found


def _source(database: Database) -> str:
    url = make_url(database.url_of(PUBLIC))
    host, port = url.query["host"], url.query["port"]
    return f"PG:dbname='{url.database}' host='{host}' port='{port}' user='{url.username}'"


@contextmanager
def _our_server(database: Database, directory: Path) -> Iterator[tuple[int, int]]:
    """The port of our server and the id of its first process."""
    port = load.free_port()
    name = make_url(database.admin_url).database or ""
    command = [sys.executable, "-m", "bench.tile_server", name, str(port), str(directory)]
    with running(command, cwd=ROOT) as process:
        load.wait_for(process, port, "/data/authorities.geojson")
        yield port, process.pid


def _largest_mb(server: int) -> float:
    """How large the largest process of the server has ever been."""
    processes = [server, *_children(server)]
    return max(_peak_kb(process) for process in processes) / 1024


def _children(parent: int) -> list[int]:
    tasks = Path(f"/proc/{parent}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def _peak_kb(process: int) -> int:
    said = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return int(said[1]) if said else 0
