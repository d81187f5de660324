"""A whole layer as GeoJSON (RFC 7946), streamed from the database: one record a line, and no more memory for more."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import BinaryIO

from psycopg import Connection, sql

from web.opendata.layers import OpenLayer

# Of a degree: a centimetre.
DECIMALS = 7
# The public role's five seconds are for pages; a file is made once for all its readers.
SLOWEST_FILE_S = 300
# Records from one snapshot, each as it stands in the file. JSON has no control characters, so nothing is ever quoted
# and the server writes each value as it is.
_COPY = """
COPY (
    SELECT '{{"type":"Feature","id":' || to_json(r.public_id)
        || ',"geometry":' || coalesce(ST_AsGeoJSON({shape}, {decimals}), 'null')
        || ',"properties":' || row_to_json((SELECT p FROM (SELECT {columns}) AS p)) || '}}'
    FROM public_map.{view} AS r ORDER BY r.public_id
) TO STDOUT (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')
"""


def write_features(
    connection: Connection[object], layer: OpenLayer, file: BinaryIO, notice: Mapping[str, str] | None
) -> int:
    """Writes the layer into `file` and gives the number of its records; `notice` is said before them."""
    head = {"type": "FeatureCollection", "name": layer.name} | ({"notice": notice} if notice else {})
    file.write(json.dumps(head, ensure_ascii=False)[:-1].encode() + b', "features": [\n')
    written = 0
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(sql.SQL("SET LOCAL statement_timeout = {}").format(sql.Literal(f"{SLOWEST_FILE_S}s")))
        with cursor.copy(_statement(layer)) as copied:
            # Each piece is one row with the end of its line.
            for row in copied:
                if written:
                    file.write(b",")
                file.write(row)
                written += 1
    file.write(b"]}\n")
    return written


def _statement(layer: OpenLayer) -> sql.Composed:
    columns = sql.SQL(", ").join(sql.Identifier("r", name) for name in layer.columns)
    # Of RFC 7946 the rings alone are turned: ST_ForcePolygonCCW turns lines round too, and a route would run backwards.
    shape = sql.SQL("ST_ForcePolygonCCW(r.geom)" if layer.shape.endswith("Polygon") else "r.geom")
    return sql.SQL(_COPY).format(
        columns=columns, view=sql.Identifier(layer.view), shape=shape, decimals=sql.Literal(DECIMALS)
    )
