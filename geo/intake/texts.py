"""Touches the disk: GeoJSON and CSV, read strictly by the house itself."""

from __future__ import annotations

import csv
import dataclasses
import itertools
import json
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from shapely.geometry import Point
from shapely.geometry.base import BaseGeometry

from geo.geojson import json_kind, parse_document, parse_geometry, refuse_foreign_crs
from geo.intake.columns import match, position
from geo.intake.coordinates import placement, refuse_offset
from geo.intake.table import Row, Table, Value, plain
from geo.intake.vector import known_encoding
from schemas.limits import LIMITS, limit
from schemas.refusals import RuleViolation, invalid, too_large

_LONGEST_HEADER = 300
_LONGEST_LINE = 1 << 20
_MOST_COLUMNS = 1_000


def read_json(path: Path) -> dict[str, Any]:
    """The JSON document in a file, read strictly."""
    most = dataclasses.replace(LIMITS["json.bytes"], value=limit("layer.json_bytes"))
    return parse_document(path.read_bytes(), limits={**LIMITS, "json.bytes": most})


def read_geojson(path: Path, allow: Collection[str], crs: str | None) -> Table:
    """As `geojson_table`, from a file."""
    return geojson_table(read_json(path), path.name, allow, crs)


def geojson_table(document: dict[str, Any], name: str, allow: Collection[str], crs: str | None) -> Table:
    """A FeatureCollection, or one Feature or geometry alone (RFC 7946, 3), which is a layer of one row.

    Each feature's geometry is parsed strictly; a fault refuses its row alone. An old `crs` member may name another
    geographic system; a projected one is refused, because GeoJSON has longitude and latitude.
    """
    features = _features(document)
    if len(features) > limit("layer.rows"):
        raise too_large("layer.rows", measured=len(features), required=limit("layer.rows"))
    declared = _declared(document.get("crs"))
    if not placement(declared, crs).is_geographic:
        raise invalid("geometry.crs", "layer.geojson_projected", measured=crs or declared)
    rows = [_feature(index, feature, allow) for index, feature in enumerate(features)]
    columns = tuple(dict.fromkeys(column for row in rows for column in row.values))
    return Table("GeoJSON", columns, rows, declared, "utf-8", (name, *columns))


def _features(document: dict[str, Any]) -> list[Any]:
    if document.get("type") == "Feature" and isinstance(document.get("geometry"), dict):
        return [document]
    if "coordinates" in document or document.get("type") == "GeometryCollection":
        return [{"type": "Feature", "properties": {}, "geometry": document}]
    features = document.get("features")
    if document.get("type") != "FeatureCollection" or not isinstance(features, list):
        raise invalid("layer.format", "layer.not_a_collection")
    return features


def _declared(member: Any) -> str:  # noqa: ANN401
    """The system that a `crs` member names; without one it is WGS 84 (RFC 7946, 4)."""
    if member is None:
        return "CRS84"
    properties = member.get("properties") if isinstance(member, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    if not isinstance(name, str):
        raise invalid("geometry.crs", "layer.crs_unknown", measured=json_kind(member))
    if name.upper().endswith("CRS84"):
        return "CRS84"
    prefix = "urn:ogc:def:crs:EPSG:"
    return f"EPSG:{name.rpartition(':')[2]}" if name.upper().startswith(prefix.upper()) else name


def _feature(index: int, feature: Any, allow: Collection[str]) -> Row:  # noqa: ANN401
    path = f"features[{index}]"
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        refused = invalid("geometry.format", path=path, measured=json_kind(feature))
        return Row(index + 1, {}, None, refused.refusals)
    properties = feature.get("properties")
    values = {key: _cell(value) for key, value in properties.items()} if isinstance(properties, dict) else {}
    try:
        refuse_foreign_crs(feature)
        geom = parse_geometry(feature.get("geometry"), allow=allow, path=f"{path}.geometry")
    except RuleViolation as error:
        return Row(index + 1, values, None, error.refusals)
    return Row(index + 1, values, geom)


def _cell(value: Any) -> Value:  # noqa: ANN401
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else plain(value)


def read_csv(path: Path, encoding: str | None, crs: str | None) -> Table:
    """Points from a table with a column of longitudes and one of latitudes.

    Text is UTF-8 unless an encoding is given. A table cannot say which system its numbers are in, so it must
    be named, and it must be one of longitude and latitude: in surveyors' tables X may be the northing.
    """
    used = known_encoding(encoding) if encoding else "utf-8"
    header, cells = _records(path, used)
    if not placement(None, crs).is_geographic:
        raise invalid("geometry.crs", "layer.csv_projected", measured=crs)
    refuse_offset((path.name, *header))
    places = match(header, ("lon", "lat", "wkt"))
    if "lon" not in places or "lat" not in places:
        rule = "layer.csv_wkt" if "wkt" in places else "layer.csv_columns"
        raise invalid("geometry.format", rule, measured=", ".join(header)[:_LONGEST_HEADER])
    rows = list(_points(header, cells, places))
    return Table("CSV", header, rows, None, used, (path.name, *header))


def _records(path: Path, encoding: str) -> tuple[tuple[str, ...], list[list[str]]]:
    """The names of the columns and the records below them; no more is read than may be taken."""
    most = limit("layer.rows")
    if encoding == "gb18030" and _is_utf8(path):
        raise invalid("layer.encoding", "layer.encoding_utf8", measured=encoding)
    try:
        with path.open(encoding="utf-8-sig" if encoding == "utf-8" else encoding, newline="") as file:
            first = file.readline(_LONGEST_LINE)
            file.seek(0)
            reader = csv.reader(file, delimiter=max(",;\t", key=first.count), strict=True)
            records = list(itertools.islice(reader, most + 2))
    except UnicodeError as error:
        raise invalid("layer.encoding", "layer.encoding_wrong", measured=encoding) from error
    except csv.Error as error:
        raise invalid("layer.format", "layer.corrupt") from error
    if not records or not any(name.strip() for name in records[0]):
        raise invalid("layer.format", "layer.no_header")
    # Sheets have columns that somebody emptied: they are called by where they stand.
    header = tuple(name.strip() or f"#{number}" for number, name in enumerate(records[0], start=1))
    if len(header) > _MOST_COLUMNS:
        raise too_large("layer.columns", measured=len(header), required=_MOST_COLUMNS)
    if len(set(header)) != len(header):
        raise invalid("layer.format", "layer.header_twice")
    if len(records) - 1 > most:
        raise too_large("layer.rows", measured=f"> {most}", required=most)
    return header, records[1:]


def _is_utf8(path: Path) -> bool:
    """Whether a file is UTF-8 beyond ASCII; read as a Chinese code page that is nonsense, and often no error."""
    data = path.read_bytes()
    if data.isascii():
        return False
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _points(header: tuple[str, ...], cells: list[list[str]], places: dict[str, str]) -> Iterator[Row]:
    for number, record in enumerate(cells, start=1):
        if not any(cell.strip() for cell in record):
            continue  # a blank line between records
        values = {name: cell.strip() or None for name, cell in zip(header, record, strict=False)}
        if len(record) != len(header):
            refused = invalid("layer.field", "layer.cells", measured=len(record), required=len(header))
            yield Row(number, values, None, refused.refusals)
            continue
        try:
            yield Row(number, values, _point(position(values, places), f"#{number}"))
        except RuleViolation as error:
            yield Row(number, values, None, error.refusals)


def _point(coordinates: list[float], path: str) -> BaseGeometry:
    """A point of longitude and latitude; one that lies on Earth has nothing about it that could be refused."""
    lon, lat = coordinates
    if -180 <= lon <= 180 and -90 <= lat <= 90:
        return Point(lon, lat)
    return parse_geometry({"type": "Point", "coordinates": coordinates}, allow={"Point"}, path=path)
