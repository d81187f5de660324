"""The papers of a device in use: what keeps it there, what stops it, and what takes it back (GD-10, GD-20, GD-22)."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from shapely.geometry import Point
from sqlalchemy import delete, select

from geo import commands
from geo.due import due
from schemas.refusals import RuleViolation
from schemas.store.work import find
from schemas.tables import (
    Attachment,
    Calibration,
    Device,
    DeviceReview,
    Evaluation,
    Person,
    Publication,
    Signage,
)
from tests.database.acting import (
    PAPER,
    PHOTO,
    answered,
    discontinue,
    done,
    refused,
    repaired,
    rules,
    show,
    show_on_both,
    state,
    texts,
    witnessed_when_published,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
DV1 = "DV-DV1"


@pytest.fixture
def active(work):
    done(work, "H1", DV1, commands.activate_device)
    return DV1


def stopped(services):
    return list(commands.block_where_due(services.work))


def reason(services, public_id):
    with services.session() as session:
        return find(session, Device, public_id).state_reason


# -- signs and tests ----------------------------------------------------------------------------------------


def test_GD_14_1__sign_without_photo__refused(work):
    caught = refused(work, "O1", DV1, commands.record_sign, text="DV1")
    assert (caught.value.status, texts(caught)) == (422, {"device.sign_no_photo"})


def test_GD_14_1__sign_seen_two_days_ago__photo_and_day_kept(work, services, clock):
    day = clock.now().date() - timedelta(days=2)
    done(work, "O1", DV1, commands.record_sign, text="DV1", photo=PHOTO, seen_on=day)
    with services.session() as session:
        sign = session.scalars(select(Signage).where(Signage.photo_sha256 == PHOTO.sha256)).one()
        kept = session.scalars(select(Attachment).where(Attachment.subject_id == sign.id)).one()
    assert (sign.verified_on, kept.purpose, kept.media_type) == (day, "photo", "image/jpeg")


def test_GD_14_1__sign_seen_tomorrow_or_blank__refused(work, clock):
    ahead = clock.now().date() + timedelta(days=1)
    assert texts(refused(work, "O1", DV1, commands.record_sign, text="DV1", photo=PHOTO, seen_on=ahead)) == {
        "device.day_ahead"
    }
    assert texts(refused(work, "O1", DV1, commands.record_sign, text=" ", photo=PHOTO)) == {"device.sign_blank"}


def a_test(**changes):
    fields = {"agency": "Institute (fictional)", "certificate_no": "C-1", "valid_to": date(2025, 12, 31)}
    return commands.Test(**fields | changes)


@pytest.mark.parametrize(
    "changes", [{"valid_to": None}, {"valid_to": date(2025, 7, 1)}, {"passed": False}, {"certificate_no": " "}]
)
def test_GD_22_2__test_that_says_nothing__refused(work, changes):
    assert refused(work, "T1", DV1, commands.record_calibration, test=a_test(**changes)).value.status == 422


@pytest.mark.parametrize(
    ("until", "is_refused"), [(date(2027, 7, 2), False), (date(2027, 7, 3), True), (date(2099, 12, 31), True)]
)
def test_GD_22_2__test_that_holds_too_long__refused(work, until, is_refused):
    if is_refused:
        caught = refused(work, "T1", DV1, commands.record_calibration, test=a_test(valid_to=until))
        assert texts(caught) == {"device.test_too_long"}
    else:
        done(work, "T1", DV1, commands.record_calibration, test=a_test(valid_to=until))


def test_GD_22_2__calibration_lapses_in_use__stopped_that_night_and_taken_back(
    work, services, clock, past_the_judge, active
):
    with past_the_judge() as session:
        find(session, Device, active).is_measuring_instrument = True
    done(work, "T1", active, commands.record_calibration, test=a_test(), certificate=PAPER)
    assert stopped(services) == []
    clock.at = datetime(2025, 12, 31, 23, 59, tzinfo=SHANGHAI)
    assert stopped(services) == []
    clock.at = datetime(2026, 1, 1, 0, 0, tzinfo=SHANGHAI)
    assert stopped(services) == [f"device {active}"]
    assert reason(services, active).startswith("GD-22.2")
    repaired(work, active)
    assert rules(refused(work, "H1", active, commands.unblock_device, reason="still good")) == {"GD-22.2"}
    done(work, "T1", active, commands.record_calibration, test=a_test(valid_to=date(2026, 12, 31)))
    done(work, "H1", active, commands.unblock_device, reason="verified anew")
    assert (state(services, active), stopped(services)) == ("active", [])


def test_GD_22_2__failed_test__ends_what_held_before(work, services, past_the_judge, active):
    with past_the_judge() as session:
        find(session, Device, active).is_measuring_instrument = True
    done(work, "T1", active, commands.record_calibration, test=a_test())
    done(work, "T1", active, commands.record_calibration, test=a_test(passed=False, valid_to=None))
    assert stopped(services) == [f"device {active}"]
    with services.session() as session:
        assert [row.passed for row in session.scalars(select(Calibration).order_by(Calibration.recorded_at))] == [
            True,
            False,
        ]


# -- evaluations --------------------------------------------------------------------------------------------


def test_GD_10_1__not_evaluated__stopped_after_the_days_of_grace(work, services, clock, active):
    # In use since 2025-07-02: due on 2026-07-02, and thirty days of grace.
    clock.at = datetime(2026, 8, 1, 12, 0, tzinfo=SHANGHAI)
    assert f"device {active}" not in stopped(services)
    clock.advance(timedelta(days=1))
    assert f"device {active}" in stopped(services)
    assert reason(services, active).startswith("GD-10.1")


def test_GD_10_1__evaluated__another_year(work, services, clock, active):
    clock.at = datetime(2026, 6, 1, 12, 0, tzinfo=SHANGHAI)
    done(work, "O1", active, commands.evaluate_device, outcome="keep", text="Still needed.", files=[PAPER])
    clock.at = datetime(2027, 7, 1, 12, 0, tzinfo=SHANGHAI)
    assert f"device {active}" not in stopped(services)
    clock.advance(timedelta(days=1))
    assert f"device {active}" in stopped(services)


def test_GD_10_1__in_use_again_after_an_evaluation_of_long_ago__a_year_from_the_first_day(
    work, services, clock, active, past_the_judge
):
    # In use until 2023, evaluated then, and since 2025-07-02 once more.
    with past_the_judge() as session:
        device = find(session, Device, active)
        by = session.scalars(select(Person).where(Person.code == "O1")).one()
        told = {"outcome": "keep", "text": "Needed.", "evaluated_on": date(2023, 3, 1), "evaluated_by": by.id}
        session.add(Evaluation(public_id="EV-OLD", device_id=device.id, origin="sample", evidence={}, **told))
    try:
        assert f"device {active}" not in stopped(services)
        with work("O1") as doing:
            device = doing.get(Device, active)
            found = due(
                doing.session, device.authority_id, doing.pack_for(device), date(2026, 6, 10), what="evaluation"
            )
        assert [one.due_on for one in found if one.public_id == active] == [date(2026, 7, 2)]
        clock.at = datetime(2026, 8, 2, 12, 0, tzinfo=SHANGHAI)
        assert f"device {active}" in stopped(services)
    finally:
        with past_the_judge() as session:
            session.execute(delete(Evaluation).where(Evaluation.public_id == "EV-OLD"))


def test_GD_10_2__site_cancelled__use_ends_with_the_evaluation(work, services, active):
    words = {"outcome": "cancel_site", "text": "The outfall is closed."}
    assert refused(work, "O1", active, commands.evaluate_device, **words).value.status in (403, 422)
    assert texts(refused(work, "H1", active, commands.evaluate_device, **words)) == {"notice.not_announced"}
    done(work, "H1", active, commands.evaluate_device, **words, announcement=("Ended.", "停用。"))
    assert state(services, active) == "discontinued"


# -- incidents ----------------------------------------------------------------------------------------------


def incident(work, public_id, kind, code="C1", **options):
    done(work, code, public_id, commands.report_incident, kind=kind, text="seen on patrol", **options)


@pytest.mark.parametrize(
    ("kind", "place", "stops"),
    [
        ("tamper", None, True),
        ("jammed", None, True),
        ("offline", None, False),
        ("moved", Point(113.26039, 23.13), True),
        ("moved", Point(113.26009, 23.13), False),
    ],
)
def test_GD_20_1__disturbed_or_shifted_beyond_ten_metres__stopped(work, services, active, kind, place, stops):
    incident(work, active, kind, seen_at=place)
    assert bool(stopped(services)) is stops


def test_GD_20_1__taken_back__by_the_unit_head_on_the_word_of_a_technical_reviewer(work, services, clock, active):
    incident(work, active, "tamper")
    stopped(services)
    clock.advance(timedelta(days=1))
    assert texts(refused(work, "H1", active, commands.unblock_device, reason="fine")) == {"device.repair_unproven"}
    words = {"kind": "repair", "text": "Lens renewed.", "done_by": "A1"}
    assert refused(work, "O1", active, commands.record_upkeep, **words).value.status == 403
    repaired(work, active)
    done(work, "H1", active, commands.unblock_device, reason="repaired")
    assert stopped(services) == []
    # Another stop needs another repair.
    clock.advance(timedelta(days=1))
    incident(work, active, "tamper")
    stopped(services)
    assert texts(refused(work, "H1", active, commands.unblock_device, reason="fine")) == {"device.repair_unproven"}


def test_GD_20_1__incident_of_tomorrow_or_by_a_stranger__refused(work, clock, active):
    ahead = clock.now() + timedelta(minutes=1)
    words = {"kind": "tamper", "text": "x"}
    assert refused(work, "C1", active, commands.report_incident, **words, observed_at=ahead).value.status == 422
    assert refused(work, "O4", active, commands.report_incident, **words).value.status == 403


def test_GD_10_3__review_withdrawn_by_a_later_one_that_fails__stopped(work, services, active):
    with work("L1") as doing:
        device = doing.get(Device, active)
        answers = answered(doing.pack_for(device), "legal", other_legal_matters=False)
        commands.record_review(doing, device, kind="legal", answers=answers)
        doing.commit()
    assert stopped(services) == [f"device {active}"]
    assert reason(services, active).startswith("GD-10.3")


# -- withdrawal and new versions ----------------------------------------------------------------------------


def test_GD_14_2__withdrawn_in_the_notice_period__clock_stands_until_shown_again(work, clock, past_the_judge):
    done(work, "O1", DV1, commands.withdraw_publication, channel="platform_map", reason="wrong purpose")
    assert rules(refused(work, "H1", DV1, commands.activate_device)) == {"GD-14.2"}
    show(work, DV1, "platform_map")
    witnessed_when_published(past_the_judge)
    caught = refused(work, "H1", DV1, commands.activate_device)
    assert caught.value.refusals[0].earliest == date(2025, 8, 1)


def test_GD_14_2__withdrawal_of_what_is_in_use_or_not_there__refused(work, active):
    words = {"channel": "platform_map", "reason": "x"}
    assert texts(refused(work, "O1", active, commands.withdraw_publication, **words)) == {"notice.in_use"}
    discontinue(work, active)
    assert texts(refused(work, "O1", active, commands.withdraw_publication, **words)) == {"notice.not_carried"}
    assert refused(work, "O1", active, commands.withdraw_publication, channel="feed", reason=" ").value.status == 422


def test_GD_10_3__moved_after_the_end_of_use__new_site_new_reviews_new_clock(work, services, clock, active):
    discontinue(work, active)
    place = Point(113.262, 23.131)
    change = commands.Revision(reason="bridge rebuilt", place=place, place_text="New bridge (fictional)")
    with services.session() as session:
        before = find(session, Device, active).site_id
    done(work, "N1", active, commands.revise_device, change=change)
    with services.session() as session:
        device = find(session, Device, active)
        assert (device.state, device.device_version) == ("registered", 2)
        assert device.site_id != before
    assert texts(refused(work, "SYSTEM", active, commands.review_device)) == {"device.review_missing"}
    for code, kind in (("L1", "legal"), ("T1", "technical")):
        with work(code) as doing:
            device = doing.get(Device, active)
            commands.record_review(doing, device, kind=kind, answers=answered(doing.pack_for(device), kind))
            doing.commit()
    done(work, "SYSTEM", active, commands.review_device)
    show_on_both(work, clock, active)
    done(work, "O1", active, commands.publish)
    with services.session() as session:
        device = find(session, Device, active)
        rounds = session.scalars(select(Publication.round_no).where(Publication.subject_id == device.id)).all()
        reviews = session.scalars(select(DeviceReview.device_version).where(DeviceReview.device_id == device.id)).all()
    assert (sorted(rounds), sorted(reviews)) == ([1, 1, 2, 2], [1, 1, 2, 2])


def test_GD_14_2__revised_while_a_channel_carries_it__refused(work):
    change = commands.Revision(reason="x", fields={"purpose_en": "Something else"})
    caught = refused(work, "N1", DV1, commands.revise_device, change=change)
    assert rules(caught) == {"state.machine"}


def test_revise__words_that_nobody_knows__422(work, active):
    discontinue(work, active)
    change = commands.Revision(reason="x", fields={"platform": "balloon"})
    with pytest.raises(RuleViolation) as caught, work("N1") as doing:
        commands.revise_device(doing, doing.get(Device, active), change)
    assert caught.value.status == 422
