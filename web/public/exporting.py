"""The public layers as layers of a map that is one file, read through the public role."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from geo.geojson import parse_document, parse_geometry
from geo.notebook import MapLayer, Style, from_rows
from schemas.refusals import invalid, not_found
from web import words
from web.i18n import catalogue
from web.public.layers import LAYERS, PATROL_ROUTES
from web.words import N_

# The colours of web/frontend/styles/tokens.css, by layer; shapes differ as well, so that no reader needs the colours.
_STYLES: Mapping[str, Style] = {
    "privacy_zones": Style("#a33b00", fill_opacity=0.18, dash="6 4"),
    "patrol_areas": Style("#0072b2", fill_opacity=0.08),
    "patrol_routes": Style("#0b5f94", width_px=3.0, dash="2 6", fill_opacity=0.0),
    "deployment_points": Style("#6b4a9a", radius_px=5.0, fill_opacity=0.9),
    "devices": Style("#007a59", radius_px=6.0, fill_opacity=0.75),
}
_COVERED = Style("#e69f00", fill_opacity=0.3)
_ONE_ROUTE = Style("#d55e00", width_px=5.0, fill_opacity=0.0)
_GROUND = {
    "water": Style("#a8c5d8", "#cfe0ea", 0.8, 1.0, is_ground=True),
    "": Style("#c9cdc4", "#dfe3da", 0.5, 1.0, is_ground=True),
}
_COLUMNS = (N_("Name"), N_("Number"), N_("State"), N_("Authority"), N_("Since"))
# What lies under the rest first.
ORDER = ("patrol_areas", "privacy_zones", "patrol_routes", "deployment_points", "devices")
_TODAY = (
    "SELECT public_id, state, title_en, title_zh, authority_en, authority_zh, since, ST_AsGeoJSON(geom, 6) AS shape"
    " FROM {source} WHERE state <> 'retired' ORDER BY public_id"
)
_THEN = (
    "SELECT h.public_id, h.status AS state, h.title_en, h.title_zh, a.name_en AS authority_en,"
    " a.name_zh AS authority_zh, h.valid_from AS since, ST_AsGeoJSON(h.geom, 6) AS shape"
    " FROM public_map.history h LEFT JOIN public_map.authorities a ON a.public_id = h.authority_id"
    " WHERE h.layer = :layer AND h.valid_from <= :on AND (h.valid_to IS NULL OR h.valid_to > :on) ORDER BY 1"
)
_BASE = text(
    "SELECT CASE WHEN kind LIKE 'water%' OR kind IN ('river', 'lake') THEN 'water' ELSE '' END AS look,"
    " ST_AsGeoJSON(geom, 6) AS shape FROM public_map.base_features WHERE GeometryType(geom) <> 'POINT'"
)


def map_layers(
    public: Connection, names: Sequence[str] = (), *, on: date | None = None, route: str = "", lang: str = "en"
) -> list[MapLayer]:
    """The ground, the public layers named (all without names), as they were on a day, and one route on top of them."""
    unknown = [name for name in names if name not in ORDER]
    if unknown:
        raise invalid("layer.unknown", "map.layer", measured=unknown[0], required=", ".join(ORDER))
    chosen = [name for name in ORDER if not names or name in names]
    made = [*_ground(public), *(_layer(public, name, on, lang) for name in chosen)]
    return [*made, _one_route(public, route, on, lang)] if route else made


def coverage_layer(path: Path) -> MapLayer:
    """A coverage result: a GeoJSON file of areas in EPSG:4326; raises RuleViolation for anything else."""
    document = parse_document(path.read_bytes())
    features = document.get("features") if document.get("type") == "FeatureCollection" else [document]
    if not isinstance(features, list) or not all(isinstance(one, dict) for one in features):
        raise invalid("geometry.type", "map.shapes", measured=path.name)
    shapes = [parse_geometry(one.get("geometry", one), allow={"Polygon", "MultiPolygon"}) for one in features]
    if not shapes:
        raise invalid("geometry.type", "map.shapes", measured=path.name)
    rows = [{"shape": json.dumps(shape.__geo_interface__)} for shape in shapes]
    return MapLayer(_both(N_("Seen by cameras")), from_rows(rows, ()), _COVERED)


def _ground(public: Connection) -> list[MapLayer]:
    rows = [dict(row) for row in public.execute(_BASE).mappings()]
    looks = {row["look"] for row in rows}
    return [
        MapLayer(_both(N_("Ground")), from_rows([row for row in rows if row["look"] == look], ()), _GROUND[look])
        for look in sorted(looks)
    ]


def _layer(public: Connection, name: str, on: date | None, lang: str) -> MapLayer:
    return MapLayer(words.in_both(words.LAYERS, name), _features(public, name, on, lang), _STYLES[name])


def _one_route(public: Connection, public_id: str, on: date | None, lang: str) -> MapLayer:
    features = _features(public, PATROL_ROUTES.name, on, lang)
    number = _column("Number", lang)
    found = features[features[number] == public_id]
    if not len(found):
        raise not_found("record.unknown", "web.object_unknown", measured=public_id[:40])
    return MapLayer({"en": public_id, "zh": public_id}, found, _ONE_ROUTE)


def _features(public: Connection, name: str, on: date | None, lang: str) -> Any:  # noqa: ANN401
    statement = _TODAY.format(source=LAYERS[name].select) if on is None else _THEN
    values = {} if on is None else {"layer": name, "on": on}
    rows = [_row(dict(row), lang) for row in public.execute(text(statement), values).mappings()]
    columns = [_column(key, lang) for key in _COLUMNS]
    return from_rows(rows, columns)


def _row(row: Mapping[str, Any], lang: str) -> dict[str, Any]:
    state = words.in_both(words.STATES, row["state"])[lang]
    since = row["since"]
    told = {
        "Name": row[f"title_{lang}"] or row["title_en"],
        "Number": row["public_id"],
        "State": state,
        "Authority": row[f"authority_{lang}"] or row["authority_en"],
        "Since": since.date() if hasattr(since, "date") else since,
    }
    return {_column(key, lang): value for key, value in told.items()} | {"shape": row["shape"]}


def _column(key: str, lang: str) -> str:
    return _both(key)[lang]


def _both(english: str) -> dict[str, str]:
    return {lang: catalogue(lang).gettext(english) for lang in ("en", "zh")}
