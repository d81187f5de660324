"""What is shown is made for many subjects at once: the same, to the letter, as it was made of one after the other."""

import itertools
import random
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas.store.migrate import MIGRATIONS, migrate
from tests.classified import CLASSIFIED
from tests.database.plain import FIRST_OF_JUNE, NEUTRAL, PA1, QINGHE, R1, Plain, connect_admin

SUBJECTS = 45
PLACES = (QINGHE, QINGHE, NEUTRAL, "SRID=4326;POINT(-150 -40)")
AREAS = (PA1, "SRID=4326;POLYGON((-39.6 40.4,-39.4 40.4,-39.4 40.6,-39.6 40.6,-39.6 40.4))")
ROUTES = (R1, "SRID=4326;LINESTRING(-39.6 40.4,-39.4 40.6)")
EXACT = "SRID=4326;POLYGON((113.2696 23.1296,113.2697 23.1296,113.2697 23.1297,113.2696 23.1297,113.2696 23.1296))"
CHANNELS = ("platform_map", "platform_map", "official_disclosure", "official_disclosure", "media", "feed", "elsewhere")
KINDS = ("device", "patrol_area", "patrol_route", "deployment_point")
# The functions as they were when each was asked for one subject.
FROZEN = {
    "0001_law": ("law.at",),
    "0001_judge": ("core.earliest_use",),
    "0006_notice": ("core.announced_on",),
    "0008_shown": ("core.notice_of", "core.renew_shown"),
    "0008_spans": ("core.past_of", "core.keep_spans"),
    "0008_sequence": ("core.take_turn",),
}


@pytest.fixture
def replica(root):
    """Past the judge: what is asserted may be in any state."""
    root.execute("SET session_replication_role = replica")
    return root


def frozen():
    """The statements that bring the earlier functions back."""
    for part, names in FROZEN.items():
        told = (Path(MIGRATIONS) / "sql" / f"{part}.sql").read_text(encoding="utf-8")
        for name in names:
            body = rf"CREATE FUNCTION {re.escape(name)}\(.*?(?:\nEND;\n|\$\$;\n|\nRETURN [^;]*;\n)"
            (found,) = re.findall(body, told, re.DOTALL)
            yield found.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)


class Story:
    """Subjects of every kind in every state, drawn by a number: each with rounds, ends and papers of its own."""

    def __init__(self, connection, seed):
        self.plain, self.draw = Plain(connection), random.Random(seed)
        self.states = {kind: ["registered"] if kind == "device" else ["draft"] for kind in KINDS}
        for kind, target in self.plain.run("SELECT DISTINCT subject, target FROM law.step ORDER BY 1, 2"):
            if kind in KINDS:
                self.states[kind].append(target)

    def day(self):
        return FIRST_OF_JUNE + timedelta(days=self.draw.randrange(120))

    def moment(self):
        day = self.day()
        return datetime(day.year, day.month, day.day, self.draw.randrange(24), tzinfo=UTC)

    def tell(self):
        self.plain.authority()
        self.shown_area = self.plain.area("effective")
        for kind, _ in itertools.product(KINDS, range(SUBJECTS)):
            subject = self.subject(kind)
            for _ in range(self.draw.choice((0, 1, 2, 2, 3, 5))):
                self.published(kind, subject)
            for _ in range(self.draw.choice((0, 0, 1, 2))):
                self.announced(kind, subject)
        for _ in range(SUBJECTS):
            self.zone()

    def subject(self, kind):
        state, origin = self.draw.choice(self.states[kind]), self.draw.choice(("live", "sample", "legacy"))
        values = {"origin": origin, "recorded_at": self.moment()}
        begun, ended = (self.draw.choice((None, self.day())) for _ in range(2))
        if kind == "device":
            secret = CLASSIFIED | {"secret_document": "x", "secret": True} if self.draw.random() < 0.1 else {}
            values |= {"activated_on": begun, "discontinued_on": ended, "state_since": self.moment()} | secret
            device = self.plain.device(state, place=self.draw.choice(PLACES), **values)
            for _ in range(self.draw.choice((0, 1, 2))):
                self.plain.insert("signage", device_id=device, text=f"{self.day()}", verified_on=self.day())
            return device
        values |= {"effective_from": begun, "suspended_on": ended}
        if kind == "patrol_area":
            return self.plain.area(state, geom=self.draw.choice(AREAS), **values)
        if kind == "patrol_route":
            return self.plain.route(self.shown_area, state, geom=self.draw.choice(ROUTES), **values)
        return self.plain.point(state, geom=self.draw.choice(PLACES), **values)

    def published(self, kind, subject):
        self.plain.publish(
            subject,
            kind,
            on=self.day(),
            channels=(self.draw.choice(CHANNELS),),
            round_no=self.draw.choice((1, 1, 1, 2, 3)),
            origin=self.draw.choice(("live", "sample", "legacy")),
            withdrawn_at=self.draw.choice((None, None, None, self.moment())),
            recorded_at=self.moment(),
        )

    def announced(self, kind, subject):
        word = self.draw.choice(("discontinued" if kind == "device" else "suspended", "retired"))
        values = {"subject_kind": kind, "subject_id": subject, "kind": word, "announced_at": self.moment()}
        self.plain.insert("announcement", **values, text_en="x", text_zh="x")

    def zone(self):
        begins = self.moment()
        ends = self.draw.choice((None, begins + timedelta(hours=self.draw.randrange(1, 20_000))))
        exact = {"sensitive": True, "kind": "requested", "source": "request", "exact_geom": EXACT}
        self.plain.zone(valid_from=begins, valid_to=ends, **self.draw.choice(({}, exact)))


ALL = (
    "SELECT 'device' AS kind, id FROM core.device"
    + "".join(f" UNION ALL SELECT '{kind}', id FROM core.{kind}" for kind in (*KINDS[1:], "privacy_zone"))
    + " UNION ALL SELECT s.kind, s.subject_id FROM core.shown s ORDER BY 1, 2"
)
# What then becomes of a third of them, past the rules and past the triggers that would touch them.
MEDDLE = (
    "UPDATE core.shown SET told = 'other', status = 'in_notice_period' WHERE subject_id::text < '3'",
    "UPDATE core.shown SET told = 'moved', geom_3857 = ST_Translate(geom_3857, 5000, 0)"
    " WHERE subject_id::text BETWEEN '3' AND '5'",
    "UPDATE core.shown SET told = 'words', title_en = 'x' WHERE subject_id::text BETWEEN '5' AND '7'",
    "UPDATE core.shown SET told = 'used', status = 'maintenance' WHERE kind = 'device' AND status = 'active'",
    "UPDATE core.shown SET told = 'hour', ended_on = '2030-01-01'"
    " WHERE kind = 'privacy_zone' AND subject_id::text > 'a'",
    "DELETE FROM core.shown WHERE subject_id::text BETWEEN '7' AND '9'",
    "UPDATE core.publication SET withdrawn_at = '2025-11-01' WHERE id::text < '4'",
    "UPDATE core.device SET secret = true, secret_document = 'x' WHERE id::text BETWEEN 'b' AND 'c'",
    "DELETE FROM core.patrol_route WHERE id::text > 'd'",
    "DELETE FROM core.privacy_zone WHERE id::text > 'd'",
    "UPDATE core.device SET state = 'blocked' WHERE id::text BETWEEN 'c' AND 'd' AND state = 'active'",
    "UPDATE core.patrol_area SET state = 'suspended', suspended_on = '2025-12-01' WHERE id::text < '8'",
)
KEPT = (
    "SELECT (to_jsonb(s) - 'n' - 'geom' - 'geom_3857')::text, s.geom::text, s.geom_3857::text FROM core.shown s",
    "SELECT (to_jsonb(e) - 'geom' - 'geom_3857')::text, e.geom::text, e.geom_3857::text FROM core.public_span e",
    "SELECT row_number() OVER (PARTITION BY c.kind, c.subject_id ORDER BY c.id)::text, c.was_geom_3857::text,"
    " (to_jsonb(c) - 'id' - 'seq' - 'geom' - 'geom_3857' - 'was_geom_3857')::text, c.geom::text, c.geom_3857::text"
    " FROM core.public_change c WHERE c.subject_id IS NOT NULL",
    "SELECT layer, x, y FROM core.public_cell",
)


def renew(connection, is_together):
    subjects = connection.execute(f"SELECT DISTINCT * FROM ({ALL}) s ORDER BY 1, 2").fetchall()
    take = "SET CONSTRAINTS core.take_turn IMMEDIATE; SET CONSTRAINTS core.take_turn DEFERRED"
    if not is_together:
        connection.execute("DELETE FROM core.public_touch")
    for subject in subjects:
        connection.execute("SELECT core.touch_public(%s, %s)", subject)
        if not is_together:
            connection.execute(take)
    connection.execute(take)


def kept(connection):
    return [connection.execute(f"SELECT * FROM ({each}) k ORDER BY k").fetchall() for each in KEPT]


def made(connection, earlier, is_together):
    """What is kept when all is made for the first time, and again after much has changed; of which nothing stays."""
    with connection.transaction(force_rollback=True):
        for statement in earlier:
            connection.execute(statement)
        connection.execute("TRUNCATE core.shown, core.public_span, core.public_change, core.public_cell")
        renew(connection, is_together)
        first = kept(connection)
        for statement in MEDDLE:
            connection.execute(statement)
        renew(connection, is_together)
        return first, kept(connection)


@pytest.mark.parametrize("seed", [3, 14])
def test_shown__many_at_once__what_was_made_one_by_one(replica, seed):
    with replica.transaction():
        Story(replica, seed).tell()
    before = made(replica, list(frozen()), is_together=False)
    shown, spans, changes, _ = before[0]
    assert len(shown) > 2 * SUBJECTS
    assert len(spans) > len(shown)
    assert len(before[1][2]) > len(changes)
    assert {told.split('"change": "')[1].split('"')[0] for _, _, told, *_ in before[1][2]} == CHANGES
    assert made(replica, [], is_together=True) == before
    assert made(replica, [], is_together=False) == before


def test_shown__made_before_the_migration__stays_and_made_anew_after_it_tells_of_no_change(of_0009):
    with connect_admin(of_0009) as connection:
        connection.execute("SET session_replication_role = replica")
        with connection.transaction():
            Story(connection, 9).tell()
        with connection.transaction():
            renew(connection, is_together=True)
        before = kept(connection)
        assert len(before[0]) > 2 * SUBJECTS
    migrate(of_0009)
    with connect_admin(of_0009) as connection:
        assert connection.execute("SELECT version_num FROM core.alembic_version").fetchone() > ("0009",)
        connection.execute("SET session_replication_role = replica")
        assert kept(connection) == before
        with connection.transaction():
            renew(connection, is_together=True)
        assert kept(connection) == before


CHANGES = {"announced", "in_use", "paused", "resumed", "stopped", "given_up", "moved", "withdrawn", "word"} | {
    "zone_added",
    "zone_ended",
}


@pytest.mark.parametrize("seed", [15])
def test_GD_14_2__days_of_a_notice__those_that_were_counted(replica, seed):
    """Of any day, with or without an end of use before it, for what was witnessed and for what is asserted."""
    with replica.transaction():
        Story(replica, seed).tell()
    asked = [
        f"SELECT p.subject_id, p.place, core.{name}(p.subject_kind, p.subject_id, p.place, p.since, p.live, p.day)"
        f" FROM ({NOTICES}) p ORDER BY 1, 2, p.since, p.live, p.day"
        for name in ("earliest_use", "announced_on")
    ]
    now = [replica.execute(each).fetchall() for each in asked]
    for statement in frozen():
        replica.execute(statement)
    assert [replica.execute(each).fetchall() for each in asked] == now
    assert len({row[2] for each in now for row in each}) > SUBJECTS


NOTICES = f"""
    SELECT DISTINCT q.subject_kind, q.subject_id, place.at::geometry AS place, since.day AS since, live.is_live AS live,
           on_.day
    FROM core.publication q, unnest(ARRAY{list(PLACES)}) AS place (at),
         (VALUES (NULL::date), ('2025-08-01'::date)) AS since (day), (VALUES (true), (false)) AS live (is_live),
         (VALUES ('2025-09-01'::date), ('1900-01-01'::date)) AS on_ (day)
"""


def test_shown__table_that_grew_since_the_plan_was_made__is_not_read_for_one_subject(root):
    """In the transaction of an import nothing but the plan of the first subjects is known."""
    plain = Plain(root)
    root.execute("INSERT INTO core.installation (key, value) VALUES ('sample_data', 'test')")
    device = plain.device("published")
    plain.publish(device)
    root.execute("ANALYZE core.shown, core.public_span, core.public_change")
    plain.run("UPDATE core.device SET name = 'planned'")
    read = (
        "SELECT relname, seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables"
        " WHERE relname IN ('shown', 'public_span', 'public_change')"
    )
    with root.transaction():
        for table, told in (("shown", "'n', -n"), ("public_change", "'id', -n"), ("public_span", "'valid_to', NULL")):
            root.execute(
                f"INSERT INTO core.{table} SELECT made.* FROM generate_series(1, 5000) n,"
                f" (SELECT t FROM core.{table} t WHERE t.subject_id IS NOT NULL LIMIT 1) AS one (row),"
                f" jsonb_populate_record(one.row, jsonb_build_object({told}, 'subject_id', md5(n::text))) AS made"
            )
        before = dict(root.execute(read).fetchall())
        plain.run("UPDATE core.device SET name = 'named anew'")
        plain.run("SET CONSTRAINTS core.take_turn IMMEDIATE")
        after = dict(root.execute(read).fetchall())
    assert {table: after[table] - before[table] for table in after if after[table] - before[table] > 100} == {}
