"""A web client on the world of the fixtures."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from schemas.clock import FixedClock
from schemas.tables import Person
from tests.conftest import TEN_ON_THE_FIRST_FLYING_DAY, Start, opened
from tests.web.findings import take_in
from web.app import create_app
from web.identity import sessions
from web.identity.passwords import Passwords
from web.identity.request_identity import EXPIRY
from web.settings import Settings
from web.wiring import Services

PASSWORD = "a password of the tests"
HTML = {"Accept": "text/html"}
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


@cache
def password_hash() -> str:
    return Passwords().hash(PASSWORD)


@pytest.fixture(scope="module")
def shared_app(server, world_template, tmp_path_factory):
    """The application on one world for a whole module of tests that only read."""
    name = server.clone(world_template)
    services = Services(
        Settings(data_dir=tmp_path_factory.mktemp("data")),
        server.database(name),
        FixedClock(TEN_ON_THE_FIRST_FLYING_DAY),
    )
    yield create_app(services)
    services.close()
    server.drop(name)


@pytest.fixture
def reader(shared_app) -> FlaskClient:
    """A client of the shared application: for tests that change nothing."""
    return shared_app.test_client()


@pytest.fixture(scope="module")
def reading_as(shared_app):
    """`reading_as("F1")` is a client of the shared application, signed in: for tests that change nothing."""
    clients = {}

    def make(code: str) -> FlaskClient:
        if code not in clients:
            clients[code] = _signed_in(shared_app, code)
        return clients[code]

    return make


def _signed_in(app, code: str) -> FlaskClient:
    services = app.extensions["services"]
    with Session(services.engine) as db:
        person_id = db.query(Person.id).filter(Person.code == code).scalar()
        token = sessions.start(db, person_id, services.clock.now(), EXPIRY)
        db.commit()
    client = app.test_client()
    client.set_cookie("sid", token)
    return client


@pytest.fixture(scope="session")
def pictured(server, world_template, tmp_path_factory):
    """The world with both scenes of `make_findings` taken in, for modules that all begin with its findings."""
    folder = tmp_path_factory.mktemp("pictured")
    made = Start(server.clone(world_template), folder / "data")
    made.files.mkdir()
    with opened(server, made) as services:
        take_in(services, folder)
    yield made
    server.drop(made.database)


@pytest.fixture
def app(services):
    made = create_app(services)
    made.config["TESTING"] = False
    return made


@pytest.fixture
def client(app) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def signed_in(app) -> Callable[[str], FlaskClient]:
    """A client that is signed in as the person with that code."""
    return lambda code: _signed_in(app, code)


@pytest.fixture
def with_password(services, admin) -> Callable[[str], None]:
    """Gives a person the password of the tests."""

    def give(code: str) -> None:
        admin.execute("UPDATE core.person SET password_hash = %s WHERE code = %s", (password_hash(), code))

    return give
