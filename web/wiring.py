"""Wiring: the one place where every package meets and services are made."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, tzinfo
from functools import cache, cached_property
from pathlib import Path

from shapely.geometry import Point
from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.orm import Session

import enforcement.guards
import flights.guards
import geo.guards
import sensing.guards
from geo.channels import Channel
from schemas.actors import SYSTEM, Actor, ActorKind, Grant
from schemas.clock import Clock, SystemClock
from schemas.machine import Guard, Machine, state_tables
from schemas.refusals import RuleViolation, forbidden, not_found
from schemas.roles import Role
from schemas.rules import Rulebook, RulePack
from schemas.store.cluster import Cluster
from schemas.store.engine import APP, PUBLIC, Database
from schemas.store.migrate import migrate
from schemas.store.work import Work
from schemas.tables import Installation, Person, RoleAssignment
from web.channels import read_channels
from web.settings import ROOT, Settings

# So many connections of readers are kept by a process, one for each of its threads (web/server.py): one more would be
# opened for a single question, which takes longer than most answers.
READING = 8


def all_guards() -> dict[str, Guard]:
    """The guards of all packages by name; raises ValueError where two packages claim one name."""
    guards: dict[str, Guard] = {}
    for package in (geo.guards, flights.guards, sensing.guards, enforcement.guards):
        twice = guards.keys() & package.GUARDS.keys()
        if twice:
            raise ValueError(f"guards registered twice: {sorted(twice)}")
        guards.update(package.GUARDS)
    return guards


@cache
def _rulebook() -> Rulebook:
    # It comes with the house and never changes, and takes longer to read than most commands.
    return Rulebook.load()


@dataclass
class Services:
    """Everything that a page or a command needs; made once per process."""

    settings: Settings
    database: Database
    clock: Clock = field(default_factory=SystemClock)
    _zone: tzinfo | None = field(default=None, init=False)

    @cached_property
    def engine(self) -> Engine:
        """Connections as the application role."""
        return self.database.engine(APP)

    @cached_property
    def public_engine(self) -> Engine:
        """Connections as the public role, which reads the views of `public_map` and nothing else."""
        return self.database.engine(PUBLIC, pool_size=READING)

    @cached_property
    def rulebook(self) -> Rulebook:
        """The rule packs of this installation."""
        return _rulebook()

    @cached_property
    def machine(self) -> Machine:
        """The machine with the guards of all packages."""
        return Machine(state_tables(), all_guards())

    @cached_property
    def channels(self) -> Mapping[str, Channel]:
        """The channels that publish for us, by their code in the rule pack; raises ChannelsUnreadable."""
        return read_channels(self.settings.channels, self.clock)

    @property
    def data_dir(self) -> Path:
        """Where originals, derivatives and flight logs lie."""
        return self.settings.data_dir

    def work(self, actor: Actor = SYSTEM) -> Work:
        """A unit of work on behalf of `actor`."""
        return Work(self.engine, actor=actor, clock=self.clock, machine=self.machine, rulebook=self.rulebook)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session for reading; whatever it would change is rolled back."""
        with Session(self.engine, expire_on_commit=False) as session:
            yield session
            # What was read stays readable: a rollback would empty rows that still belong to the session.
            session.expunge_all()
            session.rollback()

    @contextmanager
    def housekeeping(self) -> Iterator[Session]:
        """A committing session for web sessions, login counters and bands of work: no commands, and no events."""
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def public(self) -> Iterator[Connection]:
        """A connection of the public role, which can read the views of `public_map` and nothing else."""
        with self.public_engine.connect() as connection:
            yield connection

    def with_clock(self, clock: Clock) -> Services:
        """The same services under another clock."""
        return replace(self, clock=clock)

    @property
    def zone(self) -> tzinfo:
        """The time zone of `rules`; UTC while there are none."""
        if self._zone is None:
            rules = self.rules
            self._zone = rules.zone if rules else None
        return self._zone or UTC

    @property
    def rules(self) -> RulePack | None:
        """The rule pack in force where the first authority that lies under one acts; None where none does."""
        with self.public() as public:
            places = public.execute(
                text(
                    "SELECT ST_X(p), ST_Y(p) FROM (SELECT public_id, ST_PointOnSurface(geom) AS p "
                    "FROM public_map.authorities) AS a ORDER BY public_id"
                )
            ).all()
        for lon, lat in places:
            try:
                return self.rulebook.at_place(Point(lon, lat), self.clock.now())
            except RuleViolation:
                continue
        return None

    @property
    def today(self) -> date:
        """The local date."""
        return self.clock.now().astimezone(self.zone).date()

    @property
    def holds_sample_data(self) -> bool:
        """Whether the fictional district is loaded; pages then say so."""
        with self.session() as session:
            return session.get(Installation, "sample_data") is not None

    def actor(self, code: str) -> Actor:
        """The actor of a person of the sample data (`--as CODE`); refused on any other database."""
        if not self.holds_sample_data:
            raise forbidden("actor.sample_only")
        with self.session() as session:
            person = session.scalars(select(Person).where(Person.code == code)).one_or_none()
            if person is None:
                raise not_found("actor.unknown", measured=code)
            return actor_of(session, person, self.today)

    def acting(self, person_id: uuid.UUID) -> Actor:
        """The actor of somebody whose order is carried out now, with the roles held now; 404 where there is none."""
        with self.session() as session:
            person = session.get(Person, person_id)
            if person is None:
                raise not_found("actor.unknown", measured=str(person_id))
            return actor_of(session, person, self.today)

    def close(self) -> None:
        """Closes the connections that were opened."""
        for name in ("engine", "public_engine"):
            if name in self.__dict__:
                self.__dict__[name].dispose()


def actor_of(session: Session, person: Person, today: date) -> Actor:
    """The actor of `person` with the roles held on the local date `today`."""
    rows = session.scalars(select(RoleAssignment).where(RoleAssignment.person_id == person.id))
    grants = frozenset(
        Grant(Role(row.role), row.authority_id)
        for row in rows
        if row.valid_from <= today and (row.valid_to is None or today <= row.valid_to)
    )
    return Actor(ActorKind.PERSON, person.id, person.code, person.name_en, grants)


def build(settings: Settings | None = None, clock: Clock | None = None) -> Services:
    """Services on the configured database, which is started and migrated where that is ours to do."""
    settings = settings or Settings()
    database = _database(settings)
    migrate(database)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    return Services(settings, database, clock or SystemClock())


def _database(settings: Settings) -> Database:
    if settings.database_url is not None:
        return Database.of_url(settings.database_url.get_secret_value())
    cluster = Cluster.for_checkout(ROOT)
    cluster.start()
    return Database.of_cluster(cluster, settings.database_name)
