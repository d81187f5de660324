"""A finding whose ground became private after its image was taken: released by a legal reviewer, or not (GD-43)."""

from __future__ import annotations

import uuid
from datetime import timedelta

import psycopg
import pytest
from shapely.geometry import LineString
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from schemas import tables as t
from schemas.refusals import RuleViolation
from sensing.decisions import assign_detection, confirm_detection, split_detection
from sensing.releasing import release_finding, withdraw_release
from sensing.shut import is_shut
from tests.conftest import TEN_ON_THE_FIRST_FLYING_DAY
from tests.database.digging import PIT, ground
from tests.database.plain import rule_of

NOW = TEN_ON_THE_FIRST_FLYING_DAY
PLACE = ground(dug=True).to_map(PIT)
WHY = "the pit is a danger to the well beside it"


@pytest.fixture
def database(clone, found):
    return clone(found.database)


@pytest.fixture
def pit(found, work):
    with work("O1") as unit:
        assign_detection(unit, found.detection, "O1")
        unit.commit()
    return found.detection


@pytest.fixture
def add_zone(admin):
    def add(name="PZ-LATE", *, since=NOW - timedelta(hours=1), until=None, sensitive=False):
        shape = PLACE.centroid.buffer(0.0005)
        exact = f"ST_GeomFromText('{PLACE.centroid.buffer(0.0001).wkt}', 4326)" if sensitive else "NULL"
        admin.execute(
            "INSERT INTO core.privacy_zone (id, public_id, kind, name_en, name_zh, geom, exact_geom, sensitive,"
            " buffer_m, source, valid_from, valid_to, zone_version, origin) VALUES (%s, %s, 'requested', 'New', '新',"
            f" ST_GeomFromText(%s, 4326), {exact}, %s, 0, 'request', %s, %s, 1, 'sample')",
            [uuid.uuid4(), name, shape.wkt, sensitive, since, until],
        )

    return add


@pytest.fixture
def released(work, pit, add_zone):
    add_zone()
    with work("L1") as unit:
        row = release_finding(unit, pit, WHY)
        unit.commit()
    return row


@pytest.fixture
def shut(session):
    def ask(finding):
        session.rollback()
        return session.scalar(select(is_shut(NOW)).where(t.Detection.public_id == finding))

    return ask


def refused(unit, call):
    with unit, pytest.raises(RuleViolation) as caught:
        call(unit)
    return caught.value.status, {refusal.text for refusal in caught.value.refusals}


def test_GD_43__released_by_a_legal_reviewer__open_again_with_one_event(session, released, pit, shut, work):
    assert shut(pit) is False
    with work("O1") as unit:
        assert confirm_detection(unit, pit, "seen").state == "confirmed"
        unit.commit()
    session.rollback()
    (action, body) = session.execute(
        text("SELECT action, convert_from(body, 'UTF8')::jsonb FROM ledger.event WHERE subject_kind = 'release'")
    ).one()
    assert action == "release.grant"
    assert (body["finding"], body["zones"]) == (pit, [{"zone": "PZ-LATE", "version": 1}])
    row = session.scalars(select(t.Release)).one()
    assert (row.state, row.reason, row.reviewer.code) == ("granted", WHY, "L1")


def test_GD_43__release_withdrawn__shut_again(released, pit, shut, work):
    with work("L1") as unit:
        withdraw_release(unit, released.public_id, "the residents objected")
        unit.commit()
    assert shut(pit) is True
    assert refused(work("L1"), lambda unit: withdraw_release(unit, released.public_id, "again"))[0] == 409


def test_GD_43__another_zone_comes__shut_again(released, pit, shut, add_zone):
    add_zone("PZ-MORE")
    assert shut(pit) is True


def test_GD_43__zone_ends_and_comes_into_force_again__shut_again(released, pit, shut, admin):
    end = "UPDATE core.privacy_zone SET valid_to = %s WHERE public_id = 'PZ-LATE'"
    admin.execute(end, [NOW - timedelta(minutes=5)])
    assert shut(pit) is False
    admin.execute(end, [NOW + timedelta(days=9)])
    assert shut(pit) is True


def test_GD_43__newer_version_of_the_zone__shut_again(released, pit, shut, admin):
    admin.execute("UPDATE core.privacy_zone SET zone_version = 2 WHERE public_id = 'PZ-LATE'")
    assert shut(pit) is True


@pytest.mark.parametrize("person", ["O2", "H1", "T1", "S1"])
def test_GD_43__wrong_role__403(work, pit, add_zone, person):
    add_zone()
    assert refused(work(person), lambda unit: release_finding(unit, pit, WHY)) == (403, {"machine.role"})


def test_GD_43__legal_reviewer_of_another_authority__403(work, pit, add_zone, admin):
    add_zone()
    admin.execute(
        "UPDATE core.role_assignment SET authority_id = (SELECT id FROM core.authority WHERE code = 'A2')"
        " WHERE role = 'legal_reviewer'"
    )
    assert refused(work("L1"), lambda unit: release_finding(unit, pit, WHY))[0] == 403


@pytest.mark.parametrize("reason", ["", "  "])
def test_GD_43__no_reason__refused(work, pit, add_zone, shut, reason):
    add_zone()
    assert refused(work("L1"), lambda unit: release_finding(unit, pit, reason)) == (409, {"machine.reason"})
    assert shut(pit) is True


def make_reviewer(admin, person):
    admin.execute(
        "INSERT INTO core.role_assignment (id, public_id, person_id, role, authority_id, valid_from, origin)"
        " SELECT gen_random_uuid(), 'RA-L-' || code, id, 'legal_reviewer', authority_id, '2025-01-01', 'sample'"
        " FROM core.person WHERE code = %s",
        [person],
    )


def test_GD_43__officer_of_the_finding_is_a_legal_reviewer_too__refused(work, pit, add_zone, admin):
    make_reviewer(admin, "O1")
    add_zone()
    assert refused(work("O1"), lambda unit: release_finding(unit, pit, WHY)) == (409, {"release.own_finding"})


def test_GD_43__whoever_released_it__decides_nothing_about_it(work, pit, add_zone, admin):
    make_reviewer(admin, "O2")
    add_zone()
    with work("O2") as unit:
        release_finding(unit, pit, WHY)
        unit.commit()
    assert refused(work("O2"), lambda unit: confirm_detection(unit, pit, "seen")) == (409, {"release.own_release"})


def test_GD_43__nothing_shuts_it__refused(work, pit):
    assert refused(work("L1"), lambda unit: release_finding(unit, pit, WHY)) == (409, {"release.nothing_private"})


def test_GD_36_1__private_when_the_image_was_taken__every_reason_at_once(work, pit, add_zone, admin):
    make_reviewer(admin, "O1")
    add_zone(since=NOW - timedelta(days=900), sensitive=True)
    told = refused(work("O1"), lambda unit: release_finding(unit, pit, " "))
    texts = {"machine.reason", "release.own_finding", "release.sensitive", "release.private_at_capture"}
    assert told == (409, texts)


def test_GD_43__cut_after_the_release__the_parts_are_as_open(released, pit, shut, work, session):
    west, south, east, north = PLACE.bounds
    line = LineString([((west + east) / 2, south - 0.001), ((west + east) / 2, north + 0.001)])
    with work("O1") as unit:
        parts = [one.public_id for one in split_detection(unit, pit, line, "two pits")]
        unit.commit()
    assert [shut(one) for one in parts] == [False, False]
    with work("L1") as unit:
        withdraw_release(unit, released.public_id, "enough")
        unit.commit()
    assert [shut(one) for one in parts] == [True, True]


def by_hand(unit, who="L1", *, zones=True, version=1):
    """Writes a release past the commands, as the application role, and gives the rule under which it is refused."""
    with unit as work:
        db = work.session
        row, zone = (
            db.scalars(select(t.Detection)).one(),
            db.scalars(select(t.PrivacyZone).where(t.PrivacyZone.public_id == "PZ-LATE")).one(),
        )
        release = t.Release(
            id=uuid.uuid4(),
            public_id="RL-HAND",
            state="granted",
            detection_id=row.id,
            authority_id=row.authority_id,
            reviewer_id=db.scalars(select(t.Person.id).where(t.Person.code == who)).one(),
            granted_at=NOW,
            reason="x",
        )
        db.add(release)
        db.flush()
        db.add(t.ReleaseFind(detection_id=row.id, release_id=release.id))
        if zones:
            db.add(t.ReleaseZone(release_id=release.id, zone_id=zone.id, zone_version=version))
        db.flush()
        with pytest.raises(DBAPIError) as caught:
            db.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    return rule_of(caught.value.orig)


def test_GD_43__database__a_legal_reviewer_who_is_another_person(work, pit, add_zone, admin):
    add_zone()
    assert by_hand(work("H1"), "H1") == "GD-43"
    make_reviewer(admin, "O1")
    assert by_hand(work("O1"), "O1") == "GD-43"


@pytest.mark.parametrize("changed", [{"version": 2}, {"zones": False}], ids=["another version", "no zone"])
def test_GD_43__database__only_from_zones_as_they_stand(work, pit, add_zone, changed):
    add_zone()
    assert by_hand(work("L1"), **changed) == "GD-43"


def test_GD_43__database__not_from_a_zone_that_counted_at_capture(work, pit, add_zone):
    add_zone(since=NOW - timedelta(days=900))
    assert by_hand(work("L1")) == "GD-43"


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE core.release SET reason = 'other'",
        "UPDATE core.release SET granted_at = granted_at - interval '1 day'",
        "UPDATE core.release_zone SET valid_to = now()",
        "DELETE FROM core.release_find",
    ],
)
def test_GD_20_2__database__a_release_stays_as_it_was_granted(released, admin, change):
    with pytest.raises(psycopg.Error) as caught:
        admin.execute(change)
    assert rule_of(caught.value) == "GD-20.2"


def test_GD_43__released__counted_once_in_the_queue(session, services, released, pit):
    from web.desk import queries

    session.rollback()
    officer = services.actor("O1")
    assert [row.public_id for row in queries.queue(session, officer, services.rulebook, NOW)] == [pit]
    assert session.scalar(select(func.count()).select_from(t.ReleaseFind)) == 1
