"""Tiles: only from the public views, cached by revision, 422 outside the pyramid (reliability.md row 76)."""

import gzip
import math
import uuid

import pytest
from sqlalchemy import text

from tests.classified import make_secret
from tests.web.mvt import decode
from web.public.tile_sql import STATEMENTS, TILE_LAYERS
from web.server import THREADS
from web.wiring import READING


def tile_address(lon, lat, zoom):
    side = 2**zoom
    y = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2
    return zoom, int((lon + 180) / 360 * side), int(y * side)


def test_connections__kept_for_readers__are_one_for_each_thread_of_a_process():
    assert READING == THREADS


def get(client, layer, address, **headers):
    return client.get(f"/tiles/{layer}/{address[0]}/{address[1]}/{address[2]}.mvt", headers=headers)


@pytest.mark.parametrize(
    ("layer", "count"),
    [("devices", 2), ("patrol_areas", 1), ("deployment_points", 1), ("patrol_routes", 1), ("privacy_zones", 1)],
)
def test_tile__at_the_fixtures__holds_what_is_published(reader, layer, count):
    answer = get(reader, layer, tile_address(113.27, 23.13, 12))
    assert answer.status_code == 200
    assert answer.mimetype == "application/vnd.mapbox-vector-tile"
    found = decode(answer.data)
    assert list(found) == [layer]
    assert len(found[layer]) == count


def test_tile__of_devices__carries_only_public_words(reader):
    found = decode(get(reader, "devices", tile_address(113.26, 23.13, 14)).data)["devices"]
    device = {"public_id": "DV-DV1", "kind": "video", "state": "in_notice_period", "authority": "AU-A1"}
    assert device in found
    near = decode(get(reader, "devices", tile_address(113.26, 23.13, 15)).data)["devices"]
    assert device | {"title_en": "DV1", "title_zh": "DV1"} in near
    assert {name for one in [*found, *near] for name in one} == device.keys() | {"title_en", "title_zh"}


def test_GD_16_3__deployment_point_in_a_tile__carries_only_public_words(reader):
    found = decode(get(reader, "deployment_points", tile_address(113.28, 23.135, 14)).data)["deployment_points"]
    assert found == [
        {
            "public_id": "DP-DP1",
            "kind": "deployment_point",
            "state": "effective",
            "authority": "AU-A1",
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
    address = tile_address(113.27, 23.13, 12)
    tag = get(reader, "devices", address).headers["ETag"]
    again = get(reader, "devices", address, **{"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == tag


def test_tile__etag_of_another_tile_or_revision__drawn(reader):
    address = tile_address(113.27, 23.13, 12)
    first = get(reader, "devices", address)
    other = get(reader, "privacy_zones", address).headers["ETag"]
    for tag in (other, '"devices-12-3336-1774-20000101-0"', '"devices-"', "W/"):
        answer = get(reader, "devices", address, **{"If-None-Match": tag})
        assert (answer.status_code, answer.data) == (200, first.data)


def test_tile__known_day__304_and_an_earlier_one_drawn(client, admin):
    admin.execute("UPDATE core.public_batch SET at = '2026-01-01 12:00:00.7Z'")
    address = tile_address(113.27, 23.13, 13)
    first = get(client, "patrol_areas", address)
    since = first.headers["Last-Modified"]
    again = get(client, "patrol_areas", address, **{"If-Modified-Since": since})
    assert (again.status_code, again.data) == (304, b"")
    for other in ("Mon, 01 Jan 2024 00:00:00 GMT", "nonsense"):
        assert get(client, "patrol_areas", address, **{"If-Modified-Since": other}).data == first.data
    # Who names contents is not answered by a date.
    both = get(client, "patrol_areas", address, **{"If-Modified-Since": since, "If-None-Match": 'W/"other"'})
    assert (both.status_code, both.data) == (200, first.data)


def test_tile__that_changes_by_itself__tells_no_day(reader):
    assert "Last-Modified" not in get(reader, "coverage", tile_address(113.27, 23.13, 12)).headers


def test_tile__any_etag__304(reader):
    assert get(reader, "devices", tile_address(113.27, 23.13, 12), **{"If-None-Match": "*"}).status_code == 304


def test_tile__after_a_recorded_change__is_drawn_anew(client, admin, work):
    address = tile_address(113.27, 23.13, 12)
    before = get(client, "devices", address)
    make_secret(admin, "DV-DV1")
    with work() as unit:
        unit.record("device.classify", "device", uuid.uuid4(), {})
        unit.commit()
    after = get(client, "devices", address, **{"If-None-Match": before.headers["ETag"]})
    assert after.status_code == 200
    assert "DV-DV1" not in str(decode(after.data))


def test_tile__of_a_zone_that_ends_while_nothing_is_recorded__is_drawn_anew(client, admin):
    address = tile_address(113.27, 23.13, 12)
    before = get(client, "privacy_zones", address)
    assert before.data
    admin.execute("UPDATE core.privacy_zone SET valid_to = now() - interval '1 second'")
    after = get(client, "privacy_zones", address, **{"If-None-Match": before.headers["ETag"]})
    assert (after.status_code, after.data) == (200, b"")


@pytest.mark.parametrize("asked", [{"Accept-Encoding": "gzip"}, {"If-None-Match": "*"}])
def test_tile__given_again__is_what_it_was_the_first_time(client, admin, asked):
    admin.execute("UPDATE core.public_batch SET at = '2026-01-01 12:00:00Z'")
    address = tile_address(113.27, 23.13, 13)
    plain, first, again = (get(client, "devices", address, **headers) for headers in ({}, asked, asked))
    assert (again.status_code, again.data) == (first.status_code, first.data)
    assert sorted(again.headers) == sorted(first.headers)
    of_body = {"Content-Length", "Content-Encoding", "Content-Type", "Last-Modified"}
    beside = [{pair for pair in answer.headers if pair[0] not in of_body} for answer in (again, plain)]
    assert beside[0] == beside[1]


def test_tile__given_again__its_head_has_no_body(reader):
    z, x, y = tile_address(113.27, 23.13, 13)
    path, packed = f"/tiles/devices/{z}/{x}/{y}.mvt", {"Accept-Encoding": "gzip"}
    whole = [reader.get(path, headers=packed) for _ in range(2)][-1]
    head = reader.head(path, headers=packed)
    assert (head.data, sorted(head.headers)) == (b"", sorted(whole.headers))


def test_tile__given_again__says_only_over_https_that_https_is_for_good(client, admin):
    admin.execute("UPDATE core.public_batch SET at = '2026-01-01 12:00:00Z'")
    z, x, y = tile_address(113.27, 23.13, 13)
    told = [
        client.get(f"/tiles/devices/{z}/{x}/{y}.mvt", headers={"Accept-Encoding": "gzip"}, base_url=base)
        for base in ("https://localhost", "http://localhost", "https://localhost", "http://localhost")
    ]
    assert ["Strict-Transport-Security" in answer.headers for answer in told] == [True, False, True, False]


def test_tile__headers__let_any_cache_share_it(reader):
    answer = get(reader, "devices", tile_address(113.27, 23.13, 12))
    assert answer.headers.getlist("Vary") == ["Accept-Encoding"]
    assert answer.headers["ETag"].startswith("W/")
    assert "public" in answer.headers["Cache-Control"]


def test_tile__asked_packed__is_packed(reader):
    address = tile_address(113.27, 23.13, 12)
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
        "11/1668/886",
        "12/4096/0",
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
    values = {"z": 14, "x": 13346, "y": 7094, "authority": None}
    with services.public_engine.connect() as public:
        public.execute(text("SET enable_seqscan = off"))
        plan = "\n".join(public.execute(text(f"EXPLAIN {STATEMENTS[layer]}"), values).scalars())
    assert "gist_" in plan, plan


def test_tile__of_devices_without_titles__is_drawn_from_the_index_alone(services):
    values = {"z": 14, "x": 13346, "y": 7094, "authority": None}
    with services.public_engine.connect() as public:
        public.execute(text("SET enable_seqscan = off"))
        public.execute(text("SET enable_bitmapscan = off"))
        plan = "\n".join(public.execute(text(f"EXPLAIN {TILE_LAYERS['devices'].drawing(14)}"), values).scalars())
    assert "Index Only Scan using gist_shown_device_3857" in plan, plan


def test_tile__of_a_change_elsewhere__stays_as_it_is(client, admin):
    near, far = tile_address(113.26, 23.13, 14), tile_address(114.5, 24.5, 14)
    tags = {
        (layer, at): get(client, layer, at).headers["ETag"]
        for layer in ("devices", "privacy_zones")
        for at in (near, far)
    }
    admin.execute("UPDATE core.device SET name = 'Another name' WHERE public_id = 'DV-DV1'")
    for (layer, at), tag in tags.items():
        answer = get(client, layer, at, **{"If-None-Match": tag})
        assert answer.status_code == (200 if (layer, at) == ("devices", near) else 304), (layer, at)


def test_tile__of_a_change_beside_its_edge__is_drawn_anew(client, admin):
    """A zone reaches into the margin of the tile beside it, which lies in another cell."""
    edge = 360 * math.ceil((113.30 + 180) / 360 * 2**12) / 2**12 - 180
    west_of_it = tile_address(edge - 0.0001, 23.10, 14)
    before = get(client, "privacy_zones", west_of_it)
    admin.execute(
        "INSERT INTO core.privacy_zone (id, public_id, kind, name_en, name_zh, sensitive, buffer_m, source, valid_from,"
        " zone_version, origin, geom) VALUES (gen_random_uuid(), 'PZ-EDGE', 'dormitory', 'x', 'x', false, 0, 'legal',"
        " '2025-01-01', 1, 'sample', ST_MakeEnvelope(%s, 23.099, %s, 23.101, 4326))",
        (edge + 0.0001, edge + 0.001),
    )
    after = get(client, "privacy_zones", west_of_it)
    assert after.headers["ETag"] != before.headers["ETag"]
    assert "PZ-EDGE" in str(decode(after.data))


def test_tile__of_a_change_that_reaches_many_cells__is_drawn_anew(client, admin):
    far = tile_address(115.3, 23.1, 14)
    before = get(client, "patrol_areas", far)
    admin.execute("SET session_replication_role = replica")
    admin.execute(
        "UPDATE core.patrol_area SET geom = ST_MakeEnvelope(110, 20, 117, 25, 4326) WHERE public_id = 'PA-PA1'"
    )
    after = get(client, "patrol_areas", far)
    assert after.headers["ETag"] != before.headers["ETag"]
    assert "PA-PA1" in str(decode(after.data))


def test_tile__of_what_the_public_does_not_see__stays_as_it_is(client, work):
    tags = {
        z: get(client, layer, tile_address(113.26, 23.13, z)).headers["ETag"]
        for layer, z in (("devices", 14), ("clusters", 9))
    }
    with work() as unit:
        unit.record("detection.note", "detection", uuid.uuid4(), {})
        unit.commit()
    assert get(client, "devices", tile_address(113.26, 23.13, 14)).headers["ETag"] == tags[14]
    assert get(client, "clusters", tile_address(113.26, 23.13, 9)).headers["ETag"] == tags[9]


@pytest.mark.parametrize(
    ("day", "states"),
    [
        ("2025-05-31", {}),
        ("2025-06-01", {"DV-DV1": "in_notice_period", "DV-DR1": "in_notice_period"}),
        ("2025-06-30", {"DV-DV1": "in_notice_period", "DV-DR1": "in_notice_period"}),
        ("2025-07-01", {"DV-DV1": "in_notice_period", "DV-DR1": "active"}),
    ],
)
def test_tile__of_a_past_day__is_what_was_here_then(reader, day, states):
    z, x, y = tile_address(113.27, 23.13, 12)
    found = decode(reader.get(f"/tiles/devices/{z}/{x}/{y}.mvt?on={day}").data).get("devices", [])
    assert {one["public_id"]: one["state"] for one in found} == states
    (z, x, y), counted = tile_address(113.27, 23.13, 5), 0
    for one in decode(reader.get(f"/tiles/clusters/{z}/{x}/{y}.mvt?on={day}").data).get("clusters", []):
        counted += one["n"]
    assert counted == len(states)


def test_tile__of_today_by_its_date__is_the_present_one(reader):
    z, x, y = tile_address(113.27, 23.13, 12)
    today = reader.get(f"/tiles/devices/{z}/{x}/{y}.mvt?on=2025-07-02")
    assert today.headers["ETag"] == get(reader, "devices", (z, x, y)).headers["ETag"]


def test_authorities__tell_where_something_is_published_and_where_nothing_is(reader):
    found = decode(get(reader, "authorities", tile_address(113.27, 23.13, 8)).data)["authorities"]
    told = {one["public_id"]: (one["published"], one.get("last_on")) for one in found}
    assert told["AU-A1"] == (True, "2025-06-01")
    assert told["AU-A2"] == (False, None)


def test_coverage__made_anew_while_nothing_changed__is_drawn_anew(client, admin):
    address = tile_address(113.27, 23.13, 12)
    before = get(client, "coverage", address)
    assert (before.status_code, before.data) == (200, b"")
    x, y = (math.floor(metres / 500) for metres in (113.27 * 111_319.49, 2_647_000))
    admin.execute(
        "INSERT INTO core.coverage_cell (x, y, at_least, geom_3857)"
        " VALUES (%(x)s, %(y)s, 3,"
        " ST_MakeEnvelope(%(x)s * 500, %(y)s * 500, %(x)s * 500 + 500, %(y)s * 500 + 500, 3857))",
        {"x": x, "y": y},
    )
    after = get(client, "coverage", address, **{"If-None-Match": before.headers["ETag"]})
    assert decode(after.data) == {"coverage": [{"cell": f"{x}/{y}", "at_least": 3}]}
    assert get(client, "coverage", address, **{"If-None-Match": after.headers["ETag"]}).status_code == 304


def test_tile__while_the_database_is_away__is_a_pause_and_comes_back(client, services, admin):
    address = tile_address(113.27, 23.13, 12)
    before = get(client, "devices", address)
    admin.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database()"
        " AND usename = 'skywarden_public'"
    )
    admin.execute("UPDATE core.device SET name = 'Another name' WHERE public_id = 'DV-DV1'")
    pause = get(client, "devices", address)
    assert (pause.status_code, pause.headers.get("Retry-After")) in ((503, "5"), (200, None))
    assert get(client, "devices", address).headers["ETag"] != before.headers["ETag"]
