"""The public pages: complete, in both languages, and nothing that the law does not show (promise P11)."""

import html
import json
import re
from datetime import timedelta

import pytest

from tests.web.conftest import HTML
from web.public.layers import LAYERS, WORDS

LANGUAGES = ["en", "zh"]


def page(client, path, lang="en"):
    answer = client.get(f"{path}{'&' if '?' in path else '?'}lang={lang}", headers=HTML)
    assert answer.status_code == 200, answer.text
    return html.unescape(answer.text)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(
    "path", ["/", "/list", "/list?layer=privacy_zones", "/rules", "/privacy", "/data", "/account/sign-in"]
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
    assert "fictional" in body["notice"]
    for feature in body["features"]:
        lon, lat = _first(feature["geometry"]["coordinates"])
        assert 113 < lon < 114
        assert 23 < lat < 24


def _first(coordinates):
    return coordinates if isinstance(coordinates[0], float) else _first(coordinates[0])


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


CANARIES = {
    "core.device": ("serial_no", "CANARY-SERIAL"),
    "core.person": ("name_en", "CANARY-PERSON"),
    "core.qualification": ("certificate_no", "CANARY-CERT"),
    "core.patrol_route": ("mission", '{"canary": "CANARY-MISSION"}'),
}


def test_anonymous_crawl__every_byte__holds_no_canary(client, admin):
    for table, (column, value) in CANARIES.items():
        admin.execute(f"UPDATE {table} SET {column} = %s", (value,))
    admin.execute("UPDATE core.device SET sector_azimuth_deg = 77.123, range_m = 777.123, hfov_deg = 66.123")
    admin.execute(
        "INSERT INTO core.device_site (id, public_id, geom, place_text, place_type, indoor, origin) "
        "VALUES ('00000000-0000-0000-0000-0000000000aa', 'ST-SEC', ST_Point(113.2777, 23.1277, 4326), "
        "'CANARY-PLACE', 'open_air', false, 'live')"
    )
    admin.execute(
        "INSERT INTO core.device SELECT (jsonb_populate_record(d, jsonb_build_object("
        "'id', gen_random_uuid(), 'public_id', 'DV-CANARY', "
        "'secret', true, 'secret_document', 'CANARY-DOCUMENT', 'site_id', '00000000-0000-0000-0000-0000000000aa', "
        "'purpose_en', 'CANARY-PURPOSE'))).* FROM core.device d WHERE public_id = 'DV-DV1'"
    )
    seen, waiting = (
        set(),
        ["/", "/?lon=113.2777&lat=23.1277", "/device/DV-CANARY", "/list?q=CANARY", "/account/sign-in"],
    )
    while waiting:
        path = waiting.pop()
        if path in seen or len(seen) > 300:
            continue
        seen.add(path)
        body = client.get(path, headers=HTML).data
        for canary in (
            b"-SERIAL",
            b"-PERSON",
            b"-CERT",
            b"-MISSION",
            b"-DOCUMENT",
            b"-PLACE",
            b"-PURPOSE",
            b"77.123",
            b"66.123",
        ):
            assert b"CANARY" + canary not in body, path
            assert canary not in body or canary.startswith(b"-"), path
        waiting += [
            html.unescape(link) for link in re.findall(r'href="(/(?!static)[^"#]*)"', body.decode("utf-8", "ignore"))
        ]
        waiting += [f"/tiles/{layer}/12/3336/1773.mvt" for layer in LAYERS]
    assert len(seen) > 20
