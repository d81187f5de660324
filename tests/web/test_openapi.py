"""The documents for programs say what there is: each public read, its parameters, and answers as they are."""

import json
import re

import pytest
from jsonschema import Draft202012Validator

from tests.web.conftest import HTML
from tests.web.mvt import decode
from tests.web.test_tiles import tile_address
from web.opendata.cors import is_public_read
from web.opendata.layers import OPEN_LAYERS
from web.opendata.openapi import older
from web.opendata.operations import OGC, REST
from web.opendata.tilejson import FIELDS
from web.permissions import Audience
from web.public.tile_sql import TILE_LAYERS

HERE = "http://localhost"


@pytest.fixture
def document(reader):
    return reader.get("/openapi.json").get_json()


def test_openapi__operations__are_the_public_reads_and_no_others(app):
    rules = {rule for (rule, _), needs in app.needs.items() if needs.audience is Audience.PUBLIC}
    assert {op.rule for op in (*OGC, *REST)} == {rule for rule in rules if is_public_read(rule)}


def test_openapi__parameters_in_paths__are_those_of_the_paths(document):
    for path, item in document["paths"].items():
        named = {p["name"] for p in item["get"]["parameters"] if p["in"] == "path"}
        assert named == {part.split("}")[0] for part in path.split("{")[1:]}, path


def test_openapi__layers_formats_and_columns__are_those_that_there_are(document):
    for layer in OPEN_LAYERS.values():
        said = document["paths"][f"/ogc/collections/{layer.name}/items"]["get"]["parameters"]
        assert set(layer.columns) <= {p["name"] for p in said}
    for path in ("/tiles/{layer}.json", "/tiles/{layer}/{z}/{x}/{y}.mvt"):
        assert document["paths"][path]["get"]["parameters"][0]["schema"]["enum"] == list(TILE_LAYERS)


def test_openapi__operation_ids__are_unique(document):
    names = [item["get"]["operationId"] for item in document["paths"].values()]
    assert len(set(names)) == len(names)


def test_openapi__held_already__304(reader):
    for path in ("/openapi.json", "/ogc/openapi"):
        tag = reader.get(path).headers["ETag"]
        assert reader.get(path, headers={"If-None-Match": tag}).status_code == 304


def test_oas30__document_of_the_service__is_of_version_3_0_and_has_no_word_of_3_1(reader):
    answer = reader.get("/ogc/openapi")
    assert answer.headers["Content-Type"] == "application/vnd.oai.openapi+json;version=3.0"
    body = answer.get_json(force=True)
    assert body["openapi"] == "3.0.3"
    assert body["servers"] == [{"url": f"{HERE}/ogc"}]
    text = json.dumps(body)
    for word in ('"const"', '"contentMediaType"', '["object"'):
        assert word not in text
    for path in ("/", "/conformance", "/collections", "/collections/{layer}", "/collections/devices/items"):
        assert path in body["paths"]


def test_older__several_types_and_constants__are_said_as_3_0_says_them():
    assert older({"type": ["object", "null"]}) == {"type": "object", "nullable": True}
    assert older({"type": ["string", "number", "null"]}) == {"nullable": True}
    assert older({"items": [{"const": 1}]}) == {"items": [{"enum": [1]}]}


ANSWERS = [
    ("/ogc", "/ogc"),
    ("/ogc/conformance", "/ogc/conformance"),
    ("/ogc/collections", "/ogc/collections"),
    ("/ogc/collections/devices", "/ogc/collections/{layer}"),
    ("/ogc/collections/flight_log/items", "/ogc/collections/flight_log/items"),
    ("/ogc/collections/patrol_areas/items", "/ogc/collections/patrol_areas/items"),
    ("/ogc/collections/devices/items/DV-DV1", "/ogc/collections/{layer}/items/{public_id}"),
    ("/data/privacy_zones.geojson", "/data/{layer}.{kind}"),
    ("/tiles/devices.json", "/tiles/{layer}.json"),
    ("/ogc/collections/nothing", "/ogc/collections/{layer}"),
    ("/ogc/collections/devices/items?bbox=1", "/ogc/collections/devices/items"),
    ("/tiles/devices/99/0/0.mvt", "/tiles/{layer}/{z}/{x}/{y}.mvt"),
    ("/data/devices.shp", "/data/{layer}.{kind}"),
]


@pytest.mark.parametrize(("path", "template"), ANSWERS)
def test_openapi__answers__are_as_the_document_says(reader, document, path, template):
    answer = reader.get(path)
    said = document["paths"][template]["get"]["responses"][str(answer.status_code)]
    schema = said["content"][answer.mimetype]["schema"]
    Draft202012Validator({**schema, "components": document["components"]}).validate(answer.get_json(force=True))


@pytest.mark.parametrize("layer", list(TILE_LAYERS))
def test_tilejson__leads_to_tiles_with_these_attributes(reader, layer):
    body = reader.get(f"/tiles/{layer}.json").get_json()
    assert body["tilejson"] == "3.0.0"
    west, south, east, north = body["bounds"]
    assert west < 113.27 < east
    assert south < 23.13 < north
    zoom = min(body["maxzoom"], 15)
    z, x, y = tile_address(113.26, 23.13, zoom)
    address = body["tiles"][0].format(z=z, x=x, y=y)
    assert address.startswith(f"{HERE}/tiles/{layer}/")
    found = decode(reader.get(address.removeprefix(HERE)).data)
    [said] = body["vector_layers"]
    assert said["id"] == layer
    for properties in found.get(layer, []):
        counts = {name for name in properties if layer == "clusters" and isinstance(properties[name], int)}
        assert set(properties) - counts <= set(said["fields"])
    beyond = {**body, "maxzoom": body["maxzoom"] + 1}["maxzoom"]
    assert reader.get(body["tiles"][0].format(z=beyond, x=0, y=0).removeprefix(HERE)).status_code == 422


def test_tilejson__unknown_layer__404(reader):
    assert reader.get("/tiles/person.json").status_code == 404
    assert set(FIELDS) <= set(TILE_LAYERS)


def test_tilejson__held_already__304(reader):
    tag = reader.get("/tiles/devices.json").headers["ETag"]
    assert reader.get("/tiles/devices.json", headers={"If-None-Match": tag}).status_code == 304


def test_front_page__in_its_head__leads_programs_to_what_there_is(reader):
    links = re.findall(r'<([^>]+)>; rel="([^"]+)"; type="([^"]+)"', reader.get("/", headers=HTML).headers["Link"])
    assert {rel for _, rel, _ in links} == {"service-desc", "service", "service-doc", "alternate"}
    for path, _, kind in links:
        answer = reader.get(path, headers={"Accept": kind})
        assert (answer.status_code, answer.mimetype) == (200, kind)
