"""What all tests share: a real PostgreSQL, cloned from a template for each test that asks for one."""

from __future__ import annotations

import contextlib
import functools
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
from sqlalchemy.orm import Session

from schemas.actors import SYSTEM, Actor
from schemas.clock import FixedClock
from schemas.store.cluster import Cluster
from schemas.store.engine import Database
from schemas.store.work import Work
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
# The tests that wait the most, for flights and other processes: the others compute meanwhile.
WAITING = ("journeys", "process", "browser", "database")
SHANGHAI = ZoneInfo("Asia/Shanghai")
TEN_ON_THE_FIRST_FLYING_DAY = datetime(2025, 7, 2, 10, 0, tzinfo=SHANGHAI)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What waits comes first, so that no worker is left alone with it at the end."""
    rank = {ROOT / "tests" / name: number for number, name in enumerate(WAITING)}
    items.sort(key=lambda item: rank.get(item.path.parent, len(rank)))


def _url(admin_url: str) -> str:
    return admin_url.replace("postgresql+psycopg://", "postgresql://")


class TestServer:
    """The server that serves the tests, and the template databases made on it."""

    __test__ = False

    def __init__(self) -> None:
        external = os.environ.get("SKYWARDEN_TEST_DATABASE_URL")
        self.cluster = None if external else Cluster.for_checkout(TEST_CLUSTER, durable=False)
        self.external = external
        self.janitor: ThreadPoolExecutor
        self.prefix = f"skywarden_test_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{uuid.uuid4().hex[:6]}"

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """The test cluster while tests use it; it promises no durability, so that clones cost little to drop."""
        with (
            self.cluster.in_use() if self.cluster else contextlib.nullcontext(),
            # Dropping takes a moment, most of it waiting: it goes on beside the tests that follow.
            ThreadPoolExecutor(1) as self.janitor,
        ):
            yield

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

    def clone(self, template: str) -> str:
        name = f"{self.prefix}_{uuid.uuid4().hex[:10]}"
        patience_until = time.monotonic() + 60
        while True:
            try:
                self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" {self.copying}')
            except psycopg.errors.ObjectInUse:
                # Whoever wrote the template has closed it; on a busy machine the server takes a while to notice.
                if time.monotonic() > patience_until:
                    raise
            else:
                return name

    def drop(self, name: str) -> None:
        self.janitor.submit(self.execute, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture(scope="session")
def server() -> Iterator[TestServer]:
    made = TestServer()
    with made.running():
        yield made


@pytest.fixture(scope="session")
def empty_template(server: TestServer) -> Iterator[str]:
    """A migrated database without a row."""
    from schemas.store.migrate import migrate

    name = f"{server.prefix}_empty"
    server.execute(f'CREATE DATABASE "{name}"')
    migrate(server.database(name))
    yield name
    server.drop(name)


@pytest.fixture(scope="session")
def world_template(server: TestServer, empty_template: str) -> Iterator[str]:
    """A database with the fixtures of requirements.md 3.0: A1, the people, PA1, R1, Z1, DV1, DR1."""
    name = server.clone(empty_template)
    engine = server.database(name).admin_engine()
    try:
        with Session(engine) as session:
            build_world(session)
            session.commit()
    finally:
        engine.dispose()
    yield name
    server.drop(name)


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
