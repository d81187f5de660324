"""The public role reads the views of `public_map` and nothing else; each view shows its columns and no more (P11)."""

from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest

from schemas.store.engine import APP, PUBLIC
from tests.classified import CLASSIFIED
from tests.database.plain import QINGHE, Plain, connect, connect_admin
from web.public.layers import BY_NAME, DEVICES

# requirements.md 5.3, "must show"; whatever else a table holds stays inside.
COLUMNS = {
    "authorities": "public_id name_en name_zh level authority_type field contact_address contact_channel origin geom"
    " contact_person",
    "authority_areas": "public_id name_en name_zh level published last_on geom subjects",
    "cells": "layer x y seq",
    "device_points": "n public_id kind state title authority_id geom geom_3857",
    "device_names": "public_id kind state title authority_id is_over stem digits number",
    "beginning": "layer public_id earliest",
    "devices": "public_id name platform category device_type purpose_en purpose_zh owner_type is_measuring_instrument"
    " calibrated_until status activated_on discontinued_on published_on earliest_activation item_code item_name_en"
    " item_name_zh basis_title_en basis_title_zh basis_article authority_id authority_en authority_zh contact_address"
    " contact_channel sign_text sign_checked_on aircraft_mark place_text siting_approval_no origin recorded_on geom"
    " geom_3857 n contact_person",
    "patrol_areas": "public_id code name_en name_zh purpose_en purpose_zh status alt_min_agl_m alt_max_agl_m"
    " effective_from suspended_on published_on earliest_use item_code item_name_en item_name_zh basis_title_en"
    " basis_title_zh basis_article authority_id authority_en authority_zh contact_address contact_channel"
    " siting_approval_no origin recorded_on geom geom_3857 n contact_person",
    "deployment_points": "public_id code name_en name_zh purpose_en purpose_zh place_text status effective_from"
    " suspended_on published_on earliest_use item_code item_name_en item_name_zh basis_title_en basis_title_zh"
    " basis_article authority_id authority_en authority_zh contact_address contact_channel siting_approval_no origin"
    " recorded_on geom geom_3857 n contact_person",
    "patrol_routes": "public_id code name_en name_zh status effective_from suspended_on published_on earliest_use"
    " area_id area_en area_zh purpose_en purpose_zh alt_min_agl_m alt_max_agl_m authority_id authority_en"
    " authority_zh contact_address contact_channel mission_digest origin recorded_on geom geom_3857 n contact_person",
    "privacy_zones": "public_id kind name_en name_zh source buffer_m valid_from valid_to origin geom geom_3857"
    " floor_agl_m ceiling_agl_m schedule n",
    "zone_requests": "public_id authority_id authority_en authority_zh asked_in state decided_in reasons_en reasons_zh"
    " origin",
    "complaints": "authority_id authority_en authority_zh received_in kind received replied late",
    "corrections": "public_id authority_id authority_en authority_zh about_kind about_id corrected_on text_en text_zh"
    " origin",
    "device_grants": "public_id device_id authority_id authority_en authority_zh item_code item_name_en item_name_zh"
    " basis_title_en basis_title_zh basis_article purpose_en purpose_zh valid_from valid_to origin",
    "publications": "public_id subject_kind subject_id round_no channel published_at published_on lead_days"
    " earliest_activation receipt_id content_sha256 withdrawn_at recorded_at origin",
    "announcements": "public_id subject_kind subject_id kind announced_at text_en text_zh recorded_at origin",
    "flight_log": "public_id route_id route_en route_zh area_id area_en area_zh authority_en authority_zh flown_on"
    " duration_min stayed_inside flown origin flown_as_published",
    "rule_packs": "id version sha256 effective_from effective_to timezone title legal_basis values sources channels"
    " needs_legal_review coarse geom",
    "base_features": "public_id kind rank name_en name_zh origin geom geom_3857",
    "installation": "key value",
    "sequence": "seq at",
    "revision": "revision",
    "changes": "seq at subject_kind public_id change on_day kind title_en title_zh authority_id geom",
    "history": "layer public_id kind status title_en title_zh authority_id valid_from valid_to asserted geom geom_3857",
    "open_devices": "public_id name platform category device_type status purpose_en purpose_zh owner_type"
    " is_measuring_instrument calibrated_until published_on earliest_activation activated_on"
    " discontinued_on item_code item_name_en item_name_zh basis_title_en basis_title_zh basis_article"
    " authority_id authority_en authority_zh contact_person contact_address contact_channel sign_text sign_checked_on"
    " aircraft_mark place_text siting_approval_no origin recorded_on geom",
    "open_deployment_points": "public_id code name_en name_zh status purpose_en purpose_zh place_text published_on"
    " earliest_use effective_from suspended_on item_code item_name_en item_name_zh basis_title_en basis_title_zh"
    " basis_article authority_id authority_en authority_zh contact_person contact_address contact_channel"
    " siting_approval_no origin recorded_on geom",
    "open_patrol_areas": "public_id code name_en name_zh status purpose_en purpose_zh alt_min_agl_m alt_max_agl_m"
    " published_on earliest_use effective_from suspended_on item_code item_name_en item_name_zh basis_title_en"
    " basis_title_zh basis_article authority_id authority_en authority_zh contact_person contact_address"
    " contact_channel siting_approval_no origin recorded_on geom",
    "open_patrol_routes": "public_id code name_en name_zh status purpose_en purpose_zh area_id area_en area_zh"
    " alt_min_agl_m"
    " alt_max_agl_m published_on earliest_use effective_from suspended_on authority_id authority_en"
    " authority_zh contact_person contact_address contact_channel mission_digest origin recorded_on geom",
    "open_privacy_zones": "public_id kind name_en name_zh status source buffer_m floor_agl_m ceiling_agl_m"
    " schedule valid_from"
    " valid_to origin geom",
    "open_flight_log": "public_id flown_on duration_min flown flown_as_published stayed_inside route_id"
    " route_en route_zh"
    " area_id area_en area_zh authority_en authority_zh origin geom",
    "open_authorities": "public_id name_en name_zh level authority_type field contact_person contact_address"
    " contact_channel origin geom",
    "checkpoint": "checkpoint sealed_at",
    "checkpoints": "n digest sealed_at signer note",
    "seals": "n line",
    "coverage": "cell at_least geom geom_3857",
    "annual_reports": "public_id authority_id authority_en authority_zh year part due_on submitted_on origin",
    "evaluations": "device_id authority_id outcome evaluated_on origin",
    "proofs": "subject_kind subject_id round_no began_on statement position statements path event_line leaf_index"
    " leaf_count leaf_path seal_n seal_line checkpoint signer content",
}


@pytest.fixture
def public(blank):
    with connect(blank, PUBLIC) as connection:
        yield connection


@pytest.fixture(scope="module")
def untouched(server, empty_template):
    """A database for all tests that only read, or are refused before anything is written."""
    name = server.clone(empty_template)
    yield server.database(name)
    server.drop(name)


@pytest.fixture
def reader(untouched):
    with connect(untouched, PUBLIC) as connection:
        yield connection


def test_P11__views_show_exactly_these_columns(root):
    rows = root.execute(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public_map'"
        " ORDER BY table_name, ordinal_position"
    )
    found = {}
    for view, column in rows:
        found.setdefault(view, []).append(column)
    assert found == {view: columns.split() for view, columns in COLUMNS.items()}


@pytest.mark.parametrize("view", sorted(COLUMNS))
def test_P11__public_reads_every_view(reader, view):
    reader.execute(f"SELECT * FROM public_map.{view}").fetchall()


def relations(root, schemas=("core", "law", "ledger")):
    return root.execute(
        "SELECT format('%%I.%%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE n.nspname = ANY (%s) AND c.relkind IN ('r', 'v', 'm', 'p', 'S', 'f')",
        [list(schemas)],
    ).fetchall()


def test_P11__public_has_no_right_on_anything_else(root):
    rights = "SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER"
    names = relations(root)
    assert len(names) > 30
    for (name,) in names:
        checked = "USAGE,SELECT,UPDATE" if name.endswith(("_seq", "event_id")) else rights
        kind = "sequence" if checked != rights else "table"
        query = f"SELECT has_{kind}_privilege(%s, %s::text, %s)"
        assert root.execute(query, [PUBLIC, name, checked]).fetchone() == (False,), name


def test_P11__public_may_call_three_functions_of_ours_and_none_by_its_name(root, public):
    granted = root.execute(
        "SELECT p.oid::regproc::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
        " WHERE n.nspname IN ('core', 'law', 'ledger', 'public_map') AND has_function_privilege(%s, p.oid, 'EXECUTE')",
        [PUBLIC],
    ).fetchall()
    assert sorted(granted) == [("core.announced_anew",), ("core.announced_on",), ("core.earliest_use",)]
    used = root.execute(
        "SELECT nspname FROM pg_namespace WHERE has_schema_privilege(%s, oid, 'USAGE') AND nspname !~ '^pg_'", [PUBLIC]
    ).fetchall()
    assert {name for (name,) in used} == {"public", "public_map", "information_schema"}


def test_P11__public_cannot_write_through_a_view(reader):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute("UPDATE public_map.base_features SET kind = 'x'")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute("DELETE FROM public_map.base_features")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM core.device",
        "SELECT exact_geom FROM core.privacy_zone",
        "SELECT * FROM ledger.seal",
        "SELECT * FROM law.pack",
        "SELECT core.earliest_use('device', gen_random_uuid(), NULL, NULL, false, now()::date)",
        "SELECT core.announced_on('device', gen_random_uuid(), NULL, NULL, false, now()::date)",
        "SELECT core.announced_anew('device', gen_random_uuid())",
        "SELECT ledger.line(NULL)",
        # What PostGIS tells about any column, and the exact shape of a sensitive zone is one.
        "SELECT ST_EstimatedExtent('core', 'privacy_zone', 'exact_geom')",
        "SELECT ST_EstimatedExtent('core', 'privacy_zone', 'exact_geom', true)",
        "SELECT _postgis_index_extent(oid, 'exact_geom') FROM pg_class WHERE relname = 'privacy_zone'",
        "SELECT _postgis_stats(oid, 'exact_geom') FROM pg_class WHERE relname = 'privacy_zone'",
        "SELECT _postgis_selectivity(oid, 'exact_geom', ST_MakeEnvelope(113, 23, 114, 24, 4326))"
        " FROM pg_class WHERE relname = 'privacy_zone'",
        "SELECT _postgis_join_selectivity(oid, 'exact_geom', oid, 'geom') FROM pg_class WHERE relname = 'privacy_zone'",
        "SELECT lo_create(0)",
        "SELECT lo_from_bytea(0, 'x')",
        "SELECT set_config('session_replication_role', 'replica', false)",
        "CREATE TABLE public.mine (x int)",
        "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "SET ROLE skywarden_app",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('/etc/passwd')",
    ],
)
def test_P11__public__refused(reader, statement):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM core.device",
        "DELETE FROM core.person",
        "TRUNCATE core.detection",
        "UPDATE law.pack SET lead_days = 0",
        "INSERT INTO law.pack SELECT * FROM law.pack",
        "SELECT law.load('{}', '')",
        "UPDATE core.alembic_version SET version_num = '0'",
        "ALTER TABLE core.device DISABLE TRIGGER ALL",
        "DROP TRIGGER stamp ON core.device",
        "SET ROLE skywarden_owner",
        "SET session_replication_role = replica",
        "SET SESSION AUTHORIZATION postgres",
        "INSERT INTO law.step VALUES ('device', 'registered', 'active')",
        "INSERT INTO ledger.event SELECT * FROM ledger.event",
        "INSERT INTO ledger.seal SELECT * FROM ledger.seal",
        "SELECT setval('ledger.event_id', 1)",
        "CREATE FUNCTION core.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE TABLE public.mine (x int)",
        "CREATE SCHEMA mine",
        "SELECT ledger.merkle_root('{}')",
    ],
)
def test_P4__application__cannot_loosen_the_judge(untouched, statement):
    with connect(untouched, APP) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)


# -- what the views leave out ------------------------------------------------------------------

CANARY = "CANARY"


@pytest.fixture
def rows(plain, public):
    """Reads a view as the public role."""

    def read(view, columns="public_id"):
        return public.execute(f"SELECT {columns} FROM public_map.{view} ORDER BY 1").fetchall()

    return read


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("registered", None),
        ("reviewed", "in_notice_period"),
        ("published", "in_notice_period"),
        ("maintenance", "maintenance"),
        ("blocked", "out_of_use"),
        ("discontinued", "discontinued"),
        ("retired", "retired"),
    ],
)
def test_5_3__devices__status_by_state(plain, rows, state, status):
    with plain.connection.transaction():
        used = {"activated_on": date(2025, 7, 1)} if state in ("maintenance", "blocked") else {}
        plain.publish(plain.device(state, **used))
    assert rows("devices", "status") == ([(status,)] if status else [])


def test_5_3__device_never_published__not_shown(plain, rows):
    plain.device("retired")
    assert rows("devices") == []


SECRET = CLASSIFIED | {"secret_document": CANARY, "secret_authority": CANARY, "secret_level": CANARY}


def test_GD_14_6__secret_device__nowhere(plain, public):
    secret = plain.device("reviewed", secret=True, name=CANARY, public_id=f"DV-{CANARY}", **SECRET)
    plain.publish(secret, receipt_id=CANARY)
    plain.insert(
        "announcement",
        subject_kind="device",
        subject_id=secret,
        kind="discontinued",
        announced_at=datetime.now(UTC),
        text_en=CANARY,
        text_zh=CANARY,
    )
    for view in COLUMNS:
        assert CANARY not in str(public.execute(f"SELECT * FROM public_map.{view}").fetchall())


def test_GD_14_6__conditions_of_the_reader__never_see_a_hidden_row(plain, public):
    """An error raised by the reader's own condition would tell what a hidden row holds."""
    plain.device("reviewed", secret=True, name=CANARY, **CLASSIFIED)
    public.execute("SELECT * FROM public_map.devices WHERE (name || 'x')::integer > 0").fetchall()


def test_5_3__restricted_values__in_no_view(plain, public):
    device = plain.device("published", serial_no=CANARY, model=CANARY, sector_azimuth_deg=12.345, state_reason=CANARY)
    plain.publish(device)
    plain.insert("person", code=CANARY, name_en=CANARY, name_zh=CANARY, authority_id=plain.authority())
    for view in COLUMNS:
        content = str(public.execute(f"SELECT * FROM public_map.{view}").fetchall())
        assert CANARY not in content
        assert "12.345" not in content


def test_5_3__device__dates_and_words(plain, rows):
    device = plain.device("published")
    plain.publish(device, channels=("official_disclosure",))
    plain.publish(device, channels=("platform_map",), on=date(2025, 6, 10))
    columns = "published_on, earliest_activation, contact_channel, origin, ST_AsText(geom)"
    expected = (date(2025, 6, 10), date(2025, 7, 10), "000", "sample", "POINT(113.26 23.13)")
    assert rows("devices", columns) == [expected]


def test_5_3__patrols__drafts_hidden(plain, rows):
    hidden = plain.area("checked")
    shown = plain.area("published")
    for area in (hidden, shown):
        plain.publish(area, "patrol_area")
        for state in ("checked", "published"):
            plain.publish(plain.route(area, state), "patrol_route")
    assert rows("patrol_areas", "status, earliest_use") == [("in_notice_period", date(2025, 7, 1))]
    assert rows("patrol_routes", "status") == [("in_notice_period",)] * 2


def test_5_3__route__generalised_always_alike(plain, rows):
    wiggly = "SRID=4326;LINESTRING(113.25 23.125,113.26 23.1251,113.27 23.125,113.28 23.1252,113.29 23.125)"
    route = plain.route(plain.area(), "published", geom=wiggly)
    plain.publish(route, "patrol_route")
    (first,) = rows("patrol_routes", "ST_AsText(geom, 4)")
    assert first == ("LINESTRING(113.25 23.125,113.29 23.125)",)
    assert {row for _ in range(5) for row in rows("patrol_routes", "ST_AsText(geom, 4)")} == {first}


def test_G_36__sensitive_zone__displayed_shape_alone(plain, rows):
    exact = "SRID=4326;POLYGON((113.2696 23.1296,113.2697 23.1296,113.2697 23.1297,113.2696 23.1297,113.2696 23.1296))"
    plain.zone(sensitive=True, exact_geom=exact, kind="requested", source="request", name_en=CANARY, name_zh=CANARY)
    shown = rows("privacy_zones", "kind, name_en, name_zh, source, ST_AsText(geom)")
    assert [row[:4] for row in shown] == [("other", None, None, None)]
    assert "113.2696" not in shown[0][4]


def test_5_3__zones__past_ones_hidden_future_ones_shown(plain, rows):
    now = datetime.now(UTC)
    plain.zone(public_id="past", valid_to=now - timedelta(seconds=1))
    plain.zone(public_id="now")
    plain.zone(public_id="soon", valid_from=now + timedelta(days=3))
    assert rows("privacy_zones") == [("now",), ("soon",)]


# -- flight log --------------------------------------------------------------------------------


@pytest.fixture
def fly(plain):
    """Inserts a flight that landed so many hours ago."""
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
        valid_to="2027-06-09",
    )
    route = plain.route(plain.area())
    drone = plain.device(platform="uav", category="mobile")
    plain.run(
        "INSERT INTO core.drone (device_id, registration_no, mavlink_system_id, camera_hfov_deg, camera_image_width_px,"
        " camera_image_height_px, cruise_speed_m_s, default_alt_agl_m, max_takeoff_mass_kg)"
        " VALUES (%s, 'UAS-1', 1, 70, 1400, 1050, 10, 100, 4)",
        drone,
    )

    def make(state="closed", *, hours_ago=30, deviation_m=5.0, inside=True):
        landed = datetime.now(UTC) - timedelta(hours=hours_ago)
        started = landed - timedelta(minutes=21)
        return plain.insert(
            "flight",
            state=state,
            version=1,
            authority_id=plain.authority(),
            inspection_plan_id=plan,
            route_id=route,
            route_version=1,
            drone_id=drone,
            pilot_id=person,
            during=f"[{started},{landed})",
            precheck="{}",
            vehicle="{}",
            plan_name=CANARY,
            plan_bytes=CANARY.encode(),
            plan_digest="0" * 64,
            mission_digest="0" * 64,
            airborne_at=started,
            landed_at=landed,
            deviation_lateral_m=deviation_m,
            stayed_inside=inside,
            flown_track="SRID=4326;LINESTRING(113.2555 23.125,113.2845 23.125)",
        )

    return make


def test_G_8__closed_flight__after_a_day_and_rounded(fly, rows):
    fly()
    assert rows("flight_log", "duration_min, stayed_inside, flown") == [(15, True, "as_published")]


def test_G_8__fresh_or_open_flight__not_shown(fly, rows):
    fly(hours_ago=23)
    fly("ingested")
    assert rows("flight_log") == []


def test_8_4__flight_with_a_deviation_of_50_m__shown_as_deviating_without_a_track(fly, public):
    fly(deviation_m=50.0, inside=False)
    assert public.execute("SELECT flown, stayed_inside FROM public_map.flight_log").fetchall() == [("deviating", False)]
    content = str(public.execute("SELECT * FROM public_map.flight_log").fetchall())
    assert "113.2555" not in content
    assert CANARY not in content


# -- the index under the views (P13) -----------------------------------------------------------


@pytest.mark.parametrize(
    ("view", "index"),
    [
        ("devices", "gist_device_site_geom_3857"),
        ("patrol_areas", "gist_patrol_area_geom_3857"),
        ("deployment_points", "gist_deployment_point_geom_3857"),
        ("patrol_routes", "gist_patrol_route_generalised"),
        ("privacy_zones", "gist_privacy_zone_geom_3857"),
        ("base_features", "gist_base_feature_geom_3857"),
    ],
)
def test_P13__tile_query__uses_the_spatial_index(province, view, index):
    with connect(province, PUBLIC) as public:
        plan = public.execute(
            f"EXPLAIN SELECT public_id FROM public_map.{view} WHERE geom_3857 && ST_TileEnvelope(15, 26693, 14178)"
        ).fetchall()
    assert index in str(plan), plan


def test_P13__a_page_of_the_list__is_the_front_of_an_index(province):
    source, order = DEVICES.by_name
    with connect(province, PUBLIC) as public:
        # Of so few rows any order is made quickly; the plan with an order kept exists, or sorts all the same.
        public.execute("SET enable_sort = off")
        asked = f"SELECT public_id FROM {source} WHERE true ORDER BY {order} LIMIT 25"
        plan = str(public.execute("EXPLAIN " + asked).fetchall())
        front = public.execute(asked).fetchall()
        all_of_them = public.execute(f"SELECT public_id FROM {DEVICES.countable} ORDER BY {BY_NAME}").fetchall()
    assert "ix_shown_device_order" in plan
    assert "Sort" not in plan
    assert len(all_of_them) > 100
    assert front == all_of_them[:25]


@pytest.fixture(scope="module")
def province(server, empty_template):
    """A database with a province's worth of rows, which is only read."""
    name = server.clone(empty_template)
    made = server.database(name)
    with connect(made) as connection, connect_admin(made) as root:
        connection.execute("INSERT INTO core.installation (key, value) VALUES ('sample_data', 'test')")
        fill(Plain(connection), root)
    yield made
    server.drop(name)


SPREAD = "ST_SetSRID(ST_MakePoint(110 + (n % 50) / 10.0, 21 + (n / 50) / 20.0), 4326)"
COPIES = {
    "device_site": {"geom": SPREAD},
    "device": {"site_id": "(SELECT id FROM core.device_site WHERE public_id = 'copy-' || n)"},
    "patrol_area": {"geom": f"ST_Expand({SPREAD}, 0.01)", "code": "'copy-' || n"},
    "deployment_point": {"geom": SPREAD, "code": "'copy-' || n"},
    "patrol_route": {"geom": f"ST_MakeLine({SPREAD}, ST_Translate({SPREAD}, 0.02, 0.01))", "code": "'copy-' || n"},
    "privacy_zone": {"geom": f"ST_Expand({SPREAD}, 0.001)"},
    "base_feature": {"geom": SPREAD},
    "publication": {
        "subject_kind": "(ARRAY['device', 'patrol_area', 'patrol_route', 'deployment_point'])[n % 4 + 1]",
        "subject_id": "CASE n % 4 WHEN 0 THEN (SELECT id FROM core.device WHERE public_id = 'copy-' || n)"
        " WHEN 1 THEN (SELECT id FROM core.patrol_area WHERE public_id = 'copy-' || n)"
        " WHEN 2 THEN (SELECT id FROM core.patrol_route WHERE public_id = 'copy-' || n)"
        " ELSE (SELECT id FROM core.deployment_point WHERE public_id = 'copy-' || n) END",
    },
}


def fill(plain: Plain, root: psycopg.Connection) -> None:
    """Copies of one row per table, spread over 5 by 3 degrees."""
    plain.publish(plain.device("published"))
    plain.route(plain.area("published"), "published")
    plain.point("published")
    plain.zone()
    plain.insert("base_feature", kind="land", rank=0, geom=QINGHE)
    root.execute("SET session_replication_role = replica")
    for table, own in COPIES.items():
        columns = [
            row[0]
            for row in root.execute(
                "SELECT column_name FROM information_schema.columns"
                " WHERE table_schema = 'core' AND table_name = %s AND is_generated = 'NEVER'",
                [table],
            )
        ]
        values = {name: f"o.{name}" for name in columns}
        values |= {"id": "gen_random_uuid()", "public_id": "'copy-' || n"} | own
        root.execute(
            f"INSERT INTO core.{table} ({', '.join(values)}) SELECT {', '.join(values.values())}"
            f" FROM (SELECT * FROM core.{table} LIMIT 1) o, generate_series(1, 3000) n"
        )
    root.execute("ANALYZE")
