"""What is thrown at open data: every refusal is told, none is a failure of ours (reliability.md 5, rows 1-3, 75-78)."""

import pytest

from tests.web.conftest import shared_app  # noqa: F401 - the application that these tests read

ITEMS = "/ogc/collections/devices/items"


@pytest.fixture
def reader(shared_app):  # noqa: F811
    return shared_app.test_client()


WRONG = [
    "limit=0",
    "limit=-1",
    "limit=1e3",
    "limit=",
    "limit=١",
    "limit=99999999999999999999999",
    "limit=1&limit=2",
    "offset=-1",
    "offset=99999999999999999999",
    "offset=1000001",
    "offset=0x10",
    "bbox=",
    "bbox=1,2,3",
    "bbox=1,2,3,4,5",
    "bbox=NaN,0,1,1",
    "bbox=0,0,Infinity,1",
    "bbox=0,0,1e999,1",
    "bbox=0,0,1,91",
    "bbox=-181,0,1,1",
    "bbox=0,2,1,1",
    "bbox=a,b,c,d",
    "bbox=0,0,1,1&bbox-crs=nothing",
    "bbox-crs=http://www.opengis.net/def/crs/EPSG/0/3857",
    "bbox=1,0,0,1&bbox-crs=http://www.opengis.net/def/crs/EPSG/0/3857",
    "crs=http://169.254.169.254/latest",
    "crs=file:///etc/passwd",
    "crs=EPSG:4490",
    "datetime=abc",
    "datetime=",
    "datetime=..",
    "datetime=2025-06-01/2025-05-01",
    "datetime=2025-02-30",
    "datetime=0000-00-00",
    "datetime=2025-06-01/2025-06-02/2025-06-03",
    "datetime=2025-06-01T25:00:00Z",
    "datetime=9999-12-31T23:59:59-23:59",
    "datetime=٢٠٢٥-06-01",
    "activated_on=abc",
    "activated_on=2025-06-31",
    "is_measuring_instrument=yes",
    "is_measuring_instrument=1",
    "filter=public_id='DV-DV1'",
    "filter-lang=cql2-text",
    "filter=nosuch='x'",
    "q=camera",
    "sortby=name",
    "sortby=name;drop",
    "properties=geom",
    "resulttype=hits",
    "skipGeometry=true",
    "sector_azimuth_deg=77",
    "serial_no=1",
    "secret=true",
    "f=csv",
    "f=jsonld",
    "f=",
    "lang=xx",
    "lang=en-US;q=1",
    "purpose_en=" + "a" * 201,
    "public_id=DV-DV1&public_id=DV-DR1",
    "__class__=x",
    "%3Cscript%3E=1",
]


@pytest.mark.parametrize("query", WRONG)
def test_query__that_means_nothing__400_that_names_it(reader, query):
    answer = reader.get(f"{ITEMS}?{query}")
    assert answer.status_code == 400, answer.text
    assert answer.mimetype == "application/problem+json"
    assert [refusal["rule"] for refusal in answer.get_json(force=True)["refusals"]] == ["query.unknown"]


@pytest.mark.parametrize(
    "value",
    [
        "' OR 1=1 --",
        '"; DROP TABLE core.device; --',
        "%",
        "_",
        "\\",
        "${jndi:x}",
        "{{7*7}}",
        "\u202e",
        "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"),
        "=1+1",
    ],
)
@pytest.mark.parametrize("column", ["public_id", "purpose_en", "contact_channel"])
def test_query__value_that_would_be_code_elsewhere__is_only_a_value(reader, column, value):
    answer = reader.get(ITEMS, query_string={column: value})
    assert answer.status_code == 200
    assert answer.get_json(force=True)["features"] == []


@pytest.mark.parametrize(
    "path", ["%00", "a" * 65, "a" * 3000, "' OR 1=1 --", "..", "%2e%2e", "DV-DV1%00", "DV-NOTHING", "😀"]
)
def test_item__that_is_none__404(reader, path):
    answer = reader.get(f"{ITEMS}/{path}")
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"


@pytest.mark.parametrize(
    "name", ["person", "open_devices", "core.device", "devices;drop", "__proto__", "Devices", "%00"]
)
@pytest.mark.parametrize("rest", ["", "/items", "/schema", "/queryables", "/items/DV-DV1"])
def test_collection__that_is_none__404(reader, name, rest):
    assert reader.get(f"/ogc/collections/{name}{rest}").status_code == 404


@pytest.mark.parametrize(
    "path",
    ["/ogc/processes", "/ogc/jobs", "/ogc/stac", "/ogc/TileMatrixSets", "/ogc/admin/config", "/ogc/static/x.css"],
)
def test_pygeoapi__its_other_routes__are_not_there(reader, path):
    assert reader.get(path).status_code == 404


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
@pytest.mark.parametrize("path", ["/ogc", ITEMS, f"{ITEMS}/DV-DV1", "/data/devices.csv", "/openapi.json"])
def test_writing__anywhere_in_open_data__405(reader, method, path):
    assert getattr(reader, method)(path, json={"type": "Feature"}).status_code == 405


@pytest.mark.parametrize("header", ["Accept", "Accept-Language", "If-None-Match", "If-Modified-Since", "Range"])
@pytest.mark.parametrize("value", ["", "*", "a" * 4000, "\x7f", 'W/"', "bytes=9999999999999-", "bytes=-1,-1", "fr;q=x"])
@pytest.mark.parametrize("path", [ITEMS, "/data/authorities.geojson", "/tiles/devices.json"])
def test_header__of_any_kind__is_no_failure(reader, path, header, value):
    answer = reader.get(path, headers={header: value})
    assert answer.status_code in (200, 206, 303, 304, 416), answer.text


def test_body_of_a_read__is_not_looked_at(reader):
    answer = reader.get(ITEMS, data=b'{"op": "=", "args": [1, 1]}', content_type="application/query-cql-json")
    assert answer.status_code == 200
