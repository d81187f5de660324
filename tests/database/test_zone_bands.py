"""Privacy zones with a band of heights and hours: what the database keeps, shows, finds and refuses."""

import json
import uuid

import pytest
from psycopg.errors import CheckViolation
from shapely.geometry import box
from sqlalchemy import select

from geo import commands, hours
from geo.queries import zones_near
from schemas.refusals import RuleViolation
from schemas.tables import PrivacyZone

SHAPE = box(113.2600, 23.1280, 113.2610, 23.1290)
WEEK = hours.from_text("MON-FRI 08:00-18:00; SAT 22:00-06:00")
PERIOD = {"days": ["MON"], "from": "08:00", "until": "09:00"}


def new(**values):
    base = {"kind": "other", "name_en": "n", "name_zh": "名", "geom": SHAPE}
    return commands.NewZone(**(base | values))


def insert(admin, **values):
    row = {"floor_agl_m": None, "ceiling_agl_m": None, "schedule": None, "sensitive": False, "exact": None} | values
    admin.execute(
        "INSERT INTO core.privacy_zone (id, public_id, kind, name_en, name_zh, geom, sensitive, buffer_m, source,"
        " valid_from, zone_version, origin, floor_agl_m, ceiling_agl_m, schedule, exact_geom) VALUES (%(id)s, %(name)s,"
        " 'other', 'n', 'n', ST_GeomFromText(%(shape)s, 4326), %(sensitive)s, 0, 'legal', now(), 1, 'sample',"
        " %(floor_agl_m)s, %(ceiling_agl_m)s, %(schedule)s, ST_GeomFromText(%(exact)s, 4326))",
        row | {"id": uuid.uuid4(), "name": f"PZ-{uuid.uuid4()}", "shape": SHAPE.wkt},
    )


def test_GD_15__band_and_hours__come_back_as_they_were_given(work, services, clock):
    with work("H1") as doing:
        commands.add_privacy_zone(doing, new(floor_agl_m=20.0, ceiling_agl_m=80.0, schedule=WEEK))
        doing.commit()
    with services.session() as session:
        (found,) = (z for z in zones_near(session, SHAPE, clock.now()) if z.floor_agl_m is not None)
        plain = session.scalars(select(PrivacyZone).where(PrivacyZone.public_id == "PZ-Z1")).one()
        assert plain.schedule is None
    assert (found.floor_agl_m, found.ceiling_agl_m, found.schedule) == (20.0, 80.0, WEEK)


def test_DC_4__band_and_hours__are_public(work, services):
    with work("H1") as doing:
        public_id = commands.add_privacy_zone(doing, new(ceiling_agl_m=80.0, schedule=WEEK)).public_id
        doing.commit()
    with services.public() as public:
        row = public.exec_driver_sql(
            "SELECT floor_agl_m, ceiling_agl_m, schedule FROM public_map.privacy_zones WHERE public_id = %s",
            (public_id,),
        ).one()
    assert (row.floor_agl_m, row.ceiling_agl_m, hours.from_stored(row.schedule)) == (None, 80.0, WEEK)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"floor_agl_m": 80.0, "ceiling_agl_m": 20.0}, "zone.band"),
        ({"floor_agl_m": 80.0, "ceiling_agl_m": 80.0}, "zone.band"),
        ({"floor_agl_m": -1.0}, "zone.band"),
        ({"floor_agl_m": float("nan")}, "zone.band"),
        ({"ceiling_agl_m": float("inf")}, "zone.band"),
        ({"exact_geom": SHAPE, "ceiling_agl_m": 10.0}, "zone.sensitive_band"),
        ({"exact_geom": SHAPE, "schedule": WEEK}, "zone.sensitive_band"),
        ({"exact_geom": box(113.2599, 23.1280, 113.2610, 23.1290)}, "zone.exact_outside"),
    ],
)
def test_GD_15__band_that_is_none__refused(work, values, text):
    with pytest.raises(RuleViolation) as caught, work("H1") as doing:
        commands.add_privacy_zone(doing, new(**values))
    assert caught.value.refusals[0].text == text


@pytest.mark.parametrize(
    "values",
    [
        {"floor_agl_m": 80.0, "ceiling_agl_m": 20.0},
        {"floor_agl_m": float("nan")},
        {"ceiling_agl_m": float("nan")},
        {"ceiling_agl_m": float("inf")},
        {"floor_agl_m": -0.1},
        {"sensitive": True, "floor_agl_m": 1.0},
        {"sensitive": True, "schedule": json.dumps([PERIOD])},
        {"exact": SHAPE.wkt},
        {"sensitive": True, "exact": box(113.2599, 23.1280, 113.2610, 23.1290).wkt},
        *(
            {"schedule": json.dumps(value)}
            for value in (
                [], {}, None, "MON", 1, [1], [None], [[]], [PERIOD | {"x": 1}], [PERIOD | {"days": []}],
                [PERIOD | {"days": ["MON", "MON"]}], [PERIOD | {"days": ["mon"]}], [PERIOD | {"days": "MON"}],
                [PERIOD | {"from": "24:00"}], [PERIOD | {"until": "08:00"}], [PERIOD | {"until": None}],
                [PERIOD | {"from": 8}], [{"days": ["MON"]}], [PERIOD] * 51,
            )
        ),
    ],
    ids=str,
)  # fmt: skip
def test_DC_4__database__refuses_what_no_zone_can_have(admin, services, values):
    with pytest.raises(CheckViolation, match="rule__"):
        insert(admin, **values)


def test_GD_15__database__keeps_what_a_zone_can_have(admin, services):
    insert(admin, floor_agl_m=0, ceiling_agl_m=30, schedule=json.dumps([PERIOD, PERIOD | {"until": "24:00"}]))
    insert(admin, sensitive=True, exact=SHAPE.wkt)


def test_GD_15__band_and_hours_of_a_zone__are_final(admin, services):
    for change in ("floor_agl_m = 1", "ceiling_agl_m = 1", f"schedule = '{json.dumps([PERIOD])}'"):
        with pytest.raises(CheckViolation, match="privacy_zone is refused"):
            admin.execute(f"UPDATE core.privacy_zone SET {change}")


def test_DC_4__endurance_that_is_none__refused(admin, services):
    for minutes in ("0", "-1", "'NaN'", "'Infinity'"):
        with pytest.raises(CheckViolation, match="rule__DC-4__drone_endurance_min"):
            admin.execute(f"UPDATE core.drone SET endurance_min = {minutes}")
