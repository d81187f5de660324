"""Areas and routes in effect and out of it, and privacy zones, on a real database."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from shapely.geometry import LineString, Point, box
from sqlalchemy import select, text

from geo import commands, notices
from geo.queries import zones_near
from schemas.refusals import RuleViolation
from schemas.store.work import find
from schemas.tables import PatrolArea, PatrolRoute, PrivacyZone
from tests.database.acting import rules, texts
from tests.database.patrolling import do, draft_route, refused, show
from tests.world import PA1, R1, R2

SHANGHAI = ZoneInfo("Asia/Shanghai")


def test_GD_14_4__suspended__the_old_notice_cannot_be_used_again(work, clock):
    words = {"reason": "works", "text_en": "Suspended.", "text_zh": "暂停。"}
    do(work, "H1", commands.suspend, PatrolArea, "PA1", **words)
    assert rules(refused(work, "O1", commands.publish, PatrolArea, "PA1")) == {"GD-14.2", "GD-14.3"}
    show(work, clock, PatrolArea, "PA1")
    clock.advance(timedelta(days=29))
    assert rules(refused(work, "SYSTEM", commands.take_effect, PatrolArea, "PA1")) == {"GD-14.2"}


def test_GD_14_4__suspended_without_a_word__refused(work):
    words = {"reason": "works", "text_en": "", "text_zh": ""}
    assert rules(refused(work, "H1", commands.suspend, PatrolArea, "PA1", **words)) == {"GD-14.4"}


# -- routes -----------------------------------------------------------------------------------------------


def test_GD_16_3__the_area_is_no_longer_public__refused(work):
    do(work, "H1", commands.suspend, PatrolArea, "PA1", reason="works", text_en="Suspended.", text_zh="暂停。")
    draft_route(work, R1)
    assert texts(refused(work, "N1", commands.check, PatrolRoute, "R9")) == {"patrol.area_state"}


def test_take_effect_where_due__nothing_is_due__nothing_happens_and_nothing_is_recorded(services, session):
    before = session.scalar(text("SELECT count(*) FROM ledger.event"))
    assert list(commands.take_effect_where_due(services.work, services.engine)) == []
    assert session.scalar(text("SELECT count(*) FROM ledger.event")) == before


def test_take_effect_where_due__area_first_then_its_route(services, admin, clock):
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.patrol_area SET state = 'published', effective_from = NULL WHERE code = 'PA1'")
    admin.execute("UPDATE core.patrol_route SET state = 'published', effective_from = NULL WHERE code = 'R1'")
    made = list(commands.take_effect_where_due(services.work, services.engine))
    assert made == ["patrol_area PA-PA1", "route RT-R1"]
    with services.session() as session:
        assert find(session, PatrolArea, "PA1").effective_from == date(2025, 7, 2)
    clock.at = datetime(2025, 7, 3, tzinfo=UTC)
    assert list(commands.take_effect_where_due(services.work, services.engine)) == []


def test_take_effect_where_due__refused_by_the_database_alone__passed_over_without_a_word(
    services, admin, clock, session, monkeypatch
):
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.patrol_area SET state = 'published', effective_from = NULL WHERE code = 'PA1'")
    admin.execute("UPDATE core.publication SET origin = 'live'")  # recorded today, long after this clock's day
    monkeypatch.setattr(notices, "counted", list)
    before = session.scalar(text("SELECT count(*) FROM ledger.event"))
    assert list(commands.take_effect_where_due(services.work, services.engine)) == []
    assert session.scalar(text("SELECT count(*) FROM ledger.event")) == before


def test_take_effect_where_due__a_day_early__nothing(services, admin, clock):
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.patrol_area SET state = 'published', effective_from = NULL WHERE code = 'PA1'")
    clock.at = datetime(2025, 6, 30, 23, 59, tzinfo=SHANGHAI)
    assert list(commands.take_effect_where_due(services.work, services.engine)) == []


# -- zones ------------------------------------------------------------------------------------------------


def new_zone(**changes):
    fields = {
        "kind": "dormitory",
        "name_en": "Dormitory (fictional)",
        "name_zh": "宿舍（虚构）",
        "geom": box(113.2640, 23.1245, 113.2645, 23.1249),
    }
    return commands.NewZone(**fields | changes)


def test_GD_15__a_zone_added_today__stops_a_route_the_same_day(work):
    draft_route(work, R1)
    with work("H1") as doing:
        commands.add_privacy_zone(doing, new_zone())
        doing.commit()
    assert rules(refused(work, "N1", commands.check, PatrolRoute, "R9")) == {"GD-16.5"}


@pytest.mark.parametrize("code", ["O1", "F1", "N1", "SYSTEM"])
def test_GD_15__a_zone__decided_by_a_unit_head_only(work, code):
    with pytest.raises(RuleViolation) as caught, work(code) as doing:
        commands.add_privacy_zone(doing, new_zone())
    assert caught.value.status == 403


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"exact_geom": box(113.0, 23.0, 113.1, 23.1)}, "zone.exact_outside"),
        ({"buffer_m": -1.0}, "zone.buffer"),
        ({"buffer_m": float("nan")}, "zone.buffer"),
        ({"buffer_m": 1001.0}, "zone.buffer"),
        ({"valid_to": datetime(2025, 7, 2, 1, 0, tzinfo=UTC)}, "zone.period"),
        ({"source": "rumour"}, "site.word"),
    ],
)
def test_GD_15__a_zone_that_contradicts_itself__422(work, change, text):
    with pytest.raises(RuleViolation) as caught, work("H1") as doing:
        commands.add_privacy_zone(doing, new_zone(**change))
    assert (caught.value.status, texts(caught)) == (422, {text})


def test_zones_near__finds_what_could_be_touched_and_nothing_far(work, services, clock):
    with work("H1") as doing:
        commands.add_privacy_zone(doing, new_zone(buffer_m=500.0, valid_from=clock.now() + timedelta(days=1)))
        doing.commit()
    with services.session() as session:
        now, tomorrow = clock.now(), clock.now() + timedelta(days=1)
        assert [z.public_id for z in zones_near(session, R2, now)] == ["PZ-Z1"]
        assert zones_near(session, Point(113.0, 23.0), now) == ()
        south = LineString([(113.255, 23.121), (113.285, 23.121)])
        (coming,) = zones_near(session, south, now, tomorrow)
        assert coming.buffer_m == 500.0
        assert zones_near(session, south, now) == ()
        assert len(zones_near(session, R1, tomorrow)) == 2


def test_sensitive_zone__the_exact_shape_is_read_for_the_check(work, services, clock):
    displayed, exact = box(113.26, 23.124, 113.266, 23.13), box(113.2601, 23.1245, 113.2603, 23.1247)
    with work("H1") as doing:
        commands.add_privacy_zone(doing, new_zone(geom=displayed, exact_geom=exact))
        doing.commit()
    with services.session() as session:
        (zone,) = zones_near(session, R1, clock.now())
        assert session.scalars(select(PrivacyZone.sensitive).where(PrivacyZone.id == zone.id)).one()
    assert zone.exact_geom.equals(exact)
    assert zone.checked.equals(displayed)


def test_world__PA1_is_what_the_requirements_say(services):
    with services.session() as session:
        assert find(session, PatrolArea, "PA1").state == "effective"
    assert PA1.contains(R1)
