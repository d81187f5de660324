"""Maps as one file, for reports and notebooks: whatever is laid on them opens with the network cut.

leafmap composes the map; its scripts and styles are put into the file, so that no browser asks anybody for anything.
It is imported inside the function that needs it: it is large, and no page of the platform does.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from geo.notebook_page import ASSETS, Key, MapLayer, Said, Style, Words, body, drawn, head, language
from schemas.refusals import invalid

__all__ = ["Key", "MapLayer", "Style", "coverage_map", "export_map", "from_rows", "gap_frame"]

if TYPE_CHECKING:
    import geopandas as gpd

    from geo.coverage.frames import SeenGround

_FROM_ELSEWHERE = re.compile(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//|url\(\s*["']?(?:https?:)?//|@import""", re.I)


def export_map(
    layers: Sequence[MapLayer], out: Path, *, title: Words, lang: str = "en", note: str = "", assets: Path = ASSETS
) -> Path:
    """Writes the layers, the first lowest, as one HTML file that needs nothing else; gives its path.

    Raises RuleViolation 422 where there is nothing to show or a layer does not say its CRS, and RuntimeError where
    something in the file would be fetched from elsewhere.
    """
    shown = [layer for layer in layers if len(layer.features)]
    if not any(not layer.style.is_ground for layer in shown):
        raise invalid("map.empty", "map.empty", measured=", ".join(layer.name["en"] for layer in layers) or "—")
    document = _closed(_composed(shown, lang), shown, Said(title[lang], note, lang), assets)
    if found := _FROM_ELSEWHERE.search(_without_scripts(document)):
        raise RuntimeError(f"the map would fetch something from elsewhere: {document[found.start() :][:80]}")
    partial = out.with_name(f"{out.name}.part")
    partial.write_text(document, encoding="utf-8")
    partial.replace(out)
    return out


def gap_frame(seen: SeenGround) -> gpd.GeoDataFrame:
    """What nobody sees of some ground, the largest piece first: `number`, `area_km2` and the shape (EPSG:4326).

    `geo.coverage.frames` reads the ground: `of_study` from a study that is answered, `of_files` from a planner's files.
    """
    gaps = seen.gaps.sort_values("area_m2", ascending=False, ignore_index=True)
    frame = gaps[["geometry"]].copy()
    frame.insert(0, "number", range(1, len(gaps) + 1))
    frame.insert(1, "area_km2", gaps["area_m2"] / 1e6)
    return frame


def coverage_map(
    seen: SeenGround, *, title: Words | None = None, lang: str = "en", note: str = "", assets: Path = ASSETS
) -> Any:  # noqa: ANN401
    """How some ground is seen, as a map of leafmap that shows itself in a notebook with the network cut.

    What is seen once, twice and more lies over the ground, the gaps and the devices on top; each is told when it is
    clicked. `save(path)` of the map writes the file that it shows. Raises RuleViolation 422 where the ground is empty.
    """
    from geo.coverage.frames import NAMES

    looks = {
        "ground": Style("var(--ink)", fill_opacity=0.0, dash="6 3", width_px=1.5),
        "seen": Style("var(--patrol)", fill_opacity=0.25, width_px=0.5),
        "gaps": Style("var(--state-stop)", fill_opacity=0.3, width_px=1.5),
        "devices": Style("var(--accent)", fill_opacity=0.9, radius_px=5),
    }
    frames = {"ground": seen.ground, "seen": seen.seen, "gaps": gap_frame(seen), "devices": seen.devices}
    layers = [MapLayer(NAMES[name], frame, looks[name]) for name, frame in frames.items() if len(frame)]
    if not layers:
        raise invalid("map.empty", "map.empty", measured="ground")
    made = _composed(layers, lang)
    _close(made, layers, Said((title or NAMES["map"])[lang], note, lang), assets)
    return made


def from_rows(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> gpd.GeoDataFrame:
    """Features (EPSG:4326) of rows that hold a `shape` as GeoJSON text beside the columns named."""
    import geopandas as gpd
    from shapely.geometry import shape

    rows = list(rows)
    shapes = [shape(json.loads(row["shape"])) for row in rows]
    values = {name: [_told(row[name]) for row in rows] for name in columns}
    return gpd.GeoDataFrame(values, geometry=shapes, crs="EPSG:4326")


def _composed(layers: Sequence[MapLayer], lang: str) -> Any:  # noqa: ANN401
    """The map of leafmap with every layer on it."""
    import leafmap.foliumap as leafmap

    controls = ("draw", "measure", "search", "fullscreen", "latlon", "scale")
    # Bounds fill the map as far as they can: whole zooms would leave up to half of it empty.
    made = leafmap.Map(tiles=None, layers_control=False, zoom_snap=0, **{f"{name}_control": False for name in controls})
    for number, layer in enumerate(layers):
        if layer.style.halo:
            _add(made, replace(layer, style=layer.style.under), number, lang)
        _add(made, layer, number, lang)
    # leafmap looks at the whole world unless it is told otherwise.
    made.fit_bounds(_bounds(layers), padding=(24, 24))
    return made


def _add(made: Any, layer: MapLayer, number: int, lang: str) -> None:  # noqa: ANN401
    import folium

    style = layer.style
    features = _escaped(_in_degrees(layer))
    told = [name for name in features.columns if name != features.geometry.name and not name.startswith("_")]
    # The first column names a feature: to whoever points at it, and to whoever cannot see it.
    features["_name"] = [html.unescape(name) for name in features[told[0]]] if told else ""
    symbols = folium.Marker(icon=folium.DivIcon(icon_size=(26, 26))) if layer.symbols else None
    named = folium.utilities.JsCode("(feature, layer) => { layer.options.title = feature.properties._name; }")
    made.add_geojson(
        features,
        layer_name=html.escape(layer.name[lang]),
        info_mode="on_click" if told and not style.is_ground else None,
        fields=told,
        zoom_to_layer=False,
        style_function=lambda feature: drawn(layer, number, feature["properties"]),
        highlight_function=lambda _feature: {"weight": style.width_px + 2},
        marker=symbols or folium.CircleMarker(radius=style.radius_px, fill=True),
        on_each_feature=named if symbols else None,
    )


def _in_degrees(layer: MapLayer) -> gpd.GeoDataFrame:
    if layer.features.crs is None:
        raise invalid("map.crs", "map.crs", measured=layer.name["en"])
    return layer.features.to_crs("EPSG:4326")


def _escaped(features: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """What is told is text: a name with an angle bracket in it is no piece of a page."""
    told = features.copy()
    for name in told.columns:
        if name != told.geometry.name:
            told[name] = [html.escape(_told(value)) for value in told[name]]
    return told.rename(columns={name: html.escape(str(name)) for name in told.columns if name != told.geometry.name})


def _told(value: object) -> str:
    return "" if value is None or value != value else str(value)


def _bounds(layers: Sequence[MapLayer]) -> list[list[float]]:
    """South-west and north-east corner (latitude, longitude) of what is not ground."""
    boxes = [_in_degrees(layer).total_bounds for layer in layers if not layer.style.is_ground]
    west, south = min(box[0] for box in boxes), min(box[1] for box in boxes)
    east, north = max(box[2] for box in boxes), max(box[3] for box in boxes)
    return [[float(south), float(west)], [float(north), float(east)]]


def _closed(made: Any, layers: Sequence[MapLayer], said: Said, assets: Path) -> str:  # noqa: ANN401
    """The document of a map that needs nothing else."""
    _close(made, layers, said, assets)
    document: str = made.get_root().render()
    return document.replace("<html>", f'<html lang="{language(said.lang)}">', 1)


def _close(made: Any, layers: Sequence[MapLayer], said: Said, assets: Path) -> None:  # noqa: ANN401
    """Puts Leaflet and a legend inside of a map and leaves out what our layers do not use: jQuery, Bootstrap, fonts."""
    from folium import Element

    # Of the class the lists are shared with every other map of the process.
    made.default_js, made.default_css = [], []
    root = made.get_root()
    root.header.add_child(Element(_verbatim(head(said, layers, assets))), name="a_closed_map", index=0)
    root.html.add_child(Element(_verbatim(body(said, layers))), name="a_title", index=0)


def _verbatim(text: str) -> str:
    """A text that a template engine leaves as it is."""
    return "{% raw %}" + text.replace("{% endraw", "") + "{% endraw %}"


def _without_scripts(document: str) -> str:
    """The document without the insides of its scripts, in which an address is only a text."""
    return re.sub(r"(<script)(?![^>]*\bsrc\b)[^>]*>.*?</script>", r"\1></script>", document, flags=re.S)
