"""The database itself refuses use before the notice period is over (GD-14.2 to GD-14.4, GD-16.3)."""

import random
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import psycopg
import pytest

from geo.publication import notice
from schemas.rules import Rulebook
from tests.classified import CLASSIFIED
from tests.database.plain import FIRST_OF_JUNE, NEUTRAL, QINGHE, Plain, connect

DAY_29, DAY_30 = date(2025, 6, 30), date(2025, 7, 1)


def publish_device(plain, **values):
    device = plain.device("published", **values)
    plain.publish(device)
    return device


def test_GD_14_2__day_29__refused(plain, refused_by):
    device = publish_device(plain)
    with refused_by("GD-14.2"):
        plain.set_state("device", device, "active", activated_on=DAY_29)


def test_GD_14_2__day_30__allowed(plain):
    device = publish_device(plain)
    plain.set_state("device", device, "active", activated_on=DAY_30)
    assert plain.run("SELECT state FROM core.device") == [("active",)]


def test_GD_14_2__no_date__refused(plain, refused_by):
    device = publish_device(plain)
    with refused_by("GD-14.2"):
        plain.set_state("device", device, "active")


def test_GD_14_2__short_lead_days_on_the_row__judged_by_the_pack(plain, refused_by):
    device = plain.device("published")
    plain.publish(device, lead_days=0)
    with refused_by("GD-14.2"):
        plain.set_state("device", device, "active", activated_on=DAY_29)


def test_GD_14_2__inserted_as_active_without_publication__refused(plain, refused_by):
    with refused_by("GD-14.3"):
        plain.device("active", activated_on=DAY_30)


def test_GD_14_2__import_may_write_the_device_before_its_publications(plain):
    with plain.connection.transaction():
        device = plain.device("active", activated_on=DAY_30)
        plain.publish(device)
    assert plain.run("SELECT count(*) FROM core.device WHERE state = 'active'") == [(1,)]


def test_GD_14_2__date_that_is_not_the_receipts__refused(plain, refused_by):
    device = plain.device("published")
    with refused_by("GD-14.2"):
        plain.publish(device, published_on=date(2025, 5, 1))


def test_GD_14_3__official_channel_alone__refused(plain, refused_by):
    device = plain.device("published")
    plain.publish(device, channels=("official_disclosure",))
    with refused_by("GD-14.3"):
        plain.set_state("device", device, "active", activated_on=DAY_30)


def test_GD_14_3__one_channel_twice__counts_once(plain, refused_by):
    device = plain.device("published")
    plain.publish(device, channels=("platform_map", "platform_map", "feed"))
    with refused_by("GD-14.3"):
        plain.set_state("device", device, "active", activated_on=DAY_30)


def test_GD_14_3__clock_runs_from_the_later_channel(plain, refused_by):
    device = plain.device("published")
    plain.publish(device, channels=("official_disclosure",))
    plain.publish(device, channels=("platform_map",), on=date(2025, 6, 10))
    with refused_by("GD-14.2"):
        plain.set_state("device", device, "active", activated_on=date(2025, 7, 9))
    plain.set_state("device", device, "active", activated_on=date(2025, 7, 10))


def test_GD_14_3__a_third_channel_later__changes_nothing(plain):
    device = publish_device(plain)
    plain.publish(device, channels=("media",), on=date(2025, 6, 20))
    plain.set_state("device", device, "active", activated_on=DAY_30)


def test_GD_14_2__withdrawn_publication__does_not_count(plain, refused_by):
    device = publish_device(plain)
    plain.run("UPDATE core.publication SET withdrawn_at = now() WHERE channel = 'platform_map'")
    with refused_by("GD-14.3"):
        plain.set_state("device", device, "active", activated_on=DAY_30)


def test_GD_14_4__resumption_on_the_old_publication__refused(plain, refused_by):
    device = publish_device(plain)
    plain.set_state("device", device, "active", activated_on=DAY_30)
    plain.set_state("device", device, "discontinued", discontinued_on=date(2025, 8, 1))
    plain.set_state("device", device, "published")
    with refused_by("GD-14.3"):
        plain.set_state("device", device, "active", activated_on=date(2025, 9, 15))
    plain.publish(device, on=date(2025, 9, 1), round_no=2)
    with refused_by("GD-14.2"):
        plain.set_state("device", device, "active", activated_on=date(2025, 9, 15))
    plain.set_state("device", device, "active", activated_on=date(2025, 10, 1))


def test_GD_14_5__back_from_maintenance__no_new_publication(plain):
    device = publish_device(plain)
    plain.set_state("device", device, "active", activated_on=DAY_30)
    plain.set_state("device", device, "maintenance")
    plain.set_state("device", device, "active")


def test_GD_14_6__documented_secret__exempt(plain, refused_by):
    with refused_by("GD-14.6"):
        plain.device(secret=True)
    device = plain.device("reviewed", secret=True, **CLASSIFIED)
    plain.set_state("device", device, "active", activated_on=DAY_29)


def test_GD_02_1__no_rules_there__refused(plain, refused_by):
    with refused_by("GD-02.1"):
        plain.device("published", place="SRID=4326;POINT(0 0)")
    device = publish_device(plain)
    with refused_by("GD-02.1"):
        plain.set_state("device", device, "active", activated_on=date(2025, 4, 30))


def test_7_2__same_device_fourteen_days_after__refused_here_allowed_there(plain, refused_by):
    here, there = publish_device(plain), publish_device(plain, place=NEUTRAL)
    on = date(2025, 6, 15)
    plain.set_state("device", there, "active", activated_on=on)
    with refused_by("GD-14.2"):
        plain.set_state("device", here, "active", activated_on=on)


@pytest.mark.parametrize("kind", ["patrol_area", "patrol_route"])
def test_GD_16_3__area_and_route_take_effect_after_thirty_days(plain, refused_by, kind):
    area = plain.area("published")
    subject = area if kind == "patrol_area" else plain.route(area, "published")
    if kind == "patrol_route":
        plain.publish(area, "patrol_area")
        plain.set_state("patrol_area", area, "effective", effective_from=DAY_30)
    plain.publish(subject, kind)
    with refused_by("GD-14.2"):
        plain.set_state(kind, subject, "effective", effective_from=DAY_29)
    plain.set_state(kind, subject, "effective", effective_from=DAY_30)


def test_GD_16_3__publication_of_a_device_is_not_that_of_an_area(plain, refused_by):
    area = plain.area("published")
    plain.publish(area, "device")
    with refused_by("GD-14.3"):
        plain.set_state("patrol_area", area, "effective", effective_from=DAY_30)


# -- one clock, in SQL and in Python -----------------------------------------------------------


@pytest.mark.parametrize("place", [QINGHE, NEUTRAL], ids=["Guangdong", "neutral"])
def test_GD_14__clock_of_the_database_and_of_the_guards__agree(plain, place):
    lon, lat = map(float, place.split("(")[1].rstrip(")").split())
    pack = Rulebook.load().resolve(lon, lat, FIRST_OF_JUNE)
    dice = random.Random(14)
    channels = ["official_disclosure", "platform_map", "feed", "notice_board", "carrier_pigeon"]
    answers = []
    for _ in range(60):
        device = plain.device(place=place)
        rows = []
        for _ in range(dice.randrange(8)):
            at = datetime(2025, 6, dice.randrange(1, 20), dice.randrange(24), tzinfo=UTC)
            withdrawn = at if dice.random() < 0.2 else None
            channel = dice.choice(channels)
            rows.append(SimpleNamespace(channel=channel, published_at=at, withdrawn_at=withdrawn))
            day = pack.local_date(at)
            plain.publish(device, on=day, channels=(channel,), published_at=at, withdrawn_at=withdrawn)
        answers.append(notice(rows, pack).earliest)
        query = "SELECT core.earliest_use('device', %s, %s, NULL, false, '2025-06-25')"
        assert plain.run(query, device, place) == [(answers[-1],)], rows
    assert None in answers
    assert len(set(answers)) > 4


# -- live records: the database's own clock decides --------------------------------------------


@pytest.fixture
def live(plain):
    return Plain(plain.connection, origin="live")


def age_publications(root: psycopg.Connection, days: int) -> None:
    """What only an administrator can do, past every trigger; the ledger would show it."""
    root.execute("SET session_replication_role = replica")
    root.execute("UPDATE core.publication SET recorded_at = recorded_at - make_interval(days => %s)", [days])


def test_GD_14_2__live_with_a_back_dated_receipt__refused(live, refused_by):
    device = publish_device(live)
    with refused_by("GD-14.2"):
        live.set_state("device", device, "active", activated_on=DAY_30)


def test_GD_14_2__live_and_witnessed_long_enough__allowed(live, root):
    device = publish_device(live)
    age_publications(root, 31)
    today = live.run("SELECT (now() AT TIME ZONE 'Asia/Shanghai')::date")[0][0]
    live.set_state("device", device, "active", activated_on=today)


def test_GD_14_2__live_and_dated_ahead__refused(live, root, refused_by):
    device = publish_device(live)
    age_publications(root, 31)
    today = live.run("SELECT (now() AT TIME ZONE 'Asia/Shanghai')::date")[0][0]
    with refused_by("GD-14.2"):
        live.set_state("device", device, "active", activated_on=today + timedelta(days=1))


def test_GD_14_2__live_device_on_asserted_publications__refused(live, plain, refused_by):
    device = live.device("published")
    plain.publish(device, origin="legacy")
    with refused_by("GD-14.3"):
        live.set_state("device", device, "active", activated_on=DAY_30)


def test_GD_14_2__origin_of_a_record__fixed(live, refused_by):
    device = publish_device(live)
    with refused_by("GD-20.2"):
        live.run("UPDATE core.device SET origin = 'sample' WHERE id = %s", device)


def test_GD_14_2__sample_publication_among_real_data__refused(blank, refused_by):
    with connect(blank) as connection:
        real = Plain(connection, origin="legacy")
        device = real.device("published")
        with refused_by("GD-14.2"):
            real.publish(device, origin="sample")


# -- publications stay as they were made -------------------------------------------------------


def test_GD_14_2__publication__withdrawn_once_and_otherwise_final(plain, refused_by):
    device = publish_device(plain)
    for change in ("published_on = published_on - 1", "lead_days = 0", "receipt_id = 'other'"):
        with refused_by("GD-14.2"):
            plain.run(f"UPDATE core.publication SET {change} WHERE subject_id = %s", device)
    plain.run("UPDATE core.publication SET withdrawn_at = now()")
    with refused_by("GD-14.2"):
        plain.run("UPDATE core.publication SET withdrawn_at = NULL")
