"""A migrated database without a row but the mark of sample data, and plain SQL as the application role."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

import numpy as np
import psycopg
import pytest
import rasterio
from affine import Affine
from alembic import command
from sqlalchemy import text
from sqlalchemy.orm import Session

from flights.ground import TERRAIN_FILE
from geo.coverage.relief import SURFACE_FILE
from schemas.store.engine import Database
from schemas.store.migrate import migrate
from tests.conftest import TestServer, opened
from tests.database.digging import Dug, add_item, ingest_pair
from tests.database.plain import Plain, connect, connect_admin, rule_of
from web import scenes


@pytest.fixture
def blank(clone: Callable[[str], Database], empty_template: str) -> Database:
    return clone(empty_template)


@pytest.fixture(scope="session")
def template_of_0009(server: TestServer) -> str:
    """An empty database as the migration before found it."""

    def make(name: str) -> None:
        upgrade = command.upgrade
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(command, "upgrade", lambda config, _: upgrade(config, "0009"))
            migrate(server.database(name))

    return server.shared("of_0009", make)


@pytest.fixture
def of_0009(clone: Callable[[str], Database], template_of_0009: str) -> Database:
    """A database as the migration before found it; `migrate` brings it further."""
    return clone(template_of_0009)


@pytest.fixture
def plain(blank: Database) -> Iterator[Plain]:
    with connect(blank) as connection:
        connection.execute("INSERT INTO core.installation (key, value) VALUES ('sample_data', 'test')")
        yield Plain(connection)


@pytest.fixture
def root(blank: Database) -> Iterator[psycopg.Connection]:
    with connect_admin(blank) as connection:
        yield connection


@pytest.fixture
def ground(services):
    """A level elevation model of the district, 12 m above the sea."""
    profile = {
        "driver": "GTiff",
        "width": 32,
        "height": 28,
        "count": 1,
        "dtype": "float32",
        "crs": "EPSG:4326",
        "transform": Affine(0.005, 0, 113.20, 0, -0.005, 23.22),
    }
    with rasterio.open(services.data_dir / TERRAIN_FILE, "w", **profile) as target:
        target.write(np.full((28, 32), 12.0, dtype=np.float32), 1)


@pytest.fixture
def wall(services):
    """`wall()` is a surface model that knows nothing but a wall of 30 m, some 100 m east of 113.261, 23.127."""

    def build():
        profile = {
            "driver": "GTiff",
            "width": 4,
            "height": 200,
            "count": 1,
            "dtype": "float32",
            "crs": "EPSG:4326",
            "transform": Affine(0.00005, 0, 113.262, 0, -0.00005, 23.132),
        }
        with rasterio.open(services.data_dir / SURFACE_FILE, "w", **profile) as target:
            target.write(np.full((200, 4), 42.0, dtype=np.float32), 1)

    return build


@pytest.fixture(scope="session")
def dug(server: TestServer, world_template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dug]:
    """An installation in which two scenes of a pit were taken in; nobody looked at them yet."""
    made = Dug(server.clone(world_template), tmp_path_factory.mktemp("dug") / "data")
    made.files.mkdir()
    add_item(server.database(made.database))
    with opened(server, made) as services:
        before, after = ingest_pair(services, made.files.parent)
    yield replace(made, before=before, after=after)
    server.drop(made.database)


@pytest.fixture(scope="session")
def found(server: TestServer, dug: Dug, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dug]:
    """The same, and the pit was found."""
    made = replace(dug, database=server.clone(dug.database), files=tmp_path_factory.mktemp("found") / "data")
    shutil.copytree(dug.files, made.files)
    with opened(server, made) as services:
        (detection,) = scenes.segment(services, made.after, before=made.before).detections
    yield replace(made, detection=detection)
    server.drop(made.database)


@pytest.fixture
def past_the_judge(database: Database) -> Iterator[Callable[[], AbstractContextManager[Session]]]:
    """`with past_the_judge() as session:` writes what the database refuses to everybody but its administrator."""
    engine = database.admin_engine()

    @contextmanager
    def meddle() -> Iterator[Session]:
        with Session(engine) as session, session.begin():
            session.execute(text("SET LOCAL session_replication_role = replica"))
            yield session

    yield meddle
    engine.dispose()


@pytest.fixture
def refused_by() -> Callable[[str], object]:
    """`with refused_by("GD-15"):` expects that the database itself refuses under that rule."""

    class Refused:
        def __init__(self, rule: str) -> None:
            self.rule = rule

        def __enter__(self) -> None:
            pass

        def __exit__(self, kind: object, error: object, trace: object) -> bool:
            assert isinstance(error, psycopg.Error), f"not refused; {self.rule} was expected"
            assert rule_of(error) == self.rule, str(error)
            return True

    return Refused
