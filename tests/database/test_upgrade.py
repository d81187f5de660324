"""A database of 0009 is brought further while others read and write in it, whatever is in it, and after a breakdown."""

import itertools
import random
import threading

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from schemas.store.engine import PUBLIC
from schemas.store.migrate import migrate
from tests.database.plain import Plain, connect, connect_admin

# Letters that no packing makes shorter, as many as the register takes in a name.
LONGEST_NAME = "".join(map(chr, random.Random(1).choices(range(0x4E00, 0x9FA5), k=850)))
VERSION = "SELECT version_num FROM core.alembic_version"


def listed(database):
    with connect(database, PUBLIC) as public:
        return [name for (name,) in public.execute("SELECT title FROM public_map.device_names").fetchall()]


NUMBERS = itertools.count(1)


def announced(connection, *names):
    """Devices that the public sees, past the judge."""
    plain = Plain(connection)
    plain._number = NUMBERS
    with connection.transaction():
        connection.execute("SET LOCAL session_replication_role = replica")
        for name in names:
            plain.publish(plain.device("published", name=name))


def test_upgrade__device_with_the_longest_name__is_taken_along_and_listed_in_its_place(of_0009):
    first, last = f"{LONGEST_NAME[:-3]}2", f"{LONGEST_NAME[:-3]}10"
    with connect_admin(of_0009) as connection:
        announced(connection, last, first, "camera")
    migrate(of_0009)
    assert listed(of_0009) == ["camera", first, last]
    with connect_admin(of_0009) as connection:
        announced(connection, LONGEST_NAME)
    assert set(listed(of_0009)) == {"camera", first, last, LONGEST_NAME}


@pytest.fixture
def upgrading(of_0009):
    """Begins the upgrade in a thread of its own; what it raised, when it ends."""

    class Upgrade(threading.Thread):
        error = None

        def run(self):
            try:
                migrate(of_0009)
            except OperationalError as error:
                self.error = error

    made = []

    def begin():
        made.append(Upgrade())
        made[-1].start()
        return made[-1]

    yield begin
    for one in made:
        one.join(60)


def waits(watcher):
    """The process of the upgrade, as soon as it waits for whoever reads or writes."""
    asked = (
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        " AND cardinality(pg_blocking_pids(pid)) > 0"
    )
    while not (found := watcher.execute(asked).fetchall()):
        watcher.execute("SELECT pg_sleep(0.01)")
    return found[0][0]


def test_upgrade__broken_off_and_begun_again_under_readers_and_writers__harms_nobody(of_0009, upgrading):
    with connect_admin(of_0009) as watcher, connect_admin(of_0009) as writer, connect(of_0009, PUBLIC) as reader:
        announced(watcher, "camera")
        with reader.transaction():
            reader.execute("SELECT FROM public_map.device_points")
            broken = upgrading()
            watcher.execute("SELECT pg_terminate_backend(%s)", (waits(watcher),))
            broken.join(60)
        assert isinstance(broken.error.orig, psycopg.OperationalError)
        assert watcher.execute(VERSION).fetchone() == ("0009",)
        whole = upgrading()
        with reader.transaction(), writer.transaction():
            # Each goes on to what the upgrade would have taken before.
            reader.execute("SELECT FROM public_map.device_points")
            writer.execute("UPDATE core.evaluation SET text = text")
            waits(watcher)
            assert reader.execute("SELECT FROM public_map.history").fetchall()
            announced(writer, "later")
        whole.join(60)
        assert whole.error is None
        assert watcher.execute(VERSION).fetchone() > ("0009",)
    assert sorted(listed(of_0009)) == ["camera", "later"]
