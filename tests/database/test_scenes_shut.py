"""A privacy zone that comes to lie on a finding: the finding is kept, and nobody is shown where it is (GD-43)."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
import shapely
from sqlalchemy import select

from schemas import tables as t
from schemas.clock import FixedClock
from schemas.refusals import RuleViolation
from sensing import queries
from sensing.decisions import assign_detection, confirm_detection, reject_detection
from sensing.shut import is_shut
from tests.conftest import TEN_ON_THE_FIRST_FLYING_DAY
from tests.database.digging import PIT, add_item, ground, ingest_pair
from web import scenes
from web.desk import queries as desk

NOW = TEN_ON_THE_FIRST_FLYING_DAY


@pytest.fixture(scope="module")
def proposed(server, world_template, tmp_path_factory):
    """A database in which a pit was found, and the public ids of the later scene and the finding."""
    from web.settings import Settings
    from web.wiring import Services

    name = server.clone(world_template)
    folder = tmp_path_factory.mktemp("proposed")
    services = Services(Settings(data_dir=folder), server.database(name), FixedClock(NOW))
    add_item(services.database)
    earlier, later = ingest_pair(services, folder)
    (detection,) = scenes.segment(services, later, before=earlier).detections
    with services.work() as unit:
        assign_detection(unit, detection, "O1")
        unit.commit()
    services.close()
    yield name, later, detection
    server.drop(name)


@pytest.fixture
def database(clone, proposed):
    return clone(proposed[0])


@pytest.fixture
def found(proposed):
    return proposed[2]


@pytest.fixture
def add_zone(admin):
    def add(shape, *, since=NOW - timedelta(hours=1), until=None, name="PZ-LATE", buffer_m=0.0):
        admin.execute(
            "INSERT INTO core.privacy_zone (id, public_id, kind, name_en, name_zh, geom, sensitive, buffer_m, source,"
            " valid_from, valid_to, zone_version, origin) VALUES (%s, %s, 'dormitory', 'New', '新',"
            " ST_GeomFromText(%s, 4326), false, %s, 'request', %s, %s, 1, 'sample')",
            [uuid.uuid4(), name, shape.wkt, buffer_m, since, until],
        )

    return add


PLACE = ground(dug=True).to_map(PIT)


@pytest.fixture
def officer(services):
    return services.actor("O1")


def queued(services, session, officer):
    return [row.public_id for row in desk.queue(session, officer, services.rulebook, NOW)]


def refused(call) -> tuple[int, set[str]]:
    with pytest.raises(RuleViolation) as caught:
        call()
    return caught.value.status, {refusal.rule for refusal in caught.value.refusals}


def test_GD_43__zone_on_a_finding__out_of_the_queue_and_not_to_be_opened(services, session, officer, found, add_zone):
    assert queued(services, session, officer) == [found]
    assert desk.finding(session, officer, found).public_id == found
    add_zone(PLACE.centroid.buffer(0.0005))
    session.rollback()
    assert queued(services, session, officer) == []
    assert desk.waiting_count(session, officer) == 0
    assert refused(lambda: desk.finding(session, officer, found)) == (409, {"GD-43"})


def test_GD_43__zone_on_a_finding__nobody_decides_it_and_the_row_is_kept(work, session, found, add_zone):
    add_zone(PLACE.centroid.buffer(0.0005))
    for decide in (confirm_detection, reject_detection):
        with work("O1") as unit:
            assert refused(lambda how=decide, unit=unit: how(unit, found, "seen")) == (409, {"GD-43"})
    row = session.scalars(select(t.Detection)).one()
    assert (row.public_id, row.state) == (found, "assigned")


def test_GD_43__zone_on_a_finding__no_part_of_what_is_compared(session, proposed, add_zone):
    assert len(queries.findings(session, proposed[1])) == 1
    add_zone(PLACE.centroid.buffer(0.0005))
    session.rollback()
    assert queries.findings(session, proposed[1]) == []


@pytest.mark.parametrize(
    ("zone", "shut"),
    [
        ({"shape": PLACE.centroid.buffer(0.0002), "until": NOW + timedelta(hours=1)}, True),
        ({"shape": PLACE.centroid.buffer(0.0002), "since": NOW + timedelta(days=1)}, False),
        ({"shape": PLACE.centroid.buffer(0.0002), "until": NOW - timedelta(minutes=30)}, False),
        ({"shape": shapely.affinity.translate(PLACE.envelope, xoff=0.01)}, False),
        ({"shape": shapely.affinity.translate(PLACE.envelope, xoff=0.01), "buffer_m": 900.0}, True),
    ],
    ids=["in force", "of tomorrow", "over", "elsewhere", "elsewhere, with a wide buffer"],
)
def test_is_shut__zones_that_count_and_reach_it(session, found, add_zone, zone, shut):
    add_zone(**zone)
    asked = select(is_shut(NOW)).where(t.Detection.public_id == found)
    assert session.scalar(asked) is shut


def test_GD_43__zone_is_over__the_finding_opens_again(session, found, add_zone, admin, officer):
    add_zone(PLACE.centroid.buffer(0.0005))
    session.rollback()
    assert refused(lambda: desk.finding(session, officer, found))[0] == 409
    admin.execute("UPDATE core.privacy_zone SET valid_to = %s WHERE public_id = 'PZ-LATE'", [NOW])
    session.rollback()
    assert desk.finding(session, officer, found).public_id == found
