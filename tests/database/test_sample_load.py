"""A made district in a database: whole or not at all, once, shown to everyone as far as everyone may see."""

import json
from datetime import UTC, date, datetime
from types import SimpleNamespace

import psycopg
import pytest
from shapely import from_wkb
from shapely.geometry import LineString, shape
from sqlalchemy import select, text

from flights.ground import TERRAIN_FILE
from flights.mission import RouteSpec, compile_route
from geo.terrain import Terrain
from geo.types import LonLat
from sample_data import load as loading
from sample_data.make import VECTORS, make
from schemas import tables as t
from schemas.clock import FixedClock
from schemas.store import ledger
from schemas.store.engine import PUBLIC
from schemas.store.verify_proof import tell, verify
from schemas.store.work import find
from tests.database.plain import connect, seal_all
from tests.proving import prove_all
from tests.scratch import made_once
from web.cli.sample import load_sample
from web.demo.planning import WITNESSED, work_on_drafts
from web.identity.passwords import Passwords
from web.proofs.documents import proof_of
from web.settings import Settings
from web.wiring import Services

TODAY = date(2026, 11, 21)
NOW = datetime(2026, 11, 21, 4, tzinfo=UTC)


@pytest.fixture(scope="module")
def district(tmp_path_factory):
    return made_once(tmp_path_factory, "district", lambda folder: make(1, folder, today=TODAY, parts={VECTORS}))


@pytest.fixture(scope="module")
def registers(district):
    return json.loads((district / "district.json").read_text(encoding="utf-8"))


def services_on(database, folder) -> Services:
    folder.mkdir(exist_ok=True)
    return Services(Settings(data_dir=folder), database, FixedClock(NOW))


@pytest.fixture(scope="module")
def loaded(server, empty_template, district, tmp_path_factory):
    """The district in a database that the tests of this file share and do not change, and its accounts."""
    name = server.clone(empty_template)
    services = services_on(server.database(name), tmp_path_factory.mktemp("data"))
    yield SimpleNamespace(
        services=services, accounts=load_sample(services, district), database=server.database(name), folder=district
    )
    services.close()
    server.drop(name)


@pytest.fixture
def session(loaded):
    with loaded.services.session() as made:
        yield made


@pytest.fixture
def public(loaded):
    """Plain SQL as everyone."""
    with connect(loaded.database, PUBLIC) as connection:
        yield connection


def count(connection, view) -> int:
    return connection.execute(f"SELECT count(*) FROM public_map.{view}").fetchone()[0]


def rows_of(session) -> dict[str, int]:
    return {table.name: len(session.execute(select(table)).all()) for table in t.Base.metadata.sorted_tables}


def test_second_load__changes_nothing_and_gives_no_accounts(loaded):
    with loaded.services.session() as session:
        before = rows_of(session)
    assert load_sample(loaded.services, loaded.folder) == []
    with loaded.services.session() as session:
        assert rows_of(session) == before


@pytest.mark.parametrize(
    ("view", "listed"),
    [("devices", "devices"), ("patrol_areas", "areas"), ("deployment_points", "points"), ("privacy_zones", "zones")],
)
def test_public_map__shows_every_row_of_the_register(public, registers, view, listed):
    assert count(public, view) == len(registers[listed])


def test_public_map__shows_the_published_routes_and_no_draft(public):
    shown = public.execute("SELECT code, status FROM public_map.patrol_routes ORDER BY code").fetchall()
    assert shown == [(code, "effective") for code in ("R1", "R5", "R6", "R7")]


def test_public_map__says_that_every_row_is_sample(public):
    shown = ("devices", "patrol_areas", "deployment_points", "patrol_routes", "privacy_zones")
    for view in ("authorities", *shown, "base_features"):
        assert public.execute(f"SELECT DISTINCT origin FROM public_map.{view}").fetchall() == [("sample",)], view
    assert public.execute("SELECT key, value FROM public_map.installation").fetchall() == [("sample_data", "1")]


def test_5_3__grid_of_the_sample__shows_ground_and_of_no_cell_a_device_alone(session):
    stated = (t.Device.device_type == "video") & (t.Device.category == "fixed")
    cameras = session.scalars(select(t.Device).where(stated, t.Device.model.is_not(None))).all()
    assert all(one.range_m and one.hfov_deg and one.sector_azimuth_deg is None for one in cameras if one.active_sha256)
    cells = session.execute(text("SELECT at_least, count(*) FROM core.coverage_now GROUP BY 1")).all()
    assert sum(n for _, n in cells) > 10
    reached = text(
        "SELECT count(*) FROM core.device d JOIN core.device_site s ON s.id = d.site_id"
        " WHERE d.state = 'active' AND d.range_m > 0 AND ST_Intersects(ST_MakeEnvelope(c.x * 500, c.y * 500,"
        " (c.x + 1) * 500, (c.y + 1) * 500, 3857), ST_Buffer(s.geom_3857, ceil(d.range_m / 500) * 500"
        " / cos(radians(ST_Y(s.geom))), 64))"
    )
    fewest = session.scalar(
        text(f"SELECT min(n) FROM core.coverage_now c CROSS JOIN LATERAL ({reached.text}) AS r (n)")
    )
    assert fewest >= 3


def test_public_role__cannot_read_the_exact_shape_of_a_sensitive_zone(public):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        public.execute("SELECT exact_geom FROM core.privacy_zone")


def test_sensitive_zone__is_shown_without_name_and_as_no_more_than_its_larger_shape(public, registers):
    (zone,) = [row for row in registers["zones"] if row["sensitive"]]
    hidden = public.execute(
        "SELECT kind, name_en, name_zh, source, ST_AsBinary(geom) FROM public_map.privacy_zones WHERE name_en IS NULL"
    ).fetchall()
    assert [row[:4] for row in hidden] == [("other", None, None, None)]
    shown = from_wkb(hidden[0][4])
    assert shown.equals(shape(zone["geometry"]))
    assert shown.covers(shape(zone["exact_geometry"]))


def test_exact_shape__is_kept_for_those_who_decide(session, registers):
    (zone,) = [row for row in registers["zones"] if row["sensitive"]]
    kept = session.scalars(select(t.PrivacyZone).where(t.PrivacyZone.sensitive)).one()
    assert from_wkb(bytes(kept.exact_geom.data)).equals(shape(zone["exact_geometry"]))


def test_accounts__are_one_for_each_person_with_a_password_that_verifies(loaded, session, registers):
    assert [account.code for account in loaded.accounts] == [row["code"] for row in registers["people"]]
    assert len({account.password for account in loaded.accounts}) == 14
    stored = {person.code: person.password_hash for person in session.scalars(select(t.Person))}
    passwords = Passwords()
    assert all(passwords.verify(stored[account.code], account.password) for account in loaded.accounts)
    assert not passwords.verify(stored["O1"], loaded.accounts[1].password)


def test_R1__is_published_with_the_mission_that_its_line_compiles_to(loaded, session, public):
    r1 = RouteSpec(LineString([(113.2550, 23.1250), (113.2850, 23.1250)]), 100.0, LonLat(113.2545, 23.1248), 12.0, 55.0)
    with Terrain.open(loaded.folder / "dem.tif") as ground:
        mission = compile_route(r1, ground)
    route = session.scalars(select(t.PatrolRoute).where(t.PatrolRoute.code == "R1")).one()
    assert (route.mission_digest, route.mission) == (mission.digest, mission.document())
    assert route.home_amsl_m == mission.home.alt_amsl_m
    shown = public.execute("SELECT mission_digest FROM public_map.patrol_routes WHERE code = 'R1'").fetchone()
    assert shown == (mission.digest,)


def test_terrain__is_where_the_installation_looks_for_it(loaded):
    kept = loaded.services.data_dir / TERRAIN_FILE
    assert kept.read_bytes() == (loaded.folder / "dem.tif").read_bytes()


def test_ledger__holds_the_import_as_one_sample_event_and_verifies_once_sealed(loaded, session):
    events = session.execute(text("SELECT action, origin, body FROM ledger.event")).all()
    assert [(event.action, event.origin) for event in events] == [("sample.load", "sample")]
    manifest = json.loads((loaded.folder / "manifest.json").read_text(encoding="utf-8"))
    assert json.loads(bytes(events[0].body))["files"] == manifest["files"]
    seal_all(loaded.services.engine)
    state = ledger.verify(loaded.services.engine)
    assert (state.sealed.events, state.unsealed) == (1, 0)


def test_load_that_fails_half_way__leaves_nothing_and_may_be_tried_again(clone, empty_template, district, tmp_path):
    services = services_on(clone(empty_template), tmp_path / "data")

    def fails(*_):
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk is full"):
        loading.load(
            district, services.work, compile_route=fails, hash_password=str, terrain=tmp_path / "data" / TERRAIN_FILE
        )
    with services.session() as session:
        assert not loading.is_loaded(session)
        assert session.scalars(select(t.Person)).all() == []
    assert len(load_sample(services, district)) == 14
    services.close()


def test_desks_of_planning__have_something_to_do_each_made_by_commands(clone, empty_template, district, tmp_path):
    services = services_on(clone(empty_template), tmp_path / "data")
    try:
        load_sample(services, district)
        work_on_drafts(services)
        with services.session() as session:
            plans = session.scalars(select(t.SitingPlan).where(t.SitingPlan.author_id.is_not(None))).all()
            assert sorted(plan.state for plan in plans) == ["draft", "in_review", "in_review", "returned", "submitted"]
            assert {plan.origin for plan in plans} == {"live"}
            assert session.scalars(select(t.PatrolArea.state).where(t.PatrolArea.code == "PA4")).one() == "checked"
            assert (
                session.scalars(select(t.DeploymentPoint.state).where(t.DeploymentPoint.code == "DP1")).one() == "draft"
            )
            assert session.scalars(select(t.Device.state).where(t.Device.name == "DV-BRIDGE")).one() == "registered"
            shown = find(session, t.DeploymentPoint, WITNESSED)
            kept = session.scalars(select(t.Attachment.sha256)).first()
        assert shown.state == "published"
        prove_all(services)
        with services.public() as public:
            said = tell(verify(proof_of(public, "deployment_point", shown.public_id)))[0]
        assert said.startswith(f"{shown.public_id}: published on 20")
        assert said.endswith("; this proof shows no use.")
        assert (tmp_path / "data" / "attachments" / kept[:2] / kept).is_file()
    finally:
        services.close()
