"""The public pages: complete, in both languages, and nothing that the law does not show (promise P11)."""

import html
import json
import re
from datetime import timedelta

import pytest

from tests.web.canaries import unjudged
from tests.web.conftest import HTML
from web.public.layers import LAYERS, WORDS
from web.settings import Settings
from web.wiring import Services

LANGUAGES = ["en", "zh"]


def page(client, path, lang="en"):
    answer = client.get(f"{path}{'&' if '?' in path else '?'}lang={lang}", headers=HTML)
    assert answer.status_code == 200, answer.text
    return html.unescape(answer.text)


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


def _first(coordinates):
    return coordinates if isinstance(coordinates[0], float) else _first(coordinates[0])


def test_times__are_told_in_the_zone_of_the_rule_pack(client, admin, services):
    unjudged(admin, "DELETE FROM core.public_span WHERE kind = 'privacy_zone'")
    unjudged(admin, "UPDATE core.privacy_zone SET valid_from = '2025-05-01T20:00Z'")
    assert "2025-05-02" in page(client, "/zone/PZ-Z1")
    assert services.today.isoformat() == "2025-07-02"


def test_times__of_a_district_under_another_pack__are_told_in_its_zone(client, admin, services):
    unjudged(
        admin, "UPDATE core.authority SET jurisdiction = ST_Multi(ST_MakeEnvelope(-39.8, 40.2, -39.2, 40.8, 4326))"
    )
    unjudged(admin, "DELETE FROM core.public_span WHERE kind = 'privacy_zone'")
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


def test_list__names_that_end_with_numbers__in_the_order_of_the_numbers_and_what_is_over_last(client, admin):
    devices = [row[0] for row in admin.execute("SELECT public_id FROM public_map.device_points ORDER BY 1")]
    named = dict(zip(devices, ["Gate 10", "Gate 9", "Gate"] + [f"Yard {n}" for n in range(97, 120)], strict=False))
    for public_id, name in named.items():
        admin.execute("UPDATE core.device SET name = %s WHERE public_id = %s", (name, public_id))
    over = {row[0] for row in admin.execute("SELECT public_id FROM public_map.device_points WHERE state = 'retired'")}
    listed = re.findall(r'href="/device/([^"?]+)"', page(client, "/list"))
    wanted = sorted(devices, key=lambda one: (one in over, named[one].split()[0], int((named[one] + " 0").split()[1])))
    assert list(dict.fromkeys(listed)) == wanted
