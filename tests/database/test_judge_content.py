"""The database itself holds what is published, the steps of state, and the dates of use, whoever writes them."""

from datetime import date

import psycopg
import pytest

from tests.classified import CLASSIFIED
from tests.database.plain import Plain, connect

IN_USE = date(2025, 7, 1)
ENDED = date(2025, 8, 1)
ELSEWHERE = "SRID=4326;POINT(113.3 23.2)"


@pytest.fixture
def live(plain):
    return Plain(plain.connection, origin="live")


@pytest.fixture
def camera(plain):
    device = plain.device("published")
    plain.publish(device)
    plain.set_state("device", device, "active", activated_on=IN_USE)
    return device


@pytest.fixture
def area(plain):
    area = plain.area("published")
    plain.publish(area, "patrol_area")
    plain.set_state("patrol_area", area, "effective", effective_from=IN_USE)
    return area


@pytest.fixture
def route(plain, area):
    route = plain.route(area, "published")
    plain.publish(route, "patrol_route")
    plain.set_state("patrol_route", route, "effective", effective_from=IN_USE)
    return route


# -- what a channel carries ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "purpose_en = 'another'",
        "purpose_zh = '其他'",
        "device_type = 'radar'",
        "platform = 'uav'",
        "public_id = 'XX-OTHER'",
        "item_id = gen_random_uuid()",
        "authority_id = gen_random_uuid()",
    ],
)
def test_GD_14_2__device_in_use__content_final(plain, camera, refused_by, change):
    with refused_by("GD-14.2"):
        plain.run(f"UPDATE core.device SET {change} WHERE id = %s", camera)


@pytest.mark.parametrize("state", ["active", "maintenance", "blocked"])
def test_GD_14_5__device_in_use__cannot_go_to_another_site(plain, camera, refused_by, state):
    if state != "active":
        plain.set_state("device", camera, state)
    with refused_by("GD-14.2"):
        plain.run("UPDATE core.device SET site_id = %s WHERE id = %s", plain.site(ELSEWHERE), camera)


def test_GD_14_2__words_for_a_published_site__final(plain, camera, refused_by):
    with refused_by("GD-14.2"):
        plain.run("UPDATE core.device_site SET place_text = 'elsewhere'")


@pytest.mark.parametrize(
    "change",
    [
        "geom = 'SRID=4326;LINESTRING(113.2550 23.1300,113.2850 23.1300)'",
        "home = 'SRID=4326;POINT(113.27 23.13)'",
        "mission = '{\"items\": [1]}'",
        "mission_digest = repeat('f', 64)",
        "alt_agl_m = 5",
        "camera_hfov_deg = 90",
        "speed_m_s = 3",
        "trigger_distance_m = 1",
        "route_version = 2",
        "code = 'R99'",
    ],
)
def test_DC_2__route_in_force__content_final(plain, route, refused_by, change):
    with refused_by("GD-14.2"):
        plain.run(f"UPDATE core.patrol_route SET {change} WHERE id = %s", route)


@pytest.mark.parametrize(
    "change", ["geom = ST_Expand(geom, 0.1)", "alt_max_agl_m = 200", "alt_min_agl_m = 1", "purpose_en = 'another'"]
)
def test_GD_16_3__area_in_force__content_final(plain, area, refused_by, change):
    with refused_by("GD-14.2"):
        plain.run(f"UPDATE core.patrol_area SET {change} WHERE id = %s", area)


def test_GD_14_2__content_exchanged_between_publication_and_use__refused(plain, refused_by):
    """A line is shown for thirty days and another one is put in its place before the last step."""
    area = plain.area("approved")
    plain.publish(area, "patrol_area")
    with refused_by("GD-14.2"):
        plain.run("UPDATE core.patrol_area SET geom = ST_Expand(geom, 0.1) WHERE id = %s", area)


def test_GD_14_4__after_the_end_of_use__content_may_change_until_it_is_shown_again(plain, area, refused_by):
    plain.set_state("patrol_area", area, "suspended", suspended_on=ENDED)
    plain.run("UPDATE core.patrol_area SET geom = ST_Expand(geom, 0.001) WHERE id = %s", area)
    plain.publish(area, "patrol_area", on=date(2025, 8, 10), round_no=2)
    with refused_by("GD-14.2"):
        plain.run("UPDATE core.patrol_area SET geom = ST_Expand(geom, 0.1) WHERE id = %s", area)


def test_GD_14_2__draft_and_withdrawn__may_change(plain):
    area = plain.area("draft")
    plain.run("UPDATE core.patrol_area SET geom = ST_Expand(geom, 0.001) WHERE id = %s", area)
    plain.publish(area, "patrol_area")
    plain.run("UPDATE core.publication SET withdrawn_at = now()")
    plain.run("UPDATE core.patrol_area SET geom = ST_Expand(geom, 0.001) WHERE id = %s", area)


def test_GD_14_2__what_is_not_published_of_a_device_in_use__may_change(plain, camera):
    plain.run("UPDATE core.device SET calibration_valid_to = '2027-01-01', serial_no = 'S' WHERE id = %s", camera)


# -- steps ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["reviewed", "published", "active", "maintenance", "blocked", "discontinued"])
def test_P9__live_device_begins_registered(plain, live, refused_by, state):
    site = plain.site()
    row = {"platform": "fixed", "category": "fixed", "device_type": "video", "owner_type": "authority"}
    row |= {"name": "x", "purpose_en": "p", "purpose_zh": "p", "version": 1, "secret": False}
    with refused_by("state.machine"):
        live.insert(
            "device", state=state, site_id=site, authority_id=plain.authority(), is_measuring_instrument=False, **row
        )


@pytest.mark.parametrize("origin", ["live", "sample", "legacy"])
@pytest.mark.parametrize("skipped_to", ["active", "blocked", "maintenance", "published"])
def test_P9__state_skipped__refused(plain, refused_by, origin, skipped_to):
    device = Plain(plain.connection, origin=origin).device("registered", public_id="XX-SKIP")
    with refused_by("state.machine"):
        plain.set_state("device", device, skipped_to)


def test_P9__retired__for_good(plain, camera, refused_by):
    plain.set_state("device", camera, "retired")
    for state in ("registered", "published", "active"):
        with refused_by("state.machine"):
            plain.set_state("device", camera, state)


# -- use without notice --------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["maintenance", "blocked"])
def test_GD_14_3__asserted_as_once_in_use__needs_its_notice_too(plain, refused_by, state):
    with refused_by("GD-14.3"):
        plain.device(state, activated_on=IN_USE)
    with refused_by("GD-14.2"):
        plain.device(state)


def test_GD_14_6__secret_for_the_moment_of_activation__refused(plain, refused_by):
    device = plain.device("published")
    with refused_by("GD-14.6"), plain.connection.transaction():
        plain.set_state("device", device, "active", activated_on=IN_USE, secret=True, **CLASSIFIED)
        plain.run("UPDATE core.device SET secret = false WHERE id = %s", device)


def test_GD_14_6__secret_given_up_during_a_pause__needs_its_notice(plain, refused_by):
    device = plain.device("reviewed", secret=True, **CLASSIFIED)
    plain.set_state("device", device, "active", activated_on=IN_USE)
    plain.set_state("device", device, "maintenance")
    with refused_by("GD-14.3"):
        plain.run("UPDATE core.device SET secret = false WHERE id = %s", device)


# -- dates of use --------------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["'2025-05-02'", "NULL", "'2026-01-01'"])
def test_GD_14_2__date_of_use__final(plain, camera, route, refused_by, value):
    with refused_by("GD-14.2"):
        plain.run(f"UPDATE core.device SET activated_on = {value} WHERE id = %s", camera)
    with refused_by("GD-14.2"):
        plain.run(f"UPDATE core.patrol_route SET effective_from = {value} WHERE id = %s", route)


@pytest.mark.parametrize("day", [None, date(2025, 6, 30)])
def test_GD_14_4__end_without_a_day_or_before_the_beginning__refused(plain, camera, area, refused_by, day):
    with refused_by("GD-14.4"):
        plain.set_state("device", camera, "discontinued", discontinued_on=day)
    with refused_by("GD-14.4"):
        plain.set_state("patrol_area", area, "suspended", suspended_on=day)


def test_GD_14_4__forgotten_end__does_not_bring_back_the_old_notice(plain, camera, area, refused_by):
    plain.set_state("device", camera, "discontinued", discontinued_on=ENDED)
    with refused_by("GD-14.4"):
        plain.run("UPDATE core.device SET discontinued_on = NULL WHERE id = %s", camera)
    plain.set_state("patrol_area", area, "suspended", suspended_on=ENDED)
    with refused_by("GD-14.4"):
        plain.set_state("patrol_area", area, "published", suspended_on=None)
    plain.set_state("patrol_area", area, "published")
    with refused_by("GD-14.3"):
        plain.set_state("patrol_area", area, "effective", effective_from=date(2025, 9, 15), suspended_on=None)


# -- records that stay ---------------------------------------------------------------------------


def test_GD_14_4__announcement__final(plain, camera, refused_by):
    row = {"subject_kind": "device", "subject_id": camera, "kind": "discontinued", "announced_at": "2025-08-01"}
    plain.insert("announcement", text_en="t", text_zh="t", **row)
    with refused_by("GD-20.2"):
        plain.run("UPDATE core.announcement SET text_en = 'other'")


def test_GD_10_3__review__final(plain, refused_by):
    person = plain.insert("person", code="L1", name_en="L1", name_zh="L1", authority_id=plain.authority())
    row = {"device_id": plain.device(), "kind": "legal", "reviewer_id": person, "reviewed_on": "2025-05-01"}
    plain.insert("device_review", passed=False, items="{}", **row)
    with refused_by("GD-20.2"):
        plain.run("UPDATE core.device_review SET passed = true")


@pytest.mark.parametrize(
    "change",
    ["geom = ST_Buffer(geom, 0.001)::geometry(Polygon)", "buffer_m = 5", "kind = 'other'", "valid_from = now()"],
)
def test_GD_15__zone__another_shape_is_another_zone(plain, refused_by, change):
    plain.zone(buffer_m=10)
    with refused_by("GD-15"):
        plain.run(f"UPDATE core.privacy_zone SET {change}")


def test_GD_15__zone__may_end(plain):
    plain.zone()
    plain.run("UPDATE core.privacy_zone SET valid_to = now()")


# -- sample data and real data -------------------------------------------------------------------


def test_real_register__never_becomes_one_of_sample_data(blank, refused_by):
    with connect(blank) as connection:
        Plain(connection, origin="live").authority()
        with refused_by("GD-14.2"):
            connection.execute("INSERT INTO core.installation (key, value) VALUES ('sample_data', 'x')")
        connection.execute("INSERT INTO core.installation (key, value) VALUES ('other', 'x')")
        with refused_by("GD-14.2"):
            connection.execute("UPDATE core.installation SET key = 'sample_data'")


def test_sample_mark__stays(plain, refused_by):
    with refused_by("GD-14.2"):
        plain.run("UPDATE core.installation SET key = 'was_sample'")


# -- numbers -------------------------------------------------------------------------------------

NO_HEIGHTS = ["NaN", "Infinity", "-Infinity", "-1", "20001"]


@pytest.mark.parametrize("height_m", NO_HEIGHTS)
def test_DC_4__height_that_is_none__refused(plain, refused_by, height_m):
    area = plain.area()
    with refused_by("DC-4"):
        plain.route(area, alt_agl_m=height_m)
    with refused_by("DC-4"):
        plain.area(alt_max_agl_m=height_m)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("sector_azimuth_deg", "NaN"),
        ("sector_azimuth_deg", "-1"),
        ("sector_azimuth_deg", "361"),
        ("hfov_deg", "0"),
        ("hfov_deg", "400"),
        ("range_m", "Infinity"),
        ("range_m", "-5"),
    ],
)
def test_DC_4__sight_of_a_device_that_is_none__refused(plain, refused_by, column, value):
    with refused_by("DC-4"):
        plain.device(**{column: value})


def test_DC_4__every_number_has_bounds(root):
    """A column of floating point without a CHECK would take NaN and infinity."""
    unbounded = root.execute(
        "SELECT c.relname || '.' || a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " WHERE c.relnamespace = 'core'::regnamespace AND c.relkind = 'r' AND a.atttypid = 'float8'::regtype"
        " AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c'"
        " AND a.attnum = ANY (k.conkey))"
    ).fetchall()
    assert unbounded == []


# -- the ledger ----------------------------------------------------------------------------------


@pytest.mark.parametrize("body", ['{"a":\n1}', '{"a":1}\n', "\t{}"])
def test_ledger__body_of_more_than_one_line__refused(plain, body):
    with pytest.raises(psycopg.errors.CheckViolation, match="ck_event_body_is_one_line"):
        plain.run("SELECT ledger.append('a', 'b', 'c', 'd', %s, NULL, NULL, 'live')", body.encode())


@pytest.mark.parametrize("at", ["0044-03-15 BC", "12000-01-01", "infinity"])
def test_ledger__time_that_no_calendar_can_write__refused(plain, at):
    with pytest.raises(psycopg.errors.CheckViolation, match="ck_event_effective_at"):
        plain.run("SELECT ledger.append('a', 'b', 'c', 'd', '{}', NULL, %s, 'live')", at)
