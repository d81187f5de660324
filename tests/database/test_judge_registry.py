"""What the database itself refuses of the registry, by plain SQL as the application role (GD-15, GD-16.3, GD-22.2)."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest

from tests.database.plain import PA1, Plain, connect

SHANGHAI = ZoneInfo("Asia/Shanghai")
DAY_30 = date(2025, 7, 1)
IN_Z1 = "SRID=4326;POINT(113.2700 23.1300)"
SHIFTED = "SRID=4326;POLYGON((113.254 23.12,113.294 23.12,113.294 23.14,113.254 23.14,113.254 23.12))"
MOVED = "SRID=4326;POLYGON((113.258 23.12,113.298 23.12,113.298 23.14,113.258 23.14,113.258 23.12))"


@pytest.fixture
def live(blank):
    with connect(blank) as connection:
        yield Plain(connection, origin="live")


# -- GD-22.2 ------------------------------------------------------------------------------------------------


def instrument(plain, **values):
    device = plain.device("published", is_measuring_instrument=True, **values)
    plain.publish(device)
    return device


@pytest.mark.parametrize("valid_to", [None, date(2025, 6, 30)])
def test_GD_22_2__instrument_unverified_or_lapsed__not_used(plain, refused_by, valid_to):
    device = instrument(plain, calibration_valid_to=valid_to)
    with refused_by("GD-22.2"):
        plain.set_state("device", device, "active", activated_on=DAY_30)


def test_GD_22_2__verified_until_that_day__used(plain):
    device = instrument(plain, calibration_valid_to=DAY_30)
    plain.set_state("device", device, "active", activated_on=DAY_30)


def test_GD_22_2__asserted_as_in_use_while_lapsed__refused(plain, refused_by):
    with refused_by("GD-22.2"):
        plain.device("active", is_measuring_instrument=True, activated_on=DAY_30, calibration_valid_to=date(2025, 6, 1))


@pytest.mark.parametrize("by_way_of", ["maintenance", "blocked"])
def test_GD_22_2__back_from_a_stop__needs_its_verification(plain, refused_by, by_way_of):
    device = instrument(plain, calibration_valid_to=date(2025, 12, 31))
    plain.set_state("device", device, "active", activated_on=DAY_30)
    plain.set_state("device", device, by_way_of)
    plain.run("UPDATE core.device SET calibration_valid_to = NULL WHERE id = %s", device)
    with refused_by("GD-22.2"):
        plain.set_state("device", device, "active")


def test_GD_22_2__called_no_instrument_for_a_moment__refused(plain, refused_by):
    device = instrument(plain, calibration_valid_to=date(2025, 12, 31))
    plain.set_state("device", device, "active", activated_on=DAY_30)
    with refused_by("GD-22.2"):
        plain.run("UPDATE core.device SET is_measuring_instrument = false WHERE id = %s", device)


def test_GD_22_2__live_date_without_a_test_on_record__refused(live, refused_by):
    device = live.device(is_measuring_instrument=True)
    with refused_by("GD-22.2"):
        live.run("UPDATE core.device SET calibration_valid_to = '2099-01-01' WHERE id = %s", device)
    test = {"device_id": device, "kind": "verification", "agency": "A", "certificate_no": "C"}
    live.insert("calibration", **test, passed=True, tested_on=date(2026, 1, 1), valid_to=date(2099, 1, 1))
    live.run("UPDATE core.device SET calibration_valid_to = '2099-01-01' WHERE id = %s", device)


@pytest.mark.parametrize(
    "values",
    [
        {"passed": False, "valid_to": date(2026, 1, 1)},
        {"passed": True, "valid_to": None},
        {"passed": True, "valid_to": date(2024, 1, 1)},
    ],
)
def test_GD_22_2__test_that_contradicts_itself__refused(plain, values):
    row = {"device_id": plain.device(), "kind": "verification", "agency": "A", "certificate_no": "C"}
    with pytest.raises(psycopg.errors.CheckViolation, match="ck_calibration_valid_to"):
        plain.insert("calibration", **row, tested_on=date(2025, 1, 1), **values)


# -- GD-16.3 ------------------------------------------------------------------------------------------------


@pytest.fixture
def area(plain):
    made = plain.area("published")
    plain.publish(made, "patrol_area")
    plain.set_state("patrol_area", made, "effective", effective_from=DAY_30)
    return made


def route_in_force(plain, area, **values):
    route = plain.route(area, "published", **values)
    plain.publish(route, "patrol_route")
    plain.set_state("patrol_route", route, "effective", effective_from=DAY_30)


def test_GD_16_3__route_inside_an_area_in_force__allowed(plain, area):
    route_in_force(plain, area)


@pytest.mark.parametrize(
    "values",
    [
        {"geom": "SRID=4326;LINESTRING(113.2550 23.1250,113.2950 23.1250)"},
        {"home": "SRID=4326;POINT(113.2490 23.1250)"},
    ],
)
def test_GD_16_3__route_or_launch_point_outside_its_area__refused(plain, area, refused_by, values):
    with refused_by("GD-16.3"):
        route_in_force(plain, area, **values)


def test_GD_16_3__route_of_an_area_not_in_force__refused(plain, refused_by):
    with refused_by("GD-16.3"):
        route_in_force(plain, plain.area("published"))


@pytest.fixture
def people(plain):
    return [
        plain.insert("person", code=code, name_en="x", name_zh="x", authority_id=plain.authority())
        for code in ("N", "H")
    ]


def redraw(plain, area, people, shape=SHIFTED, *, on=date(2025, 7, 2), approved=True, shown=True):
    author, head = people
    values = {"approver_id": head, "approved_on": on} if approved else {}
    number = plain.run("SELECT area_version + 1 FROM core.patrol_area WHERE id = %s", area)[0][0]
    change = plain.insert(
        "area_change",
        area_id=area,
        area_version=number,
        geom=shape,
        earlier_geom=plain.run("SELECT geom FROM core.patrol_area WHERE id = %s", area)[0][0],
        iou=1.0,
        reason="x",
        author_id=author,
        **values,
    )
    if shown:
        plain.publish(area, "patrol_area", on=on)
    plain.run("UPDATE core.patrol_area SET geom = %s, area_version = %s WHERE id = %s", shape, number, area)
    plain.run("UPDATE core.area_change SET applied_on = %s WHERE id = %s", on, change)


def test_GD_16_3__small_change_approved_and_shown__allowed(plain, area, people):
    redraw(plain, area, people)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"approved": False}, "GD-14.2"),
        ({"shown": False}, "GD-14.3"),
        ({"shape": MOVED}, "GD-16.3"),
    ],
)
def test_GD_16_3__change_that_lacks_something__refused(plain, area, people, refused_by, options, rule):
    with refused_by(rule):
        redraw(plain, area, people, **options)


def test_GD_16_3__redrawn_without_a_change_on_record__refused(plain, area, refused_by):
    with refused_by("GD-14.2"):
        plain.run("UPDATE core.patrol_area SET geom = %s WHERE id = %s", SHIFTED, area)
    with refused_by("GD-14.2"):
        plain.run("UPDATE core.patrol_area SET geom = %s, area_version = 2 WHERE id = %s", SHIFTED, area)


def test_GD_16_3__changed_five_times_within_a_year__refused(plain, area, people, refused_by):
    for number in range(4):
        redraw(plain, area, people, PA1 if number % 2 else SHIFTED, on=date(2025, 7, 2) + timedelta(days=number))
    with refused_by("GD-16.3"):
        redraw(plain, area, people, SHIFTED, on=date(2025, 8, 1))


def test_GD_16_1__change_approved_by_who_drew_it__refused(plain, area, people, refused_by):
    with refused_by("GD-16.1"):
        redraw(plain, area, [people[0], people[0]])


def point(plain, state="draft", **values):
    row = {
        "version": 1,
        "code": "DP1",
        "name_en": "x",
        "name_zh": "x",
        "purpose_en": "p",
        "purpose_zh": "p",
        "authority_id": plain.authority(),
        "geom": "SRID=4326;POINT(113.26 23.13)",
        "place_text": "yard",
    }
    return plain.insert("deployment_point", state=state, **row | values)


def test_GD_16_3__point__in_force_after_thirty_days(plain, refused_by):
    made = point(plain, "published")
    plain.publish(made, "deployment_point")
    with refused_by("GD-14.2"):
        plain.set_state("deployment_point", made, "effective", effective_from=date(2025, 6, 30))
    plain.set_state("deployment_point", made, "effective", effective_from=DAY_30)
    with refused_by("GD-14.2"):
        plain.run("UPDATE core.deployment_point SET place_text = 'elsewhere' WHERE id = %s", made)


# -- GD-15 --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["approved", "published"])
def test_GD_15__point_inside_a_zone__refused(plain, refused_by, state):
    plain.zone()
    with refused_by("GD-15"):
        point(plain, state, geom=IN_Z1)


def planned(plain, **values):
    plan = plain.insert("siting_plan", state="submitted", plan_version=1, version=1, authority_id=plain.authority())
    row = {
        "plan_id": plan,
        "ordinal": 1,
        "geom": "SRID=4326;POINT(113.26 23.13)",
        "place_text": "x",
        "place_type": "open_air",
        "indoor": False,
        "platform": "fixed",
        "device_type": "video",
        "purpose_en": "p",
        "purpose_zh": "p",
    }
    return plain.insert("planned_site", **row | values)


@pytest.mark.parametrize("values", [{"geom": IN_Z1}, {"place_type": "toilet"}])
def test_GD_15__private_place__not_granted_by_a_plan(plain, refused_by, values):
    plain.zone()
    site = planned(plain, **values)
    with refused_by("GD-15"):
        plain.run("UPDATE core.planned_site SET decision = 'approved' WHERE id = %s", site)


@pytest.mark.parametrize("change", ["geom = 'SRID=4326;POINT(113.27 23.14)'", "place_type = 'yard'", "range_m = 5"])
def test_GD_09_2__planned_site__never_redrawn(plain, refused_by, change):
    site = planned(plain)
    with refused_by("GD-09.2"):
        plain.run(f"UPDATE core.planned_site SET {change} WHERE id = %s", site)


def test_GD_09_2__decision_about_a_site__stands(plain, refused_by):
    site = planned(plain)
    plain.run("UPDATE core.planned_site SET decision = 'approved' WHERE id = %s", site)
    with refused_by("GD-09.2"):
        plain.run("UPDATE core.planned_site SET decision = 'rejected', decision_text = 'x' WHERE id = %s", site)


def test_GD_11_1__plan_reviewed_by_its_author__refused(plain, people, refused_by):
    plan = plain.insert("siting_plan", state="draft", plan_version=1, version=1, authority_id=plain.authority())
    with refused_by("GD-11.1"):
        plain.run(
            "UPDATE core.siting_plan SET author_id = %s, legal_reviewer_id = %s WHERE id = %s",
            people[0],
            people[0],
            plan,
        )


# -- papers stay as they were recorded ------------------------------------------------------------------------


def test_GD_20_2__evaluations_tests_and_incidents__final(plain, root, refused_by):
    device = plain.device()
    plain.insert("evaluation", device_id=device, outcome="keep", text="x", evaluated_on=DAY_30)
    at = datetime(2025, 7, 1, tzinfo=SHANGHAI)
    plain.insert("incident", device_id=device, kind="tamper", observed_at=at, text="x")
    plain.insert("upkeep", device_id=device, kind="maintenance", done_on=DAY_30, done_by="A1", text="x")
    for table in ("evaluation", "incident", "upkeep"):
        with refused_by("GD-20.2"):
            root.execute(f"UPDATE core.{table} SET text = 'y'")
        with refused_by("GD-20.2"):
            root.execute(f"DELETE FROM core.{table}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            plain.run(f"UPDATE core.{table} SET text = 'y'")


def test_DC_4__shift_that_is_no_number__refused(plain):
    at = datetime(2025, 7, 1, tzinfo=SHANGHAI)
    for shift in ("NaN", "Infinity", "-1"):
        with pytest.raises(psycopg.errors.CheckViolation, match="ck_incident_shift_m"):
            plain.insert("incident", device_id=plain.device(), kind="moved", observed_at=at, text="x", shift_m=shift)
