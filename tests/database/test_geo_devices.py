"""Devices on a real database: every guard refuses what it is there for, and the lawful path goes through."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from geoalchemy2.shape import from_shape
from shapely.geometry import Point, box
from sqlalchemy import select

from geo import commands
from schemas.refusals import RuleViolation
from schemas.store.work import find
from schemas.tables import (
    Announcement,
    Authority,
    Device,
    DeviceReview,
    DeviceSite,
    PrivacyZone,
    Publication,
    Signage,
    SitingPlan,
    SupervisionItem,
)
from tests.world import PUBLISHED_AT

SHANGHAI = ZoneInfo("Asia/Shanghai")


def rules(caught):
    return {refusal.rule for refusal in caught.value.refusals}


def texts(caught):
    return {refusal.text for refusal in caught.value.refusals}


def new_device(session, **changes):
    fields = {
        "name": "Camera at the river (fictional)",
        "place": Point(113.262, 23.131),
        "place_text": "River bank (fictional)",
        "device_type": "video",
        "purpose_en": "Outfall",
        "purpose_zh": "排污口",
        "authority": session.scalars(select(Authority).where(Authority.code == "A1")).one(),
        "item": session.scalars(select(SupervisionItem)).one(),
        "siting_plan": session.scalars(select(SitingPlan)).one(),
        "quality_certificate_no": "QC-9",
    }
    return commands.NewDevice(**fields | changes)


@pytest.fixture
def registered(work):
    """The public id of a device that has just been registered."""

    def make(**changes):
        with work("N1") as doing:
            device = commands.register_device(doing, new_device(doing.session, **changes))
            doing.commit()
            return device.public_id

    return make


@pytest.fixture
def reviewed(work, registered):
    """The public id of a device that passed both reviews."""

    def make(**changes):
        public_id = registered(**changes)
        for code, kind in (("L1", "legal"), ("T1", "technical")):
            review(work, public_id, code, kind)
        with work("SYSTEM") as doing:
            commands.review_device(doing, doing.get(Device, public_id))
            doing.commit()
        return public_id

    return make


def review(work, public_id, code, kind, **answers):
    with work(code) as doing:
        device = doing.get(Device, public_id)
        items = dict.fromkeys(doing.pack_for(device)[f"review.{kind}.items"], True) | answers
        commands.record_review(doing, device, kind=kind, items=items)
        doing.commit()


def state(services, public_id):
    with services.session() as session:
        return find(session, Device, public_id).state


def refused(work, code, public_id, command, **options):
    with pytest.raises(RuleViolation) as caught, work(code) as doing:
        command(doing, doing.get(Device, public_id), **options)
    return caught


def test_GD_10_3__both_reviews_passed__device_moves_on(work, services, reviewed):
    assert state(services, reviewed()) == "reviewed"


def test_GD_10_3__only_the_technical_review__refused(work, registered):
    public_id = registered()
    review(work, public_id, "T1", "technical")
    caught = refused(work, "SYSTEM", public_id, commands.review_device)
    assert (rules(caught), texts(caught)) == ({"GD-10.3"}, {"device.review"})


def test_GD_10_3__an_item_that_failed__refused(work, registered):
    public_id = registered()
    review(work, public_id, "L1", "legal")
    with work("T1") as doing:
        failing = doing.pack_for(doing.get(Device, public_id))["review.technical.items"][0]
    review(work, public_id, "T1", "technical", **{failing: False})
    assert rules(refused(work, "SYSTEM", public_id, commands.review_device)) == {"GD-10.3"}


@pytest.mark.parametrize(("code", "kind"), [("T1", "legal"), ("L1", "technical"), ("O4", "legal"), ("H1", "legal")])
def test_GD_11_1__review_by_somebody_else__403(work, registered, code, kind):
    caught = refused(work, code, registered(), commands.record_review, kind=kind, items={})
    assert caught.value.status == 403


def test_GD_11_2__items_left_blank_or_invented__refused_together(work, registered):
    caught = refused(work, "L1", registered(), commands.record_review, kind="legal", items={"looks_fine": True})
    assert texts(caught) == {"device.review_blank", "device.review_unknown"}


def test_GD_10_3__an_unknown_kind_of_review__refused(work, registered):
    caught = refused(work, "L1", registered(), commands.record_review, kind="moral", items={})
    assert caught.value.status == 422


def test_review__all_that_fails_is_told_at_once(work, registered):
    public_id = registered(
        place=Point(113.2700, 23.1300),
        siting_plan=None,
        quality_certificate_no=" ",
        is_measuring_instrument=True,
        calibration_valid_to=date(2025, 7, 1),
    )
    caught = refused(work, "SYSTEM", public_id, commands.review_device)
    assert rules(caught) == {"GD-09.2", "GD-10.3", "GD-15", "GD-12.2", "GD-22.2"}


def test_GD_15__inside_Z1__refused_with_the_place(work, registered):
    public_id = registered(place=Point(113.2700, 23.1300))
    caught = refused(work, "SYSTEM", public_id, commands.review_device)
    (refusal,) = [r for r in caught.value.refusals if r.rule == "GD-15"]
    assert refusal.place == {"type": "Point", "coordinates": (113.27, 23.13)}
    assert refusal.measured == "0 m"


def test_GD_15__looks_into_Z1_from_outside__refused(work, registered):
    public_id = registered(place=Point(113.2685, 23.1300), sector_azimuth_deg=90.0, hfov_deg=60.0, range_m=200.0)
    assert "device.sees_zone" in texts(refused(work, "SYSTEM", public_id, commands.review_device))


def test_GD_15__looks_away_from_Z1__clear(work, reviewed, services):
    public_id = reviewed(place=Point(113.2685, 23.1300), sector_azimuth_deg=270.0, hfov_deg=60.0, range_m=200.0)
    assert state(services, public_id) == "reviewed"


def test_GD_15__a_kind_of_place_where_nobody_may_be_watched__refused_without_any_polygon(work, registered):
    public_id = registered(place_type="changing_room")
    assert "device.private_place_type" in texts(refused(work, "SYSTEM", public_id, commands.review_device))


@pytest.mark.parametrize(
    ("plan", "text"),
    [
        ({"approved_on": None}, "site.plan_not_approved"),
        ({"approved_on": date(2025, 7, 3)}, "site.plan_not_approved"),
        ({"approval_no": ""}, "site.plan_not_approved"),
        ({"revoked_on": date(2025, 7, 2)}, "site.plan_revoked"),
        ({"approver_authority_id": None}, "site.plan_wrong_level"),
    ],
)
def test_GD_09_2__a_siting_plan_without_standing_provincial_approval__refused(work, services, registered, plan, text):
    public_id = registered()
    with services.housekeeping() as session:
        for name, value in plan.items():
            setattr(session.scalars(select(SitingPlan)).one(), name, value)
    assert text in texts(refused(work, "SYSTEM", public_id, commands.review_device))


def test_GD_09_2__approved_by_a_county__refused(work, services, registered):
    public_id = registered()
    with services.housekeeping() as session:
        county = session.scalars(select(Authority.id).where(Authority.code == "A1")).one()
        session.scalars(select(SitingPlan)).one().approver_authority_id = county
    assert "site.plan_wrong_level" in texts(refused(work, "SYSTEM", public_id, commands.review_device))


def test_IR_1__no_item__not_registered(work):
    with pytest.raises(RuleViolation) as caught, work("N1") as doing:
        commands.register_device(doing, new_device(doing.session, item=None))
    assert rules(caught) == {"IR-1"}


def test_GD_02_1__a_place_without_rules__not_registered(work):
    with pytest.raises(RuleViolation) as caught, work("N1") as doing:
        commands.register_device(doing, new_device(doing.session, place=Point(0.0, 50.0)))
    assert rules(caught) == {"GD-02.1"}


def test_GD_14_6__secret_without_its_document__not_registered(work):
    with pytest.raises(RuleViolation) as caught, work("N1") as doing:
        commands.register_device(doing, new_device(doing.session, secret=True))
    assert rules(caught) == {"GD-14.6"}


def test_register__words_that_nobody_knows__422_with_all_of_them(work):
    words = {"platform": "balloon", "device_type": "smell", "owner_type": "nobody"}
    with pytest.raises(RuleViolation) as caught, work("N1") as doing:
        commands.register_device(doing, new_device(doing.session, **words))
    assert caught.value.status == 422
    assert len(caught.value.refusals) == 3


@pytest.mark.parametrize("code", ["F1", "H1", "O4", "S1"])
def test_register__without_the_role_in_that_authority__403(work, code):
    with pytest.raises(RuleViolation) as caught, work(code) as doing:
        commands.register_device(doing, new_device(doing.session))
    assert caught.value.status == 403


# -- publication ------------------------------------------------------------------------------------------


def show(work, public_id, channel, code="O1", **receipt):
    with work(code) as doing:
        commands.record_publication(doing, doing.get(Device, public_id), channel=channel, **receipt)
        doing.commit()


def show_on_both(work, clock, public_id):
    show(work, public_id, "official_disclosure", receipt_id="GD-1", published_at=clock.now())
    show(work, public_id, "platform_map")


def test_GD_14_2__published_on_both_channels__in_notice_until_day_30(work, services, reviewed, clock):
    public_id = reviewed()
    show_on_both(work, clock, public_id)
    with work("O1") as doing:
        commands.publish(doing, doing.get(Device, public_id))
        doing.commit()
    assert state(services, public_id) == "published"
    caught = refused(work, "H1", public_id, commands.activate_device)
    (refusal,) = [r for r in caught.value.refusals if r.rule == "GD-14.2"]
    assert (refusal.earliest, refusal.measured, refusal.required) == (date(2025, 8, 1), 0, 30)


@pytest.mark.parametrize(
    ("channels", "missing"),
    [
        ((), {"GD-14.2", "GD-14.3"}),
        (("platform_map",), {"GD-14.2"}),
        (("official_disclosure",), {"GD-14.3"}),
    ],
)
def test_GD_14_3__channels_missing__not_published(work, clock, reviewed, channels, missing):
    public_id = reviewed()
    for channel in channels:
        receipt = {} if channel == "platform_map" else {"receipt_id": "R", "published_at": clock.now()}
        show(work, public_id, channel, **receipt)
    assert rules(refused(work, "O1", public_id, commands.publish)) == missing


def test_GD_14_2__a_receipt_from_the_future_or_without_number_or_zone__refused(work, clock, reviewed):
    public_id = reviewed()
    for receipt in (
        {"receipt_id": "R", "published_at": clock.now() + timedelta(seconds=1)},
        {"receipt_id": " ", "published_at": clock.now()},
        {"receipt_id": "R"},
        {"receipt_id": "R", "published_at": datetime(2025, 6, 1)},
    ):
        caught = refused(work, "O1", public_id, commands.record_publication, channel="official_disclosure", **receipt)
        assert caught.value.status == 422


def test_GD_14_2__the_platform_s_own_map__cannot_be_dated_back(work, services, clock, reviewed):
    public_id = reviewed()
    show(work, public_id, "platform_map", receipt_id="mine", published_at=PUBLISHED_AT)
    with services.session() as session:
        row = session.scalars(select(Publication).order_by(Publication.recorded_at.desc())).first()
        assert row.published_at == clock.now()
        assert row.receipt_id == row.public_id


def test_GD_14_3__a_channel_that_the_pack_does_not_have__refused(work, reviewed):
    caught = refused(work, "O1", reviewed(), commands.record_publication, channel="my blog")
    assert texts(caught) == {"notice.channel"}


def test_GD_14_2__the_same_content_twice_on_one_channel__refused(work, reviewed):
    public_id = reviewed()
    show(work, public_id, "platform_map")
    caught = refused(work, "O1", public_id, commands.record_publication, channel="platform_map")
    assert texts(caught) == {"notice.twice"}


@pytest.mark.parametrize("code", ["F1", "L1", "O4"])
def test_publish__without_the_role__403(work, reviewed, code):
    caught = refused(work, code, reviewed(), commands.record_publication, channel="platform_map")
    assert caught.value.status == 403


def test_GD_14_4__purpose_changed_after_publishing__the_old_notice_does_not_count(work, services):
    with services.housekeeping() as session:
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


def test_GD_14_2__DV1_at_midnight_of_day_30_local_time__activated(work, clock):
    clock.at = datetime(2025, 7, 1, 0, 0, tzinfo=SHANGHAI)
    with work("H1") as doing:
        commands.activate_device(doing, doing.get(Device, "DV-DV1"))
        doing.commit()


def test_GD_14_1__no_verified_sign__refused(work, services, admin):
    admin.execute("DELETE FROM core.signage")
    assert rules(refused(work, "H1", "DV-DV1", commands.activate_device)) == {"GD-14.1"}


def test_GD_14_1__a_sign_seen_today__recorded_and_enough(work, admin):
    admin.execute("DELETE FROM core.signage")
    with work("O1") as doing:
        commands.record_sign(doing, doing.get(Device, "DV-DV1"), text="DV1")
        doing.commit()
    with work("H1") as doing:
        commands.activate_device(doing, doing.get(Device, "DV-DV1"))
        doing.commit()


def test_GD_10_3__reviews_older_than_twelve_months__refused(work, services):
    with services.housekeeping() as session:
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
        commands.record_calibration(doing, device, valid_to=date(2025, 12, 31), certificate_no="C-1")
        doing.commit()
    with work("H1") as doing:
        commands.activate_device(doing, doing.get(Device, "DV-DV1"))
        doing.commit()


def test_GD_16_4__an_aircraft_whose_mark_was_last_checked_long_ago__refused(work, services):
    with services.housekeeping() as session:
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
def test_GD_14_5__something_moved_during_maintenance__refused(work, services, paused, change):
    with services.housekeeping() as session:
        for name, value in change.items():
            setattr(find(session, Device, paused), name, value)
    assert texts(refused(work, "C1", paused, commands.resume_device)) == {"device.moved"}


def test_GD_14_5__moved_200_metres__refused(work, services, paused):
    with services.housekeeping() as session:
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
    caught = refused(work, "H1", active, commands.unblock_device, reason="put back")
    assert texts(caught) == {"device.out_too_long"}
    clock.advance(timedelta(days=-1))
    with work("H1") as doing:
        commands.unblock_device(doing, doing.get(Device, active), reason="put back")
        doing.commit()
    assert state(services, active) == "active"


def discontinue(work, public_id):
    with work("H1") as doing:
        commands.discontinue_device(
            doing, doing.get(Device, public_id), reason="not needed", text_en="Ended.", text_zh="停用。"
        )
        doing.commit()


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


def test_GD_14_4__used_again__needs_a_new_notice_from_the_first_day(work, clock, active):
    discontinue(work, active)
    clock.at = datetime(2025, 9, 1, 9, 0, tzinfo=SHANGHAI)
    assert rules(refused(work, "O1", active, commands.publish)) == {"GD-14.2", "GD-14.3"}
    show_on_both(work, clock, active)
    with work("O1") as doing:
        commands.publish(doing, doing.get(Device, active))
        doing.commit()
    clock.at = datetime(2025, 9, 30, 9, 0, tzinfo=SHANGHAI)
    caught = refused(work, "H1", active, commands.activate_device)
    assert caught.value.refusals[0].earliest == date(2025, 10, 1)


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


# -- secret devices ---------------------------------------------------------------------------------------


def test_GD_14_6__a_secret_device__used_without_publication_and_never_published(work, services, reviewed):
    public_id = reviewed(secret=True, secret_document="A1, secret, 2025-3, until 2030")
    assert "GD-14.6" in rules(refused(work, "O1", public_id, commands.publish))
    with work("H1") as doing:
        commands.activate_device(doing, doing.get(Device, public_id))
        doing.commit()
    assert state(services, public_id) == "active"
    discontinue(work, public_id)
    with services.session() as session:
        assert session.scalars(select(Announcement)).all() == []


def test_GD_14_6__an_ordinary_device__is_not_used_by_that_door(work, reviewed):
    public_id = reviewed()
    with pytest.raises(RuleViolation) as caught, work("H1") as doing:
        doing.apply(doing.get(Device, public_id), "activate_secret")
    assert rules(caught) == {"GD-14.6"}
