"""Open data: the public layers as GeoJSON files, from the same records as map and list."""

from __future__ import annotations

from typing import Any

from flask import Response, json, render_template, request
from sqlalchemy import Connection, text

from schemas.refusals import not_found
from web import words
from web.page import sample_data
from web.permissions import Audience, Permission, Section
from web.public import records
from web.public.database import public_connection
from web.public.layers import LAYERS
from web.public.records import Record

section = Section("data", __name__, Audience.PUBLIC)
NOTICE = {
    "en": "Sample data: Qinghe District and everything in it is fictional.",
    "zh": "示例数据：清河区及其中一切均为虚构。",
}


@section.page("/data", GET=Permission.BROWSE)
def data() -> str:
    """Which files there are."""
    with public_connection() as public:
        counted = [(name, _count(public, name)) for name in LAYERS]
    return render_template("public/data.html", layers=counted)


@section.page("/data/<name>.geojson", GET=Permission.BROWSE)
def layer_file(name: str) -> Response:
    """One layer as GeoJSON (EPSG:4326)."""
    if name not in LAYERS:
        raise not_found("layer.unknown", "web.layer_unknown", measured=name[:40], required=", ".join(LAYERS))
    with public_connection() as public:
        features = [feature(record) for record in records.every(public, LAYERS[name])]
    body: dict[str, Any] = {"type": "FeatureCollection", "name": name, "features": features}
    if sample_data():
        body["notice"] = NOTICE
    response = Response(json.dumps(body, ensure_ascii=False), mimetype="application/geo+json")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.geojson"'
    response.headers["Cache-Control"] = "public, no-cache"
    # From the bytes themselves: words and dates in them change when no record does.
    response.add_etag()
    return response.make_conditional(request)  # type: ignore[return-value]


def feature(record: Record) -> dict[str, Any]:
    """A record as a GeoJSON feature."""
    dates = {name: getattr(record, name) for name in ("published_on", "earliest", "since", "until")}
    return {
        "type": "Feature",
        "id": record.public_id,
        "geometry": record.shape,
        "properties": {
            "kind": record.kind,
            "state": record.state,
            "state_words": words.in_both(words.STATES, record.state),
            "title": record.title,
            "authority": record.authority,
            "contact": record.contact,
            "purpose": record.purpose,
            "item": record.item,
            "legal_basis": record.basis,
            "height": record.height or None,
            **{name: value.isoformat() if value else None for name, value in dates.items()},
            "asserted_by_import_on": record.asserted_on.isoformat() if record.asserted_on else None,
        },
    }


def _count(public: Connection, name: str) -> int:
    return int(public.execute(text(f"SELECT count(*) FROM public_map.{name}")).scalar_one())
