"""The words of OGC API Features: coordinate reference systems, conformance classes, and types in JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from web.opendata.layers import Type

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
EPSG_4326 = "http://www.opengis.net/def/crs/EPSG/0/4326"
EPSG_3857 = "http://www.opengis.net/def/crs/EPSG/0/3857"
# The farthest that a box may reach, east and north, in the units of each; the second names the latitude first.
REACH: Mapping[str, tuple[float, float]] = {
    CRS84: (180.0, 90.0),
    EPSG_4326: (90.0, 180.0),
    EPSG_3857: (20_037_508.35, 20_048_966.11),
}
# What is declared works, and tests/web/test_ogc.py has a test for each.
CONFORMANCE = (
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/oas30",
    "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
    "http://www.opengis.net/spec/ogcapi-features-2/1.0/conf/crs",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/queryables",
    "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/queryables-query-parameters",
)
DEFAULT_ITEMS, MOST_ITEMS, LAST_OFFSET = 100, 1_000, 1_000_000
_JSON_TYPES: Mapping[Type, Mapping[str, str]] = {
    Type.TEXT: {"type": "string"},
    Type.DATE: {"type": "string", "format": "date"},
    Type.INSTANT: {"type": "string", "format": "date-time"},
    Type.BOOLEAN: {"type": "boolean"},
    Type.INTEGER: {"type": "integer"},
    Type.NUMBER: {"type": "number"},
}


def json_type(kind: Type) -> dict[str, Any]:
    """A type of a column as JSON Schema says it."""
    return dict(_JSON_TYPES[kind])
