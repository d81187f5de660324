"""Tiles: only from the public views, cached by revision, 422 outside the pyramid (reliability.md row 76)."""

import gzip
import math
import uuid

import pytest
from sqlalchemy import text

from tests.classified import make_secret
from tests.web.mvt import decode
from web.public.tiles import STATEMENTS, TileCache


def tile_address(lon, lat, zoom):
    side = 2**zoom
    y = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2
    return zoom, int((lon + 180) / 360 * side), int(y * side)


def get(client, layer, address, **headers):
    return client.get(f"/tiles/{layer}/{address[0]}/{address[1]}/{address[2]}.mvt", headers=headers)


@pytest.mark.parametrize(
    ("layer", "count"),
    [("devices", 2), ("patrol_areas", 1), ("deployment_points", 1), ("patrol_routes", 1), ("privacy_zones", 1)],
)
def test_tile__at_the_fixtures__holds_what_is_published(reader, layer, count):
    answer = get(reader, layer, tile_address(113.27, 23.13, 11))
    assert answer.status_code == 200
    assert answer.mimetype == "application/vnd.mapbox-vector-tile"
    found = decode(answer.data)
    assert list(found) == [layer]
    assert len(found[layer]) == count


def test_tile__of_devices__carries_only_public_words(reader):
    found = decode(get(reader, "devices", tile_address(113.26, 23.13, 14)).data)["devices"]
    assert {frozenset(properties) for properties in found} == {
        frozenset({"public_id", "kind", "state", "title_en", "title_zh"})
    }
    assert {"public_id": "DV-DV1", "kind": "video", "state": "in_notice_period"}.items() <= found[0].items()


def test_GD_16_3__deployment_point_in_a_tile__carries_only_public_words(reader):
    found = decode(get(reader, "deployment_points", tile_address(113.28, 23.135, 14)).data)["deployment_points"]
    assert found == [
        {
            "public_id": "DP-DP1",
            "kind": "deployment_point",
            "state": "effective",
            "title_en": "Deployment point DP1 (fictional)",
            "title_zh": "移动设备布点DP1（虚构）",
        }
    ]


@pytest.mark.parametrize("state", ["draft", "checked", "retired"])
def test_GD_16_3__deployment_point_that_is_not_published__in_no_tile(client, admin, state):
    admin.execute("SET session_replication_role = replica")
    admin.execute("UPDATE core.deployment_point SET state = %s", (state,))
    answer = get(client, "deployment_points", tile_address(113.28, 23.135, 14))
    assert (answer.status_code, answer.data) == (200, b"")


def test_tile__where_nothing_lies__is_empty(reader):
    answer = get(reader, "devices", tile_address(10.0, 50.0, 14))
    assert (answer.status_code, answer.data) == (200, b"")


def test_tile__known_etag__304(reader):
    address = tile_address(113.27, 23.13, 11)
    tag = get(reader, "devices", address).headers["ETag"]
    again = get(reader, "devices", address, **{"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == tag


def test_tile__etag_of_another_tile_or_revision__drawn(reader):
    address = tile_address(113.27, 23.13, 11)
    first = get(reader, "devices", address)
    other = get(reader, "privacy_zones", address).headers["ETag"]
    for tag in (other, '"devices-11-1668-887-20000101-0"', '"devices-"', "W/"):
        answer = get(reader, "devices", address, **{"If-None-Match": tag})
        assert (answer.status_code, answer.data) == (200, first.data)


def test_tile__any_etag__304(reader):
    assert get(reader, "devices", tile_address(113.27, 23.13, 11), **{"If-None-Match": "*"}).status_code == 304


def test_tile__after_a_recorded_change__is_drawn_anew(client, admin, work):
    address = tile_address(113.27, 23.13, 11)
    before = get(client, "devices", address)
    make_secret(admin, "DV-DV1")
    with work() as unit:
        unit.record("device.classify", "device", uuid.uuid4(), {})
        unit.commit()
    after = get(client, "devices", address, **{"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200
    assert "DV-DV1" not in str(decode(after.data))


def test_tile__of_a_zone_that_ends_while_nothing_is_recorded__is_drawn_anew(client, admin):
    address = tile_address(113.27, 23.13, 11)
    before = get(client, "privacy_zones", address)
    assert before.data
    admin.execute("UPDATE core.privacy_zone SET valid_to = now() - interval '1 second'")
    after = get(client, "privacy_zones", address, **{"If-None-Match": before.headers["ETag"]})
    assert (after.status_code, after.data) == (200, b"")


def test_tile__headers__let_any_cache_share_it(reader):
    answer = get(reader, "devices", tile_address(113.27, 23.13, 11))
    assert answer.headers.getlist("Vary") == ["Accept-Encoding"]
    assert answer.headers["ETag"].startswith("W/")
    assert "public" in answer.headers["Cache-Control"]


def test_tile__asked_packed__is_packed(reader):
    address = tile_address(113.27, 23.13, 11)
    packed = get(reader, "devices", address, **{"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == get(reader, "devices", address).data


@pytest.mark.parametrize(
    "path",
    [
        "17/0/0",
        "40/0/0",
        "0/1/0",
        "0/0/1",
        "3/8/0",
        "-1/0/0",
        "1/-1/0",
        "a/b/c",
        "1/1/1e1",
        "1/1/ 1",
        "1/%31/١",
        "99999999999/1/1",
        "1/1/1.5",
    ],
)
def test_tile__outside_the_pyramid__422(reader, path):
    answer = reader.get(f"/tiles/devices/{path}.mvt")
    assert answer.status_code == 422
    assert answer.get_json(force=True)["refusals"][0]["rule"] == "tile.range"


@pytest.mark.parametrize("layer", ["person", "flight", "detection", "devices;drop", "public_map.devices", "%00"])
def test_tile__unknown_layer__404(reader, layer):
    assert reader.get(f"/tiles/{layer}/1/1/1.mvt").status_code == 404


@pytest.mark.parametrize("layer", STATEMENTS)
def test_tile__query__uses_the_spatial_index(services, layer):
    values = {"z": 14, "x": 13346, "y": 7094, "layer": layer, "extent": 4096, "buffer": 512, "margin": 0.125}
    with services.public_engine.connect() as public:
        public.execute(text("SET LOCAL enable_seqscan = off"))
        plan = "\n".join(public.execute(text(f"EXPLAIN {STATEMENTS[layer]}"), values).scalars())
    assert "gist_" in plan, plan


def test_tile_cache__above_its_size__forgets_the_oldest():
    cache = TileCache(2)
    for key in "abc":
        cache.put(key, "r1", key.encode())
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (None, ("r1", b"b"), ("r1", b"c"))


def test_tile_cache__drawn_anew__keeps_the_newer_one():
    cache = TileCache(2)
    cache.put("a", "r1", b"old")
    cache.put("a", "r2", b"new")
    assert cache.get("a") == ("r2", b"new")
