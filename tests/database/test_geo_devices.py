"""Devices from registration to publication: every guard refuses what it is there for."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from shapely.geometry import Point
from sqlalchemy import select, text

from geo import commands
from geo.commands.dispatches import send_notice
from schemas.ids import public_id
from schemas.refusals import RuleViolation
from schemas.store.work import find
from schemas.tables import (
    Announcement,
    Authority,
    Device,
    Origin,
    Publication,
    SitingPlan,
    SupervisionItem,
)
from tests.classified import CLASSIFIED
from tests.database.acting import (
    answered,
    discontinue,
    refused,
    rules,
    show,
    show_on_both,
    state,
    texts,
    witnessed_when_published,
)
from tests.world import PUBLISHED_AT

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.fixture(scope="module")
def database(server, world_template):
    """One database for all tests here: each works on devices of its own."""
    name = server.clone(world_template)
    yield server.database(name)
    server.drop(name)


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
        "siting_plan": session.scalars(select(SitingPlan).where(SitingPlan.public_id == "SP-1")).one(),
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
        commands.record_review(doing, device, kind=kind, answers=answered(doing.pack_for(device), kind, **answers))
        doing.commit()


def test_GD_10_3__both_reviews_passed__device_moves_on(work, services, reviewed):
    assert state(services, reviewed()) == "reviewed"


def test_GD_10_3__only_the_technical_review__refused(work, registered):
    public_id = registered()
    review(work, public_id, "T1", "technical")
    caught = refused(work, "SYSTEM", public_id, commands.review_device)
    assert (rules(caught), texts(caught)) == ({"GD-10.3"}, {"device.review_missing"})
    assert caught.value.refusals[0].message("zh") == "法制审核人员尚未审核。"


def test_GD_10_3__an_item_that_failed__refused(work, registered):
    public_id = registered()
    review(work, public_id, "L1", "legal")
    with work("T1") as doing:
        failing = doing.pack_for(doing.get(Device, public_id))["review.technical.items"][0]
    review(work, public_id, "T1", "technical", **{failing: False})
    assert rules(refused(work, "SYSTEM", public_id, commands.review_device)) == {"GD-10.3"}


@pytest.mark.parametrize(("code", "kind"), [("T1", "legal"), ("L1", "technical"), ("O4", "legal"), ("H1", "legal")])
def test_GD_11_1__review_by_somebody_else__403(work, registered, code, kind):
    caught = refused(work, code, registered(), commands.record_review, kind=kind, answers=commands.Answers(items={}))
    assert caught.value.status == 403


def test_GD_11_2__items_left_blank_or_invented__refused_together(work, registered):
    caught = refused(
        work,
        "L1",
        registered(),
        commands.record_review,
        kind="legal",
        answers=commands.Answers(items={"looks_fine": True}),
    )
    assert texts(caught) == {"device.review_blank", "device.review_unknown"}


def test_GD_10_3__an_unknown_kind_of_review__refused(work, registered):
    caught = refused(work, "L1", registered(), commands.record_review, kind="moral", answers=commands.Answers(items={}))
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


def test_GD_14_2__published_on_both_channels__in_notice_until_day_30(work, services, reviewed, clock, past_the_judge):
    public_id = reviewed()
    show_on_both(work, clock, public_id)
    with work("O1") as doing:
        commands.publish(doing, doing.get(Device, public_id))
        doing.commit()
    assert state(services, public_id) == "published"
    witnessed_when_published(past_the_judge)
    caught = refused(work, "H1", public_id, commands.activate_device)
    (refusal,) = [r for r in caught.value.refusals if r.rule == "GD-14.2"]
    assert (refusal.earliest, refusal.measured, refusal.required) == (date(2025, 8, 1), 0, 30)


def test_GD_14_2__a_receipt_recorded_ten_days_late__counts_from_its_record(work, reviewed, clock, past_the_judge):
    public_id = reviewed()
    show_on_both(work, clock, public_id)
    with work("O1") as doing:
        commands.publish(doing, doing.get(Device, public_id))
        doing.commit()
    witnessed_when_published(past_the_judge)
    with past_the_judge() as session:
        session.execute(
            text("UPDATE core.publication SET recorded_at = published_at + interval '10 days' WHERE channel <> :own"),
            {"own": commands.OWN_CHANNEL},
        )
    caught = refused(work, "H1", public_id, commands.activate_device)
    (refusal,) = [r for r in caught.value.refusals if r.rule == "GD-14.2"]
    assert refusal.earliest == date(2025, 8, 11)


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


def test_GD_14_2__not_reviewed_yet__no_channel_takes_it(work, services, clock, registered):
    public_id = registered()
    receipt = {"receipt_id": "GD-1", "published_at": clock.now()}
    for channel, proof in (("official_disclosure", receipt), ("platform_map", {})):
        caught = refused(work, "O1", public_id, commands.record_publication, channel=channel, **proof)
        assert texts(caught) == {"notice.not_ready"}
    assert texts(refused(work, "O1", public_id, send_notice, channel="official_disclosure")) == {"notice.not_ready"}
    with services.session() as session:
        device = find(session, Device, public_id)
        assert session.scalars(select(Publication).where(Publication.subject_id == device.id)).all() == []


def test_GD_14_2__on_the_own_map__seen_by_the_public_from_that_moment_on(work, services, reviewed):
    public_id = reviewed()

    def seen():
        with services.public() as public:
            wanted = text("SELECT status FROM public_map.devices WHERE public_id = :name")
            return public.execute(wanted, {"name": public_id}).scalars().all()

    assert seen() == []
    show(work, public_id, "platform_map")
    assert seen() == ["in_notice_period"]
    words = {"channel": "platform_map", "reason": "a wrong text"}
    with work("O1") as doing:
        commands.withdraw_publication(doing, doing.get(Device, public_id), **words)
        doing.commit()
    assert seen() == []


def test_GD_09_2__approval_revoked_during_the_notice__ended_and_announced(
    work, services, clock, reviewed, past_the_judge
):
    public_id = reviewed()
    show_on_both(work, clock, public_id)
    with work("O1") as doing:
        commands.publish(doing, doing.get(Device, public_id))
        doing.commit()
    assert list(commands.block_where_due(services.work)) == []
    with past_the_judge() as session:
        plan = session.get_one(SitingPlan, find(session, Device, public_id).site.siting_plan_id)
        plan.state, plan.revoked_on = "revoked", date(2025, 7, 2)
    try:
        assert f"device {public_id}" in list(commands.block_where_due(services.work))
    finally:
        with past_the_judge() as session:
            plan = session.get_one(SitingPlan, find(session, Device, public_id).site.siting_plan_id)
            plan.state, plan.revoked_on = "approved", None
    assert state(services, public_id) == "discontinued"
    with services.public() as public:
        wanted = {"name": public_id}
        told = public.execute(text("SELECT kind FROM public_map.announcements WHERE subject_id = :name"), wanted)
        assert told.scalars().all() == ["discontinued"]
        shown = public.execute(text("SELECT status FROM public_map.devices WHERE public_id = :name"), wanted)
        assert shown.scalars().all() == ["discontinued"]
        carried = "SELECT count(*) FROM public_map.publications WHERE subject_id = :name AND withdrawn_at IS NULL"
        assert public.execute(text(carried), wanted).scalar_one() == 0


@pytest.mark.parametrize("code", ["F1", "L1", "O4"])
def test_publish__without_the_role__403(work, reviewed, code):
    caught = refused(work, code, reviewed(), commands.record_publication, channel="platform_map")
    assert caught.value.status == 403


# -- secret devices ---------------------------------------------------------------------------------------


def test_GD_14_6__a_secret_device__used_without_publication_and_never_published(work, services, reviewed):
    public_id = reviewed(secret=True, **CLASSIFIED)
    assert "GD-14.6" in rules(refused(work, "O1", public_id, commands.publish))
    caught = refused(work, "O1", public_id, commands.record_publication, channel=commands.OWN_CHANNEL)
    assert texts(caught) == {"device.secret"}
    with work("H1") as doing:
        commands.activate_device(doing, doing.get(Device, public_id))
        doing.commit()
    assert state(services, public_id) == "active"
    discontinue(work, public_id)
    with services.session() as session:
        announced = select(Announcement).join(Device, Device.id == Announcement.subject_id)
        assert session.scalars(announced.where(Device.public_id == public_id)).all() == []


def test_GD_14_6__an_ordinary_device__is_not_used_by_that_door(work, reviewed):
    public_id = reviewed()
    with pytest.raises(RuleViolation) as caught, work("H1") as doing:
        doing.apply(doing.get(Device, public_id), "activate_secret")
    assert rules(caught) == {"GD-14.6"}


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        ({"approved_on": None}, "site.plan_not_approved"),
        ({"approved_on": date(2025, 7, 3)}, "site.plan_not_approved"),
        ({"approval_no": ""}, "site.plan_not_approved"),
        ({"revoked_on": date(2025, 7, 2)}, "site.plan_revoked"),
        ({"approver": None}, "site.plan_wrong_level"),
        ({"approver": "A1"}, "site.plan_wrong_level"),
        ({"owner": "P0"}, "site.plan_of_others"),
    ],
)
def test_GD_09_2__a_siting_plan_without_standing_provincial_approval__refused(work, services, registered, plan, told):
    fields = {"approval_no": "SAMPLE-9", "approved_on": date(2025, 5, 20), "owner": "A1", "approver": "P0"} | plan
    owner, approver = fields.pop("owner"), fields.pop("approver")
    with services.housekeeping() as session:
        ids = dict(session.execute(select(Authority.code, Authority.id)).all())
        made = SitingPlan(
            public_id=public_id("SP"),
            authority_id=ids[owner],
            approver_authority_id=ids.get(approver),
            state="approved",
            origin=Origin.SAMPLE.value,
            **fields,
        )
        session.add(made)
        session.flush()
    device_id = registered(siting_plan=made)
    assert told in texts(refused(work, "SYSTEM", device_id, commands.review_device))
