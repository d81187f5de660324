"""OGC API Features: each conformance class that is declared, and nothing beyond (OGC 17-069r4, 18-058r1, 19-079r2)."""

import logging
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from jsonschema import Draft201909Validator
from sqlalchemy import text

from tests.web.conftest import HTML
from web.opendata.files import FORMATS
from web.opendata.layers import OPEN_LAYERS
from web.opendata.ogc_terms import CONFORMANCE, CRS84, EPSG_3857, EPSG_4326, MOST_ITEMS

DV1 = [113.26, 23.13]


def get(client, path, status=200, **headers):
    answer = client.get(f"/ogc{path}", headers=headers)
    assert answer.status_code == status, answer.text
    return answer


def found(client, query, layer="devices"):
    return {
        feature["id"] for feature in get(client, f"/collections/{layer}/items{query}").get_json(force=True)["features"]
    }


@pytest.mark.parametrize("path", ["", "/"])
def test_core__landing__leads_to_definition_conformance_and_data(reader, path):
    body = get(reader, path).get_json()
    links = {link["rel"]: link["href"] for link in body["links"]}
    for rel in ("service-desc", "conformance", "data"):
        assert reader.get(links[rel].removeprefix("http://localhost")).status_code == 200
    assert not [link for link in body["links"] if "process" in link["href"] or "job" in link["href"]]


def test_core__conformance__declares_what_is_tested_here(reader):
    assert get(reader, "/conformance").get_json() == {"conformsTo": list(CONFORMANCE)}


def test_core__collections__are_the_open_layers_with_their_files(reader):
    body = get(reader, "/collections").get_json()
    assert [collection["id"] for collection in body["collections"]] == list(OPEN_LAYERS)
    for collection in body["collections"]:
        assert collection["title"]
        assert collection["description"]
        west, south, east, north = collection["extent"]["spatial"]["bbox"][0]
        assert west <= 113.25 < 113.3 <= east
        assert south <= 23.12 < 23.14 <= north
        for link in collection["links"]:
            assert link["type"] != "application/ld+json"
            if link["rel"] != "enclosure":
                assert reader.get(link["href"].removeprefix("http://localhost")).status_code in (200, 303)
        files = [link["href"] for link in collection["links"] if link["rel"] == "enclosure"]
        assert files == [f"http://localhost/data/{collection['id']}.{kind}" for kind in FORMATS]
        assert get(reader, f"/collections/{collection['id']}").get_json() == collection


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_core__titles__are_in_the_language_of_the_reader(reader, lang):
    titles = [c["title"] for c in get(reader, f"/collections?lang={lang}").get_json()["collections"]]
    assert ("监控设备" in titles) == (lang == "zh")


@pytest.mark.parametrize("layer", list(OPEN_LAYERS))
def test_geojson__items__are_the_records_of_the_view(reader, shared_app, layer):
    answer = get(reader, f"/collections/{layer}/items")
    body = answer.get_json(force=True)
    with shared_app.extensions["services"].public() as public:
        ids = public.execute(text(f"SELECT public_id FROM public_map.open_{layer} ORDER BY public_id")).scalars().all()
    assert answer.mimetype == "application/geo+json"
    assert body["type"] == "FeatureCollection"
    assert [feature["id"] for feature in body["features"]] == ids
    assert (body["numberMatched"], body["numberReturned"]) == (len(ids), len(ids))
    assert body["timeStamp"].endswith("Z")
    for feature in body["features"]:
        assert list(feature["properties"]) == list(OPEN_LAYERS[layer].columns)
        one = get(reader, f"/collections/{layer}/items/{feature['id']}").get_json(force=True)
        assert {name: one[name] for name in feature} == feature


def test_core__limit_and_offset__walk_through_all_records_once(reader):
    seen, path, pages = [], "/collections/devices/items?limit=1", 0
    while path:
        body = get(reader, path).get_json(force=True)
        assert body["numberReturned"] == len(body["features"]) == 1
        seen += [feature["id"] for feature in body["features"]]
        following = [link["href"] for link in body["links"] if link["rel"] == "next"]
        path = following[0].removeprefix("http://localhost/ogc") if following else None
        pages += 1
    assert (sorted(seen), pages) == (["DV-DR1", "DV-DV1"], 2)


def test_core__limit_beyond_the_most__is_the_most(reader):
    assert (
        get(reader, f"/collections/devices/items?limit={MOST_ITEMS * 1000}").get_json(force=True)["numberReturned"] == 2
    )


@pytest.mark.parametrize(
    ("box", "there"),
    [
        ("113.259,23.129,113.261,23.131", True),
        ("113.259000000000003,23.1290000000000013,113.260999999999996,23.1310000000000002", True),
        ("0.0000999999999999999987,1e-05,113.261,23.131", True),
        ("113.259,23.129,0,113.261,23.131,500", True),
        ("113.27,23.14,113.28,23.15", False),
        ("-180,-90,180,90", True),
        ("113.2,23,-170,24", True),
        ("170,23,113.2,24", False),
    ],
)
def test_core__bbox__finds_what_lies_in_it(reader, box, there):
    assert ("DV-DV1" in found(reader, f"?bbox={box}")) == there


@pytest.mark.parametrize(
    ("query", "there"),
    [
        ("datetime=2025-06-01", True),
        ("datetime=2025-06-01T10:00:00Z", True),
        ("datetime=2025-05-01/2025-06-01", True),
        ("datetime=2025-06-01/..", True),
        ("datetime=2025-06-01/", True),
        ("datetime=../2025-06-01T00:00:00Z", True),
        ("datetime=/2025-05-31", False),
        ("datetime=2025-06-02/..", False),
        ("datetime=../..", True),
    ],
)
def test_core__datetime__finds_what_was_published_then(reader, query, there):
    assert ("DV-DV1" in found(reader, f"?{query}")) == there


def test_core__datetime_of_a_zone__is_that_of_its_beginning(reader):
    zone = get(reader, "/collections/privacy_zones/items").get_json(force=True)["features"][0]
    begun = datetime.fromisoformat(zone["properties"]["valid_from"]).astimezone(UTC)
    day, later = begun.date().isoformat(), (begun + timedelta(seconds=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    for asked, there in ((day, True), (f"{day}/..", True), (f"{later}/..", False), (f"../{later}", True)):
        assert bool(found(reader, f"?datetime={asked}", "privacy_zones")) == there


def test_core__datetime_of_a_layer_without_time__means_all(reader):
    assert found(reader, "?datetime=1999-01-01", "authorities")


@pytest.mark.parametrize(
    ("crs", "first"),
    [(CRS84, DV1), (EPSG_4326, DV1[::-1]), (EPSG_3857, [12_608_045.53, 2_647_747.53])],
)
def test_crs__asked_for__is_given_and_named(reader, crs, first):
    for path in (
        f"/collections/devices/items?public_id=DV-DV1&crs={crs}",
        f"/collections/devices/items/DV-DV1?crs={crs}",
    ):
        answer = get(reader, path)
        body = answer.get_json(force=True)
        geometry = (body["features"][0] if "features" in body else body)["geometry"]
        assert answer.headers["Content-Crs"] == f"<{crs}>"
        assert geometry["coordinates"] == pytest.approx(first, rel=1e-5)


def test_crs__of_a_collection__are_listed_with_the_one_in_store(reader):
    body = get(reader, "/collections/devices").get_json()
    assert body["crs"] == [CRS84, EPSG_4326, EPSG_3857]
    assert body["storageCrs"] == CRS84


@pytest.mark.parametrize(
    ("crs", "box"),
    [(EPSG_4326, "23.129,113.259,23.131,113.261"), (EPSG_3857, "12607900,2647700,12608200,2648100")],
)
def test_crs__of_a_box__is_understood(reader, crs, box):
    assert found(reader, f"?bbox={box}&bbox-crs={crs}") == {"DV-DV1"}


@pytest.mark.parametrize("layer", list(OPEN_LAYERS))
@pytest.mark.parametrize("kind", ["queryables", "schema"])
def test_queryables__describe_each_column(reader, layer, kind):
    answer = get(reader, f"/collections/{layer}/{kind}")
    body = answer.get_json(force=True)
    assert answer.mimetype == "application/schema+json"
    assert set(body["properties"]) == {*OPEN_LAYERS[layer].columns, "geometry"}
    Draft201909Validator.check_schema(body)
    for name in OPEN_LAYERS[layer].columns:
        assert body["properties"][name]["description"]


@pytest.mark.parametrize("layer", list(OPEN_LAYERS))
def test_queryables_query_parameters__each_column__finds_the_record_by_its_value(reader, layer):
    for feature in get(reader, f"/collections/{layer}/items").get_json(force=True)["features"]:
        for name, value in feature["properties"].items():
            if value is None:
                continue
            said = str(value).lower() if isinstance(value, bool) else str(value)
            answer = reader.get(f"/ogc/collections/{layer}/items", query_string={name: said})
            assert answer.status_code == 200, (name, said)
            assert feature["id"] in {f["id"] for f in answer.get_json(force=True)["features"]}, (name, said)


def test_queryables_query_parameters__another_value__finds_nothing(reader):
    assert found(reader, "?status=discontinued") == set()
    assert found(reader, "?is_measuring_instrument=false&device_type=video&published_on=2025-06-01") >= {"DV-DV1"}
    assert found(reader, "?is_measuring_instrument=true") == set()


def test_records__held_already__304_and_a_language_apart(reader):
    path = "/collections/devices/items"
    first = get(reader, path)
    again = get(reader, path, 304, **{"If-None-Match": first.headers["ETag"]})
    assert again.data == b""
    assert get(reader, f"{path}?lang=zh").headers["ETag"] != first.headers["ETag"]
    assert get(reader, f"{path}?limit=1").headers["ETag"] != first.headers["ETag"]


@pytest.mark.parametrize(
    ("path", "page"),
    [
        ("", "/data"),
        ("/conformance", "/data#standards"),
        ("/openapi", "/data#standards"),
        ("/collections", "/data"),
        ("/collections/devices", "/data#devices"),
        ("/collections/devices/schema", "/data#columns-devices"),
        ("/collections/devices/queryables", "/data#columns-devices"),
        ("/collections/devices/items", "/list?layer=devices"),
        ("/collections/devices/items/DV-DV1", "/device/DV-DV1"),
        ("/collections/patrol_areas/items/X", "/area/X"),
        ("/collections/flight_log/items", "/flights"),
        ("/collections/authorities/items/X", "/rules"),
    ],
)
def test_html__leads_to_our_pages(reader, path, page):
    assert get(reader, f"{path}?f=html", 303).headers["Location"] == page
    if path != "/openapi":
        assert get(reader, path, 303, **HTML).headers["Location"] == page


@pytest.mark.parametrize(
    "accept",
    ["*/*", "application/json", "application/geo+json, application/json;q=0.9", "text/html;q=0.5, application/json"],
)
def test_json__is_what_programs_get(reader, accept):
    assert get(reader, "/collections/devices/items", Accept=accept).mimetype == "application/geo+json"
    assert get(reader, "/collections/devices/items?f=json", **HTML).mimetype == "application/geo+json"


def test_logging__is_left_as_it_was(app):
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    app.test_client().get("/ogc/collections")
    assert (root.level, root.handlers) == before


def test_web__before_the_first_request__has_loaded_none_of_the_large_libraries():
    large = ("pygeoapi", "pygeofilter", "limits", "schemathesis")
    code = f"import sys, web.app; print([name for name in {large} if name in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
