"""What all tests share: a real PostgreSQL, cloned from a template for each test that asks for one."""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from hypothesis import settings
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy.orm import Session

from schemas.actors import SYSTEM, Actor
from schemas.clock import FixedClock
from schemas.store.engine import Database
from schemas.store.work import Work
from tests import lanes, scratch
from tests.world import build_world

# Tests ask more often than any reader; tests/web/test_rates.py counts.
os.environ["SKYWARDEN_RATE_LIMITS"] = "0"
os.environ["SKYWARDEN_MAP_LAG_S"] = "0"
# How long one example takes says something of the machine, and at the first call of the compiler.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

ROOT = Path(__file__).resolve().parent.parent
TEST_CLUSTER = ROOT / ".local" / "tests"
# The first PostgreSQL that asks how a database is to be copied.
STRATEGIES_SINCE = 150000
SHANGHAI = ZoneInfo("Asia/Shanghai")
TEN_ON_THE_FIRST_FLYING_DAY = datetime(2025, 7, 2, 10, 0, tzinfo=SHANGHAI)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits comes first, and what is soon done comes last, so that no worker is left alone at the end."""
    items.sort(key=lambda item: lanes.rank(item.nodeid))


def pytest_collection_finish() -> None:
    """Ten thousand tests and what they import stay until the end: nobody need look again whether they can go."""
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Whole files to workers, what waits beside what computes."""
    return lanes.make(config, log)


def _url(admin_url: str) -> str:
    return admin_url.replace("postgresql+psycopg://", "postgresql://")


class TestServer:
    """The server that serves the tests, and the template databases made on it."""

    __test__ = False

    def __init__(self) -> None:
        external = os.environ.get("SKYWARDEN_TEST_DATABASE_URL")
        # One run of the tests; its workers share what all of them begin with.
        self.run = os.environ.get("PYTEST_XDIST_TESTRUNUID", uuid.uuid4().hex)[:10]
        self.cluster = None if external else scratch.cluster(TEST_CLUSTER, self.run)
        self.external = external
        self.janitor: ThreadPoolExecutor
        self.prefix = f"skywarden_test_{self.run}_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """The test cluster while tests use it; it promises no durability, so that clones cost little to drop."""
        with (
            scratch.in_use(self.cluster) if self.cluster else contextlib.nullcontext(),
            self._present(),
            # Dropping takes a moment, most of it waiting: it goes on beside the tests that follow.
            ThreadPoolExecutor(1) as self.janitor,
        ):
            yield

    def _connected(self) -> psycopg.Connection[Any]:
        return psycopg.connect(_url(self.database("postgres").admin_url), autocommit=True)

    @contextlib.contextmanager
    def _present(self) -> Iterator[None]:
        """Counts as one of the workers of this run; the last of them to leave drops what they shared."""
        key = int(self.run, 16)
        with self._connected() as connection:
            connection.execute("SELECT pg_advisory_lock_shared(%s)", (key,))
            yield
            connection.execute("SELECT pg_advisory_unlock_shared(%s)", (key,))
            left = connection.execute("SELECT pg_try_advisory_lock(%s)", (key,)).fetchone()
            if left == (True,):
                made = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"
                for (name,) in connection.execute(made, (f"skywarden_test_{self.run}_shared_",)).fetchall():
                    connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def shared(self, kind: str, make: Callable[[str], None]) -> str:
        """The template database of that kind; the first worker that asks for it makes it, the others wait for that."""
        name = f"skywarden_test_{self.run}_shared_{kind}"
        with self._connected() as connection:
            connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", (name,))
            there = connection.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).fetchone()
            if there is None:
                # Under another name first: half of it is never taken for the whole.
                unfinished = f"{name}_unfinished"
                connection.execute(f'DROP DATABASE IF EXISTS "{unfinished}" WITH (FORCE)')
                make(unfinished)
                self.patiently(f'ALTER DATABASE "{unfinished}" RENAME TO "{name}"')
        return name

    def database(self, name: str) -> Database:
        if self.cluster:
            return Database.of_cluster(self.cluster, name)
        assert self.external
        base, _, _ = self.external.rpartition("/")
        return Database.of_url(f"{base}/{name}")

    def execute(self, statement: str) -> None:
        with psycopg.connect(_url(self.database("postgres").admin_url), autocommit=True) as connection:
            connection.execute(statement)

    @functools.cached_property
    def copying(self) -> str:
        """How a template is copied: file by file, which costs half of the other way; older servers know no other."""
        with psycopg.connect(_url(self.database("postgres").admin_url)) as connection:
            return "STRATEGY FILE_COPY" if connection.info.server_version >= STRATEGIES_SINCE else ""

    def clone(self, template: str, name: str = "") -> str:
        name = name or f"{self.prefix}_{uuid.uuid4().hex[:10]}"
        self.patiently(f'CREATE DATABASE "{name}" TEMPLATE "{template}" {self.copying}')
        return name

    def patiently(self, statement: str) -> None:
        """Executes what needs a database that nobody uses any more."""
        patience_until = time.monotonic() + 60
        while True:
            try:
                return self.execute(statement)
            except psycopg.errors.ObjectInUse:
                # Whoever wrote the template has closed it; on a busy machine the server takes a while to notice.
                if time.monotonic() > patience_until:
                    raise

    def drop(self, name: str) -> None:
        self.janitor.submit(self.execute, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


class CompiledTemplates(BytecodeCache):
    """Templates that this process compiled; Jinja asks by the sum of their text."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


@pytest.fixture(scope="session")
def server() -> Iterator[TestServer]:
    made = TestServer()
    with made.running():
        # Not before: the server that is started gives way to nobody.
        lanes.give_way()
        yield made


@pytest.fixture(scope="session")
def empty_template(server: TestServer) -> str:
    """A migrated database without a row."""
    from schemas.store.migrate import migrate

    def make(name: str) -> None:
        server.execute(f'CREATE DATABASE "{name}"')
        migrate(server.database(name))

    return server.shared("empty", make)


@pytest.fixture(scope="session")
def world_template(server: TestServer, empty_template: str) -> str:
    """A database with the fixtures of requirements.md 3.0: A1, the people, PA1, R1, Z1, DV1, DR1."""

    def make(name: str) -> None:
        engine = server.database(server.clone(empty_template, name)).admin_engine()
        try:
            with Session(engine) as session:
                build_world(session)
                session.commit()
        finally:
            engine.dispose()

    return server.shared("world", make)


@pytest.fixture(scope="session", autouse=True)
def _templates_compiled_once() -> None:
    """Most tests of pages make an application of their own: what their templates compile to is the same for all."""
    from web.permissions import GuardedFlask

    GuardedFlask.jinja_options = {**GuardedFlask.jinja_options, "bytecode_cache": CompiledTemplates()}


@pytest.fixture
def clock() -> FixedClock:
    """2025-07-02 10:00 in Qinghe: R1 may fly."""
    return FixedClock(TEN_ON_THE_FIRST_FLYING_DAY)


@pytest.fixture
def clone(server: TestServer) -> Iterator[Callable[[str], Database]]:
    """Clones of template databases, dropped when the test ends."""
    names: list[str] = []

    def make(template: str) -> Database:
        names.append(server.clone(template))
        return server.database(names[-1])

    yield make
    for name in names:
        server.drop(name)


@dataclass(frozen=True)
class Start:
    """What a test begins with: the database to clone, and the files of the data directory, if there are any."""

    database: str
    files: Path | None = None


@pytest.fixture
def beginning(world_template: str) -> Start:
    """The world of the fixtures and no files; a module whose tests all begin further on gives another one."""
    return Start(world_template)


@pytest.fixture
def database(clone: Callable[[str], Database], beginning: Start) -> Database:
    """A database of its own that holds the world of the fixtures, or what the module starts with."""
    return clone(beginning.database)


@contextlib.contextmanager
def opened(server: TestServer, beginning: Start) -> Iterator[Any]:
    """The services on what tests start with, to take it further."""
    from web.settings import Settings
    from web.wiring import Services

    clock = FixedClock(TEN_ON_THE_FIRST_FLYING_DAY)
    services = Services(Settings(data_dir=beginning.files), server.database(beginning.database), clock)
    try:
        yield services
    finally:
        services.close()


@pytest.fixture
def services(database: Database, clock: FixedClock, tmp_path: Path, beginning: Start) -> Iterator[object]:
    """The services on a database of their own, at the fixed clock."""
    from web.settings import Settings
    from web.wiring import Services

    made = Services(Settings(data_dir=tmp_path / "data"), database, clock)
    if beginning.files:
        shutil.copytree(beginning.files, made.data_dir)
    else:
        made.data_dir.mkdir()
    yield made
    made.close()


def work_on(services: Any) -> Callable[[str], Work]:
    """What `work` is, on services that a fixture opened."""

    def make(code: str = "SYSTEM") -> Work:
        actor: Actor = SYSTEM if code == "SYSTEM" else services.actor(code)
        return services.work(actor)  # type: ignore[no-any-return]

    return make


@pytest.fixture
def work(services: object) -> Callable[[str], Work]:
    """`work("H1")` is a unit of work by that person; `work("SYSTEM")` by the system."""
    return work_on(services)


@pytest.fixture
def session(services: object) -> Iterator[Session]:
    """A session as the application role; rolled back at the end."""
    with services.session() as made, contextlib.suppress(psycopg.errors.InFailedSqlTransaction):  # type: ignore[attr-defined]
        yield made


@pytest.fixture
def admin(database: Database) -> Iterator[psycopg.Connection]:
    """A connection as the administrator, to age what the application may not."""
    with psycopg.connect(_url(database.admin_url), autocommit=True) as connection:
        yield connection
