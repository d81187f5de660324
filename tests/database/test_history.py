"""What was shown on which day, and what is shown now: made once, and always what the tables say."""

import itertools
import re
import uuid
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from alembic import command
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

from schemas.store.engine import APP, PUBLIC
from schemas.store.migrate import MIGRATIONS, migrate
from schemas.store.shown import renew_where_due
from tests.classified import CLASSIFIED
from tests.database.plain import FIRST_OF_JUNE, SHANGHAI, Plain, connect

FIRST_OF_JULY = date(2025, 7, 1)
EXACT = "SRID=4326;POLYGON((113.2696 23.1296,113.2697 23.1296,113.2697 23.1297,113.2696 23.1297,113.2696 23.1296))"
MOVED = "SRID=4326;POLYGON((113.251 23.12,113.291 23.12,113.291 23.14,113.251 23.14,113.251 23.12))"


@pytest.fixture
def public(blank):
    with connect(blank, PUBLIC) as connection:
        yield connection


@pytest.fixture
def history(public):
    def read(columns="status, valid_from, valid_to"):
        return public.execute(
            f"SELECT {columns} FROM public_map.history ORDER BY layer, public_id, valid_from"
        ).fetchall()

    return read


@pytest.fixture
def changes(public):
    def read(columns="change, on_day"):
        return public.execute(f"SELECT {columns} FROM public_map.changes ORDER BY seq, on_day").fetchall()

    return read


@pytest.fixture
def replica(root):
    """What the judge refuses to everybody but the administrator."""
    root.execute("SET session_replication_role = replica")
    return root


def announce(plain, subject, kind, *, on, of="device"):
    plain.insert(
        "announcement",
        subject_kind=of,
        subject_id=subject,
        kind=kind,
        announced_at=datetime(on.year, on.month, on.day, 9, tzinfo=SHANGHAI),
        text_en="x",
        text_zh="x",
    )


def in_use(plain, **values):
    """A device as an import asserts it: published on the first of June, in use since the first of July."""
    with plain.connection.transaction():
        device = plain.device("active", activated_on=FIRST_OF_JULY, **values)
        plain.publish(device)
    return device


# -- days ------------------------------------------------------------------------------------------


def test_history__device_imported_in_use__has_its_notice_and_its_use(plain, history, changes):
    in_use(plain)
    assert history("layer, kind, status, valid_from, valid_to, asserted") == [
        ("devices", "video", "in_notice_period", FIRST_OF_JUNE, FIRST_OF_JULY, True),
        ("devices", "video", "active", FIRST_OF_JULY, None, True),
    ]
    assert changes() == [("announced", FIRST_OF_JUNE), ("in_use", FIRST_OF_JULY)]


def test_history__life_of_a_device__one_span_for_each_state(plain, history, changes):
    device = in_use(plain)
    paused, back, ended, gone = (date(2025, 8, day) for day in (1, 5, 20, 28))
    at = {day: datetime(2025, 8, day.day, 9, tzinfo=SHANGHAI) for day in (paused, back)}
    plain.set_state("device", device, "maintenance", state_since=at[paused])
    plain.set_state("device", device, "active", state_since=at[back])
    with plain.connection.transaction():
        announce(plain, device, "discontinued", on=ended)
        plain.set_state("device", device, "discontinued", discontinued_on=ended)
    with plain.connection.transaction():
        announce(plain, device, "retired", on=gone)
        plain.set_state("device", device, "retired")
    assert history() == [
        ("in_notice_period", FIRST_OF_JUNE, FIRST_OF_JULY),
        ("active", FIRST_OF_JULY, paused),
        ("maintenance", paused, back),
        ("active", back, ended),
        ("discontinued", ended, gone),
        ("retired", gone, None),
    ]
    assert changes()[2:] == [("paused", paused), ("resumed", back), ("stopped", ended), ("given_up", gone)]


def test_history__two_states_on_one_day__that_of_its_end(plain, history):
    device = in_use(plain)
    noon = datetime(2025, 8, 1, 12, tzinfo=SHANGHAI)
    plain.set_state("device", device, "maintenance", state_since=noon)
    plain.set_state("device", device, "active", state_since=noon + timedelta(hours=2))
    plain.set_state("device", device, "maintenance", state_since=noon + timedelta(hours=4))
    assert history()[1:] == [("active", FIRST_OF_JULY, date(2025, 8, 1)), ("maintenance", date(2025, 8, 1), None)]


def test_history__live_device__is_witnessed(plain, history):
    live = Plain(plain.connection, origin="live")
    live._number = itertools.count(1_000)
    device = live.device("reviewed")
    today = datetime.now(UTC).astimezone(SHANGHAI)
    live.publish(device, on=today.date(), published_at=today)
    assert history("status, valid_from, asserted") == [("in_notice_period", today.date(), False)]


def test_history__withdrawn_and_announced_again__a_gap(plain, history, changes):
    device = plain.device("reviewed")
    plain.publish(device, channels=("platform_map",))
    down = datetime(2025, 6, 10, 9, tzinfo=SHANGHAI)
    plain.run("UPDATE core.publication SET withdrawn_at = %s", down)
    plain.publish(device, channels=("platform_map",), on=date(2025, 6, 20))
    assert history() == [
        ("in_notice_period", FIRST_OF_JUNE, down.date()),
        ("in_notice_period", date(2025, 6, 20), None),
    ]
    assert [change for change, _ in changes()] == ["announced", "withdrawn", "announced"]


def test_GD_16_3__area_that_changes_a_little__both_shapes_on_their_days(plain, replica, history, changes):
    with plain.connection.transaction():
        area = plain.area("effective", effective_from=FIRST_OF_JULY)
        plain.publish(area, "patrol_area")
    replica.execute("UPDATE core.patrol_area SET geom = %s", [MOVED])
    here = datetime.now(UTC).astimezone(SHANGHAI).date()
    assert history("status, valid_from, valid_to, ST_XMin(geom)") == [
        ("in_notice_period", FIRST_OF_JUNE, FIRST_OF_JULY, 113.25),
        ("effective", FIRST_OF_JULY, here, 113.25),
        ("effective", here, None, 113.251),
    ]
    assert changes()[-1] == ("moved", here)


def test_history__another_name__no_other_span(plain, history, changes):
    device = in_use(plain)
    plain.run("UPDATE core.device SET name = 'by the bridge' WHERE id = %s", device)
    assert history("status, title_en") == [("in_notice_period", "camera"), ("active", "by the bridge")]
    assert changes("change")[-1] == ("word",)


def test_history__announced_twice__the_round_between_is_told(plain, history):
    """Rounds, announcements and the row itself tell of a past that nobody witnessed."""
    ended, again, used = date(2025, 8, 1), date(2025, 9, 1), date(2025, 10, 1)
    with plain.connection.transaction():
        device = plain.device("active", activated_on=used)
        plain.publish(device)
        plain.publish(device, on=again, round_no=2)
        announce(plain, device, "discontinued", on=ended)
    assert history() == [
        ("in_notice_period", FIRST_OF_JUNE, FIRST_OF_JULY),
        ("active", FIRST_OF_JULY, ended),
        ("discontinued", ended, again),
        ("in_notice_period", again, used),
        ("active", used, None),
    ]


def test_GD_14_4__end_that_is_announced_last__what_is_announced_anew_is_in_its_notice(plain, history, changes):
    ended = date(2025, 8, 1)
    with plain.connection.transaction():
        device = plain.device("discontinued", discontinued_on=ended)
        plain.publish(device, on=date(2025, 9, 1), round_no=2)
    assert history("status") == [("discontinued",)]
    announce(plain, device, "discontinued", on=ended)
    assert history("status")[-1] == ("in_notice_period",)
    assert changes()[-1] == ("announced", date(2025, 9, 1))


@pytest.fixture
def of_0006(server, monkeypatch):
    """A database as the migration before found it; what it says when it was brought to the newest version."""
    name = f"{server.prefix}_{uuid.uuid4().hex[:6]}"
    database, upgrade = server.database(name), command.upgrade
    with monkeypatch.context() as patched:
        patched.setattr(command, "upgrade", lambda config, _: upgrade(config, "0006"))
        migrate(database)
    yield database
    server.drop(name)


def test_history__database_that_kept_none__is_filled_from_its_rows(of_0006):
    with connect(of_0006) as connection:
        connection.execute("INSERT INTO core.installation (key, value) VALUES ('sample_data', 'test')")
        plain = Plain(connection)
        in_use(plain, public_id="DV-1")
        plain.zone(public_id="PZ-1")
        with connection.transaction():
            plain.publish(plain.area("published", public_id="PA-1"), "patrol_area")
        plain.device("registered")
    migrate(of_0006)
    with connect(of_0006, PUBLIC) as public:
        told = public.execute("SELECT public_id, status, valid_from, valid_to FROM public_map.history ORDER BY 1, 3")
        assert told.fetchall() == [
            ("DV-1", "in_notice_period", FIRST_OF_JUNE, FIRST_OF_JULY),
            ("DV-1", "active", FIRST_OF_JULY, None),
            ("PA-1", "in_notice_period", FIRST_OF_JUNE, None),
            ("PZ-1", "effective", date(2025, 5, 1), None),
        ]
        changes = public.execute("SELECT public_id, change, seq FROM public_map.changes ORDER BY 1, on_day")
        assert changes.fetchall() == [
            ("DV-1", "announced", 1),
            ("DV-1", "in_use", 1),
            ("PA-1", "announced", 1),
            ("PZ-1", "zone_added", 1),
        ]
        for view in ("devices", "patrol_areas", "privacy_zones"):
            assert public.execute(f"SELECT count(*) FROM public_map.{view}").fetchone() == (1,), view


# -- what has no past --------------------------------------------------------------------------------


def test_GD_14_6__device_that_became_secret__leaves_history_as_well(plain, replica, history, changes, public):
    device = in_use(plain)
    plain.run("UPDATE core.device SET name = 'by the bridge' WHERE id = %s", device)
    assert len(history()) == 2
    secret = CLASSIFIED | {"secret": True, "secret_document": "x"}
    names = ", ".join(f"{name} = %s" for name in secret)
    replica.execute(f"UPDATE core.device SET {names}", list(secret.values()))
    assert history() == changes() == []
    assert public.execute("SELECT count(*) FROM public_map.devices").fetchone() == (0,)


def test_5_3__hidden_zone_that_ended__in_no_history(plain, history, changes):
    plain.zone(public_id="open", valid_to=datetime.now(UTC) - timedelta(days=3))
    hidden = {"sensitive": True, "exact_geom": EXACT, "kind": "requested", "source": "request"}
    plain.zone(public_id="over", valid_to=datetime.now(UTC) - timedelta(seconds=1), **hidden)
    plain.zone(public_id="holds", **hidden)
    assert history("public_id, kind, title_en") == [("holds", "other", None), ("open", "public_bathhouse", "bath")]
    assert {row[0] for row in changes("public_id")} == {"holds", "open"}


def test_5_3__zone_that_is_ended__its_last_day_is_told(plain, history, changes):
    zone = plain.zone()
    ends = datetime.now(UTC) + timedelta(days=2)
    plain.run("UPDATE core.privacy_zone SET valid_to = %s WHERE id = %s", ends, zone)
    day_after = ends.astimezone(SHANGHAI).date() + timedelta(days=1)
    assert history() == [("effective", date(2025, 5, 1), day_after)]
    assert changes() == [("zone_added", date(2025, 5, 1)), ("zone_ended", day_after)]


def test_5_3__zone_deleted_past_the_judge__in_no_history(plain, replica, history, changes):
    plain.zone(sensitive=True, exact_geom=EXACT)
    replica.execute("DELETE FROM core.privacy_zone")
    assert history() == changes() == []


def test_5_3__draft_and_what_was_never_announced__in_no_history(plain, history, changes):
    plain.area("approved")
    plain.device("retired")
    assert history() == changes() == []


# -- other rules -------------------------------------------------------------------------------------


def test_GD_02_1__rules_that_begin_today__the_views_do_not_wait_for_the_worker(blank, plain, root, public):
    device = plain.device("published")
    plain.publish(device)
    root.execute("UPDATE core.shown SET good_until = current_date, published_on = NULL, earliest_on = NULL")
    days = "SELECT published_on, earliest_activation FROM public_map.devices"
    assert public.execute(days).fetchall() == [(FIRST_OF_JUNE, FIRST_OF_JULY)]
    engine = blank.engine(APP)
    assert (renew_where_due(engine), renew_where_due(engine)) == (1, 0)
    engine.dispose()
    assert root.execute("SELECT published_on, good_until FROM core.shown").fetchall() == [(FIRST_OF_JUNE, None)]


def test_GD_02_1__rules_that_are_loaded_anew__count_for_what_is_shown(plain, root, public):
    plain.publish(plain.device("published"))
    root.execute("UPDATE law.pack SET lead_days = 40")
    assert public.execute("SELECT earliest_activation - published_on FROM public_map.devices").fetchall() == [(40,)]


# -- any life ------------------------------------------------------------------------------------------

KINDS = ("device", "patrol_area", "deployment_point", "patrol_route")
VIEWS = {"device": "devices", "patrol_area": "patrol_areas", "patrol_route": "patrol_routes"} | {
    "deployment_point": "deployment_points"
}
USED = {"device": "active"}
ENDED = {"device": "discontinued"}
DAYS = st.integers(0, 150).map(lambda days: FIRST_OF_JUNE + timedelta(days=days))


def earlier_views(root):
    """The views as they were before anything was made beforehand, beside the present ones."""
    root.execute("CREATE SCHEMA old")
    found = re.findall(
        r"CREATE OR REPLACE VIEW public_map\.(\w+) WITH \(security_barrier\) (AS\n.*?);\n",
        (Path(MIGRATIONS) / "sql" / "0006_notice.sql").read_text(encoding="utf-8"),
        re.DOTALL,
    )
    assert {name for name, _ in found} == set(VIEWS.values())
    for name, body in found:
        root.execute(f"CREATE VIEW old.{name} {body}")


class Lives(RuleBasedStateMachine):
    """Whatever happens to devices, areas, points and routes, and be it by plain SQL past half of the rules."""

    plain = root = public = None

    @initialize()
    def begin(self):
        self.subjects = []
        self.steps = self.plain.run("SELECT subject, source, target FROM law.step WHERE source <> ''")

    def attempt(self, act):
        """What the judge refuses did not happen."""
        try:
            with self.plain.connection.transaction():
                return act()
        except psycopg.errors.CheckViolation:
            return None

    def change(self, statement, *values):
        """Changes what there is, and that may be nothing."""
        self.plain.connection.execute(statement, values)

    @rule(kind=st.sampled_from(KINDS), data=st.data(), on=DAYS, told=st.booleans())
    def add(self, kind, data, on, told):
        states = sorted({target for subject, _, target in self.steps if subject == kind} | {"registered", "draft"})
        state = data.draw(st.sampled_from(states))
        if made := self.attempt(lambda: self.make(kind, state, on, told)):
            self.subjects.append((kind, made))

    def make(self, kind, state, on, told):
        dates = self.dates(kind, state, on + timedelta(days=40))
        if kind == "device":
            subject = self.plain.device(state, **dates)
        elif kind == "patrol_area":
            subject = self.plain.area(state, **dates)
        elif kind == "deployment_point":
            subject = self.plain.point(state, **dates)
        else:
            subject = self.plain.route(self.plain.area(), state, **dates)
        if told:
            self.plain.publish(subject, kind, on=on)
        return subject

    def dates(self, kind, state, on):
        if state == USED.get(kind, "effective"):
            return {"activated_on" if kind == "device" else "effective_from": on}
        if state == ENDED.get(kind, "suspended"):
            return {"discontinued_on" if kind == "device" else "suspended_on": on}
        return {}

    @precondition(lambda self: self.subjects)
    @rule(pick=st.integers(0, 99), data=st.data(), on=DAYS)
    def step(self, pick, data, on):
        kind, subject = self.subjects[pick % len(self.subjects)]
        ((state,),) = self.plain.run(f"SELECT state FROM core.{kind} WHERE id = %s", subject)
        targets = sorted(target for name, source, target in self.steps if (name, source) == (kind, state))
        if targets:
            target = data.draw(st.sampled_from(targets))
            self.attempt(lambda: self.plain.set_state(kind, subject, target, **self.dates(kind, target, on)))

    @precondition(lambda self: self.subjects)
    @rule(
        pick=st.integers(0, 99),
        on=DAYS,
        round_no=st.integers(1, 3),
        channel=st.sampled_from(["platform_map", "official_disclosure", "media"]),
    )
    def publish(self, pick, on, round_no, channel):
        kind, subject = self.subjects[pick % len(self.subjects)]
        self.attempt(lambda: self.plain.publish(subject, kind, on=on, channels=(channel,), round_no=round_no))

    @precondition(lambda self: self.subjects)
    @rule(pick=st.integers(0, 99), channel=st.sampled_from(["platform_map", "official_disclosure"]), on=DAYS)
    def withdraw(self, pick, channel, on):
        _, subject = self.subjects[pick % len(self.subjects)]
        statement = "UPDATE core.publication SET withdrawn_at = %s WHERE subject_id = %s AND channel = %s"
        self.attempt(lambda: self.change(statement, on, subject, channel))

    @precondition(lambda self: self.subjects)
    @rule(pick=st.integers(0, 99), kind=st.sampled_from(["discontinued", "suspended", "retired"]), on=DAYS)
    def announce(self, pick, kind, on):
        of, subject = self.subjects[pick % len(self.subjects)]
        self.attempt(lambda: announce(self.plain, subject, kind, on=on, of=of))

    @rule(number=st.integers(0, 9))
    def tell_other_words(self, number):
        self.attempt(lambda: self.change("UPDATE core.device SET name = 'camera ' || %s", number))
        self.attempt(lambda: self.change("UPDATE core.patrol_area SET name_en = 'area ' || %s", number))

    @precondition(lambda self: self.subjects)
    @rule(pick=st.integers(0, 99), is_secret=st.booleans())
    def classify(self, pick, is_secret):
        """What no application can do: what is shown becomes a secret, and perhaps comes back."""
        kind, subject = self.subjects[pick % len(self.subjects)]
        if kind == "device":
            statement = "UPDATE core.device SET secret = %s, secret_document = 'x' WHERE id = %s"
            self.root.execute(statement, [is_secret, subject])

    @invariant()
    def shown_is_what_the_earlier_views_told(self):
        for view in VIEWS.values():
            names = [row[0] for row in self.root.execute(COLUMNS_OF, [view])]
            columns = ", ".join(f'"{name}"' for name in names)
            both = f"SELECT {columns} FROM public_map.{view}", f"SELECT {columns} FROM old.{view}"
            for one, other in (both, both[::-1]):
                assert self.root.execute(f"{one} EXCEPT ALL {other}").fetchall() == [], view

    @invariant()
    def one_state_a_day_and_today_that_which_is_shown(self):
        assert self.root.execute(TWICE_A_DAY).fetchone() == (0,)
        assert self.root.execute(ANOTHER_TODAY).fetchall() == []

    @invariant()
    def secrets_have_no_past(self):
        secret = [row[0] for row in self.root.execute("SELECT public_id FROM core.device WHERE secret")]
        for view in ("history", "changes"):
            told = f"SELECT count(*) FROM public_map.{view} WHERE public_id = ANY (%s) AND {KIND_OF[view]}"
            assert self.public.execute(told, [secret]).fetchone() == (0,)

    def teardown(self):
        self.root.execute(
            f"TRUNCATE {', '.join(f'core.{table}' for table in (*KINDS, 'publication', 'announcement'))} CASCADE"
        )
        self.root.execute("TRUNCATE core.shown, core.public_span, core.public_change")


COLUMNS_OF = (
    "SELECT column_name FROM information_schema.columns WHERE table_schema = 'old' AND table_name = %s"
    " ORDER BY ordinal_position"
)
TWICE_A_DAY = """
    SELECT count(*) FROM core.public_span a JOIN core.public_span b
        ON a.kind = b.kind AND a.subject_id = b.subject_id AND a.valid_from < b.valid_from
       AND daterange(a.valid_from, a.valid_to) && daterange(b.valid_from, b.valid_to)
"""
ANOTHER_TODAY = """
    SELECT * FROM (SELECT s.kind, s.subject_id, s.status, s.title_en FROM core.shown s) s
    FULL JOIN (SELECT e.kind, e.subject_id, e.status, e.title_en FROM core.public_span e WHERE e.valid_to IS NULL) e
        USING (kind, subject_id)
    WHERE (s.status, s.title_en) IS DISTINCT FROM (e.status, e.title_en)
"""
KIND_OF = {"history": "layer = 'devices'", "changes": "subject_kind = 'device'"}


def test_shown__any_life__is_what_the_tables_say(plain, replica, public):
    plain.authority()
    earlier_views(replica)
    Lives.plain, Lives.root, Lives.public = plain, replica, public
    run_state_machine_as_test(
        Lives,
        settings=settings(
            max_examples=12, stateful_step_count=14, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
