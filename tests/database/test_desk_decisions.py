"""Findings are cut, joined, redrawn and taken back on record; the database judges it once more, whoever writes."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest
import shapely
from click.testing import CliRunner
from geoalchemy2.shape import to_shape
from shapely.geometry import LineString, box
from sqlalchemy import select, text

from schemas import tables as t
from schemas.clock import FixedClock
from schemas.refusals import RuleViolation
from sensing.decisions import (
    assign_detection,
    confirm_detection,
    leave_detection_open,
    merge_detections,
    redraw_detection,
    reject_detection,
    split_detection,
    undo_decision,
)
from sensing.derived import outline_of, remade
from sensing.learn.training import taught
from tests.conftest import TEN_ON_THE_FIRST_FLYING_DAY
from tests.database.digging import add_item, ingest_pair
from tests.database.plain import connect
from web import scenes
from web.cli.common import State
from web.cli.scene_reproduce import reproduce_finding


@pytest.fixture(scope="module")
def assigned(server, world_template, tmp_path_factory):
    """A database in which a pit was found and assigned to O1, the public id of the finding, and the folder of files."""
    from web.settings import Settings
    from web.wiring import Services

    name = server.clone(world_template)
    folder = tmp_path_factory.mktemp("assigned")
    services = Services(Settings(data_dir=folder), server.database(name), FixedClock(TEN_ON_THE_FIRST_FLYING_DAY))
    add_item(services.database)
    earlier, later = ingest_pair(services, folder)
    (finding,) = scenes.segment(services, later, before=earlier).detections
    with services.work() as unit:
        assign_detection(unit, finding, "O1")
        unit.commit()
    services.close()
    yield name, finding, folder
    server.drop(name)


@pytest.fixture
def database(clone, assigned):
    return clone(assigned[0])


@pytest.fixture
def finding(assigned):
    return assigned[1]


@pytest.fixture
def do(work):
    """`do(command, ..., by="O1")` carries a command out and commits."""

    def run(command, *args, by="O1", **more):
        with work(by) as unit:
            made = command(unit, *args, **more)
            unit.commit()
            return made

    return run


@pytest.fixture
def refused(do):
    def run(command, *args, **more):
        with pytest.raises(RuleViolation) as caught:
            do(command, *args, **more)
        return caught.value

    return run


@pytest.fixture
def row(session):
    def get(public_id):
        session.rollback()
        return session.scalars(select(t.Detection).where(t.Detection.public_id == public_id)).one()

    return get


def shape_of(row) -> shapely.Polygon:
    return to_shape(row.geom)


def across(shape) -> LineString:
    """A line from west to east through the middle of a shape."""
    west, south, east, north = shape.bounds
    margin, middle = (east - west) / 2, (south + north) / 2
    return LineString([(west - margin, middle), (east + margin, middle)])


@pytest.fixture
def cut(do, row, finding):
    return do(split_detection, finding, across(shape_of(row(finding))), "a pit and its spoil", 2)


def events(session):
    session.rollback()
    return session.execute(text("SELECT count(*) FROM ledger.event")).scalar_one()


def test_proposed__has_its_place_in_the_queue_with_the_reason(finding, row):
    found = row(finding)
    # Five days from the day on which it was formed (LX-17), less a day for every ten points.
    assert found.due == TEN_ON_THE_FIRST_FLYING_DAY.date() + timedelta(days=5)
    assert found.turn == found.due - timedelta(days=found.risk // 10)
    assert [line["key"] for line in found.risk_trace][:2] == ["risk.place", "risk.severity"]


# -- cut and joined -------------------------------------------------------------------------------


def test_split__parts_are_the_whole_and_can_be_made_again(finding, row, do, session):
    before = events(session)
    whole = shape_of(row(finding))
    parts = do(split_detection, finding, across(whole), "a pit and its spoil", 2, code="several_things")
    assert events(session) == before + 1
    source = row(finding)
    assert (source.state, source.version) == ("split", 3)
    rows = [row(part.public_id) for part in parts]
    assert [(one.state, one.version, one.assigned_to) for one in rows] == [("assigned", 1, source.assigned_to)] * 2
    assert shapely.union_all([shape_of(one) for one in rows]).symmetric_difference(whole).area < 1e-9 * whole.area
    assert sum(one.area_m2 for one in rows) == pytest.approx(source.area_m2, rel=1e-4)
    for one in rows:
        assert one.provenance["made_from"]["from"][0]["id"] == finding
        assert one.formed_at == source.formed_at
        again = remade(session, one)
        assert shapely.to_wkb(again) == shapely.to_wkb(shape_of(one))


def test_merge__whole_covers_its_sources_and_can_be_made_again(cut, do, row, session):
    ids = [one.public_id for one in cut]
    whole = row(do(merge_detections, ids, "one pit", {ids[0]: 1, ids[1]: 1}, code="one_thing").public_id)
    sources = [row(one) for one in ids]
    assert {one.state for one in sources} == {"merged"}
    for one in sources:
        assert shape_of(one).difference(shape_of(whole)).area < 1e-9 * shape_of(one).area
    assert [one["id"] for one in whole.provenance["made_from"]["from"]] == ids
    assert shapely.to_wkb(remade(session, whole)) == shapely.to_wkb(shape_of(whole))


def test_redraw__then_split__cuts_what_was_drawn(do, row, finding, session):
    drawn = shape_of(row(finding)).buffer(0.0001)
    do(redraw_detection, finding, drawn, "the spoil belongs to it", seen=2)
    parts = do(split_detection, finding, across(drawn), "two things", 3)
    assert sum(shape_of(part).area for part in parts) == pytest.approx(drawn.area)
    assert shapely.to_wkb(remade(session, row(parts[1].public_id))) == shapely.to_wkb(shape_of(parts[1]))


def test_split__line_that_does_not_cross__refused_and_nothing_moves(refused, row, finding):
    west, south, east, north = shape_of(row(finding)).bounds
    inside = LineString([((west + east) / 2, south), ((west + east) / 2, (south + north) / 2)])
    assert refused(split_detection, finding, inside, "x", 2).refusals[0].rule == "detection.not_cut"
    assert (row(finding).state, row(finding).version) == ("assigned", 2)


def test_merge__with_itself__refused(refused, finding):
    assert refused(merge_detections, [finding, finding], "x", 2).refusals[0].rule == "detection.merge_count"


def test_reproduce__part_and_whole__from_the_pixels_on(cut, do, assigned, database, clock):
    from web.settings import Settings
    from web.wiring import Services

    whole = do(merge_detections, [one.public_id for one in cut], "one pit", 1).public_id
    state = State("en")
    state._services = Services(Settings(data_dir=assigned[2]), database, clock)
    told = {}
    for one in (cut[1].public_id, whole):
        answer = CliRunner().invoke(reproduce_finding, [one, "--json"], obj=state)
        assert answer.exit_code == 0, answer.output
        told[one] = json.loads(answer.output)
    state.close()
    assert [one["outline_same"] for one in told.values()] == [True, True]
    assert {one["from"][0]["detection"] for one in told.values()} == {assigned[1]}
    assert all(one["from"][0]["ok"] for one in told.values())


# -- taken back -----------------------------------------------------------------------------------


def test_undo__decision__back_to_where_it_was_and_its_label_withdrawn(do, row, finding, session):
    for number, command in enumerate((confirm_detection, reject_detection, leave_detection_open)):
        seen = 2 + 2 * number
        do(command, finding, "seen", seen=seen)
        do(undo_decision, finding, "wrong key", seen + 1, code="mistake")
        found = row(finding)
        assert (found.state, found.version, found.decided_by, found.reason) == ("assigned", seen + 2, None, None)
    kinds = session.scalars(select(t.Decision.kind).order_by(t.Decision.version)).all()
    assert kinds == ["confirm", "undo", "reject", "undo", "leave_open", "undo"]
    labels = session.scalars(select(t.Label.id)).all()
    assert len(labels) == 2
    assert set(labels) == set(session.scalars(select(t.LabelWithdrawal.label_id)))
    assert taught(session, found.authority_id).labels == []


def test_undo__redraw__the_engines_outline_counts_again(do, row, finding, session):
    engines = shape_of(row(finding))
    do(redraw_detection, finding, engines.buffer(0.0001), "larger", seen=2)
    assert outline_of(session, row(finding)).area > engines.area
    do(undo_decision, finding, "the other one", 3)
    assert outline_of(session, row(finding)).equals(engines)
    assert row(finding).state == "assigned"


@pytest.mark.parametrize("from_the_part", [False, True])
def test_undo__split__parts_withdrawn_and_kept(do, row, finding, cut, session, from_the_part):
    asked, seen = (cut[1].public_id, 1) if from_the_part else (finding, 3)
    assert do(undo_decision, asked, "one thing after all", seen).public_id == finding
    assert (row(finding).state, row(finding).version) == ("assigned", 4)
    assert {row(part.public_id).state for part in cut} == {"withdrawn"}
    assert session.scalars(select(t.Derivation.source_id)).all() == [row(finding).id] * 2
    assert remade(session, row(cut[0].public_id)) is not None


def test_undo__merge__all_sources_are_back(do, row, cut):
    ids = [one.public_id for one in cut]
    whole = do(merge_detections, ids, "one pit", 1).public_id
    do(undo_decision, whole, "two after all", 1)
    assert [row(one).state for one in (*ids, whole)] == ["assigned", "assigned", "withdrawn"]


def test_GD_30_1__undo_of_another_officers_decision__refused(do, refused, finding):
    do(confirm_detection, finding, "seen", seen=2)
    told = refused(undo_decision, finding, "no", 3, by="O2")
    assert [one.text for one in told.refusals] == ["detection.not_own"]


def test_undo__something_stands_on_it__refused(do, refused, finding, cut):
    do(confirm_detection, cut[0].public_id, "seen", seen=1)
    told = refused(undo_decision, finding, "no", 3)
    assert [one.text for one in told.refusals] == ["detection.stands_on"]


def test_undo__of_an_undo_or_of_nothing__refused(do, refused, finding):
    assert refused(undo_decision, finding, "x", 2).refusals[0].text == "detection.nothing_to_undo"
    do(confirm_detection, finding, "seen", seen=2)
    do(undo_decision, finding, "x", 3)
    assert refused(undo_decision, finding, "x", 4).refusals[0].text == "detection.nothing_to_undo"


# -- reasons --------------------------------------------------------------------------------------


def test_reject__reason_of_the_list__names_the_hard_negative(do, finding, session):
    do(reject_detection, finding, "", seen=2, code="ploughed_field")
    decision = session.scalars(select(t.Decision)).one()
    assert (decision.code, decision.label.kind, decision.label.reason) == (
        "ploughed_field",
        "reject",
        "ploughed_field",
    )


def test_reject__reason_that_is_not_on_its_list__refused(refused, finding):
    for code in ("clearly_visible", "nonsense"):
        assert refused(reject_detection, finding, "x", seen=2, code=code).status == 422


# -- two at once ----------------------------------------------------------------------------------


def test_second_tab__told_who_decided_what_and_when(do, refused, row, finding):
    line, drawn = across(shape_of(row(finding))), shape_of(row(finding))
    do(reject_detection, finding, "", seen=2, code="ploughed_field")
    for command, *args in (
        (confirm_detection, finding, "seen"),
        (redraw_detection, finding, drawn, "x"),
        (split_detection, finding, line, "x"),
        (undo_decision, finding, "x"),
        (assign_detection, finding, "O2"),
    ):
        told = refused(command, *args, seen=2, by="O2")
        assert (told.status, told.refusals[0].rule) == (409, "state.stale"), command
        message = told.refusals[0].message("en")
        assert "(O1)" in message
        assert "reject" in message
        assert "2025-07-02 10:00" in message
        assert "O1" in told.refusals[0].message("zh")


def test_merge__one_of_them_was_decided_meanwhile__told(do, refused, cut):
    ids = [one.public_id for one in cut]
    do(confirm_detection, ids[1], "seen", seen=1, by="O2")
    told = refused(merge_detections, ids, "one", {ids[0]: 1, ids[1]: 1})
    assert (told.status, told.refusals[0].rule) == (409, "state.stale")
    assert "(O2)" in told.refusals[0].message()


def test_many_at_once__exactly_one_is_recorded(do, row, finding, session):
    line, drawn = across(shape_of(row(finding))), shape_of(row(finding))
    wishes = [
        (split_detection, finding, line, "x"),
        (confirm_detection, finding, "x"),
        (redraw_detection, finding, drawn, "x"),
        (reject_detection, finding, "x"),
    ] * 2

    def attempt(wish):
        try:
            do(*wish, seen=2, by="O1")
        except RuleViolation as refused:
            return refused.status
        return 200

    with ThreadPoolExecutor(8) as pool:
        answers = sorted(pool.map(attempt, wishes))
    assert answers == [200] + [409] * 7
    assert row(finding).version == 3
    assert len(session.scalars(select(t.Decision)).all()) == 1


# -- plain SQL as the application role ------------------------------------------------------------


@pytest.fixture
def sql(database):
    with connect(database) as connection:
        connection.autocommit = False
        yield connection


def decide_in_sql(sql, finding, kind, target, **values):
    source, version, detection_id = sql.execute(
        "SELECT state, version, id FROM core.detection WHERE public_id = %s", [finding]
    ).fetchone()
    person = values.pop("by", "O1")
    given = {
        "id": uuid.uuid4(),
        "public_id": "DD-X",
        "origin": "live",
        "act": uuid.uuid4(),
        "detection_id": detection_id,
        "kind": kind,
        "source": source,
        "target": target,
        "version": version + 1,
        "person_id": sql.execute("SELECT id FROM core.person WHERE code = %s", [person]).fetchone()[0],
        "decided_at": TEN_ON_THE_FIRST_FLYING_DAY,
        "code": "other",
        "reason": "x",
        "details": "{}",
    } | values
    names, marks = ", ".join(given), ", ".join(["%s"] * len(given))
    sql.execute(f"INSERT INTO core.decision ({names}) VALUES ({marks})", list(given.values()))
    sql.execute(
        "UPDATE core.detection SET state = %s, version = version + 1 WHERE public_id = %s AND state <> %s",
        [target, finding, target],
    )
    return given["id"]


def forge(sql, like, wkt):
    """A finding in the hands of an officer, like another one but elsewhere, that no engine proposed."""
    made = uuid.uuid4()
    columns = "run_id, scene_id, authority_id, item_id, kind, score, rule_trace, context, provenance, formed_at"
    sql.execute(
        "INSERT INTO core.detection (id, public_id, origin, state, version, ordinal, area_m2, geom, " + columns + ")"
        " SELECT %s, %s, 'live', 'assigned', 1, (SELECT max(ordinal) + 1 FROM core.detection), 10,"
        " ST_GeomFromText(%s, 4326), " + columns + " FROM core.detection WHERE public_id = %s",
        [made, f"DT-{made.hex[:8]}", wkt, like],
    )
    return made


DECIDED = ("confirmed", "false_alarm", "inconclusive", "split", "merged", "withdrawn")


def test_GD_30_1__state_without_a_decision__refused_by_the_database(sql, finding, refused_by):
    for state in DECIDED:
        with refused_by("GD-30.1"):
            change = "UPDATE core.detection SET state = %s, version = version + 1 WHERE public_id = %s"
            sql.execute(change, [state, finding])
            sql.commit()


def test_GD_30_1__decision_by_somebody_unqualified__refused_by_the_database(sql, finding, refused_by):
    for person in ("O3", "O4", "F1"):
        with refused_by("GD-30.1"):
            decide_in_sql(sql, finding, "confirm", "confirmed", by=person)
            sql.commit()


def test_GD_30_1__sound_decision__taken_by_the_database(sql, finding, row):
    decide_in_sql(sql, finding, "confirm", "confirmed")
    sql.commit()
    assert row(finding).state == "confirmed"


def test_GD_30_1__split_whose_parts_are_not_the_whole__refused_by_the_database(sql, finding, refused_by, row):
    with refused_by("GD-30.1"):
        decision = decide_in_sql(sql, finding, "split", "split")
        for part in (box(113.26, 23.13, 113.261, 23.131), shape_of(row(finding))):
            part_id = forge(sql, finding, part.wkt)
            source = sql.execute("SELECT id FROM core.detection WHERE public_id = %s", [finding]).fetchone()[0]
            sql.execute("INSERT INTO core.derivation VALUES (%s, %s, %s)", [part_id, source, decision])
        sql.commit()


def test_GD_30_1__find_that_nobody_proposed__refused_by_the_database(sql, finding, refused_by, row):
    with refused_by("GD-30.1"):
        forge(sql, finding, shape_of(row(finding)).wkt)
        sql.commit()


def test_GD_30_1__undo_that_leaves_the_label_or_is_anothers__refused_by_the_database(do, sql, finding, refused_by):
    do(confirm_detection, finding, "seen", seen=2)
    for by in ("O1", "O2"):
        with refused_by("GD-30.1"):
            undone = sql.execute("SELECT id FROM core.decision").fetchone()[0]
            decide_in_sql(sql, finding, "undo", "assigned", undoes_id=undone, by=by)
            sql.commit()


FIXED = (
    "UPDATE core.decision SET reason = 'y'",
    "DELETE FROM core.decision",
    "UPDATE core.detection SET version = 1",
    "UPDATE core.detection SET turn = turn - 1",
    "UPDATE core.detection SET risk = 100",
)


def test_GD_20_2__what_was_decided_and_the_place_in_the_queue__final(do, sql, finding):
    do(confirm_detection, finding, "seen", seen=2)
    for change in FIXED:
        with pytest.raises(psycopg.Error) as refused:
            sql.execute(change)
        assert refused.value.sqlstate in ("23514", "42501"), change
        sql.rollback()
