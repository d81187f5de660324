"""Devices in use: activated, paused, blocked, discontinued and used again, on the fixture DV1."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from geoalchemy2.shape import from_shape
from shapely.geometry import Point, box
from sqlalchemy import select, text

from geo import commands
from geo.due import annual_report
from schemas.store.work import find
from schemas.tables import (
    Announcement,
    Device,
    DeviceReview,
    DeviceSite,
    PrivacyZone,
    Publication,
    Signage,
)
from tests.classified import make_secret
from tests.database.acting import (
    PHOTO,
    discontinue,
    refused,
    repaired,
    rules,
    show,
    show_on_both,
    state,
    texts,
    witnessed_when_published,
)
from tests.database.plain import connect

SHANGHAI = ZoneInfo("Asia/Shanghai")


def test_GD_14_4__purpose_changed_after_publishing__the_old_notice_does_not_count(work, past_the_judge):
    with past_the_judge() as session:
        find(session, Device, "DV-DV1").purpose_en = "Something else entirely"
    caught = refused(work, "H1", "DV-DV1", commands.activate_device)
    assert texts(caught) == {"notice.other_content"}


# -- use --------------------------------------------------------------------------------------------------


def test_GD_14_2__DV1_on_day_30__activated(work, services):
    with work("H1") as doing:
        commands.activate_device(doing, doing.get(Device, "DV-DV1"))
        doing.commit()
    with services.session() as session:
        device = find(session, Device, "DV-DV1")
        assert (device.state, device.activated_on) == ("active", date(2025, 7, 2))


def test_GD_14_2__DV1_on_day_29__refused(work, clock):
    clock.at = datetime(2025, 6, 30, 23, 59, tzinfo=SHANGHAI)
    caught = refused(work, "H1", "DV-DV1", commands.activate_device)
    assert rules(caught) == {"GD-14.2"}
    assert caught.value.refusals[0].earliest == date(2025, 7, 1)


def test_GD_14_2__DV1_at_midnight_of_day_30_local_time__activated(work, clock, services):
    clock.at = datetime(2025, 7, 1, 0, 0, tzinfo=SHANGHAI)
    with work("H1") as doing:
        commands.activate_device(doing, doing.get(Device, "DV-DV1"))
        doing.commit()
    with services.session() as session:
        device = find(session, Device, "DV-DV1")
        assert (device.state, device.activated_on) == ("active", date(2025, 7, 1))


def test_GD_14_1__no_verified_sign__refused(work, services, admin):
    admin.execute("DELETE FROM core.signage")
    assert rules(refused(work, "H1", "DV-DV1", commands.activate_device)) == {"GD-14.1"}


def test_GD_14_1__a_sign_seen_today__recorded_and_enough(work, admin, services, clock):
    admin.execute("DELETE FROM core.signage")
    with work("O1") as doing:
        commands.record_sign(doing, doing.get(Device, "DV-DV1"), text="DV1", photo=PHOTO)
        doing.commit()
    with work("H1") as doing:
        commands.activate_device(doing, doing.get(Device, "DV-DV1"))
        doing.commit()
    with services.session() as session:
        device = find(session, Device, "DV-DV1")
        sign = session.scalars(select(Signage).where(Signage.device_id == device.id)).one()
        assert (sign.text, sign.verified_on) == ("DV1", clock.now().astimezone(SHANGHAI).date())
        assert device.state == "active"


def test_GD_10_3__reviews_older_than_twelve_months__refused(work, past_the_judge):
    with past_the_judge() as session:
        for row in session.scalars(select(DeviceReview)):
            row.reviewed_on = date(2024, 7, 1)
    caught = refused(work, "H1", "DV-DV1", commands.activate_device)
    assert texts(caught) == {"device.review_old"}
    assert len(caught.value.refusals) == 2


def test_GD_15__a_zone_that_came_during_the_notice_period__refused(work, services, clock):
    with services.housekeeping() as session:
        session.add(
            PrivacyZone(
                public_id="PZ-NEW",
                kind="dormitory",
                name_en="New",
                name_zh="新",
                geom=from_shape(box(113.2595, 23.1295, 113.2605, 23.1305), srid=4326),
                source="request",
                valid_from=clock.now() - timedelta(days=1),
            )
        )
    assert rules(refused(work, "H1", "DV-DV1", commands.activate_device)) == {"GD-15"}


def test_GD_22_2__calibration_lapsed_yesterday__refused_until_renewed(work, services):
    with services.housekeeping() as session:
        device = find(session, Device, "DV-DV1")
        device.is_measuring_instrument, device.calibration_valid_to = True, date(2025, 7, 1)
    assert rules(refused(work, "H1", "DV-DV1", commands.activate_device)) == {"GD-22.2"}
    with work("T1") as doing:
        device = doing.get(Device, "DV-DV1")
        test = commands.Test(agency="Institute (fictional)", certificate_no="C-1", valid_to=date(2025, 12, 31))
        commands.record_calibration(doing, device, test)
        doing.commit()
    with work("H1") as doing:
        commands.activate_device(doing, doing.get(Device, "DV-DV1"))
        doing.commit()


def test_GD_16_4__an_aircraft_whose_mark_was_last_checked_long_ago__refused(work, past_the_judge):
    with past_the_judge() as session:
        device = find(session, Device, "DV-DV1")
        device.platform, device.category = "uav", "mobile"
        for row in session.scalars(select(Signage)):
            row.verified_on = date(2024, 7, 1)
    caught = refused(work, "H1", "DV-DV1", commands.activate_device)
    assert "GD-16.4" in rules(caught)
    assert "GD-14.1" not in rules(caught)


@pytest.mark.parametrize("code", ["O1", "N1", "F1", "SYSTEM"])
def test_activate__anybody_but_the_unit_head__403(work, code):
    assert refused(work, code, "DV-DV1", commands.activate_device).value.status == 403


# -- pauses, blocks and ends ------------------------------------------------------------------------------


@pytest.fixture
def active(work):
    with work("H1") as doing:
        commands.activate_device(doing, doing.get(Device, "DV-DV1"))
        doing.commit()
    return "DV-DV1"


@pytest.fixture
def paused(work, active):
    with work("O1") as doing:
        commands.pause_device(doing, doing.get(Device, active), reason="lens", ends_on=date(2025, 7, 6))
        doing.commit()
    return active


def test_GD_14_5__maintenance_and_back_the_same_day__no_new_notice(work, services, paused):
    assert state(services, paused) == "maintenance"
    with work("C1") as doing:
        commands.resume_device(doing, doing.get(Device, paused))
        doing.commit()
    assert state(services, paused) == "active"


@pytest.mark.parametrize(
    "change", [{"sector_azimuth_deg": 10.0}, {"purpose_zh": "其他"}, {"range_m": 5.0}, {"hfov_deg": 1.0}]
)
def test_GD_14_5__something_moved_during_maintenance__refused(work, past_the_judge, paused, change):
    with past_the_judge() as session:
        for name, value in change.items():
            setattr(find(session, Device, paused), name, value)
    assert texts(refused(work, "C1", paused, commands.resume_device)) == {"device.moved"}


def test_GD_14_5__moved_200_metres__refused(work, past_the_judge, paused):
    with past_the_judge() as session:
        site = DeviceSite(public_id="ST-NEW", geom=from_shape(Point(113.262, 23.13), srid=4326), place_text="elsewhere")
        session.add(site)
        session.flush()
        find(session, Device, paused).site_id = site.id
    assert texts(refused(work, "C1", paused, commands.resume_device)) == {"device.moved"}


@pytest.mark.parametrize("ends_on", [None, date(2025, 7, 1), date(2025, 10, 1)])
def test_GD_14_5__a_pause_without_a_near_end__refused(work, active, ends_on):
    caught = refused(work, "O1", active, commands.pause_device, reason="lens", ends_on=ends_on)
    assert rules(caught) == {"GD-14.5"}


def test_GD_14_5__maintenance_of_91_days__counts_as_discontinuation(work, clock, paused):
    clock.advance(timedelta(days=90))
    with work("C1") as doing:
        commands.resume_device(doing, doing.get(Device, paused))
    clock.advance(timedelta(days=1))
    assert texts(refused(work, "C1", paused, commands.resume_device)) == {"device.out_too_long"}


def test_GD_22_2__blocked_and_taken_back_within_90_days(work, services, clock, active):
    with work("SYSTEM") as doing:
        commands.block_device(doing, doing.get(Device, active), reason="moved by 40 m")
        doing.commit()
    clock.advance(timedelta(days=91))
    repaired(work, active)
    caught = refused(work, "H1", active, commands.unblock_device, reason="put back")
    assert texts(caught) == {"device.out_too_long"}
    clock.advance(timedelta(days=-1))
    with work("H1") as doing:
        commands.unblock_device(doing, doing.get(Device, active), reason="put back")
        doing.commit()
    assert state(services, active) == "active"


def zone_at(work, lon, lat, **change):
    """A zone of some 20 m around a place, added by the unit head."""
    square = box(lon - 1e-4, lat - 1e-4, lon + 1e-4, lat + 1e-4)
    new = commands.NewZone(kind="requested", name_en="new", name_zh="新", geom=square, **change)
    with work("H1") as doing:
        commands.add_privacy_zone(doing, new)
        doing.commit()


def test_GD_15__a_new_zone_around_a_device_in_use__blocked_with_the_reason(work, services, active):
    zone_at(work, 113.26, 23.13)
    with services.session() as session:
        device = find(session, Device, active)
        assert device.state == "blocked"
        assert device.state_reason.startswith("GD-15: The privacy zone PZ-")
        (event,) = session.execute(text("SELECT action, actor FROM ledger.event WHERE action = 'device.block'")).all()
        assert event.actor == "system"
    assert list(commands.block_where_private(services.work)) == []
    repaired(work, active)
    assert rules(refused(work, "H1", active, commands.unblock_device, reason="moved away")) == {"GD-15"}


@pytest.mark.parametrize(
    ("lon", "change", "blocked"),
    [
        (113.2630, {}, False),
        (113.2630, {"buffer_m": 290.0}, False),
        (113.2630, {"buffer_m": 310.0}, True),
        (113.2700, {"buffer_m": 1_000.0}, False),
        (113.2695, {"buffer_m": 1_000.0}, True),
    ],
)
def test_GD_15__a_new_zone_beside_a_device__blocked_within_its_buffer(work, services, active, lon, change, blocked):
    zone_at(work, lon, 23.13, **change)
    assert state(services, active) == ("blocked" if blocked else "active")


def test_GD_15__a_new_zone_in_view_of_a_device__blocked(work, services, active, past_the_judge):
    with past_the_judge() as session:
        device = find(session, Device, active)
        device.sector_azimuth_deg, device.hfov_deg, device.range_m = 90.0, 20.0, 4_000.0
    zone_at(work, 113.29, 23.13)
    assert state(services, active) == "blocked"


def test_GD_15__a_zone_that_begins_later_or_is_over__blocks_on_its_day_alone(work, services, clock, active):
    zone_at(work, 113.26, 23.13, valid_from=clock.now() - timedelta(days=9), valid_to=clock.now() - timedelta(days=1))
    zone_at(work, 113.26, 23.13, valid_from=clock.now() + timedelta(days=1))
    assert list(commands.block_where_private(services.work)) == []
    clock.advance(timedelta(days=1))
    assert list(commands.block_where_private(services.work)) == [f"device {active}"]


def test_GD_14_6__a_secret_device_that_is_blocked__is_not_told(work, services, admin, active):
    make_secret(admin, active)
    zone_at(work, 113.26, 23.13)
    assert list(commands.block_where_private(services.work)) == []
    assert state(services, active) == "blocked"


def test_GD_14_4__discontinued_with_an_announcement(work, services, active):
    discontinue(work, active)
    with services.session() as session:
        assert find(session, Device, active).discontinued_on == date(2025, 7, 2)
        assert session.scalars(select(Announcement.kind)).all() == ["discontinued"]


def test_GD_14_4__discontinued_without_a_word__refused(work, active):
    caught = refused(
        work, "H1", active, commands.discontinue_device, reason="not needed", text_en=" ", text_zh="停用。"
    )
    assert rules(caught) == {"GD-14.4"}


def test_GD_14_4__used_again__needs_a_new_notice_from_the_first_day(work, clock, past_the_judge, active):
    discontinue(work, active)
    clock.at = datetime(2025, 9, 1, 9, 0, tzinfo=SHANGHAI)
    assert rules(refused(work, "O1", active, commands.publish)) == {"GD-14.2", "GD-14.3"}
    show_on_both(work, clock, active)
    with work("O1") as doing:
        commands.publish(doing, doing.get(Device, active))
        doing.commit()
    witnessed_when_published(past_the_judge)
    clock.at = datetime(2025, 9, 30, 9, 0, tzinfo=SHANGHAI)
    caught = refused(work, "H1", active, commands.activate_device)
    assert caught.value.refusals[0].earliest == date(2025, 10, 1)


def test_GD_13_3__used_again_in_a_later_year__new_in_its_first_alone(work, services, clock, past_the_judge, active):
    discontinue(work, active)
    clock.at = datetime(2025, 12, 1, 9, 0, tzinfo=SHANGHAI)
    show_on_both(work, clock, active)
    with work("O1") as doing:
        commands.publish(doing, doing.get(Device, active))
        doing.commit()
    witnessed_when_published(past_the_judge)
    clock.at = datetime(2026, 1, 5, 9, 0, tzinfo=SHANGHAI)
    with work("H1") as doing:
        device = doing.get(Device, active)
        commands.activate_device(doing, device)
        authority, pack = device.authority, doing.pack_for(device)
        doing.commit()
        new_in = {
            year: [name for name, *_ in annual_report(doing.session, authority, pack, year).devices]
            for year in (2025, 2026)
        }
    assert active in new_in[2025]
    assert active not in new_in[2026]


def test_GD_13_3__first_day_of_use__is_the_databases_own(active, database):
    with connect(database) as plainly:
        plainly.execute("UPDATE core.device SET first_used_on = '2030-01-01' WHERE public_id = %s", [active])
        told = plainly.execute("SELECT first_used_on FROM core.device WHERE public_id = %s", [active]).fetchone()
    assert told == (date(2025, 7, 2),)


def test_GD_14_4__a_receipt_older_than_the_end_of_use__cannot_be_used_again(work, clock, active):
    discontinue(work, active)
    old = clock.now() - timedelta(days=40)
    show(work, active, "official_disclosure", receipt_id="OLD", published_at=old)
    show(work, active, "platform_map")
    assert texts(refused(work, "O1", active, commands.publish)) == {"notice.before_stop"}


def test_GD_14_4__given_up_before_use__its_publications_are_withdrawn(work, services):
    discontinue(work, "DV-DV1")
    with services.session() as session:
        device = find(session, Device, "DV-DV1")
        rows = session.scalars(select(Publication).where(Publication.subject_id == device.id)).all()
        assert len(rows) == 2
        assert all(row.withdrawn_at is not None for row in rows)
