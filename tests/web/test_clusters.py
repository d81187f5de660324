"""Many devices: groups of them seen from afar, each by itself from near, and no tile that is too large to send."""

import psycopg
import pytest

from schemas.clock import FixedClock
from tests.conftest import TEN_ON_THE_FIRST_FLYING_DAY
from tests.web.mvt import decode
from tests.web.test_tiles import get, tile_address
from web.app import create_app
from web.public.tiles import MOST_BYTES
from web.settings import Settings
from web.wiring import Services

SPREAD, CROWD = 1_000, 20_000
# Spread over a province, and a crowd in one tile of zoom 12.
FILL = f"""
INSERT INTO core.shown (kind, subject_id, public_id, look, status, title_en, title_zh, authority_id, origin, told, geom,
    geom_3857)
SELECT 'device', gen_random_uuid(), format('DV-%s', i), (ARRAY['video', 'radar', 'drone'])[1 + i % 3],
    (ARRAY['active', 'in_notice_period', 'maintenance', 'out_of_use', 'discontinued', 'retired'])[1 + i % 6],
    format('Device %s', i), format('设备%s', i), a.id, 'sample', '', p.geom, ST_Transform(p.geom, 3857)
FROM generate_series(1, {SPREAD + CROWD}) AS i
JOIN core.authority a ON a.code = 'A1'
CROSS JOIN LATERAL (SELECT CASE WHEN i <= {SPREAD}
    THEN ST_Point(110.0 + (i * 0.6180339887) % 7, 20.5 + (i * 0.7548776662) % 4.5, 4326)
    ELSE ST_Point(113.31 + (i * 0.6180339887) % 0.05, 23.17 + (i * 0.7548776662) % 0.05, 4326) END AS geom) p"""
ZONES = """
INSERT INTO core.privacy_zone (id, public_id, kind, name_en, name_zh, sensitive, buffer_m, source, valid_from,
    zone_version, origin, geom)
SELECT gen_random_uuid(), format('PZ-%s', i), 'dormitory', format('A dormitory of the bench number %s', i), '宿舍',
    false, 0, 'legal', '2025-01-01', 1, 'sample',
    ST_Buffer(ST_Point(113.31 + (i * 0.6180339887) % 0.05, 23.17 + (i * 0.7548776662) % 0.05, 4326), 0.004, 16)
FROM generate_series(1, 3500) AS i"""
LOOKS = {"on", "soon", "pause", "stop", "off"}
# Of what stands in the world of the fixtures: DV1 and DR1.
SHOWN = 2 + sum(1 for i in range(1, SPREAD + CROWD + 1) if i % 6 != 5)


@pytest.fixture(scope="module")
def crowd(server, world_template, tmp_path_factory):
    name = server.clone(world_template)
    services = Services(
        Settings(data_dir=tmp_path_factory.mktemp("data")),
        server.database(name),
        FixedClock(TEN_ON_THE_FIRST_FLYING_DAY),
    )
    with psycopg.connect(services.database.admin_url.replace("+psycopg", "")) as admin:
        admin.execute("SET session_replication_role = replica")
        admin.execute(FILL)
        admin.execute(ZONES)
    yield create_app(services).test_client()
    services.close()
    server.drop(name)


def clusters(client, z, query=""):
    """Every cluster of a zoom around the province, with the tile that it lies in."""
    _, west, north = tile_address(109.9, 25.1, z)
    _, east, south = tile_address(117.1, 20.4, z)
    for x in range(west, east + 1):
        for y in range(north, south + 1):
            answer = client.get(f"/tiles/clusters/{z}/{x}/{y}.mvt{query}")
            assert answer.status_code == 200
            yield from decode(answer.data).get("clusters", [])


@pytest.mark.parametrize("z", [0, 4, 6, 9])
def test_clusters__of_every_zoom__count_each_device_once(crowd, z):
    found = list(clusters(crowd, z))
    assert sum(one["n"] for one in found) == SHOWN
    for one in found:
        assert one["n"] == sum(n for name, n in one.items() if name.rpartition("_")[2] in LOOKS)


def test_clusters__by_kind_and_look__tell_what_is_in_them(crowd):
    (one,) = decode(get(crowd, "clusters", (0, 0, 0)).data)["clusters"]
    assert one["video_on"] == sum(1 for i in range(1, SPREAD + CROWD + 1) if i % 6 == 0)
    assert one["radar_off"] == sum(1 for i in range(1, SPREAD + CROWD + 1) if i % 6 == 4)
    assert "public_id" not in one


def test_cluster__of_one_device__is_that_device(crowd):
    alone = [one for one in clusters(crowd, 9) if one["n"] == 1]
    assert alone
    for one in alone:
        assert one["public_id"].startswith("DV-")
        assert {"kind", "state", "authority", "title_en", "title_zh"} <= one.keys()


def test_clusters__of_one_authority__leave_the_others_out(crowd):
    assert sum(one["n"] for one in clusters(crowd, 5, "?authority=AU-A1")) == SHOWN
    assert list(clusters(crowd, 5, "?authority=AU-A2")) == []


def test_clusters__of_an_unknown_authority__422(crowd):
    answer = crowd.get("/tiles/clusters/5/26/13.mvt?authority=AU-NOBODY")
    assert answer.status_code == 422
    assert answer.get_json(force=True)["refusals"][0]["rule"] == "query.unknown"
    assert crowd.get("/tiles/privacy_zones/5/26/13.mvt?authority=AU-A1").status_code == 422


def test_devices__more_than_a_tile_can_hold__one_for_each_spot_and_how_many_more(crowd):
    answer = get(crowd, "devices", tile_address(113.335, 23.195, 12))
    assert len(answer.data) <= MOST_BYTES
    found = decode(answer.data)["devices"]
    assert len(found) < 5_000
    assert max(one.get("more", 0) for one in found) > 1
    here = {one["public_id"] for one in found}
    assert len(here) == len(found)
    crowded = sum(1 for i in range(SPREAD + 1, SPREAD + CROWD + 1) if i % 6 != 5)
    assert crowded <= sum(1 + one.get("more", 0) for one in found) <= crowded + 10


def test_devices__as_many_as_a_tile_can_hold__each_by_itself(crowd):
    found = decode(get(crowd, "devices", tile_address(113.335, 23.195, 14)).data)["devices"]
    assert len(found) > 500
    assert not any("more" in one for one in found)


@pytest.mark.parametrize("z", [6, 9, 11, 12, 13])
def test_zones__more_than_a_tile_can_hold__the_largest_with_fewer_bends(crowd, z):
    answer = get(crowd, "privacy_zones", tile_address(113.335, 23.195, z))
    assert answer.status_code == 200
    assert len(answer.data) <= MOST_BYTES
    # From afar they are less than a dot.
    assert bool(answer.data) == (z >= 9)


def test_devices_from_afar__and_clusters_from_near__422(crowd):
    for layer, z in (("devices", 11), ("clusters", 12)):
        answer = get(crowd, layer, tile_address(113.335, 23.195, z))
        assert answer.status_code == 422
        assert answer.get_json(force=True)["refusals"][0]["rule"] == "tile.range"
