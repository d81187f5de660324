"""A zone that is added stops what it reaches at once, in the same command, and flags the rest (GD-15)."""

import json
from datetime import timedelta

import pytest
from shapely.geometry import Point, box, mapping
from sqlalchemy import select

from geo import commands
from geo.commands.zone_touches import touched_by
from geo.intake import Options, import_layer
from schemas.tables import Authority, Device, DeviceSite
from tests.classified import make_secret
from tests.database.acting import state
from tests.world import PA1

SEEN_AT = 113.30


@pytest.fixture
def standing(services):
    """Devices 100 m apart along a parallel, in every state; the third looks far to the east."""
    states = ("active", "active", "active", "registered", "published", "maintenance", "blocked", "retired")
    with services.housekeeping() as session:
        authority = session.scalars(select(Authority).where(Authority.code == "A1")).one()
        model = session.scalars(select(Device).where(Device.public_id == "DV-DV1")).one()
        for number, kept in enumerate(states):
            lon = 113.2800 + number * 1e-3
            site = DeviceSite(
                public_id=f"ST-T{number}",
                geom=f"SRID=4326;POINT({lon} 23.1350)",
                place_text="x",
                origin="sample",
                siting_plan_id=model.site.siting_plan_id,
            )
            session.add(site)
            session.flush()
            session.add(
                Device(
                    public_id=f"DV-T{number}",
                    name=f"camera {number}",
                    platform="fixed",
                    category="fixed",
                    device_type="video",
                    purpose_en="p",
                    purpose_zh="p",
                    authority_id=authority.id,
                    site_id=site.id,
                    state="registered" if kept != "retired" else "retired",
                    origin="sample",
                    **({"sector_azimuth_deg": 90.0, "hfov_deg": 20.0, "range_m": 2_000.0} if number == 2 else {}),
                )
            )
        session.flush()
    return states


@pytest.fixture
def in_states(standing, admin):
    """The judge of use is not asked: what is asked here is what a zone does."""
    admin.execute("SET session_replication_role = replica")
    for number, kept in enumerate(standing):
        admin.execute(
            "UPDATE core.device SET state = %s, activated_on = '2025-07-01', state_since = '2025-07-01'"
            " WHERE public_id = %s",
            [kept, f"DV-T{number}"],
        )


def add(work, shape, **change):
    new = commands.NewZone(kind="requested", name_en="new", name_zh="新", geom=shape, **change)
    with work("H1") as doing:
        zone = commands.add_privacy_zone(doing, new)
        doing.commit()
    return zone.public_id


def told(services, zone):
    with services.session() as session:
        return {(one.subject_kind, one.public_id): one.outcome for one in touched_by(session, zone)}


ROW = box(113.2795, 23.1345, 113.2885, 23.1355)


def test_GD_15__zone_over_a_row_of_devices__those_in_use_stopped_the_rest_flagged(work, services, in_states, admin):
    touched = told(services, add(work, ROW))
    assert {number for number in range(8) if touched.get(("device", f"DV-T{number}")) == "blocked"} == {0, 1, 2}
    assert {number for number in range(8) if touched.get(("device", f"DV-T{number}")) == "flagged"} == {3, 4, 5, 6}
    assert touched[("patrol_area", "PA-PA1")] == "flagged"
    assert [state(services, f"DV-T{number}") for number in range(3)] == ["blocked"] * 3
    events = admin.execute("SELECT action, actor FROM ledger.event ORDER BY id").fetchall()
    assert [action for action, _actor in events] == ["device.block"] * 3 + ["privacy_zone.add"]
    assert {actor for _action, actor in events[:3]} == {"system"}


def test_GD_15__zone_in_view_alone__stops_who_looks_at_it(work, services, in_states):
    touched = told(services, add(work, box(113.2960, 23.1348, 113.2965, 23.1352)))
    assert {name for (kind, name) in touched if kind == "device"} == {"DV-T2"}
    behind = told(services, add(work, box(113.2700, 23.1348, 113.2705, 23.1352)))
    assert not any(kind == "device" for kind, _name in behind)


@pytest.mark.parametrize(
    ("buffer_m", "reached"), [(0.0, set()), (40.0, set()), (60.0, {"DV-T0"}), (160.0, {"DV-T0", "DV-T1"})]
)
def test_GD_15__buffer__counts(work, services, in_states, buffer_m, reached):
    beside = box(113.2790, 23.1349, 113.27950, 23.1351)
    touched = told(services, add(work, beside, buffer_m=buffer_m))
    assert {name for (kind, name) in touched if kind == "device"} == reached


def test_GD_15__as_the_guard_says_of_each(work, services, in_states):
    """What the one command stops is what the guard of each device would refuse."""
    for number in range(12):
        centre = Point(113.2790 + number * 7e-4, 23.1350 + (number % 3 - 1) * 3e-4)
        with work("H1") as doing:
            new = commands.NewZone(
                kind="requested",
                name_en="n",
                name_zh="新",
                geom=centre.buffer(2e-4, quad_segs=4),
                buffer_m=20.0 * number,
            )
            zone = commands.add_privacy_zone(doing, new)
            doing.session.flush()
            devices = doing.session.scalars(select(Device).where(Device.public_id.like("DV-T%"))).all()
            barred = {
                device.public_id
                for device in devices
                if device.state != "retired" and doing.check(device, ["GD-15:outside_private_places"])
            }
            touched = {
                one.public_id for one in touched_by(doing.session, zone.public_id) if one.subject_kind == "device"
            }
        assert {name for name in touched if name.startswith("DV-T")} == barred


@pytest.mark.parametrize("source", ["legal", "survey", "request"])
def test_GD_15__wherever_a_zone_is_from__it_counts(work, services, in_states, source):
    """Checks use the union of legal, surveyed and requested zones."""
    for lon in (113.2800, 113.2830):
        add(work, box(lon - 1e-4, 23.1349, lon + 1e-4, 23.1351), source=source, buffer_m=1.0)
    assert state(services, "DV-T0") == "blocked"
    with work("H1") as doing:
        barred = {
            name: {one.text for one in doing.check(doing.get(Device, name), ["GD-15:outside_private_places"])}
            for name in ("DV-T1", "DV-T3")
        }
    assert barred == {"DV-T1": set(), "DV-T3": {"device.in_zone"}}


def test_GD_15__zone_of_tomorrow__flags_and_stops_on_its_day(work, services, in_states, clock):
    touched = told(services, add(work, ROW, valid_from=clock.now() + timedelta(days=1)))
    assert set(touched.values()) == {"flagged"}
    assert state(services, "DV-T0") == "active"
    clock.advance(timedelta(days=1))
    assert set(commands.block_where_private(services.work)) == {f"device DV-T{number}" for number in range(3)}


def test_GD_15__zone_that_is_over__touches_nothing(work, services, in_states, clock):
    over = {"valid_from": clock.now() - timedelta(days=9), "valid_to": clock.now() - timedelta(days=1)}
    assert told(services, add(work, ROW, **over)) == {}


def test_GD_15__secret_device__stopped_and_not_told(work, services, in_states, admin):
    make_secret(admin, "DV-T0")
    touched = told(services, add(work, ROW))
    assert ("device", "DV-T0") not in touched
    assert state(services, "DV-T0") == "blocked"


def test_GD_15__route_whose_footprint_reaches_it__flagged(work, services):
    beside = box(113.2600, 23.1254, 113.2610, 23.1256)  # R1 flies 44 m south of it and sees 70 m
    touched = told(services, add(work, beside))
    assert any(kind == "patrol_route" for kind, _name in touched)
    assert PA1.covers(beside)


def test_GD_15__zones_from_a_file__stop_and_flag_in_the_same_transaction(work, services, in_states, tmp_path):
    path = tmp_path / "zones.geojson"
    features = [
        {"type": "Feature", "properties": {"name": "a", "kind": "toilet"}, "geometry": mapping(shape)}
        for shape in (ROW, box(113.2700, 23.1348, 113.2705, 23.1352))
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    with work("H1") as doing:
        report = import_layer(doing, path, Options(layer="zones"))
        doing.commit()
    (first,), (second,) = (row.public_ids for row in report.rows)
    assert told(services, first)[("device", "DV-T0")] == "blocked"
    assert told(services, first)[("device", "DV-T3")] == "flagged"
    assert ("device", "DV-T0") not in told(services, second)
    assert state(services, "DV-T0") == "blocked"


def test_GD_15__request_granted__stops_what_it_reaches_too(work, services, in_states):
    with work("N1") as doing:
        authority = doing.session.scalars(select(Authority).where(Authority.code == "A1")).one()
        new = commands.NewRequest(
            authority=authority, shape=ROW, place_text="x", reason="home", asked_by="x", contact="x"
        )
        name = commands.ask_zone(doing, new).public_id
        doing.commit()
    with work("H1") as doing:
        grant = commands.GrantedZone(name_en="home", name_zh="住宅")
        request = commands.decide_request(
            doing, name, "granted", "it is a home", told_en="A home.", told_zh="住宅。", grant=grant
        )
        doing.commit()
    assert told(services, request.zone.public_id)[("device", "DV-T1")] == "blocked"
