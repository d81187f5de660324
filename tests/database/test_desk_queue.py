"""The queue of the review desk: by risk and last day, page by page along its index, narrowed by what is asked for."""

from __future__ import annotations

import json
import re
import time

import pytest
from sqlalchemy import event, text

from schemas.clock import FixedClock
from schemas.refusals import RuleViolation
from tests.conftest import TEN_ON_THE_FIRST_FLYING_DAY
from tests.web.findings import make_findings
from web.desk import queries
from web.desk.nearby import nearby
from web.desk.queries import Wanted

MANY = 20_000


@pytest.fixture(scope="module")
def made(server, world_template, tmp_path_factory):
    """A database with three findings, and their public ids."""
    from web.settings import Settings
    from web.wiring import Services

    name, folder = server.clone(world_template), tmp_path_factory.mktemp("made")
    services = Services(Settings(data_dir=folder), server.database(name), FixedClock(TEN_ON_THE_FIRST_FLYING_DAY))
    ids = make_findings(services, folder)
    services.close()
    yield name, ids
    server.drop(name)


@pytest.fixture
def database(clone, made):
    return clone(made[0])


@pytest.fixture
def findings(made):
    return made[1]


@pytest.fixture
def crowd(admin):
    """Many findings that wait, of two kinds and any risk, all with a colleague or with nobody."""
    admin.execute("SET session_replication_role = replica")
    columns = "run_id, scene_id, authority_id, item_id, score, area_m2, geom, context, provenance, formed_at"
    admin.execute(
        f"INSERT INTO core.detection (id, public_id, origin, recorded_at, state, version, ordinal, kind, rule_trace,"
        f" risk, due, turn, {columns}) SELECT gen_random_uuid(), 'DT-M' || lpad(n::text, 6, '0'), 'live', now(), 'new',"
        f" 1, 1000 + n, CASE n %% 50 WHEN 0 THEN 'rare' ELSE 'excavation' END, '[]', n %% 100,"
        f" date '2025-07-01' + (n * 7919) %% 30, date '2025-06-01' + (n * 7919) %% 60, {columns}"
        f" FROM core.detection CROSS JOIN generate_series(1, %s) n WHERE core.detection.public_id = 'DT-T0'",
        [MANY],
    )
    admin.execute("SET session_replication_role = origin")
    admin.execute("ANALYZE core.detection")
    return MANY


@pytest.fixture
def ask(services, session):
    def queue(who="O1", **wanted):
        return queries.queue(session, services.actor(who), services.rulebook, services.clock.now(), Wanted(**wanted))

    return queue


def test_queue__thousands__each_page_behind_the_last_one_and_nothing_twice(crowd, ask, admin):
    seen, after = [], None
    for _ in range(4):
        page = ask(after=after, limit=60)
        seen += page
        after = page[-1].cursor
    assert [row.mine for row in seen[:3]] == [True] * 3
    others = seen[3:]
    # Whose turn is on one day stands by its risk: the ten points of a day are not all the same.
    assert [(row.turn, -row.risk, row.public_id) for row in others] == sorted(
        {(row.turn, -row.risk, row.public_id) for row in others}
    )
    assert len({row.public_id for row in seen}) == 240
    # The page behind is the same after some of the page before were decided.
    first = seen[:60]
    admin.execute("SET session_replication_role = replica")
    gone = [row.public_id for row in first[5:15]]
    admin.execute("UPDATE core.detection SET state = 'closed' WHERE public_id = ANY(%s)", [gone])
    again = ask(after=first[-1].cursor, limit=60)
    assert [row.public_id for row in again] == [row.public_id for row in seen[60:120]]


def test_queue__of_thousands__read_along_its_index_and_never_sorted_whole(crowd, ask, session, services):
    asked = []
    event.listen(session.get_bind(), "before_cursor_execute", lambda *call: asked.append(call[2:4]))
    for wanted in ({}, {"kind": "rare"}, {"after": "o.2025-06-20.23.DT-M000100"}):
        ask(**wanted)
    cursor, told = session.connection().connection.cursor(), set()
    for statement, values in [one for one in asked if "LIMIT" in one[0]]:
        cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + statement, values)
        plan = cursor.fetchone()[0][0]["Plan"]
        told |= set(re.findall(r"ix_detection_waiting\w*", json.dumps(plan)))
        assert max(rows_read(plan)) <= 4 * queries.LONGEST_QUEUE, plan
    assert {"ix_detection_waiting", "ix_detection_waiting_of_kind"} <= told
    began = time.perf_counter()
    ask()
    queries.waiting_count(session, services.actor("O1"))
    # How it is read is shown above; this much is enough on a busy machine too.
    assert time.perf_counter() - began < 10.0


def rows_read(plan):
    """How many rows each node gave or threw away."""
    yield (plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0)) * plan["Actual Loops"]
    for inner in plan.get("Plans", ()):
        yield from rows_read(inner)


def test_queue__filters__only_what_was_asked_for(findings, ask, session, services):
    assert [row.kind for row in ask(kind="building")] == ["building"]
    assert len(ask(sensor="satellite")) == 3
    assert ask(sensor="uav") == []
    assert len(ask(mine=True)) == 3
    assert ask("O2", mine=True) == []
    assert len(ask(authority="A1")) == 3
    assert ask(authority="A2") == []
    assert ask("O4") == []
    assert queries.waiting_count(session, services.actor("O1"), Wanted(kind="building")) == 1


@pytest.mark.parametrize(
    "after",
    [
        "",
        "o",
        "x.2025-07-01.5.DT-1",
        "o.2025-13-01.5.DT-1",
        "o.2025-07-01.5.dt'",
        "o.2025-07-01.DT-1",
        "o.2025-07-01.101.DT-1",
    ],
)
def test_queue__cursor_that_is_none__422(findings, ask, after):
    with pytest.raises(RuleViolation) as caught:
        ask(after=after)
    assert caught.value.status == 422


def test_nearby__permits_and_findings_around__and_zones_as_everybody_sees_them(findings, services, session, admin):
    admin.execute(
        "INSERT INTO core.context_feature (id, public_id, origin, layer, name, number, kind, valid_to, attributes,"
        " geom) VALUES (gen_random_uuid(), 'CF-P', 'sample', 'permits', 'Quarry (fictional)', 'P-1', 'quarry',"
        " '2025-01-01', '{}', ST_Buffer((SELECT geom FROM core.detection WHERE public_id = 'DT-T0'), 0.0001))"
    )
    admin.execute(
        "INSERT INTO core.privacy_zone (id, public_id, origin, kind, name_en, name_zh, geom, exact_geom, sensitive,"
        " buffer_m, source, valid_from, zone_version) SELECT gen_random_uuid(), 'PZ-S', 'sample', 'dormitory',"
        " 'secret', '秘密', ST_Expand(place, 0.0003), place, true, 0, 'legal', '2025-05-01', 1"
        " FROM ST_MakeEnvelope(113.2600, 23.1272, 113.2603, 23.1274, 4326) place"
    )
    found = nearby(session, services.actor("O1"), findings[0], services.clock.now().date())
    assert [(one.number, one.counts, one.distance_m) for one in found.permits] == [("P-1", False, 0.0)]
    assert [one.public_id for one in found.findings] == [findings[1]]
    assert found.findings[0].distance_m == pytest.approx(205, rel=0.02)
    (zone,) = [one for one in found.zones if one.public_id == "PZ-S"]
    assert zone.kind == "other"
    exact = session.execute(text("SELECT ST_AsGeoJSON(exact_geom) FROM core.privacy_zone WHERE sensitive")).scalar_one()
    assert json.loads(exact)["coordinates"] != json.loads(json.dumps(zone.shape))["coordinates"]
    assert "secret" not in repr(found)


def test_nearby__finding_of_another_authority__404(findings, services, session):
    with pytest.raises(RuleViolation) as caught:
        nearby(session, services.actor("O4"), findings[0], services.clock.now().date())
    assert caught.value.status == 404
