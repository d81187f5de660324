"""The public pages: complete, in both languages, and nothing that the law does not show (promise P11)."""

import contextlib
import html
import json
import re
from datetime import timedelta

import psycopg
import pytest

from tests.web.conftest import HTML
from tests.web.findings import make_findings
from web.public.layers import LAYERS, WORDS
from web.public.tiles import STATEMENTS
from web.settings import Settings
from web.wiring import Services

LANGUAGES = ["en", "zh"]


def page(client, path, lang="en"):
    answer = client.get(f"{path}{'&' if '?' in path else '?'}lang={lang}", headers=HTML)
    assert answer.status_code == 200, answer.text
    return html.unescape(answer.text)


def unjudged(admin, statement):
    """Changes what no trigger would let anybody change."""
    admin.execute("SET session_replication_role = replica")
    admin.execute(statement)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    "path", ["/", "/list", "/list?layer=privacy_zones", "/rules", "/privacy", "/data", "/flights", "/account/sign-in"]
)
def test_page__in_either_language__says_that_the_data_is_fictional(reader, path, lang):
    text = page(reader, path, lang)
    assert f'lang="{"zh-CN" if lang == "zh" else "en"}"' in text
    assert ("虚构" if lang == "zh" else "fictional") in text


def test_home__answer_first__counts_what_watches(reader):
    text = page(reader, "/")
    assert "1 device watches here" in text
    assert "1 more is announced and not yet in use." in text


def test_record__of_a_device__says_who_why_under_which_law_and_when(reader):
    text = page(reader, "/device/DV-DV1")
    for said in ("Authority A1", "Qinghe Road", "Pollution patrol", "Placeholder statute, art. 1", "2025-06-01"):
        assert said in text
    assert "Its notice period ended on 2025-07-01; it is not in use yet." in text
    assert "SAMPLE-2025-1" in text


def test_GD_14_2__record_in_its_notice_period__counts_down(client, clock):
    clock.advance(timedelta(days=-10))
    text = page(client, "/device/DV-DV1")
    assert "may be used from 2025-07-01 (Tue), in 9 days." in re.sub(r"<[^>]+>", "", text)


def test_record__imported__says_that_nobody_witnessed_it(reader):
    assert "asserted by an import" in page(reader, "/device/DV-DV1")
    assert "days before use" not in page(reader, "/device/DV-DV1")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_GD_16_3__record_of_a_deployment_point__says_who_why_where_and_since_when(reader, lang):
    text = page(reader, "/point/DP-DP1", lang)
    assert ("移动设备布点DP1" if lang == "zh" else "Deployment point DP1") in text
    assert ("污染巡查" if lang == "zh" else "Pollution patrol") in text
    for said in ("1 Qinghe Road", "Weir (fictional)", "2025-06-01", "2025-07-01", "SAMPLE-2025-1"):
        assert said in text
    assert "RCPT-DP-DP1-platform_map" in text


def test_GD_16_3__deployment_point_in_its_notice_period__counts_down(client, admin, clock):
    unjudged(admin, "UPDATE core.deployment_point SET state = 'published', effective_from = NULL")
    clock.advance(timedelta(days=-10))
    text = re.sub(r"<[^>]+>", "", page(client, "/point/DP-DP1"))
    assert "may be used from 2025-07-01 (Tue), in 9 days." in text


@pytest.mark.parametrize("state", ["draft", "checked"])
def test_GD_16_3__deployment_point_that_is_not_published__stands_nowhere(client, admin, state):
    unjudged(admin, f"UPDATE core.deployment_point SET state = '{state}'")
    assert client.get("/point/DP-DP1", headers=HTML).status_code == 404
    paths = ("/", "/list?layer=deployment_points", "/data/deployment_points.geojson", "/?q=113.28,23.135")
    assert not [path for path in paths if "DP1" in client.get(path, headers=HTML).text]


def test_GD_16_3__home__counts_deployment_points_in_the_legend(reader):
    row = re.search(r'<label>[^\n]*\n[^\n]*data-key="deployment_points".*?</label>', page(reader, "/"), re.S)
    assert re.sub(r"<[^>]+>|\s+", " ", row[0]).split() == ["Deployment", "points", "1"]


def test_near__beside_a_deployment_point__says_that_a_mobile_unit_works_there(reader):
    text = page(reader, "/?q=113.2810,23.1350")
    assert "A mobile unit works from a point 100 m away." in text
    assert "/point/DP-DP1" in text


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("layer", list(LAYERS))
def test_list_and_records__of_every_layer__open(reader, layer, lang):
    text = page(reader, f"/list?layer={layer}", lang)
    paths = set(re.findall(rf'href="({LAYERS[layer].path}/[^"]+)"', text))
    assert paths
    for path in paths:
        assert path.rsplit("/", 1)[1] in page(reader, path, lang)


def test_list__filtered__finds_only_that(reader):
    assert "DV-DV1" in page(reader, "/list?state=in_notice_period")
    assert "DV-DR1" not in page(reader, "/list?state=in_notice_period")
    assert "DV-DR1" in page(reader, "/list?kind=drone")
    assert "Nothing matches." in page(reader, "/list?q=%25")
    assert "DV-DV1" in page(reader, "/list?q=site%20DV1")


def test_list__in_the_order_of_names__counts_numbers_as_numbers(client, admin):
    unjudged(admin, "UPDATE core.device SET name = 'Outlet 10' WHERE public_id = 'DV-DV1'")
    unjudged(admin, "UPDATE core.device SET name = 'Outlet 9' WHERE public_id = 'DV-DR1'")
    text = page(client, "/list")
    assert text.index("Outlet 9") < text.index("Outlet 10")


def test_near__inside_area_and_zone__one_sentence_and_a_list(reader):
    text = page(reader, "/?lon=113.27&lat=23.13")
    assert "drones may patrol here" in text
    assert "A privacy zone covers this place" in text
    assert "/area/" in text


def test_near__beside_a_device__names_its_distance(reader):
    text = page(reader, "/?q=113.2610,23.1300")
    assert "1 device stands within 500 m, 100 m away." in text
    assert "/device/DV-DV1" in text


def test_near__far_away__nothing_watches(reader):
    assert "Nothing that is published watches this place." in page(reader, "/?lon=10&lat=50")


def test_near__unknown_place__404_with_a_way_out(reader):
    answer = reader.get("/?q=atlantis", headers=HTML)
    assert answer.status_code == 404
    assert "No place in this district is called atlantis." in html.unescape(answer.text)
    assert 'id="map"' in answer.text


@pytest.mark.parametrize(
    "hostile", ["<script>alert(1)</script>", '"><img src=x onerror=1>', "{{7*7}}", "%(x)s", "' OR 1=1 --"]
)
def test_search__hostile_words__are_only_words(reader, hostile):
    for path in ("/", "/list"):
        answer = reader.get(path, query_string={"q": hostile}, headers=HTML)
        assert answer.status_code in (200, 404)
        assert "<script>alert" not in answer.text
        assert "<img src=x" not in answer.text
        assert "49" not in re.findall(r"called ([^<]*)", answer.text)


@pytest.mark.parametrize("layer", list(LAYERS))
def test_download__is_geojson_with_the_notice_of_sample_data(reader, layer):
    answer = reader.get(f"/data/{layer}.geojson")
    body = json.loads(answer.data)
    assert body["type"] == "FeatureCollection"
    assert body["features"]
    assert "fictional" in body["notice"]["en"]
    assert "虚构" in body["notice"]["zh"]
    for feature in body["features"]:
        lon, lat = _first(feature["geometry"]["coordinates"])
        assert 113 < lon < 114
        assert 23 < lat < 24


def test_download__held_already__304_until_something_changes(client, admin):
    first = client.get("/data/devices.geojson")
    held = {"If-None-Match": first.headers["ETag"]}
    assert client.get("/data/devices.geojson", headers=held).status_code == 304
    unjudged(admin, "UPDATE core.device SET purpose_en = 'something else' WHERE public_id = 'DV-DV1'")
    assert client.get("/data/devices.geojson", headers=held).status_code == 200


def _first(coordinates):
    return coordinates if isinstance(coordinates[0], float) else _first(coordinates[0])


def test_times__are_told_in_the_zone_of_the_rule_pack(client, admin, services):
    unjudged(admin, "UPDATE core.privacy_zone SET valid_from = '2025-05-01T20:00Z'")
    assert "2025-05-02" in page(client, "/zone/PZ-Z1")
    assert services.today.isoformat() == "2025-07-02"


def test_times__of_a_district_under_another_pack__are_told_in_its_zone(client, admin, services):
    unjudged(
        admin, "UPDATE core.authority SET jurisdiction = ST_Multi(ST_MakeEnvelope(-39.8, 40.2, -39.2, 40.8, 4326))"
    )
    unjudged(admin, "UPDATE core.privacy_zone SET valid_from = '2025-05-01T20:00Z'")
    assert "2025-05-01" in page(client, "/zone/PZ-Z1")
    assert str(services.zone) == "Etc/UTC"


def test_rules__of_the_place__or_none_at_all(client, admin):
    assert "Guangdong" in page(client, "/rules")
    atlantic, elsewhere = "-39.8, 40.2, -39.2, 40.8", "10, 50, 11, 51"
    unjudged(admin, f"UPDATE core.authority SET jurisdiction = ST_Multi(ST_MakeEnvelope({atlantic}, 4326))")
    assert "Neutral demonstration rules" in page(client, "/rules")
    unjudged(admin, f"UPDATE core.authority SET jurisdiction = ST_Multi(ST_MakeEnvelope({elsewhere}, 4326))")
    answer = client.get("/rules", headers=HTML)
    assert answer.status_code == 409
    assert "GD-02.1" in answer.text


def test_times__without_an_authority__are_told_in_utc(clone, empty_template, tmp_path, clock):
    services = Services(Settings(data_dir=tmp_path), clone(empty_template), clock)
    assert str(services.zone) == "UTC"
    services.close()


def test_language__chosen_in_the_address__is_kept(reader):
    page(reader, "/privacy", "zh")
    assert 'lang="zh-CN"' in reader.get("/list", headers=HTML).text
    page(reader, "/privacy", "en")
    assert 'lang="en"' in reader.get("/list", headers=HTML).text


@pytest.mark.parametrize(
    ("accept", "lang"), [("zh-CN,zh;q=0.9", "zh-CN"), ("de", "en"), ("en;q=0.1, zh;q=0.9", "zh-CN"), ("*", "en")]
)
def test_language__not_chosen__is_the_browsers(reader, accept, lang):
    assert f'lang="{lang}"' in reader.get("/list", headers={**HTML, "Accept-Language": accept}).text


def test_layers__share_words__and_name_no_other(reader):
    for layer in LAYERS.values():
        assert set(layer.columns) <= set(WORDS)


# What anyone may read, of all texts that the house holds (requirements.md 5.2 and 5.3). Whatever else a page,
# a tile or a download says is a leak; whoever adds to this list has a reason.
PUBLIC_TEXTS = {
    *("authority.name_en", "authority.name_zh", "authority.contact_address", "authority.contact_channel"),
    *("device.name", "device.purpose_en", "device.purpose_zh", "device_site.place_text", "signage.text"),
    *("drone.registration_no", "siting_plan.approval_no", "publication.receipt_id"),
    *("supervision_item.name_en", "supervision_item.name_zh"),
    *("legal_basis.title_en", "legal_basis.title_zh", "legal_basis.article"),
    *("patrol_area.name_en", "patrol_area.name_zh", "patrol_area.purpose_en", "patrol_area.purpose_zh"),
    *("deployment_point.name_en", "deployment_point.name_zh", "deployment_point.purpose_en"),
    *("deployment_point.purpose_zh", "deployment_point.place_text"),
    *("patrol_route.name_en", "patrol_route.name_zh", "privacy_zone.name_en", "privacy_zone.name_zh"),
}
SECRET_ZONE = """
    INSERT INTO core.privacy_zone (id, public_id, zone_version, kind, sensitive, name_en, name_zh, source, buffer_m,
        valid_from, geom, exact_geom, origin)
    SELECT gen_random_uuid(), 'PZ-HIDDEN', zone_version, kind, true, 'SECRET-ZONE', 'SECRET-ZONE', 'SECRET-SOURCE',
        buffer_m, valid_from, geom, geom, origin FROM core.privacy_zone WHERE public_id = 'PZ-Z1';
"""
SECRET_DEVICE = """
    INSERT INTO core.device_site (id, public_id, geom, place_text, place_type, indoor, origin) VALUES
        ('00000000-0000-0000-0000-0000000000aa', 'ST-SEC', ST_Point(113.2777, 23.1277, 4326), 'SECRET-PLACE',
         'open_air', false, 'live');
    INSERT INTO core.device SELECT (jsonb_populate_record(d, jsonb_build_object(
        'id', gen_random_uuid(), 'public_id', 'DV-SECRET', 'code', 'SECRET-CODE', 'secret', true,
        'secret_document', 'SECRET-DOCUMENT', 'secret_authority', 'SECRET-AUTHORITY', 'secret_level', 'SECRET-LEVEL',
        'secret_until', '2030-01-01', 'site_id', '00000000-0000-0000-0000-0000000000aa',
        'purpose_en', 'SECRET-PURPOSE'))).*
        FROM core.device d WHERE public_id = 'DV-DV1';
"""
# Codes by which the house finds and judges its rows; a secret has no place in them.
STEERING = [
    *("public_id", "origin", "state", "kind", "subject_kind", "channel"),
    *("device_type", "platform", "role", "field", "level", "sensor"),
]
BEARINGS = "UPDATE core.device SET sector_azimuth_deg = 77.123, range_m = 777.123, hfov_deg = 66.123"


def plant(admin):
    """Writes `C012(0,1)` into every text of every row that takes one; gives number -> table and column."""
    unjudged(admin, BEARINGS)
    columns = admin.execute(
        "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'core' "
        "AND data_type IN ('text', 'character varying', 'jsonb') AND table_name <> 'installation' "
        "AND column_name <> ALL (%s) ORDER BY 1, 2",
        (STEERING,),
    ).fetchall()
    planted = {}
    for number, (table, column, kind) in enumerate(columns):
        canary = f"'C{number:03}' || ctid"
        value = f"jsonb_build_array({canary})" if kind == "jsonb" else canary
        # What a constraint binds to a few words cannot carry a secret.
        with contextlib.suppress(psycopg.errors.IntegrityError):
            if admin.execute(f'UPDATE core."{table}" SET "{column}" = {value}').rowcount:
                planted[f"{number:03}"] = f"{table}.{column}"
    admin.execute(SECRET_DEVICE)
    admin.execute(SECRET_ZONE)
    return planted


def crawled(client):
    """Every public page, tile and download that can be reached without signing in, as (path, body)."""
    seen, waiting = (
        set(),
        ["/", "/?lon=113.2777&lat=23.1277", "/device/DV-SECRET", "/list?q=SECRET", "/account/sign-in"],
    )
    waiting += [f"/tiles/{layer}/{z}/{x}/{y}.mvt" for layer in STATEMENTS for z, x, y in ((0, 0, 0), (12, 3336, 1773))]
    waiting += [f"/list?layer={layer}&page={number}" for layer in LAYERS for number in (1, 2)]
    while waiting and len(seen) < 300:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        body = client.get(path, headers=HTML).data.decode("utf-8", "ignore")
        yield path, html.unescape(body)
        waiting += [html.unescape(link) for link in re.findall(r'href="(/(?!static)[^"#]*)"', body)]


def test_anonymous_crawl__every_byte__holds_no_text_but_the_public_ones(client, services, admin, tmp_path):
    make_findings(services, tmp_path)
    planted = plant(admin)
    assert {"person.name_en", "device.serial_no", "qualification.certificate_no", "detection.provenance"} <= {
        *planted.values()
    }
    found, pages, zone_shown = {}, 0, False
    for path, body in crawled(client):
        pages += 1
        for number in re.findall(r"C(\d{3})\(\d+,\d+\)", body):
            found.setdefault(planted[number], path)
        zone_shown |= "PZ-HIDDEN" in body
        assert not re.search(r"SECRET-|77\.123|66\.123", body), path
    assert pages > 40
    assert zone_shown
    assert {"deployment_point.place_text", "deployment_point.purpose_en"} <= {*found}
    assert {said: path for said, path in found.items() if said not in PUBLIC_TEXTS} == {}
