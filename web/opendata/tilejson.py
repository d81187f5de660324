"""TileJSON 3.0: what a map of another maker needs to draw our vector tiles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Response, json, request

from schemas.refusals import not_found
from web import words
from web.i18n import current_language, gettext
from web.opendata import stamps
from web.opendata.bounds import bounds
from web.page import sample_data
from web.permissions import Audience, Permission, Section
from web.public.database import public_connection
from web.public.layers import LAYERS
from web.public.sequence import conditional
from web.public.tile_sql import TILE_LAYERS, TileLayer

section = Section("tilejson", __name__, Audience.PUBLIC)
_THEME = {
    "public_id": "String",
    "kind": "String",
    "state": "String",
    "authority": "String",
    "title_en": "String",
    "title_zh": "String",
}
# The attributes of a feature; those of a theme where a layer has none of its own.
FIELDS: Mapping[str, Mapping[str, str]] = {
    "devices": _THEME | {"more": "Number"},
    # Beside these, a number for each kind and look that a cell holds, such as video_on.
    "clusters": _THEME | {"n": "Number"},
    "authorities": {
        **dict.fromkeys(("public_id", "level", "title_en", "title_zh", "last_on"), "String"),
        "published": "Boolean",
    },
    "coverage": {"cell": "String", "at_least": "Number"},
    "basemap": {
        **dict.fromkeys(("public_id", "kind", "name_en", "name_zh"), "String"),
        "rank": "Number",
    },
}


@section.page("/tiles/<layer>.json", rate="data", GET=Permission.BROWSE)
def tilejson(layer: str) -> Response:
    """The document of one layer of tiles."""
    if layer not in TILE_LAYERS:
        raise not_found("layer.unknown", "web.layer_unknown", measured=layer[:40], required=", ".join(TILE_LAYERS))
    with public_connection() as public:
        stamp, box = stamps.current(public), bounds(public)
    response = Response(json.dumps(_document(TILE_LAYERS[layer], box), ensure_ascii=False), mimetype="application/json")
    response.vary.update(("Accept-Language", "Cookie"))
    return conditional(response, stamp.tag(request.url, current_language()), stamp.at, fresh_s=0)


def _document(layer: TileLayer, box: tuple[float, ...]) -> dict[str, Any]:
    title = words.layer(layer.name) if layer.name in LAYERS else layer.name.capitalize()
    return {
        "tilejson": "3.0.0",
        "name": title,
        "attribution": gettext("Sample data: fictional.") if sample_data() else "Skywarden",
        "scheme": "xyz",
        "tiles": [f"{request.url_root}tiles/{layer.name}/{{z}}/{{x}}/{{y}}.mvt"],
        "minzoom": layer.first,
        "maxzoom": layer.last,
        "bounds": list(box),
        "vector_layers": [
            {
                "id": layer.name,
                "fields": dict(FIELDS.get(layer.name, _THEME)),
                "minzoom": layer.first,
                "maxzoom": layer.last,
            }
        ],
    }
