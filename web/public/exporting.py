"""The public layers as layers of a map that is one file, read through the public role."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from geo.geojson import parse_document, parse_geometry
from geo.notebook import Key, MapLayer, Style, from_rows
from schemas.refusals import invalid, not_found
from web import words
from web.i18n import catalogue
from web.public.layers import LAYERS, PATROL_ROUTES
from web.public.picture import MARKS
from web.public.symbols import OUTLINES
from web.words import N_

# As the map of the pages draws them (web/frontend/map/themes.js), in the colours of web/frontend/styles/tokens.css.
_STYLES: Mapping[str, Style] = {
    "privacy_zones": Style("var(--zone)", width_px=1.4, hatching="zone"),
    "patrol_areas": Style("var(--patrol)", width_px=1.6, fill_opacity=0.06, is_named=True),
    "patrol_routes": Style("var(--patrol)", width_px=2.4, fill_opacity=0.0, halo=1.8, is_directed=True, is_named=True),
    "deployment_points": Style(),
    "devices": Style(),
}
_COVERED = Style("var(--state-soon)", fill_opacity=0.3)
_ONE_ROUTE = Style("var(--state-stop)", width_px=5.0, fill_opacity=0.0, is_directed=True)


def _area(colour: str, edge: str = "", width_px: float = 0.0) -> Style:
    return Style(edge or colour, colour, 1.0, width_px, is_ground=True)


def _line(colour: str, width_px: float) -> Style:
    return Style(colour, None, 0.0, width_px, is_ground=True)


# What lies under the themes, the lowest first.
_GROUND = {
    "silent": Style("var(--map-silent)", width_px=0.0, hatching="silent", is_ground=True),
    "told": _area("var(--map-land)"),
    "green": _area("var(--map-green)"),
    "urban": _area("var(--map-urban)"),
    "water": _area("var(--map-water)", "var(--map-shore)", 0.8),
    "stream": _line("var(--map-water)", 2.0),
    "edge": _line("var(--map-road-edge)", 3.0),
    "road": _line("var(--map-road)", 1.8),
    "building": _area("var(--map-building)", "var(--map-building-edge)", 0.5),
}
_SILENT = N_(
    "Where nobody has published, an empty map does not mean that nothing watches: such ground is hatched in grey."
)
# What a point is whose kind has no outline of its own.
_KINDS = {"devices": "video", "deployment_points": "deployment_point"}
_COLUMNS = (N_("Name"), N_("Number"), N_("Kind"), N_("State"), N_("Authority"), N_("Since"))
# What lies under the rest first.
ORDER = ("patrol_areas", "privacy_zones", "patrol_routes", "deployment_points", "devices")
_TODAY = (
    "SELECT public_id, kind, state, title_en, title_zh, authority_en, authority_zh, since,"
    " ST_AsGeoJSON(geom, 6) AS shape FROM {source} WHERE state <> 'retired' ORDER BY public_id"
)
_THEN = (
    "SELECT h.public_id, h.kind, h.status AS state, h.title_en, h.title_zh, a.name_en AS authority_en,"
    " a.name_zh AS authority_zh, h.valid_from AS since, ST_AsGeoJSON(h.geom, 6) AS shape"
    " FROM public_map.history h LEFT JOIN public_map.authorities a ON a.public_id = h.authority_id"
    " WHERE h.layer = :layer AND h.valid_from <= :on AND (h.valid_to IS NULL OR h.valid_to > :on) ORDER BY 1"
)
# The kinds as the first picture of the map takes them (web/public/picture.py).
_BASE = text(
    "SELECT CASE WHEN kind = 'road' THEN 'road' WHEN kind IN ('water', 'stream', 'river', 'lake') THEN"
    " CASE ST_Dimension(geom) WHEN 2 THEN 'water' ELSE 'stream' END WHEN kind = 'building' THEN 'building'"
    " WHEN kind IN ('green', 'forest', 'farmland', 'park') THEN 'green' ELSE 'urban' END AS look,"
    " ST_AsGeoJSON(geom, 6) AS shape FROM public_map.base_features WHERE ST_Dimension(geom) > 0"
)
_TOLD = text(
    "SELECT CASE WHEN published THEN 'told' ELSE 'silent' END AS look, ST_AsGeoJSON(geom, 6) AS shape"
    " FROM public_map.authority_areas WHERE geom IS NOT NULL"
)


def map_layers(
    public: Connection, names: Sequence[str] = (), *, on: date | None = None, route: str = "", lang: str = "en"
) -> list[MapLayer]:
    """The ground, the public layers named (all without names), as they were on a day, and one route on top of them."""
    unknown = [name for name in names if name not in ORDER]
    if unknown:
        raise invalid("layer.unknown", "map.layer", measured=unknown[0], required=", ".join(ORDER))
    chosen = [name for name in ORDER if not names or name in names]
    made = [*_ground(public, on), *(_layer(public, name, on, lang) for name in chosen)]
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


def _ground(public: Connection, on: date | None) -> list[MapLayer]:
    """What lies below; of which ground nobody has told anything is known of today alone."""
    statements = (_BASE,) if on else (_TOLD, _BASE)
    rows = [dict(row) for statement in statements for row in public.execute(statement).mappings()]
    by_look = {look: [row for row in rows if row["look"] == look] for look in _GROUND}
    by_look["edge"] = by_look["road"]
    names = {"silent": _both(_SILENT)}
    ground = _both(N_("Ground"))
    return [
        MapLayer(names.get(look, ground), from_rows(shapes, ()), _GROUND[look])
        for look, shapes in by_look.items()
        if shapes
    ]


def _layer(public: Connection, name: str, on: date | None, lang: str) -> MapLayer:
    features = _features(public, name, on, lang)
    made = MapLayer(words.in_both(words.LAYERS, name), features, _STYLES[name], keys=_states(features))
    if name not in ("devices", "deployment_points"):
        return made
    kinds = [kind for kind in OUTLINES if kind in set(features["_kind"])]
    if name == "deployment_points":
        keys = [Key(_outline(kind), "sym-on", made.name, kind) for kind in kinds]
    else:
        keys = [Key(_outline(kind), "sym-on", words.in_both(words.DEVICE_TYPES, kind), kind) for kind in kinds]
    symbols = {pair: _symbol(*pair) for pair in set(zip(features["_kind"], features["_look"], strict=True))}
    return replace(made, symbols=symbols, keys=(*keys, *made.keys))


def _states(features: Any) -> tuple[Key, ...]:  # noqa: ANN401
    """The states that occur, told by the mark that a camera in that state has."""
    codes = set(features["_state"])
    return tuple(
        Key(
            _outline("video") + MARKS.get(words.look(code), ""),
            f"sym-{words.look(code)}",
            words.in_both(words.STATES, code),
        )
        for code in words.STATES
        if code in codes
    )


def _outline(kind: str) -> str:
    return f'<path d="{OUTLINES[kind]}"/>'


def _symbol(kind: str, look: str) -> str:
    outline = OUTLINES[kind]
    return f'<path class="halo" d="{outline}"/><path class="shape" d="{outline}"/>{MARKS.get(look, "")}'


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
    rows = [_row(dict(row), name, lang) for row in public.execute(text(statement), values).mappings()]
    told = [_column(key, lang) for key in _COLUMNS if key != "Kind" or name == "devices"]
    columns = [*told, "_kind", "_look", "_state"]
    return from_rows(rows, columns)


def _row(row: Mapping[str, Any], layer: str, lang: str) -> dict[str, Any]:
    state = words.in_both(words.STATES, row["state"])[lang]
    since = row["since"]
    kind = row["kind"] if row["kind"] in OUTLINES else _KINDS.get(layer, "")
    told = {
        "Name": row[f"title_{lang}"] or row["title_en"],
        "Number": row["public_id"],
        "Kind": words.in_both(words.DEVICE_TYPES, kind)[lang] if layer == "devices" else "",
        "State": state,
        "Authority": row[f"authority_{lang}"] or row["authority_en"],
        "Since": since.date() if hasattr(since, "date") else since,
    }
    drawn = {"_kind": kind, "_look": words.look(row["state"]), "_state": row["state"], "shape": row["shape"]}
    return {_column(key, lang): value for key, value in told.items()} | drawn


def _column(key: str, lang: str) -> str:
    return _both(key)[lang]


def _both(english: str) -> dict[str, str]:
    return {lang: catalogue(lang).gettext(english) for lang in ("en", "zh")}
