from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from geo.publication import lead_days, notice
from schemas.rules import DayKind, Rulebook

SHANGHAI = ZoneInfo("Asia/Shanghai")
JUNE_1 = datetime(2025, 6, 1, 10, 0, tzinfo=SHANGHAI)
RULES = Rulebook.load()
PACK = RULES["cn-gd-2025"]


@dataclass(frozen=True)
class Appeared:
    channel: str
    published_at: datetime
    withdrawn_at: datetime | None = None


def appeared(official=JUNE_1, platform_map=JUNE_1):
    pairs = (("official_disclosure", official), ("platform_map", platform_map))
    return [Appeared(channel, at) for channel, at in pairs if at]


def varied(**values):
    changed = PACK.values.model_copy(update={k.replace(".", "__"): v for k, v in values.items()})
    return PACK.model_copy(update={"values": changed})


def test_GD_14_2__day_30__allowed():
    made = notice(appeared(), PACK)
    assert made.complete
    assert made.earliest == date(2025, 7, 1)
    assert made.over_on(date(2025, 7, 1))
    assert made.days_left(date(2025, 7, 1)) == 0


def test_GD_14_2__day_29__refused():
    made = notice(appeared(), PACK)
    assert not made.over_on(date(2025, 6, 30))
    assert made.days_left(date(2025, 6, 30)) == 1


def test_GD_14_3__only_the_official_channel__the_clock_does_not_start():
    made = notice(appeared(platform_map=None), PACK)
    assert not made.complete
    assert (made.official_missing, made.further_missing) == (0, 1)
    assert not made.over_on(date(2030, 1, 1))
    assert made.days_left(date(2030, 1, 1)) is None


def test_GD_14_2__only_further_channels__the_clock_does_not_start():
    further = [Appeared("platform_map", JUNE_1), Appeared("feed", JUNE_1), Appeared("media", JUNE_1)]
    assert notice(further, PACK).official_missing == 1


def test_GD_14_3__map_ten_days_later__the_clock_starts_at_the_later():
    made = notice(appeared(platform_map=JUNE_1 + timedelta(days=9)), PACK)
    assert made.started_on == date(2025, 6, 10)
    assert made.earliest == date(2025, 7, 10)


def test_GD_14_3__a_third_channel_later__does_not_move_the_clock():
    more = [*appeared(), Appeared("notice_board", JUNE_1 + timedelta(days=20))]
    assert notice(more, PACK).earliest == date(2025, 7, 1)


def test_GD_14_2__one_channel_twice__counts_once_from_its_first():
    twice = [Appeared("platform_map", JUNE_1 + timedelta(days=5)), *appeared()]
    assert notice(twice, PACK).earliest == date(2025, 7, 1)
    assert not notice([Appeared("official_disclosure", JUNE_1)] * 2, PACK).complete


def test_GD_14_4__withdrawn_or_unknown_channels__do_not_count():
    withdrawn = Appeared("platform_map", JUNE_1, withdrawn_at=JUNE_1 + timedelta(hours=1))
    unknown = Appeared("a friend's wall", JUNE_1)
    made = notice([*appeared(platform_map=None), withdrawn, unknown], PACK)
    assert made.further_missing == 1


def test_GD_14_2__nothing_published__everything_is_missing():
    made = notice([], PACK)
    assert (made.official_missing, made.further_missing, made.earliest) == (1, 1, None)


def test_GD_14_2__one_in_the_morning_local_time__the_local_day_counts():
    late_on_may_31_in_utc = datetime(2025, 5, 31, 17, 0, tzinfo=UTC)
    assert notice(appeared(late_on_may_31_in_utc, late_on_may_31_in_utc), PACK).started_on == date(2025, 6, 1)


def test_G_1__clear_days__one_day_more():
    assert notice(appeared(), varied(**{"publication.clear_days": True})).earliest == date(2025, 7, 2)


def test_G_1__working_days__weekends_and_holidays_do_not_count():
    pack = varied(**{"publication.lead_days": 5, "publication.day_kind": DayKind.WORKING})
    # 2025-06-02 is a holiday, 06-07 and 06-08 a weekend.
    assert lead_days(date(2025, 6, 1), pack) == 8
    assert notice(appeared(), pack).earliest == date(2025, 6, 9)


def test_GD_14_2__another_pack__allowed_where_the_first_refuses():
    neutral = RULES["demo-neutral"]
    shown = [Appeared("platform_map", datetime(2025, 6, 1, 12, 0, tzinfo=UTC))]
    day = date(2025, 6, 15)
    assert notice(shown, neutral).over_on(day)
    assert not notice([*shown, Appeared("official_disclosure", JUNE_1)], PACK).over_on(day)


def test_notice__a_naive_time__refused():
    with pytest.raises(ValueError, match="aware"):
        notice(appeared(official=datetime(2025, 6, 1)), PACK)


@pytest.mark.parametrize(
    ("published_at", "earliest"),
    [
        (datetime(2025, 6, 1, 23, 59, 59, 999_999, tzinfo=SHANGHAI), date(2025, 7, 1)),
        (datetime(2025, 6, 2, 0, 0, tzinfo=SHANGHAI), date(2025, 7, 2)),
        (datetime(2025, 6, 1, 15, 59, 59, tzinfo=UTC), date(2025, 7, 1)),
        (datetime(2025, 6, 1, 16, 0, tzinfo=UTC), date(2025, 7, 2)),
        (datetime(2025, 6, 1, 9, 0, tzinfo=ZoneInfo("America/Los_Angeles")), date(2025, 7, 2)),
        (datetime(2024, 1, 31, 12, 0, tzinfo=SHANGHAI), date(2024, 3, 1)),  # a leap year
        (datetime(2025, 1, 31, 12, 0, tzinfo=SHANGHAI), date(2025, 3, 2)),
        (datetime(2024, 2, 29, 12, 0, tzinfo=SHANGHAI), date(2024, 3, 30)),
        (datetime(2025, 12, 31, 23, 0, tzinfo=SHANGHAI), date(2026, 1, 30)),
    ],
)
def test_GD_14_2__midnight_leap_days_and_other_zones__counted_in_local_days(published_at, earliest):
    made = notice(appeared(published_at, published_at), PACK)
    assert made.earliest == earliest
    assert not made.over_on(earliest - timedelta(days=1))
    assert made.over_on(earliest)


def test_GD_14_2__one_channel_just_after_midnight__the_later_day_counts():
    before, after = (datetime(2025, 6, 1, 23, 59, tzinfo=SHANGHAI), datetime(2025, 6, 2, 0, 1, tzinfo=SHANGHAI))
    assert notice(appeared(before, after), PACK).earliest == date(2025, 7, 2)
    assert notice(appeared(after, before), PACK).earliest == date(2025, 7, 2)


def test_GD_14_4__withdrawn_and_published_again__the_clock_starts_anew():
    gone = Appeared("official_disclosure", JUNE_1, withdrawn_at=JUNE_1 + timedelta(days=9))
    again = Appeared("official_disclosure", JUNE_1 + timedelta(days=10))
    shown = [*appeared(official=None), gone, again]
    assert notice(shown, PACK).earliest == date(2025, 7, 11)
    assert notice(shown[:-1], PACK).earliest is None


def test_GD_14_4__one_of_two_further_channels_withdrawn__the_one_that_stands_counts():
    gone = Appeared("platform_map", JUNE_1, withdrawn_at=JUNE_1 + timedelta(days=1))
    feed = Appeared("feed", JUNE_1 + timedelta(days=5))
    assert notice([*appeared(platform_map=None), gone, feed], PACK).earliest == date(2025, 7, 6)
