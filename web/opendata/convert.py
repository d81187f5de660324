"""The other formats of a layer, made from its GeoJSON: `python -m web.opendata.convert FORMAT LAYER SOURCE TARGET`.

A process of its own, because what writes these formats is large, is written in C, and is needed once for a file.
It takes some thousand records at a time, so that a long layer needs no more memory than a short one.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from web.opendata.layers import COLUMNS, OpenLayer, Type, open_layer

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK = 5_000
# What a spreadsheet takes for a formula when a cell begins with it.
FORMULAS = ("=", "+", "-", "@", "\t", "\r", "\n")
Feature = dict[str, Any]
Head = dict[str, Any]


def main(arguments: list[str]) -> None:
    """Makes the file; an error ends the process with a status other than 0."""
    name, layer, source, target = arguments
    WRITERS[name](open_layer(layer), Path(source), Path(target))


def read(source: Path) -> tuple[Head, Iterator[Feature]]:
    """What stands before the records of a file of `web.opendata.features`, and the records one by one."""
    handle = source.open(encoding="utf-8")
    head: Head = json.loads(handle.readline().rstrip().removesuffix('"features": [').rstrip().rstrip(",") + "}")

    def features() -> Iterator[Feature]:
        with handle:
            for line in handle:
                if line.startswith("]"):
                    return
                yield json.loads(line.lstrip(","))

    return head, features()


def write_csv(layer: OpenLayer, source: Path, target: Path) -> None:
    """One line a record (RFC 4180, UTF-8): its columns, a point of it as longitude and latitude, its shape as WKT."""
    import shapely

    head, features = read(source)
    notice = head.get("notice")
    shape = () if layer.is_points else ("wkt",)
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*layer.columns, "longitude", "latitude", *shape, *(("notice",) if notice else ())])
        for feature in features:
            geometry = feature["geometry"] and shapely.from_geojson(json.dumps(feature["geometry"]))
            point = shapely.point_on_surface(geometry) if geometry else None
            cells = [_cell(value) for value in _values(layer, feature)]
            cells += [repr(point.x), repr(point.y)] if point else ["", ""]
            cells += [shapely.to_wkt(geometry, rounding_precision=7) if geometry else ""] if shape else []
            writer.writerow([*cells, notice["en"]] if notice else cells)


def _cell(value: str | float | bool | None) -> str:
    """A cell that no spreadsheet takes for a formula."""
    if isinstance(value, str) and value.startswith(FORMULAS):
        return f"'{value}"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def write_geopackage(layer: OpenLayer, source: Path, target: Path) -> None:
    """A GeoPackage with one table, named as the layer."""
    import pyarrow as pa
    import pyogrio

    head, features = read(source)
    schema = _schema(layer)
    reader = pa.RecordBatchReader.from_batches(schema, (batch for batch, _ in _batches(layer, schema, features)))
    pyogrio.write_arrow(
        reader,
        target,
        layer=layer.name,
        driver="GPKG",
        geometry_name="geometry",
        geometry_type=layer.shape,
        crs="EPSG:4326",
        layer_metadata=_said(head),
        layer_options={"FID": "fid", "GEOMETRY_NAME": "geom", "IDENTIFIER": layer.title, "DESCRIPTION": layer.about},
    )


def write_parquet(layer: OpenLayer, source: Path, target: Path) -> None:
    """GeoParquet 1.1: geometries as WKB in longitude and latitude, which is what the format takes for granted."""
    import numpy as np
    from pyarrow import parquet

    head, features = read(source)
    schema = _schema(layer).with_metadata(_said(head))
    low, high = np.full(2, np.inf), np.full(2, -np.inf)
    kinds: set[str] = set()
    with parquet.ParquetWriter(target, schema, compression="zstd") as writer:
        for batch, shapes in _batches(layer, schema, features):
            bounds = _bounds(shapes)
            low, high = np.fmin(low, bounds[:2]), np.fmax(high, bounds[2:])
            kinds |= {shape.geom_type for shape in shapes if shape is not None}
            writer.write_batch(batch)
        column = {"encoding": "WKB", "geometry_types": sorted(kinds), "orientation": "counterclockwise"}
        if np.isfinite(low).all():
            column["bbox"] = [*low.tolist(), *high.tolist()]
        geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": column}}
        writer.add_key_value_metadata({"geo": json.dumps(geo)})


def _bounds(shapes: list[Any]) -> Any:  # noqa: ANN401
    import shapely

    return shapely.total_bounds(shapes)


def _said(head: Head) -> dict[str, str]:
    notice: Mapping[str, str] = head.get("notice") or {}
    return {"notice" if lang == "en" else f"notice_{lang}": text for lang, text in notice.items()}


def _values(layer: OpenLayer, feature: Feature) -> list[Any]:
    return [feature["properties"][name] for name in layer.columns]


def _schema(layer: OpenLayer) -> pa.Schema:
    import pyarrow as pa

    kinds = {
        Type.TEXT: pa.string(),
        Type.DATE: pa.date32(),
        Type.INSTANT: pa.timestamp("ms", tz="UTC"),
        Type.BOOLEAN: pa.bool_(),
        Type.INTEGER: pa.int32(),
        Type.NUMBER: pa.float64(),
    }
    fields = [pa.field(name, kinds[COLUMNS[name].type]) for name in layer.columns]
    return pa.schema([*fields, pa.field("geometry", pa.binary(), metadata={"ARROW:extension:name": "geoarrow.wkb"})])


def _batches(
    layer: OpenLayer, schema: pa.Schema, features: Iterator[Feature]
) -> Iterator[tuple[pa.RecordBatch, list[Any]]]:
    """The records in batches, each with its shapes."""
    import pyarrow as pa
    import shapely

    while chunk := [feature for _, feature in zip(range(CHUNK), features, strict=False)]:
        shapes = [shapely.from_geojson(json.dumps(f["geometry"])) if f["geometry"] else None for f in chunk]
        columns = list(zip(*(_values(layer, feature) for feature in chunk), strict=True))
        arrays = [
            pa.array([_typed(COLUMNS[name].type, value) for value in column], field.type)
            for name, column, field in zip(layer.columns, columns, schema, strict=False)
        ]
        arrays.append(pa.array(shapely.to_wkb(shapes).tolist(), pa.binary()))
        yield pa.RecordBatch.from_arrays(arrays, schema=schema), shapes


def _typed(kind: Type, value: Any) -> Any:  # noqa: ANN401
    if value is not None and kind is Type.DATE:
        return date.fromisoformat(value)
    if value is not None and kind is Type.INSTANT:
        return datetime.fromisoformat(value).astimezone(UTC)
    return value


WRITERS: Mapping[str, Callable[[OpenLayer, Path, Path], None]] = {
    "csv": write_csv,
    "gpkg": write_geopackage,
    "parquet": write_parquet,
}

if __name__ == "__main__":
    main(sys.argv[1:])
