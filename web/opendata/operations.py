"""What programs may ask, as data: each operation with its address, its parameters and its answers.

`web.opendata.openapi` makes both documents from this table, and a test compares it with the routes that there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from web.opendata.layers import COLUMNS, OPEN_LAYERS, OpenLayer
from web.opendata.ogc_terms import DEFAULT_ITEMS, LAST_OFFSET, MOST_ITEMS, REACH, json_type
from web.public.tile_sql import MAX_ZOOM, TILE_LAYERS

Schema = Mapping[str, Any]
GEOJSON, JSON, OPENAPI = "application/geo+json", "application/json", "application/vnd.oai.openapi+json"
JSON_SCHEMA = "application/schema+json"
ANY: Schema = {}


@dataclass(frozen=True)
class Parameter:
    """One parameter, in the path or in the query."""

    name: str
    about: str
    schema: Schema
    place: str = "query"
    style: Mapping[str, Any] = field(default_factory=dict)

    def said(self) -> dict[str, Any]:
        """The parameter as OpenAPI says it."""
        needed = {"required": True} if self.place == "path" else {}
        return {"name": self.name, "in": self.place, "description": self.about, "schema": dict(self.schema)} | {
            **needed,
            **self.style,
        }


@dataclass(frozen=True)
class Operation:
    """One thing that may be asked with GET: its path, the route behind it, and what comes back, by media type."""

    path: str
    rule: str
    name: str
    about: str
    answers: Mapping[str, Schema]
    parameters: tuple[Parameter, ...] = ()
    refusals: tuple[int, ...] = (404, 429)
    tag: str = "Open data"
    others: tuple[int, ...] = ()


def ref(name: str) -> dict[str, str]:
    """A schema of the document by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def _in_path(name: str, about: str, schema: Schema) -> Parameter:
    return Parameter(name, about, schema, "path")


_TEXT: Schema = {"type": "string"}
_BYTES: Schema = {"type": "string", "contentMediaType": "application/octet-stream"}
# As on every page: a language that is not known is no reason to answer nothing.
_LANG = Parameter("lang", "The language of titles and reasons: en or zh; any other is passed over.", _TEXT)
_FORM = Parameter("f", "json, or html for the way to the page.", {"type": "string", "enum": ["json", "html"]})
_DAY = Parameter("on", "A past day, to see what was there then.", {"type": "string", "format": "date"})
_ID: Schema = {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[A-Za-z0-9_-]+$"}
_RECORD_ID = _in_path("public_id", "The public number of the record.", _ID)
_LAYER = _in_path("layer", "An open layer.", {"type": "string", "enum": list(OPEN_LAYERS)})
_TILE_LAYER = _in_path("layer", "A layer of tiles.", {"type": "string", "enum": list(TILE_LAYERS)})
_BRANCH = _in_path("branch", "What kind of record.", {"type": "string", "enum": ["device", "area", "point", "route"]})
_CRS: Schema = {"type": "string", "format": "uri", "enum": list(REACH)}
_BOX: Schema = {
    "type": "array",
    "items": {"type": "number"},
    "minItems": 4,
    "maxItems": 6,
}
_PAGING = (
    Parameter(
        "limit",
        f"How many records; {MOST_ITEMS} at most.",
        {"type": "integer", "minimum": 1, "maximum": MOST_ITEMS, "default": DEFAULT_ITEMS},
    ),
    Parameter(
        "offset",
        "How many records to pass over.",
        {"type": "integer", "minimum": 0, "maximum": LAST_OFFSET, "default": 0},
    ),
    Parameter(
        "bbox",
        "West, south, east, north; by longitude and latitude where bbox-crs says nothing else. Heights mean nothing.",
        _BOX,
        style={"style": "form", "explode": False},
    ),
    Parameter("bbox-crs", "The reference system of the box.", _CRS),
    Parameter("crs", "The reference system of the answer.", _CRS),
    Parameter("datetime", "A day, an instant, or two of them with a slash between; .. is open.", _TEXT),
)


def _zxy() -> tuple[Parameter, ...]:
    return tuple(
        _in_path(name, about, {"type": "integer", "minimum": 0, "maximum": most})
        for name, about, most in (
            ("z", "The zoom.", MAX_ZOOM),
            ("x", "The column, from the west.", 2**MAX_ZOOM - 1),
            ("y", "The row, from the north.", 2**MAX_ZOOM - 1),
        )
    )


def _items(layer: OpenLayer) -> Operation:
    """The records of one layer, which may be asked for by each of their columns."""
    columns = tuple(
        Parameter(name, COLUMNS[name].meaning, json_type(COLUMNS[name].type) | _no_longer(name))
        for name in layer.columns
    )
    return Operation(
        f"/collections/{layer.name}/items",
        "/ogc/collections/<name>/items",
        f"items_{layer.name}",
        layer.about,
        {GEOJSON: ref("FeatureCollection")},
        (_FORM, _LANG, *_PAGING, *columns),
        (400, 429),
        "OGC API Features",
        (303, 304),
    )


def _no_longer(name: str) -> dict[str, int]:
    return {"maxLength": 200} if json_type(COLUMNS[name].type) == {"type": "string"} else {}


def _ogc(path: str, name: str, about: str, answer: Schema, *parameters: Parameter, kind: str = JSON) -> Operation:
    rule = f"/ogc{path}"
    for said, meant in (
        ("{layer}", "<name>"),
        ("{columns}", "<any(queryables, schema):kind>"),
        ("{p", "<p"),
        ("id}", "id>"),
    ):
        rule = rule.replace(said, meant)
    refusals = (400, 404, 429) if "{" in path else (400, 429)
    return Operation(
        path, rule, name, about, {kind: answer}, (_FORM, _LANG, *parameters), refusals, "OGC API Features", (303, 304)
    )


_COLUMNS = _in_path(
    "columns", "What may be asked by, or what a record holds.", {"type": "string", "enum": ["queryables", "schema"]}
)
OGC: tuple[Operation, ...] = (
    _ogc("", "landing", "Where everything is.", ref("Landing")),
    _ogc("/", "landing_slash", "The same.", ref("Landing")),
    _ogc("/conformance", "conformance", "Which parts of the standard hold here.", ref("Conformance")),
    _ogc("/openapi", "ogc_openapi", "This service as OpenAPI 3.0.", {"type": "object"}, kind=f"{OPENAPI};version=3.0"),
    _ogc("/collections", "collections", "All layers.", ref("Collections")),
    _ogc("/collections/{layer}", "collection", "One layer.", ref("Collection"), _LAYER),
    _ogc(
        "/collections/{layer}/{columns}", "columns", "Columns.", {"type": "object"}, _LAYER, _COLUMNS, kind=JSON_SCHEMA
    ),
    *(_items(layer) for layer in OPEN_LAYERS.values()),
    _ogc(
        "/collections/{layer}/items/{public_id}",
        "item",
        "One record.",
        ref("Feature"),
        *(_LAYER, _RECORD_ID, _PAGING[4]),
        kind=GEOJSON,
    ),
)
REST: tuple[Operation, ...] = (
    Operation(
        "/data/{layer}.{kind}",
        "/data/<name>.<kind>",
        "layer_file",
        "A whole layer as a file.",
        {
            GEOJSON: ref("FeatureCollection"),
            "text/csv": _TEXT,
            "application/geopackage+sqlite3": _BYTES,
            "application/vnd.apache.parquet": _BYTES,
        },
        (
            _LAYER,
            _in_path("kind", "The format.", {"type": "string", "enum": ["geojson", "csv", "gpkg", "parquet"]}),
        ),
        (404, 416, 429),
        others=(206, 304),
    ),
    Operation(
        "/tiles/{layer}.json",
        "/tiles/<layer>.json",
        "tilejson",
        "A layer of vector tiles as TileJSON 3.0.",
        {JSON: ref("TileJSON")},
        (_TILE_LAYER, _LANG),
        tag="Tiles",
        others=(304,),
    ),
    Operation(
        "/tiles/{layer}/{z}/{x}/{y}.mvt",
        "/tiles/<layer>/<z>/<x>/<y>.mvt",
        "tile",
        "One vector tile; an empty one where nothing lies.",
        {"application/vnd.mapbox-vector-tile": _BYTES},
        (_TILE_LAYER, *_zxy(), _DAY, Parameter("authority", "Clusters of one authority alone.", _ID)),
        (404, 429),
        "Tiles",
        (304,),
    ),
    Operation(
        "/openapi.json",
        "/openapi.json",
        "openapi",
        "This document.",
        {JSON: {"type": "object", "required": ["openapi", "paths"]}},
        refusals=(429,),
        others=(304,),
    ),
    Operation(
        "/feeds/changes.atom",
        "/feeds/changes.atom",
        "changes",
        "What changed, the newest first: everywhere, or in one place.",
        {"application/atom+xml": _TEXT},
        (
            Parameter("circle", "Longitude, latitude and radius in metres: 113.27,23.13,500.", _TEXT),
            Parameter("polygon", "Corners, longitude before latitude: 113.25,23.12;113.29,23.12;113.29,23.14.", _TEXT),
            Parameter("bbox", "West, south, east, north.", _TEXT),
            Parameter("authority", "Of one authority alone.", _ID),
            Parameter("kind", "Of one kind alone.", _TEXT),
            Parameter(
                "before",
                "Changes older than the one of that number.",
                {"type": "integer", "minimum": 1, "maximum": 2**53},
            ),
            _LANG,
        ),
        (429,),
        "Changes",
        (304,),
    ),
    Operation(
        "/{branch}/{public_id}/proof.json",
        "/<any(device, area, point, route):branch>/<public_id>/proof.json",
        "proof",
        "The proof that a record was published.",
        {JSON: {"type": "object"}},
        (_BRANCH, _RECORD_ID),
        tag="Proofs",
        others=(304,),
    ),
    Operation(
        "/ledger/checkpoint",
        "/ledger/checkpoint",
        "checkpoint",
        "The latest checkpoint of the ledger, as a signed note.",
        {"text/plain": _TEXT},
        tag="Proofs",
        others=(304,),
    ),
    Operation(
        "/ledger/seals.jsonl",
        "/ledger/seals.jsonl",
        "seals",
        "The chain of seals, one a line.",
        {"application/x-ndjson": _TEXT},
        tuple(
            Parameter(name, about, {"type": "integer", "minimum": 1, "maximum": 2**62})
            for name, about in (("from", "The first seal."), ("to", "The last seal."))
        ),
        (429,),
        "Proofs",
        (304,),
    ),
    Operation(
        "/ledger/verify_proof.py",
        "/ledger/verify_proof.py",
        "verifier",
        "The verifier of proofs, which needs Python and nothing else.",
        {"text/x-python": _TEXT},
        refusals=(429,),
        tag="Proofs",
        others=(304,),
    ),
)
