"""Whole layers as files, and the page that leads to them: GeoJSON, CSV, GeoPackage, GeoParquet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from flask import Response, render_template, request
from sqlalchemy import text

from schemas.limits import limit
from schemas.refusals import not_found
from web.identity.request_identity import services
from web.opendata import files
from web.opendata.layers import COLUMNS, OPEN_LAYERS, open_layer
from web.page import sample_data
from web.permissions import Audience, Permission, Section
from web.public.database import public_connection

section = Section("data", __name__, Audience.PUBLIC)
MEDIA_TYPES: Mapping[str, str] = {
    "geojson": "application/geo+json",
    "csv": "text/csv; charset=utf-8",
    "gpkg": "application/geopackage+sqlite3",
    "parquet": "application/vnd.apache.parquet",
}
NAMES: Mapping[str, str] = {"geojson": "GeoJSON", "csv": "CSV", "gpkg": "GeoPackage", "parquet": "GeoParquet"}
PIECE_BYTES = 256 << 10
NOTICE = {
    "en": "Sample data: Qinghe District and everything in it is fictional.",
    "zh": "示例数据：清河区及其中一切均为虚构。",
}


@section.page("/data", GET=Permission.BROWSE)
def data() -> str:
    """Which files and addresses there are, and what every column means."""
    with public_connection() as public:
        counted = {
            name: int(public.execute(text(f"SELECT count(*) FROM public_map.{layer.view}")).scalar_one())
            for name, layer in OPEN_LAYERS.items()
        }
    return render_template(
        "public/data.html",
        layers=OPEN_LAYERS.values(),
        counted=counted,
        columns=COLUMNS,
        formats=files.FORMATS,
        names=NAMES,
        root=request.url_root.rstrip("/"),
        most=limit("rate.data"),
    )


@section.page("/data/<name>.<kind>", rate="data", GET=Permission.BROWSE)
def layer_file(name: str, kind: str) -> Response:
    """One whole layer; parts of it by `Range`, nothing when the reader holds it already."""
    layer = open_layer(name)
    if kind not in files.FORMATS:
        raise not_found(
            "layer.unknown", "web.layer_unknown", measured=f"{name}.{kind}"[:40], required=_file_names(name)
        )
    made = files.current(services(), layer, kind, NOTICE if sample_data() else None)
    found = made.stat()
    response = Response(_pieces(made), content_type=MEDIA_TYPES[kind])
    response.content_length = found.st_size
    response.set_etag(f"{made.stem}-{found.st_mtime_ns:x}")
    response.last_modified = datetime.fromtimestamp(found.st_mtime_ns // 1_000_000_000, UTC)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{kind}"'
    # The words of a record change when nothing in its address does: whoever keeps a file asks again.
    response.headers["Cache-Control"] = "public, no-cache"
    return response.make_conditional(request, accept_ranges=True, complete_length=found.st_size)  # type: ignore[return-value]


def _pieces(path: Path) -> Iterator[bytes]:
    """The file piece by piece; opened when the first is wanted, so that who wants none leaves nothing open."""
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece


def _file_names(name: str) -> str:
    return ", ".join(f"{name}.{kind}" for kind in files.FORMATS)
