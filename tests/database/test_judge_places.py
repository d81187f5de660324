"""The database itself refuses private places (GD-15) and shapes that are no shapes (DC-4)."""

from datetime import date, datetime, timedelta

import psycopg
import pytest

from tests.database.plain import IN_Z1, NEUTRAL, SHANGHAI, Z1

LAWFUL_STATES = ["reviewed", "published", "active"]


@pytest.mark.parametrize("state", LAWFUL_STATES)
def test_GD_15__device_inside_zone__refused_on_insert(plain, refused_by, state):
    plain.zone()
    with refused_by("GD-15"):
        plain.device(state, place=IN_Z1)


@pytest.mark.parametrize("state", LAWFUL_STATES)
def test_GD_15__device_inside_zone__refused_on_update(plain, refused_by, state):
    plain.zone()
    device = plain.device(place=IN_Z1)
    with refused_by("GD-15"):
        plain.set_state("device", device, state)


def test_GD_15__outside_every_zone__allowed(plain):
    plain.zone()
    plain.device("reviewed")


def test_GD_15__on_the_edge__refused(plain, refused_by):
    plain.zone()
    with refused_by("GD-15"):
        plain.device("reviewed", place="SRID=4326;POINT(113.2695 23.1300)")


def test_GD_15__zone_over_or_not_yet_in_force__allowed(plain):
    plain.zone(valid_to=datetime(2025, 6, 1, tzinfo=SHANGHAI))
    plain.zone(valid_from=datetime.now(SHANGHAI) + timedelta(days=1))
    plain.device("reviewed", place=IN_Z1)


def test_GD_15__within_the_buffer__refused(plain, refused_by):
    # 113.2710 lies about 51 m east of Z1.
    near = "SRID=4326;POINT(113.2710 23.1300)"
    plain.zone(buffer_m=40)
    plain.device("reviewed", place=near)
    plain.zone(buffer_m=60)
    with refused_by("GD-15"):
        plain.device("reviewed", place=near)


def test_GD_15__buffer_of_the_pack__applies(plain, refused_by):
    plain.zone("SRID=4326;POLYGON((-39.501 40.499,-39.500 40.499,-39.500 40.501,-39.501 40.501,-39.501 40.499))")
    with refused_by("GD-15"):
        plain.device("reviewed", place="SRID=4326;POINT(-39.49995 40.5)")  # 4 m off; the pack says 10
    plain.device("reviewed", place=NEUTRAL.replace("-39.5 ", "-39.4995 "))


@pytest.mark.parametrize("place_type", ["changing_room", "hotel_room", "toilet", "mother_baby_room", "other"])
def test_GD_15__prohibited_kind_of_place__refused_without_any_polygon(plain, refused_by, place_type):
    with refused_by("GD-15"):
        plain.device("reviewed", place_type=place_type)


def test_GD_15__prohibited_kinds_come_from_the_pack(plain, refused_by):
    plain.device("reviewed", place=NEUTRAL, place_type="dormitory")
    with refused_by("GD-15"):
        plain.device("reviewed", place_type="dormitory")


def test_GD_15__zone_drawn_later__device_cannot_come_back(plain, refused_by):
    with plain.connection.transaction():
        device = plain.device("maintenance", place=IN_Z1, activated_on=date(2025, 7, 1))
        plain.publish(device)
    plain.zone()
    with refused_by("GD-15"):
        plain.set_state("device", device, "active")


def test_GD_14_5__reviewed_site__does_not_move(plain, refused_by):
    device = plain.device("reviewed")
    with refused_by("GD-14.5"):
        plain.run("UPDATE core.device_site SET geom = %s", IN_Z1)
    with refused_by("GD-14.5"):
        plain.run("UPDATE core.device_site SET place_type = 'roof'")
    plain.run("UPDATE core.device_site SET place_text = 'better words'")
    plain.zone()
    with refused_by("GD-15"):
        plain.run("UPDATE core.device SET site_id = %s WHERE id = %s", plain.site(IN_Z1), device)


def test_GD_15__sensitive_zone__display_must_cover_the_exact_shape(plain, refused_by):
    small = "SRID=4326;POLYGON((113.2698 23.1298,113.2699 23.1298,113.2699 23.1299,113.2698 23.1299,113.2698 23.1298))"
    plain.zone(exact_geom=small, sensitive=True)
    with refused_by("GD-15"):
        plain.zone(small, exact_geom=Z1, sensitive=True)


@pytest.mark.parametrize(
    "shape",
    [
        "POINT(NaN 23)",
        "POINT(113 NaN)",
        "POINT(Infinity 23)",
        "POINT(181 23)",
        "POINT(-180.5 23)",
        "POINT(113 -90.5)",
        "POINT EMPTY",
    ],
)
def test_DC_4__point_that_is_nowhere__refused(plain, shape):
    with pytest.raises(psycopg.Error):
        plain.site(f"SRID=4326;{shape}")


@pytest.mark.parametrize(
    "shape",
    [
        "POLYGON((0 0,1 1,1 0,0 1,0 0))",
        "POLYGON((0 0,1 0,NaN 1,0 0))",
        "POLYGON((0 0,200 0,200 1,0 0))",
        "POLYGON((0 0,1 0,1 1,0 0),(5 5,6 5,6 6,5 5))",
        "POLYGON EMPTY",
    ],
)
def test_DC_4__polygon_that_is_none__refused(plain, shape):
    with pytest.raises(psycopg.Error):
        plain.zone(f"SRID=4326;{shape}")


@pytest.mark.parametrize("shape", ["LINESTRING(0 0,NaN 1,2 2)", "LINESTRING(0 0,0 0)", "LINESTRING(0 0,0 91)"])
def test_DC_4__line_that_is_none__refused(plain, shape):
    area = plain.area()
    with pytest.raises(psycopg.Error):
        plain.route(area, geom=f"SRID=4326;{shape}")


# PostGIS gives a shape that names no reference system that of its column, before any constraint sees it.
@pytest.mark.parametrize("shape", ["SRID=3857;POINT(1 1)", "SRID=4490;POINT(113 23)", "SRID=4326;POINT Z (1 1 1)"])
def test_DC_4__other_reference_or_dimension__refused(plain, shape):
    with pytest.raises(psycopg.Error):
        plain.site(shape)


def test_DC_4__collection__refused(plain, refused_by):
    with refused_by("DC-4"):
        plain.insert("base_feature", kind="land", rank=0, geom="SRID=4326;GEOMETRYCOLLECTION(POINT(1 1),POINT(2 2))")
