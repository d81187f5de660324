"""Readings ingested over SensorThings, in batches over HTTP and over MQTT, against raw COPY of the same rows.

The server and our worker on the broker are processes of their own, as in life. Ours parses and judges every reading,
stores it once and answers when it is committed; the peer writes rows that were ready into the same table with the same
indexes, in one transaction. Every piece is a stretch of time that nobody stored before.
"""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import psycopg
from click.testing import CliRunner
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from bench import district, load, places
from bench.environments import ROOT, running
from bench.measure import Result, compare, not_measured
from bench.scratch import scratch_database
from schemas.actors import HOST
from schemas.clock import SystemClock
from schemas.store.engine import APP, Database
from schemas.tables import Device
from sensing.sensors import tokens
from web.cli.common import State
from web.cli.things import things
from web.settings import Settings
from web.things.writing import MEASUREMENT
from web.wiring import Services

NAMES = {"http": "readings over HTTP, batches of 5,000", "mqtt": "readings over MQTT, 1,000 a message"}
PEER = "COPY of the same rows"
TARGET = 0.4
READINGS = 20_000
BATCHES = {"http": 5_000, "mqtt": 1_000}
CONNECTIONS = 2
LONGEST_S = 120.0
DAYS_BACK = 1_000
COLUMNS = "datastream_id, feature_id, phenomenon_time, result, quality, client_id"
STREAM = {
    "name": "bench",
    "description": "a reading a second",
    "observationType": MEASUREMENT,
    "unitOfMeasurement": {"name": "one", "symbol": "1", "definition": "1"},
    "Sensor": {"name": "bench", "description": "bench", "encodingType": "text/plain", "metadata": "bench"},
    "ObservedProperty": {"name": "bench", "definition": "bench", "description": "bench"},
}


@cache
def first() -> datetime:
    """Where the stretches of this run begin: long ago, and not longer than a device keeps its readings."""
    return SystemClock().now().replace(microsecond=0) - timedelta(days=DAYS_BACK)


class Bench:
    """One station of a bench's own database, and stretches of time that it has not observed yet."""

    def __init__(self, database: Database, token: tokens.NewToken, stream: int, feature: int) -> None:
        self.token, self.stream, self.feature = token, stream, feature
        self.url = places.plain_url(database.url_of(APP))
        self.reader = psycopg.connect(self.url, autocommit=True)
        self._begins = first()
        self.readings: list[tuple[datetime, float]] = []

    def fresh(self) -> None:
        """Moves on to a stretch of which nobody has told yet, one for each side."""
        self._begins += timedelta(days=2)
        self.readings = [(self._begins + timedelta(seconds=n), n * 0.25) for n in range(READINGS)]

    def copy(self) -> tuple[int, float]:
        """The peer: the rows of the day behind, as they are."""
        rows = [(self.stream, self.feature, at + timedelta(days=1), value, "valid", "") for at, value in self.readings]
        with psycopg.connect(self.url) as connection:
            with connection.cursor() as cursor, cursor.copy(f"COPY core.observation ({COLUMNS}) FROM STDIN") as copy:
                for row in rows:
                    copy.write_row(row)
            connection.commit()
        return self.stored(timedelta(days=1))

    def bodies(self, size: int) -> list[bytes]:
        """The readings as data arrays."""
        told = [[at.isoformat(), value] for at, value in self.readings]
        parts = [told[start : start + size] for start in range(0, len(told), size)]
        group = {"Datastream": {"@iot.id": self.stream}, "components": ["phenomenonTime", "result"]}
        return [json.dumps(group | {"dataArray": part}).encode() for part in parts]

    def count(self) -> int:
        """How many readings there are in all."""
        found = self.reader.execute("SELECT count(*) FROM core.observation").fetchone()
        assert found is not None
        return int(found[0])

    def stored(self, behind: timedelta = timedelta(0)) -> tuple[int, float]:
        """How many readings of a stretch there are, and their sum."""
        first, last = self.readings[0][0] + behind, self.readings[-1][0] + behind
        found = self.reader.execute(
            "SELECT count(*), sum(result) FROM core.observation "
            "WHERE datastream_id = %s AND phenomenon_time BETWEEN %s AND %s",
            [self.stream, first, last],
        ).fetchone()
        assert found is not None
        return int(found[0]), float(found[1] or 0.0)


def rows(rounds: int) -> list[Result]:
    """One row for each way in."""
    try:
        with scratch_database() as database, ExitStack() as stack:
            home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            services = Services(Settings(data_dir=home), database)
            stack.callback(services.close)
            placed = district.store_devices(database, [places.CENTRE], state="active")
            port = stack.enter_context(_server(database, home))
            bench = _station(services, database, placed.devices[0], port)
            stack.enter_context(closing(bench.reader))
            done = [_row("http", bench, lambda bodies: _post(port, bench.token, bodies), rounds)]
            broker = stack.enter_context(_broker(services, database, home))
            device = stack.enter_context(_publisher(bench.token, broker))
            _await_worker(device, bench)
            done.append(_row("mqtt", bench, lambda bodies: _publish(device, bench, bodies), rounds))
            return done
    except (load.ServerFailed, FileNotFoundError) as missing:
        return [not_measured(name, PEER, TARGET, str(missing)) for name in NAMES.values()]


def _row(way: str, bench: Bench, send: Callable[[list[bytes]], None], rounds: int) -> Result:
    prepared: list[bytes] = []

    def prepare() -> None:
        bench.fresh()
        prepared[:] = bench.bodies(BATCHES[way])

    def ours() -> tuple[int, float]:
        send(prepared)
        return bench.stored()

    same = (READINGS, sum(n * 0.25 for n in range(READINGS)))
    return compare(
        NAMES[way],
        PEER,
        ours,
        bench.copy,
        same=lambda said, peer_said: said == peer_said == same,
        target=TARGET,
        rounds=rounds,
        pieces=4,
        prepare=prepare,
    )


def _post(port: int, token: tokens.NewToken, bodies: list[bytes]) -> None:
    def share(part: list[bytes]) -> None:
        with closing(http.client.HTTPConnection(load.HOST, port, timeout=LONGEST_S)) as connection:
            for body in part:
                _ask(connection, "/sta/v1.1/CreateObservations", b"[" + body + b"]", token)

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(share, [bodies[start::CONNECTIONS] for start in range(CONNECTIONS)]))


def _ask(connection: http.client.HTTPConnection, path: str, body: bytes, token: tokens.NewToken) -> bytes:
    headers = {"Authorization": f"Bearer {token.token}", "Content-Type": "application/json"}
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    told = answer.read()
    if answer.status != 201:
        raise load.ServerFailed(f"{path}: {answer.status}")
    return told


def _publish(device: Client, bench: Bench, bodies: list[bytes]) -> None:
    for body in bodies:
        device.publish(f"v1.1/Datastreams({bench.stream})/Observations", body, qos=1)
    last = [bench.stream, bench.readings[-1][0]]
    ends = time.monotonic() + LONGEST_S
    # Messages of one client stay in their order, so the last reading is the last.
    while not bench.reader.execute(
        "SELECT 1 FROM core.observation WHERE datastream_id = %s AND phenomenon_time = %s", last
    ).fetchone():
        if time.monotonic() > ends:
            raise load.ServerFailed("the last reading did not arrive")
        time.sleep(0.002)


def _await_worker(device: Client, bench: Bench) -> None:
    """Until our worker has subscribed, the broker keeps nothing for it."""
    body = json.dumps({"result": 0, "phenomenonTime": (first() + timedelta(days=1)).isoformat()})
    ends = time.monotonic() + load.START_TIMEOUT_S
    known = bench.count()
    while bench.count() == known:
        if time.monotonic() > ends:
            raise load.ServerFailed("our worker takes nothing from the broker")
        device.publish(f"v1.1/Datastreams({bench.stream})/Observations", body, qos=1)
        time.sleep(0.2)


@contextmanager
def _server(database: Database, home: Path) -> Iterator[int]:
    port = load.free_port()
    command = [sys.executable, "-m", "bench.tile_server", _name(database), str(port), str(home)]
    with running(command, cwd=ROOT) as process:
        load.wait_for(process, port, "/tiles/clusters/0/0/0.mvt")
        yield port


def _name(database: Database) -> str:
    return str(psycopg.conninfo.conninfo_to_dict(places.plain_url(database.admin_url))["dbname"])


def _station(services: Services, database: Database, device: str, port: int) -> Bench:
    with services.work(HOST) as work:
        token = tokens.issue(work, work.get(Device, device), days=1)
        work.commit()
    with closing(http.client.HTTPConnection(load.HOST, port, timeout=LONGEST_S)) as connection:
        stream = json.loads(_ask(connection, "/sta/v1.1/Datastreams", json.dumps(STREAM).encode(), token))["@iot.id"]
        reading = json.dumps({"result": 0, "phenomenonTime": first().isoformat()}).encode()
        _ask(connection, f"/sta/v1.1/Datastreams({stream})/Observations", reading, token)
    with services.engine.connect() as connected:
        feature = connected.exec_driver_sql("SELECT id FROM core.feature_of_interest").scalar_one()
    return Bench(database, token, stream, feature)


@contextmanager
def _broker(services: Services, database: Database, home: Path) -> Iterator[int]:
    """A mosquitto with the files of our command, and our worker on it."""
    program = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
    files, port = home / "broker", load.free_port()
    state = State("en")
    state._services = services
    done = CliRunner().invoke(things, ["acl", "--out", str(files), "--port", str(port)], obj=state)
    assert done.exit_code == 0, done.output
    worker = [
        "env",
        f"SKYWARDEN_DATABASE_NAME={_name(database)}",
        f"SKYWARDEN_DATA_DIR={home}",
        sys.executable,
        "-m",
        "web.cli",
        "things",
        "ingest",
        "--broker",
        f"{load.HOST}:{port}",
        "--files",
        str(files),
    ]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with running([program, "-c", str(files / "mosquitto.conf")], **quiet), running(worker, cwd=ROOT, **quiet):
        yield port


@contextmanager
def _publisher(token: tokens.NewToken, port: int) -> Iterator[Client]:
    device = Client(CallbackAPIVersion.VERSION2)
    device.username_pw_set(token.public_id, token.token)
    device.max_inflight_messages_set(1_000)
    ends = time.monotonic() + load.START_TIMEOUT_S
    while time.monotonic() < ends:
        with suppress(OSError):
            device.connect(load.HOST, port)
            break
        time.sleep(0.1)
    device.loop_start()
    try:
        yield device
    finally:
        device.disconnect()
        device.loop_stop()
