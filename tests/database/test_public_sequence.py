"""The publication sequence: numbers in the order of commit, for what the public sees and for nothing else."""

import itertools
import uuid
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from schemas.store.engine import PUBLIC
from tests.classified import CLASSIFIED
from tests.database.plain import Plain, connect

SECRET = CLASSIFIED | {"secret_document": "x", "secret_authority": "x", "secret_level": "x", "secret": True}


@pytest.fixture
def public(blank):
    with connect(blank, PUBLIC) as connection:
        yield connection


@pytest.fixture
def second(blank, plain):
    """Another session of the application, with numbers of its own."""
    with connect(blank) as connection:
        made = Plain(connection)
        made._number = itertools.count(1_000_000)
        yield made


@pytest.fixture
def shown(public):
    """What a reader goes by: the word, and the number."""
    return lambda: public.execute(
        "SELECT r.revision, s.seq FROM public_map.revision r, public_map.sequence s"
    ).fetchone()


@pytest.fixture
def changes(public):
    def read(columns="change"):
        return public.execute(f"SELECT {columns} FROM public_map.changes ORDER BY seq, on_day").fetchall()

    return read


def append(plain):
    plain.run("SELECT ledger.append('a', 'b', 'c', 'd', '{}', NULL, NULL, 'live')")


def test_sequence__whoever_begins_first_and_commits_last__has_the_last_number(plain, second, shown, changes):
    first, other = plain.device("published"), plain.device("published")
    start = shown()
    with plain.connection.transaction():
        append(plain)  # the older event is the one that becomes visible later
        plain.publish(first)
        with second.connection.transaction():
            append(second)
            second.publish(other)
        between = shown()
        assert between[1] == start[1] + 1
    after = shown()
    assert after[1] == between[1] + 1
    assert len({start[0], between[0], after[0]}) == 3
    ids = dict(plain.run("SELECT id, public_id FROM core.device"))
    assert changes("seq, public_id") == [(between[1], ids[other]), (after[1], ids[first])]


def test_sequence__two_write_of_one_device_at_once__nothing_of_either_is_lost(plain, second, public):
    device = plain.device("published")
    plain.publish(device, channels=("platform_map",))
    with plain.connection.transaction():
        plain.run("UPDATE core.device SET name = 'another name' WHERE id = %s", device)
        second.publish(device, channels=("official_disclosure",))
    row = public.execute("SELECT name, earliest_activation IS NOT NULL FROM public_map.devices").fetchone()
    assert row == ("another name", True)


def test_sequence__refusals_and_findings__leave_it_alone(plain, shown):
    plain.publish(plain.device("published"))
    before = shown()
    append(plain)
    plain.insert("person", code="F1", name_en="F1", name_zh="F1", authority_id=plain.authority())
    plain.device("registered")
    plain.area("draft")
    with pytest.raises(psycopg.Error, match="use without a date"):
        plain.device("active")  # no use without a notice
    assert shown() == before


def test_sequence__rolled_back__no_number(plain, shown):
    device = plain.device("published")
    before = shown()
    with plain.connection.transaction(force_rollback=True):
        plain.publish(device)
    assert shown() == before
    plain.publish(device)
    assert shown()[1] == before[1] + len(("official_disclosure", "platform_map"))


def test_sequence__done_and_undone_within_a_transaction__never_shown(plain, shown, changes):
    device = plain.device("published")
    plain.publish(device)
    before, told = shown(), changes()
    with plain.connection.transaction():
        plain.run("UPDATE core.device SET name = 'wrong' WHERE id = %s", device)
        plain.run("UPDATE core.device SET name = 'camera' WHERE id = %s", device)
    assert (shown(), changes()) == (before, told)


def test_GD_14_6__life_of_a_secret_device__leaves_it_alone(plain, shown):
    plain.authority()
    before = shown()
    secret = plain.device("reviewed", **SECRET)
    plain.run("UPDATE core.device SET name = 'another' WHERE id = %s", secret)
    plain.insert("signage", device_id=secret, text="x", verified_on="2025-06-20")
    plain.insert(
        "announcement",
        subject_kind="device",
        subject_id=secret,
        kind="discontinued",
        announced_at=datetime.now(UTC),
        text_en="x",
        text_zh="x",
    )
    assert shown() == before


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE core.authority SET contact_address = 'elsewhere'",
        "UPDATE core.authority SET contact_person = 'the office of public affairs'",
        "INSERT INTO core.base_feature (id, public_id, origin, kind, rank, geom)"
        " SELECT gen_random_uuid(), 'BF-' || n, 'sample', 'land', 0, 'SRID=4326;POINT(113.26 23.13)'"
        " FROM generate_series(1, 50) n",
        "INSERT INTO core.signage (id, public_id, origin, device_id, text, verified_on)"
        " SELECT gen_random_uuid(), 'SG-1', 'sample', id, 'x', '2025-06-20' FROM core.device",
        "UPDATE core.publication SET withdrawn_at = now() WHERE channel = 'official_disclosure'",
    ],
)
def test_sequence__what_stands_beside_a_device__counts_once(plain, shown, statement):
    plain.publish(plain.device("published"))
    before = shown()
    plain.run(statement)
    assert shown()[1] == before[1] + 1


def test_sequence__moment__never_goes_back(plain, public, root):
    plain.publish(plain.device("published"))
    root.execute("UPDATE core.public_batch SET at = now() + interval '1 hour' WHERE seq = 2")
    ahead = public.execute("SELECT at FROM public_map.sequence").fetchone()
    plain.zone()
    assert public.execute("SELECT at FROM public_map.sequence").fetchone() > ahead


def test_revision__zone_that_ends_at_its_own_hour__changes_and_so_does_the_moment(plain, public, root, shown):
    plain.zone(valid_to=datetime.now(UTC) + timedelta(days=2))
    before, moment = shown(), public.execute("SELECT at FROM public_map.sequence").fetchone()
    # Its hour comes at once, and nothing is recorded: an end that is waited for may be over before it is looked at.
    root.execute("ALTER TABLE core.privacy_zone DISABLE TRIGGER ALL")
    root.execute("UPDATE core.privacy_zone SET valid_to = clock_timestamp()")
    after = shown()
    assert after[0] != before[0]
    assert after[1] == before[1]
    assert public.execute("SELECT at FROM public_map.sequence").fetchone() > moment


@pytest.mark.parametrize(
    "table", ["shown", "public_touch", "public_turn", "public_batch", "public_change", "public_span"]
)
@pytest.mark.parametrize("statement", ["INSERT INTO core.{0} SELECT * FROM core.{0}", "DELETE FROM core.{0}"])
def test_P4__application__cannot_write_what_is_shown(plain, table, statement):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        plain.run(statement.format(table))


@pytest.mark.parametrize("call", ["touch_public('device', gen_random_uuid())", "renew_shown(1, 'device', '{}')"])
def test_P4__application__cannot_give_itself_a_number(plain, call):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        plain.run(f"SELECT core.{call}")


# -- two sessions in any order ---------------------------------------------------------------------


def test_sequence__one_device_after_a_great_import__is_not_looked_for_among_all(plain, root):
    """What the statistics say after an import, all changes of one number, makes no publication read them all."""
    plain.publish(plain.device("published"))
    some = (
        "(SELECT t FROM core.{table} t WHERE t.subject_id IS NOT NULL LIMIT 1) AS one (row), generate_series(1, 5000) n"
    )
    other = "jsonb_populate_record(one.row, jsonb_build_object({told}, 'subject_id', md5(n::text)))"
    root.execute("SET session_replication_role = replica")
    for table, told in (("public_change", "'id', -n"), ("public_span", "'valid_to', NULL")):
        every = f"INSERT INTO core.{table} SELECT made.* FROM {some}, {other} AS made"
        root.execute(every.format(table=table, told=told))
    root.execute("ANALYZE core.public_change, core.public_span")
    read = (
        "SELECT relname, seq_tup_read FROM pg_stat_xact_user_tables WHERE relname IN ('public_change', 'public_span')"
    )
    for _ in range(7):  # more often than a connection plans anew before it keeps a plan
        device = plain.device("published")
        with plain.connection.transaction():
            plain.publish(device)
            plain.run("SET CONSTRAINTS core.take_turn IMMEDIATE")
            assert max(rows for _, rows in plain.connection.execute(read)) < 1000


class TwoSessions(RuleBasedStateMachine):
    """Two sessions write in turn, each in transactions of its own; a third reads as the public does."""

    links = public = root = None

    @initialize()
    def begin(self):
        self.sessions = [Plain(link) for link in self.links]
        for session in self.sessions:
            session._number = itertools.count(uuid.uuid4().int % 10**15)
            session.run("SET lock_timeout = '5s'")
        self.devices = []  # with whoever has changed it and not committed yet
        self.open = [None, None]
        self.held = [set(), set()]
        self.seen = [False, False]
        self.word, self.number = self.read()

    def read(self):
        return self.public.execute(
            "SELECT r.revision, s.seq FROM public_map.revision r, public_map.sequence s"
        ).fetchone()

    def write(self, who, is_seen):
        if self.open[who] is None:
            self.check(is_seen)
        else:
            self.seen[who] = self.seen[who] or is_seen

    def check(self, is_seen):
        word, number = self.read()
        assert (word != self.word) == (number != self.number) == is_seen
        assert number in (self.number, self.number + 1)
        self.word, self.number = word, number

    @rule(who=st.integers(0, 1))
    def start(self, who):
        if self.open[who] is None:
            self.open[who] = self.links[who].transaction()
            self.open[who].__enter__()

    @rule(who=st.integers(0, 1), keeps=st.booleans())
    def end(self, who, keeps):
        if self.open[who] is None:
            return
        if keeps:
            self.open[who].__exit__(None, None, None)
        else:
            self.open[who].__exit__(psycopg.Rollback, psycopg.Rollback(), None)
        self.open[who] = None
        if not keeps:
            there = {row[0] for row in self.root.execute("SELECT id FROM core.device")}
            self.devices = [device for device in self.devices if device in there or device not in self.held[who]]
        self.held[who] = set()
        self.check(keeps and self.seen[who])
        self.seen[who] = False

    @rule(who=st.integers(0, 1))
    def publish_a_new_one(self, who):
        device = self.sessions[who].device("published")
        self.sessions[who].publish(device, channels=("platform_map",))
        self.devices.append(device)
        if self.open[who] is not None:
            self.held[who].add(device)
        self.write(who, is_seen=True)

    @precondition(lambda self: self.devices)
    @rule(who=st.integers(0, 1), pick=st.integers(0, 1000))
    def name_one(self, who, pick):
        device = self.devices[pick % len(self.devices)]
        if device in self.held[1 - who]:
            return
        self.sessions[who].run("UPDATE core.device SET name = %s WHERE id = %s", f"camera {uuid.uuid4()}", device)
        if self.open[who] is not None:
            self.held[who].add(device)
        self.write(who, is_seen=True)

    @precondition(lambda self: self.devices)
    @rule(who=st.integers(0, 1), pick=st.integers(0, 1000))
    def tell_of_one(self, who, pick):
        """Another channel for a device that the other session may be changing."""
        device = self.devices[pick % len(self.devices)]
        self.sessions[who].publish(device, channels=("official_disclosure",))
        self.write(who, is_seen=True)

    @rule(who=st.integers(0, 1))
    def write_what_nobody_sees(self, who):
        append(self.sessions[who])
        self.sessions[who].device("registered")
        self.sessions[who].device("reviewed", **SECRET)
        self.write(who, is_seen=False)

    @invariant()
    def shown_is_what_is_to_be_shown(self):
        differ = self.root.execute(
            "SELECT count(*) FROM core.shown s FULL JOIN core.showable v"
            " ON v.kind = s.kind AND v.subject_id = s.subject_id WHERE s.told IS DISTINCT FROM v.told"
        ).fetchone()
        assert differ == (0,)

    @invariant()
    def all_numbers_can_be_read(self):
        highest = self.public.execute("SELECT max(seq) FROM public_map.changes").fetchone()[0]
        assert highest is None or highest <= self.number

    @invariant()
    def nothing_is_left_behind(self):
        assert self.root.execute("SELECT count(*) FROM core.public_touch").fetchone() == (0,)
        assert self.root.execute("SELECT count(*) FROM core.public_turn").fetchone() == (0,)

    def teardown(self):
        for who in (0, 1):
            self.end(who, keeps=False)


def test_sequence__two_sessions_in_any_order__numbers_follow_what_is_seen(plain, second, public, root):
    plain.authority()
    TwoSessions.links, TwoSessions.public, TwoSessions.root = (plain.connection, second.connection), public, root
    run_state_machine_as_test(
        TwoSessions,
        settings=settings(
            max_examples=10, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
