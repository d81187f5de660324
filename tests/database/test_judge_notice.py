"""What the database itself refuses of publication, secrets and views, by plain SQL as the application role."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from schemas.store.engine import PUBLIC
from tests.classified import CLASSIFIED
from tests.database.plain import BOTH, Plain, connect

SHANGHAI = ZoneInfo("Asia/Shanghai")
DAY_30 = date(2025, 7, 1)
BESIDE_Z1 = "SRID=4326;POINT(113.2690 23.1300)"
INTO_Z1 = {"sector_azimuth_deg": 90.0, "hfov_deg": 60.0, "range_m": 200.0}
FROM_Z1 = INTO_Z1 | {"sector_azimuth_deg": 270.0}


@pytest.fixture
def live(blank):
    with connect(blank) as connection:
        yield Plain(connection, origin="live")


@pytest.fixture
def public(blank):
    with connect(blank, PUBLIC) as connection:
        yield connection


def today():
    return datetime.now(SHANGHAI).date()


def camera(plain, **values):
    made = plain.device("published", **values)
    plain.publish(made)
    plain.set_state("device", made, "active", activated_on=DAY_30)
    return made


# -- GD-14.2: no channel before the reviews or the approval ---------------------------------------------------


@pytest.mark.parametrize("channel", BOTH)
def test_GD_14_2__device_not_reviewed__on_no_channel(live, refused_by, channel):
    device = live.device()
    with refused_by("GD-14.2"):
        live.publish(device, channels=(channel,))
    live.set_state("device", device, "reviewed")
    live.publish(device, channels=(channel,))


def test_GD_14_2__shown_and_registered_anew__refused(live, refused_by):
    device = live.device("reviewed")
    live.publish(device)
    with refused_by("GD-14.2"):
        live.set_state("device", device, "registered")


@pytest.mark.parametrize("state", ["draft", "checked"])
@pytest.mark.parametrize("kind", ["patrol_area", "patrol_route", "deployment_point"])
def test_GD_16_3__not_approved__on_no_channel(live, refused_by, kind, state):
    make = {
        "patrol_area": live.area,
        "patrol_route": lambda s: live.route(live.area(), s),
        "deployment_point": live.point,
    }
    subject = make[kind](state)
    with refused_by("GD-14.2"):
        live.publish(subject, kind)
    for step in ("checked", "approved")[state == "checked" :]:
        live.set_state(kind, subject, step)
    live.publish(subject, kind)


def test_GD_14_2__own_map__shows_what_it_carries_from_that_moment_on(live, public):
    device, shown = live.device("reviewed"), "SELECT status, published_on FROM public_map.devices"
    live.publish(device, channels=("official_disclosure",), on=today())
    assert public.execute(shown).fetchall() == []
    live.publish(device, channels=("platform_map",), on=today())
    assert public.execute(shown).fetchall() == [("in_notice_period", today())]
    live.run("UPDATE core.publication SET withdrawn_at = now() WHERE channel = 'platform_map'")
    assert public.execute(shown).fetchall() == []


@pytest.mark.parametrize("kind", ["patrol_area", "deployment_point"])
def test_GD_16_3__own_map__shows_an_approved_place_from_that_moment_on(live, public, kind):
    subject = live.area("approved") if kind == "patrol_area" else live.point("approved")
    shown = f"SELECT status FROM public_map.{kind}s"
    assert public.execute(shown).fetchall() == []
    live.publish(subject, kind, on=today())
    assert public.execute(shown).fetchall() == [("in_notice_period",)]


def test_GD_14_4__announced_anew_after_its_end__shown_as_announced(plain, public):
    device = camera(plain)
    plain.set_state("device", device, "discontinued", discontinued_on=date(2025, 8, 1))
    told = {"subject_kind": "device", "subject_id": device, "kind": "discontinued", "text_en": "x", "text_zh": "x"}
    plain.insert("announcement", **told, announced_at=datetime(2025, 8, 1, tzinfo=SHANGHAI))
    shown = "SELECT status FROM public_map.devices"
    assert public.execute(shown).fetchall() == [("discontinued",)]
    plain.publish(device, on=date(2025, 9, 1), round_no=2)
    assert public.execute(shown).fetchall() == [("in_notice_period",)]


def test_4_4__receipt_of_long_ago__announced_on_the_day_that_the_platform_saw_it(live, public):
    device = live.device("reviewed")
    live.publish(device, on=today() - timedelta(days=20))
    assert public.execute("SELECT published_on, earliest_activation FROM public_map.devices").fetchall() == [
        (today(), today() + timedelta(days=30))
    ]


def test_GD_14_2__channels_on_two_days__announced_on_the_later(plain, public):
    device = plain.device("published")
    plain.publish(device, channels=("official_disclosure",))
    plain.publish(device, channels=("platform_map",), on=date(2025, 6, 10))
    assert public.execute("SELECT published_on FROM public_map.devices").fetchall() == [(date(2025, 6, 10),)]


# -- GD-14.2, GD-14.5: what is in use stays published, and looks where it was said to look ---------------------


@pytest.mark.parametrize("channel", BOTH)
def test_GD_14_2__channel_of_a_device_in_use__not_withdrawn(plain, refused_by, channel):
    camera(plain)
    with refused_by("GD-14.2"):
        plain.run("UPDATE core.publication SET withdrawn_at = now() WHERE channel = %s", channel)


def test_GD_14_2__more_channels_than_needed__one_may_be_withdrawn(plain):
    plain.publish(camera(plain), channels=("media",))
    plain.run("UPDATE core.publication SET withdrawn_at = now() WHERE channel = 'media'")


@pytest.mark.parametrize("kind", ["patrol_area", "deployment_point"])
def test_GD_16_3__channel_of_a_place_in_force__not_withdrawn(plain, refused_by, kind):
    subject = plain.area("published") if kind == "patrol_area" else plain.point("published")
    plain.publish(subject, kind)
    plain.set_state(kind, subject, "effective", effective_from=DAY_30)
    with refused_by("GD-14.2"):
        plain.run("UPDATE core.publication SET withdrawn_at = now()")


def test_GD_14_2__in_its_notice_period__withdrawn(plain):
    plain.publish(plain.device("published"))
    plain.run("UPDATE core.publication SET withdrawn_at = now()")


@pytest.mark.parametrize("change", ["sector_azimuth_deg = 90", "hfov_deg = 61", "range_m = 5000"])
@pytest.mark.parametrize("state", ["published", "active"])
def test_GD_14_5__direction_of_what_is_shown__final(plain, refused_by, change, state):
    looks = {"sector_azimuth_deg": 0.0, "hfov_deg": 60.0, "range_m": 50.0}
    device = camera(plain, **looks) if state == "active" else plain.device("published", **looks)
    with refused_by("GD-14.2"):
        plain.run(f"UPDATE core.device SET {change} WHERE id = %s", device)


# -- GD-14.6 ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lacking", sorted(CLASSIFIED))
def test_GD_14_6__secret_that_lacks_a_field__refused(plain, refused_by, lacking):
    with refused_by("GD-14.6"):
        plain.device(secret=True, **CLASSIFIED | {lacking: None})


def test_GD_14_6__shown_and_withdrawn__becomes_no_secret(live, refused_by):
    device = live.device("reviewed")
    live.publish(device)
    live.run("UPDATE core.publication SET withdrawn_at = now()")
    fields = ", ".join(f"{name} = %({name})s" for name in CLASSIFIED)
    with refused_by("GD-14.6"):
        live.connection.execute(f"UPDATE core.device SET secret = true, {fields}", CLASSIFIED)


def test_GD_14_6__published_to_active_as_a_secret__refused(live, refused_by):
    device = live.device("published")
    with refused_by("GD-14.6"):
        live.set_state("device", device, "active", activated_on=today(), secret=True, **CLASSIFIED)


def test_GD_14_6__secret__never_published_and_on_no_channel(live, refused_by):
    device = live.device("reviewed", secret=True, **CLASSIFIED)
    with refused_by("GD-14.6"):
        live.set_state("device", device, "published")
    with refused_by("GD-14.6"):
        live.publish(device)


def test_GD_14_6__secret_that_is_over__not_put_into_use(live, refused_by):
    over = CLASSIFIED | {"secret_until": date(2025, 12, 31)}
    device = live.device("reviewed", secret=True, **over)
    with refused_by("GD-14.6"):
        live.set_state("device", device, "active", activated_on=today())


# -- GD-15, GD-16.5 -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["reviewed", "published"])
def test_GD_15__device_that_looks_into_a_zone__refused(plain, refused_by, state):
    plain.zone()
    with refused_by("GD-15"):
        plain.device(state, place=BESIDE_Z1, **INTO_Z1)
    plain.device(state, place=BESIDE_Z1, **FROM_Z1)


@pytest.mark.parametrize(
    ("view", "is_refused"),
    [
        (INTO_Z1 | {"range_m": 50.0}, False),  # the zone begins 51 m away
        (INTO_Z1 | {"range_m": 52.0}, True),
        (FROM_Z1 | {"hfov_deg": 360.0}, True),
        (FROM_Z1 | {"hfov_deg": 170.0}, False),
    ],
)
def test_GD_15__as_far_as_it_sees_and_no_further(plain, refused_by, view, is_refused):
    plain.zone()
    device = plain.device(place=BESIDE_Z1, **view)
    if is_refused:
        with refused_by("GD-15"):
            plain.set_state("device", device, "reviewed")
    else:
        plain.set_state("device", device, "reviewed")


def test_GD_15__turned_towards_a_zone_after_its_review__refused(plain, refused_by):
    plain.zone()
    device = plain.device("reviewed", place=BESIDE_Z1, **FROM_Z1)
    with refused_by("GD-15"):
        plain.run("UPDATE core.device SET sector_azimuth_deg = 90 WHERE id = %s", device)


def test_GD_16_5__route_through_a_zone__does_not_take_effect(plain, refused_by):
    area = plain.area("published")
    plain.publish(area, "patrol_area")
    plain.set_state("patrol_area", area, "effective", effective_from=DAY_30)
    through, beside = (f"SRID=4326;LINESTRING(113.2550 {lat},113.2850 {lat})" for lat in (23.13, 23.125))
    plain.zone()
    for line, rule in ((through, "GD-16.5"), (beside, None)):
        route = plain.route(area, "published", geom=line)
        plain.publish(route, "patrol_route")
        if rule:
            with refused_by(rule):
                plain.set_state("patrol_route", route, "effective", effective_from=DAY_30)
        else:
            plain.set_state("patrol_route", route, "effective", effective_from=DAY_30)


@pytest.mark.parametrize("ends", ["2025-06-01", "2025-11-01"])
def test_GD_15__zone_that_would_end_in_the_past__refused(live, refused_by, ends):
    live.zone()
    with refused_by("GD-15"):
        live.run("UPDATE core.privacy_zone SET valid_to = %s", datetime.fromisoformat(ends).replace(tzinfo=SHANGHAI))
    live.run("UPDATE core.privacy_zone SET valid_to = now()")


def test_GD_15__zone_that_has_ended__does_not_come_back(live, refused_by):
    live.zone(valid_to=datetime(2025, 6, 1, tzinfo=SHANGHAI))
    for later in ("NULL", "now() + interval '1 day'"):
        with refused_by("GD-15"):
            live.run(f"UPDATE core.privacy_zone SET valid_to = {later}")
