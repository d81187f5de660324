"""The database itself refuses impossible flights, unknown states, edited originals and chosen times."""

import uuid
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from schemas.machine import ANY, state_tables
from schemas.tables import Base
from tests.database.plain import Plain, connect_admin

TEN = datetime(2025, 7, 2, 2, 0, tzinfo=UTC)


@pytest.fixture
def flights(plain):
    """`flights("airborne", start_h, end_h)` inserts a flight of the one drone."""
    person = plain.insert("person", code="F1", name_en="F1", name_zh="F1", authority_id=plain.authority())
    plan = plain.insert(
        "inspection_plan",
        state="approved",
        version=1,
        number="IP-1",
        title_en="t",
        title_zh="t",
        authority_id=plain.authority(),
        area_ids="[]",
        entity_ids="[]",
        author_id=person,
        valid_from="2025-06-10",
        valid_to="2026-06-09",
    )
    route = plain.route(plain.area())
    drones = [new_drone(plain, number) for number in (1, 2)]

    def make(state, start_h, end_h, drone=0, **values):
        return plain.insert(
            "flight",
            state=state,
            version=1,
            authority_id=plain.authority(),
            inspection_plan_id=plan,
            route_id=route,
            route_version=1,
            drone_id=drones[drone],
            pilot_id=person,
            during=values.pop("during", f"[{TEN + timedelta(hours=start_h)},{TEN + timedelta(hours=end_h)})"),
            precheck="{}",
            vehicle="{}",
            plan_name="p",
            plan_bytes=b"",
            plan_digest="0" * 64,
            mission_digest="0" * 64,
            **values,
        )

    return make


def new_drone(plain: Plain, number: int) -> uuid.UUID:
    device = plain.device(platform="uav", category="mobile")
    plain.run(
        "INSERT INTO core.drone (device_id, registration_no, mavlink_system_id, camera_hfov_deg,"
        " camera_image_width_px, camera_image_height_px, cruise_speed_m_s, default_alt_agl_m, max_takeoff_mass_kg)"
        " VALUES (%s, %s, 1, 70, 1400, 1050, 10, 100, 4)",
        device,
        f"UAS-{number}",
    )
    return device


@pytest.mark.parametrize("first", ["uploaded", "airborne"])
@pytest.mark.parametrize("second", ["uploaded", "airborne"])
def test_DC_1__two_active_flights_of_one_aircraft__refused(flights, refused_by, first, second):
    flights(first, 0, 2)
    with refused_by("DC-1"):
        flights(second, 1, 3)


def test_DC_1__one_after_the_other_or_another_aircraft__allowed(flights):
    flights("airborne", 0, 1)
    flights("uploaded", 1, 2)
    flights("airborne", 0, 1, drone=1)
    flights("filed", 0, 1)
    flights("closed", 0, 1)


def test_DC_1__in_the_air_twice_whatever_the_windows_say__refused(flights, refused_by):
    flights("airborne", 0, 1)
    with refused_by("DC-1"):
        flights("airborne", 5, 6)


def test_DC_1__second_becomes_active_by_update__refused(plain, flights, refused_by):
    flights("airborne", 0, 2)
    waiting = flights("cleared", 1, 3)
    with refused_by("DC-1"):
        plain.set_state("flight", waiting, "uploaded")


@pytest.mark.parametrize("state", ["filed", "cleared", "airborne", "landed", "closed"])
def test_GD_16_1__window_of_a_flight__moved_by_the_landing_alone(plain, flights, refused_by, state):
    flight = flights(state, 0, 1)
    moved = f"[{TEN},{TEN + timedelta(hours=9)})"
    with refused_by("GD-20.2" if state == "closed" else "GD-16.1"):
        plain.run("UPDATE core.flight SET during = %s WHERE id = %s", moved, flight)
    if state == "airborne":
        plain.set_state("flight", flight, "landed", during=moved, landed_at=TEN + timedelta(hours=9))


@pytest.mark.parametrize(
    "change",
    [
        "route_id = gen_random_uuid()",
        "pilot_id = gen_random_uuid()",
        "drone_id = gen_random_uuid()",
        "mission_digest = repeat('f', 64)",
        "plan_digest = repeat('f', 64)",
        "plan_bytes = 'x'",
    ],
)
def test_DC_2__order_of_a_cleared_flight__final(plain, flights, refused_by, change):
    flight = flights("cleared", 0, 1)
    with refused_by("DC-2"):
        plain.run(f"UPDATE core.flight SET {change} WHERE id = %s", flight)


@pytest.mark.parametrize("change", ["airborne_at = now()", "landed_at = now()", "landed_at = NULL"])
def test_GD_36_1__times_of_a_flight__final_once_it_is_down(plain, flights, refused_by, change):
    flight = flights("landed", 0, 1, airborne_at=TEN, landed_at=TEN + timedelta(hours=1))
    with refused_by("GD-36.1"):
        plain.run(f"UPDATE core.flight SET {change} WHERE id = %s", flight)


@pytest.mark.parametrize("state", ["uploaded", "airborne"])
def test_GD_36_1__first_take_off__final(plain, flights, refused_by, state):
    flight = flights(state, 0, 1, airborne_at=TEN)
    with refused_by("GD-36.1"):
        plain.run("UPDATE core.flight SET airborne_at = now() WHERE id = %s", flight)


def test_GD_20_2__closed_flight__final(plain, flights, refused_by):
    flight = flights("closed", 0, 1)
    with refused_by("GD-20.2"):
        plain.run("UPDATE core.flight SET stayed_inside = true WHERE id = %s", flight)


@pytest.mark.parametrize("change", ["area_ids = '[\"x\"]'", "valid_to = '2030-01-01'", "approver_id = author_id"])
def test_GD_16_1__approved_plan__final(plain, flights, refused_by, change):
    with refused_by("GD-16.1"):
        plain.run(f"UPDATE core.inspection_plan SET {change}")


@pytest.mark.parametrize("during", ["empty", "(,)", "[2025-07-02,)", "[2025-07-02,infinity)"])
def test_flight__window_without_ends__refused(flights, during):
    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        flights("filed", 0, 1, during=during)
    assert refused.value.diag.constraint_name == "ck_flight_during"


def stated_tables():
    for mapper in Base.registry.mappers:
        machine = getattr(mapper.class_, "__machine__", None)
        if machine:
            yield mapper.local_table.name, machine


@pytest.mark.parametrize(("table", "machine"), sorted(stated_tables()))
def test_P9__steps_of_the_database_are_those_of_the_state_table(blank, table, machine):
    with connect_admin(blank) as root:
        rows = root.execute("SELECT source, target FROM law.step WHERE subject = %s", [table]).fetchall()
    states = state_tables()[machine]
    named = {
        (source, row.target)
        for row in states.transitions
        for source in (states.states if row.sources == (ANY,) else row.sources)
        if source != row.target
    }
    assert set(rows) == named


@pytest.mark.parametrize(("table", "machine"), sorted(stated_tables()))
def test_P9__states_of_the_check_are_those_of_the_state_table(blank, table, machine):
    with connect_admin(blank) as root:
        definition = root.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = %s", [f"ck_{table}_state"]
        ).fetchone()[0]
    states = {part.split("'")[1] for part in definition.split("ARRAY[")[1].split(",")}
    assert states == set(state_tables()[machine].states)


def test_P9__unknown_state__refused(plain):
    with pytest.raises(psycopg.errors.CheckViolation, match="ck_device_state"):
        plain.device("flying")
    with pytest.raises(psycopg.errors.CheckViolation, match="ck_patrol_area_state"):
        plain.area("")


def test_recorded_at__supplied_by_the_application__overwritten(plain):
    plain.site(recorded_at=datetime(2020, 1, 1, tzinfo=UTC))
    (recorded, now) = plain.run("SELECT recorded_at, clock_timestamp() FROM core.device_site")[0]
    assert abs(now - recorded) < timedelta(minutes=1)


@pytest.mark.parametrize(
    "change", ["recorded_at = now() - interval '1 day'", "origin = 'legacy'", "id = gen_random_uuid()"]
)
def test_recorded_at__id_and_origin__fixed(plain, refused_by, change):
    plain.site()
    with refused_by("GD-20.2"):
        plain.run(f"UPDATE core.device_site SET {change}")


def test_recorded_at__every_record_table_is_stamped(blank):
    expected = {t.name for t in Base.metadata.tables.values() if "recorded_at" in t.columns}
    with connect_admin(blank) as root:
        stamped = {row[0] for row in root.execute("SELECT tgrelid::regclass FROM pg_trigger WHERE tgname = 'stamp'")}
    assert {name.split(".")[1] for name in stamped} == expected


@pytest.fixture
def scene(plain):
    return plain.insert(
        "scene",
        sha256="a" * 64,
        size_bytes=1,
        file_name="s.tif",
        sensor="uav",
        crs="EPSG:32649",
        header="{}",
        frame_hashes="[]",
    )


@pytest.mark.parametrize("change", ["sha256 = repeat('b', 64)", "size_bytes = 2", "frame_hashes = '[\"x\"]'"])
def test_GD_20_2__original__final(plain, scene, refused_by, change):
    with refused_by("GD-20.2"):
        plain.run(f"UPDATE core.scene SET {change} WHERE id = %s", scene)
    plain.run("UPDATE core.scene SET quarantine = '[\"GD-36.1\"]' WHERE id = %s", scene)


def test_GD_20_2__original__kept_from_the_administrator_too(root, scene, refused_by):
    for statement in ("DELETE FROM core.scene", "TRUNCATE core.scene CASCADE"):
        with refused_by("GD-20.2"):
            root.execute(statement)


def test_GD_43__surviving_pixel__refused(plain, scene, refused_by):
    row = {
        "scene_id": scene,
        "sha256": "c" * 64,
        "zone_hash": "z",
        "zone_ids": "[]",
        "masked_pixels": 10,
        "width": 1,
        "height": 1,
        "bands": 1,
        "band_roles": "[]",
    }
    plain.insert("derivative", surviving_pixels=0, **row)
    with refused_by("GD-43"):
        plain.insert("derivative", surviving_pixels=1, **row)
    with refused_by("GD-20.2"):
        plain.run("UPDATE core.derivative SET masked_pixels = 0")
